"""Every parametrization of the catalogue on PyTorch's layers, and inside ``torch.compile(fullgraph=True)``."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from every_method import cases, forms_of, kept_from, map_of, name_of
from layer_cases import LAYERS, rows
from torch.nn.utils import parametrize

from wnverify.numerics.matrices import Typed

FORMS = forms_of("parametrization")
every_form = pytest.mark.parametrize("form", FORMS, ids=name_of)


def registered(form, layer, device="cpu"):
    torch.manual_seed(0)
    make, layout, shape = LAYERS[layer]
    plain = make().to(device)
    module = parametrize.register_parametrization(copy.deepcopy(plain), "weight", form.build(**layout))
    return module.to(device), plain, torch.randn(shape, device=device)


@every_form
@pytest.mark.parametrize("layer", LAYERS)
def test_on_a_layer_it_is_the_reference_of_the_output_units(form, layer, device):
    """Weight and gradient of a registered layer are the reference's on the rows of its output units."""
    of, model = map_of(form, "forward")
    module, plain, _ = registered(form, layer, device)
    weight = torch.randn_like(plain.weight)
    V, A = rows(plain.weight, layer), rows(weight, layer)
    case = Typed(layer, V, A)
    assert model.value(case, rows(module.weight, layer) - of.reference(V), "float32").value <= 1
    module.weight.backward(weight)
    found = rows(module.parametrizations.weight.original.grad, layer)
    assert model.gradient(case, found - of.vjp(V, A), "float32").value <= 1


@every_form
def test_a_layer_trains_and_keeps_its_state(form, device):
    """Copies, pickles of the map and loaded states give the same weight; a step moves it; removal leaves it."""
    module, _, inputs = registered(form, "linear", device)
    copied, (loaded, _, _) = copy.deepcopy(module), registered(form, "linear", device)
    with torch.no_grad():
        loaded.parametrizations.weight.original.add_(torch.randn_like(loaded.weight))
    loaded.load_state_dict(module.state_dict())
    thawed = pickle.loads(pickle.dumps(module.parametrizations.weight[0]))
    weight = module.weight.detach().clone()
    for other in (copied.weight, loaded.weight, thawed(module.parametrizations.weight.original)):
        assert torch.equal(other, weight)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    target = module(inputs).detach() + 1
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = (module(inputs) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[2] < losses[0]
    trained = module.weight.detach().clone()
    assert not torch.equal(trained, weight)
    assert torch.equal(copied.weight, weight)
    parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    assert torch.equal(module.weight, trained)
    assert "weight" in dict(module.named_parameters())


# In a process of its own: the run-time checks of annotations in this one are not for the compiler.
PROGRAM = """
import json, logging, sys, warnings
warnings.simplefilter("ignore"); logging.disable(logging.WARNING)
import torch
from wnverify.numerics.forms import forms, judged
seen = {}
for form in [form for method in judged() if method.kind == "parametrization" for form in forms(method)]:
    torch._dynamo.reset()
    module = form.build()
    try:
        compiled = torch.compile(form.build(), fullgraph=True, backend="aot_eager", dynamic=False)
        for dtype in ("float32",) if form.said else ("float64", "float32"):
            V, A = (torch.tensor(X, dtype=getattr(torch, dtype)) for X in json.loads(sys.argv[1])[form.name])
            made = []
            for run in (module, compiled):
                leaf = V.clone().requires_grad_()
                W = run(leaf)
                made += [W.detach().double().tolist(), torch.autograd.grad(W, leaf, A)[0].double().tolist()]
            seen[f"{form.name} {dtype}"] = made
    except Exception as error:
        seen[form.name] = f"{type(error).__name__}: {error}"[:600]
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def compiled():
    given = {form.name: [X.tolist() for X in (case.V, case.A)] for form in FORMS for case in [_exact(form)]}
    command = [sys.executable, "-c", PROGRAM, json.dumps(given)]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr[-2000:]
    return json.loads(shown.stdout.splitlines()[-1])


def _exact(form):
    return cases(form, "forward", "float32")[0]


@every_form
def test_it_compiles_into_one_graph(form, compiled):
    """``torch.compile`` without a graph break gives value and gradient of eager to rounding (float64: no options)."""
    kept_from(form, "no_compile")
    assert form.name not in compiled, compiled[form.name]
    _, model = map_of(form, "forward")
    for dtype in ("float32",) if form.said else ("float64", "float32"):
        W, G, W_compiled, G_compiled = (np.array(X) for X in compiled[f"{form.name} {dtype}"])
        assert model.value(_exact(form), W_compiled - W, dtype).value <= 1
        assert model.gradient(_exact(form), G_compiled - G, dtype).value <= 1
