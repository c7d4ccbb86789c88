"""Observed ratios of one map over many small matrices of every kind, beside those of planted losses of accuracy.

Draws are of ``generators.KINDS`` in ``SHAPES``.  The exact value is the NumPy reference in float64.  A ratio by the
narrower model of ``batches`` that is above ``DOUBTFUL`` is taken once more: in float64, where the difference may be the
reference's error as well, against balls, and by the model that judges (``Subject.model``), the one asked about.  At a
subsample balls and that model are asked whatever the ratio.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from wnverify.finding import seed_of
from wnverify.numerics import batches
from wnverify.numerics.batches import Allowed, Batch
from wnverify.numerics.coarse import Coarse
from wnverify.numerics.generators import KINDS, Stack, drawn, held
from wnverify.numerics.judge import BITS, UNDECIDED_FROM, Subject, attempt, distance, said
from wnverify.numerics.matrices import Matrix, Typed
from wnverify.oracles.ratio import LARGEST

SHAPES: Final = ((2, 3), (3, 5), (1, 3), (3, 2), (2, 8), (4, 4), (2, 2), (1, 1))
CONDITIONS: Final = (1e1, 1e3, 1e2, 1e5)
"""Of the prescribed spectra, each in turn; of one shape another in every round."""
A_KIND: Final = 32
"""At most so many draws of a kind in one batch."""
BATCHES: Final = (3, 1)
"""At least so many batches, each of one shape; of a method with options one, of another shape for each finding."""
ROUNDS: Final = 4
"""Draws without a value, or at which nothing is decided, are replaced up to this many times as many."""
TENFOLD: Final = 10.0
OUTCOMES: Final = (2, 128)
"""Of the signs in arithmetic ten times as coarse: at least so many a draw, and about so many a batch."""
DOUBTFUL: Final = (0.5, 100.0)
"""Above the second no reference is to blame."""
SUBSAMPLE: Final = ((500, 6), (5_000, 24), (math.inf, 200))
"""Up to so many draws: so many of them at which balls and the judging model are asked."""
FINE: Final = 2.0**-10
"""Balls whose radius is a larger part than this of what is allowed do not decide, unless they prove the error smaller
than the reference says it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """One matrix with its cotangent, and how it is drawn again: ``name`` has the kind, the shape and the condition."""

    name: str
    seed: int
    V: Matrix
    A: Matrix


@dataclasses.dataclass(slots=True)
class Observed:
    """What many draws showed; each array has one entry a decided draw."""

    ratios: list[Stack] = dataclasses.field(default_factory=list)
    modelled: list[Stack] = dataclasses.field(default_factory=list)
    conditions: list[Stack] = dataclasses.field(default_factory=list)
    coarse: list[Stack] = dataclasses.field(default_factory=list)
    planted: list[Stack] = dataclasses.field(default_factory=list)
    raised: dict[str, str] = dataclasses.field(default_factory=dict)
    undefined: int = 0
    undecided: int = 0
    worst: Draw | None = None
    worst_ratio: float = -1.0
    worst_narrow: float = 0.0
    over_narrow: list[float] = dataclasses.field(default_factory=list)
    enclosed: list[float] = dataclasses.field(default_factory=list)

    @property
    def decided(self) -> int:
        return sum(len(some) for some in self.ratios)


class Observer:
    """The ratios of one map's ``value`` or ``gradient`` in one dtype."""

    def __init__(self, subject: Subject, what: str, dtype: str, model: type[Batch] = Batch) -> None:
        self.subject, self.what, self.dtype, self.model = subject, what, dtype, model
        self.gradient = what == "gradient"
        self.seen = Observed()
        self._count = 0

    def observe(self, draws: int) -> Observed:
        """At ``draws`` decided draws, fewer where most have no value; asked again, from where it stopped."""
        each = max(1, min(A_KIND, math.ceil(draws / (len(KINDS) * BATCHES[bool(self.subject.form.said)]))))
        most = ROUNDS * max(len(SHAPES), math.ceil(draws / (each * len(KINDS))))
        for batch in itertools.islice(self._rounds(each), self._count, most):
            self._batch(*batch)
            self._count += 1
            if self.seen.decided >= draws:
                break
        return self.seen

    def _rounds(self, each: int) -> Iterator[tuple[list[str], int, Stack, Stack]]:
        """One batch a shape, again and again: ``each`` matrices of every kind, with normal cotangents."""
        said = self.subject.form.said
        first = seed_of("shapes", said, self.what, self.dtype) % len(SHAPES) if said else 0
        for count in itertools.count(first):
            turn, (n, d) = count // len(SHAPES), SHAPES[count % len(SHAPES)]
            condition = CONDITIONS[(count + turn) % len(CONDITIONS)]
            seed = seed_of(self.subject.seed, "validation", turn, n, d)
            V = np.concatenate([drawn(kind, each, n, d, seed, self.dtype, condition) for kind in KINDS])
            A = held(np.random.default_rng(seed_of(seed, "cotangents")).standard_normal(V.shape), self.dtype)
            names = [f"{kind}, {n}x{d}, condition {condition:g}, draw {k}" for kind in KINDS for k in range(each)]
            if self.subject.map.stacked:
                V, A = np.concatenate([V, A], axis=1), np.ones((len(V), 1, 1))
            yield names, seed, V, A

    def _batch(self, names: list[str], seed: int, V: Stack, A: Stack) -> None:
        W, A, usable = self._references(V, A)
        self.seen.undefined += int((~usable).sum())
        if not usable.any():
            return
        kept = np.flatnonzero(usable)
        with np.errstate(all="ignore"):
            batch = self.model(self.subject, V[kept], A[kept], W[kept], self.dtype)
            allowed = batch.of_gradient() if self.gradient else batch.of_value()
            decided = (allowed.relative < UNDECIDED_FROM).all(axis=(1, 2)) & np.isfinite(allowed.scale).all(axis=(1, 2))
            self.seen.undecided += int((~decided).sum())
            if decided.any():
                kept = kept[decided]
                allowed = Allowed(*(part[decided] for part in (allowed.relative, allowed.scale, allowed.condition)))
                batch = self.model(self.subject, V[kept], A[kept], W[kept], self.dtype)
                self._decided([names[k] for k in kept], seed, batch, allowed)

    def _decided(self, names: list[str], seed: int, batch: Batch, allowed: Allowed) -> None:
        exact = batch.W
        if self.gradient:
            vjp: Any = self.subject.map.vjp  # a gradient is asked only where there is one
            exact = np.stack([vjp(V, A) for V, A in zip(batch.V, batch.A, strict=True)])

        def ratios_of(found: Stack) -> Stack:
            return batch.ratios(found - exact, allowed, gradient=self.gradient)

        found, raised = self._found(batch.V, batch.A, batch.W.shape[1:])
        outcomes = max(OUTCOMES[0], OUTCOMES[1] // len(found))
        again = (outcomes, 1, 1)
        with Coarse(self.dtype, seed_of(seed, "coarse")):
            several, _ = self._found(np.tile(batch.V, again), np.tile(batch.A, again), batch.W.shape[1:])
        coarse = [ratios_of(one) for one in np.split(several, outcomes)]
        sign = np.random.default_rng(seed_of(seed, "planted")).choice((-1.0, 1.0), found.shape)
        seen = self.seen
        ratios = self._taken_again(batch, allowed, found, found - exact, ratios_of(found))
        seen.raised |= {names[k]: said(error) for k, error in raised.items()}
        seen.ratios.append(ratios)
        seen.modelled.append(allowed.relative.max(axis=(1, 2)))
        seen.conditions.append(allowed.condition.max(axis=(1, 2)))
        seen.coarse.append(np.fmax.reduce(coarse))
        seen.planted.append(ratios_of(held(found * (1 + TENFOLD * self._per_row(allowed, found) * sign), self.dtype)))
        k = int(np.argmax(ratios))
        if ratios[k] > seen.worst_ratio:
            seen.worst, seen.worst_ratio = Draw(names[k], seed, batch.V[k], batch.A[k]), float(ratios[k])

    def _references(self, V: Stack, A: Stack) -> tuple[Stack, Stack, Any]:
        """W of the reference, cotangents of its shape, and where there is one that the dtype can hold."""
        with np.errstate(all="ignore"):
            found = [attempt(self.subject.map.reference, one) for one in V]
            usable = np.array(
                [not isinstance(W, Exception) and bool(np.abs(W).max() < LARGEST[self.dtype]) for W in found]
            )
        shape = next((W.shape for W, good in zip(found, usable, strict=True) if good), V.shape[1:])
        W = np.stack([W if good else np.zeros(shape) for W, good in zip(found, usable, strict=True)])
        return W, A if A.shape == W.shape else A[:, :1, :1] * np.ones(W.shape), usable

    def _found(self, V: Stack, A: Stack, shape: tuple[int, ...]) -> tuple[Stack, dict[int, Exception]]:
        of = self.subject.map.implementation
        if self.gradient:
            return batches.gradients(of, V, A, self.dtype)
        return batches.values(of, V, self.dtype, shape)

    def _per_row(self, allowed: Allowed, found: Stack) -> Stack:
        """The modelled error of the block that a row is in."""
        return allowed.relative if allowed.relative.shape[1] == found.shape[1] else allowed.relative[:, :1]

    def _taken_again(self, batch: Batch, allowed: Allowed, found: Stack, error: Stack, narrow: Stack) -> Stack:
        """The ratios with those in doubt by balls and the judging model; besides the subsample."""
        seen, ratios, narrow = self.seen, narrow.copy(), narrow.copy()
        doubtful = {int(k) for k in np.flatnonzero((narrow > DOUBTFUL[0]) & (narrow < DOUBTFUL[1]))}
        sampled = seed_of(self.subject.seed, "subsample", len(seen.over_narrow)) % len(narrow)
        few = len(seen.over_narrow) < next(count for upto, count in SUBSAMPLE if seen.decided <= upto)
        for k in sorted(doubtful | ({sampled} if few else set())):
            case, own = Typed("", batch.V[k], batch.A[k]), error[k]
            if self.dtype == "float64" or k == sampled:
                proved = self._proved(batch, allowed, case, k, found[k], float(narrow[k]))
                if proved is not None:
                    around = np.zeros(found.shape)
                    around[k] = proved
                    by_balls = float(batch.ratios(around, allowed, gradient=self.gradient)[k])
                    seen.enclosed.append(by_balls)
                    if self.dtype == "float64":
                        own, ratios[k], narrow[k] = proved, by_balls, by_balls
            over = self._over_narrow(batch, allowed, case, k)
            if k == sampled and math.isfinite(over):
                seen.over_narrow.append(over)
            if ratios[k] > DOUBTFUL[0]:
                judged = self._judging(case, own)
                ratios[k] = judged if math.isfinite(judged) else ratios[k]
        seen.worst_narrow = max(seen.worst_narrow, float(narrow.max()))
        return ratios

    def _proved(
        self, batch: Batch, allowed: Allowed, case: Typed, k: int, found: Matrix, by_reference: float
    ) -> Matrix | None:
        """Entry by entry a proved bound of the error; None without an enclosure, or one that decides."""
        ball = self.subject.map.ball_vjp if self.gradient else self.subject.map.ball
        if ball is None:
            return None
        around = attempt(ball, *((case.V, case.A) if self.gradient else (case.V,)), bits=BITS)
        if isinstance(around, ValueError):  # a branch is not decided
            return None
        if isinstance(around, Exception):
            raise around
        bound = distance(around, found)
        within = [[[float(x.rad()) for x in row] for row in around.table()], bound]
        sizes = np.zeros((2, len(batch.V), *found.shape))
        sizes[:, k] = within
        radius, by_balls = (float(batch.ratios(size, allowed, gradient=self.gradient)[k]) for size in sizes)
        return bound if radius <= FINE or by_balls < by_reference else None

    def _judging(self, case: Typed, error: Matrix) -> float:
        of = self.subject.model.gradient if self.gradient else self.subject.model.value
        return of(case, error, self.dtype).value

    def _over_narrow(self, batch: Batch, allowed: Allowed, case: Typed, k: int) -> float:
        """How much more the judging model allows than the narrow one: the same error by both."""
        error = np.zeros((len(batch.V), *(batch.V if self.gradient else batch.W).shape[1:]))
        error[k] = 1.0 / (batch.unit[k] if self.gradient else 1.0)
        judged = self._judging(case, error[k])
        narrow = float(batch.ratios(error, allowed, gradient=self.gradient)[k])
        return narrow / judged if 0 < judged < math.inf else math.nan
