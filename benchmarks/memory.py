"""What a training step keeps and needs: every parametrization of the house beside its formula under plain autograd.

For float32 weights (64, 576) and (256, 2304): bytes that autograd keeps between forward and backward beside V, which is
the parameter, and W, which the layer keeps anyway; and the largest resident set of a process above that before its
first step.  What is kept is counted, and the same in every run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Times
from benchmarks.steps import Shape, ours, plain_own, step_of
from wnverify.finding import Verdict
from wnverify.numerics.topics import judged

SHAPES: Final[tuple[Shape, ...]] = ((64, 576), (256, 2304))


def centred(V: Tensor) -> Tensor:
    return V - V.mean(1, keepdim=True)


def by_columns(V: Tensor, W: Tensor) -> Tensor:
    return W * (2 * centred(V).norm(dim=0) + 1e-8)


def shrunk(W: Tensor) -> Tensor:
    return W.sign() * (W.abs() - 1e-3 * W.abs().sum(1, keepdim=True)).clamp(min=0)


def triangular(V: Tensor) -> Tensor:
    Q, R = torch.linalg.qr(V.mT)
    return (Q * R.diagonal().sign()).mT


def newton(V: Tensor) -> Tensor:
    """Σ^{-1/2} by five Newton steps from Σ over its Frobenius norm, product by product."""
    X = centred(V)
    S = X @ X.mT
    size = S.norm()
    S, B = S / size, torch.eye(len(V), device=V.device)
    for _ in range(5):
        B = 1.5 * B - 0.5 * B @ B @ B @ S
    return B @ X / size.sqrt()


def quintic(V: Tensor) -> Tensor:
    """Five steps of Muon's quintic, product by product."""
    W = V / (V.norm() + 1e-7)
    for _ in range(5):
        S = W @ W.mT
        W = 3.4445 * W + (-4.7750 * S + 2.0315 * S @ S) @ W
    return W


PLAIN: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "weight_normalization": lambda V: V / V.norm(dim=1, keepdim=True),
    "centred_weight_normalization": lambda V: centred(V) / centred(V).norm(dim=1, keepdim=True),
    "orthogonal_weight_normalization": plain_own,
    "dswn_neuron_measurement": lambda V: by_columns(V, plain_own(V)),
    "dswn_sparsity_measurement": lambda V: shrunk(plain_own(V)),
    "dswn_combined": lambda V: shrunk(by_columns(V, plain_own(V))),
    "dswn_combined_in_the_other_order": lambda V: by_columns(V, shrunk(plain_own(V))),
    "weight_standardization": lambda V: centred(V) / (V.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt(),
    "spectral_normalization": lambda V: V / torch.linalg.matrix_norm(V, 2),
    "qr_orthogonalization": triangular,
    "newton_orthogonalization": newton,
    "newton_schulz": quintic,
}
"""The same formulas as one would write them without a thought for memory."""


def plainly(name: str, shape: Shape) -> Callable[[], Any]:
    return step_of(PLAIN[name], shape)


def kept(step: Callable[[], Any]) -> int:
    """Bytes kept between forward and backward, each storage once, beside V and W."""
    found: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        found[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        W, _ = step()
    for there_anyway in (step.parameter, W):  # type: ignore[attr-defined]
        found.pop(there_anyway.untyped_storage().data_ptr(), None)
    return sum(found.values())


def no_more(times: Mapping[str, Times], *, shape: Shape) -> Judged:
    mine, plain = times["ours"].told, times["plain autograd"].told
    size = 4 * shape[0] * shape[1]
    good = mine <= plain
    message = f"keeps {mine / size:.3f} weights beside V and W, its formula under plain autograd {plain / size:.3f}"
    figures = {"kept_bytes": {"ours": mine, "plain autograd": plain}}
    return (Verdict.PASS if good else Verdict.FAIL), message, figures


def row(name: str, shape: Shape) -> Row:
    contenders = (
        Contender("ours", functools.partial(ours, name, shape), kept),
        Contender("plain autograd", functools.partial(plainly, name, shape), kept),
    )
    return Row(
        f"memory/{name}/{shape[0]}x{shape[1]}",
        f"{name} forward and backward, float32, {shape[0]} × {shape[1]}",
        (Aim("peak", "plain autograd"), Aim("time", "plain autograd")),
        contenders,
        statement="Does the parametrization keep no more for backward than its formula under plain autograd?",
        judge=functools.partial(no_more, shape=shape),
        turns=1,
    )


def rows() -> list[Row]:
    names = [method.id for method in judged() if method.kind == "parametrization" and method.id in PLAIN]
    return [row(name, shape) for name in names for shape in SHAPES]
