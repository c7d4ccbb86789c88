"""What a subject may say: known names, usable values, and what every name of the domain does."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from audited import sheet_of, subject_of
from torch import nn

from wnverify.auditing.context import Context
from wnverify.auditing.holding import feasible
from wnverify.auditing.points import Point, outside, randn
from wnverify.auditing.target import TargetError
from wnverify.auditing.vocabulary import DOMAIN as STATED  # a subject of this module would take DOMAIN for its own
from wnverify.auditing.vocabulary import (
    NUMERIC_DOMAIN,
    PENALTY_ONLY,
    PROPERTIES,
    VALUE_NEEDED,
    WITH_VALUE,
    check_declared,
    check_domain,
    check_set,
)
from wnverify.finding import Verdict

EYE = torch.eye(3, 5, dtype=torch.float64)
TALL = EYE.mT.contiguous()
SQUARE = torch.eye(4, dtype=torch.float64)
GRADED = torch.diag(torch.tensor([1.0, 1e-2, 1e-4], dtype=torch.float64))

CONDITIONS = {
    "full_rank": (True, EYE, torch.ones(3, 5, dtype=torch.float64)),
    "max_condition": (1e3, EYE, GRADED),
    "max_sigma_ratio": (1e3, EYE, GRADED),
    "max_abs": (10.0, 10 * EYE, 10.5 * EYE),
    "min_row_norm": (0.5, EYE, 0.4 * EYE),
    "matrices_only": (True, EYE, torch.ones(3, 5, 1, dtype=torch.float64)),
    "min_cols": (3, GRADED, torch.ones(4, 2, dtype=torch.float64)),
    "rows_le_cols": (True, SQUARE, TALL),
    "rows_lt_cols": (True, EYE, SQUARE),
    "finite_only_for_row_norm_lt": (2.0, EYE, 2 * EYE),
}
"""Name → (value, a weight inside, a weight outside)."""


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_tells_inside_from_outside(name):
    """The reason begins with the broken condition; nothing else is broken at either weight."""
    value, inside, beyond = CONDITIONS[name]
    assert outside(inside, {name: value}) is None
    assert (outside(beyond, {name: value}) or "").startswith(f"{name}: ")


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "matrices_only"])
def test_a_condition_is_seen_on_kernels_of_any_dtype(name):
    """Further axes are flattened before the condition is asked, and float32 is judged alike."""
    value, inside, beyond = CONDITIONS[name]
    assert outside(inside.unsqueeze(-1).float(), {name: value}) is None
    assert (outside(beyond.unsqueeze(-1).float(), {name: value}) or "").startswith(f"{name}: ")


class Nowhere(nn.Module):
    """NaN at a zero row, a constant row and the zero matrix, and without a derivative of the backward."""

    def forward(self, V):
        X = V.flatten(1)
        spread = X - X.mean(1, keepdim=True)
        return (X / X.norm(dim=1, keepdim=True) + spread / spread.norm(dim=1, keepdim=True)).reshape(V.shape)


class AddsUp(nn.Module):
    """Unit rows, off by one in a million."""

    def forward(self, V):
        return (1 + 1e-6) * V / V.flatten(1).norm(dim=1).reshape(-1, *[1] * (V.dim() - 1))


class Counts(nn.Module):
    """The forward moves a buffer in training."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, V):
        if self.training:
            self.calls += 1
        return V * (1 + self.calls)


class Identity(nn.Module):
    def forward(self, V):
        return 1.0 * V


def _with_domain(kind, **domain):
    return type(kind.__name__, (kind,), {"DOMAIN": domain, "__module__": __name__})


BY_CHECKS = {
    "zero_row": ("edge.zero_row", Nowhere, "NaN, as it should be", Verdict.HAZARD),
    "constant_row": ("edge.constant_row", Nowhere, "NaN, as it should be", Verdict.HAZARD),
    "zero_matrix": ("edge.zero_matrix", Nowhere, "NaN, as it should be", Verdict.HAZARD),
    "approximate": ("property.unit_norm_rows", AddsUp, {"unit_norm_rows": 2e-6}, Verdict.FAIL),
    "stateful_in_training": ("contract.deterministic", Counts, True, Verdict.HAZARD),
}
"""Name → (the check that hears it, a subject, the value, the verdict without it)."""


@pytest.mark.parametrize("name", BY_CHECKS)
def test_a_documented_behaviour_is_heard_by_its_check(name):
    """What is no pass without the word is a pass with it."""
    check, kind, value, without = BY_CHECKS[name]
    declare = {"unit_norm_rows": True} if check.startswith("property.") else {}
    before = sheet_of(check, kind(), declare=declare)
    after = sheet_of(check, _with_domain(kind, **{name: value})(), declare=declare)
    assert (before.verdict, after.verdict) == (without, Verdict.PASS)


def test_what_is_documented_is_quoted():
    """A documented NaN passes and still is reported with its sentence."""
    said = sheet_of("edge.zero_row", _with_domain(Nowhere, zero_row="NaN in that row")()).notes
    assert said == ["row 1 zero: W is NaN in row 1; documented: NaN in that row"]


def test_zero_row_speaks_for_the_zero_matrix_too():
    """Who documents zero rows need not document a matrix of them."""
    sheet = sheet_of("edge.zero_matrix", _with_domain(Nowhere, zero_row="NaN", constant_row="NaN")())
    assert sheet.verdict is Verdict.PASS


def test_an_admitted_error_is_a_limit_not_a_waiver():
    """A declared approximation of 2e-8 does not excuse a miss of 1e-6."""
    sheet = sheet_of(
        "property.unit_norm_rows",
        _with_domain(AddsUp, approximate={"unit_norm_rows": 2e-8})(),
        declare={"unit_norm_rows": True},
    )
    assert sheet.verdict is Verdict.FAIL


def test_orthonormal_rows_of_wide_weights_only():
    """``rows_le_cols_for_orthonormal_rows`` takes unit rows off a tall weight's list and keeps a wide one's."""
    free = Context(subject_of(Identity()), seed=0)
    bound = Context(subject_of(_with_domain(Identity, rows_le_cols_for_orthonormal_rows=True)()), seed=0)
    tall, wide = (Point(name="", V=randn(*shape, seed=1)) for shape in ((5, 3), (3, 5)))
    assert feasible(free, "unit_norm_rows", tall)
    assert not feasible(bound, "unit_norm_rows", tall)
    assert feasible(bound, "unit_norm_rows", wide)
    assert feasible(bound, "zero_mean_rows", tall)


def test_no_double_backward_is_noted():
    """The reason stands among the conditions of the second-order finding."""
    kind = _with_domain(Identity, no_double_backward="written by hand")
    assert "declared without a second derivative: written by hand" in sheet_of("gradient.second_order", kind()).notes


class StraightThrough(torch.nn.Module):
    """Rounded to halves, with ``slope`` for its derivative, where that of the identity is meant."""

    DOMAIN: ClassVar[dict[str, object]] = {"surrogate_gradient": "straight through"}

    def __init__(self, slope=1.0):
        super().__init__()
        self.slope = slope

    def forward(self, V):
        passed = self.slope * V
        return passed + ((2 * V).round() / 2 - passed).detach()


class StraightThroughStated(StraightThrough):
    """The same, which says that it means the identity's derivative."""

    @staticmethod
    def surrogate(V):
        return V * 1.0


@pytest.mark.parametrize(
    ("subject", "verdict"),
    [(StraightThrough(1.25), "pass"), (StraightThroughStated(1.0), "pass"), (StraightThroughStated(1.25), "fail")],
    ids=["unstated", "as stated", "not as stated"],
)
def test_a_surrogate_gradient_is_judged_by_the_map_that_it_states(subject, verdict):
    """Its distance from the forward's derivative is a figure; from that of the stated map it is a failure."""
    assert str(sheet_of("gradient.vjp", subject).verdict) == verdict


SENTENCES = frozenset({"nonsmooth"})
"""Documentation alone: kinks are found, not told."""


def test_every_name_of_the_domain_is_accounted_for():
    """Each is a condition on the weight, heard by a check, or a sentence."""
    elsewhere = {
        "rows_le_cols_for_orthonormal_rows",
        "no_double_backward",
        "surrogate_gradient",
        "no_vmap",
        "no_compile",
    }
    heard = [set(CONDITIONS), set(BY_CHECKS), elsewhere, set(SENTENCES)]
    assert set(STATED) == set().union(*heard)
    assert len(STATED) == sum(map(len, heard))


@pytest.mark.parametrize(
    ("declares", "said"),
    [
        ({"unit_norm_row": True}, "unknown name 'unit_norm_row' (did you mean 'unit_norm_rows'?); known are "),
        ({"qwerty": True}, "unknown name 'qwerty'; known are unit_norm_rows, constant_norm_rows"),
        ({"odd": 3}, "DECLARES['odd'] must be True or False; got 3"),
        ({"odd": None}, "DECLARES['odd'] must be True or False; got None"),
        ({"l1_rows_le": True}, "must be the declared value"),
        ({"structured_orthonormal": True}, "must be the declared value"),
        ({"constant_norm_rows": "two"}, "DECLARES['constant_norm_rows'] must be True or a number; got 'two'"),
        (["odd"], "DECLARES must be a mapping from names to values; got list"),
    ],
)
def test_a_declaration_without_sense_is_refused(declares, said):
    """The message names the argument, what came, and what is known."""
    with pytest.raises(ValueError, match="DECLARES") as caught:
        check_declared(declares)
    assert said in str(caught.value)


def test_every_known_name_is_listed_where_one_is_unknown():
    """A reader of the message needs no manual."""
    with pytest.raises(ValueError, match="known are") as caught:
        check_declared({"?": True})
    assert all(name in str(caught.value) for name in PROPERTIES)
    with pytest.raises(ValueError, match="known are") as caught:
        check_domain({"?": True})
    assert all(name in str(caught.value) for name in STATED)


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) - PENALTY_ONLY))
def test_every_property_takes_its_value_and_false_takes_it_back(name):
    """True, or a number where one is needed, is kept; False is as if nothing had been said."""
    value = 2.0 if name in VALUE_NEEDED else True
    assert check_declared({name: value}) == {name: value}
    assert check_declared({name: False}) == {}
    if name in WITH_VALUE:
        assert check_declared({name: 0.5}) == {name: 0.5}


@pytest.mark.parametrize("name", sorted(NUMERIC_DOMAIN))
@pytest.mark.parametrize("value", [True, "3", None])
def test_a_number_of_the_domain_must_be_one(name, value):
    """A limit that is no number would compare with nothing."""
    with pytest.raises(ValueError, match=rf"DOMAIN\['{name}'\] must be a finite number"):
        check_domain({name: value})


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({"full_ranks": True}, "did you mean 'full_rank'?"),
        ({"approximate": 0.1}, "DOMAIN['approximate'] must map a property to its error; got 0.1"),
        ({"approximate": {"unit_rows": 0.1}}, "DOMAIN['approximate'] has the unknown name 'unit_rows'"),
    ],
)
def test_a_domain_without_sense_is_refused(domain, said):
    """Unknown names are refused inside ``approximate`` too."""
    with pytest.raises(ValueError, match="DOMAIN") as caught:
        check_domain(domain)
    assert said in str(caught.value)


def test_a_domain_that_is_false_is_not_stated():
    """False takes a condition back, as for properties."""
    assert check_domain({"full_rank": False, "min_cols": 2}) == {"min_cols": 2}


@pytest.mark.parametrize(
    "name",
    [
        "UnknownProperty",
        "NumberWanted",
        "FlagWanted",
        "ValueWanted",
        "UnknownDomain",
        "NumberOfDomain",
        "OddAdmission",
        "NoMapping",
    ],
)
def test_a_subject_that_says_what_may_not_be_said_is_refused(name):
    """The words of a class are read as those of a call are."""
    with pytest.raises(ValueError, match=r"^(DECLARES|DOMAIN)\b"):
        subject_of(f"undeclarable.py:{name}")


def test_a_target_error_is_no_declaration_error():
    """An unknown name of the file is another error than an unknown property."""
    with pytest.raises(TargetError):
        subject_of("kinds.py:Nope")


@pytest.mark.parametrize("name", sorted(PENALTY_ONLY))
def test_what_only_a_penalty_has_is_refused(name):
    """The word is known, and said to belong elsewhere rather than never judged; taken back it does no harm."""
    with pytest.raises(ValueError, match=rf"DECLARES\['{name}'\] belongs to a penalty"):
        check_declared({name: True})
    assert check_declared({name: False}) == {}


@pytest.mark.parametrize(
    "given",
    [{"name": "l2_ball_rows"}, {"name": "box", "lo": -1.0, "hi": 2.0}, {"name": "stiefel_rows"}],
)
def test_a_set_is_kept_where_a_projection_is_declared(given):
    """Without a declared projection nobody asks for the set."""
    assert check_set(given, {"euclidean_projection": True}) == given
    assert check_set(given, {}) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "euclidean_projection needs SET = {'name': …, parameters}; got {}"),
        ({"radius": 1.0}, "euclidean_projection needs SET"),
        ({"name": "l2_ball"}, "SET['name'] must be one of box, l2_ball_rows"),
        ({"name": "l2_ball_rows", "radus": 1.0}, "takes radius; got 'radus'"),
        ({"name": "l2_ball_rows", "radius": -1.0}, "SET of l2_ball_rows: radius"),
        ({"name": "box", "lo": 0.0}, "SET of box: box needs lo, hi; hi is missing"),
        ({"name": "box", "lo": 2.0, "hi": 1.0}, "SET of box: "),
    ],
)
def test_a_set_without_sense_is_refused(given, said):
    """An unknown set and an unknown, missing or impossible parameter are found before anything is judged."""
    with pytest.raises(ValueError, match="SET") as caught:
        check_set(given, {"euclidean_projection": True})
    assert said in str(caught.value)
