"""One training step of WRN-28-10 with each method beside the same step without, and inference after ``remove``.

The network is the paper's on images of 3 × 32 × 32; the batch is of ``BATCH`` images on a processor, and of 128 on a
GPU.  What a parametrization costs does not grow with the batch, the rest of the step does: of a batch of 128 its share
is smaller by as much.  Orthonormal rows are asked for where a layer has fewer rows than columns: of all layers but the
widening ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Times, device
from wnverify.finding import Verdict, seed_of

BATCH: Final = 2
ON_GPU: Final = 128
SHAPE: Final = (3, 32, 32)
SIMPLE: Final = ("wn", "cwn", "ws", "cwo")
FRAMES: Final = ("own", "dswn-nm", "dswn-sm", "dswn-nm-sm")
DECAY: Final = 5e-4


def data(batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed_of("training step") % 2**62)
    x = torch.randn((batch, *SHAPE), generator=generator)
    return x.to(device()), torch.randint(0, 10, (batch,), generator=generator).to(device())


def network() -> nn.Module:
    from wnverify.experiments.networks.residual import wrn_28_10

    torch.manual_seed(seed_of("wrn_28_10") % 2**62)
    return wrn_28_10(SHAPE, 10).to(device())


def fitting(method: str) -> Callable[[str, nn.Module], bool] | None:
    """The layers of a method: all, or for orthonormal rows those with fewer rows than columns after centring."""
    if method not in FRAMES:
        return None

    def fits(_: str, layer: nn.Module) -> bool:
        weight = getattr(layer, "weight", None)
        return isinstance(layer, nn.Conv2d | nn.Linear) and len(weight) < weight[0].numel()

    return fits


def training(method: str, batch: int) -> Callable[[], None]:
    """Forward, loss, backward and a step of SGD with momentum; ``plain``, ``weight decay`` or a method."""
    import wnverify

    model = network()
    decay = DECAY if method == "weight decay" else 0.0
    penalized = method == "norm_loss"
    if method not in ("plain", "weight decay", "cwo"):
        wnverify.apply(model, method, layers=fitting(method))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=decay)
    if method == "cwo":
        wnverify.apply(model, method, optimizer=optimizer)
    x, labels = data(batch)

    def step() -> None:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), labels)
        (loss + wnverify.penalty(model) if penalized else loss).backward()
        optimizer.step()

    return step


def inference(method: str, batch: int) -> Callable[[], Tensor]:
    """Forward in evaluation, of the plain network or of one off which the method has been taken."""
    import wnverify

    model = network()
    if method != "plain":
        wnverify.remove(wnverify.apply(model, method, layers=fitting(method)), method)
    model.eval()
    x, _ = data(batch)

    def step() -> Tensor:
        with torch.inference_mode():
            y: Tensor = model(x)
            return y

    return step


def layers_left(_: Callable[[], object]) -> dict[str, bool]:
    """For every method whether its ``remove`` leaves the very modules of the plain network, by names and types."""
    import wnverify
    from wnverify.experiments.networks.residual import wrn_10_1

    def listed(model: nn.Module) -> list[tuple[str, type]]:
        return [(name, type(module)) for name, module in model.named_modules()]

    plain = listed(wrn_10_1(SHAPE, 10))
    found = {}
    for method in (*SIMPLE, *FRAMES):
        model = wrn_10_1(SHAPE, 10)
        wnverify.remove(wnverify.apply(model, method, layers=fitting(method)), method)
        found[method] = listed(model) == plain
    return found


def all_plain(times: Mapping[str, Times]) -> Judged:
    left = times["after remove"].told
    wrong = [method for method, same in left.items() if not same]
    if wrong:
        return Verdict.FAIL, f"other modules than the plain network's after remove: {', '.join(wrong)}", dict(left)
    return Verdict.PASS, f"after remove the modules are the plain network's, for {', '.join(left)}", dict(left)


def row(case: str, methods: tuple[str, ...], aims: tuple[Aim, ...]) -> Row:
    batch = ON_GPU if device() == "cuda" else BATCH
    contenders = tuple(Contender(name, functools.partial(training, name, batch)) for name in methods)
    work = f"one training step of WRN-28-10, batch {batch} of 3 × 32 × 32"
    statement = "Does every step run?"
    return Row(f"training/{case}", work, aims, contenders, statement=statement, turns=2, ours=methods[0])


def rows() -> list[Row]:
    by_weights = "at a batch this small the step is short, and what is added is the same at any batch"
    batch = ON_GPU if device() == "cuda" else BATCH
    diluted = ON_GPU // batch if batch < ON_GPU else 0
    simple = (
        Aim("time", "weight decay", 1.05, 2.0, by_weights, mine="norm_loss", diluted=diluted),
        *(Aim("time", "plain", 1.10, 4.0, by_weights, mine=name, diluted=diluted) for name in SIMPLE),
    )
    frames = tuple(Aim("time", "plain", mine=name) for name in FRAMES)
    free = Row(
        "inference/after-remove",
        f"inference of WRN-28-10, batch {batch} of 3 × 32 × 32, after OWN was removed",
        (Aim("time", "plain", 1.05, 1.3, "the modules are the same, so that this is noise", mine="after remove"),),
        (
            Contender("after remove", functools.partial(inference, "own", batch), layers_left),
            Contender("plain", functools.partial(inference, "plain", batch)),
        ),
        statement="Does remove leave the plain network's modules?",
        judge=all_plain,
        turns=5,
        ours="after remove",
    )
    return [
        row("methods", ("norm_loss", *SIMPLE, "plain", "weight decay"), simple),
        row("orthogonal", (*FRAMES, "plain"), frames),
        free,
    ]
