"""DSWN, after eq. 8: its factor as a penalty matrix, and what is left of the normalization after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import model_points, shrinkage
from wnverify.papers.dswn.shrinkage import Row

PAIRS: Final[dict[str, Sequence[Sequence[int]]]] = {
    "V = (1, −1)": [[1, -1]],
    "V = (1, −1, 0)": [[1, -1, 0]],
    "V = (2, −1, −1)": [[2, -1, -1]],
    "V = ±1 in two rows": [[1, 1, -1, -1], [1, -1, 1, -1]],
    "two rows of norm 6": [[5, -1, -1, -3], [1, 1, -5, 3]],
}
"""V with orthogonal rows that sum to 0: φ(V)_g = V_g / ‖V_g‖, and eq. 8, homogeneous, may be done on V_g itself."""


@claim(
    "DSWN-EQ8-PENALTY",
    place="after eq. 8",
    statement="According to W = φ(V) G^{-1}, the factor F = (1 − ρ‖φ_g‖₁/|φ_{g,i}|)_+ ∈ R^{n×d} is a penalty matrix: "
    "it takes the place of G^{-1} and gives the W of eq. 8.",
    reading="W = φ(V) G^{-1} is a product of matrices, as in eqs. 1 to 6 and 10, with G (d, d).",
    formula=lambda phi, F: phi @ F,
    faults={
        "the factor transposed": lambda phi, F: phi @ F.T,
        "from the left": lambda phi, F: F @ phi,
        "divided by the factor": lambda phi, F: phi / (F + 1),
        "one diagonal matrix for all rows": lambda phi, F: phi * F[:1],
        "the factor alone": lambda phi, F: F,
        "what the factor takes away": lambda phi, F: phi * (1 - F),
    },
    corrected="W_SM = φ(V) ∘ F, entry by entry, with F depending on V: row g is φ_g times a diagonal matrix of its "
    "own. No one diagonal G gives it (that would need F to have equal rows), and no invertible (d, d) matrix at all "
    "where W_SM has lower rank than φ(V), as where one of its rows vanishes.",
    corrected_formula=lambda phi, F: phi * F,
)
def penalty_matrix(formula: Any, quick: bool) -> Measured:
    import numpy as np

    shapes, fitting = [(n, d) for d in range(2, 7) for n in range(1, d)], []
    for n, d in shapes:
        try:
            fitting.append(formula(np.ones((n, d)), np.ones((n, d))).shape == (n, d))
        except ValueError:
            fitting.append(False)
    rho, witness = Fraction(1, 4), None
    for name in list(PAIRS)[1:]:
        phi = model_points.matrix(PAIRS[name])
        F = model_points.matrix([[_factor(x, rho * shrinkage.size(row)) for x in row] for row in phi.tolist()])
        meant = model_points.matrix([shrinkage.eq8(rho, row) for row in phi.tolist()])
        try:
            found = formula(phi, F)
            right = found.shape == meant.shape and bool((found == meant).all())
        except ValueError:
            found, right = None, False
        if not right and witness is None:
            witness = {"V, in units of its row norms": model_points.shown(phi), "rho": str(rho)}
            witness |= {"factor": model_points.shown(F), "eq8": model_points.shown(meant)}
            witness |= {"formula": "no product" if found is None else model_points.shown(found)}
    note = f"of {len(shapes)} shapes n ≤ d − 1, for which alone φ(V) is defined, {sum(fitting)} give an (n, d) matrix"
    values = said("exact", witness is None, "against eq. 8, ρ = 1/4, in units of the row norms", power=0.0)
    shape: Json = {"phi": ["n", "d"], "factor": ["n", "d"], "G of W = φ G^{-1}": ["d", "d"]}
    parts = [
        Part("values", [values], witness),
        Part("shapes", [said("arithmetic", all(fitting), note, power=0.0)], shape),
    ]
    return Measured(parts=parts)


def _factor(x: Fraction, level: Fraction) -> Fraction:
    return max(1 - level / abs(x), Fraction(0)) if x else Fraction(0)


class Normal(NamedTuple):
    """What W_SM is said to be for every V: of unit rows, of orthogonal rows, of sum 0; and its largest row norm."""

    unit: bool
    orthogonal: bool
    zero_sum: bool
    largest_norm: Callable[[Fraction], Fraction]


NORMALISED: Final = Normal(True, True, True, lambda rho: Fraction(1))
SHRUNK: Final = Normal(False, False, False, lambda rho: max(1 - 2 * rho, Fraction(0)))


@claim(
    "DSWN-EQ8-CONS",
    place="sec. 3.1, 4.1.2",
    statement="DSWN-SM is sparse under the condition that the weight is normalised: W_SM of eq. 8 has W Wᵀ = I (unit, "
    "orthogonal rows) and W 1 = 0, as eqs. 2 to 6 with G = I ask.",
    hypotheses=("ρ > 0", "groups are rows, as the indices of eq. 8 have it"),
    formula=NORMALISED,
    faults={
        "the rows stay unit": SHRUNK._replace(unit=True),
        "the rows stay orthogonal": SHRUNK._replace(orthogonal=True),
        "the rows still sum to 0": SHRUNK._replace(zero_sum=True),
        "norms up to 1 − ρ": SHRUNK._replace(largest_norm=lambda rho: max(1 - rho, Fraction(0))),
        "norms up to 1 − 3 ρ": SHRUNK._replace(largest_norm=lambda rho: max(1 - 3 * rho, Fraction(0))),
    },
    corrected="normalised, orthogonal and of sum 0 is φ(V), before eq. 8. After it no row is of unit norm (each has "
    "norm (1 − 2ρ)_+ at most, since |φ_{g,i}| ≤ ‖φ_g‖₁/2 in a row of sum 0), and in general rows are neither "
    "orthogonal nor of sum 0.",
    corrected_formula=SHRUNK,
)
def normalised_after(formula: Normal, quick: bool) -> Measured:
    found = dict.fromkeys(Normal._fields[:3], True)
    failing: dict[str, Json] = {}
    norms: dict[Fraction, Fraction] = {}
    strengths = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 3))
    for name, rho in ((name, rho) for rho in strengths for name in PAIRS):
        V = [[Fraction(x) for x in row] for row in PAIRS[name]]
        W = [shrinkage.eq8(rho, row) for row in V]
        squares = [_dot(w, w) / _dot(v, v) for w, v in zip(W, V, strict=True)]
        seen = {"unit": all(each == 1 for each in squares), "zero_sum": all(sum(w) == 0 for w in W)}
        seen["orthogonal"] = len(W) == 1 or _dot(W[0], W[1]) == 0
        norms[rho] = max(norms.get(rho, Fraction(0)), *squares)
        for each, right in seen.items():
            found[each] = found[each] and right
            if not right:
                failing.setdefault(each, _case(name, rho, W, squares))
    enclosed = _enclosed()
    parts = []
    for name in found:
        claimed = getattr(formula, name)
        routes = [
            said("exact", claimed == found[name], f"{len(PAIRS)} V with orthogonal rows, three ρ", power=0.0),
            said("enclosure", claimed == enclosed[name], "a random V (2, 4), ρ = 1/8, φ(V) in balls", power=1e-25),
        ]
        parts.append(Part(name.replace("_", " "), routes, failing.get(name, {"V": ["1", "-1"], "always": name})))
    off = next((rho for rho in strengths if formula.largest_norm(rho) ** 2 != norms[rho]), None)
    bound = said("exact", off is None, "the largest found, at V = (1, −1), whose norm squared is rational", power=0.0)
    shown = None if off is None else {"V": ["1", "-1"], "rho": str(off), "largest norm squared": str(norms[off])}
    return Measured(parts=[*parts, Part("largest row norm", [bound], shown)])


def _dot(x: Row, y: Row) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def _case(name: str, rho: Fraction, W: Sequence[Row], squares: Sequence[Fraction]) -> Json:
    rows = [[str(x) for x in row] for row in W]
    return {"case": name, "rho": str(rho), "W in units of V's row norms": rows, "row norms²": [str(x) for x in squares]}


def _enclosed() -> dict[str, bool]:
    """Whether eq. 8 after a φ(V) in balls leaves unit, orthogonal rows of sum 0, as far as balls can tell."""
    import numpy as np

    from wnverify.finding import seed_of

    V = np.random.default_rng(seed_of("dswn", "sparse weight")).standard_normal((2, 4))
    with model_points.working():
        X = model_points.centred(model_points.balls(V))
        phi = model_points.root_in_balls(X)[1] @ X
        rho = model_points.ball(0.125)
        level = abs(phi).sum(axis=1, keepdims=True) * rho
        kept = abs(phi) > level
        W = np.where(kept, phi - np.where(phi > 0, level, -level), 0 * phi)
        product, sums = W @ W.T, W.sum(axis=1)
        return {
            "unit": bool(all((product[i, i] - 1).contains(0) for i in range(2))),
            "orthogonal": bool(product[0, 1].contains(0)),
            "zero_sum": bool(all(x.contains(0) for x in sums)),
        }
