"""DSWN, eq. 2: that the W of eq. 6 minimises, what P minimises, and what the minimum owes to G.

For feasible Z and Q = P V_C, with V_C = S Q and (Q − Z)(Q − Z)ᵀ = 2 I − Q Zᵀ − Z Qᵀ,

    ‖Z − V_C‖² − ‖Q − V_C‖² = 2 tr(S (I − Q Zᵀ)) = tr(S (Q − Z)(Q − Z)ᵀ) ≥ λ_min(S) ‖Q − Z‖²,

so that Q is the only minimiser where S = Σ^{1/2} is positive definite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said
from wnverify.papers.dswn.model_points import (
    FULL_RANK,
    SYMMETRIC_G,
    Point,
    both,
    equal,
    exact_points,
    exactly,
    eye,
    full_rank,
    matrix,
    reflection,
    shown,
    symmetric_g,
)

SIZES: Final = ((1, 3), (2, 4), (3, 8), (5, 6))
INVERTIBLE_G: Final = "G is invertible"
SOLVER_ERROR: Final = 1e-6
"""A local solver with tolerance 1e-12 on the loss and on the constraint is trusted to this."""


def rivals(Y: Any) -> Iterator[Any]:
    """Other rational matrices with orthonormal rows of the same shape: Y turned on the left and on the right."""
    n, d = Y.shape
    turns = [eye(n), -eye(n), reflection(list(range(1, n + 1))), -reflection([1] * n)]
    sides = [eye(d), reflection([1, -1, *[0] * (d - 2)]), reflection(list(range(1, d + 1)))]
    yield from (left @ Y @ right for left in turns for right in sides)


def loss(Y: Any, X: Any) -> Any:
    return ((Y - X) ** 2).sum()


@claim(
    "DSWN-EQ2-MIN",
    place="eq. 2 to eq. 6",
    statement="The W of eq. 6, WG = Σ^{-1/2} V_C, minimises ‖WG − V_C‖²_F over the W with W G² Wᵀ = I_n.",
    hypotheses=(INVERTIBLE_G,),
    reading="Σ^{-1/2} the positive definite root, as eq. 6 writes it out. Then it is the only minimiser.",
    formula=lambda P, S, X, G, G_inverse: P @ X @ G_inverse,
    faults={
        "the negative root": lambda P, S, X, G, G_inverse: -P @ X @ G_inverse,
        "Σ^{-1}": lambda P, S, X, G, G_inverse: P @ P @ X @ G_inverse,
        "Σ^{1/2}": lambda P, S, X, G, G_inverse: S @ X @ G_inverse,
        "no P": lambda P, S, X, G, G_inverse: X @ G_inverse,
        "G for its inverse": lambda P, S, X, G, G_inverse: P @ X @ G,
        "no G": lambda P, S, X, G, G_inverse: P @ X,
        "a row with the sign turned": lambda P, S, X, G, G_inverse: _first_row_turned(P @ X @ G_inverse),
    },
)
def minimiser(formula: Callable[..., Any], quick: bool) -> Measured:
    def weight(at: Point) -> Any:
        return formula(at.P, at.S, at.V_C, at.G, at.G_inverse)

    def constraint(at: Point) -> tuple[Any, Any]:
        W = weight(at)
        return W @ at.G @ at.G @ W.T, at.eye

    feasible, off = both(constraint, quick, "W G² Wᵀ against I")
    searched, worse = _no_better(weight, quick)
    certified, gap = _certified(formula, quick)
    return Measured(
        parts=[Part("feasible", feasible, off), Part("no feasible W is better", [searched, certified], worse or gap)],
        conditions=[full_rank(), symmetric_g(constraint)],
        message="Without full rank the problem still has minimisers for n ≤ d (DSWN-FEAS), which no P gives.",
    )


def _first_row_turned(W: Any) -> Any:
    W = W.copy()
    W[0] = -W[0]
    return W


def _no_better(weight: Callable[[Point], Any], quick: bool) -> tuple[Evidence, Json]:
    """No rational rival has a smaller loss, and each exceeds it by tr(S (Q − Z)(Q − Z)ᵀ)."""
    count = 0
    for at in exact_points(quick):
        Y = weight(at) @ at.G
        for Z in rivals(at.P @ at.V_C):
            count += 1
            excess = (at.S @ (Y - Z) @ (Y - Z).T).trace()
            if loss(Y, at.V_C) > loss(Z, at.V_C) or loss(Z, at.V_C) - loss(Y, at.V_C) != excess:
                witness = {"case": at.name, "V": shown(at.V), "WG": shown(Y), "a rival's WG": shown(Z)}
                witness |= {"loss": str(loss(Y, at.V_C)), "the rival's loss": str(loss(Z, at.V_C))}
                return said(
                    "exact", False, f"a rival or the identity of the gap fails in '{at.name}'", power=0.0
                ), witness
    note = f"{count} rational rivals lose by tr(S (Q − Z)(Q − Z)ᵀ) exactly"
    return said("exact", True, note, power=0.0, figures={"rivals": count}), None


def _certified(formula: Callable[..., Any], quick: bool) -> tuple[Evidence, Json]:
    """The trace inequality ⟨V_C, Y⟩ ≤ ‖V_C‖_* as a certificate, for WG of random float64 V and symmetric G."""
    import numpy as np

    from wnverify.oracles.optimality import certificate

    worst, model, witness = 0.0, "", None
    for n, d in SIZES[:2] if quick else SIZES:
        X, P, S, G = random_point(n, d)
        Y = formula(P, S, X, G, np.linalg.inv(G)) @ G
        found = certificate("stiefel_rows", X, Y)
        if found.ratio > worst:
            worst, model = found.ratio, found.optimality.model.text
            witness = {"n": n, "d": d, "ratio": float(f"{worst:.4g}"), "gap": float(f"{found.optimality.error:.4g}")}
    note = "nuclear norm of V_C less ⟨V_C, WG⟩, and distance of WG from orthonormal rows"
    return by_ratio("optimisation", worst, note, power=1e-12, model=model), witness


def random_point(n: int, d: int) -> tuple[Any, Any, Any, Any]:
    """(V_C, P, S, G) in float64: Σ of condition number up to 16, and a symmetric G of both signs."""
    import numpy as np

    rng = np.random.default_rng(seed_of("dswn", "minimiser", n, d))
    A, _ = np.linalg.qr(rng.standard_normal((n, n)))
    B = rng.standard_normal((d, n))
    B, _ = np.linalg.qr(B - B.mean(axis=0))
    s = np.linspace(1.0, 4.0, n)
    H, _ = np.linalg.qr(rng.standard_normal((d, d)))
    G = (H * (np.linspace(1.0, 2.0, d) * np.where(np.arange(d) % 2, 1.0, -1.0))) @ H.T
    return (A * s) @ B.T, (A / s) @ A.T, (A * s) @ A.T, G


@claim(
    "DSWN-EQ2-P",
    place="text before eq. 2",
    statement="Among the P for which WG = P V_C is feasible, P Σ Pᵀ = I, P = Σ^{-1/2} makes the distortion "
    "‖P V_C − V_C‖_F least (and it alone).",
    reading="the P that eq. 5 arrives at; feasible: (WG)(WG)ᵀ = I. All such P are R Σ^{-1/2} with R orthogonal, and "
    "the distortion is n + tr Σ − 2 tr(R Σ^{1/2}).",
    formula=lambda P, S: P,
    faults={
        "the negative root": lambda P, S: -P,
        "Σ^{-1}": lambda P, S: P @ P,
        "Σ^{1/2}": lambda P, S: S,
        "another root, by a reflection": lambda P, S: _first_row_turned(P),
        "the identity": lambda P, S: P @ S,
        "doubled": lambda P, S: 2 * P,
    },
)
def least_distortion(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    def constraint(at: Point) -> tuple[Any, Any]:
        P = formula(at.P, at.S)
        return P @ at.V_C @ at.V_C.T @ P.T, at.eye

    feasible, off = both(constraint, quick, "P Σ Pᵀ against I")
    searched, witness = _no_better_p(formula, quick)
    certified, gap = _certified_p(formula, quick)
    return Measured(
        parts=[Part("feasible", feasible, off), Part("least", [searched, certified], witness or gap)],
        conditions=[full_rank()],
    )


def _no_better_p(formula: Callable[[Any, Any], Any], quick: bool) -> tuple[Evidence, Json]:
    count = 0
    for at in exact_points(quick):
        n = len(at.P)
        P = formula(at.P, at.S)
        for u in ([1] * n, list(range(1, n + 1)), [1, *[0] * (n - 1)]):
            for R in (reflection(u), -reflection(u), reflection(u) @ reflection(list(range(n, 0, -1)))):
                count += 1
                Y, Z = P @ at.V_C, R @ at.P @ at.V_C
                rival, here = loss(Z, at.V_C), loss(Y, at.V_C)
                excess = (at.S @ (Y - Z) @ (Y - Z).T).trace()
                if here > rival or rival - here != excess:
                    seen = {"case": at.name, "V": shown(at.V), "P": shown(P), "a rival P": shown(R @ at.P)}
                    return said(
                        "exact", False, f"a rival P or the identity of the gap fails in '{at.name}'", power=0.0
                    ), seen | {
                        "distortion²": str(here),
                        "the rival's": str(rival),
                    }
    return said(
        "exact", True, f"{count} rational rivals R Σ^{{-1/2}} are worse by tr(S (Q − Z)(Q − Z)ᵀ)", power=0.0
    ), None


def _certified_p(formula: Callable[[Any, Any], Any], quick: bool) -> tuple[Evidence, Json]:
    """With R = P Σ^{1/2} orthogonal, tr(R Σ^{1/2}) is at most the nuclear norm of Σ^{1/2}."""
    from wnverify.oracles.optimality import certificate

    worst, model, witness = 0.0, "", None
    for n, d in SIZES[:2] if quick else SIZES:
        _, P, S, _ = random_point(n, d)
        found = certificate("stiefel_rows", S, formula(P, S) @ S)
        if found.ratio > worst:
            worst, model, witness = (
                found.ratio,
                found.optimality.model.text,
                {"n": n, "ratio": float(f"{found.ratio:.4g}")},
            )
    note = "R = P Σ^{1/2} as the orthogonal matrix nearest to Σ^{1/2}"
    return by_ratio("optimisation", worst, note, power=1e-12, model=model), witness


class Optimum(NamedTuple):
    """WG at the optimum and the optimal value, from P, S, V_C and G."""

    product: Callable[[Any, Any, Any, Any], Any]
    value: Callable[[Any, Any], Any]


OPTIMUM: Final = Optimum(lambda P, S, X, G: P @ X, lambda S, G: ((S - eye(len(S))) ** 2).sum())


@claim(
    "DSWN-EQ2-GDROP",
    place="eq. 2 (derived)",
    statement="How do WG at the optimum and the optimal value depend on G? Answer: not at all. WG = Σ^{-1/2} V_C and "
    "the value is ‖Σ^{1/2} − I‖²_F = Σ_i (σ_i − 1)², σ_i the singular values of V_C, whatever G; G enters only "
    "afterwards, in W = (WG) G^{-1}. The loss of eq. 2 learns nothing about the structure that G stands for.",
    hypotheses=(INVERTIBLE_G, SYMMETRIC_G, FULL_RANK),
    formula=OPTIMUM,
    faults={
        "WG scaled by G": OPTIMUM._replace(product=lambda P, S, X, G: P @ X @ G),
        "the negative root": OPTIMUM._replace(product=lambda P, S, X, G: -P @ X),
        "the value grows with G": OPTIMUM._replace(value=lambda S, G: ((S - eye(len(S))) ** 2).sum() * (G * G).sum()),
        "the value with σ²": OPTIMUM._replace(value=lambda S, G: ((S @ S - eye(len(S))) ** 2).sum()),
        "the value of the diagonal": OPTIMUM._replace(value=lambda S, G: ((S - eye(len(S))).diagonal() ** 2).sum()),
        "half the value": OPTIMUM._replace(value=lambda S, G: ((S - eye(len(S))) ** 2).sum() / 2),
    },
)
def free_of_g(formula: Optimum, quick: bool) -> Measured:
    def value(at: Point) -> tuple[Any, Any]:
        return matrix([[formula.value(at.S, at.G)]]), matrix([[loss(at.P @ at.V_C, at.V_C)]])

    exact, off = exactly(value, exact_points(quick), "the value against ‖Q − V_C‖²")
    best, witness = _no_better_product(formula, quick)
    parts = [Part("WG at the optimum", [best], witness), Part("the optimal value", [exact], off)]
    if not quick:
        solved, seen = _solved(formula)
        parts += [Part("the value found by a solver over W", [solved], seen)]
    return Measured(parts=parts, left_out=("a numerical solver over W",) if quick else ())


def _no_better_product(formula: Optimum, quick: bool) -> tuple[Evidence, Json]:
    """W ↦ WG maps the feasible sets of all G onto one set; within it the answer has no better rival."""
    for at in exact_points(quick):
        Y = formula.product(at.P, at.S, at.V_C, at.G)
        W = Y @ at.G_inverse
        feasible = equal(W @ at.G @ at.G @ W.T, at.eye)
        best = all(loss(Y, at.V_C) <= loss(Z, at.V_C) for Z in rivals(at.P @ at.V_C))
        if not (feasible and best):
            seen = {"case": at.name, "V": shown(at.V), "G": shown(at.G), "WG": shown(Y), "feasible": feasible}
            return said("exact", False, f"not a minimiser in the case '{at.name}'", power=0.0), seen
    return said("exact", True, "feasible and without a better rival, for every G", power=0.0), None


def _solved(formula: Optimum) -> tuple[Evidence, Json]:
    """min over W ∈ R^{1×4} by sequential quadratic programming, from several starts, for three G; σ = 2."""
    import numpy as np
    from scipy.optimize import minimize

    x = np.array([1.0, 1.0, -1.0, -1.0])
    claimed = float(formula.value(matrix([[2]]), eye(4)))
    worst, witness = 0.0, None
    for G in (np.eye(4), np.diag([1.0, -2.0, 3.0, 0.5]), np.eye(4) + np.diag([0.5] * 3, 1) + np.diag([0.5] * 3, -1)):
        G2, values = G @ G, []
        for start in (np.array([1.0, 0.3, 0.0, -0.4]), np.array([-0.2, 1.0, -1.0, 0.1])):
            found = minimize(
                lambda w, G=G: float(((w @ G - x) ** 2).sum()),
                start,
                jac=lambda w, G=G: 2 * (w @ G - x) @ G.T,
                constraints={"type": "eq", "fun": lambda w, G2=G2: w @ G2 @ w - 1, "jac": lambda w, G2=G2: 2 * G2 @ w},
                method="SLSQP",
                options={"ftol": 1e-12, "maxiter": 300},
            )
            values += [float(found.fun)] if found.success else []
        off = abs(min(values) - claimed)
        if off / SOLVER_ERROR > worst:
            worst = off / SOLVER_ERROR
            witness = {
                "G": G.tolist(),
                "V_C": x.tolist(),
                "least loss": float(f"{min(values):.9g}"),
                "claimed": claimed,
            }
    note = "sequential quadratic programming over W for three G"
    return by_ratio(
        "optimisation", worst, note, power=2 * SOLVER_ERROR, model=f"the solver's {SOLVER_ERROR:g}"
    ), witness
