"""L1,∞ weight normalization, Theorem 1: its bounds and the exact complexity as functions of the widths."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.theorem1_bounds import CONSTANTS, Terms, cases, domination, first, second, symbols

Widths = tuple[Callable[[Terms, Any], Any], Callable[[Terms, Any], Any], int]


@claim(
    "L1-TH1-WIDTH",
    place="Thm 1, abstract",
    statement="No width occurs in the bounds, and they hold for all widths. The complexity itself does not depend on "
    "the widths for k ≤ 1 (ReLU), but does for k = 2: a second unit in the first layer can raise it.",
    hypotheses=("k ≥ 0, c > 0, o > 0, one output", "any sample in [−1, 1]^{m1}"),
    reading="the complexity is that of ReLU networks; one sign vector with a larger supremum raises the mean, as a "
    "wider class contains the narrower.",
    formula=(lambda t, d: first(t), lambda t, d: second(t), 1),
    faults={
        "√d in the first bound": (lambda t, d: first(t) * t.sqrt(d), lambda t, d: second(t), 1),
        "log d in the second": (lambda t, d: first(t), lambda t, d: second(t) + t.sqrt(t.log(d) / t.n), 1),
        "width-free at k = 2 too": (lambda t, d: first(t), lambda t, d: second(t), 2),
        "width-free at k = 0 alone": (lambda t, d: first(t), lambda t, d: second(t), 0),
    },
)
def widths(formula: Widths, quick: bool) -> Measured:
    import sympy

    t, d = symbols(), sympy.Symbol("d", positive=True)
    free = [d not in sympy.sympify(bound(t, d)).free_symbols for bound in formula[:2]]
    bounds_witness: Json = {"width in the first bound": not free[0], "width in the second bound": not free[1]}
    one, two = _narrow_two_hidden(), _wide_two_hidden()
    same, single = _one_hidden(2 if quick else 6)
    at_two: Json = {
        "k": 2,
        "c": 1,
        "o": 1,
        "x": [str(x) for x in POINTS],
        "sum of the signs at x": list(WEIGHTS),
        "supremum with one unit in the first layer, at most": one,
        "supremum with two, at least": str(two),
    }
    judged = domination(lambda s: formula[0](s, 1), cases((0, 1), CONSTANTS, quick))
    return Measured(
        parts=[
            Part("no width in the bounds", [said("symbolic", all(free), "free symbols", power=0.0)], bounds_witness),
            Part("they hold", judged.routes, judged.witness),
            Part(
                "k = 1",
                [
                    said(
                        "exact",
                        same is (formula[2] >= 1),
                        "one unit attains what wider networks never exceed",
                        power=0.0,
                    )
                ],
                single,
            ),
            Part(
                "k = 2",
                [
                    said(
                        "optimisation",
                        (one < two) is (formula[2] < 2),
                        f"one unit: at most {one:.4f} by branch and bound (Lipschitz); two: {two} in fractions",
                        power=0.0,
                    )
                ],
                at_two,
            ),
        ],
        message="By hand the supremum at k = 2 with one unit in the first layer is 1/3: the unit of the second layer "
        "is then monotone in x, with at most two kinks.",
        left_out=("four of six samples at k = 1",) if quick else (),
    )


POINTS: Final = tuple(Fraction(p, 2) for p in (-2, -1, 0, 1, 2))
WEIGHTS: Final = (1, -2, 2, -2, 1)
"""Eight samples, those at −1/2, 0, 1/2 twice, with the signs + −− ++ −− +."""


def _wide_two_hidden() -> Fraction:
    """Σ ε_i max(1/5 − (2/5) max(x, 0) − (2/5) max(−x, 0), 0): the tent 1/5 at 0 alone; all column norms are 1."""
    fifth = Fraction(1, 5)
    zero = Fraction(0)
    values = [max(fifth - 2 * fifth * max(x, zero) - 2 * fifth * max(-x, zero), zero) for x in POINTS]
    return sum((w * v for w, v in zip(WEIGHTS, values, strict=True)), Fraction(0))


def _narrow_two_hidden(gap: float = 1 / 32) -> float:
    """An upper bound on sup |Σ ε_i f(x_i)| with one unit in the first layer, c = o = 1.

    A unit of the second layer is max(γ + δ max(α + β x, 0), 0).  Both columns may be taken of L1 norm 1: (α, β)/s and
    s δ give the same unit where ‖(α, β)‖₁ = s < 1, and the unit is homogeneous in (γ, δ).  The signs of δ and β are
    tried, α and γ are in [−1, 1].  The sum is Lipschitz in each of the two with constant 2 Σ |weights|.  The output
    bias gives |Σ ε_i| = 0.
    """
    import numpy as np

    from wnverify.oracles.ratio import gamma, unit_roundoff

    x, weights = np.array(POINTS, dtype=float), np.array(WEIGHTS, dtype=float)
    lipschitz = 2.0 * float(np.abs(weights).sum())
    highest = 0.0
    for b_sign, d_sign in itertools.product((-1.0, 1.0), repeat=2):
        half = 1 / 16
        ticks = np.arange(-1 + half, 1, 2 * half)
        boxes = np.array(list(itertools.product(ticks, ticks)))
        while len(boxes):
            alpha, gamma_ = boxes[:, 0], boxes[:, 1]
            u = np.maximum(alpha[:, None] + (b_sign * (1 - np.abs(alpha)))[:, None] * x, 0)
            g = np.maximum(gamma_[:, None] + (d_sign * (1 - np.abs(gamma_)))[:, None] * u, 0)
            above = np.abs(g @ weights) + 2 * lipschitz * half + gamma(16, unit_roundoff("float64")) * lipschitz
            # A box is settled once its upper bound is below the certified target, split otherwise.
            settled = above <= 1 / 3 + gap
            if settled.any():
                highest = max(highest, float(above[settled].max()))
            boxes, half = boxes[~settled], half / 2
            if half < 1e-5:
                return max(highest, float(above.max()))
            steps = half * np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
            boxes = (boxes[:, None, :] + steps[None, :, :]).reshape(-1, 2)
    return highest


def _one_hidden(count: int) -> tuple[bool, Json]:
    """Width 1 reaches the supremum of every width: a single unit on the best ray, against random wide networks."""
    import numpy as np

    from wnverify.theory.network import NetworkClass, forward
    from wnverify.theory.rademacher import supremum
    from wnverify.theory.rays import activations, rays

    rng = np.random.default_rng(5)
    for _ in range(count):
        X = rng.integers(-4, 5, (4, 2)) / 4
        signs = rng.choice([-1.0, 1.0], 4)
        best = Fraction(supremum(NetworkClass(1, 2.0), X, signs))
        units = activations(X, rays(X))
        sums = [sum((2 * int(e) * z for e, z in zip(signs, unit, strict=True)), Fraction(0)) for unit in units]
        single = max(abs(each) for each in [*sums, Fraction(int(signs.sum()))])
        wide = []
        for width in (1, 3, 8):
            V, v = rng.standard_normal((3, width)), rng.standard_normal((width + 1, 1))
            f = forward([2 * V / np.abs(V).sum(axis=0), v / np.abs(v).sum()], X)
            wide.append(float(signs @ f))
        rounding = Fraction(1, 2**40)
        if abs(best - single) > rounding or any(Fraction(each) > best + rounding for each in wide):
            return False, {"X": X.tolist(), "signs": signs.tolist(), "one unit": str(single), "any width": float(best)}
    return True, {"X": X.tolist(), "signs": signs.tolist(), "one unit": str(single), "any width": float(best)}
