"""JAX's maps through a wrapper: equinox's weight normalization with its gradient, optax's projections and Muon."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from optax.contrib import _muon
from torch import Tensor, nn

jax.config.update("jax_enable_x64", True)

_TORCH_ONLY = {"no_compile": "the wrapper's", "no_vmap": "the wrapper's"}


def _array(X: Tensor) -> jax.Array:
    """The same numbers in the same dtype: float64, which NumPy has, holds those of every other one."""
    return jnp.asarray(X.detach().double().numpy(), dtype=str(X.dtype).removeprefix("torch."))


def _tensor(X: jax.Array, like: Tensor) -> Tensor:
    return torch.from_numpy(np.array(X, dtype=np.float64)).to(like.dtype)


class _ByJax(torch.autograd.Function):
    """A function of JAX arrays, and its vector–Jacobian product by JAX."""

    @staticmethod
    def forward(ctx, function, *inputs):
        out, ctx.vjp = jax.vjp(function, *map(_array, inputs))
        ctx.inputs = inputs
        return _tensor(out, inputs[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, G):
        grads = ctx.vjp(_array(G))
        return None, *(_tensor(grad, like) for grad, like in zip(grads, ctx.inputs, strict=True))


@jax.jit
def _weight_normed(V: jax.Array, g: jax.Array) -> jax.Array:
    """The weight of ``equinox.nn.WeightNorm`` on a linear layer, from what it does to the unit vectors."""
    rows, columns = V.shape
    linear = eqx.nn.Linear(columns, rows, use_bias=False, dtype=V.dtype, key=jax.random.key(0))
    normed = eqx.nn.WeightNorm(eqx.tree_at(lambda layer: layer.weight, linear, V))
    normed = eqx.tree_at(lambda layer: layer.g, normed, g)
    return jax.vmap(normed, in_axes=1, out_axes=1)(jnp.eye(columns, dtype=V.dtype))


class EquinoxWeightNorm(nn.Module):
    """``g v / ‖v‖`` row by row."""

    DECLARES = {"row_scale_invariant": True, "gradient_orthogonal_to_weight": True}
    DOMAIN = {**_TORCH_ONLY, "no_double_backward": "the wrapper's"}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.g = nn.Parameter(weight.detach().flatten(1).norm(dim=1, keepdim=True))

    def forward(self, V: Tensor) -> Tensor:
        return _ByJax.apply(_weight_normed, V.flatten(1), self.g).reshape(V.shape)


_CONVEX = {"euclidean_projection": True, "idempotent": True, "nonexpansive": True, "permutation_equivariant_rows": True}
_SIMPLEX = jax.jit(jax.vmap(optax.projections.projection_simplex))
_L1_BALL = jax.jit(jax.vmap(optax.projections.projection_l1_ball))
_L2_BALL = jax.jit(jax.vmap(optax.projections.projection_l2_ball))
_WIDE = {torch.bfloat16: torch.float32, torch.float16: torch.float32}


def _by_rows(project, W: Tensor) -> Tensor:
    X = W.detach().flatten(1)
    return _tensor(project(_array(X.to(_WIDE.get(W.dtype, W.dtype)))), W).reshape(W.shape)


def optax_simplex(W: Tensor) -> Tensor:
    return _by_rows(_SIMPLEX, W)


optax_simplex.DECLARES = {**_CONVEX, "shift_invariant_rows": True}
optax_simplex.SET = {"name": "simplex_rows"}
optax_simplex.DOMAIN = _TORCH_ONLY


def optax_l1_ball(W: Tensor) -> Tensor:
    return _by_rows(_L1_BALL, W)


optax_l1_ball.DECLARES = {**_CONVEX, "odd": True, "l1_rows_le": 1.0}
optax_l1_ball.SET = {"name": "l1_ball_rows"}
optax_l1_ball.DOMAIN = _TORCH_ONLY


def optax_l2_ball(W: Tensor) -> Tensor:
    return _by_rows(_L2_BALL, W)


optax_l2_ball.DECLARES = {**_CONVEX, "odd": True, "rotation_equivariant": True}
optax_l2_ball.SET = {"name": "l2_ball_rows"}
optax_l2_ball.DOMAIN = _TORCH_ONLY


_NEWTON_SCHULZ = jax.jit(_muon.orthogonalize_via_newton_schulz)


def optax_muon(W: Tensor) -> Tensor:
    """Five steps of a quintic, which keeps the input's dtype."""
    return _tensor(_NEWTON_SCHULZ(_array(W), jnp.asarray(_muon._DEFAULT_NS_COEFFS)), W)


optax_muon.DECLARES = {"orthonormal_rows": True}
optax_muon.DOMAIN = {**_TORCH_ONLY, "matrices_only": True, "approximate": {"orthonormal_rows": 1.25}}
