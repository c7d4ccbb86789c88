"""Gradient: is the written backward the derivative of the forward, over the whole Jacobian?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wnverify.auditing.backward import backward_report, row_report
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import (
    Point,
    ill_conditioned,
    nearly_repeated_singular_values,
    scaled_rows,
    structured,
)
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.shrink import gradient_witness
from wnverify.finding import Verdict
from wnverify.oracles.gradients import BackwardError, JacobianReport, NotDifferencedError, check_backward
from wnverify.oracles.ratio import map_model

GROSS = 1e-2
"""A relative error of the Jacobian from which a badly conditioned point no longer excuses a backward."""
AFTER = ("gradient.vjp",)
TOO_NOISY = 1e-2
"""A power worse than this decides nothing."""


@check(
    "gradient.vjp",
    asks="Is the backward the derivative of the forward at generic weights of many shapes?",
    needs=("gradient",),
)
def vjp(look: Context, sheet: Sheet) -> None:
    if look.mode_note:
        sheet.note(look.mode_note)
    for point in look.generic_points():
        judge_backward(look, sheet, point)


@check(
    "gradient.structured",
    asks="Is it so where wrong formulas look right: normalised, centred, diagonal, … input?",
    requires=AFTER,
    needs=("gradient",),
)
def at_structured(look: Context, sheet: Sheet) -> None:
    for point in look.usable(structured(look.seed)):
        judge_backward(look, sheet, point)


@check(
    "gradient.conditioning",
    asks="Is it so at badly scaled rows, ill-conditioned and nearly tied singular values?",
    requires=AFTER,
    needs=("gradient",),
)
def conditioning(look: Context, sheet: Sheet) -> None:
    points = [scaled_rows(1e6, look.seed), ill_conditioned(1e3, look.seed), nearly_repeated_singular_values(look.seed)]
    for point in look.usable(points):
        judge_backward(look, sheet, point, wrong=Verdict.HAZARD)


@check(
    "gradient.rows",
    asks="Is it so row by row, each row judged at its own scale?",
    requires=AFTER,
    needs=("gradient",),
)
def by_rows(look: Context, sheet: Sheet) -> None:
    for point in [*look.generic_points(), *look.usable([scaled_rows(1e3, look.seed)])]:
        count = point.V.shape[0]
        chosen = range(count) if count <= 8 else (0, 1, count // 2, min(64, count - 1), count - 2, count - 1)
        instance = look.build(point.weight)
        try:
            seed = look.seed_for("rows", point.name)
            row, report = row_report(instance, point.V, seed=seed, chosen=sorted(set(chosen)))
        except NotDifferencedError as error:
            sheet.not_differenced(point.name, error)
            continue
        except BackwardError as error:
            sheet.add(point.name, *_no_gradient(error), route="differences")
            continue
        add_report(sheet, f"{point.name} row {row}", report, Verdict.FAIL)


@check(
    "gradient.parameters",
    asks="Are the gradients of own parameters and of further tensors (a gain) right?",
    needs=("gradient",),
)
def parameters(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    for dims in (point.V.shape, (4, 4), (7, 3)):
        where = [p for p in (point, *look.generic_points()) if p.V.shape == dims]
        if not where:
            continue
        V = where[0].V
        instance = look.build(where[0].weight)
        for name, call, tensors, index in _other_tensors(instance, V):
            case = f"{name} at {'x'.join(map(str, dims))}"
            try:
                model = map_model("float64", V.numel(), condition=10.0)
                seed = look.seed_for("parameters", case)
                report = check_backward(call, tensors, wrt=index, seed=seed, gaussian=4, model=model)
            except NotDifferencedError as error:
                sheet.not_differenced(case, error)
            except BackwardError as error:
                sheet.add(case, *_no_gradient(error), route="differences")
            else:
                add_report(sheet, case, report, Verdict.FAIL)
    if not sheet.cases:
        sheet.add("none", Verdict.PASS, "")
        sheet.note("there are no own parameters and no further tensors")


def judge_backward(look: Context, sheet: Sheet, point: Point, *, wrong: Verdict = Verdict.FAIL) -> None:
    """One point's verdict: wrong beyond ratio 2, a ``hazard`` where it is not finite; refutations are shrunk."""
    instance = look.build(point.weight)
    try:
        seed = look.seed_for("vjp", point.name)
        report = backward_report(instance, point.V, seed=seed, gaussian=4 if look.quick else 8)
    except NotDifferencedError as error:
        sheet.not_differenced(point.name, error)
        return
    except BackwardError as error:
        sheet.add(point.name, *_no_gradient(error), route="differences")
        return
    witness = None
    if look.shrink and report.refuted and wrong is Verdict.FAIL and not any(case.witness for case in sheet.cases):
        witness = gradient_witness(look, point, report)
    add_report(sheet, point.name, report, wrong, witness=witness)


def add_report(
    sheet: Sheet,
    name: str,
    report: JacobianReport,
    wrong: Verdict,
    *,
    witness: dict[str, object] | None = None,
    figures: dict[str, object] | None = None,
) -> None:
    finite = bool(torch.isfinite(torch.tensor(report.values[1])))
    if report.ratio <= 1:
        noisy = report.power > TOO_NOISY
        verdict = Verdict.INCONCLUSIVE if noisy else Verdict.PASS
        said = f"differences are too noisy here (they would notice {report.power:.1g})" if noisy else ""
    elif not report.refuted:
        verdict, said = Verdict.INCONCLUSIVE, f"ratio {report.ratio:.2g}: neither right nor wrong"
    elif not finite:
        verdict, said = Verdict.HAZARD, "the gradient is not finite though the map is differentiable here"
    else:
        gross = report.relative_error > GROSS or wrong is Verdict.FAIL
        verdict = Verdict.FAIL if gross else wrong
        said = f"the backward is off by {report.relative_error:.2g} of the Jacobian (ratio {report.ratio:.3g})"
    sheet.add(
        name,
        verdict,
        said,
        route="differences",
        ratio=report.ratio,
        power=report.power,
        model="extrapolated differences with their error, plus one backward's rounding",
        witness=witness,
        figures={**report.figures, **(figures or {})},
    )


def _no_gradient(error: BackwardError) -> tuple[Verdict, str]:
    if (
        "does not require grad" in str(error)
        or "unused in the graph" in str(error)
        or "not have been used" in str(error)
    ):
        return Verdict.FAIL, "the output does not depend on this tensor through autograd: it can never be trained"
    return Verdict.FAIL, f"the backward raised {first_line(error)}"


def _other_tensors(
    instance: Instance, V: Tensor
) -> Iterator[tuple[str, Callable[..., Tensor], tuple[Tensor, ...], int]]:
    """Every differentiable tensor but V, as (name, map, tensors, index)."""
    tensors = instance.with_primary(V)
    for index, tensor in enumerate(tensors):
        if index != instance.primary and tensor.is_floating_point():
            yield f"tensor {index} of right_inverse", instance, tensors, index
    module = instance.module
    if module is None:
        return
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.is_floating_point():

            def call(value: Tensor, *rest: Tensor, _name: str = name) -> Tensor:
                out: Tensor = torch.func.functional_call(module, {_name: value}, rest)
                return out

            yield f"parameter {name}", call, (parameter.detach().double(), *tensors), 0
