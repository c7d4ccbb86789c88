"""Property examples for each second: many matrices in one call beside the same property one matrix at a time.

The property: a map that is invariant to the scale of V gives the same at 3 V, to what its error model allows twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Times
from wnverify.finding import Verdict, seed_of
from wnverify.numerics.batches import Batch, values
from wnverify.numerics.generators import Stack
from wnverify.numerics.judge import Subject, subject_of

EXAMPLES: Final = 512
ALONE: Final = 64
SHAPE: Final = (4, 8)
METHODS: Final = ("centred_weight_normalization", "orthogonal_weight_normalization")


def drawn(count: int) -> Stack:
    return np.random.default_rng(seed_of("property examples")).standard_normal((count, *SHAPE))


def ratios(subject: Subject, V: Stack) -> Stack:
    """The property's ratio at each of the matrices."""
    f = subject.map.implementation
    W, scaled = (values(f, X, "float64", SHAPE)[0] for X in (V, 3 * V))
    batch = Batch(subject, V, np.ones(V.shape), W, "float64")
    return batch.ratios(scaled - W, batch.of_value()) / 2


def together(method: str) -> Callable[[], Stack]:
    subject, V = subject_of(method, 0, True), drawn(EXAMPLES)
    return functools.partial(ratios, subject, V)


def alone(method: str) -> Callable[[], Stack]:
    subject, V = subject_of(method, 0, True), drawn(EXAMPLES)[:ALONE]
    return lambda: np.concatenate([ratios(subject, V[k : k + 1]) for k in range(len(V))])


def first_ratios(step: Callable[[], Stack]) -> list[float]:
    found: list[float] = step()[:ALONE].tolist()
    return found


def same(times: Mapping[str, Times]) -> Judged:
    """The property holds in every example, and both ways see the same: their ratios differ by less than 1."""
    mine, theirs = (np.array(times[name].told) for name in ("ours", "one at a time"))
    worst, apart = float(max(mine.max(), theirs.max())), float(np.abs(mine - theirs).max())
    message = f"largest ratio {worst:.2g}; batched and alone differ by {apart:.2g} of what is allowed"
    figures = {"largest ratio": worst, "apart": apart}
    return (Verdict.PASS if worst <= 1 and apart <= 1 else Verdict.FAIL), message, figures


def row(method: str) -> Row:
    said = f"{ALONE} of the {EXAMPLES} examples, times {EXAMPLES // ALONE}"
    contenders: tuple[Contender, ...] = (
        Contender("ours", functools.partial(together, method), first_ratios),
        Contender(
            "one at a time", functools.partial(alone, method), first_ratios, scale=float(EXAMPLES // ALONE), said=said
        ),
    )
    work = f"{EXAMPLES} examples of scale invariance of {method}, float64, {SHAPE[0]} × {SHAPE[1]}"
    why = "the eigendecompositions of a batch are made one after the other"
    promise = 5.0
    return Row(
        f"properties/{method}", work, (Aim("faster", "one at a time", 20.0, promise, why),), contenders, judge=same
    )


def rows() -> list[Row]:
    return [row(method) for method in METHODS]
