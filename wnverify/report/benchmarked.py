"""The benchmarks as one table: aim beside measured ratio, in the order of the documents.

What was measured stands in the block ``timing["benchmarks"]``: finding id → ``{"work", "lines", "seconds"}``, each
line ``{"of", "beside", "aim", "measured", "spread", "met", "kept", "why"}``.  Lines of a stale part are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.report.digest import Digest
from wnverify.report.tables import Table

BLOCK: Final = "benchmarks"
_WORDS: Final = {
    "faster": "peer's time ÷ ours",
    "time": "our time ÷ the peer's",
    "peak": "our peak memory ÷ the peer's",
    "seconds": "seconds",
    "mebibytes": "peak memory",
    "exponent": "exponent of the time",
}
_MET: Final = {None: "stated", True: "met", False: "missed"}


def benchmarks(data: Digest) -> Table:
    """Work, peer, aim, measured, least to most, and whether it is met or why not; no rows where nothing was timed."""
    measured: Any = data.doc["timing"].get(BLOCK, {})
    rows = [
        (str(entry["work"]), _asked(line), *(str(line[name]) for name in ("aim", "measured", "spread")), _ended(line))
        for name, entry in sorted(measured.items())
        if name not in data.stale
        for line in entry["lines"].values()
    ]
    header = ("Work", "Figure and peer", "Aim", "Measured", "Least to most", "Met, or why not and how near the limit")
    caption = (
        "Every contender in a process of its own, in turns, with one thread; ratios of medians, with the least and the "
        "most of the turns. They hold for the machine and the day of their part alone."
    )
    return Table("Beside the peers", caption, header, rows)


def _asked(line: Mapping[str, Any]) -> str:
    """``wn: our time ÷ the peer's, beside plain``."""
    whose, _, of = str(line["of"]).rpartition(" ")
    figure = (f"{whose}: " if whose else "") + _WORDS.get(of, of)
    return figure if line["beside"] == "alone" else f"{figure}, beside {line['beside']}"


def _ended(line: Mapping[str, Any]) -> str:
    ended = _MET[line["met"]] + (f": {line['why']}" if line["why"] else "")
    return ended if line["kept"] else f"promise broken, {ended}"
