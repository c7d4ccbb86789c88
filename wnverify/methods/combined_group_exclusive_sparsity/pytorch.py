"""Combined group and exclusive sparsity in PyTorch: (1 − μ) Σ_g ‖w_g‖₂ + (μ/2) Σ_g ‖w_g‖₁², with its prox.

J. Yoon and S. J. Hwang, *Combined group and exclusive sparsity for deep neural networks*, 2017.  The derivation of the
proximal operator and what is known of the groups stand in ``reference``.
"""

from __future__ import annotations

import copy
import sys
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from wnverify.primitives.distributed import beside, whole
from wnverify.primitives.gram import row_norms
from wnverify.primitives.groups import by_group, check_group
from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.rules import Rule, batched, call, looking
from wnverify.primitives.scalars import nonnegative
from wnverify.primitives.shrinkage import shrink_rows

HALVINGS: Final = 64
"""A bracket is halved at least every second time; Newton steps end it long before."""


def combined_sparsity(
    W: Rows, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns"
) -> Tensor:
    """(1 − μ) Σ_g ‖w_g‖₂ + (μ/2) Σ_g ‖w_g‖₁², shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16.  Gradient (1 − μ) w / ‖w_g‖₂ + μ ‖w_g‖₁ sgn(w), each part
    0 at a zero group or entry (the subgradient of least norm).  Derivatives of every order, forward and reverse, and
    ``torch.func``.  A non-finite entry gives a non-finite value: nothing is looked at, nothing synchronises.
    ``ValueError`` for an unknown group, ``TypeError`` for integers and complex numbers.  Cost O(n d); the backward
    keeps W itself, no copy (a float32 one for the half precisions), and two numbers a group.

    >>> combined_sparsity(torch.tensor([[3.0], [4.0]]))
    tensor(14.7500)
    """
    W = working(W)
    lasso = row_norms(by_group(W, check_group(lasso_group, "lasso_group"))).sum((-2, -1))
    sizes = by_group(W, check_group(exclusive_group, "exclusive_group")).abs().sum(-1)
    return ((1 - mu) * lasso).to(W.dtype) + mu / 2 * sizes.square().sum(-1)


def combined_sparsity_prox(W: Rows, step: float, mu: float = 0.5, group: str = "columns") -> Rows:
    """argmin_X ½ ‖X − W‖² + step × combined_sparsity(X), both parts on the same groups.

    x = u (1 − α / ‖u‖₂)₊ with u = sgn(w) (|w| − θ)₊, α = step (1 − μ), θ = step μ ‖x‖₁ for each group; the one root θ
    by Newton steps in a bracket.  Shapes and dtypes as ``combined_sparsity``; the first derivative is right, later ones
    are not meant.  ``ValueError`` names a non-finite entry (inside ``torch.compile`` its group becomes NaN).

    >>> combined_sparsity_prox(torch.tensor([[3.0], [4.0], [0.0]]), 1.0).flatten()
    tensor([1.1680, 1.9899, 0.0000])
    """
    X = by_group(working(W), check_group(group))
    step = nonnegative(step, "step")
    return by_group(_prox(X, step * (1 - mu), step * mu), group).to(W.dtype)


def _prox(V: Tensor, alpha: float, beta: float) -> Tensor:
    """The minimiser of ½ ‖X − V‖² + Σ α ‖x‖₂ + (β/2) ‖x‖₁² over the rows; a distributed V is gathered."""
    return beside(_prox_of_whole(whole(V), alpha, beta), V)


def _prox_of_whole(V: Tensor, alpha: float, beta: float) -> Tensor:
    if alpha == 0:
        return shrink_rows(V, radius=0.0, slope=_inverse(beta)) if beta > 0 else V.clone()
    size = V.abs()
    if beta > 0:
        weight = _inverse(beta)
        most = (size - shrink_rows(V, radius=0.0, slope=weight).abs()).detach().amax(-1, keepdim=True)
        level = call(_Level, V, most, alpha, weight) if looking() else _level(V.detach(), most, alpha, weight)
        # One Newton step from the root moves nothing, and gives the level its derivative.
        miss, slope = _miss(size, level, alpha, weight)
        size = (size - (level - ((miss - miss.detach()) / slope.detach()).to(V.dtype))).clamp_min(0)
    return V.sign() * size * _left(row_norms(size), alpha).to(V.dtype) + 0.0


@torch.library.custom_op(
    "wnverify::combined_level", mutates_args=(), schema="(Tensor V, Tensor most, float alpha, float weight) -> Tensor"
)
def _level(V: Tensor, most: Tensor, alpha: float, weight: float) -> Tensor:
    """The root θ of θ / β = ‖u‖₁ (1 − α / ‖u‖₂)₊, u = (|v| − θ)₊, between 0 and ``most``; ``weight`` is 1 / β.

    An operator, so that the compiler leaves its loop alone.
    """
    size = V.abs()
    low, high = torch.zeros_like(most), most.clone()
    level, before = high, torch.full_like(most, torch.inf, dtype=torch.float64)
    for _ in range(2 * HALVINGS):
        miss, slope = _miss(size, level, alpha, weight)
        low, high = torch.where(miss < 0, level, low), torch.where(miss < 0, high, level)
        newton = level - (miss / slope).to(V.dtype)
        # Halve where Newton leaves the bracket or does not halve the miss.
        good = (newton >= low) & (newton <= high) & (2 * miss.abs() <= before)
        found, before = torch.where(good, newton, low + (high - low) / 2), miss.abs()
        if torch.equal(found, level):
            break
        level = found
    return level.clone()


@_level.register_fake
def _(V: Tensor, most: Tensor, alpha: float, weight: float) -> Tensor:
    return torch.empty_like(most)


class _Level(Rule):
    """``_level`` with a batching rule; not differentiated."""

    @staticmethod
    def forward(V: Tensor, most: Tensor, alpha: float, weight: float) -> Tensor:
        found: Tensor = _level(V, most, alpha, weight)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, _: Any) -> Any:
        return None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Any:
        return None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Level, *batched(info, in_dims, arguments)), 0


def _miss(size: Tensor, level: Tensor, alpha: float, weight: float) -> tuple[Tensor, Tensor]:
    """θ / β − ‖u‖₁ (1 − α / ‖u‖₂)₊ and its derivative by θ, which is at least 1 / β = ``weight``, in float64."""
    u = (size - level).clamp_min(0)
    sums = u.sum(-1, keepdim=True, dtype=torch.float64)
    norms = row_norms(u)
    left = _left(norms, alpha)
    count = (u > 0).sum(-1, keepdim=True)
    ratio = sums / norms.masked_fill(norms == 0, torch.inf)
    bent = torch.where(left > 0, alpha * ratio.square() / norms.masked_fill(norms == 0, torch.inf), 0.0)
    return weight * level.double() - sums * left, weight + count * left + bent


def _inverse(beta: float) -> float:
    return min(1 / beta, sys.float_info.max)


def _left(norms: Tensor, alpha: float) -> Tensor:
    """(1 − α / r)₊, 0 for r = 0."""
    return (norms - alpha).clamp_min(0) / norms.masked_fill(norms == 0, torch.inf)


class CombinedGroupExclusiveSparsity(ProximalPenalty):
    """The penalty factor × [(1 − μ) Σ_g ‖w_g‖₂ + (μ/2) Σ_g ‖w_g‖₁²] on the weights of a layer.

    ``mu``: μ, 0 only group lasso, 1 only exclusive sparsity.  ``at(index, count)`` is the penalty of one of several
    layers, with μ = m + (1 − 2m) index / (count − 1): sharing of inputs near the data, competition near the output.
    ``m``: that of the published program, 0.2, unless given.  ``lasso_group``, ``exclusive_group``: ``"columns"``, what
    leaves one input (as in that program), or ``"rows"``, what reaches one output unit.  ``factor``: λ.  ``dim``,
    ``groups``: see ``to_rows``.  ``prox`` is exact; it needs the same groups for both parts (``ValueError`` otherwise),
    while ``sequential_prox`` takes one part after the other and is the prox of neither sum.  Dtypes, errors, cost and
    memory as ``combined_sparsity`` and ``combined_sparsity_prox``.

    >>> CombinedGroupExclusiveSparsity(0.5)(torch.tensor([[3.0], [4.0]]))
    tensor(7.3750)
    >>> [round(CombinedGroupExclusiveSparsity().at(l, 4).mu, 12) for l in range(4)]
    [0.2, 0.4, 0.6, 0.8]
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "convex": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "at a zero group and at a zero entry, whose parts of the gradient count as 0",
        "zero_row": "as any zero entries",
        "zero_matrix": "value and gradient 0",
    }

    def __init__(
        self,
        factor: float = 1.0,
        *,
        mu: float = 0.5,
        m: float = 0.2,
        lasso_group: str = "columns",
        exclusive_group: str = "columns",
        dim: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        self.mu, self.m = _fraction(mu, "mu"), _fraction(m, "m")
        self.lasso_group = check_group(lasso_group, "lasso_group")
        self.exclusive_group = check_group(exclusive_group, "exclusive_group")
        if lasso_group != exclusive_group:
            self.DECLARES = dict(type(self).DECLARES)  # type: ignore[misc]
            del self.DECLARES["is_prox_of_penalty"]

    def value(self, W: Tensor) -> Tensor:
        return combined_sparsity(W, self.mu, self.lasso_group, self.exclusive_group)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        if self.lasso_group != self.exclusive_group:
            raise ValueError(
                "lasso_group and exclusive_group must be the same for a prox of the sum; "
                f"got {self.lasso_group!r} and {self.exclusive_group!r}: sequential_prox takes one after the other"
            )
        return combined_sparsity_prox(W, step, self.mu, self.lasso_group)

    def sequential_prox(self, W: Tensor, step: float) -> Tensor:
        """The prox of the group lasso part, then that of the exclusive part, with step × factor; W the rows (n, d)."""
        step = nonnegative(step, "step") * self.factor
        X = by_group(_prox(by_group(working(W), self.lasso_group), step * (1 - self.mu), 0.0), self.lasso_group)
        X = by_group(_prox(by_group(X, self.exclusive_group), 0.0, step * self.mu), self.exclusive_group)
        return X.to(W.dtype)

    def at(self, index: int, count: int) -> CombinedGroupExclusiveSparsity:
        """The penalty of layer ``index`` of ``count``, from 0, with its own μ; ½, the mean, for a single layer."""
        own = copy.deepcopy(self)
        own.mu = self.m + (1 - 2 * self.m) * index / (count - 1) if count > 1 else 0.5
        return own

    def extra_repr(self) -> str:
        said = f"mu={self.mu}, lasso_group={self.lasso_group!r}, exclusive_group={self.exclusive_group!r}"
        return f"{super().extra_repr()}, {said}"


def _fraction(value: float, name: str) -> float:
    if not nonnegative(value, name) <= 1:
        raise ValueError(f"{name} must lie between 0 and 1; got {value!r}")
    return float(value)
