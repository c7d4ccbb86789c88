"""Where a subject is looked at: named weights in float64, with the facts that a stated domain speaks of.

Many wrong formulas look right at n = 1, n = 2, on square, diagonal, orthonormal or already normalised input, and many
right ones break there; so generic points come in shapes that separate n from d and pass the borders 64 and 128, and
structured ones are asked apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from wnverify.finding import seed_of

Option = TypeVar("Option")

GENERIC_SHAPES: Final = ((3, 5), (5, 12), (4, 4), (7, 3), (1, 6), (70, 134))
FIRST_BORDERS: Final = ((33, 65), (65, 33), (5, 257), (32, 64), (257, 5), (5, 1025))
BORDERS: Final = (*FIRST_BORDERS, (31, 129), (129, 257), (1025, 5), (3, 4097))
"""One beyond, or one short of, 32, 64, 128, 256 and 1024, in rows and in columns, and beyond 4096 columns, the longest
block of many kernels; odd, so that no half is whole.

But for 32x64, which every block up to 32 divides: the sizes of most layers, for which shortcuts are written."""
INSIDE: Final = 0.75
"""Of the largest size that a stated domain allows, how much a weight has that would be larger."""
KERNEL_SHAPES: Final = ((4, 3, 3), (5, 2, 3, 3), (3, 2, 2, 3, 2))
FURTHER_KERNELS: Final = ((8, 12, 1, 1), (8, 2, 7, 7), (6, 1, 3, 3), (1, 4, 3, 3))
"""Pointwise, where no axis after the second is left; of a first layer, and of four groups; depthwise; of one output."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named float64 weight: ``weight`` is what an instance is built for, ``V`` the tensor that its forward takes.

    The two differ only where registration maps a weight to other coordinates.
    """

    name: str
    V: Tensor
    seed: int = 0
    built_for: Tensor | None = None
    origin: bool = False
    """Registration put the weight at the origin of its coordinates, where relative changes change nothing."""

    @property
    def weight(self) -> Tensor:
        return self.V if self.built_for is None else self.built_for


def rows(V: Tensor) -> Tensor:
    """V with the axes after the first flattened: (n, d); a scalar is one row of one entry."""
    return V.reshape(V.shape[0] if V.dim() else 1, -1)


def condition(V: Tensor) -> float:
    """κ(V) = σ_1 / σ_n of its rows, infinite where V is singular; 1 of V = 0, which has nothing to lose."""
    sigma = torch.linalg.svdvals(rows(V))
    largest, least = float(sigma[0]), float(sigma[-1])
    if least > 0:
        return largest / least
    return math.inf if largest > 0 else 1.0


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed % 2**63), dtype=torch.float64)


def one_of(options: Sequence[Option], seed: int) -> list[Option]:
    """The one of the options that the seed draws; of none, none."""
    at = seed % max(len(options), 1)
    return list(options[at : at + 1])


def generic(shape: tuple[int, ...], seed: int) -> Point:
    """Gaussian entries of unit size plus a mean of 0.3 in each row: no row is centred or normalised by accident."""
    name = "x".join(map(str, shape))
    own = seed_of(seed, "generic", name)
    return Point(name=name, V=randn(*shape, seed=own) + 0.3, seed=own)


def outside(V: Tensor, domain: Mapping[str, Any]) -> str | None:
    """The first condition of the stated domain that V breaks, or None."""
    if domain.get("matrices_only") and V.dim() > 2:
        return f"matrices_only: {V.dim()} axes"
    flat = rows(V).double()
    n, d = flat.shape
    if domain.get("rows_le_cols") and n > d:
        return f"rows_le_cols: {n} rows, {d} columns"
    if domain.get("rows_lt_cols") and n >= d:
        return f"rows_lt_cols: {n} rows, {d} columns"
    if d < domain.get("min_cols", 0):
        return f"min_cols: {d} columns"
    norms = torch.linalg.vector_norm(flat, dim=1)
    if "min_row_norm" in domain and n and float(norms.min()) < domain["min_row_norm"]:
        return f"min_row_norm: a row norm of {float(norms.min()):.3g}"
    if "finite_only_for_row_norm_lt" in domain and n and float(norms.max()) >= domain["finite_only_for_row_norm_lt"]:
        return f"finite_only_for_row_norm_lt: a row norm of {float(norms.max()):.3g}"
    if "max_abs" in domain and flat.numel() and float(flat.abs().max()) > domain["max_abs"]:
        return f"max_abs: an entry of {float(flat.abs().max()):.3g}"
    if {"full_rank", "max_condition", "max_sigma_ratio"} & set(domain) and flat.numel():
        sigma = torch.linalg.svdvals(flat)
        condition = float(sigma[0] / sigma[-1]) if float(sigma[-1]) > 0 else math.inf
        if domain.get("full_rank") and condition > 1e13:
            return "full_rank: V is rank-deficient"
        for name in ("max_condition", "max_sigma_ratio"):
            if name in domain and condition > domain[name]:
                return f"{name}: a condition number of {condition:.3g}"
    return None


def small_enough(V: Tensor, domain: Mapping[str, Any]) -> Tensor:
    """V, scaled down where its size is outside the stated domain."""
    limits = []
    if "max_abs" in domain and V.numel():
        limits.append((float(V.abs().max()), float(domain["max_abs"])))
    if "finite_only_for_row_norm_lt" in domain and V.numel():
        longest = float(torch.linalg.vector_norm(rows(V).double(), dim=1).max())
        limits.append((longest, float(domain["finite_only_for_row_norm_lt"])))
    shrink = max((size / (INSIDE * limit) for size, limit in limits if size >= limit > 0), default=1.0)
    return V if shrink == 1.0 else V / shrink


def structured(seed: int) -> Iterator[Point]:
    """Points at which wrong formulas look right, or right ones break."""

    def named(name: str, V: Tensor) -> Point:
        return Point(name=name, V=V, seed=seed_of(seed, name))

    base = randn(4, 7, seed=seed_of(seed, "structured"))
    yield named("unit rows", base / base.norm(dim=1, keepdim=True))
    centred = base - base.mean(1, keepdim=True)
    yield named("zero-mean rows", centred)
    yield named("unit zero-mean rows", centred / centred.norm(dim=1, keepdim=True))
    yield named("all positive", base.abs() + 0.1)
    yield named("all negative", -base.abs() - 0.1)
    # Two in each row: a row of zeros is another question, and so is one that lies inside a small set.
    yield named("some exact zeros", base.scatter(1, base.abs().topk(2, largest=False).indices, 0.0))
    yield named("small integers", (4 * base).round() + torch.eye(4, 7, dtype=torch.float64))
    yield named("diagonal", torch.eye(4, 7, dtype=torch.float64) * torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    yield named("square symmetric", (base[:, :4] + base[:, :4].T) + 3 * torch.eye(4, dtype=torch.float64))


def ties(seed: int) -> Iterator[Point]:
    """Points at which the entries of a row are equal, in absolute value or all of them: thresholds meet several."""
    signs = randn(4, 7, seed=seed_of(seed, "signs")).sign()
    yield Point(name="entries 1 and -1", V=signs)
    yield Point(name="entries 1, 1, -1/2", V=torch.where(torch.arange(7) < 4, signs, signs / 2))
    yield Point(name="constant rows", V=torch.linspace(-1.0, 2.5, 4, dtype=torch.float64)[:, None].expand(4, 7).clone())


def repeated_singular_values(seed: int) -> Iterator[Point]:
    """Centred or not, with equal and nearly equal singular values: Σ^{-1/2} is smooth there, eigh's derivative not."""
    frame = orthonormal_zero_mean_rows(4, 7, seed_of(seed, "frame"))
    yield Point(name="orthonormal zero-mean rows", V=frame)
    mixed = rotation(4, seed_of(seed, "left")) @ torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0]).double()) @ frame
    yield Point(name="singular values 2, 2, 1, 1", V=mixed)
    plain = torch.linalg.qr(randn(7, 4, seed=seed_of(seed, "plain"))).Q.T.contiguous()
    yield Point(name="orthonormal rows", V=plain)


def nearly_repeated_singular_values(seed: int, gap: float = 1e-9) -> Point:
    frame = orthonormal_zero_mean_rows(4, 7, seed_of(seed, "near"))
    sigma = torch.tensor([2.0 + gap, 2.0, 1.0, 1.0 - gap], dtype=torch.float64)
    V = rotation(4, seed_of(seed, "near left")) @ torch.diag(sigma) @ frame
    return Point(name=f"singular values {gap:.0e} apart", V=V)


def ill_conditioned(condition: float, seed: int, shape: tuple[int, int] = (4, 9)) -> Point:
    """Zero-mean rows with geometric singular values from 1 to 1/condition, plus the same for uncentred maps."""
    n, d = shape
    sigma = torch.logspace(0, -math.log10(condition), n, dtype=torch.float64)
    left, right = rotation(n, seed_of(seed, "l")), orthonormal_zero_mean_rows(n, d, seed_of(seed, "r"))
    return Point(name=f"condition {condition:.0e}", V=left @ torch.diag(sigma) @ right)


def scaled_rows(spread: float, seed: int, shape: tuple[int, int] = (5, 9)) -> Point:
    """Row norms spread geometrically over ``spread``."""
    base = randn(*shape, seed=seed_of(seed, "scaled rows"))
    half = math.log10(spread) / 2
    scale = torch.logspace(-half, half, shape[0], dtype=torch.float64)
    return Point(name=f"row norms over {spread:.0e}", V=scale[:, None] * base)


def equal_rows(seed: int) -> Point:
    """Rows 0, 1 and 3 are equal: what tells rows apart by their values meets one thrice."""
    base = randn(4, 7, seed=seed_of(seed, "equal rows"))
    return Point(name="equal rows", V=base[torch.tensor([0, 0, 2, 0])].clone(), seed=seed)


def opposite_rows(seed: int) -> Point:
    """Every row beside its negative: column sums of zero, in which an iteration that starts from ones sees nothing."""
    base = randn(2, 7, seed=seed_of(seed, "opposite rows"))
    return Point(name="opposite rows", V=torch.cat([base, -base]), seed=seed)


def rotation(n: int, seed: int) -> Tensor:
    Q: Tensor = torch.linalg.qr(randn(n, n, seed=seed))[0]
    return Q


def orthonormal_zero_mean_rows(n: int, d: int, seed: int) -> Tensor:
    """n orthonormal rows of length d, each summing to zero (n ≤ d − 1)."""
    if n > d - 1:
        raise ValueError(f"n must be at most d - 1 = {d - 1}; got {n}")
    centred = randn(d, n, seed=seed)
    centred = centred - centred.mean(0, keepdim=True)
    Q: Tensor = torch.linalg.qr(centred)[0]
    return Q.T.contiguous()
