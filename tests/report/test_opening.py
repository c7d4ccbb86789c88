"""The opening of a report in words: counted from the findings, the gravest first, of each paper in turn."""

from report_documents import ENVIRONMENT, audit, check, claim, evidence, realistic, selftest

from wnverify.finding import Verdict
from wnverify.report import opening
from wnverify.report.digest import digest
from wnverify.report.results import document, take_part


def of(*findings, **blocks):
    """The digest of a document of these findings."""
    return digest(document(findings, environment=ENVIRONMENT, timing={}, **blocks))


def refuted(paper, index, *routes):
    """A refuted statement on routes of these kinds."""
    seen = tuple(evidence(Verdict.REFUTED, paper, index, name, route=name) for name in routes)
    return claim(paper, index, Verdict.REFUTED).replace(routes=seen)


def test_outcomes_count_every_verdict_once():
    """The numbers of the sentence on statements add up to all of them; nothing of the selftest is in them."""
    data = digest(realistic())
    statements, comparisons, checks = opening.outcomes(data)
    assert statements.startswith("42 statements: 24 right as printed, 3 right only under a further condition, ")
    assert comparisons == "36 numerical comparisons: 34 passed and 2 failed."
    found = [f.verdict for f in data.current if f.kind == "check" and f.subject != "selftest"]
    assert checks.startswith(f"{len(found)} checks: {found.count(Verdict.PASS)} passed, ")
    assert opening.outcomes(of(*selftest(3, 0, 2))) == []


def test_what_did_not_occur_is_not_said():
    """No list of nothing."""
    assert opening.outcomes(of(*audit("v", 1)[1:])) == ["17 checks: 17 passed."]


def test_the_striking_are_taken_of_each_paper_in_turn_by_the_routes_that_accuse():
    """Three kinds of route before one, refuted before inconsistent, the second of a paper after the first of each."""
    found = [
        refuted("a", 1, "exact"),
        refuted("a", 2, "exact", "symbolic", "enclosure"),
        refuted("a", 3, "exact", "exact", "exact"),
        claim("b", 4, Verdict.INCONSISTENT),
        refuted("b", 5, "reading"),
        claim("c", 6, Verdict.HOLDS),
    ]
    names = [finding.id for finding in opening.striking(of(*found), 4)]
    assert names == ["claim/a/eq-02", "claim/b/eq-05", "claim/a/eq-01", "claim/b/eq-04"]


def test_a_hazard_is_named_where_two_subjects_share_it():
    """With the number of subjects, however many cases each has; the most widespread first."""
    found = [check(subject, "a.wide", Verdict.HAZARD, case) for subject in ("x", "y", "z") for case in ("1", "2")]
    found += [check(subject, "a.shared", Verdict.HAZARD) for subject in ("x", "y")]
    found += [check("x", "a.lonely", Verdict.HAZARD), check("x", "a.right", Verdict.PASS)]
    told = opening.hazards(of(*found), 5)
    assert [(hazard.check, hazard.subjects) for hazard in told] == [
        ("a.wide", ["x", "y", "z"]),
        ("a.shared", ["x", "y"]),
    ]
    assert [hazard.first.subject for hazard in told] == ["x", "x"]


def test_variants_of_others_that_fail_are_counted_apart():
    """A failing map of the gallery is no failure of this house."""
    part = document([check("theirs", "a.b", Verdict.FAIL), check("sound", "a.b", Verdict.PASS)], environment={},
                    timing={}, parts={"gallery": {"source": "0"}})  # fmt: skip
    doc = take_part(document([check("ours", "a.b", Verdict.FAIL)], environment={}, timing={}), part)
    doc["parts"]["gallery"]["stale"] = False
    assert [subject.name for subject, _ in opening.broken_variants(digest(doc))] == ["theirs"]
    assert [subject.name for subject, _ in opening.broken_subjects(digest(doc))] == ["ours"]


def test_routes_count_kinds_and_counterexamples():
    """Two routes of one kind are one; without a witness there is no counterexample; the undecided are in no count."""
    found = [
        refuted("a", 1, "exact", "exact"),
        refuted("a", 2, "exact", "symbolic").replace(witness=None),
        claim("a", 4, Verdict.UNDECIDED),
    ]
    said = "Decided by two or more kinds of route: 1 of 2 statements. With a counterexample: 1 of 2 refutations."
    assert opening.on_routes(of(*found)) == said
    assert opening.on_routes(of(claim("a", 4, Verdict.UNDECIDED))) == ""
