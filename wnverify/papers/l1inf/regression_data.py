"""The regression data of Sec. 5.1, and test errors that follow from them without any training."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

INPUTS: Final = 1000
SAMPLES: Final = 500
TEST: Final = 1500
NONZERO: Final = 100
UNITS: Final = 300
COUPLING: Final = 0.2


class Regression(NamedTuple):
    """Samples X (n, d), y (n,), and the coefficients β (d,)."""

    X: Any
    y: Any
    beta: Any


def mixed(Z: Any) -> Any:
    """X (n, d) from Z (n, d + 1): x_1 = z_1, x_j = z_j + 0.2 (z_{j−1} + z_{j+1}); z_{d+1} is drawn as well."""
    X = Z[:, :-1].copy()
    X[:, 1:] += COUPLING * (Z[:, :-2] + Z[:, 2:])
    return X


def unmixed(M: Any) -> Any:
    """M A (m, d + 1) for M (m, d), where x = A z."""
    import numpy as np

    out = np.zeros((M.shape[0], M.shape[1] + 1), dtype=M.dtype)
    out[:, :-1] = M
    out[:, :-2] += COUPLING * M[:, 1:]
    out[:, 2:] += COUPLING * M[:, 1:]
    return out


def drawn(rng: Any, low: float, high: float) -> Regression:
    """500 samples as in Sec. 5.1 with β_i ~ Unif(low, high) for i ≤ 100 and noise of variance 1."""
    import numpy as np

    beta = np.zeros(INPUTS)
    beta[:NONZERO] = rng.uniform(low, high, NONZERO)
    return sampled(rng, beta, SAMPLES)


def sampled(rng: Any, beta: Any, count: int) -> Regression:
    X = mixed(rng.standard_normal((count, INPUTS + 1)))
    return Regression(X, X @ beta + rng.standard_normal(count), beta)


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
