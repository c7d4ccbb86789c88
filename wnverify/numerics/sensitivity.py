"""What a map may lose at a point, measured on its reference: condition numbers of the value and of the gradient.

For f, units s (the largest entry of V, a power of two) and X = V / s, so that all numbers are of ordinary size:

    σ = max ‖Df[e]‖ / ‖e‖               from Dfᵀ, by ``vjp`` for every unit cotangent, up to ``WHOLE`` entries; above
                                        by the power method on DfᵀDf, Df by central differences;
    η = max ‖D(vjp(·, A))[e]‖ / ‖e‖     by the power method on that symmetric matrix, the Hessian of ⟨A, f⟩.

An input off by ε ‖X‖ moves the value by at most σ ε ‖X‖ and the gradient by η ε ‖X‖, to first order; the results, and
the cotangent, are rounded besides.  Hence the modelled errors, with δ = u + γ̃
(``oracles.ratio.map_model``) and r stored results on the way,

    value:      ‖ΔW‖ ≤ (κ δ + r u) ‖W‖,             κ = max(1, σ ‖X‖ / ‖W‖),
    gradient:   ‖ΔG‖ ≤ ((1 + κ') δ + r u) σ' ‖A‖,   κ' = max(1, η ‖X‖ / (σ' ‖A‖)),   σ' = max(σ, ‖W‖ / ‖X‖).

A condition number is taken as at least 1, and σ' as at least that of a map whose condition number is 1: where an
invariance makes a derivative small, the factors of the chain that cancel still have that size.  For a scalar f, whose
gradient may vanish where f nearly does, ½ η δ ‖X‖² is added to σ ‖X‖: the second term of Taylor's formula.

* What is built in full needs no factor of safety, save in float64 where no balls are: there a difference from the
  reference has two errors in it, and twice is allowed. After k steps the power method has missed on average no more
  than 0.871 ln N / (k − 1) of σ², N entries (J. Kuczyński and H. Woźniakowski, SIAM J. Matrix Anal. Appl. 13 (1992),
  Theorem 3.1): 0.6 of σ² at N = 100, 0.8 at N = 700. ``SAFETY`` = 2 makes up for that. Without a ``vjp`` the Jacobian
  is built column by column, or where it is large (above ``COLUMNS`` entries) its Frobenius norm is taken from random
  directions, with the quantile of ``oracles.sketch.least_of_largest``; a proximal operator of a convex function has
  σ ≤ 1 (J. J. Moreau, 1965).
* Steps are 2⁻²⁴, shortened until the value moves by less than a hundredth of itself; the reference's rounding is then
  2⁻²⁹ of what is measured.
* A kink or a jump within reach of rounding shows at steps of 32 u of the dtype under test, to both sides, in random
  directions: where the quotient there is more than twice the smooth one, nothing is decided.
* Where a shape leaves an implementation's factors no room to show in the derivative (n = d, or n = d − 1 after
  centring), the gradient is judged by σ and η of the same matrix with a column more that changes nothing.
* Where the rows of f depend on their own row alone, everything is taken row by row, else for the whole matrix.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import numpy as np

from wnverify.finding import seed_of
from wnverify.numerics import matrices
from wnverify.numerics.counts import Counts
from wnverify.numerics.forms import Map, Matrix
from wnverify.numerics.matrices import Typed
from wnverify.oracles.ratio import SMALLEST_NORMAL, ErrorModel, Ratio, map_model, unit_roundoff
from wnverify.oracles.sketch import least_of_largest

STEP: Final = 2.0**-24
MOVES: Final = 2.0**-7
POWER_STEPS: Final = 8
SAFETY: Final = 2.0
WHOLE: Final = 16
"""Entries up to which as many backward passes cost no more than the power method's steps."""
COLUMNS: Final = 64
SAMPLES: Final = 4
REACH: Final = 32.0
VANISHING: Final = 2.0**-10
"""Where an invariance leaves the value a condition number below this (two columns after centring), nothing says how
large the factors are that cancel: no error of its gradient is judged."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sensitivity:
    """s for every row, and block by block, shape (blocks, 1), ‖X‖, ‖W‖, σ and the step of the differences; and the
    factor of safety that σ needs."""

    unit: Matrix
    X: Matrix
    W: Matrix
    sigma: Matrix
    step: Matrix
    safety: float = SAFETY

    @property
    def steep(self) -> Matrix:
        """What σ is at most."""
        return np.asarray(self.safety * self.sigma)


class Generic:
    """The error models of any map, from its reference."""

    def __init__(self, of: Map, seed: int, method_id: str = "", said: str = "") -> None:
        self.map, self.seed, self.counts = of, seed, Counts(method_id, said)
        self.mixes = of.stacked or not _rows_alone(of, seed)
        self._known: dict[tuple[Typed, str], Sensitivity] = {}
        self._bends: dict[tuple[Typed, str], Matrix] = {}
        self._widened: dict[Typed, Typed] = {}

    def value(self, case: Typed, error: Matrix, dtype: str) -> Ratio:
        """‖error‖ ÷ (‖W‖ × model) of the worst block."""
        at = self.at(case, dtype)
        return self._worst(error, at.W, self._of_value(at, case, dtype), dtype)

    def gradient(self, case: Typed, error: Matrix, dtype: str) -> Ratio:
        """‖error‖ s ÷ (σ' ‖A‖ × model) of the worst block."""
        unit, scale = self.at(case, dtype).unit, self.largest_gradient(case, dtype)
        return self._worst(error * unit, scale, self._of_gradient(case, dtype), dtype)

    def off(self, case: Typed, error: Matrix, dtype: str) -> float:
        """The largest ‖error‖ s ÷ (σ' ‖A‖) of a block, nothing taken off."""
        unit, scale = self.at(case, dtype).unit, self.largest_gradient(case, dtype)
        return float(_quotient(self.norms(error * unit), scale).max())

    def largest_gradient(self, case: Typed, dtype: str) -> Matrix:
        """σ' ‖A‖ in units of s, block by block: the largest that the gradient could be for a cotangent of A's size."""
        wide = self._wide(case)
        return np.asarray(self._steepest(self.at(wide, dtype)) * self.norms(wide.A))

    def excused(self, case: Typed, dtype: str) -> float:
        """The largest relative error of W that is excused at V; infinite where the reference has no sensitivity."""
        at = self.at(case, dtype)
        return max(model.relative for model in self._of_value(at, case, dtype))

    def excused_gradient(self, case: Typed, dtype: str) -> float:
        """The same of the gradient, relative to the largest that A could have."""
        return max(model.relative for model in self._of_gradient(case, dtype))

    def of_backward(self, case: Typed) -> ErrorModel:
        """What one float64 backward pass may lose at the case, whatever the cotangent of A's size."""
        return max(self._of_gradient(case, "float64"), key=lambda model: model.relative)

    def at(self, case: Typed, dtype: str) -> Sensitivity:
        """Measured once for each case and dtype."""
        if (case, dtype) not in self._known:
            with np.errstate(all="ignore"):
                self._known[case, dtype] = self._measured(case, dtype)
        return self._known[case, dtype]

    def norms(self, X: Matrix) -> Matrix:
        """‖·‖ of every block, (blocks, 1), of numbers whose squares may over- or underflow."""
        return matrices.norms(X.reshape(1, -1) if self.mixes else X)

    def _measured(self, case: Typed, dtype: str) -> Sensitivity:
        unit = self._units(case.V)
        X = self.norms(case.V / unit)
        lost = np.full(X.shape, math.inf)
        try:
            W = self.norms(self.map.reference(case.V))
            if self.map.nonexpansive:
                of_blocks = unit if len(unit) == len(X) else np.full(X.shape, unit.max())
                return Sensitivity(unit, X, W, of_blocks, lost, 1.0)
            sigma, step, safety = self._steepness(case, unit, W)
            reached = self._reached(self.map.reference, case.V, unit, X, dtype)
        except (ValueError, np.linalg.LinAlgError):  # so near the edge of its domain that nothing can be said
            return Sensitivity(unit, X, lost, lost, lost)
        sigma = np.where(reached > 2 * SAFETY * np.maximum(sigma, _quotient(W, X)), math.inf, sigma)
        if dtype == "float64" and self.map.vjp is not None and self.map.ball_vjp is None:
            safety = SAFETY  # the difference from the reference, which nothing encloses, has its error in it as well
        return Sensitivity(unit, X, W, sigma, step, safety)

    def _bent(self, case: Typed, dtype: str) -> Matrix:
        """η, infinite where a kink is within reach; measured once for each case and dtype."""
        if (case, dtype) not in self._bends:
            with np.errstate(all="ignore"):
                try:
                    self._bends[case, dtype] = self._bend(case, self.at(case, dtype), dtype)
                except (ValueError, np.linalg.LinAlgError):
                    self._bends[case, dtype] = np.full(self.norms(case.A).shape, math.inf)
        return self._bends[case, dtype]

    def _steepness(self, case: Typed, unit: Matrix, W: Matrix) -> tuple[Matrix, Matrix, float]:
        """σ, the step of its differences, and the factor of safety that it needs."""
        step = np.full(W.shape, STEP)
        direction = self._unit_vectors(case.V.shape, "steepness")
        moved = self._difference(self.map.reference, case.V, unit, direction, step)
        for _ in range(2):
            step = _shortened(step, W, self.norms(moved))
            moved = self._difference(self.map.reference, case.V, unit, direction, step)
        vjp, entries = self.map.vjp, max(case.V.size, case.A.size)
        if vjp is None and entries <= COLUMNS:
            columns = self._columns(lambda E: self._difference(self.map.reference, case.V, unit, E, step), case.V.shape)
            return columns, step, 1.0
        if vjp is None:
            return self._sampled(case.V, unit, step), step, SAFETY
        if entries <= WHOLE:
            return self._columns(lambda E: unit * vjp(case.V, E), case.A.shape), step, 1.0
        sigma = self.norms(moved)
        for _ in range(POWER_STEPS):
            cotangent = moved / self._rows(np.where(sigma > 0, sigma, 1.0), moved)
            direction = self._normalized(unit * vjp(case.V, cotangent))
            step = _shortened(step, W, sigma)
            moved = self._difference(self.map.reference, case.V, unit, direction, step)
            sigma = np.maximum(sigma, self.norms(moved))
        return sigma, step, SAFETY

    def _columns(self, f: Callable[[Matrix], Matrix], shape: tuple[int, ...]) -> Matrix:
        """Block by block the spectral norm of the linear f: of its values at every unit matrix of a shape, or where
        rows stand alone at every unit column, which moves all rows at once."""
        n, d = shape
        units = np.eye(n * d).reshape(n * d, n, d) if self.mixes else np.repeat(np.eye(d)[:, None], n, axis=1)
        found = np.array([f(E) for E in units])
        blocks = found.reshape(len(units), 1, -1) if self.mixes else found
        return np.asarray(np.linalg.svd(blocks.transpose(1, 0, 2), compute_uv=False)[:, :1])

    def _sampled(self, V: Matrix, unit: Matrix, step: Matrix) -> Matrix:
        seen = [
            self.norms(self._difference(self.map.reference, V, unit, self._unit_vectors(V.shape, k), step))
            for k in range(SAMPLES)
        ]
        sure: Matrix = np.max(seen, axis=0) * math.sqrt(V.size) / least_of_largest(SAMPLES)
        return sure

    def _bend(self, case: Typed, at: Sensitivity, dtype: str) -> Matrix:
        if self.map.vjp is None or not np.isfinite(at.sigma).all():
            return np.full(at.X.shape, 0.0 if self.map.vjp is None else math.inf)

        def gradient(V: Matrix) -> Matrix:
            return at.unit * self.map.vjp(V, case.A)  # type: ignore[misc]

        eta, direction = np.zeros(at.X.shape), self._unit_vectors(case.V.shape, "bend")
        before = direction
        for _ in range(POWER_STEPS):
            moved = self._difference(gradient, case.V, at.unit, direction, at.step)
            eta, before, direction = np.maximum(eta, self.norms(moved)), direction, self._normalized(moved)
        # At a jump of the gradient the quotient grows as the step shrinks.
        far = self.norms(self._difference(gradient, case.V, at.unit, before, 16 * at.step))
        eta = np.where(far < eta / 4, math.inf, eta)
        reached = self._reached(gradient, case.V, at.unit, at.X, dtype)
        # A kink is told apart by what σ is at most by the power method, whether or not it is known better.
        steepest = np.maximum(SAFETY * at.sigma, _quotient(at.W, at.X))
        least = _quotient(steepest * self.norms(case.A), at.X)
        found: Matrix = np.where(reached > 2 * SAFETY * np.maximum(eta, least), math.inf, eta)
        return found

    def _reached(self, f: Callable[[Matrix], Matrix], V: Matrix, unit: Matrix, X: Matrix, dtype: str) -> Matrix:
        """The largest quotient at steps of ``REACH`` u, to both sides."""
        step = REACH * unit_roundoff(dtype) * np.where(X > 0, X, 1.0)
        base, largest = f(V), np.zeros(X.shape)
        for k in range(SAMPLES):
            change = self._rows(step, V) * unit * self._unit_vectors(V.shape, "reach", k)
            for moved in (f(V + change), f(V - change)):
                largest = np.maximum(largest, self.norms(moved - base) / step)
        return largest

    def _difference(
        self, f: Callable[[Matrix], Matrix], V: Matrix, unit: Matrix, direction: Matrix, step: Matrix
    ) -> Matrix:
        change = self._rows(step, V) * unit * direction
        moved = f(V + change) - f(V - change)
        return moved / self._rows(2 * step, moved)

    def _of_value(self, at: Sensitivity, case: Typed, dtype: str) -> list[ErrorModel]:
        u = self.counts.model(dtype, "value", self.map, case.V.shape, self.mixes, stored=False).relative
        with np.errstate(invalid="ignore"):  # infinite times zero is not decided either
            moved = at.steep * at.X
            if self.map.name == "value":
                moved = moved + SAFETY * self._bent(case, dtype) / self.norms(case.A) * at.X**2 * u / 2
        return self._models(_quotient(moved, at.W), case.V, dtype, "value")

    def _of_gradient(self, case: Typed, dtype: str) -> list[ErrorModel]:
        wide = self._wide(case)
        at, A = self.at(wide, dtype), self.norms(wide.A)
        with np.errstate(invalid="ignore"):
            condition = 1 + _quotient(SAFETY * self._bent(wide, dtype) * at.X, self._steepest(at) * A)
            cancels = at.sigma * at.X < VANISHING * at.W
        if self.map.vjp is not None and cancels.any():
            cancels &= self.norms(self.map.vjp(wide.V, wide.A)) > 0  # an exact zero cancels nothing
        condition = np.where(cancels, math.inf, condition)
        return self._models(condition, case.V, dtype, "gradient")

    def _steepest(self, at: Sensitivity) -> Matrix:
        return np.maximum(at.steep, _quotient(at.W, at.X))

    def _wide(self, case: Typed) -> Typed:
        """The case with a column more that changes nothing, where the shape is so narrow that freedom may be missing.

        With n = d, or n = d - 1 after centring, the value cannot move in all the directions in which a backward
        divides by singular values: its derivative is small because large factors cancel.  A column of zeros, or of
        the row means, on which the value is zero and otherwise what it was, shows them.
        """
        n, d = case.V.shape
        if self.map.vjp is None or case.A.shape != case.V.shape or d > (n + 1 if self.mixes else 2):
            return case
        if case not in self._widened:
            self._widened[case] = next((wide for wide in self._candidates(case) if self._same(case, wide)), case)
        return self._widened[case]

    def _candidates(self, case: Typed) -> list[Typed]:
        more = matrices.normal(len(case.A), 1, seed=seed_of(self.seed, "wide")) * np.sqrt((case.A**2).mean())
        A = np.hstack([case.A, more])
        columns = (np.zeros((len(case.V), 1)), case.V.mean(axis=1, keepdims=True))
        return [Typed(case.name, np.hstack([case.V, column]), A) for column in columns]

    def _same(self, case: Typed, wide: Typed) -> bool:
        """Whether the value is a multiple of [W, 0], to a thousandth."""
        try:
            W, found = self.map.reference(case.V), self.map.reference(wide.V)
        except (ValueError, np.linalg.LinAlgError):
            return False
        size = float((W * W).sum())
        factor = float((found[:, :-1] * W).sum()) / size if size > 0 else 0.0
        expected = np.hstack([factor * W, np.zeros((len(W), 1))])
        return 0.5 < factor < 2.0 and bool(np.abs(found - expected).max() <= 1e-3 * np.abs(W).max())

    def _models(self, condition: Matrix, V: Matrix, dtype: str, what: str) -> list[ErrorModel]:
        whole = [c if c >= 1 else 1.0 if c < 1 else math.inf for c in condition[:, 0].tolist()]
        return [self.counts.model(dtype, what, self.map, V.shape, self.mixes, condition=c) for c in whole]

    def _worst(self, error: Matrix, scale: Matrix, models: list[ErrorModel], dtype: str) -> Ratio:
        """The largest ratio; below the smallest normal number a dtype has no relative accuracy to ask for."""
        sizes = self.norms(error)[:, 0]
        floor = SMALLEST_NORMAL[dtype] * unit_roundoff(dtype) * math.sqrt(error.size)
        found = []
        for size, of, model in zip(sizes.tolist(), scale[:, 0].tolist(), models, strict=True):
            found.append(Ratio(max(0.0, size - floor) if size == size else math.inf, of, model))
        return max(found, key=lambda ratio: ratio.value)

    def _units(self, V: Matrix) -> Matrix:
        """s, one number a row: the largest power of two up to the block's largest entry; for W above G one for each."""
        halves = np.split(V, 2) if self.map.stacked else [V]
        blocks = [np.full(len(half), np.abs(half).max()) for half in halves] if self.mixes else [np.abs(V).max(axis=1)]
        largest = np.concatenate(blocks)[:, None]
        return np.asarray(np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0))

    def _rows(self, of_blocks: Matrix, like: Matrix) -> Matrix:
        """A number for each block as one that multiplies the rows of ``like``."""
        return of_blocks if len(of_blocks) in (1, len(like)) else np.ones((len(like), 1)) * of_blocks[0, 0]

    def _normalized(self, X: Matrix) -> Matrix:
        size = self.norms(X)
        return X / self._rows(np.where(size > 0, size, 1.0), X)

    def _unit_vectors(self, shape: tuple[int, ...], *what: object) -> Matrix:
        return self._normalized(matrices.normal(*shape, seed=seed_of(self.seed, "sensitivity", *what)))


class Analytic:
    """The error models of the three methods whose condition numbers ``matrices`` knows in closed form."""

    def __init__(self, method_id: str) -> None:
        self.id, self.mixes = method_id, method_id in matrices.MIXES

    def value(self, case: Typed, error: Matrix, dtype: str) -> Ratio:
        return matrices.forward_ratio(self.id, case, error, dtype)

    def gradient(self, case: Typed, error: Matrix, dtype: str) -> Ratio:
        return matrices.backward_ratio(self.id, case, error, dtype)

    def off(self, case: Typed, error: Matrix, dtype: str) -> float:
        """The largest ‖error‖ σ ÷ ‖A‖ of a block."""
        sigma, _ = matrices.smallest(self.id, case.V)
        return float(_quotient(self._norms(error * sigma), self._norms(case.A)).max())

    def _norms(self, X: Matrix) -> Matrix:
        return matrices.norms(X.reshape(1, -1) if self.mixes else X)

    def of_backward(self, case: Typed) -> ErrorModel:
        _, kappa = matrices.smallest(self.id, case.V)
        condition = matrices.SECOND * float(kappa.max())
        return map_model("float64", case.V.size, condition=condition, roundings=matrices.ROUNDINGS)

    def excused(self, case: Typed, dtype: str) -> float:
        return matrices.excused(self.id, case.V, dtype)

    excused_gradient = excused


Model = Generic | Analytic


def _rows_alone(of: Map, seed: int) -> bool:
    """Whether a row of the value depends on its own row only, and W has the shape of V: decided at one matrix."""
    V = matrices.normal(3, 7, seed=seed_of(seed, "rows alone"))
    try:
        W = of.reference(V)
        alone = [of.reference(V[i : i + 1]) for i in range(len(V))]
    except (ValueError, np.linalg.LinAlgError):
        return False
    if W.shape != V.shape or any(row.shape != V[:1].shape for row in alone):
        return False
    return bool(np.abs(np.concatenate(alone) - W).max() <= 2.0**-40 * np.abs(W).max())


def _shortened(step: Matrix, W: Matrix, moved: Matrix) -> Matrix:
    """The step at which a value of size W, with derivative ``moved``, moves by no more than ``MOVES`` of itself."""
    most: Matrix = np.divide(MOVES * W, moved, out=np.full(step.shape, math.inf), where=(W > 0) & (moved > 0))
    return np.minimum(step, most)


def _quotient(above: Matrix, below: Matrix) -> Matrix:
    """above / below, infinite for a zero or missing denominator; 0 / 0 = 0, for a map that stands still at zero."""
    found: Matrix = np.where(above == 0, 0.0, math.inf)
    np.divide(above, below, out=found, where=(below > 0) & np.isfinite(below))
    return found
