"""Figures as inline SVG that takes its colours and its font from the page, with the data they were drawn from.

The same document gives the same bytes: nothing of the machine's configuration, no date and no random id is in them.
Matplotlib knows no CSS variables, so each role has a stand-in colour that ``_themed`` replaces afterwards.
"""

from __future__ import annotations

import dataclasses
import functools
import html
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from wnverify.finding import Finding, number
from wnverify.report.digest import SELFTEST, TONE, Digest, Subject, counts, dtype_order, worst_ratio
from wnverify.report.wording import KIND_NAMES, short, tally

_Given = TypeVar("_Given")
_ROLES: Final = {
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
_HEAT_EDGES: Final = (0.01, 0.1, 1.0, 10.0)
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
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


def _in_plain_settings(draw: Callable[[_Given], Drawing | None]) -> Callable[[_Given], Drawing | None]:
    """Draw with matplotlib's own defaults and ours, whatever the machine or the caller has set."""

    @functools.wraps(draw)
    def drawn(given: _Given) -> Drawing | None:
        import matplotlib

        ink = _ROLES["ink"]
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            settings: Any = (
                {"svg.fonttype": "none", "svg.hashsalt": "wnverify", "text.parse_math": False}
                | {"font.size": 9, "text.color": ink, "lines.markeredgewidth": 0, "axes.linewidth": 0.6}
                | {"axes.edgecolor": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink}
                | {"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"}
            )
            matplotlib.rcParams.update(settings)
            return draw(given)

    return drawn


@_in_plain_settings
def verdict_bars(data: Digest) -> Drawing | None:
    """For each kind of finding one bar, divided by the share of each verdict."""
    judged = [finding for finding in data.current if finding.subject != SELFTEST]
    groups = {name: [finding for finding in judged if finding.kind == kind] for kind, name in KIND_NAMES.items()}
    bars = {name: counts(findings) for name, findings in groups.items() if findings}
    if not bars:
        return None
    figure, axes = _figure(5.2, 0.29 * len(bars) + 0.4)
    for row, counted in enumerate(bars.values()):
        total, left = sum(count for _, count in counted), 0.0
        for verdict, count in reversed(counted):
            share = count / total
            axes.barh(row, share, left=left, height=0.62, color=_ROLES[TONE[verdict]], edgecolor=_ROLES["paper"])
            label = f"{verdict} {count:,}"
            if share > 0.02 * len(label) + 0.01:
                _cell_text(axes, left + share / 2, row, label, "paper")
            left += share
        axes.text(1.012, row, f"{total:,}", ha="left", va="center_baseline")
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    title = "Share of each verdict by kind of finding"
    caption = f"{title}: right (green), open (grey), right with a reservation (ochre), wrong (red)."
    described = "; ".join(f"{name}: {tally(counted)}" for name, counted in bars.items())
    rows = [(name, str(verdict), str(count)) for name, counted in bars.items() for verdict, count in counted]
    svg = _svg(figure, "verdicts", f"{title}. {described}")
    return Drawing("verdicts", title, caption, svg, ("kind", "verdict", "findings"), rows)


@_in_plain_settings
def ratio_map(methods: Sequence[Subject]) -> Drawing | None:
    """Worst ratio of each method and dtype, forward and backward, in five steps around the limit 1."""
    cells = {
        (method.name, finding.check.partition(".")[2], finding.case): _value(worst_ratio(finding))
        for method in methods
        for finding in method.findings
        if finding.family == "agreement" and worst_ratio(finding) is not None
    }
    if not cells:
        return None
    names = sorted({name for name, _, _ in cells})
    columns = sorted({key[1:] for key in cells}, key=lambda key: (key[0] != "forward", key[0], dtype_order(key[1])))
    figure, axes = _figure(1.9 + 0.72 * len(columns), 0.9 + 0.3 * len(names))
    for (name, which, dtype), ratio in sorted(cells.items()):
        x, y = columns.index((which, dtype)), names.index(name)
        step = sum(ratio > edge for edge in _HEAT_EDGES) + 1
        fill = _ROLES[f"heat-{step}"]
        axes.barh(y, 0.96, left=x - 0.48, height=0.92, color=fill, linewidth=0)
        _cell_text(axes, x, y, short(ratio), "paper" if step == len(_HEAT_EDGES) + 1 else "ink")
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(columns)), [f"{dtype}\n{which}" for which, dtype in columns])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    title = "Worst ratio of observed to modelled error, by method and floating-point type"
    caption = f"{title}. At most 1 passes: grey-green, darker towards the limit; above 1 reddish."
    rows = [(name, which, dtype, short(ratio)) for (name, which, dtype), ratio in sorted(cells.items())]
    alt = f"{title}. The largest is {short(max(cells.values()))}."
    svg = _svg(figure, "ratios", alt)
    return Drawing("ratios", title, caption, svg, ("method", "direction", "dtype", "worst ratio"), rows)


@_in_plain_settings
def conditioning(method: Subject) -> Drawing | None:
    """Error against condition number for each dtype of one method, log–log, with the modelled error as a line."""
    series = {finding.case: _points(finding) for finding in method.findings if finding.check == "conditioning"}
    series = {dtype: series[dtype] for dtype in sorted(series, key=dtype_order) if series[dtype]}
    if not series:
        return None
    figure, axes = _figure(4.3, 3.0)
    for index, (dtype, points) in enumerate(series.items()):
        colour, dashes = _ROLES[f"series-{index % 4 + 1}"], _DASHES[index % 4]
        drawn = [point for point in points if all(0 < value < math.inf for value in point)]
        axes.plot([p[0] for p in drawn], [p[2] for p in drawn], color=colour, linestyle=dashes, linewidth=1.1)
        marker = {"marker": "osD^"[index % 4], "markersize": 3.4, "linewidth": 0}
        axes.plot([p[0] for p in drawn], [p[1] for p in drawn], color=colour, label=dtype, **marker)
    axes.set_xscale("log")
    axes.set_yscale("log")
    spacing = {"handletextpad": 0.1, "columnspacing": 1.2}
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8, **spacing)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: _power_of_ten(value))
        axis.set_minor_formatter(lambda *_: "")
    axes.minorticks_off()
    axes.set_xlabel("condition number")
    axes.set_ylabel("relative error")
    axes.grid(visible=True, color=_ROLES["faint"], linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = f"{method.name}: error against condition number"
    caption = f"{title}. Points: observed; lines: modelled."
    rows = [(dtype, *map(short, point)) for dtype, points in series.items() for point in points]
    alt = f"{caption} Floating-point types: {', '.join(series)}."
    name = f"conditioning-{method.name}"
    return Drawing(
        name, title, caption, _svg(figure, name, alt), ("dtype", "condition number", "error", "modelled"), rows
    )


@_in_plain_settings
def curve(finding: Finding) -> Drawing | None:
    """The curves that a finding carries: series over one size, with the axes that it names."""
    found: Any = next((route.figures["curve"] for route in finding.routes if "curve" in route.figures), None)
    if not found:
        return None
    figure, axes = _figure(4.3, 2.7 + 0.17 * len(found["series"]))
    at = [number(x) for x in found["at"]]
    for index, (label, values) in enumerate(found["series"].items()):
        points = [(x, number(y)) for x, y in zip(at, values, strict=True) if y is not None]
        style = {"color": _ROLES[f"series-{index % 4 + 1}"], "linestyle": _DASHES[index % 4], "linewidth": 1.1}
        marker: dict[str, Any] = {"marker": "osD^"[index % 4], "markersize": 3.2}
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, **style, **marker)
    from matplotlib.ticker import LogLocator, MaxNLocator

    if all(x == int(x) for x in at):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in found.get("log", ()):
        getattr(axes, f"set_{axis}scale")("log", base=2 if axis == "x" else 10)
        if axis == "y":
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        getattr(axes, f"{axis}axis").set_major_formatter(lambda value, _: short(value))
        getattr(axes, f"{axis}axis").set_minor_formatter(lambda *_: "")
    figure.legend(loc="outside upper center", ncols=1, frameon=False, fontsize=8, handlelength=2.6)
    axes.minorticks_off()
    axes.set_xlabel(found["x"])
    axes.set_ylabel(found["y"])
    axes.grid(visible=True, color=_ROLES["faint"], linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = f"{finding.subject}: {found['y']} against {found['x']} ({finding.check})"
    header = (found["x"], *found["series"])
    columns = list(found["series"].values())
    rows = [
        (short(x), *("–" if column[row] is None else short(number(column[row])) for column in columns))
        for row, x in enumerate(at)
    ]
    name = f"curve-{finding.subject}-{finding.check}"
    return Drawing(name, title, f"{title}. {finding.statement}", _svg(figure, name, title), header, rows)


def _cell_text(axes: Any, x: float, y: float, text: str, role: str) -> None:
    axes.text(x, y, text, ha="center", va="center_baseline", color=_ROLES[role], size=8.5)


def _points(finding: Finding) -> list[tuple[float, float, float]]:
    for route in finding.routes:
        columns: Any = [route.figures.get(key) for key in ("condition", "error", "modelled")]
        if all(isinstance(column, Sequence) for column in columns):
            return [(number(x), number(y), number(z)) for x, y, z in zip(*columns, strict=True)]
    return []


def _value(ratio: float | None) -> float:
    """NaN counts as infinite: nothing was bounded."""
    return math.inf if ratio is None or math.isnan(ratio) else ratio


def _power_of_ten(value: float) -> str:
    return f"10{str(round(math.log10(value))).translate(_SUPERSCRIPT)}" if value > 0 else ""


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure (inches) and its axes, without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Any, name: str, alt: str) -> str:
    """The figure as an ``<svg>`` element: labelled, ids prefixed by its name, no address, no fixed colour or font."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
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
    variables: Mapping[str, str] = {colour: f"var(--{role})" for role, colour in _ROLES.items()}
    body = re.sub("|".join(variables), lambda found: variables[found[0]], body)
    body = re.sub(r"(font: [^;\"]*?px |font-family: )[^;\"]+", r"\1var(--sans)", body)
    return re.sub(r"\s*\n\s*", "\n", body)
