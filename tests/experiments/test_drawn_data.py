"""The drawn problems and the embedded digits: exactly what the text says, gaps by name."""

import importlib

import numpy as np
import pytest

from wnverify.experiments.data import embedded, synthetic
from wnverify.experiments.data.samples import Arrays, DataError
from wnverify.experiments.data.sources import SOURCES, load
from wnverify.oracles.ratio import Ratio, map_model


def test_regression_is_the_text_s():
    """500 and 1,500 samples of 1,000 inputs; y follows the first 100 inputs up to noise of variance one."""
    data = load("regression", seed=3)
    X, y = data.train.take(range(500))
    assert (X.shape, len(data.test), data.task) == ((500, 1000), 1500, "regression")
    slopes, rest, *_ = np.linalg.lstsq(X[:, :100].astype(float), y.astype(float), rcond=None)
    assert ((slopes > 0) & (slopes < 2)).all()
    noise = float(rest[0]) / 400
    assert abs(noise - 1) < 6 * np.sqrt(2 / 400)


def test_inputs_are_coupled_as_printed():
    """Each x_j but the first is z_j with a fifth of both neighbours, entry by entry."""
    Z = np.random.default_rng(0).standard_normal((3, 7))
    X = synthetic.mixed(Z)
    assert (X[:, 0] == Z[:, 0]).all()
    for j in range(1, 6):
        right = Z[:, j] + 0.2 * (Z[:, j - 1] + Z[:, j + 1])
        assert Ratio(float(abs(X[:, j] - right).max()), float(abs(right).max()), map_model("float64", 3)).value <= 1


def test_labels_are_the_text_s():
    """The sign decides, and zero belongs to class 0."""
    X = np.array([[np.log(3.0), 0, 0, 1], [2.0, 0, 0, 0], [0.0, 0, 1, np.pi / 2], [-9.0, 0, 1, -1]])
    assert synthetic.labels_of(X).tolist() == [int(np.exp(np.log(3.0)) > 3), 1, 1, 0]


@pytest.mark.parametrize("spread", list(synthetic.SPREADS))
def test_the_spread_is_the_reading_s(spread):
    """With one α for all samples the entries have the deviation that the reading names."""
    data = load("classification", seed=1, spread=spread, alpha="one for all samples")
    X, _ = data.train.take(range(500))
    deviation = synthetic.SPREADS[spread]
    assert abs(X.std() / deviation - 1) < 6 / np.sqrt(2 * X.size)
    assert any(spread in sentence for sentence in data.decided)


def test_an_alpha_for_each_sample_shows_in_their_means():
    """The means of the samples spread by α/2, and by almost nothing with one α."""
    each, one = (load("classification", seed=2, alpha=alpha) for alpha in synthetic.ALPHAS)
    spreads = [data.train.take(range(500))[0].mean(axis=1).std() for data in (each, one)]
    assert 0.4 < spreads[0] < 0.6
    assert spreads[1] < 0.05


def test_seeds_draw_apart():
    """A seed gives the same samples again, another seed others."""
    same = [load("regression", seed=5).train.take([0])[1][0] for _ in range(2)]
    assert same[0] == same[1] != load("regression", seed=6).train.take([0])[1][0]


@pytest.mark.parametrize("name", ["regression", "classification"])
def test_each_fold_is_of_samples_of_its_own(name):
    """A run trains on nine tenths of what its seed draws and is scored on the rest; two runs share no sample."""
    runs = [load(f"{name}_folds", seed=seed) for seed in (0, 3, 13)]
    rows = [[part.take(range(len(part)))[0] for part in (run.train, run.test)] for run in runs]
    assert [(len(train), len(test)) for train, test in rows] == [(450, 50)] * 3
    whole = load(name, seed=3).train.take(range(500))[0]
    assert (rows[1][1] == whole[3::10]).all()
    assert (np.sort(np.concatenate(rows[1])[:, 0]) == np.sort(whole[:, 0])).all()
    firsts = np.concatenate([part[:, 0] for pair in rows for part in pair])
    assert len(np.unique(firsts)) == len(firsts)
    with pytest.raises(ValueError, match="folds must be at least 2 and at most the 500 samples; got 0"):
        load(f"{name}_folds", folds=0)


def test_digits_are_split_by_class():
    """A quarter of each class tests; nothing is in both parts, nothing lost."""
    data = embedded.digits(seed=4)
    parts = [part.take(range(len(part))) for part in (data.train, data.test)]
    whole = np.concatenate([x.reshape(len(x), -1) for x, _ in parts])
    assert len(whole) == 1797
    assert data.shape == parts[0][0].shape[1:] == (1, 8, 8)
    for label in range(10):
        train, test = (int((y == label).sum()) for _, y in parts)
        assert test == round((train + test) / 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digit",), "data must be one of"),
        (("mnist",), "--data DIRECTORY"),
        (("digits", "somewhere"), "not read from a directory"),
    ],
    ids=["unknown", "without directory", "with directory"],
)
def test_a_wrong_call_is_told(arguments, said):
    """The message names what came and what would be right."""
    with pytest.raises(ValueError, match=said):
        load(*arguments)


def test_a_wrong_option_is_told():
    """An option of another set is refused by name, and so is a reading that is none."""
    with pytest.raises(ValueError, match="digits has no option 'spread'"):
        load("digits", spread="1/4 is the variance")
    with pytest.raises(ValueError, match="spread must be one of"):
        load("classification", spread="half")
    with pytest.raises(ValueError, match="rising order"):
        load("regression", interval=(2.0, 1.0))


def test_counts_must_agree():
    """Inputs without targets are no samples."""
    with pytest.raises(DataError, match="got 2 and 3"):
        Arrays(np.zeros((2, 1)), np.zeros(3))


def test_every_source_exists():
    """Each name in the table leads to a function."""
    for source in SOURCES.values():
        module, name = source.function.split(":")
        assert callable(getattr(importlib.import_module(module), name))
