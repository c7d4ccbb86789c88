"""What many findings say together: grids, tables and the figure of cost, in both forms of the report."""

import re

import pytest
from report_documents import audit, method

from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report import figures, tables
from wnverify.report.digest import digest
from wnverify.report.results import document
from wnverify.report.views import html, markdown


def numeric(check, case, verdict=Verdict.PASS, ratio=0.5, subject="m", **known):
    """One finding of the numerics lab."""
    return Finding(
        kind="method",
        id=f"method/{subject}/{check}/{case}",
        subject=subject,
        check=check,
        verdict=verdict,
        statement="?",
        message="" if verdict is Verdict.PASS else "off",
        routes=(Evidence(route="arithmetic", verdict=verdict, ratio=ratio, figures=known),),
    )


def cost(check, **cases):
    """One finding of the audit's family of cost."""
    route = Evidence(route="exact", verdict=Verdict.PASS, figures={"cases": cases})
    name = f"check/centred_weight_normalization/{check}"
    return Finding(
        kind="check", id=name, subject="centred_weight_normalization", check=check, verdict=Verdict.PASS,
        statement="?", routes=(route,),
    )  # fmt: skip


def made(*findings):
    """The document of these findings, and its digest."""
    doc = document(findings, environment={}, timing={})
    return doc, digest(doc)


COSTS = (
    cost("cost.work", **{"work": {"exponent": 1.99}, "256x512": {"work": 9e8, "of_weight_normalization": 1.17}}),
    cost("cost.memory", **{"tensors kept for the backward": {"exponent": 1.0, "of_weight_normalization": 257.0}}),
    cost("cost.calls", **{"operations called": {"exponent": 0.0}}),
)
CELLS = [
    {"digits": 7.25, "decided": True},
    {"digits": 5.5, "decided": True},
    {"digits": 6.0, "decided": True},
    {"digits": 0.0, "decided": False},
    {"digits": None, "decided": True},
]
ALL = (
    *method("centred_weight_normalization"),
    *COSTS,
    numeric("precision.accuracy", "bfloat16", ratio=0.3, cells=CELLS),
    numeric("elsewhere.compiled", "float32"),
    numeric("elsewhere.compiled", "float32,eps=1", Verdict.FAIL, 40.0),
    numeric("elsewhere.compiled", "float32@cuda", Verdict.UNSUPPORTED, None),
    numeric("sharding.shard0", "world=2", Verdict.FAIL, 1.4),
    numeric("error_model.value", "float32", ratio=0.9, draws=100_000, above_one=0, exceedance_95=3e-5),
)


def test_a_cell_of_a_grid_is_the_gravest_over_the_options():
    """An option that fails is not hidden by the method itself, and another device is another column."""
    _, data = made(*ALL)
    by_family = {grid.family: grid for grid in tables.grids(data)}
    assert list(by_family) == ["precision", "elsewhere", "sharding"]
    grid = by_family["elsewhere"]
    assert grid.columns == [("compiled", "float32"), ("compiled", "float32@cuda")]
    ((name, cells),) = grid.rows
    assert name == "m"
    assert [cell.verdict for cell in cells] == [Verdict.FAIL, Verdict.UNSUPPORTED]


def test_of_equal_verdicts_the_largest_ratio_is_shown_and_nan_is_the_largest():
    """The order of the findings decides nothing."""
    for ratios, shown in (((0.2, 0.9), 0.9), ((0.9, 0.2), 0.9), ((0.9, float("nan")), "nan")):
        _, data = made(*(numeric("precision.accuracy", f"float32,x={i}", ratio=r) for i, r in enumerate(ratios)))
        (grid,) = tables.grids(data)
        assert str(grid.rows[0][1][0].routes[0].ratio) == str(shown)


def test_the_worst_inputs_are_the_largest_ratios_each_once():
    """One row for each method, question and type, the largest first, with the input and both errors."""
    known = {"worst_case": "graded 3x6", "relative_error": 2e-7, "modelled": 1e-7}
    found = [
        numeric("agreement.forward", "float32", ratio=0.4),
        numeric("agreement.forward", "float32,eps=1", Verdict.HAZARD, 2.0, **known),
        numeric("agreement.backward", "float64", ratio=0.7),
    ]
    table = tables.worst_inputs(made(*found)[1])
    assert [row[:4] for row in table.rows] == [
        ("m", "agreement.forward", "float32,eps=1", "2"),
        ("m", "agreement.backward", "float64", "0.7"),
    ]
    assert table.rows[0][4:] == ("graded 3x6", "2e-7", "1e-7")


def test_only_so_many_worst_inputs_are_listed_and_the_others_counted():
    """The table says that it was cut."""
    found = [numeric("agreement.forward", "float32", subject=f"m{i}") for i in range(tables.MOST + 3)]
    table = tables.worst_inputs(made(*found)[1])
    assert len(table.rows) == tables.MOST
    assert f"the {tables.MOST} largest of {tables.MOST + 3}" in table.caption


def test_digits_are_counted_where_the_model_decides():
    """The least and the middle one, over the decided matrices that have a number."""
    assert tables.digits(made(*ALL)[1]).rows == [("m", "bfloat16", "5.5", "6.0", "3")]


def test_cost_stands_beside_accuracy():
    """Multiples of weight normalization's work and memory with the method's own worst ratios, and the powers of m."""
    _, data = made(*ALL)
    ratios = [
        max(f.routes[0].ratio for f in data.groups["method"][0].findings if f.check == f"agreement.{which}")
        for which in ("forward", "backward")
    ]
    ((name, work, kept, on_the_way, *told),) = tables.cost_beside_accuracy(data).rows
    assert (name, work, kept, on_the_way) == ("centred_weight_normalization", "1.17", "257", "–")
    assert told == [f"{ratio:.3g}" for ratio in ratios]
    assert tables.growth(data).rows == [("centred_weight_normalization", "1.99", "1", "–", "0")]
    drawn = figures.cost_and_accuracy(data)
    assert [row[:3] for row in drawn.rows] == [
        ("centred_weight_normalization", "work", "1.17"),
        ("centred_weight_normalization", "kept for the backward", "257"),
    ]


def test_the_error_model_has_its_row():
    """Draws, how many are above one, and the bound on their share."""
    assert tables.error_models(made(*ALL)[1]).rows == [
        ("m", "value", "float32", "0.9", "100000", "0", "3e-5", "–")
    ]  # fmt: skip


PAGES = [
    "Precision",
    "The same result elsewhere",
    "Sharded against whole",
    "The worst inputs found",
    "Correct digits",
    "The error model",
    "Cost beside accuracy",
    "Growth with size",
]


@pytest.mark.parametrize("title", PAGES)
def test_each_page_is_in_both_reports_with_its_table(title):
    """A heading, and a table below it whose rows name a method."""
    doc, _ = made(*ALL)
    page = html.render(doc).partition(f">{title}")[2].partition("</table>")[0]
    assert "<table" in page
    assert re.search(r"<t[hd][^>]*>(m|centred_weight_normalization)</t", page)
    text = markdown.render(doc).partition(f"### {title}\n")[2].partition("\n#")[0]
    assert re.search(r"^\| `?(m|centred\\?_weight)", text, re.MULTILINE)


def test_without_numerics_there_are_no_pages():
    """An audit alone has neither grids nor tables, and no figure of cost without a ratio."""
    doc, data = made(*audit("mine", 1), *COSTS)
    assert tables.grids(data) == []
    assert tables.numbers(data) == []
    assert [table.title for table in tables.performance(data)] == ["Cost beside accuracy", "Growth with size"]
    assert figures.cost_and_accuracy(data) is None
    assert "The worst inputs found" not in html.render(doc)


def test_options_share_the_row_of_their_method_in_the_map_of_ratios():
    """The cell is the largest ratio of all of them, and there is one map for each family."""
    found = [
        numeric("agreement.forward", "float32", ratio=0.6),
        numeric("agreement.forward", "float32,eps=1", ratio=0.4),
    ]
    _, data = made(*found, numeric("precision.accuracy", "tf32", ratio=0.2))
    assert figures.ratio_map(data.groups["method"]).rows == [("m", "forward", "float32", "0.6")]
    assert figures.ratio_map(data.groups["method"], "precision").rows == [("m", "accuracy", "tf32", "0.2")]
