"""The three methods side by side, matrices with prescribed trouble, and the ratio that judges them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
import torch

from wnverify.finding import seed_of
from wnverify.methods.centred_weight_normalization import enclosure as centred_enclosure
from wnverify.methods.centred_weight_normalization import pytorch as centred_pytorch
from wnverify.methods.centred_weight_normalization import reference as centred_reference
from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal_enclosure
from wnverify.methods.orthogonal_weight_normalization import pytorch as orthogonal_pytorch
from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal_reference
from wnverify.methods.weight_normalization import enclosure as plain_enclosure
from wnverify.methods.weight_normalization import pytorch as plain_pytorch
from wnverify.methods.weight_normalization import reference as plain_reference
from wnverify.oracles.enclosures import ball_matrix, to_float64
from wnverify.oracles.ratio import Ratio, map_model


@dataclasses.dataclass(frozen=True)
class Case:
    """One method: its three forms and the smallest singular values that its derivative divides by."""

    name: str
    reference: Any
    enclosure: Any
    function: Callable[[torch.Tensor], torch.Tensor]
    module: Callable[..., torch.nn.Module]
    centres: bool

    def singular_values(self, V: np.ndarray) -> np.ndarray:
        """Row norms, or the singular values of V_C: largest over smallest is the condition number of the map."""
        X = V - V.mean(axis=1, keepdims=True) if self.centres else V
        if self.name == "orthogonal":
            return np.linalg.svd(X, compute_uv=False)
        return np.linalg.norm(X, axis=1)


PLAIN = Case(
    "plain",
    plain_reference,
    plain_enclosure,
    plain_pytorch.normalize_rows,
    lambda **layout: plain_pytorch.WeightNormalization(gain=False, **layout),
    False,
)
CENTRED = Case(
    "centred",
    centred_reference,
    centred_enclosure,
    centred_pytorch.centre_and_normalize_rows,
    centred_pytorch.CentredWeightNormalization,
    True,
)
ORTHOGONAL = Case(
    "orthogonal",
    orthogonal_reference,
    orthogonal_enclosure,
    orthogonal_pytorch.orthogonalize_rows,
    orthogonal_pytorch.OrthogonalWeightNormalization,
    True,
)
CASES = (PLAIN, CENTRED, ORTHOGONAL)


def name_of(value: Any) -> str:
    return value.name if isinstance(value, Case) else str(value).removeprefix("torch.")


def normal(*shape: int, case: str = "") -> np.ndarray:
    """Standard normal numbers from a seed that the shape and ``case`` fix."""
    return np.random.default_rng(seed_of("methods", shape, case)).standard_normal(shape)


def with_singular_values(values: Sequence[float] | np.ndarray, d: int, *, centred: bool = True) -> np.ndarray:
    """A matrix (n, d) with the given n singular values, of rows with zero mean or with any."""
    n = len(values)
    columns = normal(d, n, case="right")
    Q = np.linalg.qr(np.column_stack([np.ones(d), columns]))[0][:, 1:] if centred else np.linalg.qr(columns)[0]
    U = np.linalg.qr(normal(n, n, case="left"))[0]
    return U @ np.diag(values) @ Q.T


def ratio(found: Any, right: Any, dtype: str, terms: int, *, scale: float = 1.0, condition: float = 1.0) -> float:
    """Largest entry of |found − right| over scale × the modelled relative error; ≤ 1 passes."""
    found = found.detach().double().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    right = right.detach().double().numpy() if isinstance(right, torch.Tensor) else np.asarray(right)
    assert found.shape == right.shape
    error = float(np.abs(found - right).max()) if np.isfinite(found).all() else np.inf
    return Ratio(error, scale, map_model(dtype, terms, condition=condition)).value


def bound(case: Case, V: np.ndarray) -> dict[str, float]:
    """Condition of the map at V: κ(V_C) where rows mix, 1 where each row stands alone."""
    s = case.singular_values(V)
    return {"condition": float(s.max() / s.min()) if case is ORTHOGONAL else 1.0}


def derivative_bound(case: Case, V: np.ndarray, A: np.ndarray) -> dict[str, float]:
    """The gradient is at most ‖A‖_F over the smallest singular value (row norm)."""
    return {**bound(case, V), "scale": float(np.linalg.norm(A) / case.singular_values(V).min())}


def differences(map_of: Callable[[flint.arb_mat], flint.arb_mat], V: np.ndarray, A: np.ndarray) -> np.ndarray:
    """∂⟨A, map(V)⟩/∂V by central differences with step 2^-80 in balls of 400 bits: right far beyond float64."""
    step, exact, cotangent = flint.arb(2) ** -80, ball_matrix(V), A.ravel()
    gradient = np.zeros(V.shape)
    for index in np.ndindex(V.shape):
        plus, minus = flint.arb_mat(exact), flint.arb_mat(exact)
        with flint.ctx.workprec(400):
            plus[index] += step
            minus[index] -= step
            change = (map_of(plus) - map_of(minus)) / (2 * step)
            gradient[index] = float(sum(x * float(a) for x, a in zip(change.entries(), cotangent, strict=True)))
    return gradient


def hessian_by_differences(case: Case, V: np.ndarray, A: np.ndarray) -> np.ndarray:
    """The second derivative of ⟨A, f(V)⟩, (n, d, n, d), by differences of the enclosed gradient."""
    step, exact = flint.arb(2) ** -80, ball_matrix(V)
    hessian = np.zeros(V.shape * 2)
    for index in np.ndindex(V.shape):
        plus, minus = flint.arb_mat(exact), flint.arb_mat(exact)
        with flint.ctx.workprec(400):
            plus[index] += step
            minus[index] -= step
            change = (case.enclosure.vjp(plus, A, bits=400) - case.enclosure.vjp(minus, A, bits=400)) / (2 * step)
        hessian[index] = to_float64(change)
    return hessian
