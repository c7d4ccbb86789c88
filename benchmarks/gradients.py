"""The gradient engine against ``torch.autograd.gradcheck``: time, memory, and what each of them catches.

Orthogonal weight normalization in float64, written with a plain eigendecomposition.  gradcheck's default mode
evaluates the forward twice for each entry and holds the whole Jacobian: for a weight of 64 × 576 that is 10 GiB, so
that there its evaluations alone are timed, one of each, and multiplied.  The least that the engine must do is to
evaluate the forward as often as its differences ask for, and one backward for each of its cotangents.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.planted import FAULTS, orthogonalize, subject
from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Process, Times, measure
from wnverify.finding import Json, Verdict, seed_of
from wnverify.oracles.gradients import JacobianReport, check_backward
from wnverify.oracles.ratio import ErrorModel, map_model

Shape = tuple[int, int]
SMALL: Final[Shape] = (32, 128)
LARGE: Final[Shape] = (64, 576)
CHECKERS: Final = ("ours", "gradcheck", "gradcheck fast")
LEAST: Final = "its forwards and backwards alone"
COTANGENTS: Final = 11
"""Backward passes of one verdict: eight Gaussian cotangents and three structured ones."""


def weight(shape: Shape) -> Tensor:
    generator = torch.Generator().manual_seed(seed_of("gradient engine", shape) % 2**62)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def model(V: Tensor) -> ErrorModel:
    """The condition number of the backward is (2/√3) ‖V‖ / σ_n; the longest sum has as many terms as V columns."""
    sigma = torch.linalg.svdvals(V - V.mean(1, keepdim=True))
    return map_model("float64", V.shape[1], condition=2 / 3**0.5 * float(V.norm() / sigma[-1]))


def engine(shape: Shape, fault: str | None = None) -> JacobianReport:
    V = weight(shape)
    seed = seed_of("gradient engine", "probes")
    return check_backward(subject(fault), (V,), seed=seed, model=model(V))


def gradcheck(shape: Shape, fault: str | None = None, *, fast: bool) -> bool:
    V = weight(shape).requires_grad_()
    return bool(torch.autograd.gradcheck(subject(fault), (V,), fast_mode=fast, raise_exception=False))


def accuses(checker: str, fault: str) -> tuple[bool, float]:
    """Whether the checker accuses the backward, and for the engine the relative error that it saw."""
    if checker == "ours":
        report = engine(SMALL, fault)
        return report.ratio > 1, report.relative_error
    return not gradcheck(SMALL, fault, fast=checker == "gradcheck fast"), 0.0


def loaded(step: Callable[[], Any]) -> Callable[[], Any]:
    """The step, after what is loaded on first use has been loaded."""
    V = weight((4, 9)).requires_grad_()
    torch.autograd.grad(orthogonalize(V).sum(), V)
    return step


def ours(shape: Shape) -> Callable[[], Any]:
    return loaded(functools.partial(engine, shape))


def theirs(shape: Shape, fast: bool) -> Callable[[], Any]:
    return loaded(functools.partial(gradcheck, shape, fast=fast))


def passes(shape: Shape, forwards: int, backwards: int) -> Callable[[], None]:
    V = weight(shape).requires_grad_()
    A = torch.ones(shape, dtype=torch.float64)

    def step() -> None:
        with torch.no_grad():
            for _ in range(forwards):
                orthogonalize(V)
        W = orthogonalize(V)
        for _ in range(backwards):
            torch.autograd.grad(W, V, A, retain_graph=True)

    return loaded(step)


def told(_: Callable[[], Any]) -> dict[str, float]:
    report = engine(SMALL)
    return {"ratio": report.ratio, "power": report.power, "evaluations": report.evaluations}


def small(turns: int) -> dict[str, Times]:
    """Times of the three at 32 × 128, and what each of them says of every fault, two checkers at a time."""
    evaluations = engine(SMALL).evaluations
    least = functools.partial(passes, SMALL, evaluations, COTANGENTS)
    contenders = (
        Contender("ours", functools.partial(ours, SMALL), told),
        Contender("gradcheck fast", functools.partial(theirs, SMALL, True)),
        Contender("gradcheck", functools.partial(theirs, SMALL, False)),
        Contender(LEAST, least),
    )
    times = measure(contenders, turns)
    with ThreadPoolExecutor(2) as pool:
        heard = pool.map(_verdicts, *zip(*((c, f) for f in range(2) for c in CHECKERS), strict=True))
    kills: dict[str, dict[str, Any]] = {}
    for checker, found in heard:
        for fault, said in found.items():
            kills.setdefault(fault, {})[checker] = said
    mine = times["ours"]
    return {**times, "ours": Times(mine.seconds, mine.peak, {**mine.told, "kills": kills})}


def _verdicts(checker: str, half: int) -> tuple[str, dict[str, tuple[bool, float]]]:
    """What a checker says of every other fault, in a process of its own; the right backward written by hand is in the
    list, so that nothing is caught for being written by hand."""
    process = Process(f"{checker} on planted faults")
    try:
        faults = ("none", *FAULTS)[half::2]
        return checker, {fault: process.call(accuses, checker, fault) for fault in faults}
    finally:
        process.close()


def kills(times: Mapping[str, Times]) -> Judged:
    """No right backward is accused, and every fault that gradcheck catches in either mode is caught."""
    seen = times["ours"].told
    wrong = [f"the right map is accused, ratio {seen['ratio']:.2g}"] if seen["ratio"] > 1 else []
    figures: dict[str, Json] = {}
    for fault, said in seen["kills"].items():
        caught = {checker: accused for checker, (accused, _) in said.items()}
        figures[fault] = {**caught, "relative error seen": said["ours"][1]}
        if fault == "none":
            wrong += [f"{checker} accuses a right backward" for checker, yes in caught.items() if yes]
        elif not caught["ours"] and any(caught.values()):
            wrong.append(f"{fault}: caught by gradcheck only")
    mine, peers = (
        sum(any(said[c][0] for c in of) for fault, said in seen["kills"].items() if fault != "none")
        for of in (CHECKERS[:1], CHECKERS[1:])
    )
    message = f"{mine} of {len(FAULTS)} planted faults caught, by gradcheck in either mode {peers}"
    verdict = Verdict.FAIL if wrong else Verdict.PASS
    return verdict, "; ".join([message, *wrong]), {"kills": figures, "power": seen["power"]}


def by_count(turns: int) -> dict[str, Times]:
    """At 64 × 576 the default mode by its evaluations: two forwards for each entry of V, a backward for each of W."""
    shape, entries = LARGE, LARGE[0] * LARGE[1]
    forwards = engine(shape).evaluations
    contenders = (
        Contender("ours", functools.partial(ours, shape)),
        Contender("gradcheck fast", functools.partial(theirs, shape, True)),
        Contender("gradcheck, by its evaluations", functools.partial(passes, shape, 2, 1), scale=float(entries)),
        Contender(LEAST, functools.partial(passes, shape, forwards, COTANGENTS)),
    )
    return measure(contenders, turns)


def rows() -> list[Row]:
    floor = {"floor": LEAST, "least": LEAST}
    many = "each of its directions is differenced at several steps, so that a verdict knows its own error"
    noise = "its error bounds need more than a hundred forwards"
    shapes = [f"gradient verdict on OWN, float64, {n} × {d}" for n, d in (SMALL, LARGE)]
    return [
        Row(
            "gradients/32x128",
            shapes[0],
            (
                Aim("faster", "gradcheck", 200.0, 50.0, noise, **floor),
                Aim("time", "gradcheck fast", 10.0, 100.0, many, **floor),
                Aim("mebibytes", limit=100.0),
            ),
            measured=small,
            statement="Is no right backward accused, and every fault caught that gradcheck catches?",
            judge=kills,
        ),
        Row(
            "gradients/64x576",
            shapes[1],
            (
                Aim("faster", "gradcheck, by its evaluations", 200.0, 200.0, **floor),
                Aim("time", "gradcheck fast", 10.0, 100.0, many, **floor),
            ),
            measured=by_count,
            conditions=(
                "gradcheck's default mode is extrapolated: one evaluation of each kind, times their number, without "
                "its Jacobian of 10 GiB",
            ),
        ),
    ]
