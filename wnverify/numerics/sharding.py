"""Is a weight that is distributed over processes mapped as the whole one is?

Every method of the catalogue as its users apply it, on weights that are DTensors (by rows, by columns, in copies) and
in layers under FSDP2 and DDP: the value, the gradient and one step of SGD, in every process, against the same lines of
code on the whole weight.  Both sides may lose what the map's conditioning excuses, so twice that is modelled.  Shapes
that the number of processes does not divide, and fewer rows than processes, are among the cases.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from wnverify.finding import Evidence, Finding, Verdict, seed_of, slug
from wnverify.methods.catalogue import find
from wnverify.numerics import matrices
from wnverify.numerics.forms import STEP, judged
from wnverify.numerics.judge import Subject, subjects_of
from wnverify.numerics.shards import comparing, trial
from wnverify.numerics.shards.comparing import Comparison
from wnverify.numerics.shards.group import LostError
from wnverify.numerics.shards.kept import EVERYTHING, Groups, groups
from wnverify.numerics.topics import JUDGED

MAKER: Final = "wnverify.numerics.shards.catalogued:candidate"
KIND: Final = {"forward": "parametrization", "project": "projection", "prox": "projection", "value": "penalty"}
SHAPES: Final = ((5, 12), (1, 6), (4, 2, 3), (3, 5), (2, 7), (4, 8))
"""In a quick run the first three."""
QUICK: Final = 3
ASKED: Final = {
    "shard0": "Is a weight that is sharded by rows mapped as the whole one?",
    "shard1": "Is a weight that is sharded by columns mapped as the whole one?",
    "replicate": "Is a weight of which every process has a copy, as a DTensor, mapped as an ordinary one?",
    "fsdp": "Does a layer under FSDP2 train as it does in one process?",
    "ddp": "Does a layer under DDP train as it does in one process?",
}
SEVERITY: Final = (Verdict.ERROR, Verdict.FAIL, Verdict.HAZARD, Verdict.UNSUPPORTED, Verdict.PASS)


def sharded(
    method_ids: Sequence[str] | None = None, seed: int = 0, quick: bool = False, world: int = 2
) -> list[Finding]:
    """One finding for each method, option and way of distributing, in one group of ``world`` processes.

    ``method_ids``: those of the catalogue that are maps of a weight, None for all; penalties of a network's output are
    left out.  Checks ``sharding.shard0``, ``sharding.shard1``, ``sharding.replicate`` (DTensors on gloo),
    ``sharding.fsdp`` and ``sharding.ddp``, ids ``method/<id>/<check>/world=<world>``.  ``pass`` at ratio ≤ 1 for value,
    gradient and step in every process; ``fail`` where a number differs without a word, ``hazard`` where it costs less
    than half of the digits; ``unsupported`` where all processes refuse alike, with what they say; ``error`` where one
    of them dies, hangs or raises alone.  ``quick``: fewer shapes, float64, no options.
    ``ValueError`` for an unknown method, one that is no map of a weight, or a ``world`` below 2.
    """
    known = [method.id for method in judged()]
    chosen = known if method_ids is None else [_checked(name, known) for name in method_ids]
    with groups(world) as asked:
        return [finding for name in chosen for finding in _findings(name, seed, quick, asked)]


def _checked(method_id: str, known: Sequence[str]) -> str:
    if method_id in known:
        return method_id
    method = find(method_id)  # an unknown name is refused there
    if method.kind not in JUDGED or not method.module:
        raise ValueError(
            f"method {method.id!r} must be a map of a weight, of this project; it is of kind {method.kind}"
        )
    return method.id


def _findings(method_id: str, seed: int, quick: bool, asked: Groups) -> Iterator[Finding]:
    by_form: dict[str, list[Subject]] = {}
    for subject in subjects_of(method_id, seed, quick):
        by_form.setdefault(subject.form.said, []).append(subject)
    for said, subjects in by_form.items():
        if not (quick and said):
            for way in trial.WAYS:
                yield _finding(subjects, way, asked)


def _finding(subjects: Sequence[Subject], way: str, asked: Groups) -> Finding:
    first = subjects[0]
    found: list[Comparison] = []
    notes: list[str] = []
    for of, dtype, shape in _cases(subjects):
        found += _compared(subjects, of, dtype, shape, way, asked, notes)
        if any(comparison.verdict is Verdict.ERROR for comparison in found):
            break
    routes = list(_routes(found))
    worst = min(found, key=lambda one: (SEVERITY.index(one.verdict), -one.ratio)) if found else None
    said = "no case decides" if worst is None else worst.text
    case = f"world={asked.world}" + (f",{slug(first.form.said.replace(chr(39), ''))}" if first.form.said else "")
    return Finding(
        kind="method",
        id=f"method/{first.id}/sharding.{way}/{case}",
        subject=first.id,
        check=f"sharding.{way}",
        verdict=Verdict.INCONCLUSIVE if worst is None else worst.verdict,
        statement=ASKED[way],
        message=said,
        routes=tuple(routes),
        conditions=(*first.form.conditions, f"{asked.world} processes on gloo", "one thread each", *notes),
        replay=f'python -c "from wnverify.numerics.sharding import sharded; '
        f"print(*sharded([{first.id!r}], seed={first.seed}, quick={first.quick}, world={asked.world}), sep='\\n')\"",
    )


def _cases(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, str, tuple[int, ...]]]:
    """The map itself, and the proximal operator of a penalty; a transform is part of its constraint's case."""
    for of in (subject for subject in subjects if subject.map.name != "transform"):
        for dtype in ("float64",) if of.quick or of.form.said else ("float64", "float32"):
            for shape in SHAPES[:1] if of.form.said else SHAPES[:QUICK] if of.quick else SHAPES:
                yield of, dtype, shape


def _compared(
    subjects: Sequence[Subject],
    of: Subject,
    dtype: str,
    shape: tuple[int, ...],
    way: str,
    asked: Groups,
    notes: list[str],
) -> list[Comparison]:
    """The comparisons of one case; ``notes`` gets what was left out."""
    if way in ("fsdp", "ddp") and len(shape) > 2:
        return []  # the layer is linear there
    name = f"{'x'.join(map(str, shape))} {dtype}" + (" prox" if of.map.name == "prox" else "")
    V, A = (
        matrices.normal(shape[0], int(np.prod(shape[1:])), seed=seed_of(of.seed, "sharding", shape, k)) for k in "VA"
    )
    typed = matrices.Typed(name, (V + 0.3).astype(dtype).astype(float), A.astype(dtype).astype(float))
    case = of.fit(typed, dtype)
    if case is None:
        return []
    arguments: dict[str, Any] = {
        "maker": MAKER,
        "given": {"method_id": of.id, "said": of.form.said, "prox": STEP if of.map.name == "prox" else None},
        "way": way,
        "V": typed.V.reshape(shape).tolist(),
        "A": typed.A.reshape(shape).tolist(),
        "dtype": dtype,
        "scale": case.A.item() if of.map.name == "value" else 1.0,
        "rate": STEP if of.map.name == "prox" else trial.RATE,
    }
    try:
        left_out, why = asked.refused(arguments, KIND[of.map.name])
        if left_out:
            notes.append(f"{left_out} at {name} left out, which torch refuses whatever the method: {why}")
        if left_out == EVERYTHING:
            return []
        arguments["step"] = not left_out
        answers = asked.run(arguments)
    except LostError as error:
        return [Comparison(name, "", Verdict.ERROR, f"{of.id} at {name}: {error}")]
    if "raised" in answers[0]:
        return [Comparison(name, "", Verdict.UNSUPPORTED, f"at {name}: {answers[0]['raised']}")]
    right = trial.run(None, **arguments)
    transform = next((other for other in subjects if other.map.name == "transform"), None)
    at = comparing.Case(of, transform, typed, case, dtype, arguments["rate"], right)
    return list(comparing.compared(at, [answer["result"] for answer in answers]))


def _routes(found: Iterable[Comparison]) -> Iterator[Evidence]:
    """One route each for value, gradient and step; what was refused or died stands by itself."""
    found = list(found)
    for what in dict.fromkeys(one.what for one in found):
        mine = [one for one in found if one.what == what]
        worst = min(mine, key=lambda one: (SEVERITY.index(one.verdict), -one.ratio))
        ratios = [one.found for one in mine if one.found is not None]
        figures: dict[str, Any] = {"of": what, "cases": {one.case: dataclasses.asdict(one.figures) for one in mine}}
        yield Evidence(
            route="arithmetic" if ratios else "exact",
            verdict=worst.verdict,
            note=worst.text,
            ratio=max((ratio.value for ratio in ratios), default=None),
            power=min((ratio.model.relative for ratio in ratios), default=None),
            model=worst.found.model.text if worst.found is not None else "",
            figures=figures,
        )
