"""Inline SVG: labelled, coloured by the page, free of clashes, the same every time."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest
from report_documents import EVIL, method

from wnverify.finding import Evidence, Verdict
from wnverify.report import figures
from wnverify.report.digest import digest
from wnverify.report.results import document


def drawn(doc):
    """Every figure of a document."""
    data = digest(doc)
    methods = data.groups["method"]
    return [figures.verdict_bars(data), figures.ratio_map(methods), *map(figures.conditioning, methods)]


def test_each_figure_is_labelled_xml_with_its_data(doc):
    """Well-formed, named for a screen reader, with a table whose rows fit its header."""
    for drawing in drawn(doc):
        root = ElementTree.fromstring(drawing.svg)
        assert root.get("role") == "img"
        assert drawing.title in root.get("aria-label")
        assert root[0].tag == "title"
        assert root[0].text == root.get("aria-label")
        assert drawing.rows
        assert all(len(row) == len(drawing.header) for row in drawing.rows)


def test_no_figure_has_a_colour_a_font_a_style_sheet_or_an_address_of_its_own(doc):
    """All of it comes from the page, so that a dark page has light lines."""
    for drawing in drawn(doc):
        assert not re.search(r"#[0-9a-f]{3,6}\b|<style|://|DejaVu|xmlns|<metadata|black", drawing.svg)
        assert set(re.findall(r"font-family: ([^;\"]*)", drawing.svg)) == {"var(--sans)"}


def test_ids_of_several_figures_do_not_clash_and_every_reference_is_met(doc):
    """Clip paths and markers belong to their own figure."""
    ids = [name for drawing in drawn(doc) for name in re.findall(r'\bid="([^"]+)"', drawing.svg)]
    assert len(ids) == len(set(ids)) > 0
    used = {name for d in drawn(doc) for name in re.findall(r'(?:url\(|href=")#([^")]+)', d.svg)}
    assert used
    assert used <= set(ids)


def test_figures_are_the_same_every_time_whatever_the_settings(doc):
    """Neither the clock nor the user's matplotlib settings reach the bytes."""
    before = drawn(doc)
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": "other", "lines.linewidth": 9, "axes.grid": True}):
        assert drawn(doc) == before


def test_a_name_with_markup_or_mathematics_stays_text():
    """``<script>`` and ``$`` in a method's name are shown, not read."""
    found = [f.replace(subject=f"{EVIL} $x$") for f in method("plain")]
    methods = digest(document(found, environment={}, timing={})).groups["method"]
    for drawing in (figures.ratio_map(methods), figures.conditioning(methods[0])):
        assert "<script" not in drawing.svg
        texts = ElementTree.fromstring(drawing.svg).itertext()
        assert any(f"{EVIL} $x$" in text for text in texts)


def test_the_ratio_map_shows_the_step_above_the_limit(doc):
    """A ratio above 1 has another colour than one below, and NaN counts as infinite."""

    def colours(ratio):
        route = Evidence(route="exact", verdict=Verdict.PASS, ratio=ratio)
        found = [f.replace(routes=(route,)) for f in method("m") if f.check == "agreement.forward"]
        svg = figures.ratio_map(digest(document(found, environment={}, timing={})).groups["method"]).svg
        return set(re.findall(r"--heat-\d", svg))

    steps = [colours(ratio) for ratio in (0.001, 0.05, 1.0, 1.001, 50.0, float("nan"))]
    assert steps == [{f"--heat-{step}"} for step in (1, 2, 3, 4, 5, 5)]


def test_nothing_to_draw_is_no_figure():
    """An empty document has no figures, and a curve with columns of different length is an error."""
    data = digest(document([], environment={}, timing={}))
    assert figures.verdict_bars(data) is None
    assert figures.ratio_map([]) is None
    odd = Evidence(route="exact", verdict=Verdict.PASS, figures={"condition": [1.0], "error": [], "modelled": [1.0]})
    found = [f.replace(routes=(odd,)) for f in method("m") if f.check == "conditioning"]
    with pytest.raises(ValueError, match="zip"):
        figures.conditioning(digest(document(found, environment={}, timing={})).groups["method"][0])
