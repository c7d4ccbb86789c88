"""DSWN, text after eqs. 1 and 4: the centred proxy V_C, and what Σ = V_C V_Cᵀ is called."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.model_points import centred, exact_points, exactly, in_balls, matrix, shown


class Centring(NamedTuple):
    """c and V_C as printed, in whatever ring the arrays live."""

    c: Callable[[Any, Any, Any], Any]
    centred: Callable[[Any, Any, Any], Any]


CENTRING: Final = Centring(lambda V, one, d: V @ one / d, lambda V, c, one: V - c @ one.T)


@claim(
    "DSWN-S3-CENTER",
    place="text after eq. 1",
    statement="With c = V 1_d / d (the means of the rows), V_C = V − c 1_dᵀ is V less the mean of each row: V_C 1_d = "
    "0.",
    formula=CENTRING,
    faults={
        "1/d missing": CENTRING._replace(c=lambda V, one, d: V @ one),
        "1/(d − 1)": CENTRING._replace(c=lambda V, one, d: V @ one / (d - 1)),
        "the sign turned": CENTRING._replace(centred=lambda V, c, one: V + c @ one.T),
        "half the mean": CENTRING._replace(centred=lambda V, c, one: V - c @ one.T / 2),
        "nothing subtracted": CENTRING._replace(centred=lambda V, c, one: V),
        "a factor 2": CENTRING._replace(centred=lambda V, c, one: 2 * (V - c @ one.T)),
    },
)
def centring(formula: Centring, quick: bool) -> Measured:
    def means(at: Any) -> tuple[Any, Any]:
        return formula.c(at.V, at.one, at.d), matrix([[statistics.mean(row)] for row in at.V.tolist()])

    def less_means(at: Any) -> tuple[Any, Any]:
        rows = [[x - statistics.mean(row) for x in row] for row in at.V.tolist()]
        return formula.centred(at.V, formula.c(at.V, at.one, at.d), at.one), matrix(rows)

    def sums(at: Any) -> tuple[Any, Any]:
        X = formula.centred(at.V, formula.c(at.V, at.one, at.d), at.one)
        return X @ at.one, 0 * X @ at.one

    c, c_witness = exactly(means, exact_points(quick), "c against the means of the rows")
    rows, rows_witness = exactly(less_means, exact_points(quick), "V_C against V less its row means")
    zero, sum_witness = in_balls(sums, quick, "V_C 1 = 0")
    proved_rows, proved_sums = _centring_in_symbols(formula)
    return Measured(
        parts=[
            Part("c", [c], c_witness),
            Part("V_C", [rows, proved_rows], rows_witness),
            Part("V_C 1 = 0", [proved_sums, zero], sum_witness),
        ]
    )


def _centring_in_symbols(formula: Centring) -> tuple[Evidence, Evidence]:
    """n = 2, d = 3: rows of V_C sum to 0, and V − V_C has constant rows, which two facts determine V_C."""
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import coordinates, is_identity

    V = np.array([coordinates("v", 3), coordinates("u", 3)], dtype=object)
    one = np.array([[sympy.Integer(1)]] * 3, dtype=object)
    X = formula.centred(V, formula.c(V, one, sympy.Integer(3)), one)
    removed = V - X
    sums = all(is_identity(x) for x in (X @ one).ravel())
    constant = all(is_identity(row[0], x) for row in removed for x in row)
    return (
        said("symbolic", sums and constant, "n = 2, d = 3: V_C 1 = 0, and V − V_C has constant rows", power=0.0),
        said("symbolic", sums, "n = 2, d = 3", power=0.0),
    )


@claim(
    "DSWN-S3-COV",
    place="text",
    statement="Σ = V_C V_Cᵀ is the covariance matrix: its entries are the covariances of the rows of V, the d columns "
    "being the observations.",
    reading="the covariance of d observations, with 1/d or with the 1/(d − 1) of the unbiased estimate; one of the two "
    "must be met for every d. (At d = 2 the second is met by the printed form, at d = 1 the first.)",
    formula=lambda X, d: X @ X.T,
    faults={
        "the columns' products": lambda X, d: X.T @ X / d,
        "1/n": lambda X, d: X @ X.T / len(X),
        "1/(d + 1)": lambda X, d: X @ X.T / (d + 1),
        "the sign turned": lambda X, d: -(X @ X.T) / d,
    },
    corrected="Σ/d (or Σ/(d − 1)) is the covariance matrix of the rows; Σ itself is their scatter matrix, and it is Σ, "
    "without 1/d, that makes (WG)(WG)ᵀ = I.",
    corrected_formula=lambda X, d: X @ X.T / d,
)
def covariance(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    points = [[[1, 2, 3]], [[2, 0, 0, 0], [1, 5, 2, 2]], [[1, 0, 4], [2, 2, -1], [0, 7, 3]], [[3, 1]]]
    routes, witness = [], None
    for name, estimate in (("1/d", statistics.pvariance), ("1/(d − 1)", statistics.variance)):
        off = next((V for V in points if not _is_covariance(formula, V, estimate)), None)
        routes.append((name, off))
    agrees = [name for name, off in routes if off is None]
    off = next((off for _, off in routes if off is not None), None)
    if off is not None:
        found = formula(centred(matrix(off)), Fraction(len(off[0])))
        rows = [[Fraction(x) for x in row] for row in off]
        witness = {"V": [[str(x) for x in row] for row in rows], "formula": shown(found)}
        witness |= {
            "variance of row 1, 1/d": str(statistics.pvariance(rows[0])),
            "with 1/(d − 1)": str(statistics.variance(rows[0])),
        }
    entries = said("exact", bool(agrees), f"against variances of rows and of their sums; met: {agrees}", power=0.0)
    return Measured(parts=[Part("the covariance of the rows", [entries, _second_moments(formula)], witness)])


def _is_covariance(formula: Callable[[Any, Any], Any], V: list[list[int]], variance: Callable[[Any], Any]) -> bool:
    """Variances on the diagonal; off it by var(x + y) − var(x) − var(y) = 2 cov(x, y)."""
    rows = [[Fraction(x) for x in row] for row in V]
    found = formula(centred(matrix(V)), Fraction(len(V[0])))
    n = len(rows)
    if found.shape != (n, n):
        return False
    for i in range(n):
        for j in range(n):
            total = [x + y for x, y in zip(rows[i], rows[j], strict=True)]
            if found[i, j] != (variance(total) - variance(rows[i]) - variance(rows[j])) / 2:
                return False
    return True


def _second_moments(formula: Callable[[Any, Any], Any]) -> Evidence:
    """n = 2, d = 3 and n = 1, d = 4 in symbols: E[xy] − E[x] E[y] of d columns of equal weight, or d/(d − 1) of it."""
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import coordinates

    agree = {False: True, True: True}
    for n, d in ((2, 3), (1, 4)):
        size = sympy.Integer(d)
        V = np.array([coordinates(name, d) for name in ("v", "u")[:n]], dtype=object)
        found = formula(centred(V), size)
        if found.shape != (n, n):
            return said("symbolic", False, f"shape {found.shape} for n = {n}", power=0.0)
        true = [[sum(x * y) / size - sum(x) * sum(y) / size**2 for y in V] for x in V]
        pairs = [(found[i, j], true[i][j]) for i in range(n) for j in range(n)]
        for unbiased in agree:
            factor = size / (size - 1) if unbiased else 1
            agree[unbiased] &= all(sympy.expand(x - factor * y) == 0 for x, y in pairs)
    note = "E[xy] − E[x] E[y] over the columns, 1/d or 1/(d − 1), n = 2, d = 3 and n = 1, d = 4"
    return said("symbolic", any(agree.values()), note, power=0.0)
