"""DSWN, eq. 6: whether the rows of W sum to zero, and whether they are orthonormal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.model_points import FULL_RANK, exact_points, exactly, inverse, matrix, shown

KINDS: Final = ("G = I", "G = cI", "G diagonal", "G of eq. 9")
ZERO_SUM: Final[Mapping[str, bool]] = MappingProxyType(dict(zip(KINDS, (True, True, False, False), strict=True)))


@claim(
    "DSWN-EQ6-ZEROSUM",
    place="eq. 6 (derived)",
    statement="Do the rows of W of eq. 6 sum to zero? Answer: for G = I and G = cI always, as V_C 1 = 0; for other "
    "diagonal G, that of eq. 9 included, in general not: W 1 = P V_C G^{-1} 1, which is 0 only where V_C G^{-1} 1 = 0.",
    hypotheses=(FULL_RANK, "G is invertible"),
    reading="'always' for every V; eq. 9 with numerator 1 and any ε ≥ 0.",
    formula=ZERO_SUM,
    faults={
        "never": dict.fromkeys(KINDS, False),
        "always": dict.fromkeys(KINDS, True),
        "for diagonal G": {**ZERO_SUM, "G diagonal": True},
        "for the G of eq. 9": {**ZERO_SUM, "G of eq. 9": True},
        "not for multiples of I": {**ZERO_SUM, "G = cI": False},
    },
)
def zero_sums(formula: Mapping[str, bool], quick: bool) -> Measured:
    parts = []
    for kind in KINDS:
        off = next((case for case in _sum_cases(kind) if any(case[2])), None)
        found, by_balls = off is None, _sums_in_balls(kind)
        witness: dict[str, Json] = {"V_C G^{-1} 1": "0 at every point"}
        if off is not None:
            X, scales, sums = off
            witness = {"V_C": shown(X), "1/g": [str(x) for x in scales], "V_C G^{-1} 1": [str(x) for x in sums]}
        routes = [
            said("exact", formula[kind] == found, "V_C G^{-1} 1, of which W 1 is P times; P is regular", power=0.0),
            said("enclosure", formula[kind] == by_balls, "the sums of the rows of W in balls", power=1e-25),
        ]
        parts.append(Part(kind, [*routes, _sums_in_symbols(kind, formula[kind])], witness))
    return Measured(parts=parts, message="At n = 1, d = 2 the g_i of eq. 9 are equal, and W 1 = 0 there as well.")


def _sum_cases(kind: str) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """(V_C, 1/g, V_C G^{-1} 1); the columns of V_C have whole norms, so that the g of eq. 9 is rational."""
    for rows, norms in (([[1, -1]], [1, 1]), ([[2, -1, -1]], [2, 1, 1]), ([[3, 0, -3], [4, -4, 0]], [5, 4, 3])):
        X = matrix(rows)
        scales = {
            "G = I": [Fraction(1)] * len(norms),
            "G = cI": [Fraction(2, 3)] * len(norms),
            "G diagonal": [Fraction(1, i + 1) for i in range(len(norms))],
            "G of eq. 9": [2 * Fraction(x) + Fraction(1, 1000) for x in norms],
        }[kind]
        yield X, scales, list(X @ matrix([scales])[0])


def _sums_in_balls(kind: str) -> bool:
    """Whether all row sums of W contain 0 at random V."""
    import flint
    import numpy as np

    from wnverify.methods.dswn_neuron_measurement import enclosure as neuron
    from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal

    for n, d in ((1, 3), (2, 4)):
        V = np.random.default_rng(seed_of("dswn", "zero sum", n, d)).standard_normal((n, d))
        if kind == "G of eq. 9":
            W = neuron.forward(V)
        else:
            scale = {"G = I": [1] * d, "G = cI": [3] * d, "G diagonal": range(1, d + 1)}[kind]
            W = neuron.times_columns(orthogonal.forward(V), [flint.arb(x) for x in scale])
        if any(not sum(row[1:], row[0]).contains(0) for row in W.table()):
            return False
    return True


def _sums_in_symbols(kind: str, claimed: bool) -> Evidence:
    """n = 1, d = 3 in symbols; for eq. 9 on the set v_1, v_2 > 0, where |v_i| = v_i and |v_3| = v_1 + v_2."""
    import sympy

    x, y, c, p, q, r = sympy.symbols("x y c p q r", positive=True)
    X = [x, y, -x - y]
    scales = {
        "G = I": [1, 1, 1],
        "G = cI": [c, c, c],
        "G diagonal": [p, q, r],
        "G of eq. 9": [2 * x, 2 * y, 2 * x + 2 * y],
    }
    total = sympy.expand(sum(a * b for a, b in zip(X, scales[kind], strict=True)))
    return said("symbolic", claimed == (total == 0), f"n = 1, d = 3: V_C G^{{-1}} 1 = {total}", power=0.0)


@claim(
    "DSWN-EQ6-ORTH",
    place="sec. 1, 3",
    statement="The structured weight W of eq. 6 is an orthogonal weight: W Wᵀ = I_n.",
    hypotheses=(FULL_RANK, "G is symmetric and invertible"),
    reading="orthogonal weight: orthonormal rows, as in OWN; judged for every G that eq. 6 admits. For G² = I it "
    "is so.",
    formula=lambda W, G: W @ W.T,
    faults={
        "one G": lambda W, G: W @ G @ W.T,
        "the inverse of G": lambda W, G: W @ inverse(G) @ inverse(G) @ W.T,
        "G four times": lambda W, G: W @ G @ G @ G @ G @ W.T,
        "a factor 2": lambda W, G: 2 * W @ G @ G @ W.T,
        "the squares of G entry by entry": lambda W, G: W @ (G * G) @ W.T,
    },
    corrected="(WG)(WG)ᵀ = W G² Wᵀ = I_n: φ(V) = WG has orthonormal rows, and W Wᵀ = φ(V) G^{-2} φ(V)ᵀ.",
    corrected_formula=lambda W, G: W @ G @ G @ W.T,
)
def orthogonal_weight(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    def equation(at: Any) -> tuple[Any, Any]:
        return formula(at.P @ at.V_C @ at.G_inverse, at.G), at.eye

    exact, witness = exactly(equation, exact_points(quick), "W of eq. 6, G symmetric")
    routes = [exact, _orthonormal_in_symbols(formula)]
    return Measured(parts=[Part("orthonormal rows", routes, witness)])


def _orthonormal_in_symbols(formula: Callable[[Any, Any], Any]) -> Evidence:
    """n = d = 2 with WG = φ the rotation (3, 4; −4, 3)/5 and G = (a, 1; 1, b)."""
    import numpy as np
    import sympy

    a, b = sympy.symbols("a b", positive=True)
    phi = np.array([[3, 4], [-4, 3]], dtype=object) * sympy.Rational(1, 5)
    G = np.array([[a, 1], [1, b]], dtype=object)
    G_inverse = inverse(G)
    found = formula(phi @ G_inverse, G)
    unit = np.array([[1, 0], [0, 1]], dtype=object)
    same = all(sympy.cancel(x) == 0 for x in (found - unit).ravel())
    return said("symbolic", same, "one rotation φ(V), symmetric G of two free entries", power=0.0)
