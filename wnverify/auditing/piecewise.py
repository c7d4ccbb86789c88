"""An audit whose checks are performed when somebody asks for them: for front doors that want one finding at a time.

The items, the children and the confirmation of failures are those of ``suite``.  All subjects of a process share its
warm child; what failed is repeated in a second one, which each subject starts at its first failure.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final

from wnverify import guard, runner
from wnverify.auditing.items import repeat_item
from wnverify.auditing.suite import WARM, confirmed, described, known_checks, plan
from wnverify.auditing.target import TargetSpec
from wnverify.finding import Finding, Verdict
from wnverify.journal import Memory
from wnverify.workitem import WorkItem

MEMORY_MIB: Final = 6144.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an audit is asked, as in ``suite.run_audit``."""

    checks: tuple[str, ...] = ()
    seed: int = 0
    quick: bool = False
    timeout_s: float = 60.0


class SubjectAudit:
    """One subject: its items are planned when they are first looked at, each is performed once."""

    def __init__(self, spec: TargetSpec, settings: Settings):
        self.spec = spec
        self._common = {"checks": list(settings.checks), "seed": settings.seed, "quick": settings.quick}
        self._limits = {"timeout_s": settings.timeout_s, "memory_mib": MEMORY_MIB}
        self._memory = Memory()
        self._found: dict[str, Finding] = {}
        self._again: guard.Pool | None = None

    @functools.cached_property
    def items(self) -> Sequence[WorkItem]:
        """One item for each check that applies, in their order; ``TargetError`` where the subject cannot be loaded."""
        return plan(self.spec, self._description, self._common, self._limits)

    def finding(self, check: str) -> Finding:
        """The finding of one check, its prerequisites performed before it; a failure came back in another process."""
        if check not in self._found:
            known = {item.id: item for item in self.items}
            item = next(item for item in self.items if item.check == check)
            result = runner.run(_with_prerequisites(item, known), journal=self._memory, **shared())
            if result.interrupted:
                raise KeyboardInterrupt
            found = next(finding for finding in result.findings if finding.id == item.id)
            self._found[check] = self._confirmed(found) if found.verdict is Verdict.FAIL else found
        return self._found[check]

    def close(self) -> None:
        """End the child that repeats failures."""
        if self._again is not None:
            self._again.close()
            self._again = None

    @functools.cached_property
    def _description(self) -> Finding:
        result = described([self.spec], self._common, self._limits, self._memory, shared())
        if result.interrupted:
            raise KeyboardInterrupt
        return result.findings[0]

    def _confirmed(self, failed: Finding) -> Finding:
        item = repeat_item(self.spec, self._description, [failed], self._common, self._limits)
        assert item is not None
        if self._again is None:
            self._again = guard.Pool(1, warm=WARM)
        # This child has seen nothing but failures, as the one in which ``suite`` repeats all of a subject's.
        outcome = self._again.perform(dataclasses.replace(item, fresh=False))
        (finding,) = confirmed([failed], outcome.findings)
        return finding


@functools.cache
def all_checks() -> tuple[str, ...]:
    """The ids of all checks."""
    return tuple(known_checks(shared()))


def shared() -> dict[str, Any]:
    """How every item runs: one at a time in the warm child of this process."""
    return {"executor": _thread(), "workers": 1, "warm": WARM}


@functools.cache
def _thread() -> Executor:
    return ThreadPoolExecutor(1, thread_name_prefix="wnverify")


def _with_prerequisites(item: WorkItem, known: dict[str, WorkItem]) -> list[WorkItem]:
    chosen = {item.id: item}
    for name in item.requires:
        chosen |= {needed.id: needed for needed in _with_prerequisites(known[name], known)}
    return list(chosen.values())
