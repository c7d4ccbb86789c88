"""The HTML report in real Chromium: read, narrowed, followed, on a phone, in the dark, on paper and without scripts.

The last tests plant faults in the page: each thing that is watched for here is seen to be noticed.
"""

from pathlib import Path

import pytest

from wnverify.report.digest import QUIET
from wnverify.report.results import findings_of

REFERENCE = Path(__file__).parents[2] / "reports" / "report.html"
PASS = "check/variant_0/gradient.vjp/float32-4x6"
REFUTED = "claim/wn/eq-00"
WAYS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"phone": True},
    "no-script": {"java_script_enabled": False},
}
NARROWED = {
    "verdict": ("verdict=refuted", lambda f: f.verdict == "refuted"),
    "two-verdicts": ("verdict=fail&verdict=hazard", lambda f: f.verdict in ("fail", "hazard")),
    "paper": ("paper=cwn", lambda f: f.subject in ("cwn", "variant_1")),
    "method": ("method=variant_1", lambda f: f.subject == "variant_1"),
    "check": ("check=gradient.vjp", lambda f: f.check == "gradient.vjp"),
    "family": ("check=edge.", lambda f: f.family == "edge"),
    "words": ("text=Summed+bfloat16", lambda f: "summed in bfloat16" in f.message),
    "words-of-a-pass": ("text=reference+in+float64", lambda f: "reference in float64" in f.statement),
    "together": ("method=variant_1&verdict=pass", lambda f: f.subject == "variant_1" and f.verdict == "pass"),
}


def ids(doc, fits=lambda finding: True):
    return {finding.id for finding in findings_of(doc) if fits(finding)}


def told(reader):
    return reader.page.text_content("#find-status")


@pytest.mark.parametrize("way", WAYS)
def test_it_opens_without_an_error_and_without_asking_for_anything(reader, way):
    """From a file: nothing on the console, no request beside the page, whoever reads it."""
    opened = reader(**WAYS[way]).open()
    assert "wnverify" in opened.page.title()
    assert opened.complaints == []


@pytest.mark.parametrize("asked", NARROWED)
def test_it_is_narrowed_to_what_an_address_asks_for(reader, doc, asked):
    """By verdict, paper, method, check and words: exactly these findings are shown, and their number is said."""
    query, fits = NARROWED[asked]
    wanted = ids(doc, fits)
    narrowed = reader().open(f"#?{query}")
    assert narrowed.shown() == wanted
    assert 0 < len(wanted) < len(findings_of(doc))
    assert told(narrowed).startswith(f"{len(wanted):,} of {len(findings_of(doc)):,} findings")
    assert narrowed.complaints == []


def test_the_form_narrows_and_is_kept_in_the_address_until_it_is_cleared(reader, doc):
    """Each field by hand; the address then says what was asked, and after clearing the whole page is back."""
    opened = reader().open()
    page = opened.page
    page.click("#find summary")
    page.check("#find [value=fail]")
    page.select_option("#find [name=method]", "orthogonal_weight_normalization")
    page.fill("#find [name=check]", "agreement.backward")
    page.fill("#find-text", "bfloat16")
    opened.until("location.hash.includes('bfloat16')")
    assert opened.shown() == {"method/orthogonal_weight_normalization/agreement.backward/bfloat16"}
    assert "verdict=fail" in page.url
    page.click("#find [type=reset]")
    opened.until("location.hash === ''")
    assert told(opened) == ""
    assert not page.is_checked("#find [value=fail]")
    assert page.locator(".off").count() == 0
    assert page.locator(".families details[open]").count() == 0
    page.select_option("#find [name=paper]", "own")
    opened.until("location.hash.includes('own')")
    assert opened.shown() == ids(doc, lambda f: f.subject == "own")


def test_what_nobody_found_is_said(reader):
    """No finding, no silence."""
    opened = reader().open("#?text=no+such+words+anywhere")
    assert opened.shown() == set()
    assert told(opened) == "No finding is like that."


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_link_of_the_summary_leads_to_its_finding(reader, script):
    """Every accused statement of the opening is one click from its evidence."""
    opened = reader(java_script_enabled=script).open()
    link = opened.page.locator(".striking a").first
    name = link.get_attribute("href")[1:]
    link.click()
    assert opened.is_open(name)
    assert opened.complaints == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("name", [PASS, "claim/wn/eq-06", "check/selftest/selftest.kill/fault-07.gradient.jvp"])
def test_an_address_of_a_finding_opens_it(reader, doc, name, script):
    """Also where it stands in a closed line of a closed family: its statement and its replay command are seen."""
    (finding,) = (f for f in findings_of(doc) if f.id == name)
    assert finding.verdict in QUIET
    opened = reader(java_script_enabled=script).open(f"#{name}")
    assert opened.is_open(name)
    place = opened.page.locator(f'[id="{name}"]')
    assert finding.statement in place.inner_text()
    assert finding.replay is None or finding.replay in place.inner_text()


def test_a_link_to_a_finding_that_is_filtered_away_clears_the_filter(reader):
    """Nobody is led to nothing."""
    opened = reader().open("#?verdict=refuted")
    opened.page.evaluate("name => { location.hash = name; }", PASS)
    opened.until("!document.body.classList.contains('narrowed')")
    assert opened.is_open(PASS)


def test_the_filter_is_reached_and_used_with_the_keyboard_alone(reader, doc):
    """Tab to the field, words, Tab to the verdicts, space; then on to the first finding, which has the focus."""
    opened = reader().open()
    page = opened.page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "find-text":
            break
    page.keyboard.type("eq-00")
    opened.until("document.getElementById('find-status').textContent")
    assert opened.shown() == ids(doc, lambda f: f.check == "eq-00")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    opened.until("location.hash.includes('verdict')")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#find-status') !== null"):
            break
    page.keyboard.press("Enter")
    opened.until("document.activeElement.matches('[data-v]')")
    assert opened.is_open(page.evaluate("document.activeElement.id"))


def test_a_phone_need_not_scroll_sideways(reader):
    """At 360 pixels, whole and narrowed, with every line open."""
    opened = reader(phone=True).open()
    assert opened.wide() == []
    opened.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert opened.wide() == []
    assert reader(phone=True).open("#?verdict=refuted").wide() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(reader, scheme):
    """Dark on light, or light on dark, as the reader's system is set; drawings and tags too."""
    opened = reader(color_scheme=scheme).open()
    dark = scheme == "dark"
    assert (opened.luminance("body", "backgroundColor") < 0.5) == dark
    for selector, which in (("body", "color"), ("figure svg text", "fill"), (".tag", "color"), ("nav a", "color")):
        assert (opened.luminance(selector, which) > 0.2) == dark


def test_on_paper(reader, doc):
    """Black on white in every scheme; no form, no contents; every finding that is no pass in full."""
    opened = reader(color_scheme="dark").open()
    opened.page.emulate_media(media="print")
    assert opened.luminance("body", "backgroundColor") == 1
    assert opened.luminance("article .statement", "color") == 0
    assert opened.luminance("article .place", "color") < 0.2
    assert opened.luminance(".tag", "color") < 0.2
    assert not opened.page.is_visible("#find")
    assert not opened.page.is_visible("nav")
    assert opened.shown() >= ids(doc, lambda f: f.verdict not in QUIET)
    assert opened.page.pdf().startswith(b"%PDF")


def test_without_scripts_every_finding_is_in_the_page(reader, doc):
    """Each is shown as soon as the lines around it are opened, which needs no script; the form is not shown."""
    opened = reader(java_script_enabled=False).open()
    assert not opened.page.is_visible("#find")
    assert opened.shown() >= ids(doc, lambda f: f.verdict not in QUIET)
    opened.page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert opened.shown() == ids(doc)


@pytest.mark.parametrize("fragment", ["", "#?verdict=refuted&verdict=pass&method=variant_1"], ids=["whole", "narrowed"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave(reader, scheme, fragment):
    """No serious and no critical violation of axe-core."""
    opened = reader(color_scheme=scheme).open(fragment)
    assert opened.inaccessible() == []


def test_axe_finds_nothing_grave_on_a_phone_with_every_line_open(reader):
    """Also in the tables and listings that are scrolled there."""
    opened = reader(phone=True).open()
    opened.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert opened.inaccessible() == []


def test_the_reference_report_opens(reader):
    """The page that the repository keeps: no error, no request, no scrolling sideways on a phone."""
    opened = reader(file=REFERENCE, phone=True).open()
    assert opened.wide() == []
    assert opened.complaints == []


COMPLAINTS = {
    "image": ("</main>", '<img src="https://example.invalid/x.png" alt="x"></main>'),
    "image-that-is-allowed": ("default-src 'none'", "default-src *"),
    "console-error": ('"use strict";', '"use strict"; console.error("planted");'),
    "exception": ('"use strict";', '"use strict"; planted();'),
    "foreign-script": ("</main>", "<script>planted</script></main>"),
}


@pytest.mark.parametrize("fault", COMPLAINTS)
def test_planted_errors_and_requests_are_noticed(reader, text, fault):
    """An image from elsewhere, an error on the console, an exception, a script that is not the page's own."""
    opened = reader(COMPLAINTS[fault])
    if fault == "image-that-is-allowed":
        path = Path(opened.address.removeprefix("file://"))
        image = '<img src="file:///nowhere.png" alt="x"></main>'
        path.write_text(path.read_text("utf-8").replace("</main>", image), encoding="utf-8")
    assert opened.open().complaints


INACCESSIBLE = {
    "no-label": ('<label for="find-text">', "<label>"),
    "no-alt": ('role="img" aria-label="Share', 'role="img" data-label="Share'),
    "pale": ("--soft: #596066", "--soft: #b9c0c6"),
    "no-language": ('<html lang="en">', "<html>"),
}


@pytest.mark.parametrize("fault", INACCESSIBLE)
def test_planted_barriers_are_noticed(reader, fault):
    """A field without its label, a figure without a name, pale text, no language."""
    planted = reader(INACCESSIBLE[fault])
    if fault == "no-alt":
        planted.page.add_init_script("addEventListener('load', () => document.querySelector('svg > title').remove())")
    assert planted.open().inaccessible()


WIDE = {
    "words": ("<main>", "<main><p style='white-space: nowrap; overflow-wrap: normal'>" + "a word " * 20 + "</p>"),
    "cells": ("table.stack tbody th { white-space: normal;", "table.stack tbody th { white-space: nowrap;"),
}


@pytest.mark.parametrize("fault", WIDE)
def test_a_planted_wide_line_is_noticed(reader, fault):
    """Words, or the place of a statement, on a line that no phone can hold."""
    assert reader(WIDE[fault], phone=True).open().wide()


BROKEN = {
    "verdict-ignored": ("!want.verdicts.has(finding.verdict)", "false"),
    "paper-ignored": ('!want.paper.includes(finding.subject.split(".")[0])', "false"),
    "method-ignored": ("finding.subject === want.method", "true"),
    "check-ignored": ("!finding.check.toLowerCase().startsWith(want.check)", "false"),
    "words-ignored": ("finding.text.includes(word)", "true"),
    "lines-stay-closed": ("for (const element of opened) element.open = true;", ""),
}
ASKED = dict(zip(BROKEN, ("verdict", "paper", "method", "check", "words", "words-of-a-pass"), strict=True))


@pytest.mark.parametrize("fault", BROKEN)
def test_a_planted_filter_that_shows_too_much_or_too_little_is_noticed(reader, doc, fault):
    """Each condition of the script left out."""
    query, fits = NARROWED[ASKED[fault]]
    assert reader(BROKEN[fault]).open(f"#?{query}").shown() != ids(doc, fits)


LOST = {
    "id-outside": (f'<div id="{PASS}">', f'<div data-id="{PASS}">'),
    "no-dark": ("@media screen and (prefers-color-scheme: dark)", "@media braille"),
    "no-paper": ("nav, .skip, #find { display: none; }", ""),
    "form-shown": ('aria-label="Findings" hidden', 'aria-label="Findings"'),
}


def test_planted_losses_are_noticed(reader):
    """A finding without its address, no dark colours, contents on paper, a form that does nothing without a script."""
    assert not reader(LOST["id-outside"]).open(f"#{PASS}").page.locator(f'[id="{PASS}"]').count()
    assert reader(LOST["no-dark"], color_scheme="dark").open().luminance("body", "backgroundColor") > 0.5
    printed = reader(LOST["no-paper"]).open()
    printed.page.emulate_media(media="print")
    assert printed.page.is_visible("nav")
    assert reader(LOST["form-shown"], java_script_enabled=False).open().page.is_visible("#find")
