"""What each check looks at and what it says: coverage of its cases, and words that name what is wrong."""

from __future__ import annotations

import pytest
import torch
from audited import case_of, says, sheet_of, subject_of
from covered import BORDERS, COVERED, FAR_AWAY, FURTHER_KERNELS, KERNELS, SHAPES, product

from wnverify.auditing.checks.gradient_variants import LOST_DIGITS, of_coupled_rows
from wnverify.auditing.points import generic
from wnverify.auditing.registry import Sheet, checks, finding_of
from wnverify.finding import Verdict, decode_array
from wnverify.oracles.ratio import ErrorModel

FAIL, HAZARD, PASS = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS


@pytest.mark.parametrize("check", COVERED)
def test_a_sound_subject_passes_at_every_place_that_is_looked_at(check):
    """No shape, dtype, layer, layout or edge of the list is left out, and each is a pass with a figure or a fact."""
    sheet = sheet_of(check, "checked.py:Exact")
    assert [case.name for case in sheet.cases] == COVERED[check]
    assert {case.verdict for case in sheet.cases} == {PASS}
    assert not [case for case in sheet.cases if case.message]


def test_no_check_is_without_a_list():
    """Declared properties share one function, distributed weights need processes; some list what the subject has."""
    shared = {name for name in checks() if name.startswith("property.")} - {"property.unit_norm_rows"}
    own = {"gradient.parameters", "gradient.settings", "gradient.mixed", "gradient.frozen"}
    own |= {"gradient.parameters_float32", "gradient.parameters_forward"}
    others = {"gradient.rows", *own, "contract.prox", "lifecycle.steps"}
    distributed = {name for name in checks() if name.startswith("sharding.")}
    assert set(checks()) - shared - distributed - set(COVERED) == others


@pytest.mark.parametrize("check", [name for name in COVERED if name.startswith(("gradient.", "precision."))])
def test_a_numerical_pass_says_its_power(check):
    """How small a fault would have been noticed stands beside every ratio, and is far from everything."""
    for case in sheet_of(check, "checked.py:Exact", quick=True).cases:
        if (check, case.name) == ("gradient.singular", "a zero row"):
            continue  # a derivative that is infinite is compared with nothing
        assert case.ratio is not None
        assert case.ratio <= 1
        assert case.power is not None
        assert 0 < case.power < 0.2, case.name


def test_a_given_g_is_asked_for_at_its_own_width_only():
    """W = φ(V) G⁻¹ with a G of five entries keeps W G² Wᵀ = I at weights of five columns; a wrong G is a failure."""
    G = torch.tensor([1.0, 2.0, 0.5, 4.0, 0.25], dtype=torch.float64)

    def structured(V):
        Q = torch.linalg.qr(V.flatten(1).mT).Q.mT
        return (Q / G.to(V) if V.shape[1] == 5 else Q).reshape(V.shape)

    right = sheet_of("property.structured_orthonormal", structured, declare={"structured_orthonormal": G.tolist()})
    assert {case.name.split()[0] for case in right.cases} == {"3x5"}
    assert right.verdict is Verdict.PASS
    wrong = sheet_of("property.structured_orthonormal", structured, declare={"structured_orthonormal": [1.0] * 5})
    assert wrong.verdict is Verdict.FAIL


def test_float32_is_judged_apart():
    """A property that breaks in float32 alone fails there, at every place, and not in float64."""
    sheet = sheet_of("property.unit_norm_rows", "checked.py:RoughInFloat32")
    assert says(sheet) == dict.fromkeys(product([*SHAPES, *KERNELS, *FURTHER_KERNELS], ["float32"]), FAIL)


def test_a_refused_float32_is_unsupported_and_float64_judged():
    """A dtype that is refused is no failure of the property."""
    sheet = sheet_of("property.unit_norm_rows", "checked.py:RefusesFloat32")
    assert set(says(sheet).values()) == {Verdict.UNSUPPORTED}
    assert case_of(sheet, "3x5 float64").verdict is PASS
    assert "float64 only, please" in case_of(sheet, "3x5 float32").message


def test_the_witness_of_a_property_is_its_point():
    """The weight of the failing case is written down."""
    sheet = sheet_of("property.unit_norm_rows", "checked.py:RoughInFloat32")
    witness = case_of(sheet, "4x4 float32").witness
    assert torch.equal(torch.as_tensor(decode_array(witness["V"])), generic((4, 4), 0).V)


def test_every_row_is_judged_at_its_own_scale():
    """A thousandth in the last row is found and named at every shape, of one row and of seventy."""
    sheet = sheet_of("gradient.rows", "checked.py:LastRowOff")
    last = {name: int(name.split("x")[0]) - 1 for name in SHAPES} | {"row norms over 1e+03": 4}
    far = {"row norms over 1e+06 row 4": HAZARD}
    assert says(sheet) == {f"{name} row {row}": FAIL for name, row in last.items()} | far


def test_the_float32_gradient_is_judged_row_by_row():
    """A thousandth in the last row of the float32 gradient is a hazard everywhere, whatever the other rows' size."""
    sheet = sheet_of("gradient.float32", "checked.py:LastRowOffInFloat32")
    assert says(sheet) == dict.fromkeys([*SHAPES, *KERNELS, "row norms over 1e+03", "6x1100"], HAZARD)
    assert says(sheet_of("gradient.vjp", "checked.py:LastRowOffInFloat32")) == {}


@pytest.mark.parametrize(
    ("subject", "verdict", "said"),
    [
        ("RaisesBackward", FAIL, "the backward raised RuntimeError: no backward today"),
        ("Detached", FAIL, "the output does not depend on this tensor through autograd: it can never be trained"),
        ("NaNBackward", FAIL, "the gradient is not finite though the map is differentiable here"),
        ("LastRowOff", FAIL, "the backward is off by 0.00"),
    ],
)
def test_what_is_wrong_with_a_backward_is_said(subject, verdict, said):
    """Raised, absent, not finite and off are four different messages, at every shape."""
    sheet = sheet_of("gradient.vjp", f"checked.py:{subject}")
    assert says(sheet) == dict.fromkeys([*SHAPES, *KERNELS], verdict)
    assert all(said in case.message for case in sheet.cases)


def test_a_cotangent_that_is_overwritten_is_told_from_a_wrong_gradient():
    """Only what the caller still holds is accused, at every shape; every gradient is right."""
    sheet = sheet_of("gradient.loss", "checked.py:OverwritesItsCotangent")
    assert says(sheet) == {
        f"{shape} the cotangent itself, after the backward": FAIL for shape in (*SHAPES[:4], *KERNELS)
    }


def test_a_gram_matrix_may_lose_the_condition_of_the_weight():
    """Of coupled rows the model grows with κ(V), up to what a sound backward may lose; of others it stays."""
    V = torch.tensor([[1.0, 2.0, 1.0], [1.0, 2.001, 0.999]], dtype=torch.float64)
    model = ErrorModel(1e-12, "so much")
    across, along = (subject_of(torch.nn.Softmax(dim=dim)).build(V) for dim in (0, 1))
    grown = of_coupled_rows(across, V, model)
    assert grown.text == "so much × κ(V)"
    assert 1e3 < grown.relative / model.relative < 1e4
    assert of_coupled_rows(across, V, ErrorModel(1e-8, "")).relative <= LOST_DIGITS
    assert of_coupled_rows(along, V, model) == model
    assert of_coupled_rows(across, V[:1], model) == model
    # A chart that is set up at V = 0, as geotorch's is, has no condition there: NaN of a library's is no model.
    assert of_coupled_rows(across, torch.zeros_like(V), model).relative == model.relative
    singular = of_coupled_rows(across, torch.ones_like(V), model)
    assert model.relative < singular.relative <= LOST_DIGITS


def test_the_first_words_are_of_the_case_whose_witness_is_given():
    """Not of a worse one, which comes after it."""
    sheet = Sheet()
    for name, ratio in (("large", 9.0), ("small", 3.0), ("larger", 27.0)):
        sheet.add(name, FAIL, "off", ratio=ratio, witness={"V": name})
    sheet.add("undecided", Verdict.INCONCLUSIVE, "near", ratio=99.0)
    said = {"subject": "s", "replay": ""}
    assert finding_of(checks()["contract.shape"], sheet, **said).message.startswith(
        "larger: off; large: off; and 2 more"
    )
    sheet.shown = sheet.cases[1]
    found = finding_of(checks()["contract.shape"], sheet, **said)
    assert found.message.startswith("small: off; larger: off")
    assert found.witness == {"V": "small"}


@pytest.mark.parametrize(
    ("subject", "said"), [("WrongGain", "the backward is off by 0.5"), ("UnusedGain", "it can never be trained")]
)
def test_own_parameters_are_differentiated(subject, said):
    """The gain is named, and what is wrong with its gradient."""
    sheet = sheet_of("gradient.parameters", f"checked.py:{subject}")
    assert list(says(sheet)) == ["parameter gain at 5x12", "parameter gain at 4x4", "parameter gain at 7x3"]
    assert {case.verdict for case in sheet.cases} == {FAIL}
    assert all(said in case.message for case in sheet.cases)


def test_further_tensors_are_differentiated():
    """What ``right_inverse`` gives beside V is a tensor to be trained."""
    sheet = sheet_of("gradient.parameters", "kinds.py:Pair")
    assert [case.name for case in sheet.cases] == [
        f"tensor 0 of right_inverse at {shape}" for shape in ("5x12", "4x4", "7x3")
    ]
    assert sheet.verdict is PASS
    assert sheet_of("gradient.parameters", "checked.py:Exact").notes == [
        "there are no own parameters and no further tensors"
    ]


def test_a_forward_that_is_a_staircase_is_no_pass():
    """Where differences cannot be taken nothing is approved."""
    sheet = sheet_of("gradient.vjp", "checked.py:Steps", quick=True)
    assert sheet.verdict in (HAZARD, Verdict.INCONCLUSIVE, FAIL)
    assert not [case for case in sheet.cases if case.verdict is PASS]


def test_a_jump_at_a_structured_weight_is_a_hazard():
    """The map jumps exactly where rows sum to zero, and the message says so."""
    sheet = sheet_of("gradient.structured", "checked.py:Jumps")
    found = says(sheet)
    assert set(found) <= {"zero-mean rows", "unit zero-mean rows"}
    assert HAZARD in found.values()


def test_a_refused_kernel_is_a_hazard():
    """People have convolutions; matrices are looked at all the same."""
    sheet = sheet_of("contract.shape", "checked.py:RefusesKernels")
    assert says(sheet) == dict.fromkeys(KERNELS, HAZARD)
    assert "a kernel is refused: ValueError: matrices only" in case_of(sheet, "4x3x3").message
    layers = sheet_of("contract.layers", "checked.py:RefusesKernels")
    assert says(layers) == dict.fromkeys([name for name in COVERED["contract.layers"] if "Conv" in name], HAZARD)


def test_a_refused_half_is_unsupported():
    """Half precision may be declined, float32 may not."""
    unsupported = Verdict.UNSUPPORTED
    sheet = sheet_of("contract.dtype", "checked.py:RefusesHalf")
    assert says(sheet) == {"bfloat16": unsupported, "float16": unsupported}
    sheet = sheet_of("contract.dtype", "checked.py:RefusesFloat32")
    assert says(sheet) == {"float32": HAZARD, "bfloat16": unsupported, "float16": unsupported}


def test_randomness_in_eval_mode_is_a_failure():
    """Training may draw numbers, evaluation may not."""
    assert says(sheet_of("contract.deterministic", "checked.py:RandomInEval")) == {"eval": FAIL}
    assert says(sheet_of("contract.deterministic", "kinds.py:Noisy")) == {"train": HAZARD}
    assert "draws random numbers" in case_of(sheet_of("contract.deterministic", "kinds.py:Noisy"), "train").message


def test_an_infinity_is_followed_as_a_nan_is():
    """One of the two spreads, and the row that it reaches is named."""
    sheet = sheet_of("edge.nan_row", "checked.py:InfinityHidden")
    assert says(sheet) == {"infinity": FAIL}
    assert "spoils row 2 of W too" in case_of(sheet, "infinity").message


@pytest.mark.parametrize(
    ("subject", "verdict", "said"),
    [
        ("RefusesZero", PASS, "is refused with ValueError: row norm must be positive; got 0"),
        ("CrashesAtZero", HAZARD, "raises IndexError: index 7 is out of bounds"),
        ("ExplodesAtZero", HAZARD, "the value is finite but the gradient explodes to "),
        ("Exact", PASS, ""),
    ],
)
def test_what_happens_at_zero_is_told_apart(subject, verdict, said):
    """A clear refusal passes and is noted, a crash and an exploding gradient are hazards."""
    sheet = sheet_of("edge.zero_row", f"checked.py:{subject}")
    assert sheet.verdict is verdict
    assert said in " ".join([*(case.message for case in sheet.cases), *sheet.notes])


def test_the_rows_that_break_are_named():
    """NaN at a zero row is said to be in that row, in all rows at the zero matrix."""
    assert sheet_of("edge.zero_row", "faulty.py:Right").cases[0].message == "W is NaN in row 1"
    assert sheet_of("edge.zero_matrix", "faulty.py:Right").cases[0].message == "W is NaN in rows 0, 1, 2, 3"


def test_scales_are_judged_in_both_dtypes():
    """Squares that overflow in float32 alone are found there."""
    sheet = sheet_of("edge.scale", "checked.py:OverflowsInFloat32")
    assert says(sheet) == {"2^-100 in float32": HAZARD, "2^100 in float32": HAZARD}
    assert case_of(sheet, "2^100 in float32").witness is not None


def test_a_hidden_downcast_of_one_row_is_found():
    """A staircase in row 0 is a failure at every shape."""
    assert says(sheet_of("precision.float64", "checked.py:StaircaseAtOneRow")) == dict.fromkeys(
        [*SHAPES[:4], *FAR_AWAY], FAIL
    )


def test_one_dtype_alone_may_be_rough():
    """bfloat16 loses a long row, and nothing else is accused."""
    sheet = sheet_of("precision.forward", "checked.py:HalfIsRough")
    found = says(sheet)
    assert found["6x1100 bfloat16"] is HAZARD
    assert all(name.endswith("bfloat16") for name in found)


def test_a_property_that_nearly_holds_is_a_hazard_with_its_miss():
    """A thousandth away from unit rows, though nobody said so."""
    sheet = sheet_of("property.discovered", "checked.py:NearlyUnit")
    case = case_of(sheet, "unit_norm_rows")
    assert case.verdict is HAZARD
    assert "holds nowhere exactly, largest relative miss 0.001" in case.message
    assert case_of(sheet, "constant_norm_rows").verdict is PASS


def test_a_near_property_that_is_documented_is_none_that_it_has():
    """The miss that the stated domain admits passes, and is not told among what was discovered; a larger one is."""
    sheet = sheet_of("property.discovered", "domains.py:SoftSphere")
    assert sheet.verdict is PASS
    names = {case.name for case in sheet.cases}
    assert "unit_norm_rows (nearly, as documented)" in names
    assert not {"unit_norm_rows", "constant_norm_rows", "idempotent"} & names
    assert any(note.startswith("as documented, nearly: every row of W has Euclidean norm 1") for note in sheet.notes)
    assert says(sheet_of("property.discovered", "checked.py:NearlyUnit"))["unit_norm_rows"] is HAZARD


def test_an_eps_is_told_from_a_property_that_is_nearly_had():
    """What large weights do not miss, and ordinary ones hardly, is a guard; what is left of a square is none."""
    guarded = sheet_of("property.discovered", "domains.py:SoftSphereUnsaid")
    assert guarded.verdict is PASS
    assert "unit_norm_rows (but for an eps)" in {case.name for case in guarded.cases}
    assert any(note.endswith("it is gone at weights 2^40 times as large") for note in guarded.notes)
    remainder = sheet_of("property.discovered", "domains.py:LeftOfASquare")
    assert says(remainder) == {"shift_invariant_rows": HAZARD}


def test_a_property_of_some_shapes_is_a_hazard_that_names_them():
    """Odd for square weights only."""
    case = case_of(sheet_of("property.discovered", "checked.py:SquareOnly"), "odd")
    assert case.verdict is HAZARD
    assert "holds at 4x4 only of 3x5, 5x12, 4x4, 7x3, 70x134" in case.message


def test_discovery_leaves_out_what_is_declared():
    """A declared property is judged by its own check."""
    free = {case.name for case in sheet_of("property.discovered", "checked.py:Exact").cases}
    told = {case.name for case in sheet_of("property.discovered", "checked.py:Exact", declare={"odd": True}).cases}
    assert free - told == {"odd"}
    assert {"scale_invariant", "row_scale_invariant", "odd", "idempotent", "gradient_orthogonal_to_weight"} <= free
    assert not {"unit_norm_rows", "zero_mean_rows", "orthonormal_rows", "shift_invariant_rows"} & free


def test_a_penalty_that_is_called_a_parametrization_is_found_out_by_its_shape():
    """A scalar is no weight: the shape fails, and what needs points is inconclusive, never a pass."""
    said = {"kind": "parametrization"}
    sheet = sheet_of("contract.shape", "costs.py:Plain", **said)
    assert says(sheet) == dict.fromkeys(COVERED["contract.shape"], FAIL)
    for check in ("gradient.vjp", "precision.forward", "contract.history"):
        assert sheet_of(check, "costs.py:Plain", **said).verdict is Verdict.INCONCLUSIVE


def test_a_forward_that_gives_no_tensor_fails_the_first_check():
    """The reason is quoted once for all shapes that were tried."""
    sheet = sheet_of("contract.forward", "kinds.py:NoTensor")
    assert says(sheet) == {"every shape": FAIL}
    said = "raised TypeError: forward must return one tensor; it returned tuple"
    assert sheet.cases[0].message == f"{', '.join(SHAPES[:4])} {said}"


def test_an_output_that_is_not_finite_fails_the_first_check():
    """NaN at an ordinary weight is a failure at every shape, in words."""
    sheet = sheet_of("contract.forward", "checked.py:LogarithmOfEntries")
    assert says(sheet) == dict.fromkeys([*SHAPES, *BORDERS, *KERNELS], FAIL)
    assert {case.message for case in sheet.cases} == {"the output is not finite at an ordinary weight"}


def test_a_domain_that_excludes_every_point_is_inconclusive():
    """Nothing that was looked at, nothing decided."""
    for check in ("property.odd", "gradient.vjp", "precision.forward", "edge.repeated_singular_values"):
        sheet = sheet_of(check, "kinds.py:Nowhere", declare={"odd": True})
        assert sheet.cases == [], check
        assert sheet.verdict is Verdict.INCONCLUSIVE
