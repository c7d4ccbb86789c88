"""Orthogonal weight normalization (Huang et al. 2018; *Deep structural weight normalization* with G = I): properties.

W = Σ^{-1/2} V_C is the matrix with orthonormal rows nearest to V_C.  That is certified, not sampled: by von Neumann's
trace inequality ⟨W, V_C⟩ ≤ ‖V_C‖_* for all W Wᵀ = I, with equality if and only if W V_Cᵀ is symmetric positive
semidefinite.  Each property returns its worst ratio (≤ 1: holds); ``test_the_property_notices`` asks it of maps made
wrong on purpose.  The condition of W, and of its gradient, with respect to V_C is κ = σ_1 / σ_n; orthonormality, zero
mean and the certificate do not depend on it, as a sound W is the exact polar factor of a matrix u ‖V_C‖ away.

Longer than other files because properties, tests and planted faults are read side by side.
"""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property_cases import (
    SETTINGS,
    centred,
    errors,
    full_rank_points,
    in_format,
    in_numpy,
    in_pytorch,
    kappa,
    model,
    noticed,
    product,
    refuses,
    singular_values,
    worst,
)

from wnverify.methods.orthogonal_weight_normalization import enclosure, reference
from wnverify.methods.orthogonal_weight_normalization.pytorch import orthogonalize_rows
from wnverify.strategies import cotangents, orthogonal, weights

IMPLEMENTATIONS = [
    in_numpy(reference),
    in_pytorch(orthogonalize_rows, "float64"),
    in_pytorch(orthogonalize_rows, "float32"),
]
KINDS = (
    "ordinary",
    "small_integers",
    "short_decimals",
    "one_row",
    "two_rows",
    "diagonal",
    "large_mean",
    "equal_singular_values",
    "near_equal_singular_values",
    "orthonormal_rows",
    "centred_orthonormal_rows",
    "centred_unit_rows",
    "scaled",
    "scaled_rows",
)
REPEATED = ["equal_singular_values", "near_equal_singular_values", "centred_orthonormal_rows"]
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)
points = functools.partial(full_rank_points, kinds=KINDS)


def conditioned(implementation, V):
    """The model of W, and of its gradient relative to ‖A‖ / σ_n."""
    return model(implementation, V.shape[1], kappa(V))


def gradient_scale(V, A):
    """‖A‖_F / σ_n: the gradient is at most as large."""
    return np.linalg.norm(A) / singular_values(V)[-1]


def orthonormal(implementation, V, A):
    """W Wᵀ = I."""
    W = implementation.forward(V)
    return worst(product(W, W.T, minus=np.eye(len(W))), 1.0, model(implementation, V.shape[1]))


def zero_mean(implementation, V, A):
    """W 1 = 0; √d is ‖1‖."""
    W, d = implementation.forward(V), V.shape[1]
    return worst(product(W, np.ones((d, 1))), d**0.5, model(implementation, d))


def nearest(implementation, V, A):
    """The certificate: W V_Cᵀ is symmetric and positive semidefinite, ⟨W, V_C⟩ = ‖V_C‖_*; σ_1 is the scale."""
    W, X, s = implementation.forward(V), centred(V), singular_values(V)
    M, each = product(W, X.T), model(implementation, V.shape[1])
    smallest = np.linalg.eigvalsh((M + M.T) / 2)[0]
    return max(
        worst(M - M.T, s[0], each),
        worst([max(0.0, -smallest)], s[0], each),
        worst([np.trace(M) - s.sum()], s.sum(), each),
    )


def no_better(implementation, V, A, Q=None):
    """⟨Z, V_C⟩ ≤ ⟨W, V_C⟩ for two Z Zᵀ = I: the first n rows of an orthogonal Q (d, d), and W a little towards them."""
    W, X, n = implementation.forward(V), centred(V), len(V)
    far = np.eye(V.shape[1])[:n] if Q is None else Q[:n]
    gains = [np.sum(Z * X) - np.sum(W * X) for Z in (far, gram_schmidt(W + 2.0**-10 * far))]
    each = model(implementation, V.size)
    return worst([max(0.0, *gains)], singular_values(V).sum(), each + each)


def gram_schmidt(X):
    """Orthonormal rows that span those of X, in their order."""
    Q, R = np.linalg.qr(X.T)
    return (Q * np.where(np.diag(R) < 0, -1.0, 1.0)).T


def same(implementation, V, moved, condition, back=None):
    """The ratio of f(moved) to f(V), or to back · f(V), each of them within its model."""
    each = model(implementation, V.shape[1], condition)
    W = implementation.forward(V)
    return worst(implementation.forward(moved) - (W if back is None else back @ W), 1.0, each + each)


def scale_invariant(implementation, V, A):
    """f(a V) = f(V), a > 0: by a power of two, which rounds nothing, and by 3."""
    moved = in_format(3.0 * V, implementation.dtype)
    return max(same(implementation, V, 2.0**20 * V, 1.0), same(implementation, V, moved, rounded_condition(V, moved)))


def shift_invariant(implementation, V, A, shift=3.0):
    """f(V + c 1ᵀ) = f(V), c_i up to three times the largest entry of the row."""
    moved = in_format(V + shift * np.abs(V).max(axis=1, keepdims=True), implementation.dtype)
    return same(implementation, V, moved, rounded_condition(V, moved))


def odd(implementation, V, A):
    """f(−V) = −f(V)."""
    return same(implementation, V, -V, 1.0, -np.eye(len(V)))


def rounded_condition(V, moved):
    """‖V‖_F / σ_n at the larger of both: what a rounding of each entry does to W."""
    return max(np.linalg.norm(V), np.linalg.norm(moved)) / singular_values(V)[-1]


def rotation_equivariant(implementation, V, A, R=None):
    """f(R V) = R f(V) for orthogonal R (n, n); rows in reverse order where none is given."""
    R = np.eye(len(V))[::-1] if R is None else R
    moved = in_format(R @ V, implementation.dtype)
    return same(implementation, V, moved, rounded_condition(V, moved), R)


def symmetric_jacobian(implementation, V, A, E=None):
    """⟨A, J E⟩ = ⟨J A, E⟩, as W is the gradient of ‖V_C‖_*: backward against backward, and against forward mode."""
    E = V / np.abs(V).max() + np.eye(*V.shape) if E is None else E
    backward = np.sum(implementation.vjp(V, A) * E)
    others = np.array([np.sum(implementation.vjp(V, E) * A), np.sum(implementation.jvp(V, E) * A)])
    each = conditioned(implementation, V)
    return worst(others - backward, gradient_scale(V, A) * np.linalg.norm(E), each + each)


def value_enclosed(implementation, V, A):
    """W within rounding of balls that hold the exact value."""
    misses = errors(enclosure.forward(V), implementation.forward(V))
    return worst(misses, 1.0, conditioned(implementation, V))


def gradient_enclosed(implementation, V, A):
    """The gradient within rounding of balls around the exact one, which come by another formula."""
    misses = errors(enclosure.vjp(V, A), implementation.vjp(V, A))
    return worst(misses, gradient_scale(V, A), conditioned(implementation, V))


def gradient_zero_mean(implementation, V, A):
    """∂L/∂V · 1 = 0."""
    d = V.shape[1]
    sums = product(implementation.vjp(V, A), np.ones((d, 1)))
    return worst(sums, gradient_scale(V, A) * d**0.5, model(implementation, d))


@every
@SETTINGS
@given(data=st.data())
def test_rows_are_orthonormal(implementation, data):
    """W Wᵀ = I to rounding of W, whatever the condition of V."""
    assert orthonormal(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rows_have_zero_mean(implementation, data):
    """W 1 = 0 to rounding of W, whatever the condition of V."""
    assert zero_mean(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rows_of_unequal_size_cost_neither_constraint_nor_nearness(implementation, data):
    """Rows whose norms differ by decades leave W orthonormal, of zero mean and the nearest, all to rounding of W."""
    V, A = data.draw(points(implementation.dtype, kinds=["scaled_rows"]))
    assert orthonormal(implementation, V, A) <= 1
    assert zero_mean(implementation, V, A) <= 1
    assert nearest(implementation, V, A) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_no_orthonormal_matrix_is_nearer(implementation, data):
    """W minimises ‖W − V_C‖_F over W Wᵀ = I: certified by W V_Cᵀ ⪰ 0, hence ⟨W, V_C⟩ = ‖V_C‖_*."""
    assert nearest(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_no_drawn_orthonormal_matrix_is_nearer(implementation, data):
    """No drawn feasible matrix, near W or far from it, is nearer to V_C; the certificate decides, this only agrees."""
    V, A = data.draw(points(implementation.dtype))
    assert no_better(implementation, V, A, data.draw(orthogonal(V.shape[1]))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_weight_may_be_scaled(implementation, data):
    """W does not depend on the scale of V."""
    assert scale_invariant(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data(), shift=st.integers(-12, 12))
def test_rows_may_be_shifted(implementation, data, shift):
    """W does not depend on the means of the rows of V."""
    assert shift_invariant(implementation, *data.draw(points(implementation.dtype)), shift / 4) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_map_is_odd(implementation, data):
    """−V gives −W."""
    assert odd(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rotations_of_the_rows_pass_through(implementation, data):
    """R V gives R W for orthogonal R: no row is preferred, as Gram-Schmidt would."""
    V, A = data.draw(points(implementation.dtype))
    assert rotation_equivariant(implementation, V, A, data.draw(orthogonal(len(V)))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_jacobian_is_symmetric(implementation, data):
    """⟨A, J E⟩ = ⟨J A, E⟩ in backward mode, and in forward against backward mode."""
    V, A = data.draw(points(implementation.dtype))
    assert symmetric_jacobian(implementation, V, A, data.draw(cotangents(V, dtype=implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_gradient_has_zero_mean(implementation, data):
    """Every row of ∂L/∂V sums to zero, whatever the condition of V."""
    assert gradient_zero_mean(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_value_against_the_enclosure(implementation, data):
    """W is the exact value to rounding times κ(V_C)."""
    assert value_enclosed(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=6))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_gradient_against_the_enclosure(implementation, data):
    """The gradient is the exact one to rounding times κ(V_C)."""
    assert gradient_enclosed(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=6))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_equal_and_near_equal_singular_values_are_ordinary_points(implementation, data):
    """Value and gradient are finite and right where singular values meet, down to gaps of 1e-14 and none at all."""
    V, A = data.draw(points(implementation.dtype, kinds=REPEATED, max_n=4, max_d=6))
    assert value_enclosed(implementation, V, A) <= 1
    assert gradient_enclosed(implementation, V, A) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rank_deficient_weights_are_refused(implementation, data):
    """Where V_C has rank below n, so always for n > d − 1, a ``ValueError`` names shape and rank; never NaN."""
    kinds = ["rank_deficient", "zero_row", "constant_row", "tall", "one_column"]
    assert refuses(implementation, data.draw(weights(kinds=kinds, dtype=implementation.dtype)))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS[1:], ids=str)
@SETTINGS
@given(data=st.data())
def test_pytorch_agrees_with_the_reference(implementation, data):
    """Both implementations give the same W and the same gradient, at sizes beyond the enclosure's."""
    V, A = data.draw(points(implementation.dtype, max_n=10, max_d=16))
    each = conditioned(implementation, V)
    assert worst(implementation.forward(V) - reference.forward(V), 1.0, each + each) <= 1
    assert worst(implementation.vjp(V, A) - reference.vjp(V, A), gradient_scale(V, A), each + each) <= 1


def polar(X):
    D, _, Qt = np.linalg.svd(X, full_matrices=False)
    return D @ Qt


def power_of_gram(V, power, epsilon=0.0):
    """(Σ + ε I)^power V_C."""
    X = centred(V)
    values, D = np.linalg.eigh(X @ X.T)
    return (D * (np.abs(values) + epsilon) ** power) @ D.T @ X


def altered_gradient(rotation=1.0, stretch=1.0, factor=1.0, centring=1.0):
    """The two parts of the gradient, Z W and S⁻¹ (A − B W), weighed otherwise than 1, centred or not."""

    def vjp(V, A):
        D, s, Qt = np.linalg.svd(centred(V), full_matrices=False)
        W, A = D @ Qt, A - centring * A.mean(axis=1, keepdims=True)
        B = A @ W.T
        Z = D @ ((D.T @ (B - B.T) @ D) / (s[:, None] + s[None, :])) @ D.T
        return factor * (rotation * Z @ W + stretch * (D / s) @ D.T @ (A - B @ W))

    return dataclasses.replace(IMPLEMENTATIONS[0], name="faulty", vjp=vjp)


def with_gaps(V, A):
    """The gradient with differences of eigenvalues in the denominator, infinite where they are equal."""
    try:
        return reference.repaired_backward(V, A)
    except ValueError:
        return np.full(V.shape, np.inf)


def printed(V, A):
    try:
        return reference.printed_backward(V, A)
    except ValueError:
        return np.full(V.shape, np.inf)


def altered_map(forward):
    return dataclasses.replace(IMPLEMENTATIONS[0], name="faulty", forward=forward)


WRONG = {
    "not centred": altered_map(polar),
    "centred afterwards": altered_map(lambda V: centred(polar(V))),
    "negated": altered_map(lambda V: -polar(centred(V))),
    "Gram-Schmidt": altered_map(lambda V: gram_schmidt(centred(V))),
    "rows one by one": altered_map(lambda V: centred(V) / np.linalg.norm(centred(V), axis=1, keepdims=True)),
    "inverse for inverse root": altered_map(lambda V: power_of_gram(V, -1.0)),
    "epsilon in the root": altered_map(lambda V: power_of_gram(V, -0.5, 1e-6)),
    "with a square": altered_map(lambda V: polar(centred(V + 0.1 * V * V))),
    "single precision": altered_map(lambda V: polar(centred(V).astype(np.float32)).astype(np.float64)),
    "gradient doubled": altered_gradient(factor=2.0),
    "gradient without rotation": altered_gradient(rotation=0.0),
    "gradient rotated backwards": altered_gradient(rotation=-1.0),
    "gradient without stretch": altered_gradient(stretch=0.0),
    "gradient not centred": altered_gradient(centring=0.0),
    "gradient over gaps": dataclasses.replace(IMPLEMENTATIONS[0], vjp=with_gaps),
    "gradient as printed": dataclasses.replace(IMPLEMENTATIONS[0], vjp=printed),
}
NOTICES = [
    (orthonormal, "rows one by one"),
    (orthonormal, "inverse for inverse root"),
    (orthonormal, "centred afterwards"),
    (zero_mean, "not centred"),
    (nearest, "Gram-Schmidt"),
    (nearest, "negated"),
    (no_better, "negated"),
    (scale_invariant, "epsilon in the root"),
    (shift_invariant, "not centred"),
    (odd, "with a square"),
    (rotation_equivariant, "Gram-Schmidt"),
    (value_enclosed, "single precision"),
    (value_enclosed, "Gram-Schmidt"),
    (symmetric_jacobian, "gradient doubled"),
    (symmetric_jacobian, "gradient as printed"),
    (gradient_zero_mean, "gradient not centred"),
    (gradient_enclosed, "gradient doubled"),
    (gradient_enclosed, "gradient without rotation"),
    (gradient_enclosed, "gradient rotated backwards"),
    (gradient_enclosed, "gradient without stretch"),
    (gradient_enclosed, "gradient over gaps"),
    (gradient_enclosed, "gradient as printed"),
]


@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by a map or gradient made wrong on purpose."""
    kinds = REPEATED if wrong == "gradient over gaps" else ["ordinary", "short_decimals"]
    V, _ = noticed(lambda point: holds(WRONG[wrong], *point), points("float64", kinds=kinds, max_n=3, max_d=6))
    assert np.isfinite(V).all()


def test_silence_at_a_lost_rank_is_noticed():
    """An epsilon in the root that turns a lost rank into something finite is no refusal."""
    assert not refuses(WRONG["epsilon in the root"], np.array([[1.0, 2.0, 4.0], [2.0, 4.0, 8.0]]))
