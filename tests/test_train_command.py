"""``wnverify train``: what it lists, refuses, runs and resumes."""

import json
import subprocess
import sys
import types

import pytest

from wnverify import cli, experimenting, runner
from wnverify.experiments.listing import all_experiments
from wnverify.experiments.trials import CURVES, finding_of, row_of
from wnverify.finding import Verdict
from wnverify.report import results
from wnverify.runner import RunResult


def test_everything_is_listed(capsys):
    """Each experiment with its place, and for each scale the data it needs."""
    assert cli.main(["train", "--list"]) == 0
    shown = capsys.readouterr().out
    for name in all_experiments():
        assert name in shown
    assert "Table 1, Fig. 1, sec. 5.1; 11 rows, 10 claims" in shown
    assert "--data DIR with" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "NAME must be given"),
        (["l1inf.table9"], "NAME 'l1inf.table9' matches no experiment"),
        (["l1inf.table1", "--data", "."], "--data is read by none of l1inf.table1"),
        (["l1inf.table3.mnist", "--scale", "paper"], "--data must be a directory for l1inf.table3.mnist: mnist"),
        (["l1inf.table3.mnist", "--scale", "paper", "--data", "no_such"], "--data must be a directory; got 'no_such'"),
        (["l1inf.table3.mnist", "--scale", "paper", "--data", "."], "train-images"),
        (["l1inf.table1", "--device", "abacus"], "device must be one that holds numbers"),
        (["l1inf.table1", "--json", "no_such_folder/x.json"], "--json must be a file in an existing folder"),
    ],
    ids=["no-name", "unknown", "data-unread", "data-missing", "data-nowhere", "data-empty", "device", "json"],
)
def test_a_wrong_call_is_refused_before_any_run(words, said, capsys, tmp_path, monkeypatch):
    """Exit code 2, the argument by name, and no item was run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run", None)
    assert cli.main(["train", *words]) == 2
    assert said in capsys.readouterr().err


PIXELS = bytes(3 * 32 * 32)


def cifar_in(folder):
    """CIFAR-10's binary files, a black image of the fourth class in each."""
    for file in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (folder / f"{file}.bin").write_bytes(b"\x03" + PIXELS)


def interrupt_every_run(monkeypatch, watch):
    """No item is run; ``watch`` is given the items and the journal of each run."""

    def interrupted(items, journal, **given):
        watch(items, journal)
        return RunResult(findings=[], timing={}, interrupted=True)

    monkeypatch.setattr(runner, "run", interrupted)


@pytest.mark.parametrize(
    ("name", "needed"),
    [("cwo.table1.cifar10.fastaa.cnn9", True), ("cwo.table1.cifar10.standard.cnn9", False)],
    ids=["fastaa", "standard"],
)
def test_a_missing_policy_is_an_error_before_any_run(name, needed, capsys, tmp_path, monkeypatch):
    """Where a row needs it, the list says so; the file is read beside the data before the first run."""
    assert cli.main(["train", "--list", name]) == 0
    assert ("test_batch.bin, and fast_autoaugment.json" in " ".join(capsys.readouterr().out.split())) is needed
    cifar_in(tmp_path)
    made = []
    monkeypatch.chdir(tmp_path)
    interrupt_every_run(monkeypatch, lambda items, journal: made.append(len(items)))
    words = ["train", name, "--scale", "paper", "--quiet", "--data", "."]
    assert cli.main(words) == (2 if needed else 130)
    assert ("must hold fast_autoaugment.json" in capsys.readouterr().err) is needed
    (tmp_path / "fast_autoaugment.json").write_text('{"pairs": [[["Blur", 1, 0]]]}')
    assert cli.main(words) == (2 if needed else 130)
    assert ("fast_autoaugment.json: pairs[0][0] must be" in capsys.readouterr().err) is needed
    assert bool(made) is not needed
    (tmp_path / "fast_autoaugment.json").write_text('{"pairs": [[["Invert", 1, 0]]]}')
    assert cli.main(words) == 130
    assert made


def test_a_smoke_run_gives_a_document(tmp_path):
    """The table and the claims, no single run among them; nothing is left in the working folder."""
    words = ["train", "l1inf.initial_step", "l1inf.depth", "--scale", "smoke", "--seeds", "1", "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, "-m", "wnverify", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "smoke scale, 1 runs a row" in done.stdout
    doc = json.loads((tmp_path / "out.json").read_text())
    checks = [finding["check"] for finding in doc["findings"]]
    assert checks.count("smoke.row") == 7
    assert checks.count("smoke.expected") == 1
    assert set(doc["parts"]) == {"experiments.smoke"}
    assert {path.name for path in (tmp_path / ".wnverify").iterdir()} == {".gitignore"}


def broken(items, **given):
    """Every run raises."""
    return RunResult(findings=[item.ending(Verdict.ERROR, "no such layer") for item in items], timing={})


def test_what_a_run_broke_on_is_told(monkeypatch, capsys, tmp_path):
    """A run that raises is an error with its message, and the exit code 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run", broken)
    assert cli.main(["train", "l1inf.depth", "--scale", "smoke", "--seeds", "1", "--quiet"]) == 1
    assert "no such layer" in capsys.readouterr().out


def test_a_run_that_serves_two_tables_is_made_once(monkeypatch, capsys, tmp_path):
    """Tables for two data sets with one small form: one item a row and seed, and where it breaks both are told."""
    given = []

    def watched(items, **rest):
        given.extend(items)
        return broken(items)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run", watched)
    words = ["train", "dswn.table2.*", "--scale", "smoke", "--quiet", "--json", "out.json"]
    assert cli.main(words) == 1
    assert len(given) == 4 * 2
    assert {tuple(item.arguments["also"]) for item in given if item.arguments["row"] == "WN"} == {
        (("dswn.table2.cifar100", "WN"),)
    }
    found = json.loads((tmp_path / "out.json").read_text())["findings"]
    assert sorted(f["subject"] for f in found) == ["dswn.table2.cifar10"] * 8 + ["dswn.table2.cifar100"] * 8
    assert {f["id"].replace(f["subject"], "") for f in found if f["subject"].endswith("100")} == {
        f["id"].replace(f["subject"], "") for f in found if f["subject"].endswith("10")
    }
    assert all("VGG on cifar100, " in f["statement"] for f in found if f["subject"].endswith("100"))


def test_a_run_on_a_device_is_a_part_of_its_own(monkeypatch, tmp_path):
    """It stands in a report beside the processor's: no finding has the same id, and the device is what was asked."""

    def trained(items, **rest):
        found = []
        for item in items:
            given = item.arguments
            experiment = all_experiments(["l1inf"])[given["experiment_id"]]
            told = {
                "cells": dict.fromkeys(experiment.columns.values(), 0.5),
                "curve": {"epoch": [1], **{path: [0.5] for path in CURVES}},
            }
            found.append(finding_of(experiment, row_of(experiment, given["row"]), given["scale"], given["seed"], told))
        return RunResult(findings=found, timing={})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experimenting, "_check_device", lambda device: None)
    monkeypatch.setattr(runner, "run", trained)
    words = ["train", "l1inf.depth", "--scale", "smoke", "--quiet", "--json"]
    assert cli.main([*words, "here.json"]) == 0
    assert cli.main([*words, "there.json", "--device", "cuda"]) == 0
    here, there = (results.read(tmp_path / f"{name}.json") for name in ("here", "there"))
    assert [f["id"].replace("@cuda", "") for f in there["findings"]] == [f["id"] for f in here["findings"]]
    assert {f["subject"] for f in there["findings"]} == {"l1inf.depth@cuda"}
    assert list(there["parts"]) == ["experiments.device"]
    assert there["parts"]["experiments.device"]["asked"]["device"] == "cuda"
    both = results.take_part({**here, "findings": []}, here, there)
    assert len(both["findings"]) == 2 * len(here["findings"])


def test_only_what_diverged_is_kept(tmp_path, monkeypatch, capsys):
    """The folder of a run that ended well goes, with the empty ones above it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs"
    items = []
    for name in ("well", "apart"):
        place = folder / "some.table" / f"smoke.trial/{name},seed=0"
        place.mkdir(parents=True)
        (place / "checkpoint.pt").write_bytes(b"state")
        items.append(types.SimpleNamespace(id=name, arguments={"folder": str(place)}))
    experimenting._clear(folder, items, {"apart"})
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.pt")] == [
        "some.table/smoke.trial/apart,seed=0/checkpoint.pt"
    ]
    assert not (folder / "some.table/smoke.trial/well,seed=0").exists()
    assert capsys.readouterr().err == "the last good state of what diverged is in runs\n"
    experimenting._clear(folder, items, set())
    assert not folder.exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "afresh"])
def test_checkpoints_are_kept_for_resume_alone(resume, monkeypatch, tmp_path):
    """What an interrupted run left is taken up with --resume, and thrown away without."""
    seen = []

    def watch(items, journal):
        folder = journal.path.with_suffix("")
        seen.append(folder.exists())
        (folder / "run").mkdir(parents=True, exist_ok=True)

    monkeypatch.chdir(tmp_path)
    interrupt_every_run(monkeypatch, watch)
    words = ["train", "l1inf.depth", "--scale", "smoke", "--quiet"]
    assert cli.main(words) == 130
    assert cli.main([*words, *(["--resume"] if resume else [])]) == 130
    assert seen == [False, resume]


def test_a_run_is_not_resumed_with_other_data(monkeypatch, tmp_path, capsys):
    """A changed file in the data's directory makes it another run: nothing finished of the old one is taken over."""
    cifar_in(tmp_path)
    journals = []
    monkeypatch.chdir(tmp_path)
    interrupt_every_run(monkeypatch, lambda items, journal: journals.append(journal.path.name))
    words = ["train", "l1inf.figure4", "--scale", "paper", "--quiet", "--data", ".", "--resume"]
    assert [cli.main(words), cli.main(words)] == [130, 130]
    capsys.readouterr()
    (tmp_path / "data_batch_3.bin").write_bytes(b"\x04" + PIXELS)
    assert cli.main(words) == 130
    assert "nothing to resume" in capsys.readouterr().err
    assert journals[0] == journals[1] != journals[2]
