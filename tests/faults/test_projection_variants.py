"""Wrong projections are wrong and right ones right, by a second opinion that shares no code with the audit."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fault_objects import SHARED, Build, builder, differ, randn, unusual_weights, value, weights
from fault_sets import nearest
from test_fault_catalogue import of_kind
from torch import Tensor

from wnverify.faults.catalogue import Fault, Right

ROWS = of_kind("projection")
FAULTS = [row for row in ROWS if isinstance(row, Fault) and not row.shards]
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

    unusual = [V for V in unusual_weights() if _one_nearest(name, V)]
    return max(variant.worst(miss), *(miss(V, value(variant.build, V)) for V in unusual))


def _one_nearest(name: str, V: Tensor) -> bool:
    """Whether the second opinion knows the nearest point, and it is the only one."""
    if name == "stiefel_rows":
        return len(V) <= V.shape[1] and int(torch.linalg.matrix_rank(V)) == len(V)
    return "sphere" not in name or bool((V > 0).any(dim=1).all())


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


OUTSIDE: dict[str, Callable[[Tensor, Any], float]] = {
    "l1_rows_le": lambda W, radius: size(W.abs().sum(1) - radius),
    "zero_mean_rows": lambda W, _: size(W.sum(1).abs()),
    "orthonormal_rows": lambda W, _: size((gram(W) - torch.eye(len(W))).abs()),
    "unit_norm_rows": lambda W, _: size((W.norm(dim=1) - 1).abs()),
    "spectral_norm_le_1": lambda W, _: size(torch.linalg.matrix_norm(W, 2) - 1),
}
"""How far a weight is from having a declared property."""


def outside(name: str) -> Callable[[Variant], float]:
    return lambda variant: variant.worst(lambda V, W: OUTSIDE[name](W, variant.declares[name]))


def walks_off(variant: Variant) -> float:
    """Calls with one weight, then twenty short steps, each back to the set."""
    declared, W = variant.declares.items(), value(variant.build, randn(3, 5, seed=25))
    worst = SHARED["lifecycle.steps"](variant.build, False)
    for step in range(20):
        W = value(variant.build, W + 2e-3 * randn(3, 5, seed=50 + step))
        worst = max(worst, *(OUTSIDE[name](W, said) for name, said in declared if name in OUTSIDE), 0.0)
    return worst


def shifted_square(variant: Variant) -> float:
    """What shifts of rows do to a square weight where they do nothing to wide ones."""

    def moved(n: int, d: int) -> float:
        V = randn(n, d, seed=6)
        return differ(value(variant.build, V + torch.arange(n)[:, None]), value(variant.build, V))

    return moved(4, 4) if moved(3, 5) <= ROUNDING else 0.0


OWN: dict[str, Callable[[Variant], float]] = {
    "property.euclidean_projection": far_from_nearest,
    "property.nonexpansive": expands,
    "property.idempotent": lambda v: v.worst(lambda V, W: differ(value(v.build, W), W)),
    "property.discovered": shifted_square,
    "gradient.vjp": gradient,
    "lifecycle.steps": walks_off,
    **{f"property.{name}": outside(name) for name in OUTSIDE},
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
