"""DSWN, abstract and sections 1-2: the data sets, what DSWN-SM trains, and two accounts of weight normalization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, claim, said


class DataSets(NamedTuple):
    """How many the contributions count, which they name, and which each section of the experiments uses."""

    counted: int
    named: tuple[str, ...]
    used: Mapping[str, tuple[str, ...]]


DATA: Final = DataSets(
    4,
    ("MNIST", "PIE", "CIFAR-10", "CIFAR-100"),
    MappingProxyType(
        {
            "sec. 4.1, DSWN-SM": ("CIFAR-10", "CIFAR-100"),
            "sec. 4.2.1, DSWN-NM": ("MNIST", "PIE"),
            "sec. 4.2.2, DSWN-NM": ("CIFAR-10", "CIFAR-100"),
        }
    ),
)


@claim(
    "DSWN-S1-NDB",
    place="sec. 1, contributions",
    statement="The method is evaluated on four public data sets: MNIST, PIE, CIFAR-10, CIFAR-100.",
    reading="the method is either measurement: DSWN-NM is evaluated on all four, DSWN-SM on the two CIFAR sets alone. "
    "That the sets are public is not judged.",
    formula=DATA,
    faults={
        "five counted": DATA._replace(counted=5),
        "one more named": DATA._replace(counted=5, named=(*DATA.named, "ImageNet")),
        "PIE not named": DATA._replace(counted=3, named=("MNIST", "CIFAR-10", "CIFAR-100")),
        "no experiment on MNIST": DATA._replace(used={**DATA.used, "sec. 4.2.1, DSWN-NM": ("PIE",)}),
        "one named twice": DATA._replace(named=("MNIST", "PIE", "CIFAR-10", "CIFAR-10")),
    },
)
def data_sets(formula: DataSets, quick: bool) -> Measured:
    used = {name for names in formula.used.values() for name in names}
    distinct = len(set(formula.named)) == len(formula.named) == formula.counted
    where: dict[str, Json] = {place: list(names) for place, names in formula.used.items()}
    witness: Json = {"counted": formula.counted, "named": list(formula.named), "used": sorted(used)}
    return Measured(
        parts=[
            Part("the count", [said("arithmetic", distinct, "distinct names, counted", power=0.0)], witness),
            Part(
                "each is used, and no other",
                [said("arithmetic", used == set(formula.named), "sets of section 4", power=0.0, figures=where)],
                witness,
            ),
        ]
    )


@claim(
    "DSWN-ABS-PARAM",
    place="abstract, end of sec. 1",
    statement="DSWN-SM lowers the number of trainable parameters: what a layer trains is the entries of W that eq. 8 "
    "keeps, and the bias.",
    reading="trainable: what the algorithms update, V and b, as far as the loss depends on it. Whether accuracy stays "
    "'high' is not defined; the numbers are those of section 4.1, judged there.",
    formula=lambda n, d, kept: kept + n,
    faults={
        "the bias left out": lambda n, d, kept: n * d,
        "V centred counts one less a row": lambda n, d, kept: n * (d - 1) + n,
        "kept entries of V alone": lambda n, d, kept: kept,
        "twice: V and W": lambda n, d, kept: 2 * n * d + n,
        "the degrees of freedom of φ": lambda n, d, kept: n * (d - 1) - n * (n + 1) // 2 + n,
    },
    corrected="DSWN-SM trains all n d entries of V and the bias, n d + n numbers as the standard layer does: entries "
    "of W that eq. 8 zeroes still depend on V through φ(V), and all of V moves the entries that are kept. What it "
    "lowers is the number of nonzero entries of W, so of the weights that the trained network stores and multiplies "
    "by.",
    corrected_formula=lambda n, d, kept: n * d + n,
)
def trained(formula: Callable[[int, int, int], int], quick: bool) -> Measured:
    counts = {"exact": _trained_exactly(), "property search": _trained_numerically()}
    notes = {
        "exact": "entries of V that move W by eqs. 6 and 8, n = 1, d = 4, in rationals",
        "property search": "entries of V with a gradient other than 0, n = 2, d = 5, a random cotangent",
    }
    witness: dict[str, Json] | None = None
    fewer = True
    routes: list[Evidence] = []
    for route, (n, d, kept, moving) in counts.items():
        right = formula(n, d, kept) == moving + n
        fewer = fewer and kept < n * d
        routes.append(said(route, right, f"{notes[route]}: {moving}, and {n} of b; W keeps {kept}", power=0.0))
        if not right and witness is None:
            witness = {"n": n, "d": d, "nonzero entries of W": kept, "entries of V that move W": moving}
            witness |= {"entries of b": n, "claimed": formula(n, d, kept)}
            if route == "exact":
                witness |= {"V": [str(x) for x in PROXY], "ρ": str(RHO), "W": ["7/12", "-1/4", "0", "0"]}
    nonzero = said("exact", fewer, "eq. 8 zeroes entries of W", power=0.0)
    return Measured(parts=[Part("what is trained", routes, witness), Part("W has fewer nonzero entries", [nonzero])])


PROXY: Final = (Fraction(5), Fraction(-3), Fraction(-1), Fraction(-1))
"""V = V_C with ‖V_C‖ = 6, so that φ(V) is rational."""
RHO: Final = Fraction(3, 20)


def _trained_exactly() -> tuple[int, int, int, int]:
    """(n, d, entries kept, entries of V along which W moves): W_i = φ_i − ρ sign(φ_i) Σ_j |φ_j| where kept."""
    d, length = 4, 6
    phi = [x / length for x in PROXY]
    threshold = RHO * sum(abs(x) for x in phi)
    kept = [i for i in range(d) if abs(phi[i]) > threshold]
    sign = [1 if x > 0 else -1 for x in phi]
    slopes = jacobian(phi, length)
    moving = 0
    for j in range(d):
        along = RHO * sum((sign[i] * slopes[i][j] for i in range(d)), Fraction(0))
        moving += any(slopes[i][j] != sign[i] * along for i in kept)
    return 1, d, len(kept), moving


def jacobian(phi: list[Fraction], length: int) -> list[list[Fraction]]:
    """(I − 11ᵀ/d − φᵀφ) / ‖V_C‖: how φ(V) moves along the entries of V, n = 1."""
    d = len(phi)
    return [[(int(i == j) - Fraction(1, d) - phi[i] * phi[j]) / length for j in range(d)] for i in range(d)]


def _trained_numerically() -> tuple[int, int, int, int]:
    """The same by the reference map and its vector-Jacobian product."""
    import numpy as np

    from wnverify.methods.dswn_sparsity_measurement import reference

    rng = np.random.default_rng(seed_of("dswn", "trained"))
    V, A = rng.standard_normal((2, 5)), rng.standard_normal((2, 5))
    W, gradient = reference.forward(V, eta=0.2), reference.vjp(V, A, eta=0.2)
    noise = 1e-12 * float(np.abs(gradient).max())
    return 2, 5, int((W != 0).sum()), int((np.abs(gradient) > noise).sum())


class Accounts(NamedTuple):
    """The weight of sec. 2.1 from the gain g, v and ‖v‖, and its length by sec. 2.1 and by item (5) of sec. 4."""

    weight: Callable[[Any, Any, Any], Any]
    length: Callable[[Any], Any]
    item5: Callable[[Any], Any]


ACCOUNTS: Final = Accounts(lambda g, v, norm: g * v / norm, abs, lambda g: 1)


@claim(
    "DSWN-S2-WN",
    place="sec. 2.1 and sec. 4 list item (5)",
    statement="Weight normalization separates the length of each weight vector from its direction, w = g v/‖v‖ (sec. "
    "2.1); it makes each weight vector have unit norm (sec. 4, item 5).",
    reading="the length that is separated is a parameter g of its own; with g = 1 fixed both accounts would agree.",
    formula=ACCOUNTS,
    faults={
        "not divided by the norm": Accounts(lambda g, v, norm: g * v, abs, abs),
        "divided by the squared norm": Accounts(lambda g, v, norm: g * v / norm**2, abs, abs),
        "no gain in the weight": Accounts(lambda g, v, norm: v / norm, abs, abs),
        "the gain squared": Accounts(lambda g, v, norm: g * g * v / norm, abs, abs),
        "the length is 1 in both": Accounts(ACCOUNTS.weight, lambda g: 1, lambda g: 1),
    },
    corrected="The weight g v/‖v‖ has norm |g|: its direction is of unit norm, the weight itself only for g = ±1.",
    corrected_formula=Accounts(ACCOUNTS.weight, abs, abs),
)
def two_accounts(formula: Accounts, quick: bool) -> Measured:
    gains = (Fraction(2), Fraction(1), Fraction(-3, 2))
    v, norm = (Fraction(3), Fraction(4)), Fraction(5)
    weights = {g: [formula.weight(g, x, norm) for x in v] for g in gains}
    right = all(sum(x * x for x in w) == formula.length(g) ** 2 for g, w in weights.items())
    along = all(w[0] * v[1] == w[1] * v[0] for w in weights.values())
    agree = [formula.length(g) == formula.item5(g) for g in gains]
    first: Json = {"g": "2", "v": ["3", "4"], "w": [str(x) for x in weights[gains[0]]]}
    lengths: Json = {
        "g": "2",
        "length by sec. 2.1": str(formula.length(gains[0])),
        "by item (5)": str(formula.item5(gains[0])),
    }
    return Measured(
        parts=[
            Part(
                "sec. 2.1: length g, direction v",
                [said("exact", right and along, "g = 2, 1, −3/2 and v = (3, 4)", power=0.0), _length(formula)],
                first,
            )
        ],
        consistency=[
            Part("one length in both places", [said("exact", all(agree), "at g = 2, 1, −3/2", power=0.0)], lengths)
        ],
    )


def _length(formula: Accounts) -> Evidence:
    """‖w‖² = length(g)² for d = 3, all v and g ≠ 0."""
    import sympy

    g, a, b, c = sympy.symbols("g a b c", real=True)
    square = a**2 + b**2 + c**2
    w = [formula.weight(g, x, sympy.sqrt(square)) for x in (a, b, c)]
    same = sympy.cancel(sum(x**2 for x in w) - sympy.sympify(formula.length(g)) ** 2) == 0
    return said("symbolic", bool(same), "‖w‖², d = 3, all v ≠ 0 and g", power=0.0)
