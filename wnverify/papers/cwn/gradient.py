"""CWN, around eq. 3: the gradient formula itself."""

from __future__ import annotations

import math
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.oracles.ratio import REFUTES_FROM, map_model
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwn import witnesses


def eq3(g: Any, w: Any, one: Any, d: Any, norm: Any, norm_v: Any) -> Any:
    """Eq. 3 as printed, in whatever ring its arguments live; ``norm`` is ‖v̂‖, ``norm_v`` (not in eq. 3) is ‖v‖."""
    return (g - (g @ w) * w - (g @ one) / d * one) / norm


FAULTS = {
    "the mean term dropped": lambda g, w, one, d, norm, norm_v: (g - (g @ w) * w) / norm,
    "the mean term with the wrong sign": lambda g, w, one, d, norm, norm_v: (
        (g - (g @ w) * w + (g @ one) / d * one) / norm
    ),
    "1/d missing": lambda g, w, one, d, norm, norm_v: (g - (g @ w) * w - (g @ one) * one) / norm,
    "1/(d-1) for 1/d": lambda g, w, one, d, norm, norm_v: (g - (g @ w) * w - (g @ one) / (d - 1) * one) / norm,
    "the radial term dropped": lambda g, w, one, d, norm, norm_v: (g - (g @ one) / d * one) / norm,
    "the radial term with the wrong sign": lambda g, w, one, d, norm, norm_v: (
        (g + (g @ w) * w - (g @ one) / d * one) / norm
    ),
    "the radial product transposed": lambda g, w, one, d, norm, norm_v: (g - (w @ w) * g - (g @ one) / d * one) / norm,
    "a factor 2": lambda g, w, one, d, norm, norm_v: 2 * eq3(g, w, one, d, norm, norm_v),
    "1/norm missing": lambda g, w, one, d, norm, norm_v: eq3(g, w, one, d, norm, norm_v) * norm,
    "1/norm squared": lambda g, w, one, d, norm, norm_v: eq3(g, w, one, d, norm, norm_v) / norm,
    "the norm of v for that of the centred v": lambda g, w, one, d, norm, norm_v: (
        eq3(g, w, one, d, norm, norm_v) * norm / norm_v
    ),
}


@claim(
    "CWN-EQ3",
    place="eq. 3",
    statement="∂L/∂v = (1/‖v̂‖) [∂L/∂w − (∂L/∂w w) wᵀ − (1/d)(∂L/∂w 1) 1ᵀ] for w = v̂/‖v̂‖, v̂ = v − (1/d) 1 (1ᵀv).",
    reading="L is a differentiable function of w; v is not constant, so that w is defined (see CWN-GUAR).",
    formula=eq3,
    faults=FAULTS,
)
def gradient_formula(formula: Any, quick: bool) -> Measured:
    enclosed, witness = witnesses.by_enclosure(
        lambda case, b: list(formula(b.g, b.w, b.one, case.d, b.norm, b.norm_v) - b.gradient),
        quick,
        "every entry of the formula against Taylor coefficients of L(w(v))",
    )
    routes = [_every_dimension(formula), enclosed]
    if not quick:
        routes += [_in_coordinates(formula), *_automatic(formula), _differences(formula)]
    left_out = ("coordinates, automatic differentiation, differences, and six of ten enclosed cases",) if quick else ()
    return Measured(parts=[Part("eq. 3", routes, witness)], left_out=left_out)


def _every_dimension(formula: Any) -> Evidence:
    """formula·u = d/dt L(w(v + t u)) for an arbitrary direction u, over inner products alone."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    u = known.gram.vector("u")
    claimed = formula(known.g, known.w, known.one, known.d, known.s, sympy.Symbol("norm_v", positive=True)) @ u
    holds = is_identity(claimed, witnesses.symbolic_derivative(known, u))
    return said("symbolic", holds, "along an arbitrary direction u, for every d", power=0.0)


def _in_coordinates(formula: Any) -> Evidence:
    """Entry by entry for d = 2, 3, 4, v and g free symbols, the derivative by SymPy from the coordinates of w(v)."""
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import coordinates, vanishes_on

    s = sympy.Symbol("s", positive=True)
    norm_v = sympy.Symbol("norm_v", positive=True)
    unproved, off = [], 0.0
    for d in (2, 3, 4):
        v, g = coordinates("v", d), coordinates("g", d)
        one = np.array([sympy.Integer(1)] * d, dtype=object)
        v_hat = v - sum(v) / sympy.Integer(d)
        square, square_v = sympy.expand(v_hat @ v_hat), sympy.expand(v @ v)
        loss = sum(a * x for a, x in zip(g, v_hat, strict=True)) / sympy.sqrt(square)
        claimed = formula(g, v_hat / s, one, sympy.Integer(d), s, norm_v)
        point = dict(zip((*v, *g), map(sympy.Rational, (3, -1, 5, 2)[:d] + (1, -2, 4, 7)[:d]), strict=True))
        for i in range(d):
            difference = claimed[i] - sympy.diff(loss, v[i]).subs(square, s**2)
            if not vanishes_on(difference, [s**2 - square, norm_v**2 - square_v], [s, norm_v, *v]):
                unproved.append(f"d = {d}, entry {i + 1}")
                norms = {s: sympy.sqrt(square), norm_v: sympy.sqrt(square_v)}
                off = max(off, abs(float(difference.subs(norms).subs(point).evalf(30))))
    # what is not proved is refuted only by a point at which the two sides differ
    holds = True if not unproved else False if off > 1e-20 else None
    figures: dict[str, Json] = {"entries": 9, "not an identity": list(unproved)}
    return said("symbolic", holds, "entry by entry for d = 2, 3, 4", power=0.0, figures=figures)


def _automatic(formula: Any) -> list[Evidence]:
    """Reverse and forward mode of the map's definition in float64 against the formula in balls at the same floats."""
    import torch

    def loss(v: torch.Tensor, c: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        v_hat = v - v.mean()
        w = v_hat / (v_hat * v_hat).sum().sqrt()
        return (c * w).sum() + (q * w * w).sum() / 2

    worst, floor, at, count = {"reverse": 0.0, "forward": 0.0}, math.inf, {"reverse": "", "forward": ""}, 0
    for case in witnesses.float_cases("eq3"):
        count += 1
        v, c, q = (torch.from_numpy(x) for x in (case.v, case.c, case.q))
        leaf = v.clone().requires_grad_(True)
        reverse = torch.autograd.grad(loss(leaf, c, q), leaf)[0]
        forward = torch.stack(
            [torch.func.jvp(lambda x, c=c, q=q: loss(x, c, q), (v,), (e,))[1] for e in torch.eye(len(v), dtype=v.dtype)]
        )
        claimed, scale = _formula_at(formula, case)
        # ∂L/∂v moves by up to 3 ‖g‖/‖v̂‖ per relative change of v̂, which is κ times that of v
        model = map_model("float64", len(v), condition=3 * witnesses.kappa(case.v), roundings=12)
        floor = min(floor, model.relative)
        for mode, found in (("reverse", reverse), ("forward", forward)):
            error = float(torch.linalg.vector_norm(found - torch.from_numpy(claimed)))
            ratio = error / (scale * model.relative)
            if ratio > worst[mode] or math.isnan(ratio):  # a NaN stays
                worst[mode], at[mode] = ratio, case.name
    text = "‖g‖/‖v̂‖ × (3 κ (u + γ̃_d) + 12 u) in float64, κ = ‖v‖/‖v̂‖"
    return [
        by_ratio(
            "automatic differentiation",
            worst[mode],
            f"{mode} mode of the definition",
            power=REFUTES_FROM * floor,
            model=text,
            figures={"cases": count, "worst": at[mode]},
        )
        for mode in worst
    ]


def _formula_at(formula: Any, case: witnesses.FloatCase) -> tuple[Any, float]:
    """(the formula's value, ‖g‖/‖v̂‖) at a float point, through balls and rounded once."""
    import flint
    import numpy as np

    with witnesses.at_precision():
        v, c, q = ([flint.arb(float(x)) for x in part] for part in (case.v, case.c, case.q))
        w = np.array(witnesses.ball_map(v), dtype=object)
        g = np.array([a + b * x for a, b, x in zip(c, q, w, strict=True)], dtype=object)
        mean = sum(v, flint.arb(0)) / len(v)
        norm = sum(((x - mean) ** 2 for x in v), flint.arb(0)).sqrt()
        norm_v = sum((x * x for x in v), flint.arb(0)).sqrt()
        one = np.array([flint.arb(1)] * len(v), dtype=object)
        value = formula(g, w, one, len(v), norm, norm_v)
        scale = (g @ g).sqrt() / norm
        return np.array([float(x) for x in value]), float(scale)


def _differences(formula: Any) -> Evidence:
    """Entry by entry against differences in 60 digits, with a proved bound for the truncation."""
    import mpmath

    worst, floor, count = 0.0, math.inf, 0
    with mpmath.workdps(witnesses.DIGITS):
        for case in (case for case in witnesses.cases() if any(case.c)):
            p = witnesses.digits(case)
            claimed = formula(p.c, p.w, p.one, case.d, p.norm, p.norm_v)
            for i in range(case.d):
                value, bound = witnesses.directional_difference(p, [int(i == j) for j in range(case.d)])
                count += 1
                worst = worse(worst, float(abs(value - claimed[i])) / bound)
                floor = min(floor, bound * float(p.norm / p.norm_c))
    return by_ratio(
        "differences",
        worst,
        "every entry, central differences in 60 digits",
        power=REFUTES_FROM * floor,
        model="h²/6 · 4.5 ‖g‖ (‖u‖/‖v̂‖)³ + rounding / h",
        figures={"entries": count},
    )
