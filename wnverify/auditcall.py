"""What `wnverify audit` was asked: the command line, and without TARGET the project's configuration.

A call that names its TARGET says everything itself, so that a replay command does the same in every folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.auditing.catalogued import every_method
from wnverify.auditing.suite import distinct, specs_of
from wnverify.auditing.target import TargetError, TargetSpec
from wnverify.configuration import FILE, Configuration, read
from wnverify.waivers import Waiver

DEFAULT_TIMEOUT_S: Final = 60.0
WHOLE_CATALOGUE_S: Final = 300.0
"""Among the methods are torch's own maps, some of which take minutes at wide weights."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditCall:
    """Every setting of one audit that a configuration may give, resolved."""

    specs: Sequence[TargetSpec]
    checks: Sequence[str]
    seed: int
    quick: bool
    full: bool
    shards: int
    strict: bool
    timeout_s: float
    waivers: Sequence[Waiver]


def resolve(arguments: argparse.Namespace) -> AuditCall:
    """The call; ``ValueError`` where it is wrong.  What the command line says goes before what the project says."""
    given = Configuration() if arguments.targets or arguments.all_methods else read(Path.cwd())
    timeout_s = arguments.timeout or given.timeout or DEFAULT_TIMEOUT_S
    long = arguments.all_methods or arguments.full or arguments.shards
    return AuditCall(
        specs=_specs(arguments, given),
        checks=arguments.check or given.checks,
        seed=next(seed for seed in (arguments.seed, given.seed, 0) if seed is not None),
        quick=arguments.quick or (given.quick and not arguments.full),
        full=arguments.full,
        shards=arguments.shards,
        strict=arguments.strict or given.strict,
        timeout_s=max(timeout_s, WHOLE_CATALOGUE_S) if long else timeout_s,
        waivers=[*given.waivers, *map(Waiver.from_words, arguments.waive)],
    )


def _specs(arguments: argparse.Namespace, given: Configuration) -> Sequence[TargetSpec]:
    """What is audited: the TARGETs, or every method; what is left out is said on standard error."""
    if not arguments.all_methods:
        said = dict(arguments.arg), dict(arguments.declare)
        if arguments.targets:
            return specs_of(arguments.targets, *said, arguments.kind)
        if not given.targets:
            where = f"give package.module:name or path/file.py:name, or targets in [tool.wnverify] of {FILE}"
            raise TargetError(f"TARGET is missing: {where}")
        return _configured(given, *said, arguments.kind)
    if arguments.targets or arguments.arg or arguments.declare or arguments.kind:
        raise ValueError("--all-methods stands alone: no TARGET, --arg, --declare or --kind beside it")
    specs, skipped = every_method()
    if not arguments.quiet:
        for line in skipped:
            print(f"not audited: {line}", file=sys.stderr)
    return specs


def _configured(
    given: Configuration, arguments: Mapping[str, Any], declare: Mapping[str, Any], kind: str | None
) -> list[TargetSpec]:
    """The project's targets; ``arguments``, ``declare`` and ``kind`` go before what the project says."""
    specs: list[TargetSpec] = []
    for one in given.targets:
        own, declared = given.said_of(one)
        specs += specs_of([one.target], {**own, **arguments}, {**declared, **declare}, kind or one.kind)
    distinct(specs)
    return specs
