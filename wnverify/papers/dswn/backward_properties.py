"""DSWN, section 3.3: what the gradient is orthogonal to, and the case of one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED, equal, free
from wnverify.papers.dswn.backward_eq12 import DISTINCT
from wnverify.papers.dswn.backward_line3 import OWN
from wnverify.papers.dswn.backward_methods import LINE_3, SMOOTH, mended
from wnverify.papers.dswn.backward_structured import NEURON, SPARSE, neuron_push, see_neuron, sparse_push

Inner = Callable[[Point], Any]


class Side(NamedTuple):
    """⟨∂L/∂V, V_C⟩ by method, from the point as the method sees it; ∂L/∂V 1 for all of them; and for the three readings
    of line 3 whether each holds there, for G = I and for a diagonal G."""

    inner: Mapping[str, Inner]
    row_sum: Inner
    printed: Mapping[str, tuple[bool, bool]]


def _zero(p: Point) -> Any:
    return 0


_LETTER, _PROSE, _TURNED = LINE_3
SIDE: Final = Side(
    {"OWN": _zero, "fixed G": _zero, "NM": lambda p: (p.A * p.W).sum(), "SM": _zero},
    _zero,
    {_LETTER: (False, False), _PROSE: (False, False), _TURNED: (True, True)},
)
METHODS: Final = {
    "OWN": (OWN, truth.fixed_g, "identity"),
    "fixed G": (OWN, truth.fixed_g, "diagonal"),
    "NM": (NEURON, neuron_push, "identity"),
    "SM": (SPARSE, sparse_push, "identity"),
}


def _inner(name: str, formula: Inner) -> Side:
    return SIDE._replace(inner={**SIDE.inner, name: formula})


@claim(
    "DSWN-BWD-SIDE",
    place="(derived)",
    statement="The true gradient has ∂L/∂V 1 = 0 for OWN, fixed G, NM and SM, and ⟨∂L/∂V, V_C⟩ = 0 for OWN, fixed G "
    "and SM, but ⟨A, W⟩ for NM with ε → 0. Line 3 of eq. 12 to the letter has neither property. With Dᵀ for the second "
    "D it has both for a constant diagonal G, even with the transpose that makes it wrong; for NM it then gives 0.",
    hypotheses=(SMOOTH, DEFINED, DISTINCT),
    reading="an answer to a question that the paper leaves open. W is a function of V_C; φ(a V) = φ(V) for a > 0, "
    "while G_NM^{-1} grows with a.",
    formula=SIDE,
    faults={
        "⟨A, W⟩ for OWN": _inner("OWN", lambda p: (p.A * p.W).sum()),
        "0 for NM": _inner("NM", _zero),
        "twice ⟨A, W⟩ for NM": _inner("NM", lambda p: 2 * (p.A * p.W).sum()),
        "⟨A, φ⟩ for NM": _inner("NM", lambda p: (p.A * p.phi).sum()),
        "⟨A, W⟩ for SM": _inner("SM", lambda p: (p.A * p.W).sum()),
        "row sums A 1": SIDE._replace(row_sum=lambda p: p.A @ p.one),
        "the letter has both": SIDE._replace(printed={**SIDE.printed, _LETTER: (True, True)}),
        "the transpose spoils both": SIDE._replace(printed={**SIDE.printed, _TURNED: (False, False)}),
    },
)
def orthogonal_to(formula: Side, quick: bool) -> Measured:
    parts = []
    for name, (method, push, kind) in METHODS.items():

        def sides(p: Point, name: str = name, method: routes.Method = method, push: truth.Push = push) -> Any:
            G, seen = truth.gradient(p, push), method.see(p)
            yield f"{name}: ⟨∂L/∂V, V_C⟩", cell((G * p.V_C).sum()), cell(formula.inner[name](seen))
            yield f"{name}: ∂L/∂V 1", G @ p.one, G @ p.one * 0 + formula.row_sum(seen)

        chosen = [p for p in chain.points() if p.kind == kind and (len(p.D) == 1) is (name == "NM")]
        exact, witness = truth.by_exact(chosen[: 1 if quick else 3], sides, f"{name}, ∂L/∂V entry by entry")
        parts.append(Part(name, [exact, _in_balls(name, formula, quick)], witness))
    return Measured(parts=[*parts, *_of_printed(formula)], left_out=("further points",) if quick else ())


def cell(x: Any) -> Any:
    import numpy as np

    return np.array([[x]], dtype=object)


def _in_balls(name: str, formula: Side, quick: bool) -> Evidence:
    """Both products with ∂L/∂V from series in balls, two rows."""
    method, _, kind = METHODS[name]
    widest, holds = 0.0, True
    with routes.at_precision():
        for p in routes.ball_points(kind, quick):
            W = method.finish(p.phi, p.V_C, p.G_inv, routes.of_objects())
            seen = method.see(p.but(W=W))  # the slope of the loss is A at the W of the point, hence a linear loss
            G = routes.taylor_gradient(p, method, p.A, p.A * 0)
            rows = (G @ p.one - formula.row_sum(seen)).reshape(-1)
            inner = (G * p.V_C).sum() - formula.inner[name](seen)
            holds = holds and inner.contains(0) and all(x.contains(0) for x in rows)
            widest = max(widest, *(float(x.rad()) for x in (inner, *rows)))
    return said("enclosure", holds if widest < routes.WIDEST or not holds else None, f"{name}, series", power=widest)


def _of_printed(formula: Side) -> Iterator[Part]:
    for text, expected in formula.printed.items():
        for p in chain.points(True)[:2]:
            G = LINE_3[text](p)
            seen = (not (G @ p.one != 0).any(), (G * p.V_C).sum() == 0)
            note = f"row sums 0: {seen[0]}, inner product 0: {seen[1]}"
            yield Part(
                f"{text}, G {p.kind}",
                [said("exact", seen == expected, note, power=0.0)],
                truth.witness(p, "∂L/∂V 1", G @ p.one, truth.gradient(p) @ p.one),
            )
    one = chain.point("n = 1", (3,))
    constant = (mended(see_neuron(one)) * one.V_C).sum()
    yield Part(
        "NM with G held constant", [said("exact", constant == 0, "⟨·, V_C⟩ = 0, n = 1", power=0.0)], str(constant)
    )


class OneRow(NamedTuple):
    """(W, ∂L/∂V) of CWN from (X, A, ‖X‖, 1, d)."""

    weight: Callable[..., Any]
    gradient: Callable[..., Any]


def _cwn(X: Any, A: Any, s: Any, one: Any, d: Any) -> Any:
    W = X / s
    return (A - W * (A * W).sum() - A @ one @ one.T / d) / s


CWN: Final = OneRow(lambda X, s: X / s, _cwn)


@claim(
    "DSWN-BWD-N1",
    place="(derived)",
    statement="For n = 1 and G = I, eq. 6 is w = v̂/‖v̂‖, v̂ = V_C, the map of CWN, and eqs. 11 and 12 to the letter are "
    "eq. 3 of CWN, its gradient: (1/‖v̂‖)[A − (A w) wᵀ − (1/d)(A 1) 1ᵀ].",
    hypotheses=("V is not constant", SMOOTH),
    reading="D = ±1, so that D = Dᵀ and D² = 1; ∂L/∂Σ is a number, K is 0. What is printed wrongly does not show.",
    formula=CWN,
    faults={
        "the weight not normalised": CWN._replace(weight=lambda X, s: X),
        "the norm squared in the gradient": CWN._replace(gradient=lambda X, A, s, one, d: _cwn(X, A, s, one, d) / s),
        "the radial term dropped": CWN._replace(gradient=lambda X, A, s, one, d: (A - A @ one @ one.T / d) / s),
        "the mean term dropped": CWN._replace(gradient=lambda X, A, s, one, d: (A - X * (A * X).sum() / s**2) / s),
        "the radial term twice": CWN._replace(
            gradient=lambda X, A, s, one, d: _cwn(X, A, s, one, d) - X * (A * X).sum() / s**3
        ),
    },
)
def one_row(formula: OneRow, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        s = p.half[0, 0]
        yield "W", formula.weight(p.V_C, s), p.W
        claimed = formula.gradient(p.V_C, p.A, s, p.one, p.d)
        yield "eqs. 11 and 12", claimed, chain.chain(p, chain.line_v)
        yield "∂L/∂V", claimed, truth.gradient(p)

    chosen = [chain.point("n = 1", (3,)), chain.point("n = 1, D = -1", (2,)), chain.point("n = 1", (5,), mixed=True)]
    exact, witness = truth.by_exact(chosen, sides, "D = 1 and D = -1")
    sizes = (2, 3) if quick else (2, 3, 4, 5)
    holds = all(_one_row_in_symbols(formula, d, sign) for d in sizes for sign in (1, -1))
    proof = said("symbolic", holds, f"v and A free, d = {', '.join(map(str, sizes))}, D = ±1", power=0.0)
    return Measured(parts=[Part("map and gradient", [proof, exact], witness)], left_out=("d = 4, 5",) if quick else ())


def _one_row_in_symbols(formula: OneRow, d: int, sign: int) -> bool:
    import numpy as np

    V, A, (s,) = free(f"v:{d}", f"a:{d}", "s:1")
    V, A, one = V[None, :], A[None, :], np.ones((d, 1), dtype=object)
    X = V - V @ one @ one.T / d
    D, eye = np.array([[sign]], dtype=object), np.eye(d, dtype=object)
    p = chain.from_parts("symbols", "identity", V, X, D, [s], eye, A)
    gradient = formula.gradient(X, A, s, one, p.d)
    return equal(formula.weight(X, s), p.W) and equal(gradient, chain.chain(p, chain.line_v))
