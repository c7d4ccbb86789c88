"""DSWN with sparsity measurement in PyTorch: φ(V) = Σ^{-1/2} V_C, then every entry shrunk by η × a group's 1-norm.

*Deep structural weight normalization*, equations 6 to 8.  Equation 8 as printed is not the proximal point that the text
calls it; both are here.  Formulas and derivation stand in ``reference``.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.polar import polar
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.rules import Rule, batched, call, tangents
from wnverify.primitives.shrinkage import proximal_level

AXES: Final = {"rows": -1, "columns": -2}
UPDATES: Final = ("printed", "prox")


def sparsify_rows(V: Rows, *, eta: float = 1e-3, update: str = "printed", group: str = "rows") -> Rows:
    """W = sign(φ) (|φ| − θ)_+ for φ = Σ^{-1/2} V_C, one threshold θ a group.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  ``update``: ``"printed"`` for equation 8, θ = η ‖φ_g‖_1, which zeroes a whole group where
    max |φ_g| ≤ η ‖φ_g‖_1 (always for η ≥ 1, never for η < 1 / its size) and keeps fewer than 1 / η of its entries;
    ``"prox"`` for the minimiser of ½ ‖w − φ‖² + η/2 Σ_g ‖w_g‖_1², θ = η ‖w_g‖_1, which zeroes no group.
    ``group``: ``"rows"`` (what comes in to an output unit) or ``"columns"`` (what goes out from an input).
    First derivatives forward and reverse, ``torch.func``; higher ones are those of φ, as shrinking is piecewise linear.
    At |φ| = θ the derivative is the one with the entry dropped, but for an entry alone in its group, which is scaled.
    Raises ``ValueError`` for a negative ``eta`` or another ``update`` or ``group``, and as ``orthogonalize_rows`` does:
    a non-finite entry, V_C (n, d) of rank below n (always for n ≥ d).  Cost: as there, and one sort for ``"prox"``.
    The backward keeps φ, Σ^{1/2} with eigenvectors and eigenvalues, and θ: signs and supports are taken from φ again.

    >>> import torch
    >>> sparsify_rows(torch.tensor([[3.0, 1.0]]), eta=0.5, update="prox")
    tensor([[ 0.3536, -0.3536]])
    """
    check_shrinkage(eta, update, group)
    return shrink(polar(working(V)), eta=eta, update=update, group=group).to(V.dtype)


def check_shrinkage(eta: float, update: str, group: str) -> None:
    """``ValueError`` unless ``eta`` is finite and at least 0, ``update`` and ``group`` known."""
    if not 0 <= eta < math.inf:
        raise ValueError(f"eta must be finite and at least 0; got {eta!r}")
    if update not in UPDATES:
        raise ValueError(f"update must be one of {', '.join(UPDATES)}; got {update!r}")
    if group not in AXES:
        raise ValueError(f"group must be one of {', '.join(AXES)}; got {group!r}")


def shrink(
    phi: Tensor, *, eta: float, update: str, group: str, before: Tensor | None = None, after: Tensor | None = None
) -> Tensor:
    """sign(Y) (|Y| − θ)_+ ∘ after with Y = phi ∘ before, θ from Y; factors (*batch, 1, d), none where not given.

    The backward keeps phi, the factors and θ.
    """
    axis = AXES[group]
    if phi.shape[axis] == 1:
        phi = phi if before is None else phi * before
        phi = phi * _share(eta, update)
        return phi if after is None else phi * after
    cached = phi.detach(), (phi.new_ones((1,) * phi.dim()) if before is None else before.detach())
    with torch.no_grad():
        limit, c = _thresholds((cached[0] * cached[1]).abs(), eta, update, axis)
    Y = phi if before is None else phi * before

    def by_sign(X: Tensor, *, only_kept: bool = False) -> Tensor:
        signed: Tensor = call(_Pattern, X, *cached, limit, True, only_kept)
        return signed

    sums = by_sign(Y, only_kept=update == "prox").sum(axis, keepdim=True, dtype=torch.float64).to(Y.dtype)
    # The value is ``limit``, to the bit, so that nothing kept changes its sign; the derivative that of c × sums.
    theta = (c * sums + (limit - c * sums).detach()).expand_as(Y)
    if after is not None:
        Y, theta = Y * after, theta * after
    kept: Tensor = call(_Pattern, Y - by_sign(theta), *cached, limit, False, True)
    return kept


class DswnSparsityMeasurement(RowParametrization):
    """Parametrization of a layer's weight by orthonormal rows of zero mean, shrunk to sparsity.

    W itself has neither orthogonal nor unit nor zero-mean rows.  ``eta`` (the paper: 1e-1 to 1e-7), ``update``,
    ``group``, errors, dtypes, cost and memory as ``sparsify_rows``.  ``dim``: the axis of the output units, 0 for
    linear and convolutional layers, 1 for transposed convolutions (weight (in, out/groups, …)); ``groups``: the
    layer's, where ``dim`` is 1.

    >>> import torch
    >>> DswnSparsityMeasurement()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "permutation_equivariant_rows": True,
        "gradient_zero_mean": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_lt_cols": True,
        "full_rank": True,
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring: ValueError naming shape and rank",
        "zero_row": "a zero row costs a rank: ValueError naming shape and rank",
        "zero_matrix": "rank 0: ValueError naming shape and rank",
        "nonsmooth": "where an entry of the orthogonalised weight is 0 or at its group's threshold",
    }

    def __init__(
        self, eta: float = 1e-3, update: str = "printed", group: str = "rows", dim: int = 0, groups: int = 1
    ) -> None:
        super().__init__(dim, groups)
        check_shrinkage(eta, update, group)
        self.eta, self.update, self.group = eta, update, group

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the rows V (n, d)."""
        return sparsify_rows(V, eta=self.eta, update=self.update, group=self.group)

    def extra_repr(self) -> str:
        return f"eta={self.eta}, update={self.update!r}, group={self.group!r}, {super().extra_repr()}"


def _share(eta: float, update: str) -> float:
    """What is left of an entry alone in its group, where shrinking is linear, at 0 too: (1 − η)_+ or 1 / (1 + η)."""
    return max(1 - eta, 0.0) if update == "printed" else 1 / (1 + eta)


def _thresholds(size: Tensor, eta: float, update: str, axis: int) -> tuple[Tensor, float | Tensor]:
    """(θ, c) of the absolute values ``size``, summed in float64."""
    if update == "printed":
        return (eta * size.sum(axis, keepdim=True, dtype=torch.float64)).to(size.dtype), eta
    theta, k = proximal_level(size.movedim(axis, -1), 1 / eta if eta else math.inf)
    c = eta / (1 + eta * k.double())
    return theta.movedim(-1, axis), c.movedim(-1, axis).to(size.dtype)


class _Pattern(Rule):
    """X ↦ X ∘ sign(Y), X ∘ [|Y| > θ] or both, Y = phi ∘ before: linear in X, self-adjoint, of locally constant factors.

    They are not kept but made again from phi, which the polar factor keeps anyway.  NaN stays NaN.
    """

    @staticmethod
    def forward(X: Tensor, phi: Tensor, before: Tensor, theta: Tensor, signed: bool, only_kept: bool) -> Tensor:
        Y = phi * before
        out = X * Y.sign() if signed else X
        # Not "where |Y| > θ": a NaN must not become a zero.
        return torch.where(Y.abs() <= theta, torch.zeros_like(out), out) if only_kept else out

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, phi, before, theta, *ctx.which = inputs
        ctx.save_for_backward(phi, before, theta)
        ctx.save_for_forward(phi, before, theta)

    @staticmethod
    def backward(ctx: Any, out_bar: Tensor) -> Any:
        return call(_Pattern, out_bar, *ctx.saved_tensors, *ctx.which), None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dX: Tensor, *_: Any) -> Any:
        with tangents(ctx) as saved:
            return call(_Pattern, dX, *saved, *ctx.which)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Pattern, *batched(info, in_dims, arguments)), 0
