"""Contract, continued: copies, saved state, and the layers that a parametrization is registered on."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wnverify.auditing.context import REFUSALS, Context, first_line
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import outside, randn
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.subject import parametrized_layer
from wnverify.auditing.target import PARAMETRIZATION
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model

GROSS: Final = 1e-2
FAR: Final = (-20, 8)
"""A weight is assigned times these powers of two: rows of about 1e-6 and of about 100."""
LARGER: Final = 1.5
"""Times which every trained tensor gives another weight of the same layer: a factor leaves every linear structure."""
TINY: Final = 1e-300
ASSIGNED: Final = 1e4
"""Condition number allowed to an inverse: of the map, which may saturate, and of a Gram matrix."""
ASSIGNED_NARROW: Final = 100.0
"""The same in float32, at the layer's own weight: more would hide another precision."""
LAYERS: Final[dict[str, Callable[[], nn.Module]]] = {
    "Linear": lambda: nn.Linear(12, 5, dtype=torch.float64),
    "Conv1d": lambda: nn.Conv1d(4, 5, 3, dtype=torch.float64),
    "Conv2d": lambda: nn.Conv2d(3, 5, 3, dtype=torch.float64),
    "Conv3d": lambda: nn.Conv3d(2, 5, 2, dtype=torch.float64),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(4, 3, 5, dtype=torch.float64),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 3, 3, dtype=torch.float64),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(4, 2, 2, dtype=torch.float64),
    "Embedding": lambda: nn.Embedding(5, 12, dtype=torch.float64),
}


@check("contract.state", asks="Do a deep copy, a pickle and a state_dict give back the same map?", needs=("object",))
def state(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    V = point.V
    instance = look.build(point.weight)
    expected = _call(instance, V)
    if "gradient" in look.subject.capabilities:
        instance.at(V.clone().requires_grad_())  # a model is copied after it was trained: what holds a graph then
    _copied(sheet, "deepcopy", copy.deepcopy, instance, V, expected)
    _copied(sheet, "pickle", lambda made: pickle.loads(pickle.dumps(made)), instance, V, expected)
    module = instance.module
    if module is None:
        return
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    other = look.build(randn(*V.shape, seed=look.seed_for("another weight")) + 0.3)
    _call(other, V)
    if other.module is not None:
        case = "state_dict into an instance made for another weight"
        try:
            other.module.load_state_dict(torch.load(saved, weights_only=True))
        except Exception as error:  # foreign code may keep what cannot be loaded
            sheet.add(case, Verdict.FAIL, f"{type(error).__name__}: {first_line(error)}", route="exact")
            return
        _judge(sheet, case, _call(instance.around(other.module, other.module), V), expected)


def _copied(
    sheet: Sheet, name: str, copied: Callable[[Any], Any], instance: Instance, V: Tensor, expected: Tensor
) -> None:
    try:
        made = copied(instance.callable)
    except Exception as error:  # pickling calls foreign code, which may raise anything
        sheet.add(name, Verdict.HAZARD, f"{type(error).__name__}: {first_line(error)}", route="exact")
        return
    module = made if isinstance(made, nn.Module) else None
    _judge(sheet, name, _call(instance.around(module, made), V), expected)
    if module is not None and instance.module is not None and (shared := _shared(instance.module, module)):
        said = f"the copy shares {', '.join(shared)} with the original: a step of one changes the other"
        sheet.add(f"{name}, a model of its own", Verdict.FAIL, said, route="exact")


def _shared(original: nn.Module, copied: nn.Module) -> list[str]:
    """The names of the copy's parameters and buffers that lie in the original's memory."""
    own = [*original.parameters(), *original.buffers()]
    places = {tensor.untyped_storage().data_ptr() for tensor in own if tensor.numel()}
    held = [*copied.named_parameters(), *copied.named_buffers()]
    return [name for name, tensor in held if tensor.numel() and tensor.untyped_storage().data_ptr() in places]


@check(
    "contract.layers",
    asks="Does it register on Linear, Conv1d-3d, ConvTranspose1d-3d, Embedding, train, take its weight back, come off?",
    needs=("object",),
    kinds=(PARAMETRIZATION,),
)
def layers(look: Context, sheet: Sheet) -> None:
    for name, make in look.chosen("layer", list(LAYERS.items())):
        torch.manual_seed(look.seed_for(name) % 2**31)
        layer = make()
        weight = layer.weight
        if not isinstance(weight, Tensor):
            raise TypeError(f"{name} has no weight tensor")
        V = weight.detach().clone()
        if outside(V, look.subject.domain) is not None:
            continue
        try:
            _live_through(look, sheet, name, layer, V)
        except Exception as error:  # registering calls foreign code, which may raise anything
            said = f"registering or training a step raised {type(error).__name__}: {first_line(error)}"
            sheet.add(name, Verdict.HAZARD, said)


def _live_through(look: Context, sheet: Sheet, name: str, layer: nn.Module, V: Tensor) -> None:
    layer = parametrized_layer(look.subject, layer)
    if not look.repeatable_in_training:
        layer.eval()
    W = weight_of(layer).detach().clone()
    if W.shape != V.shape:
        sheet.add(name, Verdict.FAIL, f"the weight has shape {tuple(W.shape)}; its layer needs {tuple(V.shape)}")
        return
    trained = [p for p in layer.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1e-2)
    loss = layer(input_for(layer)).square().mean()
    loss.backward()
    gradients = [p.grad for p in trained]
    if all(g is None or not bool(g.any()) for g in gradients):
        sheet.add(name, Verdict.HAZARD, "no parameter of the layer receives a gradient")
        return
    if any(g is not None and not bool(torch.isfinite(g).all()) for g in gradients):
        sheet.add(name, Verdict.HAZARD, "a gradient is not finite at the layer's own initial weight")
        return
    optimiser.step()
    after = weight_of(layer).detach().clone()
    _assigned(look, sheet, name, layer, after)
    for tensor in list(getattr(layer, "parametrizations", {})):
        parametrize.remove_parametrizations(layer, tensor, leave_parametrized=True)
    _judge(sheet, name, weight_of(layer).detach(), after)


def _assigned(look: Context, sheet: Sheet, name: str, layer: nn.Module, W: Tensor) -> None:
    """f(right_inverse(W)) = W for a W that f gave: the layer's own weight, assigned to it, stays what it is.

    Asked of the present weight, and of one that it gives where every tensor that right_inverse returns is larger: at a
    gain that is all but what it began with, an inverse that forgets it is all but right.  A right_inverse that gives
    its argument back only says where training starts, and is asked nothing.
    """
    try:
        layer = copy.deepcopy(layer)  # a right_inverse may keep what it was given
    except Exception:  # a layer that cannot be copied is the finding of contract.state
        return
    for tensor, chain in getattr(layer, "parametrizations", {}).items():
        if not all(hasattr(step, "right_inverse") for step in chain):
            continue
        try:
            with torch.no_grad():
                given = [step.right_inverse(W) for step in chain]
                if all(isinstance(back, Tensor) and torch.equal(back, W) for back in given):
                    continue
                larger = _larger(layer, tensor)
                _judge_assigned(sheet, f"{name}, assigned", layer, tensor, W)
                if bool(torch.isfinite(larger).all()) and outside(larger, look.subject.domain) is None:
                    with contextlib.suppress(*REFUSALS):  # loud is not wrong
                        _judge_assigned(sheet, f"{name}, assigned from larger tensors", layer, tensor, larger)
        except NotImplementedError:
            continue
        if _back(layer, tensor, 2 * W) <= GROSS:  # every weight is one that it can give
            _assigned_far(look, sheet, name, layer, tensor, W)


def _larger(layer: nn.Module, tensor: str) -> Tensor:
    """The weight of the layer with each original ``LARGER`` times what it is."""
    other = copy.deepcopy(layer)
    for original in other.parametrizations[tensor].parameters(recurse=False):  # type: ignore[index,union-attr]
        original.mul_(LARGER)
    return weight_of(other).detach().clone()


def _judge_assigned(sheet: Sheet, name: str, layer: nn.Module, tensor: str, W: Tensor) -> None:
    found = _returned(layer, tensor, W)
    model = map_model("float64", W.numel(), condition=ASSIGNED)
    ratio = Ratio(float((found - W).norm()), float(W.norm()), model)
    wrong = Verdict.FAIL if not ratio.relative <= GROSS else Verdict.HAZARD
    said = "right_inverse is none: a weight that the layer gives, assigned to it, comes back as another"
    sheet.compare(name, ratio, said, wrong=wrong)


def _assigned_far(look: Context, sheet: Sheet, name: str, layer: nn.Module, tensor: str, W: Tensor) -> None:
    """Weights much smaller and larger, in float32 too: the logarithm of an exponential loses either."""
    for kind in (torch.float64, torch.float32):
        narrow = copy.deepcopy(layer).to(kind)
        if kind == torch.float32:
            model = map_model("float32", W.numel(), condition=ASSIGNED_NARROW)
            ratio = Ratio(_back(narrow, tensor, W.to(kind)), 1.0, model)
            said = "assigned in float32 the layer's own weight comes back less accurate than the map allows"
            sheet.compare(f"{name}, assigned float32", ratio, said, wrong=Verdict.HAZARD)
        for exponent in FAR:
            far = (W * 2.0**exponent).to(kind)
            if outside(far, look.subject.domain) is not None:
                continue
            miss = _back(narrow, tensor, far)
            if not miss <= GROSS:
                dtype = str(kind).removeprefix("torch.")
                said = f"assigned in {dtype}, the weight times 2^{exponent} comes back as another, off by {miss:.2g}"
                sheet.add(f"{name}, assigned 2^{exponent} {dtype}", Verdict.HAZARD, said, route="exact")


def _back(layer: nn.Module, tensor: str, W: Tensor) -> float:
    """By how much of itself W is missed once it was assigned to the layer; infinite where it is refused."""
    try:
        with torch.no_grad():
            found = _returned(layer, tensor, W)
    except Exception:  # foreign code may raise anything at a weight that it cannot give
        return math.inf
    miss = float((found - W).double().norm()) / max(float(W.double().norm()), TINY)
    return miss if math.isfinite(miss) else math.inf


def _returned(layer: nn.Module, tensor: str, W: Tensor) -> Tensor:
    """The weight that the layer gives once W was assigned to it."""
    setattr(layer, tensor, W)
    return weight_of(layer).detach().clone()


def input_for(layer: nn.Module) -> Tensor:
    """A float64 batch that the layer takes; indices for an embedding."""
    if isinstance(layer, nn.Embedding):
        return torch.arange(layer.num_embeddings)
    if isinstance(layer, nn.Linear):
        return randn(3, layer.in_features, seed=7)
    channels, kernel = layer.in_channels, layer.kernel_size
    return randn(2, int(channels), *[6] * len(kernel), seed=7)  # type: ignore[arg-type]


def weight_of(layer: nn.Module) -> Tensor:
    """The layer's weight as its forward sees it."""
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError("the layer's weight is no tensor any more")
    return weight


def _call(instance: Instance, V: Tensor) -> Tensor:
    with torch.no_grad():
        return instance.at(V)


def _judge(sheet: Sheet, name: str, out: Tensor, expected: Tensor) -> None:
    if out.shape != expected.shape:
        sheet.add(name, Verdict.FAIL, f"shape {tuple(out.shape)} where {tuple(expected.shape)} was")
        return
    model = map_model("float64", expected.numel())
    sheet.compare(name, Ratio(float((out - expected).norm()), float(expected.norm()), model), "the value differs")
