"""Executable claims: how a statement of a paper is registered, measured and decided.

A claim's body *measures*: it returns ``Measured``, the routes of each part of the statement, and no verdict.  The
verdict is computed from what was measured by the rules of ``settle``:

- a part on which the routes that decided anything agree takes their verdict; routes that disagree make an ``error``;
- a statement holds when all its parts hold, is refuted when one part is, and is undecided when one stays undecided;
- parts measured under added conditions that hold give ``holds-under``, naming those conditions that a
  counterexample shows to be needed (where none is, the statement simply holds);
- what two places of the paper say of one thing is compared in ``consistency``; where they disagree, and the parts do
  not refute the statement by themselves, the paper is ``inconsistent``;
- readings that lead to different verdicts make the text ``ambiguous``.

A body never sees which formula it judges: the printed one, a planted fault of it, or its corrected form.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from wnverify.finding import Evidence, Finding, Json, Verdict
from wnverify.oracles.ratio import REFUTES_FROM
from wnverify.papers import ledger

Formula = Any
"""What a claim judges: a callable, a tuple of printed lines, a table of printed numbers; the claim's body knows."""

STRENGTH_OF_ROUTE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "symbolic": "proved",
        "arithmetic": "proved",
        "exact": "certified",
        "enclosure": "certified",
        "optimisation": "certified",
        "property search": "tested",
        "differences": "tested",
        "automatic differentiation": "tested",
        "simulation": "tested",
    }
)
"""What ``holds`` is worth by the route it stands on: a symbolic identity, or arithmetic on the paper's own numbers, is
a proof; exact or enclosed calculation certifies the points it was done at.  Reading alone is worth nothing here."""
WITNESSED: Final = frozenset({Verdict.REFUTED, Verdict.INCONSISTENT})
"""Verdicts that carry a counterexample, and may carry a correction."""
_RANK: Final = ("proved", "certified", "tested")


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One assertion within a statement, the routes that judged it, and its counterexample if one was found."""

    name: str
    routes: Sequence[Evidence]
    witness: Json = None


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A condition that the text lacks: the parts were measured under it, ``without`` tells what happens if dropped."""

    text: str
    without: Sequence[Evidence]
    witness: Json = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the text, measured on its own."""

    text: str
    parts: Sequence[Part]
    consistency: Sequence[Part] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a claim's body saw.  Either ``parts`` with ``consistency``, or ``readings``; ``left_out`` names what quick
    mode skipped.

    A part of ``consistency`` asserts that two places of the paper agree, each taken as it is printed.
    """

    parts: Sequence[Part] = ()
    consistency: Sequence[Part] = ()
    readings: Sequence[Reading] = ()
    conditions: Sequence[Condition] = ()
    message: str = ""
    left_out: Sequence[str] = ()

    def __post_init__(self) -> None:
        if bool(self.parts or self.consistency) == bool(self.readings):
            raise ValueError("measured must have parts or readings, one of the two and not both")


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """The verdict of a measurement, what it is worth, and what it rests on."""

    verdict: Verdict
    strength: str | None = None
    witness: Json = None
    needed: tuple[str, ...] = ()
    note: str = ""


def said(
    route: str,
    holds: bool | None,
    note: str = "",
    *,
    power: float | None = None,
    model: str = "",
    figures: Mapping[str, Json] | None = None,
) -> Evidence:
    """The evidence of a route that answers yes, no or (``None``) nothing."""
    verdict = Verdict.UNDECIDED if holds is None else Verdict.HOLDS if holds else Verdict.REFUTED
    return Evidence(route=route, verdict=verdict, note=note, power=power, model=model, figures=dict(figures or {}))


def by_ratio(
    route: str,
    ratio: float,
    note: str = "",
    *,
    power: float,
    model: str,
    figures: Mapping[str, Json] | None = None,
) -> Evidence:
    """The evidence of a numerical comparison: ratio ≤ 1 holds, ≥ 2 (or NaN) refutes, between the two says nothing."""
    verdict = Verdict.HOLDS if ratio <= 1 else Verdict.UNDECIDED if ratio < REFUTES_FROM else Verdict.REFUTED
    return Evidence(
        route=route, verdict=verdict, note=note, ratio=ratio, power=power, model=model, figures=dict(figures or {})
    )


def worse(*ratios: float) -> float:
    """The largest; a NaN among them stays one, so that it cannot pass."""
    return math.nan if any(math.isnan(ratio) for ratio in ratios) else max(ratios)


def agreed(routes: Iterable[Evidence]) -> Verdict:
    """The common verdict of the routes that decided anything; ``error`` where they disagree."""
    verdicts = {route.verdict for route in routes} - {Verdict.UNDECIDED}
    if not verdicts:
        return Verdict.UNDECIDED
    return verdicts.pop() if len(verdicts) == 1 else Verdict.ERROR


def settle(measured: Measured) -> Settled:
    """The verdict that follows from what was measured, by the rules at the head of this module."""
    if measured.readings:
        return _settle_readings(measured.readings)
    whole = _settle_parts(measured.parts, measured.consistency)
    if whole.verdict is not Verdict.HOLDS or not measured.conditions:
        return whole
    without = [(condition, agreed(condition.without)) for condition in measured.conditions]
    for condition, verdict in without:
        if verdict in (Verdict.ERROR, Verdict.UNDECIDED):
            return Settled(verdict, note=f"without the condition {condition.text!r}: {verdict}")
    needed = [condition for condition, verdict in without if verdict is Verdict.REFUTED]
    if not needed:
        return whole
    witness: Json = {condition.text: condition.witness for condition in needed}
    return Settled(Verdict.HOLDS_UNDER, whole.strength, witness, tuple(condition.text for condition in needed))


def _settle_parts(parts: Sequence[Part], consistency: Sequence[Part] = ()) -> Settled:
    judged = [(part, agreed(part.routes)) for part in parts]
    for part in consistency:
        verdict = agreed(part.routes)
        judged.append((part, Verdict.INCONSISTENT if verdict is Verdict.REFUTED else verdict))
    for worst in (Verdict.ERROR, Verdict.REFUTED, Verdict.INCONSISTENT, Verdict.UNDECIDED):
        culprits = [part for part, verdict in judged if verdict is worst]
        if culprits:
            note = f"{worst}: " + "; ".join(part.name for part in culprits)
            return Settled(worst, witness=culprits[0].witness if worst in WITNESSED else None, note=note)
    return Settled(Verdict.HOLDS, _weakest([_strongest(part.routes) for part, _ in judged]))


def _settle_readings(readings: Sequence[Reading]) -> Settled:
    settled = [_settle_parts(reading.parts, reading.consistency) for reading in readings]
    verdicts = {each.verdict for each in settled}
    if Verdict.ERROR in verdicts:
        return next(each for each in settled if each.verdict is Verdict.ERROR)
    if len(verdicts) > 1:
        return Settled(Verdict.AMBIGUOUS, note="the readings lead to different verdicts")
    strength = _weakest([each.strength for each in settled]) if Verdict.HOLDS in verdicts else None
    witness: Json = {reading.text: each.witness for reading, each in zip(readings, settled, strict=True)}
    note = "in every reading: " + " / ".join(each.note for each in settled) if settled[0].note else ""
    return Settled(verdicts.pop(), strength, witness if settled[0].witness is not None else None, note=note)


def _strongest(routes: Sequence[Evidence]) -> str | None:
    held = [STRENGTH_OF_ROUTE.get(route.route) for route in routes if route.verdict is Verdict.HOLDS]
    return min((strength for strength in held if strength), key=_RANK.index, default=None)


def _weakest(strengths: Sequence[str | None]) -> str | None:
    """The weakest of the parts' strengths; parts decided by reading alone have none and so has the whole."""
    if not strengths or any(strength is None for strength in strengths):
        return None
    return max((strength for strength in strengths if strength), key=_RANK.index)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of a paper in executable form.

    ``measure(formula, quick)`` returns what its routes saw of ``formula``.  ``faults`` are formulas made wrong on
    purpose, on each of which the verdict must be ``refuted`` or ``inconsistent``; ``corrected_formula`` is the right
    form of a formula that the paper prints wrong, on which it must be ``holds``, and ``corrected`` that form in words.
    """

    id: str
    place: str
    statement: str
    hypotheses: tuple[str, ...]
    reading: str
    formula: Formula
    faults: Mapping[str, Formula]
    corrected: str | None
    corrected_formula: Formula | None
    measure: Callable[[Formula, bool], Measured]

    @property
    def paper(self) -> str:
        return ledger.paper_of(self.id)

    def decide(self, formula: Formula | None = None, quick: bool = False) -> Finding:
        """Measure ``formula`` (the paper's where none is given) and compute the verdict.

        A correction is offered only after the corrected formula was measured and found to hold.
        """
        printed = formula is None
        measured = self.measure(self.formula if printed else formula, quick)
        settled = settle(measured)
        corrected = self.corrected if settled.verdict is Verdict.HOLDS_UNDER else None
        if printed and settled.verdict in WITNESSED and self.corrected_formula is not None:
            again = settle(self.measure(self.corrected_formula, quick))
            corrected = self.corrected
            if again.verdict is not Verdict.HOLDS:
                settled = Settled(
                    Verdict.ERROR, note=f"the corrected form does not hold: {again.verdict}, {again.note}"
                )
        if settled.verdict in WITNESSED and settled.witness is None:
            raise ValueError(f"{self.id}: {settled.verdict} without a witness; every refutation must carry one")
        return self._finding(measured, settled, corrected, quick)

    def _finding(self, measured: Measured, settled: Settled, corrected: str | None, quick: bool) -> Finding:
        subject = ledger.MODULE_OF[self.paper]
        given = [f"given: {text}" for text in self.hypotheses]
        needed = [f"needed besides: {text}" for text in settled.needed]
        left_out = [f"quick: left out {text}" for text in measured.left_out]
        read = [f"read as: {self.reading}"] if self.reading else []
        return Finding(
            kind="claim",
            id=f"claim/{subject}/{self.id}",
            subject=subject,
            check=self.id,
            verdict=settled.verdict,
            statement=self.statement,
            message=_sentences(settled.note, measured.message),
            conditions=tuple(given + read + needed + left_out),
            routes=tuple(_routes(measured)),
            witness=settled.witness,
            corrected=corrected,
            replay=f"python -m wnverify claims {self.id}{' --quick' if quick else ''}",
            place=self.place,
            strength=settled.strength if settled.verdict in (Verdict.HOLDS, Verdict.HOLDS_UNDER) else None,
            readings=tuple(_reading_record(reading) for reading in measured.readings),
        )


def _sentences(note: str, message: str) -> str:
    """The note, ended by a full stop where a message follows it."""
    if not (note and message):
        return note or message
    return f"{note}{'' if note.endswith(('.', '?', '!')) else '.'} {message}"


def _reading_record(reading: Reading) -> dict[str, Json]:
    settled = _settle_parts(reading.parts, reading.consistency)
    return {"reading": reading.text, "verdict": str(settled.verdict), "note": settled.note}


def _routes(measured: Measured) -> Iterable[Evidence]:
    """All evidence, each note led by the part, reading or condition that it speaks of where there are several."""
    parts = [*measured.parts, *measured.consistency]
    for part in parts:
        yield from _led(part.routes, part.name if len(parts) > 1 else "")
    for number, reading in enumerate(measured.readings, start=1):
        for part in [*reading.parts, *reading.consistency]:
            yield from _led(part.routes, f"reading {number}, {part.name}")
    for condition in measured.conditions:
        yield from _led(condition.without, f"without the condition that {condition.text}")


def _led(routes: Sequence[Evidence], lead: str) -> Iterable[Evidence]:
    for route in routes:
        yield dataclasses.replace(route, note=f"{lead}: {route.note}".rstrip(": ")) if lead else route


_CLAIMS: dict[str, Claim] = {}


def claim(
    claim_id: str,
    *,
    place: str,
    statement: str,
    hypotheses: Sequence[str] = (),
    reading: str = "",
    formula: Formula = None,
    faults: Mapping[str, Formula] | None = None,
    corrected: str | None = None,
    corrected_formula: Formula | None = None,
) -> Callable[[Callable[[Any, bool], Measured]], Claim]:
    """Register the decorated ``measure(formula, quick) -> Measured`` as the claim ``claim_id``.

    ``ValueError`` for an id that is not in the ledger or was used before.
    """
    ledger.paper_of(claim_id)
    if claim_id in _CLAIMS:
        raise ValueError(f"claim id {claim_id!r} is used twice")

    def register(measure: Callable[[Any, bool], Measured]) -> Claim:
        _CLAIMS[claim_id] = Claim(
            id=claim_id,
            place=place,
            statement=statement,
            hypotheses=tuple(hypotheses),
            reading=reading,
            formula=formula,
            faults=MappingProxyType(dict(faults or {})),
            corrected=corrected,
            corrected_formula=corrected_formula,
            measure=measure,
        )
        return _CLAIMS[claim_id]

    return register


def load(paper: str) -> None:
    """Import the module of ``paper`` (all modules of it, where it is a package), which registers its claims."""
    name = f"wnverify.papers.{ledger.MODULE_OF[paper]}"
    if importlib.util.find_spec(name) is None:
        return  # a paper that nobody has written claims for yet: its rows count as not decided
    module = importlib.import_module(name)
    for inner in pkgutil.iter_modules(getattr(module, "__path__", ())):
        importlib.import_module(f"{name}.{inner.name}")


def table(paper: str | None = None) -> tuple[str, ...]:
    """The ids that have an executable claim, in the ledger's order; of one paper or of all."""
    chosen = ledger.papers() if paper is None else (paper,)
    for each in chosen:
        ledger.rows(each)
        load(each)
    return tuple(claim_id for each in chosen for claim_id in ledger.rows(each) if claim_id in _CLAIMS)


def get(claim_id: str) -> Claim:
    """The claim of that id.  ``ValueError`` for an id unknown to the ledger, ``LookupError`` where it has no claim."""
    load(ledger.paper_of(claim_id))
    if claim_id not in _CLAIMS:
        raise LookupError(f"{claim_id} is in the ledger but has no executable claim; see table() for those that have")
    return _CLAIMS[claim_id]


def decide(claim_id: str, quick: bool = False) -> list[Finding]:
    """The finding of one claim, in a list as every work item returns it; works in a fresh process."""
    return [get(claim_id).decide(quick=quick)]
