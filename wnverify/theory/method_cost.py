"""What each method adds to a training step, in operations as ``cost`` counts them, for n rows and d columns.

``products`` are those of the methods' PyTorch implementations at well-conditioned weights of ordinary scale; elsewhere
a Gram matrix or a decomposition comes on top.  The schedules that are counted entry by entry are the plain formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from wnverify.theory.cost import Operations, eigendecomposition, sorting, whole


class MethodCost(NamedTuple):
    """What a method adds to a training step, as functions of (n, d).

    ``forward``: for a parametrization from V to W, for a penalty its value, for a constraint the projection after the
    step.  ``backward``: from the gradient by W to that by V; for a penalty its gradient, added to the loss's; for a
    constraint what it does to the gradient before the step.  ``order``: leading order of both together.
    """

    forward: Callable[[int, int], Operations]
    backward: Callable[[int, int], Operations]
    order: str

    def step(self, n: int, d: int) -> Operations:
        """Forward and backward; ``ValueError`` unless n and d are whole numbers, at least 1."""
        whole(n=n, d=d)
        return self.forward(n, d) + self.backward(n, d)


def _scalars(count: Callable[[int, int], int]) -> Callable[[int, int], Operations]:
    return lambda n, d: Operations(scalars=count(n, d))


def polar_forward(n: int, d: int, *, refined: bool = False) -> Operations:
    """W = Σ^{-1/2} V_C, Σ = V_C V_Cᵀ = D Λ Dᵀ, and Σ^{1/2} for the backward.

    Σ: 2 n² d; (D Λ^{-1/2}) Dᵀ: 2 n³; its product with V_C: 2 n² d; (D Λ^{1/2}) Dᵀ: 2 n³.  Scalars: centring 2 n d, √Λ
    n, the two scaled D 2 n².  ``refined``, as float64 is: centred once more, 2 n d, and one Newton-Schulz step
    1.5 W − (0.5 W Wᵀ) W, which is 4 n² d, and 2 n d + n² scalars.
    """
    plain = Operations(4 * n**2 * d + 4 * n**3, 0, 2 * n * d + 2 * n**2 + n, eigendecomposition(n))
    return plain + Operations(4 * n**2 * d, 0, 4 * n * d + n**2) if refined else plain


def polar_backward(n: int, d: int) -> Operations:
    """Z W + S⁻¹ (Ā − B W) with B = Ā Wᵀ, S = Σ^{1/2} and S Z + Z S = B − Bᵀ, then centred.

    B, S⁻¹ Ā and (Z − S⁻¹ B) W: 6 n² d; Z in the basis of eigenvectors: 8 n³; S⁻¹ and S⁻¹ B: 4 n³.  Scalars:
    B − Bᵀ, λ_i + λ_j, the quotients, D / λ and the difference 5 n², the sum n d, centring 2 n d.
    """
    return Operations(6 * n**2 * d + 12 * n**3, 0, 3 * n * d + 5 * n**2)


def neuron_forward(n: int, d: int, *, refined: bool = False) -> Operations:
    """``polar_forward``, and W_ij × (2 ‖column j of V_C‖ + ε) / τ: norms 2 n d, three a column, and n d."""
    return polar_forward(n, d, refined=refined) + Operations(scalars=3 * n * d + 3 * d)


def neuron_backward(n: int, d: int) -> Operations:
    """``polar_backward`` and the way through the norms: V_C = S φ again, 2 n² d.

    Scalars: by φ n d, by the factors 2 n d − d and d, unit columns and their multiples 2 n d, centring 2 n d, sum n d.
    """
    return polar_backward(n, d) + Operations(2 * n**2 * d, 0, 8 * n * d)


def shrinking(n: int, d: int) -> Operations:
    """sign(φ) (|φ| − η ‖φ_i‖₁)₊ on the rows φ_i, equation 8 of *Deep structural weight normalization*, or its backward.

    Forward: |φ| n d, norms and their η n d, the difference, the maximum and the sign 3 n d.  Backward, s the signs of
    φ: Ā on the entries kept n d, less s η ⟨ā, s⟩ 4 n d.
    """
    return Operations(scalars=5 * n * d)


def spectral_forward(n: int, d: int) -> Operations:
    """V / σ_1 from the smaller Gram matrix, k = min(n, d), m = max(n, d): 2 k² m, its eigenvectors, v ∝ Yᵀ u 2 k m.

    Scalars: the norm 2 m, v m, the quotient n d.
    """
    k, m = sorted((n, d))
    return Operations(2 * k**2 * m + 2 * k * m, 0, n * d + 3 * m, eigendecomposition(k))


def power_forward(n: int, d: int, *, iterations: int = 1) -> Operations:
    """T times u ∝ V v, v ∝ Vᵀ u, then σ = uᵀ (V v) and V / σ: (2 T + 1) 2 n d and 2 n; norms and quotients 3 (n + d) T.

    That is torch's ``spectral_norm`` in training.
    """
    T = iterations
    return Operations(0, 2 * n * d * (2 * T + 1) + 2 * n, 3 * (n + d) * T + n * d)


def iterated_forward(n: int, d: int, stretches: Sequence[int], *, quintic: bool) -> Operations:
    """X ← P(X Xᵀ) X from X / (‖X‖_F + ε) in stretches on Gram matrices (k, k), k = min(n, d), m = max(n, d).

    A stretch of L steps: its Gram matrix and the final product 4 k² m; M² a step if ``quintic``, 2 k³ L; the products
    Q ← P Q and M ← P M P between the steps 6 k³ (L − 1).  Scalars: P = a I + b M k² + k a step, c M² 2 k²; in the first
    stretch the norm from the trace, ε, its square and both quotients 2 k² + k + 2.
    """
    k, m = sorted((n, d))
    cubes = sum(length * quintic + 3 * (length - 1) for length in stretches)
    scalars = sum(stretches) * ((3 if quintic else 1) * k**2 + k) + 2 * k**2 + k + 2
    return Operations(4 * k**2 * m * len(stretches) + 2 * k**3 * cubes, 0, scalars)


def iterated_backward(n: int, d: int, stretches: Sequence[int], *, quintic: bool) -> Operations:
    """The forward's polynomials again, then their derivative in reverse.

    A stretch: three products with X, 6 k² m; the forward's cubes again; 10 k³ (L − 1), and 2 k³ L if ``quintic``.
    Scalars: the forward's again; 3 k² a step, 3 k² more if ``quintic`` and 3 k² between the steps; S̄ + S̄ᵀ and the sum
    k² + k m a stretch; in the first the quotients by r and r², two inner products and the trace 6 k² + k + 5.
    """
    k, m = sorted((n, d))
    cubes = sum(2 * length * quintic + 8 * (length - 1) for length in stretches)
    scalars = iterated_forward(n, d, stretches, quintic=quintic).scalars
    scalars += sum(
        (6 if quintic else 3) * length * k**2 + 3 * (length - 1) * k**2 + k**2 + k * m for length in stretches
    )
    return Operations(6 * k**2 * m * len(stretches) + 2 * k**3 * cubes, 0, scalars + 6 * k**2 + k + 5)


def newton_schulz_as_published(n: int, d: int, steps: int = 5) -> Operations:
    """A = X Xᵀ, B = b A + c A², X ← a X + B X, T times, forward only: T (4 k² m + 2 k³).

    Scalars: the norm and the quotients 3 k m + 1, and T (3 k² + 2 k m).
    """
    k, m = sorted((n, d))
    return Operations(steps * (4 * k**2 * m + 2 * k**3), 0, 3 * k * m + 1 + steps * (3 * k**2 + 2 * k * m))


def polar_as_published(n: int, d: int) -> Operations:
    """W = D Λ^{-1/2} Dᵀ V_C by equation 6 of *Deep structural weight normalization*, forward only: 4 n² d + 2 n³.

    Scalars: centring 2 n d, Λ^{-1/2} 2 n, its product with D n².
    """
    return Operations(4 * n**2 * d + 2 * n**3, 0, 2 * n * d + n**2 + 2 * n, eigendecomposition(n))


def l1_projection(n: int, d: int) -> Operations:
    """Algorithm 2 of *Sparse deep neural networks* on every row, each outside the ball: sgn(v) (|v| − θ)₊.

    A row: |v| d, a sort, partial sums d − 1, the test of every p 4 d, θ from the test's own quotients, |v| − θ, the
    maximum and the sign 3 d; and the comparison of ‖v‖₁, the last partial sum, with c.
    """
    return Operations(scalars=9 * n * d, modelled=sorting(n, d))


NEWTON_SCHULZ: Final = (2, 2, 1)
"""Five steps of slope 3.4445 in stretches that let singular values grow by 32 at most."""
METHODS: Final[dict[str, MethodCost]] = {
    # w = v / ‖v‖: 3 d a row.  (Ā − w ⟨ā, w⟩) / ‖v‖: an inner product 2 d − 1 and 3 d.
    "weight_normalization": MethodCost(_scalars(lambda n, d: 3 * n * d), _scalars(lambda n, d: 5 * n * d - n), "8 n d"),
    # The same with two centrings, 2 d a row each.
    "centred_weight_normalization": MethodCost(
        _scalars(lambda n, d: 5 * n * d), _scalars(lambda n, d: 7 * n * d - n), "12 n d"
    ),
    "orthogonal_weight_normalization": MethodCost(polar_forward, polar_backward, "10 n² d + 25 n³"),
    "dswn_neuron_measurement": MethodCost(neuron_forward, neuron_backward, "12 n² d + 25 n³"),
    "dswn_sparsity_measurement": MethodCost(
        lambda n, d: polar_forward(n, d) + shrinking(n, d),
        lambda n, d: polar_backward(n, d) + shrinking(n, d),
        "10 n² d + 25 n³",
    ),
    "dswn_combined": MethodCost(
        lambda n, d: neuron_forward(n, d) + shrinking(n, d),
        lambda n, d: neuron_backward(n, d) + shrinking(n, d),
        "12 n² d + 25 n³",
    ),
    # σ by eigenvectors; ā / σ − (⟨ā, W⟩ / σ) u vᵀ: the outer product 2 n d, the rest 5 n d − 1.
    "spectral_normalization": MethodCost(
        spectral_forward, lambda n, d: Operations(2 * n * d, 0, 5 * n * d - 1), "2 k² m + 9 k³"
    ),
    "spectral_normalization_by_power_iteration": MethodCost(
        power_forward, lambda n, d: Operations(scalars=6 * n * d - 1), "13 n d"
    ),
    "newton_schulz": MethodCost(
        lambda n, d: iterated_forward(n, d, NEWTON_SCHULZ, quintic=True),
        lambda n, d: iterated_backward(n, d, NEWTON_SCHULZ, quintic=True),
        "30 k² m + 74 k³",
    ),
    # √c ŵ / ‖ŵ‖: centring 2 d, norm 2 d, one factor, d; before the step the gradient is centred, 2 d.
    "constrained_weight_optimization": MethodCost(
        _scalars(lambda n, d: 5 * n * d + n), _scalars(lambda n, d: 2 * n * d), "7 n d"
    ),
    "l1_inf_projection": MethodCost(l1_projection, lambda n, d: Operations(), "n d log₂ d"),
    # Σ (1 − ‖w‖)²: norms 2 d a row, a difference, a square, the sum.  One factor 2λ (1 − 1/‖w‖) a row, times w, added.
    "norm_loss": MethodCost(
        _scalars(lambda n, d: 2 * n * d + 3 * n - 1), _scalars(lambda n, d: 2 * n * d + 3 * n), "4 n d"
    ),
    # λ Σ w², then 2λ w added to the gradient.
    "weight_decay": MethodCost(_scalars(lambda n, d: 2 * n * d), _scalars(lambda n, d: 2 * n * d), "4 n d"),
}
"""By the catalogue's id."""
AS_PUBLISHED: Final[dict[str, Callable[[int, int], Operations]]] = {
    "orthogonal_weight_normalization": polar_as_published,
    "newton_schulz": newton_schulz_as_published,
}
"""Forward only, where the implementation takes another way to the same map."""
