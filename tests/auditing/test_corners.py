"""Clear refusals, buffers, aliases and single directions: the right ones are left in peace, the wrong ones are not."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from audited import SUBJECTS, case_of, sheet_of, spec_of, subject_of

import wnverify
from wnverify.auditing.context import rows_are_independent
from wnverify.auditing.points import generic
from wnverify.auditing.suite import run_audit, shared_children, specs_of
from wnverify.auditing.vocabulary import check_domain
from wnverify.auditing.work import perform
from wnverify.finding import Verdict

FAIL, HAZARD, PASS = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS


def test_a_clear_refusal_of_far_sizes_is_told_and_blocks_nothing():
    """Two to the minus twenty of an ordinary weight is refused: no bits are missing."""
    sheet = sheet_of("precision.float64", "corners.py:Strict")
    assert sheet.verdict is PASS
    assert any("times 2^-20 is refused: ValueError: a row norm below 1e-4" in note for note in sheet.notes)


def test_a_module_of_buffers_is_looked_at_in_float64():
    """Made in float32, as everybody makes it; what its own dtype does to a narrower one is still seen."""
    assert sheet_of("contract.forward", "corners.py:Rotated").verdict is PASS
    sheet = sheet_of("contract.dtype", "corners.py:Promoted")
    assert {case.name: case.verdict for case in sheet.cases} == {
        "float64": PASS,
        "float32": PASS,
        "bfloat16": FAIL,
        "float16": FAIL,
    }


def test_a_kernel_that_a_projection_refuses_is_a_hazard_of_its_steps():
    """As it is of the shape; with matrices the steps go through."""
    sheet = sheet_of("lifecycle.steps", "corners.py:matrices_only")
    said = {case.name: case.verdict for case in sheet.cases}
    assert {verdict for name, verdict in said.items() if "Conv2d" in name} == {HAZARD}
    assert {verdict for name, verdict in said.items() if "Linear" in name} == {PASS}


def test_the_search_for_a_small_witness_survives_an_assertion():
    """Shapes are tried that the subject asserts not to see: the failure stands."""
    assert sheet_of("gradient.vjp", "corners.py:AssertsWide", shrink=True).verdict is FAIL


@pytest.mark.parametrize(("name", "verdict"), [("MaxNorm", PASS), ("OwnBuffer", FAIL)])
def test_an_output_that_is_the_input_has_no_history(name, verdict):
    """The alias is a matter of contract.input_unchanged; a memory of the module's own is one of this check."""
    assert sheet_of("contract.history", f"corners.py:{name}").verdict is verdict


def test_rows_that_are_made_one_after_the_other_are_coupled():
    """A multiple of one row, shifted, leaves what is made of the others where it was; float32 is judged by κ(V)²."""
    V = generic((4, 9), 0).V
    assert not rows_are_independent(subject_of("corners.py:CentredGramSchmidt").build(V), V)
    assert rows_are_independent(subject_of("corners.py:WellConditioned").build(V), V)
    for name in ("unit_norm_rows", "orthonormal_rows", "zero_mean_rows"):
        assert sheet_of(f"property.{name}", "corners.py:CentredGramSchmidt").verdict is not FAIL
    assert sheet_of("property.unit_norm_rows", "corners.py:CentredGramSchmidt").verdict is PASS


@pytest.mark.parametrize(("kind", "verdict"), [("projection", HAZARD), ("parametrization", FAIL)])
def test_what_nobody_trains_through_may_break_down_at_repeated_singular_values(kind, verdict):
    """Of a parametrization a derivative is asked there, in which an SVD's own is wrong."""
    assert sheet_of("edge.repeated_singular_values", "corners.py:by_svd", kind=kind).verdict is verdict


def test_a_half_may_be_summed_in_single():
    """A loss takes a float32 scalar; a float64 one of a float32 weight is a hazard still."""
    assert sheet_of("contract.dtype", "corners.py:SummedInSingle").verdict is PASS


def test_a_map_that_takes_long_is_left_to_full_at_the_largest_weight():
    """It says so; an ordinary one is looked at there."""
    for name, left in (("ByExponential", True), ("Strict", False)):
        sheet = sheet_of("gradient.float32", f"corners.py:{name}")
        assert any(note.startswith("6x1100: left to --full") for note in sheet.notes) is left
        assert any(case.name == "6x1100" for case in sheet.cases) is not left


def test_a_copy_is_a_model_of_its_own():
    """One that holds the original's parameters gives the same values, and moves with it."""
    sheet = sheet_of("contract.state", "corners.py:SharedByCopies")
    assert case_of(sheet, "deepcopy").verdict is PASS
    shared = case_of(sheet, "deepcopy, a model of its own")
    assert (shared.verdict, shared.message[:30]) == (FAIL, "the copy shares gain with the ")


def test_what_one_instance_keeps_is_no_other_ones():
    """Another instance's training changes the output of this one in evaluation."""
    sheet = sheet_of("contract.history", "corners.py:OneForTheClass")
    assert case_of(sheet, "after another instance's training").verdict is FAIL
    sheet = sheet_of("contract.history", "corners.py:MadeAtFirst")
    assert case_of(sheet, "after another instance's training").verdict is PASS


def test_a_buffer_that_appears_is_no_error_of_the_lab():
    """It is what the forward moves."""
    assert {case.verdict for case in sheet_of("contract.deterministic", "corners.py:MadeAtFirst").cases} == {PASS}


@pytest.mark.parametrize(("name", "verdict"), [("RoughWhenWide", PASS), ("RougherWhenWide", FAIL)])
def test_an_error_that_the_domain_admits_is_admitted_at_every_size(name, verdict):
    """A thousandth is admitted: a tenth of it passes beyond a thousand columns, a tenth of all does not."""
    assert sheet_of("property.sizes", f"corners.py:{name}").verdict is verdict


@pytest.mark.parametrize(("name", "verdict"), [("Barrier", PASS), ("WrongBarrier", FAIL)])
def test_a_barrier_may_raise_beyond_its_wall(name, verdict):
    """The gradient is judged where the penalty is finite."""
    for check in ("gradient.vjp", "gradient.rows"):
        assert sheet_of(check, f"corners.py:{name}").verdict is verdict


def test_a_penalty_may_refuse_what_is_singular():
    """The zero matrix is among the points that are tried for a better proximal point; Cholesky refuses it."""
    sheet = sheet_of("property.is_prox_of_penalty", "corners.py:LogDeterminant")
    assert {case.verdict for case in sheet.cases} <= {PASS, Verdict.UNSUPPORTED}
    assert any(case.verdict is PASS for case in sheet.cases)


def test_a_gradient_that_is_nowhere_finite_fails():
    """The value is right, and at no ordinary weight can it be trained."""
    sheet = sheet_of("gradient.vjp", "corners.py:SignedRoot")
    assert {case.verdict for case in sheet.cases} == {FAIL}
    assert case_of(sheet, "3x5").message == "the gradient is not finite though the map is differentiable here"


@pytest.mark.parametrize(("name", "verdict"), [("OwnConstant", HAZARD), ("Transposed", HAZARD), ("Moved", PASS)])
def test_what_stays_on_its_device_is_seen_under_any_name(name, verdict):
    """A private attribute, a transposed constant; one that is moved along is none."""
    assert sheet_of("contract.device", f"corners.py:{name}").verdict is verdict


def test_a_map_that_grows_along_one_direction_alone_is_expansive():
    """A drawn step has next to no part of it."""
    assert sheet_of("property.nonexpansive", "corners.py:AlongTheMean").verdict is FAIL


def test_a_layer_outside_the_domain_is_not_loaded():
    """A note, and no StopIteration of the lab's."""
    sheet = sheet_of("lifecycle.training", "corners.py:WellConditioned")
    assert any("outside the stated domain, so that none is loaded" in note for note in sheet.notes)
    assert not any("StopIteration" in case.message for case in sheet.cases)


def test_what_failed_before_a_raise_stands():
    """The stale output was seen before the evaluation of a fresh instance raised."""
    (found,) = perform(spec_of("corners.py:StaleInEvaluation").to_json(), "contract.train_eval")
    assert found.verdict is FAIL
    assert "in eval mode another weight gives the output of the weight before" in found.message


def test_a_discovered_property_is_a_property():
    """A prox that is right at a weight is none; one that holds but for an eps is one."""
    names = ("OftenWrongProx", "NearlyUnit")
    found = wnverify.audit(
        *(f"{SUBJECTS / 'corners.py'}:{name}" for name in names), checks=["property.discovered"], quick=True
    )
    described = {finding.subject: finding for finding in found if finding.check == "subject.description"}
    prox, unit = (described[f"corners.py:{name}"].routes[0].figures["discovered"] for name in names)
    assert all(name.isidentifier() for name in prox)
    assert "row_scale_invariant (but for an eps)" in unit


@pytest.mark.parametrize("error", [True, "a sentence", -1e-3, math.nan, math.inf])
def test_what_is_admitted_is_a_number(error):
    """True would admit an error as large as the value."""
    with pytest.raises(ValueError, match=r"DOMAIN\['approximate'\]\['odd'\] must be the relative error"):
        check_domain({"approximate": {"odd": error}})
    with pytest.raises(ValueError, match="must be a finite number"):
        check_domain({"max_abs": math.nan})


def test_two_audits_at_once_are_two_audits():
    """The second waits for the children of the first."""
    targets = [f"{SUBJECTS / 'corners.py'}:{name}" for name in ("Strict", "MaxNorm")]
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda t: wnverify.audit(t, checks=["contract.dtype"], quick=True), targets))
    assert [{finding.verdict for finding in found} for found in both] == [{PASS}, {PASS}]


def test_a_run_within_a_run_does_not_wait_for_itself():
    """A thread that keeps children for several runs may begin another one; a second thread waits until it is over."""
    asked = {"checks": ["contract.dtype"], "quick": True, "workers": 1}
    target = f"{SUBJECTS / 'corners.py'}:Strict"
    with ThreadPoolExecutor(1) as other:
        with shared_children(1) as kept:
            within = wnverify.audit(target, **asked)
            waiting = other.submit(wnverify.audit, target, **asked)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
            after = run_audit(specs_of([target]), checks=["contract.dtype"], executor=kept)
            assert {finding.verdict for finding in after.findings} == {PASS}
        assert waiting.result(100) == within


def test_a_target_that_dies_when_it_is_imported_is_its_own_error(tmp_path):
    """The others are audited, and nobody made a wrong call."""
    path = tmp_path / "dies.py"
    path.write_text("import os\nos._exit(3)\n\ndef unit(W):\n    return W\n")
    specs = specs_of([f"{path}:unit", f"{SUBJECTS / 'corners.py'}:Strict"])
    found = run_audit(specs, checks=["contract.dtype"], quick=True).findings
    by_subject = {finding.subject: finding for finding in found if finding.check == "subject.description"}
    assert by_subject["dies.py:unit"].verdict is Verdict.ERROR
    assert "exit code 3" in by_subject["dies.py:unit"].message
    assert [f.verdict for f in found if f.check == "contract.dtype" and f.subject == "corners.py:Strict"] == [PASS]


def test_a_name_that_a_star_import_may_bind_is_looked_for(tmp_path):
    """What it binds is known when the file is loaded."""
    (tmp_path / "shapes_of_corners.py").write_text("def unit(W):\n    return W / W.norm(dim=1, keepdim=True)\n")
    path = tmp_path / "starred.py"
    path.write_text("from shapes_of_corners import *\n")
    found = wnverify.audit(f"{path}:unit", checks=["contract.dtype"], quick=True)
    assert {finding.verdict for finding in found if finding.check == "contract.dtype"} == {PASS}
    with pytest.raises(ValueError, match="has no 'other'"):
        wnverify.audit(f"{path}:other", checks=["contract.dtype"], quick=True)
    path.write_bytes(b"# \xff\n")
    with pytest.raises(ValueError, match="the file must be UTF-8; at byte 2 it is not"):
        wnverify.audit(f"{path}:unit")


def test_a_live_penalty_and_its_prox_have_lines_that_are_python():
    """Nothing imports the object: what stands beside it is named in a comment."""
    from corners_live import l1

    found = wnverify.audit(l1, checks=["property.is_prox_of_penalty"], declare={"is_prox_of_penalty": True})
    lines = next(f.witness["snippet"] for f in found if f.check == "property.is_prox_of_penalty")
    compile(lines, "lines", "exec")
    assert "# prox: the function beside it" in lines
    assert subject_of(l1, kind="penalty").capabilities >= {"prox"}
