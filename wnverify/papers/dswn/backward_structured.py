"""DSWN, eqs. 11 and 12 for the methods whose structure depends on V: DSWN-NM and DSWN-SM.

Both need more than eqs. 11 and 12 have: DSWN-NM what comes through G_NM(V), DSWN-SM the derivative of eq. 8 in front.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.papers.claims import Measured, claim
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_methods import (
    GIVEN,
    LINE_3,
    MENDED,
    MENDED_TEXT,
    Chain,
    Readings,
    judge,
    mended,
    only,
    points,
)
from wnverify.papers.dswn.model_points import rational_root


def _root(x: Any) -> Any:
    if isinstance(x, float):
        return math.sqrt(x)
    return rational_root(x) if isinstance(x, Fraction) else x.sqrt()


def column_norms(p: Point) -> Any:
    """‖x_j‖, a row."""
    import numpy as np

    return np.array([[_root(x) for x in (p.V_C * p.V_C).sum(0)]], dtype=p.V_C.dtype)


def see_neuron(p: Point) -> Point:
    """DSWN-NM as eqs. 11 and 12 see it: G = G_NM(V) taken for a constant."""
    scales = 2 * column_norms(p)
    return p.but(G_inv=chain.diagonal(list(scales[0])).astype(p.V_C.dtype), W=p.phi * scales)


def neuron_push(p: Point, dX: Any, dphi: Any) -> Any:
    norms = column_norms(p)
    return dphi * 2 * norms + p.phi * 2 * (p.V_C * dX).sum(0) / norms


def through_g(p: Point) -> Any:
    """What comes through G_NM: columns 2 ⟨φ_j, A_j⟩ x_j / ‖x_j‖, rows centred."""
    T = p.V_C / column_norms(p) * (2 * (p.phi * p.A).sum(0))
    return T - T @ p.one @ p.one.T / p.d


NEURON: Final = routes.Method("DSWN-NM", routes.neuron, see_neuron)


@claim(
    "DSWN-BWD-NM",
    place="eqs. 10-12",
    statement="Eqs. 11 and 12 give ∂L/∂V for DSWN-NM, W = φ(V) G_NM^{-1}.",
    hypotheses=(*GIVEN, "no column of V_C is 0"),
    reading="g_j = 1/(2 ‖x_j‖ + ε) with ε → 0, x_j the columns of V_C, put in for G. No reading of line 3 helps: eqs. "
    "11 and 12 have no term for the change of G with V.",
    formula={**LINE_3, **MENDED},
    faults={
        "the new term uncentred": only(lambda p: mended(p) + p.V_C / column_norms(p) * (2 * (p.phi * p.A).sum(0))),
        "the new term with the wrong sign": only(lambda p: mended(p) - through_g(p)),
        "the new term without 2": only(lambda p: mended(p) + through_g(p) / 2),
        "the new term with W for φ": only(lambda p: mended(p) + through_g(p.but(phi=p.W))),
        "line 3 to the letter and the new term": only(lambda p: chain.chain(p, chain.line_v) + through_g(p)),
    },
    corrected=MENDED_TEXT + " + [2 ⟨φ_j, A_j⟩ x_j / ‖x_j‖]_j (I − 1 1ᵀ / d), x_j, φ_j, A_j the columns of V_C, φ(V), A",
    corrected_formula={"mended, with the term through G_NM": lambda p: mended(p) + through_g(p)},
)
def neuron(formula: Readings, quick: bool) -> Measured:
    chosen = [p for p in chain.points() if len(p.D) == 1]
    several = points(False, "identity")[:3]
    return judge(formula, quick, NEURON, "identity", chosen[: 1 if quick else 2], neuron_push, several=several)


def factor(p: Point) -> Any:
    """The penalty matrix of eq. 8, (1 − ρ ‖φ_g‖_1 / |φ_gi|)_+ with the rows as groups."""
    import numpy as np

    ring = routes.Ring(lambda x: x, *(np.vectorize(f, otypes=[p.phi.dtype]) for f in (_sign, lambda x: int(x > 0))))
    sign = ring.sign(p.phi)
    size = sign * p.phi
    excess = size - _rho(p) * size.sum(1)[:, None]
    return ring.positive(excess) * excess / size


def _sign(x: Any) -> int:
    return 1 if x > 0 else -1


def _rho(p: Point) -> Any:
    return routes.RHO if isinstance(p.phi[0, 0], Fraction) else float(routes.RHO)


def see_sparse(p: Point) -> Point:
    return p.but(W=p.phi * factor(p))


def sparse_push(p: Point, dX: Any, dphi: Any) -> Any:
    sign, kept = _signs(p)
    return kept * (dphi - _rho(p) * sign * (sign * dphi).sum(1)[:, None])


def _signs(p: Point) -> tuple[Any, Any]:
    import numpy as np

    sign = np.vectorize(_sign, otypes=[p.phi.dtype])(p.phi)
    kept = np.vectorize(lambda x: int(x > 0), otypes=[p.phi.dtype])(factor(p))
    return sign, kept


def through_eq8(p: Point) -> Any:
    """∂L/∂φ: kept A, less ρ sign(φ) times the row's sum of sign(φ) A over what is kept."""
    sign, kept = _signs(p)
    return kept * p.A - _rho(p) * sign * (kept * sign * p.A).sum(1)[:, None]


def _factor_for_g(p: Point) -> Any:
    """G^{-1} read as the factor of eq. 8, entry by entry, in lines 2 and 3; W in eq. 11 that of eq. 8."""
    S, scaled = chain.sigma_bar(p), p.but(A=p.A * factor(p))
    first, second = chain.line_c(scaled, S)
    return chain.mended_v(scaled, S, first + second)


def _with(phi_bar: Callable[[Point], Any]) -> Chain:
    return lambda p: mended(p.but(A=phi_bar(p), W=p.phi))


SPARSE: Final = routes.Method("DSWN-SM", routes.sparse, see_sparse)


@claim(
    "DSWN-BWD-SM",
    place="eqs. 8, 11-12",
    statement="Eqs. 11 and 12 give ∂L/∂V for DSWN-SM, W of eq. 8.",
    hypotheses=(*GIVEN, "ρ > 0; no |φ_gi| is 0 or equal to ρ ‖φ_g‖_1"),
    reading="a group is a row; G = I, or the factor of eq. 8 in the place of G^{-1} entry by entry (it is n × d, so no "
    "matrix product is possible); W that of eq. 8 or φ(V). Line 3 to the letter in the first reading, mended in the "
    "others, so that they are not refuted by its misprints.",
    formula={
        "G = I, W of eq. 8, line 3 to the letter": lambda p: chain.chain(p, chain.line_v),
        "G = I, W of eq. 8": mended,
        "G = I, W = φ(V)": lambda p: mended(p.but(W=p.phi)),
        "the factor of eq. 8 for G^{-1}, W of eq. 8": _factor_for_g,
        "the factor of eq. 8 for G^{-1}, held constant, W = φ(V)": _with(lambda p: p.A * factor(p)),
        "only what eq. 8 keeps is passed on, W = φ(V)": _with(lambda p: p.A * _signs(p)[1]),
    },
    faults={
        "the mask only": only(_with(lambda p: p.A * _signs(p)[1])),
        "the sum over all entries": only(
            _with(
                lambda p: _signs(p)[1] * p.A - _rho(p) * _signs(p)[0] * (_signs(p)[0] * p.A).sum(1)[:, None],
            )
        ),
        "the sum for kept entries alone": only(_with(lambda p: _signs(p)[1] * through_eq8(p))),
        "right up to line 3, that to the letter": only(
            lambda p: chain.chain(p.but(A=through_eq8(p), W=p.phi), chain.line_v)
        ),
    },
    corrected="put ∂L/∂φ = m ⊙ A − ρ sign(φ) ⊙ ((m ⊙ sign(φ) ⊙ A) 1) 1ᵀ for A, m being 1 where eq. 8 keeps an entry "
    "and 0 elsewhere, φ(V) for W, G = I, and mend line 3",
    corrected_formula={"through eq. 8": _with(through_eq8)},
)
def sparse(formula: Readings, quick: bool) -> Measured:
    chosen = [
        chain.point("rotation", (1, 2), mixed=True),
        chain.point("rotation", (3, 1)),
        chain.point("n = 3", (1, 3, 2), mixed=True),
    ]
    return judge(formula, quick, SPARSE, "identity", chosen[: 1 if quick else 3], sparse_push)
