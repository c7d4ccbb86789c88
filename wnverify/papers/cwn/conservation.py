"""CWN, around Proposition 2: what the two properties of the gradient do to v under gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said
from wnverify.papers.cwn import witnesses
from wnverify.papers.cwn.gradient import eq3


class Step(NamedTuple):
    """What a step v − η ∂L/∂v makes of 1·v, ‖v‖², ‖v̂‖², from (value before, η, ‖∂L/∂v‖²); the rates under the flow."""

    total: Callable[[Any, Any, Any], Any]
    square: Callable[[Any, Any, Any], Any]
    square_hat: Callable[[Any, Any, Any], Any]
    flow_total: Any
    flow_square: Any


def _grows(before: Any, eta: Any, gradient: Any) -> Any:
    return before + eta * eta * gradient


CONSERVED: Final = Step(lambda before, eta, gradient: before, _grows, _grows, 0, 0)


@claim(
    "CWN-P2-CONS",
    place="Prop. 2 (derived)",
    statement="What do (1) and (2) imply for the mean and the norm of v under plain gradient descent? Answer: 1ᵀv is "
    "conserved, ‖v‖² and ‖v̂‖² both grow by exactly η²‖∂L/∂v‖² in every step (∂L/∂v is orthogonal to v as well); "
    "gradient flow conserves mean and norm.",
    hypotheses=("v ← v − η ∂L/∂v with no momentum, no decay", "L depends on v through w alone"),
    formula=CONSERVED,
    faults={
        "the norm is conserved": CONSERVED._replace(square=lambda before, eta, gradient: before),
        "the norm shrinks": CONSERVED._replace(square=lambda before, eta, gradient: before - eta * eta * gradient),
        "growth of first order in η": CONSERVED._replace(square=lambda before, eta, gradient: before + eta * gradient),
        "twice the growth": CONSERVED._replace(square=lambda before, eta, gradient: before + 2 * eta * eta * gradient),
        "the centred norm is conserved": CONSERVED._replace(square_hat=lambda before, eta, gradient: before),
        "the mean grows": CONSERVED._replace(total=_grows),
        "the flow grows the norm": CONSERVED._replace(flow_square=1),
        "the flow moves the mean": CONSERVED._replace(flow_total=-1),
    },
)
def conservation(formula: Step, quick: bool) -> Measured:
    proofs = _step_in_symbols(formula)
    parts = []
    for index, name in enumerate(("1·v", "‖v‖²", "‖v̂‖²")):
        enclosed, witness = _step_in_balls(formula, index, quick)
        routes = [proofs[name], enclosed]
        if not quick:
            routes.append(_long_run(formula, index))
        parts.append(Part(f"{name} after a step", routes, witness))
    for name, rate in (("1·v", formula.flow_total), ("‖v‖²", formula.flow_square)):
        enclosed, witness = _flow_in_balls(rate, name, quick)
        parts.append(Part(f"{name} under gradient flow", [proofs[f"flow of {name}"], enclosed], witness))
    left_out = ("100 steps in float64, and six of ten enclosed cases",) if quick else ()
    return Measured(parts=parts, left_out=left_out)


def _step_in_symbols(formula: Step) -> dict[str, Evidence]:
    """One step from v = s w + m 1 along eq. 3 (itself decided by CWN-EQ3), over inner products."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    eta, m = sympy.symbols("eta m", real=True)
    gradient = eq3(known.g, known.w, known.one, known.d, known.s, None)
    v = known.s * known.w + m * known.one
    after = v - eta * gradient
    after_hat = after - (known.one @ after) / known.d * known.one
    size = gradient @ gradient
    pairs = {
        "1·v": (known.one @ after, formula.total(known.one @ v, eta, size)),
        "‖v‖²": (after @ after, formula.square(v @ v, eta, size)),
        "‖v̂‖²": (after_hat @ after_hat, formula.square_hat(known.s**2, eta, size)),
        "flow of 1·v": (-(known.one @ gradient), formula.flow_total),
        "flow of ‖v‖²": (-2 * (v @ gradient), formula.flow_square),
    }
    note = "over inner products, for every d"
    return {name: said("symbolic", is_identity(*pair), note, power=0.0) for name, pair in pairs.items()}


def _step_in_balls(formula: Step, index: int, quick: bool) -> tuple[Evidence, Json]:
    """One step along the gradient from Taylor series, scaled to ‖∂L/∂v‖ η = ‖v̂‖ / 2."""

    def equation(case: witnesses.Case, b: witnesses.Balls) -> list[Any]:
        size = b.gradient @ b.gradient
        eta = b.norm * b.norm / (2 * (b.g @ b.g).sqrt())
        after = b.v - eta * b.gradient
        if index == 0:
            return [(after @ b.one - formula.total(b.v @ b.one, eta, size)) / b.norm / b.norm]
        if index == 1:
            return [(after @ after - formula.square(b.v @ b.v, eta, size)) / (b.norm * b.norm * b.norm)]
        after_hat = after - (after @ b.one) / case.d * b.one
        return [(after_hat @ after_hat - formula.square_hat(b.norm * b.norm, eta, size)) / (b.norm * b.norm * b.norm)]

    return witnesses.by_enclosure(equation, quick, "one step along the gradient from Taylor series")


def _flow_in_balls(rate: Any, name: str, quick: bool) -> tuple[Evidence, Json]:
    def equation(case: witnesses.Case, b: witnesses.Balls) -> list[Any]:
        found = -(b.gradient @ b.one) if name == "1·v" else -2 * (b.gradient @ b.v) / b.norm
        return [found - rate]

    return witnesses.by_enclosure(equation, quick, "rate along the gradient from Taylor series")


def _long_run(formula: Step, index: int, steps: int = 100, d: int = 16) -> Evidence:
    """Gradient descent in float64 on the distance of w from a target, the law of one step applied ``steps`` times."""
    import numpy as np

    rng = np.random.default_rng(seed_of("cwn", "conservation"))
    v, target, eta = rng.standard_normal(d) + 0.5, rng.standard_normal(d), 0.5
    law = (formula.total, formula.square, formula.square_hat)[index]

    def seen(v: Any) -> float:
        exact = [Fraction(float(x)) for x in v]
        mean = sum(exact, Fraction(0)) / d
        values = (sum(exact, Fraction(0)), sum(x * x for x in exact), sum((x - mean) ** 2 for x in exact))
        return float(values[index])

    expected, allowed, u = seen(v), 0.0, unit_roundoff("float64")
    for _ in range(steps):
        v_hat = v - v.mean()
        norm = math.sqrt(v_hat @ v_hat)
        gradient = eq3(target, v_hat / norm, np.ones(d), d, norm, None)
        size = math.fsum(gradient * gradient)
        expected = float(law(expected, eta, size))
        # rounding of the step, and of a gradient whose inner products with 1 and v are 0 up to κ (u + γ̃_d) ‖g‖/‖v̂‖
        length = math.sqrt(v @ v)
        lost = u * length + eta * math.sqrt(target @ target) / norm * (length / norm) * (
            4 * u + probabilistic_gamma(d, u)
        )
        allowed += (math.sqrt(d) if index == 0 else 2 * length) * lost + 4 * u * expected
        v = v - eta * gradient
    ratio = abs(seen(v) - expected) / allowed
    return by_ratio(
        "simulation",
        ratio,
        f"{steps} steps of gradient descent in float64, d = {d}",
        power=REFUTES_FROM * allowed / abs(expected),
        model="per step u ‖v‖ + η ‖g‖/‖v̂‖ κ (4 u + γ̃_d), times √d or 2 ‖v‖",
        figures={"steps": steps, "eta": eta},
    )
