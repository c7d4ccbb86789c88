"""The problem of eq. 9 with the gradient g at w^(t), and ways to know its solution that do not use eq. 11.

    minimise ‖w − x‖²  over  F = {‖w‖² = c, 1·w = 0},      x = w^(t) − α g,      x̂ = x − (1·x / n) 1

On F ‖w − x‖² = c + ‖x‖² − 2 w·x̂, so that by Cauchy and Schwarz w in F is nearest if and only if w·x = √c ‖x̂‖.  An
update is written once, as a function of (w, g, 1, n, α, c, root), and evaluated on vectors known by inner products (all
n at once), on balls, on fractions and on floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM
from wnverify.papers.claims import by_ratio, said
from wnverify.papers.cwo import maps

Update = Callable[[Any, Any, Any, Any, Any, Any, Callable[[Any], Any]], Any]


def printed(w: Any, g: Any, one: Any, n: Any, alpha: Any, c: Any, root: Callable[[Any], Any]) -> Any:
    """Eq. 11 and the two lines of Alg. 1: √c w̃ / ‖w̃‖ with w̃ = w − α (g − (1·g / n) 1)."""
    moved = w - alpha * (g - (one @ g) / n * one)
    return root(c) / root(moved @ moved) * moved


def nearest(w: Any, g: Any, one: Any, n: Any, alpha: Any, c: Any, root: Callable[[Any], Any]) -> Any:
    """√c x̂ / ‖x̂‖ with the whole step x = w − α g centred."""
    moved = w - alpha * g
    moved = moved - (one @ moved) / n * one
    return root(c) / root(moved @ moved) * moved


def _built(
    gradient: Callable[[Any, Any, Any], Any] = lambda g, one, n: g - (one @ g) / n * one,
    scale: Callable[[Any, Any, Callable[[Any], Any]], Any] = lambda c, square, root: root(c) / root(square),
    step: Callable[[Any], Any] = lambda alpha: alpha,
) -> Update:
    def update(w: Any, g: Any, one: Any, n: Any, alpha: Any, c: Any, root: Callable[[Any], Any]) -> Any:
        moved = w - step(alpha) * gradient(g, one, n)
        return scale(c, moved @ moved, root) * moved

    return update


FAULTS: Final[dict[str, Update]] = {
    "the sum of g subtracted for its mean": _built(gradient=lambda g, one, n: g - (one @ g) * one),
    "g not centred": _built(gradient=lambda g, one, n: g),
    "without √c": _built(scale=lambda c, square, root: 1 / root(square)),
    "c for √c": _built(scale=lambda c, square, root: c / root(square)),
    "the square of the norm": _built(scale=lambda c, square, root: root(c) / square),
    "uphill": _built(step=lambda alpha: -alpha),
    "half the step": _built(step=lambda alpha: alpha / 2),
}
"""Updates made wrong on purpose; each differs from eq. 11 also where 1·w = 0."""


class Case(NamedTuple):
    name: str
    w: tuple[Fraction, ...]
    g: tuple[Fraction, ...]
    alpha: Fraction
    c: Fraction


def cases(quick: bool) -> Iterator[Case]:
    """Points with 1·w = 0, not all on the sphere: n = 2 to 5, c = 2 and 1/3, small and large steps, g with a mean."""
    F = Fraction
    points = {2: (1, -1), 3: (2, -1, -1), 4: (3, -1, 0, -2), 5: (1, 2, -4, 3, -2)}
    slopes = (F(3), F(-1, 2), F(7), F(2), F(-5))
    for n in (2, 3) if quick else (2, 3, 4, 5):
        w = tuple(F(x) for x in points[n])
        yield Case(f"n = {n}, c = 2", w, slopes[:n], F(1, 3), F(2))
        yield Case(f"n = {n}, c = 1/3, a long step", w, slopes[:n], F(5), F(1, 3))
    yield Case("g = 0", (F(1), F(-1)), (F(0), F(0)), F(1), F(2))


def uncentred_cases() -> Iterator[Case]:
    """Two points with 1·w ≠ 0, 1·g ≠ 0."""
    F = Fraction
    yield Case("n = 3", (F(3), F(1), F(0)), (F(1), F(-2), F(5)), F(1, 3), F(2))
    yield Case("n = 4", (F(1), F(-1, 2), F(2), F(4)), (F(0), F(3), F(-1), F(7)), F(2), F(2))


def symbols() -> tuple[Any, Any, Any, Any, Any, Any]:
    """(w, g, 1, n, α, c) known by inner products only, with 1·w = 0 and 1·1 = n."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    n, alpha, c = sympy.symbols("n alpha c", positive=True)
    gram = Gram({("one", "one"): n, ("one", "w"): 0})
    return gram.vector("w"), gram.vector("g"), gram.vector("one"), n, alpha, c


def feasible_in_symbols(update: Update) -> tuple[Evidence, Evidence]:
    """Whether 1·w = 0, and whether ‖w‖² = c, after the update of a centred w, for every n, g, α and c."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    w, g, one, n, alpha, c = symbols()
    found = update(w, g, one, n, alpha, c, sympy.sqrt)
    note = "over inner products, for every n"
    return (
        said("symbolic", is_identity(one @ found), note, power=0.0),
        said("symbolic", is_identity(found @ found, c), note, power=0.0),
    )


def nearest_in_symbols(update: Update) -> Evidence:
    """Whether (w·x)² = c ‖x̂‖² for the updated w, x the step from a centred w; the sign is left to other routes."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    w, g, one, n, alpha, c = symbols()
    found = update(w, g, one, n, alpha, c, sympy.sqrt)
    x = w - alpha * g
    x_hat = x - (one @ x) / n * one
    holds = is_identity((found @ x) ** 2, c * (x_hat @ x_hat))
    return said("symbolic", holds, "w·x = ±√c ‖x̂‖ over inner products, for every n", power=0.0)


def nearest_in_balls(update: Update, quick: bool, only_feasible: bool = False) -> tuple[Evidence, Json]:
    """1·w, ‖w‖² − c and w·x − √c ‖x̂‖ enclosed at rational points; all three are 0 at the nearest point alone, the
    first two (``only_feasible``) at every feasible one."""
    widest, count = 0.0, 0
    with maps.at_precision():
        for case in cases(quick):
            n = len(case.w)
            w, g, one = maps.vector(case.w), maps.vector(case.g), maps.ones(n)
            alpha, c = maps.vector([case.alpha, case.c])
            found = update(w, g, one, n, alpha, c, lambda x: x.sqrt())
            x = w - alpha * g
            x_hat = x - (x @ one) / n * one
            gaps = {"1·w": found @ one, "‖w‖² − c": found @ found - c}
            if not only_feasible:
                gaps["w·x − √c ‖x̂‖"] = found @ x - c.sqrt() * (x_hat @ x_hat).sqrt()
            for name, gap in gaps.items():
                count += 1
                widest = max(widest, float(gap.rad()))
                if not gap.contains(0):
                    shown = shown_case(case) | {name: float(f"{float(gap.mid()):.6g}")}
                    note = f"{name} is {float(gap.mid()):.4g} at {case.name}"
                    return said("enclosure", False, note, power=widest), shown
    holds = True if widest <= maps.WIDEST else None
    return said("enclosure", holds, f"{count} equations at rational points", power=widest, model="balls"), None


def shown_case(case: Case) -> dict[str, Json]:
    """A case as plain data."""
    return {
        "w": [str(x) for x in case.w],
        "g": [str(x) for x in case.g],
        "alpha": str(case.alpha),
        "c": str(case.c),
    }


def in_floats(update: Update, w: Any, g: Any, alpha: float, c: float) -> Any:
    """The update in float64."""
    import numpy as np

    return update(w, g, np.ones(len(w)), len(w), alpha, c, math.sqrt)


def certified(update: Update, quick: bool) -> tuple[Evidence, Json]:
    """Float64 updates of centred random points against the certificate of the nearest point, and a SLSQP search."""
    import numpy as np

    from wnverify.oracles.optimality import certificate

    worst, reach, witness = 0.0, 0.0, None
    for n, alpha, c in ((2, 0.1, 2.0), (3, 1.0, 2.0), (4, 0.3, 0.5), (9, 3.0, 2.0)):
        rng = np.random.default_rng(seed_of("cwo", "nearest", n))
        w = rng.standard_normal(n)
        w, g = w - w.mean(), rng.standard_normal(n) + 1.0
        x = w - alpha * g
        found = in_floats(update, w, g, alpha, c)
        seen = certificate("sphere_zero_mean_rows", x[None], found[None], radius=math.sqrt(c))
        reach = max(reach, seen.optimality.model.relative)
        ratio = seen.ratio
        if n <= 4 and not quick:
            # Any feasible point that is nearer than the certificate allows would be a contradiction between oracles.
            ratio = max(ratio, _closer(x, found, c))
        if ratio > worst:
            worst = ratio
            witness = {"w": encode(w), "g": encode(g), "alpha": alpha, "c": c, "updated": encode(found)}
    note = "certificate of the nearest point" + ("" if quick else ", and SLSQP from 6 starts for n ≤ 4")
    evidence = by_ratio("optimisation", worst, note, power=REFUTES_FROM * reach, model="certificate of the set")
    return evidence, witness if worst >= REFUTES_FROM else None


def encode(x: Any) -> list[Json]:
    return [float(f"{float(each):.6g}") for each in x]


def _closer(x: Any, found: Any, c: float) -> float:
    """10 where SLSQP from six starts finds a feasible point clearly nearer to x than ``found``, else 0."""
    import numpy as np
    from scipy.optimize import minimize

    constraints = [
        {"type": "eq", "fun": lambda w: w @ w - c, "jac": lambda w: 2 * w},
        {"type": "eq", "fun": lambda w: w.sum(), "jac": np.ones_like},
    ]
    rng = np.random.default_rng(seed_of("cwo", "slsqp", len(x)))
    best = math.inf
    for _ in range(6):
        start = rng.standard_normal(len(x))
        answer = minimize(
            lambda w: ((w - x) ** 2).sum(), start, jac=lambda w: 2 * (w - x), method="SLSQP", constraints=constraints
        )
        w = answer.x - answer.x.mean()
        if w @ w > 0:
            w = math.sqrt(c) / math.sqrt(w @ w) * w  # the search's own slack is taken away before it is compared
            best = min(best, float(((w - x) ** 2).sum()))
    reached = float(((found - x) ** 2).sum())
    return 10.0 if best < reached * (1 - 1e-12) else 0.0


def uncentred(update: Update) -> tuple[Evidence, Json]:
    """The update of w = (3, 1) with g = 0, c = 2, whose nearest point is (1, −1), in symbols."""
    import numpy as np
    import sympy

    w, one = np.array([sympy.Integer(3), sympy.Integer(1)]), np.array([sympy.Integer(1)] * 2)
    found = update(w, 0 * w, one, sympy.Integer(2), sympy.Integer(1), sympy.Integer(2), sympy.sqrt)
    entries = [sympy.nsimplify(sympy.simplify(x)) for x in found]
    right = entries == [1, -1]
    witness: Json = {
        "w": [3, 1],
        "g": [0, 0],
        "c": 2,
        "alpha": 1,
        "updated": [str(x) for x in entries],
        "sum of the updated": str(sympy.simplify(sum(entries))),
        "nearest": [1, -1],
    }
    return said(
        "exact", right, f"w = (3, 1), g = 0, c = 2 becomes ({', '.join(map(str, entries))})", power=0.0
    ), witness


def stepped_to_nothing(update: Update) -> tuple[Evidence, Json]:
    """The update of w = (1, −1) with g = (1, −1), α = 1: w̃ = 0, and both feasible points are as near."""
    import numpy as np
    import sympy

    w, one = np.array([sympy.Integer(1), sympy.Integer(-1)]), np.array([sympy.Integer(1)] * 2)
    found = update(w, w, one, sympy.Integer(2), sympy.Integer(1), sympy.Integer(2), sympy.sqrt)
    defined = all(sympy.sympify(x).is_finite for x in found)
    witness: Json = {"w": [1, -1], "g": [1, -1], "alpha": 1, "c": 2, "updated": "0/0", "nearest": "(1, −1) and (−1, 1)"}
    return said("exact", bool(defined), "w = g = (1, −1), α = 1: w̃ = 0", power=0.0), witness
