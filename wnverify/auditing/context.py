"""What every check of one subject shares: how it is built, where it is defined, in which mode it is repeatable."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from wnverify.auditing.counted import work_of
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import (
    GENERIC_SHAPES,
    KERNEL_SHAPES,
    Option,
    Point,
    generic,
    one_of,
    outside,
    randn,
    rows,
    small_enough,
)
from wnverify.auditing.subject import Subject
from wnverify.auditing.target import PENALTY
from wnverify.auditing.vocabulary import statement_of
from wnverify.finding import encode_array, seed_of
from wnverify.oracles.gradients import Noises
from wnverify.oracles.ratio import Ratio, map_model

REFUSALS: tuple[type[Exception], ...] = (ValueError, ArithmeticError, getattr(torch.linalg, "LinAlgError"))  # noqa: B009
"""What a clear refusal of an input raises; the last is a RuntimeError that the typed interface does not export."""
AT_ORIGIN = 1e-6
"""Coordinates so small beside the weight that they stand for are the origin up to rounding."""
VANISHING = 1e-9
"""A penalty's value beside those at other weights, from which on what is left is rounding."""
MOST_OF_MANY = 3e6
"""Scalar operations of one step at the largest weight of a sampled look."""
FEW = 1
"""Gaussian tangents, and as many cotangents, of one sampled look at a backward."""
QUICK_SHAPES = ((3, 5), (4, 4), (7, 3))
QUICK_KERNELS = KERNEL_SHAPES[1:2]


class Context:
    """A subject under one seed.

    ``build`` gives instances in training mode, unless the subject's forward changes with every call there (power
    iteration, noise): then they are in eval mode, and ``mode_note`` says so.

    ``sampled``: of alternatives (weights, dtypes, layers) only one is looked at, which the seed draws; many seeds cost
    then what one whole look costs.  ``weights``: how many weights a check that traces the subject puts through one
    trace; None for its own number.  ``full``: whatever it costs.
    ``shards``: over how many processes a weight is distributed, 0 for none.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        seed: int,
        quick: bool = False,
        shrink: bool = True,
        sampled: bool = False,
        weights: int | None = None,
        full: bool = False,
        shards: int = 0,
    ):
        self.subject = subject
        self.shrink = shrink
        self.quick = quick
        self.full = full
        self.shards = shards
        self.refused: dict[str, str] = {}
        self.drawn = False
        """Whether anything was drawn: another seed would look at other numbers."""
        self.traced = False
        """Whether one trace took many weights: that look was many seeds."""
        self._seed = seed
        self.sampled = sampled
        self._weights = weights
        self._noises: dict[str, Noises] = {}
        self._work: dict[tuple[int, ...], float] = {}

    @property
    def seed(self) -> int:
        """The seed; who reads it draws from it."""
        self.drawn = True
        return self._seed

    def reseeded(self, seed: int) -> Context:
        """The same look under another seed; what was found out about the subject stays known."""
        other = copy.copy(self)
        other.refused, other.drawn, other.traced, other._seed = {}, False, False, seed
        return other

    def through_one_trace(self, own: int) -> int:
        """How many weights go through one trace, where a check would take ``own``."""
        self.traced = self._weights is not None
        return own if self._weights is None else self._weights

    def dear(self, point: Point) -> bool:
        """Whether one step at a weight of this shape is more than a sampled look, one of many, can be asked for."""
        return self.sampled and self.work(point) > self.most_work()

    def most_work(self, own: float = math.inf) -> float:
        """Scalar operations of one step that this look may ask for, where a check's ``own`` limit is that much."""
        return MOST_OF_MANY if self.sampled else math.inf if self.full else own

    def work(self, point: Point) -> float:
        """The scalar operations of one step at a weight of this shape, counted once."""
        shape = tuple(point.V.shape)
        if shape not in self._work:
            self._work[shape] = work_of(self.build(point.weight).at, point.V)
        return self._work[shape]

    def work_at_least(self, shape: tuple[int, int]) -> float:
        """What one step at this shape must take, by what is known of others where the longer side is as long at least:
        in proportion to it, and of as tall or as wide ones to the square of a shorter side that is shorter."""
        (low, high), tall = sorted(shape), shape[0] > shape[1]
        found = 0.0
        for known, work in self._work.items():
            if len(known) == 2 and high >= max(known) and (low >= min(known) or tall == (known[0] > known[1])):
                found = max(found, work * min(1.0, low / min(known)) ** 2 * high / max(known))
        return found

    def chosen(self, name: str, options: Sequence[Option]) -> Sequence[Option]:
        """All of them; in a sampled look the one that the seed draws."""
        if not self.sampled or len(options) < 2:
            return options
        return one_of(options, self.seed_for("chosen", name))

    def probes(self, gaussian: int, of: str = "value") -> Mapping[str, Any]:
        """With how many probes ``check_backward`` is called; in a sampled look with few, and others for each seed, and
        with what rounding noise is known ``of`` the map that it is called with."""
        if not self.sampled:
            return {"gaussian": gaussian}
        return {"gaussian": min(gaussian, FEW), "structured": 1, "noises": self.noises(of)}

    def noises(self, of: str = "value") -> Noises | None:
        """The rounding noise that earlier looks found ``of`` a map; None in a look that is no sampled one."""
        return self._noises.setdefault(of, {}) if self.sampled else None

    @functools.cached_property
    def repeatable_in_training(self) -> bool:
        """Whether forwards in training mode agree bit for bit at the first weight that is accepted, and draw nothing:
        what is drawn may agree by chance.  Not where the subject says that it changes its state there."""
        if self.subject.domain.get("stateful_in_training"):
            return False
        for shape in GENERIC_SHAPES:
            V = generic(shape, self._seed).V
            with contextlib.suppress(Exception):  # a refusal is recorded where points are chosen
                instance = self.subject.build(V)
                with torch.no_grad():
                    first = instance.out()  # what is drawn once, at the first call, is kept
                    drawn = torch.get_rng_state()
                    second, third = instance.out(), instance.out()
                same = torch.equal(first, second) and torch.equal(second, third)
                return bool(same and torch.equal(drawn, torch.get_rng_state()))
        return True

    @property
    def mode_note(self) -> str | None:
        if self.repeatable_in_training:
            return None
        return "looked at in eval mode: in training the forward changes from call to call"

    def build(self, V: Tensor) -> Instance:
        return self.subject.build(V, training=self.repeatable_in_training)

    def accepts(self, V: Tensor, name: str = "") -> bool:
        """Whether the forward gives finite numbers of the right shape and dtype; why not is kept in ``refused``.

        A penalty may sum in a wider dtype than that of the weight.
        """
        return self._coordinates(V, name) is not None

    def _coordinates(self, V: Tensor, name: str) -> Tensor | None:
        """What registration makes of a weight that the forward accepts, or None."""
        try:
            instance = self.build(V)
            kept = instance.V.clone()  # a forward may change its input
            with torch.no_grad():
                out = instance.out()
        except Exception as error:
            self.refused[name or str(tuple(V.shape))] = f"{type(error).__name__}: {first_line(error)}"
            return None
        wider = self.scalar and out.is_floating_point() and out.dtype.itemsize > V.dtype.itemsize
        if out.shape != instance.output_shape(V) or not (out.dtype == V.dtype or wider):
            self.refused[name or str(tuple(V.shape))] = f"the output is {out.dtype} of shape {tuple(out.shape)}"
            return None
        if not bool(torch.isfinite(out).all()):
            self.refused[name or str(tuple(V.shape))] = "the output is not finite"
            return None
        return kept

    @property
    def scalar(self) -> bool:
        """Whether the output is a penalty's value."""
        return self.subject.kind == PENALTY

    def statement(self, name: str) -> str:
        """What the named property says of a subject of this kind."""
        return statement_of(name, self.subject.kind)

    def cotangent(self, V: Tensor, seed: int) -> Tensor:
        """A Gaussian cotangent of the output for V."""
        return randn(*(() if self.scalar else V.shape), seed=seed)

    def terms(self, V: Tensor) -> int:
        """The length of the longest sum that the output for V needs: along an axis, or for a penalty over all."""
        return V.numel() if self.scalar else max(rows(V).shape)

    def generic_points(self, *, every: bool = False) -> list[Point]:
        """The generic points in the stated domain that the forward accepts."""
        shapes = QUICK_SHAPES if self.quick else GENERIC_SHAPES
        return self.usable((generic(s, self.seed) for s in shapes), every=every)

    def kernel_points(self, *, every: bool = False) -> list[Point]:
        """The generic convolution kernels in the stated domain that the forward accepts."""
        shapes = QUICK_KERNELS if self.quick else KERNEL_SHAPES
        return self.usable((generic(s, self.seed) for s in shapes), every=every)

    def usable(self, points: Iterable[Point], *, every: bool = False) -> list[Point]:
        """Those points that lie in the stated domain and that the forward accepts, in the subject's coordinates.

        A sampled look takes one of them, unless what is asked needs ``every`` one beside the others.
        """
        kept: list[Point] = []
        points = list(points)
        one = self.sampled and not every and len(points) > 1
        if one:
            start = self.seed_for("first of", points[0].name) % len(points)
            points = [*points[start:], *points[:start]]
        for point in points:
            if one and kept:
                break
            point = dataclasses.replace(point, V=small_enough(point.V, self.subject.domain))
            why = outside(point.V, self.subject.domain)
            if why is not None:
                self.refused[point.name] = f"outside the stated domain ({why})"
            elif (V := self._coordinates(point.V, point.name)) is not None:
                origin = float(point.V.norm()) > 0 and float(V.norm()) <= AT_ORIGIN * float(point.V.norm())
                found = dataclasses.replace(point, V=V, built_for=point.V, origin=origin)
                kept += [found, *(self._away_from_origin(found) if origin else [])]
        return kept

    def _away_from_origin(self, point: Point) -> list[Point]:
        """A second point, away from the origin of the coordinates, where relative changes do change something."""
        name = f"{point.name} away from the origin"
        V = point.V + 0.3 * randn(*point.V.shape, seed=self.seed_for(name))
        with torch.no_grad():
            finite = bool(torch.isfinite(self.build(point.weight).at(V)).all())
        return [dataclasses.replace(point, name=name, V=V, origin=False)] if finite else []

    @functools.cached_property
    def typical(self) -> float:
        """The largest size of a penalty's value over generic weights."""
        found = [0.0]
        for point in self.generic_points(every=True):
            with torch.no_grad():
                found.append(float(self.build(point.weight).at(point.V).abs()))
        return max(found)

    def vanishes(self, point: Point) -> bool:
        """Whether a penalty is nothing but rounding at this weight, as one that compares rows is of one row."""
        if not self.scalar:
            return False
        with torch.no_grad():
            here = float(self.build(point.weight).at(point.V).abs())
        return here <= VANISHING * self.typical

    def ordinary(self, shape: tuple[int, ...]) -> Point:
        """The generic point of that shape, scaled down where the stated domain leaves out weights of its size."""
        point = generic(shape, self.seed)
        return dataclasses.replace(point, V=small_enough(point.V, self.subject.domain))

    def drawn_for(self, name: str, shape: Sequence[int]) -> Tensor:
        """Another such weight, which the seed draws for the purpose ``name``."""
        return small_enough(randn(*shape, seed=self.seed_for(name)) + 0.3, self.subject.domain)

    def small_point(self) -> Point | None:
        """The first small generic point that can be used, or None."""
        for shape in ((5, 12), (3, 5), (4, 4), (7, 3), (1, 6)):
            if found := self.usable([generic(shape, self.seed)]):
                return found[0]
        return None

    def seed_for(self, *parts: object) -> int:
        return seed_of(self.seed, self.subject.name, *parts)


def rows_are_independent(instance: Instance, V: Tensor) -> bool:
    """Whether changing one row of V leaves the other rows of W as they were, up to rounding.  A scalar has no rows."""
    if instance.scalar:
        return False
    other = V.clone()
    # No multiple and no shift of the row alone: Gram-Schmidt on centred rows has the others in the same place after it.
    wave = torch.arange(1.0, V[1].numel() + 1, dtype=V.dtype).sin().reshape(V[1].shape)
    other[1] = -2.0 * V[1] + 0.125 + wave * V[1].abs().max() / 4
    with torch.no_grad():
        before, after = rows(instance.at(V)), rows(instance.at(other))
    keep = [i for i in range(V.shape[0]) if i != 1]
    model = map_model("float64", rows(V).shape[1], condition=10.0)
    return Ratio(float((before[keep] - after[keep]).norm()), float(before[keep].norm()), model).value <= 1


def witness_of(V: Tensor) -> dict[str, object]:
    """The weight as the witness of a case."""
    return {"V": encode_array(V)}


def first_line(error: BaseException) -> str:
    """The first line of an error's message, shortened."""
    text = str(error).strip().splitlines()
    line = text[0] if text else "(no message)"
    return line if len(line) <= 200 else line[:197] + "..."
