"""Wrong projections are wrong and right ones right, by a second opinion that shares no code with the audit."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fault_objects import SHARED, Build, builder, differ, randn, value, weights
from fault_sets import nearest
from test_fault_catalogue import of_kind
from torch import Tensor

from wnverify.faults.catalogue import Fault, Right

ROWS = of_kind("projection")
FAULTS = [row for row in ROWS if isinstance(row, Fault)]
RIGHT = [row for row in ROWS if isinstance(row, Right)]
ROUNDING, WRONG = 1e-9, 1e-5


class Variant:
    """One variant with what it says of itself."""

    def __init__(self, row: Fault | Right):
        module, name = row.target.split(":")
        loaded = importlib.import_module(module)
        thing = getattr(loaded, name)
        self.build: Build = builder(thing)
        made = self.build()
        self.set: dict[str, Any] = dict(getattr(made, "SET", getattr(loaded, "SET", {})))
        self.declares: dict[str, Any] = dict(getattr(made, "DECLARES", getattr(loaded, "DECLARES", {})))

    def worst(self, miss: Callable[[Tensor, Tensor], float]) -> float:
        wide = [V for V in weights() if V.shape[0] <= V.shape[1]] + [randn(70, 134, seed=5)]
        return max(miss(V, value(self.build, V)) for V in wide)


def far_from_nearest(variant: Variant) -> float:
    name, parameters = variant.set["name"], {k: v for k, v in variant.set.items() if k != "name"}

    def miss(V: Tensor, W: Tensor) -> float:
        return differ(W, torch.as_tensor(nearest(name, V.numpy(), **parameters)))

    return variant.worst(miss)


def expands(variant: Variant) -> float:
    def miss(V: Tensor, W: Tensor) -> float:
        other = V + randn(*V.shape, seed=21)
        grown = float((value(variant.build, other) - W).norm() / (other - V).norm()) - 1
        return math.inf if math.isnan(grown) else max(grown, 0.0)

    return variant.worst(miss)


def gram(W: Tensor) -> Tensor:
    return W @ W.mT


def size(excess: Tensor) -> float:
    worst = float(excess.max())
    return math.inf if math.isnan(worst) else max(worst, 0.0)


def gradient(variant: Variant) -> float:
    """The gradient of a weighted sum by autograd and by differences."""
    V, G, H = 2 * randn(3, 5, seed=22), randn(3, 5, seed=23), randn(3, 5, seed=24)
    leaf = V.clone().requires_grad_()
    W = variant.build()(leaf)
    if W.grad_fn is None:
        return 0.0
    slope = (value(variant.build, V + 1e-6 * H) - value(variant.build, V - 1e-6 * H)) / 2e-6
    miss = float((torch.autograd.grad(W, leaf, G)[0] * H).sum() - (slope * G).sum())
    return max(0.0, abs(miss) - 1e-7)


OWN: dict[str, Callable[[Variant], float]] = {
    "property.euclidean_projection": far_from_nearest,
    "property.nonexpansive": expands,
    "property.idempotent": lambda v: v.worst(lambda V, W: differ(value(v.build, W), W)),
    "property.l1_rows_le": lambda v: v.worst(lambda V, W: size(W.abs().sum(1) - v.declares["l1_rows_le"])),
    "property.zero_mean_rows": lambda v: v.worst(lambda V, W: size(W.sum(1).abs())),
    "property.orthonormal_rows": lambda v: v.worst(lambda V, W: size((gram(W) - torch.eye(len(W))).abs())),
    "property.unit_norm_rows": lambda v: v.worst(lambda V, W: size((W.norm(dim=1) - 1).abs())),
    "property.spectral_norm_le_1": lambda v: v.worst(lambda V, W: size(torch.linalg.matrix_norm(W, 2) - 1)),
    "gradient.vjp": gradient,
}


def probe(row: Fault | Right, check: str) -> float:
    variant = Variant(row)
    return OWN[check](variant) if check in OWN else SHARED[check](variant.build, False)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_wrong_projection_is_wrong_where_it_is_meant_to_be(fault: Fault) -> None:
    """In the situation of the check that is meant to catch it, it misses by far more than rounding."""
    assert probe(fault, fault.caught_by) >= WRONG


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_right_projection_is_right_everywhere_but_at_its_hazards(right: Right) -> None:
    """What it declares holds, nothing is changed behind its user's back, and the edges are met."""
    declared = [f"property.{name}" for name in Variant(right).declares]
    general = [name for name in SHARED if not name.startswith("property.")]
    skipped = {"precision.float64", "precision.forward", "edge.large_mean", *right.hazards}
    found = {name: probe(right, name) for name in (*general, *declared, "gradient.vjp") if name not in skipped}
    assert not {name: miss for name, miss in found.items() if not miss <= ROUNDING}
