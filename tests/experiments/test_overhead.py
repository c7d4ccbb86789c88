"""The overhead of the norm loss: both contenders are measured in turns, alike but for the regularizer."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from scipy import stats

from wnverify.experiments import overhead
from wnverify.experiments.overhead import DECAY, NORM_LOSS, Overhead, alike, measure, median_interval

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "norm_loss_overhead.py"


def test_both_train_alike_without_a_factor():
    """Bit for bit with factors of zero, and not with the same factor of another size."""
    assert alike("mlp_digits", batch=16)
    assert not alike("mlp_digits", batch=16, factor=1e-2)


def test_each_contender_has_its_regularizer():
    """One step on the same batch: weight decay shortens every row, the norm loss draws a short row to one."""
    moved = {}
    for name in (DECAY, NORM_LOSS):
        one = overhead.Contender(name, "mlp_digits", 16, factor=0.5)
        with torch.no_grad():
            for parameter in one.model.parameters():
                parameter.mul_(0.01)
        one.inputs.zero_()  # no gradient of the loss at any weight but the biases
        before = one.model[1].weight.norm(dim=1)
        one.steps(1)
        moved[name] = one.model[1].weight.norm(dim=1) - before
    assert (moved[DECAY] < 0).all()
    assert (moved[NORM_LOSS] > 0).all()


def test_they_are_measured_in_turns(monkeypatch):
    """One step of each that does not count, then rounds whose order changes; seconds are those of one step."""
    seen = []

    class Planted:
        def __init__(self, name, *given):
            self.name = name

        def steps(self, count):
            seen.append((self.name, count))
            return count * (2.0 if self.name == DECAY else 3.0)

    monkeypatch.setattr(overhead, "Contender", Planted)
    measured = measure("mlp_digits", batch=8, rounds=3, steps=5)
    turns = [
        (DECAY, 1),
        (NORM_LOSS, 1),
        (DECAY, 5),
        (NORM_LOSS, 5),
        (NORM_LOSS, 5),
        (DECAY, 5),
        (DECAY, 5),
        (NORM_LOSS, 5),
    ]
    assert seen == turns
    assert measured.ratios == [1.5] * 3
    assert measured.figures()["seconds a step"] == {DECAY: 2.0, NORM_LOSS: 3.0}


def test_the_ratio_is_of_the_same_round():
    """A machine that is ten times slower in one round changes no ratio."""
    measured = Overhead("n", 1, {DECAY: [1.0, 10.0, 1.0], NORM_LOSS: [1.1, 11.0, 1.1]})
    assert measured.figures()["ratio"]["quartiles"] == pytest.approx([1.1, 1.1])


@pytest.mark.parametrize("n", [5, 6, 20, 41])
def test_the_interval_covers_the_median(n):
    """As narrow as 95 % allow: the binomial law has at most 2.5 % on either side, and more with one statistic less."""
    low, high = median_interval(list(range(1, n + 1)))
    if n == 5:
        assert (low, high) == (-math.inf, math.inf)
        return
    below = [stats.binom.cdf(k - 1, n, 0.5) for k in (int(low), int(low) + 1)]
    assert below[0] <= 0.025 < below[1]
    assert high == n + 1 - low


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"network": "mlp_300"}, "network must be one of"),
        ({"network": "no_such"}, "got 'no_such'"),
        ({"rounds": 0}, "rounds must be at least 1; got 0"),
        ({"steps": -1}, "steps must be at least 1; got -1"),
    ],
    ids=["regression", "unknown", "rounds", "steps"],
)
def test_a_wrong_call_is_refused(given, said):
    """Before anything is built."""
    with pytest.raises(ValueError, match=said):
        measure(**{"network": "mlp_digits", "batch": 8, "rounds": 1, **given})
    with pytest.raises(ValueError, match="name must be one of weight decay, norm loss"):
        overhead.Contender("l2", "mlp_digits", 8)


def test_the_script_writes_times_apart(tmp_path):
    """The table on the terminal; in the document times under the finding's id in the block of times alone."""
    words = ["--network", "mlp_digits", "--batch", "8", "--rounds", "7", "--steps", "1", "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "printed for ResNet-110 on CIFAR-10: 4.79 h / 4.56 h = 1.050" in done.stdout
    doc = json.loads((tmp_path / "out.json").read_text())
    (found,) = doc["findings"]
    assert found["verdict"] == "pass"
    assert found["routes"][0]["figures"] == {}
    timed = doc["timing"][found["id"]]
    assert timed["rounds"] == 7
    assert timed["ratio"]["low"] <= timed["ratio"]["median"] <= timed["ratio"]["high"]
