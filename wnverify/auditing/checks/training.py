"""Lifecycle of a projection: put on the weight after each step of an optimiser, as its user would."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from wnverify.auditing.checks.property import admitting
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import outside, randn
from wnverify.auditing.properties import RESIDUALS, Look
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PROJECTION
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.ratio import map_model

STEPS: Final = 6
CANCELLED: Final = 64.0
OF_THE_RESULT: Final = (
    "unit_norm_rows",
    "constant_norm_rows",
    "zero_mean_rows",
    "orthonormal_rows",
    "scaled_orthonormal_rows",
    "structured_orthonormal",
    "spectral_norm_le_1",
    "l1_rows_le",
    "euclidean_projection",
)
"""Declared properties that the weight itself must have; of a projection, that it lies in the set."""
OPTIMISERS: Final[dict[str, Callable[..., torch.optim.Optimizer]]] = {
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.9),
    "AdamW with weight decay": lambda p: torch.optim.AdamW(p, lr=0.3, weight_decay=0.1),
    "SGD with small steps": lambda p: torch.optim.SGD(p, lr=1e-3),
}
"""The last keeps close to the set, from where a projection that spares itself the work drifts away."""


@check(
    "lifecycle.steps",
    asks="Is the projected weight as declared after each step of SGD with momentum, of AdamW and of small steps?",
    kinds=(PROJECTION,),
)
def steps(look: Context, sheet: Sheet) -> None:
    names = [name for name in OF_THE_RESULT if name in look.subject.declares]
    if not names:
        sheet.note("nothing is declared that a projected weight must have: only that the steps go through is asked")
    for dtype in look.chosen("dtype", (torch.float64, torch.float32)):
        for optimiser, make in look.chosen("optimiser", list(OPTIMISERS.items())):
            for layer in layers_of(look, dtype):
                case = f"{optimiser} on {type(layer).__name__}, {str(dtype).removeprefix('torch.')}"
                weight: Any = layer.weight
                untrained = weight.detach().clone()
                try:
                    _train(look, sheet, case, layer, make, names)
                except Exception as error:  # foreign code may raise anything; what it raised is the finding
                    wrong = Verdict.FAIL if look.accepts(untrained) else Verdict.HAZARD
                    sheet.add(case, wrong, f"{type(error).__name__}: {first_line(error)}")


def layers_of(look: Context, dtype: torch.dtype, *, other: bool = False) -> Iterator[nn.Module]:
    """A fully connected and a convolutional layer whose weight lies in the stated domain; ``other``: two more."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(look.seed_for("another layer" if other else "layer") % 2**31)
        made = nn.Linear(12, 5, dtype=dtype), nn.Conv2d(3, 5, 3, dtype=dtype)
    for layer in look.chosen("layer", made):
        weight: Any = layer.weight
        if outside(weight.detach(), look.subject.domain) is None:
            yield layer


def _train(
    look: Context, sheet: Sheet, case: str, layer: nn.Module, make: Callable[..., Any], names: Sequence[str]
) -> None:
    weight: Any = layer.weight
    instance = look.build(weight.detach())
    optimiser = make(layer.parameters())
    given = randn(4, *((12,) if weight.dim() == 2 else (3, 5, 5)), seed=look.seed_for("input")).to(weight.dtype)
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        (-layer(given).square().mean()).backward()  # the weight grows, so that it leaves its set at every step
        optimiser.step()
        before = weight.detach().clone()
        if outside(before, look.subject.domain) is not None:
            sheet.note(f"{case}: the optimiser leaves the stated domain at step {step}")
            break
        with torch.no_grad():
            weight.copy_(instance.at(weight))
        if not bool(torch.isfinite(weight).all()):
            said = f"the projected weight is not finite after step {step}"
            sheet.add(case, Verdict.FAIL, said, witness={"W": encode_array(before)})
            return
        for name in names:
            judge_settled(look, sheet, f"{case}, step {step}: {name}", name, weight.detach(), before)
    if not names:
        sheet.add(case, Verdict.PASS)


def judge_settled(
    look: Context, sheet: Sheet, case: str, name: str, W: Tensor, before: Tensor, *, V: Tensor | None = None
) -> None:
    """The residual of the property at W as it is: the subject is not called again.

    ``V``: what W was made of, of which a declared value may be a function.
    """
    value = look.subject.declares[name]
    settled = Look(
        instance=Instance(None, torch.clone, (W,), 0),
        V=W,
        value=value(V) if callable(value) and V is not None else value,
        seed=look.seed,
        target_set=look.subject.target_set,
        settled=True,
    )
    ratios = []
    with contextlib.suppress(ValueError):  # a set that is empty for this shape
        ratios = list(RESIDUALS[name](settled))
    if ratios:
        worst = max((admitting(ratio, look, name) for ratio in ratios), key=lambda ratio: ratio.value)
        what = "the weight lies in the declared SET" if name == "euclidean_projection" else look.statement(name)
        said = f"not so after the step: {what}"
        # What cancels on the way leaves some roundings more than the weight itself has: that bites, and drifts nowhere.
        finest = map_model(str(W.dtype).removeprefix("torch."), W.numel()).relative
        wrong = Verdict.HAZARD if worst.relative <= CANCELLED * finest else Verdict.FAIL
        sheet.compare(case, worst, said, wrong=wrong, witness={"W": encode_array(before)})
