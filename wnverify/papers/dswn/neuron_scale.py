"""DSWN, section 3.2: the scale g_i = α / (2 ‖V_{C,i}‖₂ + ε) of a column, its relation to W, and eq. 9."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from wnverify.finding import Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.dswn import model_points


def scale(r: Any, alpha: Any, eps: Any) -> Any:
    """g = α / (2 r + ε), r the norm of the column."""
    return alpha / (2 * r + eps)


def weight_squared(x: Sequence[Fraction], j: int, alpha: Fraction, eps: Fraction) -> Fraction:
    """W_j² of eq. 10 for one row V_C = x, a rational number: (x_j (2 |x_j| + ε) / α)² / ‖x‖²."""
    square = sum((each * each for each in x), Fraction(0))
    return (x[j] * (2 * abs(x[j]) + eps) / alpha) ** 2 / square


@claim(
    "DSWN-S32-INV",
    place="sec. 3.2",
    statement="By eq. 6, W = φ(V) G^{-1}, G is inversely proportional to W: a column of W changes as 1/g_j.",
    hypotheses=("G = diag(g_1, …, g_d), as in eq. 9",),
    formula=Fraction(-1),
    faults={
        "proportional": Fraction(1),
        "as the square": Fraction(-2),
        "as the root": Fraction(-1, 2),
        "unaffected": Fraction(0),
    },
    corrected="W G = φ(V): for one and the same V column j of W is φ_j/g_j. It says nothing of W at another V, and "
    "G_NM is itself a function of V: V_C = (1, −1, 0) and (1, −3, 2) have the same g_1 = 1/2 and W_1 = 1.41 and 0.53.",
)
def inversely_proportional(formula: Fraction, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    phi, g, t = sympy.symbols("phi g t", positive=True)
    power = sympy.Rational(formula.numerator, formula.denominator)
    symbolic = is_identity(phi / (t * g), t**power * phi / g)
    Q, factor, wrong = model_points.rows_of(2, 4), Fraction(4), None
    for j in range(4):
        g_before = [Fraction(k + 1) for k in range(4)]
        g_after = [x * factor if k == j else x for k, x in enumerate(g_before)]
        before, after = (Q @ model_points.inverse(diagonal(each)) for each in (g_before, g_after))
        ratios = {a / b for a, b in zip(after[:, j], before[:, j], strict=True) if b}
        if ratios != {Fraction(2) ** int(2 * formula)}:  # 4 to that power, which is a half or whole
            wrong = wrong or {"g_j times": "4", "W_j times": [str(x) for x in ratios], "claimed power": str(formula)}
    routes = [
        said("symbolic", symbolic, "φ_j/(t g_j) against t^p φ_j/g_j", power=0.0),
        said("exact", wrong is None, "n = 2, d = 4, one g_j made four times as large", power=0.0),
    ]
    witness = wrong or {"g_j times": "4", "W_j times": "1/4"}
    return Measured(parts=[Part("at one V", routes, witness)], conditions=[_other_v()])


def _other_v() -> Condition:
    """Two V_C of one row with the same g_1 by eq. 9, and their W_1²."""
    rows = [[Fraction(a) for a in x] for x in ((1, -1, 0), (1, -3, 2))]
    squares = [weight_squared(x, 0, Fraction(1), Fraction(0)) for x in rows]
    scales = [scale(abs(x[0]), Fraction(1), Fraction(0)) for x in rows]
    witness: Json = {
        "V": [list(map(str, x)) for x in rows],
        "g_1": [str(x) for x in scales],
        "W_1²": [str(x) for x in squares],
    }
    same = scales[0] != scales[1] or squares[0] == squares[1]
    return Condition("V is the same", [said("exact", same, "eqs. 6, 9, 10 with α = 1, ε = 0", power=0.0)], witness)


def diagonal(g: Any) -> Any:
    """Eq. 9: the (d, d) matrix with g on its diagonal."""
    return model_points.matrix([[x if i == j else 0 for j in range(len(g))] for i, x in enumerate(g)])


@claim(
    "DSWN-S32-RANK",
    place="sec. 3.2",
    statement="g_i = α/(2‖V_{C,i}‖₂ + ε) ranks the columns: a larger norm gives a smaller g_i and a larger 1/g_i.",
    hypotheses=("α = 1, as the text takes it (any α > 0 will do)", "ε ≥ 0, and ε > 0 where a column is zero"),
    formula=scale,
    faults={
        "upside down": lambda r, alpha, eps: (2 * r + eps) / alpha,
        "the norm left out": lambda r, alpha, eps: alpha / (2 + eps),
        "a minus sign": lambda r, alpha, eps: -alpha / (2 * r + eps),
        "a norm of its own in front": lambda r, alpha, eps: r * alpha / (2 * r * r + eps),
    },
)
def ranks(formula: Any, quick: bool) -> Measured:
    import sympy

    r, eps = sympy.symbols("r epsilon", positive=True)
    one = sympy.Integer(1)
    falling = sympy.factor(sympy.diff(formula(r, one, eps), r))
    rising = sympy.factor(sympy.diff(1 / formula(r, one, eps), r))
    routes = [
        said(
            "symbolic",
            bool(falling.is_negative and rising.is_positive),
            f"∂g/∂r = {falling}, ∂(1/g)/∂r = {rising}",
            power=0.0,
        )
    ]
    norms = [Fraction(x) for x in (0, Fraction(1, 100), Fraction(1, 2), 1, 3, 1000)]
    found = [formula(x, Fraction(1), Fraction(1, 10)) for x in norms]
    ordered = all(a > b > 0 and 1 / a < 1 / b for a, b in itertools.pairwise(found))
    routes.append(said("exact", ordered, "norms 0, 1/100, 1/2, 1, 3, 1000, ε = 1/10", power=0.0))
    shown: Json = {"norms": [str(x) for x in norms], "g": [str(x) for x in found]}
    return Measured(parts=[Part("ranking", routes, shown)])


@claim(
    "DSWN-EQ9",
    place="eq. 9",
    statement="G_NM = diag(g_1, …, g_d) ∈ R^{d×d}, one g_i for each column of V_C: it can be multiplied as W G and "
    "φ(V) G^{-1} ask, with W (n, d).",
    formula=diagonal,
    faults={
        "one row or column short": lambda g: diagonal(g[:-1]),
        "a column instead": lambda g: diagonal(g)[:, :1],
        "reversed": lambda g: diagonal(g[::-1]),
        "inverse": lambda g: diagonal([1 / x for x in g]),
        "ones beside the diagonal": lambda g: diagonal(g) + (diagonal([1] * len(g)) == 0) * 1,
    },
)
def diagonal_matrix(formula: Any, quick: bool) -> Measured:
    shapes, entries, witness = True, True, None
    for d in (2, 3, 4):
        g = [Fraction(1, k + 1) for k in range(d)]
        G = formula(g)
        square = G.shape == (d, d)
        right = square and all(G[i, j] == (g[i] if i == j else 0) for i in range(d) for j in range(d))
        shapes, entries = shapes and square, entries and right
        if not right and witness is None:
            witness = {"d": d, "g": [str(x) for x in g], "G": model_points.shown(G)}
    fits = said("arithmetic", shapes, "V_C (n, d) has d columns; W G needs d rows of G", power=0.0)
    parts = [
        Part("(d, d)", [fits], witness),
        Part("entries", [said("exact", entries, "d = 2, 3, 4", power=0.0)], witness),
    ]
    return Measured(parts=parts)
