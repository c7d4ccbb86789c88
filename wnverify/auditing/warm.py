"""Imported by a child before its first item: everything that torch and Hypothesis load lazily is loaded here.

The first optimiser step, forward-mode derivative or search imports large modules, adds warning filters and sets
environment variables.  Done inside an item, that costs its time and looks as if the subject had altered the process.
"""

from __future__ import annotations

import copy
import io
import pickle

import hypothesis
import torch
from hypothesis import strategies as st
from torch import nn
from torch._dynamo.mutation_guard import install_generation_tagging_init
from torch.nn.utils import parametrize

from wnverify.auditing.registry import checks


class _Identity(nn.Module):
    def forward(self, V: torch.Tensor) -> torch.Tensor:
        return 1.0 * V


def _exercise() -> None:
    layer = nn.Linear(2, 2, dtype=torch.float64)
    parametrize.register_parametrization(layer, "weight", _Identity())
    layer(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    torch.optim.AdamW(layer.parameters(), lr=0.1).step()
    parametrize.remove_parametrizations(layer, "weight")
    pickle.loads(pickle.dumps(copy.deepcopy(_Identity())))
    saved = io.BytesIO()
    torch.save(layer.state_dict(), saved)
    saved.seek(0)
    torch.load(saved, weights_only=True)
    V = torch.eye(2, dtype=torch.float64)
    torch.func.jvp(torch.linalg.inv, (V,), (V,))
    torch.linalg.svdvals(V)
    settings = hypothesis.settings(max_examples=2, derandomize=True, database=None, deadline=None)
    hypothesis.find(st.integers(0, 3), lambda drawn: True, settings=settings)
    checks()
    install_generation_tagging_init()  # replaces nn.Module.__init__, as the first compilation would
    torch.manual_seed(0)


_exercise()
