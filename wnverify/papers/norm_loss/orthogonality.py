"""Norm loss, sections I and II: the soft orthogonality penalty (eq. 1) and what orthogonality rules out (Fig. 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wnverify.finding import seed_of
from wnverify.papers.claims import Condition, Measured, Part, Reading, claim, said
from wnverify.papers.norm_loss.matrices import (
    Rows,
    is_identity_matrix,
    minus_identity,
    product,
    small_matrices,
    square_norm,
    transposed,
)
from wnverify.papers.norm_loss.witnesses import F, exact, proved, shown


@claim(
    "NL-EQ1",
    place="Sec. II, eq. 1",
    statement="L = λ ‖WᵀW − I‖ in the Frobenius norm is a term of the differentiable training loss that is 0 where the "
    "columns of W are orthonormal and positive elsewhere.",
    reading="printed without a square; whether it is meant squared, as the cited works have it, is open.",
    formula=lambda W: minus_identity(product(transposed(W), W)),
    faults={
        "the Gram matrix of the rows": lambda W: minus_identity(product(W, transposed(W))),
        "I dropped": lambda W: product(transposed(W), W),
        "I added": lambda W: [
            [x + int(i == j) for j, x in enumerate(r)] for i, r in enumerate(product(transposed(W), W))
        ],
        "the trace alone": lambda W: [[sum(row[i] for i, row in enumerate(minus_identity(product(transposed(W), W))))]],
    },
)
def soft_orthogonality(formula: Callable[[Rows], Rows], quick: bool) -> Measured:
    import sympy

    wrong = None
    for n, p in ((1, 1), (2, 1), (2, 2)):
        for W in small_matrices(n, p):
            orthonormal = is_identity_matrix(product(transposed(W), W))
            if wrong is None and orthonormal != (square_norm(formula(W)) == 0):
                wrong = {"W": shown(W), "orthonormal": orthonormal, "‖…‖²": shown(square_norm(formula(W)))}
    zeros = Part("zero set", [exact(wrong is None, "all matrices with entries 0, 1, −1 up to 2×2")], wrong)
    # around the minimum W = 1 of the smallest case: one-sided slopes in symbols and by rational differences
    t, h = sympy.Symbol("t", positive=True), F(1, 10**9)
    readings = []
    for text, root in (("the norm, as printed", True), ("the square of the norm, as in the cited works", False)):

        def loss(step: Any, root: bool = root) -> Any:
            (entry,) = formula([[1 + step]])[0]
            return abs(entry) if root else entry * entry

        right, left = (sympy.limit(loss(sign * t) / t, t, 0, "+") for sign in (1, -1))
        near = (loss(h) / h, loss(-h) / h)
        slopes = {"W": [[1]], "slope to the right": str(right), "slope to the left": str(-left)}
        differ = near[0] + near[1] > F(1, 1000)
        routes = [
            proved(bool(right == -left), f"slopes {right} and {-left} at W = 1"),
            exact(not differ, f"difference quotients {float(near[0]):.6g} and {-float(near[1]):.6g}"),
        ]
        readings.append(Reading(text, [zeros, Part("differentiable at the minimum", routes, slopes)]))
    return Measured(readings=readings)


@claim(
    "NL-P-OVERC",
    place="Secs. I–II",
    statement="For more filters than weights, n > p, filters cannot be orthonormal: the least value of ‖WᵀW − I‖_F "
    "over W (p, n), filters as columns, is √(n − p) > 0.",
    hypotheses=("n > p",),
    reading="in the convention of Secs. I–II, where filters are columns, so that WᵀW is n×n; given is the square of "
    "the least value.",
    formula=lambda n, p: n - p,
    faults={
        "reached": lambda n, p: 0,
        "n": lambda n, p: n,
        "squared again": lambda n, p: (n - p) ** 2,
        "n − p − 1": lambda n, p: n - p - 1,
    },
)
def overcomplete(formula: Callable[[int, int], int], quick: bool) -> Measured:
    import numpy as np
    import scipy.optimize
    import sympy

    witness: Any = None
    for n, p in ((2, 1), (3, 1), (3, 2), (5, 2)):
        # WᵀW has rank p at most, so n − p of its n eigenvalues are 0: the square is at least n − p; (I 0) reaches it
        W = [[F(int(i == j)) for j in range(n)] for i in range(p)]
        least = square_norm(minus_identity(product(transposed(W), W)))
        if least != formula(n, p) and witness is None:
            witness = {"n": n, "p": p, "least square": shown(least), "reached at": shown(W), "claimed": formula(n, p)}
    # n − p eigenvalues 0 give 1 each; a free one gives (a − 1)², least at a = 1
    a, (count, size) = sympy.Symbol("a", real=True), sympy.symbols("n p", positive=True)
    free = sympy.minimum((a - 1) ** 2, a)
    proof = sympy.expand(size * free + (count - size) - formula(count, size)) == 0
    rng = np.random.default_rng(seed_of("norm_loss", "overcomplete"))
    gap = 0.0
    for n, p in ((3, 1), (3, 2), (5, 2)) if not quick else ((3, 1),):

        def objective(x: Any, n: int = n, p: int = p) -> tuple[float, Any]:
            W = x.reshape(p, n)
            D = W.T @ W - np.eye(n)
            return float((D * D).sum()), (4 * W @ D).ravel()

        runs = [scipy.optimize.minimize(objective, rng.standard_normal(n * p), jac=True) for _ in range(3)]
        gap = max(gap, abs(min(run.fun for run in runs) - formula(n, p)))
    routes = [
        exact(witness is None, "the square at W = (I 0)"),
        proved(bool(proof), "eigenvalues: p free ones and n − p zeros, for all n > p"),
        said("optimisation", gap < 1e-6, f"least value found against the claim: off by {gap:.1e}", power=1e-6),
    ]
    return Measured(parts=[Part("least value", routes, witness or {"off by": gap})])


def turned(k: Sequence[Any]) -> list[Any]:
    """A 3×3 kernel, row by row, rotated by 180°."""
    return list(reversed(k))


@claim(
    "NL-F1",
    place="Sec. I, Fig. 1",
    statement="A 3×3 one-channel kernel and the same rotated by 180° have inner product −1, so that no layer of "
    "orthogonal filters contains both.",
    reading="the figure shows grey values and no numbers.",
    formula=turned,
    faults={
        "rotated by 90°": lambda k: [k[6], k[3], k[0], k[7], k[4], k[1], k[8], k[5], k[2]],
        "not rotated": list,
        "mirrored left to right": lambda k: [k[2], k[1], k[0], k[5], k[4], k[3], k[8], k[7], k[6]],
    },
    corrected="The inner product is −1 for kernels of unit norm that the rotation turns into their negative.",
)
def rotated_kernels(formula: Callable[[Sequence[Any]], Sequence[Any]], quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import vanishes_on

    def inner(k: Sequence[Any]) -> Any:
        return sum((x * y for x, y in zip(k, formula(k), strict=True)), F(0))

    a, b, c, d = sympy.symbols("a b c d", real=True)
    general = [a, b, c, d, sympy.Integer(0), -d, -c, -b, -a]
    unit = 2 * (a**2 + b**2 + c**2 + d**2) - 1
    edge = [F(1, 2), F(1, 2), F(0), F(0), F(0), F(0), F(0), F(-1, 2), F(-1, 2)]
    value = inner(edge)
    witness = {"kernel": shown(edge), "inner product": shown(value)}
    routes = [
        proved(vanishes_on(inner(general) + 1, [unit], [a, b, c, d]), "every antisymmetric kernel of unit norm"),
        exact(value == -1, f"an edge kernel: {value}"),
    ]
    corner, long = [F(int(i == 0)) for i in range(9)], [F(x) for x in (1, 1, 1, 0, 0, 0, -1, -1, -1)]
    conditions = [
        Condition(
            text, [exact(inner(k) == -1, f"inner product {inner(k)}")], {"kernel": shown(k), "product": shown(inner(k))}
        )
        for text, k in (
            ("the rotation turns the kernel into its negative", corner),
            ("the kernel has unit norm", long),
        )
    ]
    return Measured(
        parts=[Part("inner product", routes, witness)],
        conditions=conditions,
        message="A single 1 in a corner is orthogonal to its rotation: an orthogonal layer can hold both.",
    )
