"""Operation counts in closed form: what is counted, and the three passes of a layer; methods stand in ``method_cost``.

A multiply-add is two operations, as for ``torch.utils.flop_counter.FlopCounterMode``; every other +, −, ×, ÷, √, |·|
and comparison is one.  Signs, copies, transposes and reshapes are none.  Sums of m terms take m − 1 additions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple


@dataclasses.dataclass(frozen=True, slots=True)
class Operations:
    """``products``: of matrices, 2 m k p for (m, k) times (k, p), a single column included; this is what torch's
    counter sees.  ``vector_products``: of a matrix and a vector, and of two vectors, which that counter leaves out.
    ``scalars``: entry by entry, and sums.  ``modelled``: eigendecompositions and sorts, by the model stated there.
    """

    products: int = 0
    vector_products: int = 0
    scalars: int = 0
    modelled: int = 0

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            self.products + other.products,
            self.vector_products + other.vector_products,
            self.scalars + other.scalars,
            self.modelled + other.modelled,
        )

    @property
    def total(self) -> int:
        """All four together."""
        return self.products + self.vector_products + self.scalars + self.modelled


class LayerCost(NamedTuple):
    """Operations of a layer's three passes over one batch."""

    forward: int
    weight: int
    """The gradient of the weight."""
    input: int
    """The gradient of the input; the first layer of a network needs none."""

    @property
    def total(self) -> int:
        """A training step's: forward and both gradients."""
        return sum(self)


def linear(batch: int, inputs: int, outputs: int) -> LayerCost:
    """2 batch × inputs × outputs in each pass, without the bias; ``batch`` is the product of all leading axes.

    >>> linear(256, 10, 5).total == 6 * 256 * 10 * 5
    True
    """
    whole(batch=batch, inputs=inputs, outputs=outputs)
    return LayerCost(*(2 * batch * inputs * outputs,) * 3)


def output_size(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int] | int = 1,
    padding: Sequence[int] | int = 0,
    dilation: Sequence[int] | int = 1,
) -> tuple[int, ...]:
    """⌊(I + 2p − δ(F − 1) − 1) / s⌋ + 1 along each axis: I the input's size, F the kernel's, p, δ and s the options.

    ``ValueError`` where the lengths differ or the kernel does not fit.

    >>> output_size((32, 32), (3, 3), stride=2, padding=1)
    (16, 16)
    """
    axes = len(kernel)
    options = [(value,) * axes if isinstance(value, int) else tuple(value) for value in (stride, padding, dilation)]
    if any(len(value) != axes for value in (size, *options)):
        raise ValueError(f"size, stride, padding and dilation must have the kernel's {axes} axes; got {size, *options}")
    out = tuple(
        (i + 2 * p - delta * (f - 1) - 1) // s + 1 for i, f, s, p, delta in zip(size, kernel, *options, strict=True)
    )
    if min(out) < 1:
        raise ValueError(f"kernel must fit into the padded input; got kernel {tuple(kernel)} for size {tuple(size)}")
    return out


def convolution(
    batch: int,
    channels: tuple[int, int],
    kernel: Sequence[int],
    size: Sequence[int],
    *,
    stride: Sequence[int] | int = 1,
    padding: Sequence[int] | int = 0,
    dilation: Sequence[int] | int = 1,
    groups: int = 1,
) -> LayerCost:
    """2 batch × Π O × C_out × (C_in / groups) × Π F in each pass, O the ``output_size``, F the kernel's.

    ``channels``: (C_in, C_out).  One to three axes; no bias.  Padding counts as work, as if its zeros were multiplied.
    ``ValueError`` as ``output_size``, and unless ``groups`` divides both channels.

    >>> convolution(1, (3, 16), (3, 3), (32, 32), padding=1).forward == 2 * 32 * 32 * 16 * 3 * 9
    True
    """
    inputs, outputs = channels
    whole(batch=batch, inputs=inputs, outputs=outputs, groups=groups)
    if inputs % groups or outputs % groups:
        raise ValueError(f"groups must divide both channels; got {groups} for {channels}")
    positions = math.prod(output_size(size, kernel, stride, padding, dilation))
    return LayerCost(*(2 * batch * positions * outputs * (inputs // groups) * math.prod(kernel),) * 3)


def eigendecomposition(n: int) -> int:
    """9 n³: leading term of the symmetric eigenproblem with eigenvectors (Golub and Van Loan, 4th ed., 8.3)."""
    return 9 * n**3


def sorting(n: int, d: int) -> int:
    """n d ⌈log₂ d⌉: comparisons that merging needs at most to sort n rows of d entries."""
    return n * d * max(d - 1, 0).bit_length()


def whole(**sizes: int) -> None:
    """``ValueError`` naming the first that is not a whole number, at least 1."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
