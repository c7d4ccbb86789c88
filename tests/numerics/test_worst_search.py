"""The driven search: it climbs, says what it found beside plain draws, and gives the same again."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from wnverify.finding import Finding, Verdict, decode_array, dumps
from wnverify.methods.weight_normalization.pytorch import normalize_rows
from wnverify.numerics.judge import subject_of
from wnverify.numerics.matrices import Typed
from wnverify.numerics.search import drive, searched_worst, worst
from wnverify.oracles.ratio import ErrorModel, Ratio

PLAIN = "weight_normalization"


def test_the_method_of_the_house_is_searched_in_both_dtypes_and_directions():
    """Every finding passes, has the input as witness, and the worst of as many plain draws beside it."""
    found = searched_worst(PLAIN, quick=True)
    ids = {finding.id.removeprefix(f"method/{PLAIN}/") for finding in found}
    assert ids == {f"worst.{what}/{dtype}" for what in ("forward", "backward") for dtype in ("float64", "float32")}
    for finding in found:
        assert finding.verdict is Verdict.PASS
        driven, plain = finding.routes
        assert driven.figures["budget"] == 20
        assert driven.figures["worst_of_plain_draws"] == plain.ratio
        assert driven.figures["of"] == "driven search"
        assert finding.witness["V"]["hex"]
        assert ("A" in finding.witness) == (finding.check == "worst.backward")
    assert dumps([finding.to_json() for finding in found]) == dumps(
        [Finding.from_json(finding.to_json()).to_json() for finding in searched_worst(PLAIN, quick=True)]
    )


def test_the_witness_has_the_ratio_that_is_stated():
    """The input of the finding gives the larger of the two ratios when it is asked again."""
    subject = subject_of(PLAIN, 1, True)
    found = worst(subject, "forward", "float32", 25)
    V = decode_array(found.witness["V"])
    ratio = subject.model.value(Typed("", V, V), subject.value(V, "float32") - subject.map.reference(V), "float32")
    assert ratio.value == max(route.ratio for route in found.routes)


def test_the_search_climbs():
    """A ratio with its peak at one condition number is driven nearer to it than generating alone comes."""
    subject = subject_of(PLAIN, 0, True)

    def peaked(case):
        s = np.linalg.svd(case.V / np.abs(case.V).max(), compute_uv=False)
        off = abs(math.log10(s[0] / max(s[-1], 1e-12 * s[0])) - 4.273)
        return Ratio(1 / (1e-3 + off), 1.0, ErrorModel(1.0, "planted"))

    climbed, generated = (drive(subject, "forward", "float64", 120, peaked, climb=climb) for climb in (True, False))
    assert peaked(climbed).value > 2 * peaked(generated).value


def test_a_fault_at_rare_inputs_is_found():
    """An implementation that is wrong only for large entries fails, with such an entry as witness."""

    def wrong(V):
        W = normalize_rows(V)
        off = (V.abs().amax() > 32) & (V.shape[0] > 1)
        return W * torch.where(off, 1 + 1e-3, 1.0).to(V.dtype)

    found = worst(subject_of(PLAIN, 0, True, wrong), "forward", "float64", 30)
    assert found.verdict is Verdict.FAIL
    assert np.abs(decode_array(found.witness["V"])).max() > 32


def test_what_raises_inside_the_domain_is_the_worst_there_is():
    """A refused shape is a failure that names the exception."""

    def refuses(V):
        if V.shape[1] == 3:
            raise IndexError("three columns")
        return normalize_rows(V)

    found = worst(subject_of(PLAIN, 0, True, refuses), "forward", "float32", 25)
    assert found.verdict is Verdict.FAIL
    assert any("IndexError: three columns" in route.note for route in found.routes)


def test_where_nothing_is_decided_the_finding_is_inconclusive():
    """A model that excuses everything decides no case, and the search says so."""

    class Excuses:
        mixes = False

        def excused(self, case, dtype):
            return math.inf

    subject = dataclasses.replace(subject_of(PLAIN, 0, True), model=Excuses())
    found = worst(subject, "forward", "float64", 10)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.witness is None


def test_no_budget_is_refused():
    """A budget below one case is an error that says what came."""
    with pytest.raises(ValueError, match="budget must be at least 1 case; got 0"):
        searched_worst(PLAIN, budget=0)
