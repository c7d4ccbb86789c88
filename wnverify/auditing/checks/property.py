"""Declared properties."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import Final

import torch

from wnverify.auditing import convexity
from wnverify.auditing.context import Context, first_line, rows_are_independent
from wnverify.auditing.holding import NEARLY, TINY, feasible, look_at
from wnverify.auditing.points import (
    FURTHER_KERNELS,
    KERNEL_SHAPES,
    Point,
    condition,
    generic,
    opposite_rows,
    repeated_singular_values,
    rows,
    scaled_rows,
    structured,
)
from wnverify.auditing.properties import RESIDUALS, measure
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.special import badly_conditioned, hardest, special_points, states_a_limit
from wnverify.auditing.target import PARAMETRIZATION, PENALTY
from wnverify.auditing.vocabulary import OF_PENALTY, PROPERTIES, statement_of
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.ratio import ErrorModel, Ratio

OF_W: Final = frozenset(
    {
        "unit_norm_rows",
        "constant_norm_rows",
        "zero_mean_rows",
        "orthonormal_rows",
        "scaled_orthonormal_rows",
        "spectral_norm_le_1",
        "l1_rows_le",
    }
)
"""Constraints on W itself, which hold at every weight or not."""
OF_MAP: Final = frozenset(
    {
        "scale_invariant",
        "row_scale_invariant",
        "shift_invariant_rows",
        "odd",
        "idempotent",
        "rotation_equivariant",
        "permutation_equivariant_rows",
    }
)
"""Relations between two weights, which a single column keeps or breaks as wider rows do."""
ONE_COLUMN: Final = (5, 1)
ELSEWHERE: Final = (4, 9)
WELL_CONDITIONED: Final = 30.0
FARTHEST: Final = 16 * 64.0
"""A weight is asked 64 times as large too, and a decomposition of it is worth sixteen roundings."""
SMALL_MISS: Final = 1e-8
GROWS: Final = (2.0**20, 2.0**38)
"""About 2^29, by which the unit roundoff of float32 is larger."""
SHOWN: Final = 256
"""Entries up to which the arrays of a comparison are written down."""


def _declared(name: str) -> None:
    @check(
        f"property.{name}",
        asks=f"Declared: {PROPERTIES[name]}. Is it so?",
        needs=("declared",),
        instead={PENALTY: f"Declared: {statement_of(name, PENALTY)}. Is it so?"} if name in OF_PENALTY else {},
    )
    def judge(look: Context, sheet: Sheet) -> None:
        if look.mode_note:
            sheet.note(look.mode_note)
        value = look.subject.declares[name]
        shapes = (
            *KERNEL_SHAPES,
            *FURTHER_KERNELS,
            *([ONE_COLUMN] if look.subject.kind == PARAMETRIZATION and name in OF_MAP else []),
        )
        further = look.usable(generic(shape, look.seed) for shape in shapes)
        special = special_points(look, name)
        once = {point.name for point in special} if look.subject.kind == PENALTY else set()
        hard = badly_conditioned(look, name)
        one_size = look.sampled or look.quick
        exact, told = once | {point.name for point in hard}, states_a_limit(look)
        if (
            look.subject.kind == PARAMETRIZATION
            and name in OF_W
            and name not in look.subject.domain.get("approximate", {})
        ):
            _elsewhere(look, sheet, name)
        for point in look.chosen("point", [*look.generic_points(), *further, *special, *hard]):
            if not feasible(look, name, point):
                continue
            dtypes = (torch.float64,) if point.name in exact else (torch.float64, torch.float32)
            for dtype in look.chosen(f"dtype at {point.name}", dtypes):
                case = f"{point.name} {str(dtype).removeprefix('torch.')}"
                try:
                    found = measure(name, look_at(look, point, value, dtype, once=point.name in once, sampled=one_size))
                except Exception as error:  # foreign code may refuse a dtype or have no gradient
                    refused = Verdict.UNSUPPORTED if dtype == torch.float32 else Verdict.FAIL
                    sheet.add(case, refused, f"{type(error).__name__}: {first_line(error)}")
                    continue
                if found is None:
                    sheet.note(f"{case}: the stated domain leaves nothing to compare")
                    continue
                found = admitting(_of_coupled_rows(look, name, point, found), look, name)
                excused = point.name in exact - once and found.relative < (SMALL_MISS if told else NEARLY)
                excused = excused or by_rounding(look, name, point, value, found, dtype)
                wrong = Verdict.HAZARD if excused else Verdict.FAIL
                said = f"not so: {look.statement(name)}"
                sheet.compare(case, found, said, wrong=wrong, witness=_witness(point, look, found))


def _elsewhere(look: Context, sheet: Sheet, name: str) -> None:
    """A constraint on W where a clamp, an eps or an iteration shows: other sizes, structure, condition; in float64."""
    value = look.subject.declares[name]
    base = generic(ELSEWHERE, look.seed)
    sizes = [Point(name=f"{base.name} times 2^{e}", V=base.V * 2.0**e, seed=base.seed) for e in (-12, -6, 6, 12)]
    ordinary = [*structured(look.seed), *sizes, scaled_rows(1e2, look.seed), opposite_rows(look.seed)]
    hard = [hardest(look), scaled_rows(1e6, look.seed), *repeated_singular_values(look.seed)]
    for points, wrong in ((ordinary, Verdict.FAIL), (hard, Verdict.HAZARD)):
        for point in look.usable(points):
            if not feasible(look, name, point):
                continue
            try:
                found = measure(name, look_at(look, point, value, torch.float64))
            except ValueError:  # a declared value that fits other sizes
                continue
            if found is None:
                continue
            # What a Gram matrix loses on the way, u κ², is no fault, nor that an iteration has not come to its end.
            sigma = torch.linalg.svdvals(rows(point.V))
            kappa = float(sigma[0] / sigma[-1]) if float(sigma[-1]) > 0 else 1.0
            found = _of_a_gram_matrix(found, kappa)
            excused = kappa > WELL_CONDITIONED and not rows_are_independent(look.build(point.weight), point.V)
            excused = excused and not (states_a_limit(look) and found.relative >= SMALL_MISS)
            excused = excused or by_rounding(look, name, point, value, found, torch.float64)
            said, witness = f"not so: {look.statement(name)}", _witness(point, look, found)
            sheet.compare(point.name, found, said, wrong=Verdict.HAZARD if excused else wrong, witness=witness)


def _of_coupled_rows(look: Context, name: str, point: Point, found: Ratio) -> Ratio:
    """With u κ(V)² for u where a constraint on W misses in float32 and rows are coupled: a Gram matrix loses that."""
    narrow = found.model.relative > SMALL_MISS
    if not (narrow and found.value > 1 and name in OF_W and look.subject.kind == PARAMETRIZATION):
        return found
    if point.V.shape[0] < 2 or rows_are_independent(look.build(point.weight), point.V):
        return found
    return _of_a_gram_matrix(found, condition(point.V))


def _of_a_gram_matrix(found: Ratio, kappa: float) -> Ratio:
    model = ErrorModel(min(found.model.relative * kappa**2, NEARLY), f"{found.model.text} × κ(V)²")
    return dataclasses.replace(found, model=model)


def by_rounding(look: Context, name: str, point: Point, value: object, found: Ratio, dtype: torch.dtype) -> bool:
    """Whether a miss is one of rounding, where something cancels: then float64 misses its model too, by little, and
    float32 by as much more as its unit roundoff is larger.  That bites, and is no wrong mathematics; a wrong constant,
    an eps, a narrower part do not grow so.
    """
    if found.value <= 1:
        return False
    other = torch.float32 if dtype == torch.float64 else torch.float64
    with contextlib.suppress(Exception):  # foreign code may refuse the dtype: then nothing excuses the miss
        beside = measure(name, look_at(look, point, value, other))
        if beside is not None and look.subject.target_set:
            # What is taken off a weight outside the set leaves the rounding of that weight.
            left = FARTHEST * max(1.0, float(point.V.norm()) / max(_size_of(look, point), TINY))
            return max(found.value, beside.value) <= left
        if beside is not None:
            wide, narrow = (found, beside) if dtype == torch.float64 else (beside, found)
            grown = narrow.relative / wide.relative if wide.relative > 0 else math.inf
            return wide.value > 1 and wide.relative < SMALL_MISS and GROWS[0] <= grown <= GROWS[1]
    return False


def _size_of(look: Context, point: Point) -> float:
    with torch.no_grad():
        return float(look.build(point.weight).at(point.V).norm())


for _name in RESIDUALS:
    _declared(_name)


def admitting(ratio: Ratio, look: Context, name: str) -> Ratio:
    """The ratio with the error that the subject's DOMAIN admits for this property."""
    admitted = float(look.subject.domain.get("approximate", {}).get(name, 0.0))
    if not admitted:
        return ratio
    model = ErrorModel(ratio.model.relative + admitted, f"{ratio.model.text} + {admitted:g} admitted")
    return dataclasses.replace(ratio, model=model)


def _witness(point: Point, look: Context, found: Ratio) -> dict[str, object]:
    if isinstance(found, convexity.Seen) and point.V.numel() <= SHOWN:
        return found.witness
    return {"V": encode_array(point.V, seed=look.seed, generator=f"generic {point.name}")}
