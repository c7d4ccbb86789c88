"""DSWN, eq. 2's constraint W G² Wᵀ = I: when it can be met, and when it is orthonormality of WG."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.model_points import (
    both,
    determinant,
    equal,
    eye,
    matrix,
    reflection,
    symmetric_g,
)


class NonEmpty(NamedTuple):
    """For which n, d and rank of G a W exists, G symmetric; and whether any invertible G would do in its place."""

    symmetric: Callable[[int, int, int], bool]
    invertible_is_enough: bool


ANSWER: Final = NonEmpty(lambda n, d, r: n <= r, False)


@claim(
    "DSWN-EQ2-CONS",
    place="eq. 2",
    statement="For which n, d is {W ∈ R^{n×d}: W G² Wᵀ = I_n} not empty? Answer: for symmetric G exactly for n ≤ "
    "rank(G), so for symmetric invertible G exactly for n ≤ d. Invertibility alone is not enough: for the rotation G "
    "by a right angle G² = −I, and the set is empty for every n.",
    reading="real G and W. (The set with G Gᵀ for G² is not empty exactly for n ≤ rank(G), whatever G.)",
    formula=ANSWER,
    faults={
        "the rank of G ignored": ANSWER._replace(symmetric=lambda n, d, r: n <= d),
        "n < rank": ANSWER._replace(symmetric=lambda n, d, r: n < r),
        "n ≤ d − 1": ANSWER._replace(symmetric=lambda n, d, r: n <= d - 1),
        "never empty": ANSWER._replace(symmetric=lambda n, d, r: True),
        "n = d only": ANSWER._replace(symmetric=lambda n, d, r: n == d),
        "invertibility is enough": ANSWER._replace(invertible_is_enough=True),
    },
)
def feasible_set(formula: NonEmpty, quick: bool) -> Measured:
    sizes = [(n, d, r) for d in (1, 2, 3) for r in range(d + 1) for n in (1, 2, 3) if not (quick and n == d == 3)]
    built = {size: _built(*size) for size in sizes}
    excluded = {size: _excluded(*size) for size in sizes}
    if any(built[size] == excluded[size] for size in sizes):
        raise ArithmeticError("a size must have either a W or a proof that there is none")
    wrong = next((size for size in sizes if formula.symmetric(*size) != built[size]), None)
    missing = next((size for size in sizes if formula.symmetric(*size) == excluded[size]), None)
    witness: Json = None if wrong is None else dict(zip(("n", "d", "rank of G"), wrong, strict=True))
    routes = [
        said("exact", wrong is None, "a rational W is written down, or the rank of W G² Wᵀ is below n", power=0.0),
        said("symbolic", missing is None, "det(W G² Wᵀ) vanishes identically in W where there is none", power=0.0),
    ]
    left_out = ("n = 3 with d = 3",) if quick else ()
    parts = [Part("symmetric G", routes, witness), _turned(formula.invertible_is_enough)]
    return Measured(parts=parts, left_out=left_out)


def _symmetric_of_rank(d: int, r: int) -> tuple[Any, Any]:
    """G = H diag(±1, ±2, …, 0) Hᵀ with r entries other than 0, and H orthogonal."""
    H = reflection(list(range(1, d + 1)))
    return H @ matrix([[(-1) ** i * (i + 1) * (i == j < r) for j in range(d)] for i in range(d)]) @ H.T, H


def _built(n: int, d: int, r: int) -> bool:
    """Whether the first n eigenvectors of G other than its kernel, over their eigenvalues, are a feasible W."""
    G, H = _symmetric_of_rank(d, r)
    if n > r:
        return False
    W = matrix([[Fraction((-1) ** i, i + 1) * x for x in H[:, i]] for i in range(n)])
    return equal(W @ G @ G @ W.T, eye(n))


def _excluded(n: int, d: int, r: int) -> bool:
    """Whether det(W G² Wᵀ) = 0 for every W, where det I = 1 is asked for."""
    import numpy as np
    import sympy

    if n <= r:
        return False
    G, _ = _symmetric_of_rank(d, r)
    exact = np.vectorize(lambda x: sympy.Rational(x.numerator, x.denominator), otypes=[object])(G @ G)
    W = np.array(sympy.symbols(f"w1:{n * d + 1}", real=True), dtype=object).reshape(n, d)
    return bool(sympy.expand(determinant(W @ exact @ W.T)) == 0)


def _turned(enough: bool) -> Part:
    """G the rotation by a right angle: invertible, G² = −I, so that tr W G² Wᵀ = −‖W‖² < n."""
    import numpy as np
    import sympy

    G = np.array([[0, -1], [1, 0]], dtype=object)
    W = np.array(sympy.symbols("w1:5", real=True), dtype=object).reshape(2, 2)
    negative = sympy.expand((W @ G @ G @ W.T).trace() + (W * W).sum()) == 0
    turned = matrix(G.tolist())
    definite = equal(turned @ turned, -eye(2))
    return Part(
        "invertible G without symmetry",
        [
            said("symbolic", enough != negative, "tr W G² Wᵀ = −‖W‖²_F, and not n", power=0.0),
            said("exact", enough != definite, "G² = −I, so that W G² Wᵀ = −W Wᵀ is never I", power=0.0),
        ],
        {"G": [["0", "-1"], ["1", "0"]], "G²": [["-1", "0"], ["0", "-1"]], "the set is empty": True},
    )


class Products(NamedTuple):
    """The constraint as eq. 2 prints it, and as (WG)(WG)ᵀ."""

    printed: Callable[[Any, Any], Any]
    square: Callable[[Any, Any], Any]


PRODUCTS: Final = Products(lambda W, G: W @ G @ G @ W.T, lambda W, G: (W @ G) @ (W @ G).T)


@claim(
    "DSWN-EQ2-GSYM",
    place="eqs. 2, 5",
    statement="W G² Wᵀ, as eqs. 2 and 5 print it, is (WG)(WG)ᵀ. For which G is that the same thing? Answer: for all W "
    "exactly for symmetric G, as ‖G − Gᵀ‖² = 2 tr(G Gᵀ − G²); so it is for the diagonal G of eq. 9.",
    reading="the paper calls G a penalty matrix and says of no G but that of eq. 9 what shape it has.",
    formula=PRODUCTS,
    faults={
        "one G": PRODUCTS._replace(printed=lambda W, G: W @ G @ W.T),
        "no G": PRODUCTS._replace(printed=lambda W, G: W @ W.T),
        "G three times": PRODUCTS._replace(printed=lambda W, G: W @ G @ G @ G @ W.T),
        "a factor 2": PRODUCTS._replace(square=lambda W, G: 2 * (W @ G) @ (W @ G).T),
        "the squares entry by entry": PRODUCTS._replace(printed=lambda W, G: W @ (G * G) @ W.T),
    },
)
def products(formula: Products, quick: bool) -> Measured:
    def equation(at: Any) -> tuple[Any, Any]:
        W = at.V  # any W will do
        return formula.printed(W, at.G), formula.square(W, at.G)

    routes, witness = both(equation, quick, "W G² Wᵀ against (WG)(WG)ᵀ")
    parts = [
        Part("the same for symmetric G", routes, witness),
        Part("for no other G", [_only_symmetric(formula)], None),
    ]
    return Measured(parts=parts, conditions=[symmetric_g(equation)])


def _only_symmetric(formula: Products) -> Evidence:
    """With W = I the traces of both sides differ by ‖G − Gᵀ‖²/2: d = 2 and 3, all G.  Then the sides agree iff G = Gᵀ.

    A formula off for other reasons has been refuted before; of it nothing is said here.
    """
    import numpy as np
    import sympy

    same = True
    for d in (2, 3):
        G = np.array(sympy.symbols(f"g1:{d * d + 1}", real=True), dtype=object).reshape(d, d)
        unit = np.array(sympy.eye(d).tolist(), dtype=object)
        gap = (formula.square(unit, G) - formula.printed(unit, G)).trace()
        same &= sympy.expand(2 * gap - ((G - G.T) ** 2).sum()) == 0
    return said("symbolic", True if same else None, "‖G − Gᵀ‖² = 2 tr(G Gᵀ − G²), d = 2, 3", power=0.0)
