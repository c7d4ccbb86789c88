"""The sketch of the Jacobian: what it accuses, what it lets pass, and how well it knows the size of an error."""

import math
import re

import numpy as np
import pytest
import torch

from wnverify.finding import seed_of
from wnverify.oracles.differences import DiscontinuousError
from wnverify.oracles.gradients import (
    ENOUGH_NOISES,
    BackwardError,
    NotDifferencedError,
    check_backward,
    check_rows,
    forward_mode,
    reverse_mode,
)
from wnverify.oracles.ratio import map_model

SEEDS = 100


def normal(*shape, case=""):
    return torch.tensor(np.random.default_rng(seed_of("gradients", shape, case)).standard_normal(shape))


def unit_rows(V):
    return V / torch.linalg.vector_norm(V, dim=-1, keepdim=True)


def pulled_back(V, A):
    """The right gradient of ``unit_rows``."""
    W, r = unit_rows(V), torch.linalg.vector_norm(V, dim=-1, keepdim=True)
    return (A - (A * W).sum(-1, keepdim=True) * W) / r


def centred_unit_rows(V):
    X = V - V.mean(-1, keepdim=True)
    return unit_rows(X - X.mean(-1, keepdim=True))


def polar(V):
    A, _, Bt = torch.linalg.svd(V, full_matrices=False)
    return A @ Bt


def polar_pulled_back(V, G):
    A, s, Bt = torch.linalg.svd(V, full_matrices=False)
    M = A.mT @ G @ Bt.mT
    return A @ ((M - M.mT) / (s[:, None] + s) @ Bt + (A.mT @ G - M @ Bt) / s[:, None])


def check(f, V, backward=None, *, seed=0, condition=1.0, **given):
    model = map_model("float64", V.shape[-1], condition=condition)
    return check_backward(f, (V,), seed=seed, model=model, backward=backward, **given)


class LinearMap:
    """v ↦ J v with a backward of J + ΔJ, ‖ΔJ‖_F = size ‖J‖_F, of the given kind; everything is known exactly."""

    def __init__(self, kind, size, trial, shape=(3, 6)):
        N = math.prod(shape)
        self.J = normal(N, N, case=("J", trial))
        left, right = normal(2, N, case=("Delta", trial))
        Delta = {
            "one entry": torch.outer(torch.eye(N)[trial % N], torch.eye(N)[(7 * trial) % N]).double(),
            "rank one": torch.outer(left, right),
            "full rank": normal(N, N, case=("full", trial)),
        }[kind]
        self.Delta = size * float(self.J.norm() / Delta.norm()) * Delta
        # Rows of equal size, so that the sketch's scaling of tangents by rows is one number.
        self.x = torch.sign(normal(*shape, case=("x", trial)))

    def __call__(self, V):
        return (self.J @ V.reshape(-1)).reshape(V.shape)

    def backward(self, A):
        return ((self.J + self.Delta).T @ A.reshape(-1)).reshape(A.shape)

    def report(self, trial, **given):
        return check(self, self.x, self.backward, seed=trial, **given)


@pytest.mark.parametrize("kind", ["one entry", "rank one", "full rank"])
@pytest.mark.parametrize("size", [1e-1, 1e-8])
def test_the_interval_contains_the_relative_error_of_the_jacobian(kind, size):
    """In at least 90 % of seeds, for errors in one entry, of rank one and of full rank."""
    reports = [LinearMap(kind, size, trial).report(trial) for trial in range(SEEDS)]
    inside = [report.interval[0] <= size <= report.interval[1] for report in reports]
    assert sum(inside) >= 0.9 * SEEDS
    assert all(report.refuted for report in reports)
    middle = sorted(report.relative_error for report in reports)[SEEDS // 2]
    assert 0.5 < middle / size < 1.5
    assert sorted(report.interval[1] for report in reports)[SEEDS // 2] < 15 * size


@pytest.mark.parametrize("gaussian", [1, 2, 8])
def test_the_size_of_a_jacobian_of_rank_one_is_known_to_within_the_interval(gaussian):
    """Seen along one direction alone its size is least well known, and few probes may all but miss it."""
    inside = 0
    for trial in range(SEEDS):
        linear = LinearMap("full rank", 1e-3, trial)
        rank_one = torch.outer(normal(18, case=("row", trial)), torch.eye(18)[trial % 18].double())
        linear.J = rank_one * (linear.J.norm() / rank_one.norm())
        report = linear.report(trial, gaussian=gaussian, structured=0)
        inside += report.interval[0] <= 1e-3 <= report.interval[1]
    assert inside >= 0.9 * SEEDS


def test_the_interval_of_a_right_backward_starts_at_zero():
    """No error is claimed where there is none, and the upper end is the power that is stated."""
    for trial in range(20):
        report = LinearMap("full rank", 0.0, trial).report(trial)
        assert report.ratio <= 1
        assert report.interval[0] == 0.0
        assert report.power <= report.interval[1] <= 2 * report.power


@pytest.mark.parametrize("kind", ["one entry", "rank one", "full rank"])
@pytest.mark.parametrize("structured", [None, 1, 0])
def test_a_fault_of_twice_the_stated_power_is_noticed(kind, structured):
    """In at least 95 % of seeds; the power is that of a run on the right backward."""
    noticed = 0
    for trial in range(SEEDS):
        power = LinearMap(kind, 0.0, trial).report(trial, structured=structured).power
        noticed += LinearMap(kind, 2 * power, trial).report(trial, structured=structured).ratio > 1
    assert noticed >= 0.95 * SEEDS


def test_the_stated_power_is_not_idle():
    """A fault of a thousandth of the power passes: the number is no empty promise of more than the run can see."""
    for trial in range(20):
        power = LinearMap("full rank", 0.0, trial).report(trial).power
        assert LinearMap("full rank", 1e-3 * power, trial).report(trial).ratio <= 1


def test_one_wrong_entry_of_the_gradient_among_4096_is_caught():
    """An entry of the gradient of a 32 × 128 weight that is off by 1e-6 of itself has a ratio above 2, for any seed."""
    V = normal(32, 128)
    for seed in range(5):

        def backward(A):
            G = pulled_back(V, A)
            G[17, 93] *= 1 + 1e-6
            return G

        report = check(unit_rows, V, backward, seed=seed)
        assert report.refuted
        assert 1e-10 < report.relative_error < 1e-6


FAULTS = {
    "projection left out": lambda V, A: A / V.norm(dim=-1, keepdim=True),
    "scale left out": lambda V, A: pulled_back(V, A) * V.norm(dim=-1, keepdim=True),
    "projected with V": lambda V, A: pulled_back(V, A) + (A * V).sum(-1, keepdim=True) * V,
    "wrong sign": lambda V, A: -pulled_back(V, A),
    "one row of zeros": lambda V, A: pulled_back(V, A) * (torch.arange(len(V)) != 1)[:, None],
    "cotangent ignored": lambda V, A: pulled_back(V, torch.ones_like(A)),
    "cotangent clipped": lambda V, A: pulled_back(V, A.clamp(-1, 1)),
    "rounded to float32": lambda V, A: pulled_back(V, A).float().double(),
    "a millionth too large": lambda V, A: pulled_back(V, A) * (1 + 1e-6),
    "radial leak": lambda V, A: pulled_back(V, A) + 1e-7 * V,
    "not a number in one entry": lambda V, A: torch.where(V.max() == V, math.nan, pulled_back(V, A)),
    "infinite": lambda V, A: torch.full_like(A, math.inf),
    "zero": lambda V, A: torch.zeros_like(A),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("shape", [(1, 6), (4, 9), (3, 2, 2)], ids=str)
def test_wrong_backwards_are_caught(fault, shape):
    """Every planted fault is refuted at several shapes, with the probes that show it and both of their values."""
    if fault == "one row of zeros" and shape[0] == 1:
        shape = (2, 6)
    V = normal(*shape).reshape(shape[0], -1)
    report = check(unit_rows, V, lambda A: FAULTS[fault](V, A))
    assert report.refuted
    seen = torch.tensor(report.values, dtype=torch.float64)
    expected = float((report.probe[0] * forward_mode(unit_rows, (V,), report.probe[1])).sum())
    assert abs(float(seen[0]) - expected) <= 1e-8 * float(report.probe[0].norm() * report.probe[1].norm())
    assert not abs(float(seen[1] - seen[0])) <= 1e-9 * abs(expected)
    assert report.figures["worst_cotangent"] == report.worst[0]


RIGHT = {
    "unit rows": (unit_rows, pulled_back, normal(5, 12), 1.0),
    "one row": (unit_rows, pulled_back, normal(1, 6), 1.0),
    "rows from 1e-10 to 1e10": (
        unit_rows,
        pulled_back,
        normal(4, 9) * torch.logspace(-10, 10, 4).double()[:, None],
        1.0,
    ),
    "tiny": (unit_rows, pulled_back, 1e-150 * normal(4, 9), 1.0),
    "mean of 1e4 spreads": (centred_unit_rows, None, normal(4, 9) + 1e4, 1e4),
    "mean of 1e8 spreads": (centred_unit_rows, None, normal(4, 9) + 1e8, 1e8),
    "condition 1e4": (
        polar,
        polar_pulled_back,
        polar(normal(4, 4)) @ torch.diag(torch.logspace(0, -4, 4).double()) @ polar(normal(4, 9)),
        1e4,
    ),
    "equal singular values": (polar, polar_pulled_back, 2 * polar(normal(4, 9)), 1.0),
    "a pole 1e-4 away": (lambda V: 1 / (V - normal(4, 9)[0, 0] - 1e-4), None, normal(4, 9), 1e4),
    "a zero row": (lambda V: V**3, None, torch.cat([normal(3, 5), torch.zeros(1, 5).double()]), 3.0),
    "the zero matrix": (lambda V: V**2 + V, None, torch.zeros(3, 4).double(), 1.0),
    "a vector": (lambda V: V.sin(), None, normal(7), 1.0),
    "a convolution's weight": (lambda V: unit_rows(V.flatten(1)).reshape(V.shape), None, normal(4, 3, 2, 2), 1.0),
    "a scalar": (lambda V: (V**4).sum(), None, normal(3, 4), 3.0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_backwards_are_not_accused(name):
    """Nowhere above ratio 1, also where the map is sharply curved or badly scaled, and the power stays useful."""
    f, pulled, V, condition = RIGHT[name]
    for seed in range(6):
        backward = None if pulled is None else (lambda A: pulled(V, A))
        report = check(f, V, backward, seed=seed, condition=condition)
        assert report.ratio <= 1
        assert report.power <= 1e-9 * condition


def test_a_zero_jacobian_is_not_accused_and_nothing_is_claimed_of_it():
    """Two centred columns leave one direction: the derivative is zero, no error is relative to it, any is absolute."""
    V = normal(4, 2)
    for seed in range(10):
        report = check(centred_unit_rows, V, seed=seed, condition=2.0)
        assert report.ratio <= 1
        assert report.interval[0] == 0.0
        assert report.power > 1
    assert check(centred_unit_rows, V, lambda A: 1e-6 * A).refuted


def test_a_float32_forward_is_not_accused_of_a_wrong_backward():
    """A down-cast on the way makes the differences coarse, says so by its power, and hides no gross fault."""
    V = normal(4, 9)

    def narrow(V):
        return unit_rows(V.float()).double()

    for seed in range(10):
        report = check(narrow, V, lambda A: pulled_back(V, A), seed=seed)
        assert report.ratio <= 1
        assert 1e-6 < report.power < 1e-2
        assert check(narrow, V, lambda A: 1.1 * pulled_back(V, A), seed=seed).refuted


def test_a_jump_is_an_error_of_its_own():
    """Where the forward jumps nothing is said of the backward."""
    V = normal(3, 4)
    with pytest.raises(DiscontinuousError, match="the map jumps by"):
        check(lambda X: X + (X >= V), V, lambda A: A)
    with pytest.raises(NotDifferencedError, match="no finite values on both sides"):
        check(lambda X: torch.where(X == V, X, math.nan), V, lambda A: A)


def test_what_the_backward_raises_is_handed_on():
    """An exception in the backward, and an output that knows nothing of its input, are BackwardErrors."""

    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx, V):
            return 2 * V

        @staticmethod
        def backward(ctx, A):
            raise KeyError("saved")

    with pytest.raises(BackwardError, match=re.escape("KeyError: 'saved'")):
        check(Raises.apply, normal(2, 3))
    with pytest.raises(BackwardError, match="does not require grad"):
        check(lambda V: V.detach().sin(), normal(2, 3))


def test_other_tensors_can_be_asked_for():
    """``wrt`` chooses the tensor; a gradient wrong in the second one alone is found there alone."""
    V, g = normal(4, 6), normal(4, 1)

    def f(V, g):
        return g * unit_rows(V)

    def wrong(V, g):
        return f(V, g.detach()) + (f(V.detach(), g) - f(V.detach(), g).detach()) * 1.01

    model = map_model("float64", 6)
    for wrt in (0, 1):
        assert check_backward(f, (V, g), wrt=wrt, seed=1, model=model).ratio <= 1
        assert check_backward(wrong, (V, g), wrt=wrt, seed=1, model=model).refuted == (wrt == 1)


def test_a_single_cotangent_can_be_given():
    """A fault for one cotangent alone is seen when that one is asked for."""
    V, ones = normal(3, 5), torch.ones(3, 5).double()

    def backward(A):
        return torch.zeros_like(A) if torch.equal(A, ones) else pulled_back(V, A)

    assert check(unit_rows, V, backward, cotangent=ones).refuted
    assert check(unit_rows, V, backward, cotangent=2 * ones).ratio <= 1


def test_a_zero_cotangent_decides_nothing_and_accuses_nobody():
    """Also where the difference quotients are of no use and their error is infinite."""
    V, zero = normal(3, 5), torch.zeros(3, 5).double()
    assert check(unit_rows, V, lambda A: pulled_back(V, A), cotangent=zero).ratio == 0
    assert check(unit_rows, V, lambda A: torch.ones_like(A), cotangent=zero).refuted


def test_structured_probes_see_what_random_ones_dilute():
    """A fault of the radial direction alone is seen at a ratio that is larger by far with structured probes."""
    V = normal(40, 60)
    report = check(unit_rows, V, lambda A: pulled_back(V, A) + 1e-12 * (A * V).sum() * V)
    assert report.ratio > 1
    assert "radial" in report.worst or "output" in report.worst
    assert check(unit_rows, V, lambda A: pulled_back(V, A)).ratio <= 1


def test_so_many_structured_probes_as_are_asked_for_and_others_for_every_seed():
    """One of them costs less than all; over many seeds each has its turn."""
    V = normal(4, 6)
    worst = set()
    for seed in range(40):
        report = check(unit_rows, V, lambda A: 1.1 * pulled_back(V, A), seed=seed, gaussian=2, structured=1)
        assert report.refuted
        worst |= set(report.worst)
    assert {name for name in worst if "gaussian" not in name} >= {"all ones", "largest entry"}
    every = check(unit_rows, V, lambda A: pulled_back(V, A), gaussian=2)
    assert report.evaluations < every.evaluations / 2


def test_known_noises_spare_measuring_and_are_the_least_of_several():
    """After a few weights of one shape the noise is known, relative to the value; a wrong backward is caught."""
    noises = {}
    for seed in range(6):
        V = normal(4, 6, case=("noises", seed)) if seed else normal(4, 6)
        report = check(unit_rows, V, lambda A, V=V: pulled_back(V, A), seed=seed, noises=noises)
        assert report.ratio <= 1
    ((shapes, known),) = noises.items()
    assert shapes == ((4, 6), (4, 6))
    assert len(known) == ENOUGH_NOISES < 6
    assert check(unit_rows, V, lambda A: 1.001 * pulled_back(V, A), noises=noises).refuted
    assert len(known) == ENOUGH_NOISES


def test_the_same_seed_gives_the_same_report():
    """Two runs agree in every number; another seed takes other probes."""
    V = normal(3, 5)
    first, again, other = (check(unit_rows, V, lambda A: 1.1 * pulled_back(V, A), seed=seed) for seed in (1, 1, 2))
    assert first.figures == again.figures
    assert first.figures != other.figures
    assert torch.equal(first.probe[0], again.probe[0])


def test_rows_are_judged_one_by_one():
    """A fault in one row of small scale is found in that row, and its relative size is that row's own."""
    V = normal(6, 9) * torch.logspace(-3, 3, 6).double()[:, None]

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, V):
            ctx.save_for_backward(V)
            return unit_rows(V)

        @staticmethod
        def backward(ctx, A):
            (V,) = ctx.saved_tensors
            return pulled_back(V, A) * (1 + 1e-4 * (torch.arange(6) == 4))[:, None]

    model = map_model("float64", 9)
    row, report = check_rows(Wrong.apply, (V,), seed=3, rows=range(6), model=model)
    assert (row, report.refuted) == (4, True)
    assert report.interval[0] <= 1e-4 <= report.interval[1]
    assert check_rows(unit_rows, (V,), seed=3, rows=range(6), model=model)[1].ratio <= 1
    with pytest.raises(ValueError, match="rows must name at least one row; got none"):
        check_rows(unit_rows, (V,), seed=3, rows=[], model=model)


def test_forward_and_reverse_mode_are_transposes():
    """⟨A, J E⟩ = ⟨Jᵀ A, E⟩ for maps of several tensors, with respect to any of them."""
    V, g, A = normal(4, 6), normal(4, 1), normal(4, 6, case="A")
    for wrt, E in ((0, normal(4, 6, case="E")), (1, normal(4, 1, case="E"))):
        left = float((A * forward_mode(lambda V, g: g * unit_rows(V), (V, g), E, wrt)).sum())
        right = float((reverse_mode(lambda V, g: g * unit_rows(V), (V, g), wrt)(A) * E).sum())
        assert abs(left - right) <= 64 * 2.0**-53 * float(A.norm() * E.norm()) * 10
