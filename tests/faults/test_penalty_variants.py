"""Wrong penalties are wrong and right ones right, by a second opinion that shares no code with the audit."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fault_objects import SHARED, Build, builder, differ, randn, unusual_weights, value, weights
from test_fault_catalogue import of_kind
from torch import Tensor, nn

from wnverify.faults.catalogue import Fault, Right

ROWS = of_kind("penalty")
FAULTS = [row for row in ROWS if isinstance(row, Fault) and not row.shards]
RIGHT = [row for row in ROWS if isinstance(row, Right)]
ROUNDING, WRONG = 1e-6, 1e-5
POINTS = (randn(3, 5, seed=30) + 0.3, randn(4, 4, seed=31) - 0.2, randn(7, 3, seed=32), 0.02 * randn(3, 5, seed=33))


class Variant:
    """One variant with its proximal operator and what it says of itself."""

    def __init__(self, row: Fault | Right):
        module, name = row.target.split(":")
        loaded = importlib.import_module(module)
        self.build: Build = builder(getattr(loaded, name))
        made = self.build()
        self.prox: Callable[[Tensor, float], Tensor] = getattr(made, "prox", getattr(loaded, "prox", None))
        self.declares: dict[str, Any] = dict(getattr(made, "DECLARES", getattr(loaded, "DECLARES", {})))


def gradient(f: Callable[[Tensor], Tensor], V: Tensor, **options: Any) -> Tensor:
    leaf = V.clone().requires_grad_()
    out = f(leaf)
    if not out.requires_grad:
        return torch.full_like(V, math.inf)
    return torch.autograd.grad(out, leaf, **options)[0]


def by_differences(f: Callable[[Tensor], Tensor], V: Tensor, step: float = 1e-6) -> Tensor:
    """Central differences entry by entry."""
    found = torch.zeros_like(V)
    for index in range(V.numel()):
        one = torch.zeros_like(V).view(-1)
        one[index] = step
        with torch.no_grad():
            found.view(-1)[index] = (f(V + one.view_as(V)) - f(V - one.view_as(V))) / (2 * step)
    return found


def first_order(variant: Variant) -> float:
    return max(differ(gradient(variant.build(), V), by_differences(variant.build(), V)) for V in POINTS) / 10


def of_a_share(variant: Variant) -> float:
    """A tenth of the penalty must have a tenth of the gradient."""
    made = variant.build()
    return max(differ(gradient(lambda W: 0.1 * made(W), V), 0.1 * gradient(made, V)) for V in POINTS)


def second_order(variant: Variant) -> float:
    made, worst = variant.build(), 0.0
    for V in POINTS[:3]:
        G = randn(*V.shape, seed=34)
        leaf = V.clone().requires_grad_()
        (once,) = torch.autograd.grad(made(leaf), leaf, create_graph=True)
        if once.requires_grad:
            (twice,) = torch.autograd.grad((once * G).sum(), leaf, allow_unused=True)

            def along(W: Tensor, G: Tensor = G) -> Tensor:
                with torch.enable_grad():
                    return (gradient(made, W) * G).sum()

            worst = max(worst, differ(torch.zeros_like(V) if twice is None else twice, by_differences(along, V)) / 10)
    return worst


def single(variant: Variant) -> float:
    V = POINTS[0].float()
    return differ(gradient(variant.build(), V), gradient(variant.build(), V.double())) / 10


def parameters(variant: Variant) -> float:
    made = variant.build()
    worst = 0.0
    if isinstance(made, nn.Module):
        for parameter in made.parameters():
            out = made(POINTS[0])
            if not out.requires_grad:
                return math.inf
            (found,) = torch.autograd.grad(out, parameter)
            worst = max(worst, differ(found * parameter.detach(), out.detach()))  # each is linear in its factor
    return worst


def concave_somewhere(variant: Variant) -> float:
    """How far the value in the middle is above the mean of the ends, along random and crossing chords."""
    made, worst = variant.build(), 0.0
    for seed in range(60):
        V = (0.1 + seed / 20) * randn(3, 5, seed=seed)
        one = torch.zeros_like(V)
        one[0, seed % 5] = 0.02
        for other in (-V, V + 0.15 * randn(3, 5, seed=seed + 100), V + one):
            ends = float(made(V) + made(other)) / 2
            worst = max(worst, float(made((V + other) / 2)) - ends)
    return worst


def not_proximal(variant: Variant) -> float:
    """By how much a search around X, entry by entry and row by row, lowers the objective."""
    made, worst = variant.build(), 0.0
    for V in weights():
        for step in (0.1, 1.0, 3.0):
            X = variant.prox(V.clone(), step)

            def total(Z: Tensor, V: Tensor = V, step: float = step) -> float:
                return float((Z - V).square().sum() / 2 + step * made(Z))

            if not bool(X.isfinite().all()):
                return math.inf
            tried = [V, torch.zeros_like(V), *(c * X for c in (0.5, 1 - 1e-3, 1 + 1e-3, 2.0))]
            for shift in (1e-6, 1e-3, 0.1, 1.0):
                tried += [X + shift * sign * move for move in _moves(X, V) for sign in (1, -1)]
            worst = max(worst, total(X) - min(map(total, tried)))
    for V in unusual_weights():
        if ("convex" in variant.declares or bool(V.any(dim=1).all())) and V.shape[1] > 1:
            X = variant.prox(V.clone(), 0.5)
            values = [float((Z - V).square().sum() / 2 + 0.5 * made(Z)) for Z in (X, *_nearby(X, V))]
            worst = max(worst, (values[0] - min(values)) / values[0] - 1e-14)
    return worst * 1e7  # a threshold that is a millionth off costs its square


def _nearby(X: Tensor, V: Tensor) -> list[Tensor]:
    """The shrunken and the moved X, and X without what is small."""
    moves = (X, V, X - V, torch.where(V == 0, X, 0.0))
    return [X + shift * sign * move for shift in (1e-6, 1e-3, 0.1, 1.0) for move in moves for sign in (1, -1)]


def _moves(X: Tensor, V: Tensor) -> list[Tensor]:
    made = [X - V, X, V]
    for index in range(X.numel()):
        one = torch.zeros_like(X)
        one.view(-1)[index] = 1.0
        made.append(one)
    for row in range(len(X)):
        one = torch.zeros_like(X)
        one[row] = V[row]
        made.append(one)
    return made


def prox_contract(variant: Variant) -> float:
    V = POINTS[0].clone()
    variant.prox(V, 0.5)
    return differ(V, POINTS[0])


def gradient_means(variant: Variant) -> float:
    return max(float(gradient(variant.build(), V).sum(dim=1).abs().max()) for V in POINTS)


def gradient_radial(variant: Variant) -> float:
    return max(float((gradient(variant.build(), V) * V).sum(dim=1).abs().max()) for V in POINTS)


def nearly_invariant(variant: Variant) -> float:
    """A shift that moves the value, and hardly."""
    V = POINTS[0]
    moved = differ(value(variant.build, V + 1.0), value(variant.build, V))
    return 1.0 if 1e-9 < moved < 1e-3 else 0.0


OWN: dict[str, Callable[[Variant], float]] = {
    "gradient.vjp": first_order,
    "gradient.rows": first_order,
    "gradient.loss": of_a_share,
    "gradient.second_order": second_order,
    "gradient.float32": single,
    "gradient.parameters": parameters,
    "property.convex": concave_somewhere,
    "property.is_prox_of_penalty": not_proximal,
    "property.gradient_zero_mean": gradient_means,
    "property.gradient_orthogonal_to_weight": gradient_radial,
    "property.discovered": lambda v: max(nearly_invariant(v), not_proximal(v) if v.prox and not v.declares else 0.0),
    "contract.prox": prox_contract,
}


def probe(row: Fault | Right, check: str) -> float:
    variant = Variant(row)
    return OWN[check](variant) if check in OWN else SHARED[check](variant.build, True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_wrong_penalty_is_wrong_where_it_is_meant_to_be(fault: Fault) -> None:
    """In the situation of the check that is meant to catch it, it misses by far more than rounding."""
    torch.manual_seed(0)
    assert probe(fault, fault.caught_by) >= WRONG


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_right_penalty_is_right_everywhere_but_at_its_hazards(right: Right) -> None:
    """What it declares holds, gradients agree with differences, and the edges are met."""
    variant = Variant(right)
    declared = [f"property.{name}" for name in variant.declares]
    general = [name for name in (*SHARED, *OWN) if not name.startswith("property.") and name != "contract.prox"]
    general += ["contract.prox"] if variant.prox else []
    if not variant.build()(POINTS[0].clone().requires_grad_()).requires_grad:  # it counts
        general = [name for name in general if not name.startswith("gradient.")]
    skipped = {"precision.float64", "precision.forward", "edge.large_mean", "edge.scale", *right.hazards}
    found = {name: probe(right, name) for name in (*general, *declared) if name not in skipped}
    assert not {name: miss for name, miss in found.items() if not miss <= ROUNDING}
