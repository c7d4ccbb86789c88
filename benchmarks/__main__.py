"""One table of the house beside its peers: what is aimed at, what was measured, what is kept.

    python -m benchmarks [--row PATTERN ...] [--turns N] [--parts FOLDER] [--list]

The exit status is 1 where a promise that is kept today is broken, or contenders that are compared do not do the same
work; a row that only misses its aim says why, and how near the limit it is.  With ``--parts`` every family whose rows
were all run is written to ``benchmarks.<family>.json`` there, as a results document; a pattern writes nothing that is
not whole.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import fnmatch
import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.rows import Result, Row
from wnverify.finding import Json
from wnverify.report import results

FAMILIES: Final = ("gradients", "maps", "theory", "training", "properties", "memory", "growth", "startup")
"""Modules, each with ``rows()``: the parts ``benchmarks.<family>``."""


def families() -> dict[str, list[Row]]:
    """Every row by its family, in the order of the table."""
    return {name: importlib.import_module(f"benchmarks.{name}").rows() for name in FAMILIES}


def chosen(known: Mapping[str, Sequence[Row]], patterns: Sequence[str]) -> dict[str, list[Row]]:
    """The rows whose id one of the patterns fits, all without any; ``ValueError`` for a pattern that fits none."""
    ids = [row.id for rows in known.values() for row in rows]
    for pattern in patterns:
        if not fnmatch.filter(ids, pattern):
            raise ValueError(f"--row must fit a row; {pattern!r} fits none of {', '.join(ids)}")
    wanted = {
        name: [row for row in rows if not patterns or any(fnmatch.fnmatch(row.id, one) for one in patterns)]
        for name, rows in known.items()
    }
    return {name: rows for name, rows in wanted.items() if rows}


def shown(result: Result) -> list[str]:
    """The lines of the table of one row, and what is to be said under them."""
    made = [result.row.work]
    for line in result.lines:
        told = line.to_json()
        met = {None: "stated", True: "met", False: "missed" if line.kept else "BROKEN"}[told["met"]]  # type: ignore[index]
        left = f"  {told['of']} beside {told['beside']}"
        made.append(f"{left:58}{told['aim']:>12}{told['measured']:>14}{told['spread']:>22}  {met}")
        made += [f"      why: {told['why']}"] if told["why"] else []
    mark = "" if result.finding.verdict == "pass" else f"{result.finding.verdict}: "
    return [*made, f"    {mark}{result.finding.message}"]


def document(family: str, found: Sequence[Result], seconds: float) -> results.Document:
    """What the clock said stands in ``timing``, the findings are the same in every run."""
    rows: dict[str, Json] = {f"benchmark/{result.row.id}": result.timing() for result in found}
    name = f"benchmarks.{family}"
    timing = {"benchmarks": rows, name: {"seconds": seconds}}
    findings = [result.finding for result in found]
    return results.document(
        findings, environment=results.environment(), timing=timing, parts={name: results.part(name)}
    )


def main(words: Sequence[str] | None = None, known: Mapping[str, Sequence[Row]] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--row", action="append", default=[], metavar="PATTERN", help="only rows whose id it fits")
    parser.add_argument("--turns", type=int, metavar="N", help="turns of every contender (default: a row's own)")
    parser.add_argument("--parts", metavar="FOLDER", help="write a results document for each whole family there")
    parser.add_argument("--list", action="store_true", help="list the rows and measure nothing")
    arguments = parser.parse_args(words)
    if arguments.turns is not None and arguments.turns < 1:
        parser.error(f"--turns must be at least 1; got {arguments.turns}")
    if arguments.parts and not Path(arguments.parts).is_dir():
        parser.error(f"--parts must be a folder; {arguments.parts!r} is none")
    known = families() if known is None else known
    try:
        wanted = chosen(known, arguments.row)
    except ValueError as error:
        parser.error(str(error))
    if arguments.list:
        print("\n".join(f"{row.id:60}{row.work}" for rows in wanted.values() for row in rows))
        return 0
    print(f"{'':58}{'aim':>12}{'measured':>14}{'least to most':>22}")
    broken = []
    for family, rows in wanted.items():
        began, found = time.perf_counter(), []
        for row in rows:
            found.append(row.run(arguments.turns))
            print(*shown(found[-1]), sep="\n", flush=True)
        broken += [result.row.id for result in found if not result.sound]
        if arguments.parts and len(rows) == len(known[family]):
            doc = document(family, found, time.perf_counter() - began)
            results.write(Path(arguments.parts) / f"benchmarks.{family}.json", doc)
    print(f"\nNOT as promised: {', '.join(broken)}" if broken else "\nas promised", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
