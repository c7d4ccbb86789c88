"""One map under test, one route over many cases, one finding from several routes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from wnverify.finding import Evidence, Finding, Json, Verdict, encode_array
from wnverify.numerics import matrices
from wnverify.numerics.forms import Form, Map, forms, judged
from wnverify.numerics.matrices import ANALYTIC, Matrix, Typed
from wnverify.numerics.places import on
from wnverify.numerics.sensitivity import Analytic, Generic, Model
from wnverify.oracles.ratio import LARGEST, REFUTES_FROM, Ratio, unit_roundoff

Implementation = Callable[[Tensor], Tensor]
UNDECIDED_FROM: Final = 0.1
"""A model that excuses this much decides nothing."""
BITS: Final = 512
"""Working precision of the enclosures: at the largest condition numbers κ² costs half of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """One map of a method with its options, its error model, which matrices it is judged at, and on which device."""

    form: Form
    map: Map
    model: Model
    seed: int
    quick: bool
    device: str = "cpu"

    @property
    def id(self) -> str:
        return self.form.method.id

    def cases(self, dtype: str) -> list[Typed]:
        """The typed matrices at which the map is defined and its value a number of the dtype.

        In a quick run with options a third of them: what they share with the method itself is judged there.
        """
        typed = list(matrices.typed(dtype, self.seed, quick=self.quick))
        return self.defined(typed[::3] if self.quick and self.form.said else typed, dtype)

    def searched(self, dtype: str) -> list[Typed]:
        count = 80 if not self.quick else 8 if self.form.said else 20
        return self.defined(matrices.random_small(dtype, self.seed, count), dtype)

    def defined(self, cases: Iterable[Typed], dtype: str) -> list[Typed]:
        return [fit for case in cases if (fit := self.fit(case, dtype)) is not None]

    def fit(self, case: Typed, dtype: str) -> Typed | None:
        """The case as this map takes it; None where there is no value, or none that the dtype can hold."""
        if self.map.stacked:
            case = Typed(case.name, np.concatenate([case.V, case.A]), np.ones((1, 1)))
        with np.errstate(over="ignore", invalid="ignore"):
            W = attempt(self.map.reference, case.V)
        if isinstance(W, Exception) or not np.abs(W).max() < LARGEST[dtype]:
            return None
        return case if W.shape == case.A.shape else Typed(case.name, case.V, np.resize(case.A, W.shape))

    def value(self, V: Matrix, dtype: str) -> Matrix:
        """The implementation's W, as float64."""
        with torch.no_grad():
            return _array(self.map.implementation(self.tensor(V, dtype)))

    def gradient(self, V: Matrix, A: Matrix, dtype: str) -> Matrix:
        """The implementation's gradient for the cotangent A, as float64."""
        leaf = self.tensor(V, dtype).requires_grad_()
        (G,) = torch.autograd.grad(self.map.implementation(leaf), leaf, self.tensor(A, dtype))
        return _array(G)

    def tensor(self, V: Matrix, dtype: str) -> Tensor:
        """V as the implementation is given it."""
        return torch.tensor(V, dtype=getattr(torch, dtype), device=self.device)


def subject_of(
    method_id: str, seed: int, quick: bool, implementation: Implementation | None = None, device: str = "cpu"
) -> Subject:
    """The first map of the method of the catalogue; ``implementation`` in place of its PyTorch form where given."""
    return subjects_of(method_id, seed, quick, device, implementation)[0]


def subjects_of(
    method_id: str, seed: int, quick: bool, device: str = "cpu", implementation: Implementation | None = None
) -> list[Subject]:
    """Every map of the method of the catalogue, by itself and with each of its options; what it runs on, ``device``.

    ``implementation`` is judged in place of the PyTorch form of the first map, alone.  ``ValueError`` for a method that
    the catalogue does not have, or a seed that is no integer.
    """
    known = {method.id: method for method in judged()}
    if method_id not in known:
        raise ValueError(f"method_id must be one of {', '.join(known)}; got {method_id!r}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed must be an integer; got {seed!r}")
    found = [
        Subject(form, of, _model(form, of, seed), seed, quick, device)
        for form in forms(known[method_id])
        for of in form.maps()
    ]
    if implementation is None:
        return found
    first = found[0]
    return [dataclasses.replace(first, map=dataclasses.replace(first.map, implementation=implementation))]


def _model(form: Form, of: Map, seed: int) -> Model:
    known = form.method.id in ANALYTIC and not form.said
    return Analytic(form.method.id) if known else Generic(of, seed, form.method.id, form.said)


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The result, or the exception that came in its place."""
    try:
        return function(*arguments, **named)
    except Exception as error:  # the code under test may raise anything; what it raised is part of the finding
        return error


def judge(
    subject: Subject,
    dtype: str,
    route: str,
    cases: Sequence[Typed],
    ratio_of: Callable[[Typed], Ratio],
    excused: Callable[[Typed, str], float] | None = None,
    **figures: Json,
) -> Evidence:
    """The worst case of a route.

    A case is undecided where the model of the value, or what ``excused`` says in its place, is 0.1 or more, also where
    something raises.
    """
    ratios, raised, undecided = {}, {}, []
    for case in cases:
        if not (excused or subject.model.excused)(case, dtype) < UNDECIDED_FROM:
            undecided.append(case.name)
            continue
        found = attempt(ratio_of, case)
        if isinstance(found, Ratio):
            ratios[case.name] = found
        else:
            raised[case.name] = said(found)
    figures |= {"cases": len(ratios) + len(raised), "undecided": list(undecided)}
    if not ratios and not raised:
        return Evidence(route=route, verdict=Verdict.INCONCLUSIVE, note="no case decides", figures=figures)
    above: dict[str, Json] = {name: ratio.value for name, ratio in ratios.items() if not ratio.value <= 1}
    if above or raised:
        figures |= {"above_one": above, "raised": dict(raised)}
    if not ratios:
        worst = next(iter(raised))
        return Evidence(route=route, verdict=Verdict.FAIL, note=f"at {worst}: {raised[worst]}", figures=figures)
    worst = max(ratios, key=lambda name: ratios[name].value)
    ratio = ratios[worst]
    figures |= {"worst_case": worst, "relative_error": ratio.relative, "modelled": ratio.model.relative}
    notes = [f"at {name}: {text}" for name, text in raised.items()][:1]
    notes.append(f"worst at {worst}: relative error {ratio.relative:.2g}, modelled {ratio.model.relative:.2g}")
    return Evidence(
        route=route,
        verdict=Verdict.FAIL if raised else verdict_of(ratios.values(), dtype),
        note="; ".join(notes),
        ratio=ratio.value,
        power=min(ratio.model.relative for ratio in ratios.values()),
        model=ratio.model.text,
        figures=figures,
    )


def verdict_of(ratios: Iterable[Ratio], dtype: str) -> Verdict:
    """``pass`` where every ratio is at most 1, ``fail`` where one is ≥ 2 and costs half of the dtype's digits."""
    wrong = [ratio for ratio in ratios if not ratio.value <= 1]
    half = math.sqrt(unit_roundoff(dtype))
    if any(ratio.value >= REFUTES_FROM and not ratio.relative <= half for ratio in wrong):
        return Verdict.FAIL
    return Verdict.HAZARD if wrong else Verdict.PASS


def finding(
    subject: Subject,
    check: str,
    dtype: str,
    statement: str,
    routes: Sequence[Evidence],
    cases: Sequence[Typed] = (),
    message: str = "",
) -> Finding:
    """The gravest verdict of the routes; one that is inconclusive does not count beside one that is not."""
    order = (Verdict.FAIL, Verdict.HAZARD, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED)
    worst = min(routes, key=lambda route: (order.index(route.verdict), -(route.ratio or 0.0)))
    seen = {case.name: case for case in cases}.get(str(worst.figures.get("worst_case")))
    wrong = worst.verdict in (Verdict.FAIL, Verdict.HAZARD)
    elsewhere = [] if subject.device == "cpu" else [f"on {subject.device}"]
    call = f"{subject.id!r}, seed={subject.seed}, quick={subject.quick}"
    call += f", device={subject.device!r}" if elsewhere else ""
    return Finding(
        kind="method",
        id=f"method/{subject.id}/{check}/{subject.form.case(dtype)}{on(subject.device)}",
        subject=subject.id,
        check=check,
        verdict=worst.verdict,
        statement=statement,
        message=message or f"{worst.route}: {worst.note}",
        routes=tuple(routes),
        conditions=(*subject.form.conditions, f"inputs that {dtype} holds exactly", "one thread", *elsewhere),
        witness={"V": encode_array(seen.V, seed=subject.seed, generator=seen.name)} if wrong and seen else None,
        replay=f"python -c \"from wnverify.numerics.agreement import numerics; print(*numerics({call}), sep='\\n')\"",
    )


def distance(ball: Any, found: Matrix) -> Matrix:
    """Entry by entry a proved bound of |exact − found|; infinite where found is not finite."""
    from wnverify.oracles import enclosures

    return enclosures.distance(ball, found) if np.isfinite(found).all() else np.full(found.shape, math.inf)


def unsupported(subject: Subject, check: str, dtype: str, statement: str, reason: str) -> Finding:
    """What stands in the place of a finding that cannot be had here."""
    route = Evidence(route="exact", verdict=Verdict.UNSUPPORTED, note=reason)
    return finding(subject, check, dtype, statement, [route], message=reason)


def said(error: object) -> str:
    """Type and first line of what was raised."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _array(W: Tensor) -> Matrix:
    return np.asarray(W.detach().cpu().double().numpy())
