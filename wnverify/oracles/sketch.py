"""What a few Gaussian probes say of ‖J‖_F, for every matrix J, with its probability.

Let e_1, …, e_K be independent Gaussian vectors and Q the mean of their ‖J e_k‖² / ‖J‖_F²: Q = Σ w_i χ²_K(i) / K with
independent χ²_K(i), w_i ≥ 0 and Σ w_i = 1.  Its tails are heaviest where J has rank one and a single weight is left:

    P(Q ≤ x) ≤ P(χ²_K ≤ K x)  for x ≤ 1,        P(Q ≥ x) ≤ P(χ²_K ≥ K x)  for x ≥ 1 + 2/K.

Proof.  Let F be the distribution function of Q, θ_i = 2 w_i / K and h the density of S = Q + θ_1 E_1 + θ_2 E_2 with
exponential E_i.  Then (∂F/∂θ_1 − ∂F/∂θ_2)(x) = (K/2) (θ_1 − θ_2) h'(x), as Laplace transforms show, and S is unimodal
(M. Yamazato, Ann. Probab. 6 (1978): sums of gamma variables are of class L).  Let h_i be the density of S + θ_i E, and
β_i = K/2, one more for i = 1, 2.  From h = h_i + θ_i h_i' and x h = Σ β_i θ_i h_i follows at the mode m, where h' = 0,
that the δ_i = 1 − h_i(m)/h(m) ≥ 0 have Σ β_i δ_i = 1, and m = Σ β_i θ_i (1 − δ_i) = 1 + θ_1 + θ_2 − Σ β_i θ_i δ_i.  So
m ≤ 1 + 2/K, and m ≥ 1 where θ_1 is the largest of all: moved onto the largest weight, every other raises F(x) for
x ≤ 1 and lowers it for x ≥ 1 + 2/K.

For K = 1 the first is false from x = 1 on: for 1 < x < 2 two unequal weights have the heavier lower tail (G. J. Székely
and N. K. Bakirov, Probab. Theory Relat. Fields 126 (2003), 184-202).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import gammaincinv, ndtri

MISS = 0.025
"""Probability with which each of the statements here is wrong."""


def smallest_of_largest(count: int, miss: float = MISS) -> float:
    """x with P(max of ``count`` |N(0,1)| < x) = ``miss``.

    >>> round(smallest_of_largest(8), 2)
    0.9
    """
    return float(ndtri((1 + miss ** (1.0 / _checked(count))) / 2))


def least_of_largest(count: int) -> float:
    """x ≤ 1 with P(max of ``count`` ‖J e_k‖ < x ‖J‖_F) ≤ ``MISS`` for every J.

    That of a J of rank one (``smallest_of_largest``) up to 9 probes, where it is still below 1, beyond which nothing is
    known of all J: 1 from 10 probes on.

    >>> round(least_of_largest(9), 2), least_of_largest(10)
    (0.96, 1.0)
    """
    return min(1.0, smallest_of_largest(count))


def of_mean_square(count: int) -> tuple[float, float]:
    """(a, b): (Σ ‖J e_k‖² / ``count``)^{1/2} is at least a ‖J‖_F, and at most b ‖J‖_F, for every J; each is wrong with
    probability ≤ ``MISS``.

    >>> [round(x, 2) for x in of_mean_square(8)]
    [0.52, 1.48]
    """
    half = _checked(count) / 2
    a, b = (math.sqrt(gammaincinv(half, share) / half) for share in (MISS, 1 - MISS))
    return a, b


def norm_between(sizes: Any, errors: Any) -> tuple[float, float]:
    """What ‖J‖_F is at least and at most, of ‖J e_k‖ known to within ``errors``; each is wrong as seldom.

    >>> norm_between([1.0] * 8, [0.0] * 8)[0] < 1 < norm_between([1.0] * 8, [0.0] * 8)[1]
    True
    """
    sizes, errors = np.asarray(sizes), np.asarray(errors)
    a, b = of_mean_square(len(sizes))
    least, most = np.maximum(sizes - errors, 0.0), sizes + errors
    return math.sqrt((least**2).mean()) / b, math.sqrt((most**2).mean()) / a


def _checked(count: int) -> int:
    if count < 1:
        raise ValueError(f"count must be at least 1; got {count}")
    return count
