"""``python run.py TARGET…``: every target in a process of its own, then ``results.json`` and ``findings.md``.

One process a target, and not one a check as ``wnverify audit`` would have it: importing some of the libraries takes
longer than all the checks.  A failure is therefore not repeated in a fresh process, and no witness is made smaller.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from wnverify.finding import Finding, Verdict
from wnverify.report import results
from wnverify.report.views.markdown import render

if TYPE_CHECKING:
    from wnverify.auditing.target import TargetSpec

CHECKS = ("contract.*", "edge.*", "[!ce]*")
"""All families but ``cost`` and ``execution``, which take minutes where a map is slow."""
TIMEOUT_S = 900


def one(target: str, path: str) -> None:
    """The description and the sheet of one target, written to ``path``."""
    import torch

    from wnverify.auditing.suite import specs_of
    from wnverify.auditing.work import describe

    torch.set_num_threads(1)
    (spec,) = specs_of([target])
    begun = time.perf_counter()
    findings = describe(spec.to_json(), CHECKS, quick=True)
    figures = findings[0].routes[0].figures
    for entry in figures["checks"]:
        findings.append(performed(spec, figures["kind"], entry, {f.check: f.verdict for f in findings}))
    timing = {spec.subject: round(time.perf_counter() - begun, 2)}
    results.write(path, results.document(findings, environment=results.environment(), timing=timing))


def performed(spec: TargetSpec, kind: str, entry: Mapping[str, Any], known: Mapping[str, Verdict]) -> Finding:
    """One check, unless what it requires has failed; what it raises is an ``error``."""
    from wnverify.auditing.work import perform

    def unfinished(verdict: Verdict, message: str) -> Finding:
        name = f"check/{spec.subject}/{entry['id']}"
        said = {"subject": spec.subject, "check": entry["id"], "statement": entry["asks"], "message": message}
        return Finding(kind="check", id=name, verdict=verdict, **said)

    broken = [name for name in entry["requires"] if known.get(name) in (Verdict.FAIL, Verdict.ERROR, Verdict.BLOCKED)]
    if broken:
        return unfinished(Verdict.BLOCKED, f"blocked by {', '.join(broken)}")
    try:
        return perform(spec.to_json(), entry["id"], quick=True, kind=kind)[0]
    except Exception as error:  # foreign code may raise anything
        return unfinished(Verdict.ERROR, f"{type(error).__name__}: {error}")


def every(targets: list[str]) -> None:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(2) as threads:
        paths = [f"{folder}/{number}.json" for number in range(len(targets))]
        calls = [[sys.executable, __file__, "--one", *pair] for pair in zip(targets, paths, strict=True)]
        list(threads.map(lambda call: subprocess.run(call, check=True, timeout=TIMEOUT_S), calls))
        doc = results.merge(*map(results.read, paths))
    results.write("results.json", doc)
    Path("findings.md").write_text(render(doc), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        every(sys.argv[1:])
