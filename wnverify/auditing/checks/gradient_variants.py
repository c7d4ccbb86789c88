"""Gradient, continued: other losses, float32, forward mode, second order, and what the invariances imply."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wnverify.auditing.backward import backward_model, natural_size, worst_narrow_row
from wnverify.auditing.checks.gradient import AFTER, GROSS, IN_FULL, add_report, other_tensors
from wnverify.auditing.checks.precision import telling
from wnverify.auditing.context import VANISHING, Context, first_line, rows_are_independent
from wnverify.auditing.holding import discover
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Point, condition, generic, randn, rows, scaled_rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.differences import NotDifferencedError, directional_difference
from wnverify.oracles.gradients import (
    BackwardError,
    JacobianReport,
    check_backward,
    forward_mode,
    reverse_mode,
    row_scales,
)
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

GROSS_IN_HALF = 0.25
LOST_DIGITS = 1e-6
"""Relative error that a sound float64 backward may have beside a cotangent 2^40 times larger."""
LARGER = (65, 33)
IMPLIED = {
    "scale_invariant": ("⟨∇, V⟩ = 0 of a scale-invariant map", "whole"),
    "row_scale_invariant": ("⟨∇_i, V_i⟩ = 0 of a row-scale-invariant map", "rows"),
    "shift_invariant_rows": ("row sums of ∇ are 0 for a shift-invariant map", "sums"),
}


@check(
    "gradient.loss",
    asks="Is the backward linear in the cotangent, whatever its layout, and the same each time?",
    requires=IN_FULL,
    needs=("gradient",),
)
def other_losses(look: Context, sheet: Sheet) -> None:
    for point in look.chosen("point", [*look.generic_points()[:4], *look.kernel_points()]):
        instance = look.build(point.weight)
        try:
            model = of_coupled_rows(instance, point.V, backward_model(instance, point.V, slack=10.0))
            pull = reverse_mode(instance, instance.with_primary(point.V), instance.primary)
            first = look.cotangent(point.V, look.seed_for("first", point.name))
            largest = max(float(pull(first).norm()), natural_size(instance, point.V, first))
            for name, observed, expected in _pairs(look, instance, point, pull):
                scale = max(float(expected.norm()), largest)
                ratio = Ratio(float((observed - expected).norm()), scale, model)
                # A matrix exponential, for one, loses digits beside a huge cotangent: that bites, and is no wrong rule.
                wrong = Verdict.HAZARD if ratio.relative <= LOST_DIGITS else Verdict.FAIL
                said = "the backward depends on how the cotangent comes"
                sheet.compare(f"{point.name} {name}", ratio, said, wrong=wrong)
        except BackwardError as error:
            sheet.add(point.name, Verdict.FAIL, f"the backward raised {first_line(error)}")
        if not look.repeatable_in_training:
            _two_training_forwards(look, sheet, point)


def of_coupled_rows(instance: Instance, V: Tensor, model: ErrorModel) -> ErrorModel:
    """The model times κ(V) where rows are coupled: a Gram matrix loses that much, whatever the gradient's condition."""
    if V.shape[0] < 2 or rows_are_independent(instance, V):
        return model
    kappa = min(condition(V), LOST_DIGITS / model.relative)
    return ErrorModel(model.relative * max(kappa, 1.0), f"{model.text} × κ(V)")


def _two_training_forwards(look: Context, sheet: Sheet, point: Point) -> None:
    """A discriminator sees two batches before one backward: state that moves in training must not be saved there."""
    instance = look.subject.build(point.weight, training=True)
    leaf = point.V.clone().requires_grad_()
    try:
        _grad(instance.at(leaf).square().sum() + instance.at(leaf).sum(), leaf)
    except BackwardError as error:
        said = f"two forwards in training, then one backward, raise {first_line(error)}"
        sheet.add(f"{point.name} in training", Verdict.HAZARD, said)


def _pairs(
    look: Context, instance: Instance, point: Point, pull: Callable[[Tensor], Tensor]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(what is asked, the observed gradient, the gradient it must equal)."""
    V = point.V
    first = look.cotangent(V, look.seed_for("first", point.name))
    second = look.cotangent(V, look.seed_for("second", point.name))
    shape = first.shape

    def pulled(cotangent: Tensor) -> Tensor:
        """A backward that overwrites its cotangent spoils a copy, and not what the other cases compare with."""
        return pull(cotangent.clone())

    of_first, of_second, ones = pulled(first), pulled(second), pulled(torch.ones(shape, dtype=torch.float64))
    leaf = V.detach().clone().requires_grad_()
    yield "sum as the loss (expanded cotangent)", _grad(instance.at(leaf).sum(), leaf), ones
    out = instance.at(leaf)
    yield "a nonlinear loss", _grad((out.sin() * first).sum(), leaf), pulled((out.cos() * first).detach())
    if first.dim():
        yield "a non-contiguous cotangent", pulled(first.mT.contiguous().mT), of_first
    if first.dim() == 4:
        yield "a channels_last cotangent", pulled(first.contiguous(memory_format=torch.channels_last)), of_first
    yield "a sum of two cotangents", pulled(first + second), of_first + of_second
    yield "a cotangent times -3", pulled(-3 * first), -3 * of_first
    yield "a cotangent times 2^-40", 2.0**40 * pulled(2.0**-40 * first), of_first
    yield "a cotangent times 2^40", 2.0**-40 * pulled(2.0**40 * first), of_first
    if first.dim():
        one = torch.zeros(shape, dtype=torch.float64)
        one[-1] = first[-1]
        rest = first - one
        yield "one row and the rest", pulled(one) + pulled(rest), of_first
    yield "the zero cotangent", pulled(torch.zeros(shape, dtype=torch.float64)), torch.zeros_like(V)
    kept = first.clone()
    pull(kept)
    yield "the cotangent itself, after the backward", kept, first
    yield "a second backward pass", pulled(first), of_first
    before, after = instance.at(leaf), instance.at(leaf)
    both = _grad((before * first).sum(), leaf) + _grad((after * second).sum(), leaf)
    yield "two forwards, then both backwards", both, of_first + of_second
    mine = instance.at(leaf)
    instance.at(V.flip(0) if V.shape[0] > 1 else V.flip(-1))
    yield "another weight's forward before the backward", _grad((mine * first).sum(), leaf), of_first
    for name, call, tensors, index in other_tensors(instance, V):
        yield f"{name}: another weight's forward before the backward", *_between(instance, first, call, tensors, index)


def _between(
    instance: Instance, cotangent: Tensor, call: Callable[..., Tensor], tensors: tuple[Tensor, ...], index: int
) -> tuple[Tensor, Tensor]:
    """The gradient of a further tensor with another weight's forward before its backward, and without one."""
    at = instance.primary + len(tensors) - len(instance.tensors)
    found = []
    for between in (True, False):
        leaves = [t.detach().clone().requires_grad_(i == index) for i, t in enumerate(tensors)]
        loss = (call(*leaves) * cotangent).sum()
        if between:
            others = [t.detach().flip(0 if t.shape[0] > 1 else -1) if i == at else t for i, t in enumerate(tensors)]
            call(*others)
        found.append(_grad(loss, leaves[index]))
    return found[0], found[1]


@check(
    "gradient.float32",
    asks="Do the float32 and the half-precision backward agree with the float64 one?",
    needs=("gradient",),
)
def float32(look: Context, sheet: Sheet) -> None:
    for judge in look.chosen("width", (_single, _halves)):
        judge(look, sheet)


def _single(look: Context, sheet: Sheet) -> None:
    further = [scaled_rows(1e3, look.seed), *([] if look.quick else [generic((6, 1100), look.seed)])]
    points = [*look.generic_points(), *look.kernel_points(), *look.usable(further)]
    for point in telling(look, sheet, points):
        low, weight = point.V.float(), point.weight.double()
        cotangent = look.cotangent(point.V, look.seed_for("float32", point.name)).float()
        try:
            wide = look.build(weight)
            expected = reverse_mode(wide, wide.with_primary(low.double()), wide.primary)(cotangent.double())
            if _nothing_left(wide, low, cotangent, expected):
                sheet.note(f"{point.name}: the gradient is nothing but rounding there")
                continue
            narrow = look.build(weight).to(torch.float32)
            observed = reverse_mode(narrow, narrow.with_primary(low), narrow.primary)(cotangent).double()
        except Exception as error:  # foreign code may refuse a dtype
            said = f"float32 raised {type(error).__name__}: {first_line(error)}"
            sheet.add(point.name, Verdict.HAZARD, said)
            continue
        ratio = worst_narrow_row(wide, low, cotangent, observed, expected)
        wrong = Verdict.FAIL if ratio.relative > GROSS else Verdict.HAZARD
        sheet.compare(point.name, ratio, "the float32 gradient differs from the float64 one", wrong=wrong)


def _halves(look: Context, sheet: Sheet) -> None:
    base = generic((5, 12), look.seed)
    long = look.usable([Point(name=f"{base.name} times 16", V=16 * base.V, seed=base.seed)])
    for point in look.chosen("half", [*look.generic_points()[:3], *look.kernel_points()[:1], *long]):
        for kind in look.chosen("half dtype", (torch.bfloat16, torch.float16)):
            _half(look, sheet, point, kind)


def _half(look: Context, sheet: Sheet, point: Point, kind: torch.dtype) -> None:
    """The gradient in half precision: another formula there is told from rounding, which is most of it."""
    low, wide = point.V.to(kind), look.build(point.weight)
    cotangent = look.cotangent(point.V, look.seed_for("float32", point.name)).to(kind)
    name = f"{point.name} {str(kind).removeprefix('torch.')}"
    try:
        expected = reverse_mode(wide, wide.with_primary(low.double()), wide.primary)(cotangent.double())
        if _nothing_left(wide, low, cotangent, expected):
            sheet.note(f"{name}: the gradient is nothing but rounding there")
            return
        narrow = look.build(point.weight).to(kind)
        with torch.no_grad():
            if not bool(torch.isfinite(narrow.at(low)).all()):
                sheet.note(f"{name}: the value is not finite, a matter of precision.forward")
                return
        observed = reverse_mode(narrow, narrow.with_primary(low), narrow.primary)(cotangent).double()
    except Exception as error:  # a refused dtype is a matter of contract.dtype
        sheet.note(f"{name}: {type(error).__name__}: {first_line(error)}")
        return
    ratio = worst_narrow_row(wide, low, cotangent, observed, expected)
    # What is not finite has overflowed: that bites in this precision, and is no wrong mathematics.
    wrong = Verdict.FAIL if GROSS_IN_HALF < ratio.relative < math.inf else Verdict.HAZARD
    sheet.compare(
        name, ratio, f"the {str(kind).removeprefix('torch.')} gradient differs from the float64 one", wrong=wrong
    )


@check(
    "gradient.forward_mode",
    asks="Is forward mode (torch.func.jvp) the derivative of the forward?",
    requires=IN_FULL,
    needs=("derivative",),
)
def by_forward_mode(look: Context, sheet: Sheet) -> None:
    for point in look.generic_points()[:4]:
        instance = look.build(point.weight)
        tangent = row_scales(point.V) * randn(*point.V.shape, seed=look.seed_for("jvp", point.name))

        def value(V: Tensor, instance: Instance = instance) -> Tensor:
            with torch.no_grad():
                return instance.at(V)

        try:
            model = backward_model(instance, point.V)
            observed = forward_mode(instance, instance.with_primary(point.V), tangent, instance.primary)
        except (RuntimeError, NotImplementedError) as error:
            said = f"{type(error).__name__}: {first_line(error)}"
            sheet.add(point.name, Verdict.UNSUPPORTED, said, route="automatic differentiation")
            continue
        try:
            difference = directional_difference(value, point.V, tangent)
        except NotDifferencedError as error:
            sheet.not_differenced(point.name, error)
            continue
        size = max(float(difference.value.norm()), natural_size(instance, point.V, tangent))
        total = ErrorModel(model.relative + difference.error / max(size, 1e-300), f"{model.text} + difference")
        ratio = Ratio(float((observed - difference.value).norm()), size, total)
        sheet.compare(point.name, ratio, "forward mode is not the derivative", route="automatic differentiation")


@check(
    "gradient.second_order",
    asks="Is the double backward the derivative of the backward?",
    requires=AFTER,
    needs=("derivative",),
)
def second_order(look: Context, sheet: Sheet) -> None:
    if reason := look.subject.domain.get("no_double_backward"):
        sheet.note(f"declared without a second derivative: {reason}")
    silent: list[str] = []
    seen = False
    larger = look.usable([generic(LARGER, look.seed)]) if look.quick else []
    for point in look.chosen("point", [*look.generic_points(), *larger, *look.kernel_points()[:2]]):
        if not look.build(point.weight).at(point.V.clone().requires_grad_()).requires_grad:
            sheet.add(point.name, Verdict.FAIL, "the output does not depend on this tensor through autograd")
            continue
        instance = look.build(point.weight)
        cotangent = look.cotangent(point.V, look.seed_for("second order", point.name))

        def gradient(
            V: Tensor, instance: Instance = instance, cotangent: Tensor = cotangent, degree: int = 1
        ) -> Tensor:
            with torch.enable_grad():
                leaf = V if V.requires_grad else V.detach().clone().requires_grad_()
                out = instance.at(leaf)
                try:
                    (g,) = torch.autograd.grad(out, leaf, cotangent * out ** (degree - 1), create_graph=True)
                except RuntimeError as error:  # a backward that refuses to be differentiated
                    raise BackwardError(f"{type(error).__name__}: {error}") from error
                return g

        try:
            seed = look.seed_for("second", point.name)
            model = map_model("float64", max(rows(point.V).shape), condition=1e3)
            steep = natural_size(instance, point.V, cotangent)
            if float(gradient(point.V).detach().norm()) <= VANISHING * steep:
                sheet.add(point.name, Verdict.PASS, route="differences")
                sheet.note(f"{point.name}: the gradient is nothing but rounding there")
                continue
            probes = look.probes(4, f"second order {point.name}")
            report = check_backward(gradient, (point.V,), seed=seed, **probes, model=model, steepness=steep)
        except NotDifferencedError as error:
            sheet.not_differenced(point.name, error)
        except BackwardError as error:
            if _is_linear(gradient, point.V):
                sheet.add(point.name, Verdict.PASS, route="differences")
                sheet.note("the map is linear: its second derivative is zero")
            elif "does not require grad" in str(error):
                of_square = functools.partial(gradient, degree=2)
                if reason or not _silently_wrong(look, sheet, point, of_square, model):
                    silent.append(point.name)
            else:
                said = f"refused: {first_line(error)}"
                sheet.add(point.name, Verdict.UNSUPPORTED, said, route="differences")
        else:
            witness = _second_order_witness(point, cotangent, report) if report.refuted else None
            wrong = Verdict.HAZARD if reason else Verdict.FAIL
            add_report(sheet, point.name, report, wrong, witness=witness, gross=not reason)
            seen = True
    for name in silent:
        said = "the backward gives a gradient without a graph: a second derivative would silently be zero"
        said += ", as it is not at other weights" if seen else ""
        sheet.add(name, Verdict.FAIL if seen else Verdict.UNSUPPORTED, said, route="differences")


@check(
    "gradient.invariance",
    asks="Has the backward the orthogonality that the forward's invariances imply?",
    requires=AFTER,
    needs=("derivative",),
)
def invariance(look: Context, sheet: Sheet) -> None:
    points = [point for point in look.generic_points() if point.V.shape[0] > 1]
    held = discover(look, tuple(IMPLIED), points)
    for name in held:
        words, kind = IMPLIED[name]
        for point in points:
            instance = look.build(point.weight)
            pull = reverse_mode(instance, instance.with_primary(point.V), instance.primary)
            cotangent = look.cotangent(point.V, look.seed_for("invariance", point.name))
            gradient, V = rows(pull(cotangent)), rows(point.V)
            products = {"whole": (gradient * V).sum(), "rows": (gradient * V).sum(1), "sums": gradient.sum(1)}[kind]
            direction = float(V.norm()) if kind != "sums" else V.shape[1] ** 0.5
            model = backward_model(instance, point.V)
            size = max(float(gradient.norm()), natural_size(instance, point.V, cotangent))
            ratio = Ratio(float(products.abs().max()), size * direction, model)
            sheet.compare(f"{name} at {point.name}", ratio, f"the backward breaks {words}")
    if not held:
        sheet.add("none", Verdict.PASS)
        sheet.note("the forward has none of these invariances")


def _nothing_left(wide: Instance, V: Tensor, cotangent: Tensor, gradient: Tensor) -> bool:
    """Whether the float64 gradient is what rounding leaves of a derivative that is zero."""
    natural = natural_size(wide, V.double(), cotangent.double())
    return 0 < float(gradient.norm()) <= VANISHING * natural


def _silently_wrong(
    look: Context, sheet: Sheet, point: Point, gradient: Callable[[Tensor], Tensor], model: ErrorModel
) -> bool:
    """Whether a backward without a graph of its own is differentiated all the same: of a loss that is not linear the
    cotangent has a graph, by which a second derivative comes out that lacks the backward's own part."""
    try:
        seed = look.seed_for("second", point.name)
        probes = look.probes(4, f"of second degree {point.name}")
        report = check_backward(gradient, (point.V,), seed=seed, **probes, model=model)
    except (BackwardError, NotDifferencedError):
        return False
    if report.refuted:
        add_report(sheet, f"{point.name}, a loss of second degree", report, Verdict.FAIL)
    return report.refuted


def _second_order_witness(point: Point, cotangent: Tensor, report: JacobianReport) -> dict[str, object]:
    """⟨second cotangent, d gradient / dV [tangent]⟩, by differences of the backward and by the double backward."""
    named = {"V": point.V, "cotangent": cotangent, "second_cotangent": report.probe[0], "tangent": report.probe[1]}
    witness: dict[str, object] = {name: encode_array(value, seed=point.seed) for name, value in named.items()}
    return witness | {"by_differences": report.values[0], "by_double_backward": report.values[1]}


def _grad(loss: Tensor, leaf: Tensor) -> Tensor:
    try:
        (gradient,) = torch.autograd.grad(loss, leaf)
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        raise BackwardError(f"{type(error).__name__}: {error}") from error
    return gradient


def _is_linear(gradient: Callable[[Tensor], Tensor], V: Tensor) -> bool:
    """Whether the gradient does not move with V: then a missing graph hides nothing."""
    try:
        return bool(torch.equal(gradient(V).detach(), gradient(V + 0.25 * V.abs() + 0.125).detach()))
    except BackwardError:
        return False
