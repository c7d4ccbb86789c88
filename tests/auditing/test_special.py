"""Where declared properties of projections and penalties are asked beside generic weights."""

from __future__ import annotations

import pytest
import torch
from audited import case_of, sheet_of
from torch import nn

from wnverify.auditing.special import LARGE, uneven_rows, with_zero_row
from wnverify.finding import Verdict
from wnverify.oracles.ratio import Ratio, map_model

FAIL, PASS, HAZARD = Verdict.FAIL, Verdict.PASS, Verdict.HAZARD
BALL = {"declare": {"euclidean_projection": True}}


def into_ball(W):
    sizes = W.flatten(1).norm(dim=1).clamp_min(1.0)
    return W / sizes.reshape(-1, *[1] * (W.dim() - 1))


class Ball:
    SET = {"name": "l2_ball_rows", "radius": 1.0}  # noqa: RUF012

    def __init__(self, wrong: str = ""):
        self.wrong = wrong

    def __call__(self, W):
        X, n, d = into_ball(W), len(W), W[0].numel()
        if self.wrong == "zero rows":
            X = torch.where(W.flatten(1).any(dim=1).reshape(-1, *[1] * (W.dim() - 1)), X, d**-0.5)
        if self.wrong == "slack":
            X = torch.where((W - X).abs() < 1e-5, W, X)
        if (self.wrong, n) in (("many rows", 257), ("one column", 5 if d == 1 else 0)) or (self.wrong, d) == (
            "long",
            257,
        ):
            X = X / 2
        return X.detach()


class BallModule(nn.Module):
    SET = {"name": "l2_ball_rows", "radius": 1.0}  # noqa: RUF012

    def forward(self, W):
        with torch.no_grad():
            return into_ball(W)


class Lengths(nn.Module):
    """The norms of the rows, with a ``prox`` that is theirs or the square's."""

    def __init__(self, right: bool = True):
        super().__init__()
        self.right = right

    def forward(self, W):
        return W.flatten(1).norm(dim=1).sum()

    def prox(self, W, step):
        sizes = W.flatten(1).norm(dim=1).reshape(-1, *[1] * (W.dim() - 1))
        return W * (1 - step / sizes.clamp_min(max(step, 1e-30))) if self.right else W / (1 + step)


class Capped(nn.Module):
    """``Σ min(|w|, 2)`` through a comparison, which a NaN fails."""

    def forward(self, W):
        return torch.where(W.abs() < 2, W.abs(), torch.full_like(W, 2.0)).sum()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("zero rows", "a zero row"),
        ("slack", "3x5"),
        ("many rows", "257x5"),
        ("long", "5x257"),
        ("one column", "5x1"),
    ],
)
def test_a_projection_is_asked_where_shortcuts_go_wrong(wrong, where):
    """A fault at one place alone is seen, and there; the right map passes everywhere."""
    case = case_of(sheet_of("property.euclidean_projection", Ball(wrong), **BALL), f"{where} float64")
    assert case.verdict is FAIL
    assert sheet_of("property.euclidean_projection", Ball(), **BALL).verdict is PASS


def test_a_zero_row_that_is_documented_is_not_asked():
    """What DOMAIN tells of zero rows is what happens there."""
    told = Ball("zero rows")
    told.DOMAIN = {"zero_row": "put onto the border"}
    assert sheet_of("property.euclidean_projection", told, **BALL).verdict is PASS


def test_a_module_without_a_graph_that_says_it_projects_is_a_projection():
    """Nobody is told that a step after the optimiser's cannot be trained; without the declaration somebody is."""
    names = {case.name for case in sheet_of("property.euclidean_projection", BallModule(), **BALL).cases}
    assert f"{LARGE[1][0]}x{LARGE[1][1]} float64" in names
    assert sheet_of("gradient.vjp", BallModule()).verdict is FAIL


def test_a_prox_that_nobody_declared_is_asked_unless_it_is_denied():
    """The name of the method says what it is meant to be."""
    assert sheet_of("property.discovered", Lengths(right=False)).verdict is FAIL
    assert sheet_of("property.discovered", Lengths()).verdict is PASS
    denied = sheet_of("property.discovered", Lengths(right=False), declare={"is_prox_of_penalty": False})
    assert denied.verdict is PASS


def test_a_cap_that_swallows_a_nan_is_a_hazard():
    """A NaN counts as an entry beyond the cap: right for numbers, and blind."""
    assert sheet_of("edge.nan_row", Capped()).verdict is HAZARD


def viewed(W):
    return W.view(len(W), -1).clamp(-1, 1).view(W.shape)


def test_strides_that_allow_no_view_are_a_hazard():
    """A map that refuses them breaks in some layouts; the audit does not."""
    assert sheet_of("contract.layout", viewed).verdict is HAZARD


def test_a_projection_with_a_small_set_has_no_norm_that_is_lost_at_large_sizes():
    """What its points on the border have in common is no property of the map."""
    assert sheet_of("property.sizes", lambda W: into_ball(2 * W) / 2).verdict is PASS


def test_rows_are_what_the_names_say():
    """Sizes spread over powers of two, rows of the sum asked for, and one zero row."""
    spread, summed = uneven_rows(3, total=4.0)
    sizes = spread.V.norm(dim=1)
    assert float(sizes.max() / sizes.min()) > 2**8
    off = float((summed.V.sum(1) - 4.0).abs().max())
    assert Ratio(off, float(summed.V.abs().sum(1).max()), map_model("float64", summed.V.shape[1])).value <= 1
    assert with_zero_row(3).V.any(dim=1).tolist() == [True, True, False, True]
