"""Arithmetic ten times as coarse: a planted loss of accuracy that every implementation can be given.

A sum of m terms is rounded m − 1 times inside one operation of PyTorch's, a product of matrices besides at each of its
m products.  A coarser dtype loses at every one of them, and a model pays for every one of them by γ̃_m, so they belong
to the planted loss.  To first order, with partial sums s_k = t_1 + … + t_k in the order of the terms,

    computed sum = s_m + Σ_{1<k<m} s_k δ_k + Σ_k t_k ε_k,        |δ_k| = |ε_k| = ``factor`` u, of random sign,

the last sum's own rounding being that of the result.  What a decomposition does inside itself stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wnverify.oracles.ratio import unit_roundoff


class Coarse(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it every number that an operation computes in ``dtype`` is off by ``factor`` u of itself, of random sign.

    That is the most that one rounding with the unit roundoff ``factor`` u may lose, as a model's u is the most that one
    of the dtype's own may.  Inputs stay, and so does what is exact in any arithmetic: an entry that is one of the
    operation's own arguments, which it moves, selects or copies, and one of four bits fewer, as constants are.  The
    same holds of the partial sums and products inside a sum, a mean, a 2-norm and a product of matrices or vectors.
    """

    def __init__(self, dtype: str, seed: int, factor: int = 10) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.off = getattr(torch, dtype), factor * unit_roundoff(dtype)
        self.random = torch.Generator().manual_seed(seed % 2**63)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [x for x in _tensors((args, kwargs or {})) if x.dtype is self.dtype]
        if func._schema.is_mutable:
            given = [x.clone() for x in given]
        found = func(*args, **(kwargs or {}))
        several = found if isinstance(found, (tuple, list)) else (found,)
        returns = func._schema.returns
        if len(returns) != len(several):
            return found
        if func in SUMS and found.dtype is self.dtype and all(x.dtype is self.dtype for x in _tensors(args)):
            several = (self._summed(found, *SUMS[func](*args, **(kwargs or {}))),)
        stored = [self._stored(one, made.alias_info, given) for one, made in zip(several, returns, strict=True)]
        return type(found)(stored) if isinstance(found, (tuple, list)) else stored[0]

    def _summed(self, found: Tensor, terms: Tensor, factors: tuple[Tensor, ...], slope: Tensor | float) -> Tensor:
        """``found`` with what is lost inside it: that of the sum of ``terms`` along the last axis, times ``slope``."""
        terms = terms.double()
        partial = terms.cumsum(-1)
        lost = torch.zeros(terms.shape[:-1], dtype=torch.float64)
        if terms.shape[-1] > 2:
            inner, last = partial[..., 1:-1], terms[..., 1:-1]
            kept = (inner == last) | (inner == partial[..., :-2]) | self._short(inner)
            lost = lost + (inner * self._signs(inner.shape)).masked_fill(kept, 0.0).sum(-1)
        if factors:
            significand = torch.frexp(terms.abs())[0]
            moved = [significand == torch.frexp(factor.double().abs())[0] for factor in factors]
            kept = torch.stack([*moved, self._short(terms)]).any(0)
            lost = lost + (terms * self._signs(terms.shape)).masked_fill(kept, 0.0).sum(-1)
        off = (self.off * lost * slope).reshape(found.shape)
        return torch.where(off.isfinite() & found.isfinite(), found.double() + off, found.double()).to(self.dtype)

    def _signs(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(0, 2, shape, generator=self.random).double() * 2 - 1

    def _stored(self, found: Any, alias: Any, given: list[Tensor]) -> Any:
        if not isinstance(found, Tensor) or found.dtype is not self.dtype or (alias and not alias.is_write):
            return found
        off = (found.double() * (1 + self.off * self._signs(found.shape))).to(self.dtype)
        kept = ~found.isfinite() | self._short(found)
        if given:
            kept = kept | torch.isin(found, torch.cat([numbers.reshape(-1) for numbers in given]))
        off = torch.where(kept, found, off)
        return found.copy_(off) if alias else off

    def _short(self, found: Tensor) -> Tensor:
        """Which numbers the dtype holds with four bits fewer."""
        significand = torch.frexp(found.double())[0] * (2 / torch.finfo(self.dtype).eps / 16)
        return significand == significand.round()


def _tensors(given: Any) -> list[Tensor]:
    """Every tensor among the arguments of an operation."""
    if isinstance(given, Tensor):
        return [given]
    parts = given.values() if isinstance(given, dict) else given if isinstance(given, (tuple, list)) else ()
    return [x for part in parts for x in _tensors(part)]


Summed = tuple[Tensor, tuple[Tensor, ...], Tensor | float]


def _sum(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Summed:
    return _last(x, dim), (), 1.0


def _mean(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Summed:
    terms = _last(x, dim)
    return terms, (), 1 / terms.shape[-1]


def _norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Summed:
    """√Σ t has the derivative 1 / (2 √Σ t); of the other norms nothing."""
    x = _last(x, dim).double()
    terms = x.square()
    return terms, (x,), 0.0 if ord != 2 else 0.5 / terms.sum(-1).sqrt()


def _product(A: Tensor, B: Tensor) -> Summed:
    """A (…, n, k) or (k), B (…, k, m) or (k): the products of every entry of A B along a last axis."""
    left = A.double().unsqueeze(-2)
    right = (B if B.ndim > 1 else B.unsqueeze(-1)).double().mT.unsqueeze(-3)
    left, right = torch.broadcast_tensors(left, right)  # type: ignore[no-untyped-call]
    return left * right, (left, right), 1.0


def _last(x: Tensor, dim: Any) -> Tensor:
    """The summed axes as one, the last."""
    axes = [dim] if isinstance(dim, int) else list(dim or range(x.ndim))
    axes = sorted(axis % x.ndim for axis in axes) if x.ndim else []
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return x.permute(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), math.prod(x.shape[axis] for axis in axes))


_aten = torch.ops.aten
SUMS: Final[dict[Any, Callable[..., Summed]]] = {
    _aten.sum.default: _sum,
    _aten.sum.dim_IntList: _sum,
    _aten.mean.default: _mean,
    _aten.mean.dim: _mean,
    _aten.linalg_vector_norm.default: _norm,
    **dict.fromkeys((_aten.mm.default, _aten.bmm.default, _aten.mv.default, _aten.dot.default), _product),
}
"""The operations that sum: their terms along a last axis, the factors of these, and the derivative by the sum."""
