"""Spectral restricted isometry (SRIP) in PyTorch: L(W) = σ(W Wᵀ − I), the spectral norm, one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.4.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.distributed import beside, identity
from wnverify.primitives.gram import facing, gram, product, smaller
from wnverify.primitives.leading import leading
from wnverify.primitives.penalty import RowPenalty
from wnverify.primitives.pytorch import Rows, working


def spectral_restricted_isometry(
    W: Rows, side: str = "rows", *, iterations: int | None = None, seed: int = 0
) -> Tensor:
    """σ(W Wᵀ − I), or ``side="columns"`` σ(Wᵀ W − I), shape (*batch): float64 for float64 W, else float32.

    ``side="smaller"``: the smaller of the two Gram matrices, as the authors' program.  W (*batch, n, d), float64,
    float32, bfloat16 or float16.  Exact (``iterations=None``): the largest |λ − 1| over the eigenvalues of the smaller
    Gram matrix, in float64, and at least 1 where the asked one is larger.  Gradient ± 2 x xᵀ W; where several are equal
    (to rounding of float64) the mean over the positive ones, if any, else over the negative ones; 0 at W Wᵀ = I.
    ``ValueError`` for a non-finite W; looking synchronises with the device.  Cost: one Gram matrix, m² max(n, d), one
    eigendecomposition (m, m), m = min(n, d), and a product of m² max(n, d) in the backward, which keeps W itself, no
    copy (a float32 one for the half precisions), and 2 m² float64 numbers.

    ``iterations=k``: ‖E û‖ with û from k − 1 normalised products of E = W Wᵀ − I with a Gaussian vector, which
    ``seed`` fixes (the same at every call); the paper has k = 2.  Never above σ; 0, with gradient 0, where û vanishes.
    The gradient is that of the estimate.  No Gram matrix: 2 k products of W with a vector, O(k n d).

    Derivatives of every order, forward and reverse, and ``torch.func``; those from the second on are of no meaning
    where the eigenvalue is repeated.  ``ValueError`` for a wrong argument, ``TypeError`` for integers and complex
    numbers.

    >>> spectral_restricted_isometry(torch.tensor([[2.0, 0.0], [0.0, 0.5]]))
    tensor(3.)
    """
    check_iterations(iterations)
    X = _facing(working(W), side)
    if iterations is not None:
        return _estimate(X, iterations, seed)
    Y, missing = smaller(X)
    S = gram(Y, double=True)
    sigma, _ = leading(S - identity(S), absolute=True, shift=1.0)
    if missing:
        sigma = torch.maximum(sigma, torch.ones_like(sigma))
    return sigma.to(X.dtype)


def _facing(W: Tensor, side: str) -> Tensor:
    return smaller(W)[0] if side == "smaller" else facing(W, side)


def check_iterations(iterations: int | None) -> None:
    """``ValueError`` unless it is None or a whole number, at least 1."""
    if iterations is not None and (isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1):
        raise ValueError(f"iterations must be None (exact) or a whole number, at least 1; got {iterations!r}")


def _estimate(X: Tensor, iterations: int, seed: int) -> Tensor:
    v = torch.tensor(_gaussian(X.shape[-2], seed), dtype=X.dtype, device=X.device)
    u = beside((v / torch.linalg.vector_norm(v)).unsqueeze(-1), X)
    u = u.expand(*X.shape[:-1], 1)
    for _ in range(iterations - 1):
        u = product(X, product(X.mT, u)) - u
        size = _size(u)
        u = u / size.masked_fill(size == 0, torch.inf)
    return _size(product(X, product(X.mT, u)) - u)[..., 0, 0]


def _size(u: Tensor) -> Tensor:
    """‖u‖ of a column, (…, 1, 1), its squares in float64: those of a float32 need not be represented themselves."""
    norm: Tensor = torch.linalg.vector_norm(u, dim=-2, keepdim=True, dtype=torch.float64)
    return norm.to(u.dtype)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _gaussian(size: int, seed: int) -> tuple[float, ...]:
    """Numbers of Python's own generator, which are the same on every device and in NumPy."""
    generator = random.Random(seed)
    return tuple(generator.gauss(0.0, 1.0) for _ in range(size))


class SpectralRestrictedIsometry(RowPenalty):
    """The penalty factor × σ(W Wᵀ − I) on the output units of a layer.

    ``side``: ``"rows"`` (output units, the papers' columns), ``"columns"`` or ``"smaller"``; where the Gram matrix is
    larger than the rank (rows with n > d) the penalty is at least 1 and stands still wherever all singular values are
    below √2, which ``"smaller"`` avoids.
    ``iterations``: None for σ itself, 2 for the paper's estimate from a random vector; ``seed`` fixes that vector.
    ``dim``, ``groups``: see ``to_rows``.  Dtypes, errors, cost and memory as ``spectral_restricted_isometry``.

    >>> SpectralRestrictedIsometry(0.5)(torch.eye(3, 5) * 2)
    tensor(1.5000)
    """

    DECLARES: ClassVar[dict[str, Any]] = {"rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "where several |λ − 1| are largest: the mean of the positive ones, else of the negative ones",
        "zero_matrix": "value 1, gradient 0",
    }

    def __init__(
        self,
        factor: float = 1.0,
        *,
        side: str = "rows",
        iterations: int | None = None,
        seed: int = 0,
        dim: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        _facing(torch.empty(1, 1), side)
        check_iterations(iterations)
        self.side, self.iterations, self.seed = side, iterations, seed
        if iterations is not None:
            # The vector has a place for every row (column): it neither moves with a permutation nor turns.
            kept = {"rows": {"rotation_equivariant": True}, "columns": {"permutation_equivariant_rows": True}}
            self.DECLARES = kept.get(side, {})  # type: ignore[misc]
            self.DOMAIN = {"nonsmooth": "where a product with W Wᵀ − I vanishes: gradient 0"}  # type: ignore[misc]

    def value(self, W: Tensor) -> Tensor:
        return spectral_restricted_isometry(W, self.side, iterations=self.iterations, seed=self.seed)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, side={self.side!r}, iterations={self.iterations}, seed={self.seed}"
