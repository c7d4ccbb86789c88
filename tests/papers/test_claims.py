"""The engine of the claims: how a verdict follows from evidence."""

import pytest

from wnverify.finding import Verdict
from wnverify.papers import claims
from wnverify.papers.claims import Condition, Measured, Part, Reading, by_ratio, said, settle

YES, NO, SILENT = said("symbolic", True), said("symbolic", False), said("reading", None)


def of(*routes):
    """One part with a witness at hand."""
    return Part("part", routes, {"v": 1})


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([of(YES)], "holds"),
        ([of(YES, YES)], "holds"),
        ([of(YES, SILENT)], "holds"),
        ([of(NO, NO)], "refuted"),
        ([of(YES), of(NO)], "refuted"),
        ([of(SILENT)], "undecided"),
        ([of(YES), of(SILENT)], "undecided"),
        ([of(NO), of(SILENT)], "refuted"),
        ([of(YES, NO)], "error"),
        ([of(NO), of(YES, NO)], "error"),
    ],
)
def test_parts_make_the_verdict(parts, verdict):
    """All parts must hold, one refuted part refutes, silence stays undecided, and disagreeing routes are an error."""
    assert settle(Measured(parts=parts)).verdict == verdict


@pytest.mark.parametrize(
    ("parts", "consistency", "verdict"),
    [
        ([], [of(YES)], "holds"),
        ([], [of(NO)], "inconsistent"),
        ([of(YES)], [of(NO)], "inconsistent"),
        ([of(NO)], [of(NO)], "refuted"),
        ([of(SILENT)], [of(NO)], "inconsistent"),
        ([of(YES)], [of(SILENT)], "undecided"),
        ([of(YES)], [of(YES, NO)], "error"),
    ],
)
def test_places_that_disagree_make_the_paper_inconsistent(parts, consistency, verdict):
    """Where two places of the paper disagree it is inconsistent, unless the statement is refuted by itself."""
    settled = settle(Measured(parts=parts, consistency=consistency))
    assert settled.verdict == verdict
    assert (settled.witness is not None) == (verdict in ("refuted", "inconsistent"))


@pytest.mark.parametrize(
    ("without", "verdict", "needed"),
    [
        ([NO], "holds-under", ("c",)),
        ([YES], "holds", ()),
        ([SILENT], "undecided", ()),
        ([YES, NO], "error", ()),
    ],
)
def test_a_condition_counts_only_with_a_counterexample(without, verdict, needed):
    """holds-under names a condition only where dropping it was seen to break the statement."""
    settled = settle(Measured(parts=[of(YES)], conditions=[Condition("c", without, {"v": 0})]))
    assert (settled.verdict, settled.needed) == (verdict, needed)


def test_conditions_do_not_save_a_refuted_statement():
    """A statement refuted under its added condition is refuted."""
    settled = settle(Measured(parts=[of(NO)], conditions=[Condition("c", [NO])]))
    assert settled.verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(YES, NO, "ambiguous"), (NO, NO, "refuted"), (YES, YES, "holds"), (SILENT, YES, "ambiguous")],
)
def test_readings_that_differ_are_ambiguous(first, second, verdict):
    """One verdict in every reading is the verdict; different ones make the text ambiguous."""
    readings = [Reading("one", [of(first)]), Reading("other", [of(second)])]
    assert settle(Measured(readings=readings)).verdict == verdict


def test_a_reading_with_disagreeing_routes_is_an_error():
    """An error inside a reading is not passed off as ambiguity."""
    readings = [Reading("one", [of(YES, NO)]), Reading("other", [of(YES)])]
    assert settle(Measured(readings=readings)).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("routes", "strength"),
    [
        ([said("symbolic", True), said("simulation", True)], "proved"),
        ([said("enclosure", True)], "certified"),
        ([said("simulation", True)], "tested"),
        ([said("reading", True)], None),
    ],
)
def test_a_part_is_worth_its_strongest_route(routes, strength):
    """The strength of a part is that of its best route, and reading has none."""
    assert settle(Measured(parts=[Part("part", routes)])).strength == strength


def test_the_whole_is_worth_its_weakest_part():
    """A proved part beside a tested one makes a tested statement."""
    parts = [Part("a", [YES]), Part("b", [said("differences", True)])]
    assert settle(Measured(parts=parts)).strength == "tested"


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(0.0, "holds"), (1.0, "holds"), (1.5, "undecided"), (2.0, "refuted"), (float("nan"), "refuted")],
)
def test_ratios_decide_with_a_gap(ratio, verdict):
    """A ratio up to 1 holds, from 2 on refutes, and between the two decides nothing; NaN never holds."""
    assert by_ratio("differences", ratio, power=0.1, model="m").verdict == verdict


def test_measured_needs_parts_or_readings():
    """A measurement of nothing, or of both kinds at once, is an error."""
    with pytest.raises(ValueError, match="parts or readings"):
        Measured()
    with pytest.raises(ValueError, match="parts or readings"):
        Measured(parts=[of(YES)], readings=[Reading("r", [of(YES)])])


@pytest.fixture
def free_id(monkeypatch):
    """An id of the ledger with no claim, and a registry that forgets what a test puts there."""
    claims.table("CWN")
    registry = {key: value for key, value in claims._CLAIMS.items() if key != "CWN-EQ3"}
    monkeypatch.setattr(claims, "_CLAIMS", registry)
    return "CWN-EQ3"


def register(
    claim_id, measure=lambda formula, quick: Measured(parts=[Part("p", [said("symbolic", formula)], {"x": 1})]), **facts
):
    return claims.claim(claim_id, place="here", statement="it is so", **facts)(measure)


def test_a_second_use_of_an_id_is_an_error(free_id):
    """Registering an id twice is refused."""
    register(free_id, formula=True)
    with pytest.raises(ValueError, match="used twice"):
        register(free_id, formula=True)


def test_an_id_outside_the_ledger_cannot_be_registered():
    """Registering an id that the ledger lacks is refused."""
    with pytest.raises(ValueError, match="id of the ledger"):
        register("CWN-NOPE", formula=True)


def test_the_body_judges_the_formula_it_is_given(free_id):
    """decide measures the claim's own formula, or the one handed in."""
    claim = register(free_id, formula=True)
    assert claim.decide().verdict == "holds"
    assert claim.decide(False).verdict == "refuted"


def test_a_correction_is_offered_only_when_it_holds(free_id):
    """The corrected text appears beside a refuted statement, and a correction that does not hold is an error."""
    claim = register(free_id, formula=False, corrected="thus", corrected_formula=True)
    assert (claim.decide().verdict, claim.decide().corrected) == ("refuted", "thus")


def test_a_wrong_correction_is_an_error(free_id):
    """A corrected formula that is itself refuted ends the claim in error, with the reason."""
    finding = register(free_id, formula=False, corrected="thus", corrected_formula=False).decide()
    assert finding.verdict == "error"
    assert "corrected form does not hold" in finding.message


def test_a_refutation_without_witness_is_refused(free_id):
    """A body that refutes and shows no witness is a programming error."""
    claim = register(free_id, lambda formula, quick: Measured(parts=[Part("p", [NO])]), formula=True)
    with pytest.raises(ValueError, match="without a witness"):
        claim.decide()


def test_a_finding_says_where_what_and_how_to_replay(free_id):
    """The finding carries id, place, hypotheses, what quick mode left out, and the replay command."""

    def measure(formula, quick):
        return Measured(parts=[of(YES)], left_out=("much",) if quick else ())

    finding = register(free_id, measure, hypotheses=("d ≥ 2",), reading="by the letter").decide(quick=True)
    assert finding.id == "claim/cwn/CWN-EQ3"
    assert finding.conditions == ("given: d ≥ 2", "read as: by the letter", "quick: left out much")
    assert (finding.place, finding.replay) == ("here", "python -m wnverify claims CWN-EQ3 --quick")


def test_a_row_without_a_claim_is_told_from_an_unknown_id(free_id):
    """get says LookupError for a ledger row without a claim, ValueError for an id of no ledger."""
    with pytest.raises(LookupError, match="no executable claim"):
        claims.get(free_id)
    with pytest.raises(ValueError, match="id of the ledger"):
        claims.get("CWN-NOPE")
