"""CWO, Tables 1 to 6 and the sentences on them; every planted fault caught."""

import importlib
from decimal import Decimal

import pytest
from claim_cases import decided, faults_of

from wnverify.experiments.published import cwo_tables as printed
from wnverify.papers import claims, ledger
from wnverify.papers.cwo import comparison, tables

for each in ("table1", "small_batches", "ablation", "noise_table", "transfer"):
    importlib.import_module(f"wnverify.papers.cwo.{each}")

VERDICTS = {
    "CWO-P-FIRST": "undecided",
    "CWO-T1-MARK": "refuted",
    "CWO-T1-BESTWRN": "holds",
    "CWO-T1-C100": "holds",
    "CWO-T1-EQBN": "refuted",
    "CWO-T1-OVERALL": "holds",
    "CWO-T1-WNCLEAR": "undecided",
    "CWO-P-LRSCALE": "holds",
    "CWO-T2-T1": "holds",
    "CWO-T2-BNDEG": "ambiguous",
    "CWO-T2-ROBUST": "ambiguous",
    "CWO-T2-SMALLB": "holds",
    "CWO-T3-SINGLE": "holds",
    "CWO-T3-BOTH": "holds",
    "CWO-T34-CONS": "holds",
    "CWO-T4-BASE": "holds",
    "CWO-T4-LINCONST": "ambiguous",
    "CWO-T4-MONO": "holds",
    "CWO-T4-MARK": "refuted",
    "CWO-T4-MISS": "holds",
    "CWO-T4-NOTE": "inconsistent",
    "CWO-F2": "undecided",
    "CWO-P-MN40": "holds",
    "CWO-T5-CLAIM": "holds",
    "CWO-T6-CAPTION": "inconsistent",
    "CWO-T6-CLAIM": "holds",
    "CWO-P-CONCL": "ambiguous",
}
READINGS = {
    "CWO-T2-BNDEG": ["holds", "refuted", "refuted"],
    "CWO-T2-ROBUST": ["holds", "refuted"],
    "CWO-T4-LINCONST": ["holds", "refuted", "refuted"],
    "CWO-P-CONCL": ["refuted", "holds"],
}
CONTRADICTIONS = {"CWO-T2-T1", "CWO-T34-CONS", "CWO-T4-NOTE", "CWO-T6-CAPTION"}
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read from the tables by hand, reading by reading, at the ledger's place."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("CWO")[claim_id]
    assert [reading["verdict"] for reading in finding.readings] == READINGS.get(claim_id, [])


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_caught(claim_id, fault):
    """A number made wrong on purpose is refuted, or found inconsistent where two places are compared."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    caught = {"refuted", "inconsistent"} if claim_id in CONTRADICTIONS else {"refuted"}
    assert finding.verdict in caught, finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", [c for c, v in VERDICTS.items() if v in ("refuted", "inconsistent")])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted or contradictory statement holds itself."""
    claim = claims.get(claim_id)
    assert claim.corrected
    assert claim.decide(claim.corrected_formula).verdict == "holds"


def test_every_claim_has_faults():
    """No claim is left with fewer than two planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 2]


def test_marks_are_missing_where_resnet_has_standard_augmentation():
    """The two rows of Table 1 without italics are named, with what should have them."""
    finding = decided("CWO-T1-MARK", False)
    assert "CIFAR-10, Standard, ResNet-110: italic" in finding.message
    assert "CIFAR-100, Standard, ResNet-110: italic" in finding.message
    assert finding.message.count("italic") == 2
    assert "bold" not in finding.message
    assert finding.witness["right"] == "Ours 5.65"


def test_batch_normalization_is_better_in_four_settings():
    """The refutation of 'equal to or better than BN' rests on four of twelve settings."""
    finding = decided("CWO-T1-EQBN", False)
    assert finding.message.startswith("refuted: CIFAR-10, Standard, CNN; CIFAR-10, Standard, WideResNet-28-10; ")
    assert "Worse in 4 of 12" in finding.message


def test_undecided_prose_is_decided_by_facts():
    """The undecided rows hold as soon as favourable facts are supplied: the rule, not the row, is undecided."""
    first, contrast, curves = (claims.get(each) for each in ("CWO-P-FIRST", "CWO-T1-WNCLEAR", "CWO-F2"))
    assert first.decide(first.formula._replace(earlier=0)).verdict == "holds"
    assert contrast.decide(contrast.formula._replace(alone_fails=True)).verdict == "holds"
    assert curves.decide(curves.formula._replace(larger_loss=True, no_delay=True)).verdict == "holds"


def test_ours_varies_with_the_batch_as_much_as_batch_normalization():
    """On CIFAR-100 the errors over B spread by 1.60 points for the method and by 1.61 for BN."""
    finding = decided("CWO-T2-ROBUST", False)
    assert "CIFAR-100, Ours 1.60; CIFAR-100, BN 1.61" in finding.message


def test_constant_noise_is_better_somewhere():
    """The entries at which constant noise beats linear, at the same σ and at the same mean, are named."""
    finding = decided("CWO-T4-LINCONST", False)
    assert [reading["note"] for reading in finding.readings] == [
        "",
        "refuted: CIFAR-10, constant 0.4, linear 0.4; CIFAR-100, constant 0.2, linear 0.2",
        "refuted: CIFAR-10, constant 0.4, linear 0.8",
    ]


@pytest.mark.parametrize(
    ("first", "second", "size", "right"),
    [("50", "50", 100, 0.0), ("5", "10", 10_000, 13.48), ("10", "5", 10_000, -13.48), ("25.0", "26.0", 7_500, 1.41)],
)
def test_standard_errors(first, second, size, right):
    """The difference over the root of the summed binomial variances, worked out by hand."""
    assert comparison.standard_errors(Decimal(first), Decimal(second), size) == right


def test_behind_takes_the_best_of_the_others():
    """Behind the best is positive where ours is worse, for errors and for accuracies."""
    others = [Decimal("5"), Decimal("7")]
    assert comparison.behind(Decimal("6"), others, 10_000) > 0
    assert comparison.behind(Decimal("4"), others, 10_000) < 0
    assert comparison.behind(Decimal("6"), others, 10_000, accuracy=True) > 0
    assert comparison.behind(Decimal("8"), others, 10_000, accuracy=True) < 0


def test_tables_are_complete():
    """Every table has all its entries, each a decimal with the digits of its column, and only one is missing."""
    assert len(printed.TABLE1) == 12
    assert all(set(row) == set(printed.METHODS) for row in printed.TABLE1.values())
    cells = [cell for row in printed.TABLE1.values() for cell in row.values()]
    cells += [cell for row in printed.TABLE4.values() for cell in row.values()]
    cells += [*printed.TABLE2.values(), *printed.TABLE3.values()]
    cells += [cell for row in printed.TABLE6.values() for cell in row]
    assert (len(printed.TABLE2), len(printed.TABLE3), len(printed.TABLE5), len(printed.TABLE6)) == (12, 16, 5, 6)
    assert [cell for cell in cells if tables.number(cell) is None] == ["-"]
    assert all(tables.known(cell).as_tuple().exponent == -2 for cell in cells if cell != "-")
    with pytest.raises(ValueError, match="cell must hold a number"):
        tables.known("-")


@pytest.mark.parametrize(
    ("cells", "bad"), [("**1** *2* 3", []), ("*1* **2** 3", ["bold", "italic"]), ("**1** 2 3", ["italic"])]
)
def test_marked(cells, bad):
    """A row's marks are judged against its order."""
    parts = comparison.marked("row", dict(zip("abc", cells.split(), strict=True)))
    assert [part.name.split(": ")[1] for part in parts if claims.agreed(part.routes) != "holds"] == bad
