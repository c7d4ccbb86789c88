"""The quintic Newton-Schulz iteration on counting arrays: in stretches on Gram matrices, and as it was published."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from wnverify.theory.method_cost import NEWTON_SCHULZ

MUON: Final = (3.4445, -4.7750, 2.0315)
MUON_EPSILON: Final = 1e-7


def _factor(S: Any, first: bool, steps: int) -> Any:
    """(H, r, kept): H = Q_T / r of a stretch, and what its derivative needs; r is None where nothing is scaled."""
    a, b, c = MUON
    k = len(S)
    r: Any = np.sqrt(S.diagonal().sum()) + MUON_EPSILON if first else None
    M = S / (r * r) if first else S
    kept: list[Any] = []
    Q: Any = None
    for step in range(steps):
        P = b * M + c * (M @ M)
        P[np.diag_indices(k)] = P.diagonal() + a
        kept.append((M, P, Q))
        Q = P if Q is None else P @ Q
        M = P @ M @ P if step < steps - 1 else M
    return (Q / r if first else Q), r, kept


def _factor_pulled(H: Any, r: Any, kept: list[Any], H_bar: Any) -> Any:
    """The cotangent of S for that of H."""
    _, b, c = MUON
    Q_bar, M_bar = (H_bar if r is None else H_bar / r), None
    for M, P, Q in reversed(kept):
        P_bar = Q_bar if Q is None else Q_bar @ Q.T
        P_bar = (P_bar + P_bar.T) * 0.5
        pulled = None
        if M_bar is not None:
            half = M_bar @ P
            K = half @ M
            P_bar = P_bar + K + K.T
            pulled = P @ half
        Q_bar = Q_bar if Q is None else P @ Q_bar
        R = P_bar @ M
        M_bar = b * P_bar + c * (R + R.T)
        M_bar = M_bar if pulled is None else M_bar + pulled
    if r is None:
        return M_bar
    S_bar = M_bar / (r * r)
    r_bar = ((H_bar * H).sum() + 2 * (M_bar * kept[0][0]).sum()) / r
    S_bar[np.diag_indices(len(H))] = S_bar.diagonal() - r_bar / (2 * (r - MUON_EPSILON))
    return S_bar


def newton_schulz(V: Any, A: Any) -> Any:
    wide = V.shape[0] <= V.shape[1]
    X, starts = (V if wide else V.T), []
    for number, steps in enumerate(NEWTON_SCHULZ):
        S = X @ X.T
        starts.append((X, S, number == 0, steps))
        X = _factor(S, number == 0, steps)[0] @ X

    def backward() -> Any:
        G = A if wide else A.T
        for start, S, first, steps in reversed(starts):
            H, r, kept = _factor(S, first, steps)
            S_bar = _factor_pulled(H, r, kept, G @ start.T)
            G = H @ G + (S_bar + S_bar.T) @ start
        return G if wide else G.T

    return (X if wide else X.T), backward


def newton_schulz_as_published(V: Any) -> Any:
    """A = X Xᵀ, B = b A + c A², X ← a X + B X, five times."""
    a, b, c = MUON
    wide = V.shape[0] <= V.shape[1]
    X = V if wide else V.T
    X = X / (np.sqrt((X * X).sum()) + MUON_EPSILON)
    for _ in range(sum(NEWTON_SCHULZ)):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X if wide else X.T
