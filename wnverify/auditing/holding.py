"""Which properties hold at some weights: the comparisons that discovery and the declared properties share."""

from __future__ import annotations

from typing import Final

import torch

from wnverify.auditing import proximal as proximal  # registers its residual
from wnverify.auditing.context import Context
from wnverify.auditing.points import Point, rows
from wnverify.auditing.properties import Look, measure
from wnverify.oracles.ratio import ErrorModel, Ratio

TINY: Final = 1e-300
NEARLY: Final = 1e-2
"""A relative miss up to this is said to be near."""
ROWS_MUST_FIT: Final = frozenset({"orthonormal_rows", "scaled_orthonormal_rows", "structured_orthonormal"})
SPREAD_NEEDED: Final = frozenset({"constant_norm_rows", "permutation_equivariant_rows", "scaled_orthonormal_rows"})
"""Properties that every one-row weight has: they are discovered only where there are several rows."""


def discover(look: Context, names: tuple[str, ...], points: list[Point]) -> list[str]:
    """Those of the named properties that hold at every one of these points."""
    held = []
    for name in names:
        found = over_points(look, name, points)
        if found and all(ratio.value <= 1 for ratio in found.values()):
            held.append(name)
    return held


def over_points(look: Context, name: str, points: list[Point]) -> dict[str, Ratio]:
    """The comparison of an undeclared property at each of these points where it can be had."""
    found: dict[str, Ratio] = {}
    for point in points:
        if not feasible(look, name, point) or (name in SPREAD_NEEDED and point.V.shape[0] < 2):
            continue
        try:
            measured = measure(name, look_at(look, point, True, torch.float64))
            if measured is not None:
                found[point.name] = measured
        except Exception as error:  # foreign code may leave its domain; the property is then not had
            found[point.name] = Ratio(float("inf"), 1.0, ErrorModel(1.0, f"{type(error).__name__}"))
    return found


def feasible(look: Context, name: str, point: Point) -> bool:
    """Orthonormal rows need n ≤ d, and unit norm where the domain says so; centred unit rows need two columns; a given
    G has its own d."""
    n, d = rows(point.V).shape
    G = look.subject.declares.get(name) if name == "structured_orthonormal" else None
    if isinstance(G, list | tuple | torch.Tensor) and len(G) != d:
        return False
    onto_frames = name == "euclidean_projection" and look.subject.target_set["name"] == "stiefel_rows"
    if n > d and (name in ROWS_MUST_FIT or onto_frames):
        return False
    if d == 1 and name == "euclidean_projection" and look.subject.target_set["name"] == "sphere_zero_mean_rows":
        return False
    return not (n > d and name == "unit_norm_rows" and look.subject.domain.get("rows_le_cols_for_orthonormal_rows"))


def look_at(
    look: Context, point: Point, value: object, dtype: torch.dtype, *, once: bool = False, sampled: bool = False
) -> Look:
    V = point.V.to(dtype)
    instance = look.build(point.weight).to(dtype)
    return Look(
        instance=instance,
        V=V,
        value=value,
        seed=look.seed_for(point.name),
        domain=look.subject.domain,
        target_set=look.subject.target_set,
        convex="convex" in look.subject.declares,
        once=once,
        sampled=sampled,
    )
