"""One method under test, one route over many cases, one finding from several routes."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from wnverify.finding import Evidence, Finding, Json, Verdict, encode_array
from wnverify.methods.catalogue import methods
from wnverify.numerics import matrices
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.oracles import enclosures
from wnverify.oracles.ratio import REFUTES_FROM, Ratio, unit_roundoff

Implementation = Callable[[Tensor], Tensor]
UNDECIDED_FROM: Final = 0.1
"""A model that excuses this much decides nothing."""
BITS: Final = 512
"""Working precision of the enclosures: at the largest condition numbers κ² costs half of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A method, its three forms, and which matrices it is judged at."""

    id: str
    reference: ModuleType
    enclosure: ModuleType
    implementation: Implementation
    seed: int
    quick: bool

    def cases(self, dtype: str) -> list[Typed]:
        """The typed matrices at which the method is defined."""
        return self.defined(matrices.typed(dtype, self.seed, quick=self.quick))

    def searched(self, dtype: str) -> list[Typed]:
        return self.defined(matrices.random_small(dtype, self.seed, 20 if self.quick else 80))

    def defined(self, cases: Iterable[Typed]) -> list[Typed]:
        return [case for case in cases if not isinstance(attempt(self.reference.forward, case.V), Exception)]

    def value(self, V: Matrix, dtype: str) -> Matrix:
        """The implementation's W, as float64."""
        with torch.no_grad():
            return _array(self.implementation(_tensor(V, dtype)))

    def ball(self, V: Matrix, A: Matrix | None = None) -> Any:
        """Balls around the exact W, or around the exact gradient for the cotangent A."""
        return self.enclosure.forward(V, bits=BITS) if A is None else self.enclosure.vjp(V, A, bits=BITS)

    def gradient(self, V: Matrix, A: Matrix, dtype: str) -> Matrix:
        """The implementation's gradient for the cotangent A, as float64."""
        leaf = _tensor(V, dtype).requires_grad_()
        (G,) = torch.autograd.grad(self.implementation(leaf), leaf, _tensor(A, dtype))
        return _array(G)


def subject_of(method_id: str, seed: int, quick: bool, implementation: Implementation | None = None) -> Subject:
    """The method of the catalogue; ``implementation`` in place of its own PyTorch module where given."""
    known = {method.id: method for method in methods()}
    if method_id not in known:
        raise ValueError(f"method_id must be one of {', '.join(known)}; got {method_id!r}")
    module = known[method_id].module
    reference, enclosure = (importlib.import_module(f"{module}.{form}") for form in ("reference", "enclosure"))
    if implementation is None:
        name = method_id.replace("_", " ").title().replace(" ", "")
        parametrization = getattr(importlib.import_module(f"{module}.pytorch"), name)
        # The gain is a factor of its own; what is judged is the direction.
        implementation = parametrization(**({"gain": False} if method_id == "weight_normalization" else {}))
    return Subject(method_id, reference, enclosure, implementation, seed, quick)


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
    **figures: Json,
) -> Evidence:
    """The worst case of a route.  A case whose model excuses 0.1 or more is undecided, also where something raises."""
    ratios, raised, undecided = {}, {}, []
    for case in cases:
        if not matrices.excused(subject.id, case.V, dtype) < UNDECIDED_FROM:
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
    order = (Verdict.FAIL, Verdict.HAZARD, Verdict.PASS, Verdict.INCONCLUSIVE)
    worst = min(routes, key=lambda route: (order.index(route.verdict), -(route.ratio or 0.0)))
    seen = {case.name: case for case in cases}.get(str(worst.figures.get("worst_case")))
    wrong = worst.verdict in (Verdict.FAIL, Verdict.HAZARD)
    return Finding(
        kind="method",
        id=f"method/{subject.id}/{check}/{dtype}",
        subject=subject.id,
        check=check,
        verdict=worst.verdict,
        statement=statement,
        message=message or f"{worst.route}: {worst.note}",
        routes=tuple(routes),
        conditions=(f"inputs that {dtype} holds exactly", "one thread"),
        witness={"V": encode_array(seen.V, seed=subject.seed, generator=seen.name)} if wrong and seen else None,
        replay=f'python -c "from wnverify.numerics.agreement import numerics; '
        f"print(*numerics({subject.id!r}, seed={subject.seed}, quick={subject.quick}), sep='\\n')\"",
    )


def distance(ball: Any, found: Matrix) -> Matrix:
    """Entry by entry a proved bound of |exact − found|; infinite where found is not finite."""
    return enclosures.distance(ball, found) if np.isfinite(found).all() else np.full(found.shape, math.inf)


def said(error: object) -> str:
    """Type and first line of what was raised."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _tensor(V: Matrix, dtype: str) -> Tensor:
    return torch.tensor(V, dtype=getattr(torch, dtype))


def _array(W: Tensor) -> Matrix:
    return np.asarray(W.detach().double().numpy())
