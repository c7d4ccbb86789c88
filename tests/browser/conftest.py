"""Chromium once for all tests, the report of a small document, and copies of it with a fault planted."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from browsing import Reader, rewritten
from report_documents import realistic

from wnverify.report.views import html

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def chromium():
    """A browser; an error says how to get one, since nothing of this folder may be skipped."""
    path = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if path is None:
        pytest.fail("no Chromium: apt-get install chromium, or name one: make test-browser CHROMIUM=/path/to/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], timeout=180_000
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def doc():
    """A document with every kind and every verdict, and places of more than one line."""
    made = realistic(subjects=2, cases=1)
    for finding in made["findings"]:
        if finding["kind"] == "claim":
            finding["place"] = "Secs. 3.1–3.2 and the text before eq. 6 (no line says it, every line needs it)"
            finding["conditions"] = [*finding["conditions"], f"read as: see {'a_path/without_a_space/' * 4}"]
    return made


@pytest.fixture(scope="session")
def text(doc):
    """Its page."""
    return html.render(doc)


@pytest.fixture
def reader(chromium, text, tmp_path):
    """Makes a reader of the page, or of one in which ``planted`` (what stands there, what is put there) is wrong."""
    contexts = []

    def make(planted=None, phone=False, file=None, **context):
        path = Path(file or tmp_path / f"report{len(contexts)}.html")
        if file is None:
            path.write_text(rewritten(text, *planted) if planted else text, encoding="utf-8")
        contexts.append(chromium.new_context(viewport=PHONE if phone else DESK, **context))
        contexts[-1].set_default_timeout(180_000)
        return Reader(contexts[-1].new_page(), path)

    yield make
    for context in contexts:
        context.close()
