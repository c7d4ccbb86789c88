"""Norm loss, sections II and IV: what the two penalties do to a filter's norm, alone and in the update of eq. 12.

Along w both gradients are c(r) w with r = ‖w‖: c = 2 for weight decay, c = 2 (1 − 1/r) for norm loss.  A step with a
zero target gradient multiplies w by 1 − s c(r), where s = η λ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from wnverify.finding import seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.norm_loss.gradient import deviation
from wnverify.papers.norm_loss.witnesses import F, difference, exact, network, proved, shown

Pull = Callable[[Any], Any]
"""c(r): the factor of w in a penalty's gradient."""


def decay_pull(r: Any) -> Any:
    return 2


def loss_pull(r: Any) -> Any:
    return 2 * (1 - 1 / r)


PULLS: Final = (decay_pull, loss_pull)
NORMS: Final = (F(1, 1000), F(1, 10), F(1, 2), F(9, 10), F(1), F(11, 10), F(3), F(1000))


def positive(expression: Any) -> bool:
    import sympy

    return bool(sympy.factor(sympy.sympify(expression)).is_positive)


@claim(
    "NL-P-SIGN",
    place="Sec. IV-A",
    statement="A filter of norm below one is made longer by norm loss, while weight decay keeps making it shorter.",
    reading="the penalty's own step, without the target's gradient; to first order in η, and for rates η λ < 1.",
    formula=PULLS,
    faults={
        "norm loss turned round": (decay_pull, lambda r: 2 * (1 / r - 1)),
        "weight decay turned round": (lambda r: -2, loss_pull),
        "long filters only": (decay_pull, lambda r: r - 1 + abs(r - 1)),
        "weight decay in both": (decay_pull, decay_pull),
    },
    corrected="For w ≠ 0: at w = 0 weight decay leaves the norm as it is, and norm loss has no gradient.",
)
def signs(formula: tuple[Pull, Pull], quick: bool) -> Measured:
    import sympy

    shrinks, grows = formula
    t, r = sympy.Symbol("t", positive=True), sympy.Symbol("r", positive=True)
    below = 1 / (1 + t)
    witness: Any = None
    for x in NORMS:
        for s in (F(1, 10**6), F(1, 10), F(1, 2)):
            shorter, longer = abs(1 - s * shrinks(x)) * x, abs(1 - s * grows(x)) * x
            if x < 1 and not (shorter < x < longer) and witness is None:
                witness = {"‖w‖": shown(x), "η λ": shown(s), "after weight decay": shown(shorter)}
                witness["after norm loss"] = shown(longer)
    try:
        shorter, longer = (abs(1 - F(1, 10) * pull(F(0))) * F(0) for pull in formula)
        at_zero = shorter < 0 < longer
    except ZeroDivisionError:
        at_zero = False
    routes = [
        proved(
            positive(shrinks(r) * r) and positive(sympy.simplify(-grows(below) * below)),
            "dr/dη = −λ c(r) r at η = 0, for all r in (0, 1)",
        ),
        exact(witness is None, "norms from 10⁻³ to 9/10, steps with η λ from 10⁻⁶ to ½"),
    ]
    condition = Condition(
        "w ≠ 0", [exact(at_zero, "at w = 0")], {"w": [0], "after weight decay": [0], "after norm loss": "0·(1 − 1/0)"}
    )
    return Measured(parts=[Part("signs", routes, witness)], conditions=[condition])


@claim(
    "NL-P-TINY",
    place="Sec. IV-A",
    statement="On components that the target loss hardly uses, weight decay prevails and leaves very small weights, "
    "which may not recover; norm loss does not: their norm goes to one.",
    hypotheses=("the target's gradient on the component is zero", "w ≠ 0", "0 < η λ < 1 (the paper calls both small)"),
    reading="a component: a filter.  Not recovering: in a unit a·relu(w·x) the gradient for w has the factor a and "
    "that for a the factor ‖w‖, so that with both small, both gradients are.",
    formula=PULLS,
    faults={
        "weight decay in both": (decay_pull, decay_pull),
        "norm loss in both": (loss_pull, loss_pull),
        "exchanged": (loss_pull, decay_pull),
        "norm loss turned round": (decay_pull, lambda r: 2 * (1 / r - 1)),
    },
)
def unused(formula: tuple[Pull, Pull], quick: bool) -> Measured:
    import random

    import sympy

    steps, rate = 4000, 0.1 * 0.05
    draw = random.Random(seed_of("norm_loss", "unused"))
    ends: list[list[float]] = [[], []]
    for which, pull in enumerate(formula):
        for _ in range(4):
            r = draw.uniform(0.05, 4.0)
            for _ in range(steps):
                r = abs(1 - rate * pull(r)) * r
            ends[which].append(r)
    gone, kept = all(r < 1e-10 for r in ends[0]), all(abs(r - 1) < 1e-10 for r in ends[1])
    r, s = sympy.Symbol("r", positive=True), sympy.Symbol("s", positive=True)
    first, second = ((1 - s * pull(r)) * r for pull in formula)
    laws = [sympy.simplify(first - (1 - 2 * s) * r) == 0, sympy.simplify(second - 1 - (1 - 2 * s) * (r - 1)) == 0]
    # a·relu(w·x) with L = ½ (a relu(w·x) − y)², x = (1, 0), y = 1: |∂L/∂w| ≤ |a| and |∂L/∂a| ≤ ‖w‖ near 0
    a = w = F(1, 10**6)
    error = a * w - 1
    slow = max(abs(error * a), abs(error * w)) <= F(1, 10**6)
    witness = {"steps": steps, "η λ": rate, "norms with weight decay": [f"{x:.3g}" for x in ends[0]]}
    witness["norms with norm loss"] = [f"{x:.6g}" for x in ends[1]]
    return Measured(
        parts=[
            Part(
                "weight decay",
                [said("simulation", gone, f"{steps} steps", power=1e-10), proved(bool(laws[0]), "r ← (1 − 2 η λ) r")],
                witness,
            ),
            Part(
                "norm loss",
                [
                    said("simulation", kept, f"{steps} steps", power=1e-10),
                    proved(bool(laws[1]), "r − 1 ← (1 − 2 η λ)(r − 1)"),
                ],
                witness,
            ),
            Part("recovery", [exact(slow, "both gradients at a = ‖w‖ = 10⁻⁶ are at most 10⁻⁶")], witness),
        ]
    )


@claim(
    "NL-EQ12",
    place="Sec. IV-A, eq. 12",
    statement="w_new = w − 2 η λ_nl (1 − 1/‖w_{c_o}‖) w − η ∂L_target/∂w follows from eqs. 2, 8 and 11.",
    hypotheses=("w_{c_o} ≠ 0, as for eq. 11",),
    reading="L in eq. 2 is L_total of eq. 8, with L_nl summed over the regularized layers (see NL-EQ8).",
    formula=lambda w, r, eta, lam, g: w - eta * lam * 2 * (1 - 1 / r) * w - eta * g,
    faults={
        "2 missing": lambda w, r, eta, lam, g: w - eta * lam * (1 - 1 / r) * w - eta * g,
        "λ missing": lambda w, r, eta, lam, g: w - eta * 2 * (1 - 1 / r) * w - eta * g,
        "η missing in the penalty": lambda w, r, eta, lam, g: w - lam * 2 * (1 - 1 / r) * w - eta * g,
        "plus the target": lambda w, r, eta, lam, g: w - eta * lam * 2 * (1 - 1 / r) * w + eta * g,
        "λ on the target too": lambda w, r, eta, lam, g: w - eta * lam * (2 * (1 - 1 / r) * w + g),
    },
)
def update(formula: Callable[..., Any], quick: bool) -> Measured:
    import sympy

    eta, lam = sympy.symbols("eta lambda", positive=True)
    (row,), (r,) = network(1, 2)
    target = sympy.Function("T")(*row)
    loss = target + lam * deviation(row, sympy.sqrt)
    same = all(
        sympy.simplify(formula(x, r, eta, lam, sympy.diff(target, x)) - (x - eta * sympy.diff(loss, x))) == 0
        for x in row
    )

    def total(w: Sequence[Any], root: Callable[[Any], Any]) -> Any:
        return 2 * w[0] - w[1] + w[0] * w[1] + deviation(w, root) / 4

    W = (F(3), F(4))
    stepped = [float(x) - float(difference(total, W, i)) / 8 for i, x in enumerate(W)]
    claimed = [formula(x, F(5), F(1, 8), F(1, 4), g) for x, g in ((F(3), F(6)), (F(4), F(2)))]
    gap = max(abs(float(a) - b) for a, b in zip(claimed, stepped, strict=True))
    witness = {
        "w": [3, 4],
        "η": "1/8",
        "λ": "1/4",
        "target gradient": [6, 2],
        "eq. 12": shown(claimed),
        "step": stepped,
    }
    routes = [
        proved(same, "any target loss, p = 2"),
        said("differences", gap < 1e-13, "one step of eq. 2 on 2x − y + xy + λ L_nl at (3, 4)", power=1e-13),
    ]
    return Measured(parts=[Part("eq. 12", routes, witness)])


@claim(
    "NL-EQ12-DYN",
    place="Sec. IV (implied)",
    statement="With a zero target gradient eq. 12 leads the norm smoothly to one: r − 1 is multiplied by 1 − 2 η λ at "
    "every step, from one side and without turning; η λ = ½ is eq. 6 at once.",
    reading="smoothly: the distance to one falls at every step and r stays on its side of one.  The formula is the "
    "signed length along w after a step.",
    formula=lambda r, s: r - 2 * s * (1 - 1 / r) * r,
    faults={
        "2 missing": lambda r, s: r - s * (1 - 1 / r) * r,
        "turned round": lambda r, s: r + 2 * s * (1 - 1 / r) * r,
        "weight decay": lambda r, s: r - 2 * s * r,
        "1/r squared": lambda r, s: r - 2 * s * (1 - 1 / r**2) * r,
    },
    corrected="For w ≠ 0 and 0 < η λ ≤ ½.  Norms become |1 + (1 − 2 η λ)(r − 1)|: for ½ < η λ < 1 they change sides, "
    "and from η λ = 1 on one no longer attracts.",
)
def approach(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    import sympy

    def smooth(r: Any, s: Any, steps: int = 4) -> bool:
        for _ in range(steps):
            after = formula(r, s)
            if after < 0 or not (after == r == 1 or abs(after - 1) < abs(r - 1)) or (after - 1) * (r - 1) < 0:
                return False
            r = after
        return True

    witness: Any = None
    for r in NORMS:
        for s in (F(1, 100), F(1, 4), F(49, 100)):
            wrong = not smooth(r, s) or formula(r, s) - 1 != (1 - 2 * s) * (r - 1)
            if (wrong or formula(r, F(1, 2)) != 1) and witness is None:
                witness = {"r": shown(r), "η λ": shown(s), "after": shown(formula(r, s))}
                witness["after with η λ = 1/2"] = shown(formula(r, F(1, 2)))
    symbols = sympy.symbols("r s", positive=True)
    law = sympy.simplify(formula(*symbols) - 1 - (1 - 2 * symbols[1]) * (symbols[0] - 1)) == 0
    path = [F(1, 2)]
    for _ in range(3):
        path.append(abs(formula(path[-1], F(3, 4))))
    far = [F(3)]
    for _ in range(3):
        far.append(abs(formula(far[-1], F(2))))
    try:
        defined = formula(F(0), F(1, 4)) is not None
    except ZeroDivisionError:
        defined = False
    conditions = [
        Condition(
            "η λ_nl ≤ ½ (the paper calls both small, and gives no bound)",
            [exact(smooth(F(1, 2), F(3, 4)) and smooth(F(3), F(2)), "η λ = 3/4 from r = 1/2, η λ = 2 from r = 3")],
            {"η λ = 3/4": shown(path), "η λ = 2": shown(far)},
        ),
        Condition("w ≠ 0", [exact(defined, "eq. 12 at w = 0 divides by 0")], {"w": [0], "eq. 12": "0·(1 − 1/0)"}),
    ]
    routes = [
        proved(bool(law), "r_new − 1 = (1 − 2 η λ)(r − 1), for all r and η λ"),
        exact(witness is None, "four steps from norms between 10⁻³ and 10³, η λ from 1/100 to 1/2"),
    ]
    return Measured(parts=[Part("approach", routes, witness)], conditions=conditions)
