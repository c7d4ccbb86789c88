"""The heavy part in PyTorch, on any device: all sign vectors at once, and a search over the weights of deep networks.

What it computes is defined in ``rademacher`` and ``network``; the two share the matrix of features and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from wnverify.oracles.ratio import gamma, unit_roundoff
from wnverify.theory.network import Matrix, NetworkClass, checked_data
from wnverify.theory.rademacher import Complexity, feature_matrix, largest_exact

BLOCK_BYTES: Final = 1 << 28
Projection = Callable[[Tensor, float], Tensor]
"""(W, c) → the rows of W projected to the L1 ball of radius c."""


def complexity(network: NetworkClass, X: Matrix, *, device: str = "cpu") -> Complexity:
    """R̂_S for k ≤ 1 (ReLU) as ``rademacher.complexity`` has it, the product on ``device`` in float64.

    ``ValueError`` as there.
    """
    data = checked_data(X)
    n, m1 = data.shape
    if n > largest_exact(m1, network.k):
        raise ValueError(
            f"X is too large for all sign vectors: n = {n} with m1 = {m1}; n ≤ {largest_exact(m1, network.k)} would do"
        )
    F = torch.as_tensor(feature_matrix(network, data), device=device)
    total, count = 0.0, 1 << (n - 1)
    rows = min(count, max(1, BLOCK_BYTES // (8 * F.shape[1])))
    bits = torch.arange(n, device=device)
    for start in range(0, count, rows):
        numbers = torch.arange(start, min(start + rows, count), device=device).unsqueeze(1)
        signs = 1.0 - 2.0 * ((numbers >> bits) & 1).double()
        low, high = (signs @ F).aminmax(dim=1)
        total += float(torch.maximum(high, -low).sum())
    scale = network.o / n
    error = scale * gamma(n + 70, unit_roundoff("float64")) * float(F.abs().sum(0).max())
    return Complexity(scale * total / count, error, True, 2 * count, F.shape[1])


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The mean over sign vectors of the best Σ ε_i f(x_i)/n that a search met: every weight is in the class."""

    lower: float
    steps: int
    restarts: int


def search(
    network: NetworkClass,
    X: Matrix,
    signs: Matrix,
    project: Projection,
    *,
    activation: str = "relu",
    width: int = 4,
    restarts: int = 8,
    steps: int = 60,
    seed: int = 0,
) -> Found:
    """Projected gradient ascent on max(|Σ ε_i|, max_j |Σ_i ε_i σ(f_k(x_i))_j|), all sign vectors and restarts at once.

    The output weights are at a corner of their ball.  Columns of Ṽ_ℓ, bias first, are projected to the ball of radius
    c_ℓ after each step, and shrunk by what rounding may have added before the value counts.  Half of the restarts begin
    with single paths: every unit of a layer hangs on one unit of the layer below.
    """
    act = {"relu": torch.relu, "tanh": torch.tanh}[activation]
    data = torch.as_tensor(checked_data(X))
    eps = torch.as_tensor(signs)
    best = eps.sum(1).abs()
    if network.k == 0:
        return Found(float(torch.maximum(best, (eps @ data).abs().amax(1)).mean()) * network.o / len(data), 0, 0)
    generator = torch.Generator().manual_seed(seed)
    batch = restarts * len(eps)
    fans = [data.shape[1], *[width] * (network.k - 1)]
    weights = []
    for layer, (fan, c) in enumerate(zip(fans, network.c, strict=True)):
        V = torch.randn(batch, width, fan + 1, generator=generator, dtype=torch.float64)
        if layer:
            single = torch.zeros_like(V[: batch // 2])
            unit = torch.randint(1, fan + 1, single.shape[:2], generator=generator).unsqueeze(-1)
            V[: batch // 2] = single.scatter(-1, unit, c)
        weights.append(project(V.flatten(0, 1), c).view_as(V).requires_grad_())
    target = eps.repeat(restarts, 1)

    def values(layers: list[Tensor]) -> Tensor:
        z = data.expand(batch, *data.shape)
        for layer, V in enumerate(layers):
            inputs = act(z) if layer else z
            z = V[:, None, :, 0] + inputs @ V[..., 1:].mT
        return (target.unsqueeze(-1) * act(z)).sum(1).abs().amax(1)

    for step in range(steps):
        found = values(weights)
        gradients = torch.autograd.grad(found.sum(), weights)
        with torch.no_grad():
            rate = 0.5 * (1 - step / steps)
            for V, G, c in zip(weights, gradients, network.c, strict=True):
                length = torch.linalg.vector_norm(G, dim=(1, 2), keepdim=True).clamp_min(1e-12)
                V.copy_(project((V + rate * c * G / length).flatten(0, 1), c).view_as(V))
            best = torch.maximum(best, values(_inside(weights, network.c)).view(restarts, -1).amax(0))
    return Found(float(best.mean()) * network.o / len(data), steps, restarts)


def _inside(weights: list[Tensor], constants: tuple[float, ...]) -> list[Tensor]:
    """The weights shrunk where rounding left a column outside its ball."""
    made = []
    for V, c in zip(weights, constants, strict=True):
        norm = V.abs().sum(-1, keepdim=True)
        shrink = c / norm.clamp_min(c) * (1 - gamma(V.shape[-1] + 3, unit_roundoff("float64")))
        made.append(V * shrink)
    return made
