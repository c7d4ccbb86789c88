"""DSWN, eq. 12 at equal eigenvalues and near them.

With M = Dᵀ A Wᵀ D, the skew part that Kᵀ ⊙ (Dᵀ ∂L/∂D) leaves after symmetrising holds √λ_i − √λ_j once above and once
below.  Cancelled by hand it is −½ (M_ij/√λ_i + M_ji/√λ_j) / (√λ_i + √λ_j), the Lyapunov form, which knows no gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED, LOSS, equal, free
from wnverify.papers.dswn.backward_eq12 import tied
from wnverify.papers.dswn.backward_line3 import OWN, right_first
from wnverify.papers.dswn.model_points import balls


class Answer(NamedTuple):
    """An entry of Dᵀ (∂L/∂Σ)_s D from M_ij, M_ji, √λ_i, √λ_j; whether eq. 12 is defined on a tie; whether K_ij = 0 on
    ties makes the gradient; the powers of 1/gap by which line 3, to the letter and mended, grows."""

    entry: Callable[[Any, Any, Any, Any], Any]
    defined_on_ties: bool
    zero_on_ties_is_the_gradient: bool
    growth_to_the_letter: int
    growth_mended: int


def _lyapunov(m: Any, n: Any, r: Any, s: Any) -> Any:
    return -(m / r + n / s) / (r + s) / 2


ANSWER: Final = Answer(_lyapunov, False, False, 1, 0)


@claim(
    "DSWN-EQ12-REP",
    place="eq. 12 + $K$ (derived)",
    statement="Where eigenvalues of Σ agree, K and with it eq. 12 is undefined, though φ is differentiable: with M = "
    "Dᵀ A Wᵀ D, Dᵀ (∂L/∂Σ)_s D has the entries −½ (M_ij/√λ_i + M_ji/√λ_j) / (√λ_i + √λ_j), on ties as off them. "
    "Setting K_ij = 0 on ties does not give the gradient. Towards a tie line 3 of eq. 12 to the letter grows like "
    "1/(λ_i − λ_j); with (∂L/∂Σ)_s and Dᵀ it stays bounded, in exact arithmetic.",
    hypotheses=(LOSS, DEFINED),
    reading="an answer to a question that the paper leaves open.",
    formula=ANSWER,
    faults={
        "0 for the entry on every pair": ANSWER._replace(entry=lambda m, n, r, s: 0 * m),
        "twice the entry": ANSWER._replace(entry=lambda m, n, r, s: 2 * _lyapunov(m, n, r, s)),
        "M_ij and M_ji exchanged": ANSWER._replace(entry=lambda m, n, r, s: _lyapunov(n, m, r, s)),
        "the entry with the roots' difference": ANSWER._replace(
            entry=lambda m, n, r, s: -(m / r - n / s) / (r + s) / 2
        ),
        "eq. 12 is defined on ties": ANSWER._replace(defined_on_ties=True),
        "K_ij = 0 is the gradient": ANSWER._replace(zero_on_ties_is_the_gradient=True),
        "the letter stays bounded": ANSWER._replace(growth_to_the_letter=0),
        "the mended line grows": ANSWER._replace(growth_mended=1),
    },
)
def on_ties(formula: Answer, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "(∂L/∂Σ)_s", _from_entries(formula, p), truth.sigma_gradient(p)

    ties = [tied(), chain.point("n = 3", (2, 2, 1), "diagonal"), chain.point("rotation", (3, 3), "full")]
    off, off_witness = truth.by_exact(chain.points(quick), sides, "dL along every symmetric dΣ")
    on, on_witness = truth.by_exact(ties[: 1 if quick else 3], sides, "dL along every symmetric dΣ")
    return Measured(
        parts=[
            Part("off ties", [_in_symbols(formula), off], off_witness),
            Part("on ties", [on], on_witness),
            _by_taylor(formula),
            _defined(formula),
            _zero_on_ties(formula),
            *_growth(formula),
        ],
        left_out=("points of three rows and with G ≠ I",) if quick else (),
    )


def _from_entries(formula: Answer, p: Point) -> Any:
    import numpy as np

    M, roots = p.D.T @ p.A @ p.W.T @ p.D, p.half.diagonal()
    inner = M * 0
    for i, j in np.ndindex(M.shape):
        inner[i, j] = formula.entry(M[i, j], M[j, i], roots[i], roots[j])
    return p.D @ inner @ p.D.T


def _in_symbols(formula: Answer) -> Evidence:
    """The entry against the symmetric part of eq. 12, line 1, for M and two roots free, D = I."""
    import numpy as np

    M, roots = free("m:4", "r:2")
    M, eye = M.reshape(2, 2), np.eye(2, dtype=object)
    p = chain.from_parts("symbols", "identity", eye, chain.diagonal(roots), eye, roots, eye, M).but(phi=eye, W=eye)
    holds = equal(_from_entries(formula, p), chain.symmetric(chain.sigma_bar(p)))
    return said("symbolic", holds, "the symmetric part of eq. 12, line 1, M and Λ free", power=0.0)


def _by_taylor(formula: Answer) -> Part:
    """∂L/∂V at a tie of two rows: the Lyapunov form against series in balls."""
    p = tied()
    with routes.at_precision():
        true = routes.taylor_gradient(p.mapped(balls), OWN, balls(p.A), balls(p.A * 0))
        claimed = balls(_gradient(p, _from_entries(formula, p)))
        off = (true - claimed).reshape(-1)
        widest = max(float(x.rad()) for x in off)
        holds = all(x.contains(0) for x in off) and widest <= routes.WIDEST
    note = "∂L/∂V of two rows from series in balls, Σ^{-1/2} in closed form; it is finite"
    shown: Json = {"V": [[str(x) for x in row] for row in p.V], "A": [[str(x) for x in row] for row in p.A]}
    return Part("∂L/∂V on a tie of two rows", [said("enclosure", holds, note, power=widest)], shown)


def _gradient(p: Point, sigma: Any) -> Any:
    G = right_first(p) + 2 * sigma @ p.V_C
    return G - right_first(p) @ p.one @ p.one.T / p.d


def _defined(formula: Answer) -> Part:
    p = tied()
    try:
        chain.sigma_bar(p.but(K=chain.reciprocal_differences(p.eigenvalues)))
        defined = True
    except ZeroDivisionError:
        defined = False
    witness: Json = {"λ": [str(x) for x in p.eigenvalues], "λ_1 − λ_2": "0", "K_12": "1/0"}
    evidence = said("exact", defined is formula.defined_on_ties, "K_12 is 1/0 for λ_1 = λ_2", power=0.0)
    return Part("eq. 12 on ties", [evidence], witness)


def _zero_on_ties(formula: Answer) -> Part:
    """K = 0 on the tie λ_1 = λ_2 = 1, with two choices of D, between which Σ does not decide."""
    found = []
    for turn in ("standard basis", "rotation"):
        p = chain.point(turn, (1, 1))
        zero = chain.chain(p.but(K=p.eye * 0), chain.mended_v)
        found.append(((zero == truth.gradient(p)).all(), zero, p))
    gives = all(same for same, _, _ in found)
    depends = bool((found[0][1] != found[1][1]).any())
    _, zero, p = found[0]
    note = f"not even one value: it depends on the choice of D: {depends}"
    evidence = said("exact", bool(gives) is formula.zero_on_ties_is_the_gradient, note, power=0.0)
    return Part("K_ij = 0 on ties", [evidence], truth.witness(p, "∂L/∂V (K = 0)", zero, truth.gradient(p)))


def _growth(formula: Answer) -> Iterator[Part]:
    """log2 of what ‖∂L/∂V‖ gains per halving of the gap, between gaps of about 2^-10 and 2^-20."""
    for name, line, power in (
        ("growth to the letter", chain.line_v, formula.growth_to_the_letter),
        ("growth when mended", chain.mended_v, formula.growth_mended),
    ):
        sizes = []
        for bits in (10, 20):
            p = chain.point("rotation", (1, 1 + Fraction(1, 2**bits)))
            sizes.append(math.sqrt(float((chain.chain(p, line) ** 2).sum())))
        seen = math.log2(sizes[1] / sizes[0]) / 10
        figures: dict[str, Json] = {"‖∂L/∂V‖ at gaps 2^-10, 2^-20": [float(f"{x:.6g}") for x in sizes]}
        evidence = said("exact", abs(seen - power) < 0.1, f"power {seen:.3f} of 1/gap", power=0.1, figures=figures)
        yield Part(name, [evidence], {"roots": "1, 1 + 2^-10 and 1, 1 + 2^-20", **figures})
