"""Matrices as lists of rows, exact or symbolic, for the claims on Gram matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wnverify.papers.norm_loss.witnesses import F, vectors

Rows = Sequence[Sequence[Any]]


def transposed(W: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*W, strict=True)]


def product(A: Rows, B: Rows) -> list[list[Any]]:
    """A B of lists of rows, in whatever ring the entries live."""
    return [[sum((x * y for x, y in zip(a, b, strict=True)), F(0)) for b in transposed(B)] for a in A]


def minus_identity(A: Rows) -> list[list[Any]]:
    return [[x - int(i == j) for j, x in enumerate(row)] for i, row in enumerate(A)]


def square_norm(A: Rows) -> Any:
    return sum((x * x for row in A for x in row), F(0))


def is_identity_matrix(A: Rows) -> bool:
    return not any(x for row in minus_identity(A) for x in row)


def small_matrices(n: int, p: int) -> list[list[list[Any]]]:
    return [[list(v[i * p : i * p + p]) for i in range(n)] for v in vectors(n * p, (0, 1, -1))]
