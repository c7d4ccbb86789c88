"""Upper bounds on the empirical Rademacher complexity of SN_{c,o}: those of the paper, and sharper ones.

Sources: Theorem 1 and Remark 1 of Wen, Xu, Zheng, Yang and Wang; ``sharper`` is proved in docs/sharper-bound.md.
All bounds hold for every sample in [−1, 1]^{m1} and every width; ``sharper_on`` uses the sample itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.special import gammaln

from wnverify.oracles.ratio import gamma, unit_roundoff
from wnverify.theory.network import Matrix, NetworkClass, Vector

LogMoment = Callable[[Vector], Vector]
"""λ → log of an upper bound on E exp(λ X), for many λ at once."""
_STEP: Final = 0.05
"""Of the grid of log λ: a λ that far from the best one costs less than 0.1 %."""


def sizes(n: int, m1: int) -> None:
    """``ValueError`` unless both are whole numbers, at least 1."""
    for name, value in (("n", n), ("m1", m1)):
        if not (isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1):
            raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")


def theorem1_first(network: NetworkClass, n: int, m1: int) -> float:
    """o √((k+1) log 16 / n) (Σ_{ℓ=0}^k (cρ)^ℓ + (cρ)^k) + o (cρ)^k √(2 log(2 m1) / n)   (Theorem 1, first bound).

    With a c for each layer, (cρ)^ℓ becomes a_ℓ of ``NetworkClass.branches``.

    >>> round(theorem1_first(NetworkClass(1, 1.5), 12, 3), 4)
    3.5661
    """
    sizes(n, m1)
    a = network.branches()
    depth = math.sqrt((network.k + 1) * math.log(16) / n) * (math.fsum(a) + a[-1])
    return network.o * (depth + a[-1] * math.sqrt(2 * math.log(2 * m1) / n))


def theorem1_second(network: NetworkClass, n: int, m1: int) -> float:
    """o (cρ)^k (√((k+3) log 4) + √(2 log(2 m1))) / √n, for cρ ≥ 1   (Theorem 1, second bound).

    With a c for each layer the condition is that no a_ℓ exceeds a_k.  ``ValueError`` where it fails.

    >>> round(theorem1_second(NetworkClass(1, 1.5), 12, 3), 4)
    1.8394
    """
    sizes(n, m1)
    a = network.branches()
    if max(a) > a[-1]:
        raise ValueError(f"cρ ≥ 1 is a hypothesis of this bound (a_k largest); got a = {a}")
    root = math.sqrt((network.k + 3) * math.log(4)) + math.sqrt(2 * math.log(2 * m1))
    return network.o * a[-1] * root / math.sqrt(n)


def linear(network: NetworkClass, n: int, m1: int) -> float:
    """o √(2 log(2 (m1 + 1)) / n): Massart's lemma for k = 0, where the class is linear in (1, x)."""
    sizes(n, m1)
    if network.k:
        raise ValueError(f"k must be 0 for the linear class; got {network.k}")
    return network.o * math.sqrt(2 * math.log(2 * (m1 + 1)) / n)


def remark1_order(k: int, c_rho: float) -> float:
    """√k (1 − (cρ)^{k+1})/(1 − cρ) for cρ < 1, √k (cρ)^k otherwise   (Remark 1, the depth dependence)."""
    if c_rho < 1:
        return math.sqrt(k) * (1 - c_rho ** (k + 1)) / (1 - c_rho)
    return math.sqrt(k) * c_rho**k


def closed_form(network: NetworkClass, n: int, m1: int) -> float:
    """The sharper bound without an optimisation: the smaller of

        o √(2/n) (Σ_{j=0}^k a_j √((j+1) log 2) + a_k √(k log 2 + log(2 m1))),
        o max_j a_j √(2 ((k+1) log 2 + log(m1 + 2)) / n).

    The first is below Theorem 1's first bound by more than √2 on every bias term, the second below its second bound,
    whose two roots it draws together.  For cρ < 1 the first stays bounded in k: √k is not needed there.

    >>> round(closed_form(NetworkClass(1, 1.5), 12, 3), 4)
    1.0599
    """
    sizes(n, m1)
    a = network.branches()
    apart = math.fsum(each * math.sqrt((j + 1) * math.log(2)) for j, each in enumerate(a))
    apart += a[-1] * math.sqrt(network.k * math.log(2) + math.log(2 * m1))
    together = max(a) * math.sqrt((network.k + 1) * math.log(2) + math.log(m1 + 2))
    return min(network.o * math.sqrt(2 / n) * min(apart, together), network.range())


def sharper(network: NetworkClass, n: int, m1: int) -> float:
    """The bound of ``sharper_on`` at the worst sample, all |x_ij| = 1: depends on n and m1 alone."""
    sizes(n, m1)
    found = _partitioned(network, n, lambda t: math.log(m1) + _log_moment_of_signs(n, t), 1.0)
    return min(found, closed_form(network, n, m1))


def sharper_on(network: NetworkClass, X: Matrix) -> float:
    """The sharper bound at a sample:  (o/n) min Σ_G min_{λ>0} (1/λ) log Σ_{b∈G} 2^{j_b} E exp(λ a_b X_b).

    Branch j = 0..k is the bias j layers below the output, X = |Σ ε_i|, with the factor a_j; the last branch is the
    input, j = k, X = max_j |Σ_i ε_i x_ij|.  The outer minimum is over all ways to cut the branches, in this order, into
    consecutive groups G.  E exp(λ max_j |Σ_i ε_i x_ij|) ≤ Σ_j min(2 Π_i cosh(λ x_ij), E exp(λ max|x_ij| |Σ ε_i|)).
    Never above the range of the class, nor, on [−1, 1]^{m1}, above ``sharper``.
    """
    n, columns = len(X), np.abs(X.T)

    def data(t: Vector) -> Vector:
        worst = _log_moment_of_signs(n, t * float(columns.max()))
        return _log_sum_exp(np.array([np.minimum(math.log(2) + _log_cosh_sum(x, t), worst) for x in columns]))

    found = _partitioned(network, n, data, float(columns.max()))
    return min(found, sharper(network, n, len(columns))) if columns.max() <= 1 else found


def _partitioned(network: NetworkClass, n: int, data: LogMoment, largest: float) -> float:
    """The best cut by dynamic programming, λ from a grid: every λ gives a valid bound, a coarse grid is only loose.

    Branches without a factor (ρ = 0) carry nothing and are left out.
    """
    a = network.branches()
    bias: LogMoment = functools.partial(_log_moment_of_signs, n)
    every: list[tuple[int, float, LogMoment]] = [(j, each, bias) for j, each in enumerate(a)]
    branches = [branch for branch in [*every, (network.k, a[-1], data)] if branch[1] > 0]
    factors = [factor for _, factor, _ in branches]
    # The best λ of one branch is near √(2 (j + 1) log 2 / n)/a, and tends to 0 where j = 0.
    low, high = -math.log(max(factors) * math.sqrt(n)) - 12, -math.log(min(factors) * math.sqrt(n)) + 6
    lam = np.exp(np.arange(low, high, _STEP))
    logs = np.array([j * math.log(2) + moment(lam * factor) for j, factor, moment in branches])
    best = [0.0] * (len(branches) + 1)
    for start in range(len(branches) - 1, -1, -1):
        group = logs[start]
        choices = []
        for stop in range(start + 1, len(branches) + 1):
            group = group if stop == start + 1 else np.logaddexp(group, logs[stop - 1])
            # Rounding counts, as λ may be very small where X is nearly constant.
            rounding = gamma(n + 64, unit_roundoff("float64")) * (1 + n * math.log(n + 1) + np.abs(group))
            choices.append(float(((group + rounding) / lam).min()) + best[stop])
        best[start] = min(choices)
    return min(network.o * best[0] / n, network.range(largest))


def _log_moment_of_signs(n: int, t: Vector) -> Vector:
    """log E exp(t |Σ_{i=1}^n ε_i|), exactly: a sum over the binomial distribution."""
    count = np.arange(n + 1)
    weights = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1) - n * math.log(2)
    return _log_sum_exp(weights[:, None] + np.abs(n - 2 * count)[:, None] * t)


def _log_cosh_sum(column: Vector, t: Vector) -> Vector:
    """Σ_i log cosh(t x_i), without overflow."""
    z = column[:, None] * t
    return np.asarray((z + np.log1p(np.exp(-2 * z)) - math.log(2)).sum(axis=0), dtype=np.float64)


def _log_sum_exp(logs: Matrix) -> Vector:
    """log Σ exp over the first axis."""
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=0)), dtype=np.float64)
