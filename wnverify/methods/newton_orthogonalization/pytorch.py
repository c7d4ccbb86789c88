"""Orthogonalization by Newton's iteration in PyTorch: singular values stretched towards 1 by s ↦ s (3 − s²) / 2.

L. Huang et al., *Controllable orthogonalization in training DNNs*, 2020, algorithms 1 and 2.  Defined everywhere but at
the zero matrix (after centring, where it is).  The recursion stands in ``primitives.odd_polynomial``: the same map as
the paper's B_{t+1} = (3 B_t − B_t³ S) / 2, in a form that rounding errors leave alone.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from torch import Tensor

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.odd_polynomial import iterate
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.singular_values import Step, check_count, check_scaling, orthonormality_error

STEP: Final[Step] = (1.5, -0.5, 0.0)
MAX_CONDITION: Final = 10.0
"""Up to this σ_1 / σ_n of V approximate orthonormality is declared, with the error that is possible there …"""
MAX_ROWS: Final = 128
"""… for at most this many rows."""


def newton_orthogonalize_rows(
    V: Rows, iterations: int = 5, centred: bool = True, scaling: str = "gram", scale: float = 1.0
) -> Rows:
    """W = scale X_T with X_0 = Z / r, X_{t+1} = (3 X_t − X_t X_tᵀ X_t) / 2, T = ``iterations``.

    Z is V (*batch, n, d), its rows ``centred`` (algorithm 2) or as they are (algorithm 1); r = ‖Z Zᵀ‖_F^{1/2} for
    ``scaling`` "gram" (algorithm 2) or ‖Z‖_F for "frobenius" (algorithm 1).  W keeps the singular vectors of Z and
    tends to its polar factor: orthonormal rows where Z has rank n, orthonormal columns where it has rank d; a singular
    value 0 stays 0 (so centred rows with n ≥ d never become orthonormal).  After T steps the smallest singular value is
    about 1.5^T s_min, until it nears 1; then 1 − s turns to 3 (1 − s)² / 2 in each step.

    float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and rounded once).  Derivatives
    of every order, forward and reverse, and ``torch.func``.  Raises ``ValueError`` naming a non-finite entry, a zero
    matrix Z or a wrong option, ``TypeError`` for integers and complex numbers; looking synchronises with the device
    once.  Cost, k = min(n, d): five products of k n d, forward and backward together, and 3 T products of k³ forward,
    8 T backward; for T > 8 the five once more for every eight steps.  The backward keeps V itself, no copy (for the
    half precisions in float32), one matrix (k, k), and for every further eight steps one more and their input (n, d).

    >>> import torch
    >>> newton_orthogonalize_rows(torch.tensor([[3.0, 4.0]]), centred=False)
    tensor([[0.6000, 0.8000]])
    """
    check_count(iterations, "iterations")
    W = iterate(working(V), (STEP,) * iterations, scaling=check_scaling(scaling), centred=centred)
    return (W if scale == 1 else scale * W).to(V.dtype)


class NewtonOrthogonalization(RowParametrization):
    """Parametrization of a layer's weight by (nearly) orthonormal rows, for ``torch.nn.utils.parametrize``.

    ``iterations``: T, how near to orthonormal; ``centred``, ``scaling``, ``scale`` (√2 before a ReLU) as
    ``newton_orthogonalize_rows``, whose errors, dtypes, cost and memory these are.  ``dim``: the axis of the output
    units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight (in, out/groups, …));
    ``groups``: the layer's, where ``dim`` is 1 (all rows together are iterated).

    What is declared: without ``centred``, W Wᵀ = scale² I up to the error that T steps leave at most for n ≤ 128 rows
    and σ_1 / σ_n ≤ 10, computed from the scalar recursion (``DOMAIN["approximate"]``); with ``centred`` that error
    is a matter of the singular values of the centred V, of which the ones of V say nothing.

    >>> import torch
    >>> NewtonOrthogonalization(iterations=7, scale=2**0.5)(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    >>> exact = NewtonOrthogonalization(iterations=14, centred=False)
    >>> exact.DOMAIN["approximate"]["orthonormal_rows"] < 1e-9
    True
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "spectral_norm_le_1": True,
        "zero_mean_rows": True,
        "scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "permutation_equivariant_rows": True,
        "gradient_zero_mean": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "min_cols": 2,
        "zero_row": "a zero row stays zero",
        "constant_row": "a constant row is zero after centring and stays zero",
        "zero_matrix": "no direction to stretch: ValueError, also where every row is constant",
    }

    def __init__(
        self,
        iterations: int = 5,
        centred: bool = True,
        scaling: str = "gram",
        scale: float = 1.0,
        dim: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__(dim, groups)
        self.iterations = check_count(iterations, "iterations")
        self.scaling = check_scaling(scaling)
        if not 0 < scale < float("inf"):
            raise ValueError(f"scale must be positive and finite; got {scale!r}")
        self.centred, self.scale = centred, scale
        declares, domain = dict(self.DECLARES), dict(self.DOMAIN)
        if scale > 1:
            del declares["spectral_norm_le_1"]
        if not centred:
            for name in ("zero_mean_rows", "shift_invariant_rows", "gradient_zero_mean"):
                del declares[name]
            declares["rotation_equivariant"] = True
            orthonormal = "orthonormal_rows" if scale == 1 else "scaled_orthonormal_rows"
            declares[orthonormal] = True if scale == 1 else scale**2
            error = orthonormality_error((STEP,) * iterations, MAX_CONDITION, MAX_ROWS, scaling)
            domain = {
                "max_condition": MAX_CONDITION,
                "approximate": {orthonormal: error},
                "zero_row": domain["zero_row"],
                "constant_row": "a row like any other",
                "zero_matrix": "no direction to stretch: ValueError",
            }
        self.DECLARES, self.DOMAIN = declares, domain  # type: ignore[misc]

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the matrix (n, d) of output units."""
        return newton_orthogonalize_rows(V, self.iterations, self.centred, self.scaling, self.scale)

    def extra_repr(self) -> str:
        return (
            f"iterations={self.iterations}, centred={self.centred}, scaling={self.scaling!r}, scale={self.scale}, "
            f"{super().extra_repr()}"
        )
