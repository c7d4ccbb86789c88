"""Forward and backward of the maps of weights beside other people's: orthogonal and plain weight normalization,
centred weight normalization, weight standardization, and the projection of rows onto an L1 ball.

The least that a program must do is a contender of its own: for a map of single rows a copy of as many bytes (V read, W
written; A and V read, G written), for an orthogonalization five products of an n × n and an n × d matrix in float32
(V Vᵀ, Σ^{-1/2} V; in the backward A Wᵀ, and two with an n × d result) and one eigendecomposition in float32.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch

from benchmarks import steps
from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Times
from benchmarks.steps import Shape
from wnverify.finding import Verdict
from wnverify.oracles.ratio import map_model

OWN_SHAPES: Final[tuple[Shape, ...]] = ((64, 576), (256, 2304), (512, 4608))
ROW_SHAPES: Final[tuple[Shape, ...]] = ((256, 2304), (512, 4608))
BALL: Final[Shape] = (4096, 4096)
PATIENCE: Final = 8.0
"""Seconds for a call of a peer whose time grows out of bounds."""
COPY: Final = "a copy of the least bytes"
PRODUCTS: Final = "the least products in float32"


def value_and_gradient(step: Callable[[], Any]) -> dict[str, Any]:
    """What is asked of every map at the end: errors that two runs agree on, by the float64 reference of the first."""
    W, *gradients = (torch.as_tensor(each).double().cpu() for each in step())
    eye, G = torch.eye(len(W), dtype=torch.float64), next(each for each in gradients if each.shape == W.shape)
    return {"W": W[:8].numpy(), "G": G[:8].numpy(), "orthogonality": float((W @ W.mT - eye).abs().max())}


def same_map(times: Mapping[str, Times], *, among: tuple[str, ...], dtype: str = "float32", condition: float) -> Judged:
    """Whether the first rows of W and of the gradient agree, in units of what rounding may do to both."""
    mine = times["ours"].told
    model = map_model(dtype, mine["W"].shape[1], condition=condition)
    worst = {}
    for name in among:
        other = times[name].told
        for key in ("W", "G"):
            miss = np.linalg.norm(mine[key] - other[key]) / np.linalg.norm(mine[key])
            worst[f"{key} beside {name}"] = float(miss / (2 * model.relative))
    good = max(worst.values()) <= 1
    message = f"value and gradient agree with {' and '.join(among)}, largest ratio {max(worst.values()):.2g}"
    verdict = Verdict.PASS if good else Verdict.FAIL
    return verdict, message if good else message.replace("agree", "do not agree"), {"ratios": worst}


def same_frame(times: Mapping[str, Times], *, condition: float) -> Judged:
    """As ``same_map``, and rows that are no further from orthonormal than plain autograd's and any peer's."""
    verdict, message, figures = same_map(times, among=("plain autograd",), condition=condition)
    told = {name: each.told["orthogonality"] for name, each in times.items() if each.told}
    others = min(error for name, error in told.items() if name != "ours")
    message += f"; max |W Wᵀ − I| {told['ours']:.2g}, the best peer's {others:.2g}"
    if told["ours"] > others:
        verdict, message = Verdict.FAIL, f"{message}: larger"
    return verdict, message, {**figures, "orthogonality": told}


def own(shape: Shape) -> Row:
    large = shape[0] >= 256
    maps = ("householder", "matrix_exp", "cayley")
    peers = [Contender(f"orthogonal {kind}", functools.partial(steps.their_orthogonal, kind, shape)) for kind in maps]
    if importlib.util.find_spec("geotorch"):
        peers.append(Contender("geotorch", functools.partial(steps.geotorch_stiefel, shape)))
    mine = "orthogonal_weight_normalization"
    told = value_and_gradient
    contenders = (
        Contender("ours", functools.partial(steps.ours, mine, shape), told),
        Contender("plain autograd", functools.partial(steps.step_of, steps.plain_own, shape), told),
        *(Contender(each.name, each.make, told, limit=PATIENCE) for each in peers),
        Contender(PRODUCTS, functools.partial(steps.products, shape)),
    )
    floor = {"floor": PRODUCTS, "least": PRODUCTS}
    double = "the Gram matrix and its eigenvectors are computed in float64, so that W is orthonormal to rounding"
    aims = (
        Aim("time", "plain autograd", 0.7 if large else None, 2.0, double, **floor),
        Aim("peak", "plain autograd", 0.6, 1.5, "V_C and its Gram matrix are held in float64 for a moment"),
        *(Aim("faster", each.name, 1.0, why="slower than a peer", **floor) for each in peers),
    )
    judge = functools.partial(same_frame, condition=8.0)
    work = f"OWN forward and backward, float32, {shape[0]} × {shape[1]}"
    return Row(f"own/{shape[0]}x{shape[1]}", work, aims, contenders, judge=judge)


def by_rows(name: str, shape: Shape) -> Row:
    """WN beside torch's, centred weight normalization and weight standardization beside batch normalization."""
    told = value_and_gradient
    mine = functools.partial(steps.our_layer, name, shape)
    if name == "wn":
        peer, theirs = "torch weight_norm", functools.partial(steps.their_weight_norm, shape)
    else:
        peer, theirs = "batch_norm form", functools.partial(steps.their_standardization, name, shape)
    contenders = (
        Contender("ours", mine, told),
        Contender(peer, theirs, told),
        Contender(COPY, functools.partial(steps.copies, shape)),
    )
    why = "every row is looked at for zeros, extreme scales and numbers that are not finite; on a GPU in float64"
    promise = 20.0 if name == "wn" else 4.0
    if name == "wn":
        why = f"torch's is one fused kernel and no look; {why}"
    aims = (Aim("time", peer, 1.0, promise, why, COPY, COPY),)
    judge = functools.partial(same_map, among=(peer,), condition=4.0)
    title = {"wn": "WN", "cwn": "CWN", "ws": "WS"}[name]
    work = f"{title} forward and backward, float32, {shape[0]} × {shape[1]}"
    return Row(f"{name}/{shape[0]}x{shape[1]}", work, aims, contenders, judge=judge)


def ball() -> Row:
    told = value_and_gradient
    contenders = (
        Contender("ours", functools.partial(steps.ours, "l1_inf_projection", BALL), told),
        Contender("torch sort", functools.partial(steps.step_of, steps.sorted_projection, BALL), told),
        Contender("NumPy sort", functools.partial(steps.numpy_projection, BALL), told),
        Contender(COPY, functools.partial(steps.copies, BALL)),
    )
    why = "the threshold takes several passes over the row"
    aims = [Aim("faster", peer, 4.0, 1.0, why, COPY, COPY) for peer in ("torch sort", "NumPy sort")]
    judge = functools.partial(same_map, among=("torch sort", "NumPy sort"), condition=4.0)
    work = f"L1-ball projection forward and backward, float32, {BALL[0]} rows of {BALL[1]}"
    return Row(f"l1-ball/{BALL[0]}x{BALL[1]}", work, aims, contenders, judge=judge, turns=3)


def rows() -> list[Row]:
    return [
        *(own(shape) for shape in OWN_SHAPES),
        *(by_rows(name, shape) for name in ("wn", "cwn", "ws") for shape in ROW_SHAPES),
        ball(),
    ]
