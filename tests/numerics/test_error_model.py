"""Error models against many draws: what is right is within, what loses digits above, and a loose model is called so."""

import dataclasses

import numpy as np
import pytest
import torch

from wnverify.finding import Finding, Verdict, decode_array, dumps
from wnverify.methods.newton_schulz.pytorch import newton_schulz_rows
from wnverify.methods.weight_normalization.pytorch import normalize_rows
from wnverify.numerics import batches, matrices
from wnverify.numerics.batches import Allowed, Batch
from wnverify.numerics.generators import drawn
from wnverify.numerics.judge import subject_of, subjects_of
from wnverify.numerics.matrices import Typed
from wnverify.numerics.observing import Observer
from wnverify.numerics.sensitivity import SAFETY
from wnverify.numerics.validation import judged, upper_bound, validated

PLAIN, CENTRED, ORTHOGONAL = (
    "weight_normalization",
    "centred_weight_normalization",
    "orthogonal_weight_normalization",
)
DRAWS = 128
PAIRS = (("value", "float64"), ("value", "float32"), ("gradient", "float32"))
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def given(method, implementation):
    """The first map of a method with this implementation in the place of its own."""
    return subject_of(method, 0, True, implementation)


def scaled(factor):
    """The narrow model with all that it allows times ``factor``."""

    class Scaled(Batch):
        def of_value(self):
            allowed = super().of_value()
            return Allowed(allowed.relative * factor, allowed.scale, allowed.condition)

    return Scaled


@pytest.mark.parametrize("method", [PLAIN, "weight_standardization", "soft_orthogonality"])
def test_the_models_of_the_house_are_kept(method):
    """No draw is above 1, the loss is seen, the worst draw and the upper bound are stated, and JSON holds it all."""
    found = [judged(subject_of(method, 0, True), what, dtype, DRAWS) for what, dtype in PAIRS]
    for finding in found:
        route = finding.routes[0]
        assert route.ratio <= 1, finding
        assert route.figures["above_one"] == 0, finding
        assert finding.verdict is (Verdict.PASS if seen_often(route) else Verdict.INCONCLUSIVE), finding
        assert route.figures["draws"] >= DRAWS
        assert route.figures["exceedance_95"] == upper_bound(0, route.figures["draws"])
        assert route.figures["seen_at_ten_times_modelled"] > 0.5
        assert set(finding.witness) == ({"V"} if finding.check == "error_model.value" else {"V", "A"})
    text = dumps([finding.to_json() for finding in found])
    assert text == dumps([Finding.from_json(finding.to_json()).to_json() for finding in found])


def seen_often(route):
    return round(route.figures["seen_in_coarse_arithmetic"] * route.figures["draws"]) >= 3


def test_a_second_run_gives_the_same_bytes():
    """The seed fixes every draw, and the witness is the draw at which the ratio was seen."""
    first, again = (judged(subject_of(PLAIN, 3, True), "value", "float32", DRAWS) for _ in range(2))
    assert dumps(first.to_json()) == dumps(again.to_json())
    subject = subject_of(PLAIN, 3, True)
    V = decode_array(first.witness["V"])
    error = subject.value(V, "float32") - subject.map.reference(V)
    assert subject.model.value(Typed("worst", V, V), error, "float32").value == first.routes[0].ratio


def test_every_map_and_dtype_has_a_finding_of_its_own():
    """A constraint has value, gradient and transform, a penalty its proximal operator; options have their own ids."""
    found = validated("gradient_centralization", quick=True, draws=20)
    assert {finding.check for finding in found} == {
        "error_model.value",
        "error_model.gradient",
        "error_model.transform",
    }
    assert len({finding.id for finding in found}) == len(found) == 6
    options = validated("weight_decay", quick=True, draws=20)
    assert {finding.check for finding in options} == {
        "error_model.value",
        "error_model.gradient",
        "error_model.prox",
    }
    assert any(finding.id.endswith("float32,convention=half") for finding in options)
    assert len({finding.id for finding in options}) == len(options)


def one_entry(V):
    W = normalize_rows(V)
    off = torch.zeros_like(W)
    off[..., 0, 0] = 1e-3
    return W + off


def naive_variance(V):
    """v − mean over the norm by ⟨v, v⟩ − d mean²: cancels where the mean is large."""
    mean = V.mean(-1, keepdim=True)
    return (V - mean) / ((V * V).sum(-1, keepdim=True) - V.shape[-1] * mean * mean).sqrt()


def by_gram(V):
    X = V - V.mean(-1, keepdim=True)
    lam, D = torch.linalg.eigh(X @ X.mT)
    return (D / lam.sqrt().unsqueeze(-2)) @ D.mT @ X


WRONG = {
    "one wrong entry": (PLAIN, one_entry, "float64", 1e6),
    "one wrong entry in float32": (PLAIN, one_entry, "float32", 100),
    "float32 inside float64": (PLAIN, lambda V: normalize_rows(V.float()).to(V.dtype), "float64", 1e6),
    "a naive variance in float32": (CENTRED, naive_variance, "float32", 30),
    "the Gram matrix at high condition": (ORTHOGONAL, by_gram, "float32", 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_loses_digits_is_above_the_model(name):
    """Each planted fault has a ratio well above 1, fails or is a hazard, and is not called a loose model."""
    method, implementation, dtype, least = WRONG[name]
    found = judged(given(method, implementation), "value", dtype, DRAWS)
    assert found.verdict in (Verdict.FAIL, Verdict.HAZARD)
    assert found.routes[0].ratio > least
    figures = found.routes[0].figures
    assert figures["exceedance_95"] >= figures["above_one"] / figures["draws"] > 0


def test_float32_inside_float64_is_sound_in_float32():
    """The same implementation keeps the float32 model: the fault is of one dtype."""
    found = judged(given(PLAIN, lambda V: normalize_rows(V.float()).to(V.dtype)), "value", "float32", DRAWS)
    assert found.verdict is Verdict.PASS


def test_a_wrong_gradient_is_above_the_model():
    """A gradient without its projection fails, where its value passes."""

    class Wrong(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(V):
            return V / V.norm(dim=-1, keepdim=True)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])

        @staticmethod
        def backward(ctx, A):
            return A / ctx.saved_tensors[0].norm(dim=-1, keepdim=True)

    subject = given(PLAIN, Wrong.apply)
    assert judged(subject, "gradient", "float64", DRAWS).verdict is Verdict.FAIL


def test_what_raises_inside_the_domain_is_a_failure_that_names_the_draw():
    """One shape that is refused is found among many, also where all are asked at once."""

    def refuses(V):
        if V.shape[-2:] == (2, 3):
            raise IndexError("two rows")
        return normalize_rows(V)

    found = judged(given(PLAIN, refuses), "value", "float64", DRAWS)
    assert found.verdict is Verdict.FAIL
    assert "2x3" in found.message
    assert "IndexError: two rows" in found.message


def test_an_implementation_that_cannot_be_mapped_is_called_one_by_one():
    """A form that looks at a number is no failure: it is asked matrix by matrix."""

    def looks(V):
        if float(V.detach().abs().max()) < 0:
            raise AssertionError
        return normalize_rows(V)

    found = judged(given(PLAIN, looks), "value", "float64", 100)
    assert found.verdict is Verdict.PASS


@dtypes
def test_a_model_that_allows_too_much_is_inconclusive(dtype):
    """Fifty times what is allowed passes a tenfold loss at every draw: that is not called a pass."""
    subject = subject_of(PLAIN, 0, True)
    found = judged(subject, "value", dtype, DRAWS, scaled(50))
    assert found.verdict is Verdict.INCONCLUSIVE
    figures = found.routes[0].figures
    assert figures["seen_in_coarse_arithmetic"] == figures["seen_at_ten_times_observed"] == 0
    assert "too loose" in found.message


@dtypes
def test_a_model_that_allows_too_little_is_refuted(dtype):
    """A twentieth of what is allowed is exceeded, and the exceedance is bounded from above."""

    class Tight:
        """The judging model with a twentieth of what it allows."""

        def __init__(self, model):
            self.model, self.mixes = model, model.mixes

        def __getattr__(self, name):
            return getattr(self.model, name)

        def value(self, case, error, dtype):
            ratio = self.model.value(case, error, dtype)
            return dataclasses.replace(ratio, error=20 * ratio.error)

    subject = subject_of("weight_standardization", 0, True)
    subject = dataclasses.replace(subject, model=Tight(subject.model))
    found = judged(subject, "value", dtype, DRAWS, scaled(0.05))
    assert found.verdict in (Verdict.HAZARD, Verdict.FAIL)
    assert found.routes[0].ratio > 1
    assert found.routes[0].figures["above_one"] > 0


@pytest.mark.parametrize("method", [PLAIN, ORTHOGONAL, "weight_standardization", "qr_orthogonalization", "l1_penalty"])
def test_the_narrow_model_is_the_judging_one_without_its_safety(method):
    """At single matrices the model by whole Jacobians allows as much as ``sensitivity``, up to its factor of safety."""
    subject = subject_of(method, 0, True)
    V, A = drawn("random", 6, 3, 5, seed=1), drawn("random", 6, 3, 5, seed=2)
    W = np.stack([subject.map.reference(one) for one in V])
    A = A if W.shape == A.shape else A[:, :1, :1]
    batch = Batch(subject, V, A, W, "float64")
    for gradient, allowed in ((False, batch.of_value()), (True, batch.of_gradient())):
        error = np.ones(V.shape if gradient else W.shape)
        narrow = batch.ratios(error, allowed, gradient=gradient)
        of = subject.model.gradient if gradient else subject.model.value
        judging = [of(Typed("", V[k], A[k]), error[k], "float64").value for k in range(6)]
        wider = narrow / np.array(judging)
        assert (wider >= 0.97).all(), wider
        assert (wider <= 1.05 * SAFETY**2).all(), wider


@dtypes
def test_the_inputs_of_coarse_arithmetic_stay(dtype):
    """A constraint that lets the weight be has no error and loses nothing, in float32 as in float64."""
    found = judged(subject_of("gradient_centralization", 0, True), "value", dtype, 30)
    assert found.verdict is Verdict.PASS
    assert found.message.startswith("property search: every operation is exact")


def test_many_at_once_are_the_same_as_one_by_one():
    """Values and gradients of a batch are those of single calls, to a rounding of each stored result."""
    for dtype in ("float64", "float32"):
        subject = subject_of("newton_schulz", 0, True)
        V, A = (drawn("random", 5, 3, 4, seed=seed, dtype=dtype) for seed in (1, 2))
        found, raised = batches.values(newton_schulz_rows, V, dtype, (3, 4))
        pulled, also = batches.gradients(newton_schulz_rows, V, A, dtype)
        assert not raised
        assert not also
        for k in range(5):
            case = Typed("", V[k], A[k])
            assert subject.model.value(case, found[k] - subject.value(V[k], dtype), dtype).value <= 1
            assert subject.model.gradient(case, pulled[k] - subject.gradient(V[k], A[k], dtype), dtype).value <= 1


def test_where_no_loss_is_seen_more_draws_are_asked():
    """A model too loose for the draws is asked at four times as many before it is called so; one that sees is not."""
    subject = subject_of(PLAIN, 0, True)
    loose, kept = (judged(subject, "value", "float32", DRAWS, model) for model in (scaled(50), Batch))
    assert loose.routes[0].figures["draws"] >= 4 * DRAWS
    assert kept.routes[0].figures["draws"] < 4 * DRAWS


FORMATS = ("float32", "float64")
IN_DOUBLE = ("group_lasso", "norm_loss", "spectral_norm_regularization", "spectral_restricted_isometry")


@pytest.mark.parametrize("method", IN_DOUBLE)
def test_a_form_that_sums_in_float64_is_allowed_no_float32_sums(method):
    """In float32 the model has the results alone; a float32 sum or decomposition in their place is seen, or said."""
    found = judged(subject_of(method, 0, True), "value", "float32", 3 * DRAWS)
    assert found.verdict is Verdict.PASS
    assert "accumulated with u_a = 1.11e-16" in found.routes[0].model
    one = np.ones((1, 3, 5))
    float32, float64 = (Batch(subject_of(method, 0, True), one, one, one[:, :1, :1], name) for name in FORMATS)
    assert float32.stored("value") == 4 <= float64.stored("value")
    assert 0 < float32._per_condition("value") * 2**24 < 1.001 < float64._per_condition("value") * 2**53


def test_the_estimate_of_the_isometry_is_in_the_dtype_itself():
    """With ``iterations`` nothing is decomposed in float64, and its model says so."""
    subjects = {s.form.said: s for s in subjects_of("spectral_restricted_isometry", 0, True)}
    one = np.ones((1, 3, 5))
    batch = Batch(subjects["iterations=2"], one, one, one[:, :1, :1], "float32")
    assert batch.stored("value") == 32
    assert batch._per_condition("value") * 2**24 > 5


@pytest.mark.parametrize("method", ["l1_penalty", "weight_decay"])
def test_a_map_of_single_entries_is_allowed_no_sum(method):
    """The gradient and the proximal operator have no term in d, the value has."""
    prox = next(s for s in subjects_of(method, 0, True) if s.map.name == "prox")
    value, one = subject_of(method, 0, True), np.ones((1, 3, 50))
    of_prox = Batch(prox, one, one, one, "float64")._per_condition("value")
    batch = Batch(value, one, one, one[:, :1, :1], "float64")
    assert of_prox == batch._per_condition("gradient")
    assert of_prox * 2**53 == pytest.approx(2, rel=1e-6)
    assert batch._per_condition("value") > 40 * 2.0**-53


def test_a_sum_over_w_and_g_is_over_the_rows_of_one_of_them():
    """The matrix of a transform is W above G: no sum runs through both."""
    transform = next(s for s in subjects_of("stiefel_layer", 0, True) if s.map.name == "transform")
    V, W = np.ones((1, 12, 3)), np.ones((1, 6, 3))
    assert Batch(transform, V, W, W, "float64")._per_condition("value") * 2**53 == pytest.approx(7, rel=1e-6)
    model = transform.model
    case = Typed("", matrices.normal(12, 3, seed=1), np.ones((6, 3)))
    assert "γ̃_6" in model.value(case, np.ones((6, 3)), "float64").model.text


def test_a_wide_ball_decides_where_it_proves_the_error_small():
    """A reference off by 160 u is no fault of the implementation: the balls are too wide to judge by, yet say so."""
    subject = subject_of("spectral_restricted_isometry", 0, True)
    V = drawn("large mean", 4, 3, 5, seed=3961939047439590169, dtype="float64", condition=1e3)[3]
    A = np.array([[-1.21349198]])
    observer = Observer(subject, "gradient", "float64")
    batch = Batch(subject, V[None], A[None], subject.map.reference(V)[None], "float64")
    allowed, found = batch.of_gradient(), subject.gradient(V, A, "float64")
    by_reference = float(batch.ratios((found - subject.map.vjp(V, A))[None], allowed, gradient=True)[0])
    case = Typed("", V, A)
    bound = observer._proved(batch, allowed, case, 0, found, by_reference)
    assert by_reference > 0.5
    assert bound is not None
    assert float(batch.ratios(bound[None], allowed, gradient=True)[0]) < 0.1
    assert observer._proved(batch, allowed, case, 0, found, 0.0) is None


def test_a_map_that_rounds_nothing_passes_and_says_so():
    """No error, and none in coarse arithmetic either, is no loose model; a map that rounds without error is not so."""
    subject = subject_of(PLAIN, 0, True)

    def found(of):
        known = dataclasses.replace(subject.map, reference=lambda V: 0 * V + 4.0, implementation=of)
        return judged(dataclasses.replace(subject, map=known), "value", "float32", DRAWS)

    exact = found(lambda V: torch.full_like(V, 4.0))
    assert exact.verdict is Verdict.PASS
    assert exact.message.startswith("property search: every operation is exact")
    assert "every operation is exact" not in found(lambda V: (V * 0.1 - V * 0.1) + 4.0 * (1 + 2.0**-20)).message


WITNESSES = {
    "dswn_neuron_measurement": ("one large", 16, (2, 3), 1e5, 4765710542083880706, "float32"),
    "newton_schulz": ("graded rows", 32, (3, 2), 10.0, 7793723301530405351, "float32"),
    "newton_orthogonalization": ("graded rows", 32, (2, 2), 100.0, 3564194372790951315, "float64"),
}


@pytest.mark.parametrize("method", WITNESSES)
def test_what_was_above_the_model_is_within(method):
    """The draws that were above: an ill-conditioned Gram matrix, and iterations that carry their errors on."""
    generator, count, shape, condition, seed, dtype = WITNESSES[method]
    subject = subject_of(method, 0, True)
    decided = 0
    for one in drawn(generator, count, *shape, seed, dtype, condition):
        case = subject.fit(Typed("", one, one), dtype)
        if case is not None and subject.model.excused(case, dtype) < 0.1:
            error = subject.value(one, dtype) - subject.map.reference(one)
            assert subject.model.value(case, error, dtype).value <= 1
            decided += 1
    assert decided > count / 2


def test_the_bound_of_the_exceedance_is_clopper_and_pearson_s():
    """Nothing seen in N draws leaves 3 / N, all seen leaves 1, and the bound lies above the share."""
    assert upper_bound(0, 1000) == pytest.approx(1 - 0.05 ** (1 / 1000), rel=1e-9)
    assert upper_bound(10, 10) == 1.0
    assert 0.01 < upper_bound(10, 1000) < 0.02


def test_no_draws_are_refused():
    """A number of draws below 1, and an unknown method, are errors that say what came."""
    with pytest.raises(ValueError, match="draws must be at least 1; got 0"):
        validated(PLAIN, draws=0)
    with pytest.raises(ValueError, match="method_id must be one of"):
        validated("wn")


def test_a_penalty_on_outputs_has_no_model_of_a_weight():
    """A method without a map of the weight alone has no findings."""
    assert subjects_of("jacobian_norm", 0, True) == [] == validated("jacobian_norm", quick=True)
