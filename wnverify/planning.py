"""What a report computes afresh in each of its modes, how long that takes, and what it leaves out.

``quick``: the claims with fewer points, the numerics of a few methods, the audit of a few.  ``default``: every claim
and theorem, the numerics of every method, a quick audit of each without its options.  ``full``: everything that this
machine can compute.  What a mode leaves out comes from the stored parts, where there are any; and all modes but
``full`` leave out what a part of the same source and machine already knows.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify.auditing.catalogued import every_method
from wnverify.auditing.registry import DESCRIPTION
from wnverify.auditing.selftest import QUICK_SEEDS, selftest_items
from wnverify.auditing.suite import specs_of
from wnverify.bounding.topics import items as theory_items
from wnverify.experiments.listing import trained_methods
from wnverify.methods.catalogue import Method
from wnverify.numerics.topics import CHEAPEST, FEW, PATIENCE, QUICK, TOPICS, WHOLE, Topic, judged
from wnverify.report.wording import listed, plural
from wnverify.workitem import WorkItem

if TYPE_CHECKING:
    from wnverify.auditing.target import TargetSpec
    from wnverify.papers.claims import Claim

BESIDES: Final = ("torch.nn.utils.parametrizations:weight_norm",)
"""What the report audits beside the methods of the catalogue."""
SECONDS: Final = {"claim": 0.05, "theory": 0.9, "audit": 2.2, "selftest": 1.9, "training": 0.8}
"""What one claim, one topic of theory, one audited subject, one planted fault and one short training run take on
average, on one core."""
SLOW_CLAIMS: Final[Mapping[str, float]] = {
    "L1-T1-REPRO": 2.1,
    "L1-T2-REPRO": 2.1,
    "CWN-P2-PRE": 1.2,
    "L1-T1-SPARS0": 1.1,
    "L1-TH1a": 0.6,
    "CWN-EQ3": 0.6,
    "L1-TH1b": 0.6,
    "CWN-P1-STEPS": 0.5,
    "CWN-P1-GAUSS": 0.5,
    "L1-TH2": 0.4,
    "L1-51-SCALE": 0.3,
    "DSWN-EQ8-GAP": 0.3,
}
"""Claims that take more than three times the average, in seconds; a quick report leaves them out."""
PROMPT: Final = 0.5
"""The share of ``SECONDS`` that a quick one takes."""
TIMEOUT_S: Final = 300.0
"""The least that an item of a full report is given."""
RECOMPUTED: Final[Mapping[str, tuple[str, ...]]] = {
    "quick": (),
    "default": (),
    "full": ("audit", "claims", "numerics"),
}
"""Stored parts that a mode has no use for, because it computes afresh all that they hold."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """``specs`` are audited, quick or not, beside the ``items``, which start in their order: the longest first, so that
    all workers end together.  ``seconds``: item id → what it takes, roughly."""

    mode: str
    specs: Sequence[TargetSpec]
    quick_audit: bool
    items: Sequence[WorkItem]
    seconds: Mapping[str, float]
    left_out: Sequence[str]

    @property
    def total_seconds(self) -> float:
        """What it all takes on one core, roughly."""
        audit = SECONDS["audit"] * (1 if self.quick_audit else 1 / PROMPT)
        return sum(self.seconds.values()) + audit * len(self.specs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spared:
    """What need not run again: ``audits`` by subject, ``items``, and the ``topics`` of which something is known."""

    audits: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()


NOTHING: Final = Spared()


def plan(mode: str, seed: int, known: Collection[str] = (), **limits: Any) -> Plan:
    """The plan of the mode ``quick``, ``default`` or ``full``; ``known``: ids of items that need not run again."""
    quick = mode == "quick"
    if mode == "full":
        limits = {**limits, "timeout_s": max(limits.get("timeout_s", 0.0), TIMEOUT_S)}
    timed: list[tuple[WorkItem, float]] = []
    for item in claim_items((), quick=quick, **limits):
        if not (quick and item.check in SLOW_CLAIMS):
            timed.append((item, SLOW_CLAIMS.get(item.check, SECONDS["claim"])))
    if not quick:
        timed += [(item, SECONDS["theory"]) for item in theory_items(seed, mode != "full", limits)]
        seconds = SECONDS["training"] * (1 if mode == "full" else PROMPT)
        timed += [(item, seconds) for item in short_run_items(seed, quick=mode != "full", **limits)]
    for topic in TOPICS:
        timed += _numerics(topic, mode, seed, limits)
    if mode == "full":
        timed += [(item, SECONDS["selftest"]) for item in selftest_items(seed=seed, seeds=QUICK_SEEDS, **limits)]
    timed.sort(key=lambda pair: -pair[1])
    specs = _audited(mode)
    spared = NOTHING if mode == "full" else _spared(specs, timed, known)
    specs = [spec for spec in specs if spec.subject not in spared.audits]
    timed = [(item, seconds) for item, seconds in timed if item.id not in spared.items]
    return Plan(
        mode=mode,
        specs=specs,
        quick_audit=mode != "full",
        items=[item for item, _ in timed],
        seconds={item.id: seconds for item, seconds in timed},
        left_out=left_out(mode, spared),
    )


def _spared(specs: Sequence[TargetSpec], timed: Sequence[tuple[WorkItem, float]], known: Collection[str]) -> Spared:
    return Spared(
        audits=frozenset(spec.subject for spec in specs if f"check/{spec.subject}/{DESCRIPTION}" in known),
        items=frozenset(item.id for item, _ in timed if item.id in known),
        topics=frozenset(name.split("/")[2] for name in known if name.startswith("method/")),
    )


def left_out(mode: str, spared: Spared = NOTHING) -> list[str]:
    """What the mode does not compute afresh, in sentences."""
    said = []
    work = [plural(len(spared.audits), "audit")] * bool(spared.audits)
    work += [f"{plural(len(spared.items), 'item')} of the numerics"] * bool(spared.items)
    if work:
        said.append(f"Stored parts of this source and this machine hold {listed(work)}, which are not computed again.")
    if mode == "quick":
        said += [
            f"Claims are decided with fewer points, {', '.join(SLOW_CLAIMS)} not at all; theory and short training "
            "runs are left out.",
            *([] if spared.audits else [f"Of methods only {', '.join(CHEAPEST)} are audited."]),
        ]
    if mode == "default":
        said += [
            "Theory is asked with fewer points, short training runs have fewer samples.",
            *([] if spared.audits else ["Audits are quick, and leave out the options of methods."]),
        ]
    if mode == "full":
        said.append(f"Right variants are looked at under {QUICK_SEEDS} seeds; a stored part knows of more.")
    said.append("The papers' experiments are not trained: what is known of them comes from stored parts.")
    if mode != "full":
        said.append("The planted faults are not run: how many are caught is known from a stored part alone.")
    for effort, words in (
        (FEW, f"of {', '.join(CHEAPEST)} alone, with fewer points"),
        (QUICK, "with fewer points"),
        ("", "not at all"),
    ):
        asked = (topic for topic in TOPICS if topic.report.get(mode, "") == effort)
        names = [topic.name for topic in asked if topic.name not in spared.topics]
        if names:
            said.append(f"Of the numerics, {', '.join(names)} {'is' if len(names) == 1 else 'are'} asked {words}.")
    return said


def claim_items(patterns: Sequence[str], *, quick: bool, **limits: Any) -> list[WorkItem]:
    """One work item for each implemented claim that a pattern matches; a ``ValueError`` for a pattern without one."""
    from wnverify.papers import claims as registry

    table = registry.table()
    for pattern in patterns:
        if not fnmatch.filter(table, pattern):
            raise ValueError(f"ID {pattern!r} matches no decided claim; decided are {', '.join(table)}")
    chosen = [name for name in table if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]
    return [_claim_item(registry.get(name), quick, limits) for name in chosen]


def _claim_item(claim: Claim, quick: bool, limits: Mapping[str, Any]) -> WorkItem:
    from wnverify.papers.ledger import MODULE_OF, paper_of

    subject = MODULE_OF[paper_of(claim.id)]
    return WorkItem(
        id=f"claim/{subject}/{claim.id}",
        function="wnverify.papers.claims:decide",
        arguments={"claim_id": claim.id, "quick": quick},
        kind="claim",
        subject=subject,
        check=claim.id,
        statement=claim.statement,
        **limits,
    )


def short_run_items(seed: int, *, quick: bool, **limits: Any) -> list[WorkItem]:
    """One work item for each method that is trained on the digits."""
    return [
        WorkItem(
            id=f"experiment/{method.id}/digits",
            function="wnverify.experiments.shortruns:short_run",
            arguments={"method_id": method.id, "seed": seed, "quick": quick},
            kind="experiment",
            subject=method.id,
            check="digits",
            statement="The method trains on the digits: the loss falls, what it declares holds, its state survives.",
            **limits,
        )
        for method in trained_methods()
    ]


def _audited(mode: str) -> list[TargetSpec]:
    if mode == "quick":
        return specs_of(CHEAPEST)
    ours, _ = every_method()
    if mode == "default":
        ours = [spec for spec in ours if "[" not in spec.target]
    return [*ours, *specs_of(BESIDES)]


def _numerics(topic: Topic, mode: str, seed: int, limits: Mapping[str, Any]) -> list[tuple[WorkItem, float]]:
    effort = topic.report.get(mode)
    if effort is None:
        return []
    quick = effort != WHOLE
    methods: Sequence[Method | None] = judged() if topic.each else [None]
    if topic.each and effort == FEW:
        methods = [method for method in judged() if method.id in CHEAPEST]
    seconds = topic.seconds[1 if quick else 0]
    return [(numerics_item(topic, method, seed=seed, quick=quick, **limits), seconds) for method in methods]


def numerics_item(topic: Topic, method: Method | None, *, seed: int, quick: bool, **limits: Any) -> WorkItem:
    """The work item of one topic, of one method or of all."""
    subject = "every_method" if method is None else method.id
    patience = PATIENCE * topic.seconds[1 if quick else 0]
    limits = {**limits, "timeout_s": max(limits.get("timeout_s", 0.0), patience)}
    return WorkItem(
        id=f"method/{subject}/{topic.name}",
        function=topic.function,
        arguments={
            **({} if method is None else {"method_id": method.id}),
            "seed": seed,
            "quick": quick,
            **topic.arguments,
        },
        kind="method",
        subject=subject,
        check=topic.name,
        statement=topic.statement,
        **limits,
    )
