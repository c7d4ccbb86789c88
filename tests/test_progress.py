"""The progress display: lines for a log, a bar for a terminal, nothing when quiet."""

from __future__ import annotations

import dataclasses
import io

import pytest
from engine_items import fails, passes

from wnverify import progress
from wnverify.guard import Outcome
from wnverify.progress import Progress

CLEAN = Outcome(item_id="check/engine/passes", findings=tuple(passes()))
UNCLEAN = Outcome(item_id="check/engine/fails", findings=tuple(fails()))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(total: int, outcomes: list[Outcome], stream: io.StringIO, quiet: bool = False) -> str:
    with Progress(total, stream=stream, quiet=quiet) as display:
        for outcome in outcomes:
            display(outcome)
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_tenth() -> None:
    """Elsewhere than on a terminal 200 items make ten lines, which count what is not clean."""
    lines = shown(200, [CLEAN] * 199 + [UNCLEAN], io.StringIO()).splitlines()
    assert [line.split()[0] for line in lines] == [f"{count}/200" for count in range(20, 201, 20)]
    assert lines[-2].startswith("180/200 items, 0 not clean, ")
    assert lines[-1].startswith("200/200 items, 1 not clean, ")


def test_a_slow_run_gets_a_line_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tenth takes longer than the interval every interval has its line."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", -1.0)
    assert len(shown(1000, [CLEAN] * 7, io.StringIO()).splitlines()) == 7


def test_an_interrupted_run_says_how_far_it_came() -> None:
    """The last line is the state at the end, also between two tenths."""
    assert shown(200, [CLEAN] * 25, io.StringIO()).splitlines()[-1].startswith("25/200 items")


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal the count is drawn over itself, with escape sequences."""
    text = shown(2, [CLEAN, UNCLEAN], Terminal())
    assert "2/2" in text
    assert "1 not clean" in text
    assert "\x1b[" in text


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_says_nothing(stream: io.StringIO) -> None:
    """``quiet`` writes nothing anywhere."""
    assert shown(10, [UNCLEAN] * 10, stream, quiet=True) == ""


def test_a_negative_total_is_refused() -> None:
    """``total`` is a number of items."""
    with pytest.raises(ValueError, match="total must be the number of items; got -1"):
        Progress(-1)


def test_what_remains_is_estimated_from_what_the_items_took() -> None:
    """Twice the foretold time so far means twice the foretold time to come, shared among the workers."""
    stream = io.StringIO()
    foretold = {"check/engine/passes": 1.0, "check/engine/later": 29.0}
    with Progress(12, stream=stream, seconds=foretold, usual=1.0, workers=2) as display:
        display(dataclasses.replace(CLEAN, seconds=2.0))
        display(dataclasses.replace(UNCLEAN, seconds=2.0))
    # Of 40 foretold 2 are over and took 4: 38 are left, 76 s for one worker, 38 s for two.
    assert stream.getvalue().splitlines()[-1].endswith("about 38 s left")


def test_nothing_is_estimated_from_nothing_nor_at_the_end() -> None:
    """Without any time measured, and when all is done, there is no estimate."""
    assert "left" not in shown(10, [CLEAN], io.StringIO())
    assert "left" not in shown(1, [dataclasses.replace(CLEAN, seconds=1.0)], io.StringIO())
