"""The smallest counterexample: small shapes, short decimals, the ratio still well above the threshold."""

from __future__ import annotations

from typing import Any, Final

import hypothesis
import torch
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import Tensor

from wnverify.auditing.backward import differenced
from wnverify.auditing.context import Context
from wnverify.auditing.points import Point, outside, rows
from wnverify.auditing.snippet import snippet
from wnverify.finding import encode_array
from wnverify.oracles.differences import NotDifferencedError, directional_difference
from wnverify.oracles.gradients import JacobianReport, check_backward, reverse_mode
from wnverify.oracles.ratio import REFUTES_AT, map_model

EXAMPLES: Final = 60
QUARTER: Final = 4.0
"""Entries are multiples of 1/4: short decimals, exact in every dtype."""


def gradient_witness(look: Context, point: Point, report: JacobianReport) -> dict[str, Any]:
    """A weight and a cotangent at which the backward is visibly wrong, with both gradients.

    Small quarters are searched first (``small: true``); where none shows the fault the point itself is the witness.
    """
    found = _search(look)
    V, cotangent = found if found is not None else (point.weight, report.probe[0])
    witness: dict[str, Any] = {
        "small": found is not None,
        "V": encode_array(V, seed=look.seed, generator=f"point {point.name}"),
        "cotangent": encode_array(cotangent, seed=look.seed, generator=report.worst[0]),
    }
    if found is None and not torch.equal(look.build(V).V, point.V):
        # Away from the origin of its coordinates: what registration makes of the weight is another point.
        return witness | {"coordinates": encode_array(point.V)}
    if V.numel() <= 64:
        witness["snippet"] = snippet(look, V, cotangent)
        try:
            expected, observed = both_gradients(look, V, cotangent)
        except NotDifferencedError as error:
            witness["gradient_by_differences"] = str(error)
        else:
            witness["gradient_by_differences"] = encode_array(expected)
            witness["gradient_by_backward"] = encode_array(observed)
    return witness


def both_gradients(look: Context, V: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
    """(entry by entry from differences of the forward, from the written backward) for the loss ⟨cotangent, W⟩."""
    instance = look.build(V)
    V = instance.V

    def loss(weight: Tensor) -> Tensor:
        with torch.no_grad():
            return (instance.at(weight) * cotangent).sum()

    expected = torch.zeros_like(V)
    for index in range(V.numel()):
        step = torch.zeros_like(V)
        step.view(-1)[index] = 1.0
        expected.view(-1)[index] = directional_difference(loss, V, step).value
    observed = reverse_mode(instance, instance.with_primary(V), instance.primary)(cotangent)
    return expected, observed


def _search(look: Context) -> tuple[Tensor, Tensor] | None:
    def wrong(drawn: tuple[Tensor, Tensor]) -> bool:
        V, cotangent = drawn
        if outside(V, look.subject.domain) is not None:
            return False
        try:
            instance = look.build(V)
            with torch.no_grad():
                if not bool(torch.isfinite(instance.out()).all()):
                    return False
            model = map_model("float64", max(rows(V).shape), condition=100.0)
            f, steepness = differenced(instance, V)
            report = check_backward(
                f,
                instance.tensors,
                wrt=instance.primary,
                seed=1,
                gaussian=1,
                model=model,
                structured=0,
                cotangent=_of_output(look, cotangent),
                steepness=steepness,
            )
        except Exception:  # the subject is not defined at this weight, whatever it raises: no witness here
            return False
        return REFUTES_AT <= report.ratio < float("inf") and report.relative_error > 1e-6

    settings = hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        V, cotangent = hypothesis.find(_quarters(), wrong, settings=settings)
    except NoSuchExample:
        return None
    return V, _of_output(look, cotangent)


def _of_output(look: Context, cotangent: Tensor) -> Tensor:
    """The drawn matrix, or for a penalty, whose value is a loss by itself, one."""
    return torch.ones((), dtype=torch.float64) if look.scalar else cotangent


@st.composite
def _quarters(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    n, d = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    entries = st.lists(st.integers(-8, 8), min_size=n * d, max_size=n * d)
    V = torch.tensor(draw(entries), dtype=torch.float64).reshape(n, d) / QUARTER
    cotangent = torch.tensor(draw(entries), dtype=torch.float64).reshape(n, d) / QUARTER
    return V, cotangent
