"""Checks are registered once, sheets judge cases by their ratio, and a finding says the worst of them."""

from __future__ import annotations

import math

import pytest

from wnverify.auditing.properties import RESIDUALS
from wnverify.auditing.registry import MODULES, SEVERITY, Case, Check, Sheet, check, checks, finding_of, matching, worst
from wnverify.auditing.target import TargetError
from wnverify.finding import VOCABULARY, Finding, Verdict
from wnverify.oracles.differences import DiscontinuousError, KinkError, NotDifferencedError
from wnverify.oracles.ratio import ErrorModel, Ratio

MODEL = ErrorModel(1e-3, "a thousandth")


def ratio(value):
    return Ratio(error=value * 1e-3, scale=1.0, model=MODEL)


def finding(sheet):
    made = Check(id="family.name", asks="Is it so?", run=lambda look, sheet: None, requires=(), needs=(), quick=True)
    return finding_of(made, sheet, subject="s", replay="again")


def test_every_check_is_there_once():
    """Ids are dotted, the families are the modules' and every declared property has its check."""
    known = checks()
    assert list(known) == [made.id for made in known.values()]
    families = {name.split(".")[0] for name in known}
    assert families == {
        "contract",
        "lifecycle",
        "property",
        "gradient",
        "precision",
        "edge",
        "execution",
        "sharding",
        "cost",
    }
    assert set(MODULES) - families == {
        "contract_modes",
        "contract_layout",
        "contract_device",
        "discovered",
        "contract_prox",
        "training",
        "training_layers",
        "gradient_variants",
        "gradient_settings",
        "gradient_beside",
        "gradient_singular",
        "edge_scale",
        "sizes",
    }
    assert {f"property.{name}" for name in RESIDUALS} <= set(known)
    assert all(name.count(".") == 1 for name in known)


def test_every_check_asks_a_question_of_its_own():
    """Two checks with one question would be one check."""
    asked = [made.asks for made in checks().values()]
    assert len(set(asked)) == len(asked)
    assert all(text.endswith("?") for text in asked)


def test_prerequisites_exist_and_come_first():
    """All but the first check need the forward, and what a check requires stands before it."""
    order = list(checks())
    assert order[0] == "contract.forward"
    for name, made in checks().items():
        assert all(order.index(required) < order.index(name) for required in made.requires)
        assert (name == "contract.forward") == (made.requires == ())


def test_a_second_use_of_an_id_is_an_error():
    """An id stands for one question for ever."""
    with pytest.raises(ValueError, match=r"check id 'contract.forward' is used twice"):
        check("contract.forward", asks="Again?")(lambda look, sheet: None)


def test_severity_orders_every_verdict_of_a_check():
    """Nothing that a check may say is missing from the order, and pass is the mildest."""
    assert set(SEVERITY) == VOCABULARY["check"]
    assert (SEVERITY[0], SEVERITY[-1]) == (Verdict.PASS, Verdict.FAIL)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([Verdict.PASS], Verdict.PASS),
        ([Verdict.PASS, Verdict.UNSUPPORTED], Verdict.UNSUPPORTED),
        ([Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Verdict.HAZARD, Verdict.PASS, Verdict.INCONCLUSIVE], Verdict.HAZARD),
        ([Verdict.FAIL, Verdict.ERROR, Verdict.HAZARD], Verdict.FAIL),
    ],
)
def test_the_worst_case_decides(verdicts, expected):
    """A check without a case has decided nothing."""
    assert worst(verdicts) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, Verdict.PASS),
        (1.0, Verdict.PASS),
        (1.01, Verdict.INCONCLUSIVE),
        (1.99, Verdict.INCONCLUSIVE),
        (2.0, Verdict.HAZARD),
        (1e9, Verdict.HAZARD),
        (math.nan, Verdict.HAZARD),
        (math.inf, Verdict.HAZARD),
    ],
)
def test_a_comparison_is_judged_by_its_ratio(value, expected):
    """At most 1 passes, from 2 on it is what the check calls wrong, between nothing is decided."""
    sheet = Sheet()
    said = sheet.compare("case", ratio(value), "off", wrong=Verdict.HAZARD)
    assert (said, sheet.verdict) == (expected, expected)
    assert sheet.cases[0].power == MODEL.relative
    assert (sheet.cases[0].message == "") == (expected is Verdict.PASS)


def test_a_wrong_comparison_is_a_failure_unless_said_otherwise():
    """``fail`` is the default, and the message carries the figures."""
    sheet = Sheet()
    assert sheet.compare("case", ratio(50.0), "the value differs") is Verdict.FAIL
    assert sheet.cases[0].message == "the value differs (relative error 0.05, ratio 50)"


@pytest.mark.parametrize("relative", [math.inf, math.nan])
def test_a_model_that_allows_everything_lets_no_miss_pass(relative):
    """Within a rounding the map leaves its domain: what it misses by decides nothing, what is not finite is wrong."""
    model = ErrorModel(relative, "no finite condition")
    assert Sheet().compare("case", Ratio(1e-3, 1.0, model), "off") is Verdict.INCONCLUSIVE
    assert Sheet().compare("case", Ratio(0.0, 1.0, model), "off") is Verdict.PASS
    assert Sheet().compare("case", Ratio(math.nan, 1.0, model), "off") is Verdict.FAIL


def test_notes_are_conditions_without_repetition():
    """The same condition is said once."""
    sheet = Sheet()
    for text in ("a", "b", "a"):
        sheet.note(text)
    sheet.add("case", Verdict.PASS)
    assert finding(sheet).conditions == ("a", "b")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (DiscontinuousError("jumps"), Verdict.HAZARD),
        (NotDifferencedError("noisy"), Verdict.INCONCLUSIVE),
        (KinkError("bends"), None),
    ],
)
def test_a_forward_without_differences_is_never_a_pass(error, verdict):
    """A jump is a hazard, noise decides nothing, and a kink is a condition under which nothing is asked."""
    sheet = Sheet()
    sheet.not_differenced("3x5", error)
    if verdict is None:
        assert (sheet.cases, sheet.notes) == ([], ["3x5: bends"])
    else:
        assert [(case.verdict, case.message, case.route) for case in sheet.cases] == [
            (verdict, str(error), "differences")
        ]


def test_a_finding_says_the_worst_first():
    """Two cases are quoted, the most severe and of those the largest ratio first, and the rest counted."""
    sheet = Sheet()
    sheet.add("fine", Verdict.PASS)
    sheet.add("meh", Verdict.HAZARD, "breaks")
    sheet.compare("bad", ratio(20.0), "off")
    sheet.compare("worse", ratio(400.0), "off")
    made = finding(sheet)
    assert made.verdict is Verdict.FAIL
    assert made.message.startswith("worse: off")
    assert made.message.index("; bad: off") > 0
    assert made.message.endswith("; and 1 more")


def test_the_witness_is_that_of_the_worst_case_that_has_one():
    """Passes have none to give."""
    sheet = Sheet()
    sheet.add("fine", Verdict.PASS, witness={"V": "of a pass"})
    sheet.add("meh", Verdict.HAZARD, "breaks", witness={"V": "of a hazard"})
    sheet.add("bad", Verdict.FAIL, "off")
    assert finding(sheet).witness == {"V": "of a hazard"}


def test_a_finding_keeps_every_case_by_route():
    """Each route has its worst verdict, largest ratio, weakest power, and all its cases in the figures."""
    sheet = Sheet()
    sheet.compare("a", ratio(0.5), "off", route="differences")
    sheet.compare("b", Ratio(5e-2, 1.0, ErrorModel(1e-2, "a hundredth")), "off", route="differences")
    sheet.add("c", Verdict.PASS, route="exact", figures={"count": 3})
    routes = {route.route: route for route in finding(sheet).routes}
    assert set(routes) == {"differences", "exact"}
    differences = routes["differences"]
    assert (differences.verdict, differences.ratio, differences.power) == (Verdict.FAIL, 5.0, 1e-2)
    assert differences.model == "a hundredth"
    assert set(differences.figures["cases"]) == {"a", "b"}
    assert routes["exact"].figures["cases"]["c"] == {"verdict": "pass", "count": 3}
    assert Finding.from_json(finding(sheet).to_json()) == finding(sheet)


def test_a_sheet_without_cases_is_inconclusive_and_says_why():
    """Nothing generated lies in the domain: that is no pass."""
    made = finding(Sheet())
    assert made.verdict is Verdict.INCONCLUSIVE
    assert "No generated weight lies in the stated domain and is taken" in made.message


def test_a_clean_sheet_counts_its_cases():
    """How much was looked at is said."""
    sheet = Sheet()
    sheet.add("a", Verdict.PASS)
    sheet.add("b", Verdict.PASS)
    made = finding(sheet)
    assert (made.message, made.id, made.replay) == ("2 cases", "check/s/family.name", "again")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ["a.x", "a.y", "b.x"]),
        (("a.*",), ["a.x", "a.y"]),
        (("b.x", "a.x"), ["a.x", "b.x"]),
        (("*.x",), ["a.x", "b.x"]),
    ],
)
def test_patterns_choose_in_the_checks_own_order(patterns, expected):
    """None of them means all."""
    assert matching(patterns, ["a.x", "a.y", "b.x"]) == expected


def test_a_pattern_without_a_match_is_refused():
    """The message lists what there is, also when another pattern matches."""
    with pytest.raises(TargetError, match=r"'c\.\*' matches no check of this subject; its checks are a\.x, b\.x"):
        matching(("a.*", "c.*"), ["a.x", "b.x"])


def test_a_case_comes_from_the_search_unless_said_otherwise():
    """The default route of a case is the search over generated weights."""
    assert Case(name="n", verdict=Verdict.PASS).route == "property search"
