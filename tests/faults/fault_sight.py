"""The second opinion where nobody looks: ties, rows that are one in memory, large sizes, one column."""

from __future__ import annotations

from collections.abc import Callable

import torch
from fault_corners import against
from fault_gradients import Subject, gradient, randn
from fault_values import EXACT, broken, matrix

LARGE = 2.0**20


def tied(subject: Subject) -> float:
    """At two equal largest entries of a row the gradient gives, along both alike, what the map does on either side."""
    V, G = randn(3, 5, seed=90), randn(3, 5, seed=91)
    V[:, 1] = V[:, 3] = 3.0
    both = torch.zeros_like(V)
    both[:, 1] = both[:, 3] = 1.0
    f, step = subject.map(V), 1e-5
    with torch.no_grad():
        after, here, before = (float((f(V + t * both) * G).sum()) for t in (step, 0.0, -step))
    sides = sorted(((after - here) / step, (here - before) / step))
    found = float((gradient(f, V, G) * both).sum())
    miss = max(sides[0] - found, found - sides[1], 0.0)
    return miss / (1e-3 * float(G.norm()))


def expanded(subject: Subject) -> float:
    """A row expanded in memory has the gradient of its copy."""
    row, G = randn(1, 5, seed=92), randn(3, 5, seed=93)
    if not subject.admits(row.expand(3, 5)) or "full_rank" in subject.domain:
        return 0.0
    f = subject.map(row.repeat(3, 1))
    found = []
    for V in (row.expand(3, 5), row.repeat(3, 1)):
        leaf = V.detach().requires_grad_()
        W = f(leaf)
        found.append(torch.autograd.grad(W, leaf, G)[0])
    return against(found[0], found[1], 1e-6 * float(G.norm()))


def large(subject: Subject) -> float:
    V = randn(3, 5, seed=94)
    if not subject.declares.get("scale_invariant") or not subject.admits(V * LARGE):
        return 0.0
    return against(matrix(subject, V * LARGE), matrix(subject, V), EXACT)


def one_column(subject: Subject) -> float:
    V = randn(4, 1, seed=95)
    return against(matrix(subject, -V), -matrix(subject, V), EXACT) if subject.admits(V) else 0.0


def moves_at_large(subject: Subject) -> float:
    """An entry of a million that grows by a thousandth moves what is made of it, or stays where twice as much does."""
    V = randn(3, 5, seed=96) * LARGE
    if not subject.admits(V):
        return 0.0
    little, much = ((matrix(subject, V + t * V.sign()) - matrix(subject, V)) for t in (1e-3, 1.0))
    return broken(float((little * 1e3 - much).norm()) > 0.5 * float(much.norm()) > EXACT)


PROBES: dict[str, Callable[[Subject], float]] = {"gradient.singular": tied}
FURTHER: dict[str, Callable[[Subject], float]] = {
    "contract.layout": expanded,
    "property.scale_invariant": large,
    "property.odd": one_column,
    "precision.float64": moves_at_large,
}
