"""DSWN, section 3.3: the true derivatives at the points of ``backward_chain``, none through eqs. 11 and 12.

P = Σ^{-1/2} moves by the solution of dP P + P dP = −P² dΣ P², which is P² Σ = I differentiated.  It needs no
eigenvectors, and equal eigenvalues are ordinary.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import said
from wnverify.papers.dswn.backward_chain import Point


def solve(M: Any, b: Any) -> Any:
    """M⁻¹ b over any field, by elimination; ``ZeroDivisionError`` for a singular M."""
    import numpy as np

    n = len(M)
    T = np.hstack([M, b])
    for k in range(n):
        pivot = next((i for i in range(k, n) if T[i, k] != 0), None)
        if pivot is None:
            raise ZeroDivisionError("singular matrix")
        T[[k, pivot]] = T[[pivot, k]]
        T[k] = T[k] / T[k, k]
        for i in range(n):
            if i != k and T[i, k] != 0:
                T[i] = T[i] - T[i, k] * T[k]
    return T[:, n:]


@functools.cache
def root_response(p: Point) -> Callable[[Any], Any]:
    """dΣ ↦ dP for P = Σ^{-1/2}, from dP P + P dP = −P² dΣ P²."""
    import numpy as np

    n, P = len(p.D), p.P
    eye = np.eye(n, dtype=object)
    inverse = solve(np.kron(P, eye) + np.kron(eye, P), np.eye(n * n, dtype=object) + Fraction(0))
    return lambda dSigma: (inverse @ (-(P @ P @ dSigma @ P @ P)).reshape(-1)).reshape(n, n)


@functools.cache
def jacobian(p: Point) -> tuple[tuple[tuple[int, int], Any, Any], ...]:
    """((i, j), dX, dφ) for every entry of V."""
    import numpy as np

    respond, found = root_response(p), []
    for i, j in np.ndindex(p.V.shape):
        dX = p.V * 0
        dX[i] = dX[i] - Fraction(1, p.d)
        dX[i, j] += 1
        crossed = dX @ p.V_C.T
        found.append(((i, j), dX, respond(crossed + crossed.T) @ p.V_C + p.P @ dX))
    return tuple(found)


Push = Callable[[Point, Any, Any], Any]
"""(point, dX, dφ) ↦ dW."""


def fixed_g(p: Point, dX: Any, dphi: Any) -> Any:
    return dphi @ p.G_inv


@functools.cache
def gradient(p: Point, push: Push = fixed_g) -> Any:
    """∂L/∂V, entry by entry ⟨A, dW⟩."""
    G = p.V * 0
    for index, dX, dphi in jacobian(p):
        G[index] = (p.A * push(p, dX, dphi)).sum()
    return G


def sigma_gradient(p: Point) -> Any:
    """∂L/∂Σ in symmetric matrices, at fixed X: half of ⟨A, dW⟩ along E_ij + E_ji."""
    import numpy as np

    n, respond = len(p.D), root_response(p)
    S = p.eye * 0
    for i, j in np.ndindex(n, n):
        E = p.eye * 0
        E[i, j] += 1
        E[j, i] += 1
        S[i, j] = (p.A * (respond(E) @ p.V_C @ p.G_inv)).sum() / 2
    return S


def by_exact(
    chosen: Sequence[Point], sides: Callable[[Point], Iterator[tuple[str, Any, Any]]], note: str
) -> tuple[Evidence, Json]:
    """Whether all the (name, claimed, true) of ``sides`` are equal, entry by entry, in rational numbers."""
    count = 0
    for p in chosen:
        for name, claimed, true in sides(p):
            count += claimed.size
            wrong = [index for index, x in enumerate((claimed - true).reshape(-1)) if x != 0]
            if wrong:
                figures: dict[str, Json] = {"equations": count, "refuted at": p.name}
                return said("exact", False, f"{note}: {name} differs", power=0.0, figures=figures), witness(
                    p, name, claimed, true
                )
    return said("exact", True, note, power=0.0, figures={"equations": count, "points": len(chosen)}), None


def witness(p: Point, name: str, claimed: Any, true: Any) -> Json:
    """The point and both sides as text."""
    shown = {"V": p.V, "G^-1": p.G_inv, "A": p.A, "D": p.D, f"{name}, claimed": claimed, f"{name}, true": true}
    written: dict[str, Json] = {key: [[str(x) for x in row] for row in value] for key, value in shown.items()}
    return {"point": p.name, "eigenvalues": [str(x) for x in p.eigenvalues]} | written
