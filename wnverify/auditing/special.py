"""Where a declared property of a projection or a penalty is asked beside generic weights.

Where thresholds and shortcuts go wrong: ties, zeros, rows inside a set beside rows outside, rows that keep the set's
equation and not its signs, and sizes that pass the borders of blocks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import torch

from wnverify.auditing.context import Context
from wnverify.auditing.points import Point, generic, ill_conditioned, randn, structured, ties
from wnverify.auditing.target import PARAMETRIZATION, PENALTY, PROJECTION
from wnverify.auditing.vocabulary import DECLARED_ONLY
from wnverify.finding import seed_of
from wnverify.oracles.sets import SETS

LIMITS: Final = ("max_condition", "max_sigma_ratio")
WORST: Final = 1e3
NEAR_LIMIT: Final = 0.9
AT_TIES: Final = frozenset({"euclidean_projection", "idempotent", "nonexpansive", "l1_rows_le"})
"""Asked of a projection at ties too.  Where there are several nearest points it need not be equivariant."""
OF_PENALTY_AT_TIES: Final = frozenset({"convex", "is_prox_of_penalty"})
AT_LARGE: Final = DECLARED_ONLY | {"nonexpansive", "convex", "is_prox_of_penalty"}
"""Asked at large sizes as well; ``property.sizes`` asks the others, which can be discovered."""
LARGE: Final = ((33, 65), (5, 257), (257, 5), (5, 1025), (1025, 5))
"""One beyond powers of two, in rows and in columns."""
QUICK_LARGE: Final = 3
UNEVEN: Final = "row sizes 1/64 to 64"


def special_points(look: Context, name: str) -> list[Point]:
    """The usable points at which the named property is asked beside the generic ones; none of a parametrization."""
    kind, seed = look.subject.kind, look.seed
    points: list[Point] = []
    if kind == PROJECTION and name in AT_TIES:
        total = float(look.subject.target_set.get("sum", 1.0))
        points += [*structured(seed), *ties(seed), *uneven_rows(seed, total), *thin(seed), turned(seed)]
    if kind == PENALTY and name in OF_PENALTY_AT_TIES:
        points += [*ties(seed), *uneven_rows(seed), *thin(seed)]
    if points and _one_point_at_zero(look):
        points.append(with_zero_row(seed))
    if kind != PARAMETRIZATION and name in AT_LARGE:
        points += [generic(shape, seed) for shape in (LARGE[:QUICK_LARGE] if look.quick else LARGE)]
    if look.subject.target_set.get("name") == "stiefel_rows":
        points = [point for point in points if point.name != UNEVEN]  # its condition number spoils sound answers
    known = {point.name for point in look.generic_points()}
    return look.usable(point for point in points if point.name not in known)


def uneven_rows(seed: int, total: float = 1.0) -> Iterator[Point]:
    """Rows inside a set beside rows outside, and rows that keep a set's equation though not its signs."""
    base = randn(4, 7, seed=seed_of(seed, "uneven rows"))
    sizes = 2.0 ** torch.tensor([-6.0, 6.0, -2.0, 2.0], dtype=torch.float64)
    yield Point(name=UNEVEN, V=sizes[:, None] * base)
    yield Point(name=f"rows that sum to {total:g}", V=base - base.mean(1, keepdim=True) + total / 7)


def turned(seed: int) -> Point:
    """The square weight with a row of the other sign: one of the two has a negative determinant."""
    square = generic((4, 4), seed)
    signs = torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    return Point(name="4x4, first row turned", V=signs[:, None] * square.V)


def thin(seed: int) -> list[Point]:
    """One row, and one column: where an axis of length one is squeezed away."""
    return [generic(shape, seed) for shape in ((1, 6), (5, 1))]


def badly_conditioned(look: Context, name: str) -> list[Point]:
    """Where an iteration towards frames has not come to its end, and rounding spoils a sound answer a little."""
    onto_frames = look.subject.kind == PROJECTION and look.subject.target_set.get("name") == "stiefel_rows"
    asked = onto_frames and name == "euclidean_projection"
    return look.usable([hardest(look), hardest(look, (30, 60))]) if asked else []


def hardest(look: Context, shape: tuple[int, int] = (4, 9)) -> Point:
    """A badly conditioned weight, as badly as the stated domain allows."""
    limits = [float(look.subject.domain[name]) for name in LIMITS if name in look.subject.domain]
    point = ill_conditioned(min([WORST, *(NEAR_LIMIT * limit for limit in limits)]), look.seed, shape)
    return point if shape == (4, 9) else dataclasses.replace(point, name=f"{point.name} at {shape[0]}x{shape[1]}")


def states_a_limit(look: Context) -> bool:
    """Whether the domain says up to which condition number what is declared holds."""
    return any(name in look.subject.domain for name in LIMITS)


def with_zero_row(seed: int) -> Point:
    """One row of zeros among ordinary ones."""
    V = randn(4, 7, seed=seed_of(seed, "zero row")) + 0.3
    V[2] = 0.0
    return Point(name="a zero row", V=V)


def _one_point_at_zero(look: Context) -> bool:
    """Whether a row of zeros, too, has one nearest or proximal point (convexity sees to that), and no other is told."""
    known = SETS.get(look.subject.target_set.get("name", ""))
    declared = bool({"convex", "nonexpansive"} & set(look.subject.declares))
    convex = declared or (known is not None and bool(known.support))
    return convex and not {"zero_row", "zero_matrix"} & set(look.subject.domain)
