"""DSWN, eq. 10 and section 4.2: W_NM = φ(V) G_NM^{-1}, how it reacts to scaling, and which neurons it scales.

Rational points with rational column norms: one row, or rows whose columns are Pythagorean pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import model_points
from wnverify.papers.dswn.model_points import ball, matrix, rational_root, shown
from wnverify.papers.dswn.neuron_scale import diagonal, scale

EPSILON: Final = Fraction(1, 10)


class Case(NamedTuple):
    """V with φ = φ(V) exactly, V_C and the norms of its columns."""

    name: str
    V: Any
    X: Any
    phi: Any
    norms: list[Fraction]


def cases() -> Iterator[Case]:
    """One row; two rows, of equal eigenvalues and of two (6² and 8²); sixteen columns of norms 15 and 20."""
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    wide = [(s * a, t * b) for a, b in ((9, 12), (12, 9), (12, 16), (16, 12)) for s, t in signs]
    for name, X, roots in (
        ("n = 1, d = 4", [[5, -1, -1, -3]], [6]),
        ("n = 1, d = 5, a zero column", [[1, 1, -1, -1, 0]], [2]),
        ("n = 2, d = 4", [[3, 3, -3, -3], [4, -4, 4, -4]], [6, 8]),
        ("n = 2, d = 16", [[a for a, _ in wide], [b for _, b in wide]], [50, 50]),
    ):
        centred = matrix(X)
        phi = matrix([[x / root for x in row] for row, root in zip(centred.tolist(), roots, strict=True)])
        norms = [rational_root(sum(x * x for x in column)) for column in centred.T.tolist()]
        yield Case(name, centred + matrix([[k + 1] for k in range(len(X))]), centred, phi, norms)


@claim(
    "DSWN-EQ10",
    place="eq. 10",
    statement="W_NM = φ(V) G_NM^{-1} is the instance of eqs. 2 to 6 with G = G_NM(V): W G² Wᵀ = I, and W minimises "
    "‖WG − V_C‖² among the W with that property. That G depends on V does not matter: eq. 2 is a problem in W, for a V "
    "that is given, and so for a G that is.",
    hypotheses=("α = 1", "ε > 0, or no column of V_C is zero"),
    formula=lambda phi, X, G, G_inverse: phi @ G_inverse,
    faults={
        "G for its inverse": lambda phi, X, G, G_inverse: phi @ G,
        "the inverse twice": lambda phi, X, G, G_inverse: phi @ G_inverse @ G_inverse,
        "without G": lambda phi, X, G, G_inverse: phi,
        "without Σ^{-1/2}": lambda phi, X, G, G_inverse: X @ G_inverse,
        "the opposite sign (feasible)": lambda phi, X, G, G_inverse: -phi @ G_inverse,
        "columns reversed (feasible)": lambda phi, X, G, G_inverse: phi[:, ::-1] @ G_inverse,
    },
    corrected="as printed for V_C of rank n, n ≤ d − 1; then W_NM is the only minimiser.",
)
def neuron_weight(formula: Any, quick: bool) -> Measured:
    feasible, least, unbeaten, witness = True, True, True, None
    count = 0
    for case in cases():
        g = [scale(r, Fraction(1), EPSILON) for r in case.norms]
        G = diagonal(g)
        W = formula(case.phi, case.X, G, diagonal([1 / x for x in g]))
        Y = W @ G
        right = bool((model_points.eye(len(W)) == W @ G @ G @ W.T).all())
        proved = model_points.is_phi(case.V, Y)
        value = ((Y - case.X) ** 2).sum()
        rivals = [Z for Z in _rivals(case.phi) if not (Z == Y).all()]
        count += len(rivals)
        below = [Z for Z in rivals if ((Z - case.X) ** 2).sum() <= value]
        feasible, least, unbeaten = feasible and right, least and proved, unbeaten and right and not below
        if not (right and proved and not below) and witness is None:
            witness = {"case": case.name, "V_C": shown(case.X), "G": [str(x) for x in g], "W": shown(W)}
            witness |= {"W G² Wᵀ": shown(W @ G @ G @ W.T), "‖WG − V_C‖²": str(value)}
    note = "WG symmetric positive definite against V_C: H = V_C (WG)ᵀ > 0 and H (WG) = V_C"
    enclosed = _enclosed(formula, quick)
    return Measured(
        parts=[
            Part(
                "constraint",
                [said("exact", feasible, "n = 1 and 2, column norms rational, ε = 1/10", power=0.0), enclosed[0]],
                witness,
            ),
            Part(
                "minimiser",
                [
                    said("exact", least, note, power=0.0),
                    said(
                        "optimisation",
                        unbeaten,
                        f"{count} other feasible WG lie farther off, and this one is feasible",
                        power=0.0,
                    ),
                    enclosed[1],
                ],
                witness,
            ),
        ],
        conditions=[model_points.full_rank()],
    )


def _rivals(phi: Any) -> Iterator[Any]:
    """Matrices with orthonormal rows: φ itself, its negative, its rows turned, its columns permuted and reflected."""
    n, d = phi.shape
    for turn in (model_points.eye(n), -model_points.eye(n), model_points.reflection(list(range(1, n + 1)))):
        for side in (model_points.eye(d), model_points.reflection(list(range(1, d + 1)))):
            yield turn @ phi @ side
            yield (turn @ phi @ side)[:, ::-1]


def _enclosed(formula: Any, quick: bool) -> tuple[Evidence, Evidence]:
    """W G² Wᵀ − I and W G − Σ^{-1/2} V_C in balls, V random, the column norms being balls too."""
    import flint
    import numpy as np

    widest, feasible, least = 0.0, True, True
    with model_points.working():
        for each in model_points.ball_points(quick):
            X, phi = each.V_C, each.P @ each.V_C
            g = [1 / (2 * sum(x * x for x in column).sqrt() + flint.arb("0.1")) for column in X.T.tolist()]
            G, G_inverse = (np.array(_balls(values), dtype=object) for values in (g, [1 / x for x in g]))
            W = formula(phi, X, G, G_inverse)
            gaps = (W @ G @ G @ W.T - each.eye, W @ G - phi)
            widest = max(widest, *(float(x.rad()) for gap in gaps for x in gap.ravel()))
            feasible &= all(x.contains(0) for x in gaps[0].ravel())
            least &= all(x.contains(0) for x in gaps[1].ravel())
    sharp = widest <= model_points.WIDEST
    return (
        said("enclosure", feasible if sharp or not feasible else None, "W G² Wᵀ − I in balls", power=widest),
        said("enclosure", least if sharp or not least else None, "W G − Σ^{-1/2} V_C in balls", power=widest),
    )


def _balls(values: Sequence[Any]) -> list[list[Any]]:
    import flint

    return [[x if i == j else flint.arb(0) for j in range(len(values))] for i, x in enumerate(values)]


class Scaling(NamedTuple):
    """What φ and W_NM with ε = 0 are multiplied by for V → aV, and what ε adds: a multiple of φ (of a, ε)."""

    own: Callable[[Fraction], Fraction]
    nm: Callable[[Fraction], Fraction]
    added: Callable[[Fraction, Fraction], Fraction]


def _sign(a: Fraction) -> Fraction:
    return Fraction(1 if a > 0 else -1)


SCALING: Final = Scaling(_sign, lambda a: a, lambda a, eps: _sign(a) * (1 - abs(a)) * eps)


@claim(
    "DSWN-EQ10-HOM",
    place="eq. 10 (derived)",
    statement="How does W_NM react to V → aV, a ≠ 0, compared with OWN (G = I)? Answer: φ(aV) = sign(a) φ(V), so that "
    "OWN does not feel the size of V; W_NM(aV) = a W_NM(V) for ε → 0: G_NM gives back the size that φ took away. With "
    "ε > 0, W_NM(aV) = a W_NM(V) + sign(a)(1 − |a|) ε φ(V).",
    hypotheses=("α = 1", "V_C has rank n"),
    formula=SCALING,
    faults={
        "OWN linear": SCALING._replace(own=lambda a: a),
        "OWN even": SCALING._replace(own=lambda a: Fraction(1)),
        "W_NM invariant": SCALING._replace(nm=_sign),
        "W_NM quadratic": SCALING._replace(nm=lambda a: a * abs(a)),
        "W_NM even": SCALING._replace(nm=abs),
        "ε does nothing": SCALING._replace(added=lambda a, eps: Fraction(0)),
        "ε without the sign": SCALING._replace(added=lambda a, eps: (1 - abs(a)) * eps),
    },
)
def homogeneous(formula: Scaling, quick: bool) -> Measured:
    own, nm, added, witness = True, True, True, None
    factors = [Fraction(p, q) for p, q in ((2, 1), (-1, 1), (1, 2), (-3, 1))]
    for case, a in itertools.product(cases(), factors):
        turned = formula.own(a) * case.phi
        right = [model_points.is_phi(a * case.V, turned)]
        phi = _sign(a) * case.phi  # verified to be φ(aV) here, whatever the formula says
        if not model_points.is_phi(a * case.V, phi):
            raise ArithmeticError(f"φ(aV) must be known exactly in the case {case.name}")
        for eps in (Fraction(0), EPSILON):
            before, after = (
                values * [2 * r + eps for r in norms]
                for values, norms in ((case.phi, case.norms), (phi, [abs(a) * r for r in case.norms]))
            )
            claimed = formula.nm(a) * before + (formula.added(a, eps) * case.phi if eps else 0)
            right.append(bool((after == claimed).all()))
            if not right[-1] and witness is None:
                witness = {"case": case.name, "a": str(a), "epsilon": str(eps), "W(V)": shown(before)}
                witness |= {"W(aV)": shown(after), "claimed": shown(claimed)}
        own, nm, added = own and right[0], nm and right[1], added and right[2]
        if not right[0] and witness is None:
            witness = {"case": case.name, "a": str(a), "phi(V)": shown(case.phi), "claimed phi(aV)": shown(turned)}
    enclosed = _scaled_in_balls(formula)
    notes = ("φ(aV)", "W_NM, ε = 0", "W_NM, ε = 1/10")
    parts = [
        Part(name, [said("exact", flag, f"{len(factors)} values of a, rational V", power=0.0), enclosure], witness)
        for name, flag, enclosure in zip(notes, (own, nm, added), enclosed, strict=True)
    ]
    return Measured(parts=parts)


def _scaled_in_balls(formula: Scaling) -> list[Evidence]:
    """The three statements at a float64 V (2, 4), a = 2, −4 and 1/2 (exact in float64)."""
    import numpy as np

    from wnverify.finding import seed_of
    from wnverify.methods.dswn_neuron_measurement import enclosure
    from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal

    V = np.random.default_rng(seed_of("dswn", "scaling")).standard_normal((2, 4))
    flags, widest, eps = [True] * 3, 0.0, Fraction(1, 8)
    with model_points.working():
        phi = orthogonal.forward(V)
        for a in (2.0, -4.0, 0.5):
            x = Fraction(a)
            gaps = [
                orthogonal.forward(a * V) - phi * ball(formula.own(x)),
                enclosure.forward(a * V, epsilon=0.0) - enclosure.forward(V, epsilon=0.0) * ball(formula.nm(x)),
                enclosure.forward(a * V, epsilon=float(eps))
                - enclosure.forward(V, epsilon=float(eps)) * ball(formula.nm(x))
                - phi * ball(formula.added(x, eps)),
            ]
            for k, gap in enumerate(gaps):
                flags[k] = flags[k] and all(entry.contains(0) for row in gap.table() for entry in row)
                widest = max(widest, *(float(entry.rad()) for row in gap.table() for entry in row))
    return [said("enclosure", flag, "a = 2, −4, 1/2 at a random V (2, 4)", power=widest) for flag in flags]
