"""Claims on Theorem 1 and Remark 1 of the L1,∞ paper, and on how it compares with others."""

import itertools
import pkgutil

import pytest
from claim_cases import decided, faults_of, heavy_imports

from wnverify.oracles.ratio import map_model
from wnverify.papers import claims, l1inf, ledger
from wnverify.papers.l1inf import theorem1_bounds
from wnverify.papers.l1inf.theorem1_rivals import actual, earlier, theorem1
from wnverify.theory import bounds, rivals
from wnverify.theory.network import NetworkClass

# By hand: the bounds follow from peeling with exp(λ ·); scaling, a constant activation and the output bias at small c
# break what lacks its condition; the rest is arithmetic on the formulas.
VERDICTS = {
    "L1-TH1-K0": "holds",
    "L1-TH1a": "holds",
    "L1-TH1b": "holds",
    "L1-TH1-REL": "holds",
    "L1-TH1-COND": "holds",
    "L1-TH1-WIDTH": "holds",
    "L1-TH1-CUBE": "holds",
    "L1-TH1-ALLLIP": "holds-under",
    "L1-REM1a": "holds",
    "L1-REM1b": "holds",
    "L1-P-SQRTK": "holds-under",
    "L1-P-2K": "refuted",
    "L1-P-GOLO": "undecided",
    "L1-P-BEST": "refuted",
}
FAULTS = faults_of(VERDICTS)
TWO_ROUTES = [name for name in VERDICTS if name not in ("L1-P-GOLO", "L1-TH1-CUBE")]
LEAVING_OUT = [name for name in VERDICTS if name not in ("L1-TH1-CUBE", "L1-P-2K", "L1-P-GOLO", "L1-P-BEST")]
ROUNDING = map_model("float64", 256).relative


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name, quick):
    """Each comes out as derived by hand, in quick mode as in full, at its place in the ledger."""
    finding = decided(name, quick)
    assert finding.verdict == VERDICTS[name], finding.message
    assert finding.place == ledger.rows("L1")[name]
    left_out = any(text.startswith("quick: left out") for text in finding.conditions)
    assert left_out == (quick and name in LEAVING_OUT)


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_refuted(name, fault):
    """A statement made wrong on purpose is refuted, with a witness."""
    claim = claims.get(name)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict == "refuted", finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "refuted"])
def test_the_corrected_form_holds(name):
    """What is offered instead of a refuted statement holds."""
    claim = claims.get(name)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    assert claim.decide().corrected


@pytest.mark.parametrize("name", TWO_ROUTES)
def test_two_routes_or_more(name):
    """The verdict does not hang on one way to find out."""
    finding = decided(name, False)
    deciding = [route.route for route in finding.routes if route.verdict != "undecided"]
    assert len(deciding) >= 2


def test_undecided_prose_would_be_decided_by_a_measure():
    """With a measure of difficulty at hand the row is decided: the row is undecided, not the rule."""
    claim = claims.get("L1-P-GOLO")
    assert claim.decide({"the authors' measure of difficulty": 2.0}).verdict == "holds"


@pytest.mark.parametrize(
    ("printed", "computed"),
    [(theorem1_bounds.first, bounds.theorem1_first), (theorem1_bounds.second, bounds.theorem1_second)],
    ids=["first", "second"],
)
def test_the_formula_judged_is_the_one_that_is_computed(printed, computed):
    """The bound of the claims and that of wnverify.theory are the same number."""
    for k, c, n, m1 in itertools.product((0, 1, 4), (1.0, 1.5), (1, 12), (1, 100)):
        expected = computed(NetworkClass(k, c, 2.0), n, m1)
        assert abs(theorem1_bounds.value(printed, k, c, n, m1, 2.0) / expected - 1) <= ROUNDING


def test_the_quotient_has_one_value():
    """The quotient to Neyshabur et al. is the same by the claim's formula, its parts and wnverify.theory."""
    for k, m1, c in itertools.product((0, 1, 5), (1, 10), (0.5, 1.0, 2.0)):
        again = rivals.ratio_to_theorem1(rivals.neyshabur, (k,), c, m1)[0]
        assert abs(actual(k, m1, c) / again - 1) <= ROUNDING
        assert abs(earlier(k, m1, c) / theorem1(k, m1, c) / again - 1) <= ROUNDING


@pytest.mark.parametrize(
    ("name", "formula", "verdict"),
    [
        (
            "L1-TH1a",
            lambda t: (
                t.o * t.sqrt((t.k + 1) * t.log(4) / t.n) * (t.total + t.last)
                + t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n)
            ),
            "holds",
        ),
        (
            "L1-TH1a",
            lambda t: (
                t.o * t.sqrt((t.k + 1) * t.log(2) / t.n) * (t.total + t.last)
                + t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n)
            ),
            "holds",
        ),
        (
            "L1-TH1a",
            lambda t: (
                t.o * t.sqrt((t.k + 1) * t.log(2) / t.n) * 0.9 * (t.total + t.last)
                + t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n)
            ),
            "undecided",
        ),
        (
            "L1-TH1b",
            lambda t: t.o * t.last * (t.sqrt((t.k + 3) * t.log(2)) + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n),
            "undecided",
        ),
        (
            "L1-TH1b",
            lambda t: t.o * t.last * (2 + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n),
            "undecided",
        ),
    ],
    ids=["log 4 for log 16", "log 2 for log 16", "0.45 of the biases", "log 2 for log 4", "no k"],
)
def test_what_domination_cannot_see(name, formula, verdict):
    """A lost factor is true as long as the proof allows it, and between proof and witnesses it stays undecided."""
    assert claims.get(name).decide(formula, quick=True).verdict == verdict


def test_what_is_proved_and_what_is_not():
    """Squares of bounds are compared for all k ≥ 0 and m1 ≥ 1 at once; a false comparison is never called proved."""
    import sympy

    t, log2 = theorem1_bounds.symbols(), sympy.log(2)
    true = [
        (2 * sympy.log(2 * t.m1), 2 * sympy.log(t.m1 + 1)),
        ((t.k + 3) * sympy.log(4), 2 * t.k * log2),
        ((t.k + 3) * sympy.log(4) + 2 * sympy.log(t.m1), 2 * (t.k * log2 + sympy.log(t.m1 + 2))),
    ]
    false = [
        (2 * sympy.log(2 * t.m1), 2 * sympy.log(t.m1 + 2)),
        (sympy.log(t.m1), sympy.log(t.m1 + 1)),
        (t.k * sympy.log(4), (2 * t.k + 1) * log2),
        (9 * log2, t.k * log2),
        (9 * log2, sympy.log(t.m1)),
    ]
    assert all(theorem1_bounds.at_least(*pair) for pair in true)
    assert not any(theorem1_bounds.at_least(*pair) for pair in false)


def test_every_route_at_k_zero_sees_a_missing_bias():
    """The samples tried and the corners of the cube refute it each by itself; Massart does not prove it."""
    claim = claims.get("L1-TH1-K0")
    finding = claim.decide(claim.faults["first bound without the bias"], quick=True)
    refuting = {route.route for route in finding.routes if route.verdict == "refuted"}
    assert refuting == {"exact", "optimisation"}
    assert any(route.route == "symbolic" and route.verdict == "undecided" for route in finding.routes)


def test_needed_conditions_are_named():
    """holds-under says what is needed besides the text, with small numbers that show it."""
    for name, condition in (("L1-TH1-ALLLIP", "σ(0) = 0"), ("L1-P-SQRTK", "cρ ≤ 1")):
        finding = decided(name)
        assert f"needed besides: {condition}" in finding.conditions
        assert finding.witness[condition]
        assert finding.corrected


def test_the_table_is_read_without_heavy_imports():
    """Importing these modules imports neither SymPy nor torch nor NumPy."""
    names = [each.name for each in pkgutil.iter_modules(l1inf.__path__) if each.name.startswith("theorem1")]
    assert names
    assert heavy_imports(*(f"wnverify.papers.l1inf.{name}" for name in names)) == []
