"""What a method promises of the weights that layers use, asked after every step of a training run, as ratios.

The properties are those that the method's own class declares; what has no figure of one weight alone (invariances,
equivariances) is not asked here.  Rows are output units, further axes flattened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

Measure = Callable[[Tensor, float], tuple[float, float]]
"""(W in float64, declared value) → (deviation, scale)."""


def _norms(W: Tensor, value: float) -> tuple[float, float]:
    return float((W.norm(dim=1) - value).abs().max()), value


def _means(W: Tensor, value: float) -> tuple[float, float]:
    # The sum over the size that Cauchy and Schwarz allow, the row of largest quotient.
    quotient = W.sum(dim=1).abs() / (W.norm(dim=1) * W.shape[1] ** 0.5).clamp_min(torch.finfo(W.dtype).tiny)
    return float(quotient.max()), 1.0


def _orthonormal(W: Tensor, value: float) -> tuple[float, float]:
    return float((W @ W.mT - torch.eye(len(W), dtype=W.dtype, device=W.device)).norm()), len(W) ** 0.5


def _spectral(W: Tensor, value: float) -> tuple[float, float]:
    return max(float(torch.linalg.matrix_norm(W, 2)) - 1, 0.0), 1.0


def _l1(W: Tensor, value: float) -> tuple[float, float]:
    return max(float(W.abs().sum(dim=1).max()) - value, 0.0), value


MEASURES: Final[Mapping[str, Measure]] = {
    "unit_norm_rows": _norms,
    "constant_norm_rows": _norms,
    "zero_mean_rows": _means,
    "orthonormal_rows": _orthonormal,
    "spectral_norm_le_1": _spectral,
    "l1_rows_le": _l1,
}
ROUNDINGS: Final = 16
"""Stored intermediate results of a map, its factor and its result among them."""


def asked(declares: Mapping[str, Any]) -> dict[str, float]:
    """The declared properties that one weight can show, with their values."""
    return {name: float(value) for name, value in declares.items() if name in MEASURES and not callable(value)}


def ratios(
    weight: Tensor, declares: Mapping[str, Any], approximate: Mapping[str, float] | None = None
) -> dict[str, Ratio]:
    """Each asked property of one weight (n, …): deviation over what rounding of its dtype excuses.

    ``approximate``: property → error that the method admits, allowed on top.
    """
    W = weight.detach().flatten(1).double()
    model = map_model(str(weight.dtype).removeprefix("torch."), W.shape[1], roundings=ROUNDINGS)
    found = {}
    for name, value in asked(declares).items():
        error, scale = MEASURES[name](W, value)
        admitted = float((approximate or {}).get(name, 0.0))
        allowed = ErrorModel(model.relative + admitted, f"{model.text} + {admitted:g} admitted")
        found[name] = Ratio(error, scale, allowed)
    return found
