"""DSWN, eqs. 11 and 12 as a whole: do they give ∂L/∂V for a constant G?

To the letter they give it for none.  With line 3 of eq. 12 mended they do for a constant diagonal G.  For
DSWN-NM and DSWN-SM see ``backward_structured``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from wnverify.papers.claims import Measured, Part, Reading, claim
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED
from wnverify.papers.dswn.backward_eq12 import DISTINCT
from wnverify.papers.dswn.backward_line3 import OWN, further

Chain = Callable[[Point], Any]
Readings = Mapping[str, Chain]
SMOOTH: Final = "L is a differentiable function of W; A = ∂L/∂W"
GIVEN: Final = (SMOOTH, DEFINED, DISTINCT)


def terms(p: Point, *, left: str = "Dᵀ", inner: str = "s") -> Any:
    """The chain with the second D of line 3 as "D" or "Dᵀ", with ∂L/∂Σ there as "T" or "s", and G^{-1} as printed."""
    S = chain.sigma_bar(p)
    first, second = chain.line_c(p, S)
    turned = p.D if left == "D" else p.D.T
    within = S.T if inner == "T" else chain.symmetric(S)
    c_bar = first + second
    return p.D @ p.minus_half @ turned @ p.A @ p.G_inv + 2 * within @ p.V_C + c_bar.T @ p.one.T / p.d


def mended(p: Point) -> Any:
    return chain.chain(p, chain.mended_v)


LINE_3: Final[Readings] = {
    "line 3 to the letter": lambda p: terms(p, left="D", inner="T"),
    "line 3 with (∂L/∂Σ)_s, as the text after eq. 12 may mean": lambda p: terms(p, left="D"),
    "line 3 with Dᵀ, the D being taken for a lost transpose": lambda p: terms(p, inner="T"),
}
MENDED: Final[Readings] = {"line 3 with Dᵀ and (∂L/∂Σ)_s": mended}
MENDED_TEXT: Final = "∂L/∂V = D Λ^{-1/2} Dᵀ A G^{-1} + 2 (∂L/∂Σ)_s (V − c 1ᵀ) + (1/d) (∂L/∂c)ᵀ 1ᵀ"


def only(chain_of: Chain) -> Readings:
    return {"one": chain_of}


def judge(
    formula: Readings,
    quick: bool,
    method: routes.Method,
    kind: str,
    chosen: Sequence[Point],
    push: truth.Push = truth.fixed_g,
    message: str = "",
    several: Sequence[Point] | None = None,
) -> Measured:
    """Every reading at the exact points ``chosen`` and by the further routes, these at the points ``several``.

    With ``several`` the exact points have one row: there K is idle and D = Dᵀ, hence a part of their own.
    """
    more_at = several or [p for p in chosen if len(p.D) > 1 and not p.name.startswith("condition")]
    readings = []
    for text, claimed in formula.items():

        def sides(p: Point, claimed: Chain = claimed) -> Iterator[tuple[str, Any, Any]]:
            yield "∂L/∂V", claimed(method.see(p)), truth.gradient(p, push)

        exact, witness = truth.by_exact(chosen, sides, "dL along every entry of V, no eigenvectors")
        more, other = further(claimed, method, kind, quick, more_at)
        one = [Part("∂L/∂V", [exact, *more], witness or other)]
        readings.append(
            Reading(text, [Part("n = 1", [exact], witness), Part("n > 1", more, other)] if several else one)
        )
    left_out = ("further exact points, differences, reverse and forward mode",) if quick else ()
    if len(readings) == 1:
        return Measured(parts=readings[0].parts, message=message, left_out=left_out)
    return Measured(readings=readings, message=message, left_out=left_out)


def points(quick: bool, *kinds: str) -> list[Point]:
    """Those of that kind, few in quick mode, and those of two rows first for the sake of the witness."""
    found = [p for p in chain.points() if p.kind in kinds]
    found.sort(key=lambda p: len(p.D) != 2)
    return found[:2] if quick else found


OWN_FAULTS: Final[Mapping[str, Readings]] = {
    "the sign of K": only(lambda p: mended(p.but(K=p.K.T))),
    "the diagonal of ∂L/∂Λ dropped": only(
        lambda p: mended(p) - 2 * p.D @ (chain.line_lambda(p) * p.eye) @ p.D.T @ p.V_C
    ),
    "the mean term dropped": only(lambda p: mended(p) + p.P @ p.A @ p.G_inv.T @ p.one @ p.one.T / p.d),
    "twice": only(lambda p: 2 * mended(p)),
}


@claim(
    "DSWN-BWD-OWN",
    place="eqs. 11-12, $G=I$",
    statement="Eqs. 11 and 12 with G = I give ∂L/∂V for W = φ(V).",
    hypotheses=GIVEN,
    reading="every reading of line 3 that changes one of its letters at most; D is no symmetric matrix in general (for "
    "n = 2 it can be chosen so, and then the D of the first term does no harm).",
    formula=LINE_3,
    faults=OWN_FAULTS,
    corrected=MENDED_TEXT + ", G = I: both letters changed",
    corrected_formula=MENDED,
)
def plain(formula: Readings, quick: bool) -> Measured:
    return judge(formula, quick, OWN, "identity", points(quick, "identity"))


@claim(
    "DSWN-BWD-FIXG",
    place="eqs. 11-12, fixed diagonal $G$",
    statement="Eqs. 11 and 12 give ∂L/∂V for W = φ(V) G^{-1} with a constant diagonal G.",
    hypotheses=GIVEN,
    reading="as for G = I; G^{-1} stands where it belongs.",
    formula=LINE_3,
    faults={
        **OWN_FAULTS,
        "G^{-1} missing in line 3": only(lambda p: mended(p) + p.P @ p.A @ (chain.diagonal([1] * p.d) - p.G_inv)),
        "φ(V) for W in eq. 11": only(lambda p: mended(p.but(W=p.phi))),
        "G^{-1} twice": only(lambda p: mended(p.but(A=p.A @ p.G_inv))),
    },
    corrected=MENDED_TEXT,
    corrected_formula=MENDED,
)
def constant(formula: Readings, quick: bool) -> Measured:
    return judge(formula, quick, OWN, "diagonal", points(quick, "diagonal"))


@claim(
    "DSWN-BWD-GFULL",
    place="(derived)",
    statement="Eqs. 11 and 12 give ∂L/∂V for W = φ(V) G^{-1} with a constant full G, symmetric or not.",
    hypotheses=GIVEN,
    reading="to the letter, and with Dᵀ and (∂L/∂Σ)_s in line 3.",
    formula={"line 3 to the letter": LINE_3["line 3 to the letter"], "line 3 with Dᵀ and (∂L/∂Σ)_s": terms},
    faults={
        **OWN_FAULTS,
        "G^{-T} in line 2": only(lambda p: mended(p) + p.P @ p.A @ (p.G_inv.T - p.G_inv) @ p.one @ p.one.T / p.d),
        "φ(V) for W in eq. 11": only(lambda p: mended(p.but(W=p.phi))),
    },
    corrected="∂L/∂V = D Λ^{-1/2} Dᵀ A G^{-T} + 2 (∂L/∂Σ)_s (V − c 1ᵀ) + (1/d) (∂L/∂c)ᵀ 1ᵀ; eq. 11 and line 2 of "
    "eq. 12 are right for every G as they stand",
    corrected_formula={"G^{-T} in line 3": mended},
)
def full(formula: Readings, quick: bool) -> Measured:
    def symmetric_g(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "∂L/∂V", terms(p), truth.gradient(p)

    seen, _ = truth.by_exact(points(quick, "symmetric"), symmetric_g, "")
    message = f"With Dᵀ and (∂L/∂Σ)_s, line 3 for a symmetric G: {seen.verdict}."
    return judge(formula, quick, OWN, "full", points(quick, "full"), message=message)
