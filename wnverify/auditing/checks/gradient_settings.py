"""Gradient, continued: own parameters and further tensors (gains) at other values than those they start with.

A gain starts at 1, at exp(0) or at ‖V‖, where a factor that a backward forgets is 1, and it starts positive; one that
starts at zero, or comes to it, divides by zero where a backward recovers V from the output.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from wnverify.auditing.backward import backward_report
from wnverify.auditing.checks.gradient import AFTER, add_report, no_gradient, other_tensors
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import FURTHER_KERNELS, Point, generic, randn, rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict, seed_of
from wnverify.oracles.differences import NotDifferencedError
from wnverify.oracles.gradients import BackwardError, Map, check_backward
from wnverify.oracles.ratio import map_model

SIGNS = {"moved": 1.0, "of the other sign": -1.0, "moved, one zero": 0.0}
LARGER = (65, 33)


@check(
    "gradient.settings",
    asks="Are the gradients right at other values of own parameters and further tensors than those they start with?",
    requires=AFTER,
    needs=("derivative",),
)
def settings(look: Context, sheet: Sheet) -> None:
    larger = [generic(shape, look.seed) for shape in (LARGER, FURTHER_KERNELS[1])]
    points = [*look.generic_points()[:2], *look.kernel_points()[:1], *look.usable(larger)]
    for point in look.chosen("point", points):
        if not any(True for _ in other_tensors(look.build(point.weight), point.V)):
            continue
        for how, sign in look.chosen("sign", list(SIGNS.items())):
            instance = moved(look.build(point.weight), sign, seed=look.seed_for("settings", point.name))
            if not _usable(instance, point.V):
                sheet.note(f"{point.name}, parameters {how}: the forward gives no finite weight")
                continue
            _judge(look, sheet, f"{point.name}, parameters {how}", instance, point)
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)
        sheet.note("there are no own parameters and no further tensors, or none that can be moved")


@check(
    "gradient.mixed",
    asks="Is the double backward right between the weight and its own parameters and further tensors?",
    requires=AFTER,
    needs=("derivative",),
)
def mixed(look: Context, sheet: Sheet) -> None:
    if reason := look.subject.domain.get("no_double_backward"):
        sheet.add("every weight", Verdict.UNSUPPORTED, f"declared without a second derivative: {reason}", route="exact")
        return
    points = [*look.generic_points()[: 1 if look.quick else 3], *look.kernel_points()[:1]]
    for point in look.chosen("point", points):
        instance = moved(look.build(point.weight), 1.0, seed=look.seed_for("settings", point.name))
        others = list(other_tensors(instance, point.V))
        if not others or not _usable(instance, point.V):
            continue
        cotangent = look.cotangent(point.V, look.seed_for("mixed", point.name))
        for name, call, tensors, index in look.chosen("tensor", others):
            which = instance.primary + (len(tensors) - len(instance.tensors))
            case = f"{point.name}, V and {name}"
            try:
                gradients = _Gradients(call, cotangent, (which, index))
                if not gradients(*tensors, recorded=False).requires_grad:
                    sheet.add(case, Verdict.UNSUPPORTED, "the backward gives gradients without a graph")
                    continue
                for wrt, of in look.chosen("by", ((which, "V"), (index, name))):
                    model = map_model("float64", max(rows(point.V).shape), condition=1e3)
                    seed = look.seed_for("mixed", case, of)
                    probes = look.probes(3, f"mixed {case} by {of}")
                    report = check_backward(gradients, tensors, wrt=wrt, seed=seed, **probes, model=model)
                    add_report(sheet, f"{case}, by {of}", report, Verdict.FAIL)
            except NotDifferencedError as error:
                sheet.not_differenced(case, error)
            except (BackwardError, RuntimeError) as error:
                sheet.add(case, Verdict.UNSUPPORTED, f"refused: {first_line(error)}", route="differences")
    if not sheet.cases:
        sheet.add("none", Verdict.PASS)
        sheet.note("there are no own parameters and no further tensors")


class _Gradients:
    """(V, further tensors) ↦ the gradients of ⟨a, W⟩ with respect to two of them, in one vector.

    Nothing times the tensors is added, so that a gradient that lacks its graph has the derivative zero.
    """

    def __init__(self, call: Map, cotangent: Tensor, chosen: Sequence[int]):
        self.call, self.cotangent, self.chosen = call, cotangent, chosen

    def __call__(self, *tensors: Tensor, recorded: bool = True) -> Tensor:
        with torch.enable_grad():
            leaves = [
                t if t.requires_grad or i not in self.chosen else t.detach().clone().requires_grad_()
                for i, t in enumerate(tensors)
            ]
            by = [leaves[i] for i in self.chosen]
            found = torch.autograd.grad(self.call(*leaves), by, self.cotangent, create_graph=True, allow_unused=True)
            flat = [torch.zeros_like(x) if g is None else g for x, g in zip(by, found, strict=True)]
            joined = torch.cat([g.reshape(-1) for g in flat])
            return joined + 0.0 * sum(x.sum() for x in by) if recorded else joined


def moved(instance: Instance, sign: float, *, seed: int) -> Instance:
    """The instance with every trainable tensor but V multiplied by ``sign`` and by factors in [2/3, 3/2], zeros moved
    by a quarter; ``sign`` zero: all but the last entry of each, which is then zero."""
    module = copy.deepcopy(instance.module)
    tensors = [
        t if i == instance.primary or not t.is_floating_point() else _moved(t, sign, seed_of(seed, i))
        for i, t in enumerate(instance.tensors)
    ]
    if module is None:
        return instance.around(None, instance.callable, tensors)
    with torch.no_grad():
        for name, parameter in trained_parameters(module):
            parameter.copy_(_moved(parameter, sign, seed_of(seed, name)))
    return instance.around(module, module, tensors)


def _moved(t: Tensor, sign: float, seed: int) -> Tensor:
    noise = randn(*t.shape, seed=seed)
    factor = 1.5 ** noise.clamp(-1, 1)
    found = torch.where(t.double() == 0, noise / 4, (sign or 1.0) * factor * t.double()).to(t.dtype)
    if sign == 0 and t.numel():
        found.view(-1)[-1] = 0.0
    return found


def trained_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Own parameters that are meant to be trained, by name."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            yield name, parameter


def _usable(instance: Instance, V: Tensor) -> bool:
    """Whether the forward gives a finite weight there: a gain may have to be positive."""
    try:
        with torch.no_grad():
            return bool(torch.isfinite(instance.at(V)).all())
    except (ValueError, ArithmeticError, RuntimeError):
        return False


def _judge(look: Context, sheet: Sheet, case: str, instance: Instance, point: Point) -> None:
    seed = look.seed_for("settings", case)
    try:
        report = backward_report(instance, point.V, seed=seed, **look.probes(4, case))
        add_report(sheet, f"{case}: V", report, Verdict.FAIL)
        for name, call, tensors, index in look.chosen("tensor", list(other_tensors(instance, point.V))):
            model = map_model("float64", point.V.numel(), condition=10.0)
            probes = look.probes(4, f"{case}: {name}")
            report = check_backward(call, tensors, wrt=index, seed=seed, **probes, model=model)
            add_report(sheet, f"{case}: {name}", report, Verdict.FAIL)
    except NotDifferencedError as error:
        sheet.not_differenced(case, error)
    except BackwardError as error:
        sheet.add(case, *no_gradient(error), route="differences")
