"""CWO, secs. 3.1 and 3.2 together: what becomes of variance and bias over layers with centred weights on a sphere."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import laws


@claim(
    "CWO-P-C2JOINT",
    place="Secs. 3.1–3.2 (implied: default $c=2$ is used together with centralisation)",
    statement="With w centred and ‖w‖² = c = 2, and ReLU between the layers, the variance of the pre-activations is "
    "preserved from layer to layer.",
    hypotheses=(
        "the pre-activations y of the layer before are independent, of mean 0 and alike in law",
        "the weights are independent of them",
    ),
    reading="y Gaussian, as for many inputs; the formula is the c that is to preserve the variance, of π.",
    formula=lambda pi: 2,
    corrected="c = 2π/(π − 1) ≈ 2.934 for Gaussian y: a centred row removes the mean of its inputs, so that "
    "var(wᵀx) = c var(max(y, 0)) = c (1/2 − 1/(2π)) var(y), which for c = 2 is 1 − 1/π = 0.682 of var(y)",
    corrected_formula=lambda pi: 2 * pi / (pi - 1),
    faults={
        "the wrong sign": lambda pi: 2 * pi / (pi + 1),
        "without the factor 2": lambda pi: pi / (pi - 1),
        "the second moment for its square": lambda pi: 4 * pi / (pi - 1),
        "the mean not squared": lambda pi: 2 * pi / (pi - 2),
        "the square of the radius": lambda pi: (2 * pi / (pi - 1)) ** 2,
        "four": lambda pi: 4,
    },
)
def radius_with_centring(formula: Any, quick: bool) -> Measured:
    import math

    import sympy

    y = sympy.Symbol("y", real=True)
    density = sympy.exp(-(y**2) / 2) / sympy.sqrt(2 * sympy.pi)
    first, second = (sympy.integrate(y**k * density, (y, 0, sympy.oo)) for k in (1, 2))
    factor = sympy.simplify(formula(sympy.pi) * (second - first**2))
    holds = sympy.simplify(factor - 1) == 0
    note = f"c var(max(y, 0)) for y ~ N(0, 1), by integration: {factor} = {float(factor):.6g}; every n"
    routes = [said("symbolic", bool(holds), note, power=0.0), _integrated(formula)]
    routes.append(_one_layer(formula, 100_000 if quick else 400_000))
    witness: Json = {
        "n": 2,
        "w": [1, -1],
        "c": 2,
        "y before = ±1 each, variance 1": f"variance after: {_of_signs(2)}",
        "y before ~ N(0, 1) each": f"variance after: 1 − 1/π = {1 - 1 / math.pi:.6f}",
    }
    message = (
        "For every law of y that is symmetric about 0 the variance after is c (var(y)/2 − (E|y|)²/4), less than var(y) "
        f"for c = 2. For c = 2 and Gaussian y it falls to {(1 - 1 / math.pi) ** 10:.3f} of its value in ten layers, "
        "unless γ of eq. 6 makes up for it."
    )
    left_out = ("three of four samples",) if quick else ()
    return Measured(parts=[Part("variance preserved", routes, witness)], message=message, left_out=left_out)


def _of_signs(c: int) -> Fraction:
    """var(wᵀx) for w = (1, −1)·(c/2)^{1/2} and x = max(±1, 0), over all outcomes."""
    return Fraction(c, 2) * laws.variance(lambda p: laws.relu(p[0]) - laws.relu(p[1]), [laws.SIGNS] * 2)


def _integrated(formula: Any) -> Evidence:
    """The moments of max(y, 0) by rigorous quadrature in balls; beyond y = 30 less than e^{-400} is left."""
    import flint

    with flint.ctx.workprec(128):
        root = (2 * flint.acb.pi()).sqrt()
        first, second = (
            flint.acb.integral(integrand, 0, 30).real
            for integrand in (
                lambda y, _: y * (-y * y / 2).exp() / root,
                lambda y, _: y * y * (-y * y / 2).exp() / root,
            )
        )
        off = formula(flint.arb.pi()) * (second - first**2) - 1
        tail = flint.arb(0, 1e-40)
        holds = (off + tail).contains(0)
        radius = float(off.rad()) + 1e-40
    note = f"c var(max(y, 0)) − 1 = {float(off.mid()):.6g} by quadrature"
    return said("enclosure", None if holds and radius > 1e-20 else holds, note, power=radius)


def _one_layer(formula: Any, count: int, n: int = 16) -> Evidence:
    """var(wᵀ max(y, 0)) over random centred w on the sphere and Gaussian y."""
    import math

    import numpy as np

    rng = np.random.default_rng(seed_of("cwo", "c2joint"))
    w = rng.standard_normal((count // n, n))
    w -= w.mean(axis=1, keepdims=True)
    w *= math.sqrt(float(formula(math.pi))) / np.linalg.norm(w, axis=1, keepdims=True)
    outputs = (w * np.maximum(rng.standard_normal(w.shape), 0)).sum(axis=1)
    return laws.estimated(outputs**2, 1.0, f"random centred rows of fan-in {n}, Gaussian y of variance 1")


Growth = Callable[[Any, int], Any]


@claim(
    "CWO-P-DEEPBIAS",
    place="Sec. 3.2",
    statement="Without centring, the bias of the activations makes them grow with depth: the part of the input along 1 "
    "is multiplied in every layer by the row sum 1ᵀw (and is removed where it is 0).",
    reading="ReLU layers without bias, all rows of sum s ≥ 0, input μ 1 with μ > 0; the formula is the factor after L "
    "layers, of (s, L).",
    formula=lambda s, L: s**L,
    corrected="the bias grows with depth where 1ᵀw > 1 (on the sphere of c = 2 the row sum may reach √(2n)), shrinks "
    "where 1ᵀw < 1, and for weights of mean 0 the activations keep their size on average",
    faults={
        "growth with the number of layers only": lambda s, L: s * L,
        "no growth": lambda s, L: s**0,
        "the square of the row sum": lambda s, L: s ** (2 * L),
        "one layer too many": lambda s, L: s ** (L + 1),
        "halved by ReLU": lambda s, L: (s / 2) ** L,
    },
)
def growing_bias(formula: Growth, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    s, n = sympy.Symbol("s", positive=True), sympy.Symbol("n", positive=True)
    gram = Gram({("w", "one"): s, ("one", "one"): n})
    value = sympy.Integer(1)
    proofs = []
    for L in (1, 2, 3):  # the image of value·1 is (w·value 1) = s value in every entry, positive, so ReLU keeps it
        value = gram.vector("w") @ (value * gram.vector("one"))
        proofs.append(is_identity(value, formula(s, L)))
    symbolic = said("symbolic", all(proofs), "rows of sum s > 0 on μ 1, L = 1, 2, 3, for every n", power=0.0)
    matrices = (((1, 1), (1, 1)), ((3, -1), (0, 2)), ((2, -1, 2), (1, 1, 1), (5, 0, -2)), ((1, -1), (-2, 2)))
    witness: Json = None
    for W, L in itertools.product(matrices, (1, 2, 4)):
        x = _through(W, [Fraction(1)] * len(W), L)
        claimed = formula(Fraction(sum(W[0])), L)
        if any(entry != claimed for entry in x) and witness is None:
            witness = {"W": [list(row) for row in W], "layers": L, "input": "1", "output": [str(y) for y in x]}
            witness["claimed"] = str(claimed)
    exact = said(
        "exact", witness is None, "four integer weight matrices of equal row sums, up to four layers", power=0.0
    )
    grows = [formula(Fraction(2), L) for L in (1, 4, 16)]
    larger = said("exact", grows == sorted(set(grows)), f"s = 2: factors {[str(x) for x in grows]}", power=0.0)
    half = _through(((Fraction(1, 2), Fraction(0)), (Fraction(0), Fraction(1, 2))), [Fraction(1)] * 2, 4)
    shrinks = said("exact", half[0] > 1, f"row sums 1/2: after four layers the bias is {half[0]} of itself", power=0.0)
    sizes = _mean_square_of_signs()
    steady = said("exact", sizes > 1, f"w = (±1, ±1), mean 0, c = 2: E‖x‖² after a layer is {sizes} of ‖x‖²", power=0.0)
    counter: Json = {"W": "diag(1/2, 1/2)", "input": [1, 1], "after four layers": [str(x) for x in half]}
    return Measured(
        parts=[
            Part("the factor", [symbolic, exact], witness),
            Part("growth for s > 1", [larger], {"factors": str(grows)}),
        ],
        conditions=[Condition("the row sums exceed 1", [shrinks, steady], counter)],
    )


def _through(W: Any, x: list[Fraction], layers: int) -> list[Fraction]:
    for _ in range(layers):
        x = [laws.relu(Fraction(laws.dot(row, x))) for row in W]
    return x


def _mean_square_of_signs() -> Fraction:
    """E‖max(Wx, 0)‖²/‖x‖² over all 2 × 2 sign matrices W, at x = (1, 1)."""
    total = Fraction(0)
    for entries, p in laws.outcomes([laws.SIGNS] * 4):
        image = _through((entries[:2], entries[2:]), [Fraction(1)] * 2, 1)
        total += p * laws.dot(image, image)
    return total / 2
