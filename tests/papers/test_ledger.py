"""The ledger's table of ids."""

import pytest

from wnverify.papers import ledger

ROWS = {"CWN": 20, "DSWN": 101, "CWO": 72, "NL": 56, "L1": 87}


@pytest.mark.parametrize(("paper", "count"), ROWS.items())
def test_every_row_of_a_paper_is_there(paper, count):
    """Each paper has as many rows as its ledger, all under its own prefix and with a place."""
    rows = ledger.rows(paper)
    assert len(rows) == count
    assert all(claim_id.startswith(f"{paper}-") and place for claim_id, place in rows.items())


def test_papers_are_those_with_rows():
    """The prefixes are exactly the papers counted above, each with the name of its module."""
    assert ledger.papers() == tuple(ROWS)
    assert len(set(ledger.MODULE_OF.values())) == len(ROWS)


def test_an_unknown_paper_names_the_known_ones():
    """A paper that is not in the ledger is an error that lists those that are."""
    with pytest.raises(ValueError, match=r"one of CWN, DSWN, CWO, NL, L1; got 'WN'"):
        ledger.rows("WN")


@pytest.mark.parametrize("claim_id", ["CWN-EQ99", "CWN", "", "XYZ-EQ3"])
def test_an_id_outside_the_ledger_is_an_error(claim_id):
    """An id that no ledger has is refused with the id in the message."""
    with pytest.raises(ValueError, match=f"got {claim_id!r}"):
        ledger.paper_of(claim_id)
