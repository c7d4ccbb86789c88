"""The sphere-and-centring update of *Constrained weight optimization* in PyTorch: ‖w‖² = c, 1ᵀw = 0 after every step.

Equations 2, 9 and 11 and Algorithm 1.  Undefined where a row less its mean is zero, so for d = 1 everywhere.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from wnverify.primitives.constraint import RowConstraint
from wnverify.primitives.pytorch import Rows, centre, normalize, working
from wnverify.primitives.rules import check_gradient
from wnverify.primitives.scalars import number

UPDATES: Final = ("projection", "printed")


def sphere_zero_mean_rows(W: Rows, *, c: float = 2.0, centred: bool = True) -> Rows:
    """√c ŵ / ‖ŵ‖ along the last axis, ŵ = w − mean(w), or w itself unless ``centred``.

    The nearest point with ‖w‖² = c and 1ᵀw = 0.  W (*batch, n, d), float64, float32, bfloat16 or float16 (the half
    precisions computed in float32); rows are centred twice and norms summed in float64.  Derivatives of every order;
    the backward keeps directions and norms; O(n d).  ``ValueError`` names a constant row (not ``centred``: a zero row),
    a non-finite entry, or c unless positive and finite; looking synchronises with the device.

    >>> import torch
    >>> sphere_zero_mean_rows(torch.tensor([[3.0, 5.0]])).round(decimals=3)
    tensor([[-1.,  1.]])
    """
    return (math.sqrt(_squared_radius(c)) * normalize(working(W), centred=centred)[0]).to(W.dtype)


class ConstrainedWeightOptimization(RowConstraint):
    """Rows of zero mean and squared norm ``c`` after every ``every``-th step; before each, zero-mean gradients.

    ``update="projection"``, the default, puts the exact minimiser of equation 9 in place of the weight, whatever the
    optimiser: the whole row is centred, then scaled.  ``update="printed"`` is Algorithm 1 to the letter, which centres
    the gradient alone and scales: the same for plain gradient descent from rows of zero mean (momentum, Nesterov and
    weight decay keep it so, being linear), but rows that start with a mean keep some of it, rounding adds to it step
    by step, and Adam, which divides entry by entry, brings a mean in at once.

    Weight decay, as a term of the gradient or decoupled, acts along w alone: it changes the size of a plain step, by
    the factor 1 / (1 − learning rate × decay), never the constraint.  Momentum and Adam's averages are of centred
    gradients; what they hold along w, the projection takes off.

    c is one number; layers of different c have a constraint each.  dtypes and errors of rows, cost and memory as
    ``sphere_zero_mean_rows``; ``TypeError`` unless c is a number,
    ``ValueError`` unless it is positive and finite, or for another ``update``.

    >>> import torch
    >>> ConstrainedWeightOptimization(c=8.0)(torch.tensor([[3.0, 5.0]])).round(decimals=3)
    tensor([[-2.,  2.]])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "constant_norm_rows": math.sqrt(2.0),
        "zero_mean_rows": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "idempotent": True,
        "permutation_equivariant_rows": True,
        "gradient_orthogonal_to_weight": True,
        "gradient_zero_mean": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[dict[str, Any]] = {"name": "sphere_zero_mean_rows", "radius": math.sqrt(2.0)}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring, every point of the set as near: ValueError naming it",
        "zero_row": "a zero row is constant: ValueError naming it",
        "zero_matrix": "every row is constant: ValueError naming the first",
    }

    def __init__(self, *, c: float = 2.0, update: str = "projection", every: int = 1) -> None:
        super().__init__(every=every)
        self.c = _squared_radius(c)
        if update not in UPDATES:
            raise ValueError(f"update must be one of {', '.join(UPDATES)}; got {update!r}")
        self.update = update
        radius = math.sqrt(self.c)
        self.DECLARES = {**self.DECLARES, "constant_norm_rows": radius}  # type: ignore[misc]
        self.SET = {**self.SET, "radius": radius}  # type: ignore[misc]
        if c == 1:
            self.DECLARES["unit_norm_rows"] = True
        if update == "printed":
            for name in ("zero_mean_rows", "shift_invariant_rows", "gradient_zero_mean"):
                del self.DECLARES[name]
            self.DECLARES["rotation_equivariant"] = True
            self.SET["name"] = "sphere_rows"
            self.DOMAIN = {  # type: ignore[misc]
                "zero_row": "every point of the sphere is a nearest one: ValueError naming the row",
                "zero_matrix": "every row is zero: ValueError naming the first",
            }

    def project(self, W: Rows) -> Rows:
        """``sphere_zero_mean_rows``, centred unless ``update`` is ``"printed"``."""
        return sphere_zero_mean_rows(W, c=self.c, centred=self.update == "projection")

    def transform(self, W: Rows, G: Rows) -> Rows:
        """G less its row means."""
        check_gradient(W, G)
        return centre(working(G)).to(G.dtype)


def _squared_radius(c: float) -> float:
    if not 0 < number(c, "c") < math.inf:
        raise ValueError(f"c must be a finite squared radius above 0; got {c!r}")
    return float(c)
