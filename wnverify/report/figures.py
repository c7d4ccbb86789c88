"""The figures of a report, each with its data: the same document gives the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from wnverify.finding import Finding, number
from wnverify.report.digest import SELFTEST, TONE, Digest, Subject, counts, dtype_order, worst_ratio
from wnverify.report.drawing import ROLES, Drawing, new_figure, plain_settings, power_of_ten, svg_of
from wnverify.report.tables import column_of, costs, multiple_of, worst_value_ratio
from wnverify.report.wording import KIND_NAMES, short, tally

_HEAT_EDGES: Final = (0.01, 0.1, 1.0, 10.0)
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))


@plain_settings()
def verdict_bars(data: Digest) -> Drawing | None:
    """For each kind of finding one bar, divided by the share of each verdict."""
    judged = [finding for finding in data.current if finding.subject != SELFTEST]
    groups = {name: [finding for finding in judged if finding.kind == kind] for kind, name in KIND_NAMES.items()}
    bars = {name: counts(findings) for name, findings in groups.items() if findings}
    if not bars:
        return None
    figure, axes = new_figure(5.2, 0.29 * len(bars) + 0.4)
    for row, counted in enumerate(bars.values()):
        total, left = sum(count for _, count in counted), 0.0
        for verdict, count in reversed(counted):
            share = count / total
            axes.barh(row, share, left=left, height=0.62, color=ROLES[TONE[verdict]], edgecolor=ROLES["paper"])
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
    svg = svg_of(figure, "verdicts", f"{title}. {described}")
    return Drawing("verdicts", title, caption, svg, ("kind", "verdict", "findings"), rows)


@plain_settings()
def ratio_map(methods: Sequence[Subject], family: str = "agreement") -> Drawing | None:
    """Worst ratio of each method and dtype, for each check of the family, in five steps around the limit 1.

    A method's options stand in its own row.
    """
    cells: dict[tuple[str, str, str], float] = {}
    for method in methods:
        for finding in method.findings:
            if finding.family == family and (ratio := worst_ratio(finding)) is not None:
                key = (method.name, *column_of(finding))
                cells[key] = max(cells.get(key, 0.0), _value(ratio))
    if not cells:
        return None
    names = sorted({name for name, _, _ in cells})
    columns = sorted({key[1:] for key in cells}, key=lambda key: (key[0] != "forward", key[0], dtype_order(key[1])))
    figure, axes = new_figure(1.9 + 0.72 * len(columns), 0.9 + 0.3 * len(names))
    left, at, fills = [], [], []
    for (name, which, dtype), ratio in sorted(cells.items()):
        x, y = columns.index((which, dtype)), names.index(name)
        step = sum(ratio > edge for edge in _HEAT_EDGES) + 1
        left.append(x - 0.48)
        at.append(y)
        fills.append(ROLES[f"heat-{step}"])
        _cell_text(axes, x, y, short(ratio), "paper" if step == len(_HEAT_EDGES) + 1 else "ink")
    axes.barh(at, 0.96, left=left, height=0.92, color=fills, linewidth=0)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(columns)), [f"{dtype}\n{which}" for which, dtype in columns])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    title = f"Worst ratio of observed to modelled error, by method and floating-point type ({family})"
    caption = f"{title}. At most 1 passes: grey-green, darker towards the limit; above 1 reddish."
    rows = [(name, which, dtype, short(ratio)) for (name, which, dtype), ratio in sorted(cells.items())]
    alt = f"{title}. The largest is {short(max(cells.values()))}."
    name = f"ratios-{family}"
    return Drawing(name, title, caption, svg_of(figure, name, alt), ("method", "asked", "dtype", "worst ratio"), rows)


@plain_settings()
def cost_and_accuracy(data: Digest) -> Drawing | None:
    """Counted work and memory, in multiples of plain weight normalization's, against the worst ratio of the value."""
    kinds = {"work": "work", "tensors kept for the backward": "kept for the backward"}
    points: dict[str, list[tuple[str, float, float]]] = {label: [] for label in kinds.values()}
    for name, cases in costs(data).items():
        ratio = worst_value_ratio(data, name)
        for case, label in kinds.items():
            multiple = multiple_of(cases, case)
            if ratio is not None and multiple is not None and multiple > 0 and 0 < ratio < math.inf:
                points[label].append((name, multiple, ratio))
    if not any(points.values()):
        return None
    figure, axes = new_figure(4.3, 3.0)
    for index, (label, found) in enumerate(points.items()):
        marker: dict[str, Any] = {"marker": "os"[index], "markersize": 3.8, "linewidth": 0}
        drawn = [x for _, x, _ in found], [y for _, _, y in found]
        axes.plot(*drawn, color=ROLES[f"series-{index + 1}"], label=label, **marker)
    axes.set_xscale("log")
    axes.set_yscale("log")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8, handletextpad=0.1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: power_of_ten(value))
        axis.set_minor_formatter(lambda *_: "")
    axes.minorticks_off()
    axes.set_xlabel("multiple of weight normalization")
    axes.set_ylabel("worst ratio of the value")
    axes.grid(visible=True, color=ROLES["faint"], linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = "Work and memory beside accuracy"
    caption = f"{title}: a point for each method; to the left is cheap, below is accurate."
    rows = [(name, label, short(x), short(y)) for label, found in points.items() for name, x, y in found]
    header = ("method", "what", "multiple of weight normalization", "worst ratio of the value")
    return Drawing("costs", title, caption, svg_of(figure, "costs", caption), header, rows)


@plain_settings()
def conditioning(method: Subject) -> Drawing | None:
    """Error against condition number for each dtype of one method, log–log, with the modelled error as a line."""
    series = {finding.case: _points(finding) for finding in method.findings if finding.check == "conditioning"}
    series = {dtype: series[dtype] for dtype in sorted(series, key=dtype_order) if series[dtype]}
    if not series:
        return None
    figure, axes = new_figure(4.3, 3.0)
    for index, (dtype, points) in enumerate(series.items()):
        colour, dashes = ROLES[f"series-{index % 4 + 1}"], _DASHES[index % 4]
        drawn = [point for point in points if all(0 < value < math.inf for value in point)]
        axes.plot([p[0] for p in drawn], [p[2] for p in drawn], color=colour, linestyle=dashes, linewidth=1.1)
        marker = {"marker": "osD^"[index % 4], "markersize": 3.4, "linewidth": 0}
        axes.plot([p[0] for p in drawn], [p[1] for p in drawn], color=colour, label=dtype, **marker)
    axes.set_xscale("log")
    axes.set_yscale("log")
    spacing = {"handletextpad": 0.1, "columnspacing": 1.2}
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8, **spacing)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: power_of_ten(value))
        axis.set_minor_formatter(lambda *_: "")
    axes.minorticks_off()
    axes.set_xlabel("condition number")
    axes.set_ylabel("relative error")
    axes.grid(visible=True, color=ROLES["faint"], linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = f"{method.name}: error against condition number"
    caption = f"{title}. Points: observed; lines: modelled."
    rows = [(dtype, *map(short, point)) for dtype, points in series.items() for point in points]
    alt = f"{caption} Floating-point types: {', '.join(series)}."
    name = f"conditioning-{method.name}"
    return Drawing(
        name, title, caption, svg_of(figure, name, alt), ("dtype", "condition number", "error", "modelled"), rows
    )


@plain_settings()
def curve(finding: Finding) -> Drawing | None:
    """The curves that a finding carries: series over one size, with the axes that it names."""
    found: Any = next((route.figures["curve"] for route in finding.routes if "curve" in route.figures), None)
    if not found:
        return None
    figure, axes = new_figure(4.3, 2.7 + 0.17 * len(found["series"]))
    at = [number(x) for x in found["at"]]
    for index, (label, values) in enumerate(found["series"].items()):
        points = [(x, number(y)) for x, y in zip(at, values, strict=True) if y is not None]
        style = {"color": ROLES[f"series-{index % 4 + 1}"], "linestyle": _DASHES[index % 4], "linewidth": 1.1}
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
    axes.grid(visible=True, color=ROLES["faint"], linewidth=0.5)
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
    return Drawing(name, title, f"{title}. {finding.statement}", svg_of(figure, name, title), header, rows)


def _cell_text(axes: Any, x: float, y: float, text: str, role: str) -> None:
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "color": ROLES[role], "size": 8.5}
    axes.text(x, y, text, in_layout=False, **style)  # it lies within the axes, and there are hundreds to be measured


def _points(finding: Finding) -> list[tuple[float, float, float]]:
    for route in finding.routes:
        columns: Any = [route.figures.get(key) for key in ("condition", "error", "modelled")]
        if all(isinstance(column, Sequence) for column in columns):
            return [(number(x), number(y), number(z)) for x, y, z in zip(*columns, strict=True)]
    return []


def _value(ratio: float | None) -> float:
    """NaN counts as infinite: nothing was bounded."""
    return math.inf if ratio is None or math.isnan(ratio) else ratio
