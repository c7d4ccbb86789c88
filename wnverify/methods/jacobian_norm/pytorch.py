"""Jacobian regularization in PyTorch: the mean over a batch of ‖∂f(x)/∂x‖_F², f a network.

J. Sokolić, R. Giryes, G. Sapiro and M. Rodrigues, *Robust large margin deep neural networks*, 2017; J. Hoffman,
D. A. Roberts and S. Yaida, *Robust learning with Jacobian regularization*, 2019, equations 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wnverify.primitives.scalars import nonnegative


def jacobian_norm(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    projections: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """mean_b ‖∂f(x_b)/∂x_b‖_F², a scalar, differentiable by the parameters of f (and by x, where that asks for it).

    ``network``: x (B, …) ↦ (B, …), one example not depending on another: with batch normalization in training mode the
    result is that of the sum over the batch instead.  ``projections=None``: exact, C passes back through the network
    together (C outputs an example; ``vmap``, so f must be made of operations with batching rules).  ``projections=p``:
    (C / p) Σ_k ‖v_kᵀ J‖² with v uniform on the unit sphere, drawn anew at every call from ``generator`` (of the device
    of x): p passes, the mean exact, the variance 2 (C tr A² − (tr A)²) / ((C + 2) p) for each example, A = J Jᵀ.
    ``ValueError`` for another count of projections, an empty batch, or an output without the batch axis.

    >>> jacobian_norm(lambda x: 3 * x, torch.zeros(5, 2)).item()
    18.0
    """
    check_projections(projections)
    if x.dim() < 2 or len(x) == 0:
        raise ValueError(f"x must be a batch (B, …) of at least one example; got shape {tuple(x.shape)}")
    record = torch.is_grad_enabled()
    with torch.enable_grad():
        leaf = x if x.requires_grad else x.detach().requires_grad_()
        y = network(leaf)
        if y.dim() < 1 or len(y) != len(x):
            raise ValueError(f"network must keep the batch axis of x, {len(x)}; it gave shape {tuple(y.shape)}")
        flat = y.reshape(len(x), -1)
        count = flat.shape[1]
        if projections is None:
            probes = torch.eye(count, dtype=flat.dtype, device=flat.device).unsqueeze(1).expand(-1, len(x), -1)
        else:
            shape = (projections, *flat.shape)
            probes = torch.randn(shape, dtype=flat.dtype, device=flat.device, generator=generator)
            probes = probes / torch.linalg.vector_norm(probes, dim=-1, keepdim=True)
        (rows,) = torch.autograd.grad(flat, leaf, probes, create_graph=record, is_grads_batched=True)
        share = 1.0 if projections is None else count / projections
        norm: Tensor = share / len(x) * rows.square().sum()
    return norm


def check_projections(projections: int | None) -> None:
    """``ValueError`` unless it is None or a whole number, at least 1."""
    whole = isinstance(projections, int) and not isinstance(projections, bool)
    if projections is not None and (not whole or projections < 1):
        raise ValueError(f"projections must be None (exact) or a whole number, at least 1; got {projections!r}")


class JacobianNorm(nn.Module):
    """The penalty factor × mean_b ‖∂f(x_b)/∂x_b‖_F² on a network: called with the network and a batch, not a weight.

    ``factor``: λ/2 of Hoffman, Roberts and Yaida; it may be set anew between steps, by a schedule.  ``projections``:
    None for the exact norm, or the number of random projections; ``generator`` at the call.  ``ValueError`` as
    ``jacobian_norm``, and for a factor below 0.  At the kinks of ReLU the derivative is the one that PyTorch takes, 0.

    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    >>> loss = JacobianNorm(0.01)(network, torch.randn(8, 3))
    >>> loss.backward()
    >>> network[0].weight.grad.shape
    torch.Size([4, 3])
    """

    def __init__(self, factor: float = 1.0, *, projections: int | None = None) -> None:
        super().__init__()
        self.factor = nonnegative(factor, "factor")
        check_projections(projections)
        self.projections = projections

    def forward(
        self, network: Callable[[Tensor], Tensor], x: Tensor, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """factor × the (estimated) mean squared norm, of the dtype of the network's output."""
        return self.factor * jacobian_norm(network, x, projections=self.projections, generator=generator)

    def extra_repr(self) -> str:
        return f"factor={self.factor}, projections={self.projections}"
