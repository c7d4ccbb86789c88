"""The topic about operation counts: closed counts against torch's counter and against counting arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch

from wnverify.bounding import schedules
from wnverify.bounding.counting import Case, convolution_passes, executed, linear_passes, weight_of
from wnverify.bounding.metered import Meter, counted, counted_forward
from wnverify.bounding.newton_schulz_schedule import MUON
from wnverify.bounding.topics import Told, held
from wnverify.finding import Evidence, Json, Verdict, seed_of
from wnverify.methods.catalogue import find
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.theory import cost, method_cost, printed_cost
from wnverify.theory.cost import Operations

BATCH: Final = 256
NEED_ROWS_BELOW_COLUMNS: Final = (
    "orthogonal_weight_normalization",
    "dswn_neuron_measurement",
    "dswn_sparsity_measurement",
    "dswn_combined",
)
SHAPES: Final = ((2, 5), (4, 9), (7, 5), (9, 30), (12, 3), (16, 64))
DRAWN: Final = ("weight_normalization", "l1_inf_projection", "orthogonal_weight_normalization", "newton_schulz")


CONVOLUTIONS: Final = (
    Case(2, (3, 4), (3,), (9,)),
    Case(3, (2, 5), (3, 3), (8, 7), padding=1),
    Case(2, (3, 4), (3, 2), (9, 6), stride=2, padding=1),
    Case(1, (4, 2), (3,), (11,), stride=3, padding=2, dilation=2),
    Case(2, (2, 3), (2, 1, 3), (5, 4, 6), stride=2, padding=1),
    Case(2, (4, 6), (3, 3), (7, 7), groups=2),
    Case(2, (4, 8), (3,), (9,), stride=2, padding=1, groups=4),
    Case(1, (6, 3), (2, 2, 2), (5, 4, 4), dilation=2, groups=3),
)
LINEAR: Final = ((1, 3, 2), (256, 64, 10), (7, 1, 5))
"""(batch, inputs, outputs)."""


def _closed(method: str, n: int, d: int, *, double: bool) -> tuple[Operations, Operations]:
    """In float64 the polar factor is refined by a Newton-Schulz step."""
    known = method_cost.METHODS[method]
    forward = known.forward(n, d)
    if double and method in NEED_ROWS_BELOW_COLUMNS:
        extra = method_cost.polar_forward(n, d, refined=True).products - method_cost.polar_forward(n, d).products
        forward += Operations(extra)
    return forward, known.backward(n, d)


def _cases(quick: bool) -> Iterator[tuple[str, int, int]]:
    for method in method_cost.METHODS:
        for n, d in SHAPES[:3] if quick else SHAPES:
            if n < d or method not in NEED_ROWS_BELOW_COLUMNS:
                yield method, n, d


def layers() -> tuple[Evidence, Json]:
    """Closed counts of layers against torch's counter; what differs is the second."""
    wrong: list[Json] = []
    for sizes in LINEAR:
        found, closed = linear_passes(*sizes), cost.linear(*sizes)
        wrong += [] if found == closed else [{"linear": list(sizes), "closed": list(closed), "counter": list(found)}]
    at_once: dict[str, Json] = {}
    for case in CONVOLUTIONS:
        found, closed = convolution_passes(case), case.closed()
        if found != closed:
            wrong.append({"convolution": str(case), "closed": list(closed), "counter": list(found)})
        if case.groups > 1:
            at_once[str(case)] = convolution_passes(case, at_once=True).weight / found.weight
    note = (
        f"{len(LINEAR) + len(CONVOLUTIONS)} layers, three passes each: linear, and convolutions of one to three axes "
        "with stride, padding, dilation and groups, these group by group"
    )
    figures: dict[str, Json] = {"different": len(wrong), "weight gradient in one call ÷ group by group": at_once}
    return Evidence(route="exact", verdict=held(not wrong), note=note, figures=figures), wrong


def products(seed: int, quick: bool) -> tuple[Evidence, Json]:
    """Closed products of methods against torch's counter on the implementations; what differs is the second."""
    wrong: list[Json] = []
    compared = 0
    for method, n, d in _cases(quick):
        for dtype in (torch.float32, torch.float64):
            V = torch.from_numpy(weight_of(n, d, seed)).to(dtype)
            closed = _closed(method, n, d, double=dtype == torch.float64)
            found = executed(method, V, torch.ones_like(V))[:2]
            for part, ours, theirs in zip(("forward", "backward"), closed, found, strict=True):
                compared += 1
                mine = [ours.products, ours.vector_products]
                other = [theirs.products, theirs.vector_products]
                if mine != other:
                    case: dict[str, Json] = {"method": method, "n": n, "d": d, "dtype": str(dtype), "part": part}
                    wrong.append({**case, "closed": mine, "counter": other})
    note = (
        f"products of the implementations of {len(method_cost.METHODS)} methods, forward and backward, in float32 and "
        "float64; the counter was taught products with a vector, which it leaves out"
    )
    figures: dict[str, Json] = {"compared": compared, "different": len(wrong)}
    return Evidence(route="exact", verdict=held(not wrong), note=note, figures=figures), wrong


def scheduled(seed: int, quick: bool) -> tuple[Evidence, Json]:
    """Every closed count against the plain formula on arrays that count; what differs is the second."""
    wrong: list[Json] = []
    worst, compared = 0.0, 0
    for method, n, d in _cases(quick):
        V = weight_of(n, d, seed)
        A = np.random.default_rng(seed_of("cost cotangent", seed, n, d)).normal(size=(n, d))
        known, schedule = method_cost.METHODS[method], schedules.SCHEDULES[method]
        out, back, *counts = counted(schedule, V, A)
        *_, value, gradient = executed(method, torch.from_numpy(V), torch.from_numpy(A))
        closed = [known.forward(n, d), known.backward(n, d)]
        values = [(out, value.numpy()), (back, gradient.numpy())]
        if method in schedules.AS_PUBLISHED:
            other, published = counted_forward(schedules.AS_PUBLISHED[method], V)
            counts.append(published)
            closed.append(method_cost.AS_PUBLISHED[method](n, d))
            values.append((other, value.numpy()))
        case: dict[str, Json] = {"method": method, "n": n, "d": d}
        for part, ours, seen in zip(("forward", "backward", "as published"), closed, counts, strict=False):
            compared += 1
            if ours != seen:
                wrong.append({**case, "part": part, "closed": str(ours), "seen": str(seen)})
        ratio = max(_ratio(method, n * d, found, expected) for found, expected in values)
        worst = max(worst, ratio)
        if ratio > 1:
            wrong.append({**case, "ratio": ratio})
    evidence = Evidence(
        route="arithmetic",
        verdict=held(not wrong),
        ratio=worst,
        model="values of the plain formulas against the implementations': 16 × (u + γ̃_{nd}) + 4 u, and for "
        "Newton-Schulz the slope of five steps at 0 in place of the first 4",
        note="the plain formulas executed on arrays that count, forward and backward: every kind of operation",
        figures={"compared": compared, "different": len(wrong)},
    )
    return evidence, wrong


def _ratio(method: str, terms: int, found: Any, expected: Any) -> float:
    """The Gram matrix squares a condition number of at most 5/4; five quintic steps stretch by a⁵."""
    stretch = MUON[0] ** 5 if method == "newton_schulz" else 4.0
    model = map_model("float64", terms, condition=4 * stretch)
    return Ratio(float(np.linalg.norm(found - expected)), float(np.linalg.norm(expected)), model).value


def printed() -> list[dict[str, Json]]:
    """What the papers print beside the closed count and, where it can be executed, the counted one, at one layer."""
    layer = printed_cost.RESNET110
    padding = layer.kernel[0] // 2
    case = Case(layer.batch, (layer.inputs, layer.rows), layer.kernel, layer.size, padding=padding)
    V = weight_of(layer.rows, layer.columns, 0)
    decay = counted(schedules.weight_decay, V, V)[3].total
    meter = Meter()
    schedules.norm_loss_of_a_step(meter.on(V), meter.on(V))
    executed_counts = {
        "weight decay": decay,
        "norm loss": meter.seen.total,
        "overhead": meter.seen.total - decay,
        "convolution": convolution_passes(case).total,
    }
    return [
        {
            "paper": each.paper,
            "place": each.place,
            "says": each.says,
            "measure": each.measure,
            "printed": None if each.printed is None else each.printed(layer),
            "closed": each.closed(layer),
            "counted": executed_counts.get(each.counts),
        }
        for each in printed_cost.PRINTED
    ]


def operations(seed: int, quick: bool) -> Told:
    """Layers and products against torch's counter, everything against counting arrays; shares of a layer as a curve."""
    rows = [2**k for k in range(3, 8 if quick else 12)]
    shares = {
        find(method).title: [printed_cost.of_a_linear_layer(method, BATCH, n, 2 * n) for n in rows] for method in DRAWN
    }
    above = {title: [n for n, share in zip(rows, drawn, strict=True) if share > 1] for title, drawn in shares.items()}
    dearer = ", ".join(f"{title} from {at[0]} rows" for title, at in above.items() if at)
    curve: dict[str, Json] = {
        "x": "rows n, with 2n columns",
        "y": f"operations of the method ÷ of the linear layer at batch {BATCH}",
        "at": list(rows),
        "series": {title: list(drawn) for title, drawn in shares.items()},
        "log": ["x", "y"],
    }
    parts = {"layers": layers(), "products": products(seed, quick), "plain formulas": scheduled(seed, quick)}
    keys = ("measure", "printed", "closed", "counted")
    beside: dict[str, Json] = {
        f"{row['paper']}, {row['place']}: {row['says']}": {key: row[key] for key in keys} for row in printed()
    }
    compared = Evidence(
        route="reading",
        verdict=Verdict.UNDECIDED,
        note=f"for comparison: what the papers print about cost, at {printed_cost.RESNET110}",
        figures={"printed": beside, "curve": curve},
    )
    witness: dict[str, Json] = {name: wrong for name, (_, wrong) in parts.items() if wrong}
    return Told(
        (*(evidence for evidence, _ in parts.values()), compared),
        conditions=(
            "weights of ordinary scale; centred rows of condition number at most 5/4 where they are made orthogonal",
            "eigendecompositions 9 n³ and sorts n d ⌈log₂ d⌉ by their models, not executed",
        ),
        witness=witness or None,
        message=f"Among the sizes drawn, more operations than the layer's own step take {dearer}." if dearer else "",
    )
