"""A small second opinion on gains that have moved, sizes beyond the usual, none at all, and weights that were trained.

See fault_gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fault_gradients import RELATIVE, Subject, against_differences, backward_at, generic, gradient, randn, slope
from fault_values import EXACT, broken, misses
from torch import Tensor, nn

Pair = Callable[[Tensor, Tensor], Tensor]
"""``(gain, V) -> W``."""
OF_THE_WEIGHT = (
    "unit_norm_rows",
    "constant_norm_rows",
    "zero_mean_rows",
    "orthonormal_rows",
    "scaled_orthonormal_rows",
    "l1_rows_le",
)
"""Declared properties that a single weight has or has not."""


def like(X: Tensor, seed: int) -> Tensor:
    return randn(X.numel(), seed=seed).reshape(X.shape)


def gains(subject: Subject, V: Tensor) -> Iterator[tuple[Tensor, Pair]]:
    """The further tensor of a pair, or every own parameter, with the map of both."""
    module = subject.build(V).double()
    if len(inspect.signature(module.forward).parameters) == 2:
        yield module.right_inverse(V)[0], module
    for name, parameter in module.named_parameters():

        def call(value: Tensor, X: Tensor, name: str = name) -> Tensor:
            W: Tensor = torch.func.functional_call(module, {name: value}, (X,))
            return W

        yield parameter.detach().clone(), call


def moved(subject: Subject, V: Tensor) -> Iterator[tuple[Tensor, Pair]]:
    """Gains that have moved, and of the other sign, where the map is defined there."""
    for start, call in gains(subject, V):
        for sign in (1.0, -1.0):
            at = sign * torch.where(start == 0, 0.25, start * (1.0 + 0.3 * like(start, 70).tanh()))
            with torch.no_grad():
                defined = bool(torch.isfinite(call(at, V)).all())
            if defined:
                yield at, call


def settings(subject: Subject) -> float:
    worst = 0.0
    for V in (*generic(subject), *(V for V in (randn(70, 3, seed=71) + 0.3,) if subject.admits(V))):
        G = randn(*V.shape, seed=72)
        for gain, call in moved(subject, V):

            def of_weight(X: Tensor, call: Pair = call, gain: Tensor = gain) -> Tensor:
                return call(gain, X)

            def of_gain(g: Tensor, call: Pair = call, V: Tensor = V) -> Tensor:
                return call(g, V)

            worst = max(worst, against_differences(of_weight, V, gradient(of_weight, V, G), G))
            found = gradient(of_gain, gain, G)
            for seed in range(73, 76):
                H = like(gain, seed)
                expected = float((slope(of_gain, gain, H) * G).sum())
                worst = max(worst, abs(float((found * H).sum()) - expected) / (RELATIVE * float(G.norm() * H.norm())))
    return worst


def frozen(subject: Subject) -> float:
    """The gradient of the weight with the gain at rest, against differences."""
    worst = 0.0
    for V in generic(subject):
        G = randn(*V.shape, seed=66)
        for gain, call in gains(subject, V):
            at = gain.detach().requires_grad_(False)

            def of_weight(X: Tensor, call: Pair = call, at: Tensor = at) -> Tensor:
                return call(at, X)

            worst = max(worst, against_differences(of_weight, V, gradient(of_weight, V, G), G))
    return worst


def of_gain_in_float32(subject: Subject) -> float:
    """Relative to the sizes of what is summed for each gain."""
    worst = 0.0
    for V in generic(subject):
        G = randn(*V.shape, seed=67).float()
        for (wide, call), (gain, narrow) in zip(gains(subject, V.float().double()), gains32(subject, V), strict=True):
            found = gradient(lambda g, f=narrow, V=V: f(g, V.float()), gain, G).double()
            right = gradient(lambda g, f=call, V=V: f(g, V.float().double()), wide, G.double())
            with torch.no_grad():
                size = float(G.norm() * call(wide, V.float().double()).norm()) / max(float(wide.norm()), 1e-3)
            worst = max(worst, float((found - right).norm()) / (1e-4 * max(size, float(right.norm()))))
    return worst


def gains32(subject: Subject, V: Tensor) -> Iterator[tuple[Tensor, Pair]]:
    """``gains`` with everything in float32, at the same values."""
    module = subject.build(V.float().double()).float()
    if len(inspect.signature(module.forward).parameters) == 2:
        yield module.right_inverse(V.float())[0], module
    for name, parameter in module.named_parameters():

        def call(value: Tensor, X: Tensor, name: str = name) -> Tensor:
            W: Tensor = torch.func.functional_call(module, {name: value}, (X,))
            return W

        yield parameter.detach().clone(), call


def forward_by_gain(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        for gain, call in gains(subject, V):
            H = like(gain, 68)

            def of_gain(g: Tensor, call: Pair = call, V: Tensor = V) -> Tensor:
                return call(g, V)

            try:
                _, found = torch.func.jvp(of_gain, (gain,), (H,))
            except (RuntimeError, NotImplementedError):  # there is no forward mode, which is no wrong one
                continue
            expected = slope(of_gain, gain, H)
            worst = max(worst, float((found - expected).norm()) / (RELATIVE * float(expected.norm() + H.norm())))
    return worst


def mixed(subject: Subject) -> float:
    """The derivatives of the gain's gradient by the weight, and of the weight's gradient by the gain."""
    worst = 0.0
    for V in generic(subject):
        G = randn(*V.shape, seed=76)
        for gain, call in moved(subject, V):
            swapped: Pair = lambda X, g, call=call: call(g, X)  # noqa: E731
            for function, x, y in ((call, gain, V), (swapped, V, gain)):
                worst = max(worst, crossed(function, x, y, G))
    return worst


def crossed(function: Pair, x: Tensor, y: Tensor, G: Tensor) -> float:
    H, K = like(x, 77), like(y, 78)

    def pulled(Y: Tensor) -> Tensor:
        """``∂⟨G, W⟩/∂x`` along H, as a function of y."""
        with torch.enable_grad():
            leaf = x.detach().clone().requires_grad_()
            (found,) = torch.autograd.grad(function(leaf, Y), leaf, G, create_graph=True)
            return (found * H).sum()

    leaf = y.detach().clone().requires_grad_()
    once = pulled(leaf)
    (twice,) = torch.autograd.grad(once, leaf, allow_unused=True) if once.requires_grad else (None,)
    got = 0.0 if twice is None else float((twice * K).sum())
    expected = float(slope(lambda Y: pulled(Y).detach(), y, K))
    return abs(got - expected) / (RELATIVE * float(G.norm() * H.norm() * K.norm()))


def sizes(subject: Subject) -> float:
    """One beyond a border in rows and in columns, and whole blocks; not where a kink is sure to lie within a step."""
    points = [randn(*shape, seed=79) + 0.3 for shape in ((5, 257), (257, 5), (32, 64), (33, 129))]
    if "nonsmooth" in subject.domain:
        return 0.0
    return max((backward_at(subject, V) for V in points if subject.admits(V)), default=0.0)


def declared_sizes(subject: Subject) -> float:
    points = [randn(*shape, seed=80) + 0.3 for shape in ((33, 129), (5, 1025), (1025, 5))]
    admitted = [V for V in points if subject.admits(V)]
    looks = ((name, value, V) for name, value in subject.declares.items() for V in admitted)
    return max((misses(subject, *look) for look in looks), default=0.0) / EXACT


class Trained(Subject):
    """A subject whose module is the one that was trained."""

    def __init__(self, subject: Subject, f: Any):
        super().__init__(subject.kind)
        self.f = f

    def map(self, V: Tensor) -> Callable[[Tensor], Tensor]:
        f: Callable[[Tensor], Tensor] = self.f
        return f


def training(subject: Subject) -> float:
    """Steps of a third of the weight's length against the gradient of a loss; then what is declared of the result."""
    worst = 0.0
    names = [name for name in OF_THE_WEIGHT if name in subject.declares]
    for V in generic(subject):
        f, given = subject.map(V), randn(8, V.shape[1], seed=81)
        own = list(f.parameters()) if isinstance(f, nn.Module) else []
        for _ in range(4):
            leaf = V.clone().requires_grad_()
            loss = (given @ f(leaf).mT).square().sum()
            pulled, *others = torch.autograd.grad(loss, [leaf, *own], allow_unused=True)
            V = V - 0.3 * V.norm() / (pulled.norm() + 1e-12) * pulled
            with torch.no_grad():
                for parameter, found in zip(own, others, strict=True):
                    if found is not None:
                        parameter.sub_(1e-2 * found / (found.norm() + 1e-12))
        worst = max([worst, *(misses(Trained(subject, f), n, subject.declares[n], V) / EXACT for n in names)])
    return worst


def empty(subject: Subject) -> float:
    """No rows go in, none come out; a refusal is no wrong answer."""
    V = torch.zeros(0, 5, dtype=torch.float64, requires_grad=True)
    try:
        W = subject.map(V)(V)
    except (RuntimeError, ValueError, IndexError):
        return 0.0
    if W.shape != V.shape or W.grad_fn is None:
        return broken(W.shape != V.shape)
    return broken(torch.autograd.grad(W, V, torch.zeros_like(W))[0].shape != V.shape)


PROBES: dict[str, Callable[[Subject], float]] = {
    "gradient.settings": settings,
    "gradient.mixed": mixed,
    "gradient.frozen": frozen,
    "gradient.parameters_float32": of_gain_in_float32,
    "gradient.parameters_forward": forward_by_gain,
    "gradient.sizes": sizes,
    "property.sizes": declared_sizes,
    "lifecycle.training": training,
    "edge.empty": empty,
}
