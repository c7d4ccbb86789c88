"""Lifecycle of a parametrization: trained, averaged, saved, loaded and taken off, as its user would."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel

from wnverify.auditing.checks.lifecycle import input_for, weight_of
from wnverify.auditing.checks.training import OF_THE_RESULT, OPTIMISERS, judge_settled, layers_of
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.points import outside
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.subject import parametrized_layer
from wnverify.auditing.target import PARAMETRIZATION
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model

STEPS: Final = 4
LONG_STEPS: Final = ("SGD with momentum", "AdamW with weight decay")


@check(
    "lifecycle.training",
    asks="Is the weight as declared after steps of SGD and AdamW, averaged, saved, loaded, and taken off the layer?",
    needs=("object",),
    kinds=(PARAMETRIZATION,),
)
def training(look: Context, sheet: Sheet) -> None:
    admitted = look.subject.domain.get("approximate", {})
    asked = [name for name in OF_THE_RESULT if name in look.subject.declares and name != "euclidean_projection"]
    names = [name for name in asked if name not in admitted]
    if not names:
        sheet.note("nothing is declared that the weight must have: only that the steps go through is asked")
    if look.quick:
        sheet.note("quick: float32 only")
    for dtype in look.chosen("dtype", (torch.float32,) if look.quick else (torch.float64, torch.float32)):
        for optimiser in look.chosen("optimiser", LONG_STEPS):
            for layer in layers_of(look, dtype):
                case = f"{optimiser} on {type(layer).__name__}, {str(dtype).removeprefix('torch.')}"
                try:
                    _live(look, sheet, case, layer, optimiser, names)
                except Exception as error:  # foreign code may raise anything; what it raised is the finding
                    sheet.add(case, Verdict.HAZARD, f"{type(error).__name__}: {first_line(error)}")


def _live(look: Context, sheet: Sheet, case: str, layer: nn.Module, optimiser: str, names: Sequence[str]) -> None:
    made = parametrized_layer(look.subject, layer).train(look.repeatable_in_training)
    averaged = AveragedModel(made)
    steps = OPTIMISERS[optimiser]([p for p in made.parameters() if p.requires_grad])
    given = input_for(made).to(weight_of(made).dtype)
    count = len(sheet.cases)
    for step in range(1, STEPS + 1):
        steps.zero_grad()
        # The weight grows, but by bounded gradients: an exponential gain must not run away.
        (-made(given).square().log1p().mean()).backward()
        steps.step()
        averaged.update_parameters(made)
        if (why := _left(look, made) or _left(look, averaged.module)) is not None:
            sheet.note(f"{case}: the optimiser leaves the stated domain at step {step} ({why})")
            return
        _judge(look, sheet, f"{case}, step {step}", made, names)
    _judge(look, sheet, f"{case}, averaged", averaged.module, names)
    _reload(look, sheet, case, made)
    before, V = weight_of(made).detach().clone(), _original(made)
    for tensor in list(getattr(made, "parametrizations", {})):
        parametrize.remove_parametrizations(made, tensor, leave_parametrized=True)
    _same(sheet, f"{case}, taken off", weight_of(made).detach(), before)
    _judge(look, sheet, f"{case}, taken off", made, names, V)
    if len(sheet.cases) == count:
        sheet.add(case, Verdict.PASS)


def _judge(
    look: Context, sheet: Sheet, case: str, layer: nn.Module, names: Sequence[str], V: Tensor | None = None
) -> None:
    W = weight_of(layer).detach()
    if not bool(torch.isfinite(W).all()):
        sheet.add(case, Verdict.FAIL, "the weight is not finite")
        return
    for name in names:
        judge_settled(look, sheet, f"{case}: {name}", name, W, W, V=_original(layer) if V is None else V)


def _reload(look: Context, sheet: Sheet, case: str, made: nn.Module) -> None:
    """The saved state in a layer that was registered anew, with another weight."""
    others = layers_of(look, weight_of(made).dtype, other=True)
    fresh = next((layer for layer in others if _fits(layer, made)), None)
    if fresh is None:
        sheet.note(f"{case}: the second layer's weight lies outside the stated domain, so that none is loaded")
        return
    other = parametrized_layer(look.subject, fresh).train(look.repeatable_in_training)
    saved = io.BytesIO()
    torch.save(made.state_dict(), saved)
    saved.seek(0)
    other.load_state_dict(torch.load(saved, weights_only=True))
    _same(sheet, f"{case}, loaded", weight_of(other).detach(), weight_of(made).detach())


def _fits(layer: nn.Module, made: nn.Module) -> bool:
    return weight_of(layer).shape == weight_of(made).shape


def _same(sheet: Sheet, case: str, out: Tensor, expected: Tensor) -> None:
    model = map_model(str(expected.dtype).removeprefix("torch."), expected.numel())
    ratio = Ratio(float((out - expected).double().norm()), float(expected.double().norm()), model)
    sheet.compare(case, ratio, "the weight is another than before")


def _left(look: Context, layer: nn.Module) -> str | None:
    """Why the tensor that the layer maps to its weight lies outside the stated domain."""
    return outside(_original(layer), look.subject.domain)


def _original(layer: nn.Module) -> Tensor:
    """The layer's own tensor of the weight's shape, the last where several have it."""
    shape = weight_of(layer).shape
    return [parameter.detach().clone() for parameter in layer.parameters() if parameter.shape == shape][-1]
