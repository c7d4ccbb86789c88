"""DSWN, sections 1 and 2.1: what is said of the normalizations of activations, batch, instance, layer and group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import map_model
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said

SHAPE: Final = (2, 4, 2, 3)
"""(samples, channels, height, width) of the feature maps at which the norms are compared."""
NEARLY_ZERO: Final = 1e-300
"""PyTorch's ε must be positive; this one is lost in any variance."""
Axes = tuple[int, ...]
Sets = frozenset[frozenset[tuple[int, ...]]]
"""The entries of an array parted into the sets that share a mean and a variance."""


def shared(shape: tuple[int, ...], axes: Axes, groups: int = 0) -> Sets:
    """The entries that differ only along ``axes`` share their statistics; with ``groups`` so do blocks of channels."""
    sets: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for index in itertools.product(*(range(size) for size in shape)):
        key = tuple(-1 if axis in axes else i for axis, i in enumerate(index))
        if groups:
            key = (index[0], index[1] * groups // shape[1])
        sets.setdefault(key, set()).add(index)
    return frozenset(frozenset(each) for each in sets.values())


def normalised(x: Any, sets: Sets) -> Any:
    """(x − mean) / standard deviation within each set."""
    import numpy as np

    out = np.empty_like(x)
    for each in sets:
        index = tuple(np.array(sorted(each)).T)
        out[index] = (x[index] - x[index].mean()) / x[index].std()
    return out


class BatchNorm(NamedTuple):
    """The axis of the statistics, and what an entry becomes, from mean, variance (1/m), m, and the root."""

    axis: int
    entry: Callable[[Any, Any, Any, int, Callable[[Any], Any]], Any]


BATCH: Final = BatchNorm(0, lambda x, mean, variance, m, root: (x - mean) / root(variance))
FEATURES: Final = ((1, 10), (1, 14), (5, 14), (5, 10))
"""A batch of four samples with two features, each of variance 4."""


@claim(
    "DSWN-S2-BN",
    place="sec. 1, 2.1",
    statement="Batch normalization gives every input of a layer mean 0 and variance 1; its statistics run along the "
    "batch.",
    reading="mean and variance (1/m) of a feature over the samples of the batch at hand.",
    formula=BATCH,
    faults={
        "along the features": BATCH._replace(axis=1),
        "not centred": BATCH._replace(entry=lambda x, mean, variance, m, root: x / root(variance)),
        "divided by the variance": BATCH._replace(entry=lambda x, mean, variance, m, root: (x - mean) / variance),
        "the unbiased variance": BATCH._replace(
            entry=lambda x, mean, variance, m, root: (x - mean) / root(variance * m / (m - 1))
        ),
        "the second moment": BATCH._replace(
            entry=lambda x, mean, variance, m, root: (x - mean) / root(variance + mean * mean)
        ),
    },
)
def batch_norm(formula: BatchNorm, quick: bool) -> Measured:
    exact, seen = _after(formula)
    routes = [exact] if quick else [exact, _torch_batch(formula)]
    alike = tuple((7, row[1]) for row in FEATURES)
    conditions = [
        Condition("ε = 0 (else the variance is v / (v + ε))", *_without(formula, epsilon=1)),
        Condition("the learned scale and shift are 1 and 0", *_without(formula, scale=2, shift=1)),
        Condition("the feature varies over the batch (m ≥ 2)", *_without(formula, batch=alike)),
        Condition("the statistics are those of the batch at hand (training)", *_without(formula, running=(2, 9))),
    ]
    return Measured(
        parts=[Part("mean 0, variance 1", routes, seen)],
        conditions=conditions,
        left_out=("PyTorch's batch norm",) if quick else (),
    )


def _without(formula: BatchNorm, **change: Any) -> tuple[list[Evidence], Json]:
    evidence, seen = _after(formula, **change)
    return [evidence], seen


def _after(
    formula: BatchNorm,
    *,
    epsilon: int = 0,
    scale: int = 1,
    shift: int = 0,
    batch: tuple[tuple[int, ...], ...] = FEATURES,
    running: tuple[int, int] | None = None,
) -> tuple[Evidence, Json]:
    """Mean and variance of every feature after normalization, exactly."""
    import numpy as np
    import sympy

    x = np.vectorize(sympy.Integer, otypes=[object])(np.array(batch))
    out = np.empty_like(x)
    lines: Iterator[tuple[Any, ...]] = (
        ((slice(None), i) for i in range(2)) if formula.axis == 0 else ((i,) for i in range(4))
    )
    for line in lines:
        values = x[line]
        m = len(values)
        mean = sum(values) / sympy.Integer(m) if running is None else running[0]
        variance = sum((v - mean) ** 2 for v in values) / sympy.Integer(m) if running is None else running[1]
        out[line] = [
            scale * formula.entry(v, mean, sympy.sympify(variance) + epsilon, m, sympy.sqrt) + shift for v in values
        ]
    moments = []
    for column in out.T:
        mean = sympy.nsimplify(sum(column) / sympy.Integer(4))
        moments.append((mean, sympy.simplify(sum((v - mean) ** 2 for v in column) / sympy.Integer(4))))
    witness = {
        "features": [list(row) for row in batch],
        "mean and variance": [[str(v) for v in pair] for pair in moments],
    }
    same = all(pair == (0, 1) for pair in moments)
    return said("exact", same, "two features of a batch of four", power=0.0), witness


def _torch_batch(formula: BatchNorm) -> Evidence:
    """The formula's entries against PyTorch's batch norm without ε, scale or shift, in float64."""
    import numpy as np
    import torch

    x = np.random.default_rng(seed_of("dswn", "batch norm")).standard_normal((16, 5)) + 3.0
    lines = x if formula.axis == 0 else x.T
    mean, variance = lines.mean(axis=0), lines.var(axis=0)
    found = formula.entry(lines, mean, variance, len(lines), np.sqrt)
    known = torch.nn.functional.batch_norm(torch.tensor(x), None, None, training=True, eps=NEARLY_ZERO).numpy()
    model = map_model("float64", 16, condition=float(math.sqrt(1 + (mean**2 / variance).max())))
    error = np.abs((found if formula.axis == 0 else found.T) - known).max() / (1 + np.abs(known).max())
    return by_ratio("property search", error / model.relative, "PyTorch", power=2 * model.relative, model=model.text)


@claim(
    "DSWN-S2-IN",
    place="sec. 2.1",
    statement="Instance normalization is batch normalization done on each sample by itself.",
    reading="both with their own statistics (training), on feature maps (samples, channels, height, width); batch "
    "normalization shares the statistics of a channel among samples and positions.",
    formula=(2, 3),
    faults={
        "over the batch": (0, 2, 3),
        "over the channels as well": (1, 2, 3),
        "over the channels alone": (1,),
        "over one direction": (3,),
    },
)
def instance_norm(formula: Axes, quick: bool) -> Measured:
    instance = shared(SHAPE, formula)
    alone = frozenset(
        frozenset((sample, *index[1:]) for index in each)
        for sample in range(SHAPE[0])
        for each in shared((1, *SHAPE[1:]), (0, 2, 3))
    )
    witness: dict[str, Json] = {"shape": list(SHAPE), "axes of the statistics": list(formula)}
    witness |= {"sizes of the sets": sorted({len(each) for each in instance}), "of batch norm alone": 6}
    routes = [said("exact", instance == alone, "the sets of entries that share their statistics", power=0.0)]
    if not quick:
        routes.append(_torch_instance(instance))
    return Measured(parts=[Part("same map", routes, witness)], left_out=("PyTorch",) if quick else ())


def _torch_instance(instance: Sets) -> Evidence:
    """The stated statistics against PyTorch's batch norm sample by sample and its instance norm, float64, ε = 0."""
    import numpy as np
    import torch

    x = np.random.default_rng(seed_of("dswn", "instance norm")).standard_normal(SHAPE)
    samples = [
        torch.nn.functional.batch_norm(torch.tensor(x[i : i + 1]), None, None, training=True, eps=NEARLY_ZERO)
        for i in (0, 1)
    ]
    known = (torch.cat(samples).numpy(), torch.nn.functional.instance_norm(torch.tensor(x), eps=NEARLY_ZERO).numpy())
    return _close([(normalised(x, instance), each) for each in known])


def _close(pairs: list[tuple[Any, Any]]) -> Evidence:
    import numpy as np

    model = map_model("float64", 64, condition=4.0)
    worst = max(float(np.abs(x - y).max() / np.abs(y).max()) for x, y in pairs)
    return by_ratio("property search", worst / model.relative, "PyTorch", power=2 * model.relative, model=model.text)


class Between(NamedTuple):
    """The axes of layer norm, and the numbers of groups at which group norm is layer norm and instance norm."""

    layer: Axes
    as_layer: int
    as_instance: int


BETWEEN: Final = Between((1, 2, 3), 1, SHAPE[1])


@claim(
    "DSWN-S2-LNGN",
    place="sec. 2.1",
    statement="Layer normalization takes its statistics over all hidden units of the layer, along the channel "
    "dimension; group normalization lies between it and instance normalization: with one group it is layer "
    "normalization, with as many groups as channels instance normalization, and in between its sets are nested.",
    reading="all hidden units: the channels and the positions of a sample, as the text explains 'channel dimension'; "
    "without positions (a fully connected layer) the two phrases name the same entries. Over the channels at each "
    "position by itself layer normalization would not be group normalization with one group.",
    formula=BETWEEN,
    faults={
        "over the batch": BETWEEN._replace(layer=(0, 1, 2, 3)),
        "at each position by itself": BETWEEN._replace(layer=(1,)),
        "the ends exchanged": BETWEEN._replace(as_layer=SHAPE[1], as_instance=1),
        "two groups for layer norm": BETWEEN._replace(as_layer=2),
    },
)
def layer_and_group(formula: Between, quick: bool) -> Measured:
    layer, instance = shared(SHAPE, formula.layer), shared(SHAPE, (2, 3))
    chain = [shared(SHAPE, (), groups) for groups in (1, 2, SHAPE[1])]
    nested = all(any(a <= b for b in outer) for outer, inner in itertools.pairwise(chain) for a in inner)
    ends = (shared(SHAPE, (), formula.as_layer), shared(SHAPE, (), formula.as_instance))
    flat, units = shared((3, 5), (1,)), frozenset(frozenset((i, j) for j in range(5)) for i in range(3))
    witness: Json = {"shape": list(SHAPE), "layer norm": list(formula.layer), "groups": list(formula[1:])}
    note = "the sets of entries that share their statistics"
    ends_routes = [said("exact", ends == (layer, instance), note, power=0.0)]
    units_routes = [
        said("exact", layer == shared(SHAPE, (), 1), "one set a sample: every channel and position", power=0.0)
    ]
    if not quick:
        ends_routes.append(_torch_groups(formula))
        units_routes.append(_torch_layer(layer))
    return Measured(
        parts=[
            Part("all hidden units", units_routes, witness),
            Part("the ends of group norm", ends_routes, witness),
            Part("nested in between", [said("exact", nested, "1, 2, 4 groups of 4 channels", power=0.0)], witness),
            Part(
                "without positions", [said("exact", flat == units, "one set a sample for axis 1", power=0.0)], witness
            ),
        ],
        left_out=("PyTorch",) if quick else (),
    )


def _torch_groups(formula: Between) -> Evidence:
    import numpy as np
    import torch

    x = np.random.default_rng(seed_of("dswn", "group norm")).standard_normal(SHAPE)
    ends = (
        torch.nn.functional.group_norm(torch.tensor(x), groups, eps=NEARLY_ZERO).numpy()
        for groups in (formula.as_layer, formula.as_instance)
    )
    mine = (normalised(x, shared(SHAPE, formula.layer)), normalised(x, shared(SHAPE, (2, 3))))
    return _close(list(zip(mine, ends, strict=True)))


def _torch_layer(layer: Sets) -> Evidence:
    import numpy as np
    import torch

    x = np.random.default_rng(seed_of("dswn", "layer norm")).standard_normal(SHAPE)
    known = torch.nn.functional.layer_norm(torch.tensor(x), SHAPE[1:], eps=NEARLY_ZERO).numpy()
    return _close([(normalised(x, layer), known)])
