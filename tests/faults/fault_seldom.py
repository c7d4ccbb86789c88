"""The second opinion at sizes, scales and orders of calls at which nobody looks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import torch
from fault_corners import against
from fault_gradients import Subject, gradient, randn, slope
from fault_values import EXACT
from torch import Tensor, nn

SIZES = ((5, 61), (3, 100), (70, 134))
SCALES = (2.0**-20, 2.0**20)


def at_sizes(subject: Subject) -> float:
    """Infinite where a size raises, or gives what is not finite."""
    for n, d in SIZES:
        V = randn(n, d, seed=n) + 0.3
        if not subject.admits(V):
            continue
        try:
            with torch.no_grad():
                out = subject.map(V)(V)
        except RuntimeError:
            return math.inf
        if not bool(torch.isfinite(out).all()):
            return math.inf
    return 0.0


def left_alone(subject: Subject) -> float:
    """Infinite where a small or a large weight is written into."""
    for scale in SCALES:
        V = randn(3, 5, seed=70) * scale
        given = V.clone()
        if subject.admits(V):
            with torch.no_grad():
                subject.map(randn(3, 5, seed=70))(given)
            if not torch.equal(given, V):
                return math.inf
    return 0.0


def between(subject: Subject) -> float:
    """Parameters get the same gradient whether another weight is mapped before the backward or not."""
    V = randn(3, 5, seed=71) + 0.3
    if not subject.admits(V):
        return 0.0
    found = []
    for other in (False, True):
        module = subject.build(V)
        own = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not own or subject.domain.get("stateful_in_training"):
            return 0.0
        loss = (module(V) * randn(3, 5, seed=72)).sum()
        if other:
            module(V.flip(0))
        found.append(
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, own, allow_unused=True) if g is not None])
        )
    return float((found[0] - found[1]).norm()) / (1e-6 * float(found[0].norm()) + 1e-12)


def gains_again(subject: Subject) -> float:
    """A weight that comes back from ``right_inverse`` does so when it is small and when it is large."""
    V = randn(3, 5, seed=73) * 0.3
    module = subject.build(V)
    back = getattr(module, "right_inverse", None)
    if back is None or not isinstance(back(2 * V), tuple):
        return 0.0
    with contextlib.suppress(RuntimeError), torch.no_grad():  # a pair that does not fit is another fault
        if against(module(*back(2 * V)), 2 * V, EXACT) <= 1:
            return _lost(module, back, V)
    return 0.0


def _lost(module: nn.Module, back: Callable[[Tensor], tuple[Tensor, ...]], V: Tensor) -> float:
    worst = 0.0
    for scale in (2.0**-20, 2.0**8):
        W = (V * scale).float()
        miss = float((module.float()(*back(W)) - W).norm() / W.norm())
        worst = max(worst, miss / 1e-2 if math.isfinite(miss) else math.inf)
    return worst


def of_short_rows(subject: Subject) -> float:
    """The gradient of rows of norm 1e-3 among others, by differences, where rows are mapped one by one."""
    V = randn(4, 6, seed=74)
    V = V / V.norm(dim=1, keepdim=True) * torch.tensor([[1e-3], [1.0], [1e-3], [1e3]]).double()
    if not subject.admits(V) or "max_condition" in subject.domain or "full_rank" in subject.domain:
        return 0.0
    f, G, H = subject.map(V), torch.zeros_like(V), torch.zeros_like(V)
    G[0], H[0] = randn(6, seed=75), 1e-3 * randn(6, seed=76)
    expected = float((slope(f, V, H) * G).sum())
    found = float((gradient(f, V, G) * H).sum())
    return abs(found - expected) / (1e-4 * (abs(expected) + float(f(V).detach()[0].norm())) + 1e-12)


FURTHER: dict[str, Callable[[Subject], float]] = {
    "contract.forward": at_sizes,
    "contract.input_unchanged": left_alone,
    "gradient.loss": between,
    "contract.layers": gains_again,
    "gradient.rows": of_short_rows,
}
