"""Gradient: is the written backward the derivative of the forward, over the whole Jacobian?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wnverify.auditing.backward import backward_model, backward_report, row_report
from wnverify.auditing.context import Context, first_line, rows_are_independent
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import (
    Point,
    equal_rows,
    generic,
    nearly_repeated_singular_values,
    opposite_rows,
    scaled_rows,
    structured,
)
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.shrink import gradient_witness
from wnverify.auditing.special import hardest
from wnverify.finding import Verdict
from wnverify.oracles.gradients import BackwardError, JacobianReport, NotDifferencedError, check_backward, reverse_mode
from wnverify.oracles.ratio import map_model

GROSS = 1e-2
"""A relative error of the Jacobian from which a badly conditioned point no longer excuses a backward."""
IN_FULL = ("contract.forward", "precision.float64")
"""A map that is computed in fewer bits is a staircase, whose differences say nothing of its derivative."""
AFTER = ("gradient.vjp",)
BELOW_A_FLOOR = (-20, -44)
"""Of the size of a weight: below 1e-5 and 1e-12, at which norms are clamped."""
FADED = 1e-10
TOO_NOISY = 1e-2
"""A power worse than this decides nothing."""


@check(
    "gradient.vjp",
    asks="Is the backward the derivative of the forward at generic weights and kernels of many shapes?",
    requires=IN_FULL,
    needs=("gradient",),
)
def vjp(look: Context, sheet: Sheet) -> None:
    if look.mode_note:
        sheet.note(look.mode_note)
    single = look.usable([generic((1, 6), look.seed)]) if look.quick else []
    for point in look.chosen("point", [*look.generic_points(), *single, *look.kernel_points()]):
        judge_backward(look, sheet, point, ordinary=True)


@check(
    "gradient.structured",
    asks="Is it so where wrong formulas look right: normalised, centred, diagonal, … input?",
    requires=AFTER,
    needs=("gradient",),
)
def at_structured(look: Context, sheet: Sheet) -> None:
    among = [opposite_rows(look.seed), equal_rows(look.seed)]  # coupled rows may be singular there
    for point in look.usable([*structured(look.seed), *among]):
        if point.name not in {p.name for p in among} or rows_are_independent(look.build(point.weight), point.V):
            judge_backward(look, sheet, point)


@check(
    "gradient.conditioning",
    asks="Is it so at badly scaled rows, ill-conditioned and nearly tied singular values?",
    requires=AFTER,
    needs=("gradient",),
)
def conditioning(look: Context, sheet: Sheet) -> None:
    points = [scaled_rows(1e6, look.seed), hardest(look), nearly_repeated_singular_values(look.seed)]
    base = generic((5, 12), look.seed)
    small = [Point(name=f"{base.name} times 2^{e}", V=base.V * 2.0**e, seed=base.seed) for e in BELOW_A_FLOOR]
    tiny = {point.name for point in small}
    for point in look.chosen("point", look.usable([*points, *small])):
        if point.name in tiny and _fades(look, point, base):
            sheet.note(f"{point.name}: the value fades with the weight, and its differences are rounding")
        else:
            judge_backward(look, sheet, point, wrong=Verdict.HAZARD, noisy=point.name in tiny)


def _fades(look: Context, point: Point, ordinary: Point) -> bool:
    """Whether the value there is so small beside an ordinary one, or changes so little beside itself for a change of
    the weight's own size, that rounding is all that a difference sees."""
    there = torch.roll(point.V, 1, dims=1)
    with torch.no_grad():
        small, usual = (look.build(p.weight).at(p.V) for p in (point, ordinary))
        change = float((look.build(there).at(there) - small).norm())
    return float(small.norm()) <= FADED * float(usual.norm()) or change <= FADED * float(small.norm())


@check(
    "gradient.rows",
    asks="Is it so row by row, each row judged at its own scale?",
    requires=AFTER,
    needs=("derivative",),
)
def by_rows(look: Context, sheet: Sheet) -> None:
    uneven = look.usable([scaled_rows(1e6, look.seed)])
    uneven = [point for point in uneven if rows_are_independent(look.build(point.weight), point.V)]
    points = [*look.generic_points(), *look.usable([scaled_rows(1e3, look.seed)]), *uneven]
    for point in look.chosen("point", points):
        wrong = Verdict.HAZARD if point in uneven else Verdict.FAIL
        count = point.V.shape[0]
        chosen = list(range(count)) if count <= 8 else [0, 1, count // 2, min(64, count - 1), count - 2, count - 1]
        instance = look.build(point.weight)
        try:
            seed = look.seed_for("rows", point.name)
            which = look.chosen("row", sorted(set(chosen)))
            row, report = row_report(instance, point.V, seed=seed, chosen=which, noises=look.noises(point.name))
        except NotDifferencedError as error:
            sheet.not_differenced(point.name, error)
            continue
        except BackwardError as error:
            sheet.add(point.name, *no_gradient(error), route="differences")
            continue
        add_report(sheet, f"{point.name} row {row}", report, wrong)


@check(
    "gradient.parameters",
    asks="Are the gradients of own parameters and of further tensors (a gain) right?",
    requires=IN_FULL,
    needs=("derivative",),
)
def parameters(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    for dims in look.chosen("shape", (point.V.shape, (4, 4), (7, 3))):
        where = [p for p in (point, *look.generic_points()) if p.V.shape == dims]
        if not where:
            continue
        V = where[0].V
        instance = look.build(where[0].weight)
        for name, call, tensors, index in look.chosen("tensor", list(other_tensors(instance, V))):
            case = f"{name} at {'x'.join(map(str, dims))}"
            try:
                model = map_model("float64", V.numel(), condition=10.0)
                seed = look.seed_for("parameters", case)
                probes = look.probes(4, f"parameters {name}")
                report = check_backward(call, tensors, wrt=index, seed=seed, **probes, model=model)
            except NotDifferencedError as error:
                sheet.not_differenced(case, error)
            except BackwardError as error:
                sheet.add(case, *no_gradient(error), route="differences")
            else:
                add_report(sheet, case, report, Verdict.FAIL)
    if not sheet.cases:
        sheet.add("none", Verdict.PASS, "")
        sheet.note("there are no own parameters and no further tensors")


def judge_backward(
    look: Context,
    sheet: Sheet,
    point: Point,
    *,
    wrong: Verdict = Verdict.FAIL,
    noisy: bool = False,
    ordinary: bool = False,
    gross: bool = True,
) -> None:
    """One point's verdict: wrong beyond ratio 2, a ``hazard`` where it is not finite; refutations are shrunk.

    ``noisy``: differences may well be too noisy there, which is then noted and decides nothing.  ``ordinary``: nothing
    excuses a gradient there that is not finite.  ``gross``: a gross miss is a ``fail`` whatever ``wrong`` is.
    """
    instance = look.build(point.weight)
    if look.subject.domain.get("surrogate_gradient"):
        _judge_surrogate(look, sheet, point, instance)
        return
    try:
        seed = look.seed_for("vjp", point.name)
        report = backward_report(instance, point.V, seed=seed, **look.probes(4 if look.quick else 8, point.name))
    except NotDifferencedError as error:
        if noisy:
            sheet.note(f"{point.name}: {error}")
        else:
            sheet.not_differenced(point.name, error)
        return
    except BackwardError as error:
        sheet.add(point.name, *no_gradient(error), route="differences")
        return
    if noisy and report.power > TOO_NOISY:
        sheet.note(f"{point.name}: {_too_noisy(report.power)}")
        return
    witness = None
    if look.shrink and report.refuted and wrong is Verdict.FAIL and not any(case.witness for case in sheet.cases):
        witness = gradient_witness(look, point, report)
    add_report(sheet, point.name, report, wrong, witness=witness, ordinary=ordinary, gross=gross)


def _judge_surrogate(look: Context, sheet: Sheet, point: Point, instance: Instance) -> None:
    """Beside the derivative of the map that is said to be its own; without one how far it is from that of the forward
    is a figure."""
    sheet.note(f"declared to be no derivative of the forward: {look.subject.domain['surrogate_gradient']}")
    meant = look.subject.surrogate(instance)
    tensors = instance.with_primary(point.V)
    f = instance if meant is None else lambda *given: meant(given[instance.primary])
    try:
        report = check_backward(
            f,
            tensors,
            wrt=instance.primary,
            seed=look.seed_for("vjp", point.name),
            **look.probes(4, f"surrogate {point.name}"),
            model=backward_model(instance, point.V),
            backward=reverse_mode(instance, tensors, instance.primary),
        )
    except NotDifferencedError as error:
        sheet.note(f"{point.name}: {error}")
        if meant is None:
            sheet.add(point.name, Verdict.PASS, route="differences")
    except BackwardError as error:
        sheet.add(point.name, *no_gradient(error), route="differences")
    else:
        if meant is not None:
            add_report(sheet, point.name, report, Verdict.FAIL)
        else:
            sheet.add(point.name, Verdict.PASS, route="differences", figures=report.figures)


def add_report(
    sheet: Sheet,
    name: str,
    report: JacobianReport,
    wrong: Verdict,
    *,
    witness: dict[str, object] | None = None,
    figures: dict[str, object] | None = None,
    gross: bool = True,
    ordinary: bool = False,
) -> None:
    """The verdict of a report: ``wrong`` beyond ratio 2, and ``fail`` for a ``gross`` miss where that is asked, or for
    a gradient that is not finite at an ``ordinary`` weight."""
    finite = bool(torch.isfinite(torch.tensor(report.values[1])))
    if report.ratio <= 1:
        noisy = report.power > TOO_NOISY
        verdict = Verdict.INCONCLUSIVE if noisy else Verdict.PASS
        said = _too_noisy(report.power) if noisy else ""
    elif not report.refuted:
        verdict, said = Verdict.INCONCLUSIVE, f"ratio {report.ratio:.2g}: neither right nor wrong"
    elif not finite:
        verdict = Verdict.FAIL if ordinary else Verdict.HAZARD
        said = "the gradient is not finite though the map is differentiable here"
    else:
        verdict = Verdict.FAIL if gross and report.relative_error > GROSS else wrong
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


def _too_noisy(power: float) -> str:
    seen = f"only a relative error beyond {power:.1g} would be seen" if power < 1 else "no error would be seen"
    return f"differences are too noisy here: {seen}"


def no_gradient(error: BackwardError) -> tuple[Verdict, str]:
    if (
        "does not require grad" in str(error)
        or "unused in the graph" in str(error)
        or "not have been used" in str(error)
    ):
        return Verdict.FAIL, "the output does not depend on this tensor through autograd: it can never be trained"
    return Verdict.FAIL, f"the backward raised {first_line(error)}"


def other_tensors(
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
