"""The worst ratio that a driven search finds, beside the worst of plain random draws of the same number.

Hypothesis draws a matrix (1 to 4 rows, 1 to 7 columns: its kind of ``generators``, condition number and mean) and its
cotangent, and ``target`` tells it the ratio, which the second half of the cases climbs.  Derandomized, without a
database or a deadline; what it may spend is a number of cases.  The plain draws are those of ``Subject.searched``, as
many.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import seed as seeded
from hypothesis import strategies as st

from wnverify.finding import Evidence, Finding, Json, encode_array, seed_of
from wnverify.numerics import matrices
from wnverify.numerics.generators import KINDS, drawn, held
from wnverify.numerics.judge import (
    UNDECIDED_FROM,
    Implementation,
    Subject,
    attempt,
    finding,
    judge,
    subjects_of,
)
from wnverify.numerics.matrices import Typed
from wnverify.numerics.places import one_thread
from wnverify.oracles.ratio import Ratio

DTYPES: Final = ("float64", "float32")
BUDGET: Final = {"quick": 20, "usual": 60}
"""Cases of one search."""
WITH_OPTIONS: Final = 3
"""A method with other options than its defaults is searched with this part of the budget."""
HIGHEST: Final = 1e6
"""An infinite or larger ratio counts as this to the search, which compares finite numbers."""

RatioOf = Callable[[Typed], Ratio]


def searched_worst(
    method_id: str,
    seed: int = 0,
    quick: bool = False,
    implementation: Implementation | None = None,
    budget: int | None = None,
) -> list[Finding]:
    """The worst input found for one method of the catalogue, by itself and with each of its options.

    Findings, one a dtype: ``worst.forward``, ``worst.backward`` where the reference has a gradient,
    ``worst.transform`` of a constraint and ``worst.prox`` of a penalty, each with the input as witness.  ``budget``
    (60 cases; 20 in a quick run) is spent twice: on the search, and on plain random draws.  ``implementation`` stands
    in place of the method's own form without options.  Verdicts as ``agreement.numerics``.  ``ValueError`` for an
    unknown method, or a budget below 1.
    """
    if budget is not None and budget < 1:
        raise ValueError(f"budget must be at least 1 case; got {budget}")
    subjects = subjects_of(method_id, seed, quick, implementation=implementation)
    cases = budget or BUDGET["quick" if quick else "usual"]
    with one_thread():
        return [
            worst(subject, what, dtype, max(1, cases // (WITH_OPTIONS if subject.form.said else 1)))
            for subject in subjects
            for what in ("forward", *(("backward",) if subject.map.vjp is not None else ()))
            for dtype in DTYPES
        ]


def worst(subject: Subject, what: str, dtype: str, budget: int) -> Finding:
    """One finding; ``what`` is ``forward`` or ``backward``."""
    name = subject.map.name if subject.map.name in ("transform", "prox") else what
    ratio_of = _of_value(subject, dtype) if what == "forward" else _of_gradient(subject, dtype)
    excused = None if what == "forward" else subject.model.excused_gradient
    driven = drive(subject, what, dtype, budget, ratio_of)
    plain = subject.defined(matrices.random_small(dtype, subject.seed, budget), dtype)
    at_random = judge(subject, dtype, "property search", plain, ratio_of, excused)
    cases = [case for case in (driven,) if case is not None]
    figures: dict[str, Json] = {"budget": budget, "worst_of_plain_draws": at_random.ratio}
    searched = judge(subject, dtype, "property search", cases, ratio_of, excused, of="driven search", **figures)
    routes: list[Evidence] = [searched, at_random] if cases else [at_random]
    asked = f"How large does a search make the ratio of the {name}, and does it stay at or below 1?"
    made = finding(subject, f"worst.{name}", dtype, asked, routes, [*cases, *plain])
    replay = (
        f'python -c "from wnverify.numerics.search import searched_worst; '
        f"print(*searched_worst({subject.id!r}, seed={subject.seed}, quick={subject.quick}), sep='\\n')\""
    )
    if driven is None or (at_random.ratio or 0.0) > (searched.ratio or 0.0):
        by_name = {case.name: case for case in plain}
        driven = by_name.get(str(at_random.figures.get("worst_case")), driven)
    witness: Json = None
    if driven is not None:
        parts = {"V": driven.V} if what == "forward" else {"V": driven.V, "A": driven.A}
        witness = {part: encode_array(X, seed=subject.seed, generator=driven.name) for part, X in parts.items()}
    return made.replace(witness=witness, replay=replay)


def drive(
    subject: Subject, what: str, dtype: str, budget: int, ratio_of: RatioOf, *, climb: bool = True
) -> Typed | None:
    """The case of the largest decided ratio that Hypothesis comes to; None where nothing is decided.

    Without ``climb`` it only generates: what the climbing is worth.
    """
    found: list[tuple[float, Typed]] = []
    excused = subject.model.excused if what == "forward" else subject.model.excused_gradient

    @seeded(seed_of(subject.seed, "driven", subject.form.name, subject.map.name, what, dtype))
    @settings(
        max_examples=budget,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.target] if climb else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(matrices_and_cotangents(dtype))
    def ask(pair: tuple[matrices.Matrix, matrices.Matrix]) -> None:
        case = subject.fit(Typed(f"driven search: {pair[0].shape[0]}x{pair[0].shape[1]}", *pair), dtype)
        if case is None or not excused(case, dtype) < UNDECIDED_FROM:
            return
        ratio = attempt(ratio_of, case)
        # Whatever is raised is the worst there is; the judge says what it was.
        value = min(ratio.value, HIGHEST) if isinstance(ratio, Ratio) else HIGHEST
        target(math.log10(max(value, 1e-12)))
        if not found or value > found[0][0]:
            found[:] = [(value, case)]

    with np.errstate(all="ignore"):
        ask()
    return found[0][1] if found else None


@st.composite
def matrices_and_cotangents(draw: st.DrawFn, dtype: str) -> tuple[matrices.Matrix, matrices.Matrix]:
    """V and A of one shape, held by the dtype: a kind of ``generators`` plus a mean; few choices, all to be climbed.

    The condition number goes up to 1e6, the mean up to 64 times the largest entry.
    """
    n, d = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    kind, chance = draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**16))
    exponent, mean = draw(st.integers(0, 600)), draw(st.integers(-64, 64))
    V = drawn(kind, 1, n, d, chance, dtype, 10.0 ** (exponent / 100))[0]
    A = np.random.default_rng(draw(st.integers(0, 2**16))).standard_normal((n, d))
    return held(V + mean * np.abs(V).max(), dtype), held(A, dtype)


def _of_value(subject: Subject, dtype: str) -> RatioOf:
    def ratio_of(case: Typed) -> Ratio:
        return subject.model.value(case, subject.value(case.V, dtype) - subject.map.reference(case.V), dtype)

    return ratio_of


def _of_gradient(subject: Subject, dtype: str) -> RatioOf:
    vjp = subject.map.vjp
    assert vjp is not None, "only a map with a gradient is asked for it"

    def ratio_of(case: Typed) -> Ratio:
        return subject.model.gradient(case, subject.gradient(case.V, case.A, dtype) - vjp(case.V, case.A), dtype)

    return ratio_of
