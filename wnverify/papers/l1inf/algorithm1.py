"""L1,∞, Sec. 4, Algorithm 1: what a step leaves, column by column and as a matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.exact_projection import (
    Vector,
    algorithm2,
    distance,
    is_projection,
    nearest,
    projection,
    shown,
    size,
)
from wnverify.papers.l1inf.networks import Layer

Step = Callable[[Layer, Layer, Fraction, Fraction], Layer]
"""(Ṽ_ℓ as columns, ∇L, γ, c) → Ṽ_ℓ of the next iteration."""


def descended(layer: Layer, gradient: Layer, rate: Fraction) -> Layer:
    return tuple(
        tuple(v - rate * g for v, g in zip(column, slope, strict=True))
        for column, slope in zip(layer, gradient, strict=True)
    )


def algorithm1(layer: Layer, gradient: Layer, rate: Fraction, c: Fraction) -> Layer:
    """One layer of Algorithm 1, the columns those of Ṽ."""
    return tuple(projection(column, c) for column in descended(layer, gradient, rate))


def without_bias(layer: Layer, gradient: Layer, rate: Fraction, c: Fraction) -> Layer:
    """The same with the projection on the columns of Ṽ without their first entry."""
    return tuple((v[0], *projection(v[1:], c)) for v in descended(layer, gradient, rate))


def _first_column_alone(layer: Layer, gradient: Layer, rate: Fraction, c: Fraction) -> Layer:
    first, *others = descended(layer, gradient, rate)
    return (projection(first, c), *others)


def _rescaled(v: Vector, c: Fraction) -> Vector:
    return tuple(x * c / size(v) for x in v) if size(v) > c else v


CASES: Final = [((1, 1), 1), ((2, 3), 2), ((4, 2), 3), ((3, 3), 9)]
"""(d_{ℓ−1}, d_ℓ) and the start of the sequence of entries."""
RADII: Final = (Fraction(1, 3), Fraction(1), Fraction(4))


@claim(
    "L1-ALG1",
    place="Alg. 1",
    statement="After a step every hidden layer has ‖Ṽ_ℓ‖_{1,∞} ≤ c; a column whose gradient step leaves it at L1 norm "
    "at most c keeps it, every other is the point of the L1 ball nearest to the gradient step.",
    hypotheses=("c > 0",),
    reading="the columns projected are those of Ṽ_ℓ, the bias included (L1-ALG1-TILDE); all gradients are those of "
    "iteration t; arithmetic is exact.",
    formula=algorithm1,
    faults={
        "projected before the step": lambda layer, gradient, rate, c: descended(
            tuple(projection(v, c) for v in layer), gradient, rate
        ),
        "without the question ‖v‖₁ > c": lambda layer, gradient, rate, c: tuple(
            algorithm2(v, c) for v in descended(layer, gradient, rate)
        ),
        "first column alone": _first_column_alone,
        "bias left out": without_bias,
        "rescaled": lambda layer, gradient, rate, c: tuple(_rescaled(v, c) for v in descended(layer, gradient, rate)),
        "step uphill": lambda layer, gradient, rate, c: algorithm1(layer, gradient, -rate, c),
    },
)
def step(formula: Step, quick: bool) -> Measured:
    for (shape, start), c in itertools.product(CASES, RADII):
        numbers = networks.rationals(start)
        layer, gradient = networks.layer_of(shape, numbers), networks.layer_of(shape, numbers)
        moved, found = descended(layer, gradient, Fraction(1, 2)), formula(layer, gradient, Fraction(1, 2), c)
        feasible = all(size(v) <= c for v in found)
        certified = is_projection(moved, found, c)
        searched = all(nearest(v, c) == w for v, w in zip(moved, found, strict=True))
        if not (feasible and certified and searched):
            break
    witness: Json = {
        "Ṽ": list(map(shown, layer)),
        "∇L": list(map(shown, gradient)),
        "γ": "1/2",
        "c": str(c),
        "after the gradient step": list(map(shown, moved)),
        "output": list(map(shown, found)),
        "L1 norms": [str(size(v)) for v in found],
    }
    note = f"{len(CASES)} layers, c = 1/3, 1 and 4"
    return Measured(
        parts=[
            Part("‖Ṽ_ℓ‖_{1,∞} ≤ c", [said("exact", feasible, note, power=0.0), _implementation(formula)], witness),
            Part(
                "the nearest point",
                [
                    said("exact", certified, "variational inequality, " + note, power=0.0),
                    said("optimisation", searched, "every face of the ball, " + note, power=0.0),
                ],
                witness,
            ),
        ],
        message="In floating point the norm is c to a few roundings of c only if θ is found with care (L1-ALG2-EDGE).",
    )


def _implementation(formula: Step) -> Evidence:
    """The laboratory's float64 projection after the same steps; a far formula makes it say nothing of this part."""
    import numpy as np

    from wnverify.methods.l1_inf_projection import reference
    from wnverify.oracles.ratio import map_model

    worst = 0.0
    for (shape, start), c in itertools.product(CASES, RADII):
        numbers = networks.rationals(start)
        layer, gradient = networks.layer_of(shape, numbers), networks.layer_of(shape, numbers)
        moved = np.array([[float(x) for x in v] for v in descended(layer, gradient, Fraction(1, 2))])
        exact = np.array([[float(x) for x in v] for v in formula(layer, gradient, Fraction(1, 2), c)])
        found, relative = reference.project(moved, c=float(c)), map_model("float64", moved.shape[1]).relative
        if float(np.abs(found - exact).max()) > relative * float(np.abs(moved).sum(axis=1).max()):
            return said("property search", None, "the implementation computes something else")
        worst = worse(worst, float(np.abs(found).sum(axis=1).max() - float(c)) / (float(c) * relative))
    return by_ratio(
        "property search", worst, "the implementation in float64", power=1e-15, model="(‖w‖₁ − c) / c, map model"
    )


ColumnMap = Callable[[Layer, Fraction], Layer]


def _one_ball(layer: Layer, c: Fraction) -> Layer:
    flat = projection(tuple(x for v in layer for x in v), c)
    return tuple(flat[i : i + len(layer[0])] for i in range(0, len(flat), len(layer[0])))


def _by_rows(layer: Layer, c: Fraction) -> Layer:
    return tuple(zip(*(projection(row, c) for row in zip(*layer, strict=True)), strict=True))


@claim(
    "L1-ALG1-MAT",
    place="Sec. 4 (implied)",
    statement="Projecting every column to the L1 ball of radius c gives the matrix of {‖Ṽ‖_{1,∞} ≤ c} that is nearest "
    "in the Euclidean (Frobenius) norm.",
    hypotheses=("c > 0",),
    formula=lambda layer, c: tuple(projection(v, c) for v in layer),
    faults={
        "one ball for the matrix": _one_ball,
        "rows for columns": _by_rows,
        "columns rescaled": lambda layer, c: tuple(_rescaled(v, c) for v in layer),
        "one factor for all columns": lambda layer, c: tuple(
            tuple(x / max(networks.norm(layer) / c, Fraction(1)) for x in v) for v in layer
        ),
    },
)
def matrix_projection(formula: ColumnMap, quick: bool) -> Measured:
    exact, witness = _certified(formula)
    searched, other = _searched(formula, 2 if quick else 6)
    return Measured(
        parts=[Part("the nearest matrix", [exact, searched], witness or other)],
        left_out=("four more matrices",) if quick else (),
    )


def _certified(formula: ColumnMap) -> tuple[Evidence, Json]:
    for (shape, start), c in itertools.product(CASES, RADII):
        layer = networks.layer_of(shape, networks.rationals(start))
        if not is_projection(layer, formula(layer, c), c):
            return said("exact", False, "variational inequality", power=0.0), _pair(layer, formula(layer, c), c)
    return said("exact", True, f"variational inequality, {len(CASES) * len(RADII)} matrices", power=0.0), None


def _searched(formula: ColumnMap, count: int) -> tuple[Evidence, Json]:
    """SLSQP on the quadratic programme in P − N, P, N ≥ 0: it must come no nearer, and end at the same matrix."""
    import numpy as np
    from scipy.optimize import LinearConstraint, minimize

    c, worst, allowed = 1.0, 0.0, 1e-5
    witness: Json = None
    for start in range(count):
        layer = networks.layer_of((1, 2), networks.rationals(20 + start))
        found = formula(layer, Fraction(1))
        V = np.array([[float(x) for x in v] for v in layer]).ravel()
        sums = np.kron(np.array([[1.0, 1.0]]), np.kron(np.eye(2), np.ones((1, 2))))

        def target(z: np.ndarray, V: np.ndarray = V) -> tuple[float, np.ndarray]:
            gap = z[:4] - z[4:] - V
            return float(gap @ gap) / 2, np.concatenate([gap, -gap])

        result = minimize(
            target,
            np.zeros(8),
            jac=True,
            method="SLSQP",
            bounds=[(0, None)] * 8,
            options={"ftol": 1e-14},
            constraints=[LinearConstraint(sums, -np.inf, c)],
        )
        gap = result.x[:4] - result.x[4:] - np.array([[float(x) for x in v] for v in found]).ravel()
        ratio = float(np.abs(gap).max()) / allowed
        if ratio > worst:
            worst, witness = ratio, _pair(layer, found, Fraction(1))
    model = f"largest entry of the difference, against {allowed:g}"
    return by_ratio("optimisation", worst, f"SLSQP, {count} matrices 2 × 2", power=allowed, model=model), witness


def _pair(layer: Layer, found: Layer, c: Fraction) -> Json:
    far = sum(distance(v, w) for v, w in zip(layer, found, strict=True))
    return {
        "columns": list(map(shown, layer)),
        "c": str(c),
        "found": list(map(shown, found)),
        "L1 norms": [str(size(w)) for w in found],
        "squared distance": str(far),
        "least": str(sum(distance(v, nearest(v, c)) for v in layer)),
    }
