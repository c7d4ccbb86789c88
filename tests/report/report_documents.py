"""A synthetic results document with every kind, every verdict and every shape of evidence that views must show."""

from __future__ import annotations

from typing import Any

from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.report.results import Document, document

EVIL = "<script>alert(1)</script>"
FAMILIES = {
    "contract": ("shape", "dtype", "inverse"),
    "property": ("unit_norm_rows", "scale_invariant", "odd"),
    "gradient": ("vjp", "jvp", "double_backward", "radial"),
    "edge": ("zero_row", "constant_row", "subnormal", "huge"),
    "precision": ("float32", "bfloat16", "accumulation"),
}
CHECKS = [f"{family}.{name}" for family, names in FAMILIES.items() for name in names]
ENVIRONMENT = {
    "python": "3.11.4",
    "platform": "Linux-6.1-x86_64",
    "cpu": "Imaginary 3000",
    "versions": {"numpy": "2.1.0", "torch": "2.9.0", "scipy": None},
    "date": "2031-05-04T10:11:12+00:00",
}
_WRONG = (Verdict.FAIL, Verdict.HAZARD, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.BLOCKED, Verdict.ERROR)
_CLAIMS = (
    *(Verdict.REFUTED, Verdict.INCONSISTENT, Verdict.AMBIGUOUS, Verdict.UNDECIDED, Verdict.HOLDS_UNDER, Verdict.ERROR),
    *(Verdict.HOLDS,) * 8,
)


def array(rows: int, columns: int, dtype: str = "float64") -> dict[str, Json]:
    """An array record as ``encode_array`` writes it."""
    values = [((7 * i) % 11 - 5) / 3 for i in range(rows * columns)]
    return {
        "dtype": dtype,
        "shape": [rows, columns],
        "strides": [columns, 1],
        "hex": [value.hex() for value in values],
        "decimal": [float(f"{value:.6g}") for value in values],
    }


def evidence(verdict: Verdict, *key: object, route: str = "differences", **figures: Json) -> Evidence:
    """One route with a ratio that fits its verdict."""
    small = 10.0 ** -(1 + seed_of(*key) % 3)
    ratio = small if verdict in (Verdict.PASS, Verdict.HOLDS) else 1e4 * small
    note = f"compared {seed_of(*key) % 90 + 10} probes with central differences"
    model = "condition number × unit roundoff × √n"
    return Evidence(
        route=route, verdict=verdict, note=note, ratio=ratio, power=small * 1e-6, model=model, figures=figures
    )


def check(subject: str, name: str, verdict: Verdict, case: str = "float32-4x6") -> Finding:
    """One finding of an audit."""
    wrong = verdict is not Verdict.PASS
    return Finding(
        kind="check",
        id=f"check/{subject}/{name}/{case}",
        subject=subject,
        check=name,
        verdict=verdict,
        statement=f"Is {name.split('.')[1].replace('_', ' ')} as it should be on {case}?",
        message=f"W[2, :] of {subject} is off by 0.31 in its largest entry" if wrong else "",
        routes=(evidence(verdict, subject, name, case, cases=40, probes=[1, 2, 3]),),
        witness={"V": array(2, 3), "cotangent": array(2, 3), "eps": 1e-6} if wrong else None,
        replay=f"python -m wnverify audit {subject} --only {name} --case {case}" if wrong else None,
        conditions=("rows ≤ columns",) if wrong else (),
        place="W[2, :]" if wrong else None,
    )


def description(subject: str) -> Finding:
    """What a subject declared and what was discovered."""
    figures: dict[str, Json] = {
        "kind": "parametrization",
        "declared": {"unit_norm_rows": True, "constant_norm_rows": 2.5},
        "discovered": ["scale_invariant", "odd"],
        "domain": {"min_row_norm": 1e-8},
    }
    route = Evidence(route="reading", verdict=Verdict.PASS, figures=figures)
    return Finding(
        kind="check",
        id=f"check/{subject}/subject.description",
        subject=subject,
        check="subject.description",
        verdict=Verdict.PASS,
        statement="What does the subject say of itself?",
        routes=(route,),
    )


def audit(subject: str, cases: int = 3, flaws: int = 0) -> list[Finding]:
    """An audited subject: all checks × ``cases``, of which ``flaws`` are no pass."""
    names = [(name, f"float32-{4 + case}x6") for name in CHECKS for case in range(cases)]
    step = max(1, len(names) // max(flaws, 1))
    flawed = {names[(i * step) % len(names)]: _WRONG[i % len(_WRONG)] for i in range(flaws)}
    found = [check(subject, name, flawed.get((name, case), Verdict.PASS), case) for name, case in names]
    return [description(subject), *found]


def claim(paper: str, index: int, verdict: Verdict, kind: str = "claim") -> Finding:
    """One statement of a paper."""
    wrong = verdict is not Verdict.HOLDS
    text = f"For every V with zero-mean rows and every a > 0, statement {index} says that ∂L/∂V is orthogonal to V" + (
        " and that its norm is ‖∂L/∂W‖ divided by ‖V‖, which the appendix of the paper uses to bound the step size "
        "of gradient descent along a radial direction from above" * (index % 3 == 0)
    )
    note = "read as a statement on one row"
    readings = (
        {"reading": "for one row", "verdict": "holds", "note": note},
        {"reading": "for V", "verdict": "refuted"},
    )
    return Finding(
        kind=kind,
        id=f"{kind}/{paper}/eq-{index:02d}",
        subject=paper,
        check=f"eq-{index:02d}",
        verdict=verdict,
        statement=text + ".",
        message=f"at a = 2 the left side of equation ({index}) is 0.5 and the right side 2" if wrong else "",
        conditions=("V has no zero row", "Σ has full rank") if verdict is Verdict.HOLDS_UNDER else (),
        routes=(
            evidence(verdict, paper, index, route="exact"),
            evidence(verdict, paper, index, 1, route="property search", examples=200),
        )[: 1 + index % 2],
        witness={"V": array(2, 2)} if verdict is Verdict.REFUTED else None,
        corrected="The norm is ‖(I − wwᵀ) ∂L/∂W‖ / ‖V‖." if verdict is Verdict.REFUTED else None,
        replay=f"python -m wnverify claims {paper} --only eq-{index:02d}",
        place=f"eq. ({index}), p. {index // 4 + 1}",
        strength=("proved", "certified", "tested")[index % 3] if verdict is Verdict.HOLDS else None,
        readings=readings if verdict is Verdict.AMBIGUOUS else (),
    )


def method(name: str, wrong: bool = False) -> list[Finding]:
    """A method's numerics: agreement and conditioning in four dtypes."""
    found = []
    for dtype, u in (("float64", 1.1e-16), ("float32", 6e-8), ("float16", 4.9e-4), ("bfloat16", 3.9e-3)):
        condition: list[Json] = [10.0**power for power in range(0, 9, 2)]
        error = [u * float(c) * 0.1 * (1 + seed_of(name, dtype, c) % 5) for c in condition]  # type: ignore[arg-type]
        modelled = [u * float(c) for c in condition]  # type: ignore[arg-type]
        curves = {"condition": condition, "error": error, "modelled": modelled}
        for which in ("agreement.forward", "agreement.backward", "conditioning"):
            verdict = Verdict.FAIL if wrong and dtype == "bfloat16" and which != "conditioning" else Verdict.PASS
            found.append(
                Finding(
                    kind="method",
                    id=f"method/{name}/{which}/{dtype}",
                    subject=name,
                    check=which,
                    verdict=verdict,
                    statement=f"Does {name} agree with its reference in {dtype}?",
                    message="summed in bfloat16" if verdict is Verdict.FAIL else "",
                    replay=f"python -m wnverify numerics {name} --dtype {dtype}",
                    routes=(evidence(verdict, name, dtype, which, **(curves if which == "conditioning" else {})),),  # type: ignore[arg-type]
                )
            )
    return found


def selftest(faults: int = 55, missed: int = 1, right: int = 20, alarms: int = 0) -> list[Finding]:
    """The kill matrix."""
    found = []
    for index in range(faults + right):
        planted = index < faults
        meant = CHECKS[index % len(CHECKS)]
        good = not (index < missed if planted else index - faults < alarms)
        sheet: dict[str, Json] = dict.fromkeys(CHECKS, "pass")
        if planted == good:
            sheet[meant] = "fail"
        if planted and index % 4 == 0:
            sheet[CHECKS[(index + 3) % len(CHECKS)]] = "hazard"
        name = "selftest.kill" if planted else "selftest.silent"
        case = f"fault-{index:02d}.{meant}" if planted else f"right-{index}"
        figures: dict[str, Json] = {"meant": meant if planted else None, "sheet": sheet, "note": "a sign is wrong"}
        verdict = Verdict.PASS if good else Verdict.FAIL
        found.append(
            Finding(
                kind="check",
                id=f"check/selftest/{name}/{case}",
                subject="selftest",
                check=name,
                verdict=verdict,
                statement="Is the planted fault caught?" if planted else "Does every check stay silent?",
                message="" if good else f"{meant} {'passed a wrong' if planted else 'accused a right'} variant",
                replay="python -m wnverify selftest --only " + case,
                routes=(Evidence(route="arithmetic", verdict=verdict, figures=figures),),
            )
        )
    return found


def benchmark() -> list[Finding]:
    """Two comparisons with a peer."""
    return [
        Finding(
            kind="benchmark",
            id=f"benchmark/weight_normalization/{name}/1024x1024",
            subject="weight_normalization",
            check=name,
            verdict=verdict,
            statement=f"Is the {name.split('.')[1]} as fast as the peer's?",
            message="" if verdict is Verdict.PASS else "1.8 times slower than the peer",
            replay="python -m wnverify benchmark",
            routes=(Evidence(route="arithmetic", verdict=verdict, figures={"seconds": 0.0123, "ratio to peer": 0.97}),),
        )
        for name, verdict in (("speed.forward", Verdict.PASS), ("speed.backward", Verdict.HAZARD))
    ]


def realistic(subjects: int = 4, cases: int = 3) -> Document:
    """A whole report: papers, theory, an experiment, methods, audits, selftest, benchmarks."""
    findings = [claim(paper, i, _CLAIMS[i % len(_CLAIMS)]) for paper in ("wn", "cwn", "own") for i in range(14)]
    findings += [claim("rademacher", 1, Verdict.HOLDS, "theory"), claim("training", 1, Verdict.UNDECIDED, "experiment")]
    for prefix in ("", "centred_", "orthogonal_"):
        findings += method(f"{prefix}weight_normalization", wrong=prefix == "orthogonal_")
    for index in range(subjects):
        findings += audit(f"variant_{index}", cases, flaws=3 * (index % 3))
    findings += selftest() + benchmark()
    coverage: dict[str, dict[str, Any]] = {
        "wn": {"rows": 14, "decided": 13, "title": "Weight normalization"},
        "cwn": {"rows": 16, "decided": 13, "title": "Centred weight normalization", "subjects": ["variant_1"]},
        "own": {"rows": 15, "decided": 13, "title": "Orthogonal weight normalization"},
        "silent": {"rows": 5, "decided": 0, "title": "A paper whose statements were not run"},
    }
    timing = {"total": 12.5, "audit": {"variant_0": 1.25, "variant_1": 2.5}}
    parts = {"report": {"source": "a" * 64}}
    return document(findings, environment=ENVIRONMENT, timing=timing, coverage=coverage, parts=parts)
