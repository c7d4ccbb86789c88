"""The residual of a penalty's proximal operator: X = prox(W, t) must minimise F(Z) = ½‖Z − W‖² + t f(Z).

Necessary, and asked:

* of first order, for every f: F does not fall at X along −(X − W + t ∇f(X)), which alone decides where f is smooth at
  X, along single entries and rows, and along random and structured directions;
* of order zero, for every f: no other point has a smaller F; good candidates are refined by descent;
* for convex f the subgradient inequality f(Z) ≥ f(X) + ⟨(W − X)/t, Z − X⟩, which over all Z is also sufficient, and
  ‖X − X'‖² ≤ ⟨X − X', W − W'⟩ (firmly non-expansive) between the proximal points of two weights.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.auditing.context import REFUSALS
from wnverify.auditing.convexity import Seen, gradient_of
from wnverify.auditing.points import randn
from wnverify.auditing.properties import Look, excess, residual
from wnverify.finding import seed_of
from wnverify.oracles.ratio import UNIT_ROUNDOFF, Ratio

STEPS: Final = (0.05, 0.8, 4.0)
SCALES: Final = (1.0, 0.125, 8.0)
FALLS: Final = {"float64": (2.0**-8, 2.0**-16, 2.0**-26), "float32": (2.0**-4, 2.0**-8, 2.0**-12)}
"""Relative to the weight: how far from X it is looked whether F falls."""
SMALL: Final = 30
"""Entries up to which every size and every step is looked at."""
UNSTEADY: Final = 4 * UNIT_ROUNDOFF["float64"]
JUMPS: Final = 1e-8
"""Of a penalty, a change for a rounding of the weight that is no rounding any more: it jumps there."""
DESCENTS: Final = 12
TINY: Final = 1e-300


class _Objective:
    """F(Z) = ½‖Z − W‖² + t f(Z) in float64 around X, the point that the subject calls proximal."""

    def __init__(self, look: Look, W: Tensor, X: Tensor, step: float):
        self.look, self.step = dataclasses.replace(look, instance=look.instance.to(torch.float64)), step
        self.W, self.X = W.double(), X.double()
        self.size = float(self.W.norm())
        self.penalty_at_X = self.penalty(self.X)
        self.at_X = self(self.X)
        bend = randn(*W.shape, seed=seed_of(look.seed, "bend"))
        bend = bend * (self.size / max(float(bend.norm()), TINY))
        slope = abs(self.penalty(self.X + bend / 2) - self.penalty_at_X) * 2 / max(self.size, TINY)
        self.noise = step * self._unsteadiness()
        # How much F may change for a change of X: what rounding of X costs.
        self.steepness = float((self.X - self.W).norm()) + step * (slope if math.isfinite(slope) else 0.0)

    def penalty(self, Z: Tensor) -> float:
        try:
            value = float(self.look.at(Z))
        except REFUSALS:
            return math.inf  # outside the penalty's domain
        return math.inf if math.isnan(value) else value

    def _unsteadiness(self) -> float:
        """By how much the penalty changes for roundings of X: a Gram matrix loses the square of its condition."""
        moves = (UNSTEADY * randn(*self.X.shape, seed=seed_of(self.look.seed, "rounding", k)) for k in range(4))
        changes = [abs(self.penalty(self.X * (1 + move)) - self.penalty_at_X) for move in moves]
        return 4 * max((change for change in changes if change <= JUMPS * abs(self.penalty_at_X)), default=0.0)

    def __call__(self, Z: Tensor) -> float:
        return 0.5 * float((Z - self.W).square().sum()) + self.step * self.penalty(Z)

    def descent(self, Z: Tensor) -> Tensor | None:
        """−∇F(Z), None where f has no finite gradient."""
        gradient = gradient_of(self.look, Z)
        return None if gradient is None else -(Z - self.W + self.step * gradient)

    def arrays(self, **found: Any) -> dict[str, Any]:
        return {"V": self.W, "step": self.step, "prox": self.X, **found}


@residual("is_prox_of_penalty")
def _proximal(look: Look) -> Iterator[Ratio]:
    one_size = look.once or look.dtype != "float64" or look.V.numel() > SMALL
    weights = [look.V * scale for scale in (SCALES[:1] if one_size else SCALES)]
    pairs = itertools.product(filter(look.covers, weights), STEPS[1:2] if one_size else STEPS)
    for W, step in look.chosen("size and step", list(pairs)):
        try:
            X = look.instance.prox(W.clone(), step)
        except ValueError:  # a step for which a penalty that is not convex has no unique point
            continue
        if X.shape != W.shape or not bool(torch.isfinite(X).all()):
            yield Seen(math.inf, 1.0, look.model(), {"V": W, "step": step, "prox": X})
            continue
        F = _Objective(look, W, X, step)
        yield from _slopes(look, F)
        yield from _values(look, F)
        if look.convex:
            yield from _subgradient(look, F)
            yield from _firmly(look, F, W)


def _slopes(look: Look, F: _Objective) -> Iterator[Ratio]:
    """How steeply F falls from X, along directions of the weight's size."""
    model, u = look.model(condition=2.0, roundings=8), UNIT_ROUNDOFF[look.dtype]
    for D in _directions(look, F):
        length = float(D.norm())
        if not length > 0:
            continue
        D = D * (F.size / length)
        for h in FALLS.get(look.dtype, FALLS["float32"]):
            there = F(F.X + h * D)
            fall = excess(F.at_X, there + 8 * UNIT_ROUNDOFF["float64"] * abs(F.at_X) + F.noise) / h
            # X within rounding of a kink sees the other side of it.
            allowed = F.steepness * F.size * (1.0 + u / (h * model.relative)) + F.size**2
            yield Seen(fall, allowed, model, F.arrays(better=F.X + h * D, at_prox=F.at_X, at_better=there))


def _directions(look: Look, F: _Objective) -> Iterator[Tensor]:
    downhill = F.descent(F.X)
    if downhill is not None:
        yield downhill
        yield torch.where(F.X != 0, downhill, 0.0)
        live = F.X.flatten(1).any(dim=1).reshape(-1, *[1] * (F.X.dim() - 1))
        yield torch.where(live, downhill, 0.0)
    for D in (F.W - F.X, F.X, F.W, torch.ones_like(F.X)):
        yield D
        yield -D
    for k in range(3):
        D = randn(*F.X.shape, seed=seed_of(look.seed, "direction", k))
        yield D
        yield torch.where(F.X != 0, D, 0.0)
    count = F.X.shape[0]
    for row in sorted({0, count // 2, count - 1}):
        for source in (F.W, F.X):
            D = torch.zeros_like(F.X)
            D[row] = source[row]
            yield D
            yield -D
    flat = F.X.numel()
    for index in sorted(
        {0, 1 % flat, flat // 3, flat // 2, flat - 1, int(F.X.abs().argmax()), int(F.X.abs().argmin())}
    ):
        D = torch.zeros_like(F.X)
        D.view(-1)[index] = 1.0
        yield D
        yield -D


def _candidates(look: Look, F: _Objective) -> Iterator[Tensor]:
    X, W = F.X, F.W
    yield from (X, W, torch.zeros_like(W), (X + W) / 2, -X, 2 * X - W)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        yield factor * X
        yield X + (factor - 1) * (X - W)
    sizes = W.flatten(1).norm(dim=1).clamp_min(TINY).reshape(-1, *[1] * (W.dim() - 1))
    yield W / sizes
    for row in sorted({0, W.shape[0] - 1}):
        for source in (torch.zeros_like(W), W):
            Z = X.clone()
            Z[row] = source[row]
            yield Z
    yield X - X.mean(dim=tuple(range(1, X.dim())), keepdim=True)
    for k, part in enumerate((1e-3, 0.03, 0.3, 1.0)):
        Z = randn(*W.shape, seed=seed_of(look.seed, "candidate", k))
        yield X + part * F.size / max(float(Z.norm()), TINY) * Z
    for step in (F.step / 2, 2 * F.step):
        try:
            yield F.look.instance.prox(W.clone(), step).double()
        except ValueError:
            continue


def _values(look: Look, F: _Objective) -> Iterator[Ratio]:
    """F(X) against the values at other points, the best of them refined by descent with halved steps."""
    model = look.model(condition=4.0, roundings=8)
    tried = sorted(
        ((F(Z), k, Z) for k, Z in enumerate(_candidates(look, F)) if Z.shape == F.X.shape), key=lambda t: t[:2]
    )
    best, _, Z = tried[0]
    for value, _, start in tried[:2]:
        found, low = _refined(F, start, value)
        if low < best:
            best, Z = low, found
    scale = F.steepness * F.size + abs(F.at_X)
    yield Seen(excess(F.at_X, best + F.noise), scale, model, F.arrays(better=Z, at_prox=F.at_X, at_better=best))


def _refined(F: _Objective, Z: Tensor, value: float) -> tuple[Tensor, float]:
    """Z moved downhill as long as F falls: all entries, or those alone that are not zero, where many penalties kink."""
    rate = 1.0
    for _ in range(DESCENTS):
        direction = F.descent(Z)
        if direction is None:
            break
        while rate > 1e-6:
            moved = [Z + rate * direction, Z + rate * torch.where(Z != 0, direction, 0.0)]
            lower = [F(point) for point in moved]
            best = 0 if lower[0] <= lower[1] else 1
            if lower[best] < value:
                Z, value = moved[best], lower[best]
                rate *= 2
                break
            rate /= 4
        else:
            break
    return Z, value


def _subgradient(look: Look, F: _Objective) -> Iterator[Ratio]:
    """(W − X)/t is a subgradient of f at X."""
    model = look.model(condition=4.0, roundings=8)
    slope = (F.W - F.X) / F.step
    further = (F.X + part * D for D in _directions(look, F) for part in (0.1,) if float(D.norm()) > 0)
    for Z in (*_candidates(look, F), *further):
        there = F.penalty(Z)
        if not math.isfinite(there) or Z.shape != F.X.shape:
            continue
        apart = float((Z - F.X).norm())
        below = F.penalty_at_X + float((slope * (Z - F.X)).sum())
        rounding = (F.steepness + apart + float(slope.norm()) * F.step) * F.size / F.step
        scale = rounding + abs(there) + abs(F.penalty_at_X) + float(slope.norm()) * apart
        yield Seen(excess(below, there + F.noise / F.step), scale, model, F.arrays(at=Z, value=there, bound=below))


def _firmly(look: Look, F: _Objective, W: Tensor) -> Iterator[Ratio]:
    model = look.model(condition=4.0, roundings=8)
    for k, part in enumerate((-2.0, -0.875, 0.01, 0.3)):
        random = randn(*W.shape, seed=seed_of(look.seed, "firm", k)).to(W.dtype) * W.abs().max()
        other = (1 + part) * W if part < 0 else W + part * random
        if not look.covers(other):
            continue
        X = look.instance.prox(other.clone(), F.step).double()
        apart, moved = other.double() - F.W, X - F.X
        miss = excess(float(moved.square().sum()), float((moved * apart).sum()))
        size = F.size + float(other.double().norm())
        scale = (float(moved.norm()) + float(apart.norm())) * size
        yield Seen(miss, scale, model, F.arrays(other=other, prox_of_other=X))
