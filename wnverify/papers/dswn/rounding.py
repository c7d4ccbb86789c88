"""DSWN, eq. 6 in floating point: what the way through the eigenvectors of Σ loses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, encode_array, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.claims import Measured, Part, by_ratio, claim
from wnverify.papers.dswn.model_points import FULL_RANK


class Growth(NamedTuple):
    """How the residual grows with κ(Σ): by the eigenvectors of Σ, and by the singular vectors of V_C."""

    eigenvectors: Callable[[float], float]
    singular_vectors: Callable[[float], float]


def residual_bound(growth: float, n: int, d: int, u: float) -> float:
    """√n (u + γ̃_d) growth + 16 n u.

    The Σ that is decomposed is off by (u + γ̃_d) ‖Σ‖ in every eigenvalue, whatever the eigenvalue; P of it makes of
    that P δ P = κ (u + γ̃_d), in each of n directions.  The rest is the orthogonality of D and the products.
    """
    return math.sqrt(n) * (u + probabilistic_gamma(d, u)) * growth + 16 * n * u


LEAST: Final = 0.01
"""The largest residual of a few V is at least this times κ u, if it grows like κ u."""
SIZES: Final = ((2, 3), (3, 8), (6, 24))
KAPPAS: Final = {"float64": (1.0, 1e3, 1e6, 1e9, 1e12), "float32": (1.0, 1e2, 1e4)}
"""Condition numbers of Σ, up to κ u of about 1e-3."""
GROWTH: Final = Growth(lambda kappa: kappa, lambda kappa: 1.0)


@claim(
    "DSWN-EQ6-NUM",
    place="eq. 6 (derived)",
    statement="How does ‖W G² Wᵀ − I‖_F of the eigendecomposition route grow with κ(Σ) in floating point? Answer: like "
    "κ(Σ) u = κ(V_C)² u: at most √n (u + γ̃_d) κ(Σ) + 16 n u, and of that order, so that from κ(V_C) = u^{-1/2} on no "
    "digit is left. That is a loss of the route: by the singular vectors of V_C the residual is of the order of u "
    "whatever κ.",
    hypotheses=(FULL_RANK,),
    reading="G = I; Σ formed, decomposed and multiplied in the dtype of V; Σ of prescribed condition number, its "
    "eigenvalues geometrically spaced; u of float64 and of float32.",
    formula=GROWTH,
    faults={
        "as the root of κ": GROWTH._replace(eigenvectors=math.sqrt),
        "not at all": GROWTH._replace(eigenvectors=lambda kappa: 1.0),
        "as the square of κ": GROWTH._replace(eigenvectors=lambda kappa: kappa * kappa),
        "as κ^{3/2}": GROWTH._replace(eigenvectors=lambda kappa: kappa**1.5),
        "as the logarithm of κ": GROWTH._replace(eigenvectors=lambda kappa: 1 + math.log(kappa)),
        "by singular vectors as well": GROWTH._replace(singular_vectors=lambda kappa: kappa),
    },
)
def residual(formula: Growth, quick: bool) -> Measured:
    sizes = SIZES[:2] if quick else SIZES
    parts = []
    for name, route, growth in (
        ("by the eigenvectors of Σ", by_eigenvectors, formula.eigenvectors),
        ("by the singular vectors of V_C", by_singular_vectors, formula.singular_vectors),
    ):
        points = [(*point, residual_of(route(point[-1]))) for point in _points(sizes)]
        parts.append(_above(name, growth, points))
        parts.append(_below(name, growth, points))
    return Measured(parts=parts, left_out=("n = 6, d = 24",) if quick else ())


def _points(sizes: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, int, int, float, Any]]:
    """(dtype, n, d, κ(Σ), V), three V each: V_C = A diag(s) Bᵀ rounded, s geometric from 1 to κ^{-1/2}."""
    import numpy as np

    for dtype, kappas in KAPPAS.items():
        for n, d in sizes:
            for kappa in kappas:
                for number in range(3):
                    rng = np.random.default_rng(seed_of("dswn", "rounding", dtype, n, d, kappa, number))
                    A, _ = np.linalg.qr(rng.standard_normal((n, n)))
                    B = rng.standard_normal((d, n))
                    B, _ = np.linalg.qr(B - B.mean(axis=0))
                    yield dtype, n, d, kappa, ((A * np.geomspace(1, kappa**-0.5, n)) @ B.T).astype(dtype)


def by_eigenvectors(V: Any) -> Any:
    """Eq. 6 with G = I, step by step as printed, in the dtype of V."""
    import numpy as np

    X = V - V.mean(axis=1, keepdims=True)
    lam, D = np.linalg.eigh(X @ X.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (D / np.sqrt(lam)) @ D.T @ X


def by_singular_vectors(V: Any) -> Any:
    """A Bᵀ of V_C = A diag(s) Bᵀ."""
    import numpy as np

    A, _, Bt = np.linalg.svd(V - V.mean(axis=1, keepdims=True), full_matrices=False)
    return A @ Bt


def residual_of(W: Any) -> float:
    """‖W Wᵀ − I‖_F of the floats of W, calculated exactly up to the last rounding."""
    import numpy as np

    if not np.isfinite(W).all():
        return math.inf
    rows = [[Fraction(float(x)) for x in row] for row in W]
    square = 0.0
    for i, row in enumerate(rows):
        for j, other in enumerate(rows[: i + 1]):
            entry = float(sum(x * y for x, y in zip(row, other, strict=True)) - (i == j))
            square += (1 if i == j else 2) * entry * entry
    return math.sqrt(square)


Seen = list[tuple[str, int, int, float, Any, float]]


def _above(name: str, growth: Callable[[float], float], points: Seen) -> Part:
    worst, least, witness = 0.0, math.inf, None
    for dtype, n, d, kappa, V, found in points:
        allowed = residual_bound(growth(kappa), n, d, unit_roundoff(dtype))
        least = min(least, allowed)
        if found / allowed > worst:
            worst = found / allowed
            witness = _witness(dtype, kappa, V, found) | {"allowed": float(f"{allowed:.4g}")}
    evidence: Evidence = by_ratio(
        "property search",
        worst,
        "float64 and float32, against the exact residual of the floats of W",
        power=REFUTES_FROM * least,
        model="√n (u + γ̃_d) × growth + 16 n u",
        figures={"points": len(points)},
    )
    return Part(f"{name}, at most", [evidence], witness)


def _below(name: str, growth: Callable[[float], float], points: Seen) -> Part:
    """The largest residual of the V of one dtype, n, d and κ is not far below growth × u."""
    groups: dict[tuple[str, int, int, float], tuple[float, Any]] = {}
    for dtype, n, d, kappa, V, found in points:
        groups[dtype, n, d, kappa] = max(groups.get((dtype, n, d, kappa), (0.0, V)), (found, V), key=lambda x: x[0])
    worst, witness = 0.0, None
    for (dtype, _, _, kappa), (found, V) in groups.items():
        asked = LEAST * growth(kappa) * unit_roundoff(dtype)
        ratio = asked / found if found else math.inf
        if ratio > worst:
            worst = ratio
            witness = _witness(dtype, kappa, V, found) | {"at least asked for": float(f"{asked:.4g}")}
    note = f"the largest of three residuals is at least {LEAST} × growth × u"
    evidence = by_ratio("property search", worst, note, power=REFUTES_FROM, model="a hundredth of growth × u")
    return Part(f"{name}, of that order", [evidence], witness)


def _witness(dtype: str, kappa: float, V: Any, found: float) -> dict[str, Json]:
    return {"V": encode_array(V), "dtype": dtype, "kappa(Σ)": kappa, "residual": float(f"{found:.4g}")}
