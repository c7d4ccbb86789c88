"""The precision matrix: what loses digits, range, an eps or memory in some format is noticed, what is right is not."""

import json
import math

import pytest
import torch

from wnverify.finding import Finding, Verdict, dumps, unique
from wnverify.methods.weight_normalization.pytorch import normalize_rows
from wnverify.methods.weight_standardization.pytorch import standardize_rows
from wnverify.numerics.forms import judged
from wnverify.numerics.judge import subject_of
from wnverify.numerics.precision import SHORTLY, precision
from wnverify.numerics.precision_accuracy import accuracy, digits
from wnverify.numerics.precision_cases import WITHIN, Row, cells
from wnverify.numerics.precision_eps import alive, eps_of
from wnverify.numerics.precision_range import last, ranges
from wnverify.numerics.precision_saved import saved

PLAIN, STANDARD = "weight_normalization", "weight_standardization"


def of(method, implementation):
    """check/format → finding of a run with this implementation."""
    found = precision(method, quick=True, implementation=implementation)
    return {finding.id.removeprefix(f"method/{method}/precision."): finding for finding in found}


@pytest.mark.parametrize("method", [PLAIN, "orthogonal_weight_normalization", "weight_decay", "group_lasso"])
def test_methods_of_the_house_pass_as_implemented(method):
    """No format in which an implementation really runs has a ratio above 1, a lost range or too much kept."""
    found = precision(method, quick=True)
    assert len(unique(found)) >= 9
    for finding in (one for one in found if ",sums=" not in one.id):
        assert finding.verdict is Verdict.PASS, finding
        for route in finding.routes:
            assert route.ratio is None or route.ratio <= 1


def test_cells_say_what_a_heat_map_needs():
    """Conditioning × scale, ratio and digits of value and gradient, and whether the model decides."""
    found = of(PLAIN, None)["accuracy/float16"].routes[0].figures
    assert {(cell["condition"], cell["scale"]) for cell in found["cells"]} >= {(1.0, 1.0), (1.0, 2.0**10), (1e3, 1.0)}
    for cell in found["cells"]:
        assert cell["decided"]
        assert 0 <= cell["ratio"] <= 1
        assert 0 <= cell["gradient_ratio"] <= 1
        assert 2 < cell["digits"] <= digits(0.0, "float16")
    assert found["format"] == "float16"
    assert not found["emulated"]


def test_findings_are_strict_json_and_the_same_again():
    """A second run gives the same bytes, and the record survives writing and reading."""
    text = [dumps([finding.to_json() for finding in precision("l1_penalty", quick=True)]) for _ in range(2)]
    assert text[0] == text[1]
    assert [Finding.from_json(data).to_json() for data in json.loads(text[0])] == json.loads(text[0])


def test_squares_in_the_half_format_are_noticed():
    """Row norms by squares in float16 overflow near 2^8: wrong at a large scale, and half of the range is lost."""
    found = of(PLAIN, lambda V: V / (V * V).sum(-1, keepdim=True).sqrt())
    assert found["accuracy/float16"].verdict is Verdict.FAIL
    assert "times 2^10" in found["accuracy/float16"].routes[0].figures["worst_case"]
    assert found["range/float16"].verdict is Verdict.HAZARD
    assert found["range/float16"].routes[0].figures["value"]["largest"] <= 6
    assert found["range/float32"].verdict is Verdict.HAZARD
    assert "lost near the square root of the largest" in found["range/float32"].message


class Stagnant(torch.autograd.Function):
    """Rows over their norms, squares added one after the other in the dtype of V; the right gradient."""

    @staticmethod
    def forward(ctx, V):
        total = torch.zeros_like(V[:, 0])
        for column in V.square().unbind(-1):
            total = total + column
        ctx.save_for_backward(normalize_rows(V.float()), V.float().norm(dim=-1, keepdim=True))
        return V / total.sqrt()[:, None]

    @staticmethod
    def backward(ctx, A):
        W, r = ctx.saved_tensors
        return ((A.float() - (A.float() * W).sum(-1, keepdim=True) * W) / r).to(A.dtype)


def test_accumulation_in_bfloat16_is_noticed():
    """A running sum in bfloat16 stands still in a long row: the ratio is above 1 there, and float32's is not."""
    subject = subject_of(PLAIN, 0, True, Stagnant.apply)
    for name, wrong in (("bfloat16", True), ("float32", False)):
        found = accuracy(subject, Row(name), [cell for cell in cells(subject, name) if not cell.exponent])
        assert (found.verdict in (Verdict.HAZARD, Verdict.FAIL)) is wrong
        assert (found.routes[0].ratio > 1) is wrong
        assert found.routes[1].ratio <= 1


def test_a_hidden_cast_of_float64_is_a_failure():
    """A float64 value that went through float32 has a ratio of millions in float64 alone."""
    found = of(PLAIN, lambda V: normalize_rows(V.float()).to(V.dtype))
    assert found["accuracy/float64"].verdict is Verdict.FAIL
    assert found["accuracy/float64"].routes[0].ratio > 1e6
    assert found["accuracy/float32"].verdict is found["accuracy/bfloat16"].verdict is Verdict.PASS


def test_what_is_ill_conditioned_is_held_against_the_best_result():
    """Rows centred in bfloat16: the model of the map excuses any loss at mean / spread = 100, the narrower one none."""
    centred = "centred_weight_normalization"
    for centring, verdict in ((lambda V: V - V.mean(-1, keepdim=True), Verdict.HAZARD), (None, Verdict.PASS)):
        wrong = None if centring is None else lambda V, centring=centring: normalize_rows(centring(V))
        found = of(centred, wrong)["accuracy/bfloat16"]
        assert found.verdict is verdict
        cell = next(one for one in found.routes[0].figures["cells"] if one["condition"] == 100)
        assert cell["decided"]
        assert (cell["ratio"] > 1) is (verdict is Verdict.HAZARD)


def test_what_is_only_emulated_is_a_hazard_at_most():
    """Group lasso without float64 sums overflows at 2^10 in float16: no failure of what never runs so."""
    subject = subject_of("group_lasso", 0, False)
    found = accuracy(subject, Row("float16", "float16"), cells(subject, "float16"))
    assert found.routes[0].ratio == math.inf
    assert found.verdict is Verdict.HAZARD


class NarrowGradient(torch.autograd.Function):
    """The right value; every step of the gradient in the dtype of the cotangent."""

    @staticmethod
    def forward(ctx, V):
        ctx.save_for_backward(V)
        return normalize_rows(V)

    @staticmethod
    def backward(ctx, A):
        (V,) = ctx.saved_tensors
        r2 = torch.zeros_like(V[:, :1])
        along = torch.zeros_like(V[:, :1])
        for v, a in zip(V.split(1, -1), A.split(1, -1), strict=True):
            r2, along = r2 + v * v, along + a * v
        return A / r2.sqrt() - (along / r2) * V / r2.sqrt()


def test_a_gradient_in_the_low_dtype_is_noticed():
    """The value passes, the gradient's route does not, and the gradient's range is that of a square."""
    subject = subject_of(PLAIN, 0, True, NarrowGradient.apply)
    found = accuracy(subject, Row("bfloat16"), cells(subject, "bfloat16"))
    value, gradient = found.routes
    assert value.verdict is Verdict.PASS
    assert gradient.verdict is not Verdict.PASS
    assert gradient.ratio > 1
    border = ranges(subject, Row("float16")).routes[0]
    assert border.verdict is Verdict.HAZARD
    assert border.figures["value"]["largest"] == border.figures["value"]["own_largest"]
    assert border.figures["gradient"]["largest"] <= 7


class Wasteful(torch.autograd.Function):
    """Right, but the backward keeps a float64 copy of a half precision weight."""

    @staticmethod
    def forward(ctx, V):
        W = normalize_rows(V.double())
        ctx.save_for_backward(W, V.double().norm(dim=-1, keepdim=True))
        return W.to(V.dtype)

    @staticmethod
    def backward(ctx, A):
        W, r = ctx.saved_tensors
        return ((A.double() - (A.double() * W).sum(-1, keepdim=True) * W) / r).to(A.dtype)


@pytest.mark.parametrize(
    ("implementation", "name", "verdict"),
    [
        (Wasteful.apply, "bfloat16", Verdict.HAZARD),
        (Wasteful.apply, "float16", Verdict.HAZARD),
        (Wasteful.apply, "float64", Verdict.PASS),
        (normalize_rows, "bfloat16", Verdict.PASS),
        (normalize_rows, "float32", Verdict.PASS),
    ],
    ids=["wasteful bfloat16", "wasteful float16", "wasteful float64", "own bfloat16", "own float32"],
)
def test_float64_kept_for_a_half_precision_weight_is_a_hazard(implementation, name, verdict):
    """Float64 of the weight's size is a hazard beside a half precision weight, and named with its shape."""
    found = saved(subject_of(PLAIN, 0, True, implementation), Row(name))
    assert found.verdict is verdict
    if verdict is Verdict.HAZARD:
        assert f"float64 of shape (16, 72) for a {name} weight" in found.message
        assert found.routes[0].figures["bytes"]["float64"] == 8 * 16 * (72 + 1)


def test_more_kept_than_plain_autograd_would_is_a_hazard():
    """Copies that no operation of the forward made count as more than all of its results."""

    class Copies(torch.autograd.Function):
        @staticmethod
        def forward(ctx, V):
            ctx.save_for_backward(*COPIES)
            return normalize_rows(V)

        @staticmethod
        def backward(ctx, A):
            return A

    COPIES = [torch.ones(1000) for _ in range(40)]
    found = saved(subject_of(PLAIN, 0, True, Copies.apply), Row("float32"))
    assert found.verdict is Verdict.HAZARD
    assert "more than all results of the forward" in found.message


def in_format(V, eps=1e-8):
    """Rows over their deviations with eps, in the dtype of V throughout."""
    X = V - V.mean(-1, keepdim=True)
    return X / (X.square().mean(-1, keepdim=True) + torch.tensor(eps, dtype=V.dtype)).sqrt()


@pytest.mark.parametrize("name", ["float64", "float32", "bfloat16", "float16"])
def test_an_eps_that_is_dead_in_float16_is_a_hazard(name):
    """1e-8 is zero in float16: a zero row gives NaN there, and in no other format."""
    subject = subject_of(STANDARD, 0, True, in_format)
    found = alive(subject, Row(name), "eps", 1e-8, own=False)
    assert found.verdict is (Verdict.HAZARD if name == "float16" else Verdict.PASS)
    assert ("dead at a zero row" in found.message) is (name == "float16")


def test_an_eps_that_a_row_asks_for_must_show():
    """The default eps changes small rows by half; an implementation without it is dead, one with it alive."""
    for eps, lives in ((1e-5, True), (0.0, False)):
        subject = subject_of(STANDARD, 0, True, lambda V, eps=eps: standardize_rows(V, eps=eps))
        found = alive(subject, Row("float32"), "eps", 1e-5, own=False)
        assert found.routes[0].figures["alive"] is lives
        assert found.verdict is (Verdict.PASS if lives else Verdict.HAZARD)


def test_the_smallest_eps_is_the_formats_own():
    """Where the divisor is float64, an eps is alive as far down as any weight of the format asks for it."""
    subject = subject_of(STANDARD, 0, False)
    assert eps_of(subject.form) == ("eps", 1e-5)
    assert eps_of(subject_of(PLAIN, 0, True).form) is None
    figures = alive(subject, Row("float32"), "eps", 1e-5, own=True).routes[0].figures
    assert figures["smallest"] == figures["own_smallest"] < 2.0**-240


def test_what_float64_sums_are_good_for_is_told_by_the_emulator():
    """Without wider sums weight normalization in bfloat16 loses digits in a long row; the message says where."""
    subject = subject_of(PLAIN, 0, False)
    row = next(row for row in WITHIN if row.format == "bfloat16")
    found = accuracy(subject, row, [cell for cell in cells(subject, "bfloat16") if cell.place["shape"] == "2x600"])
    assert found.verdict is Verdict.HAZARD
    figures = found.routes[0].figures
    assert figures["sums_alone"] > 1 > figures["storing_alone"]
    assert "with only sums" in found.message
    assert found.id == f"method/{PLAIN}/precision.accuracy/bfloat16,sums=bfloat16"


def test_tf32_is_judged_as_float32_where_there_is_no_product():
    """An l1 norm has no product to round: in tf32 it is held against float32's model; a Gram matrix is not."""
    without, with_products = (
        next(one for one in precision(method, quick=True) if one.check == "precision.accuracy" and "tf32" in one.id)
        for method in ("l1_penalty", "soft_orthogonality")
    )
    assert "no product of float32 matrices" in without.statement
    assert "in float32" in without.routes[0].model
    assert "products of tf32 numbers" in with_products.statement
    assert "in tf32" in with_products.routes[0].model
    assert min(cell["digits"] for cell in without.routes[0].figures["cells"]) > 6
    assert max(cell["digits"] for cell in with_products.routes[0].figures["cells"]) < 6


def test_the_last_integer_is_found_by_bisection():
    """Towards both sides, at the limit itself, and 0 where nothing holds."""
    assert last(lambda k: k <= 17, 1000) == 17
    assert last(lambda k: k >= -17, -1000) == -17
    assert last(lambda k: True, 9) == 9
    assert last(lambda k: True, -9) == -9
    assert last(lambda k: False, 9) == 0


def test_without_the_device_the_matrix_is_one_unsupported_finding():
    """The machine is asked before any work; what is no device at all is an error."""
    (found,) = precision("group_lasso", quick=True, device="cuda:97")
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.id == "method/group_lasso/precision.accuracy/float32@cuda.97"
    assert "no device 'cuda:97'" in found.message
    with pytest.raises(ValueError, match="device must be one that holds numbers"):
        precision("group_lasso", quick=True, device="nonsense")


class Elsewhere:
    """The processor under the name of a device: whatever is not sent there is noticed."""

    def __init__(self, monkeypatch, name):
        self.sent, own = [], torch.tensor

        def tensor(*given, device="cpu", **named):
            if "dtype" in named:  # what only rounds numbers for the reference leaves it out
                self.sent.append(str(device))
            return own(*given, **named)

        monkeypatch.setattr(torch, "tensor", tensor)
        monkeypatch.setattr("wnverify.numerics.precision.absent", lambda device: "")
        self.found = precision("weight_standardization", quick=True, device=name)


@pytest.mark.parametrize(("name", "tf32"), [("cuda", True), ("xpu", False)], ids=["cuda", "another"])
def test_on_a_device_the_implementation_runs_there_and_nothing_is_emulated(monkeypatch, name, tf32):
    """Every native row, the range, the eps and what is saved are asked of the device; tf32 is its own, or not asked."""
    elsewhere = Elsewhere(monkeypatch, name)
    plain = [one.id for one in elsewhere.found if "eps" not in one.id.partition(",")[2]]
    ids = {name.removeprefix("method/weight_standardization/precision.") for name in plain}
    formats = ("float64", "float32", "bfloat16", "float16")
    expected = {f"{check}/{form}@{name}" for check in ("accuracy", "eps", "saved") for form in formats}
    expected |= {f"range/{form}@{name}" for form in SHORTLY}
    assert ids == expected | ({f"accuracy/tf32@{name}"} if tf32 else set())
    assert set(elsewhere.sent) == {name}
    for one in elsewhere.found:
        assert f"on {name}" in one.conditions
        assert f"device='{name}'" in one.replay
        assert all(route.figures.get("emulated") is not True for route in one.routes)
        assert one.verdict is Verdict.PASS, one


def test_products_of_the_device_are_tf32_only_within_their_row():
    """The setting is that of tensor cores while the row runs, and after it what it was, also where something raises."""
    before = torch.get_float32_matmul_precision()
    seen = []

    def raising():
        with Row("tf32", native=True).running():
            seen.append(torch.get_float32_matmul_precision())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        raising()
    assert seen == ["high"] != [before]
    assert torch.get_float32_matmul_precision() == before
    assert not Row("tf32", native=True).emulated
    assert Row("tf32", native=True).dtype is torch.float32


def test_a_penalty_on_outputs_is_unsupported():
    """The one method that is no map of a weight says so; every other one is judged."""
    (found,) = precision("jacobian_norm")
    assert found.verdict is Verdict.UNSUPPORTED
    assert "outputs" in found.message
    assert "jacobian_norm" in [method.id for method in judged()]


def test_an_unknown_method_is_an_error():
    """The message names the argument and what came."""
    with pytest.raises(ValueError, match=r"method_id must be one of .*; got 'wn'"):
        precision("wn")
