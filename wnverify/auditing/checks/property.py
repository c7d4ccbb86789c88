"""Declared properties, and those that hold, or nearly hold, though nobody declared them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch

from wnverify.auditing import convexity
from wnverify.auditing import proximal as proximal  # registers its residual
from wnverify.auditing.context import Context, first_line, rows_are_independent
from wnverify.auditing.points import (
    KERNEL_SHAPES,
    Point,
    generic,
    opposite_rows,
    randn,
    repeated_singular_values,
    rows,
    scaled_rows,
    structured,
)
from wnverify.auditing.properties import RESIDUALS, Look, measure
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.special import badly_conditioned, hardest, special_points, states_a_limit
from wnverify.auditing.target import PARAMETRIZATION, PENALTY, PROJECTION
from wnverify.auditing.vocabulary import DECLARED_ONLY, OF_PENALTY, PROPERTIES, properties_of, statement_of
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

INEQUALITIES: Final = frozenset({"nonexpansive", "spectral_norm_le_1", "convex", "is_prox_of_penalty"})
"""Sampled inequalities: that some samples keep them means nothing."""
SAMPLED: Final = INEQUALITIES - {"spectral_norm_le_1"}
"""Of these a small miss is no near thing: it is relative to the size of what is compared."""
IMPLIED_BY: Final = {
    "constant_norm_rows": frozenset({"unit_norm_rows", "orthonormal_rows", "scaled_orthonormal_rows"}),
    "scaled_orthonormal_rows": frozenset({"orthonormal_rows"}),
    "spectral_norm_le_1": frozenset({"orthonormal_rows"}),
    "scale_invariant": frozenset({"row_scale_invariant"}),
}
"""Properties that need no discovery where one of these is declared."""
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
TINY: Final = 1e-300
FARTHEST: Final = 16 * 64.0
"""A weight is asked 64 times as large too, and a decomposition of it is worth sixteen roundings."""
SMALL_MISS: Final = 1e-8
GROWS: Final = (2.0**20, 2.0**38)
"""About 2^29, by which the unit roundoff of float32 is larger."""
NEARLY: Final = 1e-2
"""A relative miss up to this is said to be near."""
ROWS_MUST_FIT: Final = frozenset({"orthonormal_rows", "scaled_orthonormal_rows", "structured_orthonormal"})
NEEDS_GRADIENT: Final = frozenset({"gradient_orthogonal_to_weight", "gradient_zero_mean"})
SHOWN: Final = 256
"""Entries up to which the arrays of a comparison are written down."""
SPREAD_NEEDED: Final = frozenset({"constant_norm_rows", "permutation_equivariant_rows", "scaled_orthonormal_rows"})
"""Properties that every one-row weight has: they are discovered only where there are several rows."""


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
        shapes = (*KERNEL_SHAPES, *([ONE_COLUMN] if look.subject.kind == PARAMETRIZATION and name in OF_MAP else []))
        further = look.usable(generic(shape, look.seed) for shape in shapes)
        special = special_points(look, name)
        once = {point.name for point in special} if look.subject.kind == PENALTY else set()
        hard = badly_conditioned(look, name)
        exact, told = once | {point.name for point in hard}, states_a_limit(look)
        if (
            look.subject.kind == PARAMETRIZATION
            and name in OF_W
            and name not in look.subject.domain.get("approximate", {})
        ):
            _elsewhere(look, sheet, name)
        for point in look.chosen("point", [*look.generic_points(), *further, *special, *hard]):
            if not _feasible(look, name, point):
                continue
            dtypes = (torch.float64,) if point.name in exact else (torch.float64, torch.float32)
            for dtype in look.chosen(f"dtype at {point.name}", dtypes):
                case = f"{point.name} {str(dtype).removeprefix('torch.')}"
                try:
                    found = measure(name, _look(look, point, value, dtype, once=point.name in once))
                except Exception as error:  # foreign code may refuse a dtype or have no gradient
                    refused = Verdict.UNSUPPORTED if dtype == torch.float32 else Verdict.FAIL
                    sheet.add(case, refused, f"{type(error).__name__}: {first_line(error)}")
                    continue
                if found is None:
                    sheet.note(f"{case}: the stated domain leaves nothing to compare")
                    continue
                found = admitting(found, look, name)
                excused = point.name in exact - once and found.relative < (SMALL_MISS if told else NEARLY)
                excused = excused or _by_rounding(look, name, point, value, found, dtype)
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
            if not _feasible(look, name, point):
                continue
            try:
                found = measure(name, _look(look, point, value, torch.float64))
            except ValueError:  # a declared value that fits other sizes
                continue
            if found is None:
                continue
            # What a Gram matrix loses on the way, u κ², is no fault, nor that an iteration has not come to its end.
            sigma = torch.linalg.svdvals(rows(point.V))
            kappa = float(sigma[0] / sigma[-1]) if float(sigma[-1]) > 0 else 1.0
            model = ErrorModel(min(found.model.relative * kappa**2, NEARLY), f"{found.model.text} × κ(V)²")
            found = dataclasses.replace(found, model=model)
            excused = kappa > WELL_CONDITIONED and not rows_are_independent(look.build(point.weight), point.V)
            excused = excused and not (states_a_limit(look) and found.relative >= SMALL_MISS)
            excused = excused or _by_rounding(look, name, point, value, found, torch.float64)
            said, witness = f"not so: {look.statement(name)}", _witness(point, look, found)
            sheet.compare(point.name, found, said, wrong=Verdict.HAZARD if excused else wrong, witness=witness)


def _by_rounding(look: Context, name: str, point: Point, value: object, found: Ratio, dtype: torch.dtype) -> bool:
    """Whether a miss is one of rounding, where something cancels: then float64 misses its model too, by little, and
    float32 by as much more as its unit roundoff is larger.  That bites, and is no wrong mathematics; a wrong constant,
    an eps, a narrower part do not grow so.
    """
    if found.value <= 1:
        return False
    other = torch.float32 if dtype == torch.float64 else torch.float64
    with contextlib.suppress(Exception):  # foreign code may refuse the dtype: then nothing excuses the miss
        beside = measure(name, _look(look, point, value, other))
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


@check("property.discovered", asks="Which invariances and constraints does it have, found rather than told?")
def discovered(look: Context, sheet: Sheet) -> None:
    if look.mode_note:
        sheet.note(look.mode_note)
    points = _discovery_points(look)
    if points and all(_vanishes(look, point) for point in points):
        sheet.add("none", Verdict.PASS)
        sheet.note("zero at every weight that was looked at: nothing can be read from that")
        return
    wide = {point.name for point in points if point.V.shape[0] <= rows(point.V).shape[1]}
    points = [point for point in points if not (look.scalar and look.vanishes(point))]
    # Three numbers that sum to zero have two degrees of freedom: all norms of centred rows agree there up to a factor.
    thin = {point.name for point in points if rows(point.V).shape[1] <= 3}
    near = NEARLY * min(1.0, _spread(look)) if look.scalar else NEARLY
    for name in _to_discover(look):
        found = over_points(look, name, points)
        kept = [p for p, ratio in found.items() if ratio.value <= 1]
        statement = look.statement(name)
        if found and len(kept) == len(found):
            sheet.add(name, Verdict.PASS, figures={"statement": statement})
        elif kept and set(kept) == wide & set(found):
            if name not in INEQUALITIES:
                sheet.add(f"{name} for rows ≤ columns", Verdict.PASS, figures={"statement": statement})
        elif name == "is_prox_of_penalty" and look.subject.has_own_prox:
            _not_proximal(sheet, found)
        elif found and (
            _narrowly(name, found, near) or _at_some(look, name, found, points, [p for p in kept if p not in thin])
        ):
            where = f"holds at {', '.join(kept)} only of {', '.join(found)}" if kept else "holds nowhere exactly"
            miss = max(ratio.relative for ratio in found.values())
            said = f"nearly: {statement}; {where}, largest relative miss {miss:.2g}"
            sheet.add(name, Verdict.HAZARD, said, figures={"relative_miss": miss})
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)


def _not_proximal(sheet: Sheet, found: Mapping[str, Ratio]) -> None:
    """What stands beside the penalty as its ``prox`` misses the proximal point: named so, it need not be declared."""
    said = f"not so, though it is called prox: {PROPERTIES['is_prox_of_penalty']}"
    for point, ratio in found.items():
        if math.isfinite(ratio.value):  # what it raised, or gave beyond all numbers, is a matter of contract.prox
            sheet.compare(f"prox at {point}", ratio, said)


def _discovery_points(look: Context) -> list[Point]:
    """Weights of several rows; of a projection, which does nothing inside its set, some that may lie inside."""
    points = [
        point
        for point in [*look.generic_points(every=True), *look.kernel_points(every=True)[:2]]
        if point.V.shape[0] > 1
    ]
    telling = [point for point in points if not point.origin and not _constant(look, point)]
    points = telling or points
    if look.subject.kind == PROJECTION:
        inside = (Point(name=f"{point.name} / 64", V=point.V / 64, seed=point.seed) for point in points)
        points += look.usable(inside, every=True)
    return points


def _to_discover(look: Context) -> Iterator[str]:
    subject = look.subject
    for name in RESIDUALS:
        told = name in DECLARED_ONLY or name in subject.declares or name not in properties_of(subject.kind)
        no_prox = name == "is_prox_of_penalty" and "prox" not in subject.capabilities
        # A small set lies in the spectral ball by its size.
        by_size = name == "spectral_norm_le_1" and subject.kind == PROJECTION
        implied = bool(IMPLIED_BY.get(name, frozenset()) & set(subject.declares))
        if not (told or no_prox or by_size or implied):
            yield name


def _narrowly(name: str, found: Mapping[str, Ratio], near: float) -> bool:
    """Whether the property is missed by little everywhere."""
    return max(ratio.relative for ratio in found.values()) <= near and name not in NEEDS_GRADIENT | SAMPLED


def _at_some(
    look: Context, name: str, found: Mapping[str, Ratio], points: Sequence[Point], kept: Sequence[str]
) -> bool:
    """Whether the property holds at some weights and not at others."""
    # Outside its set a projection has what the border has.
    projects = look.subject.kind == PROJECTION or "euclidean_projection" in look.subject.declares
    if projects or not kept or len(found) <= 2 or name in INEQUALITIES | NEEDS_GRADIENT:
        return False
    kept = _again(look, name, points, kept)
    # What holds at square weights alone is a slip of axes; at a few others it holds by their size.
    square = {p for p in found if len(sides := p.split("x")) == 2 and sides[0] == sides[1]}
    return bool(kept) and (2 * len(kept) > len(found) or set(kept) == square)


def _spread(look: Context) -> float:
    """By how much of itself a penalty's value changes between unrelated weights: one that hardly does has, nearly,
    every invariance."""
    changes = []
    for point in look.generic_points(every=True):
        other = generic(tuple(point.V.shape), look.seed_for("unrelated", point.name))
        instance = look.build(point.weight)
        with contextlib.suppress(Exception), torch.no_grad():  # foreign code may refuse the other weight
            here, there = float(instance.at(point.V)), float(instance.at(other.V))
            changes.append(abs(there - here) / max(abs(here), TINY))
    return max(changes, default=1.0)


def _again(look: Context, name: str, points: Sequence[Point], kept: Sequence[str]) -> list[str]:
    """Those of the kept points at whose shape another weight keeps the property too: of few values one may do so."""
    shapes = {point.name: tuple(point.V.shape) for point in points if point.name in kept}
    redrawn = {p: generic(shape, look.seed_for("again", p)) for p, shape in shapes.items()}
    named = [dataclasses.replace(point, name=p) for p, point in redrawn.items()]
    found = over_points(look, name, look.usable(named, every=True))
    return [p for p in kept if p not in found or found[p].value <= 1]


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
        if not _feasible(look, name, point) or (name in SPREAD_NEEDED and point.V.shape[0] < 2):
            continue
        try:
            measured = measure(name, _look(look, point, True, torch.float64))
            if measured is not None:
                found[point.name] = measured
        except Exception as error:  # foreign code may leave its domain; the property is then not had
            found[point.name] = Ratio(float("inf"), 1.0, ErrorModel(1.0, f"{type(error).__name__}"))
    return found


def _constant(look: Context, point: Point) -> bool:
    """Whether another weight of this shape gives the same: what holds of a constant says nothing of the map."""
    instance = look.build(point.weight)
    other = point.V + randn(*point.V.shape, seed=look.seed_for("constant", point.name))
    try:
        with torch.no_grad():
            there, here = instance.at(other), instance.at(point.V)
    except Exception:  # foreign code may refuse the other weight: then it is not the same there
        return False
    model = map_model("float64", look.terms(point.V), condition=10.0)
    return Ratio(float((there - here).norm()), float(here.norm()), model).value <= 1


def _vanishes(look: Context, point: Point) -> bool:
    with torch.no_grad():
        return not bool(look.build(point.weight).at(point.V).any())


def _feasible(look: Context, name: str, point: Point) -> bool:
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


def _look(look: Context, point: Point, value: object, dtype: torch.dtype, *, once: bool = False) -> Look:
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
    )


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
