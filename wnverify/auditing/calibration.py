"""How often the audit accuses the innocent, and how often it misses the guilty, when other random numbers are drawn.

A right variant is looked at by every check under many seeds in one process.  Which checks rest on chance is found out:
those that draw numbers, and among whose first looks some ratio is neither absent nor exactly zero.  They are looked at
that often; a look is a sampled one (see ``Context``), so that each seed costs one weight and not a whole sheet, and
a check that traces the subject puts that many weights through one trace.  The other checks get ``FIRST`` seeds.

By its error model each comparison of a sound subject passes ratio 1 with probability ``FALSE_ALARM_BUDGET`` at most: so
many times the number of comparisons is the declared number of false alarms.  What is observed stands beside it, with
its exact one-sided 95 % bound (C. J. Clopper and E. S. Pearson, Biometrika 26 (1934); 1 − 0.05^(1/N) for none of N).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.counted import cost_of
from wnverify.auditing.registry import SEVERITY, Check, Sheet
from wnverify.auditing.subject import Subject
from wnverify.auditing.work import replay_command
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET
from wnverify.report.trust import upper_bound

FIRST: Final = 6
"""Looks after which a check that never measured anything but exact agreement is taken to rest on no chance."""
MANY_CALLS: Final = 120
"""Operators called in one forward and backward up to which every seed is afforded; beyond, proportionally fewer."""
SHOWN: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """An accusation of a right variant: where, under which seed, in which words."""

    check: str
    seed: int
    verdict: Verdict
    message: str

    def __str__(self) -> str:
        return f"{self.check} says {self.verdict} at seed {self.seed}: {self.message}"


@dataclasses.dataclass(slots=True)
class Tally:
    """What one check saw of one right variant: ``seeds`` looked at, ``comparisons`` made, ``beyond`` those that passed
    ratio 1 unlisted, ``noisy`` cases that decided nothing, ``largest`` unlisted ratio and its seed."""

    seeds: int = 0
    comparisons: int = 0
    beyond: list[tuple[int, str, float]] = dataclasses.field(default_factory=list)
    noisy: int = 0
    largest: float = 0.0
    at_seed: int | None = None
    chance: bool = False
    alarms: list[Alarm] = dataclasses.field(default_factory=list)

    @property
    def figures(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "comparisons": self.comparisons,
            "largest_ratio": self.largest,
            "at_seed": self.at_seed,
            "beyond_model": len(self.beyond),
            "undecided": self.noisy,
            "alarms": len(self.alarms),
        }


def tally(check: Check, look: Context, seeds: Sequence[int], *, hazard_listed: bool) -> Tally:
    """One check under these seeds, the first ``FIRST`` of them only where nothing is left to chance."""
    seen = Tally()
    for count, seed in enumerate(seeds):
        if count >= FIRST and not seen.chance:
            break
        own, sheet = look.reseeded(seed), Sheet()
        try:
            check.run(own, sheet)
        except Exception as error:  # what a check does not expect is as bad as an accusation
            said = f"{type(error).__name__}: {first_line(error)}"
            seen.alarms.append(Alarm(check.id, seed, Verdict.ERROR, said))
        _count(seen, check, sheet, seed, hazard_listed)
        seen.seeds += 1
        if own.traced:
            seen.seeds = len(seeds)
        if own.traced or not own.drawn:
            break
    return seen


def _count(seen: Tally, check: Check, sheet: Sheet, seed: int, hazard_listed: bool) -> None:
    for case in sheet.cases:
        listed = hazard_listed and case.verdict is Verdict.HAZARD
        if SEVERITY.index(case.verdict) >= SEVERITY.index(Verdict.HAZARD) and not listed:
            seen.alarms.append(Alarm(check.id, seed, case.verdict, f"{case.name}: {case.message}"))
        if case.ratio is None or listed:
            continue
        seen.comparisons += 1
        seen.chance |= case.ratio != 0
        seen.noisy += case.verdict is Verdict.INCONCLUSIVE and case.ratio <= 1
        if not case.ratio <= 1 and not hazard_listed:
            seen.beyond.append((seed, case.name, case.ratio))
        if not case.ratio <= seen.largest and not hazard_listed:
            seen.largest, seen.at_seed = case.ratio, seed


def seeds_for(subject: Subject, seed: int, most: int) -> list[int]:
    """The seeds after this run's own; fewer for a subject that calls very many operators."""
    point = Context(subject, seed=seed).small_point()
    calls = 0
    if point is not None:
        try:
            calls = cost_of(subject.build(point.weight).at, point.V).calls
        except Exception:  # some operators cannot be watched
            calls = 0
    count = min(most, max(FIRST, most * MANY_CALLS // max(calls, 1)))
    return list(range(seed + 1, seed + 1 + count))


def calibrated(
    subject: Subject, checks: Iterable[Check], hazards: Collection[str], *, seed: int, most: int
) -> tuple[list[int], dict[str, Tally]]:
    """The seeds, and what every applicable check saw of a right variant under them."""
    seeds = seeds_for(subject, seed, most)
    look = Context(subject, seed=seed, quick=True, shrink=False, sampled=True, weights=len(seeds))
    _ = look.repeatable_in_training, look.scalar and look.typical  # found out once, and known under every seed
    asked = [check for check in checks if check.applies(subject)]
    return seeds, {check.id: tally(check, look, seeds, hazard_listed=check.id in hazards) for check in asked}


def judged(
    subject: Subject, seeds: Sequence[int], tallies: dict[str, Tally], *, id: str, statement: str, check: str
) -> Finding:
    """``fail`` when a right variant was accused, ``inconclusive`` when a comparison passed its model unaccused."""
    alarms = [alarm for seen in tallies.values() for alarm in seen.alarms]
    beyond = [(name, *found) for name, seen in tallies.items() for found in seen.beyond]
    comparisons = sum(seen.comparisons for seen in tallies.values())
    verdict = Verdict.FAIL if alarms else Verdict.INCONCLUSIVE if beyond or not comparisons else Verdict.PASS
    said = [str(alarm) for alarm in alarms]
    if not alarms:
        said = [f"{name} at seed {seed}, {case}: ratio {ratio:.3g}" for name, seed, case, ratio in beyond]
    more = len(said) - SHOWN
    message = "; ".join(said[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
    where = (alarms[0].check, alarms[0].seed) if alarms else (beyond[0][0], beyond[0][1]) if beyond else (None, None)
    figures = {
        "seeds": len(seeds),
        "first_seed": seeds[0],
        "comparisons": comparisons,
        "budget_each": FALSE_ALARM_BUDGET,
        "expected_false_alarms": FALSE_ALARM_BUDGET * comparisons,
        "false_alarms": len(alarms),
        "beyond_model": len(beyond),
        "undecided": sum(seen.noisy for seen in tallies.values()),
        "alarm_rate_at_most": upper_bound(min(len(alarms), comparisons), comparisons) if comparisons else None,
        "checks": {name: seen.figures for name, seen in tallies.items() if seen.chance},
        "exact": sorted(name for name, seen in tallies.items() if not seen.chance),
    }
    ratios = [seen.largest for seen in tallies.values()]
    route = Evidence(route="simulation", verdict=verdict, ratio=max(ratios, default=None), figures=figures)
    replay = replay_command(subject.spec, where[0], where[1] if where[1] is not None else seeds[0], True)
    return Finding(
        kind="check",
        id=id,
        subject="selftest",
        check=check,
        verdict=verdict,
        statement=statement,
        message=message,
        routes=(route,),
        replay=replay,
    )


def caught_again(check: Check, subject: Subject, seeds: Sequence[int]) -> dict[int, str]:
    """The verdict of a whole look of the check that is meant for a fault, by seed; empty where nothing is drawn."""
    found: dict[int, str] = {}
    first = Context(subject, seed=seeds[0], shrink=False)
    for seed in seeds:
        look, sheet = first.reseeded(seed), Sheet()
        check.run(look, sheet)
        if not look.drawn:
            return {}
        found[seed] = str(sheet.verdict)
    return found
