"""A page of the report in Chromium: opened, watched for errors and requests, and asked what a reader sees of it."""

from __future__ import annotations

import base64
import hashlib
import re
import time

from axe_playwright_python.sync_playwright import Axe

GRAVE = ("serious", "critical")


def rewritten(text, old, new):
    """The page with a fault planted; the permission of its script is that of the script as it is then."""
    assert old in text, f"nothing to replace: {old}"
    text = text.replace(old, new)
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return re.sub(r"'sha256-[^']*'", f"'sha256-{digest}'", text, count=1)


class Reader:
    """One page, with what went wrong while it was read: errors on the console, and requests for anything else."""

    def __init__(self, page, path):
        self.page, self.address, self.complaints = page, path.as_uri(), []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message):
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request):
        if request.url.partition("#")[0] != self.address:
            self.complaints.append(f"request: {request.url}")

    def open(self, fragment=""):
        self.page.goto(self.address + fragment)
        return self

    def shown(self):
        """Ids of the findings of which at least a line is to be seen on the page."""
        return set(
            self.page.eval_on_selector_all(
                "[data-v]",
                "all => all.filter(e => e.checkVisibility()).map(e => e.id || e.querySelector('[id]').id)",
            )
        )

    def is_open(self, name):
        """Whether what the finding of this id says is on the screen, and stays there."""
        self.page.wait_for_timeout(200)
        return self.page.evaluate(
            """name => {
                const place = document.getElementById(name), box = place.getBoundingClientRect();
                return place.checkVisibility() && box.height > 0 && box.top < innerHeight && box.bottom > 0;
            }""",
            name,
        )

    def until(self, said, seconds=60):
        """Waits for an expression to be true; asked from here, since the page allows no script but its own."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(said):
            assert time.monotonic() < end, f"not so after {seconds} s: {said}"
            self.page.wait_for_timeout(20)

    def wide(self):
        """Elements that make the page wider than the window; none where it need not be scrolled sideways."""
        return self.page.evaluate(
            """() => {
                const root = document.documentElement;
                if (root.scrollWidth <= root.clientWidth) return [];
                return [...document.querySelectorAll('body *')]
                    .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
                    .filter(e => !e.closest('.scroll, pre, svg'))
                    .map(e => e.outerHTML.slice(0, 120)).slice(0, 5).concat([`${root.scrollWidth} px`]);
            }"""
        )

    def inaccessible(self):
        """The grave violations that axe-core finds, each with the first element that it names."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in GRAVE]

    def luminance(self, selector, which):
        """Relative luminance of the computed colour of an element, 0 black to 1 white."""
        colour = self.page.eval_on_selector(selector, f"e => getComputedStyle(e)['{which}']")
        channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
