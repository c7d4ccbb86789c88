"""``wnverify theory``: a user's own sample on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wnverify import cli
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity


def test_bounds_and_the_exact_value_of_a_users_data(tmp_path, capsys):
    """The file's exact value stands under ``exact`` in the JSON and on the terminal, and the exit code is 0."""
    X = np.array([[0.5, 1.0], [-0.25, 0.0], [1.0, -1.0], [0.0, 0.5]])
    np.save(tmp_path / "x.npy", X)
    words = ["theory", "--data", str(tmp_path / "x.npy"), "--c", "1.5", "--json"]
    assert cli.main([*words, "-"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    exact = complexity(NetworkClass(1, 1.5), X).value
    assert finding["routes"][0]["figures"]["exact"] == exact
    assert finding["verdict"] == "holds"
    assert cli.main([*words, str(tmp_path / "out.json")]) == 0
    shown = capsys.readouterr().out
    assert f"{exact:.3g}" in shown
    assert "Theorem 1, second bound" in shown
    assert "x.npy" in shown
    assert str(tmp_path) not in shown
    assert json.loads((tmp_path / "out.json").read_text())["findings"][0] == finding


def test_a_drawn_sample_of_the_size_asked_for(capsys):
    """--n, --m1, --k, a c for each layer, --o and --seed."""
    words = ["theory", "--n", "5", "--m1", "2", "--k", "2", "--c", "2,0.5", "--o", "3", "--seed", "4", "--json", "-"]
    assert cli.main(words) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["conditions"][0] == "class: 2 hidden layers, c = [2.0, 0.5], o = 3.0, relu"
    assert finding["conditions"][1] == "sample: 5 points in [-1, 1]^2, drawn uniformly, seed 4"
    assert "exact" not in finding["routes"][0]["figures"]


def test_an_interval_is_shown_where_nothing_is_exact(capsys):
    """tanh: at least and at most."""
    assert cli.main(["theory", "--n", "3", "--m1", "1", "--activation", "tanh"]) == 0
    shown = capsys.readouterr().out
    assert "at least" in shown
    assert "at most" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--n", "0"], "n must be a whole number, at least 1; got 0"),
        (["--n", "40"], "n ≤ 24 would do"),
        (["--k", "-1"], "k must be the number of hidden layers, a whole number ≥ 0; got -1"),
        (["--c", "0"], "c must be finite and > 0; got 0.0"),
        (["--c", "1,2"], "c must be one number or one for each of the k = 1 hidden layers; got 2"),
        (["--o", "nan"], "o must be finite and > 0; got nan"),
        (["--activation", "gelu"], "activation must be 'relu' or 'tanh'; got 'gelu'"),
        (["--signs", "-5"], "--signs must be a number of sign vectors, at least 2; got -5"),
        (["--signs", "1"], "signs must be at least 2; got 1"),
        (["--device", "nowhere"], "device must be cpu or one that PyTorch can use here; got 'nowhere'"),
        (["--data", "missing.npy"], "there is no file 'missing.npy'"),
        (["--json", "nowhere/x.json"], "there is no folder nowhere"),
    ],
    ids=["n", "large", "k", "c", "layers", "o", "activation", "signs", "one-sign", "device", "data", "json"],
)
def test_a_wrong_call_exits_with_2(words, message, capsys):
    """The message names the argument, what came and what would be right."""
    assert cli.main(["theory", *words]) == 2
    assert message in capsys.readouterr().err


def test_sizes_that_contradict_the_file_are_refused(tmp_path, capsys):
    """--n beside --data must be the file's."""
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert cli.main(["theory", "--data", str(tmp_path / "x.npy"), "--n", "4"]) == 2
    assert "--n must be that of --data, 3, or left out; got 4" in capsys.readouterr().err


def test_no_number_is_a_usage_error(capsys):
    """argparse says what --c takes."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["theory", "--c", "x"])
    assert ended.value.code == 2
    assert "must be a number, or numbers between commas; got 'x'" in capsys.readouterr().err
