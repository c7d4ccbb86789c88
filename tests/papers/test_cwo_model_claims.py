"""The claims of CWO's model (secs. 3.1 to 3.3, 3.5, 4.1.1): every row decided as by hand, every fault caught."""

import doctest
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, decided_again, decided_alone, faults_of, heavy_imports, record, witnessed

from wnverify.papers import claims, ledger
from wnverify.papers.cwo import laws, maps

VERDICTS = {
    "CWO-EQ1": "holds",
    "CWO-EQ2": "holds-under",
    "CWO-P-VARNORM": "holds",
    "CWO-P-BNEQUIV": "holds-under",
    "CWO-EQ3": "holds-under",
    "CWO-EQ4": "holds",
    "CWO-P-C2": "holds-under",
    "CWO-P-C2JOINT": "refuted",
    "CWO-EQ5": "holds",
    "CWO-P-UNBIAS": "holds-under",
    "CWO-P-DEEPBIAS": "holds-under",
    "CWO-EQ6": "inconsistent",
    "CWO-P-REPR": "holds",
    "CWO-EQ7": "holds",
    "CWO-P-NOISEMIMIC": "refuted",
    "CWO-P-SIGCONST": "inconsistent",
    "CWO-EQ8": "inconsistent",
    "CWO-EQ15-17": "holds-under",
    "CWO-P-WHATSTACK": "refuted",
    "CWO-P-SCALEINV": "holds-under",
    "CWO-EQ18": "refuted",
    "CWO-EQ19": "refuted",
    "CWO-EQ18-19": "ambiguous",
    "CWO-EQ20": "refuted",
    "CWO-P-EXPL-SCALE": "holds-under",
    "CWO-P-EXPL-SMALL": "holds-under",
    "CWO-P-EXPL-VAR": "refuted",
    "CWO-P-EXPL-OTHER": "holds",
    "CWO-P-EXPL-CAUSE": "undecided",
    "CWO-P-NOEXPL": "holds-under",
    "CWO-P-PRECOMP": "holds",
    "CWO-P-WD": "holds",
    "CWO-P-MOM": "ambiguous",
    "CWO-P-CNN9": "holds",
}
WITNESSED = witnessed(VERDICTS)
FAULTS = faults_of(VERDICTS)
WITH_FURTHER_ROUTES = (
    "CWO-P-VARNORM",
    "CWO-EQ3",
    "CWO-P-C2JOINT",
    "CWO-EQ7",
    "CWO-P-NOISEMIMIC",
    "CWO-EQ18",
    "CWO-EQ20",
    "CWO-P-EXPL-SMALL",
)
"""Claims that full mode measures by routes that quick mode leaves out, or with more samples."""
ONE_ROUTE = {
    "CWO-P-WHATSTACK": "a shape has one value",
    "CWO-P-MOM": "iterates in balls, in each reading",
    "CWO-P-CNN9": "a count",
    "CWO-EQ1": "a definition",
    "CWO-EQ6": "a comparison of two definitions",
}


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read by hand, in quick mode as in full, at the ledger's place and with routes."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("CWO")[claim_id]
    assert finding.routes


@pytest.mark.parametrize(
    ("claim_id", "fault", "quick"),
    [(*each, True) for each in FAULTS] + [(*each, False) for each in FAULTS if each[0] in WITH_FURTHER_ROUTES],
)
def test_planted_fault_is_refuted(claim_id, fault, quick):
    """A formula made wrong on purpose is refuted with a witness, and no route calls it right."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=quick)
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness is not None


def test_every_claim_has_faults():
    """A formula has at least three planted faults, prose at least two."""
    few = {claim_id: len(claims.get(claim_id).faults) for claim_id in VERDICTS}
    assert {claim_id: count for claim_id, count in few.items() if count < 3} == {"CWO-P-EXPL-CAUSE": 2}


@pytest.mark.parametrize("claim_id", WITNESSED)
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a wrong statement holds itself, in quick mode and in full."""
    claim = claims.get(claim_id)
    assert claim.corrected
    for quick in (True, False):
        assert claim.decide(claim.corrected_formula, quick=quick).verdict == "holds"


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdicts_stand_on_two_routes(claim_id):
    """Where two routes without shared code exist, the claim has both; the others are known."""
    finding = decided(claim_id, False)
    kinds = {(route.route, route.note) for route in finding.routes}
    assert claim_id in ONE_ROUTE or len(kinds) >= 2


@pytest.mark.parametrize(
    ("claim_id", "needed"),
    [
        ("CWO-EQ2", ["fan-in n ≥ 2"]),
        ("CWO-P-BNEQUIV", ["E[x] = 0", "mini-batch"]),
        ("CWO-EQ3", ["E[w] = 0", "ReLU", "symmetric"]),
        ("CWO-P-C2", ["mean 0"]),
        ("CWO-P-UNBIAS", ["E[x] = μ 1"]),
        ("CWO-P-DEEPBIAS", ["row sums exceed 1"]),
        ("CWO-EQ15-17", ["not constant"]),
        ("CWO-P-SCALEINV", ["a > 0"]),
        ("CWO-P-EXPL-SCALE", ["n = 3"]),
        ("CWO-P-EXPL-SMALL", ["weight decay"]),
        ("CWO-P-NOEXPL", ["α‖Pg‖ < √c"]),
    ],
)
def test_needed_conditions_are_named(claim_id, needed):
    """holds-under names each condition that the text lacks, with a counterexample to each."""
    finding = decided(claim_id)
    named = [text for text in finding.conditions if text.startswith("needed besides: ")]
    assert len(named) == len(needed)
    assert all(word in text for word, text in zip(needed, named, strict=True))
    assert len(finding.witness) == len(needed)
    assert all(finding.witness.values())


def test_two_readings_of_the_two_equations_are_right():
    """Eqs. 18 and 19 hold in either order with a third gradient between, and in no way without it."""
    finding = decided("CWO-EQ18-19")
    assert [each["verdict"] for each in finding.readings] == ["refuted", "holds", "holds"]
    assert "∇_ŵ → ∇_ẇ → ∇_w; ∇_ŵ → ∇_u → ∇_w" in finding.message


def test_every_way_to_draw_the_noise_has_the_same_moments():
    """Eq. 7 is read in three ways, and holds in each."""
    finding = decided("CWO-EQ7")
    assert [each["verdict"] for each in finding.readings] == ["holds"] * 3


def test_gradients_of_standardization_by_hand():
    """At w = (2, −1, −1), g = (0, 3, 1): σ = √2, and ∇_w L = (0, 1, −1)/√2 by hand from g less its two parts."""
    with maps.at_precision():
        w, g = (maps.vector(map(Fraction, row)) for row in ((2, -1, -1), (0, 3, 1)))
        found = maps.numbers(maps.pullback(maps.standardized, w, g))
        by_name = {name: maps.numbers(value) for name, value in maps.gradients_in_balls(w, g).items()}
    half = round(math.sqrt(0.5), 6)
    assert found == by_name["w"] == [0.0, half, -half]
    assert by_name["u"] == pytest.approx([-4 / 3, 5 / 3, -1 / 3], abs=1e-5)
    assert by_name["ẇ"] == pytest.approx([x / 3 / math.sqrt(2) for x in (4, 7, 1)], abs=1e-5)


def test_fan_in_two_cannot_be_trained():
    """For n = 2 the gradient of WS vanishes, while eq. 18 as printed does not."""
    finding = decided("CWO-EQ18")
    assert finding.witness == {
        "w": ["1", "-1"],
        "∇_ŵ L": ["1", "0"],
        "claimed ∇_w L": [0.5, -0.5],
        "true ∇_w L": [0.0, 0.0],
    }


def test_c_with_centring_by_another_way():
    """var(w·max(y, 0)) for w = (1, −1) is 1 − 1/π, by summation over a grid, so that c = 2π/(π − 1) restores 1."""
    y = np.linspace(-12, 12, 200_001)
    density = np.exp(-(y**2) / 2) / math.sqrt(2 * math.pi) * (y[1] - y[0])
    first, second = ((np.maximum(y, 0) ** k * density).sum() for k in (1, 2))
    assert 2 * (second - first**2) == pytest.approx(1 - 1 / math.pi, rel=1e-8)
    finding = decided("CWO-P-C2JOINT")
    assert claims.get("CWO-P-C2JOINT").corrected_formula(math.pi) * (second - first**2) == pytest.approx(1, rel=1e-8)
    assert "1/2" in finding.witness["y before = ±1 each, variance 1"]


def test_the_three_conditions_of_eq_3_by_hand():
    """The counterexamples to eq. 3 have the values that were worked out on paper."""
    finding = decided("CWO-EQ3")
    values = [(each["variance"], each["eq. 3"]) for each in finding.witness.values()]
    assert values == [("1/4", "0"), ("1", "1/2"), ("4/3", "1")]


def test_laws_are_laws():
    """The laws used have probability 1, mean 0 and variances 1, 5 and 1; a variance is that of NumPy."""
    for law, spread in ((laws.SIGNS, 1), (laws.SPREAD_SIGNS, 5), (laws.THREE_POINTS, 1)):
        assert sum(law.values()) == 1
        assert laws.mean(lambda p: p[0], [law]) == 0
        assert laws.variance(lambda p: p[0], [law]) == spread
    products = [a * b + a for a, b in itertools.product((-1, 1), (-3, -1, 1, 3))]
    found = laws.variance(lambda p: p[0] * p[1] + p[0], [laws.SIGNS, laws.SPREAD_SIGNS])
    assert float(found) == pytest.approx(np.var(products))


def test_an_estimate_accuses_and_acquits():
    """An estimate from samples holds at the true mean, refutes one far off, and decides nothing between."""
    samples = np.tile([0.0, 2.0], 5_000)
    step = laws.quantile() / math.sqrt(len(samples))
    verdicts = [laws.estimated(samples, 1 + k * step, "").verdict for k in (0, 0.9, 1.5, 2.1)]
    assert verdicts == ["holds", "holds", "undecided", "refuted"]
    assert laws.estimated(np.zeros(5), 1.0, "").verdict == "refuted"


@pytest.mark.parametrize("claim_id", ["CWO-P-EXPL-SMALL", "CWO-P-NOEXPL"])
def test_a_nan_among_the_float_points_is_not_lost(claim_id):
    """A formula that is no number at floats is not confirmed by the routes in symbols and in balls."""
    claim = claims.get(claim_id)

    def lost_in_floats(*arguments):
        return math.nan if any(isinstance(x, float) for x in arguments) else claim.formula(*arguments)

    assert claim.decide(lost_in_floats, quick=True).verdict == "error"


def test_undecided_cause_is_decided_by_numbers():
    """The cause is undecided for want of runs only: favourable numbers make it hold."""
    claim = claims.get("CWO-P-EXPL-CAUSE")
    assert claim.decide({"earlier methods fail alone because of it": True}).verdict == "holds"
    assert "multiplies the gradient by 10, as without it" in claim.decide().message


def test_quick_mode_says_what_it_left_out():
    """A claim with fewer routes in quick mode says so, and in full mode says nothing of the kind."""
    for claim_id in VERDICTS:
        quick, full = decided(claim_id), decided(claim_id, False)
        fewer = len(quick.routes) < len(full.routes)
        assert not fewer or any(text.startswith("quick: left out") for text in quick.conditions), claim_id
        assert not any(text.startswith("quick") for text in full.conditions)


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


def test_a_fresh_process_decides_alike():
    """A claim decided alone in a fresh process gives the record that it gives among others."""
    assert decided_alone("CWO-P-C2JOINT") == record(decided("CWO-P-C2JOINT"))


def test_the_table_is_read_without_heavy_imports():
    """Listing the claims imports neither SymPy nor torch nor NumPy nor python-flint."""
    assert heavy_imports("wnverify.papers.claims", calling="sys.modules['wnverify.papers.claims'].table('CWO')") == []


def test_examples_run():
    """The examples in the shared modules' docstrings run."""
    found = [doctest.testmod(module) for module in (laws, maps)]
    assert sum(each.attempted for each in found) > 0
    assert not any(each.failed for each in found)
