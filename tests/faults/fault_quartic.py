"""The second opinion between two weights: another forward in between, a loss of second degree, a kernel as a matrix."""

from __future__ import annotations

from collections.abc import Callable

import torch
from fault_corners import against
from fault_gradients import Subject, gradient, randn


def another_forward(subject: Subject) -> float:
    """A forward of another weight before the backward changes nothing."""
    V, G = randn(3, 5, seed=101), randn(3, 5, seed=102)
    f, leaf = subject.map(V), V.clone().requires_grad_()
    W = f(leaf)
    f(V.flip(0))
    (found,) = torch.autograd.grad(W, leaf, G)
    return against(found, gradient(subject.map(V), V, G), 1e-9 * float(G.norm()))


def of_square(subject: Subject) -> float:
    """The second derivative of a sum of squares against differences of the first; a refusal is not wrong."""
    V, G, E = randn(3, 5, seed=103), randn(3, 5, seed=104), randn(3, 5, seed=105)
    f, step = subject.map(V), 1e-5

    def first(X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = X.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad((G * f(leaf) ** 2).sum(), leaf, create_graph=True)
        return leaf, g

    try:
        leaf, g = first(V)
        (found,) = torch.autograd.grad((g * E).sum(), leaf)
    except RuntimeError:
        return 0.0
    expected = (first(V + step * E)[1] - first(V - step * E)[1]).detach() / (2 * step)
    return against(found, expected, 1e-4 * float(expected.norm() + G.norm()))


def as_matrix(subject: Subject) -> float:
    """A kernel is mapped as the matrix of its rows is, where both have own tensors of the same shapes."""
    V = randn(4, 2, 3, 3, seed=106) + 0.3
    if not (subject.admits(V) and subject.admits(V.flatten(1))):
        return 0.0
    first, second = ([t.shape for t in subject.build(X).parameters()] for X in (V, V.flatten(1)))
    if first != second:
        return 0.0
    with torch.no_grad():
        kernel, flat = subject.map(V)(V), subject.map(V.flatten(1))(V.flatten(1))
    return against(kernel.reshape(flat.shape), flat, 1e-9 * float(flat.norm() + 1e-3))


FURTHER: dict[str, Callable[[Subject], float]] = {
    "gradient.loss": another_forward,
    "gradient.second_order": of_square,
    "contract.layout": as_matrix,
}
