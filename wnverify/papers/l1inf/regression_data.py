"""Test errors on the regression data of Sec. 5.1 that follow without any training."""

from __future__ import annotations

from typing import Any, Final

from wnverify.experiments.data.synthetic import COUPLING, Regression

UNITS: Final = 300


def unmixed(M: Any) -> Any:
    """M A (m, d + 1) for M (m, d), where x = A z."""
    import numpy as np

    out = np.zeros((M.shape[0], M.shape[1] + 1), dtype=M.dtype)
    out[:, :-1] = M
    out[:, :-2] += COUPLING * M[:, 1:]
    out[:, 2:] += COUPLING * M[:, 1:]
    return out


def total_variance(beta: Any) -> float:
    """Var y = ‖Aᵀβ‖² + 1."""
    a = unmixed(beta[None])[0]
    return float(a @ a) + 1


def floor_of(data: Regression, weights: Any) -> float:
    """The least test error of any function of (X x, weights x): 1 + Var(β·x | X x, weights x).

    Gradient descent on a network moves the incoming weights of the first layer by combinations of the samples, so that
    the network stays a function of X x and of W x with its initial W, whatever loss, step size, order and duration.
    """
    import numpy as np

    M = unmixed(np.vstack([data.X, weights]))
    a = unmixed(data.beta[None])[0]
    v = M @ a
    return float(a @ a - v @ np.linalg.solve(M @ M.T, v)) + 1


def minimum_norm_error(data: Regression) -> float:
    """The test error of the interpolation β̂ = Xᵀ (X Xᵀ)^{-1} y."""
    import numpy as np

    found = data.X.T @ np.linalg.solve(data.X @ data.X.T, data.y)
    return total_variance(data.beta - found)
