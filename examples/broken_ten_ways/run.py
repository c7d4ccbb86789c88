"""Writes the ten broken copies of quartic.py and audits each: ``python examples/broken_ten_ways/run.py [FOLDER]``."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RIGHT = HERE / "quartic.py"
VARIANT = "CentredQuartic"


def breakages() -> list[dict[str, Any]]:
    """The rows of ``breakages.toml``: name, change, check, verdict (``fail`` unless said), edits (old and new text)."""
    listed: list[dict[str, Any]] = tomllib.loads((HERE / "breakages.toml").read_text(encoding="utf-8"))["breakage"]
    return [{"verdict": "fail", **breakage} for breakage in listed]


def broken(breakage: dict[str, Any]) -> str:
    """The text of quartic.py after the edits; ``ValueError`` where an old text is not there exactly once."""
    text = RIGHT.read_text(encoding="utf-8")
    for edit in breakage["edit"]:
        if text.count(edit["old"]) != 1:
            raise ValueError(f"{breakage['name']}: the old text is there {text.count(edit['old'])} times, not once")
        text = text.replace(edit["old"], edit["new"])
    return text


def main(folder: Path) -> int:
    """0 when the right one is left in peace and every broken one is caught by the check that is named for it."""
    import wnverify

    def accused(path: Path) -> dict[str, str]:
        found = {finding.check: str(finding.verdict) for finding in wnverify.audit(f"{path}:{VARIANT}")}
        return {check: verdict for check, verdict in found.items() if verdict in ("fail", "hazard", "error")}

    def show(name: str, found: dict[str, str]) -> None:
        said = (f"{verdict} {check}" for check, verdict in sorted(found.items(), key=lambda item: item[1]))
        print(f"{name:28} {', '.join(said) or 'nothing'}", flush=True)

    alarms = accused(RIGHT)
    show("as written", alarms)
    missed = len(alarms)
    for breakage in breakages():
        path = folder / f"{breakage['name']}.py"
        path.write_text(broken(breakage), encoding="utf-8")
        found = accused(path)
        show(breakage["name"], found)
        missed += found.get(breakage["check"]) != breakage["verdict"]
    return 1 if missed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else scratch)))
