"""DSWN, sections 1 and 2.1: energy under an orthogonal weight, and the outputs of weight normalization."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, REFUTES_FROM
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.dswn.model_points import eye, matrix, reflection, rows_of, shown

SIGMA2: Final = Fraction(9, 4)


class Energy(NamedTuple):
    """‖Wx‖² from ‖x‖², and the covariance of Wx for an input of covariance σ² I."""

    square: Callable[[Any], Any]
    covariance: Callable[[Any, Any], Any]


ENERGY: Final = Energy(lambda square: square, lambda sigma2, unit: sigma2 * unit)


@claim(
    "DSWN-S1-ENERGY",
    place="sec. 1",
    statement="An orthogonal weight, W Wᵀ = I_n with W ∈ R^{n×d}, preserves the energy of the activations, ‖Wx‖ = ‖x‖ "
    "for every x, and so keeps their distribution from layer to layer: cov(Wx) = σ² I_n for cov(x) = σ² I_d.",
    hypotheses=("W Wᵀ = I_n",),
    reading="energy: ‖x‖². 'Stabilises' is read as: white input stays white, of the same variance; how other "
    "inputs fare is not said.",
    formula=ENERGY,
    faults={
        "doubled": ENERGY._replace(square=lambda square: 2 * square),
        "the norm, not its square": ENERGY._replace(square=lambda square: square * square),
        "lost": ENERGY._replace(square=lambda square: 0 * square),
        "the variance doubled": ENERGY._replace(covariance=lambda sigma2, unit: 2 * sigma2 * unit),
        "the variance squared": ENERGY._replace(covariance=lambda sigma2, unit: sigma2 * sigma2 * unit),
        "all outputs alike": ENERGY._replace(covariance=lambda sigma2, unit: sigma2 * (0 * unit + 1)),
    },
)
def energy(formula: Energy, quick: bool) -> Measured:
    square, witness = _energies(formula, square=True)
    without, lost = _energies(formula, square=False)
    covariance, off = _covariances(formula)
    parts = [
        Part("‖Wx‖ = ‖x‖", [square, _turned(formula)], witness),
        Part("white stays white", [covariance, _simulated(formula, 4_000 if quick else 40_000)], off),
    ]
    return Measured(
        parts=parts,
        conditions=[Condition("W is square, n = d", [without], lost)],
        message="For n < d, ‖Wx‖ ≤ ‖x‖ with equality on the row space of W alone; of white input n/d of the energy is "
        "left in the mean. Backwards ‖Wᵀδ‖ = ‖δ‖ always. The W of eq. 6 has n ≤ d − 1, and for G = I W 1 = 0: it never "
        "meets the condition.",
        left_out=("nine draws in ten",) if quick else (),
    )


def _energies(formula: Energy, square: bool) -> tuple[Evidence, Json]:
    """Reflections of R², R³, R⁴ (square) or rows of them (not square), against x in rationals."""
    cases = [(1, 2), (2, 3), (2, 4)] if not square else [(1, 1), (2, 2), (3, 3), (4, 4)]
    inputs: list[list[Any]] = [[0, 1, 0, 0], [1, 2, -1, 3], [Fraction(1, 2), 0, 5, -7]]
    for n, d in cases:
        W = reflection(list(range(1, d + 1)))[:n] if (n, d) != (1, 2) else matrix([[1, 0]])
        for x in inputs:
            column = matrix([[value] for value in x[:d]]) if d > 1 else matrix([[2 + x[0]]])
            found, claimed = ((W @ column) ** 2).sum(), formula.square((column**2).sum())
            if found != claimed:
                seen = {"W": shown(W), "x": shown(column), "‖Wx‖²": str(found), "claimed": str(claimed)}
                return said("exact", False, f"n = {n}, d = {d}: ‖Wx‖² = {found}, not {claimed}", power=0.0), seen
    return said("exact", True, f"rational W and x, (n, d) in {cases}", power=0.0), None


def _turned(formula: Energy) -> Evidence:
    """Every rotation of the plane (rational in t), every x."""
    import numpy as np
    import sympy

    t, x, y = sympy.symbols("t x y", real=True)
    W = np.array([[1 - t**2, 2 * t], [-2 * t, 1 - t**2]], dtype=object) / (1 + t**2)
    z = W @ np.array([x, y], dtype=object)
    same = sympy.cancel(z @ z - formula.square(x**2 + y**2)) == 0
    return said("symbolic", bool(same), "n = d = 2, all rotations and all x", power=0.0)


def _covariances(formula: Energy) -> tuple[Evidence, Json]:
    for n, d in ((1, 4), (2, 4), (3, 5)):
        W = rows_of(n, d)
        found, claimed = W @ (SIGMA2 * eye(d)) @ W.T, formula.covariance(SIGMA2, eye(n))
        if not (found == claimed).all():
            seen = {"W": shown(W), "σ²": str(SIGMA2), "cov(Wx)": shown(found), "claimed": shown(claimed)}
            return said("exact", False, f"cov(Wx) = W cov(x) Wᵀ, n = {n}, d = {d}", power=0.0), seen
    return said("exact", True, "cov(Wx) = W cov(x) Wᵀ in rationals, n < d", power=0.0), None


def _simulated(formula: Energy, draws: int) -> Evidence:
    """Sample variances of (Wx)_1 and of ((Wx)_1 + (Wx)_2)/√2 for Gaussian x; χ² tail of Laurent and Massart (2000)."""
    import numpy as np

    rng = np.random.default_rng(seed_of("dswn", "energy", draws))
    W = rows_of(2, 5).astype(np.float64)
    z = math.sqrt(SIGMA2) * rng.standard_normal((draws, 5)) @ W.T
    claimed = formula.covariance(float(SIGMA2), np.eye(2))
    depth = math.log(4 / FALSE_ALARM_BUDGET) / draws
    allowed = 2 * math.sqrt(depth) + 2 * depth
    worst = 0.0
    for a in (np.array([1.0, 0.0]), np.array([1.0, 1.0]) / math.sqrt(2)):
        found = float(((z @ a) ** 2).mean())
        worst = worse(worst, abs(found - float(a @ claimed @ a)) / (allowed * float(SIGMA2)))
    model = f"σ² (2 √(x/n) + 2 x/n), x = log(4/{FALSE_ALARM_BUDGET:g})"
    return by_ratio("simulation", worst, f"{draws} Gaussian x, n = 2, d = 5", power=REFUTES_FROM * allowed, model=model)


class Outputs(NamedTuple):
    """Mean of z_i, variance of z_i, and covariance of z_i, z_j from ⟨w_i, w_j⟩, for z = W x."""

    mean: Any
    variance: Any
    covariance: Callable[[Any], Any]


OUTPUTS: Final = Outputs(0, 1, lambda product: product)


@claim(
    "DSWN-S2-WNORTH",
    place="sec. 2.1",
    statement="Weight normalization makes the outputs of a layer approximately normalised if its weight matrix is "
    "close to orthogonal: with unit rows w_i, the outputs z = Wx have mean 0, variance 1, and covariances ⟨w_i, w_j⟩ "
    "≈ 0.",
    hypotheses=("the rows of W are orthogonal up to small ⟨w_i, w_j⟩ (so n ≤ d)",),
    reading="normalised: zero mean and unit variance, and uncorrelated as far as W is orthogonal; before the bias.",
    formula=OUTPUTS,
    faults={
        "variance 2": OUTPUTS._replace(variance=2),
        "variance 0": OUTPUTS._replace(variance=0),
        "mean 1": OUTPUTS._replace(mean=1),
        "uncorrelated, however far from orthogonal": OUTPUTS._replace(covariance=lambda product: 0 * product),
        "twice as correlated": OUTPUTS._replace(covariance=lambda product: 2 * product),
    },
)
def outputs(formula: Outputs, quick: bool) -> Measured:
    white = (matrix([[0]] * 4), eye(4))
    held, off = _moments(formula, *white, gain=1)
    stretched = matrix([[4, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    unlike, unlike_witness = _moments(formula, white[0], stretched, gain=1)
    shifted, shifted_witness = _moments(formula, matrix([[1], [0], [0], [0]]), white[1], gain=1)
    scaled, scaled_witness = _moments(formula, *white, gain=2)
    return Measured(
        parts=[Part("mean, variance, covariances", [held, _in_symbols(formula)], off)],
        conditions=[
            Condition("the covariance of the input is I", [unlike], unlike_witness),
            Condition("the mean of the input is 0", [shifted], shifted_witness),
            Condition("the gains of weight normalization are 1", [scaled], scaled_witness),
        ],
        message="Given these, unit rows alone make the variances 1; orthogonality is needed for the covariances.",
    )


def _moments(formula: Outputs, mean: Any, covariance: Any, gain: int) -> tuple[Evidence, Json]:
    """W E[x] and W cov(x) Wᵀ for rational unit rows of inner product 1/5 and smaller."""
    W = matrix([[5, 0, 0, 0], [1, 4, 2, 2], [0, -3, 4, 0]]) / 5
    means, spread = gain * W @ mean, gain * gain * W @ covariance @ W.T
    products = W @ W.T
    same = all(x == formula.mean for x in means.ravel())
    for i in range(3):
        for j in range(3):
            same = same and spread[i, j] == (formula.variance if i == j else formula.covariance(products[i, j]))
    witness = {"W": shown(W), "gain": gain, "E x": shown(mean.T), "cov x": shown(covariance)}
    witness |= {"E z": shown(means.T), "cov z": shown(spread)}
    return said("exact", bool(same), "rational unit rows of inner products 1/5, 0 and −4/25", power=0.0), witness


def _in_symbols(formula: Outputs) -> Evidence:
    """n = d = 2: unit rows at any two angles (rational in s, t), white input."""
    import sympy

    s, t = sympy.symbols("s t", real=True)
    rows = [[(1 - x**2) / (1 + x**2), 2 * x / (1 + x**2)] for x in (s, t)]
    product = sum(x * y for x, y in zip(*rows, strict=True))
    length = sum(x * x for x in rows[0])
    pairs = ((length, formula.variance), (product, formula.covariance(product)), (0, formula.mean))
    same = all(sympy.cancel(sympy.sympify(x) - y) == 0 for x, y in pairs)
    return said("symbolic", same, "two unit rows at any angles, input of mean 0 and covariance I", power=0.0)
