"""DSWN, eq. 11: the derivatives by Λ and by D, and which W stands in them.

With P̄ = A G^{-T} Xᵀ and X = D Λ^{1/2} Dᵀ φ the derivatives are Dᵀ P̄ D with −λ^{-3/2} / 2, and (P̄ + P̄ᵀ) D Λ^{-1/2}.
Both hold A G^{-T} φᵀ, which is A Wᵀ for W = φ G^{-1} whatever G is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from wnverify.finding import Evidence
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point

Line = Callable[[Point], Any]
LOSS: Final = "L is a differentiable function of W; A = ∂L/∂W; G is an invertible constant"
DEFINED: Final = "V_C has rank n, so that eq. 6 is defined (see DSWN-FEAS)"
LEFT_OUT: Final = ("the proof in symbols for n = 3, and nine of twelve exact points",)


def _along(p: Point, dP: Any) -> Any:
    return (p.A * (dP @ p.V_C @ p.G_inv)).sum()


def true_lambda(p: Point) -> Any:
    """The column of ∂L/∂λ_i at fixed D and X, the product rule on D Λ^{-1/2} Dᵀ."""
    found = p.V_C[:, :1] * 0
    for i, x in enumerate(p.minus_half.diagonal()):
        column = p.D[:, i : i + 1]
        found[i, 0] = _along(p, -(x**3) / 2 * (column @ column.T))
    return found


def true_d(p: Point) -> Any:
    """∂L/∂D at fixed Λ and X, every entry of D free, the product rule on D Λ^{-1/2} Dᵀ."""
    import numpy as np

    found = p.D * 0
    for index in np.ndindex(p.D.shape):
        E = p.eye * 0
        E[index] += 1
        found[index] = _along(p, E @ p.minus_half @ p.D.T + p.D @ p.minus_half @ E.T)
    return found


def _diagonal(M: Any) -> Any:
    return M.diagonal()[:, None]


def symbolic_point(n: int) -> Point:
    """A and the roots of the eigenvalues free symbols, D a rational rotation, φ = I, G^{-1} full and rational.

    For other D both sides turn alike with V → R V; A Wᵀ, all that eq. 11 sees of φ, is arbitrary.
    """
    import numpy as np

    *rows, over = chain.TURNS["rotation" if n == 2 else "n = 3"]
    roots, A = free(f"m:{n}", f"a:{n * n}")
    unit = roots[0] ** 0 / over  # 1 / over in that field
    D = np.array([[x * unit for x in row] for row in rows], dtype=object)  # type: ignore[union-attr,type-var]
    A = A.reshape(n, n)
    X = D @ chain.diagonal(roots) @ D.T
    eye = np.eye(n, dtype=object)
    G_inv = eye + 2 * np.eye(n, k=1, dtype=object)
    return chain.from_parts(f"symbols, n = {n}", "full", X, X, D, roots, G_inv, A).but(phi=eye, W=G_inv)


def free(*names: str) -> list[Any]:
    """Arrays of generators of one field of rational functions, in which equality is exact and fast."""
    import numpy as np
    import sympy

    sizes = [int(name.split(":")[1]) for name in names]
    labels = [f"{name.split(':')[0]}{i}" for name, size in zip(names, sizes, strict=True) for i in range(size)]
    _, *generators = sympy.field(labels, sympy.QQ)
    found, start = [], 0
    for size in sizes:
        array = np.empty(size, dtype=object)
        array[:] = generators[start : start + size]
        found.append(array)
        start += size
    return found


def equal(left: Any, right: Any) -> bool:
    return left.shape == right.shape and not any(x != 0 for x in (left - right).reshape(-1))


def _by_symbols(line: Line, true: Callable[[Point], Any], shape: Line, quick: bool) -> Evidence:
    sizes = (2,) if quick else (2, 3)
    holds = all(equal(shape(line(p)), true(p)) for p in map(symbolic_point, sizes))
    return said("symbolic", holds, f"A Wᵀ and Λ free, n = {' and '.join(map(str, sizes))}", power=0.0)


def _differentiated_lambda(p: Point) -> Any:
    """∂L/∂λ by SymPy from the entries of D diag(1/m) Dᵀ, λ = m²."""
    import numpy as np

    roots = list(p.half.diagonal())
    slope = p.A @ p.G_inv.T @ p.V_C.T
    entries = list(zip(slope.reshape(-1), p.P.reshape(-1), strict=True))
    return np.array([[sum(s * x.diff(m) for s, x in entries) / (2 * m)] for m in roots], dtype=object)


def _differentiated_d(p: Point) -> Any:
    """∂L/∂D from the polynomial E Λ^{-1/2} Eᵀ at E = D: it is quadratic, so that a central difference is exact."""
    import numpy as np

    slope, found = p.A @ p.G_inv.T @ p.V_C.T, p.D * 0
    for index in np.ndindex(p.D.shape):
        E = p.eye * 0
        E[index] = 1
        sides = [(slope * (M @ p.minus_half @ M.T)).sum() for M in (p.D + E, p.D - E)]
        found[index] = (sides[0] - sides[1]) / 2
    return found


@claim(
    "DSWN-EQ11-LAM",
    place="eq. 11, line 1",
    statement="∂L/∂Λ = −½ Dᵀ A Wᵀ D Λ^{-1}, an n × n matrix.",
    hypotheses=(LOSS, DEFINED),
    reading="L is a function of D, Λ and X through W = D Λ^{-1/2} Dᵀ X G^{-1}, and ∂L/∂Λ is taken at fixed D and X.",
    formula=chain.line_lambda,
    faults={
        "the sign": lambda p: -chain.line_lambda(p),
        "½ missing": lambda p: 2 * chain.line_lambda(p),
        "Λ^{-1/2} for Λ^{-1}": lambda p: -(p.D.T @ p.A @ p.W.T @ p.D @ p.minus_half) / 2,
        "φ for W": lambda p: -(p.D.T @ p.A @ p.phi.T @ p.D @ p.inverse) / 2,
        "D and Dᵀ exchanged": lambda p: -(p.D @ p.A @ p.W.T @ p.D.T @ p.inverse) / 2,
    },
    corrected="(∂L/∂Λ)_diag = −½ (Dᵀ A Wᵀ D Λ^{-1})_diag; off the diagonal the right side is no derivative of L",
)
def by_eigenvalues(formula: Line, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "∂L/∂λ", _diagonal(formula(p)), true_lambda(p)

    exact, witness = truth.by_exact(chain.points(quick), sides, "the diagonal by the product rule")
    routes = [_by_symbols(formula, _differentiated_lambda, _diagonal, quick), exact]
    return Measured(
        parts=[Part("the diagonal", routes, witness)],
        conditions=[_only_the_diagonal(formula)],
        message="Eq. 12 keeps the diagonal only, so nothing that follows is spoilt.",
        left_out=LEFT_OUT if quick else (),
    )


def _only_the_diagonal(formula: Line) -> Condition:
    """Off the diagonal: neither 0, Λ being diagonal, nor the derivative of L in a full symmetric Λ."""
    import numpy as np

    p = chain.points(True)[0]
    turned = p.but(D=p.eye, V_C=p.D.T @ p.V_C, A=p.D.T @ p.A, phi=p.D.T @ p.phi, W=p.D.T @ p.W)
    full = truth.sigma_gradient(turned)  # L(D Λ^{-1/2} Dᵀ X) with Λ full, D turned away
    claimed = formula(p)
    off = ~np.eye(len(p.D), dtype=bool)
    return Condition(
        "only the diagonal is taken, as eq. 12 does",
        [
            said("exact", not (claimed[off] != 0).any(), "entries off the diagonal of a diagonal Λ are 0", power=0.0),
            said(
                "exact",
                not (chain.symmetric(claimed)[off] != full[off]).any(),
                "or the derivative for a full symmetric Λ",
                power=0.0,
            ),
        ],
        truth.witness(p, "∂L/∂Λ (true: for a full symmetric Λ)", claimed, full),
    )


D_FAULTS: Final = {
    "the sign of the second term": lambda p: 2 * p.A @ p.W.T @ p.D - chain.line_d(p),
    "the second term dropped": lambda p: p.A @ p.W.T @ p.D,
    "Λ^{1/2} and Λ^{-1/2} exchanged": lambda p: (
        p.A @ p.W.T @ p.D + p.D @ p.minus_half @ p.D.T @ p.W @ p.A.T @ p.D @ p.half
    ),
    "W and A exchanged in the second term": lambda p: (
        p.A @ p.W.T @ p.D + p.D @ p.half @ p.D.T @ p.A @ p.W.T @ p.D @ p.minus_half
    ),
    "D for Dᵀ": lambda p: p.A @ p.W.T @ p.D + p.D @ p.half @ p.D @ p.W @ p.A.T @ p.D @ p.minus_half,
    "φ for W": lambda p: chain.line_d(p.but(W=p.phi)),
}


@claim(
    "DSWN-EQ11-D",
    place="eq. 11, line 2",
    statement="∂L/∂D = A Wᵀ D + D Λ^{1/2} Dᵀ W Aᵀ D Λ^{-1/2}.",
    hypotheses=(LOSS, DEFINED),
    reading="every entry of D is free in W = D Λ^{-1/2} Dᵀ X G^{-1}, Λ and X are fixed, and the derivative is "
    "taken at the orthogonal D of Σ. Along orthogonal matrices only the skew part of Dᵀ ∂L/∂D acts.",
    formula=chain.line_d,
    faults=D_FAULTS,
)
def by_eigenvectors(formula: Line, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "∂L/∂D", formula(p), true_d(p)

    exact, witness = truth.by_exact(chain.points(quick), sides, "every entry by the product rule")
    routes = [_by_symbols(formula, _differentiated_d, lambda M: M, quick), exact]
    return Measured(parts=[Part("eq. 11, line 2", routes, witness)], left_out=LEFT_OUT if quick else ())


Choice = Callable[[Point], Any]


@claim(
    "DSWN-EQ11-W",
    place="eq. 11 (derived)",
    statement="For G ≠ I the W of eq. 11 is the W of eq. 6, W = φ(V) G^{-1}, A being the derivative by that W; with "
    "φ(V) in its place, and A unchanged, neither line is a derivative.",
    hypotheses=(LOSS, DEFINED),
    reading="on the diagonal of line 1, and on line 2. A = ∂L/∂φ with φ(V) for W would give the same, since "
    "(∂L/∂φ) φᵀ = A G^{-T} φᵀ = A Wᵀ.",
    formula=lambda p: p.W,
    faults={
        "φ(V)": lambda p: p.phi,
        "W G^{-1}": lambda p: p.W @ p.G_inv,
        "V_C": lambda p: p.V_C,
        "φ(V) G^{-T}": lambda p: p.phi @ p.G_inv.T,
    },
)
def which_w(formula: Choice, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        chosen = p.but(W=formula(p))
        yield "∂L/∂λ", _diagonal(chain.line_lambda(chosen)), true_lambda(p)
        yield "∂L/∂D", chain.line_d(chosen), true_d(p)

    def other(p: Point) -> Iterator[tuple[str, Any, Any]]:
        replaced = p.but(A=p.A @ p.G_inv.T, W=p.phi)
        yield "(∂L/∂φ) φᵀ and A Wᵀ", replaced.A @ replaced.W.T, p.A @ formula(p).T

    chosen = [p for p in chain.points(quick) if p.kind != "identity"]
    exact, witness = truth.by_exact(chosen, sides, "both lines, G diagonal, symmetric or full")
    identity, identity_witness = truth.by_exact(chosen, other, "A Wᵀ = (∂L/∂φ) φᵀ")
    return Measured(
        parts=[
            Part("both lines", [exact, _for_every_g(formula)], witness),
            Part("one product", [identity], identity_witness),
        ],
        left_out=LEFT_OUT[:1] if quick else (),
    )


def _for_every_g(formula: Choice) -> Evidence:
    """A (φ G^{-1})ᵀ against (∂L/∂φ) φᵀ with A, φ and G^{-1} (2 × 2) free symbols."""
    A, phi, G_inv = (M.reshape(2, 2) for M in free("a:4", "p:4", "g:4"))
    p = symbolic_point(2).but(A=A, phi=phi, V_C=phi, G_inv=G_inv, W=phi @ G_inv)
    holds = equal(A @ formula(p).T, A @ G_inv.T @ phi.T)
    return said("symbolic", holds, "A Wᵀ = (∂L/∂φ) φᵀ with A, φ and G^{-1} free, 2 × 2", power=0.0)
