"""One sample: bounds beside the exact value, what is read from files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from wnverify.bounding import comparison
from wnverify.bounding.comparison import BOUNDS, all_bounds, compare, drawn_data, read_data, what_is_known
from wnverify.finding import Verdict
from wnverify.theory import bounds
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity

X = np.array([[0.5, -0.25], [-1.0, 0.75], [0.25, 1.0]])


def test_the_finding_has_the_exact_value_and_every_bound():
    """figures.exact of the first route is the complexity; every other route is a bound with its tightness."""
    network = NetworkClass(1, 1.5)
    finding = compare(network, X)
    exact, *rest = finding.routes
    assert exact.figures["exact"] == complexity(network, X).value
    assert finding.verdict is Verdict.HOLDS
    assert {route.figures["name"]: route.figures["bound"] for route in rest} == all_bounds(network, X)
    for route in rest:
        assert route.figures["tightness"] == exact.figures["exact"] / route.figures["bound"]


@pytest.mark.parametrize(
    ("k", "c", "names"),
    [
        (0, 1.0, {"theorem1_first", "theorem1_second", "massart", "closed_form", "sharper", "sharper_on_sample"}),
        (1, 0.5, {"theorem1_first", "closed_form", "sharper", "sharper_on_sample"}),
        (1, 1.0, {"theorem1_first", "theorem1_second", "closed_form", "sharper", "sharper_on_sample"}),
    ],
    ids=["linear", "small-c", "large-c"],
)
def test_only_bounds_whose_hypotheses_hold_are_shown(k, c, names):
    """Theorem 1's second bound needs cρ ≥ 1, Massart's lemma k = 0; all names have a text."""
    found = all_bounds(NetworkClass(k, c), X)
    assert set(found) == names <= set(BOUNDS)


def test_a_bound_below_the_value_is_refuted(monkeypatch):
    """A planted fault, the bound divided by 8: refuted, with the sample as witness."""
    monkeypatch.setattr(bounds, "sharper_on", lambda network, data: 1 / 8)
    finding = compare(NetworkClass(1, 1.5), X)
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness["X"]["shape"] == [3, 2]
    assert [route.verdict for route in finding.routes].count(Verdict.REFUTED) == 1


def test_a_mean_over_signs_is_said_to_be_one():
    """No ``exact`` among the figures, an interval, strength tested."""
    finding = compare(NetworkClass(1, 1.0), X, signs=100)
    assert "exact" not in finding.routes[0].figures
    assert finding.routes[0].route == "simulation"
    assert "not exact" in finding.routes[0].note
    assert finding.strength == "tested"


def test_deeper_networks_and_tanh_have_an_interval():
    """k ≥ 2 and tanh: lower ≤ upper, no exact value."""
    for network, activation in ((NetworkClass(3, 1.0), "relu"), (NetworkClass(1, 1.0), "tanh")):
        known = what_is_known(network, X, activation, 0, 0)
        assert known.value is None
        assert 0 < known.lower <= known.upper


def test_an_unknown_activation_is_refused():
    """The message lists the known ones."""
    with pytest.raises(ValueError, match="activation must be 'relu' or 'tanh'; got 'gelu'"):
        what_is_known(NetworkClass(1, 1.0), X, "gelu", 0, 0)


def test_too_many_points_names_the_way_out():
    """Above the limit of sign vectors --signs is offered; above that of rays it would not help and is not."""
    many = drawn_data(30, 3, 0)
    with pytest.raises(ValueError, match=r"n ≤ 24 would do, or a mean over random signs \(--signs N\)"):
        what_is_known(NetworkClass(1, 1.0), many, "relu", 0, 0)
    with pytest.raises(ValueError, match="too large for the exact rays") as error:
        what_is_known(NetworkClass(1, 1.0), drawn_data(40, 10, 0), "relu", 0, 0)
    assert "--signs" not in str(error.value)


def test_a_drawn_sample_is_the_same_for_the_same_seed():
    """In the cube, of the size asked for, another for another seed."""
    one, other = drawn_data(5, 2, 0), drawn_data(5, 2, 1)
    np.testing.assert_array_equal(one, drawn_data(5, 2, 0))
    assert one.shape == (5, 2)
    assert np.abs(one).max() <= 1
    assert not np.array_equal(one, other)


def test_data_are_read_from_a_file(tmp_path):
    """float32 and integers come as float64."""
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    np.testing.assert_array_equal(read_data(str(tmp_path / "x.npy")), X)
    np.save(tmp_path / "i.npy", np.array([[1, 0], [-1, 1]]))
    assert read_data(str(tmp_path / "i.npy")).dtype == np.float64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([[2.0]]), r"X must have entries in \[-1, 1\]; got X\[0, 0\] = 2.0"),
        (np.array([[np.inf]]), r"entries finite; got X\[0, 0\] = inf"),
        (np.array([1.0]), "X must be a matrix"),
        (np.array([["a"]]), "X must hold real numbers"),
        (np.array([[object()]]), "must be a .npy file of real numbers"),
        (b"not an array", "must be a .npy file of real numbers"),
        (b"", "must be a .npy file of real numbers"),
        (None, "there is no file"),
    ],
    ids=["outside", "infinite", "vector", "text", "objects", "noise", "empty", "missing"],
)
def test_a_file_that_is_no_sample_is_refused(tmp_path, content, message):
    """The message names --data, the file and what is wrong."""
    file = tmp_path / "x.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content, allow_pickle=True)
    with pytest.raises(ValueError, match=message) as error:
        read_data(str(file))
    assert "--data" in str(error.value)
    assert str(file) in str(error.value)


def test_an_archive_is_refused(tmp_path):
    """Several arrays in one .npz are not one sample."""
    np.savez(tmp_path / "x.npz", a=X, b=X)
    with pytest.raises(ValueError, match="must be one array"):
        read_data(str(tmp_path / "x.npz"))


def test_a_search_may_raise_the_lower_bound_of_a_deep_network(monkeypatch):
    """Few samples are searched; with many the single path stands alone."""
    network = NetworkClass(3, 1.0)
    monkeypatch.setattr(comparison, "SEARCHED", 2)
    alone = what_is_known(network, X, "relu", 0, 0)
    assert alone.how.startswith("from below: single path;")
    monkeypatch.setattr(comparison, "SEARCHED", 3)
    monkeypatch.setattr(comparison, "_searched", lambda network, X, seed: alone.upper)
    searched = what_is_known(network, X, "relu", 0, 0)
    assert searched.lower == alone.upper > alone.lower
    assert searched.how.startswith("from below: search;")
