"""Row normalization, the centred polar factor and their derivatives in PyTorch, each differentiable to any order.

The pattern throughout: whatever a backward needs is an *output* of the function (w and r; W and S) or a function of
its own of such outputs, so that differentiating the backward goes through the graph and misses nothing.  Eigenvectors
and singular values ride along as caches: they decide how a quantity is computed, never what is differentiated.

Tensors are (*batch, n, d), float32 or float64 (``working`` turns the half precisions into float32, exactly).  Every
function here has forward mode, reverse mode and a batching rule, and keeps matrix products out of autocast.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual

Rows = Float[Tensor, "*batch n d"]
WELL_CONDITIONED = {torch.float32: 64.0, torch.float64: 16.0}
"""Below this λ_max / λ_min (the square of κ(V_C)) the cheap way loses no more than a small constant times κ(V_C) u: the
product in float32, the eigenvalues of the Gram matrix in float64."""


def working(V: Tensor) -> Tensor:
    """V itself in float32 or float64, or its exact float32 copy for bfloat16 and float16; ``TypeError`` otherwise."""
    if V.dtype in (torch.float32, torch.float64):
        return V
    if V.dtype in (torch.bfloat16, torch.float16):
        return V.float()
    raise TypeError(f"V must be a real floating tensor (float64, float32, bfloat16 or float16); got {V.dtype}")


def normalize(V: Tensor, *, centred: bool) -> tuple[Tensor, Tensor]:
    """(W, r): r_i = ‖x_i‖, shape (*batch, n, 1), w_i = x_i / r_i, with x = v or, ``centred``, v − mean(v).

    ``ValueError`` names a non-finite entry, a zero row or (centred) a constant row; finding out synchronises with the
    device once.  The backward keeps W and r, no copy of V.
    """
    W, r = _call(_NormalizeRows, V, centred)
    return W, r


def polar(V: Tensor) -> Tensor:
    """W = Σ^{-1/2} V_C, Σ = V_C V_Cᵀ, for V (*batch, n, d).

    ``ValueError`` names a non-finite entry, or the shape and the numerical rank of V_C where it is below n (a singular
    value counts as zero up to max(n, d) u times the largest); finding out synchronises with the device.  The backward
    keeps W, S = Σ^{1/2}, its eigenvectors D and eigenvalues s, no copy of V.  Differentiating the backward in reverse
    mode forms numbers of the size ‖V_C‖⁻³ on the way: in float64 it needs scales within 2^±330.
    """
    W: Tensor = _call(_CentredPolar, V)[0]
    return W


def centre(V: Tensor) -> Tensor:
    """V − mean of each row, linear and self-adjoint; the means of the result vanish to rounding of the result."""
    X: Tensor = _call(_Centre, V)
    return X


def _call(function: type[Function], *arguments: Any) -> Any:
    return function.apply(*arguments)  # type: ignore[no-untyped-call]


def _batched(info: Any, in_dims: tuple[int | None, ...], arguments: tuple[Any, ...]) -> list[Any]:
    """The batching rule: all functions take leading batch axes, so the new axis goes to the front of every tensor."""
    return [
        argument
        if not isinstance(argument, Tensor)
        else argument.expand(info.batch_size, *argument.shape)
        if dim is None
        else argument.movedim(dim, 0)
        for argument, dim in zip(arguments, in_dims, strict=True)
    ]


def _exactly(tensor: Tensor) -> torch.autocast:
    """Autocast off: a Gram matrix in bfloat16 would ruin the weight under any mixed-precision training loop."""
    return torch.autocast(tensor.device.type, enabled=False)


def _dot(A: Tensor, B: Tensor) -> Tensor:
    """⟨a_i, b_i⟩ of the rows, (*batch, n, 1), without a product of size n d in between."""
    with _exactly(A):
        inner: Tensor = torch.linalg.vecdot(A, B)
        return inner.unsqueeze(-1)


@contextlib.contextmanager
def _tangents(ctx: Any) -> Iterator[tuple[Tensor, ...]]:
    """What every jvp rule runs in: autocast off, forward mode on, and what ``ctx`` saved, without its own tangents.

    PyTorch calls a custom jvp with forward mode switched off, so that the *outer* tangents of a nested ``jacfwd`` or
    ``jvp`` are lost without a word and second derivatives come out as zero (seen with torch 2.13).  Switched on, a
    saved input still carries the tangent of the *present* level, which the rule already accounts for: taken off here.
    """
    saved = tuple(unpack_dual(tensor).primal for tensor in ctx.saved_tensors)  # type: ignore[no-untyped-call]
    with _exactly(saved[0]), _set_fwd_grad_enabled(True):
        yield saved


def _centred(V: Tensor) -> Tensor:
    """V − mean of each row.

    The rounded mean c misses by up to γ_d |c|, the same for all entries of a row, however small the spread; the
    difference is rounded only relative to its own size.  Taking off the mean of the difference removes that miss.  In a
    constant row the first difference is a few units in the last place everywhere, whose mean is exact: it becomes zero.
    """
    once = V - V.mean(-1, keepdim=True)
    return once.sub_(once.mean(-1, keepdim=True))


class _Centre(Function):
    @staticmethod
    def forward(V: Tensor) -> Tensor:
        return _centred(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep: the map is linear."""

    @staticmethod
    def backward(ctx: Any, X_bar: Tensor) -> Any:
        return centre(X_bar)

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with _set_fwd_grad_enabled(True):
            return centre(E)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _call(_Centre, *_batched(info, in_dims, arguments)), 0


class _NormalizeRows(Function):
    @staticmethod
    def forward(V: Tensor, centred: bool) -> Any:
        X = _centred(V) if centred else V
        # In float64 no square of a float32 over- or underflows, and the sum keeps its last bits.
        r = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64)
        if bool(_ordinary(r, V).all()):
            r = r.to(V.dtype)
            return X / r, r
        scaled, exponent = _scaled(V, (-1,))
        if centred:
            _refuse_row(scaled.amax(-1) == scaled.amin(-1), "no constant row", "is constant")
            X = _centred(scaled)
        else:
            _refuse_row(~scaled.any(-1), "no zero row", "is zero")
            X = scaled
        r = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64).to(V.dtype)
        return X / r, _ldexp(r, exponent)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.centred = inputs[1]
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, r_bar: Tensor | None) -> Any:
        W, r = ctx.saved_tensors
        G = None
        if W_bar is not None:
            A = centre(W_bar) if ctx.centred else W_bar
            G = torch.addcmul(A, W, _dot(A, W), value=-1).div_(r)
        if r_bar is not None:
            G = r_bar * W if G is None else torch.addcmul(G, r_bar, W)
        return G, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, _: None) -> Any:
        with _tangents(ctx) as (W, r):
            E = centre(E) if ctx.centred else E
            dr = _dot(E, W)
            return torch.addcmul(E, W, dr, value=-1) / r, dr

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _call(_NormalizeRows, *_batched(info, in_dims, arguments)), (0, 0)


class _CentredPolar(Function):
    """V ↦ (W, S) and the caches D, s (not differentiated) with S = D diag(s) Dᵀ."""

    @staticmethod
    def forward(V: Tensor) -> Any:
        with _exactly(V):
            return _decompose(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, S_bar: Tensor | None, *_: Any) -> Any:
        """G_C = Z W + S⁻¹ (A − B W) + 2 Y S W, in three products of n² d: B = A Wᵀ, S⁻¹ A and (Z − S⁻¹ B + 2 Y S) W."""
        W, S, D, s = ctx.saved_tensors
        with _exactly(W):
            left = direct = None
            if W_bar is not None:
                B = W_bar @ W.mT
                inverse = _call(_Inverse, S, D, s)
                left = _call(_Lyapunov, S, B - B.mT, D, s) - inverse @ B
                direct = inverse @ W_bar
            if S_bar is not None:
                Y2 = _call(_Lyapunov, S, S_bar + S_bar.mT, D, s)
                left = Y2 @ S if left is None else left + Y2 @ S
            if left is None:
                return None
            G = left @ W
            return centre(G if direct is None else G + direct)

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with _tangents(ctx) as (W, S, D, s):
            E = centre(E)
            K = E @ W.mT
            Omega = _call(_Lyapunov, S, K - K.mT, D, s)
            inverse = _call(_Inverse, S, D, s)
            return (Omega - inverse @ K) @ W + inverse @ E, K - S @ Omega, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _call(_CentredPolar, *_batched(info, in_dims, arguments)), (0, 0, 0, 0)


class _Inverse(Function):
    """S ↦ S⁻¹ from S = D diag(s) Dᵀ."""

    @staticmethod
    def forward(S: Tensor, D: Tensor, s: Tensor) -> Tensor:
        with _exactly(S):
            return (D / s.unsqueeze(-2)) @ D.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, inverse_bar: Tensor) -> Any:
        (inverse,) = ctx.saved_tensors
        with _exactly(inverse):
            return -(inverse @ inverse_bar @ inverse), None, None

    @staticmethod
    def jvp(ctx: Any, dS: Tensor, *_: Any) -> Any:
        with _tangents(ctx) as (inverse,):
            return -(inverse @ dS @ inverse)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _call(_Inverse, *_batched(info, in_dims, arguments)), 0


class _Lyapunov(Function):
    """(S, C) ↦ X of S X + X S = C, from S = D diag(s) Dᵀ, s > 0; self-adjoint in C."""

    @staticmethod
    def forward(S: Tensor, C: Tensor, D: Tensor, s: Tensor) -> Tensor:
        with _exactly(S):
            return D @ ((D.mT @ C @ D) / (s.unsqueeze(-1) + s.unsqueeze(-2))) @ D.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        S, _, D, s = inputs
        ctx.save_for_backward(S, output, D, s)
        ctx.save_for_forward(S, output, D, s)

    @staticmethod
    def backward(ctx: Any, X_bar: Tensor | None) -> Any:
        if X_bar is None:
            return None, None, None, None
        S, X, D, s = ctx.saved_tensors
        with _exactly(S):
            Y = _call(_Lyapunov, S, X_bar, D, s)
            S_bar = -(Y @ X.mT + X.mT @ Y) if ctx.needs_input_grad[0] else None
            return S_bar, Y, None, None

    @staticmethod
    def jvp(ctx: Any, dS: Tensor | None, dC: Tensor | None, *_: Any) -> Any:
        with _tangents(ctx) as (S, X, D, s):
            right = dC
            if dS is not None:
                moved = dS @ X + X @ dS
                right = -moved if right is None else right - moved
            return _call(_Lyapunov, S, right, D, s)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _call(_Lyapunov, *_batched(info, in_dims, arguments)), 0


def _decompose(V: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W, S, D, s of V_C, in the dtype of V; V_C, its Gram matrix and eigenvalues are float64 throughout."""
    n, d = V.shape[-2:]
    if n >= d:
        raise ValueError(
            f"V must have full row rank after centring, which needs n ≤ d - 1; got shape {tuple(V.shape)}, "
            f"so rank at most {d - 1}"
        )
    X = _centred(V.double())
    Sigma = X @ X.mT
    exponent = None
    if not bool(_ordinary(Sigma.diagonal(dim1=-2, dim2=-1).sqrt(), V).all()):
        V, exponent = _scaled(V, (-2, -1))
        X = _centred(V.double())
        Sigma = X @ X.mT
    lam, D = torch.linalg.eigh(Sigma)
    s = lam.clamp(min=0).sqrt()
    well = bool((lam[..., -1] < WELL_CONDITIONED[V.dtype] * lam[..., 0]).all())
    if well:
        W = ((D / s.unsqueeze(-2)) @ D.mT).to(V.dtype) @ X.to(V.dtype)
    elif V.dtype == torch.float64:
        # Eigenvalues of the Gram matrix carry κ² u; the singular value decomposition keeps W orthonormal to u.
        D, s, Qt = torch.linalg.svd(X, full_matrices=False)
        _refuse_rank(s, V)
        W = D @ Qt
        # LAPACK's decomposition drops off-diagonal entries up to about 100 u: a Newton step each for orthonormality and
        # for the symmetry of W V_Cᵀ, whose eigenvalues and eigenvectors are then right to u.
        W = 1.5 * W - 0.5 * (W @ W.mT) @ W
        M = W @ X.mT
        W = W + D @ ((D.mT @ (M.mT - M) @ D) / (s.unsqueeze(-1) + s.unsqueeze(-2))) @ D.mT @ W
        W = 1.5 * W - 0.5 * (W @ W.mT) @ W
        M = W @ X.mT
        smallest = s.amin(-1, keepdim=True)  # known to be positive; eigh is right to u s_max only
        s, D = torch.linalg.eigh((M + M.mT) / 2)
        s = torch.maximum(s, smallest)
    else:
        # Here float64 has the bits for κ²; a float32 product would leave rows that are orthonormal only to κ u.
        _refuse_rank(s, V)
        W = ((D / s.unsqueeze(-2)) @ D.mT @ X).to(V.dtype)
    if V.dtype == torch.float64:
        # V_C has zero mean to u, its polar factor only to κ u, hence centred once more; and one Newton-Schulz step
        # squares what is left in W Wᵀ − I (κ² u of the Gram matrix, or the many u of a decomposition).
        W = _centred(W)
        W = 1.5 * W - 0.5 * (W @ W.mT) @ W
    D, s = D.to(V.dtype), s.to(V.dtype)
    S = (D * s.unsqueeze(-2)) @ D.mT
    if exponent is not None:
        S, s = _ldexp(S, exponent), _ldexp(s, exponent.squeeze(-1))
    return W, S, D, s


def _ordinary(norm: Tensor, V: Tensor) -> Tensor:
    """Where norms are so far from over- and underflow that no square has lost a bit.  False for zero and NaN."""
    reach = 2.0 ** (60 if V.dtype == torch.float32 else 400)
    return (norm > 1 / reach) & (norm < reach)


def _scaled(V: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(V 2^-e, e), exact, largest |entry| along ``axes`` in [1/2, 1); a ``ValueError`` names a non-finite entry."""
    wrong = ~V.isfinite()
    if bool(wrong.any()):
        place = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(f"V must be finite; got V{list(place)} = {V[place].item()}")
    exponent = torch.frexp(V.abs().amax(axes, keepdim=True)).exponent
    return _ldexp(V, -exponent), exponent


def _ldexp(x: Tensor, exponent: Tensor) -> Tensor:
    """x 2^e in two steps, since 2^e alone may over- or underflow where the result does not."""
    half = exponent // 2
    return torch.ldexp(torch.ldexp(x, half), exponent - half)


def _refuse_row(wrong: Tensor, wanted: str, found: str) -> None:
    if bool(wrong.any()):
        place = ", ".join(str(k) for k in wrong.nonzero()[0].tolist())
        raise ValueError(f"V must have {wanted}; V[{place}, :] {found}")


def _refuse_rank(s: Tensor, V: Tensor) -> None:
    n, d = V.shape[-2:]
    threshold = max(n, d) * (torch.finfo(V.dtype).eps / 2) * s.amax(-1, keepdim=True)
    rank = int((s > threshold).sum(-1).min())
    if rank < n:
        raise ValueError(
            f"V must have full row rank after centring, which needs n ≤ d - 1; got shape {tuple(V.shape)} "
            f"and numerical rank {rank} of V_C"
        )
