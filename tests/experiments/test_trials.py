"""One run as a finding: what it has, how it goes on, diverges and serves several rows; every experiment is listed."""

import dataclasses

import pytest
import torch
from planted_experiment import made

from wnverify.experiments import listing, trials
from wnverify.experiments.data.samples import Step
from wnverify.experiments.experiment import Scale, Variant
from wnverify.experiments.training.loop import DivergedError
from wnverify.finding import Verdict, dumps


@pytest.fixture
def planted(monkeypatch):
    """``cwn.planted`` is an experiment as far as a trial knows."""
    experiment = made()
    monkeypatch.setattr(trials, "find", lambda name: experiment)
    return experiment


def test_a_trial_trains_a_row(planted):
    """Every column's figure and the curves, the same again with the same seed, another with another."""
    (found,) = trials.trial("cwn.planted", "B = ∞", 0, "paper")
    figures = found.routes[0].figures
    assert found.verdict is Verdict.UNDECIDED
    assert found.id == "experiment/cwn.planted/paper.trial/B-=-infinity,seed=0"
    assert 0 <= figures["cells"]["test.error"] <= 1
    assert figures["curve"]["epoch"] == [1]
    assert dumps(trials.trial("cwn.planted", "B = ∞", 0, "paper")[0].to_json()) == dumps(found.to_json())
    (other,) = trials.trial("cwn.planted", "B = ∞", 1, "paper")
    assert other.routes[0].figures["curve"] != figures["curve"]


def test_a_trial_reads_the_policy_that_its_row_needs(planted, monkeypatch, tmp_path):
    """From the directory of the data, for rows with that augmentation alone; without a directory it is told."""
    (tmp_path / "fast_autoaugment.json").write_text('{"pairs": [[["Invert", 1, 0]]]}')
    rows = (Variant(name="A"), Variant(name="F", settings={"augmentation": "fast autoaugment and cutout"}))
    experiment = made(variants=rows, expectations=(), scales={"smoke": Scale(data="digits", seeds=1, samples=64)})
    monkeypatch.setattr(trials, "find", lambda name: experiment)
    assert experiment.reads("smoke") == "fast_autoaugment.json (see README)"
    assert planted.reads("smoke") == ""
    seen, right = [], trials.train
    monkeypatch.setattr(
        trials, "train", lambda settings, data, **given: seen.append(data.policy) or right(settings, data, **given)
    )
    for row in "AF":
        trials.trial("cwn.planted", row, 0, "smoke", directory=str(tmp_path))
    assert seen == [(), ((Step("Invert", 1.0, 0.0),),)]
    with pytest.raises(ValueError, match="policy must have pairs"):
        trials.trial("cwn.planted", "F", 0, "smoke")


def test_an_interrupted_trial_goes_on(planted, monkeypatch, tmp_path):
    """A run that was killed after its first checkpoint gives what an uninterrupted one gives, and leaves no file."""
    longer = dataclasses.replace(planted, settings={**planted.settings, "epochs": 3})
    monkeypatch.setattr(trials, "find", lambda name: longer)
    (whole,) = trials.trial("cwn.planted", "A", 0, "smoke")
    right, began = trials.train, []

    def killed(settings, data, **given):
        def watch(record):
            raise KeyboardInterrupt

        return right(settings, data, **given, watch=watch)

    monkeypatch.setattr(trials, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        trials.trial("cwn.planted", "A", 0, "smoke", folder=str(tmp_path / "run"))
    assert (tmp_path / "run").exists()

    def seen(settings, data, **given):
        return right(settings, data, **given, watch=lambda record: began.append(record["epoch"]))

    monkeypatch.setattr(trials, "train", seen)
    (resumed,) = trials.trial("cwn.planted", "A", 0, "smoke", folder=str(tmp_path / "run"))
    assert began == [2, 3]
    assert dumps(resumed.to_json()) == dumps(whole.to_json())
    assert not (tmp_path / "run").exists()


def test_a_diverged_trial_is_a_result(planted, monkeypatch):
    """The message goes into the figures; nothing is raised."""

    def diverged(*args, **given):
        raise DivergedError("the loss is nan at step 3")

    monkeypatch.setattr(trials, "train", diverged)
    (found,) = trials.trial("cwn.planted", "A", 0, "smoke")
    assert found.routes[0].figures["diverged"] == "the loss is nan at step 3"


def test_a_diverged_trial_keeps_its_last_good_state(planted, monkeypatch, tmp_path):
    """The folder is there, the figure names it below that of all runs, and taken up it diverges in the same way."""
    longer = dataclasses.replace(planted, settings={**planted.settings, "epochs": 2})
    monkeypatch.setattr(trials, "find", lambda name: longer)
    right = trials.train

    def spoil(model, step):
        if step == 4:
            with torch.no_grad():
                next(model.parameters()).fill_(float("inf"))

    monkeypatch.setattr(trials, "train", lambda *args, **given: right(*args, **given, after_step=spoil))
    below = trials.folder_of(longer, "A", "smoke", 0)
    (found,) = trials.trial("cwn.planted", "A", 0, "smoke", folder=str(tmp_path / below))
    said = found.routes[0].figures["diverged"]
    assert said.endswith("the last good state is in checkpoint.pt of cwn.planted/smoke.trial/A,seed=0")
    assert (tmp_path / below / "checkpoint.pt").exists()
    assert str(tmp_path) not in dumps(found.to_json())
    (again,) = trials.trial("cwn.planted", "A", 0, "smoke", folder=str(tmp_path / below))
    assert dumps(again.to_json()) == dumps(found.to_json())


def test_a_missing_figure_is_named():
    """A column that a record does not have."""
    with pytest.raises(ValueError, match=r"no figure 'test.top9': at 'top9' there is loss"):
        trials.figure({"test": {"loss": 1.0}}, "test.top9")


def test_a_layers_name_may_have_dots():
    """The figure of layer 1.0, beside a layer 1."""
    layers = {"layers": {"1": {"zero": 0.25}, "1.0": {"zero": 0.5}}}
    assert trials.figure(layers, "layers.1.0.zero") == 0.5
    assert trials.figure(layers, "layers.1.zero") == 0.25


def test_fewer_samples_are_the_same_ones_for_every_row():
    """The limit of a row is a part of what the scale's limit gives."""
    scale = Scale(data="digits", seeds=1, samples=64)
    all_, few = (trials.samples_of(Variant(name="A", samples=n), scale, 3, None).train for n in (None, 16))
    assert len(all_) == 64
    assert (few.x == all_.x[:16]).all()


def test_every_experiment_is_listed_once():
    """All five papers, ids beginning with the module's name; a row's name is a distinct part of an id."""
    found = listing.all_experiments()
    assert {name.partition(".")[0] for name in found} == set(listing.MODULES)
    for experiment in found.values():
        names = {trials.plain_name(variant.name) for variant in experiment.variants}
        assert len(names) == len(experiment.variants), experiment.id
        trials.id_of(experiment, experiment.variants[0].name, "paper", 0)


def test_an_unknown_experiment_is_an_error():
    """The message lists what there is."""
    with pytest.raises(ValueError, match=r"l1inf\.table1"):
        listing.find("l1inf.table9")


def test_a_foreign_id_is_refused(monkeypatch):
    """An experiment of one paper in another's module."""
    from wnverify.experiments.published import cwn

    monkeypatch.setattr(cwn, "EXPERIMENTS", (made(id="dswn.table1"),))
    with pytest.raises(ValueError, match=r"id must be cwn\.WORD"):
        listing.of_module("cwn")


def test_one_run_serves_all_its_rows(planted, monkeypatch):
    """A row of another experiment with the same run has a finding with its own columns; one of another run is told."""
    other = made(
        id="cwn.other",
        columns={"loss": "test.loss"},
        units={},
        expectations=(),
        variants=(Variant(name="Z"),),
        scales={"smoke": planted.scales["smoke"]},
    )
    monkeypatch.setattr(trials, "find", {"cwn.planted": planted, "cwn.other": other}.__getitem__)
    count, right = [], trials.train
    monkeypatch.setattr(trials, "train", lambda *args, **given: count.append(1) or right(*args, **given))
    first, second = trials.trial("cwn.planted", "A", 0, "smoke", also=[("cwn.other", "Z")])
    assert count == [1]
    assert second.id == "experiment/cwn.other/smoke.trial/Z,seed=0"
    assert set(second.routes[0].figures["cells"]) == {"test.loss"}
    assert second.routes[0].figures["curve"] == first.routes[0].figures["curve"]
    (alone,) = trials.trial("cwn.other", "Z", 0, "smoke")
    assert dumps(alone.to_json()) == dumps(second.to_json())
    with pytest.raises(ValueError, match=r"same run as cwn\.planted, A; got \[\('cwn\.planted', 'B = ∞'\)\]"):
        trials.trial("cwn.planted", "A", 0, "smoke", also=[("cwn.planted", "B = ∞")])


def test_what_makes_a_run_another():
    """Data, options, samples, settings and seed; limits of a row and of the scale are one limit."""

    def run(seed=0, own=None, **changes):
        scale = Scale(**{"data": "digits", "seeds": 2, "samples": 64} | changes)
        experiment = made(scales={"smoke": scale}, variants=(Variant(name="A", samples=own),), expectations=())
        return trials.run_of(experiment, experiment.variants[0], "smoke", seed)

    same = {run(), run(own=64), run(own=64, samples=None), run(own=64, samples=90), run(seeds=5)}
    assert len(same) == 1
    others = [run(seed=1), run(own=32), run(data="mnist"), run(options={"folds": 3}), run(settings={"rate": 0.1})]
    assert len({*same, *others}) == 1 + len(others)
