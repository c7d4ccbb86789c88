"""L1,∞ weight normalization, Theorem 1: what its conditions cρ ≥ 1 and x ∈ [−1, 1]^{m1} do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.theorem1_bounds import Bound, Terms, first, quotient, second, value

Admits = Callable[[int, Fraction], bool]
CONSTANTS_TRIED: Final = tuple(
    Fraction(p, q) for p, q in ((1, 1000), (1, 10), (1, 2), (9, 10), (1, 1), (11, 10), (4, 1))
)


@claim(
    "L1-TH1-COND",
    place="Thm 1",
    statement="cρ ≥ 1 cannot be dropped from the second bound for any k ≥ 1: as cρ → 0 the bound tends to 0, while the "
    "output bias alone gives R̂_S ≥ o E|Σ ε_i| / n. It is sufficient, empty at k = 0, and not the exact limit.",
    hypotheses=("k ≥ 0, c > 0, o > 0", "σ ρ-Lipschitz, σ(0) = 0"),
    reading="where the condition is met the bound holds; for each k ≥ 1 it excludes a cρ at which the bound fails.",
    formula=lambda k, c_rho: c_rho >= 1,
    faults={
        "no condition": lambda k, c_rho: True,
        "cρ ≥ 1/10": lambda k, c_rho: c_rho >= Fraction(1, 10),
        "cρ ≤ 1": lambda k, c_rho: c_rho <= 1,
        "needed at k = 1 alone": lambda k, c_rho: k > 1 or c_rho >= 1,
        "cρ ≥ 1/2": lambda k, c_rho: c_rho >= Fraction(1, 2),
    },
)
def role_of_the_constant(formula: Admits, quick: bool) -> Measured:
    depths = (0, 1, 2, 5) if quick else (0, 1, 2, 5, 10, 30)
    broken = {(k, r): _fails(k, r) for k in depths for r in CONSTANTS_TRIED}
    admitted = [where for where in broken if formula(*where)]
    wrong = next((where for where in admitted if broken[where]), None)
    not_excluded = [k for k in depths if k and not any(broken[k, r] and not formula(k, r) for r in CONSTANTS_TRIED)]
    shown = wrong or next((where for where in broken if broken[where] and where[0] in not_excluded), None)
    proved = all(_within_the_proof(k, r) for k, r in admitted)
    limit = _sufficient(1, 1)
    return Measured(
        parts=[
            Part(
                "sufficient",
                [
                    said(
                        "exact",
                        wrong is None,
                        f"n = 1, x = 1: o max_j (cρ)^j against the bound, k in {depths}",
                        power=0.0,
                    ),
                    said("property search", proved or None, "the sharper bound is below the printed one", power=0.0),
                ],
                _broken(shown) if shown else None,
            ),
            Part(
                "needed for every k ≥ 1",
                [said("exact", not not_excluded, "n = 1: a network with the output bias alone has R̂_S = o", power=0.0)],
                _broken(shown) if shown else None,
            ),
        ],
        message=f"At k = 0 it is empty. At k = 1, m1 = 1 the second bound still holds from cρ = {limit:.4f} on.",
        left_out=("k > 5",) if quick else (),
    )


def _fails(k: int, c_rho: Fraction) -> bool:
    """The second bound is below R̂_S of one sample x = 1 (o = ρ = 1), which is the range max_j (cρ)^j."""
    return value(second, k, float(c_rho)) < max(1.0, float(c_rho) ** k)


def _within_the_proof(k: int, c_rho: Fraction) -> bool:
    a = float(c_rho)
    return all(_ratio(k, m1) * max(1.0, a**k) <= a**k for m1 in (1, 2, 10, 10**6))


def _ratio(k: int, m1: int) -> float:
    sharper = math.sqrt(2 * ((k + 1) * math.log(2) + math.log(m1 + 2)))
    return sharper / (math.sqrt((k + 3) * math.log(4)) + math.sqrt(2 * math.log(2 * m1)))


def _sufficient(k: int, m1: int) -> float:
    """From this cρ on the sharper bound, max_j (cρ)^j times a root, is at most (cρ)^k times the two printed roots."""
    return float(_ratio(k, m1) ** (1 / k))


def _broken(where: tuple[int, Fraction]) -> Json:
    k, c_rho = where
    complexity = max(1.0, float(c_rho) ** k)
    at = value(second, k, float(c_rho))
    return {"k": k, "c rho": str(c_rho), "n": 1, "X": [[1]], "o": 1, "complexity": complexity, "second bound": at}


@claim(
    "L1-TH1-CUBE",
    place="Sec. 3 (implied)",
    statement="Theorem 1 needs the cube: for |x_ij| ≤ B its bounds hold once the terms of the input, those with the "
    "single (cρ)^k in the first and the whole of the second, are multiplied by max(B, 1), without which they fail.",
    hypotheses=("k ≥ 0, c > 0, o > 0", "σ ρ-Lipschitz, σ(0) = 0", "|x_ij| ≤ B"),
    formula=lambda B: max(B, 1.0),
    faults={
        "no condition": lambda B: 1.0,
        "√B": lambda B: math.sqrt(max(B, 1.0)),
        "log B": lambda B: 1 + math.log(max(B, 1.0)),
        "max(B, 1) / 8": lambda B: max(B, 1.0) / 8,
    },
)
def role_of_the_cube(formula: Callable[[float], float], quick: bool) -> Measured:
    import numpy as np

    from wnverify.theory.network import NetworkClass
    from wnverify.theory.rademacher import feature_matrix, sign_vectors

    worst, witness = 0.0, None
    samples = ([[1.0]], [[1.0], [-1.0]], [[1.0, 1.0], [1.0, -1.0], [-1.0, 0.5]])
    for B, X, k in itertools.product((0.25, 1.0, 5.0, 100.0), samples, (0, 1)):
        scaled = B * np.array(X)
        n, m1 = scaled.shape
        F = feature_matrix(NetworkClass(k, 1.0), scaled)
        complexity = float(np.abs(sign_vectors(0, 1 << (n - 1), n) @ F).max(axis=1).mean()) / n
        for name, bound in (("first", first), ("second", second)):
            at = _stretched(bound, formula(B), k, n, m1)
            if quotient(complexity, at) > worst:
                worst = quotient(complexity, at)
                witness = {"B": B, "k": k, "c": 1, "o": 1, "X": scaled.tolist(), "complexity": complexity, name: at}
    beyond = quotient(5.0, value(first, 0, 1.0))
    note = f"|x| ≤ 100, k ≤ 1; the largest is {worst:.3f} of the bound"
    return Measured(
        parts=[
            Part("with the factor it holds", [said("exact", worst <= 1, note, power=max(1 - worst, 0.0))], witness),
            Part(
                "without it it fails",
                [
                    said(
                        "exact",
                        beyond > 1,
                        f"k = 0, n = 1, x = 5: R̂_S = 5 o is {beyond:.3f} of the first bound",
                        power=0.0,
                    )
                ],
                {"k": 0, "X": [[5]], "complexity": 5},
            ),
        ],
        message="In the proof B enters the input's branch alone: "
        "E exp(λ a_k max_j |Σ ε_i x_ij|) ≤ 2 m1 exp(λ² a_k² B² n / 2).",
    )


def _stretched(bound: Bound, factor: float, k: int, n: int, m1: int) -> float:
    """The bound at c = o = 1 with every term of the input multiplied."""
    if bound is second:
        return factor * value(second, k, 1.0, n, m1)
    biases = first(Terms(k, k + 1, 0.0, n, m1, 1.0))
    return float(biases + factor * (value(first, k, 1.0, n, m1) - biases))
