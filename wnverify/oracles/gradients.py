"""Is a written backward the derivative of its forward?  The whole Jacobian, sketched.

For a map f and cotangents a_l, tangents e_k, every pair is compared:

    ⟨a_l, D f[e_k]⟩   (difference of the forward, error known)   against   ⟨Jᵀ a_l, e_k⟩   (written backward).

K differences and L backward passes give K·L entries of a sketch of ΔJ = J_written − J.  For Gaussian probes
E ⟨a, ΔJ e⟩² = ‖ΔJ‖²_F, whence an estimate of the relative error of the whole Jacobian, and an interval:

* below: by Markov's inequality on the mean square, ‖ΔJ‖_F ≥ √(mean/20) with probability ≥ 95 %;
* above: |⟨a, ΔJ e⟩| ≥ x_L y_K ‖ΔJ‖_F for the best of the pairs with probability ≥ 95 %, where y_K ‖ΔJ‖_F is what
  the largest of K ‖ΔJ e_k‖ is at least (``sketch.least_of_largest``) and x_L the 2.5 % quantile of the largest of L
  absolute normals: given the e_k, ⟨a, ΔJ e⟩ is normal.  This holds for every ΔJ, also one that is wrong in one entry;
* ‖J‖_F, to which both are relative, is known from its K differences: √(mean ‖J e_k‖²) is at least a ‖J‖_F and at most
  b ‖J‖_F, each with probability ≥ 97.5 % (``sketch.norm_between``).

Each end of the interval is therefore right with probability ≥ 92.5 %.  The same numbers give the power: the smallest
relative error of the Jacobian that this run would have noticed.
Tangents have rows at the size of the weight's rows, so that errors are relative to the Jacobian with its columns scaled
that way.
Structured probes (radial, all-ones, one row, extreme entries) look where random ones are diluted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wnverify.oracles.differences import (
    Difference,
    NotDifferencedError,
    directional_difference,
    rounding_noise,
    value_at,
)
from wnverify.oracles.ratio import REFUTES_FROM, ErrorModel
from wnverify.oracles.sketch import least_of_largest, norm_between, smallest_of_largest

MARKOV = 20.0

Map = Callable[..., Tensor]
Noises = dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]]
"""Relative rounding noise of one map, by the shapes of point and output."""
ENOUGH_NOISES = 3


class BackwardError(RuntimeError):
    """The subject's own backward raised; the message is its."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JacobianReport:
    """What the sketch saw.

    ``ratio`` is the largest |difference of a pair| ÷ its modelled error; ``relative_error`` the estimate of
    ‖ΔJ‖_F / ‖J‖_F with ``interval``; ``power`` the smallest such error that would have been noticed; ``worst`` names
    the probes of the largest ratio, ``probe`` holds their tensors (cotangent, tangent) and ``values`` the two sides.
    A single given cotangent is not Gaussian: then ``ratio`` alone says something.
    """

    ratio: float
    relative_error: float
    interval: tuple[float, float]
    power: float
    worst: tuple[str, str]
    values: tuple[float, float]
    probe: tuple[Tensor, Tensor]
    evaluations: int

    @property
    def refuted(self) -> bool:
        return not self.ratio < REFUTES_FROM

    @property
    def figures(self) -> dict[str, float | int | str | list[float]]:
        return {
            "relative_error": self.relative_error,
            "interval": list(self.interval),
            "worst_cotangent": self.worst[0],
            "worst_tangent": self.worst[1],
            "difference_quotient": self.values[0],
            "backward": self.values[1],
            "forward_evaluations": self.evaluations,
        }


def row_scales(x: Tensor) -> Tensor:
    """Root mean square of each row (further axes flattened), zero rows taking the largest; shape (n, 1, …).

    A vector or a scalar is one row.
    """
    flat = x.reshape(x.shape[0], -1) if x.dim() > 1 else x.reshape(1, -1)
    scale = torch.linalg.vector_norm(flat, dim=1) / math.sqrt(max(flat.shape[1], 1))
    largest = float(scale.max()) if scale.numel() else 0.0
    scale = torch.where(scale > 0, scale, torch.as_tensor(largest or 1.0, dtype=x.dtype))
    return scale.reshape(-1, *[1] * (x.dim() - 1)) if x.dim() > 1 else scale.expand(x.numel()).reshape(x.shape)


def tangents(x: Tensor, count: int, generator: torch.Generator) -> list[tuple[str, Tensor]]:
    """``count`` Gaussian directions, each row at the size of x's, then structured ones of the same size."""
    scale = row_scales(x)
    probes = [(f"gaussian {k}", scale * _randn(x, generator)) for k in range(count)]
    probes.append(("radial", x.clone()))
    probes.append(("all ones", scale.expand_as(x).clone()))
    if x.dim() > 1 and x.shape[0] > 1:
        norms = scale.flatten()
        for name, index in (("largest row", int(norms.argmax())), ("last row", x.shape[0] - 1)):
            one = torch.zeros(x.shape, dtype=x.dtype)
            one[index] = (scale * _randn(x, generator))[index]
            probes.append((name, one))
    for name, index in (("largest entry", int(x.abs().argmax())), ("smallest entry", int(x.abs().argmin()))):
        one = torch.zeros(x.shape, dtype=x.dtype)
        one.view(-1)[index] = float(scale.expand_as(x).reshape(-1)[index])
        probes.append((name, one))
    return probes


def cotangents(w: Tensor, count: int, generator: torch.Generator) -> list[tuple[str, Tensor]]:
    """``count`` Gaussian cotangents, then the output itself, all ones and the largest entry alone."""
    probes = [(f"gaussian {k}", _randn(w, generator)) for k in range(count)]
    probes.append(("output", w.clone()))
    probes.append(("all ones", torch.ones_like(w)))
    one = torch.zeros(w.shape, dtype=w.dtype)
    one.view(-1)[int(w.abs().argmax())] = 1.0
    probes.append(("largest entry", one))
    return probes


def check_backward(
    f: Map,
    tensors: Sequence[Tensor],
    *,
    wrt: int = 0,
    seed: int,
    gaussian: int = 8,
    model: ErrorModel,
    structured: int | None = None,
    cotangent: Tensor | None = None,
    backward: Callable[[Tensor], Tensor] | None = None,
    steepness: float = 0.0,
    reach: float = 1.0,
    noises: Noises | None = None,
) -> JacobianReport:
    """Compare the backward of ``f(*tensors)`` with respect to ``tensors[wrt]`` with differences of the forward.

    ``tensors`` are float64; ``model`` is the modelled relative error of one backward pass; ``structured``: how many of
    the structured probes, which the seed draws, are taken beside the Gaussian ones (default: all); ``cotangent``
    replaces the probes by that single one; ``backward`` (cotangent → gradient) stands in for reverse mode when a
    backward written elsewhere is to be judged; ``steepness`` is what ‖J‖ (columns scaled by row sizes) is around the
    point, for a map whose Jacobian may vanish at it: rounding and power are relative to no less; ``reach`` below 1
    keeps the differences that much nearer to the point, where kinks lie close; ``noises`` are those of this map at
    other points, one of many, of which the least stands for this one once there are enough.  Raises
    ``NotDifferencedError`` where the forward cannot be differenced, and whatever the subject's backward raises.
    """
    x = tensors[wrt].detach()

    def along(value: Tensor) -> Tensor:
        with torch.no_grad():
            return f(*(value if i == wrt else t for i, t in enumerate(tensors))).detach()

    generator = torch.Generator().manual_seed(seed)
    output = along(x)
    directions = tangents(x, gaussian, generator)
    cotangent_probes = cotangents(output, gaussian, generator)
    if structured is not None:
        directions, cotangent_probes = (
            _drawn(probes, gaussian, structured, generator) for probes in (directions, cotangent_probes)
        )
    if cotangent is not None:
        cotangent_probes = [("given", cotangent)]
    noise = _noise(along, x, output, seed, noises)
    differences = _differences(along, x, output, directions, noise, reach)
    pull = backward or reverse_mode(f, tensors, wrt)
    gradients = [pull(a) for _, a in cotangent_probes]
    return _compare(directions, differences, cotangent_probes, gradients, gaussian, model, row_scales(x), steepness)


def check_rows(
    f: Map,
    tensors: Sequence[Tensor],
    *,
    wrt: int = 0,
    seed: int,
    rows: Sequence[int],
    model: ErrorModel,
    steepness: float = 0.0,
    reach: float = 1.0,
    noises: Noises | None = None,
) -> tuple[int, JacobianReport]:
    """``check_backward`` with tangents confined to one row each: the row with the largest ratio, and its report."""
    x = tensors[wrt].detach()
    generator = torch.Generator().manual_seed(seed)
    pull = reverse_mode(f, tensors, wrt)

    def along(value: Tensor) -> Tensor:
        with torch.no_grad():
            return f(*(value if i == wrt else t for i, t in enumerate(tensors))).detach()

    output = along(x)
    cotangent_probes = cotangents(output, 4, generator)
    gradients = [pull(a) for _, a in cotangent_probes]
    scale, noise, worst = row_scales(x), _noise(along, x, output, seed, noises), None
    for row in rows:
        mask = torch.zeros_like(x)
        mask[row] = 1.0
        directions = [(f"row {row}, gaussian {k}", mask * scale * _randn(x, generator)) for k in range(2)]
        differences = _differences(along, x, output, directions, noise, reach)
        report = _compare(directions, differences, cotangent_probes, gradients, 4, model, scale, steepness)
        if worst is None or not report.ratio <= worst[1].ratio:
            worst = (row, report)
    if worst is None:
        raise ValueError("rows must name at least one row; got none")
    return worst


def reverse_mode(f: Map, tensors: Sequence[Tensor], wrt: int = 0) -> Callable[[Tensor], Tensor]:
    """cotangent ↦ gradient with respect to ``tensors[wrt]``, by one recorded forward and autograd.

    Raises ``BackwardError`` where the subject's backward raises, or its output does not depend on the tensor through
    autograd.
    """
    leaves = [t.detach().clone().requires_grad_(i == wrt) for i, t in enumerate(tensors)]
    with torch.enable_grad():
        output = f(*leaves)

    def pull(cotangent: Tensor) -> Tensor:
        try:
            gradient: Tensor = torch.autograd.grad(output, leaves[wrt], cotangent, retain_graph=True)[0]
        except Exception as error:
            raise BackwardError(f"{type(error).__name__}: {error}") from error
        return gradient.detach()

    return pull


def forward_mode(f: Map, tensors: Sequence[Tensor], tangent: Tensor, wrt: int = 0) -> Tensor:
    """J e by ``torch.func.jvp``: exact up to rounding where the subject's operations have forward rules."""

    def of(value: Tensor) -> Tensor:
        return f(*(value if i == wrt else t.detach() for i, t in enumerate(tensors)))

    pair: tuple[Tensor, Tensor] = torch.func.jvp(of, (tensors[wrt].detach(),), (tangent,))  # type: ignore[assignment]
    return pair[1].detach()


def sensitivity(g: Callable[[Tensor], Tensor], x: Tensor, *, seed: int, samples: int = 3, whole: bool = False) -> float:
    """Local relative condition number of ``g`` at ``x``: ‖g(x + δ) − g(x)‖/‖g(x)‖ ÷ ‖δ‖/‖x‖ for small random δ.

    δ has rows at the size of x's, or with ``whole`` all at the size of x: what a decomposition of the whole of x
    loses, as no backward stable one is more accurate than ‖x‖.  Random δ is what rounding is; the largest of
    ``samples`` is returned.  Infinity where ``g`` leaves its domain under so small a change: raises what a map raises
    there, or is not finite.
    """
    changes, base = _responses(g, x, seed, samples, whole)
    size = float(torch.linalg.vector_norm(base))
    largest = float(changes.reshape(samples, -1).norm(dim=1).max())
    return 1.0 if size == 0 else largest / size if size < math.inf else math.inf


def row_sensitivity(g: Callable[[Tensor], Tensor], x: Tensor, *, seed: int, samples: int = 6) -> Tensor:
    """For each row of ``g(x)``: the largest ‖change of the row‖ ÷ ‖δ‖/‖x‖ under small random δ (not relative).

    Infinity where ``g`` leaves its domain, as in ``sensitivity``.
    """
    changes, _ = _responses(g, x, seed, samples)
    largest: Tensor = changes.flatten(2).norm(dim=2).amax(0)
    return largest


def _responses(
    g: Callable[[Tensor], Tensor], x: Tensor, seed: int, samples: int, whole: bool = False
) -> tuple[Tensor, Tensor]:
    """((g(x + s δ_k) − g(x)) / s for each k, infinite where there is none, g(x)), s = 1e-7."""
    generator = torch.Generator().manual_seed(seed)
    base, step = g(x), 1e-7
    scale = x.square().mean().sqrt() if whole else row_scales(x)
    values = [value_at(g, x + step * scale * _randn(x, generator)) for _ in range(samples)]
    moved = [torch.full_like(base, math.inf) if value is None else value - base for value in values]
    return torch.stack(moved).nan_to_num(math.inf, math.inf, -math.inf) / step, base


def _noise(along: Callable[[Tensor], Tensor], x: Tensor, output: Tensor, seed: int, noises: Noises | None) -> float:
    """The rounding noise at x: measured, or by the least relative one of ``ENOUGH_NOISES`` at this shape."""
    size = float(torch.linalg.vector_norm(output))
    known = [] if noises is None else noises.setdefault((tuple(x.shape), tuple(output.shape)), [])
    if len(known) >= ENOUGH_NOISES:
        return min(known) * size
    noise = rounding_noise(along, x, seed=seed)
    if size > 0:
        known.append(noise / size)
    return noise


def _drawn(
    probes: Sequence[tuple[str, Tensor]], gaussian: int, structured: int, generator: torch.Generator
) -> list[tuple[str, Tensor]]:
    """The Gaussian probes, and so many of the others."""
    others = probes[gaussian:]
    order = torch.randperm(len(others), generator=generator).tolist()
    return [*probes[:gaussian], *(others[at] for at in sorted(order[:structured]))]


def _differences(
    along: Callable[[Tensor], Tensor],
    x: Tensor,
    output: Tensor,
    directions: Sequence[tuple[str, Tensor]],
    noise: float,
    reach: float = 1.0,
) -> list[Difference]:
    """One difference for each direction; where there is none, the error says along which.  ``output``: along(x)."""
    made = []
    for name, direction in directions:
        try:
            found = directional_difference(along, x, reach * direction, noise=noise, centre=output)
            made.append(Difference(found.value / reach, found.error / reach, found.evaluations))
        except NotDifferencedError as error:
            raise type(error)(f"{error} (along {name})") from error
    return made


def _compare(
    directions: Sequence[tuple[str, Tensor]],
    differences: Sequence[Difference],
    cotangent_probes: Sequence[tuple[str, Tensor]],
    gradients: Sequence[Tensor],
    gaussian: int,
    model: ErrorModel,
    scale: Tensor,
    around: float,
) -> JacobianReport:
    a = torch.stack([probe.reshape(-1) for _, probe in cotangent_probes])
    e = torch.stack([probe.reshape(-1) for _, probe in directions])
    d = torch.stack([difference.value.reshape(-1) for difference in differences])
    g = torch.stack([gradient.reshape(-1) for gradient in gradients])
    expected, observed = a @ d.T, g @ e.T
    size = a.norm(dim=1)[:, None]
    errors = torch.tensor([difference.error for difference in differences], dtype=torch.float64)
    # A right backward loses relative to ‖Jᵀ a‖ ‖e‖, also along directions in which the map stands still.  ‖J‖ (columns
    # scaled by row sizes) is taken from the differences: a wrong backward must not pay itself a larger bound.
    lengths = (e / scale.expand(directions[0][1].shape).reshape(-1)).norm(dim=1)
    steepest = max(float((d.norm(dim=1) / lengths.clamp_min(torch.finfo(torch.float64).tiny)).max()), around)
    rounding = size * steepest * lengths[None, :]
    noise = torch.where(size > 0, size * errors[None, :], 0.0)  # not 0 × ∞ for a zero cotangent
    bound = noise + model.relative * rounding + torch.finfo(torch.float64).tiny
    miss = (observed - expected).abs()
    ratios = torch.where(torch.isfinite(miss), miss / bound, math.inf)
    flat = int(ratios.argmax())
    row, column = divmod(flat, ratios.shape[1])
    pairs_l, pairs_k = min(gaussian, len(cotangent_probes)), min(gaussian, len(directions))
    block, excused = miss[:pairs_l, :pairs_k], bound[:pairs_l, :pairs_k]
    jacobian = max(_root_mean_square(expected[:pairs_l, :pairs_k]), around)
    least, most = (max(size, around) for size in norm_between(d[:pairs_k].norm(dim=1), errors[:pairs_k]))
    mean = _root_mean_square(block)
    sure = smallest_of_largest(pairs_l) * least_of_largest(pairs_k)

    def relative(error: float, size: float) -> float:
        # To the Jacobian of a map that stands still nothing is relative: the ratio decides alone.
        return 0.0 if jacobian == 0 else error / size if size > 0 else math.inf

    return JacobianReport(
        ratio=float(ratios.max()),
        relative_error=relative(mean, jacobian),
        # What the differences and rounding may have done is taken off below and added above.
        interval=(
            relative(max(0.0, mean - _root_mean_square(excused)) / math.sqrt(MARKOV), most),
            relative(float((block + excused).max()) / sure, least),
        ),
        power=relative(float(excused.max()) / sure, least),
        worst=(cotangent_probes[row][0], directions[column][0]),
        values=(float(expected[row, column]), float(observed[row, column])),
        probe=(cotangent_probes[row][1], directions[column][1]),
        evaluations=sum(difference.evaluations for difference in differences),
    )


def _root_mean_square(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _randn(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=torch.float64)


__all__ = [
    "BackwardError",
    "JacobianReport",
    "Noises",
    "NotDifferencedError",
    "check_backward",
    "check_rows",
    "forward_mode",
    "reverse_mode",
    "row_sensitivity",
    "sensitivity",
]
