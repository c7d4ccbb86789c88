"""The Markdown view."""

import html
import re

from report_documents import EVIL, check

from wnverify.finding import Verdict
from wnverify.report.digest import QUIET, SYMBOL, TONE, digest
from wnverify.report.results import document
from wnverify.report.views import markdown


def test_everything_that_is_no_pass_is_shown_in_full(doc):
    """A heading with the id, then statement, message and replay command."""
    text = html.unescape(re.sub(r"\\(.)", r"\1", markdown.render(doc)))
    loud = [finding for finding in digest(doc).findings if finding.verdict not in QUIET]
    assert len(loud) == text.count("\n#### ") > 30
    for finding in loud:
        heading = f"#### {SYMBOL[TONE[finding.verdict]]} **{finding.verdict}** `{finding.id}`\n"
        block = text[text.index(heading) :].partition("\n#### ")[0]
        wanted = (finding.statement, finding.message, finding.replay, finding.corrected or "", *finding.conditions)
        assert all(words in block for words in wanted), finding.id


def test_what_a_subject_writes_is_never_read_as_markup():
    """HTML, pipes, emphasis, links, backticks and fences of a subject stay text."""
    nasty = f"{EVIL} | *a* [b](c) `d` ``` # e $f$"
    finding = check("s", "a.b", Verdict.FAIL).replace(subject=nasty, message=nasty, replay="run '```' now")
    text = markdown.render(document([finding], environment={}, timing={}))
    assert "<script" not in text
    assert r"\| \*a\* \[b\](c) \`d\` \`\`\` \# e \$f\$" in text
    assert "````text\nrun '```' now\n````" in text


def test_tables_have_as_many_cells_in_each_row_as_in_the_header(doc):
    """An unescaped pipe would tear a row apart."""
    tables = re.findall(r"(?:^\|.*\n)+", markdown.render(doc), flags=re.MULTILINE)
    assert len(tables) > 10
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_the_summary_names_what_was_found_wrong_and_how_far_to_trust_it(doc):
    """Refutations come first, with what would be right; then the kill rate with its bound."""
    text = markdown.render(doc)
    assert (
        text.index("`claim/wn/eq-00`") < text.index("`method/orthogonal_weight_normalization/") < text.index("## How")
    )
    assert "Right would be: The norm is" in text
    assert "Planted faults caught: 54 of 55 (missed: at most 8.4 %)" in text
    assert "nothing here says how many" in markdown.render(document([], environment={}, timing={}))


def test_the_same_document_gives_the_same_text(doc):
    """A view is a pure function."""
    assert markdown.render(doc) == markdown.render(doc)


def test_statements_without_a_finding_are_counted_as_waiting() -> None:
    """The summary counts papers that have findings, and says how many statements have none yet."""
    doc = document([], environment={}, timing={}, coverage={"cwo": {"rows": 72, "decided": 2}})
    assert "0 papers (70 more are not yet decided)" in markdown.render(doc)
