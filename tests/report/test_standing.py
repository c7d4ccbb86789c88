"""What a finding means for a run, where it is in files, and how findings look in a notebook and in a log."""

import pytest
from hostile import NAME, VERDICTS, findings, hostile_document, waiver

from wnverify.report.places import Place, places
from wnverify.report.plaintext import because, in_full
from wnverify.report.results import document
from wnverify.report.standing import breaks, standing
from wnverify.report.views import html, markdown, notebook

FOUND = dict(zip(VERDICTS, findings(), strict=True))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_stands_as_it_should_alone_strict_and_waived(verdict):
    """Only failures and errors break a run; strict adds hazards; a waiver takes just these away."""
    lenient, strict, waived = (
        standing(FOUND[verdict], **options) for options in ({}, {"strict": True}, {"strict": True, "waived": True})
    )
    table = {
        "pass": ("right", "right", "right"),
        "fail": ("failure", "failure", "waived"),
        "error": ("error", "error", "waived"),
        "hazard": ("warning", "failure", "waived"),
    }
    assert (lenient, strict, waived) == table.get(verdict, ("skipped",) * 3)


def test_a_run_breaks_until_every_failure_is_waived():
    """The exit code of an audit, of the document alone."""
    known = FOUND["fail"], FOUND["hazard"]
    ids = [finding.id for finding in known]

    def broken(*waivers, strict=False):
        return breaks(document(known, environment={}, timing={}, waivers=waivers), strict=strict)

    assert broken()
    assert not broken(waiver("applied", ids[0]))
    assert broken(waiver("applied", ids[0]), strict=True)
    assert not broken(waiver("applied", *ids), strict=True)
    assert broken(waiver("expired", ids[0]))


def test_a_statement_that_was_refuted_does_not_break_a_run(doc):
    """That is what a laboratory is for."""
    refuted = next(data for data in doc["findings"] if data["verdict"] == "refuted")
    assert not breaks({"findings": [refuted]})


def test_a_place_is_read_from_the_replay_command_alone():
    """File from the command, line from the description; a command of another kind names none."""
    doc = hostile_document()
    assert places(doc) == {"norm.py:N": Place("src/a b.py", 7)}
    for replay in (
        "rm -rf x y src/a.py:N",
        "python -m wnverify audit torch.nn:ReLU",
        "python -m wnverify audit 'x",
        None,
    ):
        for data in doc["findings"]:
            data["replay"] = replay
        assert places(doc) == {}


def test_no_line_of_a_finding_in_a_log_begins_with_a_subjects_words():
    """Each begins with a label of ours, without control characters; the listing is set off."""
    lines = in_full(FOUND["fail"]).splitlines()
    assert lines[0] == "fail: check/norm.py:N/a.fail"
    known = ("  asked: ", "  seen: ", "  conditions: ", "  ratio: ", "  witness ", "  replay: ", "  | ")
    assert all(line.startswith(known) for line in lines[1:])
    assert {word for word in known if any(line.startswith(word) for line in lines)} == set(known)
    assert all(line.isprintable() for line in lines)


def test_why_nothing_was_decided_begins_with_the_verdict_once():
    """``blocked by …`` says it itself."""
    blocked = FOUND["blocked"].replace(message="blocked by check/s/a.b (fail)")
    assert because(blocked) == "blocked by check/s/a.b (fail)"
    assert because(FOUND["unsupported"].replace(message="no module")) == "unsupported: no module"


def test_a_notebook_shows_a_table_in_which_nothing_is_markup():
    """What is wrong comes first; whatever a subject is called is escaped."""
    shown = notebook.Findings(findings())
    text = shown._repr_html_()
    assert shown == findings()
    assert "<x a" not in text
    assert text.index("a.fail") < text.index("a.hazard") < text.index("a.pass")
    assert text.count("<tr>") == len(VERDICTS) + 2


def test_the_page_and_the_markdown_of_an_audit_show_what_is_waived():
    """The reason stands at the finding and in the summary, escaped."""
    doc = hostile_document(waiver("applied", "check/norm.py:N/a.fail", reason=NAME), waiver("idle", check="b.c"))
    page = html.render(doc)
    assert page.count("waived: ]]&gt;&lt;x") >= 2
    assert "waiver touched nothing in this run: b.c" in page
    assert "<x a" not in page
    assert "(waived: \\]\\]&gt;&lt;x" in markdown.render(doc)


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("src/my_norm.py", "packages/one/src/my_norm.py"),
        ("../my_norm.py", "packages/my_norm.py"),
        ("/tmp/my_norm.py", "/tmp/my_norm.py"),
    ],
)
def test_files_are_named_from_the_root_of_the_repository(named, file):
    """``folder`` is where the run took place below it; an absolute path stays."""
    doc = hostile_document()
    for data in doc["findings"]:
        data["replay"] = f"python -m wnverify audit {named}:N"
    assert places(doc, "packages/one") == {"norm.py:N": Place(file, 7)}
