"""Algorithms 1 and 2 of *Sparse deep neural networks using L1,∞-weight normalization* (Wen et al. 2021).

Each property is a function that returns its worst ratio (≤ 1: holds); a test asks it of every implementation, and
``test_the_property_notices`` of implementations made wrong on purpose, most of them after faults in published code.
Right answers are computed in rational numbers, from the optimality condition or by trying every active set.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from property_cases import SETTINGS, errors, in_format, noticed, worst

from wnverify.methods.l1_inf_projection import enclosure, reference
from wnverify.methods.l1_inf_projection.pytorch import project_rows_onto_l1_ball
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import map_model
from wnverify.strategies import cotangents, weights


@dataclasses.dataclass(frozen=True)
class Projection:
    """``project(W, c)`` and ``vjp(W, A, c)``: float64 NumPy outside, ``dtype`` within."""

    name: str
    dtype: str
    project: Callable[[np.ndarray, float], np.ndarray]
    vjp: Callable[[np.ndarray, np.ndarray, float], np.ndarray]

    def __str__(self):
        return f"{self.name}-{self.dtype}"


def in_pytorch(dtype):
    def tensor(X):
        return torch.tensor(X, dtype=getattr(torch, dtype))

    def project(W, c):
        return project_rows_onto_l1_ball(tensor(W), c).double().numpy()

    def vjp(W, A, c):
        leaf = tensor(W).requires_grad_()
        (G,) = torch.autograd.grad(project_rows_onto_l1_ball(leaf, c), leaf, tensor(A))
        return G.double().numpy()

    return Projection("pytorch", dtype, project, vjp)


REFERENCE = Projection(
    "reference",
    "float64",
    lambda W, c: reference.project(W, c=c),
    lambda W, A, c: reference.vjp(W, A, c=c),
)
IMPLEMENTATIONS = [REFERENCE, in_pytorch("float64"), in_pytorch("float32")]
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)


@st.composite
def points(draw, dtype, **sizes):
    """Rows with ties, zeros and any scale, a cotangent, and a radius from far below to above the largest L1 norm."""
    V = draw(weights(dtype=dtype, scales=(1e-12, 1e12), **sizes))
    V = V * draw(st.sampled_from([1.0, 1.0, 0.0])) if draw(st.integers(0, 9)) == 0 else V
    largest = float(np.abs(V).sum(axis=1).max())
    c = (largest or 1.0) * draw(st.sampled_from([1e-9, 0.01, 0.125, 0.5, 0.75, 1.0, 1.5]))
    return V, draw(cotangents(V, dtype=dtype)), c


def exact(v, c):
    """The projection of one row in rational numbers: the θ that leaves Σ (|v| − θ)₊ = c, and its active set."""
    v, c = [Fraction(float(x)) for x in v], Fraction(float(c))
    if sum(map(abs, v)) <= c:
        return v, Fraction(0), 0
    sizes, total, p, theta = sorted(map(abs, v), reverse=True), Fraction(0), 1, max(map(abs, v)) - c
    for q, x in enumerate(sizes, 1):
        total += x
        if q * x - (total - c) > 0:
            p, theta = q, (total - c) / q
    return [(1 if x > 0 else -1) * max(abs(x) - theta, Fraction(0)) for x in v], theta, p


def by_enumeration(v, c):
    """The nearest point of the ball among the candidates of every active set, one of which it is; rational numbers."""
    v, c = [Fraction(float(x)) for x in v], Fraction(float(c))
    best = v if sum(map(abs, v)) <= c else None
    for size in range(1, len(v) + 1) if best is None else ():
        for active in itertools.combinations(range(len(v)), size):
            theta = (sum(abs(v[j]) for j in active) - c) / size
            x = [(abs(y) - theta) * (1 if y > 0 else -1) if j in active else Fraction(0) for j, y in enumerate(v)]
            if sum(map(abs, x)) <= c and (best is None or distance(x, v) < distance(best, v)):
                best = x
    return best


def distance(x, v):
    return sum((a - b) ** 2 for a, b in zip(x, v, strict=True))


def model(implementation, d):
    return map_model(implementation.dtype, d)


def gaps(W, rows):
    """|w − exact|, rounded once."""
    return np.array(
        [[float(abs(Fraction(float(x)) - y)) for x, y in zip(w, r, strict=True)] for w, r in zip(W, rows, strict=True)]
    )


def feasible(implementation, V, A, c):
    """Σ|w| ≤ c: the rounding of c itself is all that may be above, whatever the size of v."""
    W = implementation.project(V, c)
    above = [max(float(sum(Fraction(abs(float(x))) for x in w) - Fraction(c)), 0.0) for w in W]
    return worst(above, c, model(implementation, V.shape[1]))


def optimal(implementation, V, A, c):
    """The support function's bound on the distance to the nearest point."""
    return certificate("l1_ball_rows", V, implementation.project(V, c), dtype=implementation.dtype, radius=c).ratio


def threshold(implementation, V, A, c):
    """w = sgn(v) (|v| − θ)₊ with θ = (Σ_{q ≤ p*} μ_q − c) / p*, right to rounding of c."""
    return worst(gaps(implementation.project(V, c), [exact(v, c)[0] for v in V]), c, model(implementation, V.shape[1]))


def nearest_of_all_active_sets(implementation, V, A, c):
    """No active set leads nearer to v."""
    right = [by_enumeration(v, c) for v in V]
    return worst(gaps(implementation.project(V, c), right), c, model(implementation, V.shape[1]))


def idempotent(implementation, V, A, c):
    """P(P(v)) = P(v)."""
    W = implementation.project(V, c)
    return worst(implementation.project(W, c) - W, c, model(implementation, V.shape[1]))


def inside_is_left_alone(implementation, V, A, c):
    """v with Σ|v| < c stays, bit for bit."""
    size = 2.0 * float(np.abs(V).sum(axis=1).max()) or 1.0
    return worst(implementation.project(V, size) - V, 1e-300, model(implementation, V.shape[1]))


def nonexpansive(implementation, V, A, c):
    """‖P(v) − P(v')‖ ≤ ‖v − v'‖ for v' = v + a, rounded; both projections are right to rounding of c."""
    other = in_format(V + np.abs(V).max() / 8 * A, implementation.dtype)
    apart = implementation.project(other, c) - implementation.project(V, c)
    above = np.maximum(np.linalg.norm(apart, axis=1) - np.linalg.norm(other - V, axis=1), 0.0)
    scale = 2 * c + np.linalg.norm(other - V, axis=1)
    return worst(above, scale, model(implementation, V.shape[1]))


def odd(implementation, V, A, c):
    """P(−v) = −P(v), bit for bit."""
    return worst(implementation.project(-V, c) + implementation.project(V, c), 1e-300, model(implementation, 1))


def order_is_kept(implementation, V, A, c):
    """|v_i| ≥ |v_j| gives |w_i| ≥ |w_j|, and a w is never of the other sign than v, nor larger."""
    W = implementation.project(V, c)
    size = np.take_along_axis(np.abs(W), np.argsort(np.abs(V), axis=1, kind="stable"), axis=1)
    falls = np.maximum(-np.diff(size, axis=1), 0.0).max(axis=1, initial=0.0)
    strays = np.maximum(np.maximum(-W * np.sign(V), np.abs(W) - np.abs(V)), 0.0).max(axis=1)
    return worst(np.maximum(falls, strays), 1e-300, model(implementation, 1))


def gradient_enclosed(implementation, V, A, c):
    """The gradient lies within rounding of balls around a − s ⟨a, s⟩ / p* on the active set, where that is decided."""
    return worst(
        errors(enclosure.vjp(V, A, c=c), implementation.vjp(V, A, c)),
        np.linalg.norm(A, axis=1),
        model(implementation, V.shape[1]),
    )


def gradient_along_the_face(implementation, V, A, c):
    """⟨∂L/∂v, s⟩ = 0 for a row outside: moving |v| up or down on the active set moves nothing."""
    outside = [exact(v, c)[2] > 0 for v in V]
    signs = np.sign(implementation.project(V, c)) * np.array(outside)[:, None]
    along = (implementation.vjp(V, A, c) * signs).sum(axis=1)
    return worst(along, np.abs(A).sum(axis=1), model(implementation, V.shape[1]))


def clear(V, c, dtype):
    """Whether no row is so near a tie or the boundary that rounding decides on which side its derivative is."""
    room = Fraction(64 * V.shape[1] * float(np.finfo(dtype).eps))
    for v in V:
        _, theta, p = exact(v, c)
        total = sum(Fraction(abs(float(x))) for x in v)
        if abs(total - Fraction(c)) <= room * total:
            return False
        if p and any(abs(Fraction(abs(float(x))) - theta) <= room * max(theta, Fraction(c)) for x in v):
            return False
    return True


@every
@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize(
    "holds", [feasible, optimal, threshold, idempotent, inside_is_left_alone, nonexpansive, odd, order_is_kept]
)
def test_the_projection(implementation, holds, data):
    """Feasible, optimal, of the printed threshold, idempotent, the identity inside, nonexpansive, odd and monotone."""
    assert holds(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_no_active_set_is_better(implementation, data):
    """In up to five entries every active set is tried: the projection is the nearest candidate."""
    assert nearest_of_all_active_sets(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=5))) <= 1


@every
@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize("holds", [gradient_enclosed, gradient_along_the_face])
def test_the_gradient(implementation, holds, data):
    """Away from ties the backward is the derivative on the active set, and along the face nothing moves."""
    V, A, c = data.draw(points(implementation.dtype, max_n=3, max_d=6))
    assume(clear(V, c, implementation.dtype))
    assert holds(implementation, V, A, c) <= 1


@SETTINGS
@given(data=st.data())
def test_p_star_is_well_defined(data):
    """For c > 0 the condition of Algorithm 2 holds for p = 1 … p* and for no p above: the set is a run, never empty.

    θ lies strictly below μ_{p*}, and not below μ_{p*+1}; it is above 0 exactly where Σ|v| > c.
    """
    V, _, c = data.draw(points("float64"))
    for v in V:
        sizes = sorted((Fraction(abs(float(x))) for x in v), reverse=True)
        totals = list(itertools.accumulate(sizes))
        passing = [p for p, (x, t) in enumerate(zip(sizes, totals, strict=True), 1) if p * x - (t - Fraction(c)) > 0]
        assert passing == list(range(1, len(passing) + 1))
        assert passing
        theta = (totals[len(passing) - 1] - Fraction(c)) / len(passing)
        assert theta < sizes[len(passing) - 1]
        assert all(x <= theta for x in sizes[len(passing) :])
        assert (theta > 0) == (totals[-1] > Fraction(c))


@SETTINGS
@given(data=st.data())
def test_algorithm_2_as_printed(data):
    """Where Σ|v| ≥ c > 0 Algorithm 2 is the projection; where Σ|v| < c it enlarges v, so Algorithm 1 must ask."""
    V, _, c = data.draw(points("float64"))
    for v in V:
        printed = reference.printed_algorithm2(v, c)
        if sum(Fraction(abs(float(x))) for x in v) >= Fraction(c):
            # Its θ is rounded as any number of the size of v, so that is what its error is compared with.
            scale = c + np.abs(v).sum()
            assert worst(gaps(printed[None], [exact(v, c)[0]]), scale, map_model("float64", len(v))) <= 1
        elif v.any() and np.abs(v).sum() < c / 2:
            assert np.abs(printed).sum() > np.abs(v).sum()


def test_algorithm_2_has_no_p_star_for_c_0():
    """For c = 0 the maximum is one of an empty set, though the projection is 0: a gap of the printed algorithm."""
    with pytest.raises(ValueError, match=r"p\*"):
        reference.printed_algorithm2([3.0, -1.0], 0.0)
    assert not reference.project([[3.0, -1.0]], c=0.0).any()


def algorithm_2(V, c, *, ask=True, radius=None, shift=0, cumulate=0, floor=True, sign=True):
    """Algorithm 2 row by row with its parts altered."""
    rows = []
    for v in V:
        bound = c if radius is None else radius
        if ask and np.abs(v).sum() <= bound:
            rows.append(v)
            continue
        mu = -np.sort(-np.abs(v))
        total, p = np.cumsum(mu), np.arange(1, len(v) + 1)
        total = np.concatenate([[0.0], total])[:-1] if cumulate else total
        last = int(np.flatnonzero(p * mu > total - bound)[-1]) if (p * mu > total - bound).any() else 0
        last = min(max(last + shift, 0), len(v) - 1)
        theta = (total[last] - bound) / p[last]
        left = np.maximum(np.abs(v) - theta, 0.0) if floor else np.abs(v) - theta
        rows.append((np.sign(v) if sign else 1.0) * left)
    return np.array(rows)


def altered(project=None, vjp=None):
    return Projection("faulty", "float64", project or REFERENCE.project, vjp or REFERENCE.vjp)


def altered_gradient(*, masked=True, along=1.0, divisor=None):
    """The derivative with its parts altered, rows inside as they are."""

    def vjp(V, A, c):
        W = reference.project(V, c=c)
        outside = np.abs(V).sum(axis=1, keepdims=True) > c
        signs = np.sign(W)
        k = np.maximum(np.abs(signs).sum(axis=1, keepdims=True), 1) if divisor is None else divisor(V)
        G = A - along * signs * (A * signs).sum(axis=1, keepdims=True) / k
        return np.where(outside, G * (np.abs(signs) if masked else 1.0), A)

    return altered(vjp=vjp)


def rescaled(V, c):
    size = np.abs(V).sum(axis=1, keepdims=True)
    return V * np.minimum(1.0, c / np.where(size > 0, size, 1.0))


WRONG = {
    "rescaled by the norm": altered(rescaled),
    "clipped, then rescaled": altered(lambda V, c: rescaled(np.clip(V, -c, c), c)),
    "radius ignored": altered(lambda V, c: algorithm_2(V, c, radius=1.0)),
    "moves points inside": altered(lambda V, c: algorithm_2(V, c, ask=False)),
    "cumulative sum off by one": altered(lambda V, c: algorithm_2(V, c, cumulate=1)),
    "one active entry too few": altered(lambda V, c: algorithm_2(V, c, shift=-1)),
    "one active entry too many": altered(lambda V, c: algorithm_2(V, c, shift=1)),
    "no floor at zero": altered(lambda V, c: algorithm_2(V, c, floor=False)),
    "signs lost": altered(lambda V, c: algorithm_2(V, c, sign=False)),
    "columns for rows": altered(lambda V, c: algorithm_2(V.T, c).T),
    "the whole matrix one ball": altered(lambda V, c: algorithm_2(V.reshape(1, -1), c).reshape(V.shape)),
    "onto the L2 ball": altered(
        lambda V, c: V * np.minimum(1.0, c / np.maximum(np.linalg.norm(V, axis=1), c))[:, None]
    ),
    "gradient of the identity": altered_gradient(masked=False, along=0.0),
    "gradient not masked": altered_gradient(masked=False),
    "gradient only masked": altered_gradient(along=0.0),
    "gradient doubled along s": altered_gradient(along=2.0),
    "gradient divided by d": altered_gradient(divisor=lambda V: V.shape[1]),
}
NOTICES = [
    (feasible, "radius ignored"),
    (feasible, "cumulative sum off by one"),
    (feasible, "one active entry too few"),
    (feasible, "columns for rows"),
    (feasible, "no floor at zero"),
    (feasible, "onto the L2 ball"),
    (optimal, "rescaled by the norm"),
    (optimal, "clipped, then rescaled"),
    (optimal, "one active entry too many"),
    (optimal, "moves points inside"),
    (optimal, "signs lost"),
    (optimal, "the whole matrix one ball"),
    (threshold, "rescaled by the norm"),
    (threshold, "cumulative sum off by one"),
    (threshold, "one active entry too few"),
    (threshold, "one active entry too many"),
    (threshold, "radius ignored"),
    (nearest_of_all_active_sets, "clipped, then rescaled"),
    (nearest_of_all_active_sets, "one active entry too many"),
    (nearest_of_all_active_sets, "onto the L2 ball"),
    (idempotent, "one active entry too few"),
    (idempotent, "cumulative sum off by one"),
    (inside_is_left_alone, "moves points inside"),
    (inside_is_left_alone, "radius ignored"),
    (nonexpansive, "rescaled by the norm"),
    (nonexpansive, "signs lost"),
    (odd, "signs lost"),
    (order_is_kept, "signs lost"),
    (order_is_kept, "no floor at zero"),
    (gradient_enclosed, "gradient of the identity"),
    (gradient_enclosed, "gradient not masked"),
    (gradient_enclosed, "gradient only masked"),
    (gradient_enclosed, "gradient divided by d"),
    (gradient_along_the_face, "gradient doubled along s"),
    (gradient_along_the_face, "gradient only masked"),
]


@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by an implementation made wrong on purpose."""
    of_gradient = holds in (gradient_enclosed, gradient_along_the_face)

    def judge(point):
        V, A, c = point
        return 0.0 if of_gradient and not clear(V, c, "float64") else holds(WRONG[wrong], V, A, c)

    V, _, c = noticed(judge, points("float64", max_n=3, max_d=5))
    assert np.isfinite(V).all()
    assert math.isfinite(c)


@pytest.mark.parametrize("wrong", [fault for fault in WRONG if not fault.startswith("gradient")])
def test_every_wrong_projection_fails_its_certificate(wrong):
    """The optimality certificate alone, which knows no algorithm, catches every planted fault of a projection."""
    noticed(lambda point: optimal(WRONG[wrong], *point), points("float64", max_n=3, max_d=5))
