"""The residual of each property that a subject may declare, and its error model.

Each function takes a ``Look`` (the subject at one weight) and returns ``(error, scale, model)`` triples, one for each
comparison; the property holds there when every ratio is at most 1.  Constraints on W are residuals of the very
output, so that only its rounding and one reduction count; invariances compare two outputs, so that the map's local
condition number counts; gradient properties take random and structured cotangents.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Option, one_of, outside, randn, rows
from wnverify.finding import seed_of
from wnverify.oracles.gradients import reverse_mode, sensitivity
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """One subject at one weight: V as given (any dtype), W in float64, the declared value and a seed.

    For a penalty W is its value, a matrix of one entry.  ``convex``: it is declared.  ``settled``: V itself is the
    result, whose constraints are asked.  ``once``: a penalty is asked at one size and one step.  ``sampled``: of sizes
    and steps one is looked at, which the seed draws.
    """

    instance: Instance
    V: Tensor
    value: Any
    seed: int
    domain: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    target_set: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    convex: bool = False
    settled: bool = False
    once: bool = False
    sampled: bool = False

    def chosen(self, name: str, options: list[Option]) -> list[Option]:
        """All of them, or the one that the seed draws."""
        return one_of(options, seed_of(self.seed, "chosen", name)) if self.sampled else options

    @property
    def dtype(self) -> str:
        return str(self.V.dtype).removeprefix("torch.")

    @functools.cached_property
    def W(self) -> Tensor:
        return rows(self.at(self.V)).double()

    def at(self, V: Tensor) -> Tensor:
        with torch.no_grad():
            return self.instance.at(V).detach()

    @property
    def n(self) -> int:
        return self.V.shape[0]

    @property
    def d(self) -> int:
        return max(1, self.V[0].numel()) if self.n else 1

    @functools.cached_property
    def condition(self) -> float:
        """The map's local relative condition number, in float64."""
        return sensitivity(lambda V: self.at(V).double(), self.V.double(), seed=self.seed) + 1.0

    @functools.cached_property
    def gradient_condition(self) -> float:
        """The local relative condition number of the gradient, in float64."""
        instance, cotangent = self.instance.to(torch.float64), next(self.cotangents()).double()

        def gradient(V: Tensor) -> Tensor:
            return reverse_mode(instance, instance.with_primary(V), instance.primary)(cotangent)

        return sensitivity(gradient, self.V.double(), seed=self.seed) + 1.0

    def model(self, *, condition: float = 1.0, roundings: int = 6) -> ErrorModel:
        terms = self.V.numel() if self.instance.scalar else self.d + self.n
        return map_model(self.dtype, terms, condition=condition, roundings=roundings)

    def cotangents(self) -> Iterator[Tensor]:
        shape = tuple(self.instance.output_shape(self.V))
        for k in range(3):
            yield randn(*shape, seed=seed_of(self.seed, "cotangent", k)).to(self.V.dtype)
        yield torch.ones(shape, dtype=self.V.dtype)

    def scaled(self) -> list[Tensor]:
        """V, and V sixty-four times smaller and larger where that lies in the stated domain: for inequalities, which
        one size may keep by accident."""
        if self.settled:
            return [self.V]
        return self.chosen("size", [V for V in (self.V, self.V / 64, self.V * 64) if self.covers(V)])

    def covers(self, V: Tensor) -> bool:
        """Whether V lies in the stated domain: beyond it nothing was promised, so nothing is compared."""
        return outside(V, self.domain) is None

    def gradients(self) -> list[Tensor]:
        """∂L/∂V in float64, rows flattened, one for each cotangent."""
        tensors = self.instance.with_primary(self.V)
        pull = reverse_mode(self.instance, tensors, self.instance.primary)
        return [rows(pull(cotangent)).double() for cotangent in self.cotangents()]


Residual = Callable[[Look], Iterator[Ratio]]
RESIDUALS: Final[dict[str, Residual]] = {}
TINY: Final = 1e-300
LONGEST_UNIFORM: Final = 1100
"""Entries of a row up to which a random orthogonal matrix is computed."""
REFLECTIONS: Final = 8
NEAR: Final = (2.0**-8, 2.0**-20)
"""How far outside its set a projection is asked too, relative to the point there."""


def residual(name: str) -> Callable[[Residual], Residual]:
    def register(function: Residual) -> Residual:
        RESIDUALS[name] = function
        return function

    return register


@residual("unit_norm_rows")
def _unit(look: Look) -> Iterator[Ratio]:
    for norm in look.W.norm(dim=1).tolist():
        yield Ratio(abs(norm - 1.0), 1.0, look.model())


@residual("constant_norm_rows")
def _constant_norm(look: Look) -> Iterator[Ratio]:
    norms = look.W.norm(dim=1)
    wanted = float(norms.median()) if look.value is True else float(look.value)
    for norm in norms.tolist():
        yield Ratio(abs(norm - wanted), wanted, look.model(roundings=12))


@residual("zero_mean_rows")
def _zero_mean(look: Look) -> Iterator[Ratio]:
    size = look.W.norm(dim=1) * math.sqrt(look.d)
    # Subtracting a rounded mean leaves its rounding error, which is relative to V and not to W.
    V = rows(look.V).double()
    spread = (V - V.mean(1, keepdim=True)).norm(dim=1)
    for row, total in enumerate(look.W.sum(1).abs().tolist()):
        lost = float(V[row].norm() / spread[row]) if float(spread[row]) > 0 else 1.0
        yield Ratio(total, float(size[row]), look.model(condition=min(lost, 10.0)))


@residual("orthonormal_rows")
def _orthonormal(look: Look) -> Iterator[Ratio]:
    yield from _gram(look, look.W, 1.0)


@residual("scaled_orthonormal_rows")
def _scaled_orthonormal(look: Look) -> Iterator[Ratio]:
    measured = float((look.W @ look.W.T).diagonal().mean())
    yield from _gram(look, look.W, measured if look.value is True else float(look.value))


@residual("structured_orthonormal")
def _structured(look: Look) -> Iterator[Ratio]:
    given = look.value(look.V) if callable(look.value) else look.value
    G = torch.as_tensor(given, dtype=torch.float64)
    G = G * torch.eye(look.d, dtype=torch.float64) if G.dim() == 0 else torch.diag(G) if G.dim() == 1 else G
    if G.shape != (look.d, look.d):
        raise ValueError(f"DECLARES['structured_orthonormal'] must be G of shape ({look.d}, {look.d}); got {G.shape}")
    # (WG)(WG)ᵀ and W G² Wᵀ agree for symmetric G; the second is what is declared.
    residual = look.W @ G @ G @ look.W.T - torch.eye(look.n, dtype=torch.float64)
    yield Ratio(float(residual.abs().max()), 1.0, look.model(condition=float(torch.linalg.cond(G)), roundings=12))


@residual("spectral_norm_le_1")
def _spectral(look: Look) -> Iterator[Ratio]:
    for V in look.scaled():
        W = rows(look.at(V)).double()
        largest = float(torch.linalg.matrix_norm(W, 2)) if bool(torch.isfinite(W).all()) else math.nan
        yield Ratio(excess(largest, 1.0), 1.0, look.model(roundings=8))


@residual("l1_rows_le")
def _l1(look: Look) -> Iterator[Ratio]:
    radius = float(look.value)
    for total in look.W.abs().sum(1).tolist():
        yield Ratio(excess(total, radius), radius, look.model())


@residual("scale_invariant")
def _scale(look: Look) -> Iterator[Ratio]:
    # Upwards as far as float32 squares allow; far below 1 the floor of a norm is a matter of edge.scale.
    for factor in (2.0, 0.375, 24.0, 2.0**-12, 2.0**12, 2.0**20):
        if look.covers(look.V * factor):
            yield _same(look, look.at(look.V * factor), look.W)


@residual("row_scale_invariant")
def _row_scale(look: Look) -> Iterator[Ratio]:
    for spread in (1, 3):
        exponents = spread * (torch.arange(look.n) % 5 - 2)
        factors = (1.5 * 2.0**exponents).to(look.V.dtype).reshape(-1, *[1] * (look.V.dim() - 1))
        if look.covers(look.V * factors):
            yield _same(look, look.at(look.V * factors), look.W)


@residual("shift_invariant_rows")
def _shift(look: Look) -> Iterator[Ratio]:
    c = randn(look.n, seed=seed_of(look.seed, "shift")).to(look.V.dtype)
    shifted = look.V + c.reshape(-1, *[1] * (look.V.dim() - 1))
    if look.covers(shifted):
        # What rounding the shifted weight costs is relative to its own size.
        grown = max(1.0, float(shifted.double().norm()) / max(float(look.V.double().norm()), TINY))
        yield _same(look, look.at(shifted), look.W, grown=grown)


@residual("odd")
def _odd(look: Look) -> Iterator[Ratio]:
    yield _same(look, -look.at(-look.V), look.W)


@residual("idempotent")
def _idempotent(look: Look) -> Iterator[Ratio]:
    once = look.at(look.V)
    if look.covers(once):
        ratio = _same(look, look.at(once), look.W)
        # Onto a set a weight is mapped with the rounding of what was taken off it.
        yield dataclasses.replace(ratio, scale=max(ratio.scale, float(look.V.norm()))) if look.target_set else ratio


@residual("rotation_equivariant")
def _rotation(look: Look) -> Iterator[Ratio]:
    seed = seed_of(look.seed, "rotation")
    turned = _turned(rows(look.V).double(), seed).to(look.V.dtype).reshape(look.V.shape)
    if look.covers(turned):
        yield _same(look, look.at(turned), look.W if look.instance.scalar else _turned(look.W, seed))


def _turned(X: Tensor, seed: int) -> Tensor:
    """X Q, Q orthogonal and random: uniform, or for long rows, of which that is dear, a product of reflections."""
    d = X.shape[1]
    if d <= LONGEST_UNIFORM:
        Q: Tensor = torch.linalg.qr(randn(d, d, seed=seed)).Q
        return X @ Q
    for v in randn(REFLECTIONS, d, seed=seed):
        X = X - 2 * torch.outer(X @ v, v) / v.square().sum()
    return X


@residual("permutation_equivariant_rows")
def _permutation(look: Look) -> Iterator[Ratio]:
    order = torch.roll(torch.arange(look.n).flip(0), 1)
    yield _same(look, look.at(look.V[order]), look.W if look.instance.scalar else look.W[order])


@residual("gradient_orthogonal_to_weight")
def _gradient_orthogonal(look: Look) -> Iterator[Ratio]:
    V = rows(look.V).double()
    yield from _inner(look, V)


@residual("gradient_zero_mean")
def _gradient_zero_mean(look: Look) -> Iterator[Ratio]:
    ones = torch.ones(look.n, look.d, dtype=torch.float64)
    yield from _inner(look, ones)


@residual("nonexpansive")
def _nonexpansive(look: Look) -> Iterator[Ratio]:
    for V in look.scaled():
        W = rows(look.at(V)).double()
        drawn = [randn(*V.shape, seed=seed_of(look.seed, "pair", k)).to(V.dtype) * 10.0 ** (k - 3) for k in range(4)]
        for step in (*drawn, *_told_apart(V)):
            other = V + step * float(V.abs().max())
            if not look.covers(other):
                continue
            apart = float((other.double() - V.double()).norm())
            grown = excess(float((rows(look.at(other)).double() - W).norm()), apart)
            yield Ratio(grown, apart + float(W.norm()), look.model())


def _told_apart(V: Tensor) -> Iterator[Tensor]:
    """Steps that a drawn one hardly has a part in: along the weight, all entries alike, one row, one entry."""
    size = float(V.abs().max()) or 1.0
    yield V / size / 8
    yield torch.full_like(V, 0.125)
    row, entry = torch.zeros_like(V), torch.zeros_like(V)
    row[-1] = V[0] / size / 8
    entry.view(-1)[-1] = 0.125
    yield row
    yield entry


def excess(value: float, bound: float) -> float:
    """How far ``value`` is above ``bound``; ``max(0, NaN)`` would be 0."""
    return 0.0 if value <= bound else value - bound


@residual("euclidean_projection")
def _projection(look: Look) -> Iterator[Ratio]:
    parameters = {name: value for name, value in look.target_set.items() if name != "name"}

    def found(V: Tensor, W: Tensor) -> Iterator[Ratio]:
        nearest = certificate(
            look.target_set["name"], rows(V).double(), rows(W).double(), dtype=look.dtype, **parameters
        )
        yield nearest.feasibility
        yield nearest.optimality

    for V in look.scaled():  # inside the set, on its border and far outside are different questions
        W = look.at(V)
        yield from found(V, W)
        out = V - W
        apart, size = float(out.double().norm()), float(W.double().norm())
        for part in NEAR if apart > 0 and math.isfinite(size) else ():  # just outside a tolerance may hide the set
            close = W + out * min(part * size / apart, 0.5)
            if look.covers(close):
                yield from found(close, look.at(close))


def _gram(look: Look, W: Tensor, scale: float) -> Iterator[Ratio]:
    residual = W @ W.T - scale * torch.eye(look.n, dtype=torch.float64)
    yield Ratio(float(residual.abs().max()), abs(scale), look.model(roundings=12))


def _same(look: Look, out: Tensor, expected: Tensor, *, grown: float = 1.0) -> Ratio:
    """Two outputs that should be equal, each with the map's own conditioning; ``grown``: how much larger than V the
    other weight is."""
    miss = float((rows(out).double() - expected).norm())
    return Ratio(miss, float(expected.norm()), look.model(condition=(1 + grown) * look.condition, roundings=8))


def _inner(look: Look, direction: Tensor) -> Iterator[Ratio]:
    """⟨row of the gradient, row of the direction⟩ relative to what the terms could sum to.

    A gradient that vanishes exactly (a constant cotangent of softmax) leaves rounding only, which is relative to
    what cotangents of that size pull back to: the largest row gradient over all of them.  Where all of them vanish
    (unit rows of one entry) it is relative to what a gradient of that row would be by its size.
    """
    gradients = look.gradients()
    condition = 2 * (look.condition + look.gradient_condition)
    largest = max(float(gradient.norm()) for gradient in gradients)
    floors = torch.full((look.n,), largest / math.sqrt(look.n), dtype=torch.float64)
    natural = _natural_sizes(look)
    if largest <= look.model(roundings=12).relative * float(natural.norm()):
        floors = natural
    for gradient in gradients:
        norms = torch.maximum(gradient.norm(dim=1), floors) * direction.norm(dim=1)
        for row, product in enumerate((gradient * direction).sum(1).abs().tolist()):
            yield Ratio(product, float(norms[row]), look.model(condition=condition, roundings=12))


def _natural_sizes(look: Look) -> Tensor:
    """(n,): ‖a‖ ‖w‖ / ‖v‖ of each row, with its largest cotangent a; 0 for a row of zeros."""
    largest = torch.stack([rows(a).double().norm(dim=1) for a in look.cotangents()]).amax(0)
    sizes = rows(look.V).double().norm(dim=1)
    return torch.where(sizes > 0, largest * look.W.norm(dim=1) / sizes.clamp_min(TINY), 0.0)


def measure(name: str, look: Look) -> Ratio | None:
    """The comparison with the largest ratio of the named property at this weight; None where the stated domain leaves
    nothing to compare."""
    worst: Ratio | None = None
    for ratio in RESIDUALS[name](look):
        if worst is None or ratio.value > worst.value or math.isnan(ratio.error):
            worst = ratio
    return worst
