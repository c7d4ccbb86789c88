"""L1,∞, Sec. 5.1: the generator of the regression data and the network, as the text describes them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.experiments.data import synthetic
from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said


class Indices(NamedTuple):
    """x_j uses z_{j−1}, z_j and z_{j+1} for j = first, …, last; z has ``length`` entries."""

    first: int
    last: int
    length: int


INDICES: Final = Indices(2, 1000, 1000)


@claim(
    "L1-51-INDEX",
    place="Sec. 5.1",
    statement="x_{ij} = z_{ij} + 0.2 (z_{i,j+1} + z_{i,j−1}) for j = 2, …, 1000 is defined by z_i ∈ ℝ^1000.",
    formula=INDICES,
    corrected="z_i ∈ ℝ^1001, or j = 2, …, 999 with a rule of its own for x_{i,1000}: at j = 1000 the text uses "
    "z_{i,1001}, which z_i ∈ ℝ^1000 has not.",
    corrected_formula=INDICES._replace(length=1001),
    faults={
        "one more x": Indices(2, 1001, 1001),
        "from j = 1": Indices(1, 1000, 1001),
        "z shorter": Indices(2, 1000, 999),
    },
)
def defined(formula: Indices, quick: bool) -> Measured:
    z = dict.fromkeys(range(1, formula.length + 1), Fraction(1))
    missing = sorted({k for j in range(formula.first, formula.last + 1) for k in (j - 1, j, j + 1) if k not in z})
    note = f"z_{{i,k}} is used for k = {formula.first - 1}, …, {formula.last + 1}, z_i has k = 1, …, {formula.length}"
    inside = formula.first - 1 >= 1 and formula.last + 1 <= formula.length
    routes = [said("reading", inside, note), said("exact", not missing, f"missing: {missing or 'none'}", power=0.0)]
    witness: Json = {
        "j": formula.last if formula.last + 1 > formula.length else formula.first,
        "z has no entry": missing,
    }
    return Measured(consistency=[Part("the entries used and those there are", routes, witness)])


class Coupling(NamedTuple):
    """x_j = before z_{j−1} + own z_j + after z_{j+1}."""

    before: Fraction
    own: Fraction
    after: Fraction


COUPLED: Final = Coupling(Fraction(1, 5), Fraction(1), Fraction(1, 5))
INFLATION, CONDITION_INDEX = 5, 10
"""Usual bounds: multicollinearity from a variance inflation factor of 5, or a condition index of 10, upwards."""


@claim(
    "L1-51-COV",
    place="Sec. 5.1",
    statement="The construction of x introduces multicollinearity.  (Cov x is banded: 1.08, 0.4 and 0.04 on the "
    "diagonals 0, 1 and 2, correlations 0.370 and 0.037; condition number (1.4/0.6)² = 5.44 at most.)",
    reading="in the sense of correlated inputs, or of the usual diagnostics of the population (variance inflation "
    f"factor ≥ {INFLATION}, condition index ≥ {CONDITION_INDEX}).  With n = 500 < 1000 the sample columns are linearly "
    "dependent whatever the construction, so that does not count as introduced by it.",
    formula=COUPLED,
    faults={
        "no coupling": Coupling(Fraction(0), Fraction(1), Fraction(0)),
        "another scale alone": Coupling(Fraction(0), Fraction(6, 5), Fraction(0)),
    },
)
def multicollinearity(formula: Coupling, quick: bool) -> Measured:
    a, b, c = formula
    diagonals = [a * a + b * b + c * c, a * b + b * c, a * c]
    size = 100 if quick else synthetic.REGRESSION_INPUTS
    inflation, index = _diagnostics(size, tuple(map(float, formula)))
    witness: Json = {
        "Cov(x_j, x_{j+h}), h = 0, 1, 2": [str(x) for x in diagonals],
        "correlations": [float(f"{float(x / diagonals[0]):.4g}") for x in diagonals[1:]],
        "largest variance inflation factor": inflation,
        "condition index": index,
    }
    singular = [abs(complex(b + (a + c) * math.cos(w), (a - c) * math.sin(w))) for w in (0, math.pi / 2, math.pi)]
    # The least and the largest singular value bound λ(Σ), and with it the diagonal of Σ^{-1}, but for the row of x_1.
    bound, inflated = max(singular) / min(singular), float(diagonals[0]) / min(singular) ** 2
    small = bound < CONDITION_INDEX and inflated < INFLATION
    diagnosed = [
        said("arithmetic", inflation >= INFLATION or index >= CONDITION_INDEX, f"of {size} inputs, in float64"),
        said("symbolic", False if small else None, f"index ≤ {bound:.4g}, inflation ≤ {inflated:.4g} for all but x_1"),
    ]
    correlated = said("exact", any(diagonals[1:]), "the covariances of neighbours in fractions", power=0.0)
    return Measured(
        readings=[
            Reading("the inputs are correlated", [Part("correlation", [correlated], witness)]),
            Reading("by the usual diagnostics", [Part("diagnostics", diagnosed, witness)]),
        ],
        left_out=(f"inputs beyond the first {size}",) if quick else (),
    )


def _diagnostics(size: int, coupling: tuple[float, ...]) -> tuple[float, float]:
    """The largest diagonal entry of Σ ∘ Σ^{-1}, and √(λ_max/λ_min), of Σ = Cov(x_1, …, x_size)."""
    import numpy as np
    from scipy import linalg

    before, own, after = coupling
    A = own * np.eye(size, size + 1) + after * np.eye(size, size + 1, 1) + before * np.eye(size, size + 1, -1)
    A[0, 1] = 0.0
    A[0, 0] = 1.0
    Sigma = A @ A.T
    bands = np.array([np.append(np.diag(Sigma, -h), np.zeros(h)) for h in range(3)])
    lam = linalg.eigvals_banded(bands, lower=True)
    inflation = np.diag(Sigma) * np.diag(linalg.solveh_banded(bands, np.eye(size), lower=True))
    return float(f"{inflation.max():.4g}"), float(f"{math.sqrt(lam[-1] / lam[0]):.4g}")


class Layers(NamedTuple):
    """Widths d_0, …, d_{k+1} that a reading gives the network."""

    literal: tuple[int, ...]
    usual: tuple[int, ...]


@claim(
    "L1-51-ARCH",
    place="Sec. 5.1",
    statement="'One fully connected layer and 300 output units using ReLU' is a network for y ∈ ℝ.",
    reading="a network for y ∈ ℝ has d_0 = 1000 and d_{k+1} = 1 (Sec. 2.1 and (A2)).  Neither reading tells the "
    "optimiser, its step size, the number of epochs or the initialisation: Sec. 5 gives none of them.",
    formula=Layers((1000, 300), (1000, 300, 1)),
    faults={
        "300 outputs in both": Layers((1000, 300), (1000, 300, 300)),
        "other inputs": Layers((1000, 300), (784, 300, 1)),
    },
)
def network(formula: Layers, quick: bool) -> Measured:
    readings = []
    for text, widths in (
        ("literally: no hidden layer, 300 outputs", formula.literal),
        ("a hidden layer of 300 units, then one linear output", formula.usual),
    ):
        fits = (widths[0], widths[-1]) == (synthetic.REGRESSION_INPUTS, 1)
        constrained = len(widths) - 2
        note = f"{'-'.join(map(str, widths))}: {constrained} hidden layers, to which c applies"
        witness: Json = {"network": "-".join(map(str, widths)), "x in": "ℝ^1000", "y in": "ℝ"}
        readings.append(Reading(text, [Part("for y ∈ ℝ", [said("reading", fits, note)], witness)]))
    return Measured(readings=readings)
