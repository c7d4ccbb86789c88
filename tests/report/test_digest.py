"""Grouping and counting, and the exact bounds."""

import math
import subprocess
import sys

import pytest
from report_documents import audit, check, claim, selftest

from wnverify.finding import Evidence, Verdict
from wnverify.report.digest import GRAVITY, QUIET, TONE, digest, worst_ratio
from wnverify.report.results import document, take_part
from wnverify.report.trust import upper_bound


def test_nothing_heavy_is_imported_before_a_view_is_made():
    """Reading results costs neither torch nor NumPy, nor the libraries of a view that is not asked for."""
    names = "results, digest, wording, figures, views.html, views.markdown, views.terminal"
    code = "; ".join(f"import wnverify.report.{name}" for name in names.split(", "))
    heavy = "{'torch', 'numpy', 'matplotlib', 'jinja2', 'rich', 'sympy'}"
    run = [sys.executable, "-c", f"import sys; {code}; print(sorted({heavy} & set(sys.modules)))"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_verdict_has_one_place_and_one_tone():
    """A verdict added to the vocabulary without a tone is noticed."""
    assert sorted(GRAVITY) == sorted(Verdict)
    assert {verdict for verdict in Verdict if TONE[verdict] == "right"} == QUIET


def test_every_finding_belongs_to_exactly_one_group(doc):
    """Groups and selftest together are the document, descriptions aside."""
    data = digest(doc)
    grouped = [f.id for subjects in data.groups.values() for subject in subjects for f in subject.findings]
    described = [s.description.id for subjects in data.groups.values() for s in subjects if s.description]
    assert sorted([*grouped, *described, *(f.id for f in data.selftest.findings)]) == [f["id"] for f in doc["findings"]]


def test_statements_are_listed_in_the_order_of_their_numbers():
    """Equation 9 stands before equation 10, whatever the order of characters."""
    found = [claim("p", n, Verdict.HOLDS).replace(id=f"claim/p/eq-{n}") for n in (10, 9, 100)]
    listed = digest(document(found, environment={}, timing={})).groups["claim"][0].findings
    assert [finding.id for finding in listed] == ["claim/p/eq-9", "claim/p/eq-10", "claim/p/eq-100"]


def test_a_description_counts_only_where_it_is_no_pass():
    """A subject that could not be described is a finding; a description that could is none."""
    found = audit("mine", 1)
    broken = found[0].replace(verdict=Verdict.ERROR)
    assert len(digest(document(found, environment={}, timing={})).current) == len(found) - 1
    data = digest(document([broken, *found[1:]], environment={}, timing={}))
    assert data.groups["check"][0].loud == [broken]


def test_the_trust_is_counted_from_the_kill_matrix():
    """Whatever is no pass is a missed fault or a false alarm, errors included."""
    found = selftest(faults=10, missed=2, right=5, alarms=1)
    found[3] = found[3].replace(verdict=Verdict.ERROR)
    trust = digest(document(found, environment={}, timing={})).trust
    assert (trust.caught, len(trust.faults), len(trust.alarms), len(trust.right)) == (7, 10, 1, 5)
    assert trust.missed_at_most == upper_bound(3, 10)


@pytest.mark.parametrize(("seen", "trials"), [(0, 1), (0, 55), (1, 55), (3, 10), (9, 10), (50, 400)])
def test_the_upper_bound_inverts_the_binomial_tail(seen, trials):
    """At the bound the chance of seeing so few is 5 %, computed from the other tail in logarithms."""
    p = upper_bound(seen, trials)
    other = math.fsum(
        math.exp(
            math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            + k * math.log(p) + (trials - k) * math.log1p(-p)
        )
        for k in range(seen + 1, trials + 1)
    )  # fmt: skip
    modelled = 60 * trials * 2.0**-52
    assert abs(other - 0.95) / modelled <= 1


def test_the_upper_bound_knows_its_ends():
    """All missed bounds nothing, and more than all is an error that names the argument."""
    assert upper_bound(5, 5) == upper_bound(0, 0) == 1
    with pytest.raises(ValueError, match="seen must lie between 0 and trials; got 3 of 2"):
        upper_bound(3, 2)


def test_nan_is_the_worst_ratio():
    """A comparison that gave NaN is never hidden behind a finite one."""
    routes = [Evidence(route="exact", verdict=Verdict.FAIL, ratio=ratio) for ratio in (5.0, math.nan, math.inf)]
    assert math.isnan(worst_ratio(check("s", "a.b", Verdict.FAIL).replace(routes=routes)))
    assert worst_ratio(check("s", "a.b", Verdict.FAIL).replace(routes=routes[::2])) == math.inf


def test_stale_findings_are_in_no_count():
    """A stale part is shown but counts for nothing, and accuses nobody in the summary."""
    part = document(audit("old", 1, flaws=2), environment={}, timing={}, parts={"audit": {"source": "0"}})
    fresh = document([check("new", "a.b", Verdict.PASS)], environment={}, timing={})
    data = digest(take_part(fresh, part))
    assert data.counts == [(Verdict.PASS, 1)]
    assert data.wrong("check") == []
    assert data.stale_parts == ["audit"]
    assert len(data.findings) == 1 + len(part["findings"])
