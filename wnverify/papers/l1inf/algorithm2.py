"""L1,∞, Sec. 4, Algorithm 2: the projection to the L1 ball, outside it, inside it and at the edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.exact_projection import (
    Projector,
    Vector,
    algorithm2,
    distance,
    is_projection,
    nearest,
    projection,
    shown,
    shrink,
    sign,
    size,
    threshold,
    vector,
)

OUTSIDE: Final[Sequence[tuple[Vector, Fraction]]] = [
    (vector(2), Fraction(1)),
    (vector(3, -1, "1/2"), Fraction(3)),
    (vector(3, -1, "1/2"), Fraction(1)),
    (vector("-5/4", "3/4", "3/2", 1), Fraction(2)),
    *[(tuple(itertools.islice(networks.rationals(start), 5)), Fraction(1, 2)) for start in range(12)],
]


def _level(v: Vector, c: Fraction, shift: int) -> Fraction:
    """θ with p* replaced by p* + ``shift``, within 1 … s."""
    mu = sorted(map(abs, v), reverse=True)
    levels = [(total - c) / p for p, total in enumerate(itertools.accumulate(mu), start=1)]
    p = max(i for i, (x, level) in enumerate(zip(mu, levels, strict=True)) if x > level)
    return levels[min(max(p + shift, 0), len(v) - 1)]


@claim(
    "L1-ALG2",
    place="Alg. 2",
    statement="With μ the sorted |v|, p* = max{p: μ_p − (1/p)(Σ_{q≤p} μ_q − c) > 0} and θ = (1/p*)(Σ_{q≤p*} μ_q − c), "
    "sgn(v_p) max(|v_p| − θ, 0) is the point of {‖w‖₁ ≤ c} nearest to v.",
    hypotheses=("‖v‖₁ > c, the case in which Algorithm 1 calls it", "c > 0, exact arithmetic"),
    formula=algorithm2,
    faults={
        "p* one too small": lambda v, c: shrink(v, _level(v, c, -1)),
        "p* one too large": lambda v, c: shrink(v, _level(v, c, 1)),
        "all entries active": lambda v, c: shrink(v, (size(v) - c) / len(v)),
        "no floor at 0": lambda v, c: tuple(sign(x) * (abs(x) - threshold(v, c)) for x in v),
        "signs lost": lambda v, c: tuple(map(abs, algorithm2(v, c))),
        "rescaled": lambda v, c: tuple(x * c / size(v) for x in v),
        "θ = μ_1 − c": lambda v, c: shrink(v, max(map(abs, v)) - c),
    },
)
def outside_the_ball(formula: Projector, quick: bool) -> Measured:
    return Measured(parts=[_nearest(formula, "‖v‖₁ > c", [case for case in OUTSIDE if size(case[0]) > case[1]])])


def _nearest(formula: Projector, name: str, cases: Sequence[tuple[Vector, Fraction]]) -> Part:
    """The variational inequality, and the search through every face of the ball."""
    certified, searched = True, True
    witness: Json = None
    for v, c in cases:
        found = formula(v, c)
        yes, also = is_projection([v], [found], c), found == nearest(v, c)
        if not (yes and also) and witness is None:
            witness = {"v": shown(v), "c": str(c), "found": shown(found), "nearest": shown(nearest(v, c))}
            witness |= {"squared distances": [str(distance(v, found)), str(distance(v, nearest(v, c)))]}
            witness |= {"‖found‖₁": str(size(found))}
        certified, searched = certified and yes, searched and also
    return Part(
        name,
        [
            said("exact", certified, f"variational inequality, {len(cases)} vectors", power=0.0),
            said("optimisation", searched, "nearest of all faces of the ball", power=0.0),
        ],
        witness,
    )


INSIDE: Final[Sequence[tuple[Vector, Fraction]]] = [
    (vector("1/2"), Fraction(1)),
    (vector("1/2", "-1/4"), Fraction(1)),
    (vector("1/2", 0), Fraction(1)),
    (vector("1/8", "-1/4", "1/2", 1), Fraction(3)),
    (vector(1, -1), Fraction(2)),
]


@claim(
    "L1-ALG2-IN",
    place="Alg. 2 alone",
    statement="Algorithm 2 returns the projection of v to the L1 ball also for ‖v‖₁ ≤ c, that is v itself.",
    hypotheses=("c > 0",),
    reading="Algorithm 2 alone, whose input is any v and c.  Algorithm 1 asks first whether ‖v‖₁ > c.",
    formula=algorithm2,
    corrected="return v if ‖v‖₁ ≤ c.  As printed θ = (‖v‖₁ − c)/s < 0 for ‖v‖₁ < c, and all entries but 0 grow by |θ|.",
    corrected_formula=projection,
    faults={
        "zero inside": lambda v, c: v if size(v) == c else tuple(0 * x for x in v),
        "stretched to norm c": lambda v, c: tuple(x * c / size(v) for x in v),
        "θ without its sign": lambda v, c: shrink(v, abs(threshold(v, c))),
    },
)
def inside_the_ball(formula: Projector, quick: bool) -> Measured:
    within = [case for case in INSIDE if size(case[0]) < case[1]]
    return Measured(
        parts=[
            _nearest(formula, "‖v‖₁ < c", within),
            _nearest(formula, "‖v‖₁ = c", [case for case in INSIDE if case not in within]),
        ],
    )


EDGES: Final[dict[str, Sequence[tuple[Vector, Fraction]]]] = {
    "ties": [
        (vector(2, 2, -2), Fraction(1)),
        (vector(3, 3, 1, 1), Fraction(2)),
        (vector(2, 1, 1), Fraction(1)),
        (vector(3, 2, 2), Fraction(1)),
    ],
    "zeros": [(vector(0, 3, 0), Fraction(1)), (vector(0, -1, 1, 0), Fraction(1, 2))],
    "v = 0": [(vector(0), Fraction(1)), (vector(0, 0, 0), Fraction(1, 2))],
    "‖v‖₁ = c": [(vector(1, -1), Fraction(2)), (vector(0, 1), Fraction(1)), (vector("1/2", "1/4", "1/4"), Fraction(1))],
    "c → 0": [(v, Fraction(1, 10**power)) for v in (vector(3, -1), vector(1, 1, "1/2")) for power in (1, 6, 30)],
}


@claim(
    "L1-ALG2-EDGE",
    place="Alg. 2",
    statement="Algorithm 2 returns the projection also with ties, with zeros, for v = 0, for ‖v‖₁ = c, for small c and "
    "for c = 0, in floating point to rounding.",
    reading="‖v‖₁ < c is left to L1-ALG2-IN, save v = 0; sgn 0 = 0; to rounding: of c where ‖v‖₁ ≥ c.  The "
    "theorems ask for c > 0, the algorithm does not; for c < 0 the ball is empty.",
    formula=algorithm2,
    corrected="with ≥ for > in p*: in exact arithmetic the same for c > 0, and θ = μ_1, w = 0 for c = 0.  In floating "
    "point θ has to be found without subtracting c from far larger numbers.",
    faults={
        "sgn 0 = 1": lambda v, c: tuple((1 if x >= 0 else -1) * max(abs(x) - threshold(v, c), 0 * c) for x in v),
        "p* = s": lambda v, c: shrink(v, (size(v) - c) / len(v)),
        "one of equal entries active": lambda v, c: shrink(v, max(map(abs, v)) - c),
        "half of θ": lambda v, c: shrink(v, threshold(v, c) / 2),
    },
)
def edges(formula: Projector, quick: bool) -> Measured:
    none, empty = _no_radius(formula)
    lost, rounding = _floating_point(formula)
    return Measured(
        parts=[_nearest(formula, name, cases) for name, cases in EDGES.items()],
        conditions=[
            Condition("c > 0", none, empty),
            Condition("arithmetic is exact, or c far above the rounding of max |v|", lost, rounding),
        ],
        message="p = 1 passes in exact arithmetic exactly if c > 0.",
    )


def _no_radius(formula: Projector) -> tuple[list[Evidence], Json]:
    """c = 0: μ_p never exceeds the mean of the p largest, so that p* is the maximum of an empty set."""
    vectors = [vector(3, -1), vector(1, 1), vector(0, 0)]
    right = [_attempt(formula, v, Fraction(0)) == nearest(v, Fraction(0)) for v in vectors]
    floating = _attempt(formula, (3.0, -1.0), 0.0)
    zero = floating is not None and not any(floating)
    witness: Json = {"v": [3, -1], "c": 0, "μ_p − (1/p)(Σ μ_q − c)": ["0", "-1"], "p*": "max ∅", "projection": [0, 0]}
    routes = [
        said("exact", all(right), "(3, −1), (1, 1) and 0: p* is defined and the result 0", power=0.0),
        said("property search", zero, f"(3, −1) in float64: {floating or 'p* is not defined'}", power=1e-15),
    ]
    return routes, witness


def _floating_point(formula: Projector) -> tuple[list[Evidence], Json]:
    """μ_1 − c rounds to μ_1, so that no p passes in float64 either; and θ is rounded as a number of the size of v."""
    from wnverify.oracles.ratio import map_model

    relative = map_model("float64", 2).relative
    large, near = (2.0**60, 1.0), (2.0**51 + 0.5, 2.0**51)
    cases = {"(2^60, 1)": (large, (1.0, 0.0)), "(2^51 + 1/2, 2^51)": (near, (0.75, 0.25))}
    routes = []
    for name, (v, right) in cases.items():
        found = _attempt(formula, v, 1.0)
        off = max(abs(a - b) for a, b in zip(found, right, strict=True)) if found else math.inf
        model = "error of w over c, map model of float64"
        note = f"v = {name}, c = 1 in float64: {found or 'p* is not defined'}, for {right}"
        routes.append(by_ratio("property search", off / relative, note, power=relative, model=model))
    witness: Json = {"v": ["2^60", "1"], "c": 1, "μ_1 − c in float64": "2^60", "p*": "max ∅", "projection": [1, 0]}
    return routes, witness


def _attempt(formula: Callable[..., tuple[Any, ...]], v: tuple[Any, ...], c: Any) -> tuple[Any, ...] | None:
    """What ``formula`` returns, or None where it is not defined."""
    try:
        return formula(v, c)
    except ValueError:
        return None
