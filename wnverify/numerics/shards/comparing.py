"""What the processes found at one case against what the whole weight gives, as ratios.

Both sides are rounded, so that their difference may be twice what one may lose.  Of a step V' = V − η G, whatever is
left of the difference after the roundings of that line is an error of G times η.  A constraint's step is a chain
W' = P(W − η T(W, A)) with W = P(V): with δ the relative error that its earlier links leave in the argument of P and
m ≥ κ · 2u the modelled error of P there, κ its condition number, the modelled error is m + κ δ ≤ m (1 + δ / 2u).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from wnverify.finding import Verdict
from wnverify.numerics.judge import UNDECIDED_FROM, Subject, verdict_of
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.oracles.ratio import ErrorModel, Ratio, unit_roundoff

BOTH: Final = 2.0
ROUNDED: Final = 8.0
"""Units in the last place that two evaluations of V − η G, or of a sum of two gradients, may part."""
NAMES: Final = {
    "value": "value",
    "columns": "weight in the layer",
    "gradient": "gradient",
    "step": "weight after a step",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """Of one comparison: its ratio, relative error and the worst rank; of a value how it came about."""

    ratio: float | None = None
    relative: float | None = None
    rank: int | None = None
    placement: str | None = None
    collectives: Mapping[str, int] | None = None
    gathered_bytes: int | None = None
    weight_bytes: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """One quantity (``what``) at one case."""

    case: str
    what: str
    verdict: Verdict
    text: str
    found: Ratio | None = None
    figures: Figures = Figures()

    @property
    def ratio(self) -> float:
        return 0.0 if self.found is None else self.found.value


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A map at a weight: ``typed`` is V and a cotangent of its shape, ``case`` the same with one of W's shape."""

    of: Subject
    transform: Subject | None
    typed: Typed
    case: Typed
    dtype: str
    rate: float
    right: Mapping[str, Any]

    @property
    def u(self) -> float:
        return unit_roundoff(self.dtype)


def compared(at: Case, answers: Sequence[Mapping[str, Any]]) -> Iterator[Comparison]:
    """Every quantity that the whole weight gave, the worst of all ranks; what cannot be judged there is left out."""
    for what in NAMES:
        if what not in at.right:
            continue
        lacking = [rank for rank, answer in enumerate(answers) if what not in answer]
        if lacking:
            said = f"rank {lacking[0]} has no {NAMES[what]}, where the whole weight has one"
            yield Comparison(at.typed.name, what, Verdict.FAIL, f"at {at.typed.name}: {said}")
            continue
        right = _matrix(at, at.right[what])
        found = [_matrix(at, answer[what]) for answer in answers]
        if what == "columns":
            found = [np.hstack(found)]
        worst: Comparison | None = None
        for rank, one in enumerate(found):
            comparison = _compared(at, what, rank, one, right, answers[rank])
            if comparison is not None and (worst is None or comparison.ratio > worst.ratio):
                worst = comparison
        if worst is not None:
            yield worst


def _compared(
    at: Case, what: str, rank: int, found: Matrix, right: Matrix, answer: Mapping[str, Any]
) -> Comparison | None:
    name = at.typed.name
    if found.shape != right.shape:
        said = f"the {NAMES[what]} has {found.size} entries on rank {rank}; that of the whole weight has {right.size}"
        return Comparison(name, what, Verdict.FAIL, f"at {name}: {said}")
    ratio = {"value": _of_value, "columns": _of_columns, "gradient": _of_gradient, "step": _of_step}[what](
        at, found - right, right
    )
    if ratio is None:
        return None
    verdict = verdict_of([ratio], at.dtype)
    place = "" if what == "columns" else f" on rank {rank}"
    text = f"worst in the {NAMES[what]} at {name}{place}: relative error {ratio.relative:.2g}"
    if verdict is not Verdict.PASS:
        text += f", where two roundings excuse {ratio.model.relative:.2g}"
    told = ("placement", "collectives", "gathered_bytes", "weight_bytes") if what == "value" else ()
    told_figures = {key: answer[key] for key in told if key in answer}
    return Comparison(name, what, verdict, text, ratio, Figures(ratio.value, ratio.relative, rank, **told_figures))


def _of_value(at: Case, error: Matrix, right: Matrix) -> Ratio | None:
    return _allowed(at.of, at.case, error, at.dtype)


def _of_columns(at: Case, error: Matrix, right: Matrix) -> Ratio | None:
    if at.of.map.name in ("value", "prox"):  # the weight itself, through a product with the identity matrix
        return Ratio(float(np.abs(error).max()), float(np.abs(right).max()), ErrorModel(at.u, "one rounding"))
    return _allowed(at.of, at.case, error, at.dtype)


def _of_gradient(at: Case, error: Matrix, right: Matrix) -> Ratio | None:
    if at.of.map.name in ("project", "prox"):
        if at.transform is None:
            return _of_plain_gradient(at, error, right)
        return _allowed(at.transform, _stacked(at.typed.V, at.typed.A), error, at.dtype)
    return _gradient_ratio(at, _beyond(error, ROUNDED * at.u * (np.abs(right) + np.abs(_data(at)))))


def _of_plain_gradient(at: Case, error: Matrix, right: Matrix) -> Ratio:
    return Ratio(float(np.abs(error).max()), float(np.abs(right).max()), ErrorModel(ROUNDED * at.u, "a sum of shares"))


def _of_step(at: Case, error: Matrix, right: Matrix) -> Ratio | None:
    if at.of.map.name in ("project", "prox"):
        return _of_chain(at, error)
    # V' = V − η G: what its own line rounds off, then the error of G.
    moved = np.abs(right) + np.abs(at.typed.V) + at.rate * np.abs(_data(at))
    return _gradient_ratio(at, _beyond(error, ROUNDED * at.u * moved) / at.rate)


def _of_chain(at: Case, error: Matrix) -> Ratio | None:
    V, A, of = at.typed.V, at.typed.A, at.of
    W, lost = V, 0.0
    if of.map.name == "project":
        W = of.map.reference(V)
        lost = BOTH * of.model.excused(at.case, at.dtype) * float(np.linalg.norm(W))
    T = A
    if at.transform is not None:
        stacked = _stacked(W, A)
        T = at.transform.map.reference(stacked.V)
        carried = 1 + lost / (2 * at.u * float(np.linalg.norm(W)))
        lost += at.rate * BOTH * at.transform.model.excused(stacked, at.dtype) * carried * float(np.linalg.norm(T))
    Y = W - at.rate * T
    lost += ROUNDED * at.u * float(np.linalg.norm(Y))
    case = of.fit(Typed(at.case.name, Y, A), at.dtype)
    if case is None:
        return None
    smallest = float(np.linalg.norm(Y, axis=1).min())
    return _allowed(of, case, error, at.dtype, 1 + lost / (2 * at.u * smallest))


def _allowed(of: Subject, case: Typed, error: Matrix, dtype: str, carried: float = 1.0) -> Ratio | None:
    """The value's ratio with twice the modelled error, times ``carried``; None where that decides nothing."""
    if not of.model.excused(case, dtype) * BOTH * carried < UNDECIDED_FROM:
        return None
    return _widened(of.model.value(case, error, dtype), carried)


def _gradient_ratio(at: Case, error: Matrix) -> Ratio | None:
    if at.of.map.vjp is None or not at.of.model.excused_gradient(at.case, at.dtype) * BOTH < UNDECIDED_FROM:
        return None
    return _widened(at.of.model.gradient(at.case, error, at.dtype), 1.0)


def _widened(ratio: Ratio, carried: float) -> Ratio:
    text = f"twice ({ratio.model.text})" + (f" × {carried:.3g}" if carried > 1 else "")
    return dataclasses.replace(ratio, model=ErrorModel(BOTH * carried * ratio.model.relative, text))


def _beyond(error: Matrix, rounded: Matrix) -> Matrix:
    """What of each entry is more than its roundings; a NaN stays one."""
    return np.sign(error) * np.maximum(np.abs(error) - rounded, 0.0)


def _data(at: Case) -> Matrix:
    """The gradient of the data beside that of a penalty."""
    return at.typed.A if at.of.map.name == "value" else np.zeros_like(at.typed.V)


def _stacked(W: Matrix, G: Matrix) -> Typed:
    return Typed("transform", np.concatenate([W, G]), np.ones((1, 1)))


def _matrix(at: Case, values: Any) -> Matrix:
    """As (n, d), or (1, 1) of a scalar."""
    found = np.array(values, dtype=np.float64)
    return found.reshape(1, 1) if found.ndim == 0 else found.reshape(len(found), -1)
