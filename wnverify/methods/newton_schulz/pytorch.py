"""The quintic Newton-Schulz iteration in PyTorch: X ← a X + (b A + c A²) X, A = X Xᵀ, from X_0 = V / (‖V‖_F + eps).

K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024, who so treat the update of a weight;
here the weight itself.  The recursion stands in ``primitives.odd_polynomial``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from torch import Tensor

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.odd_polynomial import iterate
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.singular_values import Step, check_count, image, orthonormality_error

MUON: Final[Step] = (3.4445, -4.7750, 2.0315)
CONVERGING: Final[Step] = (1.875, -1.25, 0.375)
"""(15, −10, 3) / 8: s ↦ s (15 − 10 s² + 3 s⁴) / 8 has a double zero of its derivative at its fixed point 1."""
MAX_SIGMA_RATIO: Final = 20.0
"""Up to this σ_1 / σ_n of V approximate orthonormality is declared, with the error that is possible there …"""
MAX_ROWS: Final = 128
"""… for at most this many rows."""
NEGLIGIBLE: Final = 2.0**10
"""… where ‖V‖_F is at least this many times eps."""


def newton_schulz_rows(V: Rows, coefficients: Sequence[float] = MUON, steps: int = 5, eps: float = 1e-7) -> Rows:
    """W = X_T, T = ``steps``, with X_0 = V / (‖V‖_F + eps) and X ← a X + b X XᵀX + c X (XᵀX)², V (*batch, n, d).

    W has the singular vectors of V; a singular value s of X_0 goes T times through s (a + b s² + c s⁴), and 0 stays 0.
    With the default coefficients, chosen for the slope at 0, every s of X_0 in [0.002, 1] ends in [0.68, 1.21] and none
    converges; ``CONVERGING`` goes to the polar factor, 1 − s turning to 5 (1 − s)³ / 2 near the end.

    float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and rounded once; optimisers
    usually iterate in bfloat16).  ``eps`` is not scaled: a V of its size comes out smaller, and V = 0 gives 0, with the
    derivative a^T / eps (a second derivative does not exist there).  Derivatives of every order elsewhere, forward and
    reverse, and ``torch.func``.  Raises ``ValueError`` naming a non-finite entry, a wrong option or, for eps = 0, a
    zero matrix, ``TypeError`` for integers and complex numbers; looking synchronises with the device once.
    Cost, k = min(n, d): five products of k n d, forward and backward together, for every stretch of steps whose slopes
    a multiply to 32 at most (three by default), and at most 4 T products of k³ forward, 10 T backward.  The backward
    keeps V itself, no copy (for the half precisions in float32), for each further stretch its input (n, d), and one
    matrix (k, k) a stretch.

    >>> import torch
    >>> newton_schulz_rows(torch.eye(2), CONVERGING, steps=9)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_count(steps, "steps")
    repeated = (_checked(coefficients),) * steps
    return iterate(working(V), repeated, scaling="frobenius", eps=_non_negative(eps)).to(V.dtype)


class NewtonSchulz(RowParametrization):
    """Parametrization of a layer's weight by rows that are roughly orthonormal, for ``torch.nn.utils.parametrize``.

    ``coefficients``, ``steps``, ``eps`` as ``newton_schulz_rows``, whose errors, dtypes, cost and memory these are.
    ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight
    (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1 (all rows together are iterated).

    What is declared: W Wᵀ = I up to the error that is possible for n ≤ 128 rows, σ_1 / σ_n ≤ 20 and ‖V‖_F ≥ 2^10 eps,
    computed from the scalar polynomial (``DOMAIN["approximate"]``); a spectral norm of at most 1 where it takes [0, 1]
    into itself, as ``CONVERGING`` does; invariance to scale for eps = 0 only.

    >>> import torch
    >>> NewtonSchulz()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    >>> round(NewtonSchulz().DOMAIN["approximate"]["orthonormal_rows"], 2)
    0.54
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "orthonormal_rows": True,
        "odd": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "max_sigma_ratio": MAX_SIGMA_RATIO,
        "zero_row": "a zero row stays zero",
        "constant_row": "a row like any other",
    }

    def __init__(
        self,
        coefficients: Sequence[float] = MUON,
        steps: int = 5,
        eps: float = 1e-7,
        dim: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__(dim, groups)
        self.coefficients, self.steps = _checked(coefficients), check_count(steps, "steps")
        self.eps = _non_negative(eps)
        declares, domain = dict(self.DECLARES), dict(self.DOMAIN)
        domain["approximate"] = {"orthonormal_rows": _error(self.coefficients, steps)}
        if image((self.coefficients,) * steps, 0.0, 1.0)[1] <= 1:
            declares["spectral_norm_le_1"] = True
        if eps == 0:
            declares["scale_invariant"] = True
            domain["zero_matrix"] = "no direction: ValueError"
        else:
            domain["min_row_norm"] = NEGLIGIBLE * eps
            domain["zero_matrix"] = "stays zero; the derivative there is a^T / eps, a second one does not exist"
        self.DECLARES, self.DOMAIN = declares, domain  # type: ignore[misc]

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the matrix (n, d) of output units."""
        return newton_schulz_rows(V, self.coefficients, self.steps, self.eps)

    def extra_repr(self) -> str:
        return f"coefficients={self.coefficients}, steps={self.steps}, eps={self.eps}, {super().extra_repr()}"


def _error(coefficients: Step, steps: int) -> float:
    """The admitted error; eps divides every start by at most 1 + 2^-10, which a ratio larger by that covers."""
    widened = MAX_SIGMA_RATIO * (1 + 1 / NEGLIGIBLE)
    return orthonormality_error((coefficients,) * steps, widened, MAX_ROWS, "frobenius")


def _checked(coefficients: Sequence[float]) -> Step:
    given = tuple(coefficients)
    if len(given) != 3 or not all(math.isfinite(x) for x in given):
        raise ValueError(f"coefficients must be three finite numbers (a, b, c); got {coefficients!r}")
    a, b, c = (float(x) for x in given)
    return a, b, c


def _non_negative(eps: float) -> float:
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps must be a finite number, at least 0; got {eps!r}")
    return float(eps)
