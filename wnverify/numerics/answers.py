"""What a map answers when it is run in each of the ways of ``ways``, and at which inputs it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from wnverify.finding import seed_of
from wnverify.numerics import matrices, ways
from wnverify.numerics.judge import Implementation, Subject
from wnverify.numerics.matrices import Typed
from wnverify.numerics.ways import Came, Function

BORDERS: Final = ((31, 63), (32, 64), (33, 65), (5, 127), (5, 128), (5, 129))
"""Shapes on both sides of the borders of tiles and vectors."""
BORDERS_FULL: Final = ((63, 127), (64, 128), (65, 129), (127, 257), (128, 256), (129, 255))
PLAIN_SHAPE: Final = (5, 12)
"""One that all layouts are possible for."""
STACK_QUICK: Final = 3
"""Matrices that are enough for an option: what it shares with the method itself is asked there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A case, how the map was run at it, and what came."""

    case: Typed
    how: str
    came: Came

    @property
    def name(self) -> str:
        return f"{self.case.name}, {self.how}" if self.how else self.case.name


class Runs:
    """One map, and the function to run: one object, as a compiler or an exporter meets it."""

    def __init__(self, subject: Subject, given: Implementation | None) -> None:
        self.subject, self.given = subject, given
        self._kept: dict[tuple[object, str], list[Typed]] = {}

    def function(self) -> Function:
        return self.given or self.subject.form.built(self.subject.map.name)

    def here(self, case: Typed, dtype: str, check: str) -> Came:
        """The plain call, of an object of its own; what a device is compared with is the processor."""
        device = "cpu" if check == "device" else self.subject.device
        return ways.run(self.function(), dataclasses.replace(self.subject, device=device), case, dtype)

    def shape(self, shape: tuple[int, int], dtype: str) -> list[Typed]:
        """A generic matrix of this shape, where the map is defined at it."""
        if (shape, dtype) not in self._kept:
            name = f"generic {shape[0]}x{shape[1]}"
            seed = seed_of(self.subject.seed, "elsewhere", shape)
            V, A = matrices.normal(*shape, seed=seed) + 0.3, matrices.normal(*shape, seed=seed_of(seed, "cotangent"))
            case = Typed(name, *(X.astype(dtype).astype(np.float64) for X in (V, A)))
            self._kept[shape, dtype] = self.subject.defined([case], dtype)
        return self._kept[shape, dtype]

    def alike(self, dtype: str) -> list[Typed]:
        """Typed matrices of one shape and of ordinary size."""
        if ("alike", dtype) not in self._kept:
            cases = [case for case in self.subject.cases(dtype) if case.V.shape[1] == 9 and "times" not in case.name]
            few = self.subject.quick or self.subject.form.said
            self._kept["alike", dtype] = cases[:STACK_QUICK] if few else cases[::2]
        return self._kept["alike", dtype]


def _compiled(one: Runs, dtype: str, full: bool) -> list[Answer]:
    shapes = [PLAIN_SHAPE, *(() if one.subject.quick else BORDERS), *(BORDERS_FULL if full else ())]
    cases = [(case, "") for shape in shapes for case in one.shape(shape, dtype)]
    if full:
        cases += [(case, layout) for layout in ways.layouts(one.subject) for case in one.shape(PLAIN_SHAPE, dtype)]
    answers = []
    # On an accelerator inductor writes kernels of its own; on the processor it takes a compiler, and seconds a graph.
    for backend in ("aot_eager", "inductor") if full or one.subject.device != "cpu" else ("aot_eager",):
        found = ways.compiled(one.function(), one.subject, cases, dtype, backend)
        hows = [f"{backend}, {layout}" if layout else backend for _, layout in cases]
        answers += [Answer(case, how, came) for (case, _), how, came in zip(cases, hows, found, strict=True)]
    return answers


def _vmapped(one: Runs, dtype: str, full: bool) -> list[Answer]:
    cases = one.alike(dtype)
    answers = []
    for count, axis in ((len(cases), 0), (1, 0), (len(cases), -1)):
        found = ways.mapped(one.function(), one.subject, cases[:count], dtype, axis)
        how = f"{count} along the {'last' if axis else 'first'} axis"
        answers += [Answer(case, how, came) for case, came in zip(cases, found, strict=False)]
    return answers


def _cast(one: Runs, dtype: str, full: bool) -> list[Answer]:
    cases = [*one.alike(dtype), *one.shape(PLAIN_SHAPE, dtype)]
    found = ways.cast(one.function(), one.subject, cases, dtype)
    return [Answer(case, "", came) for case, came in zip(cases, found, strict=True)]


def _exported(one: Runs, dtype: str, full: bool) -> list[Answer]:
    cases = one.alike(dtype)
    found = ways.exported(one.function(), one.subject, cases, dtype)
    return [Answer(case, "", came) for case, came in zip(cases, found, strict=True)]


def _strided(one: Runs, dtype: str, full: bool) -> list[Answer]:
    function = one.function()
    return [
        Answer(case, layout, ways.run(function, one.subject, case, dtype, layout))
        for shape in ((PLAIN_SHAPE,) if one.subject.quick else (PLAIN_SHAPE, BORDERS[1]))
        for case in one.shape(shape, dtype)
        for layout in ways.layouts(one.subject)
    ]


def _on_device(one: Runs, dtype: str, full: bool) -> list[Answer]:
    """There is the device, here the processor."""
    cases = [case for shape in (PLAIN_SHAPE, *BORDERS, *BORDERS_FULL) for case in one.shape(shape, dtype)]
    function = one.function()
    return [Answer(case, "", ways.run(function, one.subject, case, dtype)) for case in [*cases, *one.alike(dtype)]]


WAYS: Final[Mapping[str, Callable[[Runs, str, bool], list[Answer]]]] = {
    "compiled": _compiled,
    "vmapped": _vmapped,
    "autocast": _cast,
    "exported": _exported,
    "strided": _strided,
    "device": _on_device,
}
