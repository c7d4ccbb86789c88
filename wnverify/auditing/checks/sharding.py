"""Sharding: the same value, gradient and step when the weight is distributed over processes.

Asked only where a number of processes was given.  What torch or the subject refuses in all processes alike is
``unsupported``, with the message; what silently comes out otherwise (a norm of the local part) is a ``fail``; a process
that dies, hangs or raises alone is an ``error``, since there a training run would wait for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.auditing.backward import backward_model
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.differing import difference
from wnverify.auditing.points import Point, generic
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.sharded import MAKER
from wnverify.auditing.target import PARAMETRIZATION, PENALTY
from wnverify.finding import Verdict
from wnverify.numerics.shards import trial
from wnverify.numerics.shards.group import LostError
from wnverify.numerics.shards.kept import EVERYTHING, groups
from wnverify.oracles.ratio import Ratio, unit_roundoff

SHAPES: Final = ((5, 12), (3, 5), (1, 6))
"""No number of processes divides all of these; in the last there is less than one row for each."""
QUICK: Final = 2
ROUNDED: Final = 8 * unit_roundoff("float64")
WORDS: Final = {"value": "value", "gradient": "gradient", "step": "weight after a step"}


@check("sharding.shard0", asks="Is a weight that is sharded by rows mapped as the whole one?", needs=("shards",))
def by_rows(look: Context, sheet: Sheet) -> None:
    _asked(look, sheet, "shard0")


@check("sharding.shard1", asks="Is a weight that is sharded by columns mapped as the whole one?", needs=("shards",))
def by_columns(look: Context, sheet: Sheet) -> None:
    _asked(look, sheet, "shard1")


@check(
    "sharding.replicate",
    asks="Is a weight of which every process has a copy, as a DTensor, mapped as an ordinary one?",
    needs=("shards",),
)
def in_copies(look: Context, sheet: Sheet) -> None:
    _asked(look, sheet, "replicate")


@check("sharding.fsdp", asks="Does a layer under FSDP2 train as it does in one process?", needs=("shards",))
def under_fsdp(look: Context, sheet: Sheet) -> None:
    _asked(look, sheet, "fsdp")


@check("sharding.ddp", asks="Does a layer under DDP train as it does in one process?", needs=("shards",))
def under_ddp(look: Context, sheet: Sheet) -> None:
    _asked(look, sheet, "ddp")


def _asked(look: Context, sheet: Sheet, way: str) -> None:
    training = way not in trial.PLACEMENTS
    if training and look.subject.kind == PARAMETRIZATION and "object" not in look.subject.capabilities:
        sheet.nothing = "A function of a tensor cannot be registered on a layer"
        return
    sheet.note(f"{look.shards} processes on gloo, one thread each")
    shapes = SHAPES[:QUICK] if look.quick else SHAPES
    with groups(look.shards) as asked:
        for point in look.usable([generic(shape, look.seed) for shape in shapes], every=True):
            arguments = _arguments(look, point, way)
            try:
                left_out, why = asked.refused(arguments, look.subject.kind)
                if left_out:
                    sheet.note(f"{point.name}: {left_out} left out, which torch refuses whatever the subject: {why}")
                if left_out == EVERYTHING:
                    continue
                arguments["step"] = not left_out
                answers = asked.run(arguments)
            except LostError as error:
                sheet.add(point.name, Verdict.ERROR, str(error), route="simulation")
                return
            if "raised" in answers[0]:
                sheet.add(point.name, Verdict.UNSUPPORTED, answers[0]["raised"], route="exact")
                continue
            _compared(look, sheet, point, arguments, [answer["result"] for answer in answers])


def _arguments(look: Context, point: Point, way: str) -> dict[str, Any]:
    V = point.weight if way not in trial.PLACEMENTS else point.V
    A = torch.randn(V.shape, generator=torch.Generator().manual_seed(look.seed_for("sharding") % 2**63), dtype=V.dtype)
    given = {
        "spec": look.subject.spec.to_json(),
        "kind": look.subject.kind,
        "weight": point.weight.tolist(),
        "training": look.repeatable_in_training,
    }
    return {"maker": MAKER, "given": given, "way": way, "V": V.tolist(), "A": A.tolist(), "dtype": "float64"}


def _compared(
    look: Context, sheet: Sheet, point: Point, arguments: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]
) -> None:
    try:
        right = trial.run(None, **arguments)
    except Exception as error:  # foreign code may raise anything; what it refuses of a whole weight is asked elsewhere
        sheet.note(f"{point.name}: left out, the whole weight is refused: {first_line(error)}")
        return
    for what in WORDS:
        if what not in right:
            continue
        worst: tuple[Ratio, int] | None = None
        expected = torch.tensor(right[what], dtype=torch.float64)
        for rank, answer in enumerate(answers):
            case = f"{point.name} {WORDS[what]}"
            found = torch.tensor(answer.get(what, []), dtype=torch.float64)
            if found.shape != expected.shape:
                said = f"on rank {rank} it has shape {tuple(found.shape)}, of the whole weight {tuple(expected.shape)}"
                sheet.add(case, Verdict.FAIL, said, route="exact")
                worst = None
                break
            ratio = _ratio(look, point, what, arguments, found, expected)
            if worst is None or ratio.value > worst[0].value:
                worst = ratio, rank
        if worst is not None:
            said = f"on rank {worst[1]} it differs from that of the whole weight"
            figures = {
                key: answers[0][key] for key in ("placement", "collectives", "gathered_bytes") if key in answers[0]
            }
            sheet.compare(case, worst[0], said, route="arithmetic", figures=figures if what == "value" else {})
    if "columns" in right and look.subject.kind == PARAMETRIZATION:
        found, expected = (
            torch.cat([torch.tensor(a["columns"], dtype=torch.float64).reshape(len(point.weight), -1) for a in some], 1)
            for some in (answers, [right])
        )
        said = "it differs from that of the whole layer"
        sheet.compare(f"{point.name} weight in the layer", difference(found, expected, look, point), said)


def _ratio(
    look: Context, point: Point, what: str, arguments: Mapping[str, Any], found: Tensor, expected: Tensor
) -> Ratio:
    error, scale = float((found - expected).norm()), float(expected.norm())
    instance = look.build(point.weight)
    if what == "value":
        return difference(found, expected, look, point)
    if look.subject.kind not in (PARAMETRIZATION, PENALTY):
        # Of a projection the step ends in its own map, at the weight that SGD led to.
        A, V = (torch.tensor(arguments[name], dtype=torch.float64) for name in "AV")
        moved = V - trial.RATE * A
        return difference(found, expected, look, Point(name=point.name, V=moved if what == "step" else V))
    model = backward_model(instance, point.V, slack=2.0)
    if what == "step":
        # V' = V − η G: what its own line rounds off, then the error of G.
        V = torch.tensor(arguments["V"], dtype=torch.float64)
        error = max(0.0, error - ROUNDED * (scale + float(V.norm()))) / trial.RATE
        scale = float((expected - V).norm()) / trial.RATE
    return Ratio(error, scale, model)
