"""Floating point formats, and what PyTorch code would give if its operations rounded to one of them.

A format has p significand bits (the implicit one included) and its smallest normal number 2^e; numbers are rounded to
nearest, ties to even, with gradual underflow and overflow to infinity, as IEEE 754-2019, section 4.3.1 has it.  tf32
has float32's exponent and 10 explicit bits (NVIDIA, *A100 tensor core GPU architecture*, 2020).

The emulator rounds what every ATen operation returns, below autograd, so that it runs the very implementation under
test, its own backward included, and needs neither hardware nor another library.  A library of rounding functions
would replace ``rounded`` alone, some fifteen lines that are held bit for bit against PyTorch's casts, and would leave
where to round to rewritten code.  (pychop 0.6.2 gives the same tf32 and bfloat16 numbers, and 0 where float16
overflows; it needs pandas, scikit-learn and dask.)

Limits: a decomposition (LAPACK) and an operator of one's own run in the precision of their tensors, and only what they
return is rounded; numbers of Python's, as an eps, are added in the precision of the tensor, as PyTorch does it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten: Final = torch.ops.aten
Doubles = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """``bits`` = p, ``lowest`` = e; the largest exponent is 1 − e, as in every IEEE format."""

    name: str
    bits: int
    lowest: int

    @property
    def highest(self) -> int:
        """The exponent of the largest power of two."""
        return 1 - self.lowest

    @property
    def largest(self) -> float:
        return math.ldexp(2.0 - math.ldexp(1.0, 1 - self.bits), self.highest)

    @property
    def half_step(self) -> float:
        """Half of the smallest subnormal number: what rounding to one may miss."""
        return math.ldexp(1.0, self.lowest - self.bits)


FORMATS: Final = {
    form.name: form
    for form in (
        Format("float64", 53, -1022),
        Format("float32", 24, -126),
        Format("tf32", 11, -126),
        Format("bfloat16", 8, -126),
        Format("float16", 11, -14),
    )
}


def rounded(x: Tensor, name: str) -> Tensor:
    """x, float64 or float32, rounded to the format and kept in its own dtype.

    ``ValueError`` for an unknown format, ``TypeError`` for another dtype.

    >>> rounded(torch.tensor([1 + 2**-8, 1 + 3 * 2**-8]), "bfloat16").tolist()
    [1.0, 1.015625]
    """
    if name not in FORMATS:
        raise ValueError(f"name must be one of {', '.join(FORMATS)}; got {name!r}")
    if x.dtype not in (torch.float64, torch.float32):
        raise TypeError(f"x must be float64 or float32; got {x.dtype}")
    form = FORMATS[name]
    if form.bits >= (53 if x.dtype == torch.float64 else 24):
        return x
    return torch.from_numpy(_rounded(x.detach().double().numpy(), form)).to(x.dtype)


def _rounded(x: Doubles, form: Format) -> Doubles:
    """In NumPy, whose operations on few numbers cost a fraction of PyTorch's; x may be of any shape."""
    drop = 53 - form.bits
    pattern = x.view(np.int64)
    # The sign stands apart from the magnitude, so that adding to the pattern rounds away from zero, and carries.
    pattern = (pattern + ((1 << (drop - 1)) - 1) + ((pattern >> drop) & 1)) & -(1 << drop)
    found = np.asarray(pattern).view(np.float64)
    size, smallest = np.abs(found), math.ldexp(1.0, form.lowest)
    if ((size >= smallest) & (size <= form.largest)).all():
        return found
    # Below the normal numbers the step is fixed: float64's own rounding at 2^52 steps does it.
    shift = math.ldexp(1.5, 52 + form.lowest - form.bits + 1)
    found = np.where(np.abs(x) < smallest, np.abs((x + shift) - shift), size)
    found = np.copysign(np.where(found > form.largest, math.inf, found), x)
    return np.asarray(np.where(np.isfinite(x), found, x))


class Emulated(TorchDispatchMode):
    """Every operation rounds its result to ``name`` (``stored``), and every sum each of its partial sums (``summed``).

    Sums run from first to last, products are added exactly, with one rounding for each term, as in a fused
    multiply–add.  ``operations`` counts what was rounded, by name.  ``NotImplementedError`` for a reduction that is not
    emulated, so that none is summed wide without a word.
    """

    def __init__(self, name: str, *, stored: bool = True, summed: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name, self.stored, self.summed = name, stored, summed
        self.operations: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet, kwargs = func.overloadpacket, kwargs or {}
        if packet in REFUSED:
            raise NotImplementedError(f"{packet} is a reduction that is not emulated")
        own = SUMS.get(packet) if self.summed and _floating(args[0] if args else None) else None
        found = own(self.name, *args, **kwargs) if own else NotImplemented
        if found is NotImplemented:
            found = func(*args, **kwargs)
            if func.is_view or not self.stored:
                return found
        self.operations[str(packet)] = self.operations.get(str(packet), 0) + 1

        def of(x: Tensor) -> Tensor:
            if not _floating(x):
                return x
            near = rounded(x, self.name)
            return x.copy_(near) if func._schema.is_mutable else near

        return tree_map_only(Tensor, of, found)


class Products(TorchDispatchMode):
    """Products of float32 matrices as on tensor cores: inputs rounded to ``name``, sums float32 or, ``summed``, in it.

    All else, and what is float64, stays as it is.  ``operations`` counts the products.
    """

    def __init__(self, name: str, *, summed: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name, self.summed = name, summed
        self.operations: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet, kwargs = func.overloadpacket, kwargs or {}
        if packet in PRODUCTS and args[0].dtype == torch.float32:
            self.operations[str(packet)] = self.operations.get(str(packet), 0) + 1
            first = PRODUCTS[packet]  # of addmm and baddbmm the first argument is no factor
            args = (*args[:first], *(rounded(x, self.name) for x in args[first:]))
            if self.summed:
                return SUMS[packet](self.name, *args, **kwargs)
        return func(*args, **kwargs)


def _floating(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype in (torch.float64, torch.float32)


def _running(name: str, terms: Tensor) -> list[Tensor]:
    """The partial sums of float64 terms along the last axis, each rounded."""
    total, form, partial = np.zeros(terms.shape[:-1]), FORMATS[name], []
    for term in np.moveaxis(terms.detach().numpy(), -1, 0):
        total = _rounded(np.asarray(total + term), form)
        partial.append(total)
    return [torch.from_numpy(one) for one in partial or [total]]


def _last(x: Tensor, axes: Any) -> tuple[Tensor, list[int]]:
    """x with ``axes`` (all where None or empty) flattened into a last one, and those axes."""
    found = sorted(axis % x.dim() for axis in ([axes] if isinstance(axes, int) else axes or range(x.dim())))
    kept = [axis for axis in range(x.dim()) if axis not in found]
    return x.permute(kept + found).flatten(len(kept)) if found else x.unsqueeze(-1), found


def _shaped(total: Tensor, axes: list[int], keepdim: bool, dtype: torch.dtype) -> Tensor:
    for axis in axes if keepdim else ():
        total = total.unsqueeze(axis)
    return total.to(dtype)


def _sum(name: str, x: Tensor, axes: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    terms, reduced = _last(x.double(), axes)
    return _shaped(_running(name, terms)[-1], reduced, keepdim, dtype or x.dtype)


def _mean(name: str, x: Tensor, axes: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    terms, reduced = _last(x.double(), axes)
    return _shaped(_running(name, terms)[-1] / terms.shape[-1], reduced, keepdim, dtype or x.dtype)


def _norm(name: str, x: Tensor, order: Any = 2, axes: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if order not in (1, 2):
        return NotImplemented  # largest and smallest entries are no sums
    terms, reduced = _last(x.double(), axes)
    total = _running(name, terms.abs() if order == 1 else terms * terms)[-1]
    return _shaped(total if order == 1 else total.sqrt(), reduced, keepdim, dtype or x.dtype)


def _cumsum(name: str, x: Tensor, axis: int, *, dtype: Any = None) -> Tensor:
    return torch.stack(_running(name, x.double().movedim(axis, -1)), -1).movedim(-1, axis).to(dtype or x.dtype)


def _product(name: str, A: Tensor, B: Tensor) -> Tensor:
    """Matrices or batches of them, or vectors on either side."""
    left = A.double().unsqueeze(-2) if B.dim() > 1 else A.double()
    right = B.double().transpose(-1, -2).unsqueeze(-3) if B.dim() > 1 else B.double()
    return _running(name, left * right)[-1].to(A.dtype)


def _added(name: str, C: Tensor, A: Tensor, B: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return (beta * C.double() + alpha * _product(name, A, B).double()).to(C.dtype)


SUMS: Final[dict[Any, Callable[..., Any]]] = {
    aten.sum: _sum,
    aten.mean: _mean,
    aten.linalg_vector_norm: _norm,
    aten.cumsum: _cumsum,
    **dict.fromkeys((aten.mm, aten.bmm, aten.mv, aten.dot, aten.vdot), _product),
    **dict.fromkeys((aten.addmm, aten.baddbmm), _added),
}
PRODUCTS: Final[dict[Any, int]] = {aten.mm: 0, aten.bmm: 0, aten.addmm: 1, aten.baddbmm: 1}
REFUSED: Final = frozenset({aten.var, aten.std, aten.var_mean, aten.prod, aten.logsumexp, aten.norm, aten.nansum})
"""And what PyTorch makes of convolutions and layers is outside of what maps of a weight use."""
