"""What every constraint of the catalogue keeps, with each of its options: agreement, hooks, the declared property.

A new row of the catalogue is tested here without an edit.  Errors are judged by models made from the reference alone.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from every_method import DTYPES, array, cases, first_shape, forms_of, map_of, name_of, normal, pull, tensor

from wnverify.oracles.gradients import check_backward
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.constraint import Block

FORMS = forms_of("constraint")
MAPS = [(form, name) for form in FORMS for name in ("project", "transform") if map_of(form, name) is not None]
every_form = pytest.mark.parametrize("form", FORMS, ids=name_of)
every_projection = pytest.mark.parametrize("form", [form for form in FORMS if form.build().projects], ids=name_of)
OF_ROWS = [form for form in FORMS if not (form.build().with_bias or form.build().by_channel)]
every_of_rows = pytest.mark.parametrize("form", OF_ROWS, ids=name_of)
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
}


def ratios(form, W, dtype):
    """How well rows W have what the constraint declares of them: a name and a ratio for each property."""
    constraint = form.build()
    declared, n, d = constraint.DECLARES, *W.shape
    model = map_model(dtype, d)
    norms, gram = np.linalg.norm(W, axis=1), W @ W.T
    radius = declared.get("constant_norm_rows", 1.0)
    found = {
        "unit_norm_rows": (np.abs(norms - 1).max(), 1.0),
        "constant_norm_rows": (np.abs(norms - (norms.mean() if radius is True else radius)).max(), norms.max()),
        "zero_mean_rows": (np.abs(W.sum(axis=1)).max(), d**0.5 * norms.max()),
        "orthonormal_rows": (np.abs(gram - np.eye(n)).max(), 1.0),
        "l1_rows_le": (max(0.0, np.abs(W).sum(axis=1).max() - declared.get("l1_rows_le", 0.0)), np.abs(W).sum()),
    }
    made = {name: Ratio(*found[name], model).value for name in found if declared.get(name)}
    if declared.get("orthonormal_rows") and n > d:
        made.pop("orthonormal_rows")
    return made


@pytest.mark.parametrize(("form", "name"), MAPS, ids=[f"{name_of(form)}-{name}" for form, name in MAPS])
@pytest.mark.parametrize("dtype", DTYPES)
def test_projection_and_transform_are_those_of_the_reference(form, name, dtype, device):
    """PyTorch and NumPy agree at every shape within what the map's condition number excuses."""
    of, model = map_of(form, name)
    constraint = form.build()
    for case in cases(form, name, dtype):
        V = tensor(case.V, dtype, device)
        if name == "transform":
            found = constraint.transform(*V.chunk(2))
        else:
            found = constraint(V)
            gradient = array(pull(constraint, V, tensor(case.A, dtype, device))) - of.vjp(case.V, case.A)
            assert model.gradient(case, gradient, dtype).value <= 1, case.name
        assert found.dtype is V.dtype
        assert found.device == V.device
        assert model.value(case, array(found) - of.reference(case.V), dtype).value <= 1, case.name


@every_form
def test_the_projections_backward_is_its_derivative(form, device):
    """Difference quotients of the projection, which know no formula, agree with its backward."""
    _, model = map_of(form, "project")
    case, constraint = first_shape(form, "project"), form.build()
    report = check_backward(
        lambda V: constraint(V.to(device)).cpu(), (tensor(case.V),), seed=0, gaussian=3, model=model.of_backward(case)
    )
    assert report.ratio <= 1, report.worst


@every_projection
def test_what_is_projected_is_nearest_and_has_what_is_declared(form, device):
    """A declared nearest point is certified; declared norms, means and frames are there; twice is once."""
    constraint = form.build()
    for case in cases(form, "project"):
        V = tensor(case.V, device=device)
        W = constraint(V)
        assert all(value <= 1 for value in ratios(form, array(W), "float64").values()), case.name
        if constraint.DECLARES.get("euclidean_projection"):
            known = dict(constraint.SET)
            assert certificate(known.pop("name"), case.V, array(W), **known).ratio <= 1, case.name
        if constraint.DECLARES.get("idempotent"):
            assert Ratio(float((constraint(W) - W).norm()), float(W.norm()), map_model("float64", V.numel())).value <= 1


@every_form
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_property_holds_after_every_step(form, optimizer, device):
    """Whatever momentum, decay or scaling add to a step, the weight has the declared property after it, until the
    constraint is taken off."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(9, 4).to(device)
    made = OPTIMIZERS[optimizer](layer.parameters())
    attached = form.build().attach(made, [Block("layer", layer.weight, layer.bias)])
    inputs, target = torch.randn(16, 9, device=device), torch.randn(16, 4, device=device)
    for step in range(4):
        made.zero_grad()
        (layer(inputs) - target).square().mean().backward()
        before = layer.weight.detach().clone()
        made.step()
        assert attached.steps == step + 1
        assert not torch.equal(layer.weight, before) or not before.any()  # c = 0 leaves one point
        rows = array(layer.weight)
        if attached.constraint.with_bias:
            rows = np.column_stack([rows, array(layer.bias)])
        found = ratios(form, rows, "float32") if attached.constraint.projects else {}
        assert all(value <= 1 for value in found.values()), found
    attached.remove()
    made.zero_grad()
    (layer(inputs) - target).square().mean().backward()
    made.step()
    assert attached.steps == 4


@every_of_rows
def test_the_gradient_is_transformed_before_the_step(form, device):
    """One plain step moves the weight by the transformed gradient and then projects: the reference's, end to end."""
    project, transform = form.function("reference", "project"), form.function("reference", "transform")
    _, model = map_of(form, "project")
    W, G = normal(4, 9).astype(np.float32).astype(float), normal(4, 9, case="gradient").astype(np.float32).astype(float)
    constraint = form.build()
    layer = torch.nn.Linear(9, 4, bias=False).to(device).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W))
    made = torch.optim.SGD(layer.parameters(), lr=0.125)
    constraint.attach(made, [Block("layer", layer.weight)])
    at = project(W)
    layer.weight.grad = tensor(G, device=device)
    made.step()
    moved = at - 0.125 * (G if transform is None else transform(at, G))
    case = next(case for case in cases(form, "project") if case.V.shape == moved.shape)
    assert model.value(case, (array(layer.weight) - project(moved)) / 2, "float64").value <= 1


@every_form
def test_half_precision_copies_and_layouts(form, device):
    """The half precisions come back as they came; copies and pickles project alike; a strided weight is a weight."""
    constraint, case = form.build(), first_shape(form, "project")
    for dtype in ("bfloat16", "float16"):
        V = tensor(case.V, dtype, device)
        W = constraint(V)
        assert W.dtype is V.dtype
        assert bool(W.isfinite().all())
    V = tensor(case.V, device=device)
    W = constraint(V)
    for other in (copy.deepcopy(constraint), pickle.loads(pickle.dumps(constraint))):
        assert torch.equal(other(V), W)
        assert repr(other) == repr(constraint)
    _, model = map_of(form, "project")
    assert model.value(case, array(constraint(V.mT.contiguous().mT) - W), "float64").value <= 1
