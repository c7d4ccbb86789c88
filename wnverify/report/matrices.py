"""Trained weight matrices side by side, with their exact zeros, from the letters that the findings of rows carry.

``.`` is an exact zero and stays blank; ``A`` to ``C`` are positive entries by thirds of the largest magnitude shown,
``a`` to ``c`` negative ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding
from wnverify.report.drawing import ROLES, Drawing, plain_settings, svg_of
from wnverify.report.wording import percent, short

ZERO: Final = "."
_SHADES: Final = {"A": ("series-1", 0.3), "B": ("series-1", 0.6), "C": ("series-1", 1.0)}
_SHADES_BELOW: Final = {"a": ("series-2", 0.3), "b": ("series-2", 0.6), "c": ("series-2", 1.0)}
_PANEL: Final = 0.055
"""Inches of a cell."""


@plain_settings()
def matrices(name: str, scale: str, rows: Sequence[tuple[Finding, Mapping[str, Any]]]) -> Drawing | None:
    """A panel for each row that carries a picture: inputs downwards, units to the right."""
    shown = [(told["table"]["row"], told["picture"]) for _, told in rows if told.get("picture")]
    if not shown:
        return None
    from matplotlib.figure import Figure

    units = max(len(line) for _, picture in shown for line in picture["inputs"])
    inputs = max(len(picture["inputs"]) for _, picture in shown)
    size = (_PANEL * units + 1.0, (_PANEL * inputs + 0.35) * len(shown) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    data, told_of = [], []
    for panel, (row, picture) in zip(
        figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0], shown, strict=True
    ):
        lines = picture["inputs"]
        for letter, (role, alpha) in {**_SHADES, **_SHADES_BELOW}.items():
            _cells(panel, lines, letter, ROLES[role], alpha)
        panel.set_xlim(0, units)
        panel.set_ylim(len(lines), 0)
        panel.set_yticks([0.5, len(lines) - 0.5], ["1", str(len(lines))])
        panel.set_xticks([0.5, units - 0.5], ["1", str(units)])
        panel.tick_params(length=0)
        panel.set_ylabel("input")
        zeros = sum(line.count(ZERO) for line in lines) / sum(map(len, lines))
        panel.set_title(f"{row}: {percent(zeros)} zeros, largest {short(float(picture['largest']))}", fontsize=9)
        told_of.append(f"{row}: {percent(zeros)} of the entries shown are exactly zero")
        data += [(row, str(at), line) for at, line in enumerate(lines, start=1)]
    panel.set_xlabel("unit")
    seed, shape = shown[0][1]["seed"], shown[0][1]["shape"]
    title = f"{name}: trained weight matrices, {scale} scale"
    caption = (
        f"{title}, run {seed}: the first {inputs} of {shape[1]} inputs and {units} of {shape[0]} units. Blank: exactly "
        "zero; the two colours are the signs, the darker the larger, by thirds of the largest magnitude shown. In the "
        "data a dot is a zero, A to C are positive and a to c negative entries."
    )
    drawn = f"matrices-{name}-{scale}"
    alt = f"{title}. {'; '.join(told_of)}."
    return Drawing(drawn, title, caption, svg_of(figure, drawn, alt), ("row", "input", "units"), data)


def _cells(panel: Any, lines: Sequence[str], letter: str, colour: str, alpha: float) -> None:
    """All cells of one letter as one shape, neighbours of a line joined."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for y, line in enumerate(lines):
        x = 0
        while x < len(line):
            begins = x
            while x < len(line) and line[x] == letter:
                x += 1
            if x > begins:
                points += [(begins, y), (x, y), (x, y + 1), (begins, y + 1), (begins, y)]
                codes += [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
            x = max(x, begins + 1)
    if points:
        panel.add_patch(PathPatch(Path(points, codes), facecolor=colour, alpha=alpha, linewidth=0))
