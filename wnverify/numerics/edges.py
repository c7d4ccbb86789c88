"""How the error grows with the condition number, and what happens where the map is not defined."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, Final

import numpy as np

from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.numerics import matrices
from wnverify.numerics.judge import BITS, UNDECIDED_FROM, Subject, attempt, distance, finding, judge, said
from wnverify.numerics.matrices import CENTRES, Matrix, Typed
from wnverify.oracles.ratio import Ratio

EXPONENTS: Final = {"float64": [0.5, *range(1, 11)], "float32": [0.5 * k for k in range(1, 11)]}
TRIALS: Final = 5
TRIALS_QUICK: Final = 2


def conditioning(subject: Subject, dtype: str) -> Finding:
    """Error of W against the exact value, the worst of several matrices at each of a growing row of condition numbers.

    σ_1 / σ_n where the rows depend on each other, mean over spread where only centring can lose digits, and where
    nothing can (plain weight normalization) the largest over the smallest row norm, which must not matter.
    """
    axis, cases = _graded(subject, dtype)
    points: dict[float, tuple[float, float]] = {}

    def ratio_of(case: Typed) -> Ratio:
        ball: Any = subject.map.ball  # a parametrization without one is not asked
        ratio = subject.model.value(case, distance(ball(case.V, bits=BITS), subject.value(case.V, dtype)), dtype)
        exponent = cases[case]
        points[exponent] = max(points.get(exponent, (0.0, 0.0)), (ratio.relative, ratio.model.relative))
        return ratio

    route = judge(subject, dtype, "enclosure", list(cases), ratio_of)
    exponents = sorted(points)
    curves: dict[str, Json] = {
        "axis": axis,
        "condition": [10.0**exponent for exponent in exponents],
        "error": [points[exponent][0] for exponent in exponents],
        "modelled": [points[exponent][1] for exponent in exponents],
    }
    route = dataclasses.replace(route, figures={**route.figures, **curves})
    asked = f"Does the error of the value grow no faster than the map's own condition number ({axis})?"
    return finding(subject, "conditioning", dtype, asked, [route], list(cases))


def _graded(subject: Subject, dtype: str) -> tuple[str, dict[Typed, float]]:
    """What grows, and the matrices with their exponents of ten."""
    made, axis = {}, ""
    for exponent, trial in itertools.product(EXPONENTS[dtype], range(TRIALS_QUICK if subject.quick else TRIALS)):
        seed = seed_of(subject.seed, "conditioning", trial)
        base, growing = matrices.normal(3, 6, seed=seed), np.logspace(0, -exponent, 3)
        if subject.model.mixes:
            axis, V = "σ_1 / σ_n", matrices.with_singular_values(list(growing), 6, seed)
        elif subject.id in CENTRES:
            axis, V = "mean / spread", base / base.std(axis=1, keepdims=True) + 10.0**exponent
        else:
            axis, V = "largest / smallest row norm", base * growing[:, None]
        V = V.astype(dtype).astype(np.float64)
        case = subject.fit(Typed(f"{axis} = 1e{exponent:g}, matrix {trial}", V, np.ones(V.shape)), dtype)
        if case is not None:
            made[case] = exponent
    return axis, made


def undefined(subject: Subject, dtype: str) -> Finding:
    """What the forward does at the edges of the domain: an error where there is no value, else the value."""
    seen: dict[str, Json] = {}
    verdicts: list[Verdict] = []
    for name, V in _edges(subject).items():
        right, found = attempt(subject.map.reference, V), attempt(subject.value, V, dtype)
        verdict, what = _decide(subject, Typed(name, V, V), right, found, dtype)
        verdicts.append(verdict)
        seen[name] = what if verdict is Verdict.PASS else f"{verdict}: {what}"
    order = (Verdict.FAIL, Verdict.HAZARD, Verdict.PASS)
    worst = min(verdicts, key=order.index)
    wrong = "; ".join(f"{name}: {what}" for name, what in seen.items() if str(what).startswith(("fail", "hazard")))
    route = Evidence(
        route="arithmetic",
        verdict=worst,
        note=wrong or "an error that says why where there is no value, the value elsewhere",
        figures={"cases": len(seen), "behaviour": seen},
    )
    asked = "Is a weight without a normalization answered by an error rather than by numbers?"
    return finding(subject, "undefined", dtype, asked, [route])


def _edges(subject: Subject) -> dict[str, Matrix]:
    base = matrices.normal(3, 5, seed=seed_of(subject.seed, "edges"))
    zero, constant, twice, nan, infinite = (base.copy() for _ in range(5))
    zero[1], constant[1], twice[1] = 0.0, 0.1, base[0]
    nan[1, 2], infinite[1, 2] = math.nan, math.inf
    return {
        "zero row": zero,
        "constant row": constant,
        "zero matrix": np.zeros((3, 5)),
        "two equal rows": twice,
        "n = d": matrices.normal(4, 4, seed=seed_of(subject.seed, "square")),
        "n = d + 1": matrices.normal(5, 4, seed=seed_of(subject.seed, "tall")),
        "d = 1": np.array([[2.0], [-3.0]]),
        "NaN": nan,
        "infinity": infinite,
    }


def _decide(subject: Subject, case: Typed, right: object, found: object, dtype: str) -> tuple[Verdict, str]:
    if isinstance(right, Exception):
        if isinstance(found, ValueError):
            return Verdict.PASS, said(found)
        if isinstance(found, Exception):
            return Verdict.HAZARD, f"no ValueError but {said(found)}"
        finite = np.isfinite(np.asarray(found)).all()
        if not finite and not np.isfinite(case.V).all() and subject.form.method.kind != "parametrization":
            # A loss or a gradient that is not finite is what training loops look for; a weight is used at once.
            return Verdict.PASS, "what is not finite stays so"
        return Verdict.HAZARD, "finite numbers where there is no value" if finite else "NaN or infinity without a word"
    if isinstance(found, Exception):
        return Verdict.FAIL, f"there is a value, but {said(found)}"
    V = case.V.astype(dtype).astype(np.float64)
    rounded = subject.fit(Typed(case.name, V, V), dtype)
    if rounded is None:
        return Verdict.PASS, f"no value of {dtype}"
    ratio = subject.model.value(rounded, np.asarray(found) - subject.map.reference(V), dtype)
    if ratio.value <= 1 or not ratio.model.relative < UNDECIDED_FROM:
        return Verdict.PASS, "the value"
    return Verdict.FAIL, f"another value, relative error {ratio.relative:.2g}"
