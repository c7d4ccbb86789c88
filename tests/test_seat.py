"""The seat of a cluster's worker: one run at a time, and nothing goes on that was taken back."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from wnverify import guard
from wnverify.cluster import worker


def test_a_worker_serves_one_run_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second run waits for the first one's items, then has its own import path and no child of the other."""
    closed: list[list[str]] = []
    monkeypatch.setattr(guard, "close", lambda: closed.append(sys.path[:1]))
    monkeypatch.setattr(sys, "path", list(sys.path))
    seat = worker.Seat()
    first, second = (worker.Run(name, (str(tmp_path / name),), "") for name in ("first", "second"))
    order: list[str] = []

    def other() -> None:
        with seat.taken(second, "c"):
            order.append("second")

    with seat.taken(first, "a"), seat.taken(first, "b"):
        assert sys.path[0] == str(tmp_path / "first")
        waits = threading.Thread(target=other)
        waits.start()
        time.sleep(0.1)
        order.append("first")
    waits.join(60)
    assert order == ["first", "second"]
    assert sys.path[0] == str(tmp_path / "second")
    assert str(tmp_path / "first") not in sys.path
    assert len(closed) == 2
    seat.left("first")
    assert len(closed) == 2
    seat.left("second")
    assert len(closed) == 3


def test_what_is_taken_back_does_not_begin_or_is_killed_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that starts after the first kill is killed too; one that waits for the seat gives up waiting."""
    ended = threading.Event()
    closed: list[None] = []

    def close() -> None:
        closed.append(None)
        if len(closed) == 4:  # the first is that of the seat's taking
            ended.set()

    monkeypatch.setattr(guard, "close", close)
    seat = worker.Seat()
    first, second = worker.Run("first", (), ""), worker.Run("second", (), "")
    refused: list[str] = []

    def waiting() -> None:
        with pytest.raises(guard.PoolClosedError, match="taken back before it began"), seat.taken(second, "waits"):
            refused.append("it began")
        refused.append("refused")

    with seat.taken(first, "runs"):
        waits = threading.Thread(target=waiting)
        waits.start()
        seat.take_back("waits")
        waits.join(60)
        assert refused == ["refused"]
        assert len(closed) == 1
        killing = threading.Thread(target=seat.take_back, args=("runs",))
        killing.start()
        assert ended.wait(60)
    killing.join(60)
    assert not killing.is_alive()
