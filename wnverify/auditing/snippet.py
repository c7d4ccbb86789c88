"""A failure as lines for a debugger, which need torch and the subject alone."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from wnverify.auditing.calling import is_object
from wnverify.auditing.context import Context
from wnverify.auditing.instance import Instance
from wnverify.auditing.subject import BUILD_SEED


def snippet(look: Context, V: Tensor, cotangent: Tensor) -> str:
    """Lines that build the subject for the matrix V as the audit does, and print the written gradient of ⟨A, W⟩, or of
    a penalty's value."""
    instance = look.build(V)
    name, imports = imported(look)
    lines = ["import torch", *imports]
    if instance.module is not None and [*instance.module.parameters(), *instance.module.buffers()]:
        lines.append(f"torch.manual_seed({BUILD_SEED})")
    lines += [f"V = torch.tensor({V.tolist()}, dtype=torch.float64, requires_grad=True)"]
    if not instance.scalar:
        lines += [f"A = torch.tensor({cotangent.tolist()}, dtype=torch.float64)"]
    lines += _called(look, instance, name, V)
    return "\n".join(lines)


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


def _called(look: Context, instance: Instance, name: str, V: Tensor) -> Iterator[str]:
    target, given = look.subject.object, look.subject.arguments
    written = [f"{key}={value!r}" for key, value in given.items()]
    loss = "{}.backward()" if instance.scalar else "({} * A).sum().backward()"
    if look.subject.is_function:
        yield loss.format(f"{name}({', '.join(['V', *written])})")
        yield "print(V.grad)"
        return
    mode = "" if look.repeatable_in_training or instance.module is None else ".eval()"
    style = "instance" if isinstance(target, nn.Module) or is_object(target) else look.subject.style
    if style == "(module, name)":
        yield f"layer = torch.nn.Linear({V.shape[1]}, {V.shape[0]}, bias=False, dtype=torch.float64){mode}"
        yield "layer.weight = torch.nn.Parameter(V.detach().clone())"
        yield f"layer = {name}({', '.join(['layer', repr('weight'), *written])}) or layer"
        which = "" if len(instance.tensors) == 1 else instance.primary
        yield "(layer.weight * A).sum().backward()"
        yield f"print(layer.parametrizations.weight.original{which}.grad)"
        return
    first = ["V.detach().clone()"] if style == "(weight)" else []
    call = name if style == "instance" else f"{name}({', '.join([*first, *written])})"
    double = ".double()" if instance.module is not None and any(True for _ in instance.module.parameters()) else ""
    yield f"f = {call}{double}{mode}"
    if len(instance.tensors) == 1:
        yield loss.format("f(V)")
        yield "print(V.grad)"
    else:
        yield "tensors = [t.detach().clone().requires_grad_() for t in f.right_inverse(V.detach())]"
        yield "(f(*tensors) * A).sum().backward()"
        yield f"print(tensors[{instance.primary}].grad)"
