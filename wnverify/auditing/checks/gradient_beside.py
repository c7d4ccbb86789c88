"""Gradient, continued: own parameters and further tensors (gains) beside V, frozen, in float32 and in forward mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wnverify.auditing.checks.gradient import AFTER, GROSS, other_tensors
from wnverify.auditing.checks.gradient_settings import trained_parameters
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import randn, rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict
from wnverify.oracles.differences import NotDifferencedError, directional_difference
from wnverify.oracles.gradients import forward_mode, row_scales, sensitivity
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

NONE = "there are no own parameters and no further tensors"
WORST_CONDITION = 1e6


@check(
    "gradient.frozen",
    asks="Is each gradient the same whether the other tensors and own parameters are trained with it or frozen?",
    requires=AFTER,
    needs=("gradient",),
)
def frozen(look: Context, sheet: Sheet) -> None:
    for point in look.chosen("point", [*look.generic_points()[:2], *look.kernel_points()[:1]]):
        instance = look.build(point.weight)
        leaves = _leaves(instance, point.V)
        if len(leaves) < 2:
            continue
        cotangent = look.cotangent(point.V, look.seed_for("frozen", point.name))
        model = map_model("float64", max(rows(point.V).shape), condition=10.0)
        try:
            together = _gradients_of(list(leaves), leaves, instance, point.V, cotangent)
            for name, expected in together.items():
                found = _gradients_of([name], leaves, instance, point.V, cotangent)[name]
                ratio = Ratio(float((found - expected).norm()), float(expected.norm()), model)
                sheet.compare(f"{point.name}, {name} alone", ratio, "the gradient is another where the rest is frozen")
        except RuntimeError as error:
            sheet.add(point.name, Verdict.FAIL, f"the backward raised {first_line(error)}", route="exact")
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)
        sheet.note(NONE)


def _leaves(instance: Instance, V: Tensor) -> dict[str, Tensor]:
    """Every tensor that is trained: V, what stands beside it, and own parameters."""
    leaves = {
        _name(instance, i): t.detach().clone() for i, t in enumerate(instance.with_primary(V)) if t.is_floating_point()
    }
    if instance.module is not None:
        leaves |= {f"parameter {name}": parameter for name, parameter in trained_parameters(instance.module)}
    return leaves


def _name(instance: Instance, index: int) -> str:
    return "V" if index == instance.primary else f"tensor {index} of right_inverse"


def _gradients_of(
    names: Sequence[str], leaves: Mapping[str, Tensor], instance: Instance, V: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    """The gradients of the named leaves, all others frozen; zeros where there is none."""
    for name, leaf in leaves.items():
        leaf.requires_grad_(name in names)
    given = [leaves.get(_name(instance, i), t) for i, t in enumerate(instance.with_primary(V))]
    asked = [leaves[name] for name in names]
    out = instance(*given)
    found = torch.autograd.grad(out, asked, cotangent, allow_unused=True) if out.requires_grad else [None] * len(asked)
    return {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for name, leaf, gradient in zip(names, asked, found, strict=True)
    }


@check(
    "gradient.parameters_float32",
    asks="Agree the float32 gradients of own parameters and further tensors with the float64 ones?",
    requires=AFTER,
    needs=("gradient",),
)
def in_float32(look: Context, sheet: Sheet) -> None:
    for point in look.chosen("point", [*look.generic_points()[:2], *look.kernel_points()[:1]]):
        try:
            narrow = look.build(point.weight).to(torch.float32)
            wide, low = narrow.to(torch.float64), point.V.float()
            names = [name for name in _leaves(wide, low.double()) if name != "V"]
            if not names:
                continue
            cotangent = look.cotangent(point.V, look.seed_for("float32", point.name)).float()
            found = _gradients_of(names, _leaves(narrow, low), narrow, low, cotangent)
        except Exception as error:  # foreign code may refuse a dtype
            sheet.add(point.name, Verdict.HAZARD, f"float32 raised {type(error).__name__}: {first_line(error)}")
            continue
        for name in look.chosen("tensor", names):
            ratio = _beside_float64(name, wide, low.double(), cotangent.double(), found[name].double())
            wrong = Verdict.FAIL if ratio.relative > GROSS else Verdict.HAZARD
            said = "the float32 gradient differs from the float64 one"
            sheet.compare(f"{point.name}, {name}", ratio, said, wrong=wrong)
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)
        sheet.note(NONE)


def _beside_float64(name: str, wide: Instance, V: Tensor, cotangent: Tensor, found: Tensor) -> Ratio:
    """A gradient of float32 beside that of float64, relative to ‖a‖ ‖W‖ / ‖p‖ where the terms of its sums cancel."""
    leaves = _leaves(wide, V)

    def gradient(X: Tensor) -> Tensor:
        return _gradients_of([name], {**leaves, "V": X.detach().clone()}, wide, X, cotangent)[name]

    expected = gradient(V)
    condition = 8 * (1.0 + min(sensitivity(gradient, V, seed=0), WORST_CONDITION))
    with torch.no_grad():
        size, value = float(leaves[name].norm()), float(wide.at(V).norm())
    natural = float(cotangent.norm()) * value / size if size > 0 else 0.0
    model = map_model("float32", max(rows(V).shape), condition=condition, roundings=16)
    return Ratio(float((found - expected).norm()), max(float(expected.norm()), natural), model)


@check(
    "gradient.parameters_forward",
    asks="Is forward mode the derivative by own parameters and further tensors too?",
    requires=AFTER,
    needs=("derivative",),
)
def by_forward_mode(look: Context, sheet: Sheet) -> None:
    for point in look.chosen("point", look.generic_points()[:2]):
        for name, call, tensors, index in look.chosen("tensor", list(other_tensors(look.build(point.weight), point.V))):
            case, at = f"{point.name}, {name}", tensors[index].detach()
            tangent = row_scales(at) * randn(*at.shape, seed=look.seed_for("jvp", case))

            def value(x: Tensor, call=call, tensors=tensors, index=index) -> Tensor:  # type: ignore[no-untyped-def]
                with torch.no_grad():
                    out: Tensor = call(*(x if i == index else t for i, t in enumerate(tensors)))
                    return out

            try:
                observed = forward_mode(call, tensors, tangent, index)
                difference = directional_difference(value, at, tangent)
            except NotDifferencedError as error:
                sheet.not_differenced(case, error)
                continue
            except (RuntimeError, NotImplementedError) as error:
                said = f"{type(error).__name__}: {first_line(error)}"
                sheet.add(case, Verdict.UNSUPPORTED, said, route="automatic differentiation")
                continue
            size = max(float(difference.value.norm()), float(value(at).norm()))
            model = map_model("float64", point.V.numel(), condition=10.0)
            total = ErrorModel(model.relative + difference.error / max(size, 1e-300), f"{model.text} + difference")
            ratio = Ratio(float((observed - difference.value).norm()), size, total)
            sheet.compare(case, ratio, "forward mode is not the derivative", route="automatic differentiation")
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)
        sheet.note(NONE)
