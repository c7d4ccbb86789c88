"""The bounds that Theorem 1 is compared with, and their ratios to it.

Those of the literature are for the class without biases in the hidden layers and in the output: the first entry of
every column of ``NetworkClass`` is 0; o, c_ℓ and ρ mean the same here.  A_k = ρ^k c_1 ⋯ c_k, |x_ij| ≤ 1.

A ReLU network with biases and c_ℓ ≥ 1 has an equal one without: a further input holds 1, and a further unit of each
hidden layer passes it on, max(1 · 1, 0) = 1, at the norm 1 ≤ c_ℓ.  So these bounds reach it with m1 + 1 inputs
(``with_carried_constant``).  For c_ℓ < 1, or tanh(1) < 1, the constant fades from layer to layer and this fails.

Bartlett (IEEE Trans. Inform. Theory 44, 1998) and Sun, Chen, Wang, Liu and Liu (AAAI 2016) peel layer by layer too,
each with a constant of its own, which is not evaluated here; ``peeling`` has that of the two lines that prove it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from wnverify.theory.bounds import sizes, theorem1_first, theorem1_second
from wnverify.theory.network import Matrix, NetworkClass

Bound = Callable[[NetworkClass, int, int], float]
"""(network, n, m1) → an upper bound on R̂_S."""


def neyshabur(network: NetworkClass, n: int, m1: int) -> float:
    """2^k o A_k √(4 log(2 m1) / n)   (ReLU, no biases).

    Neyshabur, Tomioka and Srebro, COLT 2015, Theorem 1 with p = 1, q = ∞, d = k + 1 layers, ‖x‖_∞ ≤ 1; the smaller of
    p* = ∞ and 4 log(2 m1) is the second.  ``ValueError`` for ρ ≠ 1: the theorem is for ReLU.

    >>> round(neyshabur(NetworkClass(1, 1.0), 1, 1), 4)
    3.3302
    """
    sizes(n, m1)
    _relu(network)
    return float(2.0**network.k * network.o * network.branches()[-1] * math.sqrt(4 * math.log(2 * m1) / n))


def golowich(network: NetworkClass, n: int, m1: int) -> float:
    """2 o A_k √((k + 2 + log m1) / n)   (σ(0) = 0, no biases): ``golowich_on`` with Σ_i x_ij² ≤ n.

    >>> golowich(NetworkClass(2, 1.0), 16, 1)
    1.0
    """
    sizes(n, m1)
    return 2 * network.o * network.branches()[-1] * math.sqrt((network.k + 2 + math.log(m1)) / n)


def golowich_on(network: NetworkClass, X: Matrix) -> float:
    """(2/n) o A_k √(d + 1 + log m1) √(max_j Σ_i x_ij²), d = k + 1   (σ(0) = 0, no biases).

    Golowich, Rakhlin and Shamir, COLT 2018, Theorem 2, for 1-Lipschitz σ; σ/ρ brings ρ into A_k.
    """
    n, m1 = X.shape
    return golowich(network, n, m1) * math.sqrt(float(np.square(X).sum(axis=0).max()) / n)


def peeling(network: NetworkClass, n: int, m1: int) -> float:
    """2^k o A_k √(2 log(2 m1) / n)   (σ(0) = 0, no biases).

    E sup |Σ ε_i σ(h(x_i))| ≤ 2 ρ E sup |Σ ε_i h(x_i)| in each hidden layer (Ledoux and Talagrand, Theorem 4.12), and an
    L1 ball multiplies by its radius; E max_j |Σ ε_i x_ij| ≤ √(2 n log(2 m1)) below (Massart).
    """
    sizes(n, m1)
    return float(2.0**network.k * network.o * network.branches()[-1] * math.sqrt(2 * math.log(2 * m1) / n))


def peeling_with_biases(network: NetworkClass, n: int, m1: int) -> float:
    """(o/√n) (Σ_{j=0}^{k-1} 2^j a_j + 2^k a_k √(2 log(2 (m1 + 1))))   (σ(0) = 0).

    As ``peeling``, with max(|Σ ε_i|, ·) ≤ |Σ ε_i| + · above the first layer and E|Σ ε_i| ≤ √n; in the first layer the
    constant counts as an input.  Bounded in k for 2 cρ < 1.
    """
    sizes(n, m1)
    a = network.branches()
    biases = math.fsum(2.0**j * each for j, each in enumerate(a[:-1]))
    return float(network.o * (biases + 2.0**network.k * a[-1] * math.sqrt(2 * math.log(2 * (m1 + 1)))) / math.sqrt(n))


def with_carried_constant(bound: Bound) -> Bound:
    """A bound for networks without biases, for ReLU networks with them: that of m1 + 1 inputs.

    What it returns raises ``ValueError`` for a c_ℓ < 1 and for ρ ≠ 1.
    """

    def carried(network: NetworkClass, n: int, m1: int) -> float:
        _relu(network)
        if min(network.c, default=1.0) < 1:
            raise ValueError(f"c must be at least 1 in every layer for a unit to pass a constant on; got {network.c}")
        return bound(network, n, m1 + 1)

    return carried


def theorem1(network: NetworkClass, n: int, m1: int) -> float:
    """The smaller of the bounds of Theorem 1 that apply."""
    a = network.branches()
    first = theorem1_first(network, n, m1)
    return first if max(a) > a[-1] else min(first, theorem1_second(network, n, m1))


def ratio_to_theorem1(bound: Bound, depths: Sequence[int], c: float, m1: int) -> list[float]:
    """bound / ``theorem1`` for k in ``depths``; n and o cancel.

    >>> [round(ratio, 2) for ratio in ratio_to_theorem1(neyshabur, (0, 1, 2, 3), 1.0, 1)]
    [0.52, 0.94, 1.75, 3.28]
    """
    networks = [NetworkClass(k, c) for k in depths]
    return [bound(network, 1, m1) / theorem1(network, 1, m1) for network in networks]


@dataclasses.dataclass(frozen=True, slots=True)
class Rival:
    """A bound, its source, and the class it holds for."""

    bound: Bound
    source: str
    biases: bool
    holds_for: str


RIVALS: Final = {
    "Neyshabur et al.": Rival(neyshabur, "COLT 2015, Theorem 1, p = 1, q = ∞", False, "ReLU, no biases"),
    "Golowich et al.": Rival(golowich, "COLT 2018, Theorem 2", False, "σ(0) = 0, no biases"),
    "peeling": Rival(peeling, "Ledoux and Talagrand 1991, Theorem 4.12", False, "σ(0) = 0, no biases"),
    "peeling with biases": Rival(peeling_with_biases, "as above, a bias in each layer", True, "σ(0) = 0"),
    "Neyshabur et al., carried constant": Rival(
        with_carried_constant(neyshabur), "the same with m1 + 1 inputs", True, "ReLU, c ≥ 1"
    ),
    "Golowich et al., carried constant": Rival(
        with_carried_constant(golowich), "the same with m1 + 1 inputs", True, "ReLU, c ≥ 1"
    ),
}


def _relu(network: NetworkClass) -> None:
    if network.rho != 1:
        raise ValueError(f"rho must be 1, as this bound is for ReLU; got {network.rho}")
