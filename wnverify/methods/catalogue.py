"""The methods of the house as a static table: strings only, loaded without torch or NumPy."""

from __future__ import annotations

from typing import Final, NamedTuple


class Method(NamedTuple):
    """One row: ``module`` holds ``reference``, ``pytorch`` and ``enclosure``."""

    id: str
    module: str
    title: str
    source: str
    formula: str
    holds: str
    undefined: str
    cost: str


_METHODS: Final = (
    Method(
        id="weight_normalization",
        module="wnverify.methods.weight_normalization",
        title="Weight normalization",
        source="Salimans and Kingma 2016, equations 2 and 3",
        formula="w_i = g_i v_i / ‖v_i‖",
        holds="row i has norm |g_i|; gradient rows orthogonal to rows of V; invariant to the scale of every row",
        undefined="at a zero row",
        cost="O(n d)",
    ),
    Method(
        id="centred_weight_normalization",
        module="wnverify.methods.centred_weight_normalization",
        title="Centred weight normalization",
        source="Huang, Liu, Liu, Lang and Tao 2017, supplement, equation 3",
        formula="v̂_i = v_i − mean(v_i), w_i = v̂_i / ‖v̂_i‖",
        holds="unit norm, zero mean rows; gradient rows orthogonal to W and 1; invariant to scale and shift of rows",
        undefined="at a constant row, so for d = 1 everywhere",
        cost="O(n d)",
    ),
    Method(
        id="orthogonal_weight_normalization",
        module="wnverify.methods.orthogonal_weight_normalization",
        title="Orthogonal weight normalization",
        source="Huang et al. 2018; Deep structural weight normalization, equations 1-6, 11 and 12 with G = I",
        formula="W = Σ^{-1/2} V_C, V_C = V − row means, Σ = V_C V_Cᵀ",
        holds="orthonormal rows of zero mean; gradient rows of zero mean; invariant to scale of V and shift of rows",
        undefined="unless V_C has rank n, so for n ≥ d everywhere",
        cost="O(n² d + n³)",
    ),
)


def methods() -> tuple[Method, ...]:
    """All methods, in the order of the table.

    >>> [method.id for method in methods()]
    ['weight_normalization', 'centred_weight_normalization', 'orthogonal_weight_normalization']
    """
    return _METHODS
