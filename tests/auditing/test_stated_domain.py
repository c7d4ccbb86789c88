"""What a subject states of its domain is kept to in every check, and what it does not state is not forgiven."""

from __future__ import annotations

import pytest
from audited import sheet_of

from wnverify.finding import Verdict

FAIL, HAZARD, PASS = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS


def test_a_kernel_outside_the_domain_is_left_alone():
    """Where matrices only are promised no kernel is asked for, and with the word taken away its rows are wrong."""
    sheet = sheet_of("property.unit_norm_rows", "domains.py:MatricesOnly")
    assert sheet.verdict is PASS
    assert not [case.name for case in sheet.cases if case.name.split()[0].count("x") > 1]
    layers = [case.name for case in sheet_of("contract.layers", "domains.py:MatricesOnly").cases]
    assert layers == ["Linear", "Embedding"]


def test_a_domain_of_small_weights_is_looked_at_in_small_weights():
    """Where only size is limited ordinary weights are scaled down into the domain; what is refused there fails."""
    assert sheet_of("contract.forward", "domains.py:SmallOnly").verdict is PASS
    assert len(sheet_of("property.odd", "domains.py:SmallOnly").cases) > 3
    assert sheet_of("contract.forward", "domains.py:SmallAndBroken").verdict is FAIL


def test_a_nan_is_put_where_it_is_read():
    """An entry without influence hides nothing; one with influence must show."""
    assert sheet_of("edge.nan_row", "domains.py:UpperHalf").verdict is PASS
    hidden = sheet_of("edge.nan_row", "domains.py:UpperHalfHides")
    assert hidden.verdict is FAIL
    assert "a NaN in V[1, 4]" in hidden.cases[0].message


def test_rows_that_are_coupled_away_from_the_origin_may_spoil_each_other():
    """A NaN reaches every row of a coupled map, which is no failure, though registration puts the weight at zero."""
    assert sheet_of("edge.nan_row", "domains.py:coupled").verdict is PASS


def test_a_documented_refusal_is_no_hazard():
    """Any error outside the stated domain passes and is quoted; the same error unannounced is a hazard."""
    sheet = sheet_of("edge.tall", "domains.py:WideOnly")
    assert sheet.verdict is PASS
    assert sheet.notes == ["9x4: raises RuntimeError: dim 1 must be the larger; documented: True"]
    assert sheet_of("edge.tall", "domains.py:WideUnsaid").verdict is HAZARD


@pytest.mark.parametrize("check", ["lifecycle.steps", "property.unit_norm_rows"])
def test_an_admitted_error_counts_after_a_step_too(check):
    """One per cent is forgiven where two are admitted, and not where a fifth of one is."""
    assert sheet_of(check, "domains.py:nearly_unit").verdict is PASS
    assert sheet_of(check, "domains.py:not_nearly_unit").verdict is FAIL


def test_what_is_documented_of_a_zero_row_is_said_of_float64():
    """A sentence that names no narrower dtype does not cover what only float16 does there; one that does, does."""
    untold = sheet_of("edge.zero_row", "domains.py:HalfClamp")
    assert untold.verdict is HAZARD
    assert untold.cases[0].message == "finite in float64, but in float16 W is NaN in row 1"
    assert sheet_of("edge.zero_row", "domains.py:HalfClampSaid").verdict is PASS
