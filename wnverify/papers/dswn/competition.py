"""DSWN, section 3.1: which weights make a group of the exclusive sparsity penalty, and what it does to them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from wnverify.papers.claims import Measured, Part, Reading, claim, said

Price = Callable[[Sequence[Any], Callable[[Any], Any]], Any]
"""(|w| of the weights of a group, square root) → what the group costs."""


def exclusive(sizes: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """½ (Σ |w|)²: what eq. 7 asks for one group."""
    return sum(sizes) ** 2 / 2


NO_COMPETITION: Final[dict[str, Price]] = {
    "the sum of absolute values": lambda sizes, root: sum(sizes),
    "half the sum of squares": lambda sizes, root: sum(a * a for a in sizes) / 2,
    "the 2-norm (group lasso)": lambda sizes, root: root(sum(a * a for a in sizes)),
    "half the square of the difference": lambda sizes, root: (sizes[0] - sum(sizes[1:])) ** 2 / 2,
}
"""Prices under which the weights of a group do not compete, or not to the point of vanishing."""


@claim(
    "DSWN-S31-GROUP",
    place="sec. 3.1",
    statement="Weights from the same neuron make a group; then each output neuron has to compete for input neurons, "
    "and the weights of different output neurons come out dissimilar.",
    reading="W (n, d) has a row for every output and a column for every input neuron. Output neurons compete for an "
    "input if the penalty of two weights on one input exceeds the sum of the penalties of each alone; weights are "
    "pushed apart if rows with the same entries cost less where their supports differ. In eq. 7 ES = ½ Σ_{g,h} "
    "⟨|W_:g|, |W_:h|⟩ over rows for groups that are columns: overlap of rows is exactly what it charges.",
    formula=exclusive,
    faults=NO_COMPETITION,
)
def groups_of_weights(formula: Price, quick: bool) -> Measured:
    names = {
        "rows: the weights into one output neuron (g is the first index of W (n, d) in eq. 8)": False,
        "columns: the weights that come from one input neuron": True,
    }
    readings = [Reading(text, _competition(formula, by_columns)) for text, by_columns in names.items()]
    message = (
        "Grouped by rows, ES is a sum over output neurons: no weight of one tells on the weights of another; what "
        "competes there is the inputs, for a place in each output neuron."
    )
    return Measured(readings=readings, message=message)


def _competition(price: Price, by_columns: bool) -> list[Part]:
    import sympy

    a, b = sympy.symbols("a b", positive=True)

    def total(W: Sequence[Sequence[Any]]) -> Any:
        groups = zip(*W, strict=True) if by_columns else W
        return sympy.expand(sum(price([sympy.sympify(x) for x in group], sympy.sqrt) for group in groups))

    both, first, second = ([[a, 0], [b, 0]], [[a, 0], [0, 0]], [[0, 0], [b, 0]])
    surcharge = sympy.simplify(total(both) - total(first) - total(second))
    saved = sympy.simplify(total([[a, 0], [b, 0]]) - total([[a, 0], [0, b]]))
    parts = []
    for name, found, point in (
        ("output neurons compete for an input", surcharge, "W = [[a, 0], [b, 0]] against its two weights alone"),
        ("the rows are pushed apart", saved, "W = [[a, 0], [b, 0]] against [[a, 0], [0, b]]"),
    ):
        numbers = [found.subs({a: x, b: y}) for x, y in itertools.product((1, 2, 3), repeat=2)]
        positive = bool(found.is_positive)
        routes = [
            said("symbolic", positive, f"{point}: the difference is {found}", power=0.0),
            said("exact", all(number > 0 for number in numbers), "at a, b = 1, 2, 3", power=0.0),
        ]
        parts.append(Part(name, routes, {"a, b": ["1", "1"], "point": point, "difference": str(numbers[0])}))
    return parts


@claim(
    "DSWN-S31-COMP",
    place="sec. 1, 3.1",
    statement="The penalty makes the weights inside a group compete and therefore makes some of them zero: the price "
    "of growing one weight, ∂ES/∂|w_i| = ‖w_g‖₁, rises with every other weight of the group and is positive at w_i = 0 "
    "as soon as another weight is not 0, so that small weights of the group vanish.",
    reading="sparsity is that of the minimiser of a smooth convex loss plus ρ ES, here ½ ‖w − x‖² + ρ ES(w).",
    formula=exclusive,
    faults=NO_COMPETITION,
)
def competition(formula: Price, quick: bool) -> Measured:
    import sympy

    a, b = sympy.symbols("a b", positive=True)
    mixed = sympy.simplify(sympy.diff(formula([a, b], sympy.sqrt), a, b))
    edge = sympy.limit(sympy.diff(formula([a, b], sympy.sqrt), b), b, 0, "+")
    competing = said("symbolic", bool(mixed.is_positive), f"∂²/∂|w₁|∂|w₂| = {mixed}", power=0.0)
    vanishing = said("symbolic", bool(edge.is_positive), f"∂/∂|w₂| at w₂ = 0+ is {edge}", power=0.0)
    together, alone = _value(formula, 1, 1), _value(formula, 1, 0) + _value(formula, 0, 1)
    least = _least_on_grid(formula)
    grid = said("optimisation", least[1] == 0, f"x = (3, 1), ρ = 1: least on a grid at w = {least}", power=0.125)
    return Measured(
        parts=[
            Part(
                "competition",
                [competing, said("exact", together > alone, f"(1, 1) costs {together:g}, alone {alone:g}", power=0.0)],
                {"w": ["1", "1"], "together": str(together), "each alone, summed": str(alone)},
            ),
            Part("zeros", [vanishing, grid], {"x": ["3", "1"], "rho": "1", "minimiser on a grid": list(least)}),
        ],
        message="A group as a whole is never made zero (DSWN-EQ8-ZERO), and one of equal sizes keeps all its weights "
        "(DSWN-EQ8-GAP).",
    )


def _value(price: Price, *sizes: float) -> float:
    return float(price(sizes, math.sqrt))


def _least_on_grid(price: Price) -> tuple[float, float]:
    """Where ½ ‖w − x‖² + price(w) is least for x = (3, 1), on the grid of eighths in [0, 3] × [0, 1]."""
    points = ((i / 8, j / 8) for i, j in itertools.product(range(25), range(9)))
    return min(points, key=lambda w: (w[0] - 3) ** 2 / 2 + (w[1] - 1) ** 2 / 2 + _value(price, *w))
