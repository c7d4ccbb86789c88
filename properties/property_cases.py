"""What the property tests share: implementations side by side, exact products, and the ratio that judges them.

A property is a function of an implementation and drawn inputs; it returns its worst ratio, observed error ÷ modelled
error, ≤ 1 where it holds.  What is observed is reckoned in balls, so that the only roundings are the implementation's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
import torch
from hypothesis import Phase, assume, find, settings
from hypothesis import strategies as st

from wnverify.oracles.enclosures import BITS, ball_matrix, distance, precision, to_float64
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model, unit_roundoff
from wnverify.strategies import cotangents, weights

SETTINGS = settings(derandomize=True, database=None, deadline=None, max_examples=40)
SEARCH = settings(SETTINGS, max_examples=1000, phases=(Phase.generate,))
NOTICED = 10.0
"""A wrong implementation counts as noticed from this ratio on: ten times what rounding explains."""


@dataclasses.dataclass(frozen=True)
class Implementation:
    """A method: ``forward(V)``, ``vjp(V, A)`` and ``jvp(V, E)``, float64 NumPy outside, ``dtype`` within."""

    name: str
    dtype: str
    forward: Callable[[np.ndarray], np.ndarray]
    vjp: Callable[[np.ndarray, np.ndarray], np.ndarray]
    jvp: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __str__(self) -> str:
        return f"{self.name}-{self.dtype}"


def in_numpy(reference: Any) -> Implementation:
    return Implementation("reference", "float64", reference.forward, reference.vjp, reference.jvp)


def in_pytorch(function: Callable[[torch.Tensor], torch.Tensor], dtype: str) -> Implementation:
    def tensor(X: np.ndarray) -> torch.Tensor:
        # Drawn numbers are numbers of the dtype, so that nothing is lost here.
        return torch.tensor(X, dtype=getattr(torch, dtype))

    def forward(V: np.ndarray) -> np.ndarray:
        return function(tensor(V)).double().numpy()

    def vjp(V: np.ndarray, A: np.ndarray) -> np.ndarray:
        leaf = tensor(V).requires_grad_()
        (G,) = torch.autograd.grad(function(leaf), leaf, tensor(A))
        return G.double().numpy()

    def jvp(V: np.ndarray, E: np.ndarray) -> np.ndarray:
        return torch.func.jvp(function, (tensor(V),), (tensor(E),))[1].double().numpy()

    return Implementation("pytorch", dtype, forward, vjp, jvp)


def product(*factors: np.ndarray, minus: Any = None) -> np.ndarray:
    """The product of matrices, less another, with one rounding at the end."""
    with precision(4 * BITS):
        result = ball_matrix(factors[0])
        for factor in factors[1:]:
            result = result * ball_matrix(factor)
        return to_float64(result if minus is None else result - ball_matrix(minus))


def row_products(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """⟨x_i, y_i⟩ for every row, with one rounding at the end."""
    return np.array([product(x[None, :], y[:, None])[0, 0] for x, y in zip(X, Y, strict=True)])


def centred(V: np.ndarray) -> np.ndarray:
    """V with centred rows, with one rounding at the end."""
    d = V.shape[1]
    with precision(4 * BITS):
        centring = flint.arb_mat([[flint.arb(int(i == j)) - flint.arb(1) / d for j in range(d)] for i in range(d)])
        return to_float64(ball_matrix(V) * centring)


def norms(V: np.ndarray) -> np.ndarray:
    """Row norms without overflow or underflow on the way."""
    largest = np.abs(V).max(axis=1)
    return largest * np.linalg.norm(V / np.where(largest > 0, largest, 1.0)[:, None], axis=1)


def errors(balls: flint.arb_mat, found: np.ndarray) -> np.ndarray:
    """Entry by entry an upper bound of |exact − found|; infinite where anything found is not finite."""
    return distance(balls, found) if np.isfinite(found).all() else np.full(found.shape, np.inf)


def in_format(X: np.ndarray, dtype: str) -> np.ndarray:
    """X rounded to numbers of the dtype."""
    return X.astype(dtype).astype(np.float64)


def model(implementation: Implementation, terms: int, condition: float = 1.0) -> ErrorModel:
    return map_model(implementation.dtype, terms, condition=condition)


def worst(misses: Any, scales: Any, models: ErrorModel | list[ErrorModel]) -> float:
    """The largest ratio over the rows; ``misses`` (n,) or (n, d), ``scales`` and ``models`` one or one a row."""
    misses = np.asarray(misses)
    misses = np.abs(misses.reshape(len(misses), -1)).max(axis=1)
    scales = np.broadcast_to(scales, misses.shape)
    models = models if isinstance(models, list) else [models] * len(misses)
    return max(Ratio(float(e), float(s), m).value for e, s, m in zip(misses, scales, models, strict=True))


SCALES = {"float64": (1e-5, 1e5), "float32": (1e-1, 1e1)}
"""Of rows and weights: κ up to about 1e12 and 1e4, nearly all that the next line leaves."""
LARGEST_LOSS = 2.0**-7
"""Weights with κ u above this are left out: beyond, a relative error model says little."""


def singular_values(V: np.ndarray) -> np.ndarray:
    """Those of V_C, σ_1 first."""
    return np.linalg.svd(centred(V), compute_uv=False)


def kappa(V: np.ndarray) -> float:
    """σ_1 / σ_n of V_C."""
    s = singular_values(V)
    return float(s[0] / s[-1]) if s[-1] > 0 else np.inf


@st.composite
def full_rank_points(draw: Any, dtype: str, kinds: Sequence[str], **sizes: int) -> tuple[np.ndarray, np.ndarray]:
    """A weight with V_C of full rank, safely above the numerical one, and a cotangent, in numbers of the dtype."""
    V = draw(weights(kinds=kinds, dtype=dtype, scales=SCALES[dtype], rows_lt_cols=True, **sizes))
    assume(kappa(V) * V.shape[1] * unit_roundoff(dtype) < LARGEST_LOSS)
    return V, draw(cotangents(V, dtype=dtype))


def refuses(implementation: Any, V: np.ndarray) -> bool:
    """Whether forward and backward are a ``ValueError`` that speaks of the shape and the rank."""
    for call in (lambda: implementation.forward(V), lambda: implementation.vjp(V, np.ones(V.shape))):
        try:
            call()
        except ValueError as error:
            if "rank" in str(error) and str(V.shape) in str(error):
                continue
        return False
    return True


def noticed(judge: Callable[[Any], float], inputs: Any) -> Any:
    """The first drawn input at which ``judge`` is ``NOTICED`` or more; Hypothesis raises if there is none."""
    return find(inputs, lambda drawn: not judge(drawn) < NOTICED, settings=SEARCH)
