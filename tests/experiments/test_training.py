"""Training runs: what is learnt, resumed, watched, and how a run that diverges is stopped."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from wnverify.experiments.data import augmentation
from wnverify.experiments.data.samples import Arrays, Step
from wnverify.experiments.data.sources import load
from wnverify.experiments.training import checkpoints, loop, monitors
from wnverify.experiments.training.checkpoints import CheckpointError
from wnverify.experiments.training.loop import DivergedError, train
from wnverify.experiments.training.metrics import evaluate
from wnverify.experiments.training.schedules import Schedule
from wnverify.experiments.training.settings import Settings
from wnverify.oracles.ratio import Ratio, map_model


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    return dataclasses.replace(data, train=Arrays(*data.train.take(range(400))))


def small(**changes):
    given = {"network": "mlp_6x128", "epochs": 3, "batch": 100, "rate": 0.05, "schedule": Schedule("cosine")}
    return Settings(**given | changes)


def same(one, two):
    pairs = list(zip(one.state_dict().items(), two.state_dict().items(), strict=True))
    return all(a == b and (x == y if not torch.is_tensor(x) else torch.equal(x, y)) for (a, x), (b, y) in pairs)


RESUMED = {
    "plain": {},
    "adam": {"optimizer": "adam", "rate": 1e-3},
    "nesterov with decay": {"optimizer": "nesterov", "weight_decay": 1e-3},
    "cwn": {"method": "cwn"},
    "norm loss": {"method": "norm_loss", "options": {"factor": 0.01}},
    "projection every third step": {"method": "pbwn", "options": {"every": 3}},
    "noise and sphere": {"method": "cwo", "options": {"sigma": 0.2, "seed": 3}, "network": "cnn9"},
    "dropout": {"method": "dropout", "options": {}},
    "bfloat16": {"precision": "bfloat16"},
    "shifted images": {"augmentation": "shifts"},
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_run_is_the_run(digits, tmp_path, name):
    """Interrupted after the first epoch and resumed, a run gives the weights and records of one that went through."""
    given = {"epochs": 2} | RESUMED[name]
    if given.get("network") == "cnn9":
        digits = dataclasses.replace(digits, train=Arrays(*digits.train.take(range(60))), test=digits.test)
    settings = small(**given)
    whole = train(settings, digits)

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings, digits, folder=tmp_path, watch=interrupt)
    rest = train(settings, digits, folder=tmp_path, resume=True)
    assert [record["epoch"] for record in rest.history] == [1, 2]
    assert rest.history == whole.history
    assert same(rest.model, whole.model)


def test_a_proximal_operator_makes_zeros(digits):
    """The penalty's proximal operator after every step gives exact zeros, its gradient none."""
    given = {"method": "exclusive_sparsity", "options": {"factor": 1e-3}, "epochs": 1}
    shares = [train(small(proximal=p, **given), digits).last["sparsity"]["kept_share"] for p in (True, False)]
    assert shares[0] < shares[1] == 1.0
    with pytest.raises(ValueError, match="proximal is for penalties; got 'cwn'"):
        train(small(proximal=True, method="cwn"), digits)


def test_cutout_leaves_the_mean_colour(digits, monkeypatch):
    """Squares of zeros in the scaled training batch, all else as in evaluation; never black before scaling."""
    monkeypatch.setitem(augmentation.AUGMENTATIONS, "fast autoaugment and cutout", ())
    x = np.random.default_rng(0).integers(1, 256, (6, 1, 40, 40)).astype(np.uint8)
    of = Arrays(x, np.arange(6))
    idle = ((Step("Invert", 0.0, 0.0),),)
    data = dataclasses.replace(digits, train=of, test=of, shape=(1, 40, 40), policy=idle)
    made = loop._Made(small(augmentation="fast autoaugment and cutout", network="cnn_digits"), data, "cpu")
    seen, plain = made.prepare(x, np.random.default_rng(1)), made.prepare(x)
    assert not (plain == 0).any()
    cleared = seen == 0
    assert torch.equal(seen[~cleared], plain[~cleared])
    for image in cleared[:, 0]:
        rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
        assert image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 8 <= len(rows) <= 16


def test_the_policy_of_the_data_acts(digits, monkeypatch):
    """A policy that always inverts gives the network inverted images to train on, and those alone."""
    monkeypatch.setitem(augmentation.AUGMENTATIONS, "fast autoaugment and cutout", ())
    monkeypatch.delitem(augmentation.AFTER_SCALING, "fast autoaugment and cutout")
    x = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8)).astype(np.uint8)
    of = Arrays(x, np.arange(6))
    data = dataclasses.replace(digits, train=of, test=of, shape=(1, 8, 8), policy=((Step("Invert", 1.0, 0.0),),))
    made = loop._Made(small(augmentation="fast autoaugment and cutout", network="cnn_digits"), data, "cpu")
    assert torch.equal(made.prepare(x, np.random.default_rng(1)), made.prepare(255 - x))


def test_seeds_differ(digits):
    """Another seed is another run; the same one the same."""
    one, two, three = (train(small(epochs=1, seed=seed), digits) for seed in (1, 1, 2))
    assert one.history == two.history
    assert one.history != three.history


def test_the_loss_falls(digits):
    """Twenty epochs bring it below a fifth of that of equal scores, log 10; three in four test samples are right."""
    run = train(small(epochs=20, rate=0.1), digits)
    assert run.last["train"]["loss"] < np.log(10) / 5
    assert run.last["test"]["error"] < 0.25


@pytest.mark.parametrize("every", [2, 3])
def test_records_come_as_often_as_asked(digits, every):
    """After every so many epochs, and after the last."""
    run = train(small(epochs=4), digits, every=every)
    assert [record["epoch"] for record in run.history] == {2: [2, 4], 3: [3, 4]}[every]


def test_divergence_stops_the_run(digits, tmp_path):
    """A loss that is no longer finite is told with step, weight and the last good state, which is kept."""
    calm = small(epochs=1)
    train(calm, digits, folder=tmp_path)
    before = (tmp_path / checkpoints.NAME).read_bytes()
    with pytest.raises(DivergedError, match=r"at step \d+: .*; the last good state is in checkpoint.pt"):
        train(small(rate=1e12), digits, folder=tmp_path)
    assert (tmp_path / checkpoints.NAME).read_bytes() == before
    with pytest.raises(DivergedError, match=r"first weight that is not finite is 1.weight; there is no checkpoint"):
        train(small(rate=1e30), digits)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_weight_spoilt_by_the_last_step_of_an_epoch_is_no_record(digits, tmp_path, epoch):
    """The losses of all steps are finite: the parameters are looked at before a record and a checkpoint are made."""
    steps = []

    def spoil(model, step):
        steps.append(step)
        if step == 4 * epoch:
            with torch.no_grad():
                model[-1].bias[0] = float("nan")

    said = "checkpoint.pt" if epoch == 2 else "there is no checkpoint"
    with pytest.raises(DivergedError, match=rf"at step {4 * epoch}: the first weight .* is \d+\.bias; .*{said}"):
        train(small(epochs=2), digits, folder=tmp_path, after_step=spoil)
    assert steps[-1] == 4 * epoch


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    """Other settings, other data of the same shape, a truncated file."""
    train(small(epochs=1), digits, folder=tmp_path)
    with pytest.raises(CheckpointError, match="other settings"):
        train(small(epochs=2), digits, folder=tmp_path, resume=True)
    x, y = digits.train.take(range(400))
    other = dataclasses.replace(digits, train=Arrays(np.where(np.arange(400)[:, None, None, None] == 7, 0, x), y))
    with pytest.raises(CheckpointError, match="or data"):
        train(small(epochs=1), other, folder=tmp_path, resume=True)
    path = tmp_path / checkpoints.NAME
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="truncated or no checkpoint"):
        train(small(epochs=1), digits, folder=tmp_path, resume=True)


def test_an_interrupted_write_leaves_the_older_file(digits, tmp_path, monkeypatch):
    """The new state takes the place of the old one only when it is whole."""
    train(small(epochs=1), digits, folder=tmp_path)
    before = (tmp_path / checkpoints.NAME).read_bytes()

    def broken(value, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        train(small(epochs=1, seed=9), digits, folder=tmp_path)
    assert (tmp_path / checkpoints.NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "lamb"}, "optimizer must be one of sgd, nesterov, adam"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"momentum": 1.0}, "momentum must be"),
        ({"weight_decay": -1.0}, "weight_decay must be"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"augmentation": "mixup"}, "augmentation must be one of"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_settings_are_told(changes, said):
    """The message names the setting, what came and what would be right."""
    with pytest.raises(ValueError, match=said):
        small(**changes)


def test_settings_must_fit_the_data(digits):
    """A classification takes no squared error, and nothing is trained on no samples."""
    with pytest.raises(ValueError, match="loss must be cross_entropy for digits"):
        train(small(loss="squared"), digits)
    empty = Arrays(np.zeros((0, 1, 8, 8), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="must have samples"):
        train(small(), dataclasses.replace(digits, test=empty))


class Scores(nn.Module):
    """The inputs are the scores."""

    def forward(self, x):
        return x


def test_figures_follow_their_definitions():
    """Error, five best, share of samples and mean over classes, counted by hand."""
    x = np.eye(7, dtype=np.float32)[[0, 1, 2, 2, 3, 3]] + 0.5 * np.eye(7, dtype=np.float32)[[1, 2, 3, 4, 5, 0]]
    x -= 0.01 * np.arange(7, dtype=np.float32)  # no two scores of a sample are equal
    y = np.array([0, 1, 2, 2, 5, 6])
    seen = evaluate(Scores(), Arrays(x, y), "cross_entropy", 7, torch.as_tensor)
    assert (seen["error"], seen["overall"]) == (1 - 4 / 6, 4 / 6)
    assert seen["mean_class"] == (1 + 1 + 1 + 0 + 0) / 5
    # Class 6 has the least score of the last sample; class 5 is the second best of the one before.
    assert seen["top5"] == 5 / 6


def test_squared_error_is_loss_and_error():
    """For a regression both are the mean of (score − y)²."""
    data = Arrays(np.array([[1.0], [3.0]], np.float32), np.array([0.0, 1.0], np.float32))
    assert evaluate(Scores(), data, "squared", None, torch.as_tensor) == {"loss": 2.5, "error": 2.5}


def test_generalization_is_the_difference_of_losses(digits):
    """Test loss minus training loss."""
    last = train(small(epochs=1), digits).last
    assert last["generalization"] == last["test"]["loss"] - last["train"]["loss"]


def layer(W):
    module = nn.Linear(*W.shape[::-1], bias=False)
    module.weight.data = W
    return nn.Sequential(module)


def test_monitors_of_weights():
    """Norms, means, orthogonality and zeros of a weight that was chosen for them."""
    model = layer(torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 1e-4]]))
    seen = monitors.of_weights(model)["0"]
    assert (seen["norm_least"], seen["norm_largest"]) == (float(torch.tensor(1e-4).double()), 5.0)
    assert seen["zero"] == 3 / 6
    assert seen["small"] == 4 / 6
    right = ((25 - 1) ** 2 + (1e-8 - 1) ** 2) ** 0.5
    assert Ratio(abs(seen["orthogonality"] - right), right, map_model("float32", 3)).value <= 1
    assert monitors.sparsity(model) == {"zero": 0.5, "small": 4 / 6, "kept": 3.0, "kept_share": 0.5}


def test_monitors_of_gradients():
    """A radial gradient has radial share one and the sum of its row; a tangent one has none."""
    model = layer(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    model[0].weight.grad = torch.tensor([[6.0, 8.0], [0.0, 0.0]])
    seen = monitors.of_gradients(model, rate=0.1)["0"]
    assert abs(seen["gradient_radial"] - 1) < 2.0**-50
    assert abs(seen["gradient_sum"] - 14 / 10 / 2**0.5) < 2.0**-50
    assert abs(seen["effective_rate"] - 0.1 / 13) < 2.0**-50
    model[0].weight.grad = torch.tensor([[-4.0, 3.0], [0.0, 1.0]])
    assert monitors.of_gradients(model, rate=0.1)["0"]["gradient_radial"] == 0


def test_monitors_see_the_parameter_behind_a_weight(digits):
    """Of a parametrized layer the norms are W's, the gradients V's: orthogonal to the rows of V, and free of sums."""
    last = train(small(epochs=1, method="cwn"), digits).last
    model = map_model("float32", 128, condition=30.0).relative
    for entry in last["layers"].values():
        assert abs(entry["norm_mean"] - 1) <= model
        assert entry["mean_largest"] <= model
        assert entry["gradient_sum"] <= model
        assert entry["gradient_radial"] <= model
