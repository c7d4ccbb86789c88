"""Topics about single samples: exact values against a second algorithm, and every bound against them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from wnverify.bounding.comparison import BOUNDS, all_bounds
from wnverify.bounding.topics import Told, at_most_one, curve, held
from wnverify.finding import Evidence, Json, encode_array, seed_of
from wnverify.theory.expected import expected_complexity
from wnverify.theory.milp import ZERO, certified_complexity
from wnverify.theory.network import Matrix, NetworkClass
from wnverify.theory.rademacher import complexity, sign_vectors
from wnverify.theory.sandwich import sandwich
from wnverify.theory.tanh import tanh_complexity


def samples(seed: int, count: int, largest: int, inputs: int) -> Iterator[tuple[np.random.Generator, Matrix]]:
    """Random samples: uniform, rounded to halves, corners of the cube, with repeated points."""
    for case in range(count):
        rng = np.random.default_rng(seed_of("theory", seed, case))
        n, m1 = int(rng.integers(1, largest + 1)), int(rng.integers(1, inputs + 1))
        X = rng.uniform(-1, 1, size=(n, m1))
        yield rng, (X, np.round(2 * X) / 2, np.sign(X), X[rng.integers(n, size=n)])[case % 4]


def against_programs(seed: int, quick: bool) -> Told:
    """Exact values against attained rational ones and dual bounds."""
    cases = 40 if quick else 200
    worst, above, programs, witness = 0.0, 0.0, 0, None
    for rng, X in samples(seed, cases, 4, 3):
        network = NetworkClass(1, float(rng.uniform(0.2, 3)), o=float(rng.uniform(0.5, 2)))
        exact, other = complexity(network, X), certified_complexity(network, X)
        ratio = float(abs(Fraction(exact.value) - other.attained) / Fraction(exact.error))
        # The dual bound is the solver's own, within its feasibility tolerance of the range.
        over = (exact.value - exact.error - other.dual) / (ZERO * 10 * network.range())
        programs += other.programs
        if max(ratio, over) > max(worst, above):
            witness = {"X": encode_array(X), "c": network.c[0], "o": network.o}
        worst, above = max(worst, ratio), max(above, over)
    figures: dict[str, Json] = {"cases": cases, "programs": programs}
    return Told(
        (
            Evidence(
                route="exact",
                verdict=held(worst <= 1),
                ratio=worst,
                model="rounding of n products and a mean, γ_{n+70} times the largest Σ_i |F_ir|",
                note=f"exact value against the attained rational value, {cases} random samples",
                figures=figures,
            ),
            Evidence(
                route="optimisation",
                verdict=held(above <= 1),
                ratio=above,
                model="ten times the solver's feasibility tolerance of 1e-7",
                note=f"exact value against the dual bound of {programs:,} mixed-integer programs",
            ),
        ),
        conditions=("one hidden layer of ReLU units, n ≤ 4, m1 ≤ 3, every sign vector",),
        witness=witness,
        strength="certified",
    )


def domination(seed: int, quick: bool) -> Told:
    """Every bound against what is known from below."""
    cases = 45 if quick else 180
    tightest: dict[str, float] = {}
    witness: dict[str, Json] = {}
    for case, (rng, X) in enumerate(samples(seed, cases, 6, 3)):
        network = NetworkClass(case % 3, float(rng.choice([0.25, 0.5, 1.0, 1.5, 3.0])))
        known = sandwich(network, X[:4] if network.k == 2 else X)
        for name, bound in all_bounds(network, X[:4] if network.k == 2 else X).items():
            tightness = known.lower / bound
            if tightness > tightest.get(name, 0.0):
                tightest[name] = tightness
                witness[name] = {"X": encode_array(X), "k": network.k, "c": network.c[0] if network.c else None}
    over = {name: value for name, value in tightest.items() if value > 1}
    routes = tuple(
        at_most_one(value, f"{BOUNDS[name]}: largest complexity ÷ bound in {cases} samples")
        for name, value in tightest.items()
    )
    return Told(routes, witness={name: witness[name] for name in over} or None, strength="certified")


def width(seed: int, quick: bool) -> Told:
    """A search with 1, 2, 4, … units against the exact value, which one unit attains for each sign vector."""
    from wnverify.methods.l1_inf_projection.pytorch import project_rows_onto_l1_ball
    from wnverify.theory import batched

    X = np.random.default_rng(seed_of("width", seed)).uniform(-1, 1, size=(5, 2))
    network = NetworkClass(1, 1.5)
    exact = complexity(network, X)
    widths = (1, 2, 8) if quick else (1, 2, 4, 8, 16)
    found = [
        batched.search(network, X, sign_vectors(0, 16, 5), project_rows_onto_l1_ball, width=w, steps=30).lower
        for w in widths
    ]
    series: dict[str, list[Json]] = {"found by the search": list(found), "exact": [exact.value] * len(widths)}
    drawn = curve("units in the hidden layer", "empirical Rademacher complexity", widths, series, ["x"])
    # The programs have one unit, with all of the output's norm on it.
    one = certified_complexity(network, X).attained
    short = float((Fraction(exact.value) - one) / Fraction(exact.error))
    return Told(
        (
            Evidence(
                route="exact",
                verdict=held(short <= 1),
                ratio=max(short, 0.0),
                model="rounding of n products and a mean, γ_{n+70} times the largest Σ_i |F_ir|",
                note="exact value against the rational value that one hidden unit attains",
            ),
            Evidence(
                route="optimisation",
                verdict=held(max(found) <= exact.value + exact.error),
                ratio=max(found) / (exact.value + exact.error),
                model="value found ÷ exact value, at most 1",
                note="projected gradient ascent over the weights, all sign vectors",
                figures={"curve": drawn},
            ),
        ),
        witness={"X": encode_array(X)},
    )


def tightest_sample(seed: int, quick: bool) -> Told:
    """A search over samples for the one that makes a bound tightest, from corners and random starts."""
    n, m1, network = 5, 2, NetworkClass(1, 1.0)
    rng = np.random.default_rng(seed_of("tightest", seed))
    routes = []
    worst: Json = None
    for name in ("theorem1_second", "sharper_on_sample"):

        def tightness(X: Matrix, name: str = name) -> float:
            return complexity(network, X).value / all_bounds(network, X)[name]

        best, at = 0.0, np.zeros((n, m1))
        for _ in range(2 if quick else 6):
            X = np.sign(rng.uniform(-1, 1, size=(n, m1)))
            value = tightness(X)
            for _ in range(40 if quick else 150):
                moved = X.copy()
                i, j = int(rng.integers(n)), int(rng.integers(m1))
                moved[i, j] = rng.choice([-1.0, 0.0, 1.0, np.clip(moved[i, j] + 0.3 * rng.normal(), -1, 1)])
                if (new := tightness(moved)) >= value:
                    X, value = moved, new
            if value > best:
                best, at = value, X
        if best > 1:
            worst = {"X": encode_array(at)}
        routes.append(
            at_most_one(
                best,
                f"{BOUNDS[name]}: tightest sample found, {n} points in [-1, 1]^{m1}",
                route="optimisation",
                sample=np.round(at, 3).tolist(),
            )
        )
    return Told(tuple(routes), conditions=("one hidden layer of ReLU units, c = 1",), witness=worst)


def monotone(seed: int, quick: bool) -> Told:
    """Each bound along each size, and the exact value along c and o, on a grid."""
    steps = 4 if quick else 12
    made: dict[str, Callable[[int], tuple[NetworkClass, int, int]]] = {
        "c": lambda i: (NetworkClass(2, 0.25 * 1.4**i), 20, 5),
        "o": lambda i: (NetworkClass(2, 1.5, o=0.5 + i), 20, 5),
        "k": lambda i: (NetworkClass(i, 1.0), 20, 5),
        "m1": lambda i: (NetworkClass(2, 1.5), 20, 1 + i * i),
        "1/n": lambda i: (NetworkClass(2, 1.5), 2 + 3 * (steps - i), 5),
    }
    wrong: list[Json] = []
    compared = 0
    for size, at in made.items():
        values = [all_bounds(network, np.ones((n, m1))) for network, n, m1 in map(at, range(steps))]
        for name in BOUNDS:
            # k = 0 has a bound of its own, and c below 1 lacks one: only what both neighbours have is compared.
            pairs = [(a[name], b[name]) for a, b in itertools.pairwise(values) if name in a and name in b]
            compared += len(pairs)
            wrong += [[size, name, low, high] for low, high in pairs if low > high]
    X = np.random.default_rng(seed_of("monotone", seed)).uniform(-1, 1, size=(6, 2))
    exact = [complexity(NetworkClass(1, 0.25 * 1.4**i), X) for i in range(steps)]
    wrong += [["c", "exact", a.value, b.value] for a, b in itertools.pairwise(exact) if a.value - a.error > b.value]
    one, two = complexity(NetworkClass(1, 1.5, o=1.0), X), complexity(NetworkClass(1, 1.5, o=2.0), X)
    linear = abs(two.value - 2 * one.value) <= 2 * one.error + two.error
    return Told(
        (
            Evidence(
                route="arithmetic",
                verdict=held(not wrong),
                note=f"{compared} neighbouring values of bounds, {steps - 1} of the exact complexity",
                figures={"compared": compared, "out of order": len(wrong)},
            ),
            Evidence(route="exact", verdict=held(linear), note="o = 2 gives twice the complexity of o = 1"),
        ),
        witness={"out of order": wrong} if wrong else {"o = 1": one.value, "o = 2": two.value},
    )


def tanh(seed: int, quick: bool) -> Told:
    """Every bound against the enclosed complexity of tanh units."""
    routes = []
    witness: Json = None
    rng = np.random.default_rng(seed_of("tanh", seed))
    for c in (0.5, 1.0, 3.0):
        X = rng.uniform(-1, 1, size=(5 if quick else 7, 1))
        network = NetworkClass(1, c)
        known, relu = tanh_complexity(network, X), complexity(network, X)
        worst = max(known.upper / bound for bound in all_bounds(network, X).values())
        if worst > 1:
            witness = {"X": encode_array(X), "c": c}
        routes.append(
            at_most_one(
                worst,
                f"c = {c}: between {known.lower:.4f} and {known.upper:.4f}; ReLU: {relu.value:.4f}",
                route="enclosure",
                of="certified upper end of the complexity ÷ smallest bound",
                lower=known.lower,
                upper=known.upper,
                relu=relu.value,
            )
        )
    return Told(tuple(routes), witness=witness, strength="certified")


def expected(seed: int, quick: bool) -> Told:
    """R_n over uniform samples, with an interval, against the bounds that hold for every sample."""
    n, m1, network = 8, 2, NetworkClass(1, 1.5)
    trials = 100 if quick else 1000

    def uniform(generator: np.random.Generator, size: int) -> Matrix:
        return generator.uniform(-1, 1, size=(size, m1))

    found = expected_complexity(network, uniform, n, trials=trials, seed=seed_of("expected", seed))
    limits = {k: v for k, v in all_bounds(network, np.ones((n, m1))).items() if k != "sharper_on_sample"}
    worst = max(found.upper / bound for bound in limits.values())
    return Told(
        (
            at_most_one(
                worst,
                f"mean of {trials} exact values {found.mean:.4f}, {found.confidence:.1%} interval "
                f"[{found.lower:.4f}, {found.upper:.4f}]",
                route="simulation",
                of="upper end of the interval ÷ smallest bound",
                mean=found.mean,
                lower=found.lower,
                upper=found.upper,
                trials=trials,
            ),
        ),
        conditions=(f"one hidden layer of ReLU units, c = 1.5, n = {n}, uniform on [-1, 1]^{m1}",),
        witness={"seed": seed},
    )
