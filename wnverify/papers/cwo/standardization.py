"""CWO, eqs. 15 to 17: weight standardization, what it yields, and what it is invariant to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import maps


class Standardized(NamedTuple):
    """ŵ by a map of (w, 1, n, square root), and the value of ‖ŵ‖² for fan-in n."""

    map: Callable[[Any, Any, Any, Any], Any]
    square: Callable[[Any], Any]


def eqs15_17(w: Any, one: Any, n: Any, sqrt: Any) -> Any:
    """ŵ as printed, in whatever ring its arguments live."""
    centred = w - (w @ one) / n * one
    return centred / sqrt((centred @ centred) / n)


PRINTED: Final = Standardized(eqs15_17, lambda n: n)


@claim(
    "CWO-EQ15-17",
    place="Sec. 3.5, eqs. 15–17",
    statement="ŵ = (w − μ 1)/σ with μ = (1/n) w·1 and σ² = (1/n) Σ (w_j − μ)². What mean and norm has ŵ, and where is "
    "it defined? Answer: mean 0 and variance 1, so ‖ŵ‖² = n (not 1, and not the c = 2 of CWO); it is defined where "
    "σ > 0, that is for every w that is not constant, and never for n = 1.",
    formula=PRINTED,
    faults={
        "the norm is one": PRINTED._replace(square=lambda n: n / n),
        "the norm is that of the unbiased deviation": PRINTED._replace(square=lambda n: n - 1),
        "the mean stays": PRINTED._replace(map=lambda w, one, n, sqrt: w / sqrt((w @ w) / n)),
        "1/(n-1) in eq. 17": PRINTED._replace(
            map=lambda w, one, n, sqrt: eqs15_17(w, one, n, sqrt) * sqrt((n - 1) / n)
        ),
        "the variance for the deviation": PRINTED._replace(
            map=lambda w, one, n, sqrt: eqs15_17(w, one, n, sqrt) / sqrt((w @ w) / n - (w @ one) ** 2 / n**2)
        ),
        "1/n missing in eq. 16": PRINTED._replace(
            map=lambda w, one, n, sqrt: (w - (w @ one) * one) / sqrt((w @ w) / n - (w @ one) ** 2 / n**2)
        ),
    },
)  # fmt: skip
def standardized(formula: Standardized, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    n = sympy.Symbol("n", positive=True)
    gram = Gram({("one", "one"): n})
    w, one = gram.vector("w"), gram.vector("one")
    image = formula.map(w, one, n, sympy.sqrt)
    pairs = {"1·ŵ = 0": (image @ one, 0), "‖ŵ‖²": (image @ image, formula.square(n))}

    def at(case: maps.Case, square: bool) -> tuple[Any, Any, Json]:
        w, one = maps.vector(case.w), maps.ones(case.n)
        image = formula.map(w, one, maps.vector([Fraction(case.n)])[0], lambda x: x.sqrt())
        found, claimed = image @ image, formula.square(Fraction(case.n))
        shown: dict[str, Json] = {"w": [str(x) for x in case.w], "ŵ": maps.numbers(image), "‖ŵ‖² claimed": str(claimed)}
        difference = found - maps.vector([Fraction(claimed)])[0] if square else image @ one
        return [difference], 1.0, shown

    parts = []
    for name, (found, claimed) in pairs.items():
        proof = said("symbolic", is_identity(found, claimed), "over inner products, for every n", power=0.0)
        with maps.at_precision():
            enclosed, witness = maps.vanishing(
                (at(case, name == "‖ŵ‖²") for case in maps.cases(quick)), "the map itself"
            )
        parts.append(Part(name, [proof, enclosed], witness))
    constant = [[Fraction(3)] * size for size in (1, 2, 3)] + [[Fraction(-7)], [Fraction(0)] * 2]
    vanishing = [size for size in constant if not any(x - sum(size) / len(size) for x in size)]
    note = f"σ = 0 and w − μ 1 = 0 at {len(vanishing)} of {len(constant)} constant rows, n = 1 among them: 0/0"
    undefined = said("exact", not vanishing, note, power=0.0)
    condition = Condition(
        "w is not constant (so n ≥ 2)", [undefined], {"w": ["3", "3"], "w − μ 1": ["0", "0"], "σ": "0"}
    )
    return Measured(
        parts=parts, conditions=[condition], left_out=("seven of ten enclosed cases",) if quick else ()
    )  # fmt: skip


def side_by_side(rows: Sequence[Any]) -> Any:
    """[a, b, …] of blocks with equal numbers of rows: one beside the other."""
    import numpy as np

    return np.concatenate(list(rows), axis=1)


def one_below_the_other(rows: Sequence[Any]) -> Any:
    import numpy as np

    return np.concatenate(list(rows), axis=0)


@claim(
    "CWO-P-WHATSTACK",
    place="Sec. 3.5",
    statement="Ŵ = [ŵ_1ᵀ, …, ŵ_{n_o}ᵀ] is the matrix for which y = Ŵx has the entries y_i = ŵ_iᵀx.",
    reading="ŵ_i is a column (eqs. 2, 5 and 16 write 1ᵀw_i and w_iᵀ1), so ŵ_iᵀ is a row; blocks between commas stand "
    "side by side, as everywhere else in matrix notation. (Read as a list of rows, it is the corrected form.)",
    formula=side_by_side,
    corrected="Ŵ = [ŵ_1, …, ŵ_{n_o}]ᵀ, the rows ŵ_iᵀ one below the other: shape (n_o, n)",
    corrected_formula=one_below_the_other,
    faults={
        "the transpose of the right one": lambda rows: one_below_the_other(rows).T,
        "the rows added": lambda rows: sum(rows),
        "the rows in reverse order": lambda rows: one_below_the_other(rows[::-1]),
    },
)
def stacked(formula: Any, quick: bool) -> Measured:
    import numpy as np

    shapes, wrong = [], None
    for n, n_o in ((2, 2), (2, 3), (3, 2), (4, 3)):
        rows = [np.array([[(i + 2) ** j for j in range(n)]]) for i in range(n_o)]
        x = np.array([1 + j * j for j in range(n)])
        found = formula(rows)
        fits = found.shape == (n_o, n) and (found @ x).tolist() == [int((row @ x)[0]) for row in rows]
        shapes.append(fits)
        if not fits and wrong is None:
            wrong = {"n": n, "n_o": n_o, "rows": [row[0].tolist() for row in rows], "shape of Ŵ": list(found.shape)}
            wrong["shape that y = Ŵx needs"] = [n_o, n]
    note = f"shape (n_o, n) and entries ŵ_iᵀx in {sum(shapes)} of {len(shapes)} sizes with n, n_o ≥ 2"
    return Measured(parts=[Part("shape", [said("exact", all(shapes), note, power=0.0)], wrong)])


@claim(
    "CWO-P-SCALEINV",
    place="Sec. 3.5",
    statement="Replacing W by a W leaves y = Ŵx unchanged, a being a scalar factor.",
    hypotheses=("ŵ_i by eqs. 15 to 17, no row of W constant",),
    reading="the formula is the factor by which Ŵ, and so y, changes.",
    formula=lambda a: 1,
    corrected="ŵ(a w) = sign(a) ŵ(w) for a ≠ 0: y is unchanged for a > 0 and changes its sign for a < 0",
    faults={
        "y is scaled along": lambda a: a,
        "y is scaled inversely": lambda a: 1 / a,
        "y changes sign": lambda a: -1,
        "y is scaled quadratically": lambda a: a * a,
    },
)
def scale_invariance(formula: Any, quick: bool) -> Measured:
    import sympy

    known, a = maps.symbols(), sympy.Symbol("a", positive=True)
    moved = eqs15_17(a * known.w, known.one, known.n, sympy.sqrt)
    proof = said("symbolic", (moved - formula(a) * known.w_hat).is_zero(), "for every n and every a > 0", power=0.0)

    def at(case: maps.Case, a: Fraction) -> tuple[Any, Any, Json]:
        before, after = (maps.standardized(maps.vector(b * x for x in case.w)) for b in (Fraction(1), a))
        factor = maps.vector([Fraction(formula(a))])[0]
        shown: dict[str, Json] = {"w": [str(x) for x in case.w], "a": str(a), "ŵ(w)": maps.numbers(before)}
        return after - factor * before, 1.0, shown | {"ŵ(a w)": maps.numbers(after)}

    factors = (Fraction(1, 3), Fraction(7), Fraction(1, 10**6))
    with maps.at_precision():
        enclosed, witness = maps.vanishing(
            (at(case, a) for case in maps.cases(quick) for a in factors), "a = 1/3, 7 and 10^-6"
        )
        flipped, _ = maps.vanishing([at(next(maps.cases()), Fraction(-1))], "a = -1, where ŵ changes its sign")
    nothing = [0 * x for x in next(maps.cases()).w]
    zero = said("exact", len(set(nothing)) > 1, "a = 0 leaves a constant row, at which ŵ is 0/0", power=0.0)
    counter = {"w": ["1", "-1"], "a": "-1", "ŵ(w)": [1, -1], "ŵ(a w)": [-1, 1]}
    condition = Condition("a > 0", [flipped, zero], counter)
    return Measured(
        parts=[Part("invariance", [proof, enclosed], witness)],
        conditions=[condition],
        message="A divisor σ + ε or (σ² + ε)^{1/2}, as in use, breaks the invariance for a > 0 as well.",
        left_out=("seven of ten points",) if quick else (),
    )
