"""DSWN, section 4.1.1: the values of the sparsity parameter, and how many entries eq. 8 keeps at them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, REFUTES_FROM
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said
from wnverify.papers.dswn.threshold_gap import counting


class Values(NamedTuple):
    """The values tried, as printed, and the two ends they are said to lie between."""

    tried: tuple[str, ...]
    ends: tuple[str, str]


VALUES: Final = Values(("1e-1", "1e-3", "3e-3", "5e-4", "1e-5", "3e-5", "1e-7"), ("1e-1", "1e-7"))
"""Section 4.1.1, second and third sentences."""


@claim(
    "DSWN-LAM-SET",
    place="sec. 4.1.1",
    statement="The parameter lies between 1e-1 and 1e-7 and is taken from 1e-1, 1e-3, 3e-3, 5e-4, 1e-5, 3e-5, 1e-7: "
    "the list agrees with the range, both ends being on it, and its seven values differ.",
    reading="'between' includes the ends. Which value belongs to which experiment is not said.",
    formula=VALUES,
    faults={
        "a value below": VALUES._replace(tried=(*VALUES.tried, "1e-8")),
        "a value above": VALUES._replace(tried=("1", *VALUES.tried[1:])),
        "a value twice": VALUES._replace(tried=(*VALUES.tried[:6], "1e-5")),
        "another end": VALUES._replace(ends=("1e-1", "1e-6")),
    },
)
def values_tried(formula: Values, quick: bool) -> Measured:
    tried, ends = [Fraction(x) for x in formula.tried], sorted(Fraction(x) for x in formula.ends)
    outside = [x for x, number in zip(formula.tried, tried, strict=True) if not ends[0] <= number <= ends[1]]
    twice = sorted({x for x, number in zip(formula.tried, tried, strict=True) if tried.count(number) > 1})
    unused = [x for x in formula.ends if Fraction(x) not in tried]
    parts = []
    for name, wrong in (("inside the range", outside), ("different", twice), ("ends on the list", unused)):
        parts.append(
            Part(name, [said("arithmetic", not wrong, f"{len(tried)} values", power=0.0)], {"values": list(wrong)})
        )
    return Measured(parts=parts)


class Kept(NamedTuple):
    """The fraction of entries kept (of ρ, d; ``erfc`` and ``root`` of the ring), and a bound for their number in a row,
    strict, of ρ."""

    fraction: Callable[..., Any]
    most: Callable[[Any], Any]


def expected(rho: Any, d: Any, erfc: Callable[[Any], Any], root: Any) -> Any:
    """erfc(ρ d / √π), ``root`` being √π."""
    return erfc(rho * d / root)


KEPT: Final = Kept(expected, lambda rho: 1 / rho)
SIZES: Final = (8, 27, 144, 576)
"""d: small; the first 3 × 3 convolution on three channels; 3 × 3 convolutions on 16 and 64 channels."""
SLACK: Final = 0.5
"""The fraction at finite d is within 1/(2d) of the limit."""


@claim(
    "DSWN-LAM-EFF",
    place="sec. 4.1.1 + eq. 8 (derived)",
    statement="What fraction of entries does eq. 8 keep over that range when φ(V) has orthonormal zero-sum rows of "
    "length d, V random? Answer: on average erfc(ρ d/√π) up to 1/(2d), d ≥ 8, a function of ρ d alone, and in each row "
    "fewer than 1/ρ entries whatever V is. So ρ = 1e-1 leaves about 3 % at d = 27 and nothing from d = 100 on; ρ = "
    "1e-7 keeps all; half are kept where ρ d = 0.85, at ρ = 1e-3 for d ≈ 850: one ρ for layers of unlike d prunes the "
    "wide ones only.",
    hypotheses=("V has independent standard normal entries", "groups are rows, as the indices of eq. 8 have it"),
    reading="each row of φ(V) is then uniform on the unit sphere of the vectors of sum 0.",
    formula=KEPT,
    faults={
        "√2 for √π": KEPT._replace(fraction=lambda rho, d, erfc, root: erfc(rho * d / 2**0.5)),
        "no √π": KEPT._replace(fraction=lambda rho, d, erfc, root: erfc(rho * d)),
        "ρ √d": KEPT._replace(fraction=lambda rho, d, erfc, root: erfc(rho * d**0.5 / root)),
        "independent of d": KEPT._replace(fraction=lambda rho, d, erfc, root: erfc(rho * 27 / root)),
        "one minus ρ d": KEPT._replace(fraction=lambda rho, d, erfc, root: max(1 - float(rho * d), 0.0)),
        "what is dropped": KEPT._replace(fraction=lambda rho, d, erfc, root: 1 - erfc(rho * d / root)),
        "fewer than 1/(10 ρ)": KEPT._replace(most=lambda rho: 1 / (10 * rho)),
    },
)
def fraction_kept(formula: Kept, quick: bool) -> Measured:
    simulated, witness, cap, cap_witness = _simulated(formula, quick)
    parts = [
        Part("the average for d → ∞", [_in_the_limit(formula)], witness),
        Part("the average at finite d", [simulated], witness),
        Part("fewer than 1/ρ in a row", [counting(formula.most), cap], cap_witness),
    ]
    return Measured(parts=parts, left_out=("d = 144 and 576, φ(V) by its eigenvectors",) if quick else ())


def _in_the_limit(formula: Kept) -> Evidence:
    """For d → ∞ an entry is z/√d and ‖φ_g‖₁ → √d E|z|, z standard normal: kept with probability P(|z| > ρ d E|z|)."""
    import sympy

    rho, d, z = sympy.symbols("rho d z", positive=True)
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    if sympy.simplify(sympy.diff(density, z) + z * density) != 0:
        raise ArithmeticError("the primitive of z times the normal density must be minus the density")
    mean = 2 * density.subs(z, 0)  # E|z| by that primitive
    try:
        claimed = formula.fraction(rho, d, sympy.erfc, sympy.sqrt(sympy.pi))
    except TypeError:
        return said("symbolic", None, "not decided in symbols")
    lost = -2 * density.subs(z, rho * d * mean) * d * mean  # the derivative of P(|z| > ρ d E|z|) by ρ
    same = sympy.simplify(sympy.diff(claimed, rho) - lost) == 0 and claimed.subs(rho, 0) == 1
    note = f"E|z| = {mean}; P(|z| > ρ d E|z|) by its derivative in ρ, and 1 at ρ = 0"
    return said("symbolic", bool(same), note, power=0.0)


def _simulated(formula: Kept, quick: bool) -> tuple[Evidence, Json, Evidence, Json]:
    import numpy as np

    quantile = statistics.NormalDist().inv_cdf(1 - FALSE_ALARM_BUDGET / 2)
    worst, largest, witness, most, cap_witness = 0.0, 0.0, None, True, None
    figures: dict[str, Json] = {}
    for d in SIZES[:2] if quick else SIZES:
        size = np.abs(_rows(d, 2_000 if quick else 160_000 // d))
        total = size.sum(axis=1, keepdims=True)
        for text in VALUES.tried:
            rho = float(text)
            number = (size > rho * total).sum(axis=1)
            mean, spread = float(number.mean()) / d, float(number.std()) / d
            claimed = float(formula.fraction(rho, d, math.erfc, math.sqrt(math.pi)))
            allowed = SLACK / d + quantile * max(spread, 1 / d / math.sqrt(len(number))) / math.sqrt(len(number))
            largest = max(largest, allowed)
            figures[f"rho {text}, d {d}"] = float(f"{mean:.3g}")
            if abs(mean - claimed) / allowed > worst:
                worst = abs(mean - claimed) / allowed
                witness = {"rho": text, "d": d, "mean kept": float(f"{mean:.4g}"), "claimed": float(f"{claimed:.4g}")}
            if number.max() >= formula.most(rho) and cap_witness is None:
                most, cap_witness = False, {"rho": text, "d": d, "kept in one row": int(number.max())}
    routes = by_ratio(
        "simulation",
        worst,
        "rows uniform on the sphere of sum 0" + ("" if quick else ", at d = 27 by Σ^{-1/2} V_C with n = 4"),
        power=REFUTES_FROM * largest,
        model="1/(2d) + normal quantile × standard error",
        figures=figures,
    )
    return routes, witness, said("property search", most, "the rows of the simulation", power=0.0), cap_witness


def _rows(d: int, count: int) -> Any:
    """Rows of φ(V): unit, of sum 0; at d = 27 and a large count those of (4, d) matrices by eigenvectors of Σ."""
    import numpy as np

    rng = np.random.default_rng(seed_of("dswn", "fraction kept", d, count))
    V = rng.standard_normal((count - count % 4, d))
    X = V - V.mean(axis=1, keepdims=True)
    if d != 27 or count < 5_000:
        return X / np.linalg.norm(X, axis=1, keepdims=True)
    X = X.reshape(-1, 4, d)
    values, vectors = np.linalg.eigh(X @ X.transpose(0, 2, 1))
    root = (vectors / np.sqrt(values)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return (root @ X).reshape(-1, d)
