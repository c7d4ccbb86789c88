"""Is the PyTorch implementation of a method as accurate as its map allows, in float64 and in float32?

Both implementations are given the same values; every error is divided by what the map's own condition number excuses
(``matrices``, ``sensitivity``).  The NumPy reference in float64 stands for the exact result, and is itself held against
enclosures, which contain the exact result with proof.
"""

from __future__ import annotations

import dataclasses
from decimal import ROUND_CEILING, Context
from typing import Any, Final

from wnverify.finding import Evidence, Finding, Verdict, seed_of
from wnverify.numerics.edges import conditioning, undefined
from wnverify.numerics.forms import NO_ENCLOSURES
from wnverify.numerics.judge import (
    BITS,
    UNDECIDED_FROM,
    Implementation,
    Subject,
    attempt,
    distance,
    finding,
    judge,
    said,
    subjects_of,
    unsupported,
)
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.numerics.places import absent, one_thread
from wnverify.oracles.gradients import JacobianReport, check_backward
from wnverify.oracles.ratio import Ratio

DTYPES: Final = ("float64", "float32")
ENCLOSED_ROWS: Final = 4
ENCLOSED_QUICK: Final = 6
VALUE_ASKED: Final = (
    "Is the value as near to the float64 reference, at the same input, as the map's conditioning allows?"
)


def numerics(
    method_id: str,
    seed: int = 0,
    quick: bool = False,
    implementation: Implementation | None = None,
    device: str = "cpu",
) -> list[Finding]:
    """Every finding on the numerics of one method of the catalogue, by itself and with each of its options.

    ``device``: where the PyTorch form runs; one finding, ``unsupported``, where this machine does not have it.
    ``implementation`` (V (n, d) ↦ W, float64 and float32, differentiable) is judged in place of the method's own
    PyTorch form without options.  Findings, one a dtype: ``agreement.forward``, ``agreement.backward``,
    ``agreement.enclosure``, ``conditioning`` (of parametrizations, without options) and ``undefined``;
    ``agreement.transform`` of a constraint and ``agreement.prox`` of a penalty that has one; what the reference or the
    enclosure leaves out is left out.  ``pass`` at ratio ≤ 1; ``fail`` where the ratio is at least 2 and half of the
    digits are lost, or something raises inside the domain; ``hazard`` between.  ``ValueError`` for an unknown method.
    """
    missing = absent(device)
    subjects = subjects_of(method_id, seed, quick, device, implementation)
    if missing:
        return [unsupported(each, "agreement.forward", "float32", VALUE_ASKED, missing) for each in subjects[:1]]
    with one_thread():
        return [check(subject, dtype) for subject in subjects for check in _checks(subject) for dtype in DTYPES]


def _checks(subject: Subject) -> list[Any]:
    if subject.map.name in ("transform", "prox"):
        return [beside]
    checks: list[Any] = [forward]
    checks += [backward] if subject.map.vjp is not None else []
    if subject.map.ball is not None:
        checks += [enclosure] + ([conditioning] if subject.map.name == "forward" and not subject.form.said else [])
    checks += [not_enclosed] if subject.form.lacks_enclosure else []
    return [*checks, undefined]


def forward(subject: Subject, dtype: str) -> Finding:
    """W against the reference, at typed matrices and at the worst of many small random ones."""
    routes, cases = _values(subject, dtype)
    return finding(subject, "agreement.forward", dtype, VALUE_ASKED, routes, cases)


def beside(subject: Subject, dtype: str) -> Finding:
    """The transform of a gradient, or the proximal point: against the reference, and against balls where there are."""
    routes, cases = _values(subject, dtype)
    if subject.map.ball is not None:
        small = _enclosed(subject, dtype)
        balls = {case.name: ball for case in small if (ball := _ball(subject, case)) is not None}

        def ratio_of(case: Typed) -> Ratio:
            return subject.model.value(case, distance(balls[case.name], subject.value(case.V, dtype)), dtype)

        routes.append(judge(subject, dtype, "enclosure", [case for case in small if case.name in balls], ratio_of))
    elif subject.form.lacks_enclosure:
        routes.append(Evidence(route="enclosure", verdict=Verdict.UNSUPPORTED, note=NO_ENCLOSURES))
    what = {"transform": "transformed gradient", "prox": "proximal point"}[subject.map.name]
    asked = f"Is the {what} as near to the float64 reference, at the same input, as the map's conditioning allows?"
    return finding(subject, f"agreement.{subject.map.name}", dtype, asked, routes, cases)


def _values(subject: Subject, dtype: str) -> tuple[list[Evidence], list[Typed]]:
    def ratio_of(case: Typed) -> Ratio:
        return subject.model.value(case, subject.value(case.V, dtype) - subject.map.reference(case.V), dtype)

    typed, searched = subject.cases(dtype), subject.searched(dtype)
    routes = [
        judge(subject, dtype, "arithmetic", typed, ratio_of),
        judge(subject, dtype, "property search", searched, ratio_of),
    ]
    return routes, [*typed, *searched]


def backward(subject: Subject, dtype: str) -> Finding:
    """The gradient against the reference's, and in float64 against differences of the forward."""

    def ratio_of(case: Typed) -> Ratio:
        error = subject.gradient(case.V, case.A, dtype) - _vjp(subject, case.V, case.A)
        return subject.model.gradient(case, error, dtype)

    typed, searched = subject.cases(dtype), subject.searched(dtype)
    excused = subject.model.excused_gradient
    routes = [
        judge(subject, dtype, "automatic differentiation", typed, ratio_of, excused),
        judge(subject, dtype, "property search", searched, ratio_of, excused),
    ]
    if dtype == "float64" and subject.device == "cpu" and not (subject.quick and subject.form.said):
        # With two columns nothing moves after centring, and no error is small relative to a zero Jacobian.
        generic = [case for case in typed if case.name.startswith("generic") and 2 < case.V.shape[1] <= 40]
        routes.append(_by_differences(subject, generic))
    asked = "Is the gradient as near to the reference's, at the same input, as the map's conditioning allows?"
    return finding(subject, "agreement.backward", dtype, asked, routes, [*typed, *searched])


def _by_differences(subject: Subject, cases: list[Typed]) -> Evidence:
    """The backward against difference quotients of the forward, which know no formula."""
    reports, raised = {}, {}
    for case in cases:
        model = subject.model.of_backward(case)
        seed, V = seed_of(subject.seed, "differences", case.name), subject.tensor(case.V, "float64")
        report = attempt(check_backward, subject.map.implementation, (V,), seed=seed, model=model)
        if isinstance(report, JacobianReport):
            reports[case.name] = report
        else:
            raised[case.name] = said(report)
    if raised or not reports:
        note = "; ".join(f"at {name}: {reason}" for name, reason in raised.items()) or "no case decides"
        verdict = Verdict.FAIL if raised else Verdict.INCONCLUSIVE
        return Evidence(route="differences", verdict=verdict, note=note, figures={"cases": len(cases)})
    worst = max(reports, key=lambda name: reports[name].ratio)
    ratio = reports[worst].ratio
    sound = Verdict.PASS if ratio <= 1 else Verdict.INCONCLUSIVE
    return Evidence(
        route="differences",
        verdict=Verdict.FAIL if reports[worst].refuted else sound,
        note=f"worst at {worst}: {reports[worst].worst[0]} against {reports[worst].worst[1]}",
        ratio=ratio,
        power=max(report.power for report in reports.values()),
        model="the difference quotient's own error + rounding of one backward pass",
        figures={"cases": len(cases), "worst_case": worst, **reports[worst].figures},
    )


def enclosure(subject: Subject, dtype: str) -> Finding:
    """Values and gradients of both implementations against balls that provably contain the exact ones."""
    balls = {case: (_ball(subject, case), _ball_of_gradient(subject, case)) for case in _enclosed(subject, dtype)}
    cases = [case for case, (of_W, _) in balls.items() if of_W is not None]
    of_values: list[float] = []
    of_gradients: list[float] = []

    def off(case: Typed, value: Any, gradient: Any, kind: str) -> tuple[Matrix, Matrix | None, Ratio]:
        """Entry by entry a proved bound of the error of W, and of G where it is enclosed and can be judged; the worse
        of both in units of what is modelled."""
        ball, ball_of_gradient = balls[case]
        of_W = distance(ball, value())
        ratio = subject.model.value(case, of_W, kind)
        if ball_of_gradient is None or not subject.model.excused_gradient(case, kind) < UNDECIDED_FROM:
            return of_W, None, ratio
        of_G = distance(ball_of_gradient, gradient())
        return of_W, of_G, max(ratio, subject.model.gradient(case, of_G, kind), key=lambda each: each.value)

    def of_reference(case: Typed) -> Ratio:
        V, A = case.V, case.A
        return off(case, lambda: subject.map.reference(V), lambda: _vjp(subject, V, A), "float64")[-1]

    def of_implementation(case: Typed) -> Ratio:
        V, A = case.V, case.A
        of_W, of_G, ratio = off(case, lambda: subject.value(V, dtype), lambda: subject.gradient(V, A, dtype), dtype)
        of_values.append(float(of_W.max()))
        of_gradients.extend([] if of_G is None else [subject.model.off(case, of_G, dtype)])
        return ratio

    judged = judge(subject, dtype, "enclosure", cases, of_implementation, of=f"PyTorch in {dtype}")
    reference = judge(subject, "float64", "enclosure", cases, of_reference, of="NumPy reference in float64")
    r, r_gradient = max(of_values, default=0.0), max(of_gradients, default=None)
    proved = (
        f"proved at {len(of_values)} inputs: entries of the {dtype} value lie within r = {_up(r)} of the exact ones"
    )
    if r_gradient is not None:
        proved += (
            f", and at {len(of_gradients)} of them the gradient, block by block, within {_up(r_gradient)} times the "
            "largest that a cotangent of that size could have by the model"
        )
    measured = {"r": r, "r_gradient": r_gradient, "gradients": len(of_gradients)}
    judged = dataclasses.replace(judged, figures={**judged.figures, **measured})
    asked = "How far, by a proved bound, are value and gradient from the exact ones, and does the model excuse it?"
    message = proved if judged.verdict is reference.verdict is Verdict.PASS else ""
    return finding(subject, "agreement.enclosure", dtype, asked, [judged, reference], cases, message)


def _up(bound: float) -> str:
    """Two digits, rounded up: what is proved stays true as it is printed.

    >>> _up(1.21e-16)
    '1.3e-16'
    """
    return f"{float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(bound)):.2g}"


def not_enclosed(subject: Subject, dtype: str) -> Finding:
    """What stands in the place of ``enclosure`` (and of ``conditioning``, which rests on balls) without a library."""
    routes = [Evidence(route="enclosure", verdict=Verdict.UNSUPPORTED, note=NO_ENCLOSURES)]
    asked = "How far, by a proved bound, are value and gradient from the exact ones, and does the model excuse it?"
    return finding(subject, "agreement.enclosure", dtype, asked, routes)


def _enclosed(subject: Subject, dtype: str) -> list[Typed]:
    """The cases small enough for balls."""
    small = [case for case in subject.cases(dtype) if case.V.size <= 2 * ENCLOSED_ROWS * 9 and len(case.V) <= 8]
    small = [case for case in small if case.V.shape[1] <= 9 and (subject.map.stacked or len(case.V) <= ENCLOSED_ROWS)]
    return small[:ENCLOSED_QUICK] if subject.quick else small


def _ball(subject: Subject, case: Typed) -> Any:
    """Balls around the exact W; None where the enclosure cannot decide a branch."""
    found = None if subject.map.ball is None else attempt(subject.map.ball, case.V, bits=BITS)
    return None if isinstance(found, ValueError) else _raised(found)


def _ball_of_gradient(subject: Subject, case: Typed) -> Any:
    if subject.map.ball_vjp is None:
        return None
    found = attempt(subject.map.ball_vjp, case.V, case.A, bits=BITS)
    return None if isinstance(found, ValueError) else _raised(found)


def _raised(found: Any) -> Any:
    if isinstance(found, Exception):
        raise found
    return found


def _vjp(subject: Subject, V: Matrix, A: Matrix) -> Matrix:
    """The reference's gradient; never asked where there is none."""
    return subject.map.vjp(V, A)  # type: ignore[misc]
