"""Soft-thresholding whose level is set row by row by an equation of the row itself, in PyTorch.

x_j = sgn(v_j) (|v_j| − θ)₊ with θ the root of Σ_j (|v_j| − θ)₊ = radius + slope θ: the projection onto the L1 ball of
that radius for slope 0, the proximal operator of (t/2) ‖·‖₁² for radius 0 and slope 1/t.

The left side is convex, piecewise linear and falls with θ, so Newton steps from below are monotone and end exactly,
after as many steps as the active set {|v_j| > θ} shrinks; in practice fewer than ten.  What cannot become active any
more is dropped on the way, so that a step costs little where few entries survive.  θ is found twice, the second time
from |v| − θ: entries near θ lose nothing in that difference, so Σ|x| meets its equation to the rounding of Σ|x|,
however far above it the entries of v are.  That needs a first θ no further from the largest |v| than the exact one can
be: where the radius is below the rounding of that entry, it is the entry itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wnverify.primitives.distributed import beside, whole
from wnverify.primitives.rules import Rule, batched, call, dot, looking, tangents

BLOCK = 2**18
"""On a CPU so many entries at a time: what lies between the steps then stays in its cache."""


def shrink_rows(V: Tensor, *, radius: float, slope: float) -> Tensor:
    """X with x_j = sgn(v_j) (|v_j| − θ)₊ and Σ|x| = radius + slope θ along the last axis; V itself where Σ|v| ≤ radius.

    V, X (*batch, n, d), float32 or float64; radius ≥ 0 and slope ≥ 0 finite, one of them 0.  ``ValueError`` names a
    non-finite entry; finding out synchronises with the device, and so does every Newton step.  Inside
    ``torch.compile`` rows are sorted instead, and non-finite rows become NaN.  The derivative on the active set is
    A − s ⟨A, s⟩ / (k + slope), s the signs of x and k their number; the backward keeps X and k + slope.
    A distributed V is gathered by every process, and X replicated: the steps have no sharding rule.
    """
    X: Tensor = call(_Shrink, whole(V), radius, slope)[0]
    return beside(X, V)


def proximal_level(size: Tensor, slope: float) -> tuple[Tensor, Tensor]:
    """(θ, k) of sizes ≥ 0 along the last axis: Σ (size − θ)₊ = slope θ, and how many are above it; by sorting.

    >>> proximal_level(torch.tensor([[3.0, 1.5, 0.5]]), 2.0)
    (tensor([[1.1250]]), tensor([[2]]))
    """
    level = _by_sorting(size.sort(dim=-1, descending=True).values, 0.0, slope)
    return level, (size > level).sum(-1, keepdim=True)


class _Shrink(Rule):
    """V ↦ (X, k + slope), the second 0 for rows left as they are; it is not differentiated."""

    @staticmethod
    def forward(V: Tensor, radius: float, slope: float) -> Any:
        rows = V.reshape(-1, V.shape[-1])
        if looking() and V.device.type == "cpu" and rows.numel() > BLOCK:
            X, divisor = torch.empty_like(rows), rows.new_empty(len(rows), 1)
            step = max(BLOCK // rows.shape[-1], 1)
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                X[part], divisor[part] = _shrunk(rows[part], V, radius, slope)
        else:
            X, divisor = _shrunk(rows, V, radius, slope)
        return X.reshape(V.shape), divisor.reshape(*V.shape[:-1], 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, X_bar: Tensor, _: Any) -> Any:
        return _on_active(X_bar, *ctx.saved_tensors), None, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (X, divisor):
            return _on_active(E, X, divisor), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Shrink, *batched(info, in_dims, arguments)), (0, 0)


def _on_active(A: Tensor, X: Tensor, divisor: Tensor) -> Tensor:
    """The derivative, symmetric: A − s ⟨A, s⟩ / divisor on the active set, A itself where ``divisor`` is 0."""
    signs = X.sign()  # not of a detached X: its derivative is 0, but a second derivative finds a graph
    moved = divisor > 0
    mean = dot(A, signs) / torch.where(moved, divisor, 1.0)
    return torch.where(moved, (A - signs * mean) * signs.abs(), A)


def _shrunk(V: Tensor, named: Tensor, radius: float, slope: float) -> tuple[Tensor, Tensor]:
    """(X, divisor) of rows (n, d); ``named`` is V in the shape that a message speaks of."""
    size = V.abs()
    top = size.amax(-1, keepdim=True)
    total = size.sum(-1, keepdim=True, dtype=torch.float64)
    summable = looking() and _summable(named, total)
    if radius == 0 and slope == 0:
        return top * 0 * size, torch.ones_like(top)
    scaled = V.dtype == torch.float64 and not summable
    unit: Any = _unit(top, V.shape[-1]) if scaled else 1.0
    if scaled:
        size, top = size * unit, top * unit
        total = size.sum(-1, keepdim=True)
    bound = radius * unit
    inside = total <= bound  # for radius 0: the zero rows
    if looking() and bool(inside.all()):
        return V.clone(), _divisor(torch.ones_like(top), inside, slope)
    if looking():
        level, rest = _newton(size, _least(total, top, V.shape[-1], bound, slope), inside, bound, slope)
        level = torch.minimum(level, top)
        y = rest - level
        correction = _again(y, bound + slope * level.double(), slope)
    else:
        rest = size.sort(dim=-1, descending=True).values
        level = _by_sorting(rest, bound, slope)
        y = rest - level
        correction = _by_sorting(y, bound + slope * level.double(), slope)
    count = (y > correction).sum(-1, keepdim=True).clamp_min(1)
    X = size.sub_(level).sub_(correction).clamp_min_(0)
    if scaled:
        X /= unit
    X = X.copysign_(V).add_(0.0)
    return torch.where(inside, V, X), _divisor(count.to(V.dtype), inside, slope)


def _summable(V: Tensor, total: Tensor) -> bool:
    """Whether no ``total`` of a row overflows; ``ValueError`` names the first non-finite entry of V."""
    if bool(total.isfinite().all()):
        return True
    wrong = (~V.isfinite()).nonzero()
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"V must be finite; got V{list(place)} = {V[place].item()}")
    return False


def _unit(top: Tensor, d: int) -> Tensor:
    """For every row a power of two, or 1, with which no sum of its d entries up to ``top`` overflows float64."""
    bits = d.bit_length()
    return torch.where(top < 2.0 ** (1023 - bits), 1.0, torch.full_like(top, 2.0**-bits))


def _divisor(count: Tensor, inside: Tensor, slope: float) -> Tensor:
    """k + slope, or 0 for a row inside the ball."""
    return torch.where(inside, 0.0, count) if slope == 0 else count + slope


def _least(total: Tensor, top: Tensor, d: int, radius: Any, slope: float) -> Tensor:
    """A level that is not too high: Newton's step from the whole row or from its largest entry alone."""
    whole = (total - radius) / (d + slope)
    alone = (top.double() - radius) / (1 + slope)
    return torch.maximum(whole, alone).clamp_min(0).to(top.dtype)


def _newton(y: Tensor, level: Tensor, inside: Tensor, radius: Any, slope: float) -> tuple[Tensor, Tensor]:
    """(level, entries that may be active), the level to rounding of the entries; rows ``inside`` do not count."""
    level = torch.where(inside, torch.inf, level)
    # What lies this little below the level might be active in exact arithmetic.
    margin = 1 - 64 * torch.finfo(y.dtype).eps
    previous = None
    while True:
        active = y > level
        count = active.sum(-1, keepdim=True)
        if previous is not None and torch.equal(count, previous):
            return torch.where(inside, 0.0, level), y
        previous = count
        if 2 * int(count.max()) <= y.shape[-1]:
            y = _gathered(y, y > level * margin)
            active = y > level
        # Monotone, so that rounding cannot make the active set grow again and the steps come to an end.
        level = torch.maximum(level, _step(y, active, count, radius, slope))


def _again(y: Tensor, bound: Tensor, slope: float) -> Tensor:
    """The level of y = |v| − level, near 0 and of either sign: one step from 0, then monotone steps from below."""
    level, previous = torch.zeros_like(y[:, :1]), None
    while True:
        active = y > level
        count = active.sum(-1, keepdim=True)
        if previous is not None and torch.equal(count, previous):
            return level
        found = _step(y, active, count, bound, slope)
        level = found if previous is None else torch.maximum(level, found)
        previous = count


def _step(y: Tensor, active: Tensor, count: Tensor, bound: Any, slope: float) -> Tensor:
    """Newton's step: the level of Σ (y − θ) = bound + slope θ over the active entries.

    None is active where rounding has lifted the level to the largest entry: with a count of 1 the step is then as low
    as from that entry alone, or lower.
    """
    sums = torch.where(active, y, 0.0).sum(-1, keepdim=True, dtype=torch.float64)
    level: Tensor = (sums - bound) / (count.double().clamp_min(1) + slope)
    return level.to(y.dtype)


def _by_sorting(y: Tensor, bound: Any, slope: float) -> Tensor:
    """The same level from rows in falling order: no loop that depends on values.

    Rounding of the sums may put it below that of the largest entry alone, or above this entry: there it is held.
    """
    sums = y.cumsum(-1, dtype=torch.float64)
    number = torch.arange(1, y.shape[-1] + 1, dtype=torch.float64, device=y.device)
    levels = (sums - bound) / (number + slope)
    last = (y > levels).sum(-1, keepdim=True).clamp_min(1) - 1
    level = torch.maximum(levels.gather(-1, last), levels[..., :1])
    return torch.minimum(level.to(y.dtype), y[..., :1])


def _gathered(y: Tensor, kept: Tensor) -> Tensor:
    """The kept entries of every row side by side, filled up with −∞."""
    rows, _ = kept.nonzero(as_tuple=True)
    counts = kept.sum(-1)
    place = torch.arange(len(rows), device=y.device) - (counts.cumsum(0) - counts)[rows]
    gathered = y.new_full((len(y), max(int(counts.max()), 1)), -torch.inf)
    gathered[rows, place] = y[kept]
    return gathered
