"""Stiefel layer in PyTorch: Riemannian gradient before the step, retraction onto orthonormal rows after it.

M. Harandi and B. Fernando, *Generalized backpropagation, étude de cas: orthogonality*, 2016; M. Ozay and T. Okatani,
*Optimization on submanifolds of convolution kernels in CNNs*, 2016.  Undefined unless W (n, d) has rank n, n ≤ d; the
derivation stands in ``reference``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import torch

from wnverify.primitives.constraint import RowConstraint
from wnverify.primitives.polar import polar
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.rules import check_gradient
from wnverify.primitives.triangular import triangular

RETRACTIONS: Final = ("qr", "polar")
GROUPINGS: Final = ("filters", "channels")


def orthonormalize_rows(W: Rows) -> Rows:
    """Q of W = L Q, L lower triangular with positive diagonal: the Gram-Schmidt process in the order of the rows.

    W (*batch, n, d), n ≤ d, float64, float32, bfloat16 or float16 (the half precisions computed in float32); the scale
    of rows does not matter.  By a Householder QR, O(n² d).  Derivatives of every order; the backward keeps Q and L
    (n, n).  ``ValueError`` names a non-finite entry, n > d, or rank and the row nearer than d u ‖w_i‖ to the span of
    those before it; looking synchronises with the device.

    >>> import torch
    >>> orthonormalize_rows(torch.tensor([[2.0, 0.0], [1.0, 3.0]])).diagonal()
    tensor([1., 1.])
    """
    return triangular(working(W))[0].to(W.dtype)


def nearest_orthonormal_rows(W: Rows) -> Rows:
    """(W Wᵀ)^{-1/2} W, the nearest matrix with orthonormal rows; W (*batch, n, d), n ≤ d.

    dtypes, derivatives, memory and errors as ``primitives.polar.polar``, uncentred.

    >>> import torch
    >>> nearest_orthonormal_rows(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return polar(working(W), centred=False).to(W.dtype)


def riemannian_gradient(W: Rows, G: Rows) -> Rows:
    """G − ½ (G Wᵀ + W Gᵀ) W: for W Wᵀ = I the tangent part of G, in the Euclidean inner product; O(n² d).

    >>> import torch
    >>> riemannian_gradient(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 2.0]]))
    tensor([[0., 2.]])
    """
    rows, gradient = working(W), working(G)
    with torch.autocast(W.device.type, enabled=False):
        B = gradient @ rows.mT
        tangent = gradient - 0.5 * (B + B.mT) @ rows
    return tangent.to(G.dtype)


class StiefelLayer(RowConstraint):
    """Orthonormal rows after every ``every``-th step; before each step the gradient's part tangent to that manifold.

    ``retraction``: ``"qr"``, the authors', takes the rows in their order; ``"polar"`` is the nearest point and favours
    no row.  ``grouping``: ``"filters"`` for the matrix (n, d) of output units, as for fully connected layers (Harandi
    and Fernando); ``"channels"`` for every input channel the kernels (n, k) with k entries each, orthonormal to one
    another.  The latter is a reading of what *Deep structural weight normalization* says of Ozay and Okatani, that
    kernels within a channel are orthogonal; it needs a convolution and n ≤ k.

    ``ValueError`` for another ``retraction`` or ``grouping``, and for every weight with more rows than columns, which
    has no orthonormal rows: the manifold of the authors, transposed, has n ≤ d.  Where a step leaves a rank below n,
    the ``ValueError`` names row (``"qr"``) or rank (``"polar"``).

    Weight decay, as a term of the gradient or decoupled, scales W, which either retraction takes off: it changes the
    size of a plain step, never the constraint.  Momentum and Adam's averages are not carried along from tangent space
    to tangent space; what they hold outside, the retraction takes off.  With ``every`` above 1 the gradient between two
    retractions is taken at rows that are not orthonormal, and is tangent to nothing.

    >>> import torch
    >>> StiefelLayer()(torch.tensor([[2.0, 0.0], [1.0, 3.0]])).diagonal()
    tensor([1., 1.])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "orthonormal_rows": True,
        "scaled_orthonormal_rows": 1.0,
        "unit_norm_rows": True,
        "constant_norm_rows": 1.0,
        "spectral_norm_le_1": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_le_cols": True,
        "full_rank": True,
        "zero_row": "a zero row costs a rank: ValueError naming row or rank",
        "zero_matrix": "rank 0: ValueError naming row or rank",
    }

    def __init__(self, *, retraction: str = "qr", grouping: str = "filters", every: int = 1) -> None:
        super().__init__(every=every)
        if retraction not in RETRACTIONS:
            raise ValueError(f"retraction must be one of {', '.join(RETRACTIONS)}; got {retraction!r}")
        if grouping not in GROUPINGS:
            raise ValueError(f"grouping must be one of {', '.join(GROUPINGS)}; got {grouping!r}")
        self.retraction, self.grouping = retraction, grouping
        if retraction == "polar":
            declared = {**self.DECLARES, "permutation_equivariant_rows": True, "euclidean_projection": True}
            del declared["row_scale_invariant"], declared["gradient_orthogonal_to_weight"]
            self.DECLARES = declared  # type: ignore[misc]
            self.SET = {"name": "stiefel_rows"}

    @property
    def by_channel(self) -> bool:
        """Whether the kernels of every input channel are a matrix of their own."""
        return self.grouping == "channels"

    def project(self, W: Rows) -> Rows:
        """``orthonormalize_rows`` or ``nearest_orthonormal_rows``."""
        return orthonormalize_rows(W) if self.retraction == "qr" else nearest_orthonormal_rows(W)

    def transform(self, W: Rows, G: Rows) -> Rows:
        """``riemannian_gradient``."""
        check_gradient(W, G)
        return riemannian_gradient(W, G)
