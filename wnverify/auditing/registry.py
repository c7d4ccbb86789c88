"""How a check is written: a decorated function that looks at a subject and fills a sheet of cases.

    @check("family.name", asks="One sentence that says what is asked.")
    def name(look: Context, sheet: Sheet) -> None: ...

The finding's verdict is the worst case's; a check without a single case is ``inconclusive``.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import importlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify.auditing.target import KINDS, PARAMETRIZATION, TargetError
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.oracles.ratio import REFUTES_FROM, Ratio

if TYPE_CHECKING:
    from wnverify.auditing.context import Context
    from wnverify.auditing.subject import Subject
    from wnverify.oracles.differences import NotDifferencedError

MODULES: Final = (
    "contract",
    "contract_modes",
    "contract_layout",
    "contract_device",
    "contract_prox",
    "lifecycle",
    "training",
    "training_layers",
    "property",
    "discovered",
    "precision",
    "gradient",
    "gradient_variants",
    "gradient_settings",
    "gradient_beside",
    "gradient_singular",
    "edge",
    "edge_scale",
    "sizes",
    "execution",
    "sharding",
    "cost",
)
SEVERITY: Final = (
    Verdict.PASS,
    Verdict.UNSUPPORTED,
    Verdict.INCONCLUSIVE,
    Verdict.HAZARD,
    Verdict.BLOCKED,
    Verdict.ERROR,
    Verdict.FAIL,
)
SHOWN_CASES: Final = 2
DESCRIPTION: Final = "subject.description"
DESCRIBES: Final = "What is it, what does it say of itself, and which checks apply?"
REPEATED: Final = "subject.repeated"
REPEATS: Final = "Does what failed fail again in a fresh process?"
KNOWN_CHECKS: Final = "check/audit/known"
LISTS: Final = "Which checks are there?"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe verdict; ``inconclusive`` of none."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.INCONCLUSIVE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that a check looked at."""

    name: str
    verdict: Verdict
    message: str = ""
    route: str = "property search"
    ratio: float | None = None
    power: float | None = None
    model: str = ""
    witness: Mapping[str, Any] | None = None
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Sheet:
    """The cases of one check on one subject."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.notes: list[str] = []
        self.nothing = "No generated weight lies in the stated domain and is taken"
        self.shown: Case | None = None
        """The case whose witness stands for the finding; None for the worst that has one."""

    def add(self, name: str, verdict: Verdict, message: str = "", **rest: Any) -> None:
        self.cases.append(Case(name=name, verdict=verdict, message=message, **rest))

    def compare(self, name: str, ratio: Ratio, message: str, *, wrong: Verdict = Verdict.FAIL, **rest: Any) -> Verdict:
        """A numerical comparison: passes at ratio ≤ 1, is ``wrong`` from 2 on, undecided between.

        A model that allows everything (the map leaves its domain within a rounding) lets no miss pass.
        """
        value = ratio.value
        verdict = Verdict.PASS if value <= 1 else Verdict.INCONCLUSIVE if value < REFUTES_FROM else wrong
        said = "" if verdict is Verdict.PASS else f"{message} (relative error {ratio.relative:.2g}, ratio {value:.3g})"
        if 0 < ratio.error < math.inf and not math.isfinite(ratio.model.relative):
            verdict, said = Verdict.INCONCLUSIVE, f"{message}? The map has no finite condition here"
        self.add(name, verdict, said, ratio=value, power=ratio.model.relative, model=ratio.model.text, **rest)
        return verdict

    def note(self, text: str) -> None:
        """A condition under which the finding stands."""
        if text not in self.notes:
            self.notes.append(text)

    def not_differenced(self, name: str, error: NotDifferencedError) -> None:
        """The forward has no usable difference quotient here: a jump is a hazard, mere noise decides nothing.

        At a kink there is no derivative that a backward could miss: that is a condition of the finding.
        """
        from wnverify.oracles.differences import DiscontinuousError, KinkError

        if isinstance(error, KinkError):
            self.nothing = "At every weight that was looked at it has a kink"
            self.note(f"{name}: {error}")
            return
        verdict = Verdict.HAZARD if isinstance(error, DiscontinuousError) else Verdict.INCONCLUSIVE
        self.add(name, verdict, str(error), route="differences")

    @property
    def verdict(self) -> Verdict:
        return worst(case.verdict for case in self.cases)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to subjects of ``kinds``; ``instead`` words it otherwise for some of them.

    ``needs`` names what the subject must have: ``declared`` (the property that the id names) or a capability
    (``object``, ``gradient``, ``derivative``, ``prox``), or that a number of processes is given (``shards``).
    """

    id: str
    asks: str
    run: Callable[[Context, Sheet], None]
    requires: tuple[str, ...]
    needs: tuple[str, ...]
    quick: bool
    kinds: tuple[str, ...] = KINDS
    instead: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def question(self, kind: str) -> str:
        """What is asked of a subject of this kind."""
        return self.instead.get(kind, self.asks)

    def applies(self, subject: Subject, shards: int = 0) -> bool:
        """Whether there is something to ask."""
        lacking = set(self.needs) - subject.capabilities - ({"shards"} if shards else set())
        if self.id.split(".", 1)[1] in subject.declares:
            lacking.discard("declared")
        return subject.kind in self.kinds and not lacking


_CHECKS: dict[str, Check] = {}


def check(
    id: str,
    *,
    asks: str,
    requires: tuple[str, ...] = ("contract.forward",),
    needs: tuple[str, ...] = (),
    quick: bool = True,
    kinds: tuple[str, ...] = KINDS,
    instead: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Context, Sheet], None]], Callable[[Context, Sheet], None]]:
    """Register a check under a stable dotted id; ``quick=False`` leaves it out of quick audits."""

    def register(function: Callable[[Context, Sheet], None]) -> Callable[[Context, Sheet], None]:
        if id in _CHECKS:
            raise ValueError(f"check id {id!r} is used twice")
        _CHECKS[id] = Check(
            id=id,
            asks=asks,
            run=function,
            requires=requires,
            needs=needs,
            quick=quick,
            kinds=kinds,
            instead=instead or {},
        )
        return function

    return register


def checks() -> dict[str, Check]:
    """Every registered check by id, in the order of the modules, whichever of them was imported first."""
    order = [importlib.import_module(f"wnverify.auditing.checks.{module}").__name__ for module in MODULES]
    return dict(sorted(_CHECKS.items(), key=lambda known: order.index(known[1].run.__module__)))


def finding_of(check: Check, sheet: Sheet, *, subject: str, replay: str, kind: str = PARAMETRIZATION) -> Finding:
    """The one finding of a check: worst verdict, what was not a pass in words (first the case whose witness is given),
    every case in the figures."""
    verdict = sheet.verdict
    bad = [case for case in sheet.cases if case.verdict is not Verdict.PASS]
    bad.sort(key=lambda case: (-SEVERITY.index(case.verdict), case is not sheet.shown, -(case.ratio or 0.0)))
    if not sheet.cases:
        message = f"{sheet.nothing}, so nothing was decided."
    elif bad:
        said = [f"{case.name}: {case.message}" for case in bad[:SHOWN_CASES]]
        more = len(bad) - SHOWN_CASES
        message = "; ".join(said) + (f"; and {more} more" if more > 0 else "")
    else:
        message = f"{len(sheet.cases)} cases"
    shown = [sheet.shown] if sheet.shown is not None else bad
    witness = next((dict(case.witness) for case in shown if case.witness), None)
    return Finding(
        kind="check",
        id=f"check/{subject}/{check.id}",
        subject=subject,
        check=check.id,
        verdict=verdict,
        statement=check.question(kind),
        message=message,
        conditions=tuple(sheet.notes),
        routes=tuple(_routes(sheet)),
        witness=witness,
        replay=replay,
    )


def _routes(sheet: Sheet) -> Iterable[Evidence]:
    for route in dict.fromkeys(case.route for case in sheet.cases):
        cases = [case for case in sheet.cases if case.route == route]
        ratios = [case.ratio for case in cases if case.ratio is not None]
        powers = [case.power for case in cases if case.power is not None]
        largest = max(cases, key=lambda case: case.ratio if case.ratio is not None else -math.inf)
        yield Evidence(
            route=route,
            verdict=worst(case.verdict for case in cases),
            ratio=max(ratios, default=None),
            power=max(powers, default=None),
            model=largest.model,
            figures={"cases": {case.name: _case_figures(case) for case in cases}},
        )


def _case_figures(case: Case) -> dict[str, Any]:
    figures: dict[str, Any] = {"verdict": str(case.verdict), **case.figures}
    if case.ratio is not None:
        figures["ratio"] = case.ratio
    if case.message:
        figures["message"] = case.message
    return figures


def matching(patterns: Sequence[str], ids: Sequence[str]) -> list[str]:
    """The ids that any pattern matches, all of them without patterns; ``TargetError`` for a pattern without a match."""
    for pattern in patterns:
        if not fnmatch.filter(ids, pattern):
            raise TargetError(f"--check {pattern!r} matches no check of this subject; its checks are {', '.join(ids)}")
    return [name for name in ids if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
