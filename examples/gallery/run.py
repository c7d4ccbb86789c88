"""``python run.py``: an audit of every target of ``targets.txt``, and of it the report's stored part.

Every check runs quickly, those of ``execution`` wholly: compiling and exporting are no part of a quick audit.
A subject bears its public name, an accusation what ``notes.md`` says of it; the figures of what passed are left out.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wnverify.auditing.suite import WARM, run_audit, specs_of
from wnverify.finding import Finding, Verdict
from wnverify.report import results

HERE = Path(__file__).parent
PART = HERE.parents[1] / "reports" / "parts" / "gallery.json"
PASSES = ((("contract.*", "edge.*", "[!ce]*", "cost.*"), True), (("execution.*",), False))
"""Patterns of checks, and whether they run quickly."""
BY_JAX = ("jax_maps.py",)
LIBRARIES = {False: ("geoopt", "orthogonium", "deel.torchlip", "pyproximal"), True: ("started_jax",)}
"""Imported before the first check, without and with JAX: importing them alters the process, which is then given up."""
TIMEOUT_S = 300.0
ACCUSES = (Verdict.FAIL, Verdict.HAZARD, Verdict.ERROR)
QUIET = (Verdict.PASS, Verdict.UNSUPPORTED)


def public_names() -> dict[str, str]:
    """Target → the name that its users know it by."""
    lines = (HERE / "targets.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines)


def notes() -> dict[tuple[str, str], str]:
    """(public name, check) → what ``notes.md`` says: the item of the list that names the check."""
    text = (HERE / "notes.md").read_text(encoding="utf-8")
    said = {}
    for name, section in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, re.M):
        for item in re.findall(r"^- ((?:(?!- |## ).*\n?)*)", section, re.M):
            for check in re.findall(r"`([a-z_]+\.[a-z0-9_]+)`", item):
                said[name, check] = item.strip()
    return said


def packages() -> dict[str, str]:
    """The versions of what is audited, as they are installed."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = ["torch", *(line.split("==")[0] for line in lines if "==" in line)]
    return {name: importlib.metadata.version(name) for name in names}


def audited(targets: Iterable[str]) -> tuple[list[Finding], dict[str, Any]]:
    """The findings under the targets' own names, and what each check took."""
    groups: dict[bool, list[str]] = {}
    for target in targets:
        groups.setdefault(target.split(":")[0] in BY_JAX, []).append(target)
    found: dict[str, Finding] = {}
    timing: dict[str, Any] = {}
    for jax, group in groups.items():
        for checks, quick in PASSES:
            warm = (*WARM, *LIBRARIES[jax])
            run = run_audit(specs_of(group), checks=checks, quick=quick, timeout_s=TIMEOUT_S, warm=warm)
            for finding in run.findings:
                found.setdefault(finding.id, finding)
            timing |= {name: taken for name, taken in run.timing.items() if name not in timing}
    return list(found.values()), timing


def published(finding: Finding, name: str, said: Mapping[tuple[str, str], str]) -> Finding:
    """The finding under the public name, an accusation with its note, what is quiet without its figures."""
    routes = finding.routes
    if finding.check == "subject.description":
        kept = {key: value for key, value in routes[0].figures.items() if key != "checks"}
        routes = (replace(routes[0], figures=kept),)
    elif finding.verdict in QUIET:
        routes = tuple(replace(route, figures={}) for route in routes)
    elif finding.verdict in ACCUSES and (note := said.get((name, finding.check))):
        if routes:
            routes = (replace(routes[0], figures={**routes[0].figures, "note": note}), *routes[1:])
        else:
            finding = finding.replace(conditions=(*finding.conditions, f"note: {note}"))
    return finding.replace(id=f"check/{name}/{finding.check}", subject=name, routes=routes)


def id_under(names: Mapping[str, str], id: str) -> str:
    """The id of a finding with the public name instead of the target."""
    kind, target, check = id.split("/")
    return f"{kind}/{names[target]}/{check}"


def document(findings: Iterable[Finding], timing: Mapping[str, Any]) -> dict[str, Any]:
    """The stored part, whose environment and whose entry of ``parts`` name the versions of what was audited."""
    names, said = public_names(), notes()
    environment = results.environment()
    environment["versions"] |= packages()
    part = {**results.part("gallery", quick=True), "versions": packages(), "date": environment["date"]}
    return results.document(
        [published(finding, names[finding.subject], said) for finding in findings],
        environment=environment,
        timing={id_under(names, name): taken for name, taken in timing.items()},
        parts={"gallery": part},
    )


def main() -> None:
    """Audit the whole table, and write the part; as long as this runs, what JAX compiles is kept for every process."""
    with TemporaryDirectory() as folder:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        doc = document(*audited(public_names()))
    PART.parent.mkdir(parents=True, exist_ok=True)
    results.write(PART, doc)


if __name__ == "__main__":
    main()
