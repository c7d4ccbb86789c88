"""DSWN with neuron and with sparsity measurement, and both: values, gradients, scales, memory, refusals, layers."""

import copy
import pickle

import numpy as np
import pytest
import torch
from dswn_cases import COMBINED, NEURON, SHRINKAGES, SPARSITY, bounds, every_case
from method_cases import normal, ratio, with_singular_values

from wnverify.methods.catalogue import find
from wnverify.methods.dswn_combined import reference as combined
from wnverify.methods.dswn_neuron_measurement import enclosure as neuron_enclosure
from wnverify.methods.dswn_neuron_measurement import reference as neuron
from wnverify.methods.dswn_neuron_measurement.pytorch import DswnNeuronMeasurement, penalty_diagonal, scale_neurons
from wnverify.methods.dswn_sparsity_measurement import enclosure as sparsity_enclosure
from wnverify.methods.dswn_sparsity_measurement import reference as sparsity
from wnverify.methods.dswn_sparsity_measurement.pytorch import sparsify_rows
from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.oracles.enclosures import to_float64


@every_case
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", [(1, 2), (3, 5), (5, 12), (16, 40)], ids=str)
def test_pytorch_agrees_with_the_reference(method, options, dtype, shape):
    """Value and gradient in PyTorch are within modelled rounding of NumPy at the same input, in every dtype."""
    reference, _, function, _ = method
    V = torch.tensor(normal(*shape)).to(dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
    exact, cotangent = V.detach().double().numpy(), A.double().numpy()
    W = function(V, **options)
    (G,) = torch.autograd.grad(W, V, A)
    assert W.dtype == G.dtype == dtype
    value, gradient, kappa = bounds(method, options, exact, cotangent)
    kind = str(dtype).removeprefix("torch.")
    terms = shape[1]
    assert ratio(W, reference.forward(exact, **options), kind, terms, scale=value, condition=kappa) <= 1
    right = reference.vjp(exact, cotangent, **options)
    assert ratio(G, right, kind, terms, scale=gradient, condition=kappa) <= 1


@every_case
@pytest.mark.parametrize("shape", [(1, 2), (1, 5), (2, 3), (4, 7)], ids=str)
def test_the_reference_agrees_with_the_enclosure(method, options, shape):
    """Value and gradient in NumPy are within modelled rounding of balls that hold the exact ones."""
    reference, enclosure, _, _ = method
    V, A = normal(*shape), normal(*shape, case="cotangent")
    value, gradient, kappa = bounds(method, options, V, A)
    right = to_float64(enclosure.forward(V, **options))
    assert ratio(reference.forward(V, **options), right, "float64", shape[1], scale=value, condition=kappa) <= 1
    right = to_float64(enclosure.vjp(V, A, **options))
    assert ratio(reference.vjp(V, A, **options), right, "float64", shape[1], scale=gradient, condition=kappa) <= 1


@every_case
def test_the_backward_is_the_derivative_of_the_forward(method, options):
    """Reverse, forward, batched and second derivatives agree with difference quotients of the forward."""
    V = torch.tensor(normal(2, 4)).requires_grad_()

    def of(X):
        return method[2](X, **options)

    assert torch.autograd.gradcheck(of, V, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(of, V, check_fwd_over_rev=True, fast_mode=True)


@every_case
def test_batches_and_vmap_give_each_matrix_its_own(method, options):
    """Leading batch axes and vmap, over the input and over the cotangent, agree with one matrix at a time."""
    V, A = torch.tensor(normal(2, 3, 6)), torch.tensor(normal(2, 3, 6, case="cotangent"))

    def of(X):
        return method[2](X, **options)

    def gradient(X, Y):
        return torch.func.vjp(of, X)[1](Y)[0]

    alone = torch.stack([of(X) for X in V])
    scale, steepest, kappa = (
        max(each)
        for each in zip(
            *(bounds(method, options, X, Y) for X, Y in zip(V.numpy(), A.numpy(), strict=True)), strict=True
        )
    )
    for together in (of(V), torch.func.vmap(of)(V)):
        assert ratio(together, alone, "float64", 6, scale=scale, condition=2 * kappa) <= 1
    alone = torch.stack([gradient(X, Y) for X, Y in zip(V, A, strict=True)])
    assert ratio(gradient(V, A), alone, "float64", 6, scale=steepest, condition=2 * kappa) <= 1
    assert ratio(torch.func.vmap(gradient)(V, A), alone, "float64", 6, scale=steepest, condition=2 * kappa) <= 1
    one = torch.func.vmap(gradient, in_dims=(None, 0))(V[0], A)[0]
    assert ratio(one, alone[0], "float64", 6, scale=steepest, condition=2 * kappa) <= 1


@every_case
def test_repeated_singular_values_are_ordinary_points(method, options):
    """Equal and nearly equal singular values of V_C give finite and right gradients."""
    reference, enclosure, function, _ = method
    for values in ([2.0, 2.0, 1.0], [2.0, 2.0 - 1e-9, 1.0]):
        V, A = with_singular_values(values, 6), normal(3, 6, case="cotangent")
        leaf = torch.tensor(V).requires_grad_()
        (G,) = torch.autograd.grad(function(leaf, **options), leaf, torch.tensor(A))
        _, gradient, kappa = bounds(method, options, V, A)
        right = to_float64(enclosure.vjp(V, A, **options))
        for found in (G, reference.vjp(V, A, **options)):
            assert ratio(found, right, "float64", 6, scale=gradient, condition=kappa) <= 1


@pytest.mark.parametrize("exponent", [-650, 650])
def test_extreme_scales_do_no_harm(exponent):
    """Powers of two far from 1 leave φ as it is and scale columns exactly: no square over- or underflows."""
    V, A = normal(3, 7), normal(3, 7, case="cotangent")
    scaled = torch.tensor(V * 2.0**exponent).requires_grad_()
    for options, factor in (({"epsilon": 0.0}, 2.0**exponent), ({"epsilon": 0.0, "tau": 2.0**exponent}, 1.0)):
        W = scale_neurons(scaled, **options)
        (G,) = torch.autograd.grad(W, scaled, torch.tensor(A))
        value, gradient, kappa = bounds(NEURON, {}, V, A)
        right = neuron.forward(V, epsilon=0.0)
        for found in (W.detach().numpy(), neuron.forward(V * 2.0**exponent, **options)):
            assert ratio(found / factor, right, "float64", 7, scale=value, condition=2 * kappa) <= 1
        if factor != 1:
            right = neuron.vjp(V, A, epsilon=0.0)
            for found in (G.numpy(), neuron.vjp(V * 2.0**exponent, A, **options)):
                assert ratio(found, right, "float64", 7, scale=gradient, condition=2 * kappa) <= 1
    for update, group in SHRINKAGES:
        options = {"eta": 0.1, "update": update, "group": group}
        value, _, kappa = bounds(SPARSITY, options, V, A)
        right = sparsity.forward(V, **options)
        assert ratio(sparsify_rows(scaled, **options), right, "float64", 7, scale=value, condition=2 * kappa) <= 1


@every_case
def test_the_backward_keeps_one_matrix(method, options):
    """Of size n d the graph keeps φ(V) alone: no copy of V, no scaled or shrunk matrix, no signs."""
    n, d = 4, 50
    V, kept = torch.tensor(normal(n, d)).requires_grad_(), {}

    def pack(tensor):
        if tensor.numel() >= n * d and tensor.untyped_storage().nbytes() >= n * d * tensor.element_size():
            kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        W = method[2](V, **options)
    assert len(kept) == 1
    assert V.data_ptr() not in kept
    assert W.shape == V.shape


def test_the_neuron_measurement_satisfies_its_constraint():
    """W G² Wᵀ = I with the G that is declared, for both readings of the lost letters and every dtype of V."""
    for options in ({}, {"tau": 0.25}, {"tau": 1.0, "epsilon": 1.0}):
        module = DswnNeuronMeasurement(**options)
        V = torch.tensor(normal(4, 9))
        G = torch.diag(module.DECLARES["structured_orthonormal"](V))
        W = module(V)
        assert ratio(W @ G @ G @ W.mT, np.eye(4), "float64", 9, condition=float(torch.linalg.cond(G))) <= 1
        assert torch.equal(penalty_diagonal(V.reshape(4, 3, 3), **options), G.diagonal())
        assert torch.equal(pickle.loads(pickle.dumps(module))(V), W)
        assert torch.equal(copy.deepcopy(module)(V), W)


def test_a_zero_column():
    """A zero column of V_C gives a zero column of W, a finite right gradient, and G = τ/ε there, infinite for ε = 0."""
    X = normal(2, 5)
    X[:, 2] = 0.0
    X[:, 4] = -X[:, :4].sum(axis=1)
    X = np.round(8 * X) / 8
    X[:, 4] -= X.sum(axis=1)
    A = normal(2, 5, case="cotangent")
    for epsilon in (0.0, 0.5):
        leaf = torch.tensor(X).requires_grad_()
        W = scale_neurons(leaf, epsilon=epsilon)
        (G,) = torch.autograd.grad(W, leaf, torch.tensor(A), create_graph=True)
        (second,) = torch.autograd.grad(G.square().sum(), leaf)
        value, gradient, kappa = bounds(NEURON, {"epsilon": epsilon}, X, A)
        assert ratio(W[:, 2], np.zeros(2), "float64", 5, scale=value, condition=kappa) <= 1
        right = to_float64(neuron_enclosure.vjp(X, A, epsilon=epsilon))
        for found in (G, neuron.vjp(X, A, epsilon=epsilon)):
            assert ratio(found, right, "float64", 5, scale=gradient, condition=kappa) <= 1
        assert bool(second.isfinite().all())
        g = penalty_diagonal(torch.tensor(X), epsilon=epsilon)[2]
        assert float(g) == (1 / epsilon if epsilon else np.inf)


def test_the_penalty_diagonal_names_what_is_wrong():
    """Its own arguments are checked as those of the map are."""
    for options in ({"tau": 0.0}, {"tau": -1.0}, {"tau": np.inf}, {"epsilon": -1e-8}, {"epsilon": np.nan}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            penalty_diagonal(torch.ones(2, 3), **options)
    with pytest.raises(ValueError, match="at least two axes"):
        penalty_diagonal(torch.ones(3))
    with pytest.raises(TypeError, match="real floating"):
        penalty_diagonal(torch.ones(2, 3, dtype=torch.int64))


def test_the_orders_differ():
    """Scaling before shrinking is another map than after, and both are what they say, one map after the other."""
    V = normal(3, 6)
    scaled = neuron.forward(V)
    first = sparsity.shrink(scaled, eta=0.1, update="printed", group="rows")
    last = sparsity.forward(V, eta=0.1) * neuron.column_scales(V, tau=1.0, epsilon=neuron.PERTURBATION)
    assert np.array_equal(combined.forward(V, order="nm-sm", eta=0.1), first)
    assert np.array_equal(combined.forward(V, order="sm-nm", eta=0.1), last)
    assert ratio(first, last, "float64", 6, condition=100) > 1e6


def test_no_shrinkage_changes_nothing():
    """η = 0: the orthonormal frame, or the scaled one, comes back to the bit."""
    V = normal(3, 6)
    for update in sparsity.UPDATES:
        assert np.array_equal(sparsity.forward(V, eta=0.0, update=update), orthogonal.forward(V))
        for order in combined.ORDERS:
            assert np.array_equal(combined.forward(V, eta=0.0, update=update, order=order), neuron.forward(V))


@every_case
def test_what_is_undefined_is_refused(method, options):
    """n ≥ d, a lost rank, a constant row, a zero matrix and a NaN are a ValueError in all three forms."""
    reference, enclosure, function, _ = method
    bad = [np.eye(3), normal(4, 3), np.zeros((2, 4)), [[1.0, 2, 4], [2, 4, 8]], [[1.0, 2, 4], [0.1, 0.1, 0.1]]]
    for V in map(np.asarray, bad):
        for form in (reference.forward, enclosure.forward, lambda X, **said: function(torch.tensor(X), **said)):
            with pytest.raises(ValueError, match="V must have full row rank"):
                form(V, **options)
        with pytest.raises(ValueError, match="V must have full row rank"):
            reference.vjp(V, np.ones(V.shape), **options)
    V = normal(2, 4)
    V[1, 2] = np.nan
    for form in (reference.forward, enclosure.forward, lambda X, **said: function(torch.tensor(X), **said)):
        with pytest.raises(ValueError, match=r"V\[1, 2\]"):
            form(V, **options)


@pytest.mark.parametrize(
    ("methods", "option", "value"),
    [
        ((SPARSITY, COMBINED), "eta", -0.1),
        ((SPARSITY, COMBINED), "eta", float("nan")),
        ((SPARSITY, COMBINED), "update", "proximal"),
        ((SPARSITY, COMBINED), "group", "neurons"),
        ((COMBINED,), "order", "both"),
        ((NEURON, COMBINED), "tau", 0.0),
        ((NEURON, COMBINED), "tau", -1.0),
        ((NEURON, COMBINED), "tau", float("nan")),
        ((NEURON, COMBINED), "tau", float("inf")),
        ((NEURON, COMBINED), "epsilon", -1e-9),
        ((NEURON, COMBINED), "epsilon", float("inf")),
    ],
)
def test_impossible_options_are_refused(methods, option, value):
    """A constant out of range or an unknown name is a ValueError that names the argument, at construction too."""
    V = normal(2, 4)
    for reference, _, function, module in methods:
        for form in (
            lambda call=reference.forward: call(V, **{option: value}),
            lambda call=function: call(torch.tensor(V), **{option: value}),
            lambda call=module: call(**{option: value}),
        ):
            with pytest.raises(ValueError, match=f"{option} must be"):
                form()


def test_enclosures_refuse_what_balls_cannot_decide():
    """An entry that is zero, or at its threshold, to all digits has no decided branch: said, not guessed."""
    tied = np.array([[1.0, -1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"off the borders|decided sign"):
        sparsity_enclosure.forward(tied, eta=0.5)
    with pytest.raises(ValueError, match="update must be"):
        sparsity_enclosure.forward(tied, update="proximal")
    with pytest.raises(ValueError, match="group must be"):
        sparsity_enclosure.forward(tied, group="neurons")


def test_names_lead_to_the_methods():
    """The short names of the catalogue, with hyphens or underscores, in either order of both measurements."""
    for name, identity in {
        "dswn-nm": "dswn_neuron_measurement",
        "dswn_nm": "dswn_neuron_measurement",
        "dswn-sm": "dswn_sparsity_measurement",
        "DSWN-NM-SM": "dswn_combined",
        "dswn_sm_nm": "dswn_combined_in_the_other_order",
    }.items():
        assert find(name).id == identity


@every_case
def test_modules_on_layers(method, options):
    """Registered on a convolution the module gives the map of its flattened rows, and says its options."""
    module = method[3](**options)
    V = torch.tensor(normal(4, 3, 2, 2)).float()
    assert torch.equal(module(V).flatten(1), method[2](V.flatten(1), **options))
    assert all(f"{name}={value!r}" in repr(module) for name, value in options.items())
    assert torch.equal(copy.deepcopy(module)(V), module(V))
    assert torch.equal(pickle.loads(pickle.dumps(module))(V), module(V))
