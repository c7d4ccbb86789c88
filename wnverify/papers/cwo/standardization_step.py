"""CWO, eq. 20: the step of gradient descent that is taken along the gradient of weight standardization."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwo import maps
from wnverify.papers.cwo.standardization_gradient import LEFT_OUT, WS, centring, true_gradient


@claim(
    "CWO-EQ20",
    place="Sec. 3.5, eq. 20",
    statement="Gradient descent with weight decay β on the w of WS is w′ = (1 − β) w − α′(∇_ŵ L − (1·∇_ŵ L) 1/n).",
    hypotheses=WS,
    reading="as printed, gradients with respect to ŵ; gradient descent with decay is (1 − β) w − α′ ∇_w L. (With ∇_ŵ "
    "read as the gradient by the centred weight, as eq. 19 must be, eq. 20 is right.)",
    formula=lambda w, g, w_hat, one, n, sigma, beta, alpha: (1 - beta) * w - alpha * centring(g, one, n),
    corrected="w′ = (1 − β) w − (α′/σ)(∇_ŵ L − (1·∇_ŵ L) 1/n − (1/n)⟨ŵ, ∇_ŵ L⟩ ŵ)",
    corrected_formula=lambda w, g, w_hat, one, n, sigma, beta, alpha: (
        (1 - beta) * w - alpha * true_gradient(g, w_hat, one, n, sigma)
    ),
    faults={
        "1/sigma alone put in": lambda w, g, w_hat, one, n, sigma, beta, alpha: (
            (1 - beta) * w - alpha / sigma * centring(g, one, n)
        ),
        "no decay": lambda w, g, w_hat, one, n, sigma, beta, alpha: w - alpha * true_gradient(g, w_hat, one, n, sigma),
        "decay of the wrong sign": lambda w, g, w_hat, one, n, sigma, beta, alpha: (
            (1 + beta) * w - alpha * true_gradient(g, w_hat, one, n, sigma)
        ),
        "ascent": lambda w, g, w_hat, one, n, sigma, beta, alpha: (
            (1 - beta) * w + alpha * true_gradient(g, w_hat, one, n, sigma)
        ),
        "the standardized weight decays": lambda w, g, w_hat, one, n, sigma, beta, alpha: (
            (1 - beta) * w_hat - alpha * true_gradient(g, w_hat, one, n, sigma)
        ),
    },
)
def step(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = maps.symbols()
    u, (beta, alpha) = known.gram.vector("u"), sympy.symbols("beta alpha", positive=True)
    claimed = formula(known.w, known.g, known.w_hat, known.one, known.n, known.sigma, beta, alpha) @ u
    true = (1 - beta) * (known.w @ u) - alpha * maps.symbolic_slope(known, u)
    proof = said("symbolic", is_identity(claimed, true), "along an arbitrary direction, for every n", power=0.0)

    def at(case: maps.Case) -> tuple[Any, Any, Json]:
        w, g = maps.vector(case.w), maps.vector(case.g)
        decay, rate = maps.vector([Fraction(1, 10), Fraction(1, 2)])
        after = (1 - decay) * w - rate * maps.pullback(maps.standardized, w, g)
        sigma = maps.deviation(w)
        found = formula(w, g, maps.standardized(w), maps.ones(case.n), case.n, sigma, decay, rate)
        sides = {"β": "1/10", "α′": "1/2", "claimed w′": maps.numbers(found), "true w′": maps.numbers(after)}
        return found - after, maps.norm_of(w) + maps.norm_of(g) / sigma, case.shown() | sides

    with maps.at_precision():
        enclosed, witness = maps.vanishing(map(at, maps.cases(quick)), "one step along the gradient from Taylor series")
    routes = [proof, enclosed]
    if not quick:

        def gradient(g: Any, w_hat: Any, one: Any, n: int, s: Any, w: Any) -> Any:
            return (0.875 * w - formula(w, g, w_hat, one, n, s, 0.125, s**2)) / s**2

        note = "the gradient along which a step of size σ² with decay 1/8 goes, by reverse mode"
        routes.append(maps.reverse_mode(gradient, "eq20", note))
    return Measured(parts=[Part("eq. 20", routes, witness)], left_out=(LEFT_OUT,) if quick else ())
