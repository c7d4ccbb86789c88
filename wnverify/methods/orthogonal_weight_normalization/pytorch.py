"""Orthogonal weight normalization in PyTorch: W = Σ^{-1/2} V_C, V_C = V − row means, Σ = V_C V_Cᵀ.

L. Huang et al., *Orthogonal weight normalization*, 2018; equation 6 of *Deep structural weight normalization* with
G = I.  Undefined unless V_C (n, d) has rank n, which needs n ≤ d − 1.  The backward divides by s_i + s_j only (s the
singular values of V_C), so repeated ones are ordinary points; the derivation stands in ``reference``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.pytorch import Rows, polar, working


def orthogonalize_rows(V: Rows) -> Rows:
    """W = Σ^{-1/2} V_C: orthonormal rows of zero mean, the nearest such matrix to V.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  Σ and its eigenvalues are float64 for every dtype; float64 input with κ(V_C) above 4 goes by the
    singular value decomposition, so that errors grow with κ, not with κ².  Derivatives of every order, forward and
    reverse, and ``torch.func``.
    Raises ``ValueError`` naming a non-finite entry, or shape and numerical rank of V_C where it is below n (singular
    values count as zero up to max(n, d) u times the largest, u that of the computation), ``TypeError`` for integers
    and complex numbers; looking synchronises with the device.  Cost: one eigendecomposition (n, n), one Gram matrix
    and four products of n² d, forward and backward together.  The backward keeps W, Σ^{1/2} and its eigenvectors and
    eigenvalues, no copy of V (for the half precisions all in float32).

    >>> import torch
    >>> W = orthogonalize_rows(torch.tensor([[1.0, 2.0, 4.0], [1.0, 0.0, 0.0]]))
    >>> bool(torch.linalg.matrix_norm(W @ W.mT - torch.eye(2)) < 8 * 2.0**-24)
    True
    """
    return polar(working(V)).to(V.dtype)


class OrthogonalWeightNormalization(RowParametrization):
    """Parametrization of a layer's weight by orthonormal rows of zero mean, for ``torch.nn.utils.parametrize``.

    ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight
    (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1 (all rows together are orthonormal).  Errors,
    dtypes, cost and memory as ``orthogonalize_rows``.

    >>> import torch
    >>> OrthogonalWeightNormalization()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "orthonormal_rows": True,
        "unit_norm_rows": True,
        "zero_mean_rows": True,
        "spectral_norm_le_1": True,
        "scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "idempotent": True,
        "permutation_equivariant_rows": True,
        "gradient_zero_mean": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_lt_cols": True,
        "full_rank": True,
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring: ValueError naming shape and rank",
        "zero_row": "a zero row costs a rank: ValueError naming shape and rank",
        "zero_matrix": "rank 0: ValueError naming shape and rank",
    }

    map_rows = staticmethod(orthogonalize_rows)
