"""L1,∞, Sec. 3.3: the extension to convolutional networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import networks


class Convolution(NamedTuple):
    """What stands for ‖Ṽ‖_{1,∞} of a convolution, and how the bound depends on the number of kernels."""

    norm: Callable[[Sequence[Sequence[Fraction]], Fraction], Fraction]
    """(kernel as input channels × taps, bias) → the L1 norm of the kernel's columns."""
    factor: Callable[[int], Fraction]
    """The bound with that many kernels in the hidden layer, over the bound with one."""


def _norm(kernel: Sequence[Sequence[Fraction]], bias: Fraction) -> Fraction:
    return sum((abs(w) for channel in kernel for w in channel), abs(bias))


RIGHT: Final = Convolution(_norm, lambda kernels: Fraction(1))


@claim(
    "L1-P-CNN",
    place="Sec. 3.3",
    statement="A convolution is a sparse fully connected layer with equal weights: its columns have the L1 norm of a "
    "kernel (all input channels) and its bias, so that the results hold with ‖Ṽ_ℓ‖_{1,∞} = the largest of these; they "
    "do not depend on the number of kernels, which is a part of the width.",
    hypotheses=("convolutions, activations with σ(0) = 0, average pooling, full layers",),
    reading="padding only shortens columns at the border, the others keep the kernel's norm.  Max pooling and sums "
    "over shortcuts are no coordinatewise activation: they are not in the class, and nothing is said of them.  The "
    "number of kernels enters no bound, but may enter the norm that training finds.",
    formula=RIGHT,
    faults={
        "without the bias": RIGHT._replace(norm=lambda kernel, bias: _norm(kernel, Fraction(0))),
        "one input channel": RIGHT._replace(norm=lambda kernel, bias: _norm(kernel[:1], bias)),
        "the largest tap": RIGHT._replace(
            norm=lambda kernel, bias: max(abs(w) for ch in kernel for w in ch) + abs(bias)
        ),
        "grows with the number of kernels": RIGHT._replace(factor=lambda kernels: Fraction(kernels)),
        "falls with the number of kernels": RIGHT._replace(factor=lambda kernels: Fraction(1, kernels)),
    },
)
def convolution(formula: Convolution, quick: bool) -> Measured:
    shapes = [(3, 1, 2, 1), (4, 2, 3, 3), (5, 3, 2, 2)]
    same, norms, witness = True, True, None
    for number, (length, channels, kernels, taps) in enumerate(shapes[:2] if quick else shapes):
        numbers = networks.rationals(7 * number + 3)
        kernel = [[[next(numbers) for _ in range(taps)] for _ in range(channels)] for _ in range(kernels)]
        bias = [next(numbers) for _ in range(kernels)]
        x = [[next(numbers) for _ in range(length)] for _ in range(channels)]
        for pad in (0, taps - 1):
            layer = _unrolled(kernel, bias, length, pad)
            flat = [each for channel in x for each in channel]
            same &= [networks.apply(column, flat) for column in layer] == _convolved(kernel, bias, x, pad)
            stated = max(formula.norm(each, b) for each, b in zip(kernel, bias, strict=True))
            if networks.norm(layer) != stated:
                norms = False
                witness = witness or {
                    "kernel": [[[str(w) for w in channel] for channel in each] for each in kernel],
                    "bias": [str(each) for each in bias],
                    "largest column": str(networks.norm(layer)),
                    "stated": str(stated),
                }
    routes = [said("exact", norms, "‖Ṽ‖_{1,∞} of the unrolled matrix is that of the kernels", power=0.0)]
    bound, at = _by_kernels(formula)
    return Measured(
        parts=[
            Part(
                "convolution as a layer",
                [said("exact", same, "two ways to convolve, with and without padding", power=0.0)],
            ),
            Part("norm of the columns", routes, witness),
            Part("number of kernels", bound, at),
        ],
        left_out=("three channels",) if quick else (),
    )


def _unrolled(kernel: Any, bias: Sequence[Fraction], length: int, pad: int) -> networks.Layer:
    """The columns of Ṽ, one for each kernel and position."""
    taps = len(kernel[0][0])
    columns = []
    for each, b in zip(kernel, bias, strict=True):
        for start in range(-pad, length + pad - taps + 1):
            weights = [
                channel[i - start] if 0 <= i - start < taps else Fraction(0) for channel in each for i in range(length)
            ]
            columns.append((b, *weights))
    return tuple(columns)


def _convolved(kernel: Any, bias: Sequence[Fraction], x: Any, pad: int) -> list[Fraction]:
    """The same by sliding windows over the padded input."""
    padded = [[Fraction(0)] * pad + list(channel) + [Fraction(0)] * pad for channel in x]
    taps = len(kernel[0][0])
    made = []
    for each, b in zip(kernel, bias, strict=True):
        for start in range(len(padded[0]) - taps + 1):
            windows = [row[start : start + taps] for row in padded]
            made.append(
                b + sum(w * u for ch, win in zip(each, windows, strict=True) for w, u in zip(ch, win, strict=True))
            )
    return made


def _by_kernels(formula: Convolution) -> tuple[list[Evidence], Json]:
    """The complexity (times n) for 1 and 2 kernels by brute force; for any number it is at most that of full layers."""
    from wnverify.theory.network import NetworkClass
    from wnverify.theory.rademacher import complexity

    data = ((1, -1), (1, 0), (-1, -1))
    few, more = (_complexity(data, kernels) for kernels in (1, 2))
    exact = more / few == formula.factor(2)
    full = len(data) * complexity(NetworkClass(1, 1.0), data).value
    # The full layer's value is rounded; the factors that are told apart here differ by far more.
    between = all(few <= few * formula.factor(kernels) <= full * (1 + 2**-40) for kernels in (2, 64, 4096))
    witness: Json = {"kernels": 2, "complexity over that of one": str(more / few), "stated": str(formula.factor(2))}
    note = f"n R = {few} with 1 kernel, {more} with 2"
    limit = f"{few} or more with any number of kernels, at most {full:.6g}, that of full layers of any width"
    return [
        said("exact", exact, note, power=0.0),
        said("arithmetic", between, limit, power=float(full / few - 1)),
    ], witness


def _complexity(data: Sequence[Sequence[int]], kernels: int) -> Fraction:
    """E sup_f Σ ε_i f(x_i): kernels (bias, one tap) of norm 1 at two positions, output columns of norm 1 in halves."""
    units = [each for each in itertools.product((-1, 0, 1), repeat=2) if sum(map(abs, each)) <= 1]
    outputs = [v for v in itertools.product((-2, -1, 0, 1, 2), repeat=1 + 2 * kernels) if sum(map(abs, v)) <= 2]
    layers = [
        [(1, *(max(b + w * u, 0) for b, w in chosen for u in x)) for x in data]
        for chosen in itertools.combinations_with_replacement(units, kernels)
    ]
    total = 0
    for signs in itertools.product((-1, 1), repeat=len(data)):
        sums = {
            tuple(sum(s * u for s, u in zip(signs, column, strict=True)) for column in zip(*each, strict=True))
            for each in layers
        }
        total += max(sum(a * b for a, b in zip(v, each, strict=True)) for each in sums for v in outputs)
    return Fraction(total, 2 * 2 ** len(data))
