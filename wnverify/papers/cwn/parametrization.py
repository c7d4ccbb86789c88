"""CWN, after eq. 3: the centred parameter v̂ and what w = v̂ / ‖v̂‖ is guaranteed to be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, encode_array, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said
from wnverify.papers.cwn import witnesses


def centred(v: Any, one: Any, d: Any) -> Any:
    """v̂ = v − (1/d) 1 (1·v), as printed, in whatever ring its arguments live."""
    return v - (one @ v) / d * one


@claim(
    "CWN-HAT",
    place="after eq. 3",
    statement="v̂ = v − (1/d) 1 (1ᵀv) is the centred parameter: its entries are v_i minus their mean, they sum to 0, "
    "and v − v̂ is a multiple of 1 (v̂ is the orthogonal projection of v to the vectors of sum 0).",
    formula=centred,
    faults={
        "the wrong sign": lambda v, one, d: v + (one @ v) / d * one,
        "1/d missing": lambda v, one, d: v - (one @ v) * one,
        "1/(d+1) for 1/d": lambda v, one, d: v - (one @ v) / (d + 1) * one,
        "half the mean": lambda v, one, d: v - (one @ v) / (2 * d) * one,
        "nothing subtracted": lambda v, one, d: v,
        "the mean doubled back (a reflection)": lambda v, one, d: v - 2 * (one @ v) / d * one,
        "scaled as well": lambda v, one, d: 2 * centred(v, one, d),
    },
)
def centred_parameter(formula: Any, quick: bool) -> Measured:
    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    v, x = known.gram.vector("v"), known.gram.vector("x")
    found = formula(v, known.one, known.d)
    removed = v - found
    x_hat = x - (known.one @ x) / known.d * known.one  # an arbitrary vector of sum 0
    sums = is_identity(found @ known.one)
    along = is_identity(removed @ x_hat)
    routes = [
        said(
            "symbolic",
            sums and along,
            "inner products with 1 and with every vector of sum 0, for every d",
            power=0.0,
            figures={"sum is 0": sums, "v − v̂ is a multiple of 1": along},
        )
    ]
    exact, witness = _against_the_mean(formula)
    return Measured(parts=[Part("v̂", [*routes, exact], witness)])


def _against_the_mean(formula: Any) -> tuple[Evidence, Json]:
    """Entry by entry in rationals against the arithmetic mean of the entries, smallest sizes first."""
    import statistics

    import numpy as np

    points = ([2], [1, 0], [1, 3], [1, 0, 0], [5, -1, 2], [10**12 + 1, 10**12, 10**12 - 4], [1, 2, 3, 4, 5, 7])
    for point in points:
        v = [Fraction(x) for x in point]
        mean = statistics.mean(v)
        arrays = (np.array(x, dtype=object) for x in (v, [Fraction(1)] * len(v)))
        found = list(formula(*arrays, Fraction(len(v))))
        if found != [x - mean for x in v]:
            shown = {
                "v": [str(x) for x in v],
                "formula": [str(x) for x in found],
                "v minus its mean": [str(x - mean) for x in v],
            }
            return said("exact", False, "against the arithmetic mean, in rationals", power=0.0), shown
    note = f"against the arithmetic mean, in rationals, {len(points)} points with d from 1 to 6"
    return said("exact", True, note, power=0.0), None


def weight(v: Any, one: Any, d: Any, root: Callable[[Any], Any]) -> Any:
    """w = v̂ / ‖v̂‖; ``root`` is the square root of the ring."""
    v_hat = centred(v, one, d)
    return v_hat / root(v_hat @ v_hat)


class Guarantee(NamedTuple):
    """The map, and bounds (of d, κ, u) for |1·w| and |‖w‖ − 1| when it is evaluated in floating point."""

    weight: Any
    sum_bound: Callable[[int, float, float], float]
    norm_bound: Callable[[int, float, float], float]


def sum_bound(d: int, kappa: float, u: float) -> float:
    """√d (κ (u + γ̃_d) + 4 u): the mean is off by (u + γ̃_d) mean|v|, which 1·w sees d times, over ‖v̂‖."""
    return math.sqrt(d) * (kappa * (u + probabilistic_gamma(d, u)) + 4 * u)


def norm_bound(d: int, kappa: float, u: float) -> float:
    """γ̃_d / 2 + 4 u: w is normalised by the norm of the very floats that it is made of, so that κ does not enter."""
    return probabilistic_gamma(d, u) / 2 + 4 * u


PRINTED: Final = Guarantee(weight, sum_bound, norm_bound)
LARGEST_KAPPA: Final = {"float64": 1e9, "float32": 1e3}
NOT_CONSTANT: Final = "v is not constant (which no v is for d = 1)"
IN_RANGE: Final = "in floating point the squares of the entries of v̂ neither overflow nor underflow"


@claim(
    "CWN-GUAR",
    place="after eq. 3",
    statement="The parametrisation guarantees wᵀ1 = 0 and ‖w‖ = 1. When? How accurately in floating point? Answer: "
    "exactly for every v; in floating point with unit roundoff u, |‖w‖ − 1| ≤ γ̃_d/2 + 4u whatever v, and "
    "|1ᵀw| ≤ √d (κ (u + γ̃_d) + 4u) with κ = ‖v‖/‖v̂‖.",
    reading="'guarantees' is said without a restriction on v; the floating-point bounds are derived here, with the "
    "mean, the norm and the quotient computed in the order of the definition.",
    formula=PRINTED,
    faults={
        "not centred": PRINTED._replace(weight=lambda v, one, d, root: v / root(v @ v)),
        "not normalised": PRINTED._replace(weight=lambda v, one, d, root: centred(v, one, d)),
        "normalised by the norm of v": PRINTED._replace(
            weight=lambda v, one, d, root: centred(v, one, d) / root(v @ v)
        ),
        "normalised by the squared norm": PRINTED._replace(
            weight=lambda v, one, d, root: centred(v, one, d) / (centred(v, one, d) @ centred(v, one, d))
        ),
        "1/d missing in the mean": PRINTED._replace(weight=lambda v, one, d, root: weight(v, one, d * 0 + 1, root)),
        "normalised by the standard deviation": PRINTED._replace(
            weight=lambda v, one, d, root: weight(v, one, d, root) * root(d)
        ),
        "the sum's bound without κ": PRINTED._replace(sum_bound=lambda d, kappa, u: sum_bound(d, 1.0, u)),
    },
    corrected="wᵀ1 = 0 and ‖w‖ = 1 for every v that is not constant; for constant v, and so for d = 1, w is undefined.",
)
def guarantee(formula: Guarantee, quick: bool) -> Measured:
    exact, witness = _exactly(formula.weight)
    enclosed, enclosed_witness = _enclosed(formula.weight, quick)
    constant_exact, constant_float, constant_witness = _constant(formula.weight)
    parts = [
        Part("exactly", [exact, enclosed], enclosed_witness or witness),
        *_in_floats(formula, quick),
    ]
    conditions = [
        Condition(NOT_CONSTANT, [constant_exact, constant_float], constant_witness),
        Condition(IN_RANGE, *_out_of_range(formula.weight)),
    ]
    return Measured(
        parts=parts,
        conditions=conditions,
        message=f"A constant v need not give NaN: {constant_float.note}.",
        left_out=("floating point with d = 512, and six of ten enclosed cases",) if quick else (),
    )


def _exactly(weight_map: Any) -> tuple[Evidence, Json]:
    """w·1 = 0 and w·w = 1 over inner products alone, so for every d; a point where they fail otherwise."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    mean = sympy.Symbol("m", real=True)
    v = known.s * known.w + mean * known.one

    def root(square: Any) -> Any:
        return sympy.sqrt(sympy.factor(square))

    w = weight_map(v, known.one, known.d, root)
    sums, unit = is_identity(w @ known.one), is_identity(w @ w, 1)
    figures: dict[str, Json] = {"w·1 = 0": sums, "w·w = 1": unit}
    note = "inner products of v = s w + m 1 with s > 0, for every d"
    return said("symbolic", sums and unit, note, power=0.0, figures=figures), {"v": "s w + m 1", **figures}


def _enclosed(weight_map: Any, quick: bool) -> tuple[Evidence, Json]:
    """w·1 and w·w − 1 in balls."""

    def equation(case: witnesses.Case, b: witnesses.Balls) -> list[Any]:
        w = weight_map(b.v, b.one, b.one[0] * case.d, lambda square: square.sqrt())
        return [w @ b.one, w @ w - 1]

    return witnesses.by_enclosure(equation, quick, "w·1 and w·w − 1 in balls")


def _points(quick: bool) -> Iterator[tuple[str, Any]]:
    """(dtype, v): normal entries on a mean from 0 to the largest κ, d from 2 to 512, and entries of unlike size."""
    import numpy as np

    for dtype in ("float64", "float32"):
        for d in (2, 3, 17, 64) if quick else (2, 3, 17, 64, 512):
            for power in (0.0, 0.25, 0.5, 1.0):
                offset = 0.0 if power == 0 else LARGEST_KAPPA[dtype] ** power
                rng = np.random.default_rng(seed_of("cwn", "guarantee", dtype, d, power))
                yield dtype, (offset + rng.standard_normal(d)).astype(dtype)
            yield dtype, np.geomspace(1e-6, 1e6, d).astype(dtype)


MODELS: Final = {"the sum": "√d (κ (u + γ̃_d) + 4 u)", "the norm": "γ̃_d / 2 + 4 u"}


def _in_floats(formula: Guarantee, quick: bool) -> list[Part]:
    """Largest ratios of |1·w| and |‖w‖ − 1| to their bounds, both measured exactly on the floats of w."""
    points = [(dtype, v, *_errors(formula, dtype, v)) for dtype, v in _points(quick)]
    parts = []
    for index, name in enumerate(MODELS):
        ratios = [error[index] / bound[index] for _, _, error, bound in points]
        largest = max(error[index] / unit_roundoff(dtype) for dtype, _, error, _ in points)
        evidence = by_ratio(
            "property search",
            max(ratios),
            "float64 and float32, random points on large means and entries of unlike size",
            power=REFUTES_FROM * min(bound[index] for _, _, _, bound in points),
            model=MODELS[name],
            figures={"points": len(points), "largest error in units of u": float(f"{largest:.3g}")},
        )
        failing = [point for point, ratio in zip(points, ratios, strict=True) if ratio >= REFUTES_FROM]
        smallest = min(failing, key=lambda point: len(point[1]), default=None)
        parts.append(Part(f"in floating point, {name}", [evidence], _point_witness(smallest, index)))
    return parts


def _errors(formula: Guarantee, dtype: str, v: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """(|1·w|, |‖w‖ − 1|) of the floats of w, calculated exactly, and the two bounds."""
    import numpy as np

    d, u, kappa = len(v), unit_roundoff(dtype), witnesses.kappa(v)
    entries = [float(x) for x in formula.weight(v, np.ones_like(v), v.dtype.type(d), np.sqrt)]
    square = sum((Fraction(x) ** 2 for x in entries), Fraction(0))
    off = float(abs(square - 1)) / (1 + math.sqrt(square))  # ‖w‖ − 1 without cancellation
    return (abs(math.fsum(entries)), off), (formula.sum_bound(d, kappa, u), formula.norm_bound(d, kappa, u))


def _point_witness(point: tuple[str, Any, tuple[float, float], tuple[float, float]] | None, index: int) -> Json:
    if point is None:
        return None
    kappa = float(f"{witnesses.kappa(point[1]):.4g}")
    return {"v": encode_array(point[1]), "kappa": kappa, "error": float(f"{point[2][index]:.4g}")}


def _constant(weight_map: Any) -> tuple[Evidence, Evidence, Json]:
    """What is left of the guarantee at a constant v: exactly, and in float64."""
    import numpy as np

    sizes = {
        d: centred(np.array([Fraction(3)] * d, dtype=object), np.array([1] * d, dtype=object), d) for d in (1, 2, 3)
    }
    vanish = all(not any(v_hat) for v_hat in sizes.values())
    v = np.full(3, 0.1)
    with np.errstate(invalid="ignore"):
        whole = weight_map(np.ones(2), np.ones(2), 2.0, np.sqrt)
        noise = weight_map(v, np.ones(3), 3.0, np.sqrt)
    off = abs(math.fsum(noise))
    exact = said("exact", not vanish, "v̂ = 0 for constant v with d = 1, 2, 3, so that no w is defined", power=0.0)
    figures: dict[str, Json] = {"w at (1, 1) is NaN": bool(np.isnan(whole).all())}
    ratio = off / sum_bound(3, 1.0, unit_roundoff("float64"))
    note = f"at v = (0.1, 0.1, 0.1) in float64 |1ᵀw| = {off:.4g}, w being the normalised rounding error of the mean"
    floats = by_ratio("property search", ratio, note, power=1e-15, model="√d (u + γ̃_d + 4 u)", figures=figures)
    return exact, floats, {"v": ["1", "1"], "v̂": ["0", "0"], "w": "0/0"}


def _out_of_range(weight_map: Any) -> tuple[list[Evidence], Json]:
    """‖w‖ where the squares of v̂ overflow, and where they underflow, in float64."""
    import numpy as np

    norms = {}
    with np.errstate(all="ignore"):
        for size in (1e200, 1e-200):
            w = weight_map(np.array([size, -size]), np.ones(2), 2.0, np.sqrt)
            norms[f"‖w‖ at ({size:g}, -{size:g})"] = float(np.linalg.norm(w))
    error = min(abs(norm - 1) for norm in norms.values())  # either of the two is to break it
    ratio = error / norm_bound(2, 1.0, unit_roundoff("float64"))
    figures: dict[str, Json] = {name: str(value) for name, value in norms.items()}
    evidence = by_ratio(
        "property search", ratio, "v = ±size (1, −1)", power=1e-15, model="γ̃_d / 2 + 4 u", figures=figures
    )
    return [evidence], {"v": ["1e200", "-1e200"], "dtype": "float64", "‖w‖": str(next(iter(norms.values())))}
