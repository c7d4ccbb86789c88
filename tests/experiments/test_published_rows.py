"""The papers' experiments as data: every row has settings, a method that fits its network, and cells as printed."""

import copy
import dataclasses
import importlib
import itertools
import re

import pytest
from torch import nn

from wnverify.experiments.data.samples import Arrays
from wnverify.experiments.data.sources import SOURCES, load
from wnverify.experiments.experiment import SCALES, Expectation, Experiment, Scale, Variant
from wnverify.experiments.listing import all_experiments
from wnverify.experiments.networks.table import NETWORKS, build
from wnverify.experiments.published.cwo_tables import TABLE1, TABLE2, TABLE3, TABLE4, Setting
from wnverify.experiments.published.on_digits import CONVOLUTIONS
from wnverify.experiments.training.loop import applied, train
from wnverify.methods.application.selection import chosen
from wnverify.methods.catalogue import find

EVERY = [
    experiment
    for name in ("cwo", "norm_loss", "dswn", "cwn")
    for experiment in importlib.import_module(f"wnverify.experiments.published.{name}").EXPERIMENTS
]
each = pytest.mark.parametrize("experiment", EVERY, ids=lambda experiment: experiment.id)
NUMBER = re.compile(r"(\*{0,2})\d+(\.\d+)?\1")


@each
def test_every_row_has_settings(experiment):
    """At every scale and for every seed; the data and the network exist, seeds are all that differs between runs."""
    assert set(experiment.scales) == set(SCALES)
    for scale in experiment.scales.values():
        assert scale.data in SOURCES
        for variant in experiment.variants:
            runs = [experiment.of(variant, scale, seed) for seed in range(scale.seeds)]
            assert runs[0].network in NETWORKS
            assert [run.seed for run in runs] == list(range(scale.seeds))
            assert {repr(dataclasses.replace(run, seed=0)) for run in runs} == {repr(runs[0])}
            for name in filter(None, runs[0].method.split("+")):
                assert find(name).kind != "out of scope"


def test_every_network_and_every_source_is_used():
    """By a row of an experiment at some scale: what nobody trains is not kept."""
    every = [(e, scale, v) for e in all_experiments().values() for scale in e.scales.values() for v in e.variants]
    assert {e.of(v, scale, 0).network for e, scale, v in every} == set(NETWORKS)
    assert {scale.data for _, scale, _ in every} == set(SOURCES)


def kind_of(settings):
    """What decides whether a method can be applied: its strength does not."""
    values = {k: v for k, v in settings.options.items() if isinstance(v, str | dict) or k in ("num_groups", "every")}
    return (settings.network, settings.method, settings.layers, repr(sorted(values.items())), settings.proximal)


def kinds(scale, networks):
    """One row of each kind: (experiment, row) by what decides whether its method can be applied."""
    found = {}
    for experiment, variant in ((e, v) for e in EVERY for v in e.variants):
        settings = experiment.of(variant, experiment.scales[scale], 0)
        if networks(settings.network):
            found.setdefault(kind_of(settings), (f"{experiment.id}, {variant.name}", settings))
    return list(found.values())


@pytest.mark.parametrize(
    "settings", [pytest.param(settings, id=name) for name, settings in kinds("smoke", lambda name: True)]
)
def test_every_kind_of_row_makes_a_step(settings):
    """Forward, backward and a step of the smoke scale, with a finite loss before and after."""
    data = load("digits")
    few = Arrays(*data.train.take(range(16)))
    run = train(dataclasses.replace(settings, epochs=1, batch=8), dataclasses.replace(data, train=few, test=few))
    assert run.last["steps"] == 2


@pytest.mark.parametrize("network", sorted({e.of(e.variants[0], e.scales["paper"], 0).network for e in EVERY}))
def test_every_kind_of_row_fits_the_network_of_the_paper(network):
    """The method can be applied to the paper's network, to the layers that are named, and it is applied to some."""
    rows = kinds("paper", lambda name: name == network)
    assert rows
    made = build(network)
    for name, settings in rows:
        model = copy.deepcopy(made)
        before = [(where, type(module)) for where, module in model.named_modules()]
        optimizer, penalized = applied(model, settings)
        changed = before != [(where, type(module)) for where, module in model.named_modules()]
        hooked = bool(optimizer._optimizer_step_post_hooks or optimizer._optimizer_step_pre_hooks)
        assert (changed or hooked or penalized) is bool(settings.method), name


@pytest.mark.parametrize("network", CONVOLUTIONS)
def test_the_patterns_of_convolutions(network):
    """They choose every convolution and nothing else."""
    model = build(network)
    of_patterns = list(chosen(model, CONVOLUTIONS[network]))
    assert of_patterns == [n for n, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d)]


@each
def test_cells_are_numbers_or_dashes(experiment):
    """As printed, with the marks of the best; a row of a printed table has a cell."""
    for variant in experiment.variants:
        for cell in variant.printed.values():
            assert cell == "-" or NUMBER.fullmatch(cell), cell
    if "table" in experiment.id:
        assert all(variant.printed for variant in experiment.variants)


def numbers(experiment, claim):
    """Pairs of printed numbers of a claim: of columns that both rows have, or of any; best runs, deviations aside."""
    cells = []
    for row in (claim.less, claim.more):
        (printed,) = (v.printed for v in experiment.variants if v.name == row)
        cells.append(
            {c: float(t.strip("*")) for c, t in printed.items() if t != "-" and of_means(experiment, claim, c)}
        )
    shared = [(cells[0][c], cells[1][c]) for c in cells[0] if c in cells[1]]
    return shared or list(itertools.product(cells[0].values(), cells[1].values()))


def of_means(experiment, claim, column):
    return experiment.columns[column] == claim.figure and column not in experiment.over_runs


@each
def test_what_is_expected_is_what_is_printed(experiment):
    """Wherever the paper prints both numbers of a claim, they are in the order of the claim."""
    for claim in experiment.expectations:
        assert all(less < more for less, more in numbers(experiment, claim)), claim.id


def test_most_claims_have_printed_numbers():
    """The comparison above is not empty: for each paper, and for more than half of all claims of its tables."""
    claims = [(e, c) for e in EVERY for c in e.expectations if "table" in e.id]
    both = [e.paper for e, c in claims if numbers(e, c)]
    assert set(both) == {"cwo", "norm_loss", "dswn"}
    assert len(both) > len(claims) / 2


@pytest.mark.parametrize("data", ["CIFAR-10", "CIFAR-100"])
def test_cells_that_are_printed_twice(data):
    """The same run of the constrained method stands in Tables 1 to 4 with the same number."""

    def bare(cell):
        return cell.strip("*")

    wide = {a: TABLE1[Setting(data, a, "WideResNet-28-10")] for a in ("Standard", "FastAA")}
    assert bare(wide["Standard"]["Ours"]) == TABLE3[data, True, True, "1.0"] == bare(TABLE4[data]["linear", "1.0"])
    assert TABLE3[data, True, True, "0.0"] == TABLE4[data]["none", "0"]
    for method in ("Ours", "BN"):
        assert bare(wide["FastAA"][method]) == TABLE2[data, method, 128]


def experiment(**changes):
    given = {
        "id": "some.table",
        "paper": "some",
        "place": "Table 1",
        "title": "Some",
        "settings": {"network": "cnn_digits"},
        "variants": (Variant(name="a", printed={"error": "1.0"}), Variant(name="b")),
        "scales": {"small": Scale(data="digits", seeds=6)},
        "columns": {"error": "test.error"},
    }
    return Experiment(**given | changes)


CLAIM = {"id": "c", "statement": "", "place": "", "figure": "test.error", "less": "a", "more": "b"}
FAULTS = {
    "row used twice": ({"variants": (Variant(name="a"), Variant(name="a"))}, "rows, each once"),
    "column": ({"variants": (Variant(name="a", printed={"err": "1"}),)}, "columns must be among error; got err"),
    "unit": ({"units": {"err": "%"}}, "units must be among error"),
    "column over runs": ({"over_runs": {"err": "best"}}, "columns must be among error"),
    "figure over runs": ({"over_runs": {"error": "worst"}}, "figures over runs must be among best"),
    "setting": ({"settings": {"netwrok": "cnn9"}}, "settings must be among"),
    "setting of a row": ({"variants": (Variant(name="a", settings={"lr": 1}),)}, "settings must be among"),
    "seed as a setting": ({"settings": {"seed": 1}}, "settings must be among"),
    "scale": ({"scales": {"tiny": Scale(data="digits", seeds=1)}}, "scales must be among"),
    "row of a scale": ({"scales": {"small": Scale(data="digits", seeds=1, rows={"c": {}})}}, "rows must be among a, b"),
    "setting of a row of a scale": (
        {"scales": {"small": Scale(data="digits", seeds=1, rows={"a": {"lr": 1}})}},
        "settings must be among",
    ),
    "row of a claim": ({"expectations": (Expectation(**CLAIM | {"more": "c"}),)}, "rows must be among a, b; got c"),
    "figure of a claim": ({"expectations": (Expectation(**CLAIM | {"figure": "loss"}),)}, "figures must be among"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_experiment_made_wrong_is_refused(fault):
    """An unknown or doubled name anywhere is told, with what there is."""
    changes, said = FAULTS[fault]
    experiment(expectations=(Expectation(**CLAIM),))
    with pytest.raises(ValueError, match=said):
        experiment(**changes)


def test_what_goes_over_what():
    """The scale goes over the experiment, the row over the scale, the scale's own row over all; options are merged."""
    made = experiment(
        settings={"network": "cnn_digits", "rate": 1.0, "batch": 1, "epochs": 1, "momentum": 0.1},
        variants=(Variant(name="a", settings={"batch": 3, "epochs": 3, "options": {"sigma": 1.0}}),),
        scales={
            "small": Scale(
                data="digits",
                seeds=1,
                settings={"rate": 2.0, "batch": 2, "epochs": 2},
                rows={"a": {"epochs": 4, "options": {"growth": "linear"}}},
            )
        },
    )
    settings = made.of(made.variants[0], made.scales["small"], 0)
    assert (settings.momentum, settings.rate, settings.batch, settings.epochs) == (0.1, 2.0, 3, 4)
    assert settings.options == {"sigma": 1.0, "growth": "linear"}


def of(id):
    return next(experiment for experiment in EVERY if experiment.id == id)


@pytest.mark.parametrize(
    ("data", "linear", "constant"),
    [("cifar10", "1.0", "0.4"), ("cifar100", "0.8", "0.3")],
    ids=["CIFAR-10", "CIFAR-100"],
)
def test_the_best_printed_noises_are_compared(data, linear, constant):
    """Of Table 4, the least error printed for the data set: 4.19 and 4.25 of CIFAR-10, 18.25 and 19.81 of CIFAR-100."""
    helps, more = of(f"cwo.table4.{data}").expectations
    assert (helps.less, helps.more) == (f"linear, σ = {linear}", "no noise")
    assert (more.less, more.more) == (f"linear, σ = {linear}", f"constant, σ = {constant}")


@pytest.mark.parametrize("id", ["dswn.table1.mnist", "dswn.table1.faces", "dswn.table2.cifar10"])
def test_printed_means_are_over_as_many_runs_as_is_said(id):
    """Five: read so for Table 1, printed of Table 2."""
    assert of(id).printed_runs == 5
