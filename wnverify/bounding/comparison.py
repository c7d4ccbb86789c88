"""One sample: every bound on its empirical Rademacher complexity beside the exact value, or what encloses it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Final

import numpy as np

from wnverify.finding import Evidence, Finding, Json, Verdict, encode_array, seed_of
from wnverify.theory import bounds
from wnverify.theory.network import Matrix, NetworkClass, checked_data
from wnverify.theory.rademacher import Complexity, complexity, sampled, sign_vectors
from wnverify.theory.rays import largest_n
from wnverify.theory.sandwich import sandwich
from wnverify.theory.tanh import tanh_complexity

SEARCHED: Final = 10
"""With at most so many samples, a search over the weights of deeper networks may raise the lower bound."""


BOUNDS: Final = {
    "theorem1_first": "Theorem 1, first bound",
    "theorem1_second": "Theorem 1, second bound (cρ ≥ 1)",
    "massart": "Massart's lemma for a linear class",
    "closed_form": "the lab's sharper bound in closed form",
    "sharper": "the lab's sharper bound at the worst sample of this size",
    "sharper_on_sample": "the lab's sharper bound at this sample",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of R̂_S: ``lower`` ≤ R̂_S ≤ ``upper``; ``value`` is given where the two are one up to rounding.

    With ``confidence`` below 1 the two hold together with that probability.
    """

    lower: float
    upper: float
    value: float | None
    how: str
    confidence: float = 1.0


def read_data(path: str) -> Matrix:
    """The sample in a .npy file, (n, m1), entries in [−1, 1].  ``ValueError`` names the file and what is wrong."""
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"--data must be a .npy file; there is no file {path!r}")
    try:
        loaded = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"--data must be a .npy file of real numbers; {path}: {error}") from None
    if not isinstance(loaded, np.ndarray):
        raise ValueError(f"--data must be one array in a .npy file; {path} holds several")
    try:
        return checked_data(loaded)
    except ValueError as error:
        raise ValueError(f"--data {path}: {error}") from None


def drawn_data(n: int, m1: int, seed: int) -> Matrix:
    """A sample drawn uniformly from [−1, 1]^{m1}."""
    bounds.sizes(n, m1)
    return np.random.default_rng(seed_of("sample", seed)).uniform(-1, 1, size=(n, m1))


def compare(
    network: NetworkClass,
    X: Matrix,
    *,
    activation: str = "relu",
    signs: int = 0,
    seed: int = 0,
    source: str = "",
    device: str = "cpu",
) -> Finding:
    """The finding of one sample: what is known of R̂_S, every bound, and R̂_S ÷ bound for each.

    ``holds`` where no bound is below R̂_S.  ``signs`` > 0 asks for a mean over so many random sign vectors, not all.
    """
    data = checked_data(X)
    n, m1 = data.shape
    known = what_is_known(network, data, activation, signs, seed, device)
    limits = all_bounds(network, data)
    at = known.lower if known.value is None else known.value
    routes = [_route(known)]
    for name, value in limits.items():
        # Beyond doubt: the value from below, with its own error, against the bound.
        below = known.lower <= value
        open_ = known.confidence < 1 and not below
        verdict = Verdict.UNDECIDED if open_ else Verdict.HOLDS if below else Verdict.REFUTED
        figures: dict[str, Json] = {"name": name, "bound": value, "tightness": at / value if value else None}
        routes.append(Evidence(route="arithmetic", verdict=verdict, note=BOUNDS[name], figures=figures))
    seen = {route.verdict for route in routes}
    verdict = next((v for v in (Verdict.REFUTED, Verdict.UNDECIDED) if v in seen), Verdict.HOLDS)
    shape = f"k={network.k},n={n},m1={m1},{activation}"
    return Finding(
        kind="theory",
        id=f"theory/rademacher/sample/{shape}",
        subject="rademacher",
        check="sample",
        verdict=verdict,
        statement="Every bound is at least the empirical Rademacher complexity of this sample.",
        conditions=(
            f"class: {network.k} hidden layers, c = {list(network.c)}, o = {network.o}, {activation}",
            f"sample: {n} points in [-1, 1]^{m1}, {source or 'given'}",
        ),
        routes=tuple(routes),
        witness={"X": encode_array(data)} if verdict is Verdict.REFUTED else None,
        strength=None if verdict is not Verdict.HOLDS else "certified" if known.confidence == 1 else "tested",
    )


def what_is_known(
    network: NetworkClass, X: Matrix, activation: str, signs: int, seed: int, device: str = "cpu"
) -> Known:
    """R̂_S by the best way for this class.  ``ValueError`` where the sample is too large, with what would do."""
    if activation not in ("relu", "tanh"):
        raise ValueError(f"activation must be 'relu' or 'tanh'; got {activation!r}")
    if activation == "tanh" and network.k > 0:
        one = tanh_complexity(network, X)
        return Known(one.lower, one.upper, None, "branch and bound over the weights of one tanh unit")
    if network.k > 1:
        search = functools.partial(_searched, seed=seed) if len(X) <= SEARCHED else None
        both = sandwich(network, X, search)
        return Known(both.lower, both.upper, None, f"from below: {both.below}; from above: {both.above}")
    if signs:
        mean = sampled(network, X, signs=signs, seed=seed_of("signs", seed))
        note = f"mean over {signs:,} random sign vectors, {mean.confidence:.1%} interval; not exact"
        return Known(mean.value - mean.error, mean.value + mean.error, mean.value, note, mean.confidence)
    try:
        found = complexity(network, X) if device == "cpu" else _on_device(network, X, device)
    except ValueError as error:
        rays_fit = network.k == 0 or len(X) <= largest_n(X.shape[1])
        hint = " (--signs N)" if rays_fit and "too large" in str(error) else ""
        raise ValueError(f"{error}{hint}") from None
    note = f"all 2^{len(X)} sign vectors, {found.features:,} features"
    return Known(found.value - found.error, found.value + found.error, found.value, note)


def _on_device(network: NetworkClass, X: Matrix, device: str) -> Complexity:
    """The exact value with its one large product on a GPU.  ``ValueError`` where PyTorch has no such device."""
    import torch

    from wnverify.theory import batched

    try:
        float(torch.zeros(1, device=device))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be cpu or one that PyTorch can use here; got {device!r}: {error}") from None
    return batched.complexity(network, X, device=device)


def all_bounds(network: NetworkClass, X: Matrix) -> dict[str, float]:
    """Every bound that holds for the class, by name."""
    n, m1 = X.shape
    limits = {"theorem1_first": bounds.theorem1_first(network, n, m1)}
    if max(network.branches()) <= network.branches()[-1]:
        limits["theorem1_second"] = bounds.theorem1_second(network, n, m1)
    if network.k == 0:
        limits["massart"] = bounds.linear(network, n, m1)
    limits["closed_form"] = bounds.closed_form(network, n, m1)
    limits["sharper"] = bounds.sharper(network, n, m1)
    limits["sharper_on_sample"] = bounds.sharper_on(network, X)
    return limits


def _searched(network: NetworkClass, X: Matrix, seed: int) -> float:
    from wnverify.methods.l1_inf_projection.pytorch import project_rows_onto_l1_ball
    from wnverify.theory import batched

    n = len(X)
    signs = sign_vectors(0, 1 << (n - 1), n)
    found = batched.search(network, X, signs, project_rows_onto_l1_ball, seed=seed_of("search", seed))
    return found.lower - network.range() * 1e-12


def _route(known: Known) -> Evidence:
    figures: dict[str, Json] = {"lower": known.lower, "upper": known.upper}
    if known.value is not None:
        figures["exact" if known.confidence == 1 else "mean"] = known.value
    route = "simulation" if known.confidence < 1 else "exact" if known.value is not None else "optimisation"
    return Evidence(route=route, verdict=Verdict.HOLDS, note=known.how, figures=figures)
