"""The constraints side by side, how far weights are from their sets, and a training loop written once more in NumPy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from method_cases import normal
from torch import nn

from wnverify.methods.constrained_weight_optimization import enclosure as cwo_enclosure
from wnverify.methods.constrained_weight_optimization import reference as cwo_reference
from wnverify.methods.constrained_weight_optimization.pytorch import ConstrainedWeightOptimization
from wnverify.methods.gradient_centralization import enclosure as gc_enclosure
from wnverify.methods.gradient_centralization import reference as gc_reference
from wnverify.methods.gradient_centralization.pytorch import GradientCentralization
from wnverify.methods.projection_based_weight_normalization import enclosure as pbwn_enclosure
from wnverify.methods.projection_based_weight_normalization import reference as pbwn_reference
from wnverify.methods.projection_based_weight_normalization.pytorch import ProjectionBasedWeightNormalization
from wnverify.methods.stiefel_layer import enclosure as stiefel_enclosure
from wnverify.methods.stiefel_layer import reference as stiefel_reference
from wnverify.methods.stiefel_layer.pytorch import StiefelLayer
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.constraint import Block, RowConstraint
from wnverify.primitives.layout import to_rows


@dataclasses.dataclass(frozen=True)
class Case:
    """One constraint with its options: the class, the NumPy form and the balls."""

    name: str
    made: Callable[..., RowConstraint]
    reference: Any
    enclosure: Any
    options: dict[str, Any]
    mixes: bool = False

    def __str__(self) -> str:
        return self.name

    def constraint(self, **more: Any) -> RowConstraint:
        return self.made(**self.options, **more)

    def condition(self, W: np.ndarray) -> float:
        """κ of W with unit rows where rows mix, 1 where each stands alone and centring loses nothing given W."""
        if not self.mixes:
            return 1.0
        rows = W if self.options["retraction"] == "polar" else W / np.linalg.norm(W, axis=1, keepdims=True)
        return float(np.linalg.cond(rows))


def case(name: str, made: Any, reference: Any, enclosure: Any, mixes: bool = False, **options: Any) -> Case:
    return Case(name, made, reference, enclosure, options, mixes)


PBWN = case("pbwn", ProjectionBasedWeightNormalization, pbwn_reference, pbwn_enclosure)
RIEMANNIAN = case("riemannian", ProjectionBasedWeightNormalization, pbwn_reference, pbwn_enclosure, riemannian=True)
CWO = case("cwo", ConstrainedWeightOptimization, cwo_reference, cwo_enclosure)
SMALL = case("cwo small c", ConstrainedWeightOptimization, cwo_reference, cwo_enclosure, c=2.0**-40)
PRINTED = case("cwo printed", ConstrainedWeightOptimization, cwo_reference, cwo_enclosure, update="printed")
QR = case("stiefel qr", StiefelLayer, stiefel_reference, stiefel_enclosure, mixes=True, retraction="qr")
POLAR = case("stiefel polar", StiefelLayer, stiefel_reference, stiefel_enclosure, mixes=True, retraction="polar")
GC = case("gc", GradientCentralization, gc_reference, gc_enclosure)
PROJECTING = (PBWN, RIEMANNIAN, CWO, SMALL, PRINTED, QR, POLAR)
CASES = (*PROJECTING, GC)


def infeasible(case: Case, W: torch.Tensor, dtype: str) -> float:
    """The ratio of the distance of rows W (n, d) from what the constraint promises to rounding of the result."""
    X, d = W.detach().double().numpy(), W.shape[1]
    model = map_model(dtype, d)
    if case.mixes:
        return Ratio(float(np.abs(X @ X.T - np.eye(len(X))).max()), 1.0, model).value
    c = case.options.get("c", 2.0) if case.reference is cwo_reference else 1.0
    off = Ratio(float(np.abs((X * X).sum(axis=1) - c).max()), c, model).value
    if case.reference is cwo_reference and case is not PRINTED:
        off = max(off, mean_ratio(X, dtype))
    return off


def mean_ratio(X: np.ndarray, dtype: str) -> float:
    """The ratio of |1ᵀw| to √d ‖w‖ times rounding, the worst row."""
    d = X.shape[1]
    sums, sizes = np.abs(X.sum(axis=1)), np.linalg.norm(X, axis=1) * math.sqrt(d)
    return max(Ratio(float(e), float(s), map_model(dtype, d)).value for e, s in zip(sums, sizes, strict=True))


class Trained:
    """Rows under SGD or Adam in NumPy, in the order: transform, weight decay, momentum, step, projection."""

    def __init__(self, case: Case, W: np.ndarray, *, every: int = 1) -> None:
        self.case, self.every, self.steps = case, every, 0
        self.W = case.reference.project(W, **case.options) if case is not GC else W
        self.buffer: np.ndarray | None = None
        self.first = self.second = np.zeros_like(W)

    def sgd(self, G: np.ndarray, lr: float, momentum: float = 0.0, decay: float = 0.0, nesterov: bool = False) -> None:
        g = self.case.reference.transform(self.W, G, **self.case.options) + decay * self.W
        if momentum:
            self.buffer = g if self.buffer is None else momentum * self.buffer + g
            g = g + momentum * self.buffer if nesterov else self.buffer
        self._after(self.W - lr * g)

    def adam(self, G: np.ndarray, lr: float, decay: float = 0.0, decoupled: float = 0.0) -> None:
        g = self.case.reference.transform(self.W, G, **self.case.options) + decay * self.W
        t = self.steps + 1
        self.first = 0.9 * self.first + 0.1 * g
        self.second = 0.999 * self.second + 0.001 * g * g
        size = np.sqrt(self.second / (1 - 0.999**t)) + 1e-8
        self._after((1 - lr * decoupled) * self.W - lr * self.first / (1 - 0.9**t) / size)

    def _after(self, W: np.ndarray) -> None:
        self.steps += 1
        projects = self.case is not GC and self.steps % self.every == 0
        self.W = self.case.reference.project(W, **self.case.options) if projects else W


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
    "decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.5),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.05),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
}
SAME = {
    "sgd": lambda trained, G: trained.sgd(G, 0.1),
    "momentum": lambda trained, G: trained.sgd(G, 0.1, momentum=0.9),
    "nesterov": lambda trained, G: trained.sgd(G, 0.1, momentum=0.9, nesterov=True, decay=0.05),
    "decay": lambda trained, G: trained.sgd(G, 0.1, decay=0.5),
    "adam": lambda trained, G: trained.adam(G, 0.1, decay=0.05),
    "adamw": lambda trained, G: trained.adam(G, 0.1, decoupled=0.5),
}
LAYERS = {
    "linear": lambda: nn.Linear(12, 4),
    "convolution": lambda: nn.Conv2d(3, 4, 2),
    "grouped": lambda: nn.Conv1d(8, 4, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 2),
    "transposed grouped": lambda: nn.ConvTranspose1d(8, 4, 3, groups=2),
}
STEPS = 4


def block_of(layer, dtype="float64"):
    """The layer's weight as a block, filled with the same numbers wherever the tests run."""
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
    weight = nn.Parameter(torch.tensor(normal(*layer.weight.shape, case="start")).to(getattr(torch, dtype)))
    return Block("layer", weight, None, int(transposed), layer.groups if transposed else 1)


def rows_of(block):
    return to_rows(block.weight.detach(), block.dim, block.groups)


def given(block, step):
    """A gradient with a mean, the same for every run."""
    block.weight.grad = torch.tensor(normal(*block.weight.shape, case=f"gradient {step}") + 0.5).to(block.weight.dtype)
    return to_rows(block.weight.grad, block.dim, block.groups).double().numpy()
