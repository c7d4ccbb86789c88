"""How a signal goes through a network, depth by depth: mean and variance of pre-activations, and singular values.

For the l-th layer with weights in the order of execution, y^(l) its outputs (samples, units, positions), in evaluation
mode and float64:

    mean      of all entries of y^(l),
    variance  of all entries of y^(l): over weights, units and inputs together (Ikami, Irie and Shibata, equation 3),
    bias      mean_i m_i² / mean (y^(l))², m_i the mean of unit i over samples and positions: the share of the second
              moment that says nothing of the sample,
    gain      ‖J‖_F / √k, the root mean square of the k = min(rows, columns) singular values of J = ∂y^(l)/∂x,
    largest   the largest of them,
    evenness  (Σ s²)² / (k Σ s⁴): 1 where all singular values are equal, 1/k where one is not zero.

J is that from the network's input x to the depth: the Jacobian of a layer alone is its weight, which knows no depth.
The figures of J are geometric means over the first samples.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wnverify.experiments.training.monitors import TINY, weighted

SAMPLES: Final = 128
JACOBIAN_SAMPLES: Final = 4
LARGEST_JACOBIAN: Final = 2**24
"""Entries of one sample's Jacobian to one depth."""
BY_DEPTH: Final = ("mean", "variance", "bias", "gain", "largest", "evenness")


@torch.no_grad()
def of_signal(model: nn.Module, x: Tensor) -> dict[str, Any]:
    """The six figures as lists over the depths 1 … L, and what becomes of them:

    ``variance_drift`` = |ln(variance_L / variance_1)| / (L − 1), ``gain_drift`` likewise, ``last_bias`` and
    ``last_evenness`` those of depth L.  x (count, …) is what the network takes.  The model is left as it is.
    ``ValueError`` where fewer than two layers have weights, or a Jacobian would have too many entries.
    """
    # Removing parametrizations from a copy would take them off the model, whose class it shares: W is kept instead.
    with parametrize.cached():
        return _told(_evaluated(model), x.detach().double())


def _told(model: nn.Module, x: Tensor) -> dict[str, Any]:
    with _outputs(model) as found:
        model(x)
        outputs = [y.flatten(2) if y.dim() > 2 else y[..., None] for y in found]
    if len(outputs) < 2:
        raise ValueError(f"a network must have two layers with weights at least; got {len(outputs)}")
    inputs = math.prod(x.shape[1:])
    if (entries := inputs * max(y[0].numel() for y in outputs)) > LARGEST_JACOBIAN:
        raise ValueError(f"a Jacobian may have {LARGEST_JACOBIAN} entries; got {entries} for {inputs} inputs")
    told: dict[str, list[float]] = {name: [] for name in BY_DEPTH}
    for y in outputs:
        told["mean"].append(float(y.mean()))
        told["variance"].append(float(y.var(correction=0)))
        square = (y * y).mean().clamp_min(TINY)
        told["bias"].append(float(y.mean(dim=(0, 2)).square().mean() / square))
    for J in _jacobians(model, x[:JACOBIAN_SAMPLES]):
        s = torch.linalg.svdvals(J)
        squares = s.square().sum(dim=1).clamp_min(TINY)
        told["gain"].append(_geometric((squares / s.shape[1]).sqrt()))
        told["largest"].append(_geometric(s[:, 0]))
        told["evenness"].append(_geometric(squares.square() / (s.shape[1] * s.pow(4).sum(dim=1).clamp_min(TINY))))
    drifts = {f"{name}_drift": _drift(told[name]) for name in ("variance", "gain")}
    return {**told, **drifts, "last_bias": told["bias"][-1], "last_evenness": told["evenness"][-1]}


def _drift(values: list[float]) -> float:
    return abs(math.log(max(values[-1], TINY) / max(values[0], TINY))) / (len(values) - 1)


def _geometric(values: Tensor) -> float:
    return float(values.clamp_min(TINY).log().mean().exp())


def _evaluated(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode and float64 in which nothing is done in place."""
    made = copy.deepcopy(model).eval().double()
    for module in made.modules():
        if isinstance(getattr(module, "inplace", None), bool):
            module.inplace = False  # type: ignore[assignment]
    return made


@contextmanager
def _outputs(model: nn.Module) -> Iterator[list[Tensor]]:
    """What the layers with weights give during a forward, in its order."""
    found: list[Tensor] = []

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        found.append(output)

    handles = [module.register_forward_hook(keep) for _, module in weighted(model)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _jacobians(model: nn.Module, x: Tensor) -> list[Tensor]:
    """For each depth (count, entries of y, entries of x)."""

    def depths(sample: Tensor) -> tuple[Tensor, ...]:
        with _outputs(model) as found:
            model(sample[None])
            return tuple(y.flatten() for y in found)

    made: Any = torch.func.vmap(torch.func.jacfwd(depths))(x)
    return [J.flatten(2) for J in made]
