"""Typed test matrices, and the condition numbers by which errors are judged."""

import numpy as np
import pytest
import torch

from wnverify.numerics import matrices
from wnverify.numerics.judge import subject_of

IDS = ["weight_normalization", "centred_weight_normalization", "orthogonal_weight_normalization"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_test_matrices_are_exact_in_the_dtype_that_they_test(dtype):
    """Casting to the dtype and back changes nothing; names are unique; a seed fixes the values."""
    cases = list(matrices.typed(dtype, 3))
    assert len({case.name for case in cases}) == len(cases)
    for case, again in zip(cases, matrices.typed(dtype, 3), strict=True):
        for X, Y in ((case.V, again.V), (case.A, again.A)):
            assert np.array_equal(X, X.astype(dtype).astype(np.float64))
            assert np.array_equal(X, Y)
        assert np.isfinite(case.V).all()


def test_prescribed_singular_values_are_had():
    """σ and the zero means of the rows are right to rounding."""
    V = matrices.with_singular_values([3.0, 2.0, 0.01], 7, seed=1)
    assert np.abs(np.linalg.svd(V, compute_uv=False) - [3.0, 2.0, 0.01]).max() <= 64 * 2.0**-53
    assert np.abs(V.sum(axis=1)).max() <= 64 * 2.0**-53


@pytest.mark.parametrize("method", IDS)
def test_the_condition_number_bounds_what_a_perturbation_does(method):
    """‖W(V + E) − W(V)‖ ≤ κ ‖W‖ ‖E‖ / ‖V‖ for small E, block by block, and the best E comes near it."""
    subject = subject_of(method, 0, True)
    V = matrices.normal(3, 6, seed=5) + 0.5
    _, kappa = matrices.smallest(method, V)
    blocks = (lambda X: X.reshape(1, -1)) if method in matrices.MIXES else lambda X: X
    J = torch.func.jacrev(subject.map.implementation)(torch.tensor(V)).numpy()
    for i, X in enumerate(blocks(V)):
        own = J.reshape(18, 18) if method in matrices.MIXES else J[i, :, i, :]
        size = np.linalg.norm(X) / np.linalg.norm(blocks(subject.map.reference(V))[i])
        largest = np.linalg.svd(own, compute_uv=False)[0] * size
        assert 0.5 * kappa[i, 0] <= largest <= kappa[i, 0] * (1 + 1e-9)


@pytest.mark.parametrize("method", IDS)
@pytest.mark.parametrize("sigma", [[1.0], [1.0, 1.0], [1.0, 0.2], [1.0, 0.5, 0.1]], ids=str)
def test_the_second_derivative_has_the_stated_norm(method, sigma):
    """max ‖D²W[E, ·]ᵀ A‖ σ² over unit E and A is 2/√3 for one to three rows, by alternating maximisation."""
    if method not in matrices.MIXES and len(sigma) > 1:
        sigma = sigma[:1]
    n, d = len(sigma), 5
    V = torch.tensor(matrices.with_singular_values(sigma, d, seed=2))
    f = subject_of(method, 0, True).map.implementation
    H = torch.func.jacfwd(torch.func.jacrev(f))(V).reshape(n * d, n * d, n * d)
    best = 0.0
    for start in range(6):
        E = torch.tensor(matrices.normal(n * d, seed=start))
        for _ in range(60):
            A = torch.linalg.svd(torch.einsum("wij,j->wi", H, E)).U[:, 0]
            _, S, right = torch.linalg.svd(torch.einsum("wij,w->ij", H, A))
            E = right[0]
        best = max(best, float(S[0]) * sigma[-1] ** 2)
    assert abs(best - matrices.SECOND) <= 1e-6


def test_norms_neither_overflow_nor_underflow():
    """Condition numbers of matrices near the ends of the range are those of the same matrix in the middle."""
    V = matrices.normal(3, 6, seed=7)
    for method in IDS:
        right = matrices.smallest(method, V)[1]
        for power in (-900, 900):
            assert np.array_equal(matrices.smallest(method, np.ldexp(V, power))[1], right)


def test_what_is_not_finite_has_an_infinite_ratio():
    """A NaN in the error never passes."""
    case = next(iter(matrices.typed("float64", 0)))
    error = np.full(case.V.shape, np.nan)
    for method in IDS:
        assert matrices.forward_ratio(method, case, error, "float64").value == np.inf
        assert matrices.backward_ratio(method, case, error, "float64").value == np.inf
