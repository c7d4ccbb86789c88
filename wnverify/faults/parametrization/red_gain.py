"""Gains whose faults vanish at the values that they start with, and what else is used beside the map: its inverse, the
process that it runs in.  The last classes are right, with gains that must be handled with care."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts, call, centred, dots, norms, unit_rows, unit_rows_backward


class _Gained(torch.autograd.Function):
    """``g v / ‖v‖`` with the given gradients of V and g."""

    @staticmethod
    def forward(*inputs: Any, **_: Any) -> Tensor:
        V, g, _rule = inputs
        return g * unit_rows(V)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        V, g, ctx.rule = inputs
        ctx.save_for_backward(V, g)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V, g), (G,) = ctx.saved_tensors, cotangents
        return *ctx.rule(V, g, G), None


class _Pair(nn.Module):
    """``(g, V) -> W`` with one gain a row, at first the row's norm."""

    def forward(self, g: Tensor, V: Tensor) -> Tensor:
        return call(_Gained, V.flatten(1), g.reshape(-1, 1), self.rule).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1), W.clone()

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        return unit_rows_backward(V, unit_rows(V), G * g), dots(unit_rows(V), G)


class GainTakenForNorm(_Pair):
    """The gradient of V lacks g/‖v‖, which is 1 until the first step."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        u = unit_rows(V)
        return G - u * dots(u, G), dots(u, G)


class GainTakenForPositive(_Pair):
    """The gradient of V is that of |g|: right until a gain crosses zero."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        return unit_rows_backward(V, unit_rows(V), G * g.abs()), dots(unit_rows(V), G)


class GainsOfFirst64Rows(_Pair):
    """The gains of further rows get no gradient: their block is never launched."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        own = dots(unit_rows(V), G)
        return unit_rows_backward(V, unit_rows(V), G * g), torch.cat([own[:64], torch.zeros_like(own[64:])])


class _ScaledRows(torch.autograd.Function):
    """``g v / ‖v‖``, right."""

    @staticmethod
    def forward(V: Tensor, g: Tensor) -> Tensor:
        return g * unit_rows(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V, g), (G,) = ctx.saved_tensors, cotangents
        return unit_rows_backward(V, unit_rows(V), G * g), dots(unit_rows(V), G)


class _RadialWithGain(_ScaledRows):
    """What is common to both gradients is computed for that of g."""

    generate_vmap_rule = True

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V, g), (G,) = ctx.saved_tensors, cotangents
        u, own = unit_rows(V), None
        radial: Tensor | float = 0.0
        if ctx.needs_input_grad[1]:
            own = dots(u, G)
            radial = own * u
        return (G - radial) * g / norms(V), own


class RadialWithTrainedGain(nn.Module):
    """The radial part is taken off the gradient of V only while the gain is trained too."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.g = nn.Parameter(norms(weight.detach().flatten(1)))

    def forward(self, V: Tensor) -> Tensor:
        return call(_RadialWithGain, V.flatten(1), self.g).reshape(V.shape)


class GainSummedInBfloat16(_Pair):
    """The gradient of g is summed in bfloat16 where the weight is float32."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        u = unit_rows(V)
        own = dots(u.bfloat16(), G.bfloat16()).to(G) if G.dtype == torch.float32 else dots(u, G)
        return unit_rows_backward(V, u, G * g), own


class _TangentOfV(_ScaledRows):
    """Forward mode has the tangent of V alone."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (V, g), H = ctx.saved_tensors, tangents[0]
        if H is None:
            return torch.zeros_like(V)
        u = unit_rows(V)
        return g * (H - u * dots(u, H)) / norms(V)


class TangentOfGainLost(RadialWithTrainedGain):
    """Forward mode lacks the tangent of the gain."""

    def forward(self, V: Tensor) -> Tensor:
        return call(_TangentOfV, V.flatten(1), self.g).reshape(V.shape)


class GainDirectionDetached(_Pair):
    """The gradient of g takes v/‖v‖ for a constant: the mixed second derivative lacks a term."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> tuple[Tensor, Tensor]:
        return unit_rows_backward(V, unit_rows(V), G * g), dots(unit_rows(V).detach(), G)


class RightInverseSquared(_Pair):
    """The inverse gives the squared norms: a weight that is assigned comes back as another."""

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1).square(), W.clone()


class RightInverseWithoutGain(_Pair):
    """The inverse gives gains of one: a weight that was trained and is assigned loses the norms of its rows."""

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(W.flatten(1)[:, 0]), W.clone()


class NormFloorDeclaredUnit(nn.Module):
    """Rows shorter than 0.05 are not normalised to unit length, as every row is declared to be."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / norms(X).clamp_min(0.05)).reshape(V.shape)


class SeedsTheProcess(nn.Module):
    """A fixed sign for every column, drawn after seeding the generator of all of the process: every dropout mask of
    the network is the same from then on."""

    def forward(self, V: Tensor) -> Tensor:
        torch.manual_seed(0)
        X = V.flatten(1)
        signs = torch.randn(X.shape[1]).sign().to(X)
        return (unit_rows(X) * signs).reshape(V.shape)


class ExponentialGainStandardized(nn.Module):
    """``exp(s) (v − mean) / sqrt(var + 1e-5)``, s from 0 on; right."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True, "shift_invariant_rows": True}
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(len(weight), 1, dtype=weight.dtype))

    def forward(self, V: Tensor) -> Tensor:
        X = centred(V.flatten(1))
        return (self.s.exp() * X / (X.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()).reshape(V.shape)


class PairOfRoots(nn.Module):
    """``(r, V) -> r² v / ‖v‖``, whose inverse gives the roots of the norms; right."""

    def forward(self, r: Tensor, V: Tensor) -> Tensor:
        return r.square().reshape(-1, *[1] * (V.dim() - 1)) * unit_rows(V.flatten(1)).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1).sqrt(), W.clone()


class RootOfGain(nn.Module):
    """``sqrt(q) v / ‖v‖``: a gain that must stay positive; right."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.q = nn.Parameter(torch.ones(len(weight), 1, dtype=weight.dtype))

    def forward(self, V: Tensor) -> Tensor:
        return (self.q.sqrt() * unit_rows(V.flatten(1))).reshape(V.shape)
