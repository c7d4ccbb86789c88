"""L1,∞, Sec. 4: the proximal operator of the L_{1,∞} norm beside the projection to an L1 ball."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.exact_projection import ZERO, Vector, is_projection, nearest, projection, shown, size, vector
from wnverify.papers.l1inf.networks import Layer


def kinks(v: Vector) -> list[Fraction]:
    """Radii r at which the slope of ``level(v, r)`` in r changes: Σ_{q≤p} (μ_q − μ_{p+1}), p = 1, …, s, μ_{s+1} = 0."""
    mu = [*sorted(map(abs, v), reverse=True), ZERO]
    return [sum((x - mu[p] for x in mu[:p]), ZERO) for p in range(1, len(mu))]


def level(v: Vector, r: Fraction) -> Fraction:
    """θ of the projection of v to the L1 ball of radius r ≥ 0, 0 inside it: piecewise linear and falling in r."""
    mu = sorted(map(abs, v), reverse=True)
    return max([ZERO, *((total - r) / p for p, total in enumerate(itertools.accumulate(mu), start=1))])


def prox(columns: Layer, weight: Fraction) -> Layer:
    """argmin_X weight ‖X‖_{1,∞} + ½ ‖X − V‖², in finitely many rational operations.

    Its columns are the projections of those of V to the L1 ball of one radius r ≥ 0, with Σ_j θ_j(r) = weight, or 0
    where Σ_j max_i |v_ij| ≤ weight.  Σ_j θ_j is piecewise linear: its kinks are sorted, and r is interpolated.
    """
    radii = sorted({ZERO, *(r for v in columns for r in kinks(v))})
    sums = [sum((level(v, r) for v in columns), ZERO) for r in radii]
    if sums[0] <= weight:
        return tuple(tuple(0 * x for x in v) for v in columns)
    right = next(i for i, total in enumerate(sums) if total <= weight)
    (r, above), (s, below) = (radii[right - 1], sums[right - 1]), (radii[right], sums[right])
    radius = r + (s - r) * (above - weight) / (above - below)
    return tuple(projection(v, radius) for v in columns)


def is_prox(columns: Layer, found: Layer, weight: Fraction) -> bool:
    """V − X ∈ weight ∂‖X‖_{1,∞}: the dual norm Σ_j max_i |y_ij| of Y = V − X is ≤ weight, and ⟨Y, X⟩ = weight ‖X‖."""
    gaps = [tuple(a - b for a, b in zip(v, w, strict=True)) for v, w in zip(columns, found, strict=True)]
    dual = sum((max(map(abs, y)) for y in gaps), ZERO)
    inner = sum((a * b for y, w in zip(gaps, found, strict=True) for a, b in zip(y, w, strict=True)), ZERO)
    return dual <= weight and inner == weight * networks.norm(found)


PRINTED: Final[Mapping[str, bool]] = MappingProxyType(
    {"no closed form of the proximal operator": True, "projection computed": True, "projection sparsifies": True}
)
CASES: Final[list[tuple[Layer, Fraction]]] = [
    ((vector(3, -1), vector(2, 2)), Fraction(1)),
    ((vector(3, -1), vector(1, "1/2")), Fraction(3, 2)),
    ((vector(3, -1), vector(2, 2)), Fraction(10)),
    *[
        (networks.layer_of(shape, networks.rationals(start)), weight)
        for shape, start in (((1, 3), 2), ((2, 2), 5), ((3, 4), 8))
        for weight in (Fraction(1, 4), Fraction(2), Fraction(5))
    ],
]


@claim(
    "L1-P-PROX",
    place="Sec. 4",
    statement="The proximal operator of the L_{1,∞} norm has no closed form, whereas the projection to an L1 ball is "
    "computed efficiently and makes its output sparse.",
    reading="closed form is not defined, and the projection itself is a sort and a search for p*.",
    formula=PRINTED,
    faults={
        "projection leaves no zeros": {**PRINTED, "projection sparsifies": False},
        "projection not computed": {**PRINTED, "projection computed": False},
        "neither": {**PRINTED, "projection sparsifies": False, "projection computed": False},
    },
)
def proximal_operator(formula: Mapping[str, bool], quick: bool) -> Measured:
    denied = formula["no closed form of the proximal operator"]
    exact, by_cases, witness = _computed()
    computed = Part(
        "no closed form of the proximal operator",
        [said(each.route, bool(each.verdict == "holds") != denied, each.note, power=0.0) for each in (exact, by_cases)],
        witness,
    )
    unclear = Part(
        "no closed form of the proximal operator",
        [said("reading", None, "the text names no set of operations, and no argument that they do not suffice")],
    )
    others = _projection(formula)
    return Measured(
        readings=[
            Reading("no finite exact computation, such as Algorithm 2 is for the projection", [computed, *others]),
            Reading("no single formula without sorting or search", [unclear, *others]),
        ],
        message="Both maps are continuous and piecewise affine, so a formula with min and max exists for either or is "
        "denied to either; for one column the operator is soft thresholding.",
    )


def _computed() -> tuple[Evidence, Evidence, Json]:
    """The operator in fractions against its subdifferential, and at one column and one row against known operators."""
    certified = all(is_prox(V, prox(V, weight), weight) for V, weight in CASES)
    one = True
    for start, weight in itertools.product(range(4), (Fraction(1, 2), Fraction(2))):
        column = tuple(itertools.islice(networks.rationals(start), 4))
        soft = tuple(max(x - weight, min(x + weight, ZERO)) for x in column)
        one = one and prox((column,), weight) == (soft,)
        # One row: the norm is max |·|, whose proximal operator is v less its projection to the L1 ball.
        other = tuple(x - y for x, y in zip(column, nearest(column, weight), strict=True))
        one = one and prox(tuple((x,) for x in column), weight) == tuple((x,) for x in other)
    V, weight = CASES[0]
    witness: Json = {
        "columns of V": list(map(shown, V)),
        "λ": str(weight),
        "argmin λ‖X‖ + ½‖X − V‖²": list(map(shown, prox(V, weight))),
    }
    note = f"{len(CASES)} matrices: sorted kinks and one interpolation; V − X in λ∂‖X‖"
    return (
        said("exact", certified, note, power=0.0),
        said("arithmetic", one, "one column: soft thresholding; one row: v − projection of v", power=0.0),
        witness,
    )


def _projection(formula: Mapping[str, bool]) -> list[Part]:
    vectors = [tuple(itertools.islice(networks.rationals(start), 5)) for start in range(10)]
    c = Fraction(1, 2)
    found = [projection(v, c) for v in vectors if size(v) > c]
    right = all(is_projection([v], [projection(v, c)], c) for v in vectors)
    zeros, before = (sum(x == 0 for w in each for x in w) for each in (found, vectors))
    witness: Json = {"v": shown(vectors[0]), "c": str(c), "projection": shown(projection(vectors[0], c))}
    note = f"{len(vectors)} vectors of 5: one sort, one pass, variational inequality"
    more = f"zeros: {zeros} after, {before} before, of {5 * len(vectors)} entries"
    return [
        Part("projection computed", [said("exact", right == formula["projection computed"], note, power=0.0)], witness),
        Part(
            "projection sparsifies",
            [said("exact", (zeros > before) == formula["projection sparsifies"], more, power=0.0)],
            witness,
        ),
    ]
