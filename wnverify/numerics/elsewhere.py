"""Does a map give what a plain call gives when it is compiled, mapped, cast, exported, laid out otherwise, on a GPU?

Both sides may err by what the map's own condition number excuses at that input (``judge``, ``sensitivity``), so that
half of the difference is held against the model:

    ratio = ‖there − here‖ / (2 × modelled error),      of the value and of the gradient.

What is refused with an error is ``unsupported``; what differs without a word is ``fail``.  How many results are the
same to the last bit is a figure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from torch import Tensor

from wnverify.finding import Evidence, Finding, Json, Verdict
from wnverify.numerics.answers import WAYS, Answer, Runs
from wnverify.numerics.forms import Form
from wnverify.numerics.judge import (
    Implementation,
    Subject,
    finding,
    judge,
    said,
    subjects_of,
    unsupported,
)
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.numerics.places import absent, one_thread
from wnverify.numerics.ways import Came
from wnverify.oracles.ratio import REFUTES_FROM, Ratio

ASKED: Final[Mapping[str, str]] = {
    "compiled": "Gives torch.compile value and gradient of the plain call, also at the next shape and memory format?",
    "vmapped": "Gives vmap over a stack of weights what each weight gives alone?",
    "autocast": "Is a weight mapped, forward and backward, in its own precision under autocast to bfloat16?",
    "exported": "Gives the program of torch.export value and gradient of the plain call?",
    "strided": "Gives a weight that is not contiguous what its contiguous copy gives?",
    "device": "Gives the device what the processor gives?",
}
BOTH: Final = ("float64", "float32")
DTYPES: Final = {"autocast": ("float32",), "compiled": ("float32",), "exported": ("float32",)}
"""Autocast leaves float64 alone; compiler and exporter write one program for both, and only a full run asks twice."""
ROUTE: Final = {"value": "arithmetic", "gradient": "automatic differentiation"}


def elsewhere(
    method_id: str,
    seed: int = 0,
    quick: bool = False,
    device: str = "cpu",
    implementation: Implementation | None = None,
    full: bool = False,
) -> list[Finding]:
    """Every finding on running a method of the catalogue otherwise than by a plain call, with each of its options.

    ``device``: where both sides run, and what ``elsewhere.device`` compares with the processor; that is
    ``unsupported``, and all there is, where this machine does not have it.  ``implementation`` (V (n, …) ↦ W) is judged
    in place of the method's own PyTorch form without options.  ``quick``: the method without options, few cases, one
    shape compiled, nothing exported.  ``full``: inductor (on an accelerator always) beside aot_eager, every option
    compiled and exported, float64 too, and larger shapes.  ``ValueError`` for an unknown method, a seed that is no
    integer, or a device that torch does not know.
    """
    absent(device)  # an error for what is no device, before any work
    subjects = subjects_of(method_id, seed, quick, device, implementation)
    if quick:
        subjects = [subject for subject in subjects if not subject.form.said]
    made = []
    with one_thread():
        for form in dict.fromkeys(subject.form for subject in subjects):
            maps = [Runs(subject, implementation) for subject in subjects if subject.form == form]
            for check, dtypes in _planned(form, device, quick, full):
                made += [_finding(check, maps, dtype, full) for dtype in dtypes]
    return made


def _planned(form: Form, device: str, quick: bool, full: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Checks and their dtypes; that there is no device, or none beside the processor, is said once."""
    if absent(device):
        yield from () if form.said else (("device", ("float32",)),)
        return
    for check in ASKED:
        slow, alone = check in ("compiled", "exported"), check == "device" and device == "cpu"
        if full or not (((slow or alone) and form.said) or (check == "exported" and quick)):
            yield check, BOTH if full and slow else ("float32",) if alone else DTYPES.get(check, BOTH)


def _finding(check: str, maps: Sequence[Runs], dtype: str, full: bool) -> Finding:
    subject, statement = maps[0].subject, ASKED[check]
    missing = absent(subject.device)
    if check == "device" and subject.device == "cpu":
        missing = "no device beside the processor was asked for"
    if missing:
        return _replayable(unsupported(subject, f"elsewhere.{check}", dtype, statement, missing), subject, full)
    routes: list[Evidence] = []
    cases: list[Typed] = []
    for one in maps:
        answers = WAYS[check](one, dtype, full)
        routes += _judged(one, answers, dtype, check)
        cases += [Typed(answer.name, answer.case.V, answer.case.A) for answer in answers]
    routes = routes or [Evidence(route="exact", verdict=Verdict.INCONCLUSIVE, note="no matrix that the map takes")]
    found = finding(subject, f"elsewhere.{check}", dtype, statement, routes, cases)
    refused = [route for route in routes if route.verdict is Verdict.UNSUPPORTED]
    if refused and found.verdict not in (Verdict.FAIL, Verdict.HAZARD):
        # A pass of the others would hide it.
        found = dataclasses.replace(found, verdict=Verdict.UNSUPPORTED, message=refused[0].note)
    return _replayable(found, subject, full)


def _replayable(found: Finding, subject: Subject, full: bool) -> Finding:
    call = f"{subject.id!r}, seed={subject.seed}, quick={subject.quick}, device={subject.device!r}, full={full}"
    program = f"from wnverify.numerics.elsewhere import elsewhere; print(*elsewhere({call}), sep='\\n')"
    return dataclasses.replace(found, replay=f'python -c "{program}"')


def _judged(one: Runs, answers: Sequence[Answer], dtype: str, check: str) -> list[Evidence]:
    """Routes for the value, the gradient, and what was refused."""
    refused = {answer.name: said(answer.came) for answer in answers if isinstance(answer.came, Exception)}
    here: dict[Typed, Came] = {}
    for answer in answers:
        if answer.case not in here:
            here[answer.case] = one.here(answer.case, dtype, check)
    routes = []
    for part, what in enumerate(("value", "gradient")):
        pairs = {
            answer: (answer.came[part], right[part])
            for answer in answers
            if not isinstance(answer.came, Exception) and not isinstance(right := here[answer.case], Exception)
        }
        errors = {
            answer: _difference(there, right)
            for answer, (there, right) in pairs.items()
            if there is not None and right is not None
        }
        if errors:
            routes.append(_route(one.subject, what, errors, dtype))
    about: dict[str, Json] = {"map": one.subject.map.name}
    if raised := {case.name: said(came) for case, came in here.items() if isinstance(came, Exception)}:
        name, text = next(iter(raised.items()))
        figures: dict[str, Json] = {**about, "raised": dict(raised)}
        routes.append(Evidence(route="exact", verdict=Verdict.FAIL, note=f"plain, at {name}: {text}", figures=figures))
    if refused:
        name, text = next(iter(refused.items()))
        figures = {**about, "refused": dict(refused)}
        note = f"{about['map']}, at {name}: {text}"
        routes.append(Evidence(route="exact", verdict=Verdict.UNSUPPORTED, note=note, figures=figures))
    return routes


def _route(subject: Subject, what: str, errors: Mapping[Answer, Matrix], dtype: str) -> Evidence:
    """Half of the differences of the value, or of the gradient, against the model at the same input."""
    model, excused = subject.model.value, subject.model.excused
    if what == "gradient":
        model, excused = subject.model.gradient, subject.model.excused_gradient
    answers = {answer.name: answer for answer in errors}
    cases = [Typed(name, answer.case.V, answer.case.A) for name, answer in answers.items()]

    def ratio_of(case: Typed) -> Ratio:
        answer = answers[case.name]
        return model(answer.case, errors[answer] / 2, dtype)

    route = judge(
        subject,
        dtype,
        ROUTE[what],
        cases,
        ratio_of,
        lambda case, dtype: excused(answers[case.name].case, dtype),
        map=subject.map.name,
        of=what,
        same_bits=sum(not error.any() for error in errors.values()),
    )
    # What differs silently, and by far more than both may err, is a failure however many digits are left.
    wrong = route.ratio is not None and not route.ratio < REFUTES_FROM
    return dataclasses.replace(route, verdict=Verdict.FAIL) if wrong else route


def _difference(there: Tensor, here: Tensor) -> Matrix:
    """there − here as float64; infinite where the shape or the dtype is another."""
    if there.shape != here.shape or there.dtype != here.dtype:
        return np.full(here.shape, np.inf)
    return np.asarray((there.cpu().double() - here.cpu().double()).numpy())
