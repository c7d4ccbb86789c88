"""Every method of the catalogue trains on the digits; a method made wrong is seen."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from wnverify.experiments import shortruns
from wnverify.experiments.listing import trained_methods
from wnverify.experiments.shortruns import short_run
from wnverify.experiments.training import invariants, loop
from wnverify.finding import Verdict

DECLARING = {
    "centred_weight_normalization": {"unit_norm_rows", "zero_mean_rows"},
    "orthogonal_weight_normalization": {"unit_norm_rows", "zero_mean_rows", "orthonormal_rows", "spectral_norm_le_1"},
    "weight_standardization": {"zero_mean_rows"},
    "spectral_normalization": {"spectral_norm_le_1"},
    "qr_orthogonalization": {"orthonormal_rows", "unit_norm_rows", "constant_norm_rows", "spectral_norm_le_1"},
    "projection_based_weight_normalization": {"unit_norm_rows", "constant_norm_rows"},
    "constrained_weight_optimization": {"constant_norm_rows", "zero_mean_rows"},
    "stiefel_layer": {"orthonormal_rows", "unit_norm_rows", "constant_norm_rows", "spectral_norm_le_1"},
    "l1_inf_projection": {"l1_rows_le"},
}


@pytest.mark.parametrize("method", [row.id for row in trained_methods()])
def test_every_method_trains(method):
    """The loss falls, what is declared of the weights holds at every step, the state survives."""
    findings = {finding.check: finding for finding in short_run(method, quick=True)}
    for finding in findings.values():
        assert finding.verdict is Verdict.HOLDS, f"{finding.check}: {finding.message}"
    assert {"digits.learns", "digits.state"} <= set(findings)
    asked = set(findings["digits.invariant"].routes[0].figures) if "digits.invariant" in findings else set()
    assert DECLARING.get(method, set()) <= asked


def only(findings, check):
    return next(finding for finding in findings if finding.check == check)


def test_a_constraint_that_is_not_kept_is_seen():
    """Centred gradients in the place of the projection: the norms drift, the step and layer are told."""
    found = only(short_run("projection_based_weight_normalization", quick=True, method="gc"), "digits.invariant")
    assert found.verdict is Verdict.REFUTED
    assert "unit_norm_rows" in found.message or "constant_norm_rows" in found.message
    assert "after step" in found.message


def test_a_method_that_does_not_learn_is_seen(monkeypatch):
    """A decay that leaves no weight."""
    monkeypatch.setitem(shortruns.OPTIONS, "weight_decay", {"factor": 1e3})
    with pytest.raises(loop.DivergedError):
        short_run("weight_decay", quick=True)
    monkeypatch.setitem(shortruns.OPTIONS, "weight_decay", {"factor": 5.0})
    assert only(short_run("weight_decay", quick=True), "digits.learns").verdict is Verdict.REFUTED


class Drifting(nn.Module):
    """Scales the weight by a number that is in no state."""

    def __init__(self):
        super().__init__()
        self.factor = 1 + float(torch.rand(()))

    def forward(self, W):
        return self.factor * W


def test_a_state_that_is_lost_is_seen(monkeypatch):
    """A number that the weight needs and that ``state_dict`` does not have."""
    plain = loop.applied

    def drifting(model, settings):
        made = plain(model, settings)
        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        parametrize.register_parametrization(last, "weight", Drifting())
        return made

    monkeypatch.setattr(loop, "applied", drifting)
    monkeypatch.setattr(shortruns, "applied", drifting)
    found = only(short_run("norm_loss", quick=True), "digits.state")
    assert found.verdict is Verdict.REFUTED
    assert found.message == "other outputs: loaded into a new network"


WRONG = {
    "unit_norm_rows": (torch.eye(3, 5) * 1.001, 1.0),
    "constant_norm_rows": (torch.eye(3, 5), 1.001),
    "zero_mean_rows": (torch.tensor([[1.0, -1.0, 0.001]]), 1.0),
    "orthonormal_rows": (torch.tensor([[1.0, 0.0, 0.0], [0.001, 1.0, 0.0]]), 1.0),
    "spectral_norm_le_1": (torch.eye(3, 5) * 1.001, 1.0),
    "l1_rows_le": (torch.tensor([[0.5, 0.501]]), 1.0),
}
RIGHT = {
    "unit_norm_rows": (torch.tensor([[0.6, 0.8]]), 1.0),
    "constant_norm_rows": (torch.tensor([[3.0, 4.0]]), 5.0),
    "zero_mean_rows": (torch.tensor([[1.0, -1.0, 0.0]]), 1.0),
    "orthonormal_rows": (torch.eye(3, 5), 1.0),
    "spectral_norm_le_1": (torch.eye(3, 5) * 0.5, 1.0),
    "l1_rows_le": (torch.tensor([[0.5, -0.5], [0.0, 0.1]]), 1.0),
}


@pytest.mark.parametrize("name", invariants.MEASURES)
def test_a_thousandth_is_too_much(name):
    """Each property of a weight that has it, and of one that misses it by a thousandth."""
    for (W, value), met in ((RIGHT[name], True), (WRONG[name], False)):
        ratio = invariants.ratios(W, {name: value})[name].value
        assert (ratio <= 1) is met
        assert met or ratio > 10


def test_an_admitted_error_is_allowed():
    """What a method says of its own approximation is added to what rounding excuses."""
    W, value = WRONG["orthonormal_rows"]
    assert invariants.ratios(W, {"orthonormal_rows": value}, {"orthonormal_rows": 0.002})["orthonormal_rows"].value <= 1
