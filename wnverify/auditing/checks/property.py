"""Declared properties, and those that hold, or nearly hold, though nobody declared them."""

from __future__ import annotations

import dataclasses
from typing import Final

import torch

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.points import KERNEL_SHAPES, Point, generic, rows
from wnverify.auditing.properties import RESIDUALS, Look, measure
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.vocabulary import DECLARED_ONLY, PROPERTIES
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.ratio import ErrorModel, Ratio

INEQUALITIES: Final = frozenset({"nonexpansive", "spectral_norm_le_1"})
"""Sampled inequalities: that some samples keep them means nothing."""
NEARLY: Final = 1e-2
"""A relative miss up to this is said to be near."""
ROWS_MUST_FIT: Final = frozenset({"orthonormal_rows", "scaled_orthonormal_rows", "structured_orthonormal"})
NEEDS_GRADIENT: Final = frozenset({"gradient_orthogonal_to_weight", "gradient_zero_mean"})
SPREAD_NEEDED: Final = frozenset({"constant_norm_rows", "permutation_equivariant_rows", "scaled_orthonormal_rows"})
"""Properties that every one-row weight has: they are discovered only where there are several rows."""


def _declared(name: str) -> None:
    @check(f"property.{name}", asks=f"Declared: {PROPERTIES[name]}. Is it so?", needs=("declared",))
    def judge(look: Context, sheet: Sheet) -> None:
        if look.mode_note:
            sheet.note(look.mode_note)
        value = look.subject.declares[name]
        admitted = float(look.subject.domain.get("approximate", {}).get(name, 0.0))
        kernels = look.usable(generic(shape, look.seed) for shape in KERNEL_SHAPES)
        for point in [*look.generic_points(), *kernels]:
            if not _feasible(look, name, point):
                continue
            for dtype in (torch.float64, torch.float32):
                case = f"{point.name} {str(dtype).removeprefix('torch.')}"
                try:
                    found = measure(name, _look(look, point, value, dtype))
                except Exception as error:  # foreign code may refuse a dtype or have no gradient
                    refused = Verdict.UNSUPPORTED if dtype == torch.float32 else Verdict.FAIL
                    sheet.add(case, refused, f"{type(error).__name__}: {first_line(error)}")
                    continue
                if found is None:
                    sheet.note(f"{case}: the stated domain leaves nothing to compare")
                    continue
                if admitted:
                    found = _admitting(found, admitted)
                sheet.compare(case, found, f"not so: {PROPERTIES[name]}", witness=_witness(point, look))


for _name in RESIDUALS:
    _declared(_name)


@check("property.discovered", asks="Which invariances and constraints does it have, found rather than told?")
def discovered(look: Context, sheet: Sheet) -> None:
    if look.mode_note:
        sheet.note(look.mode_note)
    points = [point for point in look.generic_points() if point.V.shape[0] > 1]
    holds, partly = [], {}
    for name in RESIDUALS:
        if name in DECLARED_ONLY or name in look.subject.declares:
            continue
        found = _over_points(look, name, points)
        if not found:
            continue
        kept = [p for p, ratio in found.items() if ratio.value <= 1]
        wide = {p.name for p in points if p.V.shape[0] <= rows(p.V).shape[1]}
        if len(kept) == len(found) or (kept and set(kept) == wide & set(found)):
            holds.append(name if len(kept) == len(found) else f"{name} for rows ≤ columns")
            continue
        miss = max(ratio.relative for ratio in found.values())
        nearly = miss <= NEARLY and name not in NEEDS_GRADIENT and name != "nonexpansive"
        some = bool(kept) and len(found) > 2 and name not in INEQUALITIES | NEEDS_GRADIENT
        if nearly or some:
            partly[name] = (found, kept, miss)
    for name in holds:
        sheet.add(name, Verdict.PASS, figures={"statement": PROPERTIES[name.split()[0]]})
    for name, (found, kept, miss) in partly.items():
        where = f"holds at {', '.join(kept)} only of {', '.join(found)}" if kept else "holds nowhere exactly"
        said = f"nearly: {PROPERTIES[name]}; {where}, largest relative miss {miss:.2g}"
        sheet.add(name, Verdict.HAZARD, said, figures={"relative_miss": miss})
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)


def discover(look: Context, names: tuple[str, ...], points: list[Point]) -> list[str]:
    """Those of the named properties that hold at every one of these points."""
    held = []
    for name in names:
        found = _over_points(look, name, points)
        if found and all(ratio.value <= 1 for ratio in found.values()):
            held.append(name)
    return held


def _over_points(look: Context, name: str, points: list[Point]) -> dict[str, Ratio]:
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


def _feasible(look: Context, name: str, point: Point) -> bool:
    """Orthonormal rows need n ≤ d; unit norm follows them where the domain says so."""
    n, d = rows(point.V).shape
    onto_frames = name == "euclidean_projection" and look.subject.target_set["name"] == "stiefel_rows"
    if n > d and (name in ROWS_MUST_FIT or onto_frames):
        return False
    return not (n > d and name == "unit_norm_rows" and look.subject.domain.get("rows_le_cols_for_orthonormal_rows"))


def _look(look: Context, point: Point, value: object, dtype: torch.dtype) -> Look:
    V = point.V.to(dtype)
    instance = look.build(point.weight).to(dtype)
    seed, domain = look.seed_for(point.name), look.subject.domain
    return Look(instance=instance, V=V, value=value, seed=seed, domain=domain, target_set=look.subject.target_set)


def _admitting(ratio: Ratio, admitted: float) -> Ratio:
    model = ErrorModel(ratio.model.relative + admitted, f"{ratio.model.text} + {admitted:g} admitted")
    return dataclasses.replace(ratio, model=model)


def _witness(point: Point, look: Context) -> dict[str, object]:
    return {"V": encode_array(point.V, seed=look.seed, generator=f"generic {point.name}")}
