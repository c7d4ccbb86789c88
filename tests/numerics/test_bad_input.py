"""What no map can take is refused at the door: an error names the argument, what came and what would be right.

In a process of its own: the run-time checks of annotations, in this one, would say it in other words.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from wnverify.numerics.forms import forms, judged

V = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
REAL = "must be a real floating tensor (float64, float32, bfloat16 or float16); got torch."
EMPTY = "must have at least one row and one column; got shape "
REFUSED = {
    "integers": (V.long(), "TypeError", f"{REAL}int64"),
    "truth values": (V > 0, "TypeError", f"{REAL}bool"),
    "complex numbers": (V.to(torch.complex64), "TypeError", f"{REAL}complex64"),
    "a list": ([[1.0, 2.0]], "TypeError", "must be a tensor; got list"),
    "an array": (np.ones((3, 5), np.float32), "TypeError", "must be a tensor; got ndarray"),
    "no rows": (V[:0], "ValueError", f"{EMPTY}(0, 5)"),
    "no columns": (V[:, :0], "ValueError", f"{EMPTY}(3, 0)"),
}
OF_A_WEIGHT = {
    **REFUSED,
    "empty kernels": (torch.ones(3, 0, 2, 2), "ValueError", "must have no empty axis; got shape (3, 0, 2, 2)"),
    "one axis": (V[0], "ValueError", "must have at least two axes (output units and inputs); got shape (5,)"),
}
OF_A_GRADIENT = {
    "another dtype": (V.double(), "TypeError", "G must have the dtype torch.float32 of W; got torch.float64"),
    "integers": (V.long(), "TypeError", "G must have the dtype torch.float32 of W; got torch.int64"),
    "no tensor": (None, "TypeError", "G must have the dtype torch.float32 of W; got NoneType"),
    "fewer rows": (V[:2], "ValueError", "G must have the shape (3, 5) of W; got (2, 5)"),
    "one row for all": (V[:1], "ValueError", "G must have the shape (3, 5) of W; got (1, 5)"),
}
GAINS = {"float64": torch.float64, "bfloat16": torch.bfloat16, "int64": torch.int64, "float32": torch.float32}


def said(function, *arguments):
    """Type and text of the error, or whether finite numbers came in its place."""
    try:
        return "no error", "finite" if function(*arguments).isfinite().all() else "not finite"
    except Exception as error:
        return type(error).__name__, str(error)


def everything():
    """Table → kind → [method with options, kind of method, map, what it said]."""
    from wnverify.methods.weight_normalization.pytorch import WeightNormalization

    maps = [(form, of.name) for method in judged() for form in forms(method) for of in form.maps()]
    weights = [(form, name, form.built(name)) for form, name in maps if name != "transform"]
    transforms = [(form, "transform", form.build().transform) for form, name in maps if name == "transform"]
    broken = {}
    for value in ("nan", "inf", "-inf"):
        broken[value] = V.clone()
        broken[value][1, 2] = float(value)

    def table(functions, arguments):
        return {
            kind: [[form.name, form.method.kind, name, said(call, *given)] for form, name, call in functions]
            for kind, given in arguments.items()
        }

    return {
        "weight": table(weights, {kind: [given] for kind, (given, *_) in OF_A_WEIGHT.items()}),
        "gradient": table(transforms, {kind: [V, given] for kind, (given, *_) in OF_A_GRADIENT.items()}),
        "weight of a gradient": table(transforms, {kind: [given, given] for kind, (given, *_) in REFUSED.items()}),
        "not finite": table(weights, {kind: [given] for kind, given in broken.items()}),
        "one row": table([*weights], {"one row": [V[:1]]}),
        "gain": {kind: said(WeightNormalization(), V, torch.ones(3, 1).to(dtype)) for kind, dtype in GAINS.items()},
    }


@pytest.fixture(scope="module")
def seen():
    shown = subprocess.run([sys.executable, __file__], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr[-2000:]
    return json.loads(shown.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", OF_A_WEIGHT)
def test_a_weight_that_is_none_is_refused_by_every_map(seen, kind):
    """With every option: one type of error, and a text that names V and says what came."""
    _, right, text = OF_A_WEIGHT[kind]
    assert len(seen["weight"][kind]) > 40
    for form, _, name, (raised, message) in seen["weight"][kind]:
        assert (raised, message) == (right, f"V {text}"), (form, name)


@pytest.mark.parametrize("kind", OF_A_GRADIENT)
def test_a_gradient_of_another_kind_is_refused_by_every_transform(seen, kind):
    """Above all one that would be broadcast or promoted without a word."""
    _, right, text = OF_A_GRADIENT[kind]
    assert len(seen["gradient"][kind]) >= 5
    for form, *_, what in seen["gradient"][kind]:
        assert what == [right, text], form


@pytest.mark.parametrize("kind", REFUSED)
def test_a_transform_names_the_weight(seen, kind):
    """What is no weight is refused before the gradient, as W."""
    _, right, text = REFUSED[kind]
    for form, *_, what in seen["weight of a gradient"][kind]:
        assert what == [right, f"W {text}"], form


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_weight_that_is_not_finite_gives_no_finite_numbers(seen, value):
    """A parametrization refuses it and says so; where training looks for what is not finite, it stays so."""
    for form, kind, name, (raised, message) in seen["not finite"][value]:
        if kind == "parametrization":
            assert raised == "ValueError", (form, message)
            assert "finite" in message, form
        else:
            assert raised == "ValueError" or message == "not finite", (form, name, message)


@pytest.mark.parametrize("dtype", GAINS)
def test_a_gain_of_another_dtype_is_refused(seen, dtype):
    """A float32 weight with a gain of another dtype would be computed in that one, without a word."""
    right = ["TypeError", f"g must have the dtype torch.float32 of V; got torch.{dtype}"]
    assert seen["gain"][dtype] == (["no error", "finite"] if dtype == "float32" else right)


def test_one_row_is_a_weight(seen):
    """A single output unit is mapped by every map of a weight."""
    for form, _, name, what in seen["one row"]["one row"]:
        assert what == ["no error", "finite"], (form, name)


if __name__ == "__main__":
    print(json.dumps(everything()))
