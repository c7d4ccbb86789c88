"""Steps of a proof of Theorem 3 for all T at once, each measured on its own.

That one constant serves all T at once: divide by ‖T‖_{1,∞}.  For a scale s > 0 and outputs |z_j| ≤ F the divided loss
g_s(z) = (log Σ e^{s z_j} − log m2)/s − z_y grows in s, from the mean of z to its maximum (less z_y), at the rate KL(p,
uniform)/s in log s, p = softmax(s z).  The rate is at most min(s² F²/2, log m2)/s, so that |g_s − g_r| ≤ |φ(s) − φ(r)|
with a function φ that grows by √(2 log m2) F in all.  With normal variables for the signs (at the price of √(π/2), and
with the same exponential moments as Theorem 1 needs) the Sudakov–Fernique inequality bounds the process over scales
and networks by 2 Σ_ij ξ_ij f_j(x_i) + √(2n) φ(s) ξ: one normal ξ for all scales adds F √(2 n log m2/π).  The quotients
‖T‖_{1,1}/‖T‖_{1,∞} from 1 to m2 are taken in doublings, the i-th with a share of δ of order 1/i².  Where k ≥ 1 or m1 ≥
2 the second term of eq. 3.2 is of the order of all that.
"""

from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, seed_of
from wnverify.papers.claims import Part, said
from wnverify.papers.l1inf import right_side
from wnverify.papers.l1inf.right_side import ball
from wnverify.papers.l1inf.theorem3_laws import CONSTANT, Order


@functools.cache
def steps() -> list[Part]:
    """The range of the loss, its slope, and the contraction of a vector-valued class."""
    import sympy

    p, q, F = sympy.symbols("p q F", positive=True)
    # Three classes, y the third: p − e_y has the entries p, q, −(p + q).
    square = sympy.expand(2 * (p + q) ** 2 - (p**2 + q**2 + (p + q) ** 2))
    slope = said("symbolic", square == 2 * p * q, "2(1 − p_y)² − ‖p − e_y‖² = 2 Σ_{i<j} p_i p_j ≥ 0", power=0.0)
    m = sympy.Symbol("m", positive=True)
    up, down = 1 + (m - 1) * sympy.exp(2 * F), 1 + (m - 1) * sympy.exp(-2 * F)
    # e^{4F} (1 + (m − 1) e^{−2F}) − (1 + (m − 1) e^{2F}) = e^{4F} − 1: the quotient of the two is at most e^{4F}.
    within = sympy.expand(sympy.exp(4 * F) * down - up - (sympy.exp(4 * F) - 1)) == 0
    wide = said("symbolic", bool(within), "the ends log(1 + (m − 1) e^{±2F}) are at most 4F apart", power=0.0)
    return [
        Part("slope of at most √2", [slope]),
        Part("range of at most 4F", [wide, _range_in_balls()]),
        Part("contraction of the vector class", [_contraction()]),
    ]


def _range_in_balls() -> Evidence:
    """|L_C − log m2| ≤ 2F at all corners |z_j| = F, in balls; L_C is monotone in each z_j, so extreme at a corner."""
    import flint

    fine = True
    with flint.ctx.workprec(right_side.PRECISION):
        for m2, F in itertools.product((2, 3, 5), (Fraction(1, 8), Fraction(1), Fraction(9))):
            losses = []
            for signs in itertools.product((-1, 1), repeat=m2):
                z = [ball(s * F) for s in signs]
                losses.append(sum((each.exp() for each in z), ball(0)).log() - z[0])
            fine &= all(abs(each - ball(m2).log()) <= 2 * ball(F) + ball(Fraction(1, 2**100)) for each in losses)
    return said("enclosure", bool(fine), "all corners, 2, 3 and 5 classes", power=2.0**-100)


def _contraction() -> Evidence:
    """E sup_f Σ ε_i L(f(x_i), y_i) ≤ √2 √2 E sup_f Σ ε_ij f_j(x_i) ≤ 2 Σ_j E sup_f Σ ε_i f_j(x_i), all signs."""
    import flint

    corners = [Fraction(each) for each in (-1, 0, 1)]
    # f(x_1), f(x_2) in {−1, 0, 1}² each: a class of 81 functions on two points with the labels 1 and 2.
    outputs = [(a, b) for a in itertools.product(corners, repeat=2) for b in itertools.product(corners, repeat=2)]
    pairs, quads = (list(itertools.product((-1, 1), repeat=each)) for each in (2, 4))
    with flint.ctx.workprec(right_side.PRECISION):
        loss = {
            (z, y): sum((ball(each).exp() for each in z), ball(0)).log() - ball(z[y])
            for z in itertools.product(corners, repeat=2)
            for y in (0, 1)
        }
        left = sum((_largest([s * loss[a, 0] + t * loss[b, 1] for a, b in outputs]) for s, t in pairs), ball(0)) / 4
        right = Fraction(
            sum(max(e[0] * a[0] + e[1] * a[1] + e[2] * b[0] + e[3] * b[1] for a, b in outputs) for e in quads), 16
        )
        single = sum(Fraction(sum(max(s * a[j] + t * b[j] for a, b in outputs) for s, t in pairs), 4) for j in (0, 1))
        fine = bool(left <= 2 * ball(right)) and right <= single
        slack = 2 * float(right) / float(left.mid()) - 1
        note = f"{float(left.mid()):.4f} ≤ 2 · {right} ≤ 2 · {single}"
    return said("enclosure", fine, note, power=slack)


def _largest(values: list[Any]) -> Any:
    best = values[0]
    for each in values[1:]:
        best = best.max(each)
    return best


@functools.cache
def scales() -> Part:
    """d g_s/d log s = KL(softmax(s z), uniform)/s, the identity on which one constant for all scales stands."""
    import sympy

    s, level = sympy.symbols("s level", positive=True)
    z = sympy.symbols("z1:4", real=True)
    weights = [sympy.exp(s * each) for each in z]
    total = sympy.Symbol("Z", positive=True)
    slope = sum(each * weight for each, weight in zip(z, weights, strict=True))  # dZ/ds
    # g = (log Z − log 3)/s − z_y by the quotient rule, log p_j = s z_j − log Z.
    rate = s * (slope / total / s - (sympy.log(total) - sympy.log(3)) / s**2)
    divergence = sum(w / total * (s * each - sympy.log(total)) for each, w in zip(z, weights, strict=True)) + sympy.log(
        3
    )
    gap = sympy.expand((rate - divergence / s) * total * s).subs(total, sum(weights))
    # What is left is log Z (Σ w − Z), zero by the definition of Z.
    same = sympy.expand(gap) == 0
    edge = sympy.sqrt(2 * level)
    variation = edge / 2 + level / edge  # ∫_0^edge (s²/2)/s² ds + ∫_edge^∞ level/s² ds
    note = "three classes: the rate is KL/s; ∫ min(s²/2, log m2)/s² ds = √(2 log m2)"
    holds = bool(same and sympy.simplify(variation - edge) == 0)
    return Part("scales of T", [said("symbolic", holds, note, power=0.0), _variation()])


def _variation() -> Evidence:
    """g_s over s from 2^{-20} to 2^{20}, in balls: it grows, from the mean to the maximum, by at most √(2 log m2) F."""
    import flint

    fine = True
    with flint.ctx.workprec(right_side.PRECISION):
        for z in ((1, -1), (1, -1, -1), (Fraction(1, 2), -1, Fraction(1, 3), 0)):
            values = []
            for power in range(-20, 21):
                s = ball(2) ** power
                total = sum(((s * ball(each)).exp() for each in z), ball(0))
                values.append((total.log() - ball(len(z)).log()) / s)
            fine &= all(bool(a < b) for a, b in itertools.pairwise(values))
            fine &= bool(values[-1] - values[0] <= (2 * ball(len(z)).log()).sqrt())
            fine &= bool(abs(values[-1] - ball(max(z))) < ball(2) ** -18)
            fine &= bool(abs(values[0] - ball(Fraction(sum(z)) / len(z))) < ball(2) ** -18)
    return said("enclosure", fine, "2, 3 and 4 classes, 41 scales", power=2.0**-18)


def all_scales(formula: Order) -> Evidence:
    """Samples of 16 from the corners of the square with noisy labels: random T at 13 scales each, k = 0, exact risk."""
    import numpy as np

    rng = np.random.default_rng(seed_of("L1-TH3") % 2**32)
    n, delta, trials = 16, 0.5, 40
    X = np.array([[1.0, a, b] for a in (-1, 1) for b in (-1, 1)])
    T = rng.normal(size=(120, 3, 2)) * rng.integers(0, 2, size=(120, 3, 2))
    T = T[np.abs(T).sum(axis=(1, 2)) > 0]
    T = T / np.abs(T).sum(axis=1).max(axis=1)[:, None, None]
    T = np.concatenate([scale * T for scale in 10.0 ** np.arange(-6, 7)])
    z = np.einsum("ij,tjc->tic", X, T)
    losses = np.logaddexp(z[..., 0], z[..., 1])[..., None] - z  # (T, x, y)
    p = np.array([[0.2, 0.05], [0.05, 0.2], [0.15, 0.1], [0.1, 0.15]])
    columns = np.abs(T).sum(axis=1)
    right = [
        formula(n, 2, 0, 1.0, float(each.max()), float(each.sum()), 2, delta, math.log, math.sqrt) for each in columns
    ]
    worst = []
    for _ in range(trials):
        seen = np.bincount(rng.choice(8, size=n, p=p.ravel()), minlength=8).reshape(4, 2) / n
        worst.append(float(np.max(np.abs(np.einsum("txy,xy->t", losses, p - seen)) / right)))
    fine = sum(each > CONSTANT for each in worst) <= delta * trials
    note = f"{trials} samples, {len(T)} matrices T over 12 decades: largest quotient {max(worst):.3g}"
    return said("simulation", fine, note, power=CONSTANT / max(worst), model="seeded samples")
