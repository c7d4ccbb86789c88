# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""The forms that mended the bugs of the ``known_`` files, where no other right variant has them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.known_frames import _Frame, newton_schulz
from wnverify.faults.parametrization.known_state import BaseNoBuffer, PowerIterationInPlace
from wnverify.faults.parametrization.pieces import POLAR, WIDE, Facts, dots, norms, unit_rows
from wnverify.faults.parametrization.right_norms import ZERO_STAYS, RowMap, centred_twice, largest, safe_unit


class EpsUnderRoot(RowMap):
    """``v / √(‖v‖² + 1e-12)`` in float32 at least, where that ``eps`` exists."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True, "permutation_equivariant_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return X * (dots(X, X) + 1e-12).rsqrt()


class ScaledStandardized(RowMap):
    """``(v − m) / √(d var + 1e-4)``: standardization scaled by the root of the fan-in d."""

    DECLARES: ClassVar[Facts] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "odd": True,
        "gradient_zero_mean": True,
        "permutation_equivariant_rows": True,
    }

    def value(self, X: Tensor) -> Tensor:
        Y = centred_twice(X)
        return Y / (dots(Y, Y) + 1e-4).sqrt()


class MagnitudeOfLiveRows(nn.Module):
    """``(m, V) -> (m / ‖v‖) v``; a pruned row, whose norm is zero, stays pruned."""

    DECLARES: ClassVar[Facts] = {}
    DOMAIN = ZERO_STAYS

    def forward(self, m: Tensor, V: Tensor) -> Tensor:
        X = V.flatten(1)
        wide = X.float() if X.dtype.itemsize == 2 else X
        return (m.to(wide.dtype).reshape(-1, 1) * safe_unit(wide)).to(V.dtype).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        X = W.flatten(1)
        return (norms(X / largest(X)) * largest(X)).squeeze(1), W.clone()


class PowerIterationCloned(PowerIterationInPlace):
    """The vectors that autograd saves are copies, so that the next forward may move the buffers."""

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        X = X.float() if X.dtype.itemsize == 2 else X
        u, v = self.u.to(X.dtype), self.v.to(X.dtype)
        if self.training:
            with torch.no_grad():
                v = unit_rows((X.mT @ u)[None])[0]
                u = unit_rows((X @ v)[None])[0]
                self.u.copy_(u)
                self.v.copy_(v)
        return (X / torch.dot(u.clone(), X @ v.clone())).to(V.dtype).reshape(V.shape)


class BaseAsBuffer(BaseNoBuffer):
    """The base point is a buffer, which moves and is saved with the module."""

    base: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        base = self.base
        del self.base
        self.register_buffer("base", base)


class NewtonSchulzForOneRowToo(_Frame):
    """The iteration for any number of rows, in float32 at least, given back in the type that came."""

    DECLARES: ClassVar[Facts] = POLAR
    DOMAIN: ClassVar[Facts] = WIDE | {"max_condition": 1e4}

    def value(self, X: Tensor) -> Tensor:
        Y = X / X.detach().abs().amax()
        return newton_schulz(Y / torch.linalg.matrix_norm(Y))
