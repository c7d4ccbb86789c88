"""What is asked of penalties alone: minima, kinks, convexity and the proximal operator."""

from __future__ import annotations

import torch
from audited import case_of, sheet_of, subject_of

from wnverify.finding import Verdict, decode_array

FAIL, PASS = Verdict.FAIL, Verdict.PASS


def test_where_a_penalty_is_least_a_right_gradient_passes_and_a_wrong_one_does_not():
    """At orthonormal rows value and gradient vanish: what rounding leaves there is judged by the slopes around."""
    right = sheet_of("edge.repeated_singular_values", "costs.py:Gram")
    assert {case.verdict for case in right.cases} == {PASS}
    assert all(case.power is not None and case.power < 1e-6 for case in right.cases)
    wrong = sheet_of("edge.repeated_singular_values", "costs.py:Gram", arguments={"factor": 4.04})
    assert case_of(wrong, "singular values 2, 2, 1, 1").verdict is FAIL


def test_kinks_close_to_a_large_weight_accuse_nobody_and_hide_nothing():
    """Among nine thousand entries some lie a ten-thousandth from their kink; one per cent too much is still seen."""
    assert sheet_of("gradient.vjp", "costs.py:Kinked").verdict is PASS
    wrong = sheet_of("gradient.vjp", "costs.py:Kinked", arguments={"factor": 1.01})
    assert case_of(wrong, "70x134").verdict is FAIL


def test_a_point_that_refutes_convexity_is_written_down():
    """The two ends of the chord and the values along it, of which one lies above its neighbours' mean."""
    sheet = sheet_of("property.convex", "costs.py:Gram", declare={"convex": True})
    case = next(case for case in sheet.cases if case.verdict is FAIL)
    start, end = (torch.as_tensor(decode_array(case.witness[name])) for name in ("V", "end"))
    gram = subject_of("costs.py:Gram").build(start)
    values = [float(gram.at(start + k / 8 * (end - start))) for k in range(9)]
    assert values == case.witness["values_along"]
    middles = [values[4] - (values[0] + values[8]) / 2]
    middles += [values[k] - (values[k - 1] + values[k + 1]) / 2 for k in range(1, 8)]
    assert max(middles) > 0


def test_a_better_point_refutes_a_proximal_operator():
    """The witness names weight, step, the point that was given and one where the sum is smaller."""
    said = {"declare": {"is_prox_of_penalty": True}, "arguments": {"factor": 2.0}}
    assert sheet_of("property.is_prox_of_penalty", "costs.py:Ridge", **said).verdict is PASS

    class Half(torch.nn.Module):
        def forward(self, W):
            return W.square().sum()

        def prox(self, W, step):
            return W / (1 + step)

    sheet = sheet_of("property.is_prox_of_penalty", Half(), declare={"is_prox_of_penalty": True})
    case = next(case for case in sheet.cases if case.verdict is FAIL and "better" in (case.witness or {}))
    W, X, Z = (torch.as_tensor(decode_array(case.witness[name])) for name in ("V", "prox", "better"))
    step = case.witness["step"]

    def total(point):
        return float((point - W).square().sum() / 2 + step * point.square().sum())

    assert total(Z) < total(X)
