"""Constraints on the hooks of optimisers: what holds after a step, whatever the optimiser does in it."""

import numpy as np
import pytest
import torch
from constraint_cases import (
    CASES,
    CWO,
    GC,
    LAYERS,
    OPTIMISERS,
    PBWN,
    POLAR,
    PRINTED,
    PROJECTING,
    QR,
    RIEMANNIAN,
    SAME,
    STEPS,
    Trained,
    block_of,
    given,
    infeasible,
    rows_of,
)
from method_cases import normal, ratio
from torch import nn

from wnverify.methods.catalogue import find
from wnverify.primitives.constraint import Block


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("case", PROJECTING, ids=str)
def test_the_constraint_holds_after_every_step(case, optimiser, dtype):
    """At attachment and after each step the rows are in the set to rounding, with every optimiser."""
    block = block_of(nn.Linear(12, 4), dtype)
    optimizer = OPTIMISERS[optimiser]([block.weight])
    case.constraint().attach(optimizer, [block])
    assert infeasible(case, rows_of(block), dtype) <= 1
    for step in range(STEPS):
        given(block, step)
        optimizer.step()
        assert infeasible(case, rows_of(block), dtype) <= 1


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("case", PROJECTING, ids=str)
def test_the_constraint_holds_in_every_layout(case, layer):
    """Rows are those of the output units, in convolutions, transposed and grouped ones too."""
    block = block_of(LAYERS[layer]())
    optimizer = OPTIMISERS["momentum"]([block.weight])
    case.constraint().attach(optimizer, [block])
    for step in range(2):
        given(block, step)
        optimizer.step()
    assert infeasible(case, rows_of(block), "float64") <= 1


@pytest.mark.parametrize("optimiser", SAME)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_are_those_of_the_reference(case, optimiser):
    """Transform, weight decay, momentum or Adam, step, projection: the NumPy loop ends where the hooks do."""
    block = block_of(nn.Linear(12, 4))
    optimizer = OPTIMISERS[optimiser]([block.weight])
    trained = Trained(case, rows_of(block).numpy().copy())
    case.constraint().attach(optimizer, [block])
    for step in range(STEPS):
        SAME[optimiser](trained, given(block, step))
        optimizer.step()
    # Every step starts from the rounding of the last; Adam divides by gradients that may be small.
    condition = STEPS * case.condition(trained.W) * (20 if "adam" in optimiser else 4)
    scale = float(np.abs(trained.W).max())
    assert ratio(block.weight, trained.W, "float64", 12, condition=condition, scale=scale) <= 1


@pytest.mark.parametrize("case", [PBWN, RIEMANNIAN, CWO], ids=str)
def test_every_third_step(case):
    """With every=3 the rows are free for two steps and in the set after the third, as in the NumPy loop."""
    block = block_of(nn.Linear(12, 4))
    optimizer = OPTIMISERS["sgd"]([block.weight])
    trained = Trained(case, rows_of(block).numpy().copy(), every=3)
    case.constraint(every=3).attach(optimizer, [block])
    for step in range(1, 7):
        trained.sgd(given(block, step), 0.1)
        optimizer.step()
        assert ratio(block.weight, trained.W, "float64", 12, condition=24.0) <= 1
        assert (infeasible(case, rows_of(block), "float64") <= 1) == (step % 3 == 0)


@pytest.mark.parametrize("case", [PBWN, RIEMANNIAN, CWO, QR, POLAR], ids=str)
def test_weight_decay_changes_the_size_of_a_plain_step(case):
    """A step of size a with decay b is one of size a / (1 − a b) without: what the docstrings say."""
    ends = []
    for lr, decay in ((0.1, 0.5), (0.1 / (1 - 0.1 * 0.5), 0.0)):
        block = block_of(nn.Linear(12, 4))
        optimizer = torch.optim.SGD([block.weight], lr=lr, weight_decay=decay)
        case.constraint().attach(optimizer, [block])
        given(block, 0)
        optimizer.step()
        ends.append(block.weight)
    assert ratio(ends[0], ends[1], "float64", 12, condition=2 * case.condition(rows_of(block).numpy()), scale=1.5) <= 1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_closure_gives_the_same_step(case):
    """optimizer.step(closure) ends where backward and step() end."""
    ends = []
    for with_closure in (True, False):
        block = block_of(nn.Linear(12, 4))
        target = torch.tensor(normal(4, 12, case="target")) + 0.5
        optimizer = OPTIMISERS["momentum"]([block.weight])
        case.constraint().attach(optimizer, [block])

        def closure(block=block, target=target, optimizer=optimizer):
            optimizer.zero_grad()
            loss = ((block.weight - target) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(3):
            if with_closure:
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
        ends.append(block.weight.detach())
    assert torch.equal(*ends)


def test_stiefel_by_channel():
    """With grouping="channels" the kernels of every input channel are orthonormal after each step."""
    for retraction in ("qr", "polar"):
        block = block_of(nn.Conv2d(3, 5, 3))
        optimizer = OPTIMISERS["momentum"]([block.weight])
        QR.made(retraction=retraction, grouping="channels").attach(optimizer, [block])
        for step in range(STEPS):
            given(block, step)
            optimizer.step()
        for channel in block.weight.detach().transpose(0, 1).flatten(2):
            assert infeasible(QR, channel, "float64") <= 1
    with pytest.raises(ValueError, match="n ≤ d"):
        QR.made(grouping="channels")(torch.ones(5, 3, 2, 2))


def test_the_oblique_manifold_is_a_setting():
    """The catalogue's oblique_manifold is the Riemannian gradient with normalization after every step."""
    row = find("oblique")
    assert row.settings == ("riemannian=True",)
    assert row.implementation == find("pbwn").implementation
    assert RIEMANNIAN.constraint().transforms
    assert not PBWN.constraint().transforms


def test_riemannian_steps_grow_the_norm_in_second_order():
    """Before the normalization ‖w‖² = 1 + (a ‖g‖)²: the tangent step has no part along w."""
    W = torch.tensor(PBWN.reference.project(normal(4, 12, case="start")))
    G = RIEMANNIAN.constraint().transform(W, torch.tensor(normal(4, 12, case="gradient")))
    grown = ((W - 0.5 * G) ** 2).sum(1) - 0.25 * (G**2).sum(1)
    assert ratio(grown, np.ones(4), "float64", 12, scale=float((G**2).sum(1).max())) <= 1


def test_centralized_gradients_keep_the_sums_of_rows():
    """1ᵀw stays under SGD with momentum and Nesterov, shrinks by (1 − a b) a step under decay, and moves under Adam."""
    for optimiser, kept in (("sgd", 1.0), ("momentum", 1.0), ("decay", 0.95**STEPS), ("adam", None)):
        block = block_of(nn.Linear(12, 4))
        start = rows_of(block).sum(1)
        optimizer = OPTIMISERS[optimiser]([block.weight])
        GC.constraint().attach(optimizer, [block])
        for step in range(STEPS):
            given(block, step)
            optimizer.step()
        moved = rows_of(block).sum(1)
        if kept is None:
            assert ratio(moved, start, "float64", 12, scale=12.0, condition=STEPS) > 10
        else:
            assert ratio(moved, kept * start, "float64", 12, scale=12.0, condition=STEPS) <= 1


@pytest.mark.parametrize("case", [PBWN, RIEMANNIAN, CWO, PRINTED, QR, POLAR], ids=str)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights(case, dtype):
    """Weights in half precision hold the constraint to one rounding of their entries."""
    block = block_of(nn.Linear(12, 4), dtype)
    optimizer = OPTIMISERS["momentum"]([block.weight])
    case.constraint().attach(optimizer, [block])
    for step in range(STEPS):
        given(block, step)
        optimizer.step()
    assert infeasible(case, rows_of(block), dtype) <= 1


@pytest.mark.parametrize("case", PROJECTING, ids=str)
def test_a_constraint_holds_at_the_end_of_training(case):
    """A small regression under Adam ends on the constraint, with a loss below where it began."""
    torch.manual_seed(0)
    layer, head = nn.Linear(8, 3), nn.Linear(3, 2)
    inputs, targets = torch.randn(64, 8), torch.randn(64, 2)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.05)
    case.constraint().attach(optimizer, [Block("0", layer.weight, layer.bias)])
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = ((head(torch.tanh(layer(inputs))) - targets) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert infeasible(case, layer.weight, "float32") <= 1
    assert losses[-1] < losses[0]


def test_undefined_weights_are_named_with_their_layer():
    """A row that a step makes constant, zero or dependent stops training with the layer's and the row's name."""
    for case, rows, said in (
        (CWO, [[1.0, 2.0], [3.0, 3.0]], r"features\.4: V must have no constant row; V\[1, :\]"),
        (PRINTED, [[1.0, 2.0], [0.0, 0.0]], r"features\.4: V must have no zero row; V\[1, :\]"),
        (PBWN, [[1.0, 2.0], [0.0, 0.0]], r"features\.4: V must have no zero row; V\[1, :\]"),
        (QR, [[1.0, 2.0], [2.0, 4.0]], r"features\.4: .*V\[1, :\] is a combination"),
        (POLAR, [[1.0, 2.0], [2.0, 4.0]], r"features\.4: .*rank 1"),
    ):
        W = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
        optimizer = torch.optim.SGD([W], lr=1.0)
        case.constraint().attach(optimizer, [Block("features.4", W)])
        with torch.no_grad():
            W.copy_(torch.tensor(rows))
        with pytest.raises(ValueError, match=said):
            optimizer.step()


def test_a_gradient_of_one_column_is_refused():
    """Gradient centralization of rows of one entry would stop learning: ValueError, naming the layer."""
    W = nn.Parameter(torch.ones(3, 1))
    optimizer = torch.optim.SGD([W], lr=1.0)
    GC.constraint().attach(optimizer, [Block("gate", W)])
    W.grad = torch.ones(3, 1)
    with pytest.raises(ValueError, match=r"gate: G must have rows of d ≥ 2"):
        optimizer.step()


def test_distances_can_be_seen():
    """The measure of feasibility notices a thousandth."""
    W = torch.tensor(CWO.reference.project(normal(4, 12)))
    assert infeasible(CWO, W, "float64") <= 1
    assert infeasible(CWO, W * 1.001, "float64") > 1e6
    assert infeasible(CWO, W + 0.001, "float64") > 1e6
