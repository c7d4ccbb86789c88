"""The rows of the precision matrix, its typed matrices, and what is measured at one of them.

Columns are graded, not rows, where singular values matter: rounding to few bits moves every entry in proportion, so
that a small column keeps its digits and the matrix its condition number in every format.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from wnverify.finding import seed_of
from wnverify.numerics import matrices
from wnverify.numerics.counts import ROUNDINGS
from wnverify.numerics.judge import UNDECIDED_FROM, Subject, attempt
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.numerics.precision_formats import FORMATS, Emulated, Products, rounded
from wnverify.oracles.ratio import ErrorModel, Ratio, unit_roundoff

SHAPE: Final = (4, 9)
LONG: Final = (2, 600)
"""For the half precisions: long enough for a sum in bfloat16 to stand still at 256, half of its terms not yet in."""
ILL: Final = {"float64": 1e8, "float32": 1e4, "tf32": 1e3, "bfloat16": 1e3, "float16": 1e3}
"""As much as the dtype in which a sound implementation sums bears of κ, with room for the model's constants."""
EXTREME: Final = {
    "float64": (-600, 600),
    "float32": (-80, 80),
    "tf32": (-80, 80),
    "bfloat16": (-80, 80),
    "float16": (-8, 10),
}
"""Exponents of tiny and huge: the squares are out of the format's range, the numbers within."""
HALVES: Final = ("bfloat16", "float16")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix: ``sums`` is empty where the implementation decides how it sums, else the format in which
    every partial sum is rounded; then, save for tf32, every other result is as well.  ``judged``: the format of the
    error model where that is another.  ``native``: tf32 is that of the device, not the emulator's."""

    format: str
    sums: str = ""
    judged: str = ""
    native: bool = False

    @property
    def model(self) -> str:
        return self.judged or self.format

    @property
    def label(self) -> str:
        return f"{self.format},sums={self.sums}" if self.sums else self.format

    @property
    def emulated(self) -> bool:
        return bool(self.sums) or (self.format == "tf32" and not self.native)

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensors that are given to the implementation: for what is emulated, and for tf32, float32."""
        float32 = self.emulated or self.format == "tf32"
        found: torch.dtype = torch.float32 if float32 else getattr(torch, self.format)
        return found

    @property
    def words(self) -> str:
        if self.format != self.model:
            return f"no product of {self.model} matrices for {self.format} to round: as {self.model}"
        if self.format == "tf32" and self.native:
            return "as implemented, on float32 tensors whose products the device makes of tf32 numbers"
        if self.format == "tf32":
            return f"emulated: float32 with products of tf32 numbers, summed in {self.sums or 'float32'}"
        if self.sums:
            return f"emulated: every result and every partial sum rounded to {self.format}, wider steps undone"
        return f"as implemented, on {self.format} tensors"

    def running(self) -> Any:
        """The context in which the implementation runs."""
        if self.format == "tf32" and self.native:
            return _tf32()
        if self.format == "tf32":
            return Products(self.format, summed=bool(self.sums))
        return Emulated(self.format) if self.sums else contextlib.nullcontext()


@contextlib.contextmanager
def _tf32() -> Iterator[None]:
    """With products of float32 matrices as the device's tensor cores make them."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


NATIVE: Final = tuple(Row(name) for name in ("float64", "float32", "bfloat16", "float16"))
WITHIN: Final = tuple(Row(name, name) for name in ("float32", "bfloat16", "float16"))
"""Without wider accumulation."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A typed matrix and its place, nominal condition number and scale; W and G of the reference, G None where there is
    none or none that the format holds."""

    case: Typed
    condition: float
    exponent: int
    W: Matrix
    G: Matrix | None

    @property
    def place(self) -> dict[str, Any]:
        rows, columns = self.case.V.shape
        return {"condition": self.condition, "scale": math.ldexp(1.0, self.exponent), "shape": f"{rows}x{columns}"}


def cells(subject: Subject, name: str) -> list[Cell]:
    """Conditioning × scale in the format, where there is a value that it holds.

    Of a quick run the edges of scale 1 and of a large one; with options the ends of that.
    """
    lowest, highest = EXTREME[name]
    ends = [(1.0, 0), (ILL[name], highest)]
    cross = [*ends, (1.0, highest), (1e2, 0), (ILL[name], 0)]
    at = [(condition, exponent) for condition in (1.0, 1e2, ILL[name]) for exponent in (lowest, 0, highest)]
    if subject.quick:
        at = ends if subject.form.said else cross
    made = [cell(subject, name, SHAPE, *where) for where in at]
    if name in HALVES and not subject.form.said:
        made.append(cell(subject, name, LONG, 1.0, 0))
    return [one for one in made if one is not None]


def cell(subject: Subject, name: str, shape: tuple[int, int], condition: float, exponent: int) -> Cell | None:
    """None where the map has no value there, or none that the format holds."""
    base = matrices.normal(*shape, seed=seed_of(subject.seed, "precision", *shape)) + 0.3
    axis, V = ("generic", base) if condition == 1 else graded(subject, base, condition)
    A = matrices.normal(*shape, seed=seed_of(subject.seed, "precision", *shape, "cotangent"))
    V, A = (held(X, name) for X in (np.ldexp(held(V, name), exponent), A))
    title = f"{axis} {shape[0]}x{shape[1]}" if condition == 1 else f"{axis} = {condition:g}"
    return placed(
        subject, name, Typed(f"{title}, times 2^{exponent}" if exponent else title, V, A), condition, exponent
    )


def placed(subject: Subject, name: str, case: Typed, condition: float, exponent: int) -> Cell | None:
    """The case with what the reference makes of it, as this map takes it; None as for ``cell``."""
    fit = subject.fit(case, name)
    if fit is None:
        return None
    W = subject.map.reference(fit.V)
    with np.errstate(all="ignore"):
        G = None if subject.map.vjp is None else attempt(subject.map.vjp, fit.V, fit.A)
    if isinstance(G, Exception) or (G is not None and not representable(G, name)):
        G = None
    return Cell(fit, condition, exponent, W, G) if representable(W, name) else None


def products(subject: Subject, cells: list[Cell]) -> int:
    """How many products of float32 matrices the implementation makes at the first of the cells, backward included."""
    with Products("float32") as seen:
        run(subject, Row("float32"), cells[0])
    return sum(seen.operations.values())


def graded(subject: Subject, base: Matrix, condition: float) -> tuple[str, Matrix]:
    """What is ill-conditioned, and such a matrix: as the map has it, its columns, its row means or its row norms."""
    if subject.model.mixes:
        columns = np.full(base.shape[1], 1 / condition)
        columns[: len(base)] = np.logspace(0, -math.log10(condition), len(base))
        return "graded columns", base * columns
    if subject.form.build().DECLARES.get("shift_invariant_rows"):
        return "mean / spread", base + condition
    return "largest / smallest row norm", base * np.logspace(0, -math.log10(condition), len(base))[:, None]


def held(X: Matrix, name: str) -> Matrix:
    """X rounded to the format; tf32 is one of products alone, its tensors are float32."""
    return np.asarray(rounded(torch.tensor(X), "float32" if name == "tf32" else name).numpy())


def representable(X: Matrix, name: str) -> bool:
    """Whether X is zero, or its largest entry a normal number of the format."""
    largest, form = float(np.abs(X).max()), FORMATS[name]
    return largest == 0 or math.ldexp(1.0, form.lowest) <= largest <= form.largest


def run(subject: Subject, row: Row, cell: Cell) -> dict[str, Any]:
    """The row's ``value``, and where the cell has one its ``gradient``, as float64; or what was raised."""
    pull = cell.G is not None
    V, A = (torch.tensor(X, dtype=row.dtype, device=subject.device) for X in (cell.case.V, cell.case.A))
    with row.running(), torch.set_grad_enabled(pull):
        W = attempt(subject.map.implementation, V.requires_grad_(pull))
        found = {"value": W}
        if pull:
            found["gradient"] = W if isinstance(W, Exception) else attempt(_pulled, W, V, A)
    return {what: X if isinstance(X, Exception) else array(X) for what, X in found.items()}


def array(X: Tensor) -> Matrix:
    """As float64, from wherever it is.  Cast on the processor: a device may have no float64."""
    return np.asarray(X.detach().cpu().double().numpy())


def _pulled(W: Tensor, V: Tensor, A: Tensor) -> Tensor:
    (G,) = torch.autograd.grad(W, V, A)
    return G


def ratio(subject: Subject, name: str, cell: Cell, what: str, found: Matrix) -> Ratio:
    """Against the reference."""
    expected = cell.W if what == "value" else cell.G
    assert expected is not None  # what has no gradient is not run for one
    return _ratio(subject, name, cell.case, found - expected, what)


def excused(subject: Subject, name: str, case: Typed, what: str) -> float:
    """The relative error that the model of ``what`` (value, gradient) excuses, or the narrower one where it decides."""
    of = subject.model.excused if what == "value" else subject.model.excused_gradient
    found = of(case, name)
    if found >= UNDECIDED_FROM and name in HALVES:
        return of(case, "float32") + ROUNDINGS[what] * unit_roundoff(name)
    return found


def narrower(subject: Subject, name: str, case: Typed, what: str) -> bool:
    """Whether a half precision is held against the best correctly accumulated result: no digit lost but by storing.

    Done where the model, which grants the map one more rounding of its input, would excuse a tenth or more.
    """
    of = subject.model.excused if what == "value" else subject.model.excused_gradient
    return name in HALVES and not of(case, name) < UNDECIDED_FROM


def _ratio(subject: Subject, name: str, case: Typed, error: Matrix, what: str) -> Ratio:
    # Below the normal numbers nothing is right beyond half a step of the format.
    step = FORMATS[name].half_step
    error = np.sign(error) * np.maximum(np.abs(error) - step, 0.0)
    of: Callable[..., Ratio] = subject.model.value if what == "value" else subject.model.gradient
    if not narrower(subject, name, case, what):
        return of(case, error, name)
    stored = ErrorModel(ROUNDINGS[what] * unit_roundoff(name), f"{ROUNDINGS[what]} u in {name}")
    ratios = []
    for block in [slice(None)] if subject.model.mixes else [slice(i, i + 1) for i in range(len(error))]:
        alone = np.zeros(error.shape)
        alone[block] = error[block]
        found = of(case, alone, "float32")
        ratios.append(Ratio(found.error, found.scale, found.model + stored))
    return max(ratios, key=lambda ratio: ratio.value)
