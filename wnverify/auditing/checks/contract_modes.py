"""Contract: is the map that was checked in training the one that is used in eval mode?"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.differing import difference, gradient_difference
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Point, outside
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict


@check("contract.train_eval", asks="Is the map the same in training and in eval mode?")
def train_eval(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    with torch.no_grad():
        instance = look.subject.build(point.weight, training=True)
        if not look.repeatable_in_training:
            sheet.note("the forward moves state in training; the eval output is compared with the next training one")
        drawn = torch.get_rng_state()
        trained = instance.at(point.V)
        noisy = not torch.equal(drawn, torch.get_rng_state())
        try:
            out = instance.eval().at(point.V)
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            said = f"in eval mode it raises {type(error).__name__}: {first_line(error)}"
            sheet.add("eval", Verdict.FAIL, said, route="exact")
            return
    wrong = Verdict.HAZARD if not look.repeatable_in_training else Verdict.FAIL
    if noisy and look.subject.domain.get("stateful_in_training"):
        sheet.note("declared: what is drawn in training changes the output, so that eval is compared with nothing")
    else:
        sheet.compare("eval", difference(out, trained, look, point), "eval and train outputs differ", wrong=wrong)
    _at_another_weight(look, sheet, instance, point)
    if not look.repeatable_in_training:
        return
    with torch.no_grad():
        first = look.subject.build(point.weight, training=False).at(point.V)
    sheet.compare("eval before any training", difference(first, trained, look, point), "eval and train outputs differ")
    if "gradient" in look.subject.capabilities:
        leaf = point.V.clone().requires_grad_()
        lost = look.build(point.weight).at(leaf).requires_grad and not instance.at(leaf).requires_grad
        said = "the output has no graph in eval mode, as it has in training: frozen statistics cannot be fine-tuned"
        sheet.add("gradient in eval", Verdict.FAIL if lost else Verdict.PASS, said if lost else "", route="exact")
        if not lost:
            _same_gradient(look, sheet, instance, point)


def _same_gradient(look: Context, sheet: Sheet, evaluated: Instance, point: Point) -> None:
    """The gradient in eval mode beside that in training: what was checked in one holds in the other."""
    cotangent = look.cotangent(point.V, look.seed_for("eval"))
    pulled: list[Tensor] = []
    for instance in (evaluated, look.subject.build(point.weight, training=True)):
        leaf = point.V.clone().requires_grad_()
        out = instance.at(leaf)
        if not out.requires_grad:
            return
        with contextlib.suppress(RuntimeError):  # a backward that raises is the finding of gradient.vjp
            pulled += torch.autograd.grad(out, leaf, cotangent)
    if len(pulled) == 2:
        ratio = gradient_difference(pulled[0], pulled[1], look, point, cotangent)
        sheet.compare("gradient in eval, value", ratio, "the gradient in eval mode is another than in training")


def _at_another_weight(look: Context, sheet: Sheet, evaluated: Instance, point: Point) -> None:
    """Whether the map in eval mode still follows its weight: after training it may have kept its last output."""
    other = look.drawn_for("other", point.V.shape)
    if outside(other, look.subject.domain) is not None:
        return
    with torch.no_grad():
        outs = [evaluated.at(V) for V in (point.V, other)]
        trained = [look.subject.build(point.weight, training=True).at(V) for V in (point.V, other)]
    stale = torch.equal(outs[0], outs[1]) and not torch.equal(trained[0], trained[1])
    said = "in eval mode another weight gives the output of the weight before" if stale else ""
    sheet.add("eval at another weight", Verdict.FAIL if stale else Verdict.PASS, said, route="exact")
