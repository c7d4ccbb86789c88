"""Contract, continued: weights that are not laid out row by row."""

from __future__ import annotations

import contextlib
from typing import Final

import torch
from torch import Tensor

from wnverify.auditing.context import Context, first_line, rows_are_independent
from wnverify.auditing.differing import difference, gradient_difference
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Point, generic, randn
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict

KERNEL: Final = (4, 2, 3, 3)


@check(
    "contract.layout",
    asks="Do strided and overlapping weights give what their contiguous copies give, a kernel what its rows give?",
)
def layout(look: Context, sheet: Sheet) -> None:
    for shape in look.chosen("shape", ((3, 5), (4, 4), (7, 3), (4, 2, 3, 3))):
        found = look.usable([generic(shape, look.seed)])
        if not found:
            continue
        point = found[0]
        cotangent = look.cotangent(point.V, look.seed_for("layout", shape))
        with torch.no_grad():
            expected = look.build(point.weight).at(point.V)
        pulled = _reference(look, point, cotangent)
        for name, V in look.chosen("layout", _layouts(point.V)):
            case = f"{point.name} {name}"
            try:
                with torch.no_grad():
                    out = look.build(point.weight).at(V)
                gradient = None if pulled is None else _gradient(look, point, V, cotangent)
            except Exception as error:  # foreign code may raise anything (a view of strides that allow none)
                sheet.add(case, Verdict.HAZARD, f"raises {type(error).__name__}: {first_line(error)}", route="exact")
                continue
            sheet.compare(case, difference(out, expected, look, point), "the value differs")
            if pulled is not None and gradient is not None:
                ratio = gradient_difference(gradient, pulled, look, point, cotangent)
                sheet.compare(f"{case}, gradient", ratio, "the gradient differs")
    for name, V in look.chosen("overlap", _overlapping(look)):
        _beside_copy(look, sheet, name, V)
    for point in look.usable([generic(KERNEL, look.seed)]):
        _beside_rows(look, sheet, point)


def _beside_rows(look: Context, sheet: Sheet, point: Point) -> None:
    """A kernel beside the matrix of its rows, all axes after the first flattened: a weight means the same as either."""
    case = f"{point.name} beside the matrix of its rows"
    for flat in look.usable([Point(name=case, V=point.weight.flatten(1))]):
        if not torch.equal(flat.V, point.V.flatten(1)):  # registration gave one of them other coordinates
            continue
        kernel, matrix = look.build(point.weight), look.build(flat.weight)
        if _shapes(kernel) != _shapes(matrix):  # a gain for each input channel: they are no longer the same map
            sheet.note(f"{case}: its own tensors have other shapes there")
            continue
        with torch.no_grad():
            out, expected = kernel.at(point.V), matrix.at(flat.V)
        said = "the rows of a kernel are not all its axes after the first: written as a matrix it gives another value"
        ratio = difference(out.reshape(expected.shape), expected, look, flat)
        sheet.compare(case, ratio, said, wrong=Verdict.HAZARD)


def _shapes(instance: Instance) -> list[torch.Size]:
    """Of what a module keeps beside the weight."""
    module = instance.module
    return [] if module is None else [t.shape for t in (*module.parameters(), *module.buffers())]


def _overlapping(look: Context) -> list[tuple[str, Tensor]]:
    """Weights several entries of which are one in memory: what is written into one of them is written into all."""
    n, d = 3, 5
    windows = (randn(n + d - 1, seed=look.seed_for("windows")) + 0.3).unfold(0, d, 1)
    row = randn(1, d, seed=look.seed_for("one row")) + 0.3
    kernel = randn(3, 5, 1, 1, seed=look.seed_for("one entry")) + 0.3
    made = [("overlapping windows", windows), ("3x5x2x2 expanded over space", kernel.expand(-1, -1, 2, 2))]
    # Equal rows have no whitening, nor have they a frame.
    ordinary = look.usable([generic((n, d), look.seed)])
    if ordinary and rows_are_independent(look.build(ordinary[0].weight), ordinary[0].V):
        made.append(("one row expanded", row.expand(n, d)))
    return made


def _beside_copy(look: Context, sheet: Sheet, case: str, V: Tensor) -> None:
    """Value and gradient at a weight beside those at its copy, in which every entry has a place of its own."""
    for point in look.usable([Point(name=case, V=V.contiguous())]):
        if point.V.shape != V.shape or not torch.equal(point.V, V):  # registration gave it other coordinates
            continue
        cotangent = look.cotangent(V, look.seed_for("layout", case))
        pulled = _reference(look, point, cotangent)
        try:
            with torch.no_grad():
                expected, out = look.build(point.weight).at(point.V.clone()), look.build(point.weight).at(V)
            gradient = None if pulled is None else _gradient(look, point, V, cotangent)
        except Exception as error:  # foreign code may raise anything (a write into memory that is shared)
            sheet.add(case, Verdict.HAZARD, f"raises {type(error).__name__}: {first_line(error)}", route="exact")
            continue
        if not torch.equal(V, point.V):
            sheet.add(case, Verdict.FAIL, "the forward changed its input", route="exact")
            continue
        sheet.compare(case, difference(out, expected, look, point), "the value differs from that of a copy")
        if pulled is not None and gradient is not None:
            ratio = gradient_difference(gradient, pulled, look, point, cotangent)
            sheet.compare(f"{case}, gradient", ratio, "the gradient differs from that of a copy")


def _layouts(V: Tensor) -> list[tuple[str, Tensor]]:
    wide = torch.zeros(*V.shape[:-1], 2 * V.shape[-1], dtype=V.dtype)
    wide[..., ::2] = V
    offset = torch.cat([torch.zeros_like(V[:1]), V])[1:]
    made = [("transposed", V.mT.contiguous().mT), ("strided", wide[..., ::2]), ("with an offset", offset)]
    if V.dim() == 4:
        made.append(("channels_last", V.contiguous(memory_format=torch.channels_last)))
    return made


def _reference(look: Context, point: Point, cotangent: Tensor) -> Tensor | None:
    with contextlib.suppress(RuntimeError):  # a backward that raises is the finding of gradient.vjp
        return _gradient(look, point, point.V, cotangent)
    return None


def _gradient(look: Context, point: Point, V: Tensor, cotangent: Tensor) -> Tensor | None:
    """The gradient at V with V's own strides, or None where the map has none."""
    if "gradient" not in look.subject.capabilities:
        return None
    instance = look.build(point.weight)
    leaf = V.detach().requires_grad_()
    out = instance.at(leaf)
    if not out.requires_grad:
        return None
    return torch.autograd.grad(out, leaf, cotangent)[0]
