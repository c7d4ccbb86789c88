"""Weight decay in PyTorch: L(W) = Σ w² (``convention="sum"``, equation 9 of *Norm loss*) or ½ Σ w² (``"half"``).

Coupled: L is a loss, and 2 w or w part of the gradient.  Decoupled (I. Loshchilov and F. Hutter, *Decoupled weight
decay regularization*, 2019): W ← W − η λ ∂L/∂W beside the optimiser's step.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from torch import Tensor

from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working

SLOPES: Final = {"sum": 2.0, "half": 1.0}
"""∂L/∂w = slope × w."""


def square_sum(W: Rows, convention: str = "sum") -> Tensor:
    """Σ w², or half of it, shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16.  Gradient 2 W or W, also where the value overflows.
    ``ValueError`` for another convention, ``TypeError`` for integers and complex numbers; a non-finite entry gives a
    non-finite value.  The backward keeps W itself, no copy (a float32 one for the half precisions).

    >>> import torch
    >>> square_sum(torch.tensor([[1.0, 2.0]])), square_sum(torch.tensor([[1.0, 2.0]]), "half")
    (tensor(5.), tensor(2.5000))
    """
    return slope(convention) / 2 * working(W).square().sum((-2, -1))


class WeightDecay(ProximalPenalty):
    """The penalty factor × Σ w², or factor × ½ Σ w², on a layer's weight.

    ``convention``: ``"sum"`` as equation 9 of *Norm loss*, ``"half"`` as the optimisers of PyTorch: ``weight_decay=λ``
    is factor λ with ``"half"``, factor λ/2 with ``"sum"``.  As a loss and as ``weight_decay`` of ``torch.optim.SGD`` it
    is the same training, momentum included; with Adam too (both go through its denominators), but not ``decoupled``,
    which is what AdamW does: that is the same as the coupled form for plain SGD alone.  ``prox`` is W / (1 + slope ×
    step × factor).  ``dim``, ``groups``: see ``to_rows``.  Dtypes, errors and memory as ``square_sum``.

    >>> import torch
    >>> penalty = WeightDecay(0.25, convention="half")
    >>> penalty(torch.full((1, 2), 2.0)), penalty.decoupled(torch.full((1, 2), 2.0), 0.5)
    (tensor(1.), tensor([[1.7500, 1.7500]]))
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
        "convex": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {}

    def __init__(self, factor: float = 1.0, *, convention: str = "sum", dim: int = 0, groups: int = 1) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        slope(convention)
        self.convention = convention

    def value(self, W: Tensor) -> Tensor:
        return square_sum(W, self.convention)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        return (working(W) / (1 + slope(self.convention) * step)).to(W.dtype)

    def decoupled(self, W: Tensor, lr: float) -> Tensor:
        """(1 − lr × factor × slope) W, of any shape: the decoupled step with learning rate ``lr``."""
        return W * (1 - lr * self.factor * slope(self.convention))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, convention={self.convention!r}"


def slope(convention: str) -> float:
    """2 for ``"sum"``, 1 for ``"half"``; ``ValueError`` for anything else."""
    if convention not in SLOPES:
        raise ValueError(f"convention must be 'sum' (Σ w²) or 'half' (½ Σ w²); got {convention!r}")
    return SLOPES[convention]
