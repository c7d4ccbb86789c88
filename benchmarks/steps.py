"""One forward and backward of a map of weights, ours or other people's, as a step to be timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.side_by_side import device
from wnverify.finding import seed_of

Shape = tuple[int, int]


def weight(shape: Shape, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """V with rows of about norm 1, and a cotangent."""
    generator = torch.Generator().manual_seed(seed_of("benchmark", shape) % 2**62)
    V, A = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    return (V / shape[1] ** 0.5).to(device(), dtype), A.to(device(), dtype)


def step_of(f: Callable[[Tensor], Tensor], shape: Shape, small: Shape = (4, 9)) -> Callable[[], tuple[Tensor, ...]]:
    """One forward and backward of f; loaded by a small one, so that what is loaded on first use is no memory of it."""
    little = torch.randn(small, device=device(), requires_grad=True)
    torch.autograd.grad(f(little).sum(), little)
    V, A = weight(shape)
    V.requires_grad_()

    def step() -> tuple[Tensor, ...]:
        W = f(V)
        return (W.detach(), *torch.autograd.grad(W, V, A))

    step.parameter = V  # type: ignore[attr-defined]
    return step


def module_step(build: Callable[[nn.Module], nn.Module], shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    """The same of the weight of a parametrized layer, with respect to all its parameters."""
    V, A = weight(shape)
    layer = nn.Linear(shape[1], shape[0], bias=False, device=device())
    layer.weight = nn.Parameter(V)
    build(layer)
    parameters = list(layer.parameters())

    def step() -> tuple[Tensor, ...]:
        W: Tensor = layer.weight
        return (W.detach(), *torch.autograd.grad(W, parameters, A))

    return step


def ours(method: str, shape: Shape, **options: Any) -> Callable[[], tuple[Tensor, ...]]:
    from wnverify.numerics.forms import Form
    from wnverify.numerics.topics import judged

    return step_of(Form(next(each for each in judged() if each.id == method)).build(**options), shape)


def our_layer(method: str, shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    import wnverify

    return module_step(lambda layer: wnverify.apply(layer, method), shape)


def their_weight_norm(shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    return module_step(nn.utils.parametrizations.weight_norm, shape)


def their_orthogonal(kind: str, shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    def build(layer: nn.Module) -> nn.Module:
        nn.init.orthogonal_(layer.weight)
        nn.utils.parametrizations.orthogonal(layer, orthogonal_map=kind)
        with torch.no_grad():  # away from the point of registration, at which some maps are the identity
            original = layer.parametrizations.weight.original
            original += 0.01 * weight((original.shape[0], original.shape[1]))[1]
        return layer

    return module_step(build, shape)


def geotorch_stiefel(shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    import geotorch

    def build(layer: nn.Module) -> nn.Module:
        geotorch.orthogonal(layer, "weight", triv="cayley")
        return layer

    return module_step(build, shape)


def plain_own(V: Tensor) -> Tensor:
    """Σ^{-1/2} V_C through ``eigh``, for autograd."""
    X = V - V.mean(1, keepdim=True)
    eigenvalues, D = torch.linalg.eigh(X @ X.mT)
    W: Tensor = ((D * eigenvalues.rsqrt()) @ D.mT) @ X
    return W


class Standardized(nn.Module):
    """Weight standardization by batch normalization of the weight as one example with a channel a row."""

    def __init__(self, gain: Tensor | None, eps: float) -> None:
        super().__init__()
        self.gain, self.eps = gain, eps

    def forward(self, V: Tensor) -> Tensor:
        W: Tensor = nn.functional.batch_norm(V[None], None, None, self.gain, training=True, momentum=0, eps=self.eps)[0]
        return W


def their_standardization(name: str, shape: Shape) -> Callable[[], tuple[Tensor, ...]]:
    """Of population variance plus 1e-5 as ours; centred weight normalization is that without eps, over √d."""
    gain = torch.full((shape[0],), shape[1] ** -0.5, device=device()) if name == "cwn" else None
    made = Standardized(gain, 1e-5 if gain is None else 1e-30)
    register = nn.utils.parametrize.register_parametrization
    return module_step(lambda layer: register(layer, "weight", made), shape)


def sorted_projection(V: Tensor) -> Tensor:
    """Every row onto the L1 ball of radius 1: the threshold from the sorted entries."""
    sizes = V.abs()
    high = sizes.sort(dim=1, descending=True).values
    excess = high.cumsum(1) - 1
    count = torch.arange(1, V.shape[1] + 1, device=V.device)
    last = (high * count > excess).sum(1, keepdim=True)
    theta = (excess.gather(1, last - 1) / last).clamp(min=0)
    return V.sign() * (sizes - theta).clamp(min=0)


def numpy_projection(shape: Shape) -> Callable[[], tuple[np.ndarray, ...]]:
    """The same in NumPy, with the backward that needs no sort."""
    V, A = (x.cpu().numpy() for x in weight(shape))
    count = np.arange(1, shape[1] + 1, dtype=V.dtype)

    def step() -> tuple[np.ndarray, ...]:
        sizes = np.abs(V)
        high = -np.sort(-sizes, axis=1)
        excess = np.cumsum(high, axis=1) - 1
        last = (high * count > excess).sum(1, keepdims=True)
        theta = np.maximum(np.take_along_axis(excess, last - 1, 1) / last, 0).astype(V.dtype)
        W = np.sign(V) * np.maximum(sizes - theta, 0)
        s = np.sign(W)
        G = A * np.abs(s) - s * ((A * s).sum(1, keepdims=True) / last)
        return W, np.where(theta > 0, G, A)

    return step


def copies(shape: Shape) -> Callable[[], None]:
    """Reads and writes as many bytes as one forward and backward at least: V, W; A, V, G."""
    (V, A), W = weight(shape), torch.empty(shape, device=device())

    def step() -> None:
        torch.neg(V, out=W)
        torch.add(A, V, out=W)

    return step


def products(shape: Shape) -> Callable[[], None]:
    V, A = weight(shape)

    def step() -> None:
        S = V @ V.mT
        torch.linalg.eigh(S)
        for _ in range(2):
            S @ V
        A @ V.mT
        S @ A

    return step
