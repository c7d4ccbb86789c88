"""The HTML report: one file, nothing outside it, every finding with its evidence, what is no pass in full."""

import base64
import hashlib
import html.parser
import itertools
import re
from collections import Counter
from urllib.parse import unquote

import jinja2
import pytest
from report_documents import EVIL, array, audit, check, realistic

from wnverify.finding import Verdict
from wnverify.report.digest import QUIET, digest
from wnverify.report.results import document, take_part
from wnverify.report.views import html as view

EMPTY = document([], environment={}, timing={})
VOID = {"meta", "link", "br", "img", "input", "hr", "base", "col", "embed", "source", "track", "wbr", "area"}


class Page(html.parser.HTMLParser):
    """A page as its elements: tag, attributes, text inside, open ancestors; unbalanced tags are an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "inside": [e["tag"] for e in self._open]}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": "", "inside": [e["tag"] for e in self._open]})

    def handle_endtag(self, tag):
        assert self._open[-1]["tag"] == tag, f"</{tag}> closes <{self._open[-1]['tag']}>"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def by_id(self):
        return {element["attrs"]["id"]: element for element in self.elements if "id" in element["attrs"]}


def untold(text, doc):
    """Ids of findings that the page fails to show as it must: each with its words, what is no pass as an article."""
    places = Page(text).by_id()
    missing = []
    for finding in digest(doc).findings:
        place = places.get(finding.id)
        told = place is not None
        if told:
            wanted = (finding.statement, finding.replay or "", finding.corrected or "", *finding.conditions)
            told = all(words in place["text"] for words in wanted)
        if told and finding.verdict not in QUIET:
            told = place["tag"] == "article" and finding.message in place["text"]
        if not told:
            missing.append(finding.id)
    return missing


@pytest.fixture(scope="module")
def rendered():
    """The realistic document with its page."""
    doc = realistic()
    return doc, view.render(doc)


def test_every_finding_is_told_and_every_one_that_is_no_pass_in_full(rendered):
    """Statement, conditions, correction and replay command stand under the id of the finding; the message too."""
    doc, text = rendered
    assert untold(text, doc) == []


LOOPS = [
    ("statements.html.jinja", "{% for finding in group.loud %}", "{% for finding in group.loud[1:] %}"),
    ("audits.html.jinja", "{% for finding in subject.loud %}", "{% for finding in subject.loud[:-1] %}"),
    ("methods.html.jinja", "{% for finding in method.loud %}", "{% for finding in method.loud[1:] %}"),
    ("selftest.html.jinja", "{% for finding in data.selftest.loud %}", "{% for finding in [] %}"),
    ("performance.html.jinja", "{% for finding in subject.loud %}", "{% for finding in [] %}"),
    ("finding.html.jinja", "{% for finding in passed %}", "{% for finding in passed[1:] %}"),
    ("finding.html.jinja", "<pre class=\"replay\">{{ finding.replay }}</pre>", ""),
    ("finding.html.jinja", "<p>{{ finding.statement }}{% if not in_a_note", "<p>{% if not in_a_note"),
    ("statements.html.jinja", "{% for finding in group.quiet %}", "{% for finding in group.quiet[1:] %}"),
    ("finding.html.jinja", "<p class=\"message\">{{ finding.message }}</p>", ""),
    ("finding.html.jinja", "<pre class=\"replay\"><code>{{ finding.replay }}</code></pre>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "wrong"), LOOPS)
def test_a_template_that_loses_a_finding_is_noticed(rendered, name, right, wrong):
    """The planted faults of this view: each loop shortened, each field left out."""
    sources = {path.name: path.read_text("utf-8") for path in view._TEMPLATES.iterdir()}
    assert right in sources[name]
    sources[name] = sources[name].replace(right, wrong)
    assert untold(view.render(rendered[0], loader=jinja2.DictLoader(sources)), rendered[0])


def test_nothing_outside_the_file_is_named(rendered):
    """No style sheet, no image, no font, no import, no address, one script of its own: only anchors of the page."""
    _, text = rendered
    page = Page(text)
    tags = {element["tag"] for element in page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "image"}
    (script,) = page.all("script")
    assert script["attrs"] == {}
    assert not re.search(r"fetch|XMLHttp|import|innerHTML|eval|document\.write|WebSocket", script["text"])
    for element in page.elements:
        for name, value in element["attrs"].items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "data", "action", "poster", "xlink:href", "href"):
                assert value.startswith("#"), (name, value)
    assert set(re.findall(r"url\(([^)]{0,3})", text)) <= {"#fi"}
    assert not re.search(r"://|@import|@font-face|src\s*:", text)


def test_the_page_allows_no_script_but_its_own(rendered):
    """Its policy names the hash of that script, and no source for anything else."""
    page = Page(rendered[1])
    (policy,) = (e["attrs"]["content"] for e in page.all("meta") if "http-equiv" in e["attrs"])
    digest = hashlib.sha256(page.all("script")[0]["text"].encode()).digest()
    allowed = dict(part.split(maxsplit=1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_every_anchor_leads_somewhere_and_no_id_is_used_twice(rendered):
    """Findings can be linked by their id."""
    page = Page(rendered[1])
    ids = Counter(element["attrs"]["id"] for element in page.elements if "id" in element["attrs"])
    assert max(ids.values()) == 1
    links = {unquote(element["attrs"]["href"][1:]) for element in page.all("a")}
    assert links
    assert links <= set(ids)


def test_headings_tables_and_figures_have_their_names(rendered):
    """One h1, no level left out, each table with headers of its columns, each figure with a label."""
    page = Page(rendered[1])
    levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch(r"h[1-6]", e["tag"])]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    tables = [part.partition("</table>")[0] for part in rendered[1].split("<table")[1:]]
    assert len(tables) > 20
    assert all('<th scope="col"' in table for table in tables)
    assert all(svg["attrs"].get("aria-label") for svg in page.all("svg"))
    assert page.all("svg")


def test_verdicts_are_words_and_not_only_colours(rendered):
    """Every tag carries its word."""
    tags = [e for e in Page(rendered[1]).all("span") if e["attrs"].get("class", "").startswith("tag ")]
    words = {*map(str, Verdict), "caught", "missed", "silent", "false alarm"}
    assert len(tags) > 100
    for tag in tags:
        word = tag["text"].partition(",")[0]
        assert word in words


def test_three_thousand_findings_stay_below_four_megabytes():
    """Every one with its evidence; the page stays small enough for a phone."""
    found = [finding for index in range(30) for finding in audit(f"subject-{index}", 6, flaws=10)]
    doc = document(found, environment={}, timing={})
    assert len(found) >= 3000
    text = view.render(doc)
    assert len(text.encode()) < 4_000_000
    assert untold(text, doc) == []


def test_passes_are_condensed_to_a_line_of_their_family(rendered):
    """A pass is a closed line and no article; the family says how many."""
    doc, text = rendered
    places = Page(text).by_id()
    passes = [f for f in digest(doc).groups["check"][0].findings if f.verdict is Verdict.PASS]
    assert {places[f.id]["tag"] for f in passes} == {"div"}
    assert {places[f.id]["inside"][-3:] == ["details", "div", "details"] for f in passes} == {True}
    assert not [e for e in Page(text).all("details") if "open" in e["attrs"]]
    assert re.search(r"<b>gradient</b> .*12 pass", text)


def test_what_a_subject_writes_is_never_read_as_markup():
    """A subject named <script> with markup in every field is shown as text, in sections, tables and figures."""
    markup = f"\"{EVIL}'</title></style></svg>&amp;"
    evil = [
        check("s", "a.b", Verdict.FAIL).replace(
            message=markup, statement=markup, replay=markup, place=markup, conditions=(markup,), corrected=markup
        ),
        check("s", "a.c", Verdict.PASS),
        *audit("t", 1)[:1],
    ]
    evil = [finding.replace(subject=EVIL) for finding in evil]
    evil[0] = evil[0].replace(witness={markup: array(1, 2), "note": markup})
    doc = document(
        evil,
        environment={"cpu": markup},
        timing={markup: 1.0},
        coverage={"p": {"rows": 1, "decided": 0, "title": EVIL}},
    )
    text = view.render(doc)
    assert [e["text"] for e in Page(text).all("script")] == [e["text"] for e in Page(view.render(EMPTY)).all("script")]
    assert untold(text, doc) == []
    assert [e["text"] for e in Page(text).all("h3") if "alert" in e["text"]] == [EVIL, f"{EVIL} parametrization"]


def test_the_same_document_gives_the_same_bytes(rendered):
    """A view is a pure function of the document."""
    assert view.render(rendered[0]) == rendered[1]


def test_the_opening_says_how_far_to_trust_the_report(rendered):
    """Kill rate with its bound, false alarms with theirs, and a plain warning where there was no selftest."""
    trust = Page(rendered[1]).by_id()["trust"]["text"]
    assert "54 of 55" in trust
    assert "at most 8.4 %" in trust
    assert "0 of 20" in trust
    assert "at most 14 %" in trust
    assert "No selftest is part of this report" in view.render(EMPTY)


def test_the_kill_matrix_has_a_row_for_each_variant_and_frames_the_meant_check(rendered):
    """Each wrong variant shows the verdict of the check that was meant to catch it."""
    text = rendered[1].partition('<table class="kill">')[2].partition("</table>")[0]
    assert text.count('<th scope="row">') == 75
    framed = re.findall(r'<td class="(wrong )?meant"', text)
    assert len(framed) == 55
    assert framed.count("wrong ") == 54


def test_the_matrix_is_drawn_from_the_sheet_of_each_variant(rendered):
    """Columns are the checks that any sheet names, grouped by family."""
    matrix = view.kill_matrix(digest(rendered[0]))
    assert len(matrix.columns) == sum(width for _, width in matrix.families) == 17
    assert [name for name, _ in matrix.families] == ["contract", "edge", "gradient", "precision", "property"]


def test_a_stale_part_is_shown_as_stale():
    """Its findings carry the mark, the opening says so, and no count includes them."""
    part = document(audit("old", 1, flaws=2), environment={}, timing={}, parts={"audit": {"source": "0"}})
    text = view.render(take_part(EMPTY, part))
    page = Page(text)
    assert "the source has changed since audit last ran" in page.by_id()["summary"]["text"]
    assert all("stale" in article["text"] for article in page.all("article"))
    assert len(page.all("article")) == 2
    assert "This report examines 1 audited subject in 0 checks." in page.by_id()["summary"]["text"]


def test_an_empty_document_is_a_page():
    """Nothing examined is said, not an error."""
    text = view.render(EMPTY)
    assert "Nothing: no statement was refuted and no check failed." in text
    assert "No times were recorded." in text


def test_the_opening_counts_what_was_examined(rendered):
    """Kinds that are absent are not mentioned; the selftest is no audited subject."""
    opening = "This report examines 42 statements of 3 papers (11 more are not yet decided), "
    opening += "3 methods in 36 numerical comparisons, 4 audited subjects in 204 checks, "
    opening += "1 theoretical statement, 1 experimental finding and 2 benchmarks."
    assert opening in rendered[1]
    assert "examines nothing." in view.render(EMPTY)


def test_a_witness_keeps_its_lines_and_its_exact_values():
    """A listing can be pasted as it stands, and hexadecimal values are beside the rounded ones."""
    code = "import torch\nf(V) < 2"
    finding = check("s", "a.b", Verdict.FAIL).replace(witness={"V": array(1, 2), "snippet": code})
    text = view.render(document([finding], environment={}, timing={}))
    assert [pre["text"] for pre in Page(text).all("pre")][:3] == [
        "-1.66667  0.666667",
        code,
        "  ".join(array(1, 2)["hex"]) + "\n",
    ]


def test_of_thousands_of_times_the_largest_are_shown_and_all_counted():
    """A hundred rows, the largest numbers, with the number of all."""
    timing = {f"item {n:04d}": {"seconds": float(n)} for n in range(1500)}
    text = view.render(document([], environment={}, timing=timing))
    assert "1500 measured times" in text.replace(",", "")
    assert text.count("seconds</td>") == 100
    assert "item 1499" in text
    assert "item 1300" not in text
