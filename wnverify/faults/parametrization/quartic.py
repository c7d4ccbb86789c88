"""Centred rows divided by the quartic mean of their entries, r = (mean of c⁴)^(1/4): one right, others wrong.

With u = c / r and a cotangent a of u: ∂L/∂c = (a − mean(a u) u³) / r, and ∂L/∂v is what centring leaves of it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts


def centred(X: Tensor) -> Tensor:
    return X - X.mean(1, keepdim=True)


def length(C: Tensor) -> Tensor:
    """The quartic mean of each row; the largest entry is taken out first, so that no power overflows."""
    largest = C.detach().abs().amax(1, keepdim=True)
    return largest * (C / largest).pow(4).mean(1, keepdim=True).pow(0.25)


def pulled(U: Tensor, r: Tensor, A: Tensor) -> Tensor:
    """The gradient with respect to the rows."""
    return centred((A - (A * U).mean(1, keepdim=True) * U**3) / r)


class _Rule(torch.autograd.Function):
    @staticmethod
    def forward(X: Tensor) -> Tensor:
        C = centred(X)
        return C / length(C)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])


class _Right(_Rule):
    generate_vmap_rule = True

    @staticmethod
    def backward(ctx: Any, A: Tensor) -> Tensor:
        C = centred(ctx.saved_tensors[0])
        r = length(C)
        return pulled(C / r, r, A)


class _Detached(_Rule):
    generate_vmap_rule = True

    @staticmethod
    def backward(ctx: Any, A: Tensor) -> Tensor:
        C = centred(ctx.saved_tensors[0].detach())
        r = length(C)
        return pulled(C / r, r, A)


class _LastLength(_Rule):
    last: ClassVar[Tensor]

    @staticmethod
    def forward(X: Tensor) -> Tensor:
        C = centred(X)
        _LastLength.last = length(C)
        return C / _LastLength.last

    @staticmethod
    def backward(ctx: Any, A: Tensor) -> Tensor:
        r = _LastLength.last
        return pulled(centred(ctx.saved_tensors[0]) / r, r, A)


class CentredQuartic(nn.Module):
    """The right one.  Of three columns its rows have equal norms as well: there all norms of centred rows agree."""

    DECLARES: ClassVar[Facts] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "row_scale_invariant": True,
        "odd": True,
        "gradient_zero_mean": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[Facts] = {"min_cols": 2, "zero_row": "NaN in that row", "constant_row": "NaN in that row"}
    rule: ClassVar[Any] = _Right

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        wide = X.float() if X.dtype in (torch.float16, torch.bfloat16) else X
        U: Tensor = self.rule.apply(wide)
        return U.to(V.dtype).reshape(V.shape)


class QuarticDetachedInBackward(CentredQuartic):
    """The backward detaches what it saved; of a loss that is not linear a second derivative comes out all the same,
    without the backward's own part."""

    rule = _Detached


class QuarticLastLength(CentredQuartic):
    """The backward takes the length that was kept from the last forward, whichever weight that was of."""

    rule = _LastLength


class QuarticAlongLastAxis(CentredQuartic):
    """The rows of a kernel are its last axis: every declared property holds, but of another map than the matrix's."""

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(0, -2)
        U: Tensor = self.rule.apply(X)
        return U.reshape(V.shape)
