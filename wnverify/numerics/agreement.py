"""Is the PyTorch implementation of a method as accurate as its map allows, in float64 and in float32?

Both implementations are given the same values; every error is divided by what the map's own condition number excuses
(``matrices``).  The NumPy reference in float64 stands for the exact result, and is itself held against enclosures,
which contain the exact result with proof.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import torch

from wnverify.finding import Evidence, Finding, Verdict, seed_of
from wnverify.numerics import matrices
from wnverify.numerics.edges import conditioning, undefined
from wnverify.numerics.judge import Implementation, Subject, attempt, distance, finding, judge, said, subject_of
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.oracles.gradients import JacobianReport, check_backward
from wnverify.oracles.ratio import Ratio, map_model

DTYPES: Final = ("float64", "float32")
ENCLOSED_ROWS: Final = 4
ENCLOSED_QUICK: Final = 6


def numerics(
    method_id: str, seed: int = 0, quick: bool = False, implementation: Implementation | None = None
) -> list[Finding]:
    """Every finding on the numerics of one method of the catalogue.

    ``implementation`` (V (n, d) ↦ W, float64 and float32, differentiable) is judged in place of the method's own
    PyTorch module.  Findings: ``agreement.forward``, ``agreement.backward``, ``agreement.enclosure``, ``conditioning``
    and ``undefined``, one a dtype.  ``pass`` at ratio ≤ 1; ``fail`` where the ratio is at least 2 and half of the
    digits are lost, or something raises inside the domain; ``hazard`` between.  ``ValueError`` for an unknown method.
    """
    subject = subject_of(method_id, seed, quick, implementation)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        checks = (forward, backward, enclosure, conditioning, undefined)
        return [check(subject, dtype) for check in checks for dtype in DTYPES]
    finally:
        torch.set_num_threads(threads)


def forward(subject: Subject, dtype: str) -> Finding:
    """W against the reference, at typed matrices and at the worst of many small random ones."""

    def ratio_of(case: Typed) -> Ratio:
        error = subject.value(case.V, dtype) - subject.reference.forward(case.V)
        return matrices.forward_ratio(subject.id, case, error, dtype)

    typed, searched = subject.cases(dtype), subject.searched(dtype)
    routes = [
        judge(subject, dtype, "arithmetic", typed, ratio_of),
        judge(subject, dtype, "property search", searched, ratio_of),
    ]
    asked = "Is the value as near to the float64 reference, at the same input, as the map's conditioning allows?"
    return finding(subject, "agreement.forward", dtype, asked, routes, [*typed, *searched])


def backward(subject: Subject, dtype: str) -> Finding:
    """The gradient against the reference's, and in float64 against differences of the forward."""

    def ratio_of(case: Typed) -> Ratio:
        error = subject.gradient(case.V, case.A, dtype) - subject.reference.vjp(case.V, case.A)
        return matrices.backward_ratio(subject.id, case, error, dtype)

    typed, searched = subject.cases(dtype), subject.searched(dtype)
    routes = [
        judge(subject, dtype, "automatic differentiation", typed, ratio_of),
        judge(subject, dtype, "property search", searched, ratio_of),
    ]
    if dtype == "float64":
        # With two columns nothing moves after centring, and no error is small relative to a zero Jacobian.
        generic = [case for case in typed if case.name.startswith("generic") and 2 < case.V.shape[1] <= 40]
        routes.append(_by_differences(subject, generic))
    asked = "Is the gradient as near to the reference's, at the same input, as the map's conditioning allows?"
    return finding(subject, "agreement.backward", dtype, asked, routes, [*typed, *searched])


def _by_differences(subject: Subject, cases: list[Typed]) -> Evidence:
    """The backward against difference quotients of the forward, which know no formula."""
    reports, raised = {}, {}
    for case in cases:
        _, kappa = matrices.smallest(subject.id, case.V)
        condition = matrices.SECOND * float(kappa.max())
        model = map_model("float64", case.V.size, condition=condition, roundings=matrices.ROUNDINGS)
        seed, V = seed_of(subject.seed, "differences", case.name), torch.tensor(case.V)
        report = attempt(check_backward, subject.implementation, (V,), seed=seed, model=model)
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
    small = [case for case in subject.cases(dtype) if len(case.V) <= ENCLOSED_ROWS and case.V.shape[1] <= 9]
    cases = small[:ENCLOSED_QUICK] if subject.quick else small
    balls = {case.name: (subject.ball(case.V), subject.ball(case.V, case.A)) for case in cases}
    farthest = {"value": 0.0, "gradient": 0.0}

    def off(case: Typed, W: Matrix, G: Matrix, kind: str) -> tuple[Matrix, Ratio, Ratio]:
        """Entry by entry a proved bound of the error of W; W's and G's in units of what is modelled."""
        of_W, of_G = (distance(ball, X) for ball, X in zip(balls[case.name], (W, G), strict=True))
        gradient = matrices.backward_ratio(subject.id, case, of_G, kind)
        return of_W, matrices.forward_ratio(subject.id, case, of_W, kind), gradient

    def of_reference(case: Typed) -> Ratio:
        _, *both = off(case, subject.reference.forward(case.V), subject.reference.vjp(case.V, case.A), "float64")
        return max(both, key=lambda ratio: ratio.value)

    def of_implementation(case: Typed) -> Ratio:
        of_W, *both = off(case, subject.value(case.V, dtype), subject.gradient(case.V, case.A, dtype), dtype)
        farthest["value"] = max(farthest["value"], float(of_W.max()))
        farthest["gradient"] = max(farthest["gradient"], both[1].relative)
        return max(both, key=lambda ratio: ratio.value)

    judged = judge(subject, dtype, "enclosure", cases, of_implementation, of=f"PyTorch in {dtype}")
    reference = judge(subject, "float64", "enclosure", cases, of_reference, of="NumPy reference in float64")
    r, r_gradient = farthest["value"], farthest["gradient"]
    judged = dataclasses.replace(judged, figures={**judged.figures, "r": r, "r_gradient": r_gradient})
    proved = (
        f"proved at {judged.figures['cases']} inputs: every entry of the {dtype} value lies within r = {r:.2g} of "
        f"the exact one, the gradient within {r_gradient:.2g} ‖A‖ / σ"
    )
    asked = "How far, by a proved bound, are value and gradient from the exact ones, and does the model excuse it?"
    message = proved if judged.verdict is reference.verdict is Verdict.PASS else ""
    return finding(subject, "agreement.enclosure", dtype, asked, [judged, reference], cases, message)
