"""The exact Rademacher complexity beside an enumeration of the sign vectors by mixed-integer programs.

For one sign vector the supremum of |Σ ε_i max(v·x̃_i, 0)| over ‖v‖_1 ≤ 1 is the larger of two mixed-integer linear
programs, one for each sign, with a binary variable for each unit's side.  Both enumerations need 2ⁿ⁻¹ sign vectors.
One program of n = ``FEW`` points is timed and multiplied by the 2ⁿ programs of n = 20: larger ones take longer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Contender, Times
from wnverify.finding import Verdict, seed_of
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity

Matrix = NDArray[np.float64]
MANY: Final = 20
FEW: Final = 8
COMPARED: Final = 5
INPUTS: Final = 3
CLASS: Final = NetworkClass(1, 1.0)


def data(n: int) -> Matrix:
    return np.random.default_rng(seed_of("rademacher", n)).uniform(-1, 1, (n, INPUTS))


def largest(X: Matrix, signs: Matrix) -> float:
    """max Σ ε_i h_i, h_i = max(v·x̃_i, 0), ‖v‖_1 ≤ 1: v = p − q, p, q ≥ 0, and z_i = 1 where the unit is active."""
    n = len(X)
    A = np.hstack([np.ones((n, 1)), X])
    m, big = A.shape[1], np.abs(A).max(axis=1)
    eye, none = np.eye(n), np.zeros((n, n))
    both = np.hstack([A, -A])
    constraints = [
        LinearConstraint(np.hstack([np.ones((1, 2 * m)), np.zeros((1, 2 * n))]), ub=1),
        LinearConstraint(np.hstack([both, -eye, none]), ub=0),  # h ≥ v·x̃
        LinearConstraint(np.hstack([-both, eye, np.diag(big)]), ub=big),  # h ≤ v·x̃ + M (1 − z)
        LinearConstraint(np.hstack([np.zeros((n, 2 * m)), eye, -np.diag(big)]), ub=0),  # h ≤ M z
    ]
    cost = np.concatenate([np.zeros(2 * m), -signs, np.zeros(n)])
    integral = np.concatenate([np.zeros(2 * m + n), np.ones(n)])
    upper = np.concatenate([np.ones(2 * m), big, np.ones(n)])
    found = milp(cost, constraints=constraints, integrality=integral, bounds=Bounds(0, upper))
    if not found.success:
        raise RuntimeError(f"milp found no optimum: {found.message}")
    return -float(found.fun)


def by_programs(n: int) -> float:
    """R̂_S of one hidden layer, c = o = 1: all sign vectors, two programs each."""
    X, total = data(n), 0.0
    for number in range(1 << (n - 1)):
        signs = np.array([-1.0 if number >> i & 1 else 1.0 for i in range(n)])
        total += max(abs(signs.sum()), largest(X, signs), largest(X, -signs))
    return total / n / (1 << (n - 1))


def ours() -> Callable[[], Any]:
    X = data(MANY)
    complexity(CLASS, data(COMPARED))
    return functools.partial(complexity, CLASS, X)


def one_program() -> Callable[[], Any]:
    X, signs = data(FEW), np.where(np.arange(FEW) % 2, 1.0, -1.0)
    largest(X, signs)
    return functools.partial(largest, X, signs)


def both(_: Callable[[], Any]) -> tuple[float, float, float]:
    mine = complexity(CLASS, data(COMPARED))
    return mine.value, mine.error, by_programs(COMPARED)


def same(times: Mapping[str, Times]) -> Judged:
    """At n = 5 all programs are solved; HiGHS meets its constraints and its optimum to 1e-6."""
    value, error, theirs = times["programs"].told
    ratio = abs(value - theirs) / (error + 1e-6 * max(1.0, abs(value)) * COMPARED)
    message = f"n = {COMPARED}: {value:.9g}, by programs {theirs:.9g}, ratio {ratio:.2g}"
    return (Verdict.PASS if ratio <= 1 else Verdict.FAIL), message, {"ours": value, "programs": theirs, "ratio": ratio}


def rows() -> list[Row]:
    programs = Contender(
        "programs",
        one_program,
        both,
        scale=2.0**MANY,
        said=f"extrapolated from one program of n = {FEW}, times the 2^{MANY} programs of n = {MANY}; larger ones "
        "take longer, so this is a lower bound",
    )
    aims = (Aim("faster", "programs", 1000.0), Aim("seconds", limit=60.0))
    return [
        Row(
            f"rademacher/n={MANY}",
            f"exact Rademacher complexity, n = {MANY}, {INPUTS} inputs",
            aims,
            (Contender("ours", ours, limit=300.0), programs),
            judge=same,
            turns=3,
        )
    ]
