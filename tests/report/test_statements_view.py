"""Statements on the terminal: the table, and one in full."""

import io

import pytest
from rich.console import Console

from wnverify.papers import claims
from wnverify.report.views import statements


@pytest.fixture(scope="module")
def findings():
    """Statements of three verdicts."""
    return [claims.decide(name, quick=True)[0] for name in ("CWN-P1-SIGN", "CWN-P1-STEPS", "CWN-P2a")]


def printed(show, *arguments, width=100):
    out = io.StringIO()
    show(Console(file=out, width=width), *arguments)
    return out.getvalue()


def test_the_table_has_a_line_a_statement_and_a_tally(findings):
    """Id, verdict, strength, place and the beginning of the statement, on one line of the terminal's width."""
    lines = printed(statements.table, findings).splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["CWN-P1-SIGN", "holds-under"],
        ["CWN-P1-STEPS", "refuted"],
        ["CWN-P2a", "holds"],
    ]
    assert all(len(line) <= 100 for line in lines)
    assert "E[z − E z]²" in printed(statements.table, findings, width=200)
    assert lines[3].startswith("3 statements: 1 refuted · 1 holds-under · 1 holds")


def test_verdicts_filter_the_table_and_say_what_is_hidden(findings):
    """Only the asked verdicts are shown, the others are counted."""
    lines = printed(statements.table, findings, ["refuted"]).splitlines()
    assert [line.split()[0] for line in lines] == ["CWN-P1-STEPS", "3"]
    assert lines[-1].endswith("2 with another verdict not shown")


def test_one_statement_is_shown_with_all_of_its_evidence(findings):
    """Place, readings, every route with its figures, witness, correction and replay."""
    refuted = findings[1]
    text = printed(statements.full, refuted, width=4000)
    assert text.count("route ") == len(refuted.routes)
    for said in (refuted.statement, refuted.place, refuted.corrected, refuted.replay, "witness:", "power", "reading:"):
        assert said in text
