"""A failure as lines for a debugger, which need torch and the subject alone: the subject is built for a weight V as the
audit builds it, and is called f."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from wnverify.auditing.asked_again import COMPARED
from wnverify.auditing.calling import is_object
from wnverify.auditing.context import Context
from wnverify.auditing.instance import Chain
from wnverify.auditing.points import generic, rows
from wnverify.auditing.subject import BUILD_SEED

LARGEST: Final = 64
"""Entries up to which a weight is written out."""


def snippet(look: Context, V: Tensor, cotangent: Tensor) -> str:
    """Lines that print the gradient of ⟨A, W⟩, or of a penalty's value, as it is written and by differences."""
    A = "1.0" if look.scalar else f"torch.tensor({cotangent.tolist()}, dtype=torch.float64)"
    return "\n".join([*prelude(look, V), f"A = {A}", COMPARED])


def prelude(look: Context, V: Tensor) -> list[str]:
    """Lines that define V and f, the subject as the audit builds it for V."""
    instance = look.build(V.nan_to_num(nan=0.5, posinf=0.5, neginf=0.5))
    name, imports = imported(look)
    target, given = look.subject.object, look.subject.arguments
    written = [f"{key}={value!r}" for key, value in given.items()]
    shown = _literal(look, V)
    lines = ["import torch", *imports, f"torch.manual_seed({BUILD_SEED})", f"V = {shown}"]
    if look.subject.is_function:
        if look.scalar and instance.has_prox:
            place = name.rpartition(".")[0]
            lines.append("# prox: the function beside it" if look.subject.spec.pickled else f"prox = {place}.prox")
        return [*lines, f"f = lambda X: {name}({', '.join(['X', *written])})"]
    mode = "" if look.repeatable_in_training or instance.module is None else ".eval()"
    style = "instance" if isinstance(target, nn.Module) or is_object(target) else look.subject.style
    if style == "(module, name)":
        n, d = rows(V).shape
        lines += [
            f"layer = torch.nn.Linear({d}, {n}, bias=False, dtype=torch.float64)",
            "layer.weight = torch.nn.Parameter(V.clone())",
            f"layer = {name}({', '.join(['layer', repr('weight'), *written])}) or layer",
            f"steps = layer.parametrizations.weight{mode}",
        ]
        if isinstance(instance.module, Chain) and len(instance.module.steps) > 1:
            return [*lines, "import functools", "f = lambda X: functools.reduce(lambda W, step: step(W), steps, X)"]
        if len(instance.tensors) == 1:
            return [*lines, "f = steps[0]"]
        which = [f"steps.original{i}" if i != instance.primary else "X" for i in range(len(instance.tensors))]
        return [*lines, f"f = lambda X: steps[0]({', '.join(which)})"]
    first = ["V.clone()"] if style == "(weight)" else []
    call = name if style == "instance" else f"{name}({', '.join([*first, *written])})"
    double = ".double()" if instance.module is not None else ""
    if len(instance.tensors) == 1:
        return [*lines, f"f = {call}{double}{mode}"]
    which = [f"kept[{i}]" if i != instance.primary else "X" for i in range(len(instance.tensors))]
    return [
        *lines,
        f"module = {call}{double}{mode}",
        "kept = [t.detach().clone() for t in module.right_inverse(V)]",
        f"f = lambda X: module({', '.join(which)})",
    ]


def imported(look: Context) -> tuple[str, list[str]]:
    """How the subject is called in the lines, and the lines that import it."""
    spec = look.subject.spec
    module = spec.module or (spec.file or "").removesuffix(".py")
    if not module:
        return spec.name, [f"# {spec.name}: the object that was given to the audit"]
    if all(part.isidentifier() for part in module.split(".")):
        return f"{module}.{spec.name}", [f"import {module}"]
    load = f"subject = types.SimpleNamespace(**runpy.run_path({spec.file!r}))"
    return f"subject.{spec.name}", ["import runpy, types", load]


def _literal(look: Context, V: Tensor) -> str:
    """V as an expression: its entries, or how they are drawn."""
    if V.numel() > LARGEST:
        seed = generic(tuple(V.shape), look.seed).seed % 2**63
        drawn = f"generator=torch.Generator().manual_seed({seed}), dtype=torch.float64"
        return f"torch.randn({tuple(V.shape)}, {drawn}) + 0.3"
    entries = str(V.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")
    return f"torch.tensor({entries}, dtype=torch.float64)"
