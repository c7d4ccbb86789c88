"""One generator of checks for every front door: targets → work items → findings.

Three phases, each item in its own supervised child: every subject is described (loaded, its statements read, the
checks that apply listed), then every check runs as one item, then what failed is repeated in a fresh process; a
failure counts only when it comes back there.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final

from wnverify import guard, runner
from wnverify.auditing.catalogued import method_spec
from wnverify.auditing.items import check_items, description_item, known_checks_item, repeat_item
from wnverify.auditing.registry import DESCRIPTION
from wnverify.auditing.target import PARAMETRIZATION, TargetError, TargetSpec, parse_target, pickle_target
from wnverify.auditing.vocabulary import PROPERTIES
from wnverify.finding import Evidence, Finding, Json, Verdict
from wnverify.journal import Journal, Memory
from wnverify.numerics.shards.group import check_world
from wnverify.report.views.notebook import Findings
from wnverify.runner import RunResult
from wnverify.waivers import Waiver, refuse_unknown
from wnverify.workitem import Outcome, WorkItem

WARM: Final = ("torch", "wnverify.auditing.warm")
ONCE: Final = ("torch", "wnverify.auditing.work")
_ONE_RUN: Final = threading.RLock()
"""For a child that runs one item: what is loaded lazily there alters nobody's next item."""


def specs_of(
    targets: Sequence[object],
    arguments: Mapping[str, Any] | None = None,
    declare: Mapping[str, Any] | None = None,
    kind: str | None = None,
) -> list[TargetSpec]:
    """The specifications of TARGET strings and live objects; ``TargetError`` where one cannot be audited."""
    if not targets:
        raise TargetError("TARGET is missing: give package.module:name or path/file.py:name")
    specs = []
    for target in targets:
        said = (arguments or {}, declare or {}, kind)
        if isinstance(target, str):
            specs.append(method_spec(target, *said) or parse_target(target, *said))
        else:
            specs.append(pickle_target(target, *said))
    distinct(specs)
    return specs


def distinct(specs: Sequence[TargetSpec]) -> None:
    """``TargetError`` where two subjects would have one name, and so one id for two findings."""
    names = [spec.subject for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"two targets are called {name!r}: rename one or audit them one after the other")


def audit(
    *targets: object,
    arguments: Mapping[str, Any] | None = None,
    declare: Mapping[str, Any] | None = None,
    kind: str | None = None,
    checks: Sequence[str] = (),
    seed: int = 0,
    quick: bool = False,
    full: bool = False,
    shards: int = 0,
    workers: int = 2,
) -> Findings:
    """Audit parametrizations, projections and penalties, and return the findings, sorted by id: a list, which a
    notebook shows as a table.

    ``targets`` are TARGET strings (``"package.module:name"``, ``"path/file.py:name"``, a catalogued method's id) or
    live objects, recognised by what they do: an ``nn.Module`` class, instance or factory with forward(V) → W is a
    parametrization, a function or another callable W → W a projection, and whatever gives a scalar a penalty, whose
    proximal operator is ``prox(W, step)`` beside it.  ``kind`` (``"parametrization"``, ``"projection"``,
    ``"penalty"``) overrides that.  ``arguments`` are constructor arguments, ``declare`` overrides what the subject
    declares, ``checks`` are patterns of check ids (``"gradient.*"``); ``quick`` looks at fewer weights, ``full`` at
    sizes and compilers that take minutes; ``shards``: over how many processes the weight is distributed
    too.  Raises ``TargetError`` (a ``ValueError``) where a target cannot be found or loaded or a name is unknown.
    """
    specs = specs_of(targets, arguments, declare, kind)
    result = run_audit(specs, checks=checks, seed=seed, quick=quick, full=full, shards=shards, workers=workers)
    return Findings(result.findings)


def run_audit(
    specs: Sequence[TargetSpec],
    *,
    checks: Sequence[str] = (),
    seed: int = 0,
    quick: bool = False,
    full: bool = False,
    shards: int = 0,
    workers: int = 2,
    timeout_s: float = 60.0,
    memory_mib: float = 6144.0,
    executor: Executor | None = None,
    journal: Journal | None = None,
    waivers: Sequence[Waiver] = (),
    warm: tuple[str, ...] = WARM,
    on_planned: Callable[[int], Callable[[Outcome], object] | None] | None = None,
) -> RunResult:
    """``audit`` with everything that the command line can set; ``on_planned`` gets the number of items to come.

    ``waivers`` change no finding: one for a check that does not exist is a ``ValueError`` before any check runs.
    ``warm``: what the children import first; with ``executor`` that of the children it shares.
    """
    limits = {"timeout_s": timeout_s, "memory_mib": memory_mib}
    common = {"checks": list(checks), "seed": seed, "quick": quick} | ({"full": True} if full else {})
    common |= {"shards": check_world(shards)} if shards else {}
    with contextlib.nullcontext(executor) if executor is not None else shared_children(workers, warm) as pool:
        settings: dict[str, Any] = {"executor": pool, "workers": workers, "warm": warm}
        first = described(specs, common, limits, journal, settings)
        if first.interrupted:
            return first
        known = {finding.subject: finding for finding in first.findings}
        planned = [item for spec in specs for item in plan(spec, known[spec.subject], common, limits)]
        if waivers:
            refuse_unknown(waivers, known_checks(settings))
        watch = on_planned(len(planned)) if on_planned else None
        checked = runner.run(planned, journal=journal, on_outcome=_preparing_repeats(watch, pool), **settings)
        repeated = RunResult(findings=[], timing={})
        if not checked.interrupted:
            items = [
                item
                for spec in specs
                if (item := repeat_item(spec, known[spec.subject], checked.findings, common, limits))
            ]
            repeated = runner.run(items, journal=journal, **settings | {"warm": ONCE})
    findings = confirmed([*first.findings, *checked.findings], repeated.findings)
    timing = {**first.timing, **checked.timing, **repeated.timing}
    interrupted = checked.interrupted or repeated.interrupted
    return RunResult(findings=_with_discoveries(findings), timing=timing, interrupted=interrupted)


def plan(
    spec: TargetSpec, description: Finding, common: Mapping[str, Any], limits: Mapping[str, float]
) -> list[WorkItem]:
    """One item for each check of a described subject; ``TargetError`` where it could not be described.

    Where its process ended before it could say anything there is none: that is the subject's ``error``, and no other's.
    """
    if _died(description):
        return []
    if description.verdict is Verdict.ERROR:
        raise TargetError(f"{spec.target}: {description.message}")
    return check_items(spec, description, common, limits)


def known_checks(settings: Mapping[str, Any]) -> list[str]:
    """The ids of all checks, asked of a child: the checks import torch, which this process does without."""
    result = runner.run([known_checks_item()], **settings)
    if result.interrupted:
        raise KeyboardInterrupt
    (finding,) = result.findings
    if not finding.routes:
        raise RuntimeError(f"the checks could not be listed: {finding.message}")
    listed: Any = finding.routes[0].figures["checks"]
    return list(listed)


def described(
    specs: Sequence[TargetSpec],
    common: Mapping[str, Any],
    limits: Mapping[str, float],
    journal: Journal | Memory | None,
    settings: Mapping[str, Any],
) -> RunResult:
    """One description for each subject.

    What dies when it is called cannot be recognised: taken for a parametrization it is described all the same, and its
    death is a finding of its checks.
    """
    first = runner.run([description_item(spec, common, limits) for spec in specs], journal=journal, **settings)
    known = {finding.subject: finding for finding in first.findings}
    unknown = [spec for spec in specs if spec.kind is None and spec.subject in known and _died(known[spec.subject])]
    if first.interrupted or not unknown:
        return first
    taken = {**common, "kind": PARAMETRIZATION}
    second = runner.run([description_item(spec, taken, limits) for spec in unknown], **settings)
    known |= {finding.subject: finding for finding in second.findings}
    timing = {**first.timing, **second.timing}
    return RunResult(findings=list(known.values()), timing=timing, interrupted=second.interrupted)


def _preparing_repeats(watch: Callable[[Outcome], object] | None, executor: Executor) -> Callable[[Outcome], object]:
    """``watch``, and at the first failure a fresh child is started, so that its repetition need not wait for it."""
    ready = not isinstance(executor, ThreadPoolExecutor)

    def see(outcome: Outcome) -> None:
        nonlocal ready
        if not ready and any(finding.verdict is Verdict.FAIL for finding in outcome.findings):
            ready = True
            guard.prestart(1, ONCE)
        if watch is not None:
            watch(outcome)

    return see


@contextlib.contextmanager
def shared_children(workers: int, warm: tuple[str, ...] = WARM) -> Iterator[Executor]:
    """Threads whose warm children are kept from one run to the next.

    The children belong to the process and end with the run: where two threads ask, the second waits for the first.
    Within a run its own thread may begin another, which ends the children of both: they are started anew.
    """
    with _ONE_RUN:
        guard.prestart(workers, warm)
        threads = ThreadPoolExecutor(workers, thread_name_prefix="wnverify")
        try:
            yield threads
        finally:
            guard.close()
            threads.shutdown(wait=True, cancel_futures=True)


def _died(description: Finding) -> bool:
    """Whether the process that described the subject ended before it could say anything."""
    return description.verdict is Verdict.ERROR and not description.routes


def confirmed(findings: Sequence[Finding], repeated: Sequence[Finding]) -> list[Finding]:
    """A failure that came back in a fresh process says so; one that did not is a hazard of hidden state.

    Where the repetition itself died nothing was learnt: the failure stands, and says that it was not repeated.
    """
    again: dict[tuple[str, str], Json] = {}
    died = {finding.subject: finding.message for finding in repeated if finding.verdict is Verdict.ERROR}
    for finding in repeated:
        for route in finding.routes:
            again.update({(finding.subject, name): verdict for name, verdict in route.figures.items()})
    out = []
    for finding in findings:
        if finding.verdict is not Verdict.FAIL or not repeated:
            out.append(finding)
        elif finding.subject in died:
            said = f"not repeated in a fresh process, which ended before: {died[finding.subject]}"
            out.append(finding.replace(conditions=(*finding.conditions, said)))
        elif again.get((finding.subject, finding.check)) == str(Verdict.FAIL):
            out.append(finding.replace(conditions=(*finding.conditions, "reproduced in a fresh process")))
        else:
            said = f"it failed once and not in a fresh process, so it rests on hidden state: {finding.message}"
            out.append(finding.replace(verdict=Verdict.HAZARD, message=said))
    return out


def _with_discoveries(findings: Sequence[Finding]) -> list[Finding]:
    """The description of each subject, with the properties that were discovered."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        if finding.check == "property.discovered" and finding.routes:
            cases: Any = finding.routes[0].figures["cases"]
            # A case is called by its property, and perhaps by more: "odd (but for an eps)".
            held = (name for name, case in cases.items() if case["verdict"] == "pass")
            found[finding.subject] = sorted(name for name in held if name.partition(" ")[0] in PROPERTIES)
    out = []
    for finding in findings:
        if finding.check == DESCRIPTION and finding.subject in found:
            route = finding.routes[0]
            figures = {**route.figures, "discovered": found[finding.subject]}
            evidence = Evidence(route=route.route, verdict=route.verdict, figures=figures)
            finding = finding.replace(routes=(evidence,))
        out.append(finding)
    return sorted(out, key=lambda finding: finding.id)
