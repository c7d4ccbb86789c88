"""What the report says of the bounds: one work item a topic, each a finding with its figures.

Topics about single samples and their exact values are in ``exactness``, curves in ``curves``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Finding, Json, Verdict
from wnverify.workitem import WorkItem


class Topic(NamedTuple):
    """``function`` takes (seed, quick) and returns ``Told``."""

    subject: str
    check: str
    function: str
    statement: str


class Told(NamedTuple):
    """What a topic found: the routes, an upper verdict over them, and for a refutation its witness."""

    routes: tuple[Evidence, ...]
    conditions: tuple[str, ...] = ()
    witness: Json = None
    message: str = ""
    strength: str = "tested"


_EXACT: Final = "wnverify.bounding.exactness:"
_CURVES: Final = "wnverify.bounding.curves:"
_GENERALIZATION: Final = "wnverify.bounding.generalization:"
TOPICS: Final = (
    Topic(
        "rademacher",
        "exact-value",
        _EXACT + "against_programs",
        "The exact complexity of one hidden layer is the rational value that a mixed-integer program attains for each "
        "sign vector, up to its own rounding, and not above the program's dual bound.",
    ),
    Topic(
        "rademacher",
        "domination",
        _EXACT + "domination",
        "Every bound is at least the exact complexity, on uniform, rounded and corner samples with k = 0, 1 and 2.",
    ),
    Topic(
        "rademacher",
        "width",
        _EXACT + "width",
        "With one hidden layer the complexity does not depend on its width: one unit attains the exact value, and no "
        "width exceeds it.",
    ),
    Topic(
        "rademacher",
        "tightest-sample",
        _EXACT + "tightest_sample",
        "Even the sample found by a search that makes it tightest leaves every bound above the exact complexity.",
    ),
    Topic(
        "rademacher",
        "monotone",
        _EXACT + "monotone",
        "Every bound grows with c, o, k (cρ ≥ 1) and m1 and falls with n; the exact complexity grows with c and is "
        "linear in o.",
    ),
    Topic(
        "rademacher",
        "tanh",
        _EXACT + "tanh",
        "Every bound is at least the certified complexity of one hidden layer of tanh units.",
    ),
    Topic(
        "rademacher",
        "expected",
        _EXACT + "expected",
        "The expected complexity over uniform samples lies below every bound, with its interval.",
    ),
    *(
        Topic(
            "rademacher",
            f"depth-c{c}",
            f"{_CURVES}depth_{name}",
            f"With c = {c}, every bound is at least the complexity for each depth; its tightness against the depth.",
        )
        for c, name in ((0.5, "half"), (1, "one"), (2, "two"))
    ),
    Topic(
        "rademacher",
        "constant",
        _CURVES + "constant",
        "Every bound is at least the exact complexity for each normalization constant c.",
    ),
    Topic(
        "rademacher",
        "sample-size",
        _CURVES + "sample_size",
        "Every bound is at least the exact complexity for each sample size n.",
    ),
    Topic(
        "rademacher",
        "inputs",
        _CURVES + "inputs",
        "Every bound is at least the exact complexity for each number of inputs m1.",
    ),
    Topic(
        "rademacher",
        "planted-faults",
        "wnverify.bounding.planted:faults",
        "Every fault planted in the bounds of Theorem 1 is noticed; which of them domination by exact values alone "
        "cannot see, as the bounds are that loose, is listed.",
    ),
    Topic(
        "generalization",
        "rivals",
        _GENERALIZATION + "rivals",
        "The rival bounds that reach networks with biases are at least the exact complexity; their ratio to Theorem 1 "
        "against the depth.",
    ),
    Topic(
        "generalization",
        "coverage",
        _GENERALIZATION + "coverage",
        "Theorem 2 fails on at most the share δ of samples, for networks trained with Algorithm 1 on data that meet "
        "its hypotheses.",
    ),
    Topic(
        "generalization",
        "vacuity",
        _GENERALIZATION + "vacuity",
        "With the inputs of section 5.1 and ‖T‖_1 = 1, Theorem 2 as printed says nothing at the paper's n = 500, for "
        "any depth and c ≥ 1.",
    ),
    Topic(
        "cost",
        "operations",
        "wnverify.bounding.costs:operations",
        "The closed counts of operations equal torch's counter for the passes of layers and the matrix products of "
        "methods, and the counts of the plain formulas executed on arrays that count.",
    ),
)


def items(seed: int, quick: bool, limits: Mapping[str, Any]) -> list[WorkItem]:
    """One work item for each topic."""
    return [
        WorkItem(
            id=f"theory/{topic.subject}/{topic.check}",
            function="wnverify.bounding.topics:decide",
            arguments={"subject": topic.subject, "check": topic.check, "seed": seed, "quick": quick},
            kind="theory",
            subject=topic.subject,
            check=topic.check,
            statement=topic.statement,
            **limits,
        )
        for topic in TOPICS
    ]


def decide(subject: str, check: str, seed: int, quick: bool) -> list[Finding]:
    """The finding of one topic: refuted where one route is, undecided where none decided anything."""
    topic = next(each for each in TOPICS if (each.subject, each.check) == (subject, check))
    module, name = topic.function.split(":")
    told: Told = getattr(importlib.import_module(module), name)(seed, quick)
    seen = {route.verdict for route in told.routes}
    verdict = next((v for v in (Verdict.REFUTED, Verdict.HOLDS) if v in seen), Verdict.UNDECIDED)
    return [
        Finding(
            kind="theory",
            id=f"theory/{subject}/{check}",
            subject=subject,
            check=check,
            verdict=verdict,
            statement=topic.statement,
            message=told.message,
            conditions=told.conditions,
            routes=told.routes,
            witness=told.witness if verdict is Verdict.REFUTED else None,
            strength=told.strength if verdict is Verdict.HOLDS else None,
        )
    ]


def held(holds: bool) -> Verdict:
    """``holds`` or ``refuted``."""
    return Verdict.HOLDS if holds else Verdict.REFUTED


def at_most_one(
    worst: float, note: str, *, route: str = "exact", of: str = "complexity ÷ bound", **figures: Json
) -> Evidence:
    """A route that holds while the largest quotient seen is no more than 1; ``of`` says which quotient."""
    return Evidence(
        route=route, verdict=held(worst <= 1), ratio=worst, model=f"{of}, at most 1", note=note, figures=figures
    )


def curve(x: str, y: str, at: Iterable[float], series: Mapping[str, Sequence[Json]], log: Sequence[str]) -> Json:
    """The figure ``curve`` that the report draws: each series over ``at``; ``log`` names the logarithmic axes."""
    return {
        "x": x,
        "y": y,
        "at": list(at),
        "series": {name: list(values) for name, values in series.items()},
        "log": list(log),
    }
