"""L1,∞, Tables 1 to 3, the figures, and the sentences on them; every planted fault caught."""

from decimal import Decimal

import pytest
from claim_cases import decided, faults_of

from wnverify.papers import claims, ledger
from wnverify.papers.l1inf import tables

VERDICTS = {
    "L1-T1-cINF": "holds",
    "L1-T1-c10.00": "holds",
    "L1-T1-c2.00": "holds",
    "L1-T1-c1.00": "inconsistent",
    "L1-T1-c0.90": "holds",
    "L1-T1-c0.80": "holds",
    "L1-T1-c0.70": "holds",
    "L1-T1-c0.60": "holds",
    "L1-T1-c0.50": "holds",
    "L1-T1-c0.40": "holds",
    "L1-T1-c0.30": "holds",
    "L1-T1-MONO": "holds",
    "L1-T1-PERFECT": "holds",
    "L1-T1-95": "holds",
    "L1-T2-MONOGEN": "refuted",
    "L1-T2-MONOSP": "holds",
    "L1-T2-DOUBLE": "ambiguous",
    "L1-T2-PERFECT": "ambiguous",
    "L1-T2-20": "ambiguous",
    "L1-F3": "inconsistent",
    "L1-53": "undecided",
    "L1-54-SEL": "inconsistent",
    "L1-T3-BOLD": "holds",
    "L1-T3-T2": "inconsistent",
    "L1-T3-ARCH": "inconsistent",
    "L1-T3-COMP": "holds",
}
READINGS = {
    "L1-T2-DOUBLE": ["holds", "refuted"],
    "L1-T2-PERFECT": ["refuted", "holds"],
    "L1-T2-20": ["refuted", "holds"],
}
CONTRADICTIONS = {
    "L1-F3",
    "L1-54-SEL",
    "L1-T3-T2",
    "L1-T3-ARCH",
    *(f"L1-T1-c{c}" for c in tables.TABLE_1),
    "L1-T1-cINF",
}
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read from the tables by hand, reading by reading, at the ledger's place."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("L1")[claim_id]
    assert [reading["verdict"] for reading in finding.readings] == READINGS.get(claim_id, [])
    assert finding.routes


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_caught(claim_id, fault):
    """A number made wrong on purpose is refuted, or found inconsistent where two places are compared."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault])
    assert finding.verdict == ("inconsistent" if claim_id in CONTRADICTIONS else "refuted"), finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", [c for c, v in VERDICTS.items() if v in ("refuted", "inconsistent")])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted or contradictory statement holds itself."""
    claim = claims.get(claim_id)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    assert claim.decide().corrected


def test_every_claim_has_faults():
    """No claim is left with fewer than two planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 2]


def test_a_row_off_by_rounding_is_no_contradiction():
    """Three rounded numbers may miss the identity by 0.0015, as three rows do by 0.001; 0.002 is a contradiction."""
    rounded = [row for row in tables.TABLE_1.values() if _off(row) == Decimal("-0.001")]
    assert len(rounded) == 3
    claim = claims.get("L1-T1-c0.80")
    assert claim.decide(tables.TABLE_1["0.80"]._replace(gen="2.188")).verdict == "holds"
    assert claim.decide(tables.TABLE_1["0.80"]._replace(gen="2.189")).verdict == "inconsistent"


def _off(row):
    return Decimal(row.gen) - Decimal(row.test) + Decimal(row.train)


def test_the_wrong_row_is_off_by_far_more_than_rounding():
    """2.424 − 0.131 = 2.293, and the printed generalisation error exceeds the test error."""
    finding = decided("L1-T1-c1.00", False)
    assert finding.witness == {"train": "0.131", "test": "2.424", "gen": "2.426", "test − train": "2.293"}
    assert "2.557" in finding.corrected


def test_the_two_rises_of_table_2_are_named():
    """The generalisation error rises at both ends of Table 2 as c decreases."""
    finding = decided("L1-T2-MONOGEN", False)
    assert finding.witness == {"c = ∞ → 1.00": "0.543 → 0.624", "c = 0.07 → 0.04": "0.102 → 0.112"}


def test_numbers_of_the_figure_would_decide():
    """The CIFAR-10 sentence holds as soon as favourable numbers are supplied: the rule, not the row, is undecided."""
    numbers = {"zeros at 15": 96.0, "zeros at 45": 72.0, "gen at 15": 0.1, "gen at 45": 0.2}
    assert claims.get("L1-53").decide(numbers).verdict == "holds"


def test_the_largest_error_is_that_without_regularisation():
    """Chosen by the largest test error, c would be ∞, as the evidence says."""
    finding = decided("L1-54-SEL", False)
    assert any("the largest is 69.520 at c = ∞, the best 2.140 at c = 0.50" in route.note for route in finding.routes)


def test_tables_are_complete():
    """All rows are there, and every number has the digits of its column."""
    assert (len(tables.TABLE_1), len(tables.TABLE_2), len(tables.TABLE_3)) == (11, 12, 11)
    for table, digits in ((tables.TABLE_1, (3, 3, 3, 2)), (tables.TABLE_2, (3, 3, 2, 2)), (tables.TABLE_3, (1, 2, 2))):
        for row in table.values():
            assert tuple(-tables.number(cell).as_tuple().exponent for cell in row) == digits
    for table in (tables.TABLE_1, tables.TABLE_2):
        limits = [tables.limit(c) for c in table]
        assert limits == sorted(limits, reverse=True)
