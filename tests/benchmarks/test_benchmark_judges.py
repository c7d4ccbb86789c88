"""What two runs agree on: the judges of the rows see contenders that do not do the same work."""

import numpy as np
import pytest
import torch

from benchmarks import gradients, growth, maps, memory, planted, properties, startup, steps, theory, training
from benchmarks.side_by_side import Times
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.report.parts import AWAITED

SHAPE = (8, 18)


def times(**told):
    return {name.replace("_", " "): Times([1.0], told=one) for name, one in told.items()}


def map_told(f):
    return maps.value_and_gradient(steps.step_of(f, SHAPE))


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "one per mille too large"])
def test_a_map_that_differs_is_seen(wrong):
    """W and G of two contenders agree within what rounding may do."""
    right = map_told(steps.plain_own)
    other = map_told(lambda V: (1 + 1e-3 * wrong) * steps.plain_own(V))
    verdict, _, _ = maps.same_map(times(ours=right, peer=other), among=("peer",), condition=8.0)
    assert (verdict is Verdict.FAIL) is wrong


def test_rows_further_from_orthonormal_than_the_best_peer_s_are_a_failure():
    """The smallest error of any peer is the measure."""
    right = map_told(steps.plain_own)
    worse = {**right, "orthogonality": 2 * right["orthogonality"]}
    assert maps.same_frame(times(ours=right, plain_autograd=worse), condition=8.0)[0] is Verdict.PASS
    assert maps.same_frame(times(ours=worse, plain_autograd=right), condition=8.0)[0] is Verdict.FAIL


def test_the_peers_compute_what_ours_does():
    """The sorted projections, and the batch-normalization forms, of the sizes that a test has time for."""
    shape = (6, 40)
    ours = maps.value_and_gradient(steps.ours("l1_inf_projection", shape))
    for peer in (steps.step_of(steps.sorted_projection, shape), steps.numpy_projection(shape)):
        told = maps.value_and_gradient(peer)
        assert maps.same_map(times(ours=ours, peer=told), among=("peer",), condition=4.0)[0] is Verdict.PASS
    for name in ("wn", "cwn", "ws"):
        mine, peer = (next(c for c in maps.by_rows(name, shape).contenders if c.name == which) for which in
                      ("ours", "torch weight_norm" if name == "wn" else "batch_norm form"))  # fmt: skip
        told = [maps.value_and_gradient(each.make()) for each in (mine, peer)]
        judged = maps.same_map(times(ours=told[0], peer=told[1]), among=("peer",), condition=4.0)
        assert judged[0] is Verdict.PASS, (name, judged[1])


def kills(**changed):
    said = {fault: dict.fromkeys(gradients.CHECKERS, (True, 0.1)) for fault in planted.FAULTS}
    said["none"] = dict.fromkeys(gradients.CHECKERS, (False, 0.0))
    told = {"ratio": 0.1, "power": 1e-9, "evaluations": 110, "kills": said}
    fault = next(iter(planted.FAULTS))
    if "missed" in changed:
        said[fault] = {**said[fault], "ours": (False, 0.0)}
    if "accused" in changed:
        said["none"] = {**said["none"], "ours": (True, 0.1)}
    return gradients.kills(times(ours={**told, "ratio": changed.get("ratio", 0.1)}))


def test_the_engine_s_misses_and_false_alarms_are_seen():
    """A fault that gradcheck alone catches, an accused right backward, an accused right map."""
    assert kills()[0] is Verdict.PASS
    assert "caught by gradcheck only" in kills(missed=True)[1]
    assert "accuses a right backward" in kills(accused=True)[1]
    assert "the right map is accused" in kills(ratio=2.0)[1]
    assert {kills(**one)[0] for one in ({"missed": True}, {"accused": True}, {"ratio": 2.0})} == {Verdict.FAIL}


def test_every_planted_fault_is_wrong_and_the_right_rule_is_right():
    """The rule written by hand is autograd's gradient; no other one is, for at least one of two cotangents."""
    V = torch.randn(18, 94, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cotangents = [2 * torch.randn(V.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))]
    cotangents.append(torch.zeros_like(V).index_put((torch.tensor(17), torch.tensor(93)), torch.tensor(3.0).double()))

    def off(fault):
        found = []
        for A in cotangents:
            leaf, other = V.clone().requires_grad_(), V.clone().requires_grad_()
            (expected,) = torch.autograd.grad(planted.orthogonalize(leaf), leaf, A)
            (G,) = torch.autograd.grad(planted.subject(fault)(other), other, A)
            found.append(float((G - expected).norm() / expected.norm()))
        return max(found)

    condition = float(torch.linalg.cond(V - V.mean(1, keepdim=True))) ** 2
    allowed = map_model("float64", V.shape[1], condition=condition)
    assert Ratio(off("none"), 1.0, allowed).value <= 1
    assert all(Ratio(off(fault), 1.0, allowed).value > 1e3 for fault in planted.FAULTS)


def test_the_programs_enumerate_the_same_complexity_and_a_wrong_one_is_seen():
    """n = 5 by mixed-integer programs; a value off by a thousandth is no longer the same."""
    told = theory.both(None)
    assert theory.same(times(programs=told))[0] is Verdict.PASS
    assert theory.same(times(programs=(told[0] * 1.001, *told[1:])))[0] is Verdict.FAIL


def test_a_batch_that_sees_something_else_is_seen():
    """Ratios above 1, or batched and alone apart."""
    mine = [0.1, 0.2]
    assert properties.same(times(ours=mine, one_at_a_time=mine))[0] is Verdict.PASS
    assert properties.same(times(ours=[0.1, 1.3], one_at_a_time=mine))[0] is Verdict.FAIL
    assert properties.same(times(ours=[2.0, 2.0], one_at_a_time=[1.5, 1.5]))[0] is Verdict.FAIL


def test_the_property_is_the_same_batched_and_alone():
    """The first examples of the batch have the ratios that they have alone."""
    method = "centred_weight_normalization"
    subject, V = properties.subject_of(method, 0, True), properties.drawn(8)
    together = properties.ratios(subject, V)
    alone = np.concatenate([properties.ratios(subject, V[k : k + 1]) for k in range(8)])
    assert np.abs(together - alone).max() <= 1


def test_the_exponent_is_that_of_the_catalogue_s_words():
    """Powers of every size count together, the largest term counts; no O(…) is an error."""
    words = {"O(n d)": 2, "O(n² d + n³)": 3, "O(k n d + T k³), k = min(n, d)": 3, "O(n d min(n, d))": 3}
    assert {cost: growth.expected(cost) for cost in words} == words
    assert growth.slope((64, 202, 640), [1.0, (202 / 64) ** 3, 1000.0]) == pytest.approx(3.0)
    with pytest.raises(ValueError, match="cost must have"):
        growth.expected("none")


def test_operations_that_grow_too_fast_are_seen():
    """The counted exponent is compared with the expected one, kept bytes with the weight's."""
    for operations, kept, verdict in ((2.1, 2.0, Verdict.PASS), (2.9, 2.0, Verdict.FAIL), (2.0, 3.0, Verdict.FAIL)):
        assert growth.no_faster(times(ours={"operations": operations, "kept": kept}), power=2)[0] is verdict


def test_kept_bytes_are_counted_beside_v_and_w():
    """A map that keeps nothing but W, and one that keeps a copy of V as well."""

    class Keeps(torch.autograd.Function):
        @staticmethod
        def forward(ctx, V, more):
            W = V * 2
            ctx.save_for_backward(*([W, V.clone()] if more else [W]))
            return W

        @staticmethod
        def backward(ctx, A):
            return 2 * A, None

    none, copy = (
        memory.kept(steps.step_of(lambda V, more=more: Keeps.apply(V, more), SHAPE)) for more in (False, True)
    )
    assert (none, copy) == (0, 4 * SHAPE[0] * SHAPE[1])
    assert memory.no_more(times(ours=none, plain_autograd=copy), shape=SHAPE)[0] is Verdict.PASS
    assert memory.no_more(times(ours=copy, plain_autograd=none), shape=SHAPE)[0] is Verdict.FAIL


def test_torch_in_the_start_and_other_findings_of_two_workers_are_seen():
    """What is told decides."""
    assert startup.without_torch(times(ours=False))[0] is Verdict.PASS
    assert startup.without_torch(times(ours=True))[0] is Verdict.FAIL
    assert startup.same_findings(times(ours=False))[0] is Verdict.FAIL
    assert training.all_plain({"after remove": Times([1.0], told={"wn": True, "own": False})})[0] is Verdict.FAIL


def test_remove_leaves_the_plain_network():
    """Every method of the training rows, off the smallest network of the kind."""
    assert all(training.layers_left(None).values())


def test_every_family_is_awaited_by_the_report():
    """A family without its part is said to be missing."""
    from benchmarks.__main__ import FAMILIES

    assert {f"benchmarks.{family}" for family in FAMILIES} == {name for name in AWAITED if "benchmarks." in name}
