"""Orthogonalization by groups of rows: each group as if it stood alone, the equal ones in one batch."""

import copy
import pickle

import numpy as np
import pytest
import torch
from method_cases import normal, ratio

from wnverify.methods.centred_weight_normalization import reference as centred
from wnverify.methods.orthogonal_weight_normalization import enclosure, pytorch, reference
from wnverify.methods.orthogonal_weight_normalization.pytorch import OrthogonalWeightNormalization, orthogonalize_rows
from wnverify.oracles.enclosures import to_float64

SHAPES = [(6, 5, 2), (7, 5, 3), (4, 9, 4), (5, 9, 8), (5, 3, 1), (64, 27, 26)]
every_shape = pytest.mark.parametrize(("n", "d", "group_rows"), SHAPES)


def slices(n, group_rows):
    return [slice(start, min(start + group_rows, n)) for start in range(0, n, group_rows)]


def smallest_and_condition(V, group_rows):
    """The smallest singular value of a centred group, and the largest condition number of one."""
    values = [np.linalg.svd(centred_rows(V[rows]), compute_uv=False) for rows in slices(len(V), group_rows)]
    return min(s[-1] for s in values), max(s[0] / s[-1] for s in values)


def centred_rows(V):
    return V - V.mean(axis=1, keepdims=True)


@every_shape
def test_the_reference_maps_each_group_as_if_it_stood_alone(n, d, group_rows):
    """Value and gradient of the whole are those of the groups, one below the other, to the bit."""
    V, A = normal(n, d), normal(n, d, case="cotangent")
    parts = slices(n, group_rows)
    alone = np.concatenate([reference.forward(V[rows]) for rows in parts])
    assert np.array_equal(reference.forward(V, group_rows=group_rows), alone)
    alone = np.concatenate([reference.vjp(V[rows], A[rows]) for rows in parts])
    assert np.array_equal(reference.vjp(V, A, group_rows=group_rows), alone)
    assert np.array_equal(reference.jvp(V, A, group_rows=group_rows), alone)


@every_shape
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_pytorch_agrees_with_the_reference(n, d, group_rows, dtype):
    """Value and gradient in PyTorch are within modelled rounding of NumPy, for full and for smaller last groups."""
    V = torch.tensor(normal(n, d)).to(dtype).requires_grad_()
    A = torch.tensor(normal(n, d, case="cotangent")).to(dtype)
    exact, cotangent = V.detach().double().numpy(), A.double().numpy()
    sigma, kappa = smallest_and_condition(exact, group_rows)
    W = orthogonalize_rows(V, group_rows=group_rows)
    (G,) = torch.autograd.grad(W, V, A)
    kind = str(dtype).removeprefix("torch.")
    assert ratio(W, reference.forward(exact, group_rows=group_rows), kind, d, condition=kappa) <= 1
    right = reference.vjp(exact, cotangent, group_rows=group_rows)
    assert ratio(G, right, kind, d, scale=float(np.linalg.norm(cotangent) / sigma), condition=kappa) <= 1


@pytest.mark.parametrize(("n", "d", "group_rows"), SHAPES[:5])
def test_the_reference_agrees_with_the_enclosure(n, d, group_rows):
    """Value and gradient are within modelled rounding of balls that hold the exact ones, also for n > d."""
    V, A = normal(n, d), normal(n, d, case="cotangent")
    sigma, kappa = smallest_and_condition(V, group_rows)
    found = reference.forward(V, group_rows=group_rows)
    assert ratio(found, to_float64(enclosure.forward(V, group_rows=group_rows)), "float64", d, condition=kappa) <= 1
    scale = float(np.linalg.norm(A) / sigma)
    right = to_float64(enclosure.vjp(V, A, group_rows=group_rows))
    assert ratio(reference.vjp(V, A, group_rows=group_rows), right, "float64", d, scale=scale, condition=kappa) <= 1


@every_shape
def test_rows_are_orthonormal_within_a_group(n, d, group_rows):
    """W Wᵀ has identity blocks, and elsewhere, with more than one group, something that is not zero."""
    W = orthogonalize_rows(torch.tensor(normal(n, d)), group_rows=group_rows)
    for rows in slices(n, group_rows):
        block = W[rows] @ W[rows].mT
        assert ratio(block, np.eye(len(block)), "float64", d) <= 1
    assert ratio(W.sum(1), np.zeros(n), "float64", d, scale=d**0.5) <= 1
    if n > group_rows:
        assert ratio(W @ W.mT, np.eye(n), "float64", d) > 1e6


def test_one_group_is_no_group():
    """A group that holds all rows, exactly or with room, changes no bit."""
    V = torch.tensor(normal(4, 9))
    for group_rows in (4, 5, 100):
        assert torch.equal(orthogonalize_rows(V, group_rows=group_rows), orthogonalize_rows(V))


def test_groups_of_one_row_are_centred_weight_normalization():
    """With one row a group every row is centred and normalised by itself."""
    V = normal(5, 4)
    assert ratio(orthogonalize_rows(torch.tensor(V), group_rows=1), centred.forward(V), "float64", 4) <= 1


def test_equal_groups_are_one_batch(monkeypatch):
    """However many groups there are, at most two decompositions are asked for: the equal ones, and the last."""
    asked = []

    def counted(V, **options):
        asked.append(tuple(V.shape))
        return original(V, **options)

    original = pytorch.polar
    monkeypatch.setattr(pytorch, "polar", counted)
    orthogonalize_rows(torch.tensor(normal(70, 9)), group_rows=8)
    orthogonalize_rows(torch.tensor(normal(2, 64, 9)), group_rows=8)
    assert asked == [(8, 8, 9), (6, 9), (2, 8, 8, 9)]


def test_batches_and_derivatives_pass_through():
    """Leading batch axes, vmap, forward mode and second derivatives agree with each matrix by itself."""
    V = torch.tensor(normal(2, 5, 4))

    def grouped(X):
        return orthogonalize_rows(X, group_rows=2)

    alone = torch.stack([grouped(X) for X in V])
    assert ratio(grouped(V), alone, "float64", 4, condition=8) <= 1
    assert ratio(torch.func.vmap(grouped)(V), alone, "float64", 4, condition=8) <= 1
    leaf = V[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(grouped, leaf, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(grouped, leaf, check_fwd_over_rev=True)


def test_what_is_declared_depends_on_the_groups():
    """Orthonormal rows are declared for all rows together only; single rows have the properties of a direction."""
    whole, pairs, single = (OrthogonalWeightNormalization(group_rows=m) for m in (None, 2, 1))
    assert "orthonormal_rows" in whole.DECLARES
    assert whole.DOMAIN["rows_lt_cols"]
    assert not {"orthonormal_rows", "spectral_norm_le_1", "permutation_equivariant_rows"} & set(pairs.DECLARES)
    assert {"unit_norm_rows", "zero_mean_rows", "idempotent", "gradient_zero_mean"} <= set(pairs.DECLARES)
    assert pairs.DOMAIN["min_cols"] == 3
    assert "rows_lt_cols" not in pairs.DOMAIN
    assert {"row_scale_invariant", "gradient_orthogonal_to_weight"} <= set(single.DECLARES)
    assert "orthonormal_rows" in OrthogonalWeightNormalization.DECLARES
    for module in (pairs, copy.deepcopy(pairs), pickle.loads(pickle.dumps(pairs))):
        assert "group_rows=2" in repr(module)
        assert module(torch.tensor(normal(5, 4))).shape == (5, 4)


def test_groups_of_rows_are_not_those_of_a_convolution():
    """For a transposed convolution ``groups`` sorts out the output units, ``group_rows`` then counts those."""
    V = torch.tensor(normal(6, 4, 3))
    W = OrthogonalWeightNormalization(group_rows=3, dim=1, groups=2)(V)
    units = torch.stack([W[3 * g : 3 * g + 3, j].flatten() for g in range(2) for j in range(4)])
    for start in (0, 3, 6):
        block = units[start : start + 3]
        assert ratio(block @ block.mT, np.eye(len(block)), "float64", 9) <= 1


@pytest.mark.parametrize("group_rows", [0, -1, True])
def test_impossible_group_sizes_are_refused(group_rows):
    """Anything but None or a whole number from 1 on is a ValueError that names the argument."""
    with pytest.raises(ValueError, match="group_rows must be None or a whole number"):
        OrthogonalWeightNormalization(group_rows=group_rows)


def test_the_reference_refuses_an_empty_group():
    """A group of no rows is a ValueError in NumPy and in balls as well."""
    for form in (reference.forward, enclosure.forward):
        with pytest.raises(ValueError, match="group_rows must be None or a whole number"):
            form(normal(3, 5), group_rows=0)


def test_a_refusal_names_the_group():
    """A lost rank is told with the rows of its group, a group too large with its shape, a NaN with its own place."""
    V = torch.tensor(normal(7, 5))
    V[3] = 2 * V[2] + 1
    with pytest.raises(ValueError, match=r"rows 2 to 3, one group: .*\(2, 5\).* rank 1"):
        orthogonalize_rows(V, group_rows=2)
    V[6] = 0.1
    with pytest.raises(ValueError, match=r"rows 6 to 6, one group: .*\(1, 5\).* rank 0"):
        orthogonalize_rows(V[[0, 1, 4, 5, 2, 0, 6]], group_rows=2)
    with pytest.raises(ValueError, match=r"rows 0 to 4, one group: .*n ≤ d - 1; got shape \(5, 5\)"):
        orthogonalize_rows(V, group_rows=5)
    V[5, 3] = float("nan")
    with pytest.raises(ValueError, match=r"V\[5, 3\] = nan"):
        orthogonalize_rows(V, group_rows=2)


def test_zero_and_constant_rows_are_refused_as_documented():
    """A zero row, a constant row and the zero matrix raise in their group, as DOMAIN says, at any scale."""
    for scale in (1.0, 1e-200, 1e200):
        for rows in ([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], [[1.0, 2.0, 4.0], [0.1, 0.1, 0.1]], [[0.0] * 3] * 2):
            V = np.concatenate([normal(2, 3), rows]) * scale
            with pytest.raises(ValueError, match="rows 2 to 3, one group"):
                orthogonalize_rows(torch.tensor(V), group_rows=2)
            with pytest.raises(ValueError, match="rank"):
                reference.forward(V, group_rows=2)
