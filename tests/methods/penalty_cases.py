"""The penalties side by side, and the ratios that judge their values and gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import flint
import numpy as np
import torch

from wnverify.finding import seed_of
from wnverify.oracles.enclosures import ball_matrix
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

Map = Callable[[torch.Tensor], torch.Tensor]
STEP = 2.0**-18
BY_DIFFERENCES = ErrorModel(2.0**-24, "central differences: the square of the step, and rounding over the step")
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@dataclasses.dataclass(frozen=True)
class Penalty:
    """One penalty with its options: NumPy, balls and the PyTorch module."""

    id: str
    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def reference(self) -> Any:
        return import_module(f"wnverify.methods.{self.id}.reference")

    @property
    def enclosure(self) -> Any:
        return import_module(f"wnverify.methods.{self.id}.enclosure")

    def module(self, factor: float = 1.0, **layout: int) -> Any:
        return getattr(import_module(f"wnverify.methods.{self.id}.pytorch"), self.name)(
            factor, **self.options, **layout
        )

    def value(self, W: Any) -> float:
        return self.reference.value(W, **self.options)

    def gradient(self, W: Any) -> np.ndarray:
        return self.reference.gradient(W, **self.options)

    def __str__(self) -> str:
        return "-".join([self.id, *(f"{key}={value}" for key, value in self.options.items())])


def normal(*shape: int, case: str = "") -> np.ndarray:
    """Standard normal numbers from a seed that the shape and ``case`` fix."""
    return np.random.default_rng(seed_of("penalties", shape, case)).standard_normal(shape)


def with_singular_values(values: list[float], n: int, d: int) -> np.ndarray:
    """A matrix (n, d) with the given min(n, d) singular values."""
    U = np.linalg.qr(normal(n, n, case="left"))[0][:, : len(values)]
    Q = np.linalg.qr(normal(d, d, case="right"))[0][:, : len(values)]
    return U @ np.diag(values) @ Q.T


def short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def with_gradient(
    penalty: Callable[[torch.Tensor], torch.Tensor], W: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Value and gradient at W."""
    leaf = W.detach().clone().requires_grad_()
    value = penalty(leaf)
    (G,) = torch.autograd.grad(value, leaf)
    return value.detach(), G


def value_ratio(
    penalty: Penalty, found: Any, W: np.ndarray, dtype: str = "float64", right: float | None = None
) -> float:
    """|found − right| over |right| × model; the condition number is ‖∇f‖ ‖W‖ / |f|, from the reference's gradient."""
    right = penalty.value(W) if right is None else right
    size = float(np.linalg.norm(penalty.gradient(W)) * np.linalg.norm(W))
    scale = max(abs(right), 1e-300)
    return Ratio(abs(float(found) - right), scale, map_model(dtype, max(W.shape), condition=1 + size / scale)).value


def gradient_ratio(penalty: Penalty, found: Any, W: np.ndarray, dtype: str = "float64", right: Any = None) -> float:
    """‖found − right‖ over ‖right‖ × model; the condition number ‖H‖ ‖W‖ / ‖∇f‖, H by differences of the reference."""
    found = found.double().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    right = penalty.gradient(W) if right is None else right
    step = 1e-6 * float(np.linalg.norm(W)) * normal(*W.shape, case="direction") / np.sqrt(W.size)
    turned = float(np.linalg.norm(penalty.gradient(W + step) - penalty.gradient(W - step)) / np.linalg.norm(2 * step))
    scale = max(float(np.linalg.norm(right)), 1e-300)
    # One random direction: ‖H e‖ / ‖e‖ is seldom far below the root mean square of the singular values of H.
    condition = 1 + 4 * np.sqrt(W.size) * turned * float(np.linalg.norm(W)) / scale
    return Ratio(float(np.linalg.norm(found - right)), scale, map_model(dtype, max(W.shape), condition=condition)).value


def by_differences(f: Callable[[np.ndarray], Any], W: np.ndarray, E: np.ndarray) -> Any:
    """The derivative of f at W along E by central differences with step ``STEP`` times the size of W."""
    step = STEP * float(np.abs(W).max())
    return (f(W + step * E) - f(W - step * E)) / (2 * step)


def enclosed_differences(value: Callable[..., flint.arb], W: np.ndarray, **options: Any) -> np.ndarray:
    """∂value/∂W by central differences with step 2^-80 in balls of 400 bits: they know no formula of a gradient."""
    step, exact = flint.arb(2) ** -80, ball_matrix(W)
    gradient = np.zeros(W.shape)
    for index in np.ndindex(W.shape):
        plus, minus = flint.arb_mat(exact), flint.arb_mat(exact)
        with flint.ctx.workprec(400):
            plus[index] += step
            minus[index] -= step
            change = value(plus, bits=400, **options) - value(minus, bits=400, **options)
            gradient[index] = float((change / (2 * step)).mid())
    return gradient


def saved_numbers(penalty: Map, W: torch.Tensor) -> int:
    """How many numbers the backward keeps beside the weight itself, each storage counted once."""
    leaf, kept = W.detach().clone().requires_grad_(), {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage().data_ptr()] = x.numel()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        penalty(leaf)
    kept.pop(leaf.untyped_storage().data_ptr(), None)
    return sum(kept.values())
