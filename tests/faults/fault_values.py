"""A small second opinion on values: declared properties, the contract, precision and the edges; see fault_gradients."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import torch
from fault_gradients import Subject, generic, gradient, randn
from torch import Tensor, nn
from torch.nn.utils import parametrize

EXACT = 1e-10
"""Rounding of float64 on the small generic points, with three digits to spare."""


def matrix(subject: Subject, V: Tensor) -> Tensor:
    with torch.no_grad():
        W: Tensor = subject.map(V)(V)
    return W.flatten(1)


def excess(value: Tensor) -> float:
    return float(value.max().clamp_min(0)) if not bool(torch.isnan(value).any()) else math.inf


def gram_miss(W: Tensor, scale: float) -> float:
    return excess((W @ W.mT - scale * torch.eye(len(W), dtype=W.dtype)).abs()) / scale


def projection_miss(subject: Subject, V: Tensor) -> float:
    """Against the nearest point by its formula, the threshold of the L1 ball by bisection; radius 1."""
    X = V.flatten(1)
    low, high = torch.zeros_like(X[:, :1]), X.abs().amax(dim=1, keepdim=True)
    for _ in range(80):
        middle = (low + high) / 2
        outside = (X.abs() - middle).clamp_min(0).sum(dim=1, keepdim=True) > 1
        low, high = torch.where(outside, middle, low), torch.where(outside, high, middle)
    nearest = {
        "zero_mean_rows": X - X.mean(dim=1, keepdim=True),
        "l2_ball_rows": X / X.norm(dim=1, keepdim=True).clamp_min(1.0),
        "l1_ball_rows": X.sign() * (X.abs() - high).clamp_min(0),
    }
    return excess((matrix(subject, V) - nearest[subject.kind.SET["name"]]).abs())


def misses(subject: Subject, name: str, value: float, V: Tensor) -> float:
    """How far the declared property is from true at V, in units of one."""
    f = subject.map(V)
    W = matrix(subject, V)

    def differ(X: Tensor, expected: Tensor) -> float:
        with torch.no_grad():
            return excess((f(X).flatten(1) - expected).abs())

    by_row = torch.linspace(0.01, 3, len(V), dtype=V.dtype).reshape(-1, *[1] * (V.ndim - 1))
    if name in ("gradient_orthogonal_to_weight", "gradient_zero_mean"):
        found = gradient(f, V, randn(*V.shape, seed=30)).flatten(1)
        return excess((found * (V.flatten(1) if "weight" in name else 1.0)).sum(dim=1).abs()) / 10
    if name == "rotation_equivariant":
        Q = torch.linalg.qr(randn(W.shape[1], W.shape[1], seed=31)).Q
        return differ((V.flatten(1) @ Q).reshape(V.shape), W @ Q)
    if name == "euclidean_projection":
        return max(projection_miss(subject, V), projection_miss(subject, V / 16))
    turned = V.flip(0)
    apart = randn(*V.shape, seed=32)
    looks: dict[str, Callable[[], float]] = {
        "unit_norm_rows": lambda: excess((W.norm(dim=1) - 1).abs()),
        "constant_norm_rows": lambda: excess((W.norm(dim=1) - value).abs()),
        "zero_mean_rows": lambda: excess(W.sum(dim=1).abs()),
        "orthonormal_rows": lambda: gram_miss(W, 1.0),
        "structured_orthonormal": lambda: gram_miss(value * W, 1.0),
        "scaled_orthonormal_rows": lambda: gram_miss(W, value),
        "spectral_norm_le_1": lambda: excess(torch.linalg.matrix_norm(W, 2) - 1),
        "l1_rows_le": lambda: excess(W.abs().sum(dim=1) - value),
        "scale_invariant": lambda: max(differ(a * V, W) for a in (1e-3, 0.1, 30.0)),
        "row_scale_invariant": lambda: differ(by_row * V, W),
        "shift_invariant_rows": lambda: differ(V + by_row, W),
        "odd": lambda: differ(-V, -W),
        "idempotent": lambda: differ(W.reshape(V.shape), W),
        "permutation_equivariant_rows": lambda: differ(turned, W.flip(0)),
        "nonexpansive": lambda: excess((matrix(subject, V + apart) - W).norm() / apart.norm() - 1),
    }
    return looks[name]()


def declared(subject: Subject, name: str) -> float:
    shapes = ((4, 3, 3), (3, 2, 2, 2), (3, 2, 2, 2, 2), (70, 134))
    points = [*generic(subject), *(V for V in (randn(*s, seed=33) + 0.3 for s in shapes) if subject.admits(V))]
    return max(misses(subject, name, subject.declares[name], V) for V in points) / EXACT


def broken(condition: bool) -> float:
    return math.inf if condition else 0.0


def forward(subject: Subject) -> float:
    return broken(any(not matrix(subject, V).is_floating_point() for V in generic(subject)))


def discovered(subject: Subject) -> float:
    """Undeclared unit rows that are there to a hundredth, and not exactly, of which nothing is said."""
    if "unit_norm_rows" in {**subject.declares, **subject.domain.get("approximate", {})}:
        return 0.0
    worst = max(misses(subject, "unit_norm_rows", 1.0, V) for V in generic(subject))
    return broken(EXACT < worst <= 1e-2)


def shape(subject: Subject) -> float:
    points = [*generic(subject), *(V for V in (randn(2, 3, 3, seed=34), randn(1, 6, seed=34)) if subject.admits(V))]
    try:
        return broken(any(subject.map(V)(V).shape != V.shape for V in points))
    except IndexError:  # an axis that a kernel need not have
        return math.inf


def dtype(subject: Subject) -> float:
    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    return broken(any(subject.map(V)(V).dtype != V.dtype for V in (randn(3, 5, seed=35).to(k) for k in kinds)))


def input_unchanged(subject: Subject) -> float:
    V = randn(3, 5, seed=36) + 0.3
    given = V.clone()
    W = subject.map(V)(given)
    return broken(not torch.equal(given, V) or W.data_ptr() == given.data_ptr())


def deterministic(subject: Subject) -> float:
    V = randn(3, 5, seed=37)
    f = subject.map(V)
    return broken(not torch.equal(f(V), f(V)))


def history(subject: Subject) -> float:
    V, other = randn(3, 5, seed=38), 3 * randn(3, 5, seed=39)
    expected = subject.map(V)(other)
    module = subject.map(V)
    storage = V.clone()
    module(storage)
    storage.data.copy_(other)
    again = torch.equal(module(storage), expected)
    if isinstance(module, nn.Module):
        used, unused = subject.map(V).float(), subject.map(V).float()
        used(V.float())
        right = unused.double()(V)
        try:
            again &= torch.equal(used.double()(V), right)
        except RuntimeError:
            again = False
    return broken(not again)


def train_eval(subject: Subject) -> float:
    V = randn(3, 5, seed=40)
    module = subject.map(V)
    if not isinstance(module, nn.Module):
        return 0.0
    trained = module(V)
    try:
        return broken(not torch.equal(trained, module.eval()(V)))
    except RuntimeError:
        return math.inf


def layout(subject: Subject) -> float:
    V = randn(3, 5, seed=41)
    G, strided = randn(3, 5, seed=42), V.mT.contiguous().mT
    f = subject.map(V)
    leaf = strided.detach().requires_grad_()
    (found,) = torch.autograd.grad(f(leaf), leaf, G)
    with torch.no_grad():
        value = float((f(strided) - f(V)).norm() / f(V).norm())
    right = gradient(f, V, G)
    return max(value, float((found - right).norm() / (right.norm() + 1e-3))) / EXACT


def state(subject: Subject) -> float:
    V, other = randn(3, 5, seed=43) + 0.3, 4 * randn(3, 5, seed=44)
    f = subject.map(V)
    if not isinstance(f, nn.Module):
        return 0.0
    loaded = subject.build(other)
    loaded.train(f.training).load_state_dict(f.state_dict())
    try:
        copies = [loaded, copy.deepcopy(f), pickle.loads(pickle.dumps(f))]
    except (AttributeError, pickle.PicklingError):
        return math.inf
    return broken(not all(torch.equal(made(V), f(V)) for made in copies))


def layers(subject: Subject) -> float:
    worst = 0.0
    made = ((nn.Linear(8, 3), (2, 8)), (nn.Conv2d(2, 3, 2), (1, 2, 4, 4)), (nn.ConvTranspose1d(3, 2, 4), (1, 3, 4)))
    for layer, size in made:
        layer.double()
        try:
            parametrize.register_parametrization(layer, "weight", subject.build(layer.weight).double())
        except (ValueError, RuntimeError):  # what a layer raises for another shape, or torch for sizes that differ
            return math.inf
        layer(randn(*size, seed=45)).square().sum().backward()
        layer.eval()
        before = layer.weight.detach().clone()
        parametrize.remove_parametrizations(layer, "weight")
        worst = max(worst, float((before - layer.weight.detach()).norm() / before.norm()) / EXACT)
    return worst


def precision(subject: Subject) -> float:
    worst = 0.0
    for kind, relative in ((torch.float32, 2e-6), (torch.bfloat16, 5e-3), (torch.float16, 6e-4)):
        low = (0.1 * randn(3, 400, seed=46)).to(kind)
        wide = matrix(subject, low.double())
        worst = max(worst, float((matrix(subject, low).double() - wide).norm() / wide.norm()) / relative)
    return worst


def float64(subject: Subject) -> float:
    """A staircase moves by whole stairs: the slope over 2^-30 is far from that over 2^-14."""
    V, H = randn(3, 5, seed=47), randn(3, 5, seed=48)
    near, far = ((matrix(subject, V + h * H) - matrix(subject, V - h * H)) / (2 * h) for h in (2.0**-30, 2.0**-14))
    return float((near - far).norm() / (far.norm() + 1e-3)) / 1e-3


def finite_at(subject: Subject, V: Tensor) -> float:
    if not subject.admits(V):
        return 0.0
    f = subject.map(V)
    values = [f(V), gradient(f, V, randn(*V.shape, seed=49))]
    return broken(not all(bool(torch.isfinite(part).all()) for part in values))


def with_row(value: float) -> Tensor:
    V = randn(4, 9, seed=50)
    V[1] = value
    return V


def scale(subject: Subject) -> float:
    V, worst = randn(3, 5, seed=51), 0.0
    for kind, far in ((torch.float64, 2.0**664), (torch.float32, 2.0**100)):
        for factor in (far, 1 / far):
            W = matrix(subject, (V * factor).to(kind)) if subject.admits(V * factor) else matrix(subject, V.to(kind))
            worst = max(worst, broken(not bool(torch.isfinite(W).all())))
            if subject.declares.get("scale_invariant") or subject.declares.get("unit_norm_rows"):
                worst = max(worst, float((W.double() - matrix(subject, V)).norm()) / 1e-5)
    return worst


def large_mean(subject: Subject) -> float:
    """Exact in float32: multiples of 2^-10 around 2^12."""
    base = (randn(4, 8, seed=52) * 1024).round() / 1024
    shifted = base + 2.0**12
    expected = matrix(subject, shifted)
    miss = float((matrix(subject, shifted.float()).double() - expected).norm() / expected.norm())
    return miss / 1e-3


def nan_row(subject: Subject) -> float:
    V = randn(4, 9, seed=53)
    V[1, 2] = math.nan
    W = matrix(subject, V)
    hidden = bool(torch.isfinite(W[1]).any()) and bool(torch.isfinite(W).all())
    return broken(hidden or not bool(torch.isfinite(W[[0, 2, 3]]).all()))


def smallest(subject: Subject) -> float:
    return max(finite_at(subject, randn(*dims, seed=54)) for dims in ((1, 1), (1, 5), (5, 1)))


def rank_deficient(subject: Subject) -> float:
    V = randn(4, 9, seed=55)
    V[3] = V[0]
    try:
        return max(finite_at(subject, V), broken(bool((matrix(subject, V).abs() > 1e3).any())))
    except torch.linalg.LinAlgError:  # on some machines LAPACK refuses what it gives as NaN or huge on others
        return broken(True)


PROBES: dict[str, Callable[[Subject], float]] = {
    "contract.forward": forward,
    "property.discovered": discovered,
    "contract.shape": shape,
    "contract.dtype": dtype,
    "contract.input_unchanged": input_unchanged,
    "contract.deterministic": deterministic,
    "contract.history": history,
    "contract.train_eval": train_eval,
    "contract.layout": layout,
    "contract.state": state,
    "contract.layers": layers,
    "precision.forward": precision,
    "precision.float64": float64,
    "edge.zero_row": lambda subject: finite_at(subject, with_row(0.0)),
    "edge.constant_row": lambda subject: finite_at(subject, with_row(0.75)),
    "edge.zero_matrix": lambda subject: finite_at(subject, torch.zeros(4, 9, dtype=torch.float64)),
    "edge.rank_deficient": rank_deficient,
    "edge.tall": lambda subject: finite_at(subject, randn(9, 4, seed=56)),
    "edge.smallest": smallest,
    "edge.scale": scale,
    "edge.large_mean": large_mean,
    "edge.nan_row": nan_row,
}
