"""Spectral normalization in PyTorch: W = V / σ, σ = σ_1(V) the largest singular value of the output units' rows.

T. Miyato, T. Kataoka, M. Koyama and Y. Yoshida, *Spectral normalization for generative adversarial networks*, 2018,
equation 8, with σ exact; torch's own ``torch.nn.utils.parametrizations.spectral_norm`` estimates it by power iteration.

The derivative of σ is P = u vᵀ, u and v the leading singular pair.  Where σ is simple, P has derivatives of its own:
for a change dW of a W with σ_1 = 1, (du, dv) solves

    [ I   −W ] [du]   [dW v ]
    [−Wᵀ   I ] [dv] = [dWᵀ u],     du ⟂ u, dv ⟂ v,

with eigenvalues 1 ± s_i, i ≥ 2, and 1: it divides by the gap 1 − s_2 and by no difference of lower singular values.  A
dW that keeps σ_1 = 1 has uᵀ dW v = 0, so that the right side is orthogonal to (u, 0) and (0, v) as the left one is.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.pytorch import Rows, finite_and_scaled, ordinary
from wnverify.primitives.rules import Rule, batched, call, exactly, ldexp, looking, power_scaled, tangents, working


def divide_by_spectral_norm(V: Rows) -> Rows:
    """W = V / σ_1(V), σ_1 the largest singular value.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  σ_1 and its pair come from the smaller Gram matrix in float64: the largest singular value loses
    nothing by that.  Derivatives of every order, forward and reverse, and ``torch.func``, where σ_1 is a simple
    singular value; the first one is right to about u σ_1 / (σ_1 − σ_2).  Where it is repeated the map has no
    derivative: the backward is then that of one of its singular pairs, an element of Clarke's generalized Jacobian,
    and second derivatives are huge or not finite.
    Raises ``ValueError`` for a zero matrix or naming a non-finite entry, ``TypeError`` for integers and complex
    numbers; looking costs one device synchronisation.  Cost: a Gram matrix of n d min(n, d), an eigendecomposition of
    min(n, d)³; a second derivative adds a singular value decomposition.  The backward keeps W, σ_1, u and v, no copy
    of V (for the half precisions in float32).

    >>> import torch
    >>> divide_by_spectral_norm(torch.tensor([[0.0, 2.0], [4.0, 0.0]]))
    tensor([[0.0000, 0.5000],
            [1.0000, 0.0000]])
    """
    W: Tensor = call(_DivideBySpectralNorm, working(V))[0]
    return W.to(V.dtype)


class SpectralNormalization(RowParametrization):
    """Parametrization of a layer's weight by matrices of spectral norm 1, for ``torch.nn.utils.parametrize``.

    ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight
    (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1 (all rows together are one matrix).  For a
    convolution it is the norm of the flattened kernel, as in the paper, not of the layer's map.  Errors, dtypes, cost
    and memory as ``divide_by_spectral_norm``.

    >>> import torch
    >>> SpectralNormalization()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "spectral_norm_le_1": True,
        "scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "zero_matrix": "σ_1 = 0 divides nothing: ValueError",
        "nonsmooth": "where the largest singular value is repeated: the backward is that of one of its singular pairs",
    }

    map_rows = staticmethod(divide_by_spectral_norm)


class _DivideBySpectralNorm(Rule):
    """V ↦ (W, σ) and the caches u (n, 1), v (d, 1), which ``_LeadingPair`` makes differentiable."""

    @staticmethod
    def forward(V: Tensor) -> Any:
        with exactly(V):
            return _decompose(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, sigma_bar: Tensor | None, *_: Any) -> Any:
        W, sigma, u, v = ctx.saved_tensors
        u, v = call(_LeadingPair, W, u, v)
        with exactly(W):
            G = None
            if W_bar is not None:
                inner = (W_bar * W).sum((-2, -1), keepdim=True)
                G = (W_bar - (inner * u) @ v.mT) / sigma
            if sigma_bar is not None:
                P = (sigma_bar * u) @ v.mT
                G = P if G is None else G + P
            return G

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with tangents(ctx) as (W, sigma, u, v):
            u, v = call(_LeadingPair, W, u, v)
            dsigma = u.mT @ E @ v
            return (E - dsigma * W) / sigma, dsigma, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_DivideBySpectralNorm, *batched(info, in_dims, arguments)), (0, 0, 0, 0)


class _LeadingPair(Rule):
    """W ↦ (u, v) from the known u and v, for W with σ_1 = 1 and changes that keep it so."""

    @staticmethod
    def forward(W: Tensor, u: Tensor, v: Tensor) -> Any:
        return u.clone(), v.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], *output)
        ctx.save_for_forward(inputs[0], *output)

    @staticmethod
    def backward(ctx: Any, u_bar: Tensor, v_bar: Tensor) -> Any:
        W, u, v = ctx.saved_tensors
        with exactly(W):
            p, q = _resolve(W, u, v, u_bar, v_bar)
            return p @ v.mT + u @ q.mT, None, None

    @staticmethod
    def jvp(ctx: Any, dW: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (W, u, v):
            return _resolve(W, u, v, dW @ v, dW.mT @ u)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_LeadingPair, *batched(info, in_dims, arguments)), (0, 0)


def _resolve(W: Tensor, u: Tensor, v: Tensor, a: Tensor, b: Tensor) -> Any:
    """(p, q) of the equation above for the right sides a (n, 1) and b (d, 1)."""
    return call(_Bordered, W, u, v, a, b, *call(_Decomposition, W))


class _Decomposition(Rule):
    """W ↦ U, s, Vᵀ, thin: caches, of which nothing is differentiated."""

    @staticmethod
    def forward(W: Tensor) -> Any:
        return tuple(torch.linalg.svd(W, full_matrices=False))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        return None

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Any:
        return None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Decomposition, *batched(info, in_dims, arguments)), (0, 0, 0)


class _Bordered(Rule):
    """(W, u, v, a, b) ↦ (p, q) of H (p, q) = (a, b), H = [I, −W; −Wᵀ, I] + ½ (u, v)(u, v)ᵀ, symmetric and regular.

    The added term makes the eigenvalue 0 of (u, v) a 1; for a ⟂ u, b ⟂ v it changes nothing.  In the backward a and b
    have parts along u and v, which become a multiple of u vᵀ in the cotangent of W: what divides by σ takes that off.
    """

    @staticmethod
    def forward(
        W: Tensor, u: Tensor, v: Tensor, a: Tensor, b: Tensor, U: Tensor, s: Tensor, Vt: Tensor
    ) -> tuple[Tensor, Tensor]:
        with exactly(W):
            along_U, along_V = U.mT @ a, Vt @ b
            gap = torch.cat([torch.ones_like(s[..., :1]), s[..., :1] - s[..., 1:]], -1).unsqueeze(-1)
            even = (along_U + along_V) / 2 / gap
            odd = (along_U - along_V) / 2 / (s[..., :1] + s).unsqueeze(-1)
            p = a + U @ (even + odd - along_U)
            q = b + Vt.mT @ (even - odd - along_V)
            return p, q

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        W, u, v, _, _, *caches = inputs
        ctx.save_for_backward(W, u, v, *output, *caches)
        ctx.save_for_forward(W, u, v, *output, *caches)

    @staticmethod
    def backward(ctx: Any, p_bar: Tensor, q_bar: Tensor) -> Any:
        W, u, v, p, q, *caches = ctx.saved_tensors
        with exactly(W):
            x, y = call(_Bordered, W, u, v, p_bar, q_bar, *caches)
            W_bar = x @ q.mT + p @ y.mT
            of_solution, of_cotangent = u.mT @ p + v.mT @ q, u.mT @ x + v.mT @ y
            u_bar = -(x * of_solution + p * of_cotangent) / 2
            v_bar = -(y * of_solution + q * of_cotangent) / 2
            return W_bar, u_bar, v_bar, x, y, None, None, None

    @staticmethod
    def jvp(
        ctx: Any, dW: Tensor | None, du: Tensor | None, dv: Tensor | None, da: Tensor | None, db: Tensor | None, *_: Any
    ) -> Any:
        with tangents(ctx) as (W, u, v, p, q, *caches):
            a = torch.zeros_like(p) if da is None else da
            b = torch.zeros_like(q) if db is None else db
            if dW is not None:
                a, b = a + dW @ q, b + dW.mT @ p
            inner, moved = (u.mT @ p + v.mT @ q) / 2, torch.zeros_like(u[..., :1, :])
            if du is not None:
                a, moved = a - du * inner, moved + du.mT @ p / 2
            if dv is not None:
                b, moved = b - dv * inner, moved + dv.mT @ q / 2
            return call(_Bordered, W, u, v, a - u * moved, b - v * moved, *caches)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Bordered, *batched(info, in_dims, arguments)), (0, 0)


def _decompose(V: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W, σ, u and v, in the dtype of V."""
    X, exponent = V, None
    gram = _gram(X)
    norm = gram.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()
    if not (looking() and bool(ordinary(norm, V).all())):
        X, exponent = (finite_and_scaled if looking() else power_scaled)(V, (-2, -1))
        if looking():
            _refuse_zero(~X.flatten(-2).any(-1))
        gram = _gram(X)
        if not looking():
            # The decomposition raises at what is not finite; a zero matrix gives NaN like one that is not.
            finite = gram.isfinite().flatten(-2).all(-1)[..., None, None]
            X, gram = torch.where(finite, X, 0.0), torch.where(finite, gram, 0.0)
    wide = X.shape[-2] <= X.shape[-1]
    Y = X.double() if wide else X.double().mT
    u = torch.linalg.eigh(gram)[1][..., -1:]
    v, sigma = _unit(Y.mT @ u)  # misses by the square only of what u misses
    if not wide:
        u, v = v, u
    sigma, u, v = (x.to(V.dtype) for x in (sigma, u, v))
    W = X / sigma
    return W, sigma if exponent is None else ldexp(sigma, exponent), u, v


def _refuse_zero(zero: Tensor) -> None:
    if bool(zero.any()):
        place = "".join(f"[{k}]" for k in zero.nonzero()[0].tolist())
        raise ValueError(f"V must not be zero: its largest singular value is divided by; got V{place} = 0")


def _gram(X: Tensor) -> Tensor:
    """X Xᵀ or Xᵀ X, the smaller, in float64."""
    X = X.double()
    return X @ X.mT if X.shape[-2] <= X.shape[-1] else X.mT @ X


def _unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """A column (*batch, n, 1) and its norm: x / ‖x‖, ‖x‖."""
    norm = torch.linalg.vector_norm(x, dim=-2, keepdim=True)
    return x / norm, norm
