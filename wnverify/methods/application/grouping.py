"""Parameters with and without weight decay."""

from __future__ import annotations

from typing import Any

from torch import nn

from wnverify.methods.scale_and_bias.pytorch import ScaleAndBias


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups for an optimiser: γ and β of scale-and-bias layers without weight decay, the rest with it.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), ScaleAndBias(3))
    >>> [(len(group["params"]), group["weight_decay"]) for group in parameter_groups(model, 1e-3)]
    [(2, 0.001), (2, 0.0)]
    """
    free = {id(p) for module in model.modules() if isinstance(module, ScaleAndBias) for p in module.parameters()}
    every = list(model.parameters())
    return [
        {"params": [p for p in every if id(p) not in free], "weight_decay": weight_decay},
        {"params": [p for p in every if id(p) in free], "weight_decay": 0.0},
    ]
