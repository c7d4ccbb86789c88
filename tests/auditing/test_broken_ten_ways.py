"""A new variant is left in peace as written, and caught in each of ten ways in which its author might break it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wnverify.auditing.target import parse_target
from wnverify.auditing.work import whole_sheet
from wnverify.finding import Verdict

EXAMPLE = Path(__file__).parents[2] / "examples" / "broken_ten_ways"
RUN = runpy.run_path(str(EXAMPLE / "run.py"))
BREAKAGES: list[dict[str, Any]] = RUN["breakages"]()


def sheet_of(path: Path) -> dict[str, Verdict]:
    found = whole_sheet(parse_target(f"{path}:{RUN['VARIANT']}", {}, {}), seed=0, quick=True)
    return {finding.check: finding.verdict for finding in found}


def test_as_written_it_is_left_in_peace():
    """No check accuses the right variant, warns of it, or breaks on it."""
    quiet = {Verdict.PASS, Verdict.UNSUPPORTED}
    assert {check: verdict for check, verdict in sheet_of(RUN["RIGHT"]).items() if verdict not in quiet} == {}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage["name"])
def test_every_breakage_is_caught_by_the_check_that_is_named_for_it(breakage, tmp_path):
    """The broken copy gets the verdict of its row from the check of its row."""
    path = tmp_path / f"{breakage['name']}.py"
    path.write_text(RUN["broken"](breakage), encoding="utf-8")
    assert sheet_of(path)[breakage["check"]] == breakage["verdict"]


def test_there_are_ten_of_them_by_different_changes():
    """Ten breakages of ten names, no two of which give the same text, and none the right one."""
    texts = {RUN["broken"](breakage) for breakage in BREAKAGES} | {RUN["RIGHT"].read_text(encoding="utf-8")}
    assert len({breakage["name"] for breakage in BREAKAGES}) == 10
    assert len(texts) == 11


def test_an_edit_whose_old_text_has_gone_is_an_error():
    """A breakage that breaks nothing would prove nothing."""
    with pytest.raises(ValueError, match="forgotten: the old text is there 0 times, not once"):
        RUN["broken"]({"name": "forgotten", "edit": [{"old": "no such text", "new": ""}]})


def test_the_command_line_says_so_too(tmp_path):
    """A broken copy ends the command with 1, and the finding of its check is in the JSON."""
    path = tmp_path / "broken.py"
    path.write_text(RUN["broken"](BREAKAGES[0]), encoding="utf-8")
    command = [sys.executable, "-m", "wnverify", "audit", f"{path}:{RUN['VARIANT']}", "--quick", "--json", "-"]
    done = subprocess.run(
        [*command, "--check", "gradient.vjp"], capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False
    )
    verdicts = {finding["check"]: finding["verdict"] for finding in json.loads(done.stdout)["findings"]}
    assert (done.returncode, verdicts["gradient.vjp"]) == (1, "fail")
