"""What every parametrization of the catalogue keeps, with each of its options: agreement, derivatives, transforms.

A new row of the catalogue is tested here without an edit.  Errors are judged by models made from the reference alone.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from every_method import (
    DTYPES,
    array,
    cases,
    first_shape,
    forms_of,
    kept_from,
    map_of,
    name_of,
    normal,
    pull,
    tensor,
)
from torch.func import hessian, jacfwd, jacrev, jvp, vjp, vmap

from wnverify.finding import seed_of
from wnverify.oracles.gradients import check_backward
from wnverify.oracles.ratio import Ratio, map_model

FORMS = forms_of("parametrization")
every_form = pytest.mark.parametrize("form", FORMS, ids=name_of)
KEEPS_MORE = {"newton_schulz": 3}
"""Methods whose backward keeps more than one weight: Newton-Schulz steps go in three stages, and W of each stays."""


def scale_of(form, case):
    """The largest that the gradient could be, and the condition number of one more derivative."""
    _, model = map_of(form, "forward")
    at = model.at(case, "float64")
    size = float(np.max(model.largest_gradient(case, "float64") / at.unit.max()))
    return size, model.of_backward(case).relative / map_model("float64", case.V.size).relative


def second_model(form, case):
    """One more derivative costs the condition number of the gradient once more, and as many stored results again."""
    _, condition = scale_of(form, case)
    return map_model("float64", case.V.size, condition=max(1.0, condition) ** 2, roundings=64)


@every_form
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_and_gradient_are_those_of_the_reference(form, dtype, device):
    """PyTorch and NumPy agree at every shape, forward and backward, within what the map's condition number excuses."""
    of, model = map_of(form, "forward")
    for case in cases(form, "forward", dtype):
        V, A = tensor(case.V, dtype, device), tensor(case.A, dtype, device)
        module = form.build().to(device)
        value = array(module(V)) - of.reference(case.V)
        gradient = array(pull(module, V, A)) - of.vjp(case.V, case.A)
        assert model.value(case, value, dtype).value <= 1, case.name
        assert model.excused_gradient(case, dtype) < 0.1, case.name
        assert model.gradient(case, gradient, dtype).value <= 1, case.name


@every_form
def test_the_backward_is_the_derivative(form, device):
    """The whole Jacobian, sketched: difference quotients of the forward know no formula."""
    _, model = map_of(form, "forward")
    for case in cases(form, "forward"):
        module = form.build().to(device)

        def along(V, module=module):
            return module(V.to(device)).cpu()

        seed = seed_of("backward", form.name)
        report = check_backward(along, (tensor(case.V),), seed=seed, gaussian=3, model=model.of_backward(case))
        assert report.ratio <= 1, (case.name, report.worst)


@every_form
def test_the_backward_of_the_backward_is_the_derivative(form, device):
    """The gradient is itself differentiable in reverse mode, and its backward is its derivative."""
    kept_from(form, "no_double_backward")
    case = first_shape(form)
    module, A = form.build().to(device), tensor(case.A, device=device)

    def gradient(V):
        leaf = V.to(device)
        leaf = leaf if leaf.requires_grad else leaf.requires_grad_()
        with torch.enable_grad():
            return pull(module, leaf, A, create_graph=True).cpu()

    seed, model = seed_of("twice", form.name), second_model(form, case)
    report = check_backward(gradient, (tensor(case.V),), seed=seed, gaussian=3, model=model)
    assert report.ratio <= 1, report.worst


@every_form
def test_forward_mode_is_the_transpose_of_reverse_mode(form, device):
    """⟨A, J E⟩ = ⟨Jᵀ A, E⟩, and J E is the reference's where it has a forward mode."""
    case = first_shape(form)
    _, model = map_of(form, "forward")
    V, A, E = (tensor(X, device=device) for X in (case.V, case.A, normal(*case.V.shape, case="direction")))
    module = form.build().to(device)
    moved = jvp(module, (V,), (E,))[1]
    size, _ = scale_of(form, case)
    error = float((moved * A).sum() - (vjp(module, V)[1](A)[0] * E).sum())
    assert Ratio(abs(error), size * float(E.norm()), model.of_backward(case)).value <= 1
    reference = form.function("reference", "jvp")
    if reference is not None:
        off = np.linalg.norm(array(moved) - reference(case.V, array(E)))
        assert Ratio(off, size * float(E.norm() / A.norm()), model.of_backward(case)).value <= 1


@every_form
def test_second_derivatives_agree_in_every_nesting(form, device):
    """Reverse over reverse, forward over reverse, reverse over forward and forward over forward: one Hessian."""
    kept_from(form, "no_double_backward")
    case = first_shape(form)
    V, A, module = tensor(case.V, device=device), tensor(case.A, device=device), form.build().to(device)

    def loss(X):
        return (module(X) * A).sum()

    right = jacrev(jacrev(loss))(V)
    size, condition = scale_of(form, case)
    scale = max(float(right.norm()), size * max(1.0, condition) / float(V.norm()))
    for name, nested in {
        "jacfwd(jacrev)": jacfwd(jacrev(loss)),
        "jacrev(jacfwd)": jacrev(jacfwd(loss)),
        "jacfwd(jacfwd)": jacfwd(jacfwd(loss)),
        "hessian": hessian(loss),
    }.items():
        off = float((nested(V) - right).norm())
        assert Ratio(off, scale, second_model(form, case)).value <= 1, name


@every_form
def test_vmap_agrees_with_a_loop(form, device):
    """A batch of weights, and a batch of cotangents at one weight, give what a loop gives, to rounding."""
    kept_from(form, "no_vmap")
    case = first_shape(form)
    _, model = map_of(form, "forward")
    module = form.build().to(device)
    V, A = tensor(case.V, device=device), tensor(case.A, device=device)
    size, _ = scale_of(form, case)
    batch = torch.stack([V, 2 * V, V.flip(-1)])
    for one, X in zip(vmap(module)(batch), batch, strict=True):
        assert model.value(case, array(one - module(X)), "float64").value <= 1
    for one, X in zip(vmap(lambda X: vjp(module, X)[1](A)[0])(batch), batch, strict=True):
        assert Ratio(float((one - vjp(module, X)[1](A)[0]).norm()), 2 * size, model.of_backward(case)).value <= 1
    cotangents = torch.stack([A, 2 * A, A.flip(-1)])
    for one, X in zip(vmap(vjp(module, V)[1])(cotangents)[0], cotangents, strict=True):
        assert Ratio(float((one - vjp(module, V)[1](X)[0]).norm()), 2 * size, model.of_backward(case)).value <= 1


@every_form
def test_autocast_changes_nothing(form, device):
    """Inside mixed precision a float32 weight has the bits that it has outside, value and gradient."""
    case = first_shape(form)
    V, A, module = tensor(case.V, "float32", device), tensor(case.A, "float32", device), form.build().to(device)
    right = module(V), pull(module, V, A)
    with torch.autocast(device, torch.bfloat16):
        found = module(V), pull(module, V, A)
    assert found[0].dtype is torch.float32
    assert all(torch.equal(x, y) for x, y in zip(found, right, strict=True))


@every_form
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_in_half_precision_out(form, dtype, device):
    """The half precisions come back as they went in: the float32 result rounded once, with a finite gradient."""
    case = first_shape(form)
    module, V = form.build().to(device), tensor(case.V, dtype, device)
    W, G = module(V), pull(module, V, tensor(case.A, dtype, device))
    assert W.dtype is G.dtype is V.dtype
    assert torch.equal(W, module(V.float()).to(V.dtype))
    assert bool(G.isfinite().all())


@every_form
def test_layout_in_memory_does_not_matter(form, device):
    """A transposed or strided weight has the value and the gradient of its copy, to rounding."""
    case = first_shape(form)
    _, model = map_of(form, "forward")
    module, A = form.build().to(device), tensor(case.A, device=device)
    V = tensor(case.V, device=device)
    size, _ = scale_of(form, case)
    strided = torch.zeros(V.shape[0], 2 * V.shape[1], dtype=V.dtype, device=device)
    strided[:, ::2] = V
    for other in (V.mT.contiguous().mT, strided[:, ::2]):
        assert not other.is_contiguous()
        assert model.value(case, array(module(other) - module(V)), "float64").value <= 1
        off = float((vjp(module, other)[1](A.mT.contiguous().mT)[0] - pull(module, V, A)).norm())
        assert Ratio(off, size, model.of_backward(case)).value <= 1


@every_form
def test_the_input_is_left_alone(form, device):
    """The weight given in is not written to, and the weight handed out shares no memory with it."""
    case = first_shape(form)
    V = tensor(case.V, device=device)
    before, W = V.clone(), form.build().to(device)(V)
    assert torch.equal(V, before)
    assert W.untyped_storage().data_ptr() != V.untyped_storage().data_ptr()


@every_form
def test_the_backward_keeps_no_second_weight(form, device):
    """Between forward and backward W and numbers of the order n² + n + d are kept, no copy of V."""
    n, d = 16, 512
    V = tensor(normal(n, d), "float32", device).requires_grad_()
    kept = {}

    def pack(saved):
        kept[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        W = form.build().to(device)(V)
    assert W.requires_grad
    assert sum(kept.values()) <= 4 * n * d * KEEPS_MORE.get(form.method.id, 1) + 8 * (4 * n * n + 8 * n + 2 * d)


@every_form
def test_copies_and_states_give_the_same_weight(form):
    """A deep copy, a pickle and a loaded state of the module give the bits that the module gives."""
    case = first_shape(form)
    module, V = form.build(), tensor(case.V, "float32")
    W = module(V)
    loaded = form.build()
    loaded.load_state_dict(module.state_dict())
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), loaded):
        assert torch.equal(other(V), W)
        assert repr(other) == repr(module)
