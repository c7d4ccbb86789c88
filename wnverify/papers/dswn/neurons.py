"""DSWN, sections 3.2 and 4.2: which neuron a column of W belongs to, and what a diagonal G scales.

Layers are Z = W A + b with W (n, d), section 3: n output neurons, one a row, and d input neurons, one a column.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.dswn.model_points import matrix, shown

INPUT: Final = "a neuron is an input neuron of the layer (a neuron of the layer before, or an input of the network)"
OUTPUT: Final = "a neuron is an output neuron of the layer, its weight vector a row of W, as where WN is spoken of"
Score = Callable[[Sequence[Any]], Any]


@claim(
    "DSWN-S32-NEURON",
    place="abstract, sec. 1, 3.2",
    statement="The norm of column i stands for the importance of the i-th (intermediate) neuron: d numbers for as many "
    "neurons, and a neuron has number 0 exactly if it has no part in Z = W A.",
    reading="whether the norm measures more than that is left open. The shapes allow the first reading only, while "
    "the words allow both. In the first layer the columns are then inputs of the network, and in a convolution a place "
    "of a channel in the window: no intermediate neurons.",
    formula=lambda column: sum(x * x for x in column),
    faults={
        "the sum of the column": lambda column: sum(column),
        "its first entry": lambda column: column[0],
        "the product of its entries": lambda column: column[0] * column[1],
        "its sum of squares less one": lambda column: sum(x * x for x in column) - 1,
        "the difference of its first two": lambda column: column[0] - column[1],
    },
)
def importance(formula: Score, quick: bool) -> Measured:
    return Measured(
        readings=[
            Reading(INPUT, _scored(formula, by_input=True)),
            Reading(OUTPUT, _scored(formula, by_input=False)),
        ]
    )


def _scored(score: Score, *, by_input: bool) -> list[Part]:
    """The score of column i against what neuron i does to Z: over all W (2, 3) with entries 0, 1, −1."""
    witness, count = None, 0
    n, d = 2, 3
    for entries in itertools.product((0, 1, -1), repeat=n * d):
        W = (entries[:d], entries[d:])
        count += 1
        # Z for each input alone: Z[j] is W e_j
        Z = [[sum(w * int(j == k) for k, w in enumerate(row)) for row in W] for j in range(d)]
        parts = Z if by_input else list(zip(*Z, strict=True))
        for i, part in enumerate(parts):
            found = score([row[i] for row in W])
            if (found == 0) == any(part) and witness is None:
                witness = {"W": [list(row) for row in W], "neuron": i + 1, "score": found, "has a part in Z": any(part)}
    shapes = [(n, d) for d in range(2, 6) for n in range(1, d)]
    same = all((d if by_input else n) == d for n, d in shapes)
    numbers: Json = {"W": "(n, d) = (1, 2)", "columns": 2, "neurons": 2 if by_input else 1}
    return [
        Part(
            "as many columns as neurons",
            [said("arithmetic", same, "n ≤ d − 1, for which alone φ(V) is defined", power=0.0)],
            numbers,
        ),
        Part(
            "0 for a neuron without effect", [said("exact", witness is None, f"{count} W (2, 3)", power=0.0)], witness
        ),
    ]


def by_columns(phi: Any, scales: Any) -> Any:
    """φ G^{-1} with 1/g = ``scales``."""
    return phi * scales


def _mixed(phi: Any, scales: Any) -> Any:
    """A full matrix on the right instead."""
    return phi * scales + (phi * scales)[:, ::-1]


def _single(phi: Any, scales: Any) -> Any:
    """One weight only."""
    found = phi + 0 * scales
    found[0, 0] = phi[0, 0] * scales[0]
    return found


@claim(
    "DSWN-S42-DIAG",
    place="sec. 4.2",
    statement="The diagonal penalty matrix scales the whole neuron: each diagonal entry acts on an entire weight "
    "vector, multiplying it by one number, and on no other.",
    reading="W = φ(V) G^{-1} with G = diag(g_1, …, g_d) of eq. 9; entry j belongs to neuron j.",
    formula=by_columns,
    faults={
        "a full matrix": _mixed,
        "one weight only": _single,
        "added for multiplied": lambda phi, scales: phi + scales,
        "the sum of all entries": lambda phi, scales: phi * sum(scales),
        "nothing scaled": lambda phi, scales: phi + 0 * scales,
    },
)
def scaled_neurons(formula: Any, quick: bool) -> Measured:
    message = (
        "W = φ(V) G^{-1} multiplies columns: all weights that leave input neuron j by 1/g_j. A row, the weight vector "
        "of an output neuron, has every entry multiplied by another number; to scale it as a whole, a diagonal (n, n) "
        "matrix from the left would be needed."
    )
    readings = [
        Reading(INPUT, _acted_on(formula, axis=1)),
        Reading(OUTPUT, _acted_on(formula, axis=0)),
    ]
    return Measured(readings=readings, message=message)


def _acted_on(formula: Any, axis: int) -> list[Part]:
    """Doubling scale k: weight vector k (axis 1: column, 0: row) doubles, the others stay; in numbers and symbols."""
    import numpy as np
    import sympy

    numbers = matrix([[5, -1, -1, -3], [1, 1, -5, 3]]) / 6
    symbols = np.array([[sympy.Symbol(f"p{i}{j}", real=True) for j in range(3)] for i in range(2)], dtype=object)
    routes, witness = [], None
    for route, phi in (("exact", numbers), ("symbolic", symbols)):
        n, d = phi.shape
        held = True
        for k in range(d if axis else n):
            one = np.array([Fraction(j + 1) for j in range(d)] if phi is numbers else sympy.symbols(f"s0:{d}"))
            two = np.array([2 * x if j == k else x for j, x in enumerate(one)])
            before, after = formula(phi, one), formula(phi, two)
            factor = np.array([2 if j == k else 1 for j in range(d if axis else n)], dtype=object)
            meant = before * (factor if axis else factor[:, None])
            gap = after - meant
            right = all(sympy.expand(x) == 0 for x in gap.ravel()) if phi is symbols else not gap.any()
            if not right and witness is None:
                witness = {
                    "phi": shown(phi),
                    "entry doubled": k + 1,
                    "W before": shown(before),
                    "W after": shown(after),
                }
            held = held and right
        routes.append(said(route, held, f"{n} × {d}, every entry of G^{{-1}} doubled in turn", power=0.0))
    return [Part("column" if axis else "row", routes, witness)]
