"""CWO, sec. 3.5: where the gradient of a reparametrization becomes large."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import maps
from wnverify.papers.cwo.standardization_gradient import WS

LEFT_OUT: Final = "seven of ten enclosed cases"


@claim(
    "CWO-P-EXPL-SCALE",
    place="Sec. 3.5",
    statement="The size of the gradient of WS is governed by σ and becomes very large when σ is small: "
    "‖∇_w L‖ = ‖g_t‖/σ, g_t being the part of g = ∇_ŵ L that is orthogonal to 1 and to ŵ.",
    hypotheses=WS,
    reading="σ → 0 with the direction ŵ, and so g, kept; the formula is the square of the size.",
    formula=lambda gg, og, wg, n, sigma: (gg - og**2 / n - wg**2 / n) / sigma**2,
    faults={
        "the root of sigma": lambda gg, og, wg, n, sigma: (gg - og**2 / n - wg**2 / n) / sigma,
        "the variance": lambda gg, og, wg, n, sigma: (gg - og**2 / n - wg**2 / n) / sigma**4,
        "sigma has no part in it": lambda gg, og, wg, n, sigma: gg - og**2 / n - wg**2 / n,
        "the whole of g, not its part g_t": lambda gg, og, wg, n, sigma: gg / sigma**2,
        "the part along 1 stays": lambda gg, og, wg, n, sigma: (gg - wg**2 / n) / sigma**2,
        "eq. 18 alone": lambda gg, og, wg, n, sigma: gg - og**2 / n,
    },
)
def size_of_gradient(formula: Any, quick: bool) -> Measured:
    from wnverify.oracles.symbolic import is_identity

    known = maps.symbols()
    found, proved = maps.gradients(known)
    g, one, w_hat = known.g, known.one, known.w_hat
    claimed = formula(g @ g, one @ g, w_hat @ g, known.n, known.sigma)
    holds = is_identity(found["w"] @ found["w"], claimed) if proved else None
    proof = said("symbolic", holds, "over inner products, for every n", power=0.0)

    def at(case: maps.Case, shrink: Fraction) -> tuple[Any, Any, Json]:
        w, g = maps.vector(shrink * x for x in case.w), maps.vector(case.g)
        slope, w_hat, sigma = maps.pullback(maps.standardized, w, g), maps.standardized(w), maps.deviation(w)
        n = maps.vector([Fraction(case.n)])[0]
        size = formula(g @ g, maps.ones(case.n) @ g, w_hat @ g, n, sigma)
        sides = {"shrunk by": str(shrink), "‖∇_w L‖²": maps.numbers([slope @ slope]), "claimed": maps.numbers([size])}
        return [slope @ slope - size], (g @ g) / (sigma * sigma), case.shown() | sides

    shrunk = (Fraction(1), Fraction(1, 10**3), Fraction(1, 10**6))
    with maps.at_precision():
        enclosed, witness = maps.vanishing(
            (at(case, shrink) for case in maps.cases(quick) for shrink in shrunk), "w shrunk by 1, 10^-3 and 10^-6"
        )
        two = maps.Case((Fraction(1, 10**6), Fraction(-1, 10**6)), (Fraction(1), Fraction(0)))
        slope = maps.pullback(maps.standardized, maps.vector(two.w), maps.vector(two.g))
        largest = max(float(abs(x).upper()) for x in slope)
    flat = said(
        "enclosure", largest > 1, f"n = 2, σ = 10^-6: the gradient's entries are below {largest:.0e}", power=largest
    )
    condition = Condition(
        "∇_ŵ L has a part orthogonal to 1 and to ŵ, which is possible only from n = 3 on",
        [flat],
        {"w": ["ε", "-ε"], "σ": "ε", "∇_ŵ L": ["1", "0"], "∇_w L": [0, 0]},
    )
    return Measured(
        parts=[Part("the size of the gradient", [proof, enclosed], witness)],
        conditions=[condition],
        left_out=(LEFT_OUT,) if quick else (),
    )


@claim(
    "CWO-P-EXPL-VAR",
    place="Sec. 1",
    statement="The variance of the unnormalised parameter vector appears in the gradients of reparametrizations: they "
    "are divided by it.",
    reading="the gradient at kept direction is proportional to the formula's value at the variance σ² of the "
    "unnormalised vector; judged on the two methods that centre, WS and centred weight normalization.",
    formula=lambda variance, sqrt: 1 / variance,
    corrected="they are divided by its root, the standard deviation σ, as sec. 3.5 has it; and in weight "
    "normalization, which does not centre, by the norm ‖v‖ instead, the variance having no part in it",
    corrected_formula=lambda variance, sqrt: 1 / sqrt(variance),
    faults={
        "multiplied by the root": lambda variance, sqrt: sqrt(variance),
        "the fourth power of sigma": lambda variance, sqrt: 1 / variance**2,
        "not at all": lambda variance, sqrt: variance / variance,
        "the fourth root": lambda variance, sqrt: 1 / sqrt(sqrt(variance)),
    },
)
def variance_in_gradient(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known, a = maps.symbols(), sympy.Symbol("a", positive=True)
    u = known.gram.vector("u")
    slope, moved = (maps.symbolic_slope(known._replace(sigma=s), u) for s in (known.sigma, a * known.sigma))
    ratio = formula(a**2 * known.sigma**2, sympy.sqrt) / formula(known.sigma**2, sympy.sqrt)
    proof = said("symbolic", is_identity(moved, ratio * slope), "w scaled by a > 0, for every n (WS)", power=0.0)

    def at(case: maps.Case, name: str, map_: maps.Map) -> tuple[Any, Any, Json]:
        w, g = maps.vector(case.w), maps.vector(case.g)
        a = maps.vector([Fraction(1, 10)])[0]
        before, after = (maps.pullback(map_, x, g) for x in (w, a * w))
        variances = [maps.deviation(x) ** 2 for x in (w, a * w)]
        factor = formula(variances[1], lambda x: x.sqrt()) / formula(variances[0], lambda x: x.sqrt())
        shown = {"method": name, "a": "1/10", "∇ at w": maps.numbers(before), "∇ at a w": maps.numbers(after)}
        return after - factor * before, maps.norm_of(g) / maps.deviation(w), case.shown() | shown

    named = (("WS", maps.standardized), ("centred weight normalization", maps.centred_unit))
    with maps.at_precision():
        enclosed, witness = maps.vanishing(
            (at(case, name, map_) for case in maps.cases(quick, least=3) for name, map_ in named),
            "WS and centred weight normalization, w scaled by 1/10",
        )
        flat = maps.pullback(maps.unit, maps.ones(2), maps.vector([Fraction(1), Fraction(0)]))
    message = (
        "In weight normalization v/‖v‖ a vector of variance 0 has a finite gradient: "
        f"v = (1, 1), g = (1, 0) give ∇_v L = {maps.numbers(flat)}, and the gradient is divided by ‖v‖."
    )
    left_out = ("seven of nine points",) if quick else ()
    return Measured(parts=[Part("the factor", [proof, enclosed], witness)], message=message, left_out=left_out)


@claim(
    "CWO-P-EXPL-OTHER",
    place="Sec. 3.5, footnote",
    statement="The same holds for other reparametrizations: for w = (s/‖v‖) v the gradient "
    "∇_v L = (s/‖v‖)(g − (v·g) v/‖v‖²), g = ∇_w L, is at kept direction inversely proportional to ‖v‖.",
    hypotheses=("v ≠ 0",),
    reading="the same: as in CWO-P-EXPL-SCALE and on its condition, with the norm ‖v‖ in the place of σ (the standard "
    "deviation of v plays no part, weight normalization not being centred).",
    formula=lambda g, v, norm, s: s / norm * (g - (v @ g) / norm**2 * v),
    faults={
        "s missing": lambda g, v, norm, s: (g - (v @ g) / norm**2 * v) / norm,
        "1/norm missing": lambda g, v, norm, s: s * (g - (v @ g) / norm**2 * v),
        "the norm squared": lambda g, v, norm, s: s / norm**2 * (g - (v @ g) / norm**2 * v),
        "the radial part stays": lambda g, v, norm, s: s / norm * g,
        "the radial part not normalised": lambda g, v, norm, s: s / norm * (g - (v @ g) * v),
        "the wrong sign": lambda g, v, norm, s: s / norm * (g + (v @ g) / norm**2 * v),
    },
)
def other_methods(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    r, s, a, t = sympy.symbols("r s a t", positive=True)
    gram = Gram({("v", "v"): r**2})
    v, g, u = (gram.vector(name) for name in ("v", "g", "u"))
    moved = v + t * u
    slope = sympy.diff(s * (g @ moved) / sympy.sqrt(moved @ moved), t).subs(t, 0)
    claimed = formula(g, v, r, s)
    proof = said("symbolic", is_identity(claimed @ u, slope), "along any direction, for every n", power=0.0)
    scaled = (a * formula(g, a * v, a * r, s) - claimed).is_zero()
    inverse = said("symbolic", scaled, "v scaled by a > 0 divides the gradient by a", power=0.0)

    def at(case: maps.Case, a: Fraction) -> tuple[Any, Any, Json]:
        v, g = maps.vector(a * x for x in case.w), maps.vector(case.g)
        size, norm = maps.vector([Fraction(3)])[0], maps.norm_of(v)
        true, found = maps.pullback(maps.unit, v, size * g), formula(g, v, norm, size)
        shown = {"v": [str(a * x) for x in case.w], "s": "3", "g": [str(x) for x in case.g]}
        return (
            found - true,
            maps.norm_of(g) / norm,
            shown | {"claimed": maps.numbers(found), "true": maps.numbers(true)},
        )

    with maps.at_precision():
        enclosed, witness = maps.vanishing(
            (at(case, a) for case in maps.cases(quick) for a in (Fraction(1), Fraction(1, 1000))), "Taylor series"
        )
    parts = [Part("the gradient", [proof, enclosed], witness), Part("its dependence on ‖v‖", [inverse], witness)]
    return Measured(parts=parts, left_out=(LEFT_OUT,) if quick else ())


FOUND: Final[Mapping[str, bool | None]] = {"earlier methods fail alone because of it": None}


@claim(
    "CWO-P-EXPL-CAUSE",
    place="Sec. 3.5",
    statement="The dependence of the gradient on 1/σ is a reason why earlier methods had to be combined with "
    "activation normalization.",
    reading="a statement about causes in other works; it would take their training runs with and without that "
    "dependence, of which the paper prints none.",
    formula=FOUND,
    faults={
        "measured: they do not": {"earlier methods fail alone because of it": False},
        "measured: they fail for another reason": {"earlier methods fail alone because of it": False, "other": True},
    },
)
def cause(formula: Mapping[str, bool | None], quick: bool) -> Measured:
    outcome = formula["earlier methods fail alone because of it"]
    note = "no run is printed that separates the two causes" if outcome is None else "as measured"
    factor, evidence = _under_batch_normalization()
    message = (
        "What can be calculated speaks against the mechanism that the text names: with batch normalization behind WS, "
        f"w scaled by 1/10 multiplies the gradient by {factor:g}, as without it, so that activation normalization does "
        "not lessen its dependence on the scale of the weights."
    )
    routes = [said("reading", outcome, note), evidence]
    return Measured(parts=[Part("the cause", routes, dict(formula))], message=message)


def _under_batch_normalization() -> tuple[float, Evidence]:
    """How the gradient by w of g·BN(X ŵ) changes when w is scaled by 1/10; it decides nothing about causes."""
    X = [maps.vector(map(Fraction, row)) for row in ((1, 0, 2), (0, 1, -1), (3, 1, 1), (-1, 2, 0))]

    def network(w: Any) -> Any:
        w_hat = maps.standardized(w)
        return maps.standardized([maps.total([x * y for x, y in zip(row, w_hat, strict=True)]) for row in X])

    with maps.at_precision():
        w, g = maps.vector(map(Fraction, (3, -1, 1))), maps.vector(map(Fraction, (1, 2, -1, 0)))
        before = maps.pullback(network, w, g)
        after = maps.pullback(network, w / 10, g)
        factor = float((after[0] / before[0]).mid())
        _, off = maps.vanishing([(after - 10 * before, maps.norm_of(g), "off")], "")
    note = f"under batch normalization the gradient still scales by 1/a: {off is None} in balls at n = 3, 4 inputs"
    return round(factor, 9), said("enclosure", None, note, power=maps.WIDEST)
