"""Ball arithmetic helpers: they contain what they must, are narrow, and refuse what they cannot prove."""

import flint
import numpy as np
import pytest

from wnverify.finding import seed_of
from wnverify.oracles.enclosures import (
    ball_matrix,
    contains,
    distance,
    frobenius_bound,
    inverse,
    inverse_square_root,
    positive_definite,
    precision,
    radius,
    solve_lyapunov,
    to_float64,
)


def normal(*shape):
    return np.random.default_rng(seed_of("enclosures", shape)).standard_normal(shape)


def residual_is_enclosed(A, B):
    """Whether A − B, two enclosures of the same matrix, contains zero everywhere."""
    return contains(A - B, np.zeros((A.nrows(), A.ncols())))


def identity(n):
    return ball_matrix(np.eye(n))


def test_float64_entries_become_exact_balls():
    """Every float64, the tiniest and the largest too, is held without a radius, and comes back unchanged."""
    V = np.array([[0.1, -1e308], [5e-324, 0.0]])
    assert radius(ball_matrix(V)) == 0
    assert (to_float64(ball_matrix(V)) == V).all()


def test_containment_sees_one_unit_in_the_last_place():
    """An exact ball contains its float64 and not the next one; the distance is that unit."""
    V = np.array([[0.1, 2.0]])
    neighbour = np.array([[np.nextafter(0.1, 1), 2.0]])
    assert contains(ball_matrix(V), V)
    assert not contains(ball_matrix(V), neighbour)
    assert distance(ball_matrix(V), neighbour)[0, 0] == neighbour[0, 0] - V[0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_entries_are_refused(value):
    """A ball around NaN or infinity would enclose nothing: refused by name."""
    with pytest.raises(ValueError, match=r"V\[0, 1\]"):
        ball_matrix([[1.0, value]], "V")


def test_complex_matrices_are_refused():
    """A real part alone would be enclosed as if it was the matrix: balls of it prove nothing."""
    with pytest.raises(TypeError, match="V must be real; got complex128"):
        ball_matrix(np.eye(2) + 1j, "V")


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 2, 2)], ids=str)
def test_other_shapes_are_refused(shape):
    """Only matrices with at least one entry have an enclosure here."""
    with pytest.raises(ValueError, match="V must be a matrix"):
        ball_matrix(np.ones(shape), "V")


def test_precision_is_local():
    """The working precision ends with the block, also after an error, and too little of it is refused."""
    before = flint.ctx.prec
    with precision(300):
        assert flint.ctx.prec == 300
    with pytest.raises(ZeroDivisionError), precision(300):
        raise ZeroDivisionError
    assert flint.ctx.prec == before
    with pytest.raises(ValueError, match="bits"), precision(32):
        pass


@pytest.mark.parametrize("n", [1, 3, 6])
def test_inverse_times_the_matrix_encloses_the_identity(n):
    """A A⁻¹ encloses I with a radius far below rounding in float64."""
    with precision(200):
        A = ball_matrix(normal(n, n))
        product = A * inverse(A)
        assert residual_is_enclosed(product, identity(n))
        assert radius(product) < 2.0**-150


def test_a_singular_matrix_has_no_inverse():
    """What cannot be proved invertible is refused."""
    with precision(200), pytest.raises(ValueError, match="provably invertible"):
        inverse(ball_matrix([[1.0, 2.0], [2.0, 4.0]]))


def test_positive_definiteness_is_proved_or_not_claimed():
    """Definite: yes.  Semidefinite, indefinite, or definite only within the radius: no."""
    with precision(200):
        assert positive_definite(ball_matrix([[2.0, 1.0], [1.0, 2.0]]))
        assert not positive_definite(ball_matrix([[1.0, 1.0], [1.0, 1.0]]))
        assert not positive_definite(ball_matrix([[1.0, 2.0], [2.0, 1.0]]))
        assert not positive_definite(flint.arb_mat([[flint.arb(1, 2)]]))


@pytest.mark.parametrize(
    "values",
    [[2.0], [1.0, 1.0, 1.0], [3.0, 3.0, 1e-6], [1e-200, 3e-200], [1e200, 2e200], [5.0, 4.0, 3.0, 2.0, 1.0, 1e-3]],
    ids=str,
)
def test_inverse_square_root(values):
    """X Σ X encloses I narrowly, and X contains Σ^{-1/2}, at repeated eigenvalues and at any scale."""
    n = len(values)
    with precision(320):
        U = ball_matrix(np.linalg.qr(normal(n, n))[0])
        skew = U - U.transpose()
        U = (identity(n) - skew) * inverse(identity(n) + skew)  # Cayley: exactly orthogonal, as an enclosure
        spread = ball_matrix(np.diag(values))
        Sigma = U * spread * U.transpose()
        X = inverse_square_root(Sigma)
        assert residual_is_enclosed(X * Sigma * X, identity(n))
        assert radius(X) < 2.0**-150 * max(values) ** -0.5 * (max(values) / min(values)) ** 2
        roots = flint.arb_mat([[spread[i, i].rsqrt() if i == j else 0 for j in range(n)] for i in range(n)])
        assert residual_is_enclosed(X, U * roots * U.transpose())


def test_the_radius_covers_an_uncertain_matrix():
    """For Σ known only to a radius, the root of every Σ inside is enclosed."""
    with precision(200):
        wide = flint.arb_mat([[flint.arb(4, 1e-3), flint.arb(0)], [flint.arb(0), flint.arb(9, 1e-3)]])
        X = inverse_square_root(wide)
        for low, high in ((4.001, 8.999), (3.999, 9.001)):
            assert contains(X, [[low**-0.5, 0.0], [0.0, high**-0.5]])
        assert radius(X) < 0.01


def test_no_root_without_positive_definiteness():
    """A semidefinite Σ has no inverse root: refused, whatever the iteration would do."""
    with precision(200), pytest.raises(ValueError, match="positive definite"):
        inverse_square_root(ball_matrix([[1.0, 1.0], [1.0, 1.0]]))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_lyapunov_solution_satisfies_its_equation(n):
    """S X + X S encloses C narrowly, for C without symmetry."""
    with precision(256):
        root = ball_matrix(normal(n, n + 2))
        S, C = root * root.transpose(), ball_matrix(normal(n, n))
        X = solve_lyapunov(S, C)
        assert residual_is_enclosed(S * X + X * S, C)
        assert radius(X) < 2.0**-180


def test_a_singular_lyapunov_equation_is_refused():
    """With eigenvalues 1 and −1 the equation has no unique solution: refused."""
    with precision(200), pytest.raises(ValueError, match="Lyapunov"):
        solve_lyapunov(ball_matrix([[1.0, 0.0], [0.0, -1.0]]), identity(2))


def test_frobenius_bound_is_an_upper_bound():
    """The bound is at least the norm, and exact up to the last bits."""
    with precision(200):
        bound = float(frobenius_bound(ball_matrix([[3.0, 4.0]])))
    assert 5.0 <= bound < 5.0 + 1e-12
