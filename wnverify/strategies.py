"""Weights that break things: Hypothesis strategies for weight matrices (n, d), one row an output unit.

``weights`` draws from named kinds of trouble (``KINDS``: name → what it promises), ``cotangents`` the directions that a
backward is asked for, ``shapes`` the sizes, ``orthogonal`` what turns one weight into an equivalent one.  Everything is
built from small integers and short decimals, so that a failing example shrinks to a small matrix of readable numbers.

    from hypothesis import given
    from wnverify.strategies import weights

    @given(V=weights(kinds=["large_mean", "near_equal_singular_values"]))
    def test_my_norm(V): ...

Arrays are float64 in NumPy; with ``dtype="float32"`` (``bfloat16``, ``float16``) every entry is a number of that
format, so that a conversion loses nothing.  What is promised "to rounding" is promised to the rounding of that format.

Longer than other files because it is a table: twenty kinds, each a few lines that build it and a sentence of promise.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class _Format(NamedTuple):
    digits: int
    smallest: float
    largest: float
    mean: int
    gap: int
    step: int


_FORMATS: Final = {
    # Bits of the significand, smallest normal and largest number; what the format can still hold: decades of the mean
    # above the spread and of a gap below the singular values, parts of one in numbers up to 9.
    "float64": _Format(53, 2.0**-1022, 1.79e308, 6, 14, 100),
    "float32": _Format(24, 2.0**-126, 3.40e38, 6, 6, 100),
    "bfloat16": _Format(8, 2.0**-126, 3.38e38, 1, 3, 4),
    "float16": _Format(11, 2.0**-14, 65504.0, 2, 3, 4),
}
LARGEST_SIZE: Final = 1024
"""The most entries n d of a matrix: more cannot be shrunk to anything that helps."""
ORDINARY_CONDITION: Final = 1e3
"""Bound of σ_1 / σ_r for an ordinary matrix V (r = min(n, d)) and for V with its rows centred (r = min(n, d − 1))."""


class _Options(NamedTuple):
    dtype: str
    decades: tuple[int, int]


class _Kind(NamedTuple):
    build: Callable[[st.DrawFn, int, int, _Options], Matrix]
    fits: Callable[[int, int], bool]
    needs: str
    promise: str


_REGISTER: Final[dict[str, _Kind]] = {}


def _kind(needs: str = "any shape", fits: Callable[[int, int], bool] = lambda n, d: True) -> Callable[[Any], Any]:
    """Register a builder, under its name, for the shapes that ``fits`` accepts and ``needs`` puts into words."""

    def register(build: Any) -> Any:
        name = build.__name__.removeprefix("_")
        _REGISTER[name] = _Kind(build, fits, needs, inspect.cleandoc(build.__doc__))
        return build

    return register


def shapes(
    *, min_n: int = 1, max_n: int = 6, min_d: int = 1, max_d: int = 12, rows_lt_cols: bool = False
) -> st.SearchStrategy[tuple[int, int]]:
    """Shapes (n, d), min_n ≤ n ≤ max_n, min_d ≤ d ≤ max_d, with n ≤ d − 1 where ``rows_lt_cols``; small ones first.

    ``TypeError`` or ``ValueError`` names a bound that is no positive integer, or bounds that leave no shape.
    """
    n = range(_size(min_n, "min_n"), _size(max_n, "max_n") + 1)
    d = range(_size(min_d, "min_d"), _size(max_d, "max_d") + 1)
    return _shape(_shapes(n, d, rows_lt_cols))


def weights(
    n: int | None = None,
    d: int | None = None,
    *,
    kinds: Iterable[str] | None = None,
    dtype: str = "float64",
    scales: tuple[float, float] | None = None,
    max_n: int = 6,
    max_d: int = 12,
    rows_lt_cols: bool = False,
) -> st.SearchStrategy[Matrix]:
    """Weight matrices (n, d), float64, of the named kinds; ``KINDS`` says what each promises.

    ``n``, ``d``: fixed sizes, or None to draw them up to ``max_n``, ``max_d``, with n ≤ d − 1 where ``rows_lt_cols``.
    ``kinds``: names out of ``KINDS``; examples shrink towards the first; None: every kind that has such a shape.
    ``dtype``: float64, float32, bfloat16 or float16, whose numbers the entries are.  ``scales``: the powers of ten that
    ``scaled`` and ``scaled_rows`` multiply with, from the first to the second; None: 1e-30 to 1e30, or what the format
    allows.

    A ``ValueError`` or ``TypeError`` names the argument: an unknown kind or dtype, a size below 1, scales that hold no
    power of ten or leave the format, a kind that has no matrix of the asked shape, n d above 1024.

    >>> from hypothesis import find, settings
    >>> repeatable = settings(database=None, derandomize=True)
    >>> find(weights(kinds=["ordinary"]), lambda V: abs(V).max() > 4.5, settings=repeatable)
    array([[5.]])
    """
    rows = range(1, _size(max_n, "max_n") + 1) if n is None else [_size(n, "n")]
    columns = range(1, _size(max_d, "max_d") + 1) if d is None else [_size(d, "d")]
    options = _Options(_dtype(dtype), _decades(scales, dtype))
    asked = _shapes(rows, columns, rows_lt_cols)
    allowed = {}
    for name in _names(kinds, _REGISTER):
        allowed[name] = [shape for shape in asked if _REGISTER[name].fits(*shape)]
        if kinds is not None and not allowed[name]:
            raise ValueError(f"kinds: {name!r} needs {_REGISTER[name].needs}; got n = {n}, d = {d}, up to {asked[-1]}")
    return _weights({name: fitting for name, fitting in allowed.items() if fitting}, options)


def cotangents(V: Any, *, kinds: Iterable[str] | None = None, dtype: str = "float64") -> st.SearchStrategy[Matrix]:
    """Nonzero cotangents of the shape of ``V`` (n, d), float64, entries at most 9 in size.

    ``kinds`` out of ``COTANGENTS``: ``one_entry``, ``ordinary`` (short decimals), ``one_row``, ``all_ones`` (the null
    space of whatever centres rows) and ``radial`` (along V, the null space of whatever normalises; left out where V is
    zero); None: all.  ``dtype`` as in ``weights``.  ``ValueError`` for a V that is no finite matrix, an unknown kind or
    dtype.
    """
    V = np.asarray(V, dtype=np.float64)
    if V.ndim != 2 or 0 in V.shape or not np.isfinite(V).all():
        raise ValueError(f"V must be a finite matrix (n, d), n, d ≥ 1; got shape {V.shape}")
    names = _names(kinds, COTANGENTS)
    if not V.any():
        names = [name for name in names if name != "radial"]
        if not names:
            raise ValueError("kinds must hold more than 'radial' where V is zero; got ['radial']")
    return _cotangents(V, names, _dtype(dtype))


def orthogonal(n: int) -> st.SearchStrategy[Matrix]:
    """Orthogonal matrices (n, n) to rounding: products of n reflections in integer vectors, shrinking to the identity.

    ``TypeError`` or ``ValueError`` for an n that is no positive integer.
    """
    return _orthogonal(_size(n, "n"))


@_kind()
def _ordinary(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Short decimals, well conditioned: V and V with centred rows have the full rank that (n, d) allows and condition
    numbers up to 1000; no row is zero, nor constant where d ≥ 2."""
    V: Matrix = draw(_numbers(n, d, options.dtype))
    # Not a filter: that would draw again and hide from the shrinker which entries the next smaller shape needs.
    assume(_well_conditioned(V))
    return V


@_kind()
def _small_integers(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Integers from −9 to 9, exact in every format; no row is zero, nor constant where d ≥ 2; the rank is free."""
    return _no_trivial_row(_integers(draw, n, d, 9))


@_kind()
def _short_decimals(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Numbers from −9 to 9 with two decimals (bfloat16, float16: quarters); no row is zero, nor constant where d ≥ 2;
    the rank is free."""
    step = _FORMATS[options.dtype].step
    return _no_trivial_row(_integers(draw, n, d, 9 * step) / step)


_REGISTER.update(
    one_row=_Kind(_ordinary, lambda n, d: n == 1, "n = 1", "Ordinary with n = 1."),
    two_rows=_Kind(_ordinary, lambda n, d: n == 2, "n = 2", "Ordinary with n = 2."),
    one_column=_Kind(_ordinary, lambda n, d: d == 1, "d = 1", "Ordinary with d = 1: every row is constant."),
    two_columns=_Kind(_ordinary, lambda n, d: d == 2, "d = 2", "Ordinary with d = 2: rows centre to c (1, −1)."),
    tall=_Kind(_ordinary, lambda n, d: n > d, "n > d", "Ordinary with n > d: its rows cannot be orthonormal."),
)


@_kind("d ≥ 2 and n ≤ d", lambda n, d: d > 1 and n <= d)
def _diagonal(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Zero but for v_ii, integers from 1 to 9 with either sign."""
    size, sign = _integers(draw, 1, n, 8)[0], _integers(draw, 1, n, 1)[0]
    V = np.zeros((n, d))
    V[np.arange(n), np.arange(n)] = np.where(sign < 0, -1, 1) * (1 + np.abs(size))
    return V


@_kind()
def _zero_row(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Ordinary but for one or more rows that are exactly zero."""
    some = _some(draw, n)
    return np.asarray(np.where(some, 0.0, _ordinary(draw, n, d, options)))


@_kind("d ≥ 2", lambda n, d: d > 1)
def _constant_row(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Ordinary but for one or more rows whose entries are all the same nonzero number."""
    some, level = _some(draw, n), 1 + np.abs(_integers(draw, n, 1, 8))
    return np.asarray(np.where(some, level / 4, _ordinary(draw, n, d, options)))


@_kind("n, d ≥ 2", lambda n, d: min(n, d) > 1)
def _rank_deficient(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Integers up to max(3 n, 3 d), whose last row (for n > d last column) is a sum and difference of others: the rank
    is below min(n, d) exactly, centred or not."""
    r = min(n, d) - 1
    base, c = _no_trivial_row(_integers(draw, r, max(n, d), 3)), _integers(draw, 1, r, 1)
    if not c.any():
        c[0, 0] = 1.0
    V = np.vstack([base, c @ base])
    return V if n <= d else V.T


@_kind("d ≥ 2", lambda n, d: d > 1)
def _large_mean(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Rows whose |mean| is 10 to 10⁶ times the largest deviation from it, to rounding (bfloat16: 10, float16: 100)."""
    B = _ordinary(draw, n, d, options)
    B = B - B.mean(axis=1, keepdims=True)
    decades = draw(st.lists(st.integers(1, _FORMATS[options.dtype].mean), min_size=n, max_size=n))
    level = 10.0 ** np.array(decades)[:, None] * np.abs(B).max(axis=1, keepdims=True)
    return np.asarray(B + np.where(_integers(draw, n, 1, 1) < 0, -level, level))


@_kind("n, d ≥ 2", lambda n, d: min(n, d) > 1)
def _equal_singular_values(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """At least two singular values equal to rounding, all of them between 1 and 9; for n < d the rows have zero mean,
    so that this holds of the centred matrix too."""
    sigma = 1.0 + np.abs(_integers(draw, 1, min(n, d), 8)[0])
    sigma[1] = sigma[0]
    return _with_singular_values(draw, n, d, sigma)


@_kind("n, d ≥ 2", lambda n, d: min(n, d) > 1)
def _near_equal_singular_values(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Two singular values with a relative gap of 1e-3 to 1e-14 (float32: 1e-6; bfloat16, float16: 1e-3), all others
    different integers from 1 to max(9, n, d); for n < d the rows have zero mean, so that this holds of the centred
    matrix too."""
    r = min(n, d)
    values = draw(st.lists(st.integers(1, max(9, r)), min_size=r - 1, max_size=r - 1, unique=True))
    gap = 10.0 ** -draw(st.integers(3, _FORMATS[options.dtype].gap))
    return _with_singular_values(draw, n, d, np.array([values[0] * (1 + gap), *map(float, values)]))


@_kind("n ≤ d", lambda n, d: n <= d)
def _orthonormal_rows(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """V Vᵀ = I to rounding."""
    V: Matrix = draw(orthogonal(d))[:n]
    return V


@_kind("n ≤ d − 1", lambda n, d: n < d)
def _centred_orthonormal_rows(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """V Vᵀ = I and V 1 = 0 to rounding: already what an orthogonal weight with centred rows has to be."""
    return _frame(draw, n, d)


@_kind("d ≥ 2", lambda n, d: d > 1)
def _centred_unit_rows(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Every row of zero mean and unit norm to rounding: already centred and normalised."""
    V = _ordinary(draw, n, d, options)
    V = V - V.mean(axis=1, keepdims=True)
    return np.asarray(V / np.linalg.norm(V, axis=1, keepdims=True))


@_kind()
def _scaled(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Ordinary times one power of ten out of ``scales``."""
    return np.asarray(_ordinary(draw, n, d, options) * _power_of_ten(draw, options))


@_kind()
def _scaled_rows(draw: st.DrawFn, n: int, d: int, options: _Options) -> Matrix:
    """Ordinary with every row times its own power of ten out of ``scales``."""
    V = _ordinary(draw, n, d, options)
    scale = np.array([[_power_of_ten(draw, options)] for _ in range(n)])
    return np.asarray(V * scale)


KINDS: Final = {name: kind.promise for name, kind in _REGISTER.items()}
"""Every kind of weight and what it promises."""
COTANGENTS: Final = ("one_entry", "ordinary", "one_row", "all_ones", "radial")
"""Every kind of cotangent."""


@st.composite
def _shape(draw: st.DrawFn, allowed: list[tuple[int, int]]) -> tuple[int, int]:
    # One number after the other, so that shrinking can leave out a single row or column.
    n = draw(st.sampled_from(sorted({n for n, _ in allowed})))
    return n, draw(st.sampled_from(sorted(d for k, d in allowed if k == n)))


@st.composite
def _weights(draw: st.DrawFn, allowed: dict[str, list[tuple[int, int]]], options: _Options) -> Matrix:
    name = draw(st.sampled_from(list(allowed)))
    n, d = draw(_shape(allowed[name]))
    return _representable(_REGISTER[name].build(draw, n, d, options), options.dtype)


@st.composite
def _cotangents(draw: st.DrawFn, V: Matrix, names: list[str], dtype: str) -> Matrix:
    name = draw(st.sampled_from(names))
    if name == "radial":
        A = V * 2.0 ** -np.frexp(np.abs(V).max())[1]
    elif name == "all_ones":
        A = np.ones(V.shape)
    elif name == "one_entry":
        A = np.zeros(V.shape)
        A[draw(st.integers(0, V.shape[0] - 1)), draw(st.integers(0, V.shape[1] - 1))] = 1.0
    else:
        A = draw(_numbers(V.shape[0], V.shape[1], dtype))
        assume(A.any())
        if name == "one_row":
            i = draw(st.sampled_from([int(k) for k in np.flatnonzero(A.any(axis=1))]))
            A *= (np.arange(len(A)) == i)[:, None]
    return _representable(A, dtype)


@st.composite
def _orthogonal(draw: st.DrawFn, n: int) -> Matrix:
    Q = np.eye(n)
    for _ in range(n):
        v = _integers(draw, 1, n, 3)[0]
        if v.any():
            Q -= np.outer(Q @ v, v) * (2 / (v @ v))
    return Q


@st.composite
def _numbers(draw: st.DrawFn, n: int, d: int, dtype: str) -> Matrix:
    """Integers, or short decimals, from −9 to 9."""
    decimals, step = draw(st.booleans()), _FORMATS[dtype].step
    V = _integers(draw, n, d, 9 * step) / step
    return V if decimals else np.rint(V)


def _integers(draw: st.DrawFn, n: int, d: int, largest: int) -> Matrix:
    row = st.lists(st.integers(-largest, largest), min_size=d, max_size=d)
    return np.array([draw(row) for _ in range(n)], dtype=np.float64).reshape(n, d)


def _some(draw: st.DrawFn, n: int) -> NDArray[np.bool_]:
    """A column that marks one row or more."""
    marks = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    marks[draw(st.integers(0, n - 1))] = True
    return marks[:, None]


def _power_of_ten(draw: st.DrawFn, options: _Options) -> float:
    return float(f"1e{draw(st.integers(*options.decades))}")


def _no_trivial_row(V: Matrix) -> Matrix:
    """V, with 1 added to the first entry of every row that is zero or, for d ≥ 2, constant."""
    trivial = V.max(axis=1) == V.min(axis=1) if V.shape[1] > 1 else ~V.any(axis=1)
    return V + np.outer(trivial, np.eye(V.shape[1])[0])


def _well_conditioned(V: Matrix) -> bool:
    n, d = V.shape
    centred = V - V.mean(axis=1, keepdims=True)
    for X, r in ((V, min(n, d)), (centred, min(n, d - 1))):
        sigma = np.linalg.svd(X, compute_uv=False)
        if r and not sigma[0] <= ORDINARY_CONDITION * sigma[r - 1]:
            return False
        if (X is V or d > 1) and not np.linalg.norm(X, axis=1).min() > 1e-3:
            return False
    return True


def _frame(draw: st.DrawFn, n: int, d: int) -> Matrix:
    """n ≤ d − 1 orthonormal rows of zero mean: rotated rows of the Helmert matrix, whose other row is constant."""
    k = np.arange(1, d)[:, None]
    columns = np.arange(d)[None, :]
    helmert = np.where(columns < k, 1.0, np.where(columns == k, -k, 0.0)) / np.sqrt(k * (k + 1))
    return np.asarray((draw(orthogonal(d - 1)) @ helmert)[:n])


def _with_singular_values(draw: st.DrawFn, n: int, d: int, sigma: Matrix) -> Matrix:
    r = len(sigma)
    right = _frame(draw, n, d) if n < d else draw(orthogonal(d))[:r]
    return np.asarray(draw(orthogonal(n))[:, :r] @ (sigma[:, None] * right))


def _representable(V: Matrix, dtype: str) -> Matrix:
    """V rounded to the format, what lies below its smallest normal number to zero; no negative zeros."""
    digits, smallest = _FORMATS[dtype].digits, _FORMATS[dtype].smallest
    significand, exponent = np.frexp(V)
    rounded = np.ldexp(np.rint(np.ldexp(significand, digits)), exponent - digits)
    return np.where(np.abs(rounded) < smallest, 0.0, rounded) + 0.0


def _size(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer of at least 1; got {value!r} of type {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value}")
    return int(value)


def _shapes(n: Iterable[int], d: Iterable[int], rows_lt_cols: bool) -> list[tuple[int, int]]:
    """All of them; a ``ValueError`` where there are none or too many."""
    n, d = list(n), list(d)
    if n and d and n[-1] * d[-1] > LARGEST_SIZE:
        raise ValueError(f"n d must be at most {LARGEST_SIZE}, more cannot be shrunk; got n = {n[-1]}, d = {d[-1]}")
    pairs = [(i, j) for i in n for j in d if i < j or not rows_lt_cols]
    if not pairs:
        raise ValueError(
            "bounds of n and d must leave a shape" + " with n ≤ d − 1" * rows_lt_cols + f"; got n in {n}, d in {d}"
        )
    return pairs


def _dtype(dtype: str) -> str:
    if not isinstance(dtype, str) or dtype not in _FORMATS:
        raise ValueError(f"dtype must be one of {', '.join(_FORMATS)}, by name; got {dtype!r}")
    return dtype


def _names(kinds: Iterable[str] | None, known: Iterable[str]) -> list[str]:
    if isinstance(kinds, str):
        raise TypeError(f"kinds must be a collection of names, as in [{kinds!r}]; got the string {kinds!r}")
    known = list(known)
    names = known if kinds is None else list(dict.fromkeys(kinds))
    if not names or not set(names) <= set(known):
        raise ValueError(f"kinds must be out of {', '.join(known)}, at least one, or None for all; got {names}")
    return names


def _decades(scales: Any, dtype: str) -> tuple[int, int]:
    """The exponents of ten within ``scales``, where entries from 0.01 to 9 times that power stay normal numbers."""
    # Two decades on either side leave room for the smallest and the largest entry.
    lowest, highest = 100 * _FORMATS[dtype].smallest, _FORMATS[dtype].largest / 100
    if scales is None:
        scales = max(1e-30, lowest), min(1e30, highest)
    if not isinstance(scales, tuple | list) or len(scales) != 2:
        raise TypeError(f"scales must be a pair (low, high) of numbers, or None; got {scales!r}")
    low, high = (float(x) for x in scales)
    if not lowest <= low <= high <= highest:
        raise ValueError(
            f"scales must be (low, high) with {lowest:.3g} ≤ low ≤ high ≤ {highest:.3g} in {dtype}; got {scales}"
        )
    decades = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if decades[0] > decades[1]:
        raise ValueError(f"scales must hold a power of ten; got {scales}")
    return decades
