"""How a figure is drawn: matplotlib with the page's colours and font in its place, as one inline SVG element.

Nothing of the machine's configuration, no date and no random id is in it.  Matplotlib knows no CSS variables, so each
role has a stand-in colour that ``_themed`` replaces afterwards.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import html
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

ROLES: Final = {
    "ink": "#010101",
    "faint": "#010102",
    "paper": "#010103",
    "wrong": "#010104",
    "care": "#010105",
    "open": "#010106",
    "right": "#010107",
    "series-1": "#010108",
    "series-2": "#010109",
    "series-3": "#01010a",
    "series-4": "#01010b",
    "heat-1": "#01010c",
    "heat-2": "#01010d",
    "heat-3": "#01010e",
    "heat-4": "#01010f",
    "heat-5": "#010110",
}
_ENTERED: Final = contextvars.ContextVar("_ENTERED", default=False)
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One figure: the SVG, what it shows in words, and its data as a table."""

    name: str
    title: str
    caption: str
    svg: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@contextlib.contextmanager
def plain_settings() -> Iterator[None]:
    """Draw with matplotlib's own defaults and ours, whatever the machine or the caller has set; a decorator too.

    A page enters them once around all of its figures: to set them takes longer than to draw most.
    """
    if _ENTERED.get():
        yield
        return
    import matplotlib

    ink = ROLES["ink"]
    token = _ENTERED.set(True)
    try:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            settings: Any = (
                {"svg.fonttype": "none", "svg.hashsalt": "wnverify", "text.parse_math": False}
                | {"font.size": 9, "text.color": ink, "lines.markeredgewidth": 0, "axes.linewidth": 0.6}
                | {"axes.edgecolor": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink}
                | {"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"}
            )
            matplotlib.rcParams.update(settings)
            yield
    finally:
        _ENTERED.reset(token)


def power_of_ten(value: float) -> str:
    """The label of a logarithmic axis."""
    return f"10{str(round(math.log10(value))).translate(_SUPERSCRIPT)}" if value > 0 else ""


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure (inches) and its axes, without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def svg_of(figure: Any, name: str, alt: str) -> str:
    """The figure as an ``<svg>`` element: labelled, ids prefixed by its name, no address, no fixed colour or font."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    # What ``savefig`` does, without its first pass over every artist, which only asks for the layout.
    canvas: Any = FigureCanvasSVG(figure)
    figure.dpi = 72
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    canvas.print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    body = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    view_box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', body)
    if view_box is None:
        raise RuntimeError("matplotlib wrote an SVG without a viewBox at the origin")
    opening = (
        f'<svg {view_box[0]} style="--natural: {float(view_box[1]):.0f}" role="img" '
        f'aria-label="{html.escape(alt)}"><title>{html.escape(alt)}</title>'
    )
    return opening + _themed(_own_ids(_bare(body[body.index(">") + 1 :]), f"fig-{name}")).strip()


def _bare(body: str) -> str:
    """Without the style sheet, which would reach the whole page, ids of mere groups, and needless digits of paths."""
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0].replace("\n", " ")), body)
    return re.sub(r"<defs>\s*</defs>", "", body)


def _own_ids(body: str, prefix: str) -> str:
    """Ids and references to them with a prefix, so that several inline figures do not clash."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "-", prefix)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{safe}-\1"', body)
    body = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{safe}-\1"', body)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{safe}-\1)", body)


def _themed(body: str) -> str:
    """Stand-in colours replaced by the page's CSS variables, named fonts by the page's own."""
    variables: Mapping[str, str] = {colour: f"var(--{role})" for role, colour in ROLES.items()}
    body = re.sub("|".join(variables), lambda found: variables[found[0]], body)
    body = re.sub(r"(font: [^;\"]*?px |font-family: )[^;\"]+", r"\1var(--sans)", body)
    return re.sub(r"\s*\n\s*", "\n", body)
