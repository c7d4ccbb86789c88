"""What the sketch of a Jacobian is made with: tangents of the size of each row, the sensitivity of a map."""

import math

import numpy as np
import torch

from wnverify.finding import seed_of
from wnverify.oracles.gradients import row_scales, row_sensitivity, sensitivity, tangents


def normal(*shape):
    return torch.tensor(np.random.default_rng(seed_of("gradients", shape, "")).standard_normal(shape))


def test_sensitivity_is_the_condition_number_under_random_change():
    """κ for the inverse of a nearly vanishing difference, 1 for a linear map; row by row where asked for."""
    x = normal(4, 9)
    assert 0.9 <= sensitivity(lambda V: 3 * V, x, seed=1) <= 1.2
    steep = sensitivity(lambda V: 1 / (V.sum() - x.sum() + 1e-3), x, seed=1, samples=20)
    assert 2e3 <= steep <= 3e4
    assert sensitivity(lambda V: 0 * V, x, seed=1) == 1.0
    uneven = x * torch.tensor([[1.0], [1.0], [1.0], [1e3]]).double()
    assert sensitivity(lambda V: V[0], uneven, seed=1) < 5
    assert 100 < sensitivity(lambda V: V[0], uneven, seed=1, whole=True) < 2000
    rows = row_sensitivity(lambda V: V * torch.tensor([[1.0], [10.0], [100.0], [0.0]]).double(), x, seed=1)
    assert rows.shape == (4,)
    assert float(rows[3]) == 0
    assert 5 < float(rows[1] / rows[0]) / float(x[1].norm() / x[0].norm()) < 20


def test_sensitivity_is_infinite_where_the_map_leaves_its_domain():
    """A map that raises, or is not finite, beside the point: infinity, not its exception and no NaN."""
    x = normal(4, 9)

    def raises(V):
        if not torch.equal(V, x):
            raise ValueError("V must be x")
        return V

    for g in (raises, lambda V: V if torch.equal(V, x) else torch.nan * V, lambda V: torch.inf * V):
        assert sensitivity(g, x, seed=1) == math.inf
        assert row_sensitivity(g, x, seed=1).tolist() == [math.inf] * 4


def test_tangents_have_the_size_of_each_row():
    """Rows of a tangent are scaled like those of the weight, zero rows like the largest; one row or entry alone."""
    x = torch.cat([1e-6 * normal(1, 8), 1e6 * normal(1, 8), torch.zeros(1, 8).double()])
    probes = dict(tangents(x, 2, torch.Generator().manual_seed(0)))
    scale = row_scales(x)
    assert float(scale[2]) == float(scale[1])
    for name in ("gaussian 0", "gaussian 1", "all ones"):
        size = probes[name].norm(dim=1) / scale[:, 0] / math.sqrt(8)
        assert float(size.min()) > 0.3
        assert float(size.max()) < 3
    assert probes["largest row"][[0, 2]].abs().max() == 0
    assert int((probes["smallest entry"] != 0).sum()) == 1
