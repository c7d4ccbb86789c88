"""Workflow commands of GitHub Actions: one line each, and nothing of a subject's making among them."""

import re

from hostile import NAME, hostile_document, waiver

from wnverify.report.views import annotations

LINE = re.compile(r"::(error|warning|notice) (?:file=([^,:]*),line=(\d+),)?title=([^,:]*)::(.*)")


def commands(doc, **options):
    """Check → (command, file, line, message); every line must be a command of ours."""
    lines = annotations.render(doc, **options).splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    return {match[4]: (match[1], match[2], match[3], match[5]) for match in matches}


def test_each_finding_that_matters_is_one_command_gravest_first():
    """Failures and errors are errors, hazards warnings; passes and what is undecided say nothing."""
    known = commands(hostile_document())
    assert [(check, said[0]) for check, said in known.items()] == [
        ("a.fail", "error"),
        ("a.error", "error"),
        ("a.hazard", "warning"),
    ]


def test_an_annotation_points_to_the_line_where_the_subject_begins():
    """The file is the one that the replay command names, for every finding of that subject."""
    assert {said[1:3] for said in commands(hostile_document()).values()} == {("src/a b.py", "7")}


def test_a_hostile_message_cannot_end_its_line_or_begin_another():
    """Per cent signs are escaped, line breaks and control characters gone."""
    text = annotations.render(hostile_document())
    assert len(text.split("\n")) == 4
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028]", text)
    assert "%250A" in text
    assert not [line for line in re.split(r"[\r\n\u2028\x0b\x0c]", text) if line.strip().startswith("::add-mask")]
    command = annotations.command("error", {"title": NAME, "file": "a:b,c"}, NAME)
    assert re.fullmatch(r"::error title=[^:,]*,file=a%3Ab%2Cc::\]\]>.*%0D%0A.*", command)


def test_a_hazard_is_an_error_where_the_run_was_strict():
    """What fails the run is an error."""
    assert commands(hostile_document(), strict=True)["a.hazard"][0] == "error"


def test_what_is_waived_is_a_notice_with_its_reason():
    """It can be seen and does not alarm; a waiver that did not apply is a warning."""
    entry = waiver("applied", "check/norm.py:N/a.fail", reason="issue 12")
    known = commands(hostile_document(entry, waiver("expired", check="b.c", expires="2020-01-01")))
    assert known["a.fail"][0] == "notice"
    assert known["a.fail"][3].startswith("waived: issue 12.")
    assert known["wnverify waiver"][0] == "warning"
    assert "expired on 2020-01-01" in known["wnverify waiver"][3]
