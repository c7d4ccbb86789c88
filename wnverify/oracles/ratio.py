"""Error models and the ratio: the one currency of every numerical comparison.

    ratio = observed error / (scale × modelled relative error),      ratio ≤ 1 passes, in every dtype alike.

Sources of the models: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed. 2002, Lemma 3.1
(gamma_n); N. J. Higham and T. Mary, *A new approach to probabilistic rounding error analysis*, SIAM J. Sci.
Comput. 41 (2019), Theorem 2.4 (the √n form, which fails with probability at most 2 n exp(−λ²(1−u)²/2)).
No torch here: a dtype is its name.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

UNIT_ROUNDOFF: Final = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "tf32": 2.0**-11,
    "bfloat16": 2.0**-8,
    "float16": 2.0**-11,
}
SMALLEST_NORMAL: Final = {
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "tf32": 2.0**-126,
    "bfloat16": 2.0**-126,
    "float16": 2.0**-14,
}
LARGEST: Final = {"float64": 1.79e308, "float32": 3.40e38, "tf32": 3.40e38, "bfloat16": 3.38e38, "float16": 65504.0}
FALSE_ALARM_BUDGET: Final = 1e-9
"""Probability, for each comparison, that a sound implementation is accused."""


def unit_roundoff(dtype: str) -> float:
    """u of round to nearest: 2^-53, 2^-24, 2^-11, 2^-8, 2^-11 for float64, float32, tf32, bfloat16, float16.

    >>> unit_roundoff("float32") == 2.0**-24
    True
    """
    try:
        return UNIT_ROUNDOFF[dtype]
    except KeyError:
        raise ValueError(f"dtype must be one of {', '.join(UNIT_ROUNDOFF)}; got {dtype!r}") from None


def accumulation_roundoff(dtype: str) -> float:
    """Unit roundoff of the dtype in which a sound implementation sums: float32 for tf32 and the half precisions."""
    return min(unit_roundoff(dtype), UNIT_ROUNDOFF["float32"])


def gamma(n: int, u: float) -> float:
    """gamma_n = n u / (1 − n u), the worst case of n roundings; infinity from n u ≥ 1 on (Higham, Lemma 3.1)."""
    if n < 0:
        raise ValueError(f"n must be a number of operations, at least 0; got {n}")
    return n * u / (1 - n * u) if n * u < 1 else math.inf


def probabilistic_gamma(n: int, u: float, budget: float = FALSE_ALARM_BUDGET) -> float:
    """exp(λ √n u + n u²/(1−u)) − 1 with λ from 2 n exp(−λ²(1−u)²/2) = budget; never above gamma_n.

    Assumes that the n rounding errors are independent with mean zero (Higham and Mary 2019, Theorem 2.4).

    >>> probabilistic_gamma(10_000, 2.0**-24) < gamma(10_000, 2.0**-24) / 10
    True
    """
    if not 0 < budget < 1:
        raise ValueError(f"budget must be a probability between 0 and 1; got {budget}")
    if n <= 0:
        return gamma(n, u)
    lam = math.sqrt(2 * math.log(2 * n / budget)) / (1 - u)
    return min(gamma(n, u), math.expm1(lam * math.sqrt(n) * u + n * u * u / (1 - u)))


@dataclasses.dataclass(frozen=True, slots=True)
class ErrorModel:
    """A modelled relative error and, in words, how it was reached."""

    relative: float
    text: str

    def __add__(self, other: ErrorModel) -> ErrorModel:
        return ErrorModel(self.relative + other.relative, f"{self.text} + {other.text}")


def map_model(
    dtype: str,
    terms: int,
    *,
    condition: float = 1.0,
    roundings: int = 4,
    budget: float = FALSE_ALARM_BUDGET,
    accumulated: str | None = None,
) -> ErrorModel:
    """What a sound implementation of a map may lose: condition × (u + γ̃_terms(u_acc)) + roundings × u.

    ``condition`` is the map's local relative condition number in the norm in which the error is taken: perturbing
    the input by one rounding is the least that any algorithm does.  ``terms`` is the length of the longest
    reduction, summed in the dtype ``accumulated``, by default that of ``accumulation_roundoff``; ``roundings`` counts
    stored intermediate results.
    """
    if not condition >= 0:
        raise ValueError(f"condition must be a non-negative number; got {condition}")
    u, u_acc = unit_roundoff(dtype), accumulation_roundoff(accumulated or dtype)
    reduction = probabilistic_gamma(max(terms, 1), u_acc, budget)
    relative = condition * (u + reduction) + roundings * u
    text = f"condition {condition:.3g} × (u + γ̃_{terms}) + {roundings} u in {dtype}"
    if accumulated not in (None, dtype):
        text += f", summed in {accumulated}"
    return ErrorModel(relative, text)


@dataclasses.dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison; ``value`` ≤ 1 passes.  A non-finite error never passes."""

    error: float
    scale: float
    model: ErrorModel

    @property
    def value(self) -> float:
        if not math.isfinite(self.error):
            return math.inf
        if self.error == 0:
            return 0.0
        bound = self.scale * self.model.relative
        return self.error / bound if bound > 0 else math.inf

    @property
    def relative(self) -> float:
        """The observed relative error."""
        return 0.0 if self.error == 0 else self.error / self.scale if self.scale > 0 else math.inf


REFUTES_AT: Final = 10.0
"""A refutation is shrunk only while its ratio stays at or above this."""
REFUTES_FROM: Final = 2.0
"""Below this, and above 1, nothing is decided: the comparison is inconclusive."""
