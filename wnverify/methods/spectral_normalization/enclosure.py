"""Spectral normalization in balls: W = V / σ_1(V) and its vector-Jacobian product, for small matrices.

Written from Miyato et al., *Spectral normalization for generative adversarial networks*, 2018, equation 8.  With
λ_1 > λ_2 ≥ … the eigenvalues of the smaller Gram matrix Γ, the projector onto its leading eigenvector is

    P = Π_{j ≥ 2} (Γ − λ_j I) / (λ_1 − λ_j),

whether or not the lower ones are repeated, and u vᵀ is P W or W P: no eigenvector is needed.
"""

from __future__ import annotations

from typing import Any

import flint
import mpmath

from wnverify.oracles.enclosures import BITS, ball_matrix, frobenius_bound, precision


def forward(V: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` for a matrix that is not provably other than zero, or a non-finite entry.
    """
    with precision(bits):
        V = ball_matrix(V, "V")
        W: flint.arb_mat = V / _eigenvalues(_gram(V), V)[0].sqrt()
        return W


def vjp(V: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A: (A − ⟨A, W⟩ u vᵀ) / σ.

    ``ValueError`` as in ``forward``, and where σ is not provably a simple singular value.
    """
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        gram = _gram(V)
        largest, *others = _eigenvalues(gram, V)
        n = gram.nrows()
        identity = flint.arb_mat([[int(i == j) for j in range(n)] for i in range(n)])
        projector = identity
        for other in others:
            if not largest > other:
                raise ValueError("V must have a largest singular value that is provably simple: elsewhere no gradient")
            projector = projector * (gram - identity * other) / (largest - other)
        sigma = largest.sqrt()
        W = V / sigma
        leading = projector * W if V.nrows() <= V.ncols() else W * projector
        inner = sum((a * w for a, w in zip(A.entries(), W.entries(), strict=True)), flint.arb(0))
        gradient: flint.arb_mat = (A - leading * inner) / sigma
        return gradient


def _gram(V: flint.arb_mat) -> flint.arb_mat:
    """V Vᵀ or Vᵀ V, the smaller."""
    return V * V.transpose() if V.nrows() <= V.ncols() else V.transpose() * V


def _eigenvalues(gram: flint.arb_mat, V: flint.arb_mat) -> list[flint.arb]:
    """Balls around the eigenvalues λ_1 ≥ λ_2 ≥ …, each as often as it is repeated.

    From approximate eigenvalues δ and eigenvectors Q, which prove nothing: by Ostrowski's theorem the k-th eigenvalue
    of Q diag(δ) Qᵀ is θ δ_k with |θ − 1| ≤ ‖Q Qᵀ − I‖_F, and by Weyl's that of Γ is ‖Γ − Q diag(δ) Qᵀ‖_F from it at
    most.  No gap is needed.
    """
    n = gram.nrows()
    with mpmath.workprec(flint.ctx.prec):
        rows = [[mpmath.ldexp(*map(int, x.mid().man_exp())) for x in row] for row in gram.table()]
        values, vectors = mpmath.eigsy(mpmath.matrix(rows))
        delta = [flint.arb(values[k]) for k in range(n)]  # ascending
        Q = flint.arb_mat([[flint.arb(vectors[i, k]) for k in range(n)] for i in range(n)])
    diagonal = flint.arb_mat([[delta[i] if i == j else 0 for j in range(n)] for i in range(n)])
    identity = flint.arb_mat([[int(i == j) for j in range(n)] for i in range(n)])
    turned = frobenius_bound(Q * Q.transpose() - identity)
    missed = frobenius_bound(gram - Q * diagonal * Q.transpose())
    found = [value + flint.arb(0, (abs(value) * turned + missed).upper()) for value in reversed(delta)]
    if not found[0] > 0:
        raise ValueError(f"V must not be zero, provably; got shape {(V.nrows(), V.ncols())}")
    return found
