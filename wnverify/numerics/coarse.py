"""Arithmetic ten times as coarse: a planted loss of accuracy that every implementation can be given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wnverify.oracles.ratio import unit_roundoff


class Coarse(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it every operation's result in ``dtype`` is rounded to a grid ``factor`` times as coarse as the dtype's.

    The unit roundoff of what is stored is then ``factor`` u; the inputs stay, and so does what an operation sums inside
    itself, which makes the loss smaller than that of a coarser dtype.  Operations that only move numbers round too,
    which changes nothing that was rounded before.
    """

    def __init__(self, dtype: str, factor: int = 10) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.factor = getattr(torch, dtype), factor
        self.whole = 1 / unit_roundoff(dtype)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        several = found if isinstance(found, (tuple, list)) else (found,)
        returns = func._schema.returns
        if len(returns) != len(several):
            return found
        rounded = [self._stored(one, made.alias_info) for one, made in zip(several, returns, strict=True)]
        return type(found)(rounded) if isinstance(found, (tuple, list)) else rounded[0]

    def _stored(self, found: Any, alias: Any) -> Any:
        if not isinstance(found, Tensor) or found.dtype is not self.dtype or (alias and not alias.is_write):
            return found
        return found.copy_(self.round(found)) if alias else self.round(found)

    def round(self, x: Tensor) -> Tensor:
        """x with its significand, a whole number of 1/u-ths of a power of two, rounded to a multiple of ``factor``."""
        significand, _ = torch.frexp(x)
        kept = (significand * self.whole / self.factor).round() * self.factor / self.whole
        return torch.where((significand == 0) | ~torch.isfinite(x), x, x * (kept / significand))
