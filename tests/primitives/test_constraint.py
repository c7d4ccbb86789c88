"""The base of constraints: what is changed when, on which rows, and what is refused.

One file, though long, as every test asks the same few toy constraints.
"""

import copy

import pytest
import torch
from torch import nn

from wnverify.finding import seed_of
from wnverify.primitives.constraint import Block, RowConstraint
from wnverify.primitives.layout import to_rows


class Halving(RowConstraint):
    """W ← W / 2, G ← G + W: exact in binary, and visible."""

    def project(self, W):
        return W / 2

    def transform(self, W, G):
        return G + W


class HalvingOnly(RowConstraint):
    def project(self, W):
        return W / 2


class WithBias(Halving):
    with_bias = True


class ByRow(RowConstraint):
    """Multiplies row i by i + 1, so that a wrong layout shows."""

    def project(self, W):
        return W * torch.arange(1.0, W.shape[-2] + 1, dtype=W.dtype).unsqueeze(-1)


class ByChannel(ByRow):
    by_channel = True


class Refusing(RowConstraint):
    def project(self, W):
        if W.max() > 100:
            raise ValueError("V must be small; V[0, :] is not")
        return W

    def transform(self, W, G):
        if G.max() > 100:
            raise ValueError("G must be small")
        return G


def weight(*shape):
    """Small whole numbers, with which every sum here is exact."""
    generator = torch.Generator().manual_seed(seed_of("constraint", shape) % 2**31)
    return nn.Parameter(torch.randint(-8, 9, shape, generator=generator).double())


def stepping(W, gradient, optimizer, steps=1, bias=None):
    """Steps with a given gradient."""
    for _ in range(steps):
        W.grad = gradient.clone()
        if bias is not None:
            bias.grad = torch.ones_like(bias)
        optimizer.step()


def test_a_step_is_transform_then_decay_then_projection():
    """The gradient is changed before weight decay is added to it, the weight after the whole step."""
    W, G = weight(3, 4), torch.ones(3, 4, dtype=torch.float64)
    start = W.detach().clone()
    optimizer = torch.optim.SGD([W], lr=0.5, weight_decay=0.25)
    Halving().attach(optimizer, [Block("layer", W)], at_once=False)
    stepping(W, G, optimizer)
    assert torch.equal(W.detach(), (start - 0.5 * (G + start + 0.25 * start)) / 2)


def test_the_gradient_itself_is_replaced():
    """After a step the parameter still has the same gradient tensor, transformed in place."""
    W, G = weight(3, 4), torch.ones(3, 4, dtype=torch.float64)
    start = W.detach().clone()
    optimizer = torch.optim.SGD([W], lr=0.5)
    Halving().attach(optimizer, [Block("layer", W)], at_once=False)
    W.grad = held = G.clone()
    optimizer.step()
    assert W.grad is held
    assert torch.equal(held, G + start)


def test_weights_are_projected_at_once_unless_told():
    """Attaching projects, so that training starts on the constraint."""
    for at_once in (True, False):
        W = weight(2, 2)
        start = W.detach().clone()
        Halving().attach(torch.optim.SGD([W], lr=1.0), [Block("layer", W)], at_once=at_once)
        assert torch.equal(W.detach(), start / 2 if at_once else start)
        assert W.is_leaf
        assert W.requires_grad


def test_every_counts_steps():
    """With every=3 the third, sixth, … step projects; a count set by hand is gone on from."""
    W = weight(2, 2)
    start, zero = W.detach().clone(), torch.zeros(2, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD([W], lr=1.0)
    attached = HalvingOnly(every=3).attach(optimizer, [Block("layer", W)], at_once=False)
    halved = []
    for step in range(1, 8):
        stepping(W, zero, optimizer)
        halved.append(torch.equal(W.detach(), start / 2 ** (step // 3)))
    assert all(halved)
    assert attached.steps == 7
    attached.steps = 2
    stepping(W, zero, optimizer)
    assert torch.equal(W.detach(), start / 8)


@pytest.mark.parametrize("every", [0, -1, True])
def test_every_must_be_a_number_of_steps(every):
    """Anything but a positive whole number is refused, with what came."""
    with pytest.raises(ValueError, match="every must be a whole number of steps"):
        Halving(every=every)
    for wrong in (1.5, "2"):
        with pytest.raises((ValueError, TypeError)):
            Halving(every=wrong)


def test_nothing_is_done_after_remove():
    """Hooks taken off leave an ordinary optimiser, and may be taken off again."""
    W, G = weight(2, 3), torch.ones(2, 3, dtype=torch.float64)
    optimizer = torch.optim.SGD([W], lr=0.5)
    attached = Halving().attach(optimizer, [Block("layer", W)])
    attached.remove()
    attached.remove()
    start = W.detach().clone()
    stepping(W, G, optimizer)
    assert torch.equal(W.detach(), start - 0.5 * G)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_closure_is_followed_by_the_transform(by_name):
    """The gradient of every evaluation is changed, whichever way the closure is given, and the loss comes back."""
    W, G = weight(2, 3), torch.ones(2, 3, dtype=torch.float64)
    start = W.detach().clone()
    optimizer = torch.optim.SGD([W], lr=0.5)
    Halving().attach(optimizer, [Block("layer", W)], at_once=False)

    def closure():
        optimizer.zero_grad()
        loss = (W * G).sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    assert loss.item() == start.sum().item()
    assert torch.equal(W.detach(), (start - 0.5 * (G + start)) / 2)


def test_every_evaluation_of_a_line_search_is_transformed():
    """LBFGS, which evaluates its closure many times, sees a changed gradient each time."""
    W = weight(2, 3)
    seen = []

    class Counting(Halving):
        def transform(self, W, G):
            seen.append(W.clone())
            return G

    optimizer = torch.optim.LBFGS([W], lr=0.1, max_iter=3)
    Counting().attach(optimizer, [Block("layer", W)], at_once=False)
    evaluations = []

    def closure():
        optimizer.zero_grad()
        loss = (W**2).sum()
        loss.backward()
        evaluations.append(loss.item())
        return loss

    optimizer.step(closure)
    assert len(seen) == len(evaluations) > 1


def test_a_block_without_gradient_is_projected_only():
    """A frozen or unused layer has nothing to transform."""
    W, other = weight(2, 3), weight(2, 3)
    start = W.detach().clone()
    optimizer = torch.optim.SGD([W, other], lr=0.5)
    Halving().attach(optimizer, [Block("unused", W), Block("used", other)], at_once=False)
    stepping(other, torch.ones(2, 3, dtype=torch.float64), optimizer)
    assert torch.equal(W.detach(), start / 2)


def test_the_bias_is_a_last_column_where_wanted():
    """``with_bias`` maps weight and bias together; without it the bias is left alone."""
    for made, taken in ((WithBias(), True), (Halving(), False)):
        W, b = weight(3, 4), weight(3)
        start, of_bias = W.detach().clone(), b.detach().clone()
        G = torch.ones(3, 4, dtype=torch.float64)
        optimizer = torch.optim.SGD([W, b], lr=0.5)
        made.attach(optimizer, [Block("layer", W, b)], at_once=False)
        stepping(W, G, optimizer, bias=b)
        assert torch.equal(W.detach(), (start - 0.5 * (G + start)) / 2)
        assert torch.equal(b.detach(), (of_bias - 0.5 * (1 + of_bias)) / 2 if taken else of_bias - 0.5)


def test_a_frozen_bias_is_no_column_of_the_gradient():
    """Where the bias has no gradient only the weight's is transformed."""
    W, b = weight(3, 4), weight(3)
    start = W.detach().clone()
    optimizer = torch.optim.SGD([W, b], lr=0.5)
    WithBias().attach(optimizer, [Block("layer", W, b)], at_once=False)
    stepping(W, torch.zeros(3, 4, dtype=torch.float64), optimizer)
    assert torch.equal(W.detach(), (start - 0.5 * start) / 2)


@pytest.mark.parametrize(("shape", "dim", "groups"), [((4, 3, 2, 2), 0, 1), ((6, 2, 3), 1, 3), ((3, 4, 2), 1, 1)])
def test_rows_are_output_units(shape, dim, groups):
    """Row i of a convolution, transposed and grouped or not, is what comes in to output i."""
    W = weight(*shape)
    start = to_rows(W.detach(), dim, groups).clone()
    factors = torch.arange(1.0, len(start) + 1, dtype=torch.float64)[:, None]
    ByRow().attach(torch.optim.SGD([W], lr=1.0), [Block("layer", W, None, dim, groups)])
    assert torch.equal(to_rows(W.detach(), dim, groups), factors * start)
    assert W.shape == shape


def test_by_channel_takes_the_kernels_of_an_input():
    """The matrices are (n, k) for every input channel, k entries a kernel, in projection, transform and call."""
    W = weight(4, 3, 2, 2)
    start, seen = W.detach().clone(), []

    class Seeing(ByChannel):
        def transform(self, W, G):
            seen.append((W.clone(), G.clone()))
            return G

    optimizer = torch.optim.SGD([W], lr=1.0)
    made = Seeing()
    made.attach(optimizer, [Block("layer", W)])
    factors = torch.arange(1.0, 5.0, dtype=torch.float64).reshape(4, 1, 1, 1)
    assert torch.equal(W.detach(), factors * start)
    assert torch.equal(made(start), factors * start)
    G = torch.arange(48.0, dtype=torch.float64).reshape(4, 3, 2, 2)
    stepping(W, G, optimizer)
    assert seen[0][1].shape == (3, 4, 4)
    assert torch.equal(seen[0][1][1], G[:, 1].flatten(1))
    assert torch.equal(seen[0][0][2], (factors * start)[:, 2].flatten(1))


def test_calling_maps_a_weight_in_its_shape():
    """constraint(W) flattens the further axes, keeps the shape and can be differentiated."""
    W = weight(4, 3, 2)
    result = ByRow()(W)
    assert result.shape == (4, 3, 2)
    result.sum().backward()
    assert torch.equal(W.grad[:, 0, 0], torch.arange(1.0, 5.0, dtype=torch.float64))


def test_what_the_optimiser_does_not_hold_is_refused():
    """A weight of another optimiser, or a bias that counts, is a ValueError naming block and parameter."""
    W, b, foreign = weight(2, 2), weight(2), weight(2, 2)
    optimizer = torch.optim.SGD([W], lr=1.0)
    with pytest.raises(ValueError, match=r"hold features\.4\.weight"):
        Halving().attach(optimizer, [Block("layer", W), Block("features.4", foreign)])
    with pytest.raises(ValueError, match=r"hold layer\.bias"):
        WithBias().attach(optimizer, [Block("layer", W, b)])
    Halving().attach(optimizer, [Block("layer", W, b)])
    with pytest.raises(ValueError, match="at least one weight"):
        Halving().attach(optimizer, [])
    with pytest.raises(ValueError, match="dim must be"):
        Halving().attach(optimizer, [Block("layer", W, None, 2)])


def test_a_refusal_names_the_block():
    """What a constraint says of rows comes with the layer's name, at once, in a step, and of a gradient."""
    W = weight(2, 2)
    optimizer = torch.optim.SGD([W], lr=1.0)
    attached = Refusing().attach(optimizer, [Block("features.4", W)])
    with torch.no_grad():
        W.fill_(1000.0)
    with pytest.raises(ValueError, match=r"^features\.4: V must be small; V\[0, :\]"):
        attached.project()
    with pytest.raises(ValueError, match=r"^features\.4: G must"):
        stepping(W, torch.full((2, 2), 1000.0, dtype=torch.float64), optimizer)


def test_a_refusal_at_once_leaves_no_hook():
    """Where the starting weight is refused the optimiser stays as it was."""
    W = weight(2, 2)
    with torch.no_grad():
        W.fill_(1000.0)
    optimizer = torch.optim.SGD([W], lr=1.0)
    with pytest.raises(ValueError, match="layer: V must"):
        Refusing().attach(optimizer, [Block("layer", W)])
    stepping(W, torch.zeros(2, 2, dtype=torch.float64), optimizer)
    assert torch.equal(W.detach(), torch.full((2, 2), 1000.0, dtype=torch.float64))


def test_a_step_that_the_scaler_skips_counts_for_nothing():
    """After an infinite gradient weight and count are what they were, and the next step is an ordinary one."""
    W = nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.SGD([W], lr=0.5)
    attached = Halving().attach(optimizer, [Block("layer", W)], at_once=False)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor, expected in ((float("inf"), 1.0), (1.0, 0.0)):
        optimizer.zero_grad()
        scaler.scale((W * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(W.detach(), torch.full((2, 3), expected))
    assert attached.steps == 1


def test_hooks_survive_schedulers_and_not_copies():
    """A scheduler wraps the step and the hooks run; a deep copy of the optimiser has none."""
    W = weight(2, 2)
    start, zero = W.detach().clone(), torch.zeros(2, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD([W], lr=1.0)
    HalvingOnly().attach(optimizer, [Block("layer", W)], at_once=False)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    stepping(W, zero, optimizer)
    scheduler.step()
    optimizer.load_state_dict(optimizer.state_dict())
    stepping(W, zero, optimizer)
    assert torch.equal(W.detach(), start / 4)
    copied = copy.deepcopy(optimizer)
    (twin,) = copied.param_groups[0]["params"]
    stepping(twin, zero, copied)
    assert torch.equal(twin.detach(), start / 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_keep_their_precision(dtype):
    """A weight of any dtype is replaced in its own."""
    W = nn.Parameter(torch.ones(2, 2, dtype=dtype))
    Halving().attach(torch.optim.SGD([W], lr=1.0), [Block("layer", W)])
    assert W.dtype == dtype
    assert torch.equal(W.detach(), torch.full((2, 2), 0.5, dtype=dtype))


def test_what_a_constraint_says_of_itself():
    """repr names the settings and not the declarations; a constraint without a transform hangs no hook for it."""
    made = HalvingOnly(every=2)
    made.SET = {"name": "sphere_rows"}
    assert repr(made) == "HalvingOnly(every=2)"
    assert not made.transforms
    assert Halving().transforms
    with pytest.raises(NotImplementedError, match="RowConstraint has no projection"):
        RowConstraint().project(torch.ones(1, 1))
    W = weight(2, 2)
    optimizer = torch.optim.SGD([W], lr=1.0)
    made.attach(optimizer, [Block("layer", W)])
    assert not optimizer._optimizer_step_pre_hooks


def test_a_constraint_without_projection_leaves_the_weight():
    """Where ``projects`` is false ``project`` is never called by the hooks."""

    class Leaving(RowConstraint):
        projects = False

    W = weight(2, 2)
    start, optimizer = W.detach().clone(), torch.optim.SGD([W], lr=1.0)
    Leaving().attach(optimizer, [Block("layer", W)])
    stepping(W, torch.ones(2, 2, dtype=torch.float64), optimizer)
    assert torch.equal(W.detach(), start - 1)


def test_one_constraint_hangs_on_several_optimisers():
    """The object keeps nothing of what it was attached to."""
    start = weight(2, 2).detach()
    made = HalvingOnly(every=2)
    steps = []
    for _ in range(2):
        W = nn.Parameter(start.clone())
        optimizer = torch.optim.SGD([W], lr=1.0)
        attached = made.attach(optimizer, [Block("layer", W)], at_once=False)
        stepping(W, torch.zeros_like(start), optimizer, steps=3)
        steps.append(attached.steps)
        assert torch.equal(W.detach(), start / 2)
    assert steps == [3, 3]
