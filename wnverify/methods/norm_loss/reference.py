"""Norm loss in NumPy: L(W) = Σ_i (1 − ‖w_i‖)² over the rows of W (n, d), one for each output unit.

T. Georgiou, S. Schmitt, T. Bäck, W. Chen and M. Lew, *Norm loss*, equations 7, 8, 11 and 12.

Equation 7 as printed is no number: two of its sums run over j, so the kernel's rows are not summed, and c_i stays free.
The appendix has it right (equation 13): the sum over c_i, i and j, which is the norm of the row.

At a zero row the loss is 1 and has a peak, pointed like a cone: every direction lowers it at the rate 2, and no
gradient exists.  Here it counts as 0, so that the row is left to the other losses; every unit vector times −2 is a
limit of gradients nearby, and none of them is distinguished.  Not convex: 0 lies between two unit rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, scaled_rows


def value(W: Any) -> float:
    """Σ_i (1 − ‖w_i‖)², W (n, d).  ``ValueError`` names a non-finite entry.

    >>> value([[3.0, 4.0], [0.0, 0.0], [0.6, 0.8]])
    17.0
    """
    _, norms = _directions(as_matrix(W, "W"))
    return float(((1 - norms) ** 2).sum())


def gradient(W: Any) -> Matrix:
    """2 (‖w_i‖ − 1) w_i / ‖w_i‖ for every row, and 0 for a zero row; equation 11 wherever that is defined.

    >>> gradient([[3.0, 4.0]])
    array([[4.8, 6.4]])
    """
    U, norms = _directions(as_matrix(W, "W"))
    G: Matrix = 2 * (norms - 1) * U
    return G


def prox(W: Any, step: float) -> Matrix:
    """argmin_X ½ ‖X − W‖² + step × value(X): every row keeps its direction, and its norm becomes (r + 2t) / (1 + 2t).

    In the direction of w the objective is ½ (ρ − r)² + t (1 − ρ)², convex in ρ, with its least point there; any other
    direction is further from w.  A zero row has the whole sphere of radius 2t / (1 + 2t) for nearest points: the one
    along the first axis is taken.  ``ValueError`` for a step below 0.

    >>> prox([[3.0], [0.5]], 0.5)
    array([[2.  ],
           [0.75]])
    """
    W = as_matrix(W, "W")
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    U, norms = _directions(W)
    U[norms[:, 0] == 0, 0] = 1.0
    kept = 1 / (1 + 2 * step)
    X: Matrix = kept * W + 2 * (kept * step) * U
    return X


def printed_gradient(W: Any) -> Matrix:
    """Equation 11 to the letter: 2 w (1 − 1/‖w_i‖); NaN at a zero row.  W (n, d)."""
    W = as_matrix(W, "W")
    with np.errstate(divide="ignore", invalid="ignore"):
        G: Matrix = 2 * W * (1 - 1 / _directions(W)[1])
    return G


def printed_update(W: Any, G: Any, *, rate: float, factor: float) -> Matrix:
    """Equation 12 to the letter: w − η λ 2 (1 − 1/‖w_i‖) w − η ∂L_target/∂w, G the last gradient.

    With G = 0 the row stays on its line, and its norm becomes |1 + (1 − 2 η λ)(r − 1)|: it tends to 1 where
    0 < η λ < 1, from one side where η λ ≤ ½.  Above that a long row, r > 1 + 1/(2 η λ − 1), steps through 0 and turns
    round.  η λ = ½ is equation 6, the row divided by its norm.
    """
    W = as_matrix(W, "W")
    with np.errstate(divide="ignore", invalid="ignore"):
        shrink = rate * factor * 2 * (1 - 1 / _directions(W)[1])
        moved: Matrix = W - shrink * W - rate * as_matrix(G, "G", W.shape)
    return moved


def _directions(W: Matrix) -> tuple[Matrix, Matrix]:
    """w_i / ‖w_i‖ (0 for a zero row) and ‖w_i‖, shape (n, 1)."""
    scaled, exponent = scaled_rows(W)
    norms = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    U = np.divide(scaled, norms, out=np.zeros_like(scaled), where=norms > 0)
    return U, np.asarray(np.ldexp(norms, exponent))
