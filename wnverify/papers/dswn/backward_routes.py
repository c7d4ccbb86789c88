"""DSWN, section 3.3: further ways to the gradient of a whole method, none through eqs. 11 and 12.

Taylor series with ball coefficients, for n = 2, where Σ^{-1/2} has a closed form without eigenvectors; central
differences in balls, Σ^{-1/2} from an iteration with a proved error; reverse and forward mode in float64 through the
singular value decomposition.  A method is given by the map from (φ, X) to W, once for every ring.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.oracles.ratio import REFUTES_FROM, map_model
from wnverify.papers.claims import by_ratio, said, worse
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.model_points import balls

BITS: Final = 256
WIDEST: Final = 1e-40
"""Relative radius up to which a ball that contains 0 counts as having confirmed an equation."""
STEP_BITS: Final = 70
RHO: Final = Fraction(5, 32)
"""The ρ of eq. 8 where one is needed: some entries of a row are kept and some are not."""

Formula = Callable[[Point], Any]
"""∂L/∂V that is judged."""


class Ring(NamedTuple):
    """Square root, sign, and 1 where positive and 0 elsewhere, entry by entry."""

    sqrt: Callable[[Any], Any]
    sign: Callable[[Any], Any]
    positive: Callable[[Any], Any]


class Method(NamedTuple):
    """A map (φ, X, G^{-1}, ring) ↦ W, and the point as eqs. 11 and 12 see it: with that W, its G^{-1}, and A."""

    name: str
    finish: Callable[[Any, Any, Any, Ring], Any]
    see: Callable[[Point], Point] = lambda p: p


def fixed(phi: Any, X: Any, G_inv: Any, ring: Ring) -> Any:
    return phi @ G_inv


def neuron(phi: Any, X: Any, G_inv: Any, ring: Ring) -> Any:
    """Eqs. 9 and 10 with 1 for the numerator and ε → 0: 1/g_j = 2 ‖x_j‖."""
    return phi * (2 * ring.sqrt((X * X).sum(0)))


def sparse(phi: Any, X: Any, G_inv: Any, ring: Ring) -> Any:
    """Eq. 8, a group being a row."""
    sign = ring.sign(phi)
    excess = sign * phi - float(RHO) * (sign * phi).sum(1)[:, None]
    return sign * excess * ring.positive(excess)


def of_objects() -> Ring:
    """For object arrays of balls or of series in balls; ``ValueError`` for a sign that is not decided."""
    import numpy as np

    def sign(x: Any) -> int:
        value = x[0] if hasattr(x, "coeffs") else x
        if value > 0:
            return 1
        if value < 0:
            return -1
        raise ValueError("a sign is not decided")

    return Ring(
        np.vectorize(lambda x: x.sqrt(), otypes=[object]),
        np.vectorize(sign, otypes=[object]),
        np.vectorize(lambda x: int(sign(x) > 0), otypes=[object]),
    )


def at_precision() -> Any:
    from wnverify.oracles.enclosures import precision

    return precision(BITS)


_V: Final = (
    ("n = 2, d = 3", ((1, 2, 6), (0, 3, -1))),
    ("rows nearly parallel", ((1, 2, 4, 0), (1, 2, 4, 1))),
    ("mean 1000 times the spread", ((1001, 1000, 1003, 999), (-1000, -1002, -999, -1003))),
)
_SLOPE: Final = ((1, -2, 3, 1), (2, 1, -1, 3))
_BEND: Final = ((0, 1, 2, -1), (1, 3, 0, 1))


@functools.cache
def ball_points(kind: str, quick: bool) -> tuple[Point, ...]:
    """n = 2, V of integers, the loss Σ C W + Q W² / 2; D and Λ by the formulas for two rows, in balls."""
    import numpy as np

    found = []
    with at_precision():
        for name, rows in _V[:1] if quick else _V:
            V, d = balls(rows), len(rows[0])
            X = V - V.sum(axis=1, keepdims=True) / d
            (a, b), (_, e) = X @ X.T
            apart = (((a - e) / 2) ** 2 + b * b).sqrt()
            high, low = (a + e) / 2 + apart, (a + e) / 2 - apart
            length = (b * b + (high - a) ** 2).sqrt()
            u, v = b / length, (high - a) / length
            D = np.array([[u, -v], [v, u]], dtype=object)
            C, Q = (balls([row[:d] for row in table]) for table in (_SLOPE, _BEND))
            G_inv = balls([row[:d] for row in chain.GS[kind][:d]])
            G_inv = balls(np.eye(d)) if kind == "identity" else G_inv
            roots = [high.sqrt(), low.sqrt()]
            p = chain.from_parts(f"{name}, G {kind}", kind, V, X, D, roots, G_inv, lambda W, C=C, Q=Q: C + Q * W)
            found.append(p)
    return tuple(found)


def _closed_form(X: Any) -> Any:
    """Σ^{-1/2} X for two rows: Σ^{1/2} = (Σ + δ I) / τ, δ² = det Σ, τ² = tr Σ + 2 δ."""
    import numpy as np

    (a, b), (_, e) = X @ X.T
    delta = (a * e - b * b).sqrt()
    over = 1 / ((a + e + 2 * delta).sqrt() * delta)
    P = np.empty((2, 2), dtype=object)  # filled one by one: NumPy would take a series for a list
    P[0, 0], P[0, 1], P[1, 0], P[1, 1] = (e + delta) * over, -b * over, -b * over, (a + delta) * over
    return P @ X


def taylor_gradient(p: Point, method: Method, C: Any, Q: Any) -> Any:
    """∂/∂V of Σ C W + Q W² / 2 for two rows, entry by entry the linear coefficient of the loss at V + t E_ij."""
    import flint
    import numpy as np

    ring, (n, d) = of_objects(), p.V.shape
    found = np.empty((n, d), dtype=object)
    for index in np.ndindex(n, d):
        moved = np.empty((n, d), dtype=object)
        for at in np.ndindex(n, d):
            moved[at] = flint.arb_series([p.V[at], flint.arb(int(at == index))], 2)
        X = moved - moved.sum(axis=1, keepdims=True) / flint.arb(d)
        W = method.finish(_closed_form(X), X, p.G_inv, ring)
        found[index] = sum((C * W + Q * W * W / 2).reshape(-1))[1]
    return found


def by_series(formula: Formula, method: Method, kind: str, quick: bool) -> tuple[Evidence, Json]:
    """Every entry of the formula against the linear coefficient of L(V + t E_ij), in balls."""
    ring, widest, count = of_objects(), 0.0, 0
    with at_precision():
        for p in ball_points(kind, quick):
            n, d = p.V.shape
            C, Q = (balls([row[:d] for row in table]) for table in (_SLOPE, _BEND))
            W = method.finish(p.phi, p.V_C, p.G_inv, ring)
            seen = method.see(p.but(W=W, A=C + Q * W))
            scale = float(abs(sum((seen.A * seen.A).reshape(-1))).sqrt().upper()) / float(p.half.diagonal()[1])
            claimed = formula(seen)
            true = taylor_gradient(p, method, C, Q)
            count += n * d
            off = (claimed - true).reshape(-1)
            widest = max(widest, *(float(x.rad()) / scale for x in off))
            if not all(x.contains(0) for x in off):
                sides = {"V": p.V, "∂L/∂V claimed": claimed, "∂L/∂V true": true}
                shown: Json = {k: [[float(f"{float(x):.6g}") for x in row] for row in m] for k, m in sides.items()}
                return said("enclosure", False, f"{method.name}: refuted at {p.name}", power=widest), shown
    return said(
        "enclosure",
        True if widest <= WIDEST else None,
        f"{method.name}: every entry",
        power=widest,
        model="Taylor series with ball coefficients, Σ^{-1/2} in closed form for n = 2",
        figures={"equations": count, "widest relative radius": float(f"{widest:.1e}"), "bits": BITS},
    ), None


def loss_in_balls(p: Point, method: Method, V: Any) -> Any:
    """⟨A, W(V)⟩ with Σ^{-1/2} enclosed, for a point in balls."""
    import flint
    import numpy as np

    from wnverify.oracles.enclosures import inverse_square_root

    X = V - V.sum(axis=1, keepdims=True) / V.shape[1]
    P = np.array(inverse_square_root(flint.arb_mat((X @ X.T).tolist())).table(), dtype=object)
    return (p.A * method.finish(P @ X, X, p.G_inv, of_objects())).sum()


@functools.cache
def _quotient(method: Method, exact: Point) -> tuple[Any, Any, Any]:
    """(E, h, (L(V + h E) − L(V − h E)) / 2 h) for L = ⟨A, W⟩ and an E of integers."""
    import flint

    p = exact.mapped(balls)
    n, d = p.V.shape
    E = balls([[(i + 2 * j) % 5 - 1 for j in range(d)] for i in range(n)])
    h = flint.arb(2) ** -STEP_BITS
    return E, h, (loss_in_balls(p, method, p.V + h * E) - loss_in_balls(p, method, p.V - h * E)) / (2 * h)


def by_differences(formula: Formula, method: Method, chosen: Sequence[Point]) -> Evidence:
    """⟨formula, E⟩ against a central difference in balls."""
    worst, floor = 0.0, math.inf
    with at_precision():
        for exact in chosen:
            p = exact.mapped(balls)
            E, h, quotient = _quotient(method, exact)
            lowest = float(min(exact.half.diagonal()))
            seen = method.see(p.but(W=method.finish(p.phi, p.V_C, p.G_inv, of_objects())))
            off = float(abs((formula(seen) * E).sum() - quotient).mid())
            scale = _norm(p.A) * _norm(p.G_inv) * _norm(E) / lowest
            # the third derivative of a polar factor is bounded by a small multiple of (‖E‖ / s_min)³
            bound = (100 * (float(h) * _norm(E) / lowest) ** 2 + float(quotient.rad()) / scale) * (1 + _norm(p.V_C))
            worst, floor = worse(worst, off / (scale * bound)), min(floor, bound)
    return by_ratio(
        "differences",
        worst,
        f"{method.name}: central differences in {BITS} bits",
        power=REFUTES_FROM * floor,
        model="100 (h ‖E‖/s_min)² + radius of the balls / h, times 1 + ‖X‖",
        figures={"points": len(chosen)},
    )


def by_step(direction: Formula, method: Method, chosen: Sequence[Point]) -> Evidence:
    """Whether L(V − η direction) < L(V), proved in balls, for η ‖direction‖ = 2^-20 s_min."""
    import flint

    count, holds = 0, True
    with at_precision():
        for exact in chosen:
            p = exact.mapped(balls)
            along = direction(p)
            length = _norm(along)
            if length > 1e-60:  # a gradient of 0 comes out as a ball around 0
                eta = flint.arb(float(min(exact.half.diagonal())) * 2**-20 / length)
                before, after = (loss_in_balls(p, method, V) for V in (p.V, p.V - eta * along))
                count, holds = count + 1, holds and bool(after < before)
    return said("enclosure", holds, "L falls in a short step", power=0.0, figures={"points": count})


@functools.cache
def _automatic(method: Method, p: Point) -> dict[str, Any]:
    """∂L/∂V by reverse and by forward mode, L = ⟨A, W⟩."""
    import torch

    ring = Ring(torch.sqrt, torch.sign, lambda x: (x > 0).to(x.dtype))
    V, A, G_inv = (torch.tensor(M.astype(float)) for M in (p.V, p.A, p.G_inv))

    def loss(V: torch.Tensor) -> Any:
        X = V - V.mean(dim=1, keepdim=True)
        U, _, Vh = torch.linalg.svd(X, full_matrices=False)
        return (A * method.finish(U @ Vh, X, G_inv, ring)).sum()

    leaf = V.clone().requires_grad_(True)
    units = torch.eye(V.numel(), dtype=V.dtype).reshape(-1, *V.shape)
    forward = torch.stack([torch.func.jvp(loss, (V,), (E,))[1] for E in units]).reshape(V.shape)
    return {"reverse": torch.autograd.grad(loss(leaf), leaf)[0].numpy(), "forward": forward.numpy()}


def by_automatic(formula: Formula, method: Method, chosen: Sequence[Point]) -> list[Evidence]:
    """Reverse and forward mode through a singular value decomposition in float64 against the formula."""
    worst, floor = {"reverse": 0.0, "forward": 0.0}, math.inf
    for p in chosen:
        claimed = formula(_float_point(method, p))
        s = sorted(float(x) for x in p.half.diagonal())
        gap = min((1 - (a / b) ** 2 for a, b in itertools.pairwise(s)), default=1.0)
        scale = _norm(p.A) * _norm(p.G_inv) / s[0] * (1 + s[-1])
        # the derivative of the decomposition divides by s_i² − s_j²
        model = map_model("float64", p.V.size, condition=4 * _norm(p.V) / s[0] / gap, roundings=16)
        floor = min(floor, model.relative)
        for mode, value in _automatic(method, p).items():
            worst[mode] = worse(worst[mode], _norm(value - claimed) / (scale * model.relative))
    return [
        by_ratio(
            "automatic differentiation",
            worst[mode],
            f"{method.name}: {mode} mode through a singular value decomposition",
            power=REFUTES_FROM * floor,
            model="‖A‖ ‖G^-1‖/s_min (1 + s_max) × (4 κ/gap (u + γ̃_nd) + 16 u) in float64",
            figures={"points": len(chosen)},
        )
        for mode in worst
    ]


def _float_point(method: Method, p: Point) -> Point:
    import numpy as np

    q = p.mapped(lambda M: M.astype(float))
    ring = Ring(np.sqrt, np.sign, lambda x: (x > 0).astype(float))
    return method.see(q.but(W=method.finish(q.phi, q.V_C, q.G_inv, ring)))


def _norm(M: Any) -> float:
    return math.sqrt(sum(float(x) ** 2 for x in M.reshape(-1)))
