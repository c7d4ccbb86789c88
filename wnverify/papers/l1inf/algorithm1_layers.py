"""L1,∞, Sec. 4, Algorithm 1: which layers it reaches, and whether the bias is projected."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.exact_projection import Vector, is_projection, projection, shown, size, vector


class Layers(NamedTuple):
    """The layers that an iteration changes and those that it projects, for k hidden layers."""

    updated: Callable[[int], range]
    projected: Callable[[int], range]


ALGORITHM_1: Final = Layers(lambda k: range(1, k + 1), lambda k: range(1, k + 1))
WITH_OUTPUT: Final = ALGORITHM_1._replace(updated=lambda k: range(1, k + 2))


@claim(
    "L1-ALG1-OUT",
    place="Alg. 1",
    statement="Algorithm 1, whose input, loop and output list the layers 1, …, k, solves eq. 2.2, whose unknown is f = "
    "T_{k+1}∘…∘T_1 with T_{k+1} unconstrained.",
    reading="literally: what is not listed does not change, so the output layer stays at its initial value and at "
    "k = 0 nothing is trained.  The prose (any gradient descent method, its output projected) has all layers move.",
    formula=ALGORITHM_1,
    corrected="the gradient step for ℓ = 1, …, k + 1, the projection for ℓ = 1, …, k.",
    corrected_formula=WITH_OUTPUT,
    faults={
        "output layer projected too": Layers(lambda k: range(1, k + 2), lambda k: range(1, k + 2)),
        "first layer left out": Layers(lambda k: range(2, k + 2), lambda k: range(2, k + 1)),
        "last hidden layer not projected": WITH_OUTPUT._replace(projected=lambda k: range(1, k)),
    },
)
def output_layer(formula: Layers, quick: bool) -> Measured:
    wrong: dict[str, dict[str, list[int]]] = {}
    for k in range(4):
        unknown, constrained = list(range(1, k + 2)), list(range(1, k + 1))
        updated, projected = list(formula.updated(k)), list(formula.projected(k))
        if (updated, projected) != (unknown, constrained):
            wrong[f"k = {k}"] = {"unknown in eq. 2.2": unknown, "updated": updated, "projected": projected}
    same = not any(each["unknown in eq. 2.2"] != each["updated"] for each in wrong.values())
    hidden = not any(each["projected"] != each["unknown in eq. 2.2"][:-1] for each in wrong.values())
    losses = _descent(formula)
    falls = losses[-1] < losses[0]
    note = f"losses {', '.join(map(str, losses))}; the gradient of the hidden layer is 0 as long as T_2 = 0"
    return Measured(
        consistency=[
            Part(
                "what eq. 2.2 minimises over is what changes",
                [said("arithmetic", same, "sets of layers, k = 0, …, 3", power=0.0)],
                wrong,
            ),
            Part(
                "a run from T_2 = 0 lowers the objective of eq. 2.2",
                [said("exact", falls, note, power=0.0)],
                {"k": 1, "x": 1, "y": 1, "L": "(f(x) − y)²", "losses": [str(x) for x in losses]},
            ),
            Part("what S_c constrains is projected", [said("arithmetic", hidden, "k = 0, …, 3", power=0.0)], wrong),
        ],
    )


def _descent(formula: Layers) -> list[Fraction]:
    """Losses of x ↦ b_2 + w_2 ReLU(b_1 + w_1 x) at x = y = 1 from w_1 = 1, all else 0, γ = 1/4, c = 1."""
    first, second, rate, c = vector(0, 1), vector(0, 0), Fraction(1, 4), Fraction(1)
    losses = []
    for _ in range(4):
        hidden = max(first[0] + first[1], Fraction(0))
        residual = second[0] + second[1] * hidden - 1
        losses.append(residual**2)
        down = 2 * rate * residual * second[1] * (hidden > 0)
        new_first = (first[0] - down, first[1] - down) if 1 in formula.updated(1) else first
        if 2 in formula.updated(1):
            second = (second[0] - 2 * rate * residual, second[1] - 2 * rate * residual * hidden)
        first = projection(new_first, c) if 1 in formula.projected(1) else new_first
        second = projection(second, c) if 2 in formula.projected(1) else second
    return losses


ColumnRule = Callable[[Vector, Fraction, int], Vector]
"""(column (bias, weights), c, first entry that is projected) → column."""


@claim(
    "L1-ALG1-TILDE",
    place="Alg. 1",
    statement="With the step taken on Ṽ_ℓ and the projection on the columns of V_ℓ, ‖Ṽ_ℓ‖_{1,∞} ≤ c afterwards, as "
    "S_c asks.",
    hypotheses=("c > 0",),
    reading="V_ℓ is nowhere defined.  Sec. 3.3 writes T(u) = Vᵀ(1, uᵀ)ᵀ, so that V holds the bias; the tilde of Sec. "
    "2.3 marks that the bias was added, so that V would be without it.",
    formula=lambda v, c, start: (*v[:start], *projection(v[start:], c)),
    faults={
        "nothing is projected": lambda v, c, start: v,
        "radius 2c": lambda v, c, start: (*v[:start], *projection(v[start:], 2 * c)),
        "entries clipped to c": lambda v, c, start: (*v[:start], *(min(max(x, -c), c) for x in v[start:])),
    },
)
def bias_in_or_out(formula: ColumnRule, quick: bool) -> Measured:
    columns = [tuple(itertools.islice(networks.rationals(start), 4)) for start in range(8)]

    def part(start: int) -> Part:
        c = Fraction(1)
        found = {v: formula(v, c, start) for v in [vector(1, 1), vector("1/2", -2, 1), *columns]}
        beyond = [v for v, w in found.items() if size(w) > c]
        v = beyond[0] if beyond else vector(1, 1)
        witness: Json = {
            "column (bias, weights)": shown(v),
            "c": 1,
            "after": shown(found[v]),
            "L1 norm": str(size(found[v])),
        }
        certified = all(is_projection([v], [w], c) for v, w in found.items())
        return Part(
            "‖Ṽ_ℓ‖_{1,∞} ≤ c",
            [
                said("exact", not beyond, f"{len(found)} columns", power=0.0),
                said("optimisation", certified, "nearest column of L1 norm at most c", power=0.0),
            ],
            witness,
        )

    return Measured(
        readings=[
            Reading("V_ℓ = Ṽ_ℓ, the bias is projected with the weights", [part(0)]),
            Reading("V_ℓ is Ṽ_ℓ without its first row, the bias", [part(1)]),
        ],
    )
