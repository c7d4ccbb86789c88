"""Properties that hold, or nearly hold, though nobody declared them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch

from wnverify.auditing.context import Context
from wnverify.auditing.holding import NEARLY, TINY, over_points
from wnverify.auditing.points import Point, generic, randn, rows
from wnverify.auditing.properties import RESIDUALS
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PROJECTION
from wnverify.auditing.vocabulary import DECLARED_ONLY, PROPERTIES, properties_of
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model

INEQUALITIES: Final = frozenset({"nonexpansive", "spectral_norm_le_1", "convex", "is_prox_of_penalty"})
"""Sampled inequalities: that some samples keep them means nothing."""
SAMPLED: Final = INEQUALITIES - {"spectral_norm_le_1"}
"""Of these a small miss is no near thing: it is relative to the size of what is compared."""
IMPLIED_BY: Final = {
    "unit_norm_rows": frozenset({"orthonormal_rows"}),
    "constant_norm_rows": frozenset({"unit_norm_rows", "orthonormal_rows", "scaled_orthonormal_rows"}),
    "scaled_orthonormal_rows": frozenset({"orthonormal_rows"}),
    "spectral_norm_le_1": frozenset({"orthonormal_rows"}),
    "scale_invariant": frozenset({"row_scale_invariant"}),
}
"""Properties that need no discovery where one of these is declared."""
FAR: Final = 40
"""Weights times two to this: an eps of 1e-3 beside their square is below a rounding."""
GUARD: Final = 2.0**-11
"""What ordinary weights may feel of an eps, a rounding of float16: one that is felt more changes the map."""
OF_A_NORM: Final = frozenset(
    (
        *("unit_norm_rows", "constant_norm_rows", "orthonormal_rows", "scaled_orthonormal_rows", "spectral_norm_le_1"),
        *("scale_invariant", "row_scale_invariant", "idempotent"),
    )
)
"""What an eps beside a norm or a Gram matrix keeps from holding exactly."""
NEEDS_GRADIENT: Final = frozenset({"gradient_orthogonal_to_weight", "gradient_zero_mean"})


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
            where = _where(list(found), kept)
            miss = max(ratio.relative for ratio in found.values())
            said = f"nearly: {statement}; {where}, largest relative miss {miss:.2g}"
            if miss <= _admitted(look, name):
                sheet.add(f"{name} (nearly, as documented)", Verdict.PASS, figures={"relative_miss": miss})
                sheet.note(f"as documented, {said}")
            elif not kept and miss <= GUARD and _by_an_eps(look, name, points):
                sheet.add(f"{name} (but for an eps)", Verdict.PASS, figures={"relative_miss": miss})
                sheet.note(f"{said}; it is gone at weights 2^{FAR} times as large")
            else:
                sheet.add(name, Verdict.HAZARD, said, figures={"relative_miss": miss})
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)


def _by_an_eps(look: Context, name: str, points: Sequence[Point]) -> bool:
    """Whether large weights do not miss it: what is added to a norm is felt less, the larger the norm.

    A weight that is mapped twice is small the second time: that miss is told by the norms of the first.
    """
    if look.scalar or name not in OF_A_NORM:
        return False
    asked = ("scale_invariant", "constant_norm_rows") if name == "idempotent" else (name,)
    large = look.usable([dataclasses.replace(p, V=p.V * 2.0**FAR, built_for=None) for p in points], every=True)
    return any(
        bool(found) and all(ratio.value <= 1 for ratio in found.values())
        for found in (over_points(look, one, large) for one in asked)
    )


def _admitted(look: Context, name: str) -> float:
    """By how much the stated domain lets the property be missed, or one that implies it."""
    admitted = look.subject.domain.get("approximate", {})
    return max(float(admitted.get(known, 0.0)) for known in (name, *IMPLIED_BY.get(name, ())))


def _where(asked: Sequence[str], kept: Sequence[str]) -> str:
    """Where a property holds, or where it does not, whichever is shorter to say."""
    if not kept:
        return "holds nowhere exactly"
    missed = [p for p in asked if p not in kept]
    if len(missed) < len(kept):
        return f"holds at {len(kept)} of {len(asked)} weights, not at {', '.join(missed)}"
    return f"holds at {', '.join(kept)} only of {', '.join(asked)}"


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
    if not kept or len(found) <= 2 or name in INEQUALITIES | NEEDS_GRADIENT:
        return False
    # What holds at square weights alone, or everywhere else, is a slip of axes; at a few others it holds by their size.
    square = {point.name for point in points if point.name in found and point.V.shape[0] == rows(point.V).shape[1]}
    if look.subject.kind == PROJECTION or "euclidean_projection" in look.subject.declares:
        # Outside its set a projection has what the border has: only the second slip tells.
        missed = {p for p, ratio in found.items() if not ratio.value <= 1}
        return bool(square) and missed == square and not _again(look, name, points, sorted(square))
    kept = _again(look, name, points, kept)
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
    """Those of the kept points at whose shape another weight keeps the property too, be it small or large: of few
    values one may do so by chance, and beyond a cap all do."""
    shapes = {point.name: tuple(point.V.shape) for point in points if point.name in kept}
    redrawn = {p: generic(shape, look.seed_for("again", p)) for p, shape in shapes.items()}
    for scale in (1.0, 1 / 16, 16.0):
        named = [dataclasses.replace(point, name=p, V=scale * point.V) for p, point in redrawn.items()]
        found = over_points(look, name, look.usable(named, every=True))
        kept = [p for p in kept if p not in found or found[p].value <= 1]
    return list(kept)


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
