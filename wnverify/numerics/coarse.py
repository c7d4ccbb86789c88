"""Arithmetic ten times as coarse: a planted loss of accuracy that every implementation can be given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wnverify.oracles.ratio import unit_roundoff


class Coarse(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it every number that an operation computes in ``dtype`` is off by ``factor`` u of itself, of random sign.

    That is the most that one rounding with the unit roundoff ``factor`` u may lose, as a model's u is the most that one
    of the dtype's own may.  Inputs stay, and so does what is exact in any arithmetic: an entry that is one of the
    operation's own arguments, which it moves, selects or copies, and one of four bits fewer, as constants are.  What an
    operation sums inside itself stays as well, which makes the loss smaller than that of a coarser dtype.
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
        stored = [self._stored(one, made.alias_info, given) for one, made in zip(several, returns, strict=True)]
        return type(found)(stored) if isinstance(found, (tuple, list)) else stored[0]

    def _stored(self, found: Any, alias: Any, given: list[Tensor]) -> Any:
        if not isinstance(found, Tensor) or found.dtype is not self.dtype or (alias and not alias.is_write):
            return found
        sign = torch.randint(0, 2, found.shape, generator=self.random).double() * 2 - 1
        off = (found.double() * (1 + self.off * sign)).to(self.dtype)
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
