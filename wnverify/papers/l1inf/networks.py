"""Small fully connected networks of Sec. 2.3 in fractions (or symbols), for the claims about the class S_c.

A layer is the tuple of the columns of Ṽ; a column is (bias, weights of one unit).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

Column = tuple[Any, ...]
Layer = tuple[Column, ...]
Network = tuple[Layer, ...]
Activation = Callable[[Any], Any]


def relu(u: Any) -> Any:
    return max(u, Fraction(0))


def softsign(u: Any) -> Any:
    """u / (1 + |u|): rational, 1-Lipschitz, 0 at 0, not homogeneous; in fractions it stands in for tanh."""
    return u / (1 + abs(u))


ACTIVATIONS: Final[dict[str, Activation]] = {"ReLU": relu, "softsign": softsign}


def apply(column: Column, u: Sequence[Any]) -> Any:
    """⟨column, (1, u)⟩."""
    return sum((w * x for w, x in zip(column[1:], u, strict=True)), column[0])


def value(network: Network, x: Sequence[Any], activation: Activation) -> tuple[Any, ...]:
    """T_{k+1} ∘ σ ∘ … ∘ σ ∘ T_1 (x)."""
    u = tuple(x)
    for number, layer in enumerate(network, start=1):
        u = tuple(apply(column, u) for column in layer)
        u = u if number == len(network) else tuple(map(activation, u))
    return u


def length(column: Column) -> Any:
    """The L1 norm of a column."""
    return sum((abs(v) for v in column), Fraction(0))


def norm(layer: Layer) -> Any:
    """‖Ṽ‖_{1,∞}."""
    return max(length(column) for column in layer)


def rationals(start: int) -> Iterator[Fraction]:
    """A fixed, patternless sequence of quarters between −3/2 and 3/2."""
    state = start
    while True:
        state = (state * 37 + 11) % 1009
        yield Fraction(state % 13 - 6, 4)


def layer_of(shape: tuple[int, int], numbers: Iterator[Fraction]) -> Layer:
    """A layer with ``shape`` = (inputs, units)."""
    inputs, units = shape
    return tuple(tuple(itertools.islice(numbers, inputs + 1)) for _ in range(units))


def network_of(widths: Sequence[int], start: int) -> Network:
    """A network with the widths d_0, …, d_{k+1}."""
    numbers = rationals(start)
    return tuple(layer_of(shape, numbers) for shape in itertools.pairwise(widths))


def inputs_of(size: int, count: int = 6) -> list[tuple[Fraction, ...]]:
    """Points of [−1, 1]^size, a corner among them."""
    numbers = rationals(5)
    points = [tuple(max(min(next(numbers), Fraction(1)), Fraction(-1)) for _ in range(size)) for _ in range(count - 1)]
    return [tuple(Fraction((-1) ** i) for i in range(size)), *points]


def shown(network: Network) -> list[list[list[str]]]:
    return [[[str(v) for v in column] for column in layer] for layer in network]
