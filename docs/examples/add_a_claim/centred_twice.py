"""CWN, after eq. 3: centring twice is centring once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwn import witnesses


def centred(v: Any, one: Any, d: Any) -> Any:
    """v̂ = v − (1/d) 1 (1·v), as printed, in whatever ring its arguments live."""
    return v - (one @ v) / d * one


@claim(
    "CWN-HAT-TWICE",
    place="after eq. 3 (derived)",
    statement="Centring is idempotent: the centred parameter of v̂ is v̂.",
    formula=centred,
    faults={
        "half the mean": lambda v, one, d: v - (one @ v) / (2 * d) * one,
        "1/(d+1) for 1/d": lambda v, one, d: v - (one @ v) / (d + 1) * one,
        "the wrong sign": lambda v, one, d: v + (one @ v) / d * one,
    },
)
def centred_twice(formula: Any, quick: bool) -> Measured:
    symbolic = said("symbolic", _for_every_dimension(formula), "over inner products alone, for every d", power=0.0)
    exact, witness = _at_points(formula)
    return Measured(parts=[Part("centring twice", [symbolic, exact], witness)])


def _for_every_dimension(formula: Any) -> bool:
    known = witnesses.symbols()
    once = formula(known.gram.vector("v"), known.one, known.d)
    moved = formula(once, known.one, known.d) - once
    return moved.is_zero()


def _at_points(formula: Any) -> tuple[Evidence, Json]:
    import numpy as np

    for point in ([1], [1, 0], [1, 2, 6], [5, -1, 2, 9]):
        v = np.array([Fraction(x) for x in point], dtype=object)
        one, d = np.array([Fraction(1)] * len(v), dtype=object), Fraction(len(v))
        once = formula(v, one, d)
        twice = formula(once, one, d)
        if list(once) != list(twice):
            shown = {"v": [str(x) for x in v], "once": [str(x) for x in once], "twice": [str(x) for x in twice]}
            return said("exact", False, "in rationals", power=0.0), shown
    return said("exact", True, "in rationals, four points", power=0.0), None
