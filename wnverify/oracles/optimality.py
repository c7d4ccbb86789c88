"""Certificates that W is a nearest point to V in a set C: a bound that nobody has to search for.  NumPy only.

*Convex C* with support function s(y) = max_{x in C} ⟨y, x⟩.  Let p be the projection of v, w any point of C and y any
vector.  With gap = s(y) − ⟨y, w⟩ ≥ 0 and e = ‖v − w − y‖,

    ‖w − p‖² = ⟨v − w, p − w⟩ + ⟨v − p, w − p⟩ ≤ ⟨y, p − w⟩ + e ‖p − w‖ ≤ gap + e ‖w − p‖,

since ⟨v − p, w − p⟩ ≤ 0 is what makes p the projection.  Hence ‖w − p‖ ≤ e/2 + √(e²/4 + gap), without knowing p.  y is
v − w, less whatever s does not bear where C is unbounded.  gap = e = 0 exactly at w = p.

*Spheres and frames*: all points of C have the same norm, so a nearest point is one of largest ⟨v, ·⟩, known in closed
form, and gap = max − ⟨v, w⟩ (for the Stiefel manifold nuclear norm − ⟨V, W⟩).  Where the gap is at least
(c/2) × squared distance to a nearest point, that distance is at most √(2 gap / c), plus how far the computed singular
vectors are from those of V.

A computed W is first moved into C; how far is the feasibility error, and the distance is added.  Rounding bounds of the
evaluation itself are added to gap, so that ``distance_bound`` holds in exact arithmetic up to the O(u) rounding of the
move.  Entries should be far enough from over- and underflow that their squares are, too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wnverify.oracles.arrays import real
from wnverify.oracles.ratio import UNIT_ROUNDOFF, ErrorModel, Ratio, gamma, map_model
from wnverify.oracles.sets import SETS, Matrix, Parameters, Set


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is known of W: ``feasibility`` and ``optimality`` of the worst row (or of the matrix, ``row`` None).

    ``feasibility``: distance to C, against what rounding of W (and of V, where C has an equation on sums) excuses.
    ``optimality``: the gap against that of an answer as good as modelled; passing excludes faults of first order in
    the gap from the model on, of second order (along a smooth boundary of a convex set) from its square root.
    ``distance_bound``: ‖W − P(V)‖_F is certainly not larger (for spheres and frames: P(V) a nearest point);
    ``bounds`` row by row.
    """

    set_name: str
    feasibility: Ratio
    optimality: Ratio
    distance_bound: float
    bounds: tuple[float, ...]
    row: int | None

    @property
    def ratio(self) -> float:
        """The larger of the two ratios: ≤ 1 passes."""
        return max(self.feasibility.value, self.optimality.value)

    @property
    def figures(self) -> dict[str, float | int | str | None]:
        return {
            "set": self.set_name,
            "infeasibility": self.feasibility.error,
            "gap": self.optimality.error,
            "distance_bound": self.distance_bound,
            "worst_row": self.row,
        }


def certificate(set_name: str, V: Any, W: Any, *, dtype: str = "float64", **parameters: float) -> Certificate:
    """How near W is to being a nearest point to V in the named set.

    V, W (n, …), further axes flattened, taken as float64; ``dtype`` is the one in which W was computed.  Sets and
    parameters: ``box`` and ``zero_mean_box_rows`` (lo, hi; the box may be infinite), ``affine_sum_rows`` (sum),
    ``simplex_rows`` (sum, 1 unless given), ``zero_mean_rows`` and ``stiefel_rows`` (none), the others ``radius`` (1
    unless given).  A non-finite W has infinite ratios.

    ``ValueError`` for an unknown set or parameter, a missing or impossible one, unequal shapes, a non-finite V, and
    n > d for ``stiefel_rows``; ``TypeError`` for complex numbers.

    >>> certificate("simplex_rows", [[2.0, 0.5]], [[1.0, 0.0]]).distance_bound < 1e-7
    True
    """
    kind, known = _checked(set_name, parameters)
    V, W = _matrices(V, W, set_name)
    # A sort or a sum mixes a row; a singular value decomposition the whole matrix, with some more roundings.
    model = map_model(dtype, V.shape[1]) if kind.rows else map_model(dtype, V.size, roundings=16)
    if not np.isfinite(W).all():
        return _lost(set_name, W, kind, model)
    feasible = kind.repair(W, known)
    far = _norm(W - feasible, kind)
    judge = _judge_convex if kind.support else _judge_by_value
    gap, allowed, distance, reach = judge(kind, V, feasible, known, model.relative)
    loose = _norm(W, kind) + (reach if kind.sums else 0.0)
    feasibility, _ = _worst(far, model.relative * loose, model)
    optimality, row = _worst(gap, allowed, model)
    off = far + distance
    return Certificate(
        set_name=set_name,
        feasibility=feasibility,
        optimality=optimality,
        distance_bound=float(np.linalg.norm(off)),
        bounds=tuple(float(x) for x in off),
        row=row if kind.rows else None,
    )


def _lost(set_name: str, W: Matrix, kind: Set, model: ErrorModel) -> Certificate:
    """A W that is not finite is at no finite distance."""
    ratio = Ratio(math.inf, 1.0, model)
    return Certificate(
        set_name=set_name,
        feasibility=ratio,
        optimality=ratio,
        distance_bound=math.inf,
        bounds=(math.inf,) * (len(W) if kind.rows else 1),
        row=int(np.argwhere(~np.isfinite(W))[0, 0]) if kind.rows else None,
    )


def set_names() -> tuple[str, ...]:
    """Every known set.

    >>> "l1_ball_rows" in set_names()
    True
    """
    return tuple(SETS)


Judged = tuple[Matrix, Matrix, Matrix, Matrix]
"""For each block: gap, what of it is excused, distance bound, how far rounding of V reaches (times the model)."""


def _judge_convex(kind: Set, V: Matrix, W: Matrix, p: Parameters, relative: float) -> Judged:
    """An answer within η = model × (‖v‖ + ‖w‖) of p has gap ≤ η (‖v − w‖ + ‖x − w‖ + η), x the support point."""
    assert kind.support is not None
    residual = V - W
    Y = kind.dual(residual, p)
    X = kind.support(Y, W, p)
    gap = np.maximum(_sum(Y * (X - W), kind), 0.0)
    missed = _norm(residual - Y, kind)
    # Where a threshold or a mean is subtracted, its rounding is that of the largest number that went into it.
    reach = _norm(V, kind) + (max((abs(value) for value in p.values()), default=0.0) if kind.sums else 0.0)
    eta = relative * (reach + _norm(W, kind))
    allowed = eta * (_norm(residual, kind) + _norm(X - W, kind) + eta)
    size = W.shape[1] if kind.rows else W.size
    u = UNIT_ROUNDOFF["float64"]
    rounding = gamma(size + 4, u) * _sum(np.abs(Y) * (np.abs(X) + np.abs(W)), kind)
    slack = missed + u * _norm(residual, kind)
    distance = slack / 2 + np.sqrt(slack**2 / 4 + gap + rounding)
    # Along what s does not bear, w is off by that much: made comparable with a gap.
    unbearable = missed * (_norm(residual, kind) + eta)
    return gap + unbearable, allowed, distance, reach


def _judge_by_value(kind: Set, V: Matrix, W: Matrix, p: Parameters, relative: float) -> Judged:
    """V + E, ‖E‖ = model ‖V‖, costs a gap of 2 ‖E‖ ‖W‖ at most, and (c/2) η² where the nearest point moves by η."""
    assert kind.value is not None
    gap, curvature, steepest, off = kind.value(V, W, p)
    size, reach = _norm(W, kind), _norm(V, kind)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(curvature > 0, reach / curvature, size)
        eta = relative * (size + reach)
        second = np.where(curvature > 0, steepest / 2 * eta**2, math.inf)
        distance = np.where(gap > 0, np.sqrt(2 * gap / curvature), 0.0)
    first = 2 * relative * _norm(V, kind) * size
    distance = np.minimum(distance + off, 2 * size) + 4 * UNIT_ROUNDOFF["float64"] * size
    return gap, np.minimum(first, second), distance, reach


def _worst(error: Matrix, allowed: Matrix, model: ErrorModel) -> tuple[Ratio, int]:
    ratios = [Ratio(float(e), float(a) / model.relative, model) for e, a in zip(error, allowed, strict=True)]
    row = max(range(len(ratios)), key=lambda i: ratios[i].value)
    return ratios[row], row


def _checked(set_name: str, parameters: Mapping[str, Any]) -> tuple[Set, Parameters]:
    kind = SETS.get(set_name)
    if kind is None:
        raise ValueError(f"set_name must be one of {', '.join(SETS)}; got {set_name!r}")
    takes = ", ".join(kind.names) or "no parameter"
    for name in parameters:
        if name not in kind.names:
            raise ValueError(f"{set_name} takes {takes}; got {name!r}")
    known = dict(parameters)
    if "radius" in kind.names or set_name == "simplex_rows":
        known.setdefault(kind.names[0], 1.0)
    for name in kind.names:
        if name not in known:
            raise ValueError(f"{set_name} needs {takes}; {name} is missing")
        value = known[name]
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or math.isnan(value):
            raise ValueError(f"{name} of {set_name} must be a number; got {value!r}")
        known[name] = float(value)
        if set_name != "box" and math.isinf(value):
            raise ValueError(f"{name} of {set_name} must be finite; got {value!r}")
        if (name == "radius" or set_name == "simplex_rows") and not value > 0:
            raise ValueError(f"{name} of {set_name} must be positive; got {value!r}")
    if "lo" in known and not known["lo"] <= known["hi"]:
        raise ValueError(f"lo of {set_name} must be at most hi; got lo={known['lo']}, hi={known['hi']}")
    if set_name == "zero_mean_box_rows" and not known["lo"] <= 0 <= known["hi"]:
        raise ValueError(f"zero_mean_box_rows is empty unless lo ≤ 0 ≤ hi; got lo={known['lo']}, hi={known['hi']}")
    return kind, known


def _matrices(V: Any, W: Any, set_name: str) -> tuple[Matrix, Matrix]:
    V, W = real(V, "V"), real(W, "W")
    if V.shape != W.shape or V.ndim < 2 or 0 in V.shape:
        raise ValueError(f"V and W must have one shape (n, …), no axis empty; got {V.shape} and {W.shape}")
    if not np.isfinite(V).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(V))[0]]
        raise ValueError(f"V must be finite; got V{place} = {V[tuple(place)]}")
    V, W = V.reshape(len(V), -1), W.reshape(len(W), -1)
    if set_name == "stiefel_rows" and V.shape[0] > V.shape[1]:
        raise ValueError(f"stiefel_rows is empty for more rows than columns; got shape {V.shape}")
    if set_name == "sphere_zero_mean_rows" and V.shape[1] == 1:
        raise ValueError(f"sphere_zero_mean_rows is empty for one column; got shape {V.shape}")
    return V, W


def _sum(X: Matrix, kind: Set) -> Matrix:
    """Row sums, or the one sum of all."""
    total: Matrix = np.atleast_1d(X.sum(axis=1) if kind.rows else X.sum())
    return total


def _norm(X: Matrix, kind: Set) -> Matrix:
    root: Matrix = np.sqrt(_sum(X * X, kind))
    return root
