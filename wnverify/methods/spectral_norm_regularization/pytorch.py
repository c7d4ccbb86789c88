"""Spectral norm regularization in PyTorch: L(W) = ½ σ_1(W)², σ_1 the largest singular value.

Y. Yoshida and T. Miyato, *Spectral norm regularization for improving the generalizability of deep learning*, 2017,
equation 3.  They estimate σ_1 by power iteration; here it is exact.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.gram import gram, smaller
from wnverify.primitives.leading import half_square, leading
from wnverify.primitives.penalty import RowPenalty
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.rules import ldexp, power_scaled


def half_squared_spectral_norm(W: Rows) -> Tensor:
    """½ σ_1(W)², shape (*batch): float64 for float64 W, else float32.  Gradient: σ_1 u vᵀ.

    W (*batch, n, d), float64, float32, bfloat16 or float16.  By the eigendecomposition of the smaller Gram matrix in
    float64, which for the largest singular value is as accurate as one of W.  Where σ_1 is repeated k times (to
    rounding of float64) the gradient is the mean of the k terms: the shortest subgradient, which turns with W.
    Derivatives of every order, forward and reverse, and ``torch.func``; those from the second on at a repeated σ_1 are
    of no meaning.
    ``ValueError`` for a non-finite W, ``TypeError`` for integers and complex numbers; looking synchronises with the
    device, as the decomposition does.  Cost: one Gram matrix, m² max(n, d), one eigendecomposition (m, m), m the
    smaller of n and d, and a product of m² max(n, d) in the backward, which keeps W itself (beside a copy for the half
    precisions and float64) and 2 m² float64 numbers.

    >>> half_squared_spectral_norm(torch.tensor([[3.0, 4.0]]))
    tensor(12.5000)
    """
    W = working(W)
    Y, _ = smaller(W)
    if W.dtype == torch.float32:
        lam, P = leading(gram(Y, double=True))
        return half_square(Y, P, lam / 2).to(W.dtype)
    # In float64 squares may over- and underflow; a power of two, no part of the derivative, keeps them from it.
    scaled, exponent = power_scaled(Y, (-2, -1))
    lam, P = leading(gram(scaled))
    return half_square(Y, P, ldexp(ldexp(lam / 2, exponent[..., 0, 0]), exponent[..., 0, 0]))


class SpectralNormRegularization(RowPenalty):
    """The penalty factor × ½ σ_1(W)² on a layer's weight as the matrix (n, …) of its output units.

    ``factor``: λ of Yoshida and Miyato.  For a convolution σ_1 is that of the matrix of its kernel, as in the paper,
    not of the operator.  ``dim``, ``groups``: see ``to_rows``.  Dtypes, errors, cost and memory as
    ``half_squared_spectral_norm``.

    >>> SpectralNormRegularization(0.25)(torch.eye(3, 5) * 4)
    tensor(2.)
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "convex": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "where the largest singular value is repeated: the gradient is the shortest subgradient",
    }

    def value(self, W: Tensor) -> Tensor:
        return half_squared_spectral_norm(W)
