"""The error models that are measured on a reference: against known derivatives, and what they let pass or not."""

import dataclasses
import doctest
import math

import numpy as np
import pytest
import torch

from wnverify.finding import Verdict, seed_of
from wnverify.methods.catalogue import settings_of
from wnverify.numerics import forms as forms_module
from wnverify.numerics import matrices
from wnverify.numerics.agreement import backward, forward
from wnverify.numerics.edges import undefined
from wnverify.numerics.forms import Form, forms, judged
from wnverify.numerics.judge import subject_of, subjects_of
from wnverify.numerics.matrices import Typed
from wnverify.numerics.sensitivity import SAFETY, Generic

KNOWN = sorted(matrices.ANALYTIC)
GENERIC = [method.id for method in judged() if method.id not in KNOWN and Form(method).maps()]


def generic(method_id):
    """The model that is measured, for a method whose condition numbers are known."""
    return Generic(subject_of(method_id, 0, True).map, 0, method_id)


def case(*shape, shift=0.5):
    V, A = (matrices.normal(*shape, seed=seed_of("sensitivity", shape, k)) for k in range(2))
    return Typed(str(shape), V + shift, A)


@pytest.mark.parametrize("method", KNOWN)
def test_measured_condition_numbers_are_the_known_ones(method):
    """σ is 1/σ_n of the block and no condition number of a polar factor is missed by more than the safety factor."""
    one, model = case(3, 6), generic(method)
    at = model.at(one, "float64")
    sigma, _ = matrices.smallest(method, one.V)
    assert model.mixes == (method in matrices.MIXES)
    found = at.sigma / (at.unit.max() if model.mixes else at.unit)
    assert (np.abs(found * sigma - 1) < 0.3).all()
    assert (found * sigma * SAFETY >= 1).all()


@pytest.mark.parametrize("method", KNOWN)
def test_small_jacobians_are_built_whole(method):
    """Up to sixteen entries σ is 1/σ_n itself and needs no factor of safety; above it does."""
    model = generic(method)
    for shape, safety in (((2, 5), 1.0), ((3, 6), SAFETY)):
        one = case(*shape)
        at = model.at(one, "float64")
        sigma, _ = matrices.smallest(method, one.V)
        steep = at.steep / (at.unit.max() if model.mixes else at.unit) * sigma
        assert at.safety == safety
        if safety == 1.0:
            assert steep == pytest.approx(np.ones(steep.shape), rel=1e-9)
        else:
            assert (steep >= 1).all()


def test_where_no_balls_are_the_error_of_the_reference_is_allowed_for():
    """In float64 a difference has that of both sides in it; in float32 the reference has none to speak of."""
    subjects = {subject.form.said: subject for subject in subjects_of("spectral_restricted_isometry", 0, True)}
    one = case(2, 5)
    one = dataclasses.replace(one, A=one.A[:1, :1])
    assert subjects["iterations=2"].map.ball_vjp is None
    allowed = (("iterations=2", "float64", SAFETY), ("iterations=2", "float32", 1.0), ("", "float64", 1.0))
    for said, dtype, safety in allowed:
        assert subjects[said].model.at(one, dtype).safety == safety


def test_with_and_without_a_vjp_a_row_is_judged_by_its_own_derivative():
    """Rows of unlike size keep their own σ, where rows stand alone."""
    subject = subject_of("weight_standardization", 0, True)
    one = case(3, 4)
    one = dataclasses.replace(one, V=one.V * [[1.0], [1e-2], [1e3]])
    for of in (subject.map, dataclasses.replace(subject.map, vjp=None)):
        together = Generic(of, 0).at(one, "float64")
        rows = [Generic(of, 0).at(Typed("", one.V[i : i + 1], one.A[i : i + 1]), "float64") for i in range(3)]
        assert together.safety == 1.0
        assert together.sigma == pytest.approx(np.concatenate([row.sigma for row in rows]), rel=1e-6)


@pytest.mark.parametrize("method", KNOWN)
def test_measured_models_excuse_little_more_than_the_known_ones(method):
    """What is measured excuses at most four times what is known in closed form, and never less than half of it."""
    known = subject_of(method, 0, True).model
    for shape in ((3, 6), (4, 9), (2, 12)):
        one, model = case(*shape), generic(method)
        for dtype in ("float64", "float32"):
            assert 0.5 <= model.excused(one, dtype) / known.excused(one, dtype) <= 4
            assert 0.5 <= model.excused_gradient(one, dtype) / known.excused_gradient(one, dtype) <= 4


@pytest.mark.parametrize("method", KNOWN)
@pytest.mark.parametrize("exponent", [-300, 300])
def test_scale_changes_no_condition_number(method, exponent):
    """At the ends of the range the models are those of the same matrix in the middle."""
    model, one = generic(method), case(3, 6)
    far = dataclasses.replace(one, V=np.ldexp(one.V, exponent))
    assert model.excused(one, "float64") == pytest.approx(model.excused(far, "float64"), rel=1e-6)
    assert model.excused_gradient(one, "float64") == pytest.approx(model.excused_gradient(far, "float64"), rel=1e-6)


def test_a_narrow_shape_hides_no_factor():
    """With n = d − 1 the value hardly moves, yet a backward divides by the smallest singular value: seen."""
    V = matrices.with_singular_values([1.0, 1e-3], 3, seed=1)
    narrow = Typed("narrow", V, matrices.normal(2, 3, seed=2))
    model = generic("orthogonal_weight_normalization")
    moves = float(model.at(narrow, "float64").sigma.max())
    assert moves * 1e-3 < 0.1
    assert float(model.largest_gradient(narrow, "float64").max()) * 1e-3 >= np.linalg.norm(narrow.A) / 2


def test_a_kink_within_reach_decides_nothing():
    """At equal largest singular values the spectral norm has no derivative: its gradient is excused everything."""
    V = 2 * matrices.frame(3, 6, 3)
    tied = Typed("tied", V, matrices.normal(3, 6, seed=1))
    model = generic("spectral_normalization")
    assert model.excused_gradient(tied, "float64") == math.inf
    assert model.excused(tied, "float64") < 1e-13
    assert model.excused_gradient(case(3, 6), "float64") < 1e-12


def wrong_value(of, size):
    """The map with a relative error of ``size`` in every entry, in value and gradient alike."""

    def wrong(V):
        W = of(V)
        generator = torch.Generator().manual_seed(5)
        noise = torch.empty(W.shape, dtype=torch.float64).uniform_(-1, 1, generator=generator).sign()
        return (W * (1 + size * noise)).to(W.dtype)

    return wrong


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", GENERIC)
def test_a_tenfold_loss_of_accuracy_is_noticed(method, dtype):
    """Ten times the error that the map's condition number excuses at an ordinary point is not passed."""
    subject = subject_of(method, 0, True)
    typed = [one for one in subject.cases(dtype) if one.name.startswith("generic")]
    least = min(subject.model.excused(one, dtype) for one in typed)
    found = with_implementation(subject, wrong_value(subject.map.implementation, 10 * least))
    assert forward(subject, dtype).verdict is Verdict.PASS
    assert forward(found, dtype).verdict is not Verdict.PASS
    assert least < {"float64": 2e-13, "float32": 2e-4}[dtype]


@pytest.mark.parametrize("method", GENERIC)
def test_a_gradient_that_is_off_is_a_failure(method):
    """A backward that is one part in ten thousand too large fails against the reference and by differences."""
    subject = subject_of(method, 0, True)

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, V):
            leaf = V.detach().requires_grad_()
            with torch.enable_grad():
                ctx.leaf, ctx.W = leaf, subject.map.implementation(leaf)
            return ctx.W.detach()

        @staticmethod
        def backward(ctx, A):
            return 1.0001 * torch.autograd.grad(ctx.W, ctx.leaf, A, retain_graph=True)[0]

    found = backward(with_implementation(subject, Wrong.apply), "float64")
    assert found.verdict is Verdict.FAIL
    assert [route.verdict for route in found.routes] == [Verdict.FAIL] * 3


def test_float32_inside_float64_is_a_failure():
    """A float64 result that went through float32 fails for every kind of map."""
    for method in ("spectral_normalization", "l1_inf_projection", "soft_orthogonality"):
        subject = subject_of(method, 0, True)
        found = with_implementation(subject, lambda V, of=subject.map.implementation: of(V.float()).to(V.dtype))
        assert forward(found, "float64").verdict is Verdict.FAIL, method


def test_a_silent_weight_where_there_is_none_is_a_hazard():
    """Numbers for a zero matrix that has no spectral norm to divide by are a hazard."""
    subject = subject_of("spectral_normalization", 0, True)
    found = with_implementation(subject, lambda V: V / (torch.linalg.matrix_norm(V, 2) + 1e-30))
    assert undefined(found, "float64").verdict is Verdict.HAZARD


@pytest.mark.parametrize("method", [method.id for method in judged()])
def test_every_option_is_judged_under_an_id_of_its_own(method):
    """Every map with every option has findings that no other has."""
    subjects = subjects_of(method, 0, True)
    names = [(subject.map.name, subject.form.case("float64")) for subject in subjects]
    assert len(set(names)) == len(names)
    known = next(m for m in judged() if m.id == method)
    if method != "weight_normalization" and subjects:  # its one option is what is judged anyway
        assert {subject.form.said for subject in subjects} == {"", *known.options}
        assert len({repr(form.build()) for form in forms(known)}) == 1 + len(known.options)


def test_options_are_read_as_the_catalogue_writes_them():
    """Several settings in one string; what changes nothing is no form of its own."""
    assert settings_of("update='prox' eta=0.1") == {"update": "prox", "eta": 0.1}
    assert settings_of("") == {}
    plain = next(method for method in judged() if method.id == "weight_normalization")
    assert [form.said for form in forms(plain)] == [""]
    assert doctest.testmod(forms_module).failed == 0


def with_implementation(subject, implementation):
    return dataclasses.replace(subject, map=dataclasses.replace(subject.map, implementation=implementation))
