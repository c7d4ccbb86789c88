"""CWO, eqs. 3 and 4: the variance of pre-activations from layer to layer, and the choice c = 2."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Json, seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import laws

INDEPENDENCE: Final = (
    "the weights are mutually independent and alike in law",
    "the layer's inputs are mutually independent and alike in law",
    "weights and inputs are independent of each other",
)
TWO_NINTHS: Final = {Fraction(-1): Fraction(2, 3), Fraction(2): Fraction(1, 3)}
"""Mean 0 and variance 2, not symmetric."""


def _after(weights: laws.Law, before: laws.Law, n: int, active: Callable[[Fraction], Fraction]) -> Fraction:
    """var Σ w_i f(y_i) over all outcomes of n independent weights and n independent pre-activations."""
    return laws.variance(
        lambda point: laws.dot(point[:n], [active(y) for y in point[n:]]), [weights] * n + [before] * n
    )


def _spread(law: laws.Law) -> Fraction:
    return laws.variance(lambda point: point[0], [law])


@claim(
    "CWO-EQ3",
    place="Sec. 3.1, eq. 3",
    statement="var(y^(l)) = (n_l/2) var(w^(l)) var(y^(l−1)), y^(l) the pre-activation of layer l, n_l its fan-in.",
    hypotheses=INDEPENDENCE,
    reading="var over weights and inputs together, of one entry. The formula is var(y^(l)) of (n, var w, var y^(l−1)).",
    formula=lambda n, var_w, var_y: n * var_w * var_y / 2,
    faults={
        "without the half": lambda n, var_w, var_y: n * var_w * var_y,
        "without the fan-in": lambda n, var_w, var_y: var_w * var_y / 2,
        "the fan-in divides": lambda n, var_w, var_y: var_w * var_y / (2 * n),
        "the variance of the rectified Gaussian": lambda n, var_w, var_y: n * var_w * var_y * 75 / 220,
        "the variance of w squared": lambda n, var_w, var_y: n * var_w**2 * var_y / 2,
        "the sum of both": lambda n, var_w, var_y: n * (var_w + var_y) / 2,
    },
)
def from_layer_to_layer(formula: Any, quick: bool) -> Measured:
    symbolic = _recursion_in_symbols(formula)
    witness: Json = None
    count = 0
    for n in (1, 2) if quick else (1, 2, 3):
        kinds = (laws.THREE_POINTS, laws.SPREAD_SIGNS)[: 2 if n < 3 else 1]
        for weights, before in itertools.product(kinds, (laws.SIGNS, laws.SPREAD_SIGNS)):
            found, count = _after(weights, before, n, laws.relu), count + 1
            claimed = formula(n, _spread(weights), _spread(before))
            if found != claimed and witness is None:
                witness = {"n": n, "w": laws.shown(weights), "y before": laws.shown(before)}
                witness |= {"variance": str(found), "claimed": str(claimed)}
    exact = said("exact", witness is None, f"{count} pairs of symmetric laws and fan-ins, all outcomes", power=0.0)
    routes = [symbolic, exact]
    if not quick:
        import numpy as np

        rng = np.random.default_rng(seed_of("cwo", "eq3"))
        w, y = 0.5 * rng.standard_normal((5_000, 32)), 3 * rng.standard_normal((5_000, 32))
        outputs = (w * np.maximum(y, 0)).sum(axis=1)
        routes.append(laws.estimated(outputs**2, float(formula(32, 0.25, 9.0)), "Gaussian w and y, n = 32"))
    one, sign = {Fraction(1): Fraction(1)}, laws.SIGNS
    biased = _after(one, sign, 1, laws.relu), formula(1, Fraction(0), Fraction(1))
    linear = _after(sign, sign, 1, lambda y: y), formula(1, Fraction(1), Fraction(1))
    skewed = _after(sign, TWO_NINTHS, 1, laws.relu), formula(1, Fraction(1), Fraction(2))
    cases: tuple[tuple[str, tuple[Any, Any], str, Json], ...] = (
        ("E[w] = 0", biased, "n = 1, w = 1 always, y before = ±1", {"n": 1, "w": "1", "y before": "±1"}),
        (
            "the layers are joined by ReLU: x = max(y, 0)",
            linear,
            "n = 1, w = ±1, y before = ±1, no ReLU",
            {"n": 1, "w": "±1", "y before": "±1"},
        ),
        (
            "y^(l−1) is symmetric about 0 (as it is for symmetric w^(l−1) and no bias)",
            skewed,
            "n = 1, w = ±1, y before = 2 or −1 with probability 1/3 and 2/3",
            {"n": 1, "w": "±1", "y before": laws.shown(TWO_NINTHS)},
        ),
    )
    conditions = [
        Condition(
            text,
            [said("exact", found == claimed, f"{note}: {found}, not {claimed}", power=0.0)],
            {**shown, "variance": str(found), "eq. 3": str(claimed)},  # type: ignore[dict-item]
        )
        for text, (found, claimed), note, shown in cases
    ]
    return Measured(
        parts=[Part("eq. 3", routes, witness)],
        conditions=conditions,
        message="Given these, E[w_i w_j] = 0 for i ≠ j does for the independence of the weights, and the inputs may "
        "depend on each other.",
        left_out=("n = 3 and the simulation",) if quick else (),
    )


def _recursion_in_symbols(formula: Any) -> Any:
    """n (E w² E x² − (E w)² (E x)²) with E w = 0 and x = max(y, 0), y on ±a, ±b and 0: two free atoms, every n."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    n, a, b, p, q, var_w = sympy.symbols("n a b p q v", positive=True)
    var_y = 2 * (p * a**2 + q * b**2)
    true = n * var_w * (p * a**2 + q * b**2)
    note = "n E[w²] E[max(y, 0)²], y on ±a, ±b and 0 with free probabilities, for every n"
    return said("symbolic", is_identity(true, formula(n, var_w, var_y)), note, power=0.0)


@claim(
    "CWO-EQ4",
    place="Sec. 3.1, eq. 4",
    statement="(n_l/2) var(w^(l)) = 1 suffices for var(y^(l)) = var(y^(l−1)).",
    hypotheses=("eq. 3, with what it needs (see CWO-EQ3)",),
    reading="the formula is the variance of the weights that eq. 4 asks for, of n. (It is necessary too, but for "
    "var(y^(l−1)) = 0.)",
    formula=lambda n: Fraction(2) / n,
    faults={
        "1/n": lambda n: Fraction(1) / n,
        "4/n": lambda n: Fraction(4) / n,
        "n/2": lambda n: n / Fraction(2),
        "2/n^2": lambda n: Fraction(2) / n**2,
        "1/2 for every n": lambda n: Fraction(1, 2),
    },
)
def preserving_variance(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    n, var_y = sympy.symbols("n v", positive=True)
    proof = is_identity(n / sympy.Integer(2) * formula(n) * var_y, var_y)
    symbolic = said("symbolic", proof, "put into eq. 3, for every n and var(y^(l−1))", power=0.0)
    witness: Json = None
    sizes = (1, 2) if quick else (1, 2, 3)
    for size, before in itertools.product(sizes, (laws.SIGNS, laws.SPREAD_SIGNS)):
        asked = Fraction(formula(size))
        masses = {Fraction(-2): asked / 8, Fraction(0): 1 - asked / 4, Fraction(2): asked / 8}
        weights = {value: p for value, p in masses.items() if p}
        found = _after(weights, before, size, laws.relu)
        if found != _spread(before) and witness is None:
            witness = {"n": size, "var w": str(asked), "before": str(_spread(before)), "after": str(found)}
    exact = said("exact", witness is None, "weights −2, 0, 2 of the variance asked for, all outcomes", power=0.0)
    left_out = ("n = 3",) if quick else ()
    return Measured(parts=[Part("preserved", [symbolic, exact], witness)], left_out=left_out)


def _signed_permutations(row: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for order in sorted(set(itertools.permutations(row))):
        for signs in itertools.product((1, -1), repeat=len(row)):
            yield tuple(s * x for s, x in zip(signs, order, strict=True))


@claim(
    "CWO-P-C2",
    place="Sec. 3.1",
    statement="Eq. 4 is met in every layer by the one choice c = 2, whatever n.",
    hypotheses=("‖w‖² = c",),
    reading="var(w) is that of an entry of a random row on the sphere; the formula is c, of n. (For one given row, "
    "var(w) is the mean square deviation of its entries, with the same outcome.)",
    formula=lambda n: 2,
    faults={
        "c = 1": lambda n: 1,
        "c = 2/n": lambda n: Fraction(2) / n,
        "c = n": lambda n: n,
        "c = 4": lambda n: 4,
        "c = n/2": lambda n: Fraction(n) / 2 if isinstance(n, int) else n / 2,
    },
)
def radius_of_sphere(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    n = sympy.Symbol("n", positive=True)
    proof = is_identity(n / 2 * (sympy.sympify(formula(n)) / n), 1)
    symbolic = said("symbolic", proof, "E[w_i²] = c/n by exchangeability and E[w_i] = 0, for every n", power=0.0)
    witness: Json = None
    for row in ((1, 1), (2, 1), (1, 1, 0), (3, 1, 2), (1, 1, 1, 1))[: 3 if quick else None]:
        size = len(row)
        scale = Fraction(formula(size)) / sum(x * x for x in row)  # of the squares
        rows = list(_signed_permutations(row))
        variance = scale * Fraction(sum(w[0] ** 2 for w in rows), len(rows))
        points = [(p, [laws.relu(y) for y in point]) for point, p in laws.outcomes([laws.SIGNS] * size)]
        squares = sum((p * laws.dot(w, x) ** 2 for p, x in points for w in rows), Fraction(0))
        after = scale * squares / len(rows)
        if not (Fraction(size, 2) * variance == after == 1) and witness is None:
            witness = {"rows": f"signed permutations of {row}, scaled to ‖w‖² = {formula(size)}", "n": size}
            witness |= {"(n/2) var w": str(Fraction(size, 2) * variance), "var y, 1 before": str(after)}
    exact = said(
        "exact", witness is None, "signed permutations of integer rows on the sphere: eq. 4, and var y kept", power=0.0
    )
    constant = [Fraction(1), Fraction(1)]
    entries = sum(x * x for x in constant) / 2 - (sum(constant) / 2) ** 2
    without = said("exact", entries == 1, f"w = (1, 1), c = 2: var(w) = {entries}, (n/2) var(w) = {entries}", power=0.0)
    return Measured(
        parts=[Part("eq. 4", [symbolic, exact], witness)],
        conditions=[
            Condition("the entries of w have mean 0 and are alike in law", [without], {"w": [1, 1], "c": 2, "var w": 0})
        ],
        message="On a sphere the entries are not independent, as eq. 3 assumes, but uncorrelated where their signs are "
        "free, which is enough. For centred rows they are correlated: see CWO-P-C2JOINT.",
        left_out=("two of five rows",) if quick else (),
    )
