"""Generalization bounds of Theorems 2 and 3, with explicit constants, and how large they are at given sizes.

    Theorem 2 (regression):  |E_L − Ê_L| ≤ B √((log(2/δ) + 2 log(t + 2)) / (2n)) + 2 λ R(t + 1),   t = ‖T_{k+1}‖_1,

with probability at least 1 − δ for all networks at once, where R(o) bounds the Rademacher complexity of SN_{c,o}, the
loss is λ-Lipschitz in f and its values lie in an interval of length B.  It is McDiarmid's inequality with differences
B/n for both signs, symmetrisation, Talagrand's contraction, and a union over o = 1, 2, … with the shares δ/(o(o+1)).
Printed are B = λ = 1 and Theorem 1's second bound; |L| ≤ 1 alone, for losses of both signs, makes B = 2.

Source: secs. 3.2 and 3.3 of Wen, Xu, Zheng, Yang and Wang.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from wnverify.theory.bounds import theorem1_second
from wnverify.theory.network import NetworkClass, checked_data

ComplexityBound = Callable[[NetworkClass, int, int], float]
"""(class, n, m1) → an upper bound on its Rademacher complexity: one of those in ``theory.bounds``."""
Loss = Callable[[float, float], float]
"""(f(x), y) → L."""
LARGEST_N = 1 << 200


def regression(
    n: int,
    m1: int,
    k: int,
    c: float | Sequence[float],
    output_norm: float,
    delta: float,
    *,
    rho: float = 1.0,
    complexity: ComplexityBound = theorem1_second,
    lipschitz: float = 1.0,
    width: float = 1.0,
) -> float:
    """The right-hand side of eq. 3.1, or of a variant: B = ``width``, λ = ``lipschitz``, R = ``complexity``.

    As printed by default.  |L| ≤ 1 for losses of both signs: width=2.  Remark 4: lipschitz=B0, width=B0 (2 B0 for both
    signs).  cρ < 1: complexity=theorem1_first.  The lab's own: complexity=closed_form or sharper.  ``c`` may be one
    number for each hidden layer.  ``ValueError`` for n, m1, k, c, rho, delta, output_norm, lipschitz or width out of
    range, and where ``complexity`` does not hold for this class (cρ < 1 with the second bound).

    >>> round(regression(500, 1000, 1, 1.0, 0.0, 0.05), 4)
    0.6306
    """
    _probability(delta)
    _at_least_0(output_norm=output_norm, lipschitz=lipschitz, width=width)
    rademacher = complexity(NetworkClass(k, c, output_norm + 1.0, rho), n, m1)
    confidence = math.log(2 / delta) + 2 * math.log(output_norm + 2)
    return width * math.sqrt(confidence / (2 * n)) + 2 * lipschitz * rademacher


def cross_entropy(
    n: int,
    m1: int,
    k: int,
    c: float | Sequence[float],
    columns: Sequence[float],
    delta: float,
    *,
    rho: float = 1.0,
    complexity: ComplexityBound = theorem1_second,
    fixed: bool = False,
) -> float:
    """|E − Ê| ≤ B √(log(2/δ') / (2n)) + 4 Σ_j R(o_j) for the cross-entropy, with probability at least 1 − δ.

    Theorem 3 with its constants.  ``columns`` are the L1 norms of the m2 ≥ 2 columns of Ṽ_{k+1}.  ``fixed``: they are
    limits o_j > 0 chosen before the sample was seen, and δ' = δ.  Otherwise they are those of the trained network,
    o_j = max(1, ⌈‖Ṽ_{k+1}[·, j]‖_1⌉) and δ' = δ Π_j 1/(o_j (o_j + 1)), a union over all whole o_j.

    B is the length of the loss' range (``cross_entropy_range``).  The gradient p − e_y of the loss has a length of at
    most √2, so that Maurer's vector contraction (ALT 2016, Corollary 4) gives √2 √2 Σ_j R(o_j), and symmetrisation
    twice that.  No factor √m2.  ``ValueError`` as in ``regression``, and for fewer than two columns.
    """
    _probability(delta)
    norms = [float(each) for each in columns]
    if len(norms) < 2:
        raise ValueError(f"columns must hold the norms of m2 ≥ 2 columns; got {len(norms)}")
    _at_least_0(**{f"columns[{j}]": each for j, each in enumerate(norms)})
    limits = norms if fixed else [float(max(1, math.ceil(each))) for each in norms]
    share = 0.0 if fixed else math.fsum(math.log(each * (each + 1)) for each in limits)
    classes = [NetworkClass(k, c, each, rho) for each in limits]
    width = cross_entropy_range(max(each.range() for each in classes), len(norms))
    rademacher = math.fsum(complexity(each, n, m1) for each in classes)
    return width * math.sqrt((math.log(2 / delta) + share) / (2 * n)) + 4 * rademacher


def cross_entropy_range(F: float, classes: int) -> float:
    """log((1 + (m − 1) e^{2F}) / (1 + (m − 1) e^{−2F})), the length of the loss' range for |f_j| ≤ F and m classes.

    2F for two classes, below 4F for all; both ends are attained at |f_j| = F.

    >>> cross_entropy_range(1.0, 2)
    2.0
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2; got {classes!r}")
    others = math.log(classes - 1)
    return float(np.logaddexp(0.0, others + 2 * F) - np.logaddexp(0.0, others - 2 * F))


def theorem3_order(n: int, m1: int, k: int, c_rho: float, columns: Sequence[float], delta: float) -> float:
    """The right-hand side of eq. 3.2 without its constant, the quotient of norms multiplied out:

        (cρ)^k / √n · (‖T‖_{1,∞} √log(1/δ) + ‖T‖_{1,1} √m2 (√k + √log m1)).

    Fixed by it: the orders in n, δ, T, m2, k, m1.  Left open: the constant, so that no number follows from it.  At k
    = 0, m1 = 1 the second term is 0, and the statement false for every constant.
    """
    _probability(delta)
    largest, total = max(columns), math.fsum(columns)
    depth = math.sqrt(len(columns)) * (math.sqrt(k) + math.sqrt(math.log(m1)))
    return c_rho**k / math.sqrt(n) * (largest * math.sqrt(math.log(1 / delta)) + total * depth)


@dataclasses.dataclass(frozen=True, slots=True)
class Vacuity:
    """A bound against the range of the loss: from the range on it says nothing that was not known."""

    bound: float
    width: float
    n: int
    enough: int
    """The smallest sample size at which the bound is below the range."""

    @property
    def vacuous(self) -> bool:
        return self.bound >= self.width


def vacuous(bound: Callable[[int], float], n: int, width: float = 1.0) -> Vacuity:
    """How large ``bound(n)`` is against ``width``, and the n from which it is below.

    ``bound`` must not grow with n.  ``ValueError`` where it is not below at n = 2²⁰⁰.

    >>> vacuous(lambda n: regression(n, 1000, 1, 10.0, 1.0, 0.05), 500).enough
    63437
    """
    if not width > 0:
        raise ValueError(f"width must be the length of the loss' range, > 0; got {width!r}")
    high = 1
    while bound(high) >= width:
        high *= 2
        if high > LARGEST_N:
            raise ValueError(f"bound must fall below {width} for some n; at n = 2**200 it is {bound(high)}")
    low = high // 2  # not enough (or 0)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound(middle) >= width else (low, middle)
    return Vacuity(bound(n), width, n, high)


@dataclasses.dataclass(frozen=True, slots=True)
class Hypothesis:
    """One hypothesis of Theorem 2 on the data at hand, with the figure that decided it."""

    name: str
    holds: bool
    figure: float
    limit: float


def hypotheses(
    X: ArrayLike, y: ArrayLike, loss: Loss, c: float, rho: float, outputs: Sequence[float]
) -> tuple[Hypothesis, ...]:
    """Which hypotheses of Theorem 2 hold on (X, y): x in the cube, cρ ≥ 1, and (A3) with the condition that it lacks.

    The loss is looked at on ``outputs``, values of f from the range of interest, with every y: its largest |L|, the
    length of its range (the proof needs 1) and its steepest chord.  Chords of neighbouring outputs are enough, as no
    other is steeper.  A violation is certain; that none was found speaks of these points only.

    ``ValueError`` for bad X, y of another length, non-finite y, or fewer than two different outputs.
    """
    data = checked_data(X, cube=False)
    targets = np.asarray(y, dtype=np.float64)
    if targets.shape != (len(data),) or not np.all(np.isfinite(targets)):
        raise ValueError(
            f"y must hold one finite number for each of the {len(data)} samples; got shape {targets.shape}"
        )
    points = sorted({float(each) for each in outputs})
    if len(points) < 2:
        raise ValueError(f"outputs must hold two different values of f at least; got {len(points)}")
    L = np.array([[loss(f, float(each)) for f in points] for each in np.unique(targets)])
    slope = float(np.max(np.abs(np.diff(L, axis=1)) / np.diff(points)))
    largest = float(np.abs(data).max())
    return (
        Hypothesis("x in the cube: max |x_ij|", largest <= 1, largest, 1.0),
        Hypothesis("cρ at least 1", c * rho >= 1, c * rho, 1.0),
        _at_most_1("|L| at most 1", float(np.abs(L).max())),
        _at_most_1("values of L in an interval of length 1", float(L.max() - L.min())),
        _at_most_1(
            "L 1-Lipschitz in f: steepest chord", slope, roundings=4 * float(np.abs(L).max() / np.diff(points).min())
        ),
    )


def _at_most_1(name: str, figure: float, roundings: float = 0.0) -> Hypothesis:
    """Holds up to what rounding the two values of a chord can do to its slope."""
    return Hypothesis(name, figure <= 1 + (4 + roundings) * 2.0**-53, figure, 1.0)


def _probability(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta must be a probability between 0 and 1; got {delta!r}")


def _at_least_0(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0; got {value!r}")
