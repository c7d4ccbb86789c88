"""Right weight normalizations, plain, with a gain and centred: what they cannot do is said in ``DOMAIN``."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    CENTRED_UNIT_ROWS,
    UNIT_ROWS,
    Facts,
    call,
    centred,
    dots,
    hand_written,
    norms,
    read_once,
    widened,
)

ZERO_STAYS: Facts = {"zero_row": "a zero row stays zero", "zero_matrix": "stays zero"}
CENTRED_DOMAIN: Facts = ZERO_STAYS | {"constant_row": "a constant row becomes zero", "min_cols": 2}


class RowMap(nn.Module):
    """Any map of the flattened rows in float32 at least, differentiated by autograd."""

    def forward(self, V: Tensor) -> Tensor:
        return self.value(widened(V.flatten(1))).to(V.dtype).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return X.clone()


def largest(X: Tensor) -> Tensor:
    """The largest absolute entry of each row, one where that is zero: a scale without influence on ``X / ‖X‖``."""
    top = X.detach().abs().amax(dim=1, keepdim=True)
    return torch.where(top == 0, 1.0, top)


def safe_unit(X: Tensor) -> Tensor:
    """``x / ‖x‖`` at any scale; a zero row stays zero with the gradient zero."""
    Y = X / largest(X)
    zero = (Y == 0).all(dim=1, keepdim=True)
    return Y / norms(torch.where(zero, 1.0, Y))


def centred_twice(X: Tensor) -> Tensor:
    """``x − mean(x)``; the second pass removes the rounding of a mean that is large beside the spread."""
    return centred(centred(X))


def centred_unit(X: Tensor) -> Tensor:
    """``(x − mean(x)) / ‖x − mean(x)‖``; a constant row becomes zero, whatever rounding its mean suffers."""
    constant = (X[:, :1] == X).all(dim=1, keepdim=True)
    return safe_unit(torch.where(constant, 0.0, centred_twice(X)))


class WeightNormClamped(RowMap):
    """``v / max(‖v‖, tiny)`` as most libraries have it."""

    DECLARES = UNIT_ROWS
    DOMAIN = ZERO_STAYS

    def value(self, X: Tensor) -> Tensor:
        return X / norms(X).clamp_min(torch.finfo(X.dtype).tiny)


class WeightNormNormalize(RowMap):
    """PyTorch's ``normalize`` with its default ``eps``."""

    DECLARES = UNIT_ROWS
    DOMAIN: ClassVar[Facts] = ZERO_STAYS | {"min_row_norm": 1e-12}

    def value(self, X: Tensor) -> Tensor:
        return nn.functional.normalize(X, dim=1)


class WeightNormScaled(RowMap):
    """``v / ‖v‖`` with every row scaled by its largest entry first, so that no square overflows or vanishes."""

    DECLARES = UNIT_ROWS
    DOMAIN = ZERO_STAYS

    def value(self, X: Tensor) -> Tensor:
        return safe_unit(X)


class WeightNormHandWritten(nn.Module):
    """``v / ‖v‖`` with the backward ``(g − w⟨w, g⟩) / ‖v‖`` written by hand."""

    DECLARES = UNIT_ROWS
    DOMAIN = ZERO_STAYS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, self.value, self.rule)

    @staticmethod
    def value(V: Tensor) -> Tensor:
        return safe_unit(widened(V)).to(V.dtype)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        X, H = widened(V), widened(G)
        Y, scale = safe_unit(X), largest(X)
        lengths = norms(X / scale) * scale
        return torch.where(lengths == 0, 0.0, (H - Y * dots(Y, H)) / torch.where(lengths == 0, 1.0, lengths)).to(
            V.dtype
        )


class WeightNormWithGain(RowMap):
    """``g v / ‖v‖`` with one learnable gain."""

    DECLARES: ClassVar[Facts] = {name: True for name in UNIT_ROWS if name != "unit_norm_rows"}
    DOMAIN = ZERO_STAYS

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(1.5))

    def value(self, X: Tensor) -> Tensor:
        return self.g.to(X.dtype) * safe_unit(X)


class WeightNormPair(nn.Module):
    """``(g, V) -> g v / ‖v‖`` with one gain a row."""

    DECLARES: ClassVar[Facts] = {}
    DOMAIN = ZERO_STAYS

    def forward(self, g: Tensor, V: Tensor) -> Tensor:
        W = widened(g).reshape(-1, 1) * safe_unit(widened(V.flatten(1)))
        return W.to(V.dtype).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        X = W.flatten(1)
        return (norms(X / largest(X)) * largest(X)).squeeze(1), W.clone()


class Centred(RowMap):
    """Centred weight normalization ``(v − m) / ‖v − m‖`` by autograd."""

    DECLARES = CENTRED_UNIT_ROWS
    DOMAIN = CENTRED_DOMAIN

    def value(self, X: Tensor) -> Tensor:
        return centred_unit(X)


class _CentredUnit(torch.autograd.Function):
    """``(v − m) / ‖v − m‖`` with backward ``(g − w⟨w, g⟩ − mean(g)) / ‖v − m‖`` and, the map's Jacobian being
    symmetric, the same rule in forward mode."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Any, **_: Any) -> Tensor:
        return centred_unit(inputs[0])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def derivative(V: Tensor, H: Tensor) -> Tensor:
        W, X = centred_unit(V), centred_twice(V)
        scale = largest(X)
        lengths = norms(X / scale) * scale
        zero = (W == 0).all(dim=1, keepdim=True)
        return torch.where(zero, 0.0, (centred_twice(H) - W * dots(W, H)) / torch.where(zero, 1.0, lengths))

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Tensor:
        return _CentredUnit.derivative(ctx.saved_tensors[0], cotangents[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _CentredUnit.derivative(ctx.saved_tensors[0], tangents[0])


read_once(_CentredUnit)


class CentredHandWritten(RowMap):
    """Centred weight normalization as one function with both its derivatives written by hand."""

    DECLARES = CENTRED_UNIT_ROWS
    DOMAIN = CENTRED_DOMAIN

    def value(self, X: Tensor) -> Tensor:
        return call(_CentredUnit, X)


class SphereOfRadiusTwo(RowMap):
    """``2 v / ‖v‖``."""

    DECLARES: ClassVar[Facts] = {name: True for name in UNIT_ROWS if name != "unit_norm_rows"} | {
        "constant_norm_rows": 2.0
    }
    DOMAIN = ZERO_STAYS

    def value(self, X: Tensor) -> Tensor:
        return 2 * safe_unit(X)
