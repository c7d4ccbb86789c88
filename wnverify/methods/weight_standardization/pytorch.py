"""Weight standardization in PyTorch: w_i = (v_i − μ_i 1) / s_i for every output unit's row v_i of V.

S. Qiao, H. Wang, C. Liu, W. Shen and A. Yuille, *Weight standardization*, 2019; equations 15 to 17 of *Centered weight
optimization*.  The readings of s and the derivation of the backward stand in ``reference``.
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives import fused
from wnverify.primitives.distributed import agreed
from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.pytorch import Rows, centre, centred_rows, constant, finite_and_scaled, ordinary, refuse_row
from wnverify.primitives.rules import Rule, batched, call, dot, ldexp, looking, power_scaled, tangents, working
from wnverify.primitives.scalars import nonnegative


def standardize_rows(V: Rows, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False) -> Rows:
    """W with w_i = (v_i − μ_i 1) / s_i along the last axis, s = (σ² + eps)^{1/2}.

    σ is the standard deviation of the row, by d or, ``unbiased``, by d − 1.  Not ``eps_inside``: s = σ + eps.
    ``eps=0.0``: s = σ, as printed.  V and W (*batch, n, d), float64, float32, bfloat16 or float16; σ and s are reckoned
    in float64 (on a CPU, rows of up to 2¹³ entries: σ in the dtype of V), the half precisions are computed in float32
    and rounded once.  Rows with a mean above a quarter of σ are centred twice, so that one far above it does no harm.
    Derivatives of every order, forward and reverse, and ``torch.func``.
    With eps > 0 a constant row becomes zero, with the centred cotangent over s as its gradient.
    Raises ``ValueError`` naming a non-finite entry, a constant row where eps = 0, eps below 0 or d = 1 with
    ``unbiased``; ``TypeError`` for integers and complex numbers; looking costs one device synchronisation.  The
    backward keeps W and one number a row, no copy of V (for the half precisions W in float32).

    >>> import torch
    >>> standardize_rows(torch.tensor([[1.0, 3.0, 1.0, 3.0]]), eps=0.0)
    tensor([[-1.,  1., -1.,  1.]])
    """
    d = V.shape[-1]
    if unbiased and d == 1:
        raise ValueError("V must have d ≥ 2 columns for the unbiased standard deviation; got d = 1")
    m = d - 1 if unbiased else d
    W: Tensor = call(_Standardize, working(V), nonnegative(eps, "eps"), eps_inside, m)[0]
    return W.to(V.dtype)


class WeightStandardization(RowParametrization):
    """Parametrization of a layer's weight by rows of zero mean and unit deviation, for ``torch.nn.utils.parametrize``.

    ``eps``, ``eps_inside`` and ``unbiased`` as in ``standardize_rows``.  The default, population variance plus eps
    under the root, is smooth everywhere; ``eps=0.0`` is what *Centered weight optimization* prints, and
    ``eps_inside=False, unbiased=True`` what the public code of the method's authors does.  ``dim``: the axis of the
    output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight (in, out/groups, …));
    ``groups``: the layer's, where ``dim`` is 1.  Errors, dtypes, cost and memory as ``standardize_rows``.

    >>> import torch
    >>> W = WeightStandardization(eps=0.0, unbiased=True)(torch.tensor([[1.0, 2.0, 3.0]]))
    >>> float(W.std())
    1.0
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "odd": True,
        "permutation_equivariant_rows": True,
        "gradient_zero_mean": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "constant_row": "a constant row becomes zero, with the gradient eps^{-1/2} times the centred cotangent",
        "zero_row": "a zero row stays zero, with the gradient eps^{-1/2} times the centred cotangent",
        "zero_matrix": "stays zero, with the gradient eps^{-1/2} times the centred cotangent",
    }

    def __init__(
        self, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False, dim: int = 0, groups: int = 1
    ) -> None:
        super().__init__(dim, groups)
        self.eps, self.eps_inside, self.unbiased = nonnegative(eps, "eps"), eps_inside, unbiased
        self.map_rows = functools.partial(
            standardize_rows, eps=self.eps, eps_inside=self.eps_inside, unbiased=self.unbiased
        )
        if self.eps == 0:
            self.DECLARES = {  # type: ignore[misc]
                **WeightStandardization.DECLARES,
                "constant_norm_rows": True,
                "scale_invariant": True,
                "row_scale_invariant": True,
                "idempotent": True,
                "gradient_orthogonal_to_weight": True,
            }
            self.DOMAIN = {  # type: ignore[misc]
                "min_cols": 2,
                "constant_row": "a constant row has no deviation to divide by: ValueError naming the row",
                "zero_row": "a zero row is constant: ValueError naming the row",
                "zero_matrix": "every row is constant: ValueError naming the first",
            }
        elif not eps_inside:
            self.DOMAIN = {  # type: ignore[misc]
                "constant_row": "a constant row becomes zero, with the gradient 1/eps times the centred cotangent",
                "zero_row": "a zero row stays zero, with the gradient 1/eps times the centred cotangent",
                "zero_matrix": "stays zero, with the gradient 1/eps times the centred cotangent",
                "nonsmooth": "at a constant row there is no second derivative",
            }
        if unbiased:
            self.DOMAIN = {**self.DOMAIN, "min_cols": 2}  # type: ignore[misc]

    def extra_repr(self) -> str:
        said = f"eps={self.eps}, eps_inside={self.eps_inside}, unbiased={self.unbiased}"
        return f"{said}, {super().extra_repr()}"


class _Standardize(Rule):
    """(V, eps, inside, m) ↦ (W, t), t = σ where eps stands outside the root and t = s otherwise."""

    @staticmethod
    def forward(V: Tensor, eps: float, inside: bool, m: int) -> Any:
        if (inside or eps == 0) and fused.usable(V):
            return fused.standardized_rows(V, m, eps, lambda: _standardized(V, eps, inside, m))
        return _standardized(V, eps, inside, m)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        _, ctx.eps, ctx.inside, ctx.m = inputs
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, t_bar: Tensor | None) -> Any:
        W, t = ctx.saved_tensors
        s, c = _coefficients(t, ctx.eps, ctx.inside, ctx.m)
        G = None
        if W_bar is not None and (ctx.inside or ctx.eps == 0) and fused.usable(W) and fused.last(W_bar, W):
            G = fused.centred_tangential(W_bar, W, s, ctx.m)
        elif W_bar is not None:
            A = centre(W_bar)
            G = torch.addcmul(A, W, c * dot(A, W), value=-1) / s
        if t_bar is not None:
            G = t_bar * c * W if G is None else torch.addcmul(G, t_bar * c, W)
        return G, None, None, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (W, t):
            s, c = _coefficients(t, ctx.eps, ctx.inside, ctx.m)
            E = centre(E)
            dt = c * dot(E, W)
            return torch.addcmul(E, W, dt, value=-1) / s, dt

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Standardize, *batched(info, in_dims, arguments)), (0, 0)


def _standardized(V: Tensor, eps: float, inside: bool, m: int) -> tuple[Tensor, Tensor]:
    """(W, t) by plain operations; a ``ValueError`` names what has no deviation to divide by."""
    X = centred_rows(V)
    sigma = _deviation(X, m)
    usual, s = ordinary(sigma * math.sqrt(m), V, centred=True), _divisor(sigma, eps, inside)
    direct = X / s.to(V.dtype)
    if looking() and agreed(usual.all()):
        return direct, (sigma if eps and not inside else s).to(V.dtype)
    scaled, exponent = (finite_and_scaled if looking() else power_scaled)(V, (-1,))
    even = constant(scaled)
    X = centred_rows(scaled.masked_fill(even, 0.0))
    small = _deviation(X, m)
    sigma = ldexp(small, exponent)
    if eps == 0:
        if looking():
            refuse_row(even.squeeze(-1), "no constant row", "is constant")
        return X / small.to(V.dtype), sigma.to(V.dtype)
    s = _divisor(sigma, eps, inside)
    W = X / small.masked_fill(even, 1.0).to(V.dtype) * (sigma / s).to(V.dtype)
    if looking():  # what an ordinary row gives does not hang on the rows beside it
        W = torch.where(usual, direct, W)
    return W, (s if inside else sigma).to(V.dtype)


def _deviation(X: Tensor, m: int) -> Tensor:
    """‖x‖ / √m in float64, where no square of a float32 over- or underflows."""
    norm: Tensor = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64)
    return norm / math.sqrt(m)


def _divisor(sigma: Tensor, eps: float, inside: bool) -> Tensor:
    s: Tensor = torch.hypot(sigma, torch.full_like(sigma, math.sqrt(eps))) if inside else sigma + eps
    return s


def _coefficients(t: Tensor, eps: float, inside: bool, m: int) -> tuple[Tensor, Tensor]:
    """s and c of the derivative dw = (E − c ⟨w, E⟩ w) / s, as functions of t."""
    if inside or eps == 0:
        return t, torch.full_like(t, 1 / m)
    # Below the smallest normal number σ / eps is nothing: the term with c is left out, before it is ∞ × 0.
    unseen = t < torch.finfo(t.dtype).tiny
    s = t + eps
    return s, (s / (m * t.masked_fill(unseen, 1.0))).masked_fill(unseen, 0.0)
