"""The catalogue as the shared tests see it: whatever is in it when they are collected, with each of its options."""

import functools

import numpy as np
import pytest
import torch

from wnverify.finding import seed_of
from wnverify.numerics.forms import forms, judged
from wnverify.numerics.matrices import Typed
from wnverify.numerics.sensitivity import Generic

SHAPES = ((3, 5), (4, 9), (7, 3))
DTYPES = ("float64", "float32")
DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def forms_of(kind):
    """Every method of this kind by itself and with each of its options."""
    return [form for method in judged() if method.kind == kind for form in forms(method)]


def name_of(form):
    return form.name.replace(" ", ",")


@functools.cache
def map_of(form, name):
    """The map and its error models, or None where the method has no such map."""
    found = next((of for of in form.maps() if of.name == name), None)
    return None if found is None else (found, Generic(found, 0, form.method.id, form.said))


@functools.cache
def cases(form, name, dtype="float64", shapes=SHAPES):
    """Generic matrices of every shape at which the map has a value, exact in the dtype."""
    of, _ = map_of(form, name)
    made = []
    for shape in shapes:
        V, A = (normal(*shape, case=case).astype(dtype).astype(np.float64) for case in ("", "cotangent"))
        V = np.concatenate([V, A]) if of.stacked else V
        try:
            W = of.reference(V)
        except ValueError:
            continue
        made.append(Typed(f"{shape[0]}x{shape[1]}", V, A if W.shape == A.shape else np.resize(A, W.shape)))
    assert made, f"{form.name} has a value at none of {shapes}"
    return made


def kept_from(form, what):
    """Skip where the method says that it has no such thing."""
    reason = form.build().DOMAIN.get(what)
    if reason:
        pytest.skip(f"{form.name}: {what}: {reason}")


def first_shape(form, name="forward"):
    """The first case: the shape at which properties of one matrix are looked at."""
    return cases(form, name)[0]


def normal(*shape, case=""):
    """Standard normal numbers from a seed that the shape and ``case`` fix."""
    return np.random.default_rng(seed_of("every method", shape, case)).standard_normal(shape)


def tensor(array, dtype="float64", device="cpu"):
    return torch.tensor(array, dtype=getattr(torch, dtype), device=device)


def array(found):
    return found.detach().cpu().double().numpy()


def pull(f, V, A, **options):
    """The gradient of ⟨A, f⟩ by reverse mode."""
    leaf = V.detach().clone().requires_grad_() if not V.requires_grad else V
    return torch.autograd.grad(f(leaf), leaf, A, **options)[0]
