"""*Deep structural weight normalization*, section 3: the properties of both measurements and of their gradients.

φ = Σ^{-1/2} V_C, neuron measurement W = φ G^{-1}, sparsity measurement W = sign(φ)(|φ| − θ)_+.  Each property returns
its worst ratio (≤ 1: holds); ``test_the_property_notices`` asks it of implementations made wrong on purpose.  Errors
of W and of gradients grow with κ = σ_1 / σ_n of V_C, with the largest column scale, and with 1 + η × (size of a group),
the norm that the Jacobian of the shrinkage can have.  Points at which an entry is within that error of its threshold,
or of zero, have no gradient to compare and are left out.

Longer than other files because properties, tests and planted faults are read side by side.
"""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from property_cases import (
    SETTINGS,
    Implementation,
    centred,
    errors,
    full_rank_points,
    in_format,
    in_pytorch,
    kappa,
    model,
    noticed,
    product,
    refuses,
    singular_values,
    worst,
)

from wnverify.methods.dswn_neuron_measurement import enclosure as neuron_enclosure
from wnverify.methods.dswn_neuron_measurement import reference as neuron
from wnverify.methods.dswn_neuron_measurement.pytorch import scale_neurons
from wnverify.methods.dswn_sparsity_measurement import enclosure as sparsity_enclosure
from wnverify.methods.dswn_sparsity_measurement import reference as sparsity
from wnverify.methods.dswn_sparsity_measurement.pytorch import shrink, sparsify_rows
from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.strategies import weights

SCALED = {"neuron": {"tau": 1.0, "epsilon": 1e-8}, "one letter": {"tau": 0.5, "epsilon": 0.5}}
SHRUNK = {
    "printed rows": {"eta": 0.125, "update": "printed", "group": "rows"},
    "printed columns": {"eta": 0.25, "update": "printed", "group": "columns"},
    "prox rows": {"eta": 0.125, "update": "prox", "group": "rows"},
    "prox columns": {"eta": 2.0, "update": "prox", "group": "columns"},
}
OPTIONS = {**SCALED, **SHRUNK}
BOTH_DTYPES = ("neuron", "printed rows", "prox columns")
KINDS = ("ordinary", "small_integers", "short_decimals", "one_row", "two_rows", "large_mean", "scaled", "scaled_rows")
SMOOTH = ("ordinary", "short_decimals", "large_mean", "scaled", "near_equal_singular_values", "equal_singular_values")
FEW = settings(SETTINGS, max_examples=8)
"""There are six sets of options, three implementations of each."""
points = functools.partial(full_rank_points, kinds=KINDS)


def of_options(name, form, dtype):
    reference, function = (neuron, scale_neurons) if name in SCALED else (sparsity, sparsify_rows)
    options = OPTIONS[name]
    if form == "pytorch":
        made = in_pytorch(functools.partial(function, **options), dtype)
    else:
        forward, vjp, jvp = (
            functools.partial(getattr(reference, part), **options) for part in ("forward", "vjp", "jvp")
        )
        made = Implementation("reference", dtype, forward, vjp, jvp)
    return dataclasses.replace(made, name=name)


def implementations(names):
    """NumPy, and PyTorch in float32, for every set of options; PyTorch in float64 for one of each kind."""
    forms = [("reference", "float64"), ("pytorch", "float32"), ("pytorch", "float64")]
    both = [(name, *form) for name in names for form in (forms if name in BOTH_DTYPES else forms[:2])]
    return pytest.mark.parametrize(
        "implementation", [of_options(*each) for each in both], ids=["-".join(each) for each in both]
    )


def conditioned(implementation, V):
    return model(implementation, sum(V.shape), kappa(V))


def steepness(implementation, V):
    """What the Jacobian of the shrinkage can have as its norm; 1 where nothing is shrunk."""
    options = OPTIONS[implementation.name]
    if "eta" not in options:
        return 1.0
    return 1 + options["eta"] * V.shape[1 if options["group"] == "rows" else 0]


def value_scale(implementation, V):
    """An upper bound of the entries of W, less what cancels."""
    if implementation.name in SHRUNK:
        return steepness(implementation, V)
    options = OPTIONS[implementation.name]
    return (2 * np.linalg.norm(centred(V), axis=0).max() + options["epsilon"]) / options["tau"]


def gradient_scale(implementation, V, A):
    """An upper bound of the gradient."""
    through_norms = 2 / OPTIONS[implementation.name]["tau"] if implementation.name in SCALED else 0.0
    return np.linalg.norm(A) * (value_scale(implementation, V) / singular_values(V)[-1] + through_norms)


def off_the_kinks(implementation, V):
    """Whether no entry of φ is so near to zero or to its threshold that rounding could move it across."""
    if implementation.name in SCALED:
        return True
    phi = orthogonal.forward(V)
    threshold, _ = sparsity.thresholds(phi, **OPTIONS[implementation.name])
    margin = 100 * conditioned(implementation, V).relative * steepness(implementation, V)
    away = np.abs(np.abs(phi) - threshold).min()
    return min(away, np.abs(phi).min()) > margin


def smooth_point(data, implementation, **sizes):
    """A point at which there is a gradient."""
    V, A = data.draw(points(implementation.dtype, kinds=SMOOTH, **sizes))
    assume(off_the_kinks(implementation, V))
    return V, A


def constraint(implementation, V, A):
    """W G² Wᵀ = I, G = diag(τ / (2 ‖column of V_C‖ + ε)) reckoned from V alone."""
    options, W = OPTIONS[implementation.name], implementation.forward(V)
    G = np.diag(options["tau"] / (2 * np.linalg.norm(centred(V), axis=0) + options["epsilon"]))
    residual = product(W, G, G, W.T, minus=np.eye(len(W)))
    return worst(residual, 1.0, conditioned(implementation, V))


def zero_sum_before_scaling(implementation, V, A):
    """W G 1 = 0: the rows of φ sum to zero, those of W need not."""
    options, W = OPTIONS[implementation.name], implementation.forward(V)
    g = options["tau"] / (2 * np.linalg.norm(centred(V), axis=0) + options["epsilon"])
    return worst(product(W, g[:, None]), V.shape[1] ** 0.5, conditioned(implementation, V))


def value_enclosed(implementation, V, A):
    """W within rounding of balls that hold the exact value."""
    exact = enclosed(implementation, "forward", V)
    return worst(
        errors(exact, implementation.forward(V)), value_scale(implementation, V), conditioned(implementation, V)
    )


def gradient_enclosed(implementation, V, A):
    """The gradient, the dependence of G or θ on V included, within rounding of balls that hold the exact one."""
    misses = errors(enclosed(implementation, "vjp", V, A), implementation.vjp(V, A))
    return worst(misses, gradient_scale(implementation, V, A), conditioned(implementation, V))


def enclosed(implementation, part, *given):
    enclosure = neuron_enclosure if implementation.name in SCALED else sparsity_enclosure
    return getattr(enclosure, part)(*given, **OPTIONS[implementation.name])


def gradient_zero_mean(implementation, V, A):
    """∂L/∂V · 1 = 0."""
    sums = product(implementation.vjp(V, A), np.ones((V.shape[1], 1)))
    scale = gradient_scale(implementation, V, A) * V.shape[1] ** 0.5
    return worst(sums, scale, model(implementation, V.shape[1]))


def euler(implementation, V, A):
    """⟨∂L/∂V, V⟩ is what scaling V does to ⟨A, W⟩: nothing for the sparsity measurement, which does not see scale, and
    ⟨A, W⟩ − (ε/τ) ⟨A, φ⟩ for the neuron measurement, whose scales grow with V.  Zero there too for a constant G."""
    inner = np.sum(implementation.vjp(V, A) * centred(V))
    expected = 0.0
    if implementation.name in SCALED:
        options = OPTIONS[implementation.name]
        expected = np.sum(
            A * (neuron.forward(V, **options) - options["epsilon"] / options["tau"] * orthogonal.forward(V))
        )
    scale = gradient_scale(implementation, V, A) * np.linalg.norm(centred(V))
    return worst([inner - expected], scale, conditioned(implementation, V))


def transposed(implementation, V, A):
    """⟨A, J E⟩ = ⟨Jᵀ A, E⟩ for E = V + I: forward mode against backward."""
    E = in_format(V / np.abs(V).max() + np.eye(*V.shape), implementation.dtype)
    miss = np.sum(A * implementation.jvp(V, E)) - np.sum(implementation.vjp(V, A) * E)
    each = conditioned(implementation, V)
    return worst([miss], gradient_scale(implementation, V, A) * np.linalg.norm(E), each + each)


def gradient_by_autograd(implementation, V, A):
    """The gradient as PyTorch's own operations give it, through a singular value decomposition: off ties only.

    Those divide by differences of λ = σ², which is what their condition is taken to be.
    """
    # Centred beforehand, exactly: where means are large, plain centring would be the less accurate of the two.
    leaf, options = torch.tensor(centred(V)).requires_grad_(), OPTIONS[implementation.name]
    X = leaf - leaf.mean(1, keepdim=True)
    U, s, Qt = torch.linalg.svd(X, full_matrices=False)
    W = U @ Qt
    if implementation.name in SCALED:
        W = W * (2 * torch.linalg.vector_norm(X, dim=0) + options["epsilon"]) / options["tau"]
    else:
        W = plainly_shrunk(W, **options)
    (G,) = torch.autograd.grad(W, leaf, torch.tensor(A))
    lam = s.detach().numpy() ** 2
    gap = np.abs(np.subtract.outer(lam, lam)[~np.eye(len(lam), dtype=bool)]).min(initial=lam[0])
    each = model(implementation, sum(V.shape), kappa(V) * lam[0] / gap)
    return worst(implementation.vjp(V, A) - G.numpy(), gradient_scale(implementation, V, A), each)


def plainly_shrunk(Y, eta, update, group):
    """The shrinkage in plain operations; for the proximal point the threshold by its fixed point, from below."""
    axis, size = (1 if group == "rows" else 0), Y.abs()
    if update == "printed":
        return Y.sign() * (size - eta * size.sum(axis, keepdim=True)).clamp(min=0)
    kept = torch.ones_like(size, dtype=torch.bool)
    for _ in range(size.shape[axis]):
        theta = eta * (size * kept).sum(axis, keepdim=True) / (1 + eta * kept.sum(axis, keepdim=True))
        kept = size > theta
    return Y.sign() * (size - theta) * kept


def away_from_ties(V):
    s = singular_values(V)
    return len(s) == 1 or bool((-np.diff(s) > 1e-2 * s[0]).all())


def optimal(implementation, V, A):
    """The subgradient of ½ ‖w − φ‖² + (η/2) Σ_g ‖w_g‖_1² at w holds zero: φ − w = η ‖w_g‖_1 s with s = sign(w) where
    w ≠ 0 and |s| ≤ 1 elsewhere.  The objective is strictly convex, so that only the proximal point has it."""
    options = OPTIONS[implementation.name]
    phi, W = orthogonal.forward(V), implementation.forward(V)
    level = options["eta"] * np.abs(W).sum(axis=1 if options["group"] == "rows" else 0, keepdims=True)
    on_support = np.abs(phi - W - level * np.sign(W)) * (W != 0)
    beside = np.maximum(np.abs(phi) - level, 0.0) * (W == 0)
    return worst(on_support + beside, steepness(implementation, V), conditioned(implementation, V))


def equation_8(implementation, V, A):
    """w = sign(φ) (|φ| − η ‖φ_g‖_1)_+, written out; fewer than 1/η entries of a group are kept."""
    options = OPTIONS[implementation.name]
    axis, phi, W = 1 if options["group"] == "rows" else 0, orthogonal.forward(V), implementation.forward(V)
    total = options["eta"] * np.abs(phi).sum(axis=axis, keepdims=True)
    expected = np.where(phi > total, phi - total, np.where(phi < -total, phi + total, 0.0))
    if ((W != 0).sum(axis=axis) * options["eta"] >= 1).any():
        return np.inf
    return worst(W - expected, steepness(implementation, V), conditioned(implementation, V))


def sparser(implementation, V, A):
    """|w| ≤ |φ| entry by entry, no sign changed."""
    phi, W = orthogonal.forward(V), implementation.forward(V)
    excess = np.maximum(np.abs(W) - np.abs(phi), 0.0) + np.where(W * phi < 0, np.abs(W), 0.0)
    return worst(excess, steepness(implementation, V), conditioned(implementation, V))


def same(implementation, V, moved, condition, back=None, sign=1.0):
    """The ratio of f(moved) to ± f(V), or to f(V) with rows in another order."""
    each = model(implementation, sum(V.shape), condition)
    W = sign * implementation.forward(V)
    W = W if back is None else W[back]
    return worst(implementation.forward(moved) - W, value_scale(implementation, V), each + each)


def invariant(implementation, V, A):
    """f(V + c 1ᵀ) = f(V), f(−V) = −f(V), f(ΠV) = Π f(V), and for the sparsity measurement f(a V) = f(V)."""
    moved = in_format(V + 2 * np.abs(V).max(axis=1, keepdims=True), implementation.dtype)
    condition = max(np.linalg.norm(V), np.linalg.norm(moved)) / singular_values(V)[-1]
    order = np.arange(len(V))[::-1]
    found = [
        same(implementation, V, moved, condition),
        same(implementation, V, -V, kappa(V), sign=-1.0),
        same(implementation, V, V[order], kappa(V), back=order),
    ]
    if implementation.name in SHRUNK:
        found += [same(implementation, V, 2.0**10 * V, kappa(V)), same(implementation, V, V / 8, kappa(V))]
    return max(found)


every = implementations(OPTIONS)
every_scaled = implementations(SCALED)
every_shrunk = implementations(SHRUNK)


@every_scaled
@FEW
@given(data=st.data())
def test_the_constraint_of_equation_2(implementation, data):
    """W G² Wᵀ = I and W G 1 = 0 with the G of equation 9, wherever W is defined."""
    V, A = data.draw(points(implementation.dtype))
    assert constraint(implementation, V, A) <= 1
    assert zero_sum_before_scaling(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_value_against_the_enclosure(implementation, data):
    """W is the exact value to rounding times κ(V_C)."""
    V, A = smooth_point(data, implementation, max_n=3, max_d=6)
    assert value_enclosed(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_gradient_against_the_enclosure(implementation, data):
    """The gradient is the complete one, through G and θ as well, to rounding times κ(V_C)."""
    V, A = smooth_point(data, implementation, max_n=3, max_d=6)
    assert gradient_enclosed(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_gradient_against_automatic_differentiation(implementation, data):
    """The analytic backward agrees with PyTorch's operations, differentiated one by one, away from ties."""
    V, A = smooth_point(data, implementation)
    assume(away_from_ties(V))
    assert gradient_by_autograd(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_the_gradient_has_zero_mean(implementation, data):
    """Every row of ∂L/∂V sums to zero, whatever the condition of V."""
    assert gradient_zero_mean(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@FEW
@given(data=st.data())
def test_what_the_gradient_is_orthogonal_to(implementation, data):
    """⟨∂L/∂V, V_C⟩ is what the degree of the map in V makes it."""
    V, A = smooth_point(data, implementation)
    assert euler(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_forward_mode_is_the_transpose_of_backward_mode(implementation, data):
    """⟨A, J E⟩ = ⟨Jᵀ A, E⟩."""
    V, A = smooth_point(data, implementation)
    assert transposed(implementation, V, A) <= 1


@every
@FEW
@given(data=st.data())
def test_invariances(implementation, data):
    """Shifts of rows and (sparsity measurement) the scale of V do not matter; signs and order of rows pass through."""
    assert invariant(implementation, *data.draw(points(implementation.dtype))) <= 1


@implementations([name for name in SHRUNK if name.startswith("prox")])
@FEW
@given(data=st.data())
def test_the_proximal_point_is_optimal(implementation, data):
    """W minimises ½ ‖w − φ‖² + η ES(w), by the condition that only the minimiser meets."""
    V, A = data.draw(points(implementation.dtype))
    assert optimal(implementation, V, A) <= 1
    assert sparser(implementation, V, A) <= 1


@implementations([name for name in SHRUNK if name.startswith("printed")])
@FEW
@given(data=st.data())
def test_equation_8_as_printed(implementation, data):
    """W is equation 8 and keeps fewer than 1/η entries of each group."""
    V, A = data.draw(points(implementation.dtype))
    assert equation_8(implementation, V, A) <= 1
    assert sparser(implementation, V, A) <= 1


@SETTINGS
@given(data=st.data(), eta=st.sampled_from([0.0, 2.0**-6, 0.25, 1.0, 8.0]), group=st.sampled_from(sparsity.GROUPS))
def test_the_shrinkage_by_itself(data, eta, group):
    """For any matrix, ties, zeros and single entries included, both updates give the same in NumPy and PyTorch, and the
    proximal point has no higher objective than equation 8, nor than the matrix shrunk a little more or less."""
    Y = data.draw(weights(dtype="float64", scales=(1e-3, 1e3)))
    axis = 1 if group == "rows" else 0
    each = model(IN_FLOAT64, max(Y.shape), 1 + eta * max(Y.shape))
    size = np.abs(Y).sum() or 1.0
    found = {}
    for update in sparsity.UPDATES:
        found[update] = sparsity.shrink(Y, eta=eta, update=update, group=group)
        other = shrink(torch.tensor(Y), eta=eta, update=update, group=group).numpy()
        assert worst(found[update] - other, size, each) <= 1

    def objective(W):
        return 0.5 * np.sum((W - Y) ** 2) + 0.5 * eta * np.sum(np.abs(W).sum(axis=axis) ** 2)

    best = found["prox"]
    others = [found["printed"], best * (1 + 2.0**-8), best * (1 - 2.0**-8), best + 2.0**-8 * (Y - best)]
    gains = [max(0.0, objective(best) - objective(W)) for W in others]
    assert worst(gains, size**2, each) <= 1


IN_FLOAT64 = of_options("prox rows", "reference", "float64")


@every
@FEW
@given(data=st.data())
def test_rank_deficient_weights_are_refused(implementation, data):
    """Where V_C has rank below n, so always for n > d − 1, a ``ValueError`` names shape and rank; never NaN."""
    kinds = ["rank_deficient", "zero_row", "constant_row", "tall", "one_column"]
    V = data.draw(weights(kinds=kinds, dtype=implementation.dtype))
    assert refuses(implementation, V)


def altered(name, **parts):
    """The reference with these options, some of its parts made wrong."""
    return dataclasses.replace(of_options(name, "reference", "float64"), **parts)


def scaled(V, power=1.0, factor=2.0, epsilon=1e-8, of=centred):
    return orthogonal.forward(V) * (factor * np.linalg.norm(of(V), axis=0) ** power + epsilon)


def shrunk(V, eta=0.125, update="printed", axis="rows"):
    return sparsity.shrink(orthogonal.forward(V), eta=eta, update=update, group=axis)


def whole_matrix(V):
    """One group of everything."""
    phi = orthogonal.forward(V)
    return np.sign(phi) * np.maximum(np.abs(phi) - 0.125 * np.abs(phi).sum(), 0.0)


def constant_threshold(V, A):
    """The gradient with θ held constant."""
    phi, D, s = orthogonal.factors(V)
    return orthogonal.pulled_back(phi, D, s, A * (np.abs(phi) > 0.125 * np.abs(phi).sum(axis=1, keepdims=True)))


def with_gaps(V, A):
    """The mended equations 11 and 12, infinite where eigenvalues are equal."""
    try:
        return neuron.repaired_backward(V, A)
    except ValueError:
        return np.full(V.shape, np.inf)


def uncentred(V, A):
    return neuron.vjp(V, A) + A.mean(axis=1, keepdims=True)


WRONG = {
    "multiplied by G": altered(
        "neuron", forward=lambda V: orthogonal.forward(V) / (2 * np.linalg.norm(centred(V), axis=0) + 1e-8)
    ),
    "without the 2": altered("neuron", forward=lambda V: scaled(V, factor=1.0)),
    "squared norms": altered("neuron", forward=lambda V: scaled(V, power=2.0)),
    "norms of V": altered("neuron", forward=lambda V: scaled(V, of=np.asarray)),
    "rows scaled": altered(
        "neuron", forward=lambda V: orthogonal.forward(V) * (2 * np.linalg.norm(centred(V), axis=1)[:, None])
    ),
    "constant G": altered("neuron", vjp=with_gaps),
    "printed backward": altered("neuron", vjp=lambda V, A: neuron.printed_backward(V, A)),
    "gradient not centred": altered("neuron", vjp=uncentred),
    "gradient doubled": altered("neuron", vjp=lambda V, A: 2 * neuron.vjp(V, A)),
    "jvp without norms": altered(
        "neuron", jvp=lambda V, E: orthogonal.jvp(V, E) * neuron.column_scales(V, tau=1.0, epsilon=1e-8)
    ),
    "equation 8 for the minimiser": altered("prox rows", forward=shrunk),
    "half of η": altered("prox rows", forward=lambda V: shrunk(V, 0.0625, "prox")),
    "columns for rows": altered("prox rows", forward=lambda V: shrunk(V, update="prox", axis="columns")),
    "nothing shrunk": altered("prox rows", forward=orthogonal.forward),
    "negated": altered("prox rows", forward=lambda V: -shrunk(V, update="prox")),
    "the minimiser for equation 8": altered("printed rows", forward=lambda V: shrunk(V, update="prox")),
    "one group": altered("printed rows", forward=whole_matrix),
    "scale of V in the threshold": altered("printed rows", forward=lambda V: shrunk(V, eta=0.125 / np.linalg.norm(V))),
    "constant threshold": altered("printed rows", vjp=constant_threshold),
    "printed penalty backward": altered("printed rows", vjp=lambda V, A: sparsity.printed_backward(V, A, eta=0.125)),
}
NOTICES = [
    (constraint, "multiplied by G"),
    (constraint, "without the 2"),
    (constraint, "squared norms"),
    (constraint, "norms of V"),
    (constraint, "rows scaled"),
    (zero_sum_before_scaling, "rows scaled"),
    (zero_sum_before_scaling, "squared norms"),
    (value_enclosed, "without the 2"),
    (value_enclosed, "half of η"),
    (value_enclosed, "one group"),
    (gradient_enclosed, "constant G"),
    (gradient_enclosed, "gradient doubled"),
    (gradient_enclosed, "printed backward"),
    (gradient_enclosed, "constant threshold"),
    (gradient_enclosed, "printed penalty backward"),
    (gradient_by_autograd, "constant G"),
    (gradient_by_autograd, "constant threshold"),
    (gradient_zero_mean, "gradient not centred"),
    (gradient_zero_mean, "printed backward"),
    (euler, "constant G"),
    (euler, "gradient doubled"),
    (transposed, "jvp without norms"),
    (transposed, "gradient doubled"),
    (invariant, "norms of V"),
    (invariant, "scale of V in the threshold"),
    (optimal, "equation 8 for the minimiser"),
    (optimal, "half of η"),
    (optimal, "columns for rows"),
    (optimal, "nothing shrunk"),
    (sparser, "negated"),
    (equation_8, "the minimiser for equation 8"),
    (equation_8, "one group"),
]


@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by a map or gradient made wrong on purpose."""
    implementation = WRONG[wrong]

    def judge(point):
        smooth = off_the_kinks(implementation, point[0]) and away_from_ties(point[0])
        return holds(implementation, *point) if smooth else 0.0

    V, _ = noticed(judge, points("float64", kinds=["ordinary", "short_decimals"], max_n=3, max_d=6))
    assert np.isfinite(V).all()


def test_silence_at_a_lost_rank_is_noticed():
    """Something finite where the rank is lost is no refusal."""
    finite = altered("neuron", forward=np.asarray, vjp=lambda V, A: A)
    assert not refuses(finite, np.array([[1.0, 2.0, 4.0], [2.0, 4.0, 8.0]]))
