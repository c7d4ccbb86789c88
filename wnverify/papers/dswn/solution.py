"""DSWN, eq. 6: that W meets the constraint, and how φ reacts to changes of V."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.model_points import (
    FULL_RANK,
    WIDEST,
    Point,
    ball_points,
    balls,
    both,
    centred,
    equal,
    exact_points,
    eye,
    full_rank,
    in_balls,
    inverse,
    is_phi,
    matrix,
    reflection,
    root_in_balls,
    shown,
    symmetric_g,
    working,
)


@claim(
    "DSWN-EQ6",
    place="eq. 6",
    statement="W = φ(V) G^{-1} = D Λ^{-1/2} Dᵀ (V − c 1_dᵀ) G^{-1} satisfies W G² Wᵀ = I_n.",
    hypotheses=("G is invertible",),
    reading="D Λ^{-1/2} Dᵀ the positive root of Σ^{-1}, c = V 1_d / d; that W is the minimiser is DSWN-EQ2-MIN.",
    formula=lambda P, S, V, c, one, G, G_inverse: P @ (V - c @ one.T) @ G_inverse,
    faults={
        "not centred": lambda P, S, V, c, one, G, G_inverse: P @ V @ G_inverse,
        "Λ^{1/2}": lambda P, S, V, c, one, G, G_inverse: S @ (V - c @ one.T) @ G_inverse,
        "Λ^{-1}": lambda P, S, V, c, one, G, G_inverse: P @ P @ (V - c @ one.T) @ G_inverse,
        "G for its inverse": lambda P, S, V, c, one, G, G_inverse: P @ (V - c @ one.T) @ G,
        "G^{-2}": lambda P, S, V, c, one, G, G_inverse: P @ (V - c @ one.T) @ G_inverse @ G_inverse,
        "the mean added": lambda P, S, V, c, one, G, G_inverse: P @ (V + c @ one.T) @ G_inverse,
        "a factor 2": lambda P, S, V, c, one, G, G_inverse: 2 * P @ (V - c @ one.T) @ G_inverse,
    },
)
def equation6(formula: Callable[..., Any], quick: bool) -> Measured:
    def equation(at: Point) -> tuple[Any, Any]:
        W = formula(at.P, at.S, at.V, at.c, at.one, at.G, at.G_inverse)
        return W @ at.G @ at.G @ W.T, at.eye

    routes, witness = both(equation, quick, "W G² Wᵀ against I")
    return Measured(
        parts=[Part("the constraint", [*routes, _one_row(formula)], witness)],
        conditions=[full_rank(), symmetric_g(equation)],
        message="For a G that is not symmetric the constraint that W meets is W G Gᵀ Wᵀ = I.",
    )


def _one_row(formula: Callable[..., Any]) -> Evidence:
    """n = 1, d = 3: all V, all symmetric G with two entries off the diagonal; 1/‖V_C‖ is a symbol p, p² ‖V_C‖² = 1."""
    import numpy as np
    import sympy

    a, b, p = sympy.symbols("a b p", positive=True)
    V = np.array([[sympy.Symbol(f"v{i}", real=True) for i in range(3)]], dtype=object)
    one = np.array([[sympy.Integer(1)]] * 3, dtype=object)
    c = V @ one / sympy.Integer(3)
    square = sympy.expand(((V - c @ one.T) ** 2).sum())
    G = np.array([[a, 1, 0], [1, b, 0], [0, 0, 2]], dtype=object)
    P = np.array([[p]], dtype=object)
    W = formula(P, np.array([[p * square]], dtype=object), V, c, one, G, inverse(G))
    found = sympy.cancel(sympy.together((W @ G @ G @ W.T)[0, 0]))
    numerator, denominator = sympy.fraction(found)
    same = sympy.rem(sympy.expand(numerator - denominator), sympy.expand(p**2 * square - 1), p) == 0
    return said("symbolic", bool(same), "n = 1, d = 3, all V, symmetric G of two free entries", power=0.0)


class Reactions(NamedTuple):
    """φ of a changed V, from φ(V): for V → aV, V + t 1ᵀ, R V; whether φ(ΔV) = φ(V) for all V and all
    positive diagonal Δ."""

    scaled: Callable[[int, Any], Any]
    shifted: Callable[[Any, Any], Any]
    turned: Callable[[Any, Any], Any]
    rows_rescaled: Callable[[int], bool]


REACTIONS: Final = Reactions(
    lambda a, phi: phi if a > 0 else -phi, lambda t, phi: phi, lambda R, phi: R @ phi, lambda n: n == 1
)


@claim(
    "DSWN-EQ6-INV",
    place="eq. 6 (derived)",
    statement="How does φ react to changes of V? Answer: φ(aV) = sign(a) φ(V) for a ≠ 0 (undefined for a = 0); "
    "φ(V + t 1ᵀ) = φ(V); φ(RV) = R φ(V) for orthogonal R. Rescaling rows changes it: φ(ΔV) = φ(V) for all V and "
    "all positive diagonal Δ exactly for n = 1, and φ(ΔV) = Δ φ(V) for none but Δ = I.",
    hypotheses=(FULL_RANK,),
    formula=REACTIONS,
    faults={
        "linear in a": REACTIONS._replace(scaled=lambda a, phi: a * phi),
        "even in a": REACTIONS._replace(scaled=lambda a, phi: phi),
        "shifted along": REACTIONS._replace(shifted=lambda t, phi: phi + t),
        "invariant under R": REACTIONS._replace(turned=lambda R, phi: phi),
        "turned the other way": REACTIONS._replace(turned=lambda R, phi: R.T @ phi),
        "turned with the sign lost": REACTIONS._replace(turned=lambda R, phi: -R @ phi),
        "rescaled rows do not matter": REACTIONS._replace(rows_rescaled=lambda n: True),
        "rescaled rows always matter": REACTIONS._replace(rows_rescaled=lambda n: False),
    },
)
def reactions(formula: Reactions, quick: bool) -> Measured:
    changes: tuple[tuple[str, Any], ...] = (
        ("V → 2 V", lambda V, phi: (2 * V, formula.scaled(2, phi))),
        ("V → −3 V", lambda V, phi: (-3 * V, formula.scaled(-3, phi))),
        ("V → V + t 1ᵀ", lambda V, phi: (V + _column(V), formula.shifted(_column(V), phi))),
        ("V → R V", lambda V, phi: (_orthogonal(V) @ V, formula.turned(_orthogonal(V), phi))),
    )
    parts = []
    for name, change in changes:
        exact, witness = _changed_exactly(name, change, quick)
        enclosed, seen = in_balls(functools.partial(_changed_in_balls, change), quick, name)
        parts.append(Part(name, [exact, enclosed], witness or seen))
    return Measured(parts=[*parts, *_rescaled(formula.rows_rescaled)])


def _column(V: Any) -> Any:
    return V[:, :1] * 0 + matrix([[3 * i + 1] for i in range(len(V))]) if _rational(V) else V[:, :1] * 0 + 3


def _rational(V: Any) -> bool:
    return not hasattr(V[0, 0], "rad")


def _orthogonal(V: Any) -> Any:
    """A product of two reflections for n ≥ 2, so that R ≠ Rᵀ; −1 for n = 1."""
    n = len(V)
    R = -eye(1) if n == 1 else reflection(list(range(1, n + 1))) @ reflection([1, 1, *[0] * (n - 2)])
    return R if _rational(V) else balls(R)


def _changed_exactly(name: str, change: Callable[[Any, Any], tuple[Any, Any]], quick: bool) -> tuple[Evidence, Json]:
    """Whether the claimed φ of the changed V is it: the conditions that determine φ, in rationals."""
    count = 0
    for at in exact_points(quick):
        if not equal(at.G, eye(len(at.G))):
            continue
        count += 1
        V, claimed = change(at.V, at.P @ at.V_C)
        if not is_phi(V, claimed):
            seen = {"V": shown(at.V), "φ(V)": shown(at.P @ at.V_C), "changed V": shown(V), "claimed": shown(claimed)}
            return said("exact", False, f"{name}: not φ of the changed V in '{at.name}'", power=0.0), seen
    return said("exact", True, f"{name}: {count} rational points", power=0.0), None


def _changed_in_balls(change: Callable[[Any, Any], tuple[Any, Any]], at: Point) -> tuple[Any, Any]:
    V, claimed = change(at.V, at.P @ at.V_C)
    X = centred(V)
    return root_in_balls(X)[1] @ X, claimed


def _rescaled(invariant: Callable[[int], bool]) -> list[Part]:
    """φ(ΔV) against φ(V), and against Δ φ(V), for Δ = diag(2, 3, …)."""
    parts, with_rows = [], []
    for n in (1, 2, 3):
        at = next(p for p in exact_points() if len(p.S) == n and p.d == 4)
        delta = matrix([[(i + 2) * (i == j) for j in range(n)] for i in range(n)])
        phi = at.P @ at.V_C
        same = is_phi(delta @ at.V, phi)
        with_rows.append(is_phi(delta @ at.V, delta @ phi))
        witness = {"V": shown(at.V), "Δ": shown(delta), "φ(ΔV) = φ(V)": same}
        note = f"n = {n}: whether φ(V) is φ(ΔV), exactly"
        routes = [said("exact", invariant(n) == same, note, power=0.0)]
        routes.append(said("enclosure", invariant(n) == _rescaled_in_balls(n), f"n = {n}, in balls", power=WIDEST))
        parts.append(Part(f"V → ΔV, n = {n}", routes, witness))
    along = said("exact", not any(with_rows), "Δ φ(V) is not φ(ΔV) for n = 1, 2, 3", power=0.0)
    return [*parts, Part("rows are not scaled along", [along], {"φ(ΔV) = Δ φ(V)": with_rows})]


def _rescaled_in_balls(n: int) -> bool:
    import numpy as np

    with working():
        at = next(p for p in ball_points() if len(p.S) == n)
        delta = balls(np.diag(np.arange(2.0, n + 2)))
        X = delta @ at.V_C
        return all(x.contains(0) for x in (root_in_balls(X)[1] @ X - at.P @ at.V_C).ravel())
