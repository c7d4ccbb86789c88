"""CWO, sec. 3.1: the variance of an output for whitened input, and batch normalization as weight normalization."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import laws

Batch = Sequence[tuple[Fraction, ...]]


@claim(
    "CWO-P-VARNORM",
    place="Sec. 3.1",
    statement="For whitened x the variance of the output wᵀx is ‖w‖².",
    hypotheses=("x is whitened: cov(x) = I",),
    reading="the formula is the variance, of (w, 1, n).",
    formula=lambda w, one, n: w @ w,
    faults={
        "as for an average": lambda w, one, n: (w @ w) / n,
        "the variance of the entries": lambda w, one, n: (w @ w) / n - (w @ one) ** 2 / n**2,
        "the centred norm": lambda w, one, n: w @ w - (w @ one) ** 2 / n,
        "the squared sum": lambda w, one, n: (w @ one) ** 2,
        "a factor 2": lambda w, one, n: 2 * (w @ w),
        "the squared norm squared": lambda w, one, n: (w @ w) ** 2,
    },
)
def variance_of_output(formula: Any, quick: bool) -> Measured:
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    n = sympy.Symbol("n", positive=True)
    gram = Gram({("one", "one"): n})
    w, one = gram.vector("w"), gram.vector("one")
    proof = is_identity(w @ (1 * w), formula(w, one, n))
    symbolic = said("symbolic", proof, "var(wᵀx) = wᵀ cov(x) w with cov(x) = I, for every n", power=0.0)
    witness: Json = None
    rows = [(1, 0), (1, 1), (2, -1), (1, 2, 2), (3, -1, 0)]
    for row in rows:  # x = 5 + (s, s t, t): uncorrelated, of variance 1, and not independent
        found = laws.variance(functools.partial(_dependent_output, row), [laws.SIGNS] * 2)
        claimed = Fraction(formula(np.array(row), np.ones(len(row), dtype=int), Fraction(len(row))))
        if found != claimed and witness is None:
            witness = {"w": list(row), "variance": str(found), "claimed": str(claimed)}
    note = f"{len(rows)} integer rows, x uncorrelated but not independent and of mean 5, all outcomes"
    exact = said("exact", witness is None, note, power=0.0)
    routes = [symbolic, exact]
    if not quick:
        rng = np.random.default_rng(seed_of("cwo", "varnorm"))
        x, weight = rng.standard_normal((20_000, 6)), np.array([2.0, 1.0, 0.5, 1.0, 0.0, 1.5])
        value = float(formula(weight, np.ones(6), 6))
        routes.append(laws.estimated((x @ weight) ** 2, value, "Gaussian x of mean 0, n = 6"))
    left_out = ("the simulation",) if quick else ()
    message = "Neither mean 0 nor independence is used, only cov(x) = I."
    return Measured(parts=[Part("variance", routes, witness)], message=message, left_out=left_out)


def _dependent_output(row: Sequence[int], p: tuple[Fraction, ...]) -> Fraction:
    """wᵀx for x = 5 + (s, s t, t), cut to the length of w."""
    s, t = p
    return Fraction(laws.dot(row, (5 + s, 5 + s * t, 5 + t)[: len(row)]))


DESIGN: Final[Batch] = tuple(
    (Fraction(s), Fraction(t), Fraction(s * t)) for s, t in itertools.product((1, -1), repeat=2)
)
"""Four inputs of mean 0 and covariance I."""
ROWS: Final = ((1, 2, 2), (2, -1, 2), (0, 3, 4), (2, 3, 6))
"""Rows of rational norm."""
NORMS: Final = (3, 3, 5, 7)


def _disagreement(formula: Callable[..., Any], inputs: Batch, statistics: Batch) -> Json:
    """The first input at which BN with the mean and variance over ``statistics`` is not what is claimed, exactly.

    Compared as (wᵀx − mean) |…| squared over the variance, with sign, so that no root is taken.
    """
    for row, norm in zip(ROWS, NORMS, strict=True):
        outputs = [laws.dot(row, x) for x in statistics]
        middle = sum(outputs, Fraction(0)) / len(outputs)
        variance = sum(((y - middle) ** 2 for y in outputs), Fraction(0)) / len(outputs)
        for x in inputs:
            off = laws.dot(row, x) - middle
            claimed = formula(Fraction(laws.dot(row, x)), Fraction(norm))
            if variance == 0 or off * abs(off) / variance != claimed * abs(claimed):
                shown = {"w": list(row), "x": [str(y) for y in x], "wᵀx": str(laws.dot(row, x)), "‖w‖": norm}
                shown |= {"mean": str(middle), "variance": str(variance), "claimed BN output": str(claimed)}
                return shown | {"BN output": f"{off}/sqrt({variance})"}
    return None


@claim(
    "CWO-P-BNEQUIV",
    place="Sec. 3.1",
    statement="For whitened x, applying BN to the output is the same as normalising the weights: BN(wᵀx) = (w/‖w‖)ᵀx.",
    hypotheses=("x is whitened: cov(x) = I",),
    reading="BN without its γ, β and ε; the weights normalised to norm 1 (a sphere of another radius adds a factor). "
    "The formula is the output, of (wᵀx, ‖w‖).",
    formula=lambda output, norm: output / norm,
    corrected="BN(wᵀx) = (w/‖w‖)ᵀ(x − E[x]) for the statistics of the whole distribution and cov(x) = I",
    faults={
        "the norm squared": lambda output, norm: output / norm**2,
        "not normalised": lambda output, norm: output,
        "the sphere of c = 2": lambda output, norm: 2 * output / norm,
        "the sign lost": lambda output, norm: abs(output) / norm,
        "shifted": lambda output, norm: (output - 1) / norm,
    },
)
def batch_normalization(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    gram = Gram({("w", "m"): 0, ("w", "w"): sympy.Symbol("r", positive=True) ** 2})
    w, m, r = gram.vector("w"), gram.vector("m"), sympy.Symbol("r", positive=True)
    output = sympy.Symbol("y", positive=True)  # a fault that takes |wᵀx| is seen at either sign
    values = [(sign * output - w @ m) / sympy.sqrt(w @ w) - formula(sign * output, r) for sign in (1, -1)]
    proof = all(is_identity(value) for value in values)
    note = "(wᵀx − wᵀE[x])/(wᵀcov(x) w)^{1/2} with wᵀE[x] = 0 and cov(x) = I, for every n"
    symbolic = said("symbolic", proof, note, power=0.0)
    witness = _disagreement(formula, DESIGN, DESIGN)
    exact = said("exact", witness is None, "four inputs that are exactly white, four rows of rational norm", power=0.0)
    shifted = [(x[0] + 1, x[1], x[2]) for x in DESIGN]
    with_mean, in_batch = _disagreement(formula, shifted, shifted), _disagreement(formula, DESIGN, DESIGN[:2])
    conditions = [
        Condition("E[x] = 0, or at least wᵀE[x] = 0", [_without(with_mean, "E[x] = (1, 0, 0)")], with_mean),
        Condition(
            "the statistics are those of the whole distribution, not of a mini-batch",
            [_without(in_batch, "the statistics of the first two of the four inputs")],
            in_batch,
        ),
    ]
    return Measured(
        parts=[Part("equality", [symbolic, exact], witness)],
        conditions=conditions,
        message="In a deeper layer the input is not whitened, and the two differ by wᵀcov(x)w against ‖w‖².",
    )


def _without(found: Json, note: str) -> Evidence:
    return said("exact", found is None, note, power=0.0)
