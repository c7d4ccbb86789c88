"""Kinds of test matrices, many of one shape at once: prescribed spectra as LAPACK's generators have them, and entries.

``drawn(kind, count, n, d, seed)`` gives (count, n, d).  With k = min(n, d) and V = P diag(σ) Q, P and Q from the QR
factors of normal matrices, the kinds with a prescribed spectrum are (c the condition number, J. Demmel and A. McKenney,
*A test matrix generation suite*, LAPACK Working Note 9, 1989, modes 1 to 5 of xLATMS)

    one large               1, 1/c, …, 1/c
    one small               1, …, 1, 1/c
    geometric               c^(−i/(k−1))
    arithmetic              1 − (i/(k−1)) (1 − 1/c)
    log-uniform             c^(−t), t uniform on [0, 1], in descending order
    repeated                2, 2, 1, 1, ½, ½, …
    nearly equal            1 + i 2⁻³⁰ for the i-th from below
    rank deficient          1 for the first ⌊k/2⌋ (none where k = 1), 0 for the others

and those by their entries

    random                  standard normal
    near underflow          standard normal times 2^e, e a quarter of the dtype's range above its smallest normal number
    near overflow           standard normal times 2^e, e a quarter of the dtype's range below its largest number
    constant rows           one normal number a row; the rows of a centred weight are zero
    large mean              standard normal plus 10^t a row, t uniform on [1, 3]
    ties                    integers from −2 to 2
    graded rows             standard normal, the i-th row times c^(−i/(n−1))
    unlike rows             standard normal, each row times 10^t, t uniform on [−1, 1]

Every entry is a number of the dtype.  Rounding to it moves a singular value by no more than u ‖V‖_F (H. Weyl).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from wnverify.finding import seed_of
from wnverify.oracles.ratio import LARGEST, SMALLEST_NORMAL

Stack = NDArray[np.float64]
Entries = Callable[[int, int, int, np.random.Generator, float, str], Stack]


def singular_values(kind: str, count: int, k: int, seed: int, condition: float = 1e2) -> Stack:
    """The prescribed spectra (count, k), descending, of a kind that has one, else ``ValueError``; see ``drawn``."""
    if kind not in SPECTRA:
        raise ValueError(f"kind must be one of {', '.join(SPECTRA)}; got {kind!r}")
    return SPECTRA[kind](count, k, _random(kind, "spectrum", count, k, seed), _condition(condition))


def drawn(kind: str, count: int, n: int, d: int, seed: int, dtype: str = "float64", condition: float = 1e2) -> Stack:
    """``count`` matrices (n, d) of a kind, float64 values that ``dtype`` holds; the same for the same arguments.

    ``ValueError`` for an unknown kind, an empty shape, or a condition number below 1.

    >>> drawn("random", 5, 2, 3, seed=0).shape
    (5, 2, 3)
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if min(count, n, d) < 1:
        raise ValueError(f"count, n and d must be at least 1; got {(count, n, d)}")
    random = _random(kind, "entries", count, n, d, seed)
    if kind in SPECTRA:
        k = min(n, d)
        sigma = singular_values(kind, count, k, seed, condition)
        left, right = (_orthonormal(random, count, size, k) for size in (n, d))
        V = (left * sigma[:, None, :]) @ right.transpose(0, 2, 1)
    else:
        V = ENTRIES[kind](count, n, d, random, _condition(condition), dtype)
    return held(V, dtype)


def held(V: Stack, dtype: str) -> Stack:
    """The nearest values that the dtype holds, as float64."""
    return np.asarray(torch.tensor(V).to(getattr(torch, dtype)).double().numpy())


def _random(*parts: object) -> np.random.Generator:
    return np.random.default_rng(seed_of("drawn", *parts))


def _condition(condition: float) -> float:
    if not 1 <= condition < math.inf:
        raise ValueError(f"condition must be a finite number, at least 1; got {condition}")
    return float(condition)


def _orthonormal(random: np.random.Generator, count: int, size: int, k: int) -> Stack:
    return np.linalg.qr(random.standard_normal((count, size, k)))[0]


def _same(row: Any, count: int) -> Stack:
    return np.tile(np.asarray(row, dtype=np.float64), (count, 1))


def _steps(k: int) -> Stack:
    """0 … 1 in k values."""
    return np.linspace(0.0, 1.0, k)


def _one_large(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(np.r_[1.0, np.full(k - 1, 1 / c)], count)


def _one_small(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(np.r_[np.ones(k - 1), 1 / c] if k > 1 else np.ones(1), count)


def _geometric(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(c ** -_steps(k), count)


def _arithmetic(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(1 - _steps(k) * (1 - 1 / c), count)


def _log_uniform(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return np.sort(c ** -random.uniform(size=(count, k)))[:, ::-1]


def _repeated(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(2.0 ** (1 - np.arange(k) // 2), count)


def _nearly_equal(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same(1 + np.arange(k)[::-1] * 2.0**-30, count)


def _deficient(count: int, k: int, random: np.random.Generator, c: float) -> Stack:
    return _same((np.arange(k) < k // 2).astype(np.float64), count)


def _normal(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.standard_normal((count, n, d))


def _near_underflow(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return np.ldexp(random.standard_normal((count, n, d)), _exponents(dtype)[0])


def _near_overflow(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return np.ldexp(random.standard_normal((count, n, d)), _exponents(dtype)[1])


def _exponents(dtype: str) -> tuple[int, int]:
    low, high = math.frexp(SMALLEST_NORMAL[dtype])[1], math.frexp(LARGEST[dtype])[1]
    return low - low // 4, high - high // 4


def _constant_rows(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.standard_normal((count, n, 1)) * np.ones((1, 1, d))


def _large_mean(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.standard_normal((count, n, d)) + 10.0 ** random.uniform(1, 3, (count, n, 1))


def _ties(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.integers(-2, 3, (count, n, d)).astype(np.float64)


def _graded_rows(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.standard_normal((count, n, d)) * (c ** -_steps(n))[:, None]


def _unlike_rows(count: int, n: int, d: int, random: np.random.Generator, c: float, dtype: str) -> Stack:
    return random.standard_normal((count, n, d)) * 10.0 ** random.uniform(-1, 1, (count, n, 1))


SPECTRA: Final[dict[str, Callable[[int, int, np.random.Generator, float], Stack]]] = {
    "one large": _one_large,
    "one small": _one_small,
    "geometric": _geometric,
    "arithmetic": _arithmetic,
    "log-uniform": _log_uniform,
    "repeated": _repeated,
    "nearly equal": _nearly_equal,
    "rank deficient": _deficient,
}
ENTRIES: Final[dict[str, Entries]] = {
    "random": _normal,
    "near underflow": _near_underflow,
    "near overflow": _near_overflow,
    "constant rows": _constant_rows,
    "large mean": _large_mean,
    "ties": _ties,
    "graded rows": _graded_rows,
    "unlike rows": _unlike_rows,
}
KINDS: Final = (*SPECTRA, *ENTRIES)
