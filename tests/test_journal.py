"""The journal: readable after any kill, and never mistaken for that of another run."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from engine_items import environment, finding

from wnverify.finding import Evidence, Verdict
from wnverify.guard import Outcome
from wnverify.journal import Journal

HEADER = {"digest": "d1", "options": {"sizes": (1, 2)}}


def outcome(number: int) -> Outcome:
    route = Evidence(route="arithmetic", verdict=Verdict.PASS, ratio=float("inf"), note="é\n\u2028")
    findings = tuple(finding(f"item{number}.{case}", routes=(route,)) for case in range(number))
    return Outcome(item_id=f"check/engine/item{number}", findings=findings, seconds=number / 3, peak_mib=2.5)


def written(path: Path, count: int = 3) -> dict[str, Outcome]:
    with Journal(path, HEADER) as journal:
        for number in range(count):
            journal.append(outcome(number))
        return dict(journal.outcomes)


def test_outcomes_are_read_back_as_they_were(tmp_path: Path) -> None:
    """Findings, seconds and memory survive the way through the file, non-finite numbers and line separators too."""
    before = written(tmp_path / "j")
    with Journal(tmp_path / "j", HEADER, resume=True) as journal:
        assert journal.outcomes == before
        assert list(before) == [f"check/engine/item{number}" for number in range(3)]


def test_the_first_line_is_a_header_and_every_line_is_strict_json(tmp_path: Path) -> None:
    """The file is JSON lines with schema and digest first, for any reader."""
    written(tmp_path / "j")
    lines = [json.loads(line) for line in (tmp_path / "j").read_bytes().split(b"\n")[:-1]]
    assert lines[0] == {"schema": "wnverify/journal/1", "digest": "d1", "options": {"sizes": [1, 2]}}
    assert [line["item"] for line in lines[1:]] == [f"check/engine/item{number}" for number in range(3)]


def test_a_file_cut_at_any_byte_is_resumed_from_what_is_whole(tmp_path: Path) -> None:
    """Wherever a kill truncates the file, the whole lines are taken over and the next outcome is readable."""
    path = tmp_path / "j"
    before = list(written(path).values())
    data = path.read_bytes()
    ends = [position + 1 for position, byte in enumerate(data) if byte == ord("\n")]
    # Every byte of the header and around each line's end, and every seventh of the rest.
    lengths = {*range(ends[0] + 3), *range(0, len(data), 7), *(end + shift for end in ends for shift in (-2, -1, 0, 1))}
    for length in sorted(lengths):
        path.write_bytes(data[:length])
        whole = max(0, sum(end <= length for end in ends) - 1)
        with Journal(path, HEADER, resume=True) as journal:
            assert list(journal.outcomes.values()) == before[:whole], length
            journal.append(outcome(7))
        with Journal(path, HEADER, resume=True) as journal:
            assert list(journal.outcomes.values()) == [*before[:whole], outcome(7)], length


def test_without_resume_a_new_file_is_begun(tmp_path: Path) -> None:
    """An old journal is not taken over unless that was asked for."""
    written(tmp_path / "j")
    with Journal(tmp_path / "j", HEADER) as journal:
        assert journal.outcomes == {}
    assert (tmp_path / "j").read_bytes().count(b"\n") == 1


def test_the_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    """A header that differs is an error which names what differs and what to do; the file stays as it is."""
    written(tmp_path / "j")
    data = (tmp_path / "j").read_bytes()
    with pytest.raises(ValueError, match=r"j belongs to another run \(digest, options changed .* start afresh"):
        Journal(tmp_path / "j", {"digest": "d2"}, resume=True)
    assert (tmp_path / "j").read_bytes() == data


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "text", ['{"schema": "wnverify/results/1"}', '{\n "schema": 1}\n', "notes", "notes\n", "[1]\n"]
)
def test_a_file_that_is_no_journal_is_never_overwritten(tmp_path: Path, text: str, resume: bool) -> None:
    """A mistyped name does not cost a file of the user's."""
    (tmp_path / "j").write_text(text)
    with pytest.raises(ValueError, match="j is not a journal of this version"):
        Journal(tmp_path / "j", HEADER, resume=resume)
    assert (tmp_path / "j").read_text() == text


def test_damage_in_the_middle_is_named(tmp_path: Path) -> None:
    """A line other than the last that cannot be read is an error with its number, not a silent loss."""
    written(tmp_path / "j")
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:10] + b"\n"
    (tmp_path / "j").write_bytes(b"".join(lines))
    with pytest.raises(ValueError, match="j, line 3, is damaged"):
        Journal(tmp_path / "j", HEADER, resume=True)


def test_two_runs_cannot_write_one_journal(tmp_path: Path) -> None:
    """A journal that another process writes is refused, and free again when that process is done."""
    code = "import sys; from wnverify.journal import Journal; Journal(sys.argv[1], {'digest': 'd1'}, resume=True)"
    command = [sys.executable, "-c", code, tmp_path / "j"]
    with Journal(tmp_path / "j", {"digest": "d1"}):
        refused = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert "ValueError: j is being written by another run" in refused.stderr
    assert subprocess.run(command, env=environment(), check=False).returncode == 0


def test_what_the_disk_does_not_take_is_an_error(tmp_path: Path) -> None:
    """A write that is cut short is not counted as written, and the next run resumes before it."""
    before = written(tmp_path / "j")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path / "j", HEADER, resume=True) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "j").stat().st_size + 10, limits[1]))
        try:
            with pytest.raises(OSError, match=r"j took 10 of \d+ bytes: is the disk full"):
                journal.append(outcome(7))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert journal.outcomes == before
    with Journal(tmp_path / "j", HEADER, resume=True) as journal:
        assert journal.outcomes == before


def test_a_device_is_no_place_for_a_journal() -> None:
    """What cannot be read back is refused instead of read without end."""
    with pytest.raises(ValueError, match="path must be a regular file; got '/dev/full'"):
        Journal("/dev/full", HEADER)
