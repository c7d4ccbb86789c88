"""Arrays that count what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wnverify.theory.cost import Operations


class Meter:
    """Operations seen so far."""

    def __init__(self) -> None:
        self.seen = Operations()

    def on(self, values: Any) -> Any:
        """The values as an array that is counted here."""
        made = np.array(values, dtype=np.float64).view(Metered)
        made.meter = self
        return made


class Metered(np.ndarray[Any, Any]):
    """An array whose meter counts: one for each entry that a function makes, m − 1 for a sum of m, 2 m k p for @."""

    meter: Meter

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, Metered) and hasattr(source, "meter"):
            self.meter = source.meter

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(each) for each in inputs]
        out = np.asarray(getattr(ufunc, method)(*plain, **options))
        self.meter.seen += _operations(ufunc, method, plain, out)
        made = out.view(Metered)
        made.meter = self.meter
        return made


def _operations(ufunc: Any, method: str, inputs: list[Any], out: Any) -> Operations:
    if ufunc is np.matmul:
        amount = 2 * inputs[0].size * (inputs[1].shape[1] if inputs[1].ndim == 2 else 1)
        return Operations(amount) if inputs[1].ndim == 2 else Operations(0, amount)
    if method == "reduce":
        return Operations(scalars=inputs[0].size - out.size)
    if method == "accumulate":
        return Operations(scalars=out.size - out.shape[0])
    return Operations(scalars=out.size)


Schedule = Callable[[Any, Any], tuple[Any, Callable[[], Any]]]


def counted(schedule: Schedule, V: Any, A: Any) -> tuple[Any, Any, Operations, Operations]:
    """(output, what the backward gives, operations forward, operations backward)."""
    meter = Meter()
    out, backward = schedule(meter.on(V), meter.on(A))
    forward, meter.seen = meter.seen, Operations()
    back = backward()
    return np.asarray(out), np.asarray(back), forward, meter.seen


def counted_forward(schedule: Callable[[Any], Any], V: Any) -> tuple[Any, Operations]:
    """(output, operations) of a schedule without a backward."""
    meter = Meter()
    out = schedule(meter.on(V))
    return np.asarray(out), meter.seen
