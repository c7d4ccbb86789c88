"""The small scale of every experiment: enough runs, limits that are felt, noise that a small network bears."""

import pytest

from wnverify.experiments.data.sources import load
from wnverify.experiments.listing import all_experiments
from wnverify.experiments.networks.table import build
from wnverify.experiments.statistics import least_pairs
from wnverify.experiments.trials import run_of
from wnverify.methods.application.selection import chosen

EVERY = all_experiments()
LIMITED = [name for name in EVERY if name.startswith("l1inf.")]


def settings_of(experiment, scale="small"):
    """Row → settings of its first run."""
    return {v.name: experiment.of(v, experiment.scales[scale], 0) for v in experiment.variants}


@pytest.mark.parametrize("name", EVERY)
def test_claims_can_be_decided_at_small_scale(name):
    """There are runs enough for the smallest possible p-value to pass Holm's correction, whatever the paper."""
    assert EVERY[name].scales["small"].seeds >= least_pairs(max(1, len(EVERY[name].expectations)))


def largest_sum(settings, scale):
    """The largest sum of absolute values of a row among the layers that are projected, before training."""
    data = load(scale.data, **scale.options)
    model = build(settings.network, data.shape, data.classes or 1)
    projected = chosen(model, settings.layers, but_last=True).values()
    return max(float(module.weight.detach().flatten(1).abs().sum(1).max()) for module in projected)


@pytest.mark.parametrize("name", LIMITED)
def test_every_limit_is_felt(name):
    """The first projection changes a weight: a row with a limit is another run than a row without."""
    scale, sums = EVERY[name].scales["small"], {}
    for row, settings in settings_of(EVERY[name]).items():
        if settings.method == "l1_inf_projection":
            key = (settings.network, settings.layers)
            sums[key] = sums.get(key) or largest_sum(settings, scale)
            assert settings.options["c"] < sums[key], row
    assert sums


@pytest.mark.parametrize("name", [name for name in EVERY if name.startswith("cwo.") and "table5" not in name])
def test_noise_is_that_of_the_paper_over_the_root_of_the_channels(name):
    """Where the small network has a tenth of the channels, σ is divided by √10, in every row alike; else it is kept."""
    small, paper = (settings_of(EVERY[name], scale) for scale in ("small", "paper"))
    narrower = {"wrn_10_1": 10**-0.5}.get(small[next(iter(small))].network, 1.0)
    for row, settings in small.items():
        sigma = paper[row].options.get("sigma", 0.0)
        assert settings.options.get("sigma", 0.0) == narrower * sigma
        assert settings.options.get("growth") == paper[row].options.get("growth")


def test_the_small_wide_network_has_a_tenth_of_the_channels():
    """Of its widest convolution, as the paper's network and the small one are built."""
    wide, narrow = (
        max(weight.shape[0] for weight in build(network).state_dict().values() if weight.dim() == 4)
        for network in ("wrn_28_10", "wrn_10_1")
    )
    assert wide == 10 * narrow


def test_tables_for_two_data_sets_are_one_set_of_runs():
    """Every row of a CIFAR-100 table whose CIFAR-10 sibling has it is the same run at small scale, and no other is."""
    pairs = [(name, name.replace("cifar100", "cifar10")) for name in EVERY if "cifar100" in name]
    assert len(pairs) >= 10
    for names in pairs:
        one, two = (
            {variant.name: run_of(EVERY[name], variant, "small", 3) for variant in EVERY[name].variants}
            for name in names
        )
        assert one == two
        assert len(set(one.values())) == len(one)


def test_much_is_shared():
    """Of all runs at small scale more than a third are made for another row already."""
    runs = [
        run_of(experiment, variant, "small", seed)
        for experiment in EVERY.values()
        for seed in range(experiment.scales["small"].seeds)
        for variant in experiment.variants
    ]
    assert len(set(runs)) < 2 / 3 * len(runs)
