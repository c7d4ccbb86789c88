"""DSWN, eq. 7: the exclusive sparsity penalty, which norm it is made of, and whether it is one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.shrinkage import shown

Group = Sequence[Sequence[Any]]
"""The weights of one group as a matrix, by rows."""


def entrywise(group: Group, largest: Callable[[list[Any]], Any]) -> Any:
    """Σ |w| over all entries of the group."""
    return sum(abs(x) for row in group for x in row)


@claim(
    "DSWN-EQ7",
    place="eq. 7",
    statement="½ Σ_g ‖W_g‖₁² = ½ Σ_g (Σ_i |w_{g,i}|)². Which norm must ‖·‖₁ be? Answer: the sum of the absolute "
    "values of all entries of the group, the vector 1-norm, whatever the shape in which W_g is written; the equality "
    "holds for that norm and for no other. The 1-norm of a matrix as an operator (largest column sum) is another norm: "
    "it is right for a group written as one column only, and gives 1 where 2 is meant at W_g = (1 1).",
    reading="i runs over all entries of the group g.",
    formula=entrywise,
    faults={
        "operator 1-norm, the largest column sum": lambda group, largest: largest(
            [sum(abs(x) for x in column) for column in zip(*group, strict=True)]
        ),
        "operator ∞-norm, the largest row sum": lambda group, largest: largest([sum(map(abs, row)) for row in group]),
        "largest entry": lambda group, largest: largest([abs(x) for row in group for x in row]),
        "absolute value of the sum": lambda group, largest: abs(sum(x for row in group for x in row)),
        "sum of squares": lambda group, largest: sum(x * x for row in group for x in row),
        "mean for sum": lambda group, largest: entrywise(group, largest) / (len(group) * len(group[0])),
    },
)
def penalty(formula: Any, quick: bool) -> Measured:
    witness: Json = None
    count = 0
    for group in _small_groups(quick):
        count += 1
        left = Fraction(formula(group, max)) ** 2 / 2
        right = sum((abs(x) for row in group for x in row), Fraction(0)) ** 2 / 2
        if left != right:
            witness = shown(W_g=group, left=left, right=right)
            break
    note = f"{count} groups of integers, written as a row, a column and a 2 × 2 matrix"
    exact = said("exact", witness is None, note, power=0.0)
    proof, failing = _for_all_signs(formula)
    if witness is None:
        witness = failing
    return Measured(parts=[Part("the two sides", [proof, exact], witness)], left_out=("2 × 2 groups",) if quick else ())


def _small_groups(quick: bool) -> Iterator[list[list[Fraction]]]:
    entries = tuple(map(Fraction, (1, 0, -1, 2)))
    for a, b in itertools.product(entries, repeat=2):
        yield [[a, b]]
        yield [[a], [b]]
    for a, b, c, d in () if quick else itertools.product(entries, repeat=4):
        yield [[a, b], [c, d]]


def _for_all_signs(formula: Any) -> tuple[Evidence, Json]:
    """left² = right² in symbols, the entries being ± positive numbers."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    m = [sympy.Symbol(f"m{i}", positive=True) for i in range(4)]
    for signs in itertools.product((1, -1), repeat=4):
        a, b, c, d = (s * x for s, x in zip(signs, m, strict=True))
        for group in ([[a, b, c, d]], [[a, b], [c, d]]):
            found = formula(group, lambda values: sympy.Max(*values))
            if found.has(sympy.Max) or not is_identity(found, sum(m)):
                note = f"at {group} the norm is {found}"
                return said("symbolic", False, note, power=0.0), {"W_g": str(group), "norm": str(found)}
    return said("symbolic", True, "every choice of signs, four entries as 1 × 4 and as 2 × 2", power=0.0), None


def half_square(norms: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """Eq. 7 as a function of the groups' 1-norms."""
    return sum(a * a for a in norms) / 2


def two_norm(norms: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """√(2 ES): the 2-norm of the groups' 1-norms."""
    return root(sum(a * a for a in norms))


@claim(
    "DSWN-EQ7-NORM",
    place="sec. 1, 2.2, after eq. 7",
    statement="ES of eq. 7 is the (1,2)-norm, the 2-norm of the groups' 1-norms, and is a norm.",
    reading="'this norm' is what eq. 7 defines; a norm is homogeneous of degree 1, obeys the triangle inequality and "
    "vanishes at 0 only.",
    formula=half_square,
    faults={
        "without the half, still a square": lambda norms, root: sum(a * a for a in norms),
        "the root of ES, without the 2": lambda norms, root: root(half_square(norms, root)),
        "the 1-norm of the 1-norms": lambda norms, root: sum(norms),
        "the largest of the 1-norms": lambda norms, root: max(norms, key=float),
        "one group only": lambda norms, root: norms[0],
        "twice the norm": lambda norms, root: 2 * two_norm(norms, root),
    },
    corrected="‖W‖_(1,2) = √(2 ES(W)) is the 2-norm of the groups' 1-norms and a norm; ES = ½ ‖W‖²_(1,2) is half its "
    "square: homogeneous of degree 2, convex, no norm.",
    corrected_formula=two_norm,
)
def named_norm(formula: Any, quick: bool) -> Measured:
    import sympy

    def value(*norms: Fraction) -> Any:
        return formula([sympy.Rational(a.numerator, a.denominator) for a in norms], sympy.sqrt)

    F = Fraction
    points = [(F(1), F(0)), (F(0), F(1)), (F(3), F(4)), (F(1), F(1)), (F(2), F(1, 3))]
    values = {point: value(*point) for point in points}
    meant = {point: sympy.sqrt(sum(sympy.Rational(a.numerator, a.denominator) ** 2 for a in point)) for point in points}
    off = next((point for point in points if values[point] != meant[point]), None)
    bent = next((point for point in points if value(*(2 * a for a in point)) != 2 * values[point]), None)
    sums = [(p, q) for p in points for q in points]
    above = next(((p, q) for p, q in sums if value(p[0] + q[0], p[1] + q[1]) > values[p] + values[q]), None)
    parts = [
        Part(
            "it is the 2-norm of the 1-norms",
            [said("exact", off is None, "groups of 1-norms (1, 0), (3, 4), …", power=0.0), _as_two_norm(formula)],
            None if off is None else shown(norms=list(off), value=str(values[off]), the_2_norm_of_them=str(meant[off])),
        ),
        Part(
            "homogeneous of degree 1",
            [said("exact", bent is None, "at 2 W against twice the value at W", power=0.0)],
            None if bent is None else shown(norms=list(bent), value=str(values[bent])),
        ),
        Part(
            "triangle inequality",
            [said("exact", above is None, f"{len(sums)} pairs of non-negative weights, one a group", power=0.0)],
            None if above is None else shown(norms=[list(each) for each in above]),
        ),
        Part(
            "0 at 0 only",
            [said("exact", value(F(0), F(0)) == 0 and all(v > 0 for v in values.values()), power=0.0)],
            shown(norms=["0", "0"], value=str(value(F(0), F(0)))),
        ),
    ]
    return Measured(parts=parts)


def _as_two_norm(formula: Any) -> Evidence:
    """The square of the value against a² + b² for symbols; with it the triangle inequality is that of the plane."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    a, b = sympy.symbols("a b", positive=True)
    try:
        same = is_identity(formula([a, b], sympy.sqrt) ** 2, a**2 + b**2)
    except TypeError:  # a value that no symbol decides, as the larger of two
        return said("symbolic", None, "not decided in symbols")
    note = "value² against a² + b², a and b being the 1-norms of two groups"
    return said("symbolic", same, note, power=0.0)
