"""Contract: what every user of a parametrization, a projection or a penalty takes for granted about its values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.auditing.context import REFUSALS, Context, first_line
from wnverify.auditing.differing import difference
from wnverify.auditing.points import (
    BORDERS,
    GENERIC_SHAPES,
    KERNEL_SHAPES,
    Point,
    outside,
)
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PENALTY, PROJECTION
from wnverify.finding import Verdict

SMALL: Final = ((5, 12), (3, 5), (4, 4))
NEARBY: Final = 2.0**-20
DTYPES: Final = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@check("contract.forward", asks="Can it be built and called, and is what comes back a finite real tensor?", requires=())
def forward(look: Context, sheet: Sheet) -> None:
    tried: dict[str, str] = {}
    taken = []
    for shape in GENERIC_SHAPES[:4]:
        point = look.ordinary(shape)
        if (why := outside(point.V, look.subject.domain)) is not None:
            tried[point.name] = f"is outside the stated domain ({why})"
            continue
        try:
            with torch.no_grad():
                out = look.build(point.V).out()
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            tried[point.name] = f"raised {_said(error)}"
            continue
        taken.append(shape)
        if not out.is_floating_point():
            sheet.add(point.name, Verdict.FAIL, f"the output has dtype {out.dtype}; a real floating dtype is right")
        elif not bool(torch.isfinite(out).all()):
            sheet.add(point.name, Verdict.FAIL, "the output is not finite at an ordinary weight")
        else:
            sheet.add(point.name, Verdict.PASS)
    if look.mode_note:
        sheet.note(look.mode_note)
    _at_further_sizes(look, sheet, taken)
    if not sheet.cases:
        nowhere = all("outside the stated domain" in why for why in tried.values())
        alike = [(why, [name for name in tried if tried[name] == why]) for why in dict.fromkeys(tried.values())]
        said = [f"{', '.join(names)} {why}" for why, names in alike]
        if hint := look.subject.refuses_weight():
            said.append(hint)
        sheet.add("every shape", Verdict.INCONCLUSIVE if nowhere else Verdict.FAIL, "; ".join(said))
    else:
        for name, why in tried.items():
            sheet.note(f"{name} {why}")


def _at_further_sizes(look: Context, sheet: Sheet, taken: Sequence[tuple[int, ...]]) -> None:
    """Where a size is taken, larger ones in the stated domain are, and what comes back is finite there."""
    borders = BORDERS[: 4 if look.quick else 8]
    for dims in (*GENERIC_SHAPES[4:], *borders, *KERNEL_SHAPES):
        point = look.ordinary(dims)
        if outside(point.V, look.subject.domain) is not None:
            continue
        try:
            with torch.no_grad():
                out = look.build(point.V).out()
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            # What kernels raise is asked by contract.shape; one row, and more rows than columns, may be refused.
            if taken and all(n == d for n, d in taken) and dims[0] != dims[-1] and isinstance(error, REFUSALS):
                sheet.note(f"only square weights are taken: {point.name} is refused with {_said(error)}")
            elif len(dims) == 2 and any(_as_wide(of, dims) and dims[0] >= of[0] for of in taken):
                sheet.add(point.name, Verdict.HAZARD, f"smaller weights are taken, this one raises {_said(error)}")
            continue
        if taken and out.is_floating_point() and not bool(torch.isfinite(out).all()):
            sheet.add(point.name, Verdict.FAIL, "the output is not finite at an ordinary weight")


def _as_wide(taken: Sequence[int], dims: Sequence[int]) -> bool:
    """Whether both have more columns than rows, both fewer, or both as many."""
    return (taken[0] < taken[1], taken[0] > taken[1]) == (dims[0] < dims[1], dims[0] > dims[1])


@check(
    "contract.shape",
    asks="Has the output the shape of the weight, for matrices and for convolution kernels?",
    instead={PENALTY: "Is the value a scalar, without an axis, for matrices and for convolution kernels?"},
)
def shape(look: Context, sheet: Sheet) -> None:
    for dims in (*GENERIC_SHAPES, (5, 31), (33, 65), *KERNEL_SHAPES):
        point = look.ordinary(dims)
        if outside(point.V, look.subject.domain) is not None:
            continue
        try:
            with torch.no_grad():
                instance = look.build(point.V)
                out = instance.out()
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            if len(dims) > 2:
                sheet.add(
                    point.name, Verdict.HAZARD, f"a kernel is refused: {type(error).__name__}: {first_line(error)}"
                )
            else:
                sheet.note(f"{point.name} is refused: {type(error).__name__}: {first_line(error)}")
            continue
        right = out.shape == instance.output_shape(point.V)
        said = f"the output has shape {tuple(out.shape)} for a weight of shape {tuple(point.V.shape)}"
        said = "" if right else said + ("; a penalty is a scalar of shape ()" if look.scalar else "")
        sheet.add(point.name, Verdict.PASS if right else Verdict.FAIL, said, route="exact")


@check("contract.dtype", asks="Has the output the dtype of the weight?")
def dtype(look: Context, sheet: Sheet) -> None:
    point = next((p for p in map(look.ordinary, SMALL) if _takes(look, p)), None)
    if point is None:
        return
    for kind in DTYPES:
        V = point.weight.to(kind)
        name = str(kind).removeprefix("torch.")
        try:
            with torch.no_grad():
                out = look.build(V).out()
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            refused = Verdict.UNSUPPORTED if kind.itemsize < 4 else Verdict.HAZARD
            sheet.add(name, refused, f"refused: {_said(error)}", route="exact")
            continue
        right = out.dtype == kind
        said = "" if right else f"a {name} weight gives a {out.dtype} output"
        # A loss takes a wider scalar, and becomes wider by it; a half is best summed in float32.
        wider = look.scalar and out.dtype.itemsize > kind.itemsize
        if wider and out.dtype == torch.float32:
            sheet.note(said)
            said, right = "", True
        wrong = Verdict.HAZARD if wider else Verdict.FAIL
        sheet.add(name, Verdict.PASS if right else wrong, said, route="exact")


@check("contract.input_unchanged", asks="Is the weight left as it was, and the output no alias of it?")
def input_unchanged(look: Context, sheet: Sheet) -> None:
    for point in look.generic_points()[:3]:
        V = point.V.clone()
        instance = look.build(point.weight)
        with torch.no_grad():
            out = instance.at(V)
        if written := _written(point.V, V):
            sheet.add(point.name, Verdict.FAIL, written, route="exact")
        elif _shares(out, V) and look.subject.kind == PROJECTION:
            # It is copied into the weight that it came from.
            sheet.add(point.name, Verdict.PASS, route="exact")
            sheet.note(f"{point.name}: the output is the input itself, or shares its memory")
        elif _shares(out, V):
            said = "the output shares the input's memory: writing to one changes the other"
            sheet.add(point.name, Verdict.HAZARD, said, route="exact")
        else:
            sheet.add(point.name, Verdict.PASS, route="exact")
    for point in look.generic_points()[:1]:
        for name, V in _far_and_flat(point.V):
            if outside(V, look.subject.domain) is None:
                _unchanged(look, sheet, f"{point.name} {name}", point, V)


def _far_and_flat(V: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Weights that a forward may want to mend first: of another size, with a row of zeros, with ties."""
    for exponent in (-20, -12, 12, 20):
        yield f"times 2^{exponent}", V * 2.0**exponent
    flat = V.clone()
    flat[0] = 0.0
    yield "with a row of zeros", flat
    yield "with ties", torch.where(V > 0, 0.5, -0.5).to(V.dtype)


def _unchanged(look: Context, sheet: Sheet, case: str, point: Point, V: Tensor) -> None:
    given = V.clone()
    with contextlib.suppress(Exception), torch.no_grad():  # what it raises there is asked elsewhere
        look.build(point.weight).at(given)
    written = _written(V, given)
    sheet.add(case, Verdict.FAIL if written else Verdict.PASS, written, route="exact")


def _written(before: Tensor, after: Tensor) -> str:
    """What a forward did to its input; empty where it left it as it was."""
    return (
        "" if torch.equal(before, after) else f"the forward changed {int((before != after).sum())} entries of its input"
    )


@check("contract.deterministic", asks="Does the same weight give the same output twice, and under two seeds?")
def deterministic(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    _leaves_the_process_alone(look, sheet, point)
    for training in (True, False):
        mode = "train" if training else "eval"
        instance = look.subject.build(point.weight, training=training)
        state = {name: value.clone() for name, value in _buffers(instance.module)}
        outs = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            with torch.no_grad():
                outs.append(instance.at(point.V.clone()))  # what is written into the input is another check's
        moved = [
            name
            for name, value in _buffers(instance.module)
            if name not in state or not torch.equal(state[name], value)
        ]
        if torch.equal(outs[0], outs[1]) and torch.equal(outs[0], outs[2]):
            sheet.add(mode, Verdict.PASS, route="exact")
        elif not training:
            sheet.add(mode, Verdict.FAIL, "the output changes from call to call in eval mode", route="exact")
        elif look.subject.domain.get("stateful_in_training"):
            sheet.add(mode, Verdict.PASS, route="exact")
            sheet.note("stateful in training, as declared")
        else:
            why = f"the forward moves {', '.join(moved)}" if moved else "the forward draws random numbers"
            sheet.add(mode, Verdict.HAZARD, f"in training the output changes from call to call: {why}", route="exact")


def _leaves_the_process_alone(look: Context, sheet: Sheet, point: Point) -> None:
    """What belongs to all of the process: random numbers, default dtype, modes.

    Another weight's dropout is the same at every step when a forward seeds the global generator.
    """
    instance, own = look.build(point.weight), _globals()
    after_seed = []
    try:
        # From settings that are known: an earlier call may have set others already.
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)
        before = _globals()
        for seed in (1, 2):
            torch.manual_seed(seed)
            instance.at(point.V.clone())
            after_seed.append(torch.get_rng_state())
        changed = [name for name, value in _globals().items() if value != before[name]]
    finally:
        torch.set_default_dtype(own["the default dtype"])
        torch.set_grad_enabled(own["whether gradients are recorded"])
        torch.set_num_threads(own["the number of threads"])
        torch.use_deterministic_algorithms(own["the choice of deterministic algorithms"])
    if torch.equal(*after_seed):
        changed.append("the seed of the global random numbers")
    said = f"the forward sets {', '.join(changed)} for the whole process" if changed else ""
    sheet.add("global state", Verdict.FAIL if changed else Verdict.PASS, said, route="exact")


def _globals() -> dict[str, Any]:
    return {
        "the default dtype": torch.get_default_dtype(),
        "whether gradients are recorded": torch.is_grad_enabled(),
        "the number of threads": torch.get_num_threads(),
        "the choice of deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
    }


@check(
    "contract.history",
    asks="Does the output depend on the weight alone, not on what was computed before nor on whether a graph is kept?",
)
def history(look: Context, sheet: Sheet) -> None:
    point = look.small_point()
    if point is None:
        return
    V = point.V
    other = look.drawn_for("other", V.shape)
    instance = look.build(point.weight)
    with torch.no_grad():
        expected, expected_other = look.build(point.weight).at(V), look.build(point.weight).at(other)
        storage = V.clone()
        first = instance.at(storage)
        if _shares(first, storage):  # the very weight is given back: a matter of contract.input_unchanged
            first = first.clone()
        storage.data.copy_(other)
        second = instance.at(storage)
        third = instance.at(V)
    near = V * (1 + NEARBY)
    leaf = V.clone().requires_grad_()
    with torch.no_grad():
        expected_near, moved_little = look.build(point.weight).at(near), instance.at(near)
        # A projection may give back the very leaf, which has no graph.
        if look.build(point.weight).at(leaf).grad_fn is not None:
            said = "the output has a graph where none is recorded: what an evaluation computes is kept in memory"
            sheet.add("under no_grad", Verdict.HAZARD, said, route="exact")
    recorded = look.build(point.weight).at(leaf).detach()
    cases = [
        ("first call", first, expected),
        ("new values in the same storage", second, expected_other),
        ("first weight again", third, expected),
        ("a weight that moved by 2^-20 of itself", moved_little, expected_near),
        ("recorded for a gradient", recorded, expected),
    ]
    cases += [_beside_another(look, point, other), *_after_float32(look, sheet, point)]
    try:
        with torch.inference_mode():
            cases.append(("in inference mode", look.build(point.weight).at(V.clone()).clone(), expected))
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        sheet.add("in inference mode", Verdict.HAZARD, f"raises {_said(error)}", route="exact")
    for name, out, right in cases:
        sheet.compare(
            name, difference(out, right, look, point), "the output differs from a fresh instance's", wrong=Verdict.FAIL
        )


def _beside_another(look: Context, point: Point, other: Tensor) -> tuple[str, Tensor, Tensor]:
    """The output in eval mode after another instance saw another weight in training, beside that before."""
    mine, theirs = (look.subject.build(point.weight, training=training) for training in (False, True))
    with torch.no_grad():
        before = mine.at(point.V).clone()
        theirs.at(other)
        return "after another instance's training", mine.at(point.V), before


def _after_float32(look: Context, sheet: Sheet, point: Point) -> list[tuple[str, Tensor, Tensor]]:
    """The output in float64 after a call in float32, beside that without one; none where either is refused."""
    case = "after a call in float32"
    used, unused = (look.build(point.weight).to(torch.float32) for _ in range(2))
    with torch.no_grad():
        try:
            used.at(point.V.float())
            expected = unused.to(torch.float64).at(point.V)
        except Exception:  # a refused dtype is a matter of contract.dtype
            return []
        try:
            return [(case, used.to(torch.float64).at(point.V), expected)]
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            said = f"in float64 it raises {_said(error)}, where without that call it does not"
            sheet.add(case, Verdict.HAZARD, said, route="exact")
    return []


def _takes(look: Context, point: Point) -> bool:
    """Whether the forward takes this weight at all, whatever it gives."""
    if outside(point.V, look.subject.domain) is not None:
        return False
    try:
        with torch.no_grad():
            look.build(point.V).out()
    except Exception as error:  # foreign code may raise anything; the refusal is kept
        look.refused[point.name] = _said(error)
        return False
    return True


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"


def _shares(out: Tensor, V: Tensor) -> bool:
    return out.numel() > 0 and out.untyped_storage().data_ptr() == V.untyped_storage().data_ptr()


def _buffers(module: torch.nn.Module | None) -> list[tuple[str, Tensor]]:
    return [] if module is None else list(module.named_buffers())
