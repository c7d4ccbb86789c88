"""What a method sums and stores on the way, which its error model pays for: read off its formulas, never fitted."""

from __future__ import annotations

import dataclasses
from typing import Final

from wnverify.numerics.forms import Map
from wnverify.oracles.ratio import ErrorModel, map_model

ROUNDINGS: Final = {"value": 4, "gradient": 16}
"""Stored results on the way: a gradient has those of the value, and its own products and solutions of equations."""
ALONE: Final = 8
"""Of a gradient for which no equations are solved.  Where rows stand alone: an inner product, its product with a row, a
difference and a quotient, beside the value's four.  Of a penalty: norms or a Gram matrix, a difference, a quotient, a
product with W, and the factors of the penalty, of its terms and of the cotangent."""
ONE_PRODUCT: Final = frozenset({"gradient_centralization", "l1_penalty", "weight_decay"})
"""A linear map, whose gradient is the map itself, and w² and |w|, of which it is w or its sign times a factor and the
cotangent: no more results than of a value."""
STORED: Final = {
    # Five steps s ↦ a s + b s³ + c s⁵ of a singular value: Σ_k (|a s| + |b s³| + |c s⁵|) / |sum|, each term off by u,
    # times the relative derivatives of the steps after it, which carry the error on; 172.3 at worst, from s = 0.62.
    "newton_schulz": 172,
    # Five steps of a sum and three products, and what is centred, its Gram matrix, norm, the scaled one and the result;
    # the relative derivative of a step is at most 1.
    "newton_orthogonalization": 25,
    # An eigenvector by LAPACK, right to some ten u beside what its gap excuses.
    "spectral_norm_regularization": 32,
    "spectral_restricted_isometry": 32,
}
"""For methods that store more; their gradients twice as much."""
IN_DOUBLE: Final = frozenset(
    {"group_lasso", "norm_loss", "spectral_norm_regularization", "spectral_restricted_isometry"}
)
"""Whose float32 form sums in float64, and decomposes in float64 where it does: what is stored in float32 is no more
than of other methods, and the sums lose nothing."""
ITERATES: Final = "iterations"
"""The option by which one of them decomposes nothing and computes in the dtype itself."""
ENTRYWISE: Final = frozenset({"l1_penalty", "weight_decay"})
"""Whose gradients and proximal operators are maps of single entries: there is no sum."""


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """What is summed and stored on the way by the method ``id`` with the options ``said``."""

    id: str
    said: str = ""

    def in_double(self, dtype: str) -> bool:
        """Whether sums and decompositions are in float64, though the dtype is not."""
        return dtype == "float32" and self.id in IN_DOUBLE and ITERATES not in self.said

    def terms(self, what: str, of: Map, shape: tuple[int, ...], mixes: bool) -> int:
        """The terms of the longest sum; the rows of W above G are not summed over together."""
        n, d = shape
        if self.id in ENTRYWISE and (what == "gradient" or of.name == "prox"):
            return 1
        return max(n // 2 if of.stacked else n, d) if mixes else d

    def stored(self, dtype: str, what: str, solves: bool) -> int:
        """r of the model of the ``value`` or the ``gradient``; ``solves``: whether its gradient may solve equations."""
        known = 0 if self.in_double(dtype) else STORED.get(self.id, 0)
        if what == "value" or self.id in ONE_PRODUCT:
            return max(ROUNDINGS["value"], known)
        return max(ROUNDINGS["gradient"] if solves else ALONE, 2 * known)

    def model(
        self,
        dtype: str,
        what: str,
        of: Map,
        shape: tuple[int, ...],
        mixes: bool,
        *,
        condition: float = 1.0,
        stored: bool = True,
    ) -> ErrorModel:
        """condition × (u + γ̃) and, ``stored``, r u."""
        return map_model(
            dtype,
            self.terms(what, of, shape, mixes),
            condition=condition,
            roundings=self.stored(dtype, what, mixes and of.name != "value") if stored else 0,
            accumulated="float64" if self.in_double(dtype) else None,
        )
