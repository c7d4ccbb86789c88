"""CWO, eqs. 1, 2 and 5: the problem, where it has feasible points, and what its two constraints do to a layer."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import laws

Row = Sequence[Fraction]


class Problem(NamedTuple):
    """The layers that are minimised over, of 1 to L, and the conditions that a row must meet."""

    layers: Callable[[int], set[int]]
    constraints: tuple[Callable[[Row], bool], ...]


EQ1: Final = Problem(lambda L: set(range(1, L + 1)), ())


@claim(
    "CWO-EQ1",
    place="Sec. 3, eq. 1",
    statement="Training is the unconstrained minimisation of a loss over the weight matrices of all layers.",
    reading="the trailing '∀ l' belongs to the set {W^(l)} under 'min': one joint minimisation, not one a layer; "
    "'min' stands for what an optimiser seeks (a loss such as cross entropy need not attain its infimum).",
    formula=EQ1,
    faults={
        "the last layer alone": EQ1._replace(layers=lambda L: {L}),
        "all but the first layer": EQ1._replace(layers=lambda L: set(range(2, L + 1))),
        "on a sphere": EQ1._replace(constraints=(lambda w: laws.dot(w, w) == 2,)),
        "centred": EQ1._replace(constraints=(lambda w: sum(w) == 0,)),
    },
)
def problem_without_constraints(formula: Problem, quick: bool) -> Measured:
    depths = [L for L in (1, 2, 3) if formula.layers(L) != set(range(1, L + 1))]
    refused = [w for w in _grid(2) if not all(met(w) for met in formula.constraints)]
    joint = said("reading", not depths, "the arguments of the loss are what is minimised over, for 1, 2 and 3 layers")
    free = said("exact", not refused, f"{len(list(_grid(2)))} rows of fan-in 2 are all admitted", power=0.0)
    return Measured(
        parts=[
            Part("over all layers", [joint], {"layers": depths, "over": [sorted(formula.layers(L)) for L in depths]}),
            Part("unconstrained", [free], {"refused": [str(x) for x in refused[0]]} if refused else None),
        ]
    )


def _grid(n: int) -> Iterator[tuple[Fraction, ...]]:
    yield from itertools.product(map(Fraction, (-2, -1, 0, 1, 2)), repeat=n)


class Feasible(NamedTuple):
    """Dimension of the set of feasible rows of fan-in n, and its number of points where that is 0."""

    dimension: Callable[[int], int]
    points: int


EQ2: Final = Feasible(lambda n: n - 2, 2)


@claim(
    "CWO-EQ2",
    place="Sec. 3, eq. 2",
    statement="The problem with ‖w_i‖² = c and 1·w_i = 0 for every output i of every layer has feasible points; of "
    "what dimension is their set? Answer: a row of fan-in n ranges over a sphere of radius √c and dimension n − 2, "
    "which for n = 2 are the two points ±√(c/2)(1, −1), between which no descent can move; n = 1 has no feasible row.",
    hypotheses=("c > 0",),
    formula=EQ2,
    faults={
        "the sphere alone": EQ2._replace(dimension=lambda n: n - 1),
        "one constraint too many": EQ2._replace(dimension=lambda n: n - 3),
        "the plane alone": EQ2._replace(dimension=lambda n: n),
        "one point for n = 2": EQ2._replace(points=1),
        "four points for n = 2": EQ2._replace(points=4),
    },
)
def feasible_points(formula: Feasible, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity, unit_zero_sum

    parts = []
    for n in (2, 3) if quick else (2, 3, 4):
        row = [1, -1] + [0] * (n - 2)
        rank = sympy.Matrix([[2 * x for x in row], [1] * n]).rank()
        by_rank = said(
            "exact", n - rank == formula.dimension(n), f"the constraints have rank {rank} at {tuple(row)}", power=0.0
        )
        t = sympy.symbols(f"t1:{n - 1}", real=True)
        w = unit_zero_sum(t)
        met = is_identity(w @ w, 1) and is_identity(sum(w), 0)
        jacobian = sympy.Matrix([[sympy.diff(x, each).subs(dict.fromkeys(t, 0)) for each in t] for x in w])
        free = jacobian.rank() if t else 0
        note = f"√c times unit rows of sum 0 with {free} free parameters: constraints met for all their values"
        symbolic = said("symbolic", met and free == formula.dimension(n), note, power=0.0)
        witness: Json = {"n": n, "row": row, "dimension": n - rank, "claimed": formula.dimension(n)}
        parts.append(Part(f"n = {n}", [by_rank, symbolic], witness))
    x, y, c = sympy.Symbol("x", real=True), sympy.Symbol("y", real=True), sympy.Symbol("c", positive=True)
    solutions = sympy.solve([x + y, x**2 + y**2 - c], [x, y])
    note = f"n = 2: {len(solutions)} solutions, ±√(c/2)(1, −1)"
    two = said("symbolic", len(solutions) == formula.points, note, power=0.0)
    parts.append(Part("the points for n = 2", [two], {"c": 2, "rows": [[1, -1], [-1, 1]], "claimed": formula.points}))
    none = sympy.solve([x, x**2 - c], [x])
    empty = said("symbolic", bool(none), "n = 1: 1·w = 0 leaves w = 0, whose square is not c > 0", power=0.0)
    condition = Condition("fan-in n ≥ 2 in every layer", [empty], {"n": 1, "c": 2, "1·w = 0": "w = 0", "‖w‖²": 0})
    return Measured(parts=parts, conditions=[condition], left_out=("n = 4",) if quick else ())


class Lines(NamedTuple):
    """The three sides of eq. 5, functions of (w, x, 1, n)."""

    left: Callable[[Any, Any, Any, Any], Any]
    middle: Callable[[Any, Any, Any, Any], Any]
    right: Callable[[Any, Any, Any, Any], Any]


EQ5: Final = Lines(
    lambda w, x, one, n: w @ (x - (one @ x) / n * one),
    lambda w, x, one, n: w @ x - (one @ x) / n * (w @ one),
    lambda w, x, one, n: w @ x,
)


@claim(
    "CWO-EQ5",
    place="Sec. 3.2, eq. 5",
    statement="wᵀ(x − (1/n)(1ᵀx) 1) = wᵀx − (1/n)(1ᵀx) wᵀ1 for all w and x, and the right side is wᵀx where wᵀ1 = 0.",
    hypotheses=("wᵀ1 = 0, for the second equality",),
    formula=EQ5,
    faults={
        "1/n missing on the left": EQ5._replace(left=lambda w, x, one, n: w @ (x - (one @ x) * one)),
        "the mean added": EQ5._replace(left=lambda w, x, one, n: w @ (x + (one @ x) / n * one)),
        "wᵀ1 missing": EQ5._replace(middle=lambda w, x, one, n: w @ x - (one @ x) / n),
        "the mean of w for that of x": EQ5._replace(middle=lambda w, x, one, n: w @ x - (one @ w) / n * (w @ one)),
        "the mean stays on the right": EQ5._replace(right=lambda w, x, one, n: w @ x + (one @ x) / n),
        "the right side scaled": EQ5._replace(right=lambda w, x, one, n: w @ x * (n - 1) / n),
    },
)
def centring_the_input(formula: Lines, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    n = sympy.Symbol("n", positive=True)
    parts = []
    steps: tuple[tuple[str, Any, Any, dict[tuple[str, str], int]], ...] = (
        ("first equality", formula.left, formula.middle, {}),
        ("second equality", formula.middle, formula.right, {("w", "one"): 0}),
    )
    for name, before, after, known in steps:
        gram = Gram({("one", "one"): n, **known})
        w, x, one = (gram.vector(each) for each in ("w", "x", "one"))
        proof = is_identity(before(w, x, one, n), after(w, x, one, n))
        symbolic = said("symbolic", proof, "over inner products, for every n", power=0.0)
        exact, witness = _in_rationals(before, after, centred=bool(known))
        parts.append(Part(name, [symbolic, exact], witness))
    return Measured(parts=parts, message="The second equality holds for every x only where wᵀ1 = 0 (take x = 1).")


def _in_rationals(before: Any, after: Any, centred: bool) -> tuple[Evidence, Json]:
    import numpy as np

    count, failed = 0, None
    for n in (2, 3):
        one = np.array([Fraction(1)] * n, dtype=object)
        for w, x in itertools.product(list(_grid(n))[::4], repeat=2):
            if centred and sum(w) != 0:
                continue
            count += 1
            sides = [side(np.array(w, dtype=object), np.array(x, dtype=object), one, n) for side in (before, after)]
            if sides[0] != sides[1] and failed is None:
                failed = {"w": [str(y) for y in w], "x": [str(y) for y in x], "sides": [str(y) for y in sides]}
    return said("exact", failed is None, f"{count} pairs of small integer vectors, n = 2, 3", power=0.0), failed


@claim(
    "CWO-P-UNBIAS",
    place="Sec. 3.2",
    statement="With centred weights the output wᵀx has mean 0 even where the input is biased.",
    hypotheses=("wᵀ1 = 0",),
    reading="biased: E[x] ≠ 0; unbiased: E[wᵀx] = 0, before the bias β of eq. 6 and before the nonlinearity. The "
    "formula is E[wᵀx] of (w, 1, μ) at E[x] = μ 1.",
    formula=lambda w, one, mu: 0,
    corrected="E[wᵀx] = wᵀE[x], which is 0 for every centred w exactly where E[x] is a multiple of 1",
    faults={
        "the mean passes through": lambda w, one, mu: mu,
        "the mean is summed": lambda w, one, mu: mu * (one @ one),
        "the mean is scaled by the norm": lambda w, one, mu: mu * (w @ w),
        "the mean changes sign": lambda w, one, mu: -mu,
    },
)
def unbiased(formula: Any, quick: bool) -> Measured:
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    n, mu = sympy.Symbol("n", positive=True), sympy.Symbol("mu", real=True)
    gram = Gram({("one", "one"): n, ("w", "one"): 0})
    w, one = gram.vector("w"), gram.vector("one")
    proof = said("symbolic", is_identity(w @ (mu * one), formula(w, one, mu)), "E[wᵀx] = wᵀE[x], every n", power=0.0)
    failed, count = None, 0
    for row in ((1, -1), (2, -1, -1), (1, 1, -2), (3, 0, -3)):
        shifts = [{value + 5: p for value, p in law.items()} for law in (laws.SIGNS, laws.THREE_POINTS, laws.SIGNS)]
        found = laws.mean(functools.partial(laws.dot, row), shifts[: len(row)])
        claimed = formula(np.array(row), np.ones(len(row), dtype=int), 5)
        count += 1
        if found != claimed and failed is None:
            failed = {"w": list(row), "E[x]": "5 in every entry", "E[wᵀx]": str(found), "claimed": str(claimed)}
    exact = said(
        "exact", failed is None, f"{count} centred rows, independent inputs of mean 5, all outcomes", power=0.0
    )
    uneven = laws.dot((1, -1), (1, 0))
    without = said("exact", uneven == 0, f"w = (1, −1), E[x] = (1, 0): E[wᵀx] = {uneven}", power=0.0)
    padded = laws.dot((1, -2, 1), (0, 3, 3))
    condition = Condition(
        "the bias is the same in all entries of x: E[x] = μ 1", [without], {"w": [1, -1], "E[x]": [1, 0], "E[wᵀx]": 1}
    )
    return Measured(
        parts=[Part("mean of the output", [proof, exact], failed)],
        conditions=[condition],
        message="Zero padding breaks it at the borders of an image: with the filter (1, −2, 1) and a constant input 3 "
        f"the first output is {padded}.",
    )


class Reach(NamedTuple):
    """Which row vectors a the layer can apply: with γ and β, and without them (there with squared radius c)."""

    scaled: Callable[[Row], bool]
    plain: Callable[[Row, Fraction], bool]


REACH: Final = Reach(lambda a: sum(a) == 0, lambda a, c: sum(a) == 0 and laws.dot(a, a) == c)


@claim(
    "CWO-P-REPR",
    place="Sec. 3.2",
    statement="The constraints reduce what a layer can represent, and γ, β enlarge it. Which affine maps aᵀx + b are "
    "γ wᵀx + β with feasible w? Answer: exactly those with 1ᵀa = 0 (γ = ‖a‖/√c, w = a/γ, β = b; γ = 0 for a = 0); "
    "without γ and β those with ‖a‖² = c and b = 0 besides. The scale is restored and the mean of the weights is not: "
    "unlike that of BN, whose γ and β restore every map.",
    hypotheses=("fan-in n ≥ 2 (see CWO-EQ2)",),
    formula=REACH,
    faults={
        "everything is restored": REACH._replace(scaled=lambda a: True),
        "the norm stays fixed": REACH._replace(scaled=lambda a: sum(a) == 0 and laws.dot(a, a) == 2),
        "zero is not reached": REACH._replace(scaled=lambda a: sum(a) == 0 and any(a)),
        "nothing was lost": REACH._replace(plain=lambda a, c: sum(a) == 0),
        "the sphere is all that was lost": REACH._replace(plain=lambda a, c: laws.dot(a, a) == c),
    },
)
def representable(formula: Reach, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    c = sympy.Symbol("c", positive=True)
    a_square = sympy.Symbol("aa", positive=True)
    gram = Gram({("a", "one"): 0, ("a", "a"): a_square, ("w", "one"): 0})
    a, one = gram.vector("a"), gram.vector("one")
    w = a / (sympy.sqrt(a_square) / sympy.sqrt(c))
    onto = is_identity(w @ w, c) and is_identity(w @ one, 0)
    into = is_identity((sympy.Symbol("gamma", real=True) * gram.vector("w")) @ one, 0)
    parts = []
    for name, claimed, gammas in (
        ("with γ and β", formula.scaled, None),
        ("without", lambda a: formula.plain(a, Fraction(2)), [Fraction(1)]),
    ):
        wrong = [a for n in (2, 3) for a in _grid(n) if claimed(a) != _solved(a, Fraction(2), gammas)]
        exact = said("exact", not wrong, "150 integer vectors, n = 2, 3, c = 2: γ² from ‖a‖², then w = a/γ", power=0.0)
        witness: Json = {"a": [str(x) for x in wrong[0]], "claimed": bool(claimed(wrong[0]))} if wrong else None
        parts.append(Part(name, [exact], witness))
    probe = all(formula.scaled(a) == (sum(a) == 0) for n in (2, 4) for a in _grid(n))
    note = "w = √c a/‖a‖ is feasible where 1·a = 0, and 1·(γ w) = γ (1·w) = 0 always, for every n"
    symbolic = said("symbolic", bool(onto and into and probe), note, power=0.0)
    parts[0] = Part(parts[0].name, [*parts[0].routes, symbolic], parts[0].witness)
    return Measured(parts=parts, message="x ↦ x_1 + x_2 is not of the form, whatever γ and β are.")


def _solved(a: Row, c: Fraction, gammas: Sequence[Fraction] | None) -> bool:
    """Whether γ w = a for a feasible w and a γ (one of ``gammas`` where given); w = a/γ is put to the test."""
    if not any(a):
        return gammas is None or 0 in gammas  # γ = 0 with any feasible w
    squares = [laws.dot(a, a) / c] if gammas is None else [gamma**2 for gamma in gammas]
    return any(sum(a) == 0 and laws.dot(a, a) / square == c for square in squares)
