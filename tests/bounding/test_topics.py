"""The report's topics about bounds: what they find, and that planted faults are refuted."""

from __future__ import annotations

import dataclasses

import pytest

from wnverify.bounding import curves, exactness, generalization, planted, topics
from wnverify.bounding.topics import TOPICS, decide, items
from wnverify.finding import Verdict
from wnverify.report import figures
from wnverify.theory import bounds
from wnverify.theory.rademacher import complexity

FAST = [topic for topic in TOPICS if topic.subject == "rademacher" and topic.check not in ("exact-value", "domination")]


@pytest.mark.parametrize("check", [topic.check for topic in FAST])
def test_every_topic_holds_and_says_how(check):
    """Its finding holds, has a route with a figure or a ratio, and is the same when it is made again."""
    (finding,) = decide("rademacher", check, 0, True)
    assert finding.verdict is Verdict.HOLDS
    assert finding.strength in ("tested", "certified")
    assert all(route.note for route in finding.routes)
    assert decide("rademacher", check, 0, True) == [finding]


@pytest.mark.parametrize("check", ["depth-c1", "constant", "sample-size", "inputs", "domination", "tightest-sample"])
def test_a_bound_that_is_too_small_is_refuted(check, monkeypatch):
    """A bound made eight times smaller lies below the exact value somewhere: refuted, with the sample as witness."""
    real = bounds.sharper_on
    monkeypatch.setattr(bounds, "sharper_on", lambda network, X: real(network, X) / 8)
    (finding,) = decide("rademacher", check, 0, True)
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness


def times(factor):
    """The exact complexity, so many times too large."""

    def wrong(network, X):
        found = complexity(network, X)
        return dataclasses.replace(found, value=found.value * factor)

    return wrong


def test_an_exact_value_that_is_wrong_is_refuted(monkeypatch):
    """A relative error of 1e-12 in the exact value is seen by the rational comparison."""
    monkeypatch.setattr(exactness, "complexity", times(1 + 1e-12))
    (finding,) = decide("rademacher", "exact-value", 0, True)
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness["X"]


def test_a_search_above_the_exact_value_is_refuted(monkeypatch):
    """Were the exact value 1 % too small, the search over wider layers would exceed it."""
    monkeypatch.setattr(exactness, "complexity", times(0.99))
    assert decide("rademacher", "width", 0, True)[0].verdict is Verdict.REFUTED


def test_an_exact_value_that_no_unit_attains_is_refuted(monkeypatch):
    """Were it too large by a relative 1e-12, no width would exceed it, but the one unit would not reach it."""
    monkeypatch.setattr(exactness, "complexity", times(1 + 1e-12))
    (finding,) = decide("rademacher", "width", 0, True)
    assert [route.verdict for route in finding.routes] == [Verdict.REFUTED, Verdict.HOLDS]


@pytest.mark.parametrize("name", ["sharper", "linear"])
def test_a_bound_that_is_not_drawn_is_judged(name, monkeypatch):
    """The sharper bound at the worst sample and Massart's, a hundred times smaller: the curve's topic refutes it."""
    real = getattr(bounds, name)
    monkeypatch.setattr(bounds, name, lambda network, n, m1: real(network, n, m1) / 100)
    monkeypatch.setattr(bounds, "sharper_on", lambda network, X: network.range())
    (finding,) = decide("rademacher", "depth-c1", 0, True)
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness["bound"] in curves.LEFT_OUT


def test_a_bound_that_falls_with_the_depth_is_refuted(monkeypatch):
    """Monotonicity is measured, not assumed."""
    monkeypatch.setattr(bounds, "theorem1_first", lambda network, n, m1: 1.0 / (1 + network.k))
    finding = decide("rademacher", "monotone", 0, True)[0]
    assert finding.verdict is Verdict.REFUTED
    assert ["k", "theorem1_first", 1.0, 0.5] in finding.witness["out of order"]


def test_every_topic_is_one_item():
    """Ids are unique and are those of the findings; limits are handed on."""
    planned = items(3, True, {"timeout_s": 7.0, "memory_mib": 100.0})
    assert len({item.id for item in planned}) == len(planned) == len(TOPICS)
    assert all(item.arguments["seed"] == 3 and item.timeout_s == 7.0 for item in planned)
    assert planned[0].id == f"theory/{TOPICS[0].subject}/{TOPICS[0].check}"


def test_a_topic_with_no_decision_is_undecided(monkeypatch):
    """No route decided anything: undecided, without a strength."""
    monkeypatch.setattr(topics, "TOPICS", (topics.Topic("s", "c", f"{__name__}:nothing", "?"),))
    (finding,) = decide("s", "c", 0, True)
    assert (finding.verdict, finding.strength) == (Verdict.UNDECIDED, None)


def nothing(seed: int, quick: bool) -> topics.Told:
    """A topic that found nothing."""
    return topics.Told(())


def test_a_curve_becomes_a_figure_with_its_data():
    """Every series is a line with a label, its data are a table below; a finding without a curve has no figure."""
    (finding,) = decide("rademacher", "constant", 0, True)
    drawn = figures.curve(finding)
    curve = finding.routes[0].figures["curve"]
    assert drawn is not None
    assert drawn.header == (curve["x"], *curve["series"])
    assert len(drawn.rows) == len(curve["at"])
    for label in curve["series"]:
        assert label.replace("'", "&#x27;") in drawn.svg or label in drawn.svg
    assert figures.curve(decide("rademacher", "tanh", 0, True)[0]) is None


@pytest.mark.parametrize("check", ["rivals", "coverage", "vacuity"])
def test_the_topics_of_generalization_hold(check):
    """With figures, the same when made again."""
    (finding,) = decide("generalization", check, 0, True)
    assert finding.verdict is Verdict.HOLDS
    assert decide("generalization", check, 0, True) == [finding]


def test_a_bound_that_fails_too_often_is_refuted(monkeypatch):
    """A generalization bound made a thousand times smaller fails on more than the share δ of samples."""
    monkeypatch.setattr(generalization, "regression", lambda *_, **__: 1e-3)
    (finding,) = decide("generalization", "coverage", 0, True)
    assert finding.verdict is Verdict.REFUTED
    assert finding.routes[0].figures["fails"] > 10


def test_data_outside_the_hypotheses_are_no_test_of_the_theorem(monkeypatch):
    """Inputs outside the cube: undecided, for the theorem says nothing of them, whatever the bound did there."""
    real = generalization._distribution()
    monkeypatch.setattr(generalization, "_distribution", lambda: dataclasses.replace(real, X=2 * real.X))
    for bound in (None, lambda *_, **__: 1e-6):
        if bound is not None:
            monkeypatch.setattr(generalization, "regression", bound)
        (finding,) = decide("generalization", "coverage", 0, True)
        assert {finding.verdict, *(route.verdict for route in finding.routes)} == {Verdict.UNDECIDED}
        assert "a hypothesis is not met" in finding.message


@pytest.mark.parametrize(("share", "verdict"), [(1.01, Verdict.REFUTED), (0.99, Verdict.HOLDS)], ids=["more", "less"])
def test_a_bound_is_refuted_from_the_stated_factor_on(share, verdict, monkeypatch):
    """Divided by a little more than what the finding says it would notice, and by a little less."""
    (right,) = decide("generalization", "coverage", 0, True)
    factor = right.routes[0].figures["noticed"]
    assert right.routes[0].power == 1 - 1 / factor
    real = generalization.regression
    monkeypatch.setattr(generalization, "regression", lambda *a, **given: real(*a, **given) / (share * factor))
    assert decide("generalization", "coverage", 0, True)[0].verdict is verdict


def test_a_bound_above_the_range_of_the_loss_decides_nothing(monkeypatch):
    """At n = 200 no error could exceed it: vacuous, and no power is claimed."""
    monkeypatch.setattr(generalization, "COVERED_SAMPLES", 200)
    (finding,) = decide("generalization", "coverage", 0, True)
    assert finding.verdict is Verdict.UNDECIDED
    assert "vacuous at this size" in finding.routes[0].note
    assert (finding.routes[0].power, finding.routes[0].figures["noticed"]) == (None, None)


def test_a_rival_that_is_too_small_is_refuted(monkeypatch):
    """A rival bound made ten times smaller lies below an exact value."""
    small = {
        name: dataclasses.replace(rival, bound=lambda network, n, m1, rival=rival: rival.bound(network, n, m1) / 10)
        for name, rival in generalization.RIVALS.items()
    }
    monkeypatch.setattr(generalization, "RIVALS", small)
    assert decide("generalization", "rivals", 0, True)[0].verdict is Verdict.REFUTED


def test_a_right_bound_among_the_planted_faults_is_noticed(monkeypatch):
    """It does not differ from the printed value, so that nothing could notice it."""
    monkeypatch.setattr(planted, "FAULTS", {"none": ("second", planted._second())})
    assert decide("rademacher", "planted-faults", 0, True)[0].verdict is Verdict.REFUTED


def test_what_domination_cannot_see_is_listed():
    """Faults that the bounds' looseness hides are named in the message; caught ones lie below an exact value."""
    (finding,) = decide("rademacher", "planted-faults", 0, True)
    assert "log 2 for log 4" in finding.message
    caught = [route for route in finding.routes if route.note.endswith(": caught")]
    assert len(caught) >= 2
    assert all(route.ratio > 1 for route in caught)
