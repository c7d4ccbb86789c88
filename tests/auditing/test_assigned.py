"""A weight that a layer itself gave, assigned to it through ``right_inverse``, is the weight that is read."""

from __future__ import annotations

import pytest
import torch
from audited import sheet_of
from torch import nn

from wnverify.finding import Verdict

FAIL, PASS = Verdict.FAIL, Verdict.PASS
LARGER = "Linear, assigned from larger tensors"


def norms(V):
    return torch.linalg.vector_norm(V.flatten(1), dim=1)


def by_rows(g, V):
    return g.reshape(-1, *[1] * (V.dim() - 1)) * V


class Pair(nn.Module):
    """A gain for each row, at first the row's norm."""

    def forward(self, g, V):
        return by_rows(g / norms(V), V)

    def right_inverse(self, W):
        return norms(W), W.clone()


class ForgetsTheGain(Pair):
    def right_inverse(self, W):
        return torch.ones_like(norms(W)), W.clone()


class Scaled(nn.Module):
    """A gain that is the map's own."""

    def __init__(self):
        super().__init__()
        self.g = nn.Parameter(torch.tensor(1.25))

    def forward(self, V):
        return self.g.to(V.dtype) * V

    def right_inverse(self, W):
        return W / self.g.detach().to(W.dtype)


class Directions(Scaled):
    """A gain of the map's own, which is what it is: a weight that is assigned sets directions alone."""

    def forward(self, V):
        return self.g.to(V.dtype) * by_rows(1 / norms(V), V)

    def right_inverse(self, W):
        return by_rows(1 / norms(W), W)


class Shrunk(nn.Module):
    """A start of training and no more: what it gives, given back to it, is shrunk again."""

    def forward(self, V):
        return V.tanh()

    def right_inverse(self, W):
        return W


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(Pair, PASS), (ForgetsTheGain, FAIL), (Scaled, PASS), (Directions, PASS)],
)
def test_a_gain_that_is_forgotten_is_found(kind, verdict):
    """Wrong where right_inverse returns the gain; a gain of the map's own it does not set."""
    sheet = sheet_of("contract.layers", kind)
    assert {case.name: case.verdict for case in sheet.cases}[LARGER] is verdict
    assert sheet.verdict is verdict


def test_an_inverse_that_is_a_start_is_asked_nothing():
    """The argument comes back as it is."""
    assert not any("assigned" in case.name for case in sheet_of("contract.layers", Shrunk).cases)
