"""The residual of convexity, asked along chords.

Nine values on each, every three neighbours and the two ends with the middle; and the slopes of the gradient, where it
has one, must not fall from one end to the other.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from wnverify.auditing.points import randn
from wnverify.auditing.properties import Look, excess, residual
from wnverify.finding import encode_array, seed_of
from wnverify.oracles.ratio import Ratio


@dataclasses.dataclass(frozen=True, slots=True)
class Seen(Ratio):
    """A comparison and the arrays at which it was made."""

    arrays: Mapping[str, Any] | None = None

    @property
    def witness(self) -> dict[str, Any]:
        return {name: encode_array(v) if isinstance(v, Tensor) else v for name, v in (self.arrays or {}).items()}


@residual("convex")
def _convex(look: Look) -> Iterator[Ratio]:
    for X in look.scaled() if look.dtype == "float64" and not look.once else [look.V]:
        ordinary = _ordinary(look, X)
        slope = gradient_of(look, ordinary) if look.covers(ordinary) else None
        for Y in _ends(look, X):
            yield from _along(look, X, Y, 0.0 if slope is None else float(slope.norm()))


def _ordinary(look: Look, X: Tensor) -> Tensor:
    """A random weight of X's size."""
    return randn(*X.shape, seed=seed_of(look.seed, "chord")).to(X.dtype) * X.abs().max()


def _ends(look: Look, X: Tensor) -> Iterator[Tensor]:
    """Where a chord from X may end so that a fault of convexity shows: across zero, across a kink, near and far."""
    random = _ordinary(look, X)
    first = torch.zeros_like(X)
    first[0] = X[0]
    yield from (-X, random, X + 0.03 * random, torch.zeros_like(X) + X.mean(), 3 * X, X - 2 * first, X - first)
    yield X.roll(1, 0) if X.shape[0] > 1 else X.flip(-1)
    sizes = X.flatten(1).norm(dim=1).clamp_min(torch.finfo(X.dtype).tiny)
    yield X / sizes.reshape(-1, *[1] * (X.dim() - 1))


def _along(look: Look, X: Tensor, Y: Tensor, ordinary: float) -> Iterator[Ratio]:
    """The comparisons on one chord; none where a part of it lies outside the stated domain.

    ``ordinary``: how steep the penalty is at a random weight of this size.  Where it is flat only because what it
    subtracts cancels, rounding is relative to that.
    """
    points = [X + (k / 8) * (Y - X) for k in range(9)]
    if not all(look.covers(P) for P in points):
        return
    values = [float(look.at(P)) for P in points]
    gradients = [gradient_of(look, P) for P in points]
    known = [g for g in gradients if g is not None]
    steepest = max((ordinary, *(float(g.norm()) for g in known)))
    largest = max(float(P.double().norm()) for P in points)
    arrays = {"V": X, "end": Y, "values_along": values}
    scale = max(abs(value) for value in values) + steepest * largest
    model = look.model(condition=4.0 if known else 4.0 * look.condition, roundings=8)
    for low, middle, high in ((0, 4, 8), *((k, k + 1, k + 2) for k in range(7))):
        miss = excess(values[middle], (values[low] + values[high]) / 2)
        yield Seen(miss, scale, model, arrays)
    direction = (Y - X).double()
    slopes = [None if g is None else float((g * direction).sum()) for g in gradients]
    for before, after in itertools.pairwise(slopes):
        if before is not None and after is not None:
            size = steepest * (float(direction.norm()) + 8 * largest)
            yield Seen(excess(before, after), size, model, arrays)


def gradient_of(look: Look, P: Tensor) -> Tensor | None:
    """∇f(P) in float64; None where there is none, or at a kink none that is finite."""
    leaf = P.detach().clone().requires_grad_()
    try:
        with torch.enable_grad():
            (found,) = torch.autograd.grad(look.instance.at(leaf), leaf)
    except Exception:  # what the backward raises is a finding of the gradient's own checks
        return None
    return found.double() if bool(torch.isfinite(found).all()) else None
