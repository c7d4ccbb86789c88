"""Every kind of weight keeps its promise in every format; arguments are judged; examples shrink to readable ones."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from wnverify.oracles.ratio import Ratio, map_model
from wnverify.strategies import COTANGENTS, KINDS, ORDINARY_CONDITION, cotangents, orthogonal, shapes, weights

FORMATS = {"float64": 53, "float32": 24, "bfloat16": 8, "float16": 11}
REPEATABLE = settings(derandomize=True, database=None, deadline=None)
FEW, SEARCH = settings(REPEATABLE, max_examples=12), settings(REPEATABLE, max_examples=400)


def rounding(error, scale, dtype, terms):
    """Whether ``error`` is within the modelled rounding of a number of size ``scale``."""
    return Ratio(float(np.max(error)), float(scale), map_model(dtype, terms)).value <= 1


def centred(V):
    return V - V.mean(axis=1, keepdims=True)


def constant(V):
    return V.max(axis=1) == V.min(axis=1)


def rank(V):
    """The exact rank, by elimination in fractions."""
    rows, found = [[Fraction(float(x)) for x in row] for row in V], 0
    for j in range(V.shape[1]):
        pivot = next((i for i in range(found, len(rows)) if rows[i][j]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            factor = rows[i][j] / rows[found][j]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


def no_trivial_row(V, dtype):
    return V.any(axis=1).all() and (V.shape[1] == 1 or not constant(V).any())


def decimals(V, dtype):
    """Multiples of 1/100, or of 1/4 in the half formats, up to 9 in size."""
    parts = V * (100 if FORMATS[dtype] >= 24 else 4)
    # 9 may have been rounded up, and a power of ten that is far too large would leave nothing to look at.
    fitting = np.abs(V).max() < 9.5 and np.abs(parts).max() > 0.5
    return fitting and rounding(np.abs(parts - np.rint(parts)), 900.0, dtype, 1)


def ordinary(V, dtype):
    n, d = V.shape
    for X, r in ((V, min(n, d)), (centred(V), min(n, d - 1))):
        s = np.linalg.svd(X, compute_uv=False)
        # Rounding of the entries to the format moves the smallest singular value a little.
        if r and not s[0] <= 1.1 * ORDINARY_CONDITION * s[r - 1]:
            return False
    return no_trivial_row(V, dtype) and decimals(V, dtype)


def zero_row(V, dtype):
    return (~V.any(axis=1)).any()


def constant_row(V, dtype):
    return (constant(V) & V.any(axis=1)).any()


def rank_deficient(V, dtype):
    doubled = V * V.shape[1]
    exactly_centred = doubled - V.sum(axis=1, keepdims=True)
    return rank(V) < min(V.shape) and rank(exactly_centred) < min(V.shape)


def large_mean(V, dtype):
    ratios = np.abs(V.mean(axis=1)) / np.abs(centred(V)).max(axis=1)
    # The deviations are known to the rounding of the mean: up to 10^6 u of their own size.
    slack = 2.0 ** -FORMATS[dtype] * {"float64": 1e6, "float32": 1e6, "bfloat16": 10, "float16": 100}[dtype]
    return (ratios >= 10 * (1 - 2 * slack)).all() and (ratios <= 1e6 * (1 + 2 * slack)).all()


def centred_as_it_is(V, dtype):
    """Where n < d, centring the rows leaves the singular values alone."""
    s, t = np.linalg.svd(V, compute_uv=False), np.linalg.svd(centred(V), compute_uv=False)
    return V.shape[0] >= V.shape[1] or rounding(np.abs(s - t), s[0], dtype, V.size)


def equal_singular_values(V, dtype):
    s = np.linalg.svd(V, compute_uv=False)
    equal = rounding((-np.diff(s)).min(), s[0], dtype, V.size)
    return equal and centred_as_it_is(V, dtype) and s[0] <= 9.1 and s[-1] >= 0.9


def near_equal_singular_values(V, dtype):
    s = np.linalg.svd(V, compute_uv=False)
    smallest = {"float64": 1e-14, "float32": 1e-6, "bfloat16": 1e-3, "float16": 1e-3}[dtype]
    gaps = np.sort(-np.diff(s) / s[0])
    slack = V.size * map_model(dtype, V.size).relative
    near, apart = smallest / 12 - slack <= gaps[0] <= 1e-3 + slack, (gaps[1:] >= 1 / 12 - slack).all()
    return near and apart and centred_as_it_is(V, dtype)


def orthonormal_rows(V, dtype):
    return rounding(np.abs(V @ V.T - np.eye(len(V))), 1.0, dtype, V.shape[1] ** 2)


def zero_mean(V, dtype):
    return rounding(np.abs(V.sum(axis=1)), V.shape[1] ** 0.5, dtype, V.size)


def scaled(V, dtype):
    """The power of ten is not handed out: one of 61 must leave an ordinary matrix."""
    return any(ordinary(V / 10.0**k, dtype) for k in range(-30, 31))


def scaled_rows(V, dtype):
    """As ``scaled``, row by row; a single row cannot be worse conditioned than any other."""
    return all(any(decimals(v / 10.0**k, dtype) for k in range(-30, 31)) for v in V) and no_trivial_row(V, dtype)


PROMISES = {
    "ordinary": ordinary,
    "small_integers": lambda V, dtype: no_trivial_row(V, dtype) and (np.rint(V) == V).all() and np.abs(V).max() <= 9,
    "short_decimals": lambda V, dtype: no_trivial_row(V, dtype) and decimals(V, dtype),
    "one_row": lambda V, dtype: ordinary(V, dtype) and V.shape[0] == 1,
    "two_rows": lambda V, dtype: ordinary(V, dtype) and V.shape[0] == 2,
    "one_column": lambda V, dtype: ordinary(V, dtype) and V.shape[1] == 1,
    "two_columns": lambda V, dtype: ordinary(V, dtype) and V.shape[1] == 2,
    "tall": lambda V, dtype: ordinary(V, dtype) and V.shape[0] > V.shape[1],
    "diagonal": lambda V, dtype: np.diag(V).all() and np.count_nonzero(V) == len(V) <= V.shape[1],
    "zero_row": zero_row,
    "constant_row": constant_row,
    "rank_deficient": rank_deficient,
    "large_mean": large_mean,
    "equal_singular_values": equal_singular_values,
    "near_equal_singular_values": near_equal_singular_values,
    "orthonormal_rows": orthonormal_rows,
    "centred_orthonormal_rows": lambda V, dtype: orthonormal_rows(V, dtype) and zero_mean(V, dtype),
    "centred_unit_rows": lambda V, dtype: rounding(abs((V * V).sum(1) - 1), 1.0, dtype, V.size) and zero_mean(V, dtype),
    "scaled": scaled,
    "scaled_rows": scaled_rows,
}


def of_format(V, dtype):
    """Whether every entry has no more bits than the format, and no more range."""
    significand = np.ldexp(np.frexp(V)[0], FORMATS[dtype])
    narrow = np.float32 if dtype == "bfloat16" else dtype
    return (significand == np.rint(significand)).all() and (V.astype(narrow).astype(np.float64) == V).all()


def test_every_kind_has_a_promise_that_is_tested():
    """No kind without a sentence and a test of it."""
    assert set(PROMISES) == set(KINDS)
    assert all(promise.endswith(".") for promise in KINDS.values())


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_keeps_its_promise(kind, dtype):
    """What a kind says of its matrices is so, for every drawn shape, in every format."""

    @FEW
    @given(V=weights(kinds=[kind], dtype=dtype))
    def check(V):
        assert V.dtype == np.float64
        assert V.ndim == 2
        assert of_format(V, dtype)
        assert PROMISES[kind](V, dtype)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_a_promise_can_be_broken(kind):
    """The test of a promise refuses some matrix of sevenths, which no kind is."""
    sevenths = weights(3, 5, kinds=["small_integers"]).map(lambda V: V / 7)
    assert find(sevenths, lambda V: not PROMISES[kind](V, "float64"), settings=SEARCH).shape == (3, 5)


def test_all_kinds_that_fit_are_drawn_in_the_fixed_shape():
    """Without ``kinds`` 3 × 1 has a zero row, huge entries, rows of very different size, and fractions."""
    seen = {
        "zero_row": lambda V: not V.all(),
        "scaled": lambda V: np.abs(V).min() > 1e6,
        "scaled_rows": lambda V: np.abs(V).max() > 1e6 * np.abs(V).min() > 0,
        "short_decimals": lambda V: (np.rint(V) != V).any() and np.abs(V).max() > 1,
    }
    for of_kind in seen.values():
        find(weights(3, 1), of_kind, settings=SEARCH)
    for shape in ((3, 1), (1, 1), (6, 12)):
        with pytest.raises(NoSuchExample):
            find(weights(*shape), lambda V, shape=shape: V.shape != shape, settings=FEW)


def test_scales_bound_the_powers_of_ten():
    """``scaled`` reaches both ends of ``scales`` and passes neither; the default is 1e-30 to 1e30."""
    for scales, low, high in ((None, 1e-30, 1e30), ((1e-3, 1e5), 1e-3, 1e5), ((0.5, 2.0), 1.0, 1.0)):
        drawn = weights(1, 2, kinds=["scaled"], scales=scales)
        find(drawn, lambda V, high=high: np.abs(V).max() >= high, settings=SEARCH)
        find(drawn, lambda V, low=low: np.abs(V).max() <= 9 * low, settings=SEARCH)
        with pytest.raises(NoSuchExample):
            find(drawn, lambda V, a=low / 200, b=10 * high: not a <= np.abs(V).max() <= b, settings=SEARCH)


@FEW
@given(data=st.data())
def test_shapes_stay_within_their_bounds(data):
    """Shapes obey every bound, and n ≤ d − 1 where that is asked for; weights likewise."""
    n, d = data.draw(shapes(min_n=2, max_n=4, min_d=3, max_d=5))
    assert 2 <= n <= 4
    assert 3 <= d <= 5
    n, d = data.draw(shapes(rows_lt_cols=True))
    assert n < d <= 12
    n, d = data.draw(weights(max_n=5, max_d=4, rows_lt_cols=True)).shape
    assert n < d <= 4


@FEW
@given(data=st.data())
def test_orthogonal_matrices_are_orthogonal(data):
    """Q Qᵀ = Qᵀ Q = I to rounding."""
    n = data.draw(st.integers(1, 8))
    Q = data.draw(orthogonal(n))
    assert rounding(np.abs(Q @ Q.T - np.eye(n)), 1.0, "float64", n * n)
    assert rounding(np.abs(Q.T @ Q - np.eye(n)), 1.0, "float64", n * n)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("kind", COTANGENTS)
def test_cotangents_are_what_their_names_say(kind, dtype):
    """Right shape, nonzero, of the format, at most 9 in size, and of the named form."""

    @FEW
    @given(data=st.data())
    def check(data):
        V = data.draw(weights(kinds=["ordinary", "scaled"], dtype=dtype))
        A = data.draw(cotangents(V, kinds=[kind], dtype=dtype))
        rows = int(A.any(axis=1).sum())
        assert A.shape == V.shape
        assert 0 < np.abs(A).max() <= 9
        assert of_format(A, dtype)
        assert {
            "ordinary": True,
            "one_entry": np.count_nonzero(A) == 1,
            "one_row": rows == 1,
            "all_ones": (A == 1).all(),
            "radial": (A * np.abs(V).max() == V * np.abs(A).max()).all(),
        }[kind]

    check()


def test_cotangents_of_a_zero_matrix_are_not_radial():
    """Where V is zero there is no radial direction: the other kinds remain."""
    V = np.zeros((2, 3))
    assert find(cotangents(V), lambda A: True, settings=SEARCH).any()
    with pytest.raises(ValueError, match="'radial' where V is zero"):
        cotangents(V, kinds=["radial"])


@pytest.mark.parametrize(
    ("search", "wrong", "simplest"),
    [
        (weights(), lambda V: True, [[1.0]]),
        (weights(kinds=["ordinary"]), lambda V: np.abs(V).max() > 4.5, [[5.0]]),
        (weights(kinds=["ordinary"]), lambda V: V.shape[0] > 1, [[1.0], [1.0]]),
        (weights(kinds=["scaled"]), lambda V: np.abs(V).max() > 500, [[1000.0]]),
        (weights(kinds=["equal_singular_values"]), lambda V: True, [[1.0, 0.0], [0.0, 1.0]]),
        (orthogonal(2), lambda Q: True, [[1.0, 0.0], [0.0, 1.0]]),
        (cotangents(np.ones((2, 2))), lambda A: A[1, 1] > 0 and not A[0].any(), [[0.0, 0.0], [0.0, 1.0]]),
    ],
)
def test_examples_shrink_to_small_matrices_of_readable_numbers(search, wrong, simplest):
    """The smallest example that Hypothesis finds has few rows and columns and short numbers."""
    assert find(search, wrong, settings=SEARCH).tolist() == simplest


def test_a_large_mean_shrinks_to_two_numbers_of_few_digits():
    """How far the spread shrinks depends on the constants that Hypothesis has seen in the modules loaded before."""
    (row,) = find(weights(kinds=["large_mean"]), lambda V: V.mean() > 100, settings=SEARCH).tolist()
    assert len(row) == 2
    assert max(len(f"{number:.12g}") for number in row) <= 8


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: weights(0), ValueError, "n must be an integer of at least 1; got 0"),
        (lambda: weights(2, 2.0), TypeError, "d must be an integer of at least 1; got 2.0 of type float"),
        (lambda: weights(True), TypeError, "n must be an integer .* type bool"),
        (lambda: weights(max_n=0), ValueError, "max_n must be .* got 0"),
        (lambda: weights(max_d="3"), TypeError, "max_d must be .* type str"),
        (lambda: weights(64, 64), ValueError, "n d must be at most 1024.* n = 64, d = 64"),
        (lambda: weights(3, 3, rows_lt_cols=True), ValueError, "n ≤ d − 1; got"),
        (lambda: weights(kinds="tall"), TypeError, r"as in \['tall'\]"),
        (lambda: weights(kinds=["talll"]), ValueError, "kinds must be out of ordinary, .* got .*talll"),
        (lambda: weights(kinds=[]), ValueError, "at least one, or None for all"),
        (lambda: weights(2, 3, kinds=["tall"]), ValueError, "'tall' needs n > d; got n = 2, d = 3"),
        (lambda: weights(kinds=["tall"], rows_lt_cols=True), ValueError, "'tall' needs n > d"),
        (lambda: weights(dtype="double"), ValueError, "dtype must be one of float64, .* got 'double'"),
        (lambda: weights(scales=(1.0, 0.1)), ValueError, r"low ≤ high .* got \(1.0, 0.1\)"),
        (lambda: weights(scales=(0.0, 1.0)), ValueError, "scales must be"),
        (lambda: weights(scales=(2.0, 3.0)), ValueError, "scales must hold a power of ten"),
        (lambda: weights(scales=(1.0, float("nan"))), ValueError, "scales must be"),
        (lambda: weights(scales=3.0), TypeError, "scales must be a pair .* got 3.0"),
        (lambda: weights(dtype="float16", scales=(1e-30, 1.0)), ValueError, "in float16; got"),
        (lambda: shapes(min_n=4, max_n=3), ValueError, "must leave a shape"),
        (lambda: shapes(min_n=3, max_d=3, rows_lt_cols=True), ValueError, "n ≤ d − 1"),
        (lambda: shapes(min_d=-1), ValueError, "min_d must be .* got -1"),
        (lambda: orthogonal(0), ValueError, "n must be .* got 0"),
        (lambda: cotangents([1.0, 2.0]), ValueError, r"V must be a finite matrix .* got shape \(2,\)"),
        (lambda: cotangents([[np.nan]]), ValueError, "V must be a finite matrix"),
        (lambda: cotangents([[1.0]], kinds=["tangent"]), ValueError, "kinds must be out of one_entry, ordinary"),
        (lambda: cotangents([[1.0]], dtype=float), ValueError, "dtype must be one of .*, by name"),
    ],
)
def test_arguments_are_judged_when_the_strategy_is_made(call, error, message):
    """A bad argument is an error at once that names it, what came and what would be right."""
    with pytest.raises(error, match=message):
        call()


def test_importing_the_strategies_does_not_import_torch():
    """The strategies serve users of any framework: NumPy and Hypothesis are all they load."""
    code = "import sys, wnverify.strategies; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
