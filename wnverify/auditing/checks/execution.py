"""Execution: the same value and gradient however it is run: compiled, mapped, exported, cast, by several threads.

What is refused is ``unsupported``, with the message; what silently comes out otherwise is a ``fail``.  The six ways
stand in one file because each is a short variation of one comparison.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from wnverify.auditing.backward import backward_model
from wnverify.auditing.calling import layer_for
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.differing import difference
from wnverify.auditing.instance import Instance
from wnverify.auditing.lockstep import in_lockstep
from wnverify.auditing.points import Point, randn
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.rounding import allowing_stairs
from wnverify.auditing.subject import parametrized_layer
from wnverify.auditing.target import PARAMETRIZATION
from wnverify.finding import Verdict
from wnverify.oracles.gradients import sensitivity
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.quietly import quietly

BACKENDS: Final = ("aot_eager", "inductor")
"""The first traces and differentiates as the second does, and generates no code."""
OF_ROUNDING: Final = 1e-10
STACKED: Final = 3
HEAD_STARTS: Final = (0, 1, 2, 4)
DIFFERS: Final = "the {} differs from that of the plain call"


@check(
    "execution.compile",
    asks="Gives torch.compile the value and gradient of the plain call, also at the next weight?",
    quick=False,
)
def compiled(look: Context, sheet: Sheet) -> None:
    if _declared(look, sheet, "torch.compile", "no_compile"):
        return
    points = _for_one_instance(look, traced=True)
    if not points:
        return
    for backend in BACKENDS if look.full else BACKENDS[:1]:
        instance = look.build(points[0].weight)
        torch._dynamo.reset()
        run = torch.compile(_function(instance), backend=backend, dynamic=False)
        for point in points:
            named = point if backend == BACKENDS[0] else dataclasses.replace(point, name=f"{point.name} {backend}")
            _judge(look, sheet, named, instance, lambda V: run(*instance.with_primary(V)))  # noqa: B023
        torch._dynamo.reset()
    if not look.full:
        sheet.note(f"{BACKENDS[0]} only; --full compiles with {', '.join(map(str, BACKENDS[1:]))} too")


@check(
    "execution.export",
    asks="Gives the program of torch.export the value of the plain call, also at another weight?",
    quick=False,
)
def exported(look: Context, sheet: Sheet) -> None:
    points = _for_one_instance(look, traced=True)
    if not points or _declared(look, sheet, "torch.export", "no_compile"):
        return
    instance = look.build(points[0].weight)
    try:
        with quietly(), torch.no_grad():
            given = instance.with_primary(points[0].V)
            program: Any = torch.export.export(_Called(instance), given).module()
    except Exception as error:  # the exporter refuses with errors of many kinds
        sheet.add("torch.export", Verdict.UNSUPPORTED, _said(error), route="exact")
        return
    # A fresh instance beside it: tracing may leave a tensor without numbers in a module that keeps what it computed.
    plain = look.build(points[0].weight)
    for point in points:
        _judge(look, sheet, point, plain, lambda V: program(*plain.with_primary(V)), gradient=False)


@check("execution.vmap", asks="Gives vmap over a stack of weights what each weight gives alone?")
def mapped(look: Context, sheet: Sheet) -> None:
    points = _for_one_instance(look, traced=True)
    if not points or _declared(look, sheet, "vmap", "no_vmap"):
        return
    instance = look.build(points[0].weight)
    cotangent = look.cotangent(points[0].V, look.seed_for("execution"))

    def gradient(V: Tensor) -> Tensor:
        of: Callable[[Tensor], Tensor] = torch.func.grad(lambda X: (instance.at(X) * cotangent).sum())
        return of(V)

    differentiable = _gradient(look, instance.at, points[0].V, cotangent) is not None
    for where, axis in (("first", 0), ("last", -1)):
        stack = torch.stack([p.V for p in points], axis)
        for what, function in (("value", instance.at), ("gradient", gradient)):
            if what == "gradient" and not differentiable:
                continue
            case = f"{what}, stacked along the {where} axis"
            try:
                with quietly():
                    found = torch.func.vmap(function, in_dims=axis)(stack).detach()
            except Exception as error:  # what has no batching rule is refused with errors of many kinds
                sheet.add(case, Verdict.UNSUPPORTED, _said(error), route="exact")
                continue
            for index, point in enumerate(points):
                # A module that keeps what it was given holds a tensor of the stack now, which nothing else can use.
                fresh = look.build(points[0].weight)
                _compare(look, sheet, f"{case}: {point.name}", what, found[index], fresh, point)


@check(
    "execution.functional_call",
    asks="Does torch.func.functional_call on a parametrized layer use the tensors that it is given?",
    needs=("object",),
    kinds=(PARAMETRIZATION,),
)
def functional(look: Context, sheet: Sheet) -> None:
    points = _two_points(look)
    if not points:
        return
    layers = []
    for point in points:
        layer = parametrized_layer(look.subject, layer_for(point.weight))
        layers.append(layer.train(look.repeatable_in_training))
    given = randn(2, *(points[0].weight.shape[1:]), seed=look.seed_for("layer input"))
    host = layers[0]
    with torch.no_grad():
        host(given)
        # Own parameters start alike in both layers; a tenth more tells whether they are read.
        for parameter in layers[1].parameters():
            parameter.mul_(1.125)
        tensors = {**dict(layers[1].named_parameters()), **dict(layers[1].named_buffers())}
        tensors = {name: value.detach().clone() for name, value in tensors.items()}
        expected = layers[1](given)
    try:
        with torch.no_grad():
            found = torch.func.functional_call(host, tensors, (given,))
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        sheet.add("functional_call", Verdict.UNSUPPORTED, _said(error), route="exact")
        return
    # The layer's output moves with its weight as the weight with V, and cancels by as much as its sums do.
    W = float(look.build(points[1].weight).out().detach().norm())
    cancelled = 1.0 + W * float(given.norm()) / max(float(expected.norm()), 1e-300)
    model = map_model("float64", look.terms(points[1].V), condition=cancelled * _condition(look, points[1]))
    ratio = Ratio(float((found - expected).norm()), float(expected.norm()), model)
    sheet.compare("value", ratio, "the layer does not use the tensors that functional_call gives it")


@check(
    "execution.autocast", asks="Is a float32 weight mapped in float32 under autocast to bfloat16, forward and backward?"
)
def cast(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    V = point.V.float()
    instance = look.build(point.weight).to(torch.float32)
    cotangent = look.cotangent(point.V, look.seed_for("execution")).float()

    def under(V: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return instance.at(V)

    try:
        plain = _value_and_gradient(look, instance.at, V, cotangent)
    except Exception as error:  # a refused float32 is the finding of contract.dtype
        sheet.add("float32", Verdict.UNSUPPORTED, _said(error), route="exact")
        return
    try:
        found = _value_and_gradient(look, under, V, cotangent)
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        sheet.add("autocast", Verdict.UNSUPPORTED, _said(error), route="exact")
        return
    for what in plain:
        out = found[what]
        condition = _condition(look, point, cotangent if what == "gradient" else None)
        model = map_model("float32", look.terms(V), condition=2 * condition, roundings=12)
        ratio = Ratio(float((out.double() - plain[what].double()).norm()), float(plain[what].double().norm()), model)
        kind = "" if out.dtype == torch.float32 else f", as a {out.dtype} tensor"
        said = f"under autocast the {what} of a float32 weight has lost its accuracy{kind}"
        sheet.compare(what, ratio, said, wrong=Verdict.HAZARD)


@check("execution.threads", asks="Do two threads that share one module get what each gets alone?")
def threads(look: Context, sheet: Sheet) -> None:
    points = _for_one_instance(look)
    if not points:
        return
    first, second = points[:2]
    cotangent = look.cotangent(first.V, look.seed_for("execution"))
    # Asked before: what the subject can is found out behind a lock, at which the two threads would meet.
    has_gradient = "gradient" in look.subject.capabilities
    for head_start in look.chosen("head start", HEAD_STARTS[: 2 if look.quick else None]):
        shared = look.build(first.weight)
        calls = [
            functools.partial(_value_and_gradient, look, shared.at, point.V, cotangent, gradient=has_gradient)
            for point in (first, second)
        ]
        name = f"{head_start} lines ahead"
        try:
            results = in_lockstep(*calls, head_start=head_start)
        except Exception as error:  # alone it does not raise
            sheet.add(name, Verdict.FAIL, f"with two threads at once it raises {_said(error)}", route="simulation")
            continue
        for which, point, found in zip(("first", "second"), (first, second), results, strict=True):
            for what, tensor in found.items():
                case = f"{name}: {what} of the {which} thread"
                fresh = look.build(first.weight)
                _compare(look, sheet, case, what, tensor, fresh, point, route="simulation")


class _Called(nn.Module):
    """An instance as a module: its own module is a child, so that the exporter finds parameters and buffers."""

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self.module = instance.module
        self.call = None if instance.module is not None else instance.callable

    def forward(self, *tensors: Tensor) -> Any:
        return self.call(*tensors) if self.module is None and self.call else self.module(*tensors)  # type: ignore[misc]


def _function(instance: Instance) -> Callable[..., Any]:
    call = instance.callable

    def plain(*tensors: Tensor) -> Any:
        return call(*tensors)

    return plain


def _two_points(look: Context, *, traced: bool = False) -> list[Point]:
    """Weights of one shape: the small point, and others in the stated domain that the forward accepts.

    ``traced``: many of them cost little more than two, once the subject is traced.
    """
    first = look.small_point()
    if first is None:
        return []
    points = [first]
    for k in range(1, look.through_one_trace(STACKED) if traced else STACKED):
        other = randn(*first.weight.shape, seed=look.seed_for("execution", k)) + 0.3
        points += look.usable([Point(name=f"{first.name} again", V=other)])[:1]
    named = [dataclasses.replace(p, name=f"{first.name} #{k + 1}") for k, p in enumerate(points)]
    return named if len(named) > 1 else []


def _for_one_instance(look: Context, *, traced: bool = False) -> list[Point]:
    """The same weights for one instance, that of the first: another's map may be better conditioned at the others."""
    points = _two_points(look, traced=traced)
    return [dataclasses.replace(point, built_for=points[0].weight) for point in points]


def _judge(
    look: Context,
    sheet: Sheet,
    point: Point,
    instance: Instance,
    call: Callable[[Tensor], Tensor],
    *,
    gradient: bool = True,
) -> None:
    """What ``call`` gives at this weight against the plain call of the same instance."""
    cotangent = look.cotangent(point.V, look.seed_for("execution"))
    try:
        with quietly():
            found = _value_and_gradient(look, call, point.V, cotangent, gradient=gradient)
    except Exception as error:  # what is refused is refused with errors of many kinds
        sheet.add(point.name, Verdict.UNSUPPORTED, _said(error), route="exact")
        return
    for what, tensor in found.items():
        _compare(look, sheet, f"{point.name} {what}", what, tensor, instance, point)


def _compare(
    look: Context,
    sheet: Sheet,
    case: str,
    what: str,
    found: Tensor,
    instance: Instance,
    point: Point,
    *,
    route: str = "property search",
) -> None:
    cotangent = look.cotangent(point.V, look.seed_for("execution"))
    right = _value_and_gradient(look, instance.at, point.V, cotangent)[what]
    if found.shape != right.shape:
        said = f"the {what} has shape {tuple(found.shape)}; that of the plain call has {tuple(right.shape)}"
        sheet.add(case, Verdict.FAIL, said, route=route)
        return
    if what == "gradient" and not torch.equal(found, right):
        model = backward_model(instance, point.V, slack=2.0)  # both sides are rounded
        ratio = Ratio(float((found - right).norm()), float(right.norm()), model)

        def pulled(V: Tensor) -> Tensor:
            return _value_and_gradient(look, look.build(point.weight).at, V, cotangent)[what]

        ratio = allowing_stairs(ratio, pulled, point.V, seed=look.seed)
    else:
        ratio = difference(found, right, look, point)
    # A formula that amplifies rounding (a derivative through close singular values) gives it back in another order.
    wrong = Verdict.INCONCLUSIVE if ratio.relative < OF_ROUNDING else Verdict.FAIL
    sheet.compare(case, ratio, DIFFERS.format(what), wrong=wrong, route=route)


def _value_and_gradient(
    look: Context, call: Callable[[Tensor], Tensor], V: Tensor, cotangent: Tensor, *, gradient: bool = True
) -> Mapping[str, Tensor]:
    """The value, and the gradient where the subject is meant to have one and its output has a graph."""
    if not gradient or "gradient" not in look.subject.capabilities:
        with torch.no_grad():
            return {"value": call(V.clone()).detach()}
    leaf = V.detach().clone().requires_grad_()
    out = call(leaf)
    if not out.requires_grad:
        return {"value": out.detach()}
    (pulled,) = torch.autograd.grad(out, leaf, cotangent.to(out.dtype))
    return {"value": out.detach(), "gradient": pulled}


def _gradient(look: Context, call: Callable[[Tensor], Tensor], V: Tensor, cotangent: Tensor) -> Tensor | None:
    return _value_and_gradient(look, call, V, cotangent).get("gradient")


def _condition(look: Context, point: Point, cotangent: Tensor | None = None) -> float:
    """The local relative condition number of the map, or of its gradient for a cotangent, in float64."""
    instance = look.build(point.weight)

    def of(V: Tensor) -> Tensor:
        if cotangent is None:
            return instance.at(V).detach()
        return _value_and_gradient(look, instance.at, V, cotangent.double())["gradient"]

    return 1.0 + sensitivity(of, point.V, seed=look.seed)


def _declared(look: Context, sheet: Sheet, case: str, name: str) -> bool:
    """Whether the subject says that it does not work so; then that is all that is said."""
    reason = look.subject.domain.get(name)
    if not reason:
        return False
    sheet.add(case, Verdict.UNSUPPORTED, f"declared: {name}" + ("" if reason is True else f", {reason}"), route="exact")
    return True


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
