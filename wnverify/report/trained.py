"""Experiments in a report: our table beside the printed one, box plots over rows, curves over training and depth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, number
from wnverify.report.digest import Subject
from wnverify.report.drawing import ROLES, Drawing, new_figure, plain_settings, svg_of
from wnverify.report.matrices import matrices
from wnverify.report.speed import races, with_durations
from wnverify.report.tables import Table
from wnverify.report.wording import short

SCALES: Final = ("paper", "small", "smoke")
SHORT: Final = "digits."
_FIGURES: Final = ("loss_before", "loss_after", "test_error")
_NO_CURVES: Final = 8
"""Rows of which curves are drawn, evenly over the table."""
_LOSS: Final = "train.loss"
_NOT_DRAWN: Final = ("epoch", _LOSS, "test.loss", "test.error")
"""Of what is kept over training, beside the loss, which comes first."""
_PANELS: Final = 4
"""Box plots side by side."""


def rows_of(subject: Subject, scale: str) -> list[tuple[Finding, Mapping[str, Any]]]:
    """The rows of one scale in the table's order, each with its figures."""
    found: list[tuple[Finding, Mapping[str, Any]]] = []
    for finding in subject.findings:
        if finding.check == f"{scale}.row" and finding.routes:
            found.append((finding, finding.routes[0].figures))
    return sorted(found, key=lambda pair: pair[1]["table"]["position"])


def expected(subject: Subject) -> list[Finding]:
    """The claims on training."""
    return [finding for finding in subject.findings if finding.check.endswith(".expected")]


def tables_of(subject: Subject, timing: Mapping[str, Any]) -> list[Table]:
    """For each scale that was run: a row, and for each column our figure with its interval beside the printed cell;
    how long the runs took, as far as the document's ``timing`` knows; and where claims count epochs, those."""
    made = []
    for scale in SCALES:
        rows = rows_of(subject, scale)
        if not rows:
            continue
        columns = rows[0][1]["table"]["columns"]
        lines = []
        for finding, told in rows:
            cells = told["table"]["cells"]
            said = str(finding.verdict) + (f", {len(told['diverged'])} diverged" if told["diverged"] else "")
            lines.append((told["table"]["row"], *(_cell(cells.get(column)) for column in columns), said))
        place = rows[0][0].place or ""
        runs = max(told["runs"] for _, told in rows)
        title = f"{subject.name}: {place}, {scale} scale, {runs} runs a row"
        caption = (
            "Ours with its 95 % interval; after the bar what is printed: ✓ inside, ✕ further off than chance allows."
        )
        header, lines = with_durations(("row", *columns, "verdict"), lines, [finding for finding, _ in rows], timing)
        made.append(Table(title, caption, header, lines))
        raced = races(subject, scale)
        made += [raced] if raced else []
    return made


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "–"
    text = f"{_figure(cell['shown'])}"
    if cell["over_runs"] == "mean" and len(cell["values"]) > 1:
        text += f" ± {short(number(cell['high']) - number(cell['mean']))}"
    if cell.get("printed"):
        inside = cell.get("in_interval")
        beyond = cell.get("expected") is False
        text += f" | {cell['printed'].strip('*')}" + (" ✓" if inside else " ✕" if beyond else "")
    return text


def _figure(value: Any) -> str:
    return short(number(value))


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a page shows of one experiment; ``decided``: what was read into the paper's text."""

    tables: Sequence[Table]
    drawings: Sequence[Drawing]
    decided: Sequence[str]


def shown(subject: Subject, timing: Mapping[str, Any]) -> Shown:
    """Tables and drawings of every scale that was run."""
    drawn = [each for scale in SCALES for each in (boxes(subject, scale), *_lines(subject, scale))]
    drawn += [matrices(subject.name, scale, rows_of(subject, scale)) for scale in SCALES]
    rows = [finding for scale in SCALES for finding, _ in rows_of(subject, scale)]
    decided = list(dict.fromkeys(said for finding in rows for said in finding.conditions))
    return Shown(tables_of(subject, timing), [each for each in drawn if each], decided)


def _lines(subject: Subject, scale: str) -> list[Drawing | None]:
    """The loss over training, then what else was kept over training, and over depth."""
    rows = [told for _, told in rows_of(subject, scale)]
    kept = {
        kind: list(dict.fromkeys(p for told in rows for p in told.get(kind) or {})) for kind in ("curves", "profiles")
    }
    over_time = [learning(subject, scale, path) for path in kept["curves"] if path not in _NOT_DRAWN]
    return [
        learning(subject, scale),
        *over_time,
        *(over_depth(subject, scale, path) for path in kept["profiles"] if path != "depth"),
    ]


def is_row(finding: Finding) -> bool:
    """Whether a finding is a row of such a table."""
    return finding.kind == "experiment" and finding.check.endswith(".row")


def short_runs(subjects: Sequence[Subject]) -> Table:
    """A row for each method that was trained on the digits for a short run."""
    rows = []
    for subject in subjects:
        found = {finding.check: finding for finding in subject.findings if finding.check.startswith(SHORT)}
        if not found:
            continue
        figures: Mapping[str, Any] = next(
            (f.routes[0].figures for f in (found.get(f"{SHORT}learns"),) if f and f.routes), {}
        )
        told = [short(number(figures[name])) if name in figures else "–" for name in _FIGURES]
        kept = found.get(f"{SHORT}invariant")
        ratio = f", ratio {short(kept.routes[0].ratio)}" if kept and kept.routes else ""
        verdicts = [str(found[name].verdict) if name in found else "–" for name in (f"{SHORT}learns", f"{SHORT}state")]
        rows.append((subject.name, *told, verdicts[0], str(kept.verdict) + ratio if kept else "–", verdicts[1]))
    caption = "Every method for a short run on scikit-learn's digits: an integration check, no measure of the method."
    header = ("method", "loss before", "loss after", "test error", "learns", "declared holds", "state survives")
    return Table("Short runs on the digits", caption, header, rows)


def is_quiet_short_run(subject: Subject) -> bool:
    """Whether the table of short runs says all that there is."""
    return not subject.loud and all(finding.check.startswith(SHORT) for finding in subject.findings)


@plain_settings()
def boxes(subject: Subject, scale: str) -> Drawing | None:
    """A box for each row of each column that is printed, or of all where none is: median, quartiles, all runs; a mark
    at the printed value."""
    rows = [(finding, told) for finding, told in rows_of(subject, scale) if told["table"]["cells"]]
    cells = [pair for _, told in rows for pair in told["table"]["cells"].items()]
    columns = list(dict.fromkeys([c for c, cell in cells if cell["printed"]] or [c for c, _ in cells]))
    if not columns or max(told["runs"] for _, told in rows) < 3:
        return None
    from matplotlib.figure import Figure

    wide, high = min(len(columns), _PANELS), -(-len(columns) // _PANELS)
    figure = Figure(figsize=(2.2 * wide + 1.2, (0.26 * len(rows) + 0.9) * high), layout="constrained")
    axes = figure.subplots(high, wide, sharey=True, squeeze=False).ravel()
    for panel in axes[len(columns) :]:
        panel.set_visible(False)
    data = []
    for panel, column in zip(axes, columns, strict=False):
        runs: dict[int, list[float]] = {}
        printed: dict[int, float] = {}
        for at, (_, told) in enumerate(rows):
            cell = told["table"]["cells"].get(column)
            if cell is None:
                continue
            runs[at] = values = [number(value) for value in cell["values"]]
            if cell["printed"]:
                printed[at] = float(cell["printed"].strip("*% "))
            row = (
                told["table"]["row"],
                column,
                *(short(value) for value in _quartiles(values)),
                cell["printed"] or "–",
            )
            data.append(row)
        _draw_boxes(panel, runs)
        panel.plot(list(printed.values()), list(printed), marker="D", markersize=3.6, color=ROLES["care"], linewidth=0)
        panel.set_title(column, fontsize=9)
        panel.grid(visible=True, axis="x", color=ROLES["faint"], linewidth=0.5)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    axes[0].set_yticks(range(len(rows)), [told["table"]["row"] for _, told in rows])
    axes[0].invert_yaxis()
    title = f"{subject.name}: every column over the rows, {scale} scale"
    caption = f"{title}.  Boxes: quartiles and median of our runs, points the runs; diamonds: printed."
    name = f"boxes-{subject.name}-{scale}"
    header = ("row", "column", "least", "lower quartile", "median", "upper quartile", "largest", "printed")
    return Drawing(name, title, caption, svg_of(figure, name, title), header, data)


def _quartiles(values: list[float]) -> list[float]:
    import numpy as np

    return [float(x) for x in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]


def _draw_boxes(panel: Any, runs: Mapping[int, list[float]]) -> None:
    """A box for the runs of each row (height → figures); each kind of mark is one artist, however many the rows."""
    line: dict[str, Any] = {"color": ROLES["series-1"], "linewidth": 0.9}
    five = {at: _quartiles(values) for at, values in runs.items()}
    gap = math.nan
    whiskers = [
        (x, y) for at, (least, *_, largest) in five.items() for x, y in ((least, at), (largest, at), (gap, gap))
    ]
    medians = [(q[2], y) for at, q in five.items() for y in (at - 0.25, at + 0.25, gap)]
    points = [(value, at) for at, values in runs.items() for value in values]
    panel.plot(*zip(*whiskers, strict=True), **line)
    low, wide = [q[1] for q in five.values()], [q[3] - q[1] for q in five.values()]
    filled = {"color": ROLES["heat-1"], "edgecolor": ROLES["series-1"], "linewidth": 0.9}
    panel.barh(list(five), wide, left=low, height=0.5, **filled)
    panel.plot(*zip(*medians, strict=True), **line)
    panel.plot(*zip(*points, strict=True), marker="o", markersize=1.8, linewidth=0, color=ROLES["series-1"])


@plain_settings()
def learning(subject: Subject, scale: str, path: str = _LOSS) -> Drawing | None:
    """The mean of a figure over the runs against the epoch, row by row, with the band of all runs."""
    return _banded(subject, scale, path, "curves", "epoch", "over training")


@plain_settings()
def over_depth(subject: Subject, scale: str, path: str) -> Drawing | None:
    """The mean of a figure over the runs against the depth of the layer, with the band of all runs."""
    return _banded(subject, scale, path, "profiles", "depth", "over depth")


def _banded(subject: Subject, scale: str, path: str, kind: str, axis: str, along: str) -> Drawing | None:
    rows = [
        (told["table"]["row"], told[kind]) for _, told in rows_of(subject, scale) if (told.get(kind) or {}).get(path)
    ]
    if not rows or len(rows[0][1][axis]) < 2:
        return None
    step = max(1, -(-len(rows) // _NO_CURVES))
    shown = rows[::step]
    figure, axes = new_figure(4.6, 2.7 + 0.17 * len(shown))
    data = []
    for index, (name, curves) in enumerate(shown):
        at = [number(epoch) for epoch in curves[axis]]
        band = {which: [number(value) for value in curves[path][which]] for which in ("mean", "least", "largest")}
        colour = ROLES[f"series-{index % 4 + 1}"]
        dashes: Any = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)))[index // 4 % 3]
        axes.plot(at, band["mean"], label=name, color=colour, linestyle=dashes, linewidth=1.1)
        axes.fill_between(at, band["least"], band["largest"], color=colour, alpha=0.15, linewidth=0)
        data += [(name, short(x), *map(short, values)) for x, *values in zip(at, *(band[w] for w in band), strict=True)]
    if min(min(number(v) for v in curves[path]["least"]) for _, curves in shown) > 0:
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.set_xlabel(axis)
    axes.set_ylabel(path.replace(".", " "))
    axes.grid(visible=True, color=ROLES["faint"], linewidth=0.5)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8, handlelength=2.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = f"{subject.name}: {path.replace('.', ' ')} {along}, {scale} scale"
    caption = f"{title}.  Lines: means over runs; bands: least to largest."
    name = f"{'learning' if axis == 'epoch' else axis}-{subject.name}-{scale}-{path}"
    return Drawing(name, title, caption, svg_of(figure, name, title), ("row", axis, "mean", "least", "largest"), data)
