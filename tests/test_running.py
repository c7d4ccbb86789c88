"""What commands share: where the journal goes, in which order a document is handed out, and how an end is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wnverify import cli, commands, running
from wnverify.auditing.target import TargetError
from wnverify.finding import Verdict
from wnverify.report import results
from wnverify.runner import RunResult
from wnverify.workitem import Outcome

CLAIMS = ["claims", "CWN-P1-SIGN", "--quick", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every run in a folder of its own, and no item of it really at work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wnverify.runner.run", ran)
    return tmp_path


def ran(items: Any, **given: Any) -> RunResult:
    """Every item ends well, through the journal."""
    for item in items:
        outcome = Outcome(item_id=item.id, findings=(item.ending(Verdict.UNDECIDED, "é ✕ 𝛴"),))
        if item.id not in given["journal"].outcomes:
            given["journal"].append(outcome)
    outcomes = given["journal"].outcomes.values()
    return RunResult(findings=[finding for outcome in outcomes for finding in outcome.findings], timing={})


def stopped(items: Any, **given: Any) -> RunResult:
    """Ctrl-C, when all is known."""
    return RunResult(findings=ran(items, **given).findings, timing={}, interrupted=True)


def journals() -> list[Path]:
    return sorted(Path(".wnverify").glob("*.jsonl"))


def refused(*_: Any, **__: Any) -> Any:
    raise ValueError("two findings have the id 'x'")


def unencodable(*_: Any, **__: Any) -> Any:
    raise UnicodeEncodeError("latin-1", "✕", 0, 1, "ordinal not in range(256)")


@pytest.mark.parametrize("broken", [refused, unencodable], ids=["refused", "unencodable"])
@pytest.mark.parametrize("place", ["sheet", "document"])
def test_what_breaks_after_the_work_costs_no_work(
    place: str, broken: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, the journal stays, and ``--resume`` makes the document of it."""
    with monkeypatch.context() as patched:
        patched.setattr(*((commands, "_statements") if place == "sheet" else (results, "document")), broken)
        assert cli.main(CLAIMS) == 3
    assert "Traceback" in capsys.readouterr().err
    (journal,) = journals()
    assert journal.read_bytes().count(b"\n") == 2
    assert cli.main([*CLAIMS, "--resume"]) == 0
    assert not journals()


def test_a_wrong_call_leaves_an_interrupted_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that comes while the run begins drops a journal that holds nothing, and no other."""
    monkeypatch.setattr("wnverify.runner.run", refused)
    assert cli.main(CLAIMS) == 2
    assert not journals()
    monkeypatch.setattr("wnverify.runner.run", stopped)
    assert cli.main(CLAIMS) == 130
    monkeypatch.setattr("wnverify.runner.run", refused)
    assert cli.main([*CLAIMS, "--resume"]) == 2
    assert len(journals()) == 1


def test_a_target_that_cannot_be_described_leaves_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of it is known again at once; the next call is not told that work was dropped."""

    def undescribed(*_: Any, **given: Any) -> RunResult:
        given["journal"].append(Outcome(item_id="check/x/contract.described", findings=()))
        raise TargetError("TARGET x.py:X: X() raised ValueError")

    monkeypatch.setattr("wnverify.auditing.suite.run_audit", undescribed)
    assert cli.main(["audit", "torch.nn:ReLU", "--quiet"]) == 2
    assert not journals()


def test_a_resume_of_nothing_and_a_run_begun_anew_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line each, with the journals of other calls by name; a plain run says nothing."""
    assert cli.main(CLAIMS) == 0
    assert capsys.readouterr().err == ""
    assert cli.main([*CLAIMS, "--resume"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nothing to resume: there is no .wnverify/claims-")
    monkeypatch.setattr("wnverify.runner.run", stopped)
    assert cli.main(CLAIMS) == 130
    (other,) = journals()
    assert cli.main([*CLAIMS, "--resume", "--seed", "1"]) == 130
    assert f"; there is {other.name}, of other arguments" in capsys.readouterr().err
    assert cli.main(CLAIMS) == 130
    assert f"{other}: begun anew without --resume, and 1 outcome of an inter" in capsys.readouterr().err


def test_every_file_is_there_before_anything_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that breaks costs no file."""
    monkeypatch.setattr(commands, "_statements", unencodable)
    assert cli.main([*CLAIMS, "--json", "r.json"]) == 3
    assert results.read("r.json")["findings"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(28, "No space left on device"), 3, "wnverify methods: [Errno 28] No space left on device\n"),
        (ZeroDivisionError("no"), 3, "ZeroDivisionError: no\nwnverify methods: broke; this says nothing"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), 3, "Traceback"),
        (ValueError("no"), 2, "wnverify methods: no\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
    ids=["disk", "bug", "text", "call", "Ctrl-C"],
)
def test_no_end_but_a_finding_is_exit_code_1(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of end has its own code; only a bug shows a traceback."""

    def raising(_: Any) -> int:
        raise error

    monkeypatch.setattr(commands, "methods", raising)
    assert cli.main(["methods"]) == code
    told = capsys.readouterr().err
    assert said in told
    assert ("Traceback" in told) is (code == 3 and not isinstance(error, OSError))


CALLED = "import sys; sys.path[:0] = {path}; import test_running, wnverify.runner; from wnverify import cli\n"
CALLED += "wnverify.runner.run = test_running.ran; sys.exit(cli.main(sys.argv[1:]))"


def process(*words: str, stdout: Any, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    """A process of its own, whose items are not at work either."""
    code = CALLED.format(path=[str(Path(__file__).parent), str(Path(__file__).parents[1])])
    called = [sys.executable, "-c", code, *words]
    return subprocess.run(
        called, stdout=stdout, stderr=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": encoding}, check=False
    )


@pytest.mark.parametrize("words", [["--json", "r.json"], ["--json", "-"]], ids=["file", "standard-output"])
def test_a_reader_that_is_gone_changes_no_exit_code_and_loses_no_file(words: list[str]) -> None:
    """The sheet may be read by nobody; a document that was not taken is code 3, and the work is kept."""
    reader, writer = os.pipe()
    os.close(reader)
    done = process(*CLAIMS, *words, stdout=writer)
    os.close(writer)
    taken = words[-1] != "-"
    assert (done.returncode, Path("r.json").exists()) == ((0, True) if taken else (3, False)), done.stderr
    assert len(journals()) == (0 if taken else 1)
    assert b"Exception ignored" not in done.stderr


def test_a_terminal_that_lacks_a_character_is_told_it_in_others() -> None:
    """The sheet, with backslashes; a document is UTF-8 everywhere."""
    shown = process(*CLAIMS, stdout=subprocess.PIPE, encoding="ascii")
    assert shown.returncode == 0, shown.stderr
    assert rb"\u2715" in shown.stdout
    told = process(*CLAIMS, "--json", "-", stdout=subprocess.PIPE, encoding="ascii")
    assert json.loads(told.stdout.decode("utf-8"))["findings"][0]["message"] == "é ✕ 𝛴"


def test_a_folder_that_takes_no_journal_is_a_wrong_call(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before any work, with what would be right."""
    (folder / ".wnverify").write_text("")
    assert cli.main(CLAIMS) == 2
    assert "a journal cannot be kept in the folder .wnverify here (File exists)" in capsys.readouterr().err


def test_patterns_that_match_no_claim_of_the_paper_are_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing decided is not taken for nothing wrong; the paper's own claims are named."""
    assert cli.main(["claims", "--paper", "dswn", "CWN-*"]) == 2
    assert "ID must match a claim of --paper: DSWN-" in capsys.readouterr().err


def test_the_console_leaves_a_broken_pipe_to_the_command() -> None:
    """rich would end the process with the exit code of a finding."""
    with pytest.raises(BrokenPipeError):
        running.console().on_broken_pipe()
