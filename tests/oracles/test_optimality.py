"""Certificates of optimality: right projections pass, wrong ones do not, and the distance bound is one."""

import math

import numpy as np
import pytest
from projections import SETS, by_rows, l2_ball, simplex, zero_mean_box
from scipy.optimize import linprog, minimize

from wnverify.finding import seed_of
from wnverify.oracles import enclosures
from wnverify.oracles.optimality import certificate, set_names
from wnverify.oracles.ratio import Ratio, map_model

every_set = pytest.mark.parametrize("name", SETS)
CONVEX = [name for name in SETS if "sphere" not in name and name != "stiefel_rows"]


def normal(*shape, case=""):
    return np.random.default_rng(seed_of("optimality", shape, case)).standard_normal(shape)


def inputs():
    """Generic, small (inside), large, far from the origin, tied, negative and zero matrices."""
    for shape in [(1, 2), (3, 5), (4, 4), (30, 70), (2, 1100)]:
        V = normal(*shape)
        yield from (V, 1e-3 * V, 1e4 * V, V + 1e4, np.round(V), -np.abs(V), 0 * V, np.repeat(V[:1], len(V), axis=0))


def test_every_known_set_is_tested():
    """The table of right projections here and the one of sets there have the same names."""
    assert set(SETS) == set(set_names())


@every_set
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_projections_pass(name, dtype):
    """The nearest point, computed in float64 or rounded to float32, passes at every kind of input."""
    project, parameters = SETS[name]
    for V in inputs():
        V = V.astype(dtype).astype(np.float64)
        W = project(V, **parameters).astype(dtype)
        found = certificate(name, V, W, dtype=dtype, **parameters)
        assert found.ratio <= 1, found
        assert len(found.bounds) == (1 if found.row is None else len(V))


def test_spectra_at_the_border_are_feasible_and_one_beyond_it_is_not():
    """Singular values all but equal to the radius: the certificate brings no error of its own."""
    project, parameters = SETS["spectral_ball"]
    for trial in range(200):
        W = project(normal(4, 4, case=("border", trial)), **parameters)
        assert certificate("spectral_ball", W, W, **parameters).feasibility.value < 0.5
        beyond = W * (1 + 1e-13)
        assert certificate("spectral_ball", beyond, beyond, **parameters).feasibility.value > 2


@pytest.mark.parametrize("name", CONVEX)
@pytest.mark.parametrize("inside", [True, False])
def test_the_distance_bound_bounds_the_distance(name, inside):
    """‖W − P(V)‖ is at most the bound for every W, in the set or not, and both vanish together, as step and √step."""
    project, parameters = SETS[name]
    for trial in range(30):
        V, W = 2 * normal(3, 5, case=("V", trial)), normal(3, 5, case=("W", trial))
        p = project(V, **parameters)
        W = project(W, **parameters) if inside else W
        for step in (1.0, 1e-3, 1e-6):
            moved = p + step * (W - p)
            found = certificate(name, V, moved, **parameters)
            assert np.linalg.norm(moved - p) <= found.distance_bound
            assert found.distance_bound <= math.sqrt(step) * (sum(map(np.linalg.norm, (V, W, p))) + 1)


@pytest.mark.parametrize("name", ["sphere_rows", "nonneg_sphere_rows", "sphere_zero_mean_rows", "stiefel_rows"])
def test_the_distance_bound_of_spheres_and_frames(name):
    """The same for sets that are not convex, where the nearest point is unique."""
    project, parameters = SETS[name]
    for trial in range(30):
        V, W = normal(3, 5, case=("V", trial)), project(normal(3, 5, case=("W", trial)), **parameters)
        V = -np.abs(V) if name == "nonneg_sphere_rows" and trial % 2 else V
        p = project(V, **parameters)
        for step in (1.0, 1e-3):
            moved = project(p + step * (W - p), **parameters)
            assert np.linalg.norm(moved - p) <= certificate(name, V, moved, **parameters).distance_bound


@pytest.mark.parametrize("exponent", [0, 4, 8, 12])
def test_the_distance_bound_of_frames_has_the_error_of_the_singular_vectors_in_it(exponent):
    """The polar factor of a matrix of condition 10^k is off by 10^k u, also where its gap is that of rounding."""
    for trial in range(3):
        A, B = SETS["stiefel_rows"][0](normal(4, 4, case=trial)), SETS["stiefel_rows"][0](normal(4, 7, case=trial))
        V = (A * np.logspace(0, -exponent, 4)) @ B
        W = SETS["stiefel_rows"][0](V)
        with enclosures.precision(400):
            balls = enclosures.ball_matrix(V)
            exact = enclosures.inverse_square_root(balls * balls.transpose()) * balls
            distance = float(enclosures.frobenius_bound(exact - enclosures.ball_matrix(W)))
        found = certificate("stiefel_rows", V, W)
        assert found.ratio <= 1
        assert distance <= found.distance_bound <= 1e3 * 2.0**-53 * 10.0**exponent


def test_the_distance_bound_of_a_frame_without_a_nearest_one_is_what_two_frames_can_be_apart():
    """Below full rank rounding alone decides what is called nearest; of the zero matrix every frame is."""
    low_rank = np.outer([1.0, 2.0], [1.0, 0.3, -0.7])
    W = SETS["stiefel_rows"][0](low_rank)
    bound, apart = certificate("stiefel_rows", low_rank, W).distance_bound, 2 * math.sqrt(2)
    assert Ratio(abs(bound - apart), apart, map_model("float64", 6)).value <= 1
    # What is left is the error of two frames of singular vectors, ‖A‖_F² + ‖B‖_F² = 4.
    assert Ratio(certificate("stiefel_rows", 0 * low_rank, W).distance_bound, 4.0, map_model("float64", 6)).value <= 1


QUADRATIC = {
    "box": lambda p: {"bounds": [(p["lo"], p["hi"])] * 4},
    "l2_ball_rows": lambda p: {"constraints": {"type": "ineq", "fun": lambda w: p["radius"] ** 2 - w @ w}},
    "simplex_rows": lambda p: {"bounds": [(0, None)] * 4, **_sum_is(p["sum"])},
    "affine_sum_rows": lambda p: _sum_is(p["sum"]),
    "zero_mean_rows": lambda p: _sum_is(0.0),
    "zero_mean_box_rows": lambda p: {"bounds": [(p["lo"], p["hi"])] * 4, **_sum_is(0.0)},
}


def _sum_is(total):
    return {"constraints": {"type": "eq", "fun": lambda w: w.sum() - total}}


@pytest.mark.parametrize("name", QUADRATIC)
def test_the_answers_of_an_independent_solver_are_certified_to_its_accuracy(name):
    """SLSQP minimises ‖w − v‖² on its own; its answer is certified to be as near as it is, and a shifted one is not."""
    project, parameters = SETS[name]
    for trial in range(5):
        v = 2 * normal(1, 4, case=("solver", trial))
        start = np.full(4, 0.1)
        solved = minimize(
            lambda w, v=v: ((w - v[0]) ** 2).sum(),
            start,
            jac=lambda w, v=v: 2 * (w - v[0]),
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
            **QUADRATIC[name](parameters),
        )
        found = certificate(name, v, solved.x[None], **parameters)
        distance = np.linalg.norm(solved.x - project(v, **parameters)[0])
        assert distance <= found.distance_bound <= 1e-2


@pytest.mark.parametrize("name", ["box", "l1_ball_rows", "simplex_rows", "zero_mean_box_rows"])
def test_the_gap_is_that_of_a_linear_programme(name):
    """For polytopes the gap ⟨v − w, x − w⟩ is the one that HiGHS finds by maximising ⟨v − w, x⟩."""
    _, parameters = SETS[name]
    for trial in range(5):
        v, w = normal(1, 4, case=("lp v", trial)), np.zeros((1, 4))
        if name == "simplex_rows":
            w[0, 0] = parameters["sum"]
        y = (v - w)[0]
        if name == "l1_ball_rows":
            split = linprog(-np.concatenate([y, -y]), A_ub=np.ones((1, 8)), b_ub=parameters["radius"])
            best = -split.fun
        else:
            sums = {"simplex_rows": parameters.get("sum"), "zero_mean_box_rows": 0.0}.get(name)
            box = (parameters.get("lo", 0.0), parameters.get("hi"))
            equation = {} if sums is None else {"A_eq": np.ones((1, 4)), "b_eq": sums}
            best = -linprog(-y, bounds=[box] * 4, **equation).fun
        gap = certificate(name, v, w, **parameters).optimality.error
        assert abs(gap - (best - y @ w[0])) <= 64 * 2.0**-53 * np.abs(y).sum() * 4


@pytest.mark.parametrize("name", ["sphere_rows", "nonneg_sphere_rows", "sphere_zero_mean_rows", "stiefel_rows"])
def test_the_closed_form_value_beats_every_point_of_the_set(name):
    """No one of many points of the set is nearer to V than the certified one, whose gap is its lead over it."""
    project, parameters = SETS[name]
    for trial in range(3):
        V = normal(2, 3, case=("value", trial)) - (3.0 if trial == 2 else 0.0)
        best = project(V, **parameters)
        for other in range(200):
            W = project(normal(2, 3, case=("other", trial, other)), **parameters)
            found = certificate(name, V, W, **parameters)
            lead = ((best - W) * V).sum(axis=1)
            lead = lead[found.row] if found.row is not None else lead.sum()
            rounding = 64 * 2.0**-53 * np.linalg.norm(V) * np.linalg.norm(W)
            assert lead >= -rounding
            assert abs(found.optimality.error - lead) <= rounding


def clip_then_rescale(v, sum):
    positive = np.maximum(v, 0)
    return positive * (sum / positive.sum()) if positive.any() else np.full(len(v), sum / len(v))


def threshold_one_too_far(v, radius):
    """Counts one entry too many among those that stay."""
    if np.abs(v).sum() <= radius:
        return v
    ordered = np.sort(np.abs(v))[::-1]
    theta = (np.cumsum(ordered) - radius) / np.arange(1, len(v) + 1)
    last = min(np.flatnonzero(ordered > theta)[-1] + 1, len(v) - 1)
    return np.sign(v) * np.maximum(np.abs(v) - theta[last], 0)


WRONG = {
    "simplex: clipped, then rescaled": ("simplex_rows", by_rows(clip_then_rescale)),
    "simplex: sum ignored": ("simplex_rows", by_rows(lambda v, sum: simplex(v))),
    "simplex: softmax": ("simplex_rows", by_rows(lambda v, sum: sum * np.exp(v) / np.exp(v).sum())),
    "l1 ball: threshold off by one": ("l1_ball_rows", by_rows(threshold_one_too_far)),
    "l1 ball: rescaled": ("l1_ball_rows", by_rows(lambda v, radius: v * min(1, radius / np.abs(v).sum()))),
    "l2 ball: points inside are normalised": ("l2_ball_rows", lambda V, radius: radius * V / norms(V)),
    "l2 ball: radius ignored": ("l2_ball_rows", by_rows(lambda v, radius: l2_ball(v))),
    "l2 ball: Frobenius norm for rows": (
        "l2_ball_rows",
        lambda V, radius: V * min(1, radius / np.linalg.norm(V)),
    ),
    "Frobenius ball: rows projected": ("frobenius_ball", by_rows(l2_ball)),
    "box: bounds exchanged": ("box", lambda V, lo, hi: np.clip(V, -hi, -lo)),
    "spectral ball: divided by the norm": (
        "spectral_ball",
        lambda V, radius: V * min(1, radius / np.linalg.norm(V, 2)),
    ),
    "spectral ball: polar factor": ("spectral_ball", lambda V, radius: radius * SETS["stiefel_rows"][0](V)),
    "sum: first entry takes all": (
        "affine_sum_rows",
        lambda V, sum: V + np.eye(V.shape[1])[0] * (sum - V.sum(axis=1, keepdims=True)),
    ),
    "zero mean: sum not divided": ("zero_mean_rows", lambda V: V - V.sum(axis=1, keepdims=True)),
    "zero mean: nothing done": ("zero_mean_rows", lambda V: V),
    "zero mean ball: normalised first": (
        "zero_mean_l2_ball_rows",
        lambda V, radius: SETS["zero_mean_rows"][0](SETS["l2_ball_rows"][0](V, radius=radius)),
    ),
    "zero mean box: clipped, then centred": (
        "zero_mean_box_rows",
        lambda V, lo, hi: SETS["zero_mean_rows"][0](np.clip(V, lo, hi)),
    ),
    "zero mean box: centred, then clipped": (
        "zero_mean_box_rows",
        lambda V, lo, hi: np.clip(SETS["zero_mean_rows"][0](V), lo, hi),
    ),
    "sphere: the farthest point": ("sphere_rows", lambda V, radius: -radius * V / norms(V)),
    "sphere: divided by l1 norms": ("sphere_rows", lambda V, radius: radius * V / np.abs(V).sum(1, keepdims=True)),
    "sphere: one row of another": ("sphere_rows", lambda V, radius: radius * (V / norms(V))[[0, 0, *range(2, len(V))]]),
    "nonnegative sphere: absolute values": ("nonneg_sphere_rows", lambda V, radius: radius * np.abs(V) / norms(V)),
    "zero-mean sphere: centred last": (
        "sphere_zero_mean_rows",
        lambda V, radius: SETS["zero_mean_rows"][0](radius * V / norms(V)),
    ),
    "Stiefel: Gram-Schmidt": ("stiefel_rows", lambda V: np.linalg.qr(V.T)[0].T),
    "Stiefel: rows normalised": ("stiefel_rows", lambda V: V / norms(V)),
    "Stiefel: one sign wrong": ("stiefel_rows", lambda V: one_sign_wrong(V)),
}


def norms(V):
    return np.linalg.norm(V, axis=1, keepdims=True)


def one_sign_wrong(V):
    A, s, Bt = np.linalg.svd(V, full_matrices=False)
    return (A * np.where(s == s.min(), -1, 1)) @ Bt


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_wrong_projections_are_caught(fault, dtype):
    """Each planted fault has a ratio far above 1 in both dtypes."""
    name, project = WRONG[fault]
    _, parameters = SETS[name]
    V = normal(4, 7)
    V[3] *= 0.1
    assert certificate(name, V, project(V, **parameters).astype(dtype), dtype=dtype, **parameters).ratio > 100


def test_the_worst_row_is_named():
    """One wrong row among many is the one that the certificate names."""
    V = normal(20, 9)
    W = SETS["simplex_rows"][0](V, sum=1.0)
    W[13] = clip_then_rescale(V[13], 1.0)
    found = certificate("simplex_rows", V, W)
    assert (found.row, found.ratio > 100) == (13, True)
    assert found.figures["worst_row"] == 13
    assert np.argmax(found.bounds) == 13


def test_small_faults_of_first_order_are_seen_in_a_polytope():
    """A point of the simplex moved along its face by 1e-12 is caught in float64."""
    V = np.array([[1.0, 0.9, -3.0]])
    W = SETS["simplex_rows"][0](V, sum=1.0)
    assert certificate("simplex_rows", V, W).ratio <= 1
    assert certificate("simplex_rows", V, W + 1e-12 * np.array([[1.0, -1.0, 0.0]])).ratio > 10


def test_infinite_boxes_have_certificates():
    """The non-negative orthant: the clipped point passes with a finite bound, an entry moved up or down does not."""
    V = np.array([[1.0, -2.0, 3.0]])
    W = np.maximum(V, 0)
    assert certificate("box", V, W, lo=0, hi=math.inf).ratio <= 1
    for wrong in (W + np.array([[0, 0, 1e-6]]), W - np.array([[0, 0, 1e-6]]), W + np.array([[0, 1e-6, 0]])):
        found = certificate("box", V, wrong, lo=0, hi=math.inf)
        assert found.ratio > 10
        assert 1e-6 <= found.distance_bound < 1e-2


def test_any_nearest_point_will_do_where_there_are_many():
    """At the zero matrix and at tied entries each of the nearest points passes."""
    for k in range(3):
        unit = np.eye(3)[[k]]
        assert certificate("sphere_rows", np.zeros((1, 3)), unit).ratio <= 1
        assert certificate("nonneg_sphere_rows", np.full((1, 3), -2.0), unit).ratio <= 1
        assert certificate("stiefel_rows", np.zeros((1, 3)), -unit).ratio <= 1
    assert certificate("nonneg_sphere_rows", np.full((1, 3), -2.0), np.full((1, 3), 3**-0.5)).ratio > 100
    low_rank = np.outer([1.0, 2.0], [1.0, 0, 0])
    A, _, Bt = np.linalg.svd(low_rank, full_matrices=False)
    for sign in (1, -1):
        assert certificate("stiefel_rows", low_rank, A @ np.diag([1, sign]) @ Bt).ratio <= 1


def test_what_is_not_finite_never_passes():
    """A NaN in W gives infinite ratios and the row it stands in; one in V is an error."""
    V = normal(3, 4)
    W = SETS["sphere_rows"][0](V)
    W[2, 1] = np.nan
    found = certificate("sphere_rows", V, W)
    assert (found.ratio, found.distance_bound, found.row) == (math.inf, math.inf, 2)
    with pytest.raises(ValueError, match=r"V must be finite; got V\[2, 1\] = nan"):
        certificate("sphere_rows", W, V)


def test_further_axes_are_flattened():
    """A convolution's weight is judged as the matrix of its rows."""
    V = normal(3, 2, 2, 2)
    W = SETS["l1_ball_rows"][0](V.reshape(3, 8), radius=1.0).reshape(V.shape)
    assert certificate("l1_ball_rows", V, W).ratio <= 1


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("ball", {}, "set_name must be one of box, l2_ball_rows, .*; got 'ball'"),
        ("box", {"lo": 0}, "box needs lo, hi; hi is missing"),
        ("box", {"lo": 1, "hi": 0}, "lo of box must be at most hi; got lo=1.0, hi=0.0"),
        ("zero_mean_box_rows", {"lo": 1, "hi": 2}, "empty unless lo ≤ 0 ≤ hi; got lo=1.0, hi=2.0"),
        ("zero_mean_box_rows", {"lo": 0, "hi": math.inf}, "hi of zero_mean_box_rows must be finite; got inf"),
        ("sphere_rows", {"radius": 0}, "radius of sphere_rows must be positive; got 0"),
        ("simplex_rows", {"sum": -1.0}, "sum of simplex_rows must be positive; got -1.0"),
        ("simplex_rows", {"radius": 1}, "simplex_rows takes sum; got 'radius'"),
        ("stiefel_rows", {"radius": 1}, "stiefel_rows takes no parameter; got 'radius'"),
        ("affine_sum_rows", {}, "affine_sum_rows needs sum; sum is missing"),
        ("l2_ball_rows", {"radius": "1"}, "radius of l2_ball_rows must be a number; got '1'"),
    ],
)
def test_bad_calls_are_answered_with_what_would_be_right(name, parameters, message):
    """Unknown names, missing and impossible parameters are named, with what came."""
    with pytest.raises(ValueError, match=message):
        certificate(name, np.ones((2, 3)), np.ones((2, 3)), **parameters)


def test_bad_shapes_are_answered_with_what_would_be_right():
    """Unequal and empty shapes, and shapes for which the set is empty, are named."""
    with pytest.raises(ValueError, match=r"one shape \(n, …\), no axis empty; got \(2, 3\) and \(3, 2\)"):
        certificate("sphere_rows", np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"stiefel_rows is empty for more rows than columns; got shape \(3, 2\)"):
        certificate("stiefel_rows", np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"sphere_zero_mean_rows is empty for one column; got shape \(3, 1\)"):
        certificate("sphere_zero_mean_rows", np.ones((3, 1)), np.ones((3, 1)))


def test_zero_mean_boxes_where_entries_are_pinned():
    """Rows whose projection has entries at both bounds, one bound zero, or a box of one point, pass."""
    V = 10 * normal(6, 6)
    for lo, hi in ((-0.5, 0.8), (0.0, 1.0), (-1.0, 0.0), (0.0, 0.0), (-0.1, 5.0)):
        W = by_rows(zero_mean_box)(V, lo=lo, hi=hi)
        assert certificate("zero_mean_box_rows", V, W, lo=lo, hi=hi).ratio <= 1


def test_complex_matrices_are_refused():
    """A real part alone is no matrix that anybody asked about."""
    V = normal(2, 3)
    for pair, named in (((V, V + 1j), "W"), ((V + 0j, V), "V")):
        with pytest.raises(TypeError, match=f"{named} must be real; got complex128"):
            certificate("sphere_rows", *pair)
