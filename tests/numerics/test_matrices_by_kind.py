"""Kinds of test matrices: what is prescribed is had, in every shape, and nothing depends on chance."""

import doctest

import numpy as np
import pytest

from wnverify.numerics import generators
from wnverify.numerics.generators import ENTRIES, KINDS, SPECTRA, drawn, singular_values
from wnverify.oracles.ratio import LARGEST, map_model

SHAPES = ((1, 1), (1, 4), (4, 1), (3, 5), (5, 3), (4, 4))
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", sorted(SPECTRA))
def test_the_prescribed_spectrum_is_had(kind, shape, dtype):
    """Each singular value is off by no more than the rounding of the products and of the entries, as a ratio."""
    n, d = shape
    V = drawn(kind, 3, n, d, seed=7, dtype=dtype, condition=1e3)
    sigma = singular_values(kind, 3, min(n, d), seed=7, condition=1e3)
    found = np.linalg.svd(V, compute_uv=False)
    size = np.linalg.norm(sigma, axis=1)
    model = map_model(dtype, n * d, condition=1.0, roundings=1) + map_model("float64", n * d, roundings=64)
    if not size.any():  # rank 0: exactly zero
        assert not V.any()
        return
    assert (np.abs(found - sigma).max(axis=1) <= size * model.relative).all()


def test_the_modes_are_those_of_the_generator_suite():
    """The five spectra by condition number are LAPACK's modes 1 to 5, written out for k = 3 and c = 100."""
    written = {
        "one large": [1, 0.01, 0.01],
        "one small": [1, 1, 0.01],
        "geometric": [1, 0.1, 0.01],
        "arithmetic": [1, 0.505, 0.01],
        "repeated": [2, 2, 1],
        "rank deficient": [1, 0, 0],
    }
    for kind, sigma in written.items():
        off = np.abs(singular_values(kind, 2, 3, seed=0, condition=100) - sigma)
        assert (off <= map_model("float64", 1, roundings=6).relative * np.array(sigma)).all(), kind
    spread = singular_values("log-uniform", 500, 4, seed=0, condition=100)
    assert (np.diff(spread, axis=1) <= 0).all()
    assert 0.01 <= spread.min() < 0.02
    assert 0.98 < spread.max() <= 1
    assert np.array_equal(singular_values("nearly equal", 1, 3, seed=0)[0] - 1, [2.0**-29, 2.0**-30, 0])


@every_dtype
@every_kind
def test_every_entry_is_a_finite_number_of_the_dtype(kind, dtype):
    """Rounded to the dtype once more nothing changes, and nothing over- or underflows to zero."""
    for n, d in SHAPES:
        V = drawn(kind, 8, n, d, seed=1, dtype=dtype)
        assert V.shape == (8, n, d)
        assert np.array_equal(generators.held(V, dtype), V)
        assert np.abs(V).max() < LARGEST[dtype]
        assert V.any() or kind in ("rank deficient", "ties")


@every_kind
def test_a_seed_fixes_the_values(kind):
    """The same arguments give the same bytes, another seed others, and no two kinds or draws the same matrix."""
    first, again, other = (drawn(kind, 4, 3, 4, seed=seed) for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert len({V.tobytes() for V in first}) == 4


def test_the_kinds_by_entries_are_what_their_names_say():
    """Constant rows, large means, ties, graded and unlike rows, and the ends of the range."""
    made = {kind: drawn(kind, 50, 3, 6, seed=2, dtype="float32", condition=1e4) for kind in ENTRIES}
    assert not np.ptp(made["constant rows"], axis=2).any()
    assert (np.abs(made["large mean"].mean(axis=2)) > 5 * made["large mean"].std(axis=2)).mean() > 0.8
    assert set(np.unique(made["ties"])) == {-2, -1, 0, 1, 2}
    sizes = np.linalg.norm(made["graded rows"], axis=2)
    assert 1e3 < np.median(sizes[:, 0] / sizes[:, 2]) < 1e5
    unlike = np.linalg.norm(made["unlike rows"], axis=2)
    assert np.median(unlike.max(axis=1) / unlike.min(axis=1)) > 3
    with np.errstate(over="ignore", under="ignore"):
        assert np.isinf(np.float32(made["near overflow"]) ** 2).any()
        assert not (np.float32(made["near underflow"]) ** 2).all()


def test_what_cannot_be_drawn_is_an_error_that_says_why():
    """An unknown kind, an empty shape and a condition number below 1 are refused with what came."""
    with pytest.raises(ValueError, match=r"kind must be one of .*; got 'mode 7'"):
        drawn("mode 7", 1, 2, 2, seed=0)
    with pytest.raises(ValueError, match=r"count, n and d must be at least 1; got \(1, 0, 2\)"):
        drawn("random", 1, 0, 2, seed=0)
    with pytest.raises(ValueError, match=r"condition must be a finite number, at least 1; got 0\.5"):
        drawn("geometric", 1, 2, 2, seed=0, condition=0.5)
    with pytest.raises(ValueError, match=r"kind must be one of one large, .*; got 'random'"):
        singular_values("random", 1, 2, seed=0)


def test_examples_are_true():
    """The doctests of the generators."""
    assert doctest.testmod(generators).failed == 0
