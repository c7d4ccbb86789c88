"""The terminal sheet, read as plain text."""

import io

from report_documents import EVIL, audit, check
from rich.console import Console

from wnverify.finding import Evidence, Verdict
from wnverify.report.digest import QUIET, digest
from wnverify.report.results import document, take_part
from wnverify.report.views import terminal


def printed(doc, *, colour=False, **options):
    """What a console 80 columns wide shows."""
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=colour, color_system="standard" if colour else None)
    terminal.sheet(doc, console, **options)
    return stream.getvalue()


def test_everything_that_is_no_pass_is_printed_in_full(doc):
    """Id, message, ratio, power, witness and replay command, on lines that are not broken."""
    lines = printed(doc).splitlines()
    loud = [finding for finding in digest(doc).findings if finding.verdict not in QUIET]
    assert len(loud) > 30
    for finding in loud:
        start = next(i for i, line in enumerate(lines) if line.endswith(f"{finding.verdict} {finding.id}"))
        block = "\n".join(lines[start : start + 14])
        assert finding.statement in block
        assert finding.message in block
        assert finding.replay in block
        assert ("witness: " in block.partition("replay:")[0]) is (finding.witness is not None)
        if finding.routes[0].ratio is not None:
            assert "ratio " in block
            assert "power " in block


def test_passes_are_counts_of_their_family_and_lines_only_when_verbose():
    """Quiet by default; with ``verbose`` one line for each pass."""
    found = check("s", "a.b", Verdict.PASS, "case-7")
    one = document([found], environment={}, timing={})
    assert "case-7" not in printed(one)
    assert "  a              1 pass" in printed(one)
    assert "✓ a.b case-7  ratio " in printed(one, verbose=True)


def test_the_sheet_opens_with_what_was_declared_and_ends_with_the_counts():
    """Scope first, sum last."""
    text = printed(document(audit("mine", 1, flaws=1), environment={}, timing={}))
    assert text.index("declared: constant_norm_rows = 2.5, unit_norm_rows") < text.index("contract")
    assert text.index("only discovered: scale_invariant, odd") < text.index("domain: min_row_norm = 1e-8")
    assert text.splitlines()[-1] == "17 findings: 1 fail · 16 pass"


def test_markup_and_control_characters_of_a_subject_stay_text():
    """Rich's marks, terminal escapes and angle brackets are shown as they are or left out, never obeyed."""
    evil = check("s", "a.b", Verdict.FAIL).replace(subject=EVIL, message="[bold red]x[/] \x1b]0;title\x07 \\[/] end\\")
    text = printed(document([evil], environment={}, timing={}), colour=True)
    assert EVIL in text
    assert "[bold red]x[/]" in text
    assert "\\[/] end\\" in text
    assert "\x1b]" not in text
    assert "\x07" not in text


def test_stale_parts_are_named_and_not_counted():
    """A stale finding carries the word; the sum leaves it out."""
    part = document(audit("old", 1, flaws=1), environment={}, timing={}, parts={"audit": {"source": "0"}})
    text = printed(take_part(document([], environment={}, timing={}), part))
    assert "(stale)" in text
    assert "stale: audit ran on other sources" in text
    assert "0 findings: none" in text


def test_the_selftest_is_told_with_its_bounds(doc):
    """Caught of planted, alarms of right variants, each with an exact bound."""
    text = printed(doc)
    assert "planted faults caught: 54 of 55 (missed at most 8.4 %" in text
    assert "false alarms: 0 of 20 (at most 14 %" in text


def test_public_variants_and_missing_parts_have_a_line():
    """What is in no count is named with its own, and what is not there is named."""
    part = document(audit("theirs", 1, flaws=1), environment={}, timing={}, parts={"gallery": {"source": "0"}})
    scope = {"mode": "quick", "left_out": [], "missing": ["device"]}
    text = printed(take_part(document([], environment={}, timing={}, scope=scope), part))
    assert "1 public variant, in no count: 1 fail · 16 pass" in text
    assert "missing: no stored part of device" in text


def waiting(count, root="a.root"):
    """A failed check and ``count`` checks that wait for it, all under one condition."""
    wrong = check("s", root, Verdict.FAIL, "c").replace(conditions=("quick: few", "reproduced"))
    other = check("s", "a.first", Verdict.FAIL, "c").replace(conditions=("quick: few",))
    message = f"blocked by {wrong.id} (fail)"
    late = [
        check("s", f"b.late{i}", Verdict.BLOCKED, "c").replace(message=message, conditions=()) for i in range(count)
    ]
    return document([wrong, other, *late], environment={}, timing={})


def test_what_waits_for_the_same_is_one_line_after_what_it_waits_for():
    """The root stands first though another failure has the earlier name; verbose shows every blocked check."""
    text = printed(waiting(9))
    assert text.index("fail check/s/a.root") < text.index("fail check/s/a.first") < text.index("9 checks blocked by")
    named = ", ".join(f"b.late{i} c" for i in range(6))
    assert f"9 checks blocked by check/s/a.root/c (fail): {named}, …\n" in text
    assert "blocked check/s/b.late8" not in text
    assert "blocked check/s/b.late8" in printed(waiting(9), verbose=True)
    assert "blocked check/s/b.late0" in printed(waiting(1))


def test_a_condition_of_every_finding_is_said_once():
    """Above them; what one has besides stays with it."""
    text = printed(waiting(2))
    assert text.count("quick: few") == 1
    assert text.index("of every finding below: quick: few") < text.index("a.root")
    assert "conditions: reproduced" in text


def test_the_worst_case_tells_what_its_ratio_does_not():
    """Of the cases of a route the one with the largest miss; a pass has none."""
    cases = {
        "3x5": {"relative_error": 0.5, "ratio": 9.0, "verdict": "fail", "backward": 2.0},
        "1x6": {"relative_error": 1.5, "ratio": 3.0, "verdict": "fail", "backward": 3.0, "worst_tangent": "radial"},
    }
    route = Evidence(route="differences", verdict=Verdict.FAIL, figures={"cases": cases})
    wrong = check("s", "a.b", Verdict.FAIL).replace(routes=(route,))
    assert "    worst: 1x6: backward 3, tangent radial\n" in printed(document([wrong], environment={}, timing={}))
    right = check("s", "a.b", Verdict.PASS).replace(routes=(route,))
    assert "worst:" not in printed(document([right], environment={}, timing={}), verbose=True)
