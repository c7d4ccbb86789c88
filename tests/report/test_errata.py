"""The errata of a paper: what does not stand as printed, with what to take in its place."""

import pytest

from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report.digest import digest
from wnverify.report.results import document
from wnverify.report.views import html, markdown
from wnverify.report.wording import remedy

NOT_ERRATA = (Verdict.HOLDS, Verdict.UNDECIDED, Verdict.ERROR)


def claim(verdict, **more):
    return Finding(
        kind="claim",
        id=f"claim/cwn/{verdict}",
        subject="cwn",
        check=str(verdict),
        verdict=verdict,
        statement=f"statement that is {verdict}",
        place=f"eq. {len(str(verdict))}",
        routes=(Evidence(route="exact", verdict=verdict),),
        **more,
    )


FINDINGS = [
    claim(
        Verdict.AMBIGUOUS, readings=({"reading": "one", "verdict": "holds"}, {"reading": "two", "verdict": "refuted"})
    ),
    claim(Verdict.ERROR, message="it raised"),
    claim(Verdict.HOLDS, strength="proved"),
    claim(Verdict.HOLDS_UNDER, conditions=("given: x", "needed besides: d ≥ 2"), strength="proved"),
    claim(Verdict.INCONSISTENT, message="two places", witness={"a": 1}),
    claim(Verdict.REFUTED, corrected="the right one", witness={"a": 1}),
    claim(Verdict.UNDECIDED),
]
DOC = document(sorted(FINDINGS, key=lambda finding: finding.id), environment={}, timing={})


def test_the_gravest_come_first_and_what_holds_or_is_open_is_no_erratum():
    """Refuted, inconsistent, ambiguous and conditional statements, in this order."""
    (subject,) = digest(DOC).groups["claim"]
    assert [f.verdict for f in subject.errata] == ["refuted", "inconsistent", "ambiguous", "holds-under"]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.REFUTED, "the right one"),
        (Verdict.INCONSISTENT, "two places"),
        (Verdict.AMBIGUOUS, "one: holds; two: refuted"),
        (Verdict.HOLDS_UNDER, "only where: d ≥ 2"),
    ],
)
def test_each_says_what_to_take_instead(verdict, said):
    """The correction, the missing condition, the readings, or why."""
    assert remedy(next(f for f in FINDINGS if f.verdict is verdict)) == said


@pytest.mark.parametrize("render", [markdown.render, html.render], ids=["markdown", "html"])
def test_both_views_have_a_table_of_errata(render):
    """With place and remedy of each; a paper without errata has no such table."""
    page = render(DOC)
    table = page[page.index("Errata") :]
    for said in ("eq. 7", "the right one", "only where: d ≥ 2", "one: holds; two: refuted"):
        assert said in table
    kept = [f for f in FINDINGS if f.verdict in NOT_ERRATA]
    assert "Errata" not in render(document(sorted(kept, key=lambda f: f.id), environment={}, timing={}))
