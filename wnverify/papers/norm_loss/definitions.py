"""Norm loss, section IV and appendix: the losses as printed (eqs. 7 to 9) and the norm of a filter (eq. 14)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

from wnverify.papers.claims import Measured, Part, Reading, claim
from wnverify.papers.norm_loss.witnesses import (
    FILTERS,
    F,
    Sums,
    evaluate,
    exact,
    fraction_root,
    network,
    norm,
    proved,
    shown,
    unsound,
)

FILTER: Final = (("c_o", "C_o"),)
PRINTED: Final = (("i", "C_i"), ("j", "F_h"), ("j", "F_w"))
"""The three inner sums of eqs. 7 and 9."""
APPENDIX: Final = (("c_i", "C_i"), ("i", "F_h"), ("j", "F_w"))
"""The three inner sums of eqs. 13 and 14."""
SIZES: Final = ({"F_h": 1, "F_w": 2, "C_i": 1, "C_o": 2}, {"F_h": 2, "F_w": 1, "C_i": 3, "C_o": 2})
WRONG: Final = {
    "j twice": PRINTED,
    "c_i left free": (("i", "F_h"), ("j", "F_w")),
    "c_i over F_h and i over C_i": (("c_i", "F_h"), ("i", "C_i"), ("j", "F_w")),
    "i over F_w and j over F_h": (("c_i", "C_i"), ("i", "F_w"), ("j", "F_h")),
}


def tensor(sizes: dict[str, int]) -> dict[tuple[int, ...], Any]:
    """w_{i j c_i c_o}, the second filter a fifth of the first; filters have rational norms: 5 and 1, or 28 and 28/5."""
    ranges = [range(1, sizes[extent] + 1) for extent in ("F_h", "F_w", "C_i")]
    keys = list(itertools.product(*ranges))
    entries = {2: (3, 4), 6: (1, 2, 3, 4, 5, 27)}[len(keys)]
    return {(*key, c): F(x, 1 if c == 1 else 5) for c in (1, 2) for key, x in zip(keys, entries, strict=True)}


def judged(
    sums: Sums,
    outside: Callable[[Any], Any],
    right: Callable[[list[list[Any]]], Any],
) -> Part:
    """Whether the printed sums bind each index of w once over its own axis, and are the loss ``right`` of the rows."""
    faulty = unsound(sums)
    witness: Any = None
    for sizes in SIZES:
        w = tensor(sizes)
        rows = [[x for key, x in w.items() if key[3] == c] for c in range(1, sizes["C_o"] + 1)]
        wanted = right(rows)
        try:
            value, text = evaluate(sums, w, sizes, outside), ""
        except LookupError as missing:
            value, text = None, f"no value: {missing.args[0]} is not bound, or no index of w"
        except ValueError:
            value, text = None, "the root of no square, where every filter has a rational norm"
        if value != wanted and witness is None:
            entries = {f"w_{','.join(map(str, key))}": shown(x) for key, x in w.items()}
            witness = {"sizes": dict(sizes), "w": entries, "printed": text or shown(value), "right": shown(wanted)}
    routes = [
        proved(not faulty, "; ".join(faulty) or "each index of w is summed once, over its own axis"),
        exact(witness is None, "the sums to the letter against the rows of two small tensors"),
    ]
    return Part("sums", routes, witness or {"indices": list(faulty)})


@claim(
    "NL-EQ7",
    place="Sec. IV, eq. 7",
    statement="L_nl = Σ_{c_o=1}^{C_o} (1 − √(Σ_{i=1}^{C_i} Σ_{j=1}^{F_h} Σ_{j=1}^{F_w} w²_{i j c_i c_o}))².",
    reading="to the letter: an inner sum's index hides an outer one of the same name, and c_i, which is not summed, "
    "has no value.  The appendix prints the same loss otherwise (eq. 13), and that form is the meant one.",
    formula=Sums(FILTER, PRINTED),
    faults={name: Sums(FILTER, inner) for name, inner in WRONG.items()},
    corrected="L_nl = Σ_{c_o=1}^{C_o} (1 − √(Σ_{c_i=1}^{C_i} Σ_{i=1}^{F_h} Σ_{j=1}^{F_w} w²_{i j c_i c_o}))² (eq. 13).",
    corrected_formula=Sums(FILTER, APPENDIX),
)
def norm_loss(formula: Sums, quick: bool) -> Measured:
    part = judged(
        formula,
        lambda s: (1 - fraction_root(s)) ** 2,
        lambda rows: sum(((1 - norm(row, fraction_root)) ** 2 for row in rows), F(0)),
    )
    return Measured(parts=[part])


@claim(
    "NL-EQ9",
    place="Sec. IV-A, eq. 9",
    statement="L_wd = Σ_{c_o=1}^{C_o} Σ_{i=1}^{C_i} Σ_{j=1}^{F_h} Σ_{j=1}^{F_w} w²_{i j c_i c_o}.",
    reading="to the letter, as eq. 7; meant is the sum of the squares of all weights.",
    formula=Sums(FILTER, PRINTED),
    faults={name: Sums(FILTER, inner) for name, inner in WRONG.items()} | {"c_o left free": Sums((), APPENDIX)},
    corrected="L_wd = Σ_{c_o=1}^{C_o} Σ_{c_i=1}^{C_i} Σ_{i=1}^{F_h} Σ_{j=1}^{F_w} w²_{i j c_i c_o}.",
    corrected_formula=Sums(FILTER, APPENDIX),
)
def weight_decay(formula: Sums, quick: bool) -> Measured:
    return Measured(parts=[judged(formula, lambda s: s, lambda rows: sum((x * x for row in rows for x in row), F(0)))])


@claim(
    "NL-EQ14",
    place="Appendix, eq. 14",
    statement="‖w_{c_o}‖ = √(Σ_{c_i=1}^{C_i} Σ_{i=1}^{F_h} Σ_{j=1}^{F_w} w²_{i j c_i c_o}), the Euclidean norm of a "
    "filter.",
    reading="c_o is given, and free on both sides; compared are the norms of all filters, added.",
    formula=APPENDIX,
    faults=WRONG | {"all filters": (*FILTER, *APPENDIX)},
)
def filter_norm(formula: tuple[tuple[str, str], ...], quick: bool) -> Measured:
    # the norms summed over filters, each by itself under its root
    part = judged(
        Sums(FILTER, formula), fraction_root, lambda rows: sum((norm(row, fraction_root) for row in rows), F(0))
    )
    return Measured(parts=[part])


@claim(
    "NL-EQ7-MIN",
    place="Sec. IV",
    statement="The norm loss penalizes a filter if and only if its Euclidean norm differs from one: (1 − ‖w‖)² is 0 at "
    "norm one and positive elsewhere.",
    formula=lambda r: (1 - r) ** 2,
    faults={
        "weight decay": lambda r: r**2,
        "long filters only": lambda r: (r - 1 + abs(r - 1)) ** 2,
        "no square": lambda r: 1 - r,
        "zero filters spared": lambda r: r * (1 - r) ** 2,
    },
)
def penalizes(formula: Callable[[Any], Any], quick: bool) -> Measured:
    import sympy

    witness: Any = None
    norms = [F(0), F(1, 10**6), F(999, 1000), F(1001, 1000), F(10**6), *(norm(w, fraction_root) for w, _ in FILTERS)]
    for r in norms:
        value = formula(r)
        if (value != 0 if r == 1 else value <= 0) and witness is None:
            witness = {"‖w‖": shown(r), "penalty": shown(value)}
    r = sympy.Symbol("r", nonnegative=True)
    zeros = sympy.solveset(formula(r), r, sympy.Interval(0, sympy.oo)) == sympy.FiniteSet(1)
    t = sympy.Symbol("t", positive=True)
    signs = [sympy.simplify(formula(x)).is_positive for x in (1 + t, 1 / (1 + t), sympy.Integer(0))]
    routes = [
        proved(bool(zeros) and all(signs), "the zeros in [0, ∞), and the sign below, above and at norm 0"),
        exact(witness is None, "norms from 0 to 10⁶"),
    ]
    return Measured(parts=[Part("if and only if", routes, witness)])


@claim(
    "NL-EQ8",
    place="Sec. IV, eq. 8",
    statement="L_total = L_target + λ_nl L_nl is the loss of the network, by which each of its filters is drawn to "
    "norm one (eq. 12).",
    reading="eq. 7 is the loss of one layer of C_o filters, a network has many, and eq. 8 has no sum over layers.",
    formula=lambda target, factor, penalty: target + factor * penalty,
    faults={
        "λ missing": lambda target, factor, penalty: target + penalty,
        "minus": lambda target, factor, penalty: target - factor * penalty,
        "λ in front of both": lambda target, factor, penalty: factor * (target + penalty),
        "a product": lambda target, factor, penalty: target * factor * penalty,
    },
)
def total(formula: Callable[[Any, Any, Any], Any], quick: bool) -> Measured:
    import sympy

    known = network(2, 2)  # one filter in each of two layers
    factor = sympy.Symbol("lambda", positive=True)
    target = sympy.Function("T")(*(x for row in known.rows for x in row))
    readings = []
    for text, layers in (("L_nl summed over all layers that are regularized", 2), ("L_nl of eq. 7, of one layer", 1)):
        loss = formula(target, factor, sum((1 - r) ** 2 for r in known.norms[:layers]))
        same = all(
            sympy.simplify(sympy.diff(loss, x) - sympy.diff(target, x) - factor * 2 * x * (1 - 1 / r)) == 0
            for row, r in zip(known.rows, known.norms, strict=True)
            for x in row[: 1 if quick else 2]
        )
        W: Sequence[Sequence[Any]] = ((F(1), F(0)), (F(3), F(4)))
        penalties = [(1 - norm(row, fraction_root)) ** 2 for row in W]
        value, wanted = formula(F(2), F(1, 10), sum(penalties[:layers], F(0))), F(2) + F(1, 10) * 16
        witness = {"first layer": shown(W[0]), "second layer": shown(W[1]), "L_target": 2, "λ": "1/10"}
        witness |= {"L_total": shown(value), "with every layer drawn to norm one": shown(wanted)}
        routes = [
            proved(same, "∂L_total/∂w of both layers against ∂L_target/∂w + λ 2 w (1 − 1/‖w‖)"),
            exact(value == wanted, f"two layers, the second with norm 5: {value} against {wanted}"),
        ]
        readings.append(Reading(text, [Part("every filter", routes, witness)]))
    return Measured(readings=readings)
