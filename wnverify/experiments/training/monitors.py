"""What is watched while a network trains: the weights that its layers use, and the gradients of their parameters.

For a layer with weight W (n, d), further axes flattened, V the parameter behind it (W itself where there is none):

    row norms ‖w_i‖, row means, orthogonality residual ‖W Wᵀ − I‖_F, share of zeros,
    gradient sums |∇_i · 1| / (‖∇_i‖ √d), radial share |∇_i · v_i| / (‖∇_i‖ ‖v_i‖), effective rate η / mean ‖v_i‖²,
    amplification ‖∇_V L‖_F / ‖∇_W L‖_F.

Over the rows of all hidden layers (all but the last), as geometric means: the norm ‖v_i‖, the spread
σ_i = (Σ_j (v_ij − μ_i)² / d)^{1/2} (Ikami, Irie and Shibata, equation 17), and both over what they were at the start.

The effective learning rate is that of a scale-invariant weight (van Laarhoven 2017, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

SMALL: Final = 1e-3
"""Entries of at most this magnitude are counted as small, beside exact zeros."""
ORTHOGONALITY_ROWS: Final = 512
"""W Wᵀ is not formed above this many rows."""
TINY: Final = torch.finfo(torch.float64).tiny


def weighted(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every linear and convolutional layer by name, in the model's order."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            yield name, module


def source_of(module: nn.Module) -> Tensor:
    """The parameter that is trained: V behind a parametrized weight, the weight itself otherwise."""
    if parametrize.is_parametrized(module, "weight"):
        behind: Any = module.parametrizations
        entry = behind["weight"]
        source: Tensor = entry.original if hasattr(entry, "original") else entry.original0
        if not hasattr(entry, "original"):
            source = max((p for p in entry.parameters(recurse=False)), key=lambda p: p.numel())
        return source
    return module.get_parameter("weight")


@torch.no_grad()
def of_weights(model: nn.Module) -> dict[str, dict[str, float]]:
    """Layer by layer: norms, means, orthogonality residual, shares of zero and small entries."""
    seen = {}
    for name, module in weighted(model):
        weight: Any = module.weight
        W = weight.detach().flatten(1).double()
        norms, means = W.norm(dim=1), W.mean(dim=1)
        entry = {
            "norm_least": float(norms.min()),
            "norm_mean": float(norms.mean()),
            "norm_largest": float(norms.max()),
            "mean_largest": float(means.abs().max()),
            "zero": float((W == 0).double().mean()),
            "small": float((W.abs() <= SMALL).double().mean()),
        }
        if len(W) <= min(ORTHOGONALITY_ROWS, W.shape[1]):
            identity = torch.eye(len(W), dtype=W.dtype, device=W.device)
            entry["orthogonality"] = float((W @ W.mT - identity).norm())
        seen[name] = entry
    return seen


@contextmanager
def retained(model: nn.Module, *, wanted: bool = True) -> Iterator[dict[str, Tensor]]:
    """Layer → the weight W that a forward in this context uses, which keeps its gradient; none unless ``wanted``."""
    weights: dict[str, Tensor] = {}
    if not wanted:
        yield weights
        return
    with parametrize.cached():
        for name, module in weighted(model):
            weight: Any = module.weight
            if weight.requires_grad:
                weight.retain_grad()
            weights[name] = weight
        yield weights


@torch.no_grad()
def of_gradients(
    model: nn.Module, rate: float, weights: Mapping[str, Tensor] | None = None, scale: float = 1.0
) -> dict[str, dict[str, float]]:
    """Layer by layer, from the gradients that a backward has left: size, sums, radial share, effective rate.

    With ``weights`` (see ``retained``) also the amplification; of a W that is no parameter the gradient is of
    ``scale`` times the loss.
    """
    seen = {}
    for name, module in weighted(model):
        source = source_of(module)
        if source.grad is None:
            continue
        V, gradient = source.detach().flatten(1).double(), source.grad.flatten(1).double()
        norm = gradient.norm(dim=1).clamp_min(TINY)
        size = V.norm(dim=1).clamp_min(TINY)
        seen[name] = {
            "gradient": float(gradient.norm()),
            "gradient_sum": float((gradient.sum(dim=1).abs() / (norm * V.shape[1] ** 0.5)).max()),
            "gradient_radial": float(((gradient * V).sum(dim=1).abs() / (norm * size)).max()),
            "effective_rate": rate / float((size * size).mean()),
        }
        used = None if weights is None else weights[name]
        if used is not None and used.grad is not None:
            size_of_used = used.grad.double().norm() / (1.0 if used is source else scale)
            seen[name]["amplification"] = float(gradient.norm() / size_of_used.clamp_min(TINY))
    return seen


Sizes = Mapping[str, tuple[Tensor, Tensor]]
"""Layer → (‖v_i‖, σ_i) for every row i, in float64."""


@torch.no_grad()
def sizes(model: nn.Module) -> Sizes:
    """Norm and spread of every row of the parameter behind every hidden layer's weight (of a single layer, its own)."""
    layers = dict(weighted(model))
    seen = {}
    for name in list(layers)[:-1] or list(layers):
        V = source_of(layers[name]).detach().flatten(1).double()
        seen[name] = (V.norm(dim=1).clamp_min(TINY), V.std(dim=1, correction=0).clamp_min(TINY))
    return seen


def of_parameters(now: Sizes, start: Sizes, gradients: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Geometric means over the rows of all hidden layers: norm, spread, each also over its value at the start; over
    these layers the gradient's size and its amplification, where they were looked at."""
    told = {}
    for k, name in enumerate(("norm", "spread")):
        (after, before) = (torch.cat([entry[k] for entry in each.values()]).log() for each in (now, start))
        told[name], told[f"{name}_change"] = float(after.mean().exp()), float((after - before).mean().exp())
    for figure in ("gradient", "amplification"):
        values = [gradients[name][figure] for name in now if figure in gradients.get(name, {})]
        if values:
            told[figure] = _geometric(values)
    return told


def _geometric(values: Sequence[float]) -> float:
    return float(torch.tensor(values, dtype=torch.float64).clamp_min(TINY).log().mean().exp())


def sparsity(model: nn.Module) -> dict[str, float]:
    """Share of exact zeros, of entries of at most 0.001, number and share of those kept, over all weights."""
    zero = small = total = 0
    for _, module in weighted(model):
        weight: Any = module.weight
        W = weight.detach()
        zero += int((W == 0).sum())
        small += int((W.abs() <= SMALL).sum())
        total += W.numel()
    kept = total - zero
    return {"zero": zero / total, "small": small / total, "kept": float(kept), "kept_share": kept / total}
