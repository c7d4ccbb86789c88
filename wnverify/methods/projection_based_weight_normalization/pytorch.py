"""Projection based weight normalization in PyTorch: every T steps w ← w / ‖w‖ for every output unit's row.

L. Huang, X. Liu, B. Lang and B. Li, *Projection based weight normalization for deep neural networks*, 2017; equations
2 to 6 of *Norm loss*.  Undefined at a zero row.
"""

from __future__ import annotations

from typing import Any, ClassVar

from wnverify.primitives.constraint import RowConstraint
from wnverify.primitives.pytorch import Rows, normalize, working
from wnverify.primitives.rules import check_gradient


def unit_rows(W: Rows) -> Rows:
    """w / ‖w‖ along the last axis: the nearest point of the unit sphere.

    W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions computed in float32); norms are summed
    in float64, rows of any scale are right.  Derivatives of every order; the backward keeps the result and the norms.
    ``ValueError`` names a zero row or a non-finite entry; looking synchronises with the device.

    >>> import torch
    >>> unit_rows(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return normalize(working(W), centred=False)[0].to(W.dtype)


def tangent_rows(W: Rows, G: Rows) -> Rows:
    """g − ⟨g, ŵ⟩ ŵ with ŵ = w / ‖w‖, row by row: the gradient on the oblique manifold, at W with its rows normalised.

    W and G (*batch, n, d); dtypes and errors of W as in ``unit_rows``.

    >>> import torch
    >>> tangent_rows(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 2.0]]))
    tensor([[0., 2.]])
    """
    unit, gradient = normalize(working(W), centred=False)[0], working(G)
    along = (gradient * unit).sum(-1, keepdim=True)
    return (gradient - along * unit).to(G.dtype)


class ProjectionBasedWeightNormalization(RowConstraint):
    """Rows of a weight brought back to unit norm after every ``every``-th step of an optimiser (T in the paper).

    ``riemannian``: before every step the gradient g becomes g − ⟨g, ŵ⟩ ŵ, ŵ = w / ‖w‖ (equation 4 of *Norm loss*);
    without it, as the authors recommend, the step is the plain one.  With ``every=1`` and ``riemannian`` this is
    Riemannian gradient descent on the oblique manifold, the retraction being the normalization.

    Weight decay, as a term of the gradient or decoupled, acts along w alone: on unit rows it changes the size of the
    step, by the factor 1 / (1 − learning rate × decay) where it is plain, and never the constraint.  Momentum and
    Adam's averages stay those of the gradients as they came, not carried along from tangent space to tangent space,
    so that their sum may have a part along w, which the projection takes off.

    Rows of any shape and scale, dtypes and errors as ``unit_rows``; O(n d) a step.

    >>> import torch
    >>> ProjectionBasedWeightNormalization(every=10)(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "unit_norm_rows": True,
        "constant_norm_rows": 1.0,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "gradient_orthogonal_to_weight": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[dict[str, Any]] = {"name": "sphere_rows", "radius": 1.0}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "zero_row": "every point of the sphere is a nearest one: ValueError naming the row",
        "zero_matrix": "every row is zero: ValueError naming the first",
    }

    def __init__(self, *, riemannian: bool = False, every: int = 1) -> None:
        super().__init__(every=every)
        self.riemannian = riemannian

    @property
    def transforms(self) -> bool:
        """Whether the gradient is changed at all."""
        return self.riemannian

    def project(self, W: Rows) -> Rows:
        """``unit_rows``."""
        return unit_rows(W)

    def transform(self, W: Rows, G: Rows) -> Rows:
        """``tangent_rows`` where ``riemannian``, G itself otherwise."""
        check_gradient(W, G)
        return tangent_rows(W, G) if self.riemannian else G
