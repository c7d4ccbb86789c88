"""A small second opinion on projections and penalties, which shares nothing with the audit.

Every probe maps a variant (``build`` makes a fresh one) to one number: zero or rounding where it is right, of the size
of what it misses where it is wrong.
"""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fault_interleaved import interleaved
from torch import Tensor, nn

Build = Callable[[], Any]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def builder(variant: Any) -> Build:
    """A class gives a fresh object each time, a function itself."""
    return (lambda: variant()) if inspect.isclass(variant) else (lambda: variant)


def weights() -> Iterator[Tensor]:
    """Small ones, near zero and far, with ties and with zeros."""
    for seed, (n, d) in enumerate(((3, 5), (4, 4), (2, 7))):
        V = randn(n, d, seed=seed) + 0.3
        yield from (V, V / 16, 4 * V)
    yield torch.tensor([[1.0, -1.0, 1.0, 0.5], [2.0, 2.0, 2.0, 2.0], [0.25, -0.5, 0.25, 3.0]], dtype=torch.float64)


def unusual_weights() -> Iterator[Tensor]:
    """A zero row, one column, long rows and many, rows just outside a unit ball, near and far, and bad condition."""
    V = randn(3, 5, seed=40)
    zero = V.clone()
    zero[1] = 0.0
    zero[2, 3] = 0.0
    yield zero
    yield V / V.norm(dim=1, keepdim=True) * 1.0005
    yield V * torch.tensor([[1e-2], [1.0], [30.0]], dtype=torch.float64)
    A, _, Bt = torch.linalg.svd(V, full_matrices=False)
    yield (A * torch.tensor([1.0, 0.03, 1e-3], dtype=torch.float64)) @ Bt
    for n, d in ((5, 1), (5, 257), (257, 5), (33, 65)):
        yield randn(n, d, seed=41) + 0.3


def value(build: Build, V: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = build()(V.clone())
    return out


def differ(A: Tensor, B: Tensor) -> float:
    if A.shape != B.shape:
        return math.inf
    miss = float((A.double() - B.double()).abs().max())
    return math.inf if math.isnan(miss) else miss / (1.0 + float(B.abs().max()))


def shape(build: Build, scalar: bool) -> float:
    kernel = randn(7, 2, 3, seed=1)
    out = value(build, kernel)
    return 0.0 if out.shape == (() if scalar else kernel.shape) else math.inf


def dtype(build: Build, scalar: bool) -> float:
    V = randn(3, 5, seed=2)
    return 0.0 if all(value(build, V.to(k)).dtype == k for k in (torch.float64, torch.float32)) else math.inf


def input_unchanged(build: Build, scalar: bool) -> float:
    V = 3 * randn(3, 5, seed=3)
    given = V.clone()
    with torch.no_grad():
        build()(given)
    return differ(given, V)


def repeated(build: Build, scalar: bool) -> float:
    """Three calls with one weight, other weights between, in evaluation where there is a mode."""
    V, made = 3 * randn(3, 5, seed=4), build()
    if isinstance(made, nn.Module):
        made.eval()
    with torch.no_grad():
        first = made(V.clone()).clone()
        far = made(9 * V)
        again = [made(V.clone()) for _ in range(3)]
    fresh = build()
    if isinstance(fresh, nn.Module):
        fresh.eval()
    with torch.no_grad():
        return max(differ(far, fresh(9 * V)), *(differ(out, first) for out in again))


def threads(build: Build, scalar: bool) -> float:
    V, other, made = 3 * randn(3, 5, seed=7), 9 * randn(3, 5, seed=8), build()
    if isinstance(made, nn.Module):
        made.eval()
    own, found, raised = interleaved(lambda: made(V.clone()).detach(), lambda: made(other.clone()).detach())
    with torch.no_grad():
        alone, right = made(V.clone()), made(other.clone())
    return max(math.inf if raised else 0.0, differ(own, alone), *(differ(out, right) for out in found))


def many_calls(build: Build, scalar: bool) -> float:
    made, V = build(), 3 * randn(3, 5, seed=5)
    with torch.no_grad():
        return max(differ(made(V.clone()), value(build, V)) for _ in range(6))


def modes(build: Build, scalar: bool) -> float:
    made, V = build(), randn(3, 5, seed=6)
    return differ(made.eval()(V), build()(V)) if isinstance(made, nn.Module) else 0.0


def layout(build: Build, scalar: bool) -> float:
    V = randn(3, 5, seed=7)
    return differ(value(build, V), build()(V.mT.contiguous().mT).detach())


def state(build: Build, scalar: bool) -> float:
    V, made = randn(3, 5, seed=8), build()
    if inspect.isroutine(made):
        return 0.0
    try:
        return max(differ(other(V), made(V)) for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))))
    except (AttributeError, pickle.PicklingError):
        return math.inf


def staircase(build: Build, scalar: bool) -> float:
    """The slope over 2^-30 against that over 2^-14."""
    V, H = 2 * randn(3, 5, seed=9), randn(3, 5, seed=10)
    near, far = ((value(build, V + h * H) - value(build, V - h * H)) / (2 * h) for h in (2.0**-30, 2.0**-14))
    return float((near - far).norm() / (far.norm() + 1e-3)) if near.isfinite().all() else math.inf


def narrow(build: Build, scalar: bool) -> float:
    """bfloat16 of a long row, in units of a per cent."""
    V = (randn(2, 900, seed=11) + 0.3).bfloat16()
    return differ(value(build, V), value(build, V.double())) / 0.02


def finite_at(V: Tensor) -> Callable[[Build, bool], float]:
    def probe(build: Build, scalar: bool) -> float:
        leaf = V.clone().requires_grad_()
        try:
            out = build()(leaf)
        except ValueError:
            return 0.0
        parts = [out.detach()]
        if out.grad_fn is not None:
            parts.append(torch.autograd.grad(out.sum(), leaf)[0])
        made = build()
        if hasattr(made, "prox"):
            parts.append(made.prox(V.clone(), 0.5))
        return 0.0 if all(bool(part.isfinite().all()) for part in parts) else math.inf

    return probe


def with_row(entry: float) -> Tensor:
    V = randn(4, 6, seed=12)
    V[1] = entry
    return V


def dependent() -> Tensor:
    V = randn(4, 6, seed=13)
    V[3] = V[0]
    return V


def scale(build: Build, scalar: bool) -> float:
    V = randn(3, 5, seed=14).float()
    return 0.0 if bool(value(build, V * 2.0**70).isfinite().all()) else math.inf


def large_mean(build: Build, scalar: bool) -> float:
    V = (randn(3, 8, seed=15) * 1024).round() / 1024 + 4096
    return differ(value(build, V.float()), value(build, V)) / 1e-4


def nan_row(build: Build, scalar: bool) -> float:
    V = randn(4, 6, seed=16)
    V[1, 2] = math.nan
    return math.inf if bool(value(build, V).isfinite().all()) else 0.0


def scale_invariant(build: Build, scalar: bool) -> float:
    return max(differ(value(build, 9 * V), value(build, V)) for V in weights())


def row_scale_invariant(build: Build, scalar: bool) -> float:
    return max(
        differ(value(build, V * torch.linspace(0.5, 3, len(V)).double()[:, None]), value(build, V)) for V in weights()
    )


def shift_invariant(build: Build, scalar: bool) -> float:
    return max(differ(value(build, V + torch.arange(len(V))[:, None]), value(build, V)) for V in weights())


def odd(build: Build, scalar: bool) -> float:
    return max(differ(value(build, -V), -value(build, V)) for V in weights())


def rotated(build: Build, scalar: bool) -> float:
    worst = 0.0
    for V in weights():
        Q = torch.linalg.qr(randn(V.shape[1], V.shape[1], seed=17)).Q
        out = value(build, V)
        worst = max(worst, differ(value(build, V @ Q), out if scalar else out @ Q))
    return worst


def permuted(build: Build, scalar: bool) -> float:
    V = randn(70, 9, seed=18)
    order = torch.arange(70).roll(7)
    out = value(build, V)
    return differ(value(build, V[order]), out if scalar else out[order])


SHARED: dict[str, Callable[[Build, bool], float]] = {
    "contract.shape": shape,
    "contract.dtype": dtype,
    "contract.input_unchanged": input_unchanged,
    "contract.deterministic": repeated,
    "contract.history": repeated,
    "contract.train_eval": modes,
    "contract.layout": layout,
    "contract.state": state,
    "lifecycle.steps": many_calls,
    "execution.threads": threads,
    "precision.float64": staircase,
    "precision.forward": narrow,
    "edge.zero_row": finite_at(with_row(0.0)),
    "edge.constant_row": finite_at(with_row(0.75)),
    "edge.zero_matrix": finite_at(torch.zeros(4, 6, dtype=torch.float64)),
    "edge.rank_deficient": finite_at(dependent()),
    "edge.smallest": finite_at(torch.tensor([[0.7], [-0.2], [1.1]], dtype=torch.float64)),
    "edge.scale": scale,
    "edge.large_mean": large_mean,
    "edge.nan_row": nan_row,
    "property.scale_invariant": scale_invariant,
    "property.row_scale_invariant": row_scale_invariant,
    "property.shift_invariant_rows": shift_invariant,
    "property.odd": odd,
    "property.rotation_equivariant": rotated,
    "property.permutation_equivariant_rows": permuted,
}
