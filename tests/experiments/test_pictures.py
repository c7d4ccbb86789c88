"""A trained weight matrix as letters: in the finding of a trial, of a row, and in the figure that is made of it."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from wnverify.experiments import tables, trials
from wnverify.experiments.experiment import Picture
from wnverify.experiments.listing import find
from wnverify.experiments.training import pictures
from wnverify.experiments.training.loop import Run
from wnverify.experiments.training.settings import Settings
from wnverify.finding import Finding
from wnverify.report import matrices, trained
from wnverify.report.digest import digest
from wnverify.report.results import document

W = [[0.0, 0.9, -0.2, 0.0, 0.0], [1e-9, -0.9, 0.5, 0.0, 2.0], [0.0, 0.4, -0.0, 7.0, 0.0]]


def model(weight=W):
    made = nn.Sequential(nn.Flatten(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        made[1].weight.copy_(torch.tensor(weight))
    return made


def test_letters_tell_sign_size_and_exact_zeros():
    """Thirds of the largest magnitude shown; the smallest number that is not zero is no dot, minus zero is one."""
    seen = pictures.picture(model(), Picture(layer="1", rows=(), inputs=3, units=3))
    assert seen["inputs"] == [".A.", "CcB", "aB."]
    assert seen["shape"] == [3, 5]
    assert seen["largest"] == pytest.approx(0.9)


def test_only_the_first_inputs_and_units_are_shown():
    """Two of five inputs, one of three units, scaled by what is shown."""
    seen = pictures.picture(model(), Picture(layer="1", rows=(), inputs=2, units=1))
    assert seen["inputs"] == [".", "C"]


def test_a_matrix_of_zeros_has_no_letter():
    """Nothing is divided by a largest magnitude of zero."""
    assert pictures.picture(model(np.zeros((3, 5))), Picture(layer="1", rows=()))["inputs"] == ["..."] * 5


def test_an_unknown_layer_is_refused():
    """The layers that the model has are named."""
    with pytest.raises(ValueError, match="layer must be one of 1, 3; got '0'"):
        pictures.picture(model(), Picture(layer="0", rows=()))


def test_zeros_are_counted_by_columns():
    """Five exact zeros in the first four columns of three units, two in the fifth."""
    run = Run(Settings(network="mlp_digits"), model(), [], torch.as_tensor)
    assert pictures.columns(run, None) == {"first": 5 / 12, "others": 2 / 3}


@pytest.fixture
def figure_3(monkeypatch):
    whole = find("l1inf.figure3")
    monkeypatch.setattr(trials, "find", lambda name: whole)
    return whole


def test_the_figure_is_made_of_the_findings_alone(figure_3):
    """Trained for two epochs: exact zeros at a small c and none without, in the rows' findings and in the drawing."""
    told = [trials.trial("l1inf.figure3", row, seed, "smoke") for row in ("c = ∞", "c = 0.07") for seed in (1, 0)]
    rows = tables.table(figure_3, "smoke", [Finding.from_json(found.to_json()) for (found,) in told])
    seen = {f.case: f.routes[0].figures.get("picture") for f in rows if f.check == "smoke.row"}
    free, limited = seen["c-=-infinity"], seen["c-=-0.07"]
    assert free["seed"] == limited["seed"] == 0
    assert "." not in "".join(free["inputs"])
    assert "".join(limited["inputs"]).count(".") > 100
    assert [len(free["inputs"]), len(free["inputs"][0])] == [20, 50]
    (subject,) = digest(document(rows, environment={}, timing={})).groups["experiment"]
    (drawn,) = [each for each in trained.shown(subject, {}).drawings if each.name.startswith("matrices")]
    assert drawn.rows == [(f"c = {c}", str(k), x) for c, p in (("∞", free), ("0.07", limited))
                          for k, x in enumerate(p["inputs"], start=1)]  # fmt: skip
    assert "c = ∞: 0 % of the entries shown are exactly zero; c = 0.07: " in drawn.svg
    assert "run 0: the first 20 of 500 inputs and 50 of 100 units" in drawn.caption
    assert len(drawn.svg) < 400_000


def test_a_row_that_is_not_named_keeps_no_picture(figure_3, monkeypatch):
    """Its trial has cells and curves alone."""
    named = dataclasses.replace(figure_3, picture=dataclasses.replace(figure_3.picture, rows=("c = ∞",)))
    monkeypatch.setattr(trials, "find", lambda name: named)
    (found,) = trials.trial("l1inf.figure3", "c = 1.00", 0, "smoke")
    assert set(found.routes[0].figures) >= {"cells", "curve"}
    assert "picture" not in found.routes[0].figures


def test_rows_without_a_picture_have_no_figure(figure_3):
    """A picture is kept of the rows that are named, and drawn where there is one."""
    named = dataclasses.replace(figure_3, picture=dataclasses.replace(figure_3.picture, rows=("c = 1.00",)))
    told = {
        "cells": dict.fromkeys(named.columns.values(), 0.5),
        "curve": {"epoch": [1], **{path: [1.0] for path in trials.CURVES}},
    }
    finding = trials.finding_of(named, named.variants[0], "smoke", 0, told)
    (row,) = tables.table(named, "smoke", [Finding.from_json(finding.to_json())])
    assert "picture" not in row.routes[0].figures
    assert matrices.matrices("l1inf.figure3", "smoke", [(row, row.routes[0].figures)]) is None
    with pytest.raises(ValueError, match="rows must be among"):
        dataclasses.replace(figure_3, picture=Picture(layer="1", rows=("c = 9",)))


def test_cells_of_one_letter_are_one_shape():
    """Neighbours of a line are joined: two shapes of five points for three cells in two runs."""

    class Panel:
        def __init__(self):
            self.patches = []

        def add_patch(self, patch):
            self.patches.append(patch)

    panel = Panel()
    matrices._cells(panel, ["AA.A", "...."], "A", "#000000", 1.0)
    (patch,) = panel.patches
    assert patch.get_path().vertices.tolist()[::5] == [[0, 0], [3, 0]]
    assert len(patch.get_path().vertices) == 10
