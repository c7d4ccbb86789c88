"""DSWN, eq. 8 against the exact proximal point: how far apart they are, and which groups they set to zero."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import shrinkage
from wnverify.papers.dswn.shrinkage import STRENGTHS, Row, shown


class Gap(NamedTuple):
    """Bounds, of (ρ, d, S = ‖φ_g‖₁), for the distance of eq. 8 in one entry and for what its objective is above the
    least, and of ρ for the number of entries that eq. 8 keeps."""

    entry: Callable[[Any, int, Any], Any]
    objective: Callable[[Any, int, Any], Any]
    kept: Callable[[Any], Any]


GAP: Final = Gap(
    entry=lambda rho, d, S: rho**2 * d * S / (1 + rho * d),
    objective=lambda rho, d, S: rho**4 * d**3 * S**2 / (2 * (1 + rho * d)),
    kept=lambda rho: 1 / rho,
)


@claim(
    "DSWN-EQ8-GAP",
    place="eq. 8 (derived)",
    statement="How far is eq. 8 from the exact minimiser, as a function of ρ and the group size d? Answer: it shrinks "
    "too much. Its support lies in that of the minimiser; each entry is too small by at most ρ² d S / (1 + ρ d), S = "
    "‖φ_g‖₁; its objective is too large by at most ρ⁴ d³ S² / (2 (1 + ρ d)); both are attained where eq. 8 keeps all d "
    "entries. It keeps fewer than 1/ρ entries of a group, however many there are, while the minimiser keeps all of a "
    "group of equal sizes. So the two agree to first order in ρ, and no longer where ρ d is of the order of 1.",
    formula=GAP,
    faults={
        "distance of first order": GAP._replace(entry=lambda rho, d, S: rho * d * S / (1 + rho * d)),
        "distance without the group size": GAP._replace(entry=lambda rho, d, S: rho**2 * S / (1 + rho)),
        "distance without 1 + ρ d": GAP._replace(entry=lambda rho, d, S: rho**2 * d * S),
        "half the objective's gap": GAP._replace(objective=lambda rho, d, S: GAP.objective(rho, d, S) / 2),
        "the objective's gap by convexity alone": GAP._replace(
            objective=lambda rho, d, S: d * GAP.entry(rho, d, S) ** 2 / 2
        ),
        "at most half of 1/ρ kept": GAP._replace(kept=lambda rho: 1 / (2 * rho)),
        "one more may be kept": GAP._replace(kept=lambda rho: 1 / rho + 1),
    },
)
def gap(formula: Gap, quick: bool) -> Measured:
    nested, bounded, attained, few = True, True, True, True
    witness: Json = None
    count = 0
    for x, rho in itertools.product(shrinkage.groups(quick), STRENGTHS):
        count += 1
        d, S = len(x), shrinkage.size(x)
        printed, best = shrinkage.eq8(rho, x), shrinkage.best_face(rho, x)
        kept = sum(map(bool, printed))
        off = [abs(b) - abs(p) for p, b in zip(printed, best, strict=True)]
        above = shrinkage.objective(rho, x, printed) - shrinkage.objective(rho, x, best)
        nested &= all(each >= 0 for each in off) and all(b or not p for p, b in zip(printed, best, strict=True))
        pairs = ((max(off), formula.entry(rho, d, S)), (above, formula.objective(rho, d, S)))
        inside = all(found <= bound for found, bound in pairs)
        equal = kept < d or all(found == bound for found, bound in pairs)
        bounded, attained, few = bounded and inside, attained and equal, few and (not kept or kept < formula.kept(rho))
        if witness is None and not (inside and equal and (not kept or kept < formula.kept(rho))):
            witness = shown(phi=x, rho=rho, eq8=printed, minimiser=best, objective_gap=above)
            witness |= shown(bounds=[bound for _, bound in pairs], kept=kept)
    sharp, cap = _most_kept(formula.kept)
    note = f"{count} groups and strengths in rationals, the minimiser by its faces"
    flags: dict[str, Json] = {"nested": nested, "bounded": bounded, "attained where all are kept": attained}
    proof, failing = _where_all_are_kept(formula)
    distance = [said("exact", nested and bounded and attained, note, power=0.0, figures=flags), proof]
    capped = [said("exact", few and sharp, "groups of equal sizes, ρ = 1/2 … 1/9", power=0.0), counting(formula.kept)]
    return Measured(
        parts=[
            Part("distance and objective", distance, witness if witness is not None else failing),
            Part("fewer than 1/ρ kept, and as many as that allows", capped, cap),
        ],
        left_out=("groups of 3",) if quick else (),
    )


def _most_kept(kept: Callable[[Fraction], Fraction]) -> tuple[bool, Json]:
    """Over groups of 1 to 12 equal entries, the most that eq. 8 keeps is the largest number below the bound, while the
    minimiser, every entry divided by 1 + ρ d, keeps all."""
    for m in range(2, 10):
        rho, groups = Fraction(1, m), [[Fraction(1)] * d for d in range(1, 13)]
        most = max(sum(map(bool, shrinkage.eq8(rho, x))) for x in groups)
        whole = all(shrinkage.is_optimal(rho, x, [1 / (1 + rho * len(x))] * len(x)) for x in groups)
        if not whole or most != math.ceil(kept(rho)) - 1:
            return False, {"rho": str(rho), "most kept": most, "bound": str(kept(rho))}
    return True, None


def counting(kept: Callable[[Fraction], Fraction]) -> Evidence:
    """k entries above ρ S sum to more than k ρ S and to at most S, so that k ρ < 1: the bound times ρ must be 1."""
    import sympy

    rho = sympy.Symbol("rho", positive=True)
    found = sympy.simplify(kept(rho) * rho)
    return said("symbolic", found == 1, f"k ρ S < S for k kept entries; ρ × bound = {found}", power=0.0)


def _where_all_are_kept(formula: Gap) -> tuple[Evidence, Json]:
    """With eq. 8 at x − ρ S and the stationary point of F at x − ρ S/(1 + ρ d), in symbols for d = 1, 2, 3."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    rho = sympy.Symbol("rho", positive=True)
    for d in (1, 2, 3):
        x = [sympy.Symbol(f"x{i}", positive=True) for i in range(d)]
        S = sum(x)
        w = [each - rho * S for each in x]
        v = [sympy.Symbol(f"v{i}") for i in range(d)]
        F = sum((a - b) ** 2 for a, b in zip(v, x, strict=True)) / 2 + rho * sum(v) ** 2 / 2
        best = sympy.solve([sympy.diff(F, each) for each in v], v, dict=True)[0]
        entry = is_identity(best[v[0]] - w[0], formula.entry(rho, d, S))
        above = F.subs(dict(zip(v, w, strict=True))) - F.subs(best)
        if not (entry and is_identity(above, formula.objective(rho, d, S))):
            failing = {"d": d, "distance": str(sympy.factor(best[v[0]] - w[0])), "objective": str(sympy.factor(above))}
            return said("symbolic", False, f"d = {d}, all entries kept", power=0.0), failing
    return said("symbolic", True, "d = 1, 2, 3, all entries kept, the stationary point by elimination", power=0.0), None


class Zeroed(NamedTuple):
    """When a group vanishes: by eq. 8 (of ρ and x), at the minimiser, from which ρ on always by eq. 8 (any group, and
    a group of sum 0 as the rows of φ(V) are), and below which ρ never (of d)."""

    by_eq8: Callable[[Fraction, Row], bool]
    at_minimiser: Callable[[Fraction, Row], bool]
    always_from: Fraction
    always_from_zero_sum: Fraction
    never_below: Callable[[int], Fraction]


ZEROED: Final = Zeroed(
    by_eq8=lambda rho, x: max(map(abs, x)) <= rho * shrinkage.size(x),
    at_minimiser=lambda rho, x: not any(x),
    always_from=Fraction(1),
    always_from_zero_sum=Fraction(1, 2),
    never_below=lambda d: Fraction(1, d),
)


@claim(
    "DSWN-EQ8-ZERO",
    place="eq. 8 (derived)",
    statement="When does eq. 8 set a whole group to zero, and can the exact proximal point do that? Answer: eq. 8 does "
    "so where max |φ_g| ≤ ρ ‖φ_g‖₁: always for ρ ≥ 1, and for the rows of φ(V), whose sum is 0, already for ρ ≥ 1/2; "
    "never for ρ < 1/d unless the group is zero (‖x‖₁/d ≤ max |x| ≤ ‖x‖₁, and ≤ ‖x‖₁/2 for a sum of 0); 1, 1/2 and 1/d "
    "cannot be improved. The exact proximal point is zero for no ρ unless the group is.",
    formula=ZEROED,
    faults={
        "the minimiser vanishes from ρ = 1 on": ZEROED._replace(at_minimiser=lambda rho, x: rho >= 1 or not any(x)),
        "the minimiser vanishes with eq. 8": ZEROED._replace(at_minimiser=ZEROED.by_eq8),
        "where the least entry is below": ZEROED._replace(
            by_eq8=lambda rho, x: min(map(abs, x)) <= rho * shrinkage.size(x)
        ),
        "strictly below": ZEROED._replace(
            by_eq8=lambda rho, x: not any(x) or max(map(abs, x)) < rho * shrinkage.size(x)
        ),
        "only from ρ = 2 on": ZEROED._replace(always_from=Fraction(2)),
        "always from ρ = 1/2 on": ZEROED._replace(always_from=Fraction(1, 2)),
        "zero sums from 1/3 on": ZEROED._replace(always_from_zero_sum=Fraction(1, 3)),
        "never below 1": ZEROED._replace(never_below=lambda d: Fraction(1)),
        "never below 1/(2 d)": ZEROED._replace(never_below=lambda d: Fraction(1, 2 * d)),
    },
)
def whole_groups(formula: Zeroed, quick: bool) -> Measured:
    count, agree, none, witness = 0, True, True, None
    for x, rho in itertools.product(shrinkage.groups(quick), STRENGTHS):
        count += 1
        printed, best = not any(shrinkage.eq8(rho, x)), not any(shrinkage.best_face(rho, x))
        right = (formula.by_eq8(rho, x) == printed, formula.at_minimiser(rho, x) == best)
        agree, none = agree and right[0], none and right[1]
        if not all(right) and witness is None:
            witness = shown(phi=x, rho=rho, eq8_is_zero=printed, minimiser_is_zero=best)
    slope, failing = _leaving_zero(formula)
    ends = [
        _threshold("always", formula.always_from, lambda d, x: True, largest=True),
        _threshold("always, zero sum", formula.always_from_zero_sum, lambda d, x: sum(x) == 0, largest=True),
        *(_threshold(f"never, d = {d}", formula.never_below(d), _of_size(d), largest=False) for d in (1, 2, 3)),
    ]
    note = f"{count} groups and strengths in rationals"
    return Measured(
        parts=[
            Part("eq. 8 zeroes a group", [said("exact", agree, note, power=0.0)], witness),
            Part("not the minimiser", [said("optimisation", none, note, power=0.0), slope], witness or failing),
            *ends,
        ],
        left_out=("groups of 3 other than of sum 0",) if quick else (),
    )


def _of_size(size: int) -> Callable[[int, Row], bool]:
    return lambda d, x: d == size


def _leaving_zero(formula: Zeroed) -> tuple[Evidence, Json]:
    """dF/dt at t = 0+ along one entry of x, which is −|x_i| whatever ρ: zero is the minimiser only for x = 0."""
    import sympy

    t, rho, x = sympy.symbols("t rho x", positive=True)
    slope = sympy.diff((t - x) ** 2 / 2 + rho * t**2 / 2, t).subs(t, 0)
    escapes = bool(slope.is_negative)
    claimed = [formula.at_minimiser(each, (Fraction(2), Fraction(1))) for each in STRENGTHS]
    note = f"F falls from w = 0 at the rate {-slope} along any entry"
    return said("symbolic", escapes and not any(claimed), note, power=0.0), {
        "phi": ["2", "1"],
        "slope at 0": str(slope),
    }


def _threshold(name: str, claimed: Fraction, chosen: Callable[[int, Row], bool], *, largest: bool) -> Part:
    """max |x| / ‖x‖₁, the ρ from which eq. 8 zeroes x, at its largest (or least) over all small groups."""
    shares = {x: max(map(abs, x)) / shrinkage.size(x) for x in _nonzero() if chosen(len(x), x)}
    x = (max if largest else min)(shares, key=lambda each: shares[each])
    note = f"{len(shares)} groups; the extreme is {shares[x]}"
    return Part(
        name,
        [said("exact", shares[x] == claimed, note, power=0.0)],
        shown(phi=x, eq8_zeroes_from_rho=shares[x], claimed=claimed),
    )


def _nonzero() -> Iterator[Row]:
    extra = [(Fraction(1),) * 3, tuple(map(Fraction, (1, -1, 0, 0))), tuple(map(Fraction, (4, -3, -1, 0, 0)))]
    for x in itertools.chain(shrinkage.groups(True), extra):
        if any(x):
            yield x
