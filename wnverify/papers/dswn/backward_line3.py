"""DSWN, eq. 12, line 3, given the lines before it, and where the symmetric part is needed.

X̄ = P A G^{-T} + 2 Σ̄_s X comes down to V as it is, the mean as (1/d) c̄ᵀ 1ᵀ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Evidence
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED, LOSS, equal
from wnverify.papers.dswn.backward_eq12 import DISTINCT, GIVEN, LEFT_OUT, gradient_by_sympy, in_symbols

VLine = Callable[[Point, Any, Any], Any]


def _third(p: Point, c_bar: Any) -> Any:
    return c_bar.T @ p.one.T / p.d


def _mended_but(first: Callable[[Point], Any], second: Callable[[Any], Any], third: Any = _third) -> VLine:
    return lambda p, S, c_bar: first(p) + 2 * second(S) @ p.V_C + third(p, c_bar)


def right_first(p: Point) -> Any:
    return p.D @ p.minus_half @ p.D.T @ p.A @ p.G_inv.T


V_FAULTS: Final[Mapping[str, VLine]] = {
    "only Dᵀ mended": _mended_but(right_first, lambda S: S.T),
    "only the symmetric part mended": _mended_but(
        lambda p: p.D @ p.minus_half @ p.D @ p.A @ p.G_inv.T, chain.symmetric
    ),
    "∂L/∂Σ untransposed": _mended_but(right_first, lambda S: S),
    "G^{-1} on the wrong side of a transpose": _mended_but(
        lambda p: p.D @ p.minus_half @ p.D.T @ p.A @ p.G_inv, chain.symmetric
    ),
    "1/d missing": _mended_but(right_first, chain.symmetric, lambda p, c_bar: c_bar.T @ p.one.T),
    "the sign of the mean term": _mended_but(right_first, chain.symmetric, lambda p, c_bar: -_third(p, c_bar)),
    "no 2": _mended_but(right_first, lambda S: chain.symmetric(S) / 2),
}


@claim(
    "DSWN-EQ12-V",
    place="eq. 12, line 3",
    statement="∂L/∂V = D Λ^{-1/2} D A G^{-1} + 2 (∂L/∂Σ)ᵀ (V − c 1ᵀ) + (1/d) (∂L/∂c)ᵀ 1ᵀ.",
    hypotheses=(LOSS, DEFINED, GIVEN, DISTINCT),
    reading="to the letter. The third term is right. The first is right if D = Dᵀ and G = Gᵀ, the second if ∂L/∂Σ, "
    "which line 1 leaves unsymmetric, happens to be symmetric.",
    formula=chain.line_v,
    faults=V_FAULTS,
    corrected="∂L/∂V = D Λ^{-1/2} Dᵀ A G^{-T} + 2 (∂L/∂Σ)_s (V − c 1ᵀ) + (1/d) (∂L/∂c)ᵀ 1ᵀ; G^{-T} = G^{-1} for the "
    "diagonal G of eq. 9",
    corrected_formula=chain.mended_v,
)
def by_the_proxy(formula: VLine, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "∂L/∂V", chain.chain(p, formula), truth.gradient(p)

    exact, witness = truth.by_exact(chain.points(quick), sides, "dL along every entry of V, no eigenvectors")
    evidence: list[Evidence] = [_line_in_symbols(formula), exact]
    if not quick:
        evidence += further(lambda p: chain.chain(p, formula), OWN, "full", False)[0]
    left_out = ("series in balls, differences, reverse and forward mode", *LEFT_OUT) if quick else ()
    return Measured(parts=[Part("eq. 12, line 3", evidence, witness)], left_out=left_out)


OWN: Final = routes.Method("W = φ(V) G^{-1}", routes.fixed)


def further(
    formula: routes.Formula, method: routes.Method, kind: str, quick: bool, chosen: Sequence[Point] | None = None
) -> tuple[list[Evidence], Any]:
    """The routes of ``backward_routes`` and the witness of the enclosure; the enclosure alone in quick mode."""
    series, witness = routes.by_series(formula, method, kind, quick)
    if quick:
        return [series], witness
    if chosen is None:
        chosen = [p for p in chain.points() if p.kind == kind and not p.name.startswith("condition") and p.K.size > 1]
    return [
        series,
        routes.by_differences(formula, method, chosen),
        *routes.by_automatic(formula, method, chosen),
    ], witness


def _line_in_symbols(formula: VLine) -> Evidence:
    """Line 3 with the true ∂L/∂c, against SymPy's derivative of L̃(V, c(V))."""
    p, S, _, loss = in_symbols(False)
    first, second = chain.line_c(p, S)
    holds = equal(formula(p, S, first + second), gradient_by_sympy(loss, p.V))
    return said("symbolic", holds, "n = 2, d = 3, V, A, ∂L/∂Σ and Λ free", power=0.0)


@claim(
    "DSWN-EQ12-SYM",
    place="after eq. 12",
    statement="Eq. 12 works with the symmetric part of ∂L/∂Σ, ½((∂L/∂Σ)ᵀ + ∂L/∂Σ).",
    hypotheses=(LOSS, DEFINED, DISTINCT),
    reading="judged by whether ∂L/∂V is right, D Λ^{-1/2} Dᵀ being put in the first term of line 3 so that only this "
    "is asked. The symmetric part is needed in line 3, and idle in line 2, where the s stands and the term is 0.",
    formula={
        "only where s is printed, in line 2; line 3 has the transpose": (chain.symmetric, lambda S: S.T),
        "wherever eq. 12 uses ∂L/∂Σ, line 3 included": (chain.symmetric, chain.symmetric),
    },
    faults={
        "only in line 2, line 3 with ∂L/∂Σ itself": {"one": (chain.symmetric, lambda S: S)},
        "the skew part": {"one": (lambda S: (S - S.T) / 2,) * 2},
        "the sum without ½": {"one": (chain.symmetric, lambda S: S + S.T)},
    },
)
def where_symmetrised(formula: Mapping[str, tuple[Any, Any]], quick: bool) -> Measured:
    readings = []
    for text, (in_line_2, in_line_3) in formula.items():

        def whole(p: Point, two: Any = in_line_2, three: Any = in_line_3) -> Any:
            S = chain.sigma_bar(p)
            c_bar = -(p.one.T @ p.G_inv @ p.A.T @ p.P) - 2 * (p.one.T @ p.V_C.T @ two(S))
            return _mended_but(right_first, three)(p, S, c_bar)

        def sides(p: Point, whole: Any = whole) -> Iterator[tuple[str, Any, Any]]:
            yield "∂L/∂V", whole(p), truth.gradient(p)

        exact, witness = truth.by_exact(chain.points(quick), sides, "dL along every entry of V")
        readings.append(Reading(text, [Part("∂L/∂V", [exact, *further(whole, OWN, "diagonal", quick)[0]], witness)]))

    def idle(p: Point) -> Iterator[tuple[str, Any, Any]]:
        S = chain.sigma_bar(p)
        yield "line 2", chain.line_c(p, S)[1], -2 * (p.one.T @ p.V_C.T @ S)

    unchanged, _ = truth.by_exact(chain.points(quick), idle, "line 2 with and without s")
    message = f"Line 2 is the same with the symmetric part and without: {unchanged.verdict}."
    return Measured(readings=readings, message=message, left_out=LEFT_OUT if quick else ())
