"""The second opinion at what its other probes pass by: kernels, equal rows, half precision, evaluation, two forwards.

A probe here stands beside the one of the same name in ``fault_gradients`` or ``fault_values``; the worse counts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fault_gradients import Subject, backward_at, generic, gradient, randn
from fault_values import broken, matrix
from torch import Tensor, nn

HALVES = {torch.bfloat16: 0.05, torch.float16: 0.02}
"""What of a gradient's norm the types of half the width may lose on the small points, generously."""


def against(found: Tensor, expected: Tensor, allowed: float) -> float:
    """The miss in norm over what is allowed; infinite where it is NaN, which no maximum would show."""
    miss = float((found - expected).norm())
    return math.inf if math.isnan(miss) else miss / allowed


def kernels(subject: Subject) -> float:
    points = (randn(3, 2, 4, seed=60) + 0.3, randn(2, 2, 3, 2, seed=60) + 0.3)
    return max(backward_at(subject, V) for V in points if subject.admits(V))


def equal_rows(subject: Subject) -> float:
    V = randn(4, 7, seed=61) + 0.3
    V[2] = V[0]
    return 0.0 if "full_rank" in subject.domain or not subject.admits(V) else backward_at(subject, V)


def small_cotangents(subject: Subject) -> float:
    """The backward is linear: a loss 2^40 times smaller has a gradient 2^40 times smaller."""
    worst = 0.0
    for V in generic(subject):
        f, G = subject.map(V), randn(*V.shape, seed=62)
        expected = gradient(f, V, G)
        found = gradient(f, V, G * 2.0**-40) * 2.0**40
        worst = max(worst, against(found, expected, 1e-10 * float(G.norm())))
    return worst


def two_forwards(subject: Subject) -> float:
    """Two forwards of one training step, then their two backwards; the weight is one and the same leaf."""
    V, G = randn(3, 5, seed=63), randn(3, 5, seed=64)
    f = subject.map(V)
    if isinstance(f, nn.Module):
        f.train()
    leaf = V.clone().requires_grad_()
    outputs = [f(leaf) for _ in range(2)]
    try:
        first, second = (torch.autograd.grad(W, leaf, G)[0] for W in outputs)
    except RuntimeError:  # a saved tensor was overwritten, or the graph freed
        return math.inf
    return 0.0 if subject.domain.get("stateful_in_training") else broken(not torch.equal(first, second))


def half_gradients(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        for kind, relative in HALVES.items():
            low, G = V.to(kind), randn(*V.shape, seed=65).to(kind)
            try:
                found = gradient(subject.map(low), low, G).double()
            except NotImplementedError:  # torch has no such operation in half precision
                continue
            except RuntimeError:  # a part of it stayed in float64
                return math.inf
            wide = gradient(subject.map(low.double()), low.double(), G.double())
            worst = max(worst, against(found, wide, relative * float(wide.norm() + G.double().norm())))
    return worst


def process_unseeded(subject: Subject) -> float:
    V = randn(3, 5, seed=66)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        f, before = subject.map(V), torch.random.get_rng_state()
        f(V)
        return broken(not torch.equal(torch.random.get_rng_state(), before))


def evaluation(subject: Subject) -> float:
    """In evaluation the value and the gradient are those of training: at the first call, and at another weight."""
    V, other, G = randn(3, 5, seed=67), 3 * randn(3, 5, seed=68), randn(3, 5, seed=69)
    module, fresh = subject.map(V), subject.map(V)
    if not isinstance(module, nn.Module) or not isinstance(fresh, nn.Module):
        return 0.0
    if subject.domain.get("stateful_in_training"):
        return 0.0
    try:
        pairs = [(module(V), fresh.eval()(V)), (subject.build(V)(other), module.eval()(other))]
    except RuntimeError:
        return math.inf
    if any(not torch.equal(trained, evaluated) for trained, evaluated in pairs):
        return math.inf
    leaf = V.clone().requires_grad_()
    W = fresh(leaf)
    if not W.requires_grad:
        return math.inf
    (found,) = torch.autograd.grad(W, leaf, G, allow_unused=True)
    return broken(found is None or not torch.equal(found, gradient(subject.build(V), V, G)))


def copied_after_use(subject: Subject) -> float:
    V = randn(3, 5, seed=70)
    f = subject.map(V)
    f(V.clone().requires_grad_())
    try:
        copied = copy.deepcopy(f)
    except RuntimeError:  # a tensor with a graph is kept
        return math.inf
    return broken(not torch.equal(copied(V), f(V)))


def inverses(subject: Subject) -> float:
    """What the right inverse makes of a weight of the image gives that weight: of V's, and of one of larger tensors."""
    module = subject.build(randn(3, 5, seed=71))
    inverse = getattr(module, "right_inverse", None)
    if inverse is None:
        return 0.0
    worst = 0.0
    for V in (randn(3, 5, seed=71), 4 * randn(3, 5, seed=72)):
        try:
            worst = max(worst, _comes_back(module, inverse, W := subject.map(V)(V).detach()))
            if isinstance(parts := inverse(W), tuple):
                worst = max(worst, _comes_back(module, inverse, module(*(2 * part for part in parts)).detach()))
        except RuntimeError:  # sizes that do not fit
            return math.inf
    return worst


def _comes_back(module: nn.Module, inverse: Callable[[Tensor], Any], W: Tensor) -> float:
    parts = inverse(W)
    again = module(*parts) if isinstance(parts, tuple) else module(parts)
    return against(again, W, 1e-10 * float(W.norm())) if again.shape == W.shape else math.inf


def short_rows(subject: Subject) -> float:
    V = randn(3, 5, seed=73) * torch.tensor([[1e-3], [0.1], [1.0]], dtype=torch.float64)
    return against(matrix(subject, V).norm(dim=1), torch.ones(3).double(), 1e-10) if subject.admits(V) else 0.0


def zero_row(subject: Subject) -> float:
    """Neither a gradient of 1e8 times the cotangent at a zero row, nor a NaN in float16; unless its domain says so."""
    if "zero_row" in subject.domain:
        return 0.0
    V = randn(4, 9, seed=74)
    V[1] = 0.0
    found = gradient(subject.map(V), V, randn(4, 9, seed=75))
    explodes = against(found, torch.zeros_like(V), 1e8)
    try:
        ordinary, special = (matrix(subject, X.half()) for X in (V + 0.5, V))
    except NotImplementedError:  # torch has no such operation in half precision
        return explodes
    return max(explodes, broken(bool(ordinary.isfinite().all()) and not bool(special.isfinite().all())))


def half_scale(subject: Subject) -> float:
    V = randn(3, 5, seed=76)
    if not subject.admits(V * 512):
        return 0.0
    try:
        ordinary, large = (matrix(subject, X.half()).double() for X in (V, V * 512))
    except NotImplementedError:  # torch has no such operation in half precision
        return 0.0
    miss = against(large, ordinary, 0.05) if subject.declares.get("scale_invariant") else 0.0
    return max(miss, broken(not bool(large.isfinite().all())))


def means() -> Iterator[Tensor]:
    """Exact in float32: multiples of 2^-10 around 2^10 and 2^12."""
    for seed in range(80, 84):
        base = (randn(4, 8, seed=seed) * 1024).round() / 1024
        yield from (base + 2.0**10, base + 2.0**12)


def large_means(subject: Subject) -> float:
    """Values in float32 beside a mean, and gradients where they do not depend on it."""
    worst = 0.0
    for V in means():
        if not subject.admits(V):
            continue
        parts = [(matrix(subject, V.float()).double(), matrix(subject, V))]
        if subject.declares.get("shift_invariant_rows"):
            G, low = randn(*V.shape, seed=84), V.float()
            parts.append((gradient(subject.map(low), low, G.float()).double(), gradient(subject.map(V), V, G)))
        for found, expected in parts:
            worst = max(worst, against(found, expected, 1e-2 * float(expected.norm())))
    return worst


PROBES: dict[str, Callable[[Subject], float]] = {
    "gradient.vjp": kernels,
    "gradient.structured": equal_rows,
    "gradient.loss": lambda subject: max(small_cotangents(subject), two_forwards(subject)),
    "gradient.float32": half_gradients,
    "contract.deterministic": process_unseeded,
    "contract.train_eval": evaluation,
    "contract.state": copied_after_use,
    "contract.layers": inverses,
    "property.unit_norm_rows": short_rows,
    "edge.zero_row": zero_row,
    "edge.scale": half_scale,
    "edge.large_mean": large_means,
}
