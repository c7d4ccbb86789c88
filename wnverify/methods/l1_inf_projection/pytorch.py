"""L1,∞ projected gradient in PyTorch: after every step each unit's weights and bias go to the nearest w with ‖w‖₁ ≤ c.

M. Wen, Y. Xu, Y. Zheng, Z. Yang and X. Wang, *Sparse deep neural networks using L1,∞-weight normalization*, Statistica
Sinica 31 (2021), Algorithm 1; the paper's columns of Ṽ = (B, Wᵀ)ᵀ are rows here, the bias their last entry.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from wnverify.primitives.constraint import RowConstraint
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.scalars import nonnegative
from wnverify.primitives.shrinkage import shrink_rows


def project_rows_onto_l1_ball(W: Rows, c: float = 1.0) -> Rows:
    """The nearest X to W with Σ_j |x_ij| ≤ c in every row: W itself inside, outside sgn(w) (|w| − θ)₊.

    W and X (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  c = 0 gives zero.  θ by monotone Newton steps instead of a sort, so O(n d) a step, a few steps;
    Σ|x| is c to rounding of c also where the entries of W are far larger.  Entries below θ are exact zeros.
    The derivative is the identity inside and on the ball, a − s ⟨a, s⟩ / k on the k active entries outside, s their
    signs; of every order (the second is zero), forward and reverse, and ``torch.func``.  The backward keeps X and one
    number a row.  Raises ``ValueError`` naming a non-finite entry, and for c below 0 or infinite; ``TypeError`` for
    integers and complex numbers.  Looking synchronises with the device, once a Newton step; inside
    ``torch.compile`` rows are sorted instead, and a non-finite row becomes NaN.

    >>> import torch
    >>> project_rows_onto_l1_ball(torch.tensor([[3.0, -1.0, 0.5], [0.5, 0.25, 0.0]]), c=3.0)
    tensor([[ 2.5000, -0.5000,  0.0000],
            [ 0.5000,  0.2500,  0.0000]])
    """
    return shrink_rows(working(W), radius=nonnegative(c, "c"), slope=0.0).to(W.dtype)


class L1InfProjection(RowConstraint):
    """Every unit's incoming weights together with its bias, projected onto the L1 ball of radius c after the step.

    ``c``: the normalization constant, the same for all layers that share this object (another c for another layer is
    another object); ‖W, B‖_{1,∞} ≤ c means that ‖(w_i, b_i)‖₁ ≤ c for every unit i.  The paper leaves the output
    layer free: attach it to the hidden layers only.  c = ∞ of the paper is no constraint at all: ``ValueError``, as
    for c < 0. The projection follows the whole step of whatever optimiser, so the weights are feasible after every
    step (of every ``every``-th); momentum and second moments are those of the unprojected steps, as the paper changes
    nothing there. Map, errors, dtypes, cost and memory as ``project_rows_onto_l1_ball``.

    >>> import torch
    >>> layer = torch.nn.Linear(4, 2)
    >>> from wnverify.primitives.constraint import Block
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    >>> attached = L1InfProjection(0.25).attach(optimizer, [Block("hidden", layer.weight, layer.bias)])
    >>> bool((layer.weight.abs().sum(1) + layer.bias.abs() <= 0.25 + 2.0**-20).all())
    True
    """

    with_bias: ClassVar[bool] = True
    DECLARES: ClassVar[dict[str, Any]] = {
        "l1_rows_le": 1.0,
        "euclidean_projection": True,
        "nonexpansive": True,
        "idempotent": True,
        "odd": True,
        "permutation_equivariant_rows": True,
    }
    SET: ClassVar[dict[str, Any]] = {"name": "l1_ball_rows", "radius": 1.0}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "one-sided derivatives where Σ|w| = c or |w_j| = θ: the derivative there is the one towards 0",
        "zero_row": "a zero row is in the ball and stays",
        "zero_matrix": "the zero matrix is in the ball and stays",
    }

    def __init__(self, c: float = 1.0, *, every: int = 1) -> None:
        super().__init__(every=every)
        self.c = nonnegative(c, "c")
        self.DECLARES = {**type(self).DECLARES, "l1_rows_le": self.c}  # type: ignore[misc]
        self.SET = {"name": "l1_ball_rows", "radius": self.c}  # type: ignore[misc]
        if self.c == 0:  # a ball of radius 0 is a box
            self.SET = {"name": "box", "lo": 0.0, "hi": 0.0}  # type: ignore[misc]

    def project(self, W: Tensor) -> Tensor:
        """The nearest rows (n, d) in the ball."""
        return project_rows_onto_l1_ball(W, self.c)
