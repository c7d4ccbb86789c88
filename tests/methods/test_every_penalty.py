"""What every penalty of the catalogue keeps, with each of its options: agreement, derivatives, proximal points.

A new row of the catalogue is tested here without an edit.  Errors are judged by models made from the reference alone.
"""

import copy
import pickle

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
from torch.func import grad, jvp, vmap

from wnverify.numerics.forms import STEP
from wnverify.oracles.gradients import check_backward
from wnverify.oracles.ratio import Ratio, map_model

FORMS = [form for form in forms_of("penalty") if form.maps()]
"""Penalties on weights; those on a layer's outputs take other arguments."""
PROXIMAL = [form for form in FORMS if map_of(form, "prox") is not None]
every_form = pytest.mark.parametrize("form", FORMS, ids=name_of)
every_proximal = pytest.mark.parametrize("form", PROXIMAL, ids=name_of)


@every_form
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_and_gradient_are_those_of_the_reference(form, dtype, device):
    """PyTorch and NumPy agree at every shape within what the condition number excuses; the value is a scalar."""
    of, model = map_of(form, "value")
    for case in cases(form, "value", dtype):
        W = tensor(case.V, dtype, device).requires_grad_()
        value = form.build().to(device)(W)
        assert value.shape == ()
        assert value.dtype is W.dtype
        assert model.value(case, array(value).reshape(1, 1) - of.reference(case.V), dtype).value <= 1, case.name
        (G,) = torch.autograd.grad(value, W, tensor(case.A.item(), dtype, device))
        assert model.excused_gradient(case, dtype) < 0.1, case.name
        assert model.gradient(case, array(G) - of.vjp(case.V, case.A), dtype).value <= 1, case.name


@every_form
def test_the_gradient_is_the_derivative_and_has_one(form, device):
    """Difference quotients of the value and of the gradient agree with backward and double backward."""
    _, model = map_of(form, "value")
    case, penalty = first_shape(form, "value"), form.build().to(device)
    report = check_backward(
        lambda W: penalty(W.to(device)).cpu(), (tensor(case.V),), seed=0, gaussian=3, model=model.of_backward(case)
    )
    assert report.ratio <= 1, report.worst
    kept_from(form, "no_double_backward")

    def gradient(W):
        leaf = W.to(device)
        leaf = leaf if leaf.requires_grad else leaf.requires_grad_()
        with torch.enable_grad():
            (G,) = torch.autograd.grad(penalty(leaf), leaf, create_graph=True)
            # A gradient that is constant where it exists has no graph of its own.
            return (G if G.requires_grad else G + 0 * leaf).cpu()

    condition = max(1.0, model.of_backward(case).relative / map_model("float64", case.V.size).relative) ** 2
    twice = map_model("float64", case.V.size, condition=condition, roundings=64)
    assert check_backward(gradient, (tensor(case.V),), seed=0, gaussian=3, model=twice).ratio <= 1


@every_form
def test_transforms_agree_with_loops_and_with_each_other(form, device):
    """jvp is the inner product with the gradient, and vmap over a batch of weights is a loop."""
    _, model = map_of(form, "value")
    case, penalty = first_shape(form, "value"), form.build().to(device)
    W, E = tensor(case.V, device=device), tensor(normal(*case.V.shape, case="direction"), device=device)
    G = grad(penalty)(W)
    allowed = model.of_backward(case)
    size = float(model.largest_gradient(case, "float64").max() / model.at(case, "float64").unit.max())
    error = float(jvp(penalty, (W,), (E,))[1] - (G * E).sum())
    assert Ratio(abs(error), size * float(E.norm()), allowed).value <= 1
    kept_from(form, "no_vmap")
    batch = torch.stack([W, W.flip(-1)])
    for one, X in zip(vmap(grad(penalty))(batch), batch, strict=True):
        assert Ratio(float((one - grad(penalty)(X)).norm()), size, allowed).value <= 1


@every_form
def test_the_factor_is_a_factor(form, device):
    """factor scales value and gradient exactly by a power of two, 0 gives 0, and it may be set anew between steps."""
    case = first_shape(form, "value")
    W = tensor(case.V, device=device)
    one, four, none = (form.build(factor=factor).to(device) for factor in (1.0, 4.0, 0.0))
    assert torch.equal(four(W), 4 * one(W))
    assert torch.equal(grad(four)(W), 4 * grad(one)(W))
    assert float(none(W)) == 0.0
    one.factor = 4.0
    assert torch.equal(one(W), four(W))
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="factor"):
            form.build(factor=wrong)


@every_form
def test_half_precision_autocast_and_copies(form, device):
    """Halves come back as halves with a finite gradient; autocast changes no bit; copies and states say the same."""
    case, penalty = first_shape(form, "value"), form.build().to(device)
    for dtype in ("bfloat16", "float16"):
        W = tensor(case.V, dtype, device).requires_grad_()
        value = penalty(W)
        assert value.dtype is W.dtype
        assert bool(torch.autograd.grad(value, W)[0].isfinite().all())
    W = tensor(case.V, "float32", device)
    value, G = penalty(W), grad(penalty)(W)
    with torch.autocast(device, torch.bfloat16):
        assert torch.equal(penalty(W), value)
        assert torch.equal(pull(penalty, W, torch.ones_like(value)), G)
    loaded = form.build().to(device)
    loaded.load_state_dict(penalty.state_dict())
    for other in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty)), loaded):
        assert torch.equal(other(W), value)
        assert repr(other) == repr(penalty)


@every_form
def test_the_input_is_left_alone(form, device):
    """Neither the value nor the gradient writes to the weight, and a strided weight has the same value."""
    _, model = map_of(form, "value")
    case, penalty = first_shape(form, "value"), form.build().to(device)
    W = tensor(case.V, device=device)
    before, value = W.clone(), penalty(W)
    grad(penalty)(W)
    assert torch.equal(W, before)
    off = array(penalty(W.mT.contiguous().mT) - value).reshape(1, 1)
    assert model.value(case, off, "float64").value <= 1


@every_proximal
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_proximal_point_is_that_of_the_reference(form, dtype, device):
    """PyTorch and NumPy agree, a factor counts as part of the step, and a step of 0 gives the weight back."""
    of, model = map_of(form, "prox")
    for case in cases(form, "prox", dtype):
        W = tensor(case.V, dtype, device)
        found = form.build().to(device).prox(W, STEP)
        assert found.dtype is W.dtype
        assert model.value(case, array(found) - of.reference(case.V), dtype).value <= 1, case.name
        assert torch.equal(form.build(factor=0.5).to(device).prox(W, 2 * STEP), found)
        assert model.value(case, array(form.build().to(device).prox(W, 0.0) - W), dtype).value <= 1


@every_proximal
def test_no_point_near_the_proximal_point_is_better(form, device):
    """½ ‖X − W‖² + step × value(X) rises in every direction from the proximal point, rounding apart."""
    case, penalty = first_shape(form, "prox"), form.build().to(device)
    W = tensor(case.V, device=device)
    X = penalty.prox(W, STEP)

    def objective(Y):
        return float((Y - W).square().sum() / 2 + STEP * penalty(Y))

    best, allowed = objective(X), map_model("float64", W.numel()).relative
    directions = [tensor(normal(*W.shape, case=f"direction {k}"), device=device) for k in range(12)]
    for E in [*directions, W - X, X, X.sign()]:
        for size in (1e-2, -1e-2, 1e-5, -1e-5):
            assert objective(X + size * E) >= best - allowed * abs(best)
