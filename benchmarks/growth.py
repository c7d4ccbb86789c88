"""How time and memory grow over a decade of sizes, for each method and for three oracles.

Weights of m rows and 2m columns, m from 64 to 640 (balls: 4 to 40).  The exponent is the slope of the logarithms by
least squares; what is expected follows from the cost that the catalogue states.  Operations and kept bytes are counted
(``wnverify.auditing.counted``), so their exponents are the same in every run; seconds are measured.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import TURN, Process, Times, turn_of
from wnverify.auditing.counted import cost_of
from wnverify.finding import Verdict, seed_of
from wnverify.methods.catalogue import Method
from wnverify.numerics.forms import Form, forms
from wnverify.numerics.topics import judged
from wnverify.oracles.gradients import check_backward
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import map_model

SIZES: Final = (64, 202, 640)
OF_BALLS: Final = (4, 13, 40)
LEEWAY: Final = 0.5
"""What leaves the caches on the way costs more for each entry."""
_POWERS: Final = {"²": 2, "³": 3}
_FACTOR: Final = re.compile(r"(?:min|max)\(n, d\)|[ndmk](?![a-z])[²³]?")


def expected(cost: str) -> int:
    """The power of m in the catalogue's words: each size counts as m, the largest term counts, logarithms do not.

    >>> expected("O(n² d + n³)"), expected("O(n d) a Newton step, a few steps"), expected("O(m² max(n, d)), m = n")
    (3, 2, 3)
    """
    inside = re.search(r"O\(((?:[^()]|\([^()]*\))*)\)", cost)
    if inside is None:
        raise ValueError(f"cost must have an O(…); got {cost!r}")
    return max(
        sum(_POWERS.get(factor[-1], 1) for factor in _FACTOR.findall(term)) for term in inside.group(1).split(" + ")
    )


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The exponent by least squares; 0 where nothing is counted."""
    if min(values) <= 0:
        return 0.0
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def random(m: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed_of("growth", m) % 2**62)
    return torch.randn((m, 2 * m), generator=generator, dtype=torch.float64) / math.sqrt(2 * m)


def of_method(method: Method) -> Callable[[torch.Tensor], torch.Tensor]:
    form = forms(method)[0]
    return form.built(form.maps()[0].name)


def method_step(name: str, m: int) -> Callable[[], Any]:
    f, V = of_method(_method(name)), random(m).requires_grad_()

    def step() -> None:
        W = f(V)
        torch.autograd.grad(W.sum(), V)

    return step


def engine_step(m: int) -> Callable[[], Any]:
    V, normalized = random(m), lambda V: V / V.norm(dim=1, keepdim=True)
    model = map_model("float64", 2 * m)
    return functools.partial(check_backward, normalized, (V,), seed=0, model=model)


def certificate_step(m: int) -> Callable[[], Any]:
    from wnverify.methods.l1_inf_projection.reference import project

    V = random(m).numpy()
    return functools.partial(certificate, "l1_ball_rows", V, project(V, c=1.0), radius=1.0)


def ball_step(m: int) -> Callable[[], Any]:
    from wnverify.methods.centred_weight_normalization.enclosure import forward

    return functools.partial(forward, random(m).numpy())


ORACLES: Final[Mapping[str, tuple[Callable[[int], Callable[[], Any]], tuple[int, ...], int]]] = {
    "check_backward": (engine_step, SIZES, 2),
    "certificate": (certificate_step, SIZES, 2),
    "enclosure": (ball_step, OF_BALLS, 2),
}
"""Step, sizes and expected exponent: a fixed number of probes, a sort of each row, a ball for each entry."""


def timed(make: Callable[[int], Callable[[], Any]], sizes: Sequence[int], turns: int) -> list[list[float]]:
    """In a process of its own: seconds for each turn and size, the sizes in turns."""
    steps = [make(m) for m in sizes]
    calls = []
    for step in steps:
        step()
        calls.append(max(1, math.ceil(TURN / max(turn_of(step, 1), 1e-6))))
    return [[turn_of(step, count) for step, count in zip(steps, calls, strict=True)] for _ in range(turns)]


def counted(name: str) -> dict[str, float]:
    """The exponents of counted operations and of bytes kept for the backward beside V."""
    costs = [cost_of(of_method(_method(name)), random(m)) for m in SIZES]
    return {
        "operations": slope(SIZES, [cost.work for cost in costs]),
        "kept": slope(SIZES, [float(cost.saved) for cost in costs]),
    }


def grown(make: Callable[[int], Callable[[], Any]], sizes: tuple[int, ...], name: str, turns: int) -> dict[str, Times]:
    """Under ``ours`` the exponent of each turn; the seconds stand beside it by size."""
    process = Process(name)
    try:
        found = process.call(timed, make, sizes, turns)
        told = process.call(counted, name) if name not in ORACLES else None
    finally:
        process.close()
    by_size = {f"m = {m}": Times([one[k] for one in found]) for k, m in enumerate(sizes)}
    return {"ours": Times([slope(sizes, one) for one in found], told=told), **by_size}


def no_faster(times: Mapping[str, Times], *, power: int) -> Judged:
    """Operations grow with the catalogue's power, kept bytes with that of the weight."""
    told = times["ours"].told
    if told is None:
        return Verdict.PASS, f"expected exponent {power}", {"expected": power}
    good = round(told["operations"]) <= power and round(told["kept"]) <= 2
    message = (
        f"operations grow with exponent {told['operations']:.2f}, expected {power}; "
        f"kept bytes with {told['kept']:.2f}, those of the weight with 2"
    )
    return (Verdict.PASS if good else Verdict.FAIL), message, {**told, "expected": power}


def _method(name: str) -> Method:
    return next(method for method in judged() if method.id == name)


def row(name: str, make: Callable[[int], Callable[[], Any]], sizes: tuple[int, ...], power: int) -> Row:
    work = f"growth of {name} with m, m rows and 2m columns, float64, m = {', '.join(map(str, sizes))}"
    return Row(
        f"growth/{name}",
        f"{work}; expected exponent {power}",
        (Aim("exponent", limit=power + LEEWAY, why="what leaves the caches on the way costs more for each entry"),),
        statement="Do counted operations and kept bytes grow no faster than expected?",
        judge=functools.partial(no_faster, power=power),
        turns=3,
        measured=functools.partial(grown, make, sizes, name),
    )


def rows() -> list[Row]:
    methods = [each for each in judged() if each.module and Form(each).maps()]
    return [
        *(row(each.id, functools.partial(method_step, each.id), SIZES, expected(each.cost)) for each in methods),
        *(row(name, *settings) for name, settings in ORACLES.items()),
    ]
