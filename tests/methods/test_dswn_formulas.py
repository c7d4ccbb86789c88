"""What DSWN prints against what is right: equations 8, 11 and 12, and the proximal point with its certificates."""

from fractions import Fraction

import flint
import numpy as np
import pytest
import torch
from dswn_cases import NEURON, SHRINKAGES, SPARSITY, bounds, centred
from method_cases import normal, ratio
from scipy.optimize import minimize

from wnverify.methods.dswn_neuron_measurement import reference as neuron
from wnverify.methods.dswn_sparsity_measurement import enclosure
from wnverify.methods.dswn_sparsity_measurement import reference as sparsity
from wnverify.methods.dswn_sparsity_measurement.pytorch import DswnSparsityMeasurement, shrink, sparsify_rows
from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.oracles.enclosures import to_float64


def test_printed_backward_of_the_neuron_measurement():
    """Equations 11 and 12 as printed are no gradient; mended they are the one with G constant, and not that of W."""
    V, A = normal(3, 6), normal(3, 6, case="cotangent")
    scales = neuron.column_scales(V, tau=1.0, epsilon=neuron.PERTURBATION)
    leaf = torch.tensor(V).requires_grad_()
    X = leaf - leaf.mean(1, keepdim=True)
    U, _, Qt = torch.linalg.svd(X, full_matrices=False)
    (fixed,) = torch.autograd.grad(U @ Qt * torch.tensor(scales), leaf, torch.tensor(A))
    _, gradient, kappa = bounds(NEURON, {}, V, A)
    values = np.linalg.svd(centred(V), compute_uv=False) ** 2
    gaps = float(values[0] / np.abs(np.diff(values)).min())
    found = neuron.repaired_backward(V, A)
    assert ratio(found, fixed, "float64", 6, scale=gradient, condition=kappa * gaps) <= 1
    rest = neuron.scales_vjp(V, (orthogonal.forward(V) * A).sum(axis=0), tau=1.0)
    right = neuron.vjp(V, A)
    assert ratio(found + rest, right, "float64", 6, scale=gradient, condition=kappa * gaps) <= 1
    for other in (found, neuron.printed_backward(V, A)):
        assert ratio(other, right, "float64", 6, scale=gradient, condition=kappa * gaps) > 1e6
    assert ratio(neuron.printed_backward(V, A), fixed, "float64", 6, scale=gradient, condition=kappa * gaps) > 1e6


def test_printed_backward_of_the_sparsity_measurement():
    """With its factor taken as a constant G^{-1} equation 12, printed or mended, is no gradient of equation 8; without
    shrinking (η = 0) the mended one is."""
    V, A = normal(3, 6), normal(3, 6, case="cotangent")
    _, gradient, kappa = bounds(SPARSITY, {"eta": 0.1}, V, A)
    values = np.linalg.svd(centred(V), compute_uv=False) ** 2
    condition = kappa * float(values[0] / np.abs(np.diff(values)).min())
    for form in (sparsity.printed_backward, sparsity.repaired_backward):
        right = sparsity.vjp(V, A, eta=0.1)
        assert ratio(form(V, A, eta=0.1), right, "float64", 6, scale=gradient, condition=condition) > 1e6
    found = sparsity.repaired_backward(V, A, eta=0.0)
    assert ratio(found, sparsity.vjp(V, A, eta=0.0), "float64", 6, scale=gradient, condition=condition) <= 1
    found = sparsity.printed_backward(V, A, eta=0.0)
    assert ratio(found, sparsity.vjp(V, A, eta=0.0), "float64", 6, scale=gradient, condition=condition) > 1e6


def test_equations_11_and_12_are_printed_to_the_letter_for_any_factor():
    """A factor that differs from entry to entry stands in the W of A Wᵀ, and in A G^{-1}; line by line it is the same.

    Mended it is the gradient of φ(V) times a constant factor.
    """
    V, A = normal(3, 6), normal(3, 6, case="cotangent")
    X, phi = centred(V), orthogonal.forward(V)
    factor = np.maximum(1 - 0.05 * np.abs(phi).sum(axis=1, keepdims=True) / np.abs(phi), 0.0)
    W = sparsity.forward(V, eta=0.05)
    assert ratio(phi * factor, W, "float64", 6) <= 1
    lam, D = np.linalg.eigh(X @ X.T)
    half, minus_half, ones = np.diag(lam**0.5), np.diag(lam**-0.5), np.ones((6, 1))
    gaps = lam[:, None] - lam[None, :] + np.eye(3)
    K = (1 - np.eye(3)) / gaps
    by_lambda = -0.5 * D.T @ A @ W.T @ D @ np.diag(1 / lam)
    by_d = A @ W.T @ D + D @ half @ D.T @ W @ A.T @ D @ minus_half
    by_sigma = D @ (K.T * (D.T @ by_d) + by_lambda * np.eye(3)) @ D.T
    by_c = -ones.T @ (factor * A).T @ D @ minus_half @ D.T - 2 * ones.T @ X.T @ (by_sigma.T + by_sigma) / 2
    right = D @ minus_half @ D @ (A * factor) + 2 * by_sigma.T @ X + by_c.T @ ones.T / 6
    condition = float(lam[-1] / np.abs(gaps).min()) * float(lam[-1] / lam[0])
    scale = float(np.linalg.norm(right))
    found = sparsity.printed_backward(V, A, eta=0.05)
    assert ratio(found, right, "float64", 6, scale=scale, condition=condition) <= 1
    leaf = torch.tensor(V).requires_grad_()
    U, _, Qt = torch.linalg.svd(leaf - leaf.mean(1, keepdim=True), full_matrices=False)
    (held,) = torch.autograd.grad(U @ Qt * torch.tensor(factor), leaf, torch.tensor(A))
    found = sparsity.repaired_backward(V, A, eta=0.05)
    assert ratio(found, held, "float64", 6, scale=scale, condition=condition) <= 1


def objective(w, y, eta):
    return 0.5 * np.sum((w - y) ** 2) + 0.5 * eta * np.abs(w).sum() ** 2


def test_equation_8_is_not_the_proximal_point():
    """At (2, 1) with η = 1/2 equation 8 gives (1/2, 0); the minimiser is (5/4, 1/4), and its objective lower."""
    y = np.array([[2.0, 1.0]])
    printed = sparsity.shrink(y, eta=0.5, update="printed", group="rows")
    exact = sparsity.shrink(y, eta=0.5, update="prox", group="rows")
    assert printed.tolist() == [[0.5, 0.0]]
    k, total, eta = 2, Fraction(3), Fraction(1, 2)
    theta = eta * total / (1 + eta * k)
    assert theta == Fraction(3, 4)
    assert exact.tolist() == [[float(2 - theta), float(1 - theta)]] == [[1.25, 0.25]]
    assert objective(exact, y, 0.5) < objective(printed, y, 0.5)


def by_slsqp(y, eta):
    """argmin ½ ‖w − y‖² + (η/2) ‖w‖_1² with w = p − q, p, q ≥ 0, by a general solver."""
    d = len(y)

    def value(z):
        w, total = z[:d] - z[d:], z.sum()
        residual = w - y
        gradient = np.concatenate([residual, -residual]) + eta * total
        return 0.5 * residual @ residual + 0.5 * eta * total**2, gradient

    start = np.concatenate([np.maximum(y, 0), np.maximum(-y, 0)])
    solved = minimize(
        value, start, jac=True, bounds=[(0, None)] * (2 * d), method="SLSQP", options={"ftol": 1e-15, "maxiter": 500}
    )
    return solved.x[:d] - solved.x[d:]


@pytest.mark.parametrize("eta", [0.01, 0.3, 1.0, 20.0])
@pytest.mark.parametrize("d", [1, 2, 5, 9])
def test_the_proximal_point_against_a_general_solver(d, eta):
    """SLSQP finds no lower objective, and, up to the square root of its own accuracy, the same point."""
    y = normal(1, d, case=str(eta))
    w = sparsity.shrink(y, eta=eta, update="prox", group="rows")
    other = by_slsqp(y[0], eta)
    assert (
        ratio(
            objective(w, y, eta),
            min(objective(other[None], y, eta), objective(w, y, eta)),
            "float64",
            d,
            scale=float((y**2).sum()),
        )
        <= 1
    )
    # Strong convexity: ½ ‖w − other‖² ≤ the difference of the objectives.
    apart = 0.5 * np.sum((w - other) ** 2)
    gap = objective(other[None], y, eta) - objective(w, y, eta)
    assert ratio(max(apart - gap, 0.0), 0.0, "float64", d, scale=float((y**2).sum())) <= 1


def exact_prox(y, eta):
    """The proximal point in rational numbers, by trying every number of kept entries."""
    order = sorted(range(len(y)), key=lambda j: -abs(y[j]))
    for k in range(len(y), 0, -1):
        theta = eta * sum(abs(y[j]) for j in order[:k]) / (1 + eta * k)
        if abs(y[order[k - 1]]) > theta:
            return [(abs(v) - theta) * (1 if v > 0 else -1) if abs(v) > theta else Fraction(0) for v in y]
    return [Fraction(0)] * len(y)


@pytest.mark.parametrize(
    "y",
    [[0, 0, 0], [0], [3], [-2, 0], [1, 1, 1, 1], [-1, 1, -1], [4, 3, 2, 1], [8, 1, 1], [1, -1, 8, 0, 5], [2, 1]],
    ids=str,
)
@pytest.mark.parametrize("eta", [0.0, 0.125, 0.5, 1.0, 64.0])
def test_both_updates_in_rational_numbers(y, eta):
    """Zeros, ties, entries at the threshold, one entry and η = 0: NumPy and PyTorch give the rational point, to u."""
    exact = [Fraction(v) for v in y]
    rate = Fraction(eta)
    total = rate * sum(abs(v) for v in exact)
    right = {
        "prox": exact_prox(exact, rate),
        "printed": [(abs(v) - total) * (1 if v > 0 else -1) if abs(v) > total else Fraction(0) for v in exact],
    }
    for update, point in right.items():
        for group, Y in (("rows", np.array([y], dtype=float)), ("columns", np.array([y], dtype=float).T)):
            options = {"eta": eta, "update": update, "group": group}
            wanted = np.array([float(w) for w in point]).reshape(Y.shape)
            scale = (1 + eta) * sum(abs(v) for v in y) or 1.0
            for found in (sparsity.shrink(Y, **options), shrink(torch.tensor(Y), **options)):
                assert ratio(found, wanted, "float64", len(y), scale=scale) <= 1


def test_the_proximal_point_meets_its_condition_of_optimality():
    """y − w = η ‖w‖_1 s, s = sign(w) where w ≠ 0 and |s| ≤ 1 elsewhere: for 10⁶ entries too, in float64 and float32."""
    for kind in ("float64", "float32"):
        for eta in (1e-6, 1e-3, 10.0):
            Y = torch.tensor(normal(1, 10**6)).to(getattr(torch, kind))
            W = shrink(Y, eta=eta, update="prox", group="rows").double()
            Y, level = Y.double(), eta * float(W.abs().sum())
            kept = W != 0
            largest = float(Y.abs().max())
            assert ratio((Y - W - level * W.sign())[kept], np.zeros(int(kept.sum())), kind, 10**6, scale=largest) <= 1
            excess = (Y[~kept].abs() - level).clamp(min=0)
            assert ratio(excess, np.zeros(len(excess)), kind, 10**6, scale=largest) <= 1


@pytest.mark.parametrize(("update", "group"), SHRINKAGES)
def test_large_eta(update, group):
    """Equation 8 zeroes everything from η = 1 on, and keeps fewer than 1/η entries of a group; the proximal point keeps
    the largest entry of every group, whatever η."""
    V = torch.tensor(normal(6, 9))
    axis = {"rows": 1, "columns": 0}[group]
    for eta in (0.2, 0.4, 1.0, 1e3, 1e12):
        W = sparsify_rows(V, eta=eta, update=update, group=group)
        kept = (W != 0).sum(axis)
        if update == "printed":
            assert bool((kept * eta < 1).all())
            assert eta < 1 or not bool(W.any())
        else:
            assert bool((kept >= 1).all())
    leaf = V.clone().requires_grad_()
    sparsify_rows(leaf, eta=2.0, update=update, group=group).sum().backward()
    assert bool(leaf.grad.isfinite().all())
    assert update == "prox" or not bool(leaf.grad.any())


def test_shrinking_can_raise_the_spectral_norm():
    """Smaller entries are no smaller matrix: a shrunk orthonormal frame of spectral norm above 1.1, and 1.05."""
    V = [
        [-1, 1, -8, 6, -6, 1, 1, 0, 0, 0, 6, -1],
        [-2, 2, 0, 0, -5, 4, 2, -4, 2, 3, -1, -1],
        [-1, -3, 0, -2, 4, -1, -4, 3, -5, 4, 5, -1],
        [-5, 0, -1, -1, 5, 1, 6, 0, -1, 2, 1, -7],
        [6, -6, 1, 6, 0, -1, 0, -5, 2, -2, -2, 1],
        [-4, -1, 6, 0, -1, -5, 0, -1, 6, 1, -1, 1],
    ]
    for update in sparsity.UPDATES:
        assert np.linalg.norm(sparsity.forward(V, eta=0.03, update=update), 2) > 1.1
        assert "spectral_norm_le_1" not in DswnSparsityMeasurement(update=update).DECLARES


@pytest.mark.parametrize(("update", "share"), [("printed", 0.75), ("prox", 0.8)])
def test_an_entry_alone_in_its_group_is_scaled_at_zero_too(update, share):
    """One row, groups of columns: nothing is dropped, so that the derivative at a zero is that beside it."""
    options = {"eta": 0.25, "update": update, "group": "columns"}
    Y, ones = np.array([[-1.0, 0.0, 2.0, 0.0]]), np.ones((1, 4))
    leaf = torch.tensor(Y).requires_grad_()
    W = shrink(leaf, **options)
    (G,) = torch.autograd.grad(W.sum(), leaf)
    balls, at_ones = flint.arb_mat(Y.tolist()), flint.arb_mat(ones.tolist())
    values = [W, sparsity.shrink(Y, **options), to_float64(enclosure.shrink(balls, **options))]
    slopes = [G, sparsity.shrink_vjp(Y, ones, **options), sparsity.shrink_jvp(Y, ones, **options)]
    slopes.append(to_float64(enclosure.shrink_vjp(balls, at_ones, **options)))
    for found in values:
        assert ratio(found, share * Y, "float64", 4) <= 1
    for found in slopes:
        assert ratio(found, share * ones, "float64", 4) <= 1
