"""Rankings of neurons: each criterion on networks whose answer is known, what is pruned, and the experiment of them."""

import dataclasses
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from wnverify.experiments import tables, trials
from wnverify.experiments.data.samples import Arrays, Dataset
from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.listing import find
from wnverify.experiments.published.on_digits import SMALLEST_SEEDS
from wnverify.experiments.statistics import least_pairs
from wnverify.experiments.training import rankings
from wnverify.experiments.training.loop import Run
from wnverify.experiments.training.settings import Settings
from wnverify.finding import Finding, Verdict
from wnverify.oracles.ratio import map_model

CRITERIA = ("column_norm", "magnitude", "apoz", "taylor", "chance")


def planted(incoming, outgoing, bias=(0.0, 0.0, 0.0, 0.0)):
    """A perceptron 2-4-2 of these weights, and eight samples with inputs of one."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor(incoming))
        model[1].bias.copy_(torch.tensor(bias))
        model[3].weight.copy_(torch.tensor(outgoing))
        model[3].bias.zero_()
    samples = Arrays(np.ones((8, 2), np.float32), np.array([0, 1, 0, 1, 0, 0, 0, 0]))
    data = Dataset(name="planted", shape=(2,), classes=2, train=samples, test=samples)
    return Run(Settings(network="mlp_digits"), model, [], torch.as_tensor), data


ONES = [[1.0, 0.0]] * 4
FLAT = [[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]]


def order(run, data, criterion):
    """Neurons of the one hidden layer, the least important first."""
    layers = rankings.hidden_layers(run.model)
    return np.argsort(rankings.importances(run, data, layers)[criterion][0], kind="stable").tolist()


def test_the_column_norm_is_that_of_the_reading_layer_after_centring():
    """V_C by hand: rows (3, 1, −1, −3) and (0, 2, 0, −2) have mean zero, columns of norm 3, √5, 1 and √13."""
    run, data = planted(ONES, [[13.0, 11.0, 9.0, 7.0], [0.0, 2.0, 0.0, -2.0]])
    assert order(run, data, "column_norm") == [2, 1, 0, 3]


def test_magnitude_is_of_the_incoming_weights():
    """The sum of absolute values: (3, −3) is more than (4, 1), while its Euclidean norm is less than that of (5, 0)."""
    run, data = planted([[3.0, -3.0], [4.0, 1.0], [5.0, 0.5], [0.0, 0.1]], FLAT)
    assert order(run, data, "magnitude") == [3, 1, 2, 0]


def test_a_neuron_that_never_fires_is_the_least_by_zero_activations():
    """The third is below zero at every sample, the others never: a tie falls to the first."""
    run, data = planted(ONES, FLAT, bias=(0.0, 0.0, -2.0, 0.0))
    assert order(run, data, "apoz") == [2, 0, 1, 3]


def test_the_taylor_criterion_is_activation_times_gradient():
    """Doubled activations double it, and so do doubled weights behind; a neuron that nobody reads has none."""
    run, data = planted([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0, 0.0, 3.0], [-1, -1, 0, -3.0]])
    (values,) = rankings.importances(run, data, rankings.hidden_layers(run.model))["taylor"]
    assert values[2] == 0
    model = map_model("float32", values.size, condition=4.0).relative
    assert (abs(values[[1, 3]] / values[0] - [2, 3]) <= model * np.array([2, 3])).all()
    scores = torch.zeros(2)
    scores += torch.tensor([6.0, -6.0])
    share = torch.softmax(scores, 0)[1]
    # ∂ℓ/∂a_0 is p_0 − p_1 less that of the class: −2 p_1 for class 0, 2 p_0 for class 1.
    by_hand = float((6 * 2 * share + 2 * 2 * (1 - share)) / 8)
    assert values[0] == pytest.approx(by_hand, rel=1e-5)


def test_the_least_important_are_pruned():
    """Half of four neurons: without those two that carry class 0 all its samples are wrong, without the others none."""
    run, data = planted(ONES, [[2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    layers = rankings.hidden_layers(run.model)
    carry = [np.array([0.0, 1.0, 2.0, 3.0])], [np.array([3.0, 2.0, 1.0, 0.0])]
    assert [rankings.pruned(run, data, layers, each, 0.5) for each in carry] == [6 / 8, 2 / 8]
    assert rankings.pruned(run, data, layers, carry[0], 0.25) == 2 / 8
    assert not run.model[2]._forward_hooks


def test_agreement_is_a_rank_correlation():
    """One where two criteria have the same order, minus one where the opposite; NaN where one tells nothing apart."""
    up, down, flat = np.array([1.0, 5.0, 6.0]), np.array([3.0, -1.0, -2.0]), np.ones(3)
    assert rankings._rho(up, up**3) == 1
    assert rankings._rho(up, down) == -1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(rankings._rho(up, flat))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.Linear(2, 2)), "with a hidden layer"),
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), "got Tanh"),
        (nn.Linear(2, 2), "got Linear"),
    ],
    ids=["no-hidden-layer", "other-activation", "no-sequence"],
)
def test_other_networks_are_refused(model, said):
    """What is no perceptron with ReLU has no such neurons."""
    with pytest.raises(ValueError, match=said):
        rankings.hidden_layers(model)


def test_an_unknown_final_is_refused():
    """By name, in the experiment and when it is asked for."""
    with pytest.raises(ValueError, match="finals must be among columns, rankings; got ranks"):
        dataclasses.replace(find("dswn.rankings"), finals=("ranks",))
    with pytest.raises(ValueError, match="name must be one of rankings, columns; got 'ranks'"):
        trials.look("ranks", *planted(ONES, FLAT))


def test_a_trial_measures_the_rankings(monkeypatch):
    """Every column of the experiment is in the cells of one short run, and it is the same again."""
    whole = find("dswn.rankings")
    short = {"smoke": dataclasses.replace(whole.scales["smoke"], samples=64)}
    monkeypatch.setattr(trials, "find", lambda name: dataclasses.replace(whole, scales=short))
    cells, again = (trials.trial(whole.id, "DSWN-NM", 0, "smoke")[0].routes[0].figures["cells"] for _ in range(2))
    assert set(cells) == set(whole.columns.values())
    assert all(0 <= cells[f"rankings.{criterion}.half"] <= 1 for criterion in CRITERIA)
    assert all(-1 <= cells[f"rankings.agreement.{rival}"] <= 1 for rival in rankings.RIVALS)
    assert cells == again


@pytest.mark.parametrize(
    ("of_more", "verdict"), [("test.loss", Verdict.HOLDS), ("", Verdict.UNDECIDED)], ids=["another", "the-same"]
)
def test_a_claim_may_compare_two_figures_of_one_row(of_more, verdict):
    """A row's error lies below its loss in every run, and below itself in none."""
    claim = Expectation(id="c", statement="s", place="p", figure="test.error", less="A", more="A", of_more=of_more)
    experiment = Experiment(
        id="dswn.planted",
        paper="dswn",
        place="p",
        title="t",
        settings={"network": "mlp_digits"},
        variants=(Variant(name="A"),),
        scales={"small": Scale(data="digits", seeds=least_pairs(1))},
        columns={"error": "test.error", "loss": "test.loss"},
        expectations=(claim,),
    )
    curve = {"epoch": [1], **{path: [0.5] for path in trials.CURVES}}
    found = []
    for seed in range(least_pairs(1)):
        told = {"cells": {"test.error": 0.1, "test.loss": 0.2 + seed}, "curve": curve}
        finding = trials.finding_of(experiment, experiment.variants[0], "small", seed, told)
        found.append(Finding.from_json(finding.to_json()))
    made = tables.table(experiment, "small", found)
    assert made[-1].verdict is verdict
    assert f"1 times {of_more or 'that'} of A" in made[-1].conditions[1]
    with pytest.raises(ValueError, match=r"got test\.top9"):
        dataclasses.replace(experiment, expectations=(dataclasses.replace(claim, of_more="test.top9"),))


def test_the_claims_of_rankings_can_be_decided():
    """As many runs a row as six claims need."""
    experiment = find("dswn.rankings")
    assert len(experiment.expectations) == 6
    assert experiment.scales["small"].seeds == max(SMALLEST_SEEDS, least_pairs(6))
