"""CWN, Proposition 2: the gradient in v has mean zero and is orthogonal to w."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence
from wnverify.oracles.ratio import REFUTES_FROM, map_model
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwn import witnesses

VIA_W: Final = "L depends on v through w alone and is differentiable there; v is not constant (CWN-P2-PRE, CWN-P2-DEG)."
InnerProduct = Callable[[Any, Any, Any, Any, Any], Any]
"""The claimed value of an inner product with ∂L/∂v, from (g, w, 1, d, ‖v̂‖)."""


@claim(
    "CWN-P2a",
    place="Prop. 2 (1), eq. 4",
    statement="∂L/∂v · 1 = 0.",
    reading=VIA_W,
    formula=lambda g, w, one, d, norm: 0,
    faults={
        "the mean of ∂L/∂w kept": lambda g, w, one, d, norm: (g @ one) / norm,
        "removed twice": lambda g, w, one, d, norm: -(g @ one) / norm,
        "1/d missing": lambda g, w, one, d, norm: (1 - d) * (g @ one) / norm,
        "half of it removed": lambda g, w, one, d, norm: (g @ one) / (2 * norm),
        "the inner product with w in its place": lambda g, w, one, d, norm: (g @ w) / norm,
        "a constant": lambda g, w, one, d, norm: 1 / norm,
    },
)
def mean_is_zero(formula: InnerProduct, quick: bool) -> Measured:
    return _inner_product(formula, quick, lambda w, one: one, "1", "d/dt L(w(v + t 1)): w(v + t 1) = w(v)")


@claim(
    "CWN-P2b",
    place="Prop. 2 (2), eq. 5",
    statement="∂L/∂v · w = 0.",
    reading=VIA_W,
    formula=lambda g, w, one, d, norm: 0,
    faults={
        "the radial part of ∂L/∂w kept": lambda g, w, one, d, norm: (g @ w) / norm,
        "removed twice": lambda g, w, one, d, norm: -(g @ w) / norm,
        "half of it removed": lambda g, w, one, d, norm: (g @ w) / (2 * norm),
        "the radial part kept, 1/norm missing": lambda g, w, one, d, norm: g @ w,
        "the inner product with 1 in its place": lambda g, w, one, d, norm: (g @ one) / norm,
        "a constant": lambda g, w, one, d, norm: 1 / norm,
    },
)
def orthogonal_to_w(formula: InnerProduct, quick: bool) -> Measured:
    return _inner_product(formula, quick, lambda w, one: w, "w", "d/dt L(w(v + t w)): w(v + t w) = w(v) for t > −‖v̂‖")


def _inner_product(
    formula: InnerProduct, quick: bool, direction: Callable[[Any, Any], Any], name: str, reason: str
) -> Measured:
    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    true = witnesses.symbolic_derivative(known, direction(known.w, known.one))
    holds = is_identity(formula(known.g, known.w, known.one, known.d, known.s), true)

    def equation(case: witnesses.Case, b: witnesses.Balls) -> list[Any]:
        return [b.gradient @ direction(b.w, b.one) - formula(b.g, b.w, b.one, case.d, b.norm)]

    enclosed, witness = witnesses.by_enclosure(equation, quick, f"∂L/∂v · {name} from Taylor series")
    routes = [said("symbolic", holds, f"{reason}; for every d", power=0.0), enclosed]
    if not quick:
        routes += [_by_differences(formula, direction), _by_reverse_mode(formula, direction)]
    left_out = ("differences, reverse mode, and six of ten enclosed cases",) if quick else ()
    return Measured(parts=[Part(f"∂L/∂v · {name}", routes, witness)], left_out=left_out)


def _by_differences(formula: InnerProduct, direction: Callable[[Any, Any], Any]) -> Evidence:
    """The inner product as a directional derivative, by differences in 60 digits."""
    import mpmath

    worst, floor, count = 0.0, math.inf, 0
    with mpmath.workdps(witnesses.DIGITS):
        for case in (case for case in witnesses.cases() if any(case.c)):
            p = witnesses.digits(case)
            value, bound = witnesses.directional_difference(p, list(direction(p.w, p.one)))
            count += 1
            error = float(abs(value - formula(p.c, p.w, p.one, case.d, p.norm)))
            worst = worse(worst, error / bound)
            floor = min(floor, bound * float(p.norm / p.norm_c))
    return by_ratio(
        "differences",
        worst,
        "central differences along the direction, in 60 digits",
        power=REFUTES_FROM * floor,
        model="h²/6 · 4.5 ‖g‖ (‖u‖/‖v̂‖)³ + rounding / h",
        figures={"cases": count},
    )


def _by_reverse_mode(formula: InnerProduct, direction: Callable[[Any, Any], Any]) -> Evidence:
    """The inner product with reverse mode's gradient in float64."""
    import numpy as np
    import torch

    worst, floor, at, count = 0.0, math.inf, "", 0
    for case in witnesses.float_cases("proposition 2"):
        count += 1
        leaf, c, q = torch.from_numpy(case.v).requires_grad_(True), *map(torch.from_numpy, (case.c, case.q))
        v_hat = leaf - leaf.mean()
        w = v_hat / torch.linalg.vector_norm(v_hat)
        gradient = torch.autograd.grad((c * w).sum() + (q * w * w).sum() / 2, leaf)[0].numpy()
        w_exact, norm = _exact_weight(case.v)
        one, g, d = np.ones(len(case.v)), case.c + case.q * w_exact, len(case.v)
        u = direction(w_exact, one)
        # as for eq. 3; the inner product adds its own sum
        model = map_model("float64", 2 * d, condition=3 * witnesses.kappa(case.v), roundings=14)
        scale = math.sqrt(g @ g) / norm * math.sqrt(u @ u)
        floor = min(floor, model.relative)
        ratio = abs(math.fsum(gradient * u) - float(formula(g, w_exact, one, d, norm))) / (scale * model.relative)
        if ratio > worst or math.isnan(ratio):  # a NaN stays
            worst, at = ratio, case.name
    return by_ratio(
        "automatic differentiation",
        worst,
        "reverse mode of the definition",
        power=REFUTES_FROM * floor,
        model="‖g‖/‖v̂‖ × ‖u‖ × (3 κ (u + γ̃_2d) + 14 u) in float64",
        figures={"cases": count, "worst": at},
    )


def _exact_weight(v: Any) -> tuple[Any, float]:
    """(w, ‖v̂‖) of a float vector, centred in rationals and rounded at the end."""
    import numpy as np

    exact = [Fraction(float(x)) for x in v]
    mean = sum(exact, Fraction(0)) / len(exact)
    v_hat = np.array([float(x - mean) for x in exact])
    norm = math.sqrt(math.fsum(v_hat * v_hat))
    return v_hat / norm, norm
