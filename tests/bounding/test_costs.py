"""The topic about operation counts: it holds, and counts that are wrong on purpose are refuted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from wnverify.bounding import costs, metered, schedules
from wnverify.bounding.counting import Case, convolution_passes, executed, seen, weight_of
from wnverify.finding import Finding, Verdict
from wnverify.report import figures
from wnverify.theory import cost, method_cost
from wnverify.theory.cost import LayerCost, Operations
from wnverify.theory.method_cost import METHODS


def test_the_topic_holds_and_draws_its_curve():
    """Three routes hold; the papers' counts stand beside, undecided; the curve has a point for every number of rows."""
    told = costs.operations(0, True)
    assert [route.verdict for route in told.routes] == [Verdict.HOLDS] * 3 + [Verdict.UNDECIDED]
    assert told.witness is None
    assert all(route.note for route in told.routes)
    drawn = told.routes[-1].figures["curve"]
    assert all(len(values) == len(drawn["at"]) for values in drawn["series"].values())
    finding = Finding(
        kind="theory",
        id="theory/cost/operations",
        subject="cost",
        check="operations",
        verdict=Verdict.HOLDS,
        statement="",
        routes=told.routes,
    )
    made = figures.curve(finding)
    assert len(made.rows) == len(drawn["at"])


def test_what_can_be_executed_has_the_closed_count():
    """Weight decay, norm loss, their difference and the convolution, at a layer of ResNet110."""
    executed_rows = [row for row in costs.printed() if row["counted"] is not None]
    assert len(executed_rows) == 4
    assert all(row["counted"] == row["closed"] for row in executed_rows)


real = cost.convolution


def halved(*arguments, **options):
    """Faulty: multiplications without their additions."""
    return LayerCost(*(each // 2 for each in real(*arguments, **options)))


def groups_forgotten(*arguments, groups=1, **options):
    """Faulty: every output channel reads every input channel."""
    return real(*arguments, **options)


def stride_ignored(*arguments, stride=1, **options):
    """Faulty: as many positions as for stride 1."""
    return real(*arguments, **options)


def dilation_ignored(*arguments, dilation=1, **options):
    """Faulty: positions of an undilated kernel."""
    return real(*arguments, **options)


def input_forgotten(*arguments, **options):
    """Faulty: the first layer's, whose input needs no gradient."""
    return real(*arguments, **options)._replace(input=0)


@pytest.mark.parametrize(
    "fault",
    [halved, groups_forgotten, stride_ignored, dilation_ignored, input_forgotten],
    ids=lambda fault: fault.__name__,
)
def test_a_wrong_count_of_a_convolution_is_refuted(fault, monkeypatch):
    """The counter disagrees, and the witness shows the layer."""
    monkeypatch.setattr(cost, "convolution", fault)
    evidence, wrong = costs.layers()
    assert evidence.verdict is Verdict.REFUTED
    assert all("convolution" in each for each in wrong)


def test_a_wrong_count_of_a_linear_layer_is_refuted(monkeypatch):
    """A lost factor 2 is seen."""
    monkeypatch.setattr(cost, "linear", lambda b, i, o: LayerCost(*(b * i * o,) * 3))
    evidence, wrong = costs.layers()
    assert evidence.verdict is Verdict.REFUTED
    assert len(wrong) == len(costs.LINEAR)


def less(part, **kinds):
    """A fault that takes ``kinds`` off a method's part: name → a function of (n, d)."""

    def planted(known):
        def wrong(n, d):
            right = getattr(known, part)(n, d)
            return dataclasses.replace(right, **{k: getattr(right, k) - f(n, d) for k, f in kinds.items()})

        return known._replace(**{part: wrong})

    return planted


FAULTS = {
    "gram-halved": ("orthogonal_weight_normalization", less("forward", products=lambda n, d: n * n * d)),
    "inverse-forgotten": ("orthogonal_weight_normalization", less("backward", products=lambda n, d: 2 * n**3)),
    "chain-through-norms-forgotten": ("dswn_neuron_measurement", less("backward", products=lambda n, d: 2 * n * n * d)),
    "one-step-forgotten": ("newton_schulz", less("forward", products=lambda n, d: 8 * min(n, d) ** 3)),
    "columns-for-rows": ("spectral_normalization", less("forward", products=lambda n, d: 2 * n * d * (d - n))),
    "one-product-with-a-vector": (
        "spectral_normalization_by_power_iteration",
        less("forward", vector_products=lambda n, d: 2 * n * d),
    ),
    "a-product-where-none-is": ("weight_normalization", less("backward", products=lambda n, d: -1)),
}


@pytest.mark.parametrize(("method", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_count_of_products_is_refuted(method, fault, monkeypatch):
    """torch's counter disagrees, and the witness names method, shape and part."""
    monkeypatch.setattr(method_cost, "METHODS", {method: METHODS[method]})
    assert costs.products(0, True)[0].verdict is Verdict.HOLDS
    monkeypatch.setattr(method_cost, "METHODS", {method: fault(METHODS[method])})
    evidence, wrong = costs.products(0, True)
    assert evidence.verdict is Verdict.REFUTED
    assert wrong[0]["method"] == method


SCALAR_FAULTS = {
    "centring-forgotten": ("centred_weight_normalization", less("forward", scalars=lambda n, d: 2 * n * d)),
    "root-forgotten": ("weight_normalization", less("forward", scalars=lambda n, d: n)),
    "eigendecomposition-cheaper": ("orthogonal_weight_normalization", less("forward", modelled=lambda n, d: n**3)),
    "sort-free": ("l1_inf_projection", less("forward", modelled=cost.sorting)),
    "norm-a-weight": ("norm_loss", less("backward", scalars=lambda n, d: n * d - n)),
    "scaling-free": ("constrained_weight_optimization", less("forward", scalars=lambda n, d: n * d)),
}


@pytest.mark.parametrize(("method", "fault"), SCALAR_FAULTS.values(), ids=SCALAR_FAULTS)
def test_a_wrong_count_of_anything_is_refuted(method, fault, monkeypatch):
    """The plain formula on counting arrays disagrees."""
    monkeypatch.setattr(method_cost, "METHODS", {method: METHODS[method]})
    assert costs.scheduled(0, True)[0].verdict is Verdict.HOLDS
    monkeypatch.setattr(method_cost, "METHODS", {method: fault(METHODS[method])})
    assert costs.scheduled(0, True)[0].verdict is Verdict.REFUTED


@pytest.mark.parametrize("method", method_cost.AS_PUBLISHED)
def test_a_wrong_count_of_the_published_form_is_refuted(method, monkeypatch):
    """One product of k³ too few."""
    closed = method_cost.AS_PUBLISHED[method]

    def wrong(n, d):
        return closed(n, d) + Operations(-2 * min(n, d) ** 3)

    monkeypatch.setattr(method_cost, "METHODS", {method: METHODS[method]})
    monkeypatch.setitem(method_cost.AS_PUBLISHED, method, wrong)
    assert {each["part"] for each in costs.scheduled(0, True)[1]} == {"as published"}


def test_a_plain_formula_of_another_method_is_refuted(monkeypatch):
    """A schedule that counts right but computes something else: its values are not the implementation's."""

    def wrong(V, A):
        W, backward = schedules.weight_normalization(V, A)
        return np.asarray(W) * 1.001, backward

    monkeypatch.setattr(method_cost, "METHODS", {"weight_normalization": METHODS["weight_normalization"]})
    monkeypatch.setitem(schedules.SCHEDULES, "weight_normalization", wrong)
    evidence, found = costs.scheduled(0, True)
    assert evidence.verdict is Verdict.REFUTED
    assert all("ratio" in each for each in found)


def test_every_method_has_a_plain_formula():
    """No closed count goes unexecuted."""
    assert set(schedules.SCHEDULES) == set(METHODS)


def test_a_meter_counts_entries_sums_and_products():
    """An entry one, a sum of m m − 1, a product 2 m k p, with a vector apart."""
    meter = metered.Meter()
    X = meter.on(np.ones((2, 3)))
    (X + X).sum()
    assert meter.seen == Operations(scalars=6 + 5)
    X @ X.T
    assert meter.seen.products == 2 * 2 * 3 * 2
    X @ X[0]
    assert meter.seen.vector_products == 2 * 2 * 3
    assert meter.seen.scalars == 11


def test_a_product_with_a_vector_is_told_apart():
    """torch's counter alone would say that nothing happened."""
    M, x = torch.ones(3, 4), torch.ones(4)
    assert seen(lambda: M @ x)[0] == Operations(vector_products=24)
    assert seen(lambda: x @ x)[0] == Operations(vector_products=8)
    assert seen(lambda: M @ M.T)[0] == Operations(products=72)


def test_a_penalty_s_gradient_is_added_to_the_loss_s():
    """``executed`` gives A + ∂L/∂W for a penalty: with weight decay A + 2 W."""
    V = torch.from_numpy(weight_of(2, 5, 0))
    *_, back = executed("weight_decay", V, torch.ones_like(V))
    assert torch.equal(back, 1 + 2 * V)


def test_a_group_alone_is_one_convolution():
    """Group by group and at once are the same where there is one group."""
    case = Case(2, (3, 4), (3, 3), (5, 5))
    assert convolution_passes(case) == convolution_passes(case, at_once=True)
