"""Gradient centralization in PyTorch: before the step g ← g − mean(g) for every output unit's row of the gradient.

H. Yong, J. Huang, X. Hua and L. Zhang, *Gradient centralization*, 2020, equations 1 and 2.  Undefined for d = 1.
"""

from __future__ import annotations

from typing import Any, ClassVar

from wnverify.primitives.constraint import RowConstraint
from wnverify.primitives.pytorch import Rows, centre, working
from wnverify.primitives.rules import check_gradient


def centred_gradient(G: Rows) -> Rows:
    """g − mean(g) along the last axis, G (*batch, n, d), d ≥ 2; the half precisions are computed in float32.

    The orthogonal projection onto rows of zero sum, linear.  ``ValueError`` for d = 1, where a layer would never learn;
    nothing else is looked at: a row with an infinite entry becomes NaN, as a gradient scaler expects.

    >>> import torch
    >>> centred_gradient(torch.tensor([[3.0, 1.0]]))
    tensor([[ 1., -1.]])
    """
    if G.shape[-1] == 1:
        raise ValueError("G must have rows of d ≥ 2 entries: less its mean a single one is zero; got d = 1")
    return centre(working(G)).to(G.dtype)


class GradientCentralization(RowConstraint):
    """Every row of the gradient less its mean before each step; the weight is left where the step leads.

    Plain gradient descent with it is projected gradient descent on {w: 1ᵀ(w − w⁰) = 0}: the sum of every row stays what
    it was at the start, whatever that was.  So it does with momentum and Nesterov's look-ahead, which are linear.
    Weight decay, which the optimiser adds after the transform (the order of the paper's algorithms), shrinks the sums
    together with the weight; Adam divides entry by entry and keeps no sum.

    ``project`` is therefore the identity (a copy), and an audit of the map W ↦ W says nothing about the method.
    Weights have at least two axes, as with the authors: biases are no blocks.  dtypes and errors as
    ``centred_gradient``; O(n d) a step.

    >>> import torch
    >>> GradientCentralization().transform(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]))
    tensor([[ 1., -1.]])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "nonexpansive": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__(every=1)

    @property
    def projects(self) -> bool:
        """Whether the weight is changed at all."""
        return False

    def project(self, W: Rows) -> Rows:
        """W itself, a copy."""
        return W.clone()

    def transform(self, W: Rows, G: Rows) -> Rows:
        """``centred_gradient`` of G."""
        check_gradient(W, G)
        return centred_gradient(G)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
