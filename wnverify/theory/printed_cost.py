"""What the papers print about cost, each beside the closed count at one layer of their networks.

The paper on centred weight normalization prints no count.  Prose without a number has ``printed`` None: there
``closed`` is the share that it speaks of.  A time is no count; it stands here because it is printed for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from wnverify.theory.cost import LayerCost, convolution, linear
from wnverify.theory.method_cost import METHODS, iterated_backward, iterated_forward


class Layer(NamedTuple):
    """A convolution of stride 1 whose padding keeps the size: ``rows`` filters over ``inputs`` channels."""

    batch: int = 128
    inputs: int = 16
    rows: int = 16
    kernel: tuple[int, int] = (3, 3)
    size: tuple[int, int] = (32, 32)

    @property
    def columns(self) -> int:
        """Weights of a filter."""
        return self.inputs * self.kernel[0] * self.kernel[1]

    @property
    def weights(self) -> int:
        """N of *Norm loss*."""
        return self.rows * self.columns

    @property
    def cost(self) -> LayerCost:
        """The layer's own."""
        padding = (self.kernel[0] // 2, self.kernel[1] // 2)
        return convolution(self.batch, (self.inputs, self.rows), self.kernel, self.size, padding=padding)


RESNET110: Final = Layer()
"""A layer of the first stage of ResNet110 on CIFAR, at the batch size of the experiments."""


class Printed(NamedTuple):
    """``says``: the paper's words or formula; ``measure``: what the two numbers count; ``counts``: what can be executed
    and counted for it, empty for a share or a time.
    """

    paper: str
    place: str
    says: str
    measure: str
    printed: Callable[[Layer], float] | None
    closed: Callable[[Layer], float]
    counts: str = ""


def _step(method: str, layer: Layer) -> int:
    return METHODS[method].step(layer.rows, layer.columns).total


def _decay(layer: Layer) -> int:
    return METHODS["weight_decay"].backward(layer.rows, layer.columns).total


def _norm_loss(layer: Layer) -> int:
    """The norms, 2 N, and the gradient added to the loss's; the value itself is not needed."""
    return 2 * layer.weights + METHODS["norm_loss"].backward(layer.rows, layer.columns).total


def _iteration(layer: Layer) -> float:
    """Five steps of Newton's iteration against one eigendecomposition, forward and backward without scalars."""
    n, d = layer.rows, layer.columns
    own = METHODS["orthogonal_weight_normalization"].step(n, d)
    made = iterated_forward(n, d, (5,), quintic=False) + iterated_backward(n, d, (5,), quintic=False)
    return made.products / (own.products + own.modelled)


def _combined(layer: Layer) -> float:
    return _step("dswn_combined", layer) / _step("dswn_neuron_measurement", layer)


PRINTED: Final = (
    Printed(
        "norm_loss",
        "Sec. IV-B",
        "weight decay costs 2 C_o F_h F_w C_i",
        "operations of the penalty's gradient, 2 N",
        lambda layer: 2 * layer.weights,
        _decay,
        "weight decay",
    ),
    Printed(
        "norm_loss",
        "Sec. IV-B",
        "norm loss costs 3 C_o (F_h F_w C_i) + C_o + 2 C_o F_h F_w C_i",
        "operations of the penalty's gradient; the least are 4 N + 3 C_o, one factor for each filter",
        lambda layer: 5 * layer.weights + layer.rows,
        _norm_loss,
        "norm loss",
    ),
    Printed(
        "norm_loss",
        "Sec. IV-B",
        "the overhead then is 3 C_o (F_h F_w C_i) + C_o",
        "norm loss less weight decay; the least is 2 N + 3 C_o",
        lambda layer: 3 * layer.weights + layer.rows,
        lambda layer: _norm_loss(layer) - _decay(layer),
        "overhead",
    ),
    Printed(
        "norm_loss",
        "Sec. IV-B",
        "a convolution costs 6 m C_o C_i F_h F_w I_h I_w",
        "operations of forward and both gradients, for outputs of the input's size",
        lambda layer: 6 * layer.batch * layer.weights * layer.size[0] * layer.size[1],
        lambda layer: layer.cost.total,
        "convolution",
    ),
    Printed(
        "norm_loss",
        "Sec. IV-B",
        "the overhead is orders of magnitude below a convolution with weight decay",
        "layer with weight decay ÷ overhead",
        None,
        lambda layer: (layer.cost.total + _decay(layer)) / (_norm_loss(layer) - _decay(layer)),
    ),
    Printed(
        "norm_loss",
        "Sec. V-C",
        "training takes 4.79 hours with norm loss, 4.56 with weight decay",
        "printed: times; closed: operations of the layer with norm loss ÷ with weight decay",
        lambda layer: 4.79 / 4.56,
        lambda layer: (layer.cost.total + _norm_loss(layer)) / (layer.cost.total + _decay(layer)),
    ),
    Printed(
        "norm_loss",
        "Sec. II",
        "Newton's iteration is more computationally efficient than an eigendecomposition",
        "operations of five steps ÷ of orthogonal weight normalization, forward and backward without scalars",
        None,
        _iteration,
    ),
    Printed(
        "cwo",
        "Sec. 3.4",
        "as efficient as the standard SGD because it requires only mean subtraction and scaling",
        "operations added ÷ those of a plain step w − α g, 2 N",
        None,
        lambda layer: _step("constrained_weight_optimization", layer) / (2 * layer.weights),
    ),
    Printed(
        "dswn",
        "Introduction",
        "weight normalization has low computational overhead",
        "weight normalization ÷ the layer",
        None,
        lambda layer: _step("weight_normalization", layer) / layer.cost.total,
    ),
    Printed(
        "dswn",
        "Conclusion",
        "combined, the training time becomes very long due to the complexity of the structure of G",
        "operations of both measurements ÷ of neuron measurement alone",
        None,
        _combined,
    ),
    Printed(
        "l1inf",
        "Sec. 4",
        "the projection to an L1 norm ball can be implemented efficiently",
        "projection of every unit ÷ the layer",
        None,
        lambda layer: _step("l1_inf_projection", layer) / layer.cost.total,
    ),
)


def of_a_linear_layer(method: str, batch: int, n: int, d: int) -> float:
    """Operations that the method adds to a step ÷ those of the linear layer (n, d) at that batch.

    >>> round(of_a_linear_layer("weight_normalization", 256, 64, 128), 4)
    0.0052
    """
    return METHODS[method].step(n, d).total / linear(batch, d, n).total
