"""Maps that change when they are run otherwise are noticed, each by the check for it; the methods of the house pass."""

import json

import jaxtyping
import pytest
import torch
from torch.func import vmap

from wnverify.finding import Finding, Verdict, dumps
from wnverify.methods.centred_weight_normalization.pytorch import centre_and_normalize_rows
from wnverify.methods.weight_normalization.pytorch import normalize_rows as normalize_matrix
from wnverify.numerics import elsewhere as module
from wnverify.numerics.agreement import numerics
from wnverify.numerics.elsewhere import ASKED, elsewhere
from wnverify.numerics.judge import Subject

PLAIN, CENTRED = "weight_normalization", "centred_weight_normalization"
WRONG = 1 + 1e-3
"""What a fault multiplies by: far above rounding, far below half of the digits of float64."""


@pytest.fixture(autouse=True)
def unchecked():
    """The methods' own tests check shapes at run time, which a compiler's stand-ins for tensors do not pass."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def normalize_rows(V):
    """Weight normalization of a weight (n, …)."""
    return normalize_matrix(V.flatten(1)).reshape(V.shape)


def found_of(monkeypatch, implementation, *checks, method=PLAIN, **given):
    """check → finding in float32, of a quick run of these checks only."""
    monkeypatch.setattr(module, "ASKED", {check: ASKED[check] for check in checks})
    found = elsewhere(method, quick=True, implementation=implementation, **given)
    assert {finding.check.removeprefix("elsewhere.") for finding in found} == set(checks)
    return {finding.check.removeprefix("elsewhere."): finding for finding in found if "float32" in finding.id}


def contiguity(V):
    return normalize_rows(V) * (1 if V.is_contiguous() else WRONG)


def strides(V):
    """Reads the memory of the weight as if its rows lay one after the other."""
    n, d = V.shape[0], V[0].numel()
    return normalize_rows(V.as_strided((n, d), (d, 1))).reshape(V.shape)


def offset(V):
    """Reads the memory of the weight from its beginning."""
    return normalize_rows(V.as_strided(V.shape, V.stride(), 0))


def compiling(V):
    return normalize_rows(V) * (WRONG if torch.compiler.is_dynamo_compiling() else 1)


def exporting(V):
    return normalize_rows(V) * (WRONG if torch.compiler.is_exporting() else 1)


class BackwardWhileCompiling(torch.autograd.Function):
    """The identity, with another gradient where a compiler traces it."""

    @staticmethod
    def forward(ctx, W):
        return W.clone()

    @staticmethod
    def backward(ctx, A):
        return A * WRONG if torch.compiler.is_compiling() else A


class BatchSize(torch.autograd.Function):
    """The identity, with a batching rule that is right for a single weight only."""

    @staticmethod
    def forward(W):
        return W.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing to keep."""

    @staticmethod
    def backward(ctx, A):
        return A

    @staticmethod
    def vmap(info, in_dims, W):
        return W * (WRONG if info.batch_size > 1 else 1), in_dims[0]


def products(V):
    """Row norms by a matrix product, which autocast does in bfloat16."""
    X = V.flatten(1)
    return (X / (X @ X.mT).diagonal(dim1=-2, dim2=-1).sqrt().unsqueeze(-1)).reshape(V.shape)


def half_digits(V):
    """Comes as a bfloat16 tensor under autocast."""
    W = normalize_rows(V)
    return W.bfloat16() if torch.is_autocast_enabled("cpu") else W


def promoted(V):
    """The same numbers under autocast, as a tensor twice as wide."""
    W = normalize_rows(V)
    return W.double() if torch.is_autocast_enabled("cpu") else W


FAULTS = {
    "strided: is_contiguous": ("strided", contiguity),
    "strided: as_strided": ("strided", strides),
    "strided: storage_offset": ("strided", offset),
    "compiled: is_compiling": ("compiled", compiling),
    "compiled: backward": ("compiled", lambda V: BackwardWhileCompiling.apply(normalize_rows(V))),
    "exported: is_exporting": ("exported", exporting),
    "vmapped: batch size": ("vmapped", lambda V: BatchSize.apply(normalize_rows(V))),
    "autocast: product": ("autocast", products),
    "autocast: half the digits": ("autocast", half_digits),
    "autocast: dtype": ("autocast", promoted),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_map_that_changes_when_run_otherwise_is_a_failure(monkeypatch, fault):
    """The check for it says ``fail`` with a ratio from 2 on and a witness, although only a thousandth may be off."""
    check, implementation = FAULTS[fault]
    monkeypatch.setattr(module, "_planned", lambda form, device, quick, full: iter([(check, ("float32",))]))
    (found,) = elsewhere(PLAIN, quick=True, implementation=implementation)
    assert found.check == f"elsewhere.{check}"
    assert found.verdict is Verdict.FAIL, found.message
    assert max(route.ratio or 0.0 for route in found.routes) >= 2
    assert found.witness["V"]["shape"]


@pytest.mark.parametrize("fault", [name for name in FAULTS if not name.startswith("autocast")])
def test_where_nothing_is_different_a_fault_is_silent(monkeypatch, fault):
    """Each of these maps is right in a plain call: the checks that do not run it otherwise in that way pass."""
    check, implementation = FAULTS[fault]
    # A weight out of a stack along the last axis is strided.
    others = ["autocast"] if check == "strided" else [name for name in ("vmapped", "strided") if name != check]
    for name, found in found_of(monkeypatch, implementation, *others).items():
        assert found.verdict in (Verdict.PASS, Verdict.UNSUPPORTED), (name, found.message)


def test_a_gradient_that_differs_is_told_from_a_value_that_differs(monkeypatch):
    """With the backward alone changed under compilation the value's ratio is at most 1 and the gradient's above."""
    implementation = FAULTS["compiled: backward"][1]
    found = found_of(monkeypatch, implementation, "compiled")["compiled"]
    value, gradient = found.routes
    assert (value.figures["of"], gradient.figures["of"]) == ("value", "gradient")
    assert value.ratio <= 1 < gradient.ratio


@pytest.mark.parametrize("loss", [10, 1e-3])
def test_half_of_the_difference_is_held_against_the_model(monkeypatch, loss):
    """A layout that costs ten units in the last place is noticed, one that costs a thousandth of one is not."""

    def implementation(V):
        W = normalize_rows(V.double())
        return (W if V.is_contiguous() else W * (1 + 10 * loss * torch.finfo(V.dtype).eps)).to(V.dtype)

    found = found_of(monkeypatch, implementation, "strided")["strided"]
    assert (found.verdict is Verdict.PASS) is (loss < 1), found.message


def refuses(V):
    if V.dim() == 4:
        raise ValueError("V must be a matrix")
    return normalize_rows(V)


def test_a_refusal_is_unsupported_and_says_why(monkeypatch):
    """A map that raises for one layout only is no failure, and no pass either; the finding names layout and error."""
    found = found_of(monkeypatch, refuses, "strided")["strided"]
    assert found.verdict is Verdict.UNSUPPORTED
    assert "channels last: ValueError: V must be a matrix" in found.message
    assert all("channels last" in name for name in found.routes[-1].figures["refused"])
    assert [route.verdict for route in found.routes[:-1]] == [Verdict.PASS] * 2


def test_a_refusal_hides_no_failure(monkeypatch):
    """A map that refuses one layout and errs at another fails."""

    def implementation(V):
        if V.dim() == 4:
            raise ValueError("V must be a matrix")
        return contiguity(V)

    found = found_of(monkeypatch, implementation, "strided")["strided"]
    assert found.verdict is Verdict.FAIL
    assert any(route.verdict is Verdict.UNSUPPORTED for route in found.routes)


def test_a_map_without_a_graph_is_unsupported(monkeypatch):
    """Where every graph breaks, nothing was compiled, and that is said in place of a pass."""
    found = found_of(monkeypatch, torch.compiler.disable(normalize_rows), "compiled")["compiled"]
    assert found.verdict is Verdict.UNSUPPORTED
    assert "nothing was compiled" in found.message


@pytest.mark.parametrize(("method", "right"), [(PLAIN, normalize_matrix), (CENTRED, centre_and_normalize_rows)])
def test_right_maps_pass(method, right):
    """Every check of a quick run passes; without another device that one says so."""
    found = elsewhere(method, quick=True, implementation=lambda V: right(V.flatten(1)).reshape(V.shape))
    for finding in found:
        expected = Verdict.UNSUPPORTED if finding.check == "elsewhere.device" else Verdict.PASS
        assert finding.verdict is expected, finding
    asked = {finding.check.removeprefix("elsewhere.") for finding in found}
    assert asked == set(ASKED) - {"exported"}


def test_a_plain_call_that_raises_is_a_failure(monkeypatch):
    """Nothing is compared there, and nothing passes."""

    def implementation(V):
        raise RuntimeError("no")

    found = found_of(monkeypatch, implementation, "strided")["strided"]
    assert found.verdict is Verdict.FAIL
    assert "RuntimeError: no" in found.message


def test_findings_are_strict_json_and_the_same_again():
    """A second run gives the same bytes, and the record survives writing and reading."""
    text = [dumps([finding.to_json() for finding in elsewhere("weight_decay", quick=True)]) for _ in range(2)]
    assert text[0] == text[1]
    assert [Finding.from_json(data).to_json() for data in json.loads(text[0])] == json.loads(text[0])


def test_a_machine_without_the_device_says_so():
    """The only finding is ``unsupported``, names the device, and bears it in its id; of agreement likewise."""
    for found in (elsewhere(PLAIN, device="cuda:97"), numerics(PLAIN, device="cuda:97")):
        assert [finding.verdict for finding in found] == [Verdict.UNSUPPORTED]
        assert "'cuda:97'" in found[0].message
        assert found[0].id.endswith("/float32@cuda.97")


DEVICE = "cpu:0"
"""The processor under another name stands in for a device."""


@pytest.fixture(params=["right", "garbles what it is given"])
def right(request, monkeypatch):
    """Whether the device computes with the numbers that it was given."""
    plain = Subject.tensor

    def garbled(subject, V, dtype):
        made = plain(subject, V, dtype)
        if subject.device == DEVICE:
            made.view(-1)[0] *= WRONG
        return made

    if request.param != "right":
        monkeypatch.setattr(Subject, "tensor", garbled)
    return request.param == "right"


def test_a_device_is_compared_with_the_processor(monkeypatch, right):
    """What comes out otherwise there is a failure; what comes out alike is the same to the last bit."""
    monkeypatch.setattr(module, "_planned", lambda form, device, quick, full: iter([("device", ("float32",))]))
    (found,) = elsewhere(PLAIN, quick=True, device=DEVICE)
    assert found.verdict is (Verdict.PASS if right else Verdict.FAIL), found.message
    assert found.id == f"method/{PLAIN}/elsewhere.device/float32@cpu.0"
    if right:
        assert all(route.figures["same_bits"] == route.figures["cases"] > 10 for route in found.routes)


def test_agreement_runs_where_it_is_told(right):
    """On the device its own error is seen, against the same reference."""
    found = numerics(PLAIN, quick=True, device=DEVICE)
    (forward,) = [each for each in found if each.id.endswith("agreement.forward/float64@cpu.0")]
    assert forward.verdict is (Verdict.PASS if right else Verdict.FAIL), forward.message


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"method_id": "nonsense"}, "method_id must be one of"),
        ({"seed": 1.5}, "seed must be an integer; got 1.5"),
        ({"seed": True}, "seed must be an integer; got True"),
        ({"device": "nonsense"}, "device must be one that holds numbers .*'nonsense'"),
        ({"device": "meta"}, "device must be one that holds numbers .*'meta'"),
    ],
    ids=["method", "seed", "truth value", "device", "device without numbers"],
)
def test_a_wrong_argument_is_named(given, named):
    """Before any work a ``ValueError`` says which argument is wrong and what came."""
    with pytest.raises(ValueError, match=named):
        elsewhere(**{"method_id": PLAIN, "quick": True, **given})


def test_the_planted_batching_rule_is_right_alone():
    """It changes nothing outside a batch, and nothing in a batch of one: only the stack shows it."""
    V = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(BatchSize.apply(V), V)
    assert torch.equal(vmap(BatchSize.apply)(V[None])[0], V)
