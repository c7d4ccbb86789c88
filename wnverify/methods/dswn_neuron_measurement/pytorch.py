"""DSWN with neuron measurement in PyTorch: W = φ(V) G^{-1}, φ(V) = Σ^{-1/2} V_C, g_j = τ / (2 ‖column j of V_C‖ + ε).

*Deep structural weight normalization*, equations 6, 9 and 10.  The backward is complete: it also runs through G, which
depends on V; the derivation stands in ``reference``.
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.layout import RowParametrization, to_rows
from wnverify.primitives.polar import polar_factors
from wnverify.primitives.pytorch import Rows, centre, working
from wnverify.primitives.rules import Rule, batched, call, exactly, ldexp, power_scaled, tangents

PERTURBATION = 1e-8


def scale_neurons(V: Rows, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Rows:
    """W = φ(V) diag(s) with s_j = 1 / g_j = (2 ‖column j of V_C‖₂ + ε) / τ, so that W G² Wᵀ = I.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  ``tau`` is the numerator of g (the paper sets 1), ``epsilon`` its perturbation; both letters are
    lost in the text, and should they be one, that is ``epsilon=tau``.  With ``epsilon=0`` a zero column of V_C gives a
    zero column of W, and no finite G.  Derivatives of every order, forward and reverse, and ``torch.func``; at a zero
    column of V_C the first only.
    Raises ``ValueError`` for a ``tau`` that is not positive or a negative ``epsilon``, and as
    ``orthogonalize_rows`` does: a non-finite entry, V_C (n, d) of rank below n (always for n ≥ d).  Cost: as there,
    and one product of n² d in the backward.  The backward keeps φ(V), Σ^{1/2} with eigenvectors and eigenvalues, and
    the d column norms: no copy of V, as V_C = Σ^{1/2} φ(V).

    >>> import torch
    >>> scale_neurons(torch.tensor([[3.0, 1.0]]), epsilon=0.0)
    tensor([[ 1.4142, -1.4142]])
    """
    check_scales(tau, epsilon)
    rows = working(V)
    W, S = polar_factors(rows)
    return (W * column_scales(rows, W, S, tau=tau, epsilon=epsilon)).to(V.dtype)


def penalty_diagonal(V: Tensor, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Tensor:
    """g, shape (d,), float64: the diagonal of G for a weight V (n, …), further axes flattened.

    Infinite for a zero column of V_C with ``epsilon=0``.  ``ValueError`` as ``scale_neurons`` for ``tau`` and
    ``epsilon``, and for a weight with one axis; ``TypeError`` for integers and complex numbers.

    >>> import torch
    >>> penalty_diagonal(torch.tensor([[3.0, 1.0]]), epsilon=0.0)
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    check_scales(tau, epsilon)
    return tau / (2 * _column_norms(to_rows(V, 0, 1).double()).squeeze(-2) + epsilon)


def check_scales(tau: float, epsilon: float) -> None:
    """``ValueError`` unless ``tau`` is positive and ``epsilon`` at least 0, both finite."""
    if not 0 < tau < math.inf:
        raise ValueError(f"tau must be positive and finite; got {tau!r}")
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon must be finite and at least 0; got {epsilon!r}")


def column_scales(V: Tensor, W: Tensor, S: Tensor, *, tau: float, epsilon: float) -> Tensor:
    """s = 1 / g, shape (*batch, 1, d), for V and its factors (W, S); differentiable by V."""
    norms: Tensor = call(_ColumnNorms, V, W, S)
    return (2 * norms + epsilon) / tau


class DswnNeuronMeasurement(RowParametrization):
    """Parametrization of a layer's weight by W G² Wᵀ = I, G = diag(τ / (2 ‖column j of V_C‖ + ε)).

    Columns are the layer's inputs: an input whose proxy weights are long is scaled up.  W has neither unit nor
    zero-mean nor orthogonal rows, and grows with V: f(a V) = a f(V) for ``epsilon=0``.  ``tau``, ``epsilon``, errors,
    dtypes, cost and memory as ``scale_neurons``.  ``dim``: the axis of the output units, 0 for linear and convolutional
    layers, 1 for transposed convolutions (weight (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1.

    >>> import torch
    >>> DswnNeuronMeasurement()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "structured_orthonormal": penalty_diagonal,
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
        "nonsmooth": "where a column of V_C is zero: one derivative, no second",
    }

    def __init__(self, tau: float = 1.0, epsilon: float = PERTURBATION, dim: int = 0, groups: int = 1) -> None:
        super().__init__(dim, groups)
        check_scales(tau, epsilon)
        self.tau, self.epsilon = tau, epsilon
        self.DECLARES = {  # type: ignore[misc]
            **DswnNeuronMeasurement.DECLARES,
            "structured_orthonormal": functools.partial(penalty_diagonal, tau=tau, epsilon=epsilon),
        }

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the rows V (n, d)."""
        return scale_neurons(V, tau=self.tau, epsilon=self.epsilon)

    def extra_repr(self) -> str:
        return f"tau={self.tau}, epsilon={self.epsilon}, {super().extra_repr()}"


def _column_norms(V: Tensor) -> Tensor:
    """‖x_j‖₂ of the columns of V_C, (*batch, 1, d), in float64 and without squares that over- or underflow."""
    scaled, exponent = power_scaled(centre(V.double()), (-2,))
    return ldexp(torch.linalg.vector_norm(scaled, dim=-2, keepdim=True), exponent)


def _unit_columns(W: Tensor, S: Tensor, norms: Tensor) -> Tensor:
    """u_j = x_j / ‖x_j‖ from V_C = S W; zero where x_j is."""
    defined = norms != 0  # so that NaN stays NaN; and no 1 / 0, whose derivative would be NaN even where left out
    return (S @ W) * (defined / torch.where(defined, norms, torch.ones_like(norms)))


class _ColumnNorms(Rule):
    """(V, W, S) ↦ the column norms of V_C, a function of V alone.

    W and S carry V to the backward, as V_C = S W, so that no copy of V is kept.  The value is taken from V itself:
    S W is V_C to κ u only.
    """

    @staticmethod
    def forward(V: Tensor, W: Tensor, S: Tensor) -> Tensor:
        return _column_norms(V).to(V.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, W, S = inputs
        ctx.save_for_backward(W, S, output)
        ctx.save_for_forward(W, S, output)

    @staticmethod
    def backward(ctx: Any, norms_bar: Tensor) -> Any:
        with exactly(norms_bar):
            return centre(_unit_columns(*ctx.saved_tensors) * norms_bar), None, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (W, S, norms):
            return (_unit_columns(W, S, norms) * centre(E)).sum(-2, keepdim=True)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_ColumnNorms, *batched(info, in_dims, arguments)), 0
