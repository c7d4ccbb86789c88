"""Small networks with ReLU, trained in float32 for the claims on section 5's experiments.

The paper tells no optimiser, step size, duration or initialisation.  Taken here: full batches, gradient descent with
momentum 0.9 or Adam, weights and biases uniform in ±1/√(inputs of the layer), stopped at the printed training error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

Loss = Callable[[Any, Any], Any]
"""(outputs, targets) → the mean loss, all of them tensors."""
MOMENTUM: Final = 0.9


class Trained(NamedTuple):
    """The layers (W (in, out), b (out,)), and the training error and number of steps at which it stopped."""

    layers: list[tuple[Any, Any]]
    error: float
    steps: int


def initial(rng: Any, widths: Sequence[int]) -> list[tuple[Any, Any]]:
    """Weights and biases uniform in ±1/√d_{ℓ−1}, NumPy in float32."""
    layers = []
    for i, fan_in in enumerate(widths[:-1]):
        bound = fan_in**-0.5
        W, b = rng.uniform(-bound, bound, (fan_in, widths[i + 1])), rng.uniform(-bound, bound, widths[i + 1])
        layers.append((W.astype("float32"), b.astype("float32")))
    return layers


def outputs(layers: Sequence[tuple[Any, Any]], X: Any) -> Any:
    """The last layer's outputs, ReLU after all others; tensors."""
    for W, b in layers[:-1]:
        X = (X @ W + b).relu()
    W, b = layers[-1]
    return X @ W + b


def squared(out: Any, y: Any) -> Any:
    """Mean squared error of outputs (n, 1) and targets (n,)."""
    return ((out[:, 0] - y) ** 2).mean()


def cross_entropy(out: Any, labels: Any) -> Any:
    """Mean cross entropy of scores (n, m_2) and labels 0, …, m_2 − 1."""
    from torch.nn import functional

    return functional.cross_entropy(out, labels)


def train(
    layers: Sequence[tuple[Any, Any]],
    X: Any,
    y: Any,
    loss: Loss,
    *,
    step: float,
    below: float,
    limit: int,
    adam: bool = False,
) -> Trained:
    """Train from the NumPy layers given until the loss is below ``below``, ``limit`` steps at most."""
    import torch

    tensors = [(torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)) for W, b in layers]
    flat = [each for layer in tensors for each in layer]
    optimiser = torch.optim.Adam(flat, step) if adam else torch.optim.SGD(flat, step, momentum=MOMENTUM)
    inputs, targets = torch.as_tensor(X), torch.as_tensor(y)
    for number in range(limit + 1):
        optimiser.zero_grad()
        error = loss(outputs(tensors, inputs), targets)
        if error.item() < below or number == limit:
            break
        error.backward()
        optimiser.step()
    return Trained([(W.detach().numpy(), b.detach().numpy()) for W, b in tensors], error.item(), number)


def tested(run: Trained, X: Any, y: Any, loss: Loss) -> tuple[float, Any]:
    """The loss on other samples, and the outputs as a NumPy array."""
    import torch

    out = outputs([(torch.as_tensor(W), torch.as_tensor(b)) for W, b in run.layers], torch.as_tensor(X))
    return loss(out, torch.as_tensor(y)).item(), out.numpy()


def share_below(layers: Sequence[tuple[Any, Any]], threshold: float) -> float:
    """The share of entries of the weight matrices, biases aside, of magnitude at most ``threshold``."""
    small = sum(int((abs(W) <= threshold).sum()) for W, _ in layers)
    return small / sum(int(W.size) for W, _ in layers)
