"""Faults are wrong and right variants right, by a second opinion that shares no code with the audit."""

from __future__ import annotations

import fault_corners
import fault_gradients
import fault_kernels
import fault_quartic
import fault_running
import fault_seldom
import fault_settings
import fault_sight
import fault_values
import pytest
from test_fault_catalogue import of_kind, subject_of

from wnverify.faults.catalogue import Fault, Right

PROBES = fault_gradients.PROBES | fault_values.PROBES | fault_running.PROBES | fault_settings.PROBES
PROBES |= fault_sight.PROBES
FURTHER = (
    fault_corners.PROBES,
    fault_sight.FURTHER,
    fault_quartic.FURTHER,
    fault_seldom.FURTHER,
    fault_kernels.FURTHER,
)
WRONG_FROM = 3.0
FAULTS = [row for row in of_kind("parametrization") if isinstance(row, Fault) and not row.shards]
RIGHT = [row for row in of_kind("parametrization") if isinstance(row, Right)]


def probe(row: Fault | Right, check: str) -> float:
    subject = subject_of(row)
    if check.startswith("property.") and check not in PROBES:
        first = fault_values.declared(subject, check.removeprefix("property."))
    else:
        first = PROBES[check](subject)
    return max([first, *(further[check](subject) for further in FURTHER if check in further)])


@pytest.mark.filterwarnings("ignore:std:UserWarning")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_wrong_where_it_is_meant_to_be(fault: Fault) -> None:
    """At the situation of the check that is meant to catch it the fault misses by far more than rounding."""
    assert probe(fault, fault.caught_by) >= WRONG_FROM


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_right_variant_is_right_everywhere_but_at_its_hazards(right: Right) -> None:
    """Declared properties hold, gradients agree with differences and the edges are met, save the listed hazards."""
    declared = [f"property.{name}" for name in subject_of(right).declares]
    ratios = {check: probe(right, check) for check in (*PROBES, *declared) if check not in right.hazards}
    assert not {check: ratio for check, ratio in ratios.items() if not ratio <= 1}
