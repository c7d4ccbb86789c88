"""The error models of ``sensitivity`` for many small matrices at once, with condition numbers from whole Jacobians.

The formulas are those of ``sensitivity`` (and of ``matrices`` for the three methods that have them in closed form).
There σ and η come from some steps of a power method on the NumPy reference, times ``SAFETY``.  Here the Jacobian of f
and the Hessian of ⟨A, f⟩ are built in full from the method's own PyTorch form in float64, by backward passes for every
unit cotangent and by their central differences for every unit direction; σ and η are their spectral norms.  So this
model is the narrower one: where it is kept, the model that judges is, and ``observing`` measures by how much.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor

from wnverify.finding import seed_of
from wnverify.numerics import matrices
from wnverify.numerics.counts import Counts
from wnverify.numerics.forms import Map
from wnverify.numerics.generators import Stack
from wnverify.numerics.judge import Subject
from wnverify.numerics.sensitivity import MOVES, REACH, SAMPLES, STEP, VANISHING, Analytic
from wnverify.oracles.ratio import SMALLEST_NORMAL, unit_roundoff

Pull = Callable[[Stack, Stack], Stack]
Evaluated = tuple[Stack, dict[int, Exception]]
SAME: Final = 1e-3
KINK: Final = 4.0
"""A difference quotient at ``REACH`` roundings this many times the derivative is a kink's."""
FAR: Final = 16.0


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """What each block of each matrix may lose, (N, blocks, 1): relative, the size it is relative to, its condition."""

    relative: Stack
    scale: Stack
    condition: Stack


@dataclasses.dataclass(frozen=True, slots=True)
class Steepness:
    unit: Stack
    X: Stack
    W: Stack
    sigma: Stack


def values(of: Callable[[Tensor], Tensor], V: Stack, dtype: str, shape: tuple[int, ...]) -> Evaluated:
    """The implementation at every V (N, n, d), as float64, and what it raised at which; ``shape`` is that of one W."""

    def mapped(V: Stack, _: Stack) -> Stack:
        with torch.no_grad():
            return _array(torch.func.vmap(of)(_tensor(V, dtype)))

    def single(V: Stack, _: Stack) -> Stack:
        with torch.no_grad():
            return _array(of(_tensor(V[0], dtype))[None])

    return _bisected(mapped, single, V, V, shape)


def gradients(of: Callable[[Tensor], Tensor], V: Stack, A: Stack, dtype: str) -> Evaluated:
    """Its gradient at every V for the cotangent A of the same place."""

    def mapped(V: Stack, A: Stack) -> Stack:
        leaf = _tensor(V, dtype).requires_grad_()
        return _array(torch.autograd.grad(torch.func.vmap(of)(leaf), leaf, _tensor(A, dtype))[0])

    def single(V: Stack, A: Stack) -> Stack:
        leaf = _tensor(V[0], dtype).requires_grad_()
        return _array(torch.autograd.grad(of(leaf), leaf, _tensor(A[0], dtype))[0][None])

    return _bisected(mapped, single, V, A, V.shape[1:])


def _bisected(mapped: Pull, single: Pull, V: Stack, A: Stack, shape: tuple[int, ...]) -> Evaluated:
    """All in one ``torch.func.vmap``; where that raises, halves of it, down to single matrices without a vmap."""
    try:
        return (mapped if len(V) > 1 else single)(V, A), {}
    except Exception as error:  # the code under test may raise anything; what it raised at which matrix is kept
        if len(V) == 1:
            return np.full((1, *shape), math.nan), {0: error}
    half = len(V) // 2
    (first, raised), (second, later) = (
        _bisected(mapped, single, V[part], A[part], shape) for part in (slice(None, half), slice(half, None))
    )
    return np.concatenate([first, second]), {**raised, **{half + k: error for k, error in later.items()}}


class Batch:
    """Matrices V (N, n, d) with cotangents A, both held by ``dtype``, at which the map has the values W (N, …)."""

    def __init__(self, subject: Subject, V: Stack, A: Stack, W: Stack, dtype: str) -> None:
        self.subject, self.V, self.A, self.W, self.dtype = subject, V, A, W, dtype
        self.own = subject.form.fresh(subject.map.name)  # whatever stands in its place in the subject
        self.map: Map = subject.map
        self.mixes: bool = subject.model.mixes
        self.counts = Counts(subject.id, subject.form.said)
        self._at: Steepness | None = None

    def of_value(self) -> Allowed:
        if isinstance(self.subject.model, Analytic):
            sigma, kappa = _polar(self.subject.id, self.V)
            size = math.sqrt(self.V.shape[1]) if self.mixes else 1.0
            return self._allowed(kappa, np.full(sigma.shape, size), "value")
        at = self.at
        moved = at.sigma * at.X
        if self.map.name == "value":
            u = self._per_condition("value")
            moved = moved + self._bend(at, self.V, self.A) / self.norms(self.A) * at.X**2 * u / 2
        return self._allowed(_quotient(moved, at.W), at.W, "value")

    def of_gradient(self) -> Allowed:
        """The gradient in units of 1 / s, as ``unit`` scales it."""
        if isinstance(self.subject.model, Analytic):
            sigma, kappa = _polar(self.subject.id, self.V)
            scale = self.norms(self.A) * self._blocks(self.unit) / sigma
            return self._allowed(matrices.SECOND * kappa, scale, "gradient")
        wide, A, W = self._widened()
        at = self.at if wide is self.V else self._steepness(wide, W)
        steep = np.maximum(at.sigma, _quotient(at.W, at.X))
        size = self.norms(A)
        condition = 1 + _quotient(self._bend(at, wide, A) * at.X, steep * size)
        cancels = (at.sigma * at.X < VANISHING * at.W) & (self.norms(self._pull(wide, A)) > 0)
        return self._allowed(np.where(cancels, math.inf, condition), steep * size, "gradient")

    def ratios(self, error: Stack, allowed: Allowed, *, gradient: bool = False) -> Stack:
        """‖error‖ ÷ (scale × modelled) of the worst block of each matrix, (N,); infinite where it is not finite."""
        sizes = self.norms(error * self.unit if gradient else error)
        floor = SMALLEST_NORMAL[self.dtype] * unit_roundoff(self.dtype) * math.sqrt(error[0].size)
        sizes = np.where(np.isfinite(sizes), np.maximum(0.0, sizes - floor), math.inf)
        bound = allowed.scale * allowed.relative
        return np.asarray(np.max(np.where(sizes == 0, 0.0, _quotient(sizes, bound)), axis=(1, 2)))

    @property
    def unit(self) -> Stack:
        """s for every row, (N, n, 1)."""
        return _units(self.V, self.mixes, self.map.stacked)

    @property
    def at(self) -> Steepness:
        if self._at is None:
            self._at = self._steepness(self.V, self.W)
        return self._at

    def norms(self, X: Stack) -> Stack:
        """‖·‖ of every block, (N, blocks, 1)."""
        return _norms(X, self.mixes)

    def stored(self, what: str) -> int:
        if isinstance(self.subject.model, Analytic):
            return int(matrices.ROUNDINGS)
        return self.counts.stored(self.dtype, what, self.mixes and self.map.name != "value")

    def _per_condition(self, what: str) -> float:
        return self.counts.model(self.dtype, what, self.map, self.V.shape[1:], self.mixes, stored=False).relative

    def _allowed(self, condition: Stack, scale: Stack, what: str) -> Allowed:
        stored = self.stored(what) * unit_roundoff(self.dtype)
        condition = np.where(np.isnan(condition), math.inf, condition)
        if not isinstance(self.subject.model, Analytic):
            condition = np.maximum(condition, 1.0)
        return Allowed(condition * self._per_condition(what) + stored, scale, condition)

    def _blocks(self, of_rows: Stack) -> Stack:
        return of_rows.max(axis=1, keepdims=True) if self.mixes else of_rows

    def _pull(self, V: Stack, A: Stack) -> Stack:
        """The gradient at V by the method's own float64 form, times s."""
        return gradients(self.own, V, A, "float64")[0] * _units(V, self.mixes, self.map.stacked)

    def _steepness(self, V: Stack, W: Stack) -> Steepness:
        unit = _units(V, self.mixes, self.map.stacked)
        X, size = self.norms(V / unit), self.norms(W)
        if self.map.nonexpansive:
            return Steepness(unit, X, size, self._blocks(unit) * np.ones(X.shape))
        units = self._unit_cotangents(W.shape[1:])
        pulled = self._repeated(lambda V, A: self._pull(V, A), V, units)
        sigma = self._largest(pulled)
        reached = self._reached(lambda V: values(self.own, V, "float64", W.shape[1:])[0], V, W, unit, X)
        kinked = reached > KINK * np.maximum(sigma, _quotient(size, X))
        return Steepness(unit, X, size, np.where(kinked, math.inf, sigma))

    def _bend(self, at: Steepness, V: Stack, A: Stack) -> Stack:
        """η, infinite where a kink is within reach."""
        if self.map.vjp is None:
            return np.zeros(at.X.shape)
        directions = self._unit_cotangents(V.shape[1:])
        # No step moves the value by more than ``MOVES`` of itself.
        step = np.minimum(STEP, _quotient(MOVES * at.W, at.sigma))
        step = np.where(step > 0, step, STEP)

        def spread(times: float) -> Stack:
            def quotient(V: Stack, E: Stack) -> Stack:
                again = len(V) // len(A)
                A_again, size = np.tile(A, (again, 1, 1)), np.tile(times * step, (again, 1, 1))
                change = size * _units(V, self.mixes, self.map.stacked) * E
                up, down = np.split(
                    self._pull(np.concatenate([V + change, V - change]), np.tile(A_again, (2, 1, 1))), 2
                )
                return (up - down) / (2 * size)

            return self._largest(self._repeated(quotient, V, directions))

        eta = spread(1.0)
        # At a jump of the gradient the quotient grows as the step shrinks.
        eta = np.where(spread(FAR) < eta / KINK, math.inf, eta)
        base = self._pull(V, A)
        reached = self._reached(lambda V: self._pull(V, np.tile(A, (len(V) // len(A), 1, 1))), V, base, at.unit, at.X)
        steep = np.maximum(at.sigma, _quotient(at.W, at.X))
        least = _quotient(steep * self.norms(A), at.X)
        return np.asarray(np.where(reached > KINK * np.maximum(eta, least), math.inf, eta))

    def _repeated(self, f: Pull, V: Stack, units: Stack) -> Stack:
        """f(V_k, e_j) for every matrix k and unit j: (J, N, …), the matrices repeated so that it is one call."""
        count = len(V)
        found = f(np.tile(V, (len(units), 1, 1)), np.repeat(units, count, axis=0))
        return found.reshape(len(units), count, *found.shape[1:])

    def _unit_cotangents(self, shape: tuple[int, ...]) -> Stack:
        """Every unit matrix of a shape; where rows stand alone every unit column, which moves all rows at once."""
        n, d = shape
        if not self.mixes:
            return np.repeat(np.eye(d)[:, None, :], n, axis=1)
        return np.eye(n * d).reshape(n * d, n, d)

    def _largest(self, columns: Stack) -> Stack:
        """The spectral norm of what (J, N, n, d) are the columns of, block by block, (N, blocks, 1)."""
        J, N, n, d = columns.shape
        blocks = columns.reshape(J, N, 1, n * d) if self.mixes else columns
        moved = blocks.transpose(1, 2, 0, 3)
        usable = np.asarray(np.isfinite(moved).all(axis=(2, 3)))[:, :, None]
        sigma: Stack = np.linalg.svd(np.where(usable[..., None], moved, 0.0).astype(np.float64), compute_uv=False)
        return np.where(usable, sigma[..., :1], math.inf)

    def _reached(self, f: Callable[[Stack], Stack], V: Stack, base: Stack, unit: Stack, X: Stack) -> Stack:
        """The largest difference quotient at steps of ``REACH`` u, to both sides in random directions."""
        step = REACH * unit_roundoff(self.dtype) * np.where(X > 0, X, 1.0)
        tried = []
        for k in range(SAMPLES):
            E = np.random.default_rng(seed_of(self.subject.seed, "reach", k)).standard_normal(V.shape)
            change = step * unit * E / np.where(self.norms(E) > 0, self.norms(E), 1.0)
            tried += [V + change, V - change]
        moved = np.split(f(np.concatenate(tried)), len(tried))
        return np.asarray(np.fmax.reduce([self.norms(at - base) / step for at in moved]))

    def _widened(self) -> tuple[Stack, Stack, Stack]:
        """V, A and W with a column more that changes nothing, where the shape hides factors; see ``sensitivity``.

        One column for all: the first of zeros and of row means that changes nothing for most of the matrices; those
        for which it does are undecided, by an infinite value.
        """
        n, d = self.V.shape[1:]
        if self.map.vjp is None or self.A.shape != self.V.shape or d > (n + 1 if self.mixes else 2):
            return self.V, self.A, self.W
        own = np.random.default_rng(seed_of(self.subject.seed, "wide"))
        size = np.sqrt((self.A**2).mean(axis=(1, 2), keepdims=True))
        A = np.concatenate([self.A, own.standard_normal((*self.A.shape[:2], 1)) * size], axis=2)
        for column in (np.zeros((*self.V.shape[:2], 1)), self.V.mean(axis=2, keepdims=True)):
            V = np.concatenate([self.V, column], axis=2)
            W = values(self.own, V, "float64", V.shape[1:])[0]
            if W.shape != V.shape:
                continue
            same = self._same(W)
            if same.mean() > 0.5:
                return V, A, np.where(same[:, None, None], W, math.inf)
        return self.V, self.A, self.W

    def _same(self, wide: Stack) -> Stack:
        """Whether each value is a multiple of [W, 0], to a thousandth."""
        W = self.W
        size = (W * W).sum(axis=(1, 2))
        factor = np.divide((wide[:, :, :-1] * W).sum(axis=(1, 2)), size, out=np.zeros(size.shape), where=size > 0)
        expected = np.concatenate([factor[:, None, None] * W, np.zeros((*W.shape[:2], 1))], axis=2)
        near = np.abs(wide - expected).max(axis=(1, 2)) <= SAME * np.abs(W).max(axis=(1, 2))
        return np.asarray(near & (factor > 0.5) & (factor < 2.0))


def _polar(method_id: str, V: Stack) -> tuple[Stack, Stack]:
    """σ and κ of ``matrices.smallest`` for every block, (N, blocks, 1)."""
    N, n, d = V.shape
    if method_id not in matrices.MIXES:
        return tuple(found.reshape(N, n, 1) for found in matrices.smallest(method_id, V.reshape(N * n, d)))  # type: ignore[return-value]
    found = [matrices.smallest(method_id, one) for one in V]
    return tuple(np.stack([pair[k] for pair in found]) for k in (0, 1))  # type: ignore[return-value]


def _units(V: Stack, mixes: bool, stacked: bool) -> Stack:
    largest = np.abs(V).max(axis=2, keepdims=True)
    if mixes:
        halves = np.split(largest, 2, axis=1) if stacked else [largest]
        largest = np.concatenate([half.max(axis=1, keepdims=True) * np.ones(half.shape) for half in halves], axis=1)
    return np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)


def _norms(X: Stack, mixes: bool) -> Stack:
    blocks = X.reshape(len(X), 1, -1) if mixes else X
    return matrices.norms(blocks.reshape(-1, blocks.shape[2])).reshape(*blocks.shape[:2], 1)


def _quotient(above: Stack, below: Stack) -> Stack:
    found: Stack = np.where(above == 0, 0.0, math.inf)
    np.divide(above, below, out=found, where=(below > 0) & np.isfinite(below))
    return found


def _tensor(V: Stack, dtype: str) -> Tensor:
    """V as the dtype holds it, made without an operation of PyTorch's, which ``Coarse`` would take for the map's."""
    return torch.from_numpy(V.astype(dtype))


def _array(W: Tensor) -> Stack:
    return np.asarray(W.detach().double().numpy())
