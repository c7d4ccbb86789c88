"""The claims of L1,∞'s model (secs. 2, 3.1, 4): every row decided as by hand, every fault caught."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, decided_again, decided_alone, faults_of, heavy_imports, record, witnessed

from wnverify.papers import claims, ledger
from wnverify.papers.l1inf import model, network_class, networks, normalization_constant, rademacher_definition

VERDICTS = {
    "L1-EQ21": "holds",
    "L1-P-GENDEF": "inconsistent",
    "L1-P-BILLIONS": "refuted",
    "L1-P-AUG": "holds",
    "L1-P-NORM": "holds",
    "L1-P-SIG0": "holds",
    "L1-P-LIP": "holds",
    "L1-P-CLASS": "holds",
    "L1-P-CSPARS": "refuted",
    "L1-EQ22": "inconsistent",
    "L1-P-IFF": "ambiguous",
    "L1-RAD-DEF": "holds",
}
WITNESSED = witnessed(VERDICTS)
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read by hand, in quick mode as in full, at the ledger's place and on routes."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("L1")[claim_id]
    assert len({(route.route, route.note) for route in finding.routes}) >= 2
    assert quick or not any(text.startswith("quick") for text in finding.conditions)


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_routes_decide(claim_id):
    """No calculation stays undecided beside another that decides."""
    assert all(route.verdict in ("holds", "refuted") for route in decided(claim_id, False).routes)


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted with a witness, and no route calls it right."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness


def test_every_claim_has_three_faults():
    """Three or more wrong forms of every statement are tried."""
    assert all(len(claims.get(claim_id).faults) >= 3 for claim_id in VERDICTS)


@pytest.mark.parametrize("claim_id", WITNESSED)
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a wrong statement holds itself, in quick mode and in full."""
    claim = claims.get(claim_id)
    assert claim.corrected
    for quick in (True, False):
        assert claim.decide(claim.corrected_formula, quick=quick).verdict == "holds"


def test_one_reading_of_the_criterion_is_right():
    """The criterion of Sec. 4 is right of parameters and hidden layers, and of nothing more."""
    finding = decided("L1-P-IFF")
    assert [each["verdict"] for each in finding.readings] == ["holds", "refuted", "refuted"]
    assert networks.norm(network_class.DOUBLED[0]) == 2
    for x in (Fraction(-1), Fraction(0), Fraction(3, 4)):
        assert networks.value(network_class.DOUBLED, (x,), networks.relu) == (max(2 * x, 0),)


def test_vgg_has_the_published_number_of_parameters():
    """VGG-16 and VGG-19 have 138 357 544 and 143 667 240 parameters, the numbers that libraries print."""
    assert model.parameters(model.VGG["VGG-16"]) == 138_357_544
    assert model.parameters(model.VGG["VGG-19"]) == 143_667_240


def test_rescaling_by_another_way():
    """A ReLU network moved into S_{1/8} computes the same in float64, by matrix products; a tanh network does not."""
    net = networks.network_of((3, 4, 4, 2), 5)
    inside = normalization_constant.fitted(net, Fraction(1, 8))
    assert all(networks.norm(layer) <= Fraction(1, 8) for layer in inside[:-1])

    def run(network, act):
        u = np.array([[0.25, -0.5, 1.0], [1.0, 0.75, -0.125]])
        for number, layer in enumerate(network):
            V = np.array([[float(x) for x in column] for column in layer])
            u = u @ V[:, 1:].T + V[:, 0]
            u = act(u) if number < len(network) - 1 else u
        return u

    after, before = (run(each, lambda u: np.maximum(u, 0)) for each in (inside, net))
    assert np.abs(after - before).max() <= 64 * np.finfo(float).eps * np.abs(before).max()
    assert np.abs(run(inside, np.tanh) - run(net, np.tanh)).max() > 0.01


def test_least_ratio_of_tanh_by_another_way():
    """Over a grid of |w| + |b| ≤ 1 the ratio of differences of tanh(wx + b) is least as claimed, above tanh(2x)'s."""

    def ratio(w, b):
        low, middle, high = (np.tanh(w * x + b) for x in (0, 0.5, 1))
        return (high - middle) / (middle - low)

    grid = [k / 32 for k in range(-32, 33)]
    least = min(ratio(w, b) for w, b in itertools.product(grid, repeat=2) if w and abs(w) + abs(b) <= 1)
    parts = {name: value for name, value in tanh_witness().items() if name.startswith("R")}
    assert [round(ratio(2, 0), 4), round(least, 4)] == list(parts.values())


def tanh_witness():
    """The witness that is shown to one who says that S_c does not depend on c for tanh."""
    claim = claims.get("L1-P-CSPARS")
    return claim.decide(claim.faults["tanh: the class does not"], quick=True).witness


def test_complexity_of_two_functions_by_hand():
    """F = {(1, 1), (0, 0)}: sup is (1, 0, 0, 0) over the four sign pairs, so 1/4; with absolute value 1/2."""
    functions = [(Fraction(1), Fraction(1)), (Fraction(0), Fraction(0))]
    assert rademacher_definition.complexity(functions) == Fraction(1, 4)
    assert rademacher_definition.absolute(functions) == Fraction(1, 2)


def test_norm_of_a_layer_by_hand():
    """Columns (1, −2) and (1/2, 1) have L1 norms 3 and 3/2."""
    assert networks.norm(((Fraction(1), Fraction(-2)), (Fraction(1, 2), Fraction(1)))) == 3


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


def test_a_fresh_process_decides_alike():
    """A claim decided alone in a fresh process gives the record that it gives among others."""
    assert decided_alone("L1-P-CSPARS") == record(decided("L1-P-CSPARS"))


def test_the_modules_are_read_without_heavy_imports():
    """Reading the modules of these claims imports neither SymPy nor torch nor NumPy nor SciPy nor python-flint."""
    names = "activations augmented_layers model network_class normalization_constant rademacher_definition"
    assert heavy_imports(*(f"wnverify.papers.l1inf.{name}" for name in names.split())) == []
