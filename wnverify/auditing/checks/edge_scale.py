"""Edge, continued: scales, means far above the spread, and entries that are no numbers."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from wnverify.auditing.backward import worst_narrow_row
from wnverify.auditing.checks.edge import base_of, built, refused
from wnverify.auditing.context import Context, rows_are_independent, witness_of
from wnverify.auditing.holding import discover
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Point, outside, randn, rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict
from wnverify.oracles.gradients import BackwardError, reverse_mode, sensitivity
from wnverify.oracles.ratio import LARGEST, Ratio, map_model

OF_NAN: Final = frozenset(
    ("nan_to_num", "isnan", "isfinite", "isinf", "nansum", "nanmean", "nanmedian", "nanquantile", "fmax", "fmin")
)
MEANS: Final = tuple(
    (dtype, sign, exponent)
    for dtype, exponents in ((torch.float32, (10, 12)), (torch.float64, (20, 30)))
    for exponent in exponents
    for sign in (1, -1)
)
"""Of either sign, for what cancels to a rounding error may have the sign of a right result by chance."""
FINITE_ROWS: Final = "finite numbers in every row of W"


@check(
    "edge.scale",
    asks="Do tiny rows (1e-30 in float32) and huge (512 in float16, 1e6 in bfloat16) give what ordinary ones give?",
)
def scale(look: Context, sheet: Sheet) -> None:
    base = base_of(look)
    if not look.accepts(base, "the ordinary weight"):
        return
    invariant = "scale_invariant" in look.subject.declares or bool(
        discover(look, ("scale_invariant",), look.generic_points(every=True)[:2])
    )
    instance = built(look, base)
    # Squares of entries from 256 on overflow in float16; what is tiny there is not held exactly.
    # Sizes that bfloat16 has and float16 has not: an ordinary map squares them there, one by way of float16 cannot.
    sizes = {torch.float64: (-664, 664), torch.float32: (-100, 100), torch.bfloat16: (-30, 20), torch.float16: (9,)}
    for dtype, exponents in sizes.items():
        for exponent in exponents:
            V = (base * 2.0**exponent).to(dtype)
            name = f"2^{exponent} in {str(dtype).removeprefix('torch.')}"
            if outside(V, look.subject.domain) is not None:
                continue
            try:
                with torch.no_grad():
                    W = instance.to(dtype).at(V).double()
                    ordinary = instance.to(dtype).at(base.to(dtype)).double()
            except Exception as error:  # foreign code may raise anything; what it raised is the finding
                if dtype.itemsize > 2:  # the refusal of a half precision is a matter of contract.dtype
                    refused(sheet, name, error)
                continue
            if dtype.itemsize == 2 and not bool(torch.isfinite(ordinary).all()):
                continue
            if not bool(torch.isfinite(W).all()) and look.scalar and _beyond(instance, base, exponent, dtype):
                sheet.add(name, Verdict.PASS)
                sheet.note(f"{name}: the value is larger than the largest number of the dtype")
            elif not bool(torch.isfinite(W).all()):
                sheet.add(name, Verdict.HAZARD, "the output is not finite", witness=witness_of(V))
            elif invariant:
                kind = str(dtype).removeprefix("torch.")
                model = map_model(kind, look.terms(V), condition=100.0)
                ratio = Ratio(float((W - ordinary).norm()), float(ordinary.norm()), model)
                said = "a scale-invariant map gives something else: its squares over- or underflow"
                sheet.compare(name, ratio, said, wrong=Verdict.HAZARD, witness=witness_of(V))
            else:
                sheet.add(name, Verdict.PASS)


@check("edge.large_mean", asks="Is a row with a mean far above its spread as accurate as its conditioning allows?")
def large_mean(look: Context, sheet: Sheet) -> None:
    base = (base_of(look) * 1024).round() / 1024
    if not look.accepts(base, "the ordinary weight"):
        return
    unused, instance = built(look, base), built(look, base)
    points = look.generic_points(every=True)[:2]
    # Rows whose entries have one sign may be shifted inside a set that is not so; at the opposite weight they may not.
    opposite = look.usable((Point(name=f"-({p.name})", V=-p.V) for p in points), every=True)
    invariant = bool(discover(look, ("shift_invariant_rows",), [*points, *opposite]))
    for dtype, sign, exponent in look.chosen("mean", MEANS):
        kind = str(dtype).removeprefix("torch.")
        # Every sum below is exact: the entries are multiples of 2^-10 and the mean is a power of two.
        V = (base + sign * 2.0**exponent).to(dtype)
        name = f"mean {'-' if sign < 0 else ''}2^{exponent} in {kind}"
        if (why := outside(V, look.subject.domain)) is not None:
            sheet.add(name, Verdict.PASS)
            sheet.note(f"{name}: outside the stated domain ({why})")
            continue
        try:
            with torch.no_grad():
                reference = base if invariant else V.double()
                observed = unused.to(dtype).at(V).double()
                expected = instance.at(reference)
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            refused(sheet, name, error)
            continue
        if not bool(torch.isfinite(expected).all()):
            sheet.add(name, Verdict.HAZARD, "the output is not finite, in float64 neither", witness=witness_of(V))
            continue
        if not invariant and dtype == torch.float64:
            continue

        def value(weight: Tensor) -> Tensor:
            with torch.no_grad():
                return instance.at(weight)

        # A shift-invariant map loses ‖V‖ / ‖centred V‖; in float64 this is exact, not estimated.
        centred = rows(base - rows(base).mean(1, keepdim=True))
        condition = float(rows(V.double()).norm() / centred.norm()) if invariant else 0.0
        condition = max(condition, 1.0 + sensitivity(value, reference, seed=look.seed))
        model = map_model(kind, look.terms(V), condition=4 * condition)
        ratio = Ratio(float((observed - expected).norm()), float(expected.norm()), model)
        sheet.compare(name, ratio, "less accurate than the map allows", wrong=Verdict.HAZARD, witness=witness_of(V))
        if invariant and dtype == torch.float32 and "gradient" in look.subject.capabilities:
            _gradient_at_large_mean(look, sheet, f"{name}, gradient", V)


def _gradient_at_large_mean(look: Context, sheet: Sheet, name: str, V: Tensor) -> None:
    """The float32 gradient beside the float64 one of the very same weight, by the model of gradient.float32."""
    instance, narrow = built(look, V.double()), built(look, V.double()).to(V.dtype)
    cotangent = look.cotangent(V, look.seed_for("large mean")).float()
    try:
        expected = reverse_mode(instance, instance.with_primary(V.double()), instance.primary)(cotangent.double())
        observed = reverse_mode(narrow, narrow.with_primary(V), narrow.primary)(cotangent).double()
    except BackwardError:  # a matter of gradient.vjp and gradient.float32
        return
    if not bool(torch.isfinite(expected).all()):
        sheet.add(name, Verdict.HAZARD, "the gradient is not finite, in float64 neither", witness=witness_of(V))
        return
    ratio = worst_narrow_row(instance, V, cotangent, observed, expected)
    said = "the float32 gradient is less accurate than the map allows"
    sheet.compare(name, ratio, said, wrong=Verdict.HAZARD, witness=witness_of(V))


@check("edge.nan_row", asks="Does a NaN or an infinity stay in its row, and is it not turned into numbers?")
def nan_row(look: Context, sheet: Sheet) -> None:
    base = base_of(look)
    if not look.accepts(base, "the ordinary weight"):
        return
    # At the origin of its coordinates a coupled map may seem to have independent rows.
    away = base + randn(*base.shape, seed=look.seed_for("nan row"))
    local = all(rows_are_independent(built(look, base), V) for V in (base, away))
    column = _column_that_counts(look, base)
    if column is None:
        sheet.add("row 1", Verdict.PASS)
        sheet.note("no entry of row 1 has an influence on W")
        return
    for name, value in (("NaN", math.nan), ("infinity", math.inf)):
        V = base.clone()
        V[1, column] = value
        instance = built(look, base)
        try:
            with torch.no_grad():
                W = rows(instance.at(V))
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            refused(sheet, name, error)
            continue
        broken = ~torch.isfinite(W).all(1)
        others = [i for i in range(W.shape[0]) if local and i != 1 and bool(broken[i])]
        if name == "NaN" and not bool(broken.any()):
            said = f"a NaN in V[1, {column}] gives {'a finite value' if look.scalar else FINITE_ROWS}: it is hidden"
            verdict = Verdict.FAIL
            if look.scalar and _saturates(look, base, column, W):
                # A penalty that is constant there compares with its cap, and NaN is not below it.
                verdict, said = Verdict.HAZARD, f"{said}, counted as an entry beyond the penalty's cap"
            elif not (asked := asks_for_nan(instance, V)):
                # A threshold that NaN is neither above nor below: right for every number, and it bites.
                verdict, said = Verdict.HAZARD, f"{said}, by a comparison that is false for it"
            else:
                said += f", by {', '.join(asked)}"
            sheet.add(name, verdict, said, witness=witness_of(V))
        elif others:
            said = f"a non-finite V[1, {column}] spoils row {others[0]} of W too, though rows are independent"
            sheet.add(name, Verdict.FAIL, said, witness=witness_of(V))
        else:
            sheet.add(name, Verdict.PASS)
    if not local and not look.scalar:
        sheet.note("the rows of W are coupled, so that a NaN may reach all of them")


def asks_for_nan(instance: Instance, V: Tensor) -> list[str]:
    """The operations at V, by name and each once, that tell NaN from numbers or leave it out."""
    watch = _Watch()
    with watch, torch.no_grad():
        instance.at(V)
    return list(dict.fromkeys(watch.found))


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        with_itself = name in ("ne", "eq") and len(args) > 1 and args[0] is args[1]
        if name in OF_NAN or with_itself:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def _saturates(look: Context, base: Tensor, column: int, value: Tensor) -> bool:
    """Whether entries of ever larger size give the value that was seen."""
    instance, found = built(look, base), []
    for size in (2.0**20, 2.0**60):
        V = base.clone()
        V[1, column] = size
        with torch.no_grad():
            found.append(rows(instance.at(V)))
    return all(torch.equal(there, value) for there in found)


def _column_that_counts(look: Context, base: Tensor) -> int | None:
    """The first column from 2 on, then from 0, whose entry in row 1 moves W: of a triangle only one half is read."""
    instance = built(look, base)
    columns: list[int] = [*range(2, base.shape[1]), 0, 1]
    with torch.no_grad():
        ordinary = instance.at(base.clone())
        for column in columns:
            moved = base.clone()
            moved[1, column] += 0.5 + moved[1, column].abs()
            if not torch.equal(instance.at(moved), ordinary):
                return column
    return None


def _beyond(instance: Instance, base: Tensor, exponent: int, dtype: torch.dtype) -> bool:
    """Whether the value at 2^exponent × base, as it grows from 2^20 to 2^40, is above the dtype's largest number."""
    direction = 1 if exponent > 0 else -1
    with torch.no_grad():
        near, far = (math.log2(max(abs(float(instance.at(base * 2.0 ** (direction * k)))), 1e-300)) for k in (20, 40))
    there = far + (far - near) / 20 * (abs(exponent) - 40)
    return there > math.log2(LARGEST[str(dtype).removeprefix("torch.")]) - 1
