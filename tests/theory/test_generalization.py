"""Generalization bounds, their size, the hypotheses on data, and coverage."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from wnverify.oracles.ratio import ErrorModel, Ratio, map_model
from wnverify.theory import bounds, coverage, generalization
from wnverify.theory.generalization import cross_entropy, hypotheses, regression, theorem3_order, vacuous
from wnverify.theory.network import NetworkClass

SIZES = [(500, 1000, 1, 1.0, 0.0, 0.05), (7, 1, 0, 3.0, 2.5, 0.9), (10**6, 3, 6, 1.5, 40.0, 1e-9)]


def same(found, expected):
    return Ratio(abs(found - expected), abs(expected), map_model("float64", 16, roundings=16)).value <= 1


@pytest.mark.parametrize("given", SIZES, ids=["paper", "shallow", "deep"])
def test_the_default_is_equation_3_1(given):
    """With no option the bound is the printed right-hand side."""
    n, m1, k, c, t, delta = given
    first = math.sqrt((math.log(2 / delta) + 2 * math.log(t + 2)) / (2 * n))
    root = math.sqrt((k + 3) * math.log(4)) + math.sqrt(2 * math.log(2 * m1))
    assert same(regression(*given), first + 2 / math.sqrt(n) * (t + 1) * c**k * root)


def test_width_and_slope_scale_one_term_each():
    """The length of the loss' range multiplies the first term, its Lipschitz constant the second."""
    given = SIZES[1]
    whole, first, second = regression(*given), regression(*given, lipschitz=0.0), regression(*given, width=0.0)
    assert same(first + second, whole)
    assert same(regression(*given, width=2.0, lipschitz=5.0), 2 * first + 5 * second)


def test_small_constants_need_the_first_bound():
    """For cρ < 1 the printed form is refused, and the first bound gives the one of the supplement's case."""
    with pytest.raises(ValueError, match="cρ ≥ 1"):
        regression(100, 4, 2, 0.5, 1.0, 0.05)
    found = regression(100, 4, 2, 0.5, 1.0, 0.05, complexity=bounds.theorem1_first)
    sums = 1 + 0.5 + 0.25 + 0.25
    rademacher = 2 * (math.sqrt(3 * math.log(16)) * sums + 0.25 * math.sqrt(2 * math.log(8))) / 10
    assert same(found, math.sqrt((math.log(40) + 2 * math.log(3)) / 200) + 2 * rademacher)


def test_a_constant_for_each_layer():
    """Different constants enter by their product, and ρ with them."""
    assert same(regression(50, 2, 2, (1.0, 4.0), 1.0, 0.1), regression(50, 2, 2, 2.0, 1.0, 0.1))
    assert same(regression(50, 2, 2, (2.0, 2.0), 1.0, 0.1), regression(50, 2, 2, 4.0, 1.0, 0.1, rho=0.5))


@pytest.mark.parametrize("given", SIZES, ids=["paper", "shallow", "deep"])
def test_the_sharper_complexity_gives_a_sharper_bound(given):
    """With the lab's complexity the bound is below the printed one, and above its first term."""
    sharp = regression(*given, complexity=bounds.closed_form)
    assert regression(*given, lipschitz=0.0) < sharp < regression(*given)


def test_cross_entropy_range_is_met_by_corners():
    """The length of the range is that of the losses at outputs ±F."""
    for m in (2, 3, 6):
        losses = [float(np.logaddexp.reduce(z) - z[0]) for z in map(np.array, itertools.product((-1.5, 1.5), repeat=m))]
        assert same(generalization.cross_entropy_range(1.5, m), max(losses) - min(losses))
    assert generalization.cross_entropy_range(300.0, 10**6) < 1200


def test_cross_entropy_at_fixed_limits():
    """At limits chosen beforehand the bound is B √(log(2/δ)/(2n)) + 4 Σ R(o_j), with no union."""
    n, m1, k, c, delta, limits = 400, 5, 1, 2.0, 0.1, (0.5, 2.0, 1.0)
    width = generalization.cross_entropy_range(2 * 2.0, 3)
    rademacher = bounds.theorem1_second(NetworkClass(k, c, 3.5), n, m1)
    expected = width * math.sqrt(math.log(2 / delta) / (2 * n)) + 4 * rademacher
    assert same(cross_entropy(n, m1, k, c, limits, delta, fixed=True), expected)


def test_cross_entropy_of_a_trained_network_pays_for_the_union():
    """Norms that the sample chose are rounded up to whole limits, each with its share of δ."""
    n, m1, k, c = 400, 5, 1, 2.0
    shares = 0.1 / (1 * 2) / (3 * 4)
    expected = cross_entropy(n, m1, k, c, (1.0, 3.0), shares, fixed=True)
    assert same(cross_entropy(n, m1, k, c, (0.0, 2.2), 0.1), expected)


def test_cross_entropy_bounds_the_exact_supremum():
    """On a small law the expected largest deviation over all linear networks is below the bound's second term."""
    rng = np.random.default_rng(3)
    n, X = 6, np.array([[1.0, 1.0], [1.0, -1.0]])
    T = rng.normal(size=(4000, 2, 2))
    T = T / np.abs(T).sum(axis=1, keepdims=True)
    z = np.einsum("ij,tjc->tic", X, T)
    losses = np.logaddexp(z[..., 0], z[..., 1])[..., None] - z
    counts = rng.multinomial(n, [0.25] * 4, size=300).reshape(300, 2, 2) / n
    sup = np.einsum("txy,sxy->st", losses, 0.25 - counts).max(axis=1)
    second = 4 * 2 * bounds.linear(NetworkClass(0, 1.0), n, 1)
    assert 0.2 < sup.mean() < second


def test_theorem3_order_multiplies_the_quotient_out():
    """The order of eq. 3.2 is 0 at T = 0, and at k = 0, m1 = 1 loses its second term."""
    assert theorem3_order(9, 4, 2, 1.0, (0.0, 0.0), 0.5) == 0
    assert same(theorem3_order(9, 1, 0, 1.0, (1.0, 3.0), math.exp(-4.0)), 3 * 2 / 3)
    depth = math.sqrt(2) * (1 + math.sqrt(math.log(5)))
    assert same(theorem3_order(16, 5, 1, 3.0, (1.0, 3.0), math.exp(-4.0)), 3 / 4 * (3 * 2 + 4 * depth))


def test_vacuous_finds_the_first_sample_size():
    """The bound is below the range at ``enough`` and not one sample earlier."""
    found = vacuous(lambda n: regression(n, 1000, 1, 2.0, 1.0, 0.05), 500)
    assert found.vacuous
    assert found.bound > 2
    assert (
        regression(found.enough, 1000, 1, 2.0, 1.0, 0.05) < 1 <= regression(found.enough - 1, 1000, 1, 2.0, 1.0, 0.05)
    )
    assert not vacuous(lambda n: 0.5, 3).vacuous
    assert vacuous(lambda n: 0.5, 3).enough == 1


def test_vacuous_refuses_a_bound_that_never_falls():
    """A bound that stays above the range is an error, not an endless loop."""
    with pytest.raises(ValueError, match="must fall below"):
        vacuous(lambda n: 2.0, 10)


def _verdicts(*given):
    return [each.holds for each in hypotheses(*given)]


def test_hypotheses_on_data():
    """Each hypothesis is decided by its own figure: cube, cρ, |L|, the range of L, its slope."""
    X, y, outputs = [[0.5], [-1.0]], [0.0, 1.0], np.linspace(-4, 4, 81)

    def squared(f, y):
        return min(((y - f) / 2) ** 2, 1.0)

    assert _verdicts(X, y, squared, 1.0, 1.0, outputs) == [True] * 5
    assert _verdicts([[1.5], [0.0]], y, squared, 1.0, 1.0, outputs) == [False, True, True, True, True]
    assert _verdicts(X, y, squared, 0.9, 1.0, outputs) == [True, False, True, True, True]
    assert _verdicts(X, y, lambda f, y: (y - f) ** 2, 1.0, 1.0, outputs) == [True, True, False, False, False]
    signed = _verdicts(X, y, lambda f, y: max(-1.0, min(f - y, 1.0)), 1.0, 1.0, outputs)
    assert signed == [True, True, True, False, True]
    figures = {each.name: each.figure for each in hypotheses(X, y, lambda f, y: 3 * f, 2.0, 0.5, [0.0, 0.25])}
    assert list(figures.values()) == [1.0, 1.0, 0.75, 0.75, 3.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: regression(5, 1, 0, 1.0, 0.0, 1.0), "delta must be"),
        (lambda: regression(5, 1, 0, 1.0, -1.0, 0.5), "output_norm must be"),
        (lambda: regression(0, 1, 0, 1.0, 0.0, 0.5), "n must be"),
        (lambda: cross_entropy(5, 1, 0, 1.0, [1.0], 0.5), "columns must hold"),
        (lambda: cross_entropy(5, 1, 0, 1.0, [1.0, math.nan], 0.5), r"columns\[1\] must be"),
        (lambda: hypotheses([[1.0]], [1.0, 2.0], abs, 1.0, 1.0, [0.0, 1.0]), "y must hold"),
        (lambda: hypotheses([[1.0]], [1.0], abs, 1.0, 1.0, [0.0, 0.0]), "outputs must hold"),
        (lambda: vacuous(lambda n: 1.0, 5, width=0.0), "width must be"),
        (lambda: coverage.coverage(3, 2), "fails must be"),
        (lambda: coverage.coverage(1, 2, 1.0), "confidence must be"),
        (lambda: coverage.measure(LAW, _constant, abs, abs, n=0, trials=1, seed=0), "n and trials must be"),
        (lambda: generalization.cross_entropy_range(1.0, 1), "classes must be"),
    ],
    ids=[
        "delta",
        "norm",
        "n",
        "classes",
        "nan",
        "targets",
        "outputs",
        "width",
        "fails",
        "confidence",
        "sample",
        "one-class",
    ],
)
def test_bad_arguments_are_named(call, message):
    """An argument out of range is named in the message."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("fails", "trials"), [(0, 40), (3, 40), (40, 40)], ids=["none", "some", "all"])
def test_coverage_is_the_clopper_pearson_interval(fails, trials):
    """The interval is that of SciPy's exact binomial test."""
    expected = binomtest(fails, trials).proportion_ci(0.9, method="exact")
    found = coverage.coverage(fails, trials, 0.9)
    model = ErrorModel(4e-12, "twice the tolerance of the root finder in binomtest")
    for a, b in zip(found, (expected.low, expected.high), strict=True):
        assert Ratio(abs(a - b), 1.0, model).value <= 1


LAW = coverage.Distribution(np.array([[-1.0], [1.0]]), np.array([1.0, -1.0]), np.array([0.5, 0.5]))


def _constant(X, y, rng):
    return (np.array([[0.0], [0.0]]),)


@pytest.mark.parametrize(("limit", "fails"), [(0.0, 1.0), (1.0, 0.0), (0.5, 0.5)], ids=["tight", "loose", "half"])
def test_failures_are_counted(limit, fails):
    """With two samples and L = y the risks differ by 0 or 1, each half of the time: so often does a bound fail."""
    bound = limit if limit else -1.0
    seen = coverage.measure(LAW, _constant, lambda f, y: y, lambda w: bound, n=2, trials=200, seed=1)
    if fails == 0.5:
        assert seen.lower < 0.5 < seen.upper
        assert seen.closest == 2.0
    else:
        assert seen.fails == fails * 200


def test_expected_risk_is_the_sum_over_the_law():
    """The expected risk weighs every point with its probability: on unequal ones a constant loss has no deviation."""
    law = coverage.Distribution(LAW.X, LAW.y, np.array([0.125, 0.875]))
    flat = coverage.measure(law, _constant, lambda f, y: np.ones(len(y)), lambda w: 0.0, n=5, trials=20, seed=2)
    assert (flat.fails, flat.closest) == (0, 0.0)
    seen = coverage.measure(law, _constant, lambda f, y: (y > 0) * 1.0, lambda w: 0.126, n=1, trials=200, seed=2)
    assert seen.lower < 0.125 < seen.upper  # the rare point alone is off by 7/8


def test_gradient_projection_learns_and_stays_in_the_ball():
    """Algorithm 1 lowers the risk, and every hidden column ends with an L1 norm of at most c."""
    from wnverify.methods.l1_inf_projection.reference import project

    X = np.linspace(-1, 1, 12)[:, None]
    y = np.abs(X[:, 0])
    runs = {
        steps: coverage.gradient_projection(
            X,
            y,
            np.random.default_rng(4),
            width=6,
            c=0.5,
            project=lambda W, c: project(W, c=c),
            steps=steps,
            rate=0.5,
        )
        for steps in (0, 200)
    }
    risks = {steps: float(np.mean((coverage.forward(w, X) - y) ** 2)) for steps, w in runs.items()}
    assert risks[200] < risks[0] / 4
    norms = np.abs(runs[200][0]).sum(axis=0)
    assert np.all(norms <= 0.5 * (1 + 8 * 2.0**-53))
    assert np.any(norms >= 0.5 * (1 - 8 * 2.0**-53))


def test_gradient_projection_steps_along_the_gradient():
    """One step with an idle projection is minus the rate times the gradient, by central differences."""
    rng = np.random.default_rng(6)
    X, y = rng.uniform(-1, 1, size=(9, 2)), rng.normal(size=9)

    def run(steps):
        return coverage.gradient_projection(
            X, y, np.random.default_rng(7), width=3, c=1.0, project=lambda W, c: W, steps=steps, rate=1.0
        )

    before, after = run(0), run(1)

    def risk(weights):
        return float(np.mean((coverage.forward(weights, X) - y) ** 2)) / 4

    h = 2.0**-17
    for layer, index in [(0, (0, 0)), (0, (2, 1)), (1, (0, 0)), (1, (3, 0))]:
        shifted = [[V.copy() for V in before] for _ in range(2)]
        shifted[0][layer][index] += h
        shifted[1][layer][index] -= h
        slope = (risk(shifted[0]) - risk(shifted[1])) / (2 * h)
        step = before[layer][index] - after[layer][index]
        # Central differences: rounding of the risk over 2h, and h² of a smooth function of order 1.
        assert abs(step - slope) <= 16 * (2.0**-53 / h + h * h)
