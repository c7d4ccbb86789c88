"""The base of penalties: factor, layout, rounding and the proximal operator."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wnverify.primitives.penalty import ProximalPenalty, RowPenalty, nonnegative
from wnverify.primitives.schedule import Dropped


class Corner(ProximalPenalty):
    """The first entry of every row, weighted by the row's number: sees how rows are laid out."""

    def value(self, W: Tensor) -> Tensor:
        return (W[:, 0].float() * torch.arange(1.0, len(W) + 1)).sum()

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        moved = W.clone()
        moved[:, 0] -= step * torch.arange(1.0, len(W) + 1).to(W.dtype)
        return moved


def test_the_value_is_multiplied_by_the_factor():
    """factor × value, also after the factor has been set anew, as a schedule does between epochs."""
    penalty, W = Corner(0.5), torch.eye(2, 3)
    assert float(penalty(W)) == 0.5
    schedule = Dropped(2.0, 1)
    for epoch, right in ((0, 2.0), (1, 0.0)):
        penalty.factor = schedule(epoch)
        assert float(penalty(W)) == right


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_result_is_of_the_dtype_of_the_weight(dtype):
    """A value beyond the range of float16 does no harm where factor × value is within it."""
    W = torch.full((3, 2), 30000.0, dtype=dtype, requires_grad=True)
    value = Corner(1e-4)(W)
    assert value.dtype == dtype
    assert bool(value.isfinite())
    value.backward()
    assert W.grad.dtype == dtype


def test_a_convolution_is_seen_by_its_output_units():
    """dim 0: rows are output channels; dim 1 with groups: the channels that a transposed convolution gives out."""
    weight = torch.arange(4.0 * 2 * 9).reshape(4, 2, 3, 3)
    assert float(Corner()(weight)) == sum((i + 1) * 18.0 * i for i in range(4))
    # Rows of group g and output j hold weight[2 g:2 g + 2, j]; their first entries are weight[2 g, j, 0, 0].
    right = sum((k + 1) * float(weight[2 * (k // 2), k % 2, 0, 0]) for k in range(4))
    assert float(Corner(dim=1, groups=2)(weight)) == right


@pytest.mark.parametrize("layout", [{}, {"dim": 1}, {"dim": 1, "groups": 2}], ids=str)
def test_the_proximal_point_has_the_shape_and_layout_of_the_weight(layout):
    """prox maps rows and lays them out again; step and factor multiply."""
    penalty, weight = Corner(0.5, **layout), torch.arange(4.0 * 2 * 9).reshape(4, 2, 3, 3)
    moved = penalty.prox(weight, 2.0)
    assert moved.shape == weight.shape
    change = weight - moved
    assert float((change * weight).sum()) == float(Corner(1.0, **layout)(weight))
    assert int(change.count_nonzero()) == (4 if layout != {"dim": 1} else 2)
    assert torch.equal(penalty.prox(weight, 0.0), weight)


def test_wrong_arguments_are_refused():
    """factor and step must be numbers, finite and at least 0; dim and groups those of a layer."""
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="factor must"):
            Corner(bad)
        with pytest.raises(ValueError, match="step must"):
            Corner().prox(torch.ones(2, 2), bad)
    for bad in (True, "1", None):
        with pytest.raises(TypeError, match="factor"):
            Corner(bad)
    with pytest.raises(ValueError, match="dim must"):
        Corner(dim=2)
    with pytest.raises(ValueError, match="groups must"):
        Corner(groups=2)
    with pytest.raises(ValueError, match="two axes"):
        Corner()(torch.ones(3))
    assert nonnegative(2.0, "x") == 2.0


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(2), np.uint8(2), Fraction(1, 2), 2])
def test_numbers_are_taken_whoever_made_them(value):
    """NumPy's are numbers too, and become floats of Python; truth values, strings and tensors are none."""
    assert type(nonnegative(value, "x")) is float
    assert nonnegative(value, "x") == value
    for bad in (True, np.True_, "1", None, 1j, np.ones(1), torch.tensor(1.0)):
        with pytest.raises(TypeError, match="x must be a number; got "):
            nonnegative(bad, "x")


def test_what_a_leaf_must_define():
    """A leaf without value or proximal_point says which it lacks."""
    with pytest.raises(NotImplementedError, match="RowPenalty has no value"):
        RowPenalty()(torch.ones(1, 1))
    with pytest.raises(NotImplementedError, match="ProximalPenalty has no proximal point"):
        ProximalPenalty().prox(torch.ones(1, 1), 1.0)


def test_a_penalty_is_a_module_without_parameters():
    """Copies and pickles keep factor and layout; there is nothing to train and nothing in the state."""
    penalty = Corner(0.25, dim=1, groups=2)
    for other in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty))):
        assert (other.factor, other.dim, other.groups) == (0.25, 1, 2)
    assert isinstance(penalty, nn.Module)
    assert not list(penalty.parameters())
    assert not penalty.state_dict()
    assert penalty.at(3, 7) is penalty
    assert repr(penalty) == "Corner(factor=0.25, dim=1, groups=2)"
