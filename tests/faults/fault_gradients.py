"""A small second opinion on gradients, which shares nothing with the audit: fourth-order differences, entry by entry.

Every probe maps a subject to one number, observed error ÷ modelled error; it is at most one for a right variant.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

RELATIVE = 1e-8
"""What fourth-order differences with step 3e-4 leave, on the points below, with two digits to spare."""
SHAPES = ((3, 5), (4, 4), (6, 3), (1, 6))


class Subject:
    """A variant's class, or a function of the weight that makes it: then what it makes speaks for it."""

    def __init__(self, kind: Callable[..., nn.Module]):
        self.kind: Any = kind
        speaker = kind if isinstance(kind, type) else kind(randn(3, 4))
        self.declares: dict[str, Any] = dict(getattr(speaker, "DECLARES", {}))
        self.domain: dict[str, Any] = dict(getattr(speaker, "DOMAIN", {}))

    def build(self, V: Tensor) -> nn.Module:
        needs_weight = "weight" in inspect.signature(self.kind).parameters
        if not needs_weight:
            return self.kind()  # type: ignore[no-any-return]
        # Made in float64 and moved, as a model is: torch has no factorizations in half precision.
        made: nn.Module = self.kind(V.detach().double())
        return made.to(V.dtype)

    def map(self, V: Tensor) -> Callable[[Tensor], Tensor]:
        module = self.build(V)
        if self.domain.get("stateful_in_training"):
            module.eval()
        if len(inspect.signature(module.forward).parameters) == 1:
            return module
        g = module.right_inverse(V.detach())[0]
        return lambda X: module(g.to(X.dtype), X)

    def admits(self, V: Tensor) -> bool:
        n, d = V.flatten(1).shape
        wide = not (self.domain.get("rows_le_cols") and n > d) and not (self.domain.get("rows_lt_cols") and n >= d)
        largest = self.domain.get("max_abs", math.inf)
        return wide and d >= self.domain.get("min_cols", 0) and float(V.abs().max()) <= largest


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(f: Callable[[Tensor], Tensor], V: Tensor, G: Tensor, **options: Any) -> Tensor:
    leaf = V.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(f(leaf), leaf, G, **options)
    return found


def slope(f: Callable[[Tensor], Tensor], V: Tensor, H: Tensor, step: float = 3e-4) -> Tensor:
    """``d f(V + tH)/dt`` at 0 by differences of fourth order."""

    def value(t: float) -> Tensor:
        with torch.no_grad():
            return f(V + t * H)

    near, far = value(step) - value(-step), value(2 * step) - value(-2 * step)
    return (8 * near - far) / (12 * step)


def directions(V: Tensor, few: int = 4) -> Iterator[Tensor]:
    """Every coordinate of a small V, scaled by its row; some random and the extreme ones of a large V."""
    size = torch.linalg.vector_norm(V.flatten(1), dim=1).reshape(-1, *[1] * (V.ndim - 1)) / V[0].numel() ** 0.5
    if V.numel() > 64:
        for k in range(few):
            yield size * randn(*V.shape, seed=100 + k)
    for index in range(V.numel()) if V.numel() <= 64 else (0, V.numel() - 1):
        one = torch.zeros_like(V).flatten()
        one[index] = 1.0
        yield one.reshape(V.shape) * size


def against_differences(
    f: Callable[[Tensor], Tensor], V: Tensor, found: Tensor, G: Tensor, step: float = 3e-4, *, by_row: bool = False
) -> float:
    """The largest miss of ⟨found, H⟩ along the directions, each row judged by its own size where ``by_row``."""
    pairs = [(float((found * H).sum()), float((slope(f, V, H, step) * G).sum()), H) for H in directions(V)]
    if not all(math.isfinite(observed) for observed, _, _ in pairs):
        return math.inf
    overall = max(abs(expected) for _, expected, _ in pairs)
    floor = RELATIVE * (overall + 1e-3 * float(G.norm()))
    worst = 0.0
    for observed, expected, H in pairs:
        row = int(H.flatten(1).abs().amax(dim=1).argmax())
        in_row = max(abs(e) for _, e, other in pairs if bool((other[row] != 0).any()))
        model = RELATIVE * in_row + 1e-3 * floor if by_row else floor
        worst = max(worst, abs(observed - expected) / model)
    return worst


def backward_at(
    subject: Subject, V: Tensor, G: Tensor | None = None, step: float = 3e-4, by_row: bool = False
) -> float:
    G = randn(*V.shape, seed=9) if G is None else G
    f = subject.map(V)
    return against_differences(f, V, gradient(f, V, G), G, step, by_row=by_row)


def generic(subject: Subject) -> list[Tensor]:
    made = [randn(*shape, seed=3) + 0.3 for shape in SHAPES]
    return [V for V in made if subject.admits(V)]


def vjp(subject: Subject) -> float:
    """Small shapes, and 70 × 134 unless a kink is sure to lie within a step of so many entries."""
    large = randn(70, 134, seed=5) + 0.3
    few = generic(subject)
    points = [*few, large] if "nonsmooth" not in subject.domain and subject.admits(large) else few
    return max(backward_at(subject, V) for V in points)


def rows(subject: Subject) -> float:
    return max(backward_at(subject, V, by_row=True) for V in generic(subject))


def frame(n: int, d: int) -> Tensor:
    """Orthonormal rows of mean zero."""
    X = randn(d, n, seed=11)
    return torch.linalg.qr(X - X.mean(dim=0)).Q.mT.contiguous()


def structured(subject: Subject) -> float:
    base = randn(4, 7, seed=12)
    unit = base / base.norm(dim=1, keepdim=True)
    points = [1.1 * unit if "nonsmooth" in subject.domain else unit, base - base.mean(dim=1, keepdim=True)]
    points += [base.abs() + 0.1, -base.abs() - 0.1]
    if "nonsmooth" not in subject.domain:
        points.append(torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)))
    return max(backward_at(subject, V) for V in points if subject.admits(V))


def ties(subject: Subject) -> float:
    """Orthonormal rows of mean zero, and singular values 2, 2, 1, 1."""
    if "nonsmooth" in subject.domain:
        return 0.0
    turn = torch.linalg.qr(randn(4, 4, seed=13)).Q
    paired = turn @ torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0], dtype=torch.float64)) @ frame(4, 7)
    return max(backward_at(subject, V) for V in (frame(4, 7), paired))


def conditioning(subject: Subject) -> float:
    turn = torch.linalg.qr(randn(4, 4, seed=14)).Q
    near = turn @ torch.diag(torch.tensor([2 + 1e-9, 2.0, 1.0, 1 - 1e-9], dtype=torch.float64)) @ frame(4, 7)
    bad = turn @ torch.diag(torch.logspace(0, -3, 4, dtype=torch.float64)) @ frame(4, 7)
    graded = torch.logspace(-2, 2, 4, dtype=torch.float64)[:, None] * randn(4, 7, seed=15)
    return max(
        0.0 if "nonsmooth" in subject.domain else backward_at(subject, near),
        backward_at(subject, bad, step=1e-5) / 1e2,
        backward_at(subject, graded, step=1e-5, by_row=True) / 1e2,
    )


def loss(subject: Subject) -> float:
    """Odd cotangents by differences; then the cotangent's survival and a second pass bit by bit."""
    worst = 0.0
    for V in generic(subject):
        G, one = randn(*V.shape, seed=16), torch.zeros_like(V)
        one[-1, 0] = 1.0
        for odd in (torch.ones(()).double().expand(V.shape), G.mT.contiguous().mT, one, 1e3 * G):
            try:
                worst = max(worst, backward_at(subject, V, odd))
            except RuntimeError:  # writes into an expanded cotangent
                return math.inf
        f = subject.map(V)
        leaf = V.clone().requires_grad_()
        W, kept = f(leaf), G.clone()
        passes = [torch.autograd.grad(W, leaf, kept, retain_graph=True)[0] for _ in range(2)]
        none = gradient(f, V, torch.zeros_like(V))
        same = torch.equal(kept, G) and torch.equal(*passes) and not bool((none != 0).any())
        worst = max(worst, 0.0 if same else math.inf)
    return worst


def float32(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        low, G = V.float(), randn(*V.shape, seed=17).float()
        wide = gradient(subject.map(low.double()), low.double(), G.double())
        try:
            miss = float((gradient(subject.map(low), low, G).double() - wide).norm())
        except RuntimeError:  # a part of it stayed in float64
            return math.inf
        worst = max(worst, miss / (2e-5 * float(wide.norm()) + 1e-12))
    return worst


def forward_mode(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        f, H = subject.map(V), randn(*V.shape, seed=18)
        try:
            _, found = torch.func.jvp(f, (V,), (H,))
        except NotImplementedError:
            return 0.0
        expected = slope(f, V, H)
        worst = max(worst, float((found.detach() - expected).norm()) / (RELATIVE * float(expected.norm() + 1e-6)))
    return worst


def second_order(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        f, G, H = subject.map(V), randn(*V.shape, seed=19), randn(*V.shape, seed=20)
        leaf = V.clone().requires_grad_()
        once = gradient(f, V, G)
        (tracked,) = torch.autograd.grad(f(leaf), leaf, G, create_graph=True)
        if not tracked.requires_grad:
            continue
        (twice,) = torch.autograd.grad(tracked, leaf, H, allow_unused=True)
        twice = torch.zeros_like(V) if twice is None else twice

        def pulled(X: Tensor, f: Any = f, G: Tensor = G) -> Tensor:
            with torch.enable_grad():
                return gradient(f, X, G)

        size = float(H.norm()) * float(once.norm() + 1e-3)
        for K in directions(V):
            expected = float((slope(pulled, V, K) * H).sum())
            worst = max(worst, abs(float((twice.detach() * K).sum()) - expected) / (RELATIVE * (abs(expected) + size)))
    return worst


def parameters(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        module, G = subject.build(V), randn(*V.shape, seed=21)
        if hasattr(module, "right_inverse") and len(inspect.signature(module.forward).parameters) == 2:
            g = module.right_inverse(V)[0]

            def of_gain(gains: Tensor, m: nn.Module = module, V: Tensor = V) -> Tensor:
                W: Tensor = m(gains, V)
                return W

            found = gradient(of_gain, g, G)
            expected = torch.stack([(slope(of_gain, g, e) * G).sum() for e in torch.eye(len(g)).double()])
            worst = max(worst, float((found - expected).norm()) / (RELATIVE * float(G.norm())))
        module.double()
        for name, parameter in module.named_parameters():

            def call(value: Tensor, m: nn.Module = module, name: str = name, V: Tensor = V) -> Tensor:
                return torch.func.functional_call(m, {name: value}, (V,))

            start = parameter.detach().clone()
            along = (slope(call, start, torch.ones_like(start)) * G).sum()
            W = module(V)
            got = torch.autograd.grad(W, parameter, G, allow_unused=True)[0] if W.requires_grad else None
            miss = math.inf if got is None else abs(float(got.sum() - along))
            worst = max(worst, miss / (RELATIVE * float(G.norm())))
    return worst


def invariance(subject: Subject) -> float:
    worst = 0.0
    for V in generic(subject):
        found = gradient(subject.map(V), V, randn(*V.shape, seed=22))
        size = float(found.norm()) + 1e-6
        if subject.declares.get("row_scale_invariant"):
            worst = max(worst, float((found * V).sum(dim=1).abs().max()) / (1e-10 * size * float(V.norm())))
        if subject.declares.get("shift_invariant_rows"):
            worst = max(worst, float(found.sum(dim=1).abs().max()) / (1e-10 * size * V.shape[1] ** 0.5))
    return worst


PROBES: dict[str, Callable[[Subject], float]] = {
    "gradient.vjp": vjp,
    "gradient.rows": rows,
    "gradient.structured": structured,
    "gradient.conditioning": conditioning,
    "gradient.loss": loss,
    "gradient.float32": float32,
    "gradient.forward_mode": forward_mode,
    "gradient.second_order": second_order,
    "gradient.parameters": parameters,
    "gradient.invariance": invariance,
    "edge.repeated_singular_values": ties,
}
