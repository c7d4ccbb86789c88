"""Work is counted as it is written down; what grows too fast, or holds at some sizes only, is said."""

from __future__ import annotations

import pytest
import torch
from audited import case_of, says, sheet_of

from wnverify.auditing.counted import cost_of, exponents
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model

FAIL, HAZARD, PASS, UNSUPPORTED = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS, Verdict.UNSUPPORTED
V = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_product_is_counted_as_two_operations_a_term():
    """V B forward is 2·6·10·4; its backward, V̄ = A Bᵀ alone, as much again."""
    B = torch.ones(10, 4, dtype=torch.float64)
    cost = cost_of(lambda X: X @ B, V)
    assert cost.work == 2 * (2 * 6 * 10 * 4)
    assert cost.opaque == ()


def test_entries_are_counted_once_each_way_and_views_not_at_all():
    """A product of entries is 60 operations, and 60 again backward; a transpose is none and makes no memory."""
    assert cost_of(lambda X: 3.0 * X, V).work == 120
    viewed = cost_of(lambda X: X.mT, V)
    assert (viewed.work, viewed.calls, viewed.made, viewed.saved) == (0, 0, 0, 0)


def test_what_is_saved_is_counted_without_the_weight_itself():
    """exp keeps its output (480 bytes), a square only the weight, which is there anyway."""
    assert cost_of(torch.exp, V).saved == 6 * 10 * 8
    assert cost_of(torch.square, V).saved == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cholesky", lambda X: torch.linalg.cholesky_ex((X @ X.mT).detach()).L, 2 * 6 * 6 * 10 + 6**3 / 3),
        ("svdvals", lambda X: torch.linalg.svdvals(X.detach()), 14 * 10 * 6**2 + 8 * 6**3),
        ("qr", lambda X: torch.linalg.qr(X.detach().mT).R, 4 * 6**2 * (10 - 6 / 3)),
        ("eigh", lambda X: torch.linalg.eigh((X @ X.mT).detach()).eigenvalues, 2 * 6 * 6 * 10 + 9 * 6**3),
    ],
)
def test_factorizations_have_their_leading_terms(name, value, expected):
    """Golub and Van Loan's counts, up to the copies beside them, of fewer operations than entries times four."""
    assert 0 <= cost_of(value, V).work - expected <= 4 * V.numel(), name


def test_exponents_of_powers_are_their_powers():
    """Twice the size and eight times the cost is an exponent of three; nothing at all has none."""
    for found in exponents((2, 4, 8), [8.0, 64.0, 512.0]):
        assert Ratio(abs(found - 3.0), 3.0, map_model("float64", 1)).value <= 1
    assert list(exponents((2, 4), [0.0, 0.0])) == [0.0]


def test_work_that_grows_faster_than_a_product_is_a_hazard():
    """As many products as there are rows: m⁴, and far more than the layer itself."""
    sheet = sheet_of("cost.work", "executed.py:Quartic", quick=True)
    assert says(sheet) == {"work": HAZARD, "128x256": HAZARD}
    assert "with m rows and 2m columns; a matrix product's is 3" in case_of(sheet, "work").message
    assert sheet.notes == ["quick: up to 128 rows"]
    assert round(case_of(sheet, "work").figures["exponent"]) == 4


def test_a_cube_kept_for_the_backward_is_a_hazard_of_memory():
    """Both what is kept and what is made on the way grow like m³; the number of operations does not."""
    sheet = sheet_of("cost.memory", "executed.py:Hoarder", quick=True)
    assert says(sheet) == {"tensors kept for the backward": HAZARD, "tensors made on the way": HAZARD}
    assert says(sheet_of("cost.calls", "executed.py:Hoarder", quick=True)) == {}


def test_a_loop_over_the_rows_is_a_hazard_of_calls():
    """One operation more for each row: the exponent is 1 where a map without a loop has 0."""
    sheet = sheet_of("cost.calls", lambda V: torch.stack([row / row.norm() for row in V.unbind()]), quick=True)
    assert says(sheet) == {"operations called": HAZARD}
    assert "a map's without a loop is 0" in sheet.cases[0].message


def test_costs_are_the_same_each_time():
    """Nothing is timed: two sheets agree figure by figure."""
    first, second = (sheet_of("cost.work", "checked.py:Exact") for _ in range(2))
    assert [case.figures for case in first.cases] == [case.figures for case in second.cases]


def test_a_declared_property_that_ends_at_a_border_fails_and_an_undeclared_one_is_a_hazard():
    """Odd at all sizes but beyond 1024 columns; the declared property says so itself where it was not looked."""
    free = says(sheet_of("property.sizes", "executed.py:Smallest"))
    assert free["odd at 5x1025"] is HAZARD
    assert all(name.endswith(("5x1025", "3x4097")) for name in free)
    told = says(sheet_of("property.sizes", "executed.py:Smallest", declare={"odd": True}))
    assert told["odd at 5x1025"] is FAIL
    assert says(sheet_of("property.odd", "executed.py:Smallest", declare={"odd": True})) == {}


@pytest.mark.parametrize(("subject", "verdict"), [("WornAtSize", HAZARD), ("ShiftedAtSize", FAIL)])
def test_a_miss_of_rounding_at_size_is_no_wrong_mathematics(subject, verdict):
    """Two hundred units in the last place, of float32 and float64 alike, are a hazard; a fixed 10^-9 is a failure."""
    assert says(sheet_of("property.sizes", f"executed.py:{subject}"))["unit_norm_rows at 33x65"] is verdict


def test_sizes_that_are_too_dear_are_named():
    """A map of m⁴ is looked at where it can be; what is left out stands among the conditions."""
    sheet = sheet_of("gradient.sizes", "executed.py:Quartic")
    assert "33x65" in [case.name for case in sheet.cases]
    (note,) = sheet.notes
    assert note == "left out for their cost, above 1e+07 operations a step: 65x33, 257x5, 5x1025, 1025x5"


def test_an_empty_weight_that_grows_is_a_hazard_and_one_that_crashes_unsupported():
    """A wrong shape is silent, an IndexError is not; a weight without columns may be refused anyhow."""
    assert says(sheet_of("edge.empty", "executed.py:EmptyGrows"))["0x5"] is HAZARD
    crash = sheet_of("edge.empty", "executed.py:EmptyCrashes")
    assert says(crash) == {"0x5": UNSUPPORTED}
    assert "IndexError" in crash.cases[0].message
