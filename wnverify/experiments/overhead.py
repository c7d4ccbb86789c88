"""Time of a training step with the norm loss over that with weight decay, measured in turns in one process.

Both train the same network from the same weights on the same batch with the same optimiser; a round has as many steps
of each, and the order changes from round to round, so that what slows the machine down for a while slows down both.
A round gives one ratio.  The norm loss is added to the loss and differentiated; weight decay is the optimiser's own.

    norm loss, sec. V-C: 4.79 h against 4.56 h, a ratio of 1.050
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from wnverify.experiments.networks.table import NETWORKS, build
from wnverify.experiments.training.loop import applied
from wnverify.experiments.training.settings import Settings
from wnverify.finding import seed_of
from wnverify.methods.application.apply import penalty

DECAY: Final = "weight decay"
NORM_LOSS: Final = "norm loss"
FACTORS: Final = {DECAY: 1e-4, NORM_LOSS: 1e-2}
"""λ_wd and λ_nl of ResNet-110 (sec. V-C)."""
RATE: Final = 1e-3
"""So small that the steps do not fit the one batch: gradients that vanish would be subnormal, and slow."""
LEVEL: Final = 0.95


@dataclasses.dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds a step of each contender, one number a round, and the ratios of the rounds."""

    network: str
    batch: int
    seconds: dict[str, list[float]]

    @property
    def ratios(self) -> list[float]:
        """Norm loss over weight decay, round by round."""
        return [b / a for a, b in zip(self.seconds[DECAY], self.seconds[NORM_LOSS], strict=True)]

    def figures(self) -> dict[str, Any]:
        """Median seconds a step of both, the median ratio with its 95 % interval, and quartiles."""
        ratios = self.ratios
        low, high = median_interval(ratios)
        quarters = [float(x) for x in np.quantile(ratios, [0.25, 0.5, 0.75])]
        return {
            "seconds a step": {name: float(np.median(each)) for name, each in self.seconds.items()},
            "ratio": {"median": quarters[1], "low": low, "high": high, "quartiles": [quarters[0], quarters[2]]},
            "rounds": len(ratios),
        }


def median_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The interval between two order statistics that has the median of the law with that probability at least.

    Binomial, of no assumption but independence; infinite where there are too few values.

    >>> median_interval([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
    (1.0, 6.0)
    """
    ordered = sorted(values)
    # The largest k for which fewer than k of n values lie below the median with probability ≤ (1 − level) / 2.
    k = int(stats.binom.ppf((1 - level) / 2, len(ordered), 0.5))
    while k > 0 and stats.binom.cdf(k - 1, len(ordered), 0.5) > (1 - level) / 2:
        k -= 1
    return (ordered[k - 1], ordered[-k]) if k else (-float("inf"), float("inf"))


class Contender:
    """A network with one of the two regularizers, on one batch of drawn inputs."""

    def __init__(self, name: str, network: str, batch: int, device: str = "cpu", factor: float | None = None):
        if name not in FACTORS:
            raise ValueError(f"name must be one of {', '.join(FACTORS)}; got {name!r}")
        row, strength = NETWORKS[network], FACTORS[name] if factor is None else factor
        given: dict[str, Any] = {"weight_decay": strength}
        if name == NORM_LOSS:
            given = {"method": "norm_loss", "options": {"factor": strength}}
        self.device = torch.device(device)
        self.model: nn.Module = build(network).to(self.device).train()
        self.optimizer, self.penalized = applied(self.model, Settings(network=network, rate=RATE, **given))
        rng = np.random.default_rng(seed_of("overhead", network, batch))
        inputs = rng.standard_normal((batch, *row.shape), dtype=np.float32)
        self.inputs: Tensor = torch.as_tensor(inputs, device=self.device)
        self.targets: Tensor = torch.as_tensor(rng.integers(row.outputs, size=batch), device=self.device)

    def steps(self, count: int) -> float:
        """Make so many steps; the seconds that they took."""
        self._wait()
        began = time.perf_counter()
        for _ in range(count):
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(self.inputs), self.targets)
            if self.penalized:
                loss = loss + penalty(self.model)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure(network: str, *, batch: int, rounds: int, steps: int = 1, device: str = "cpu") -> Overhead:
    """``rounds`` rounds of ``steps`` steps of both, after one of each that does not count.

    ``ValueError`` for an unknown network, one whose outputs are no classes, or a number below 1.
    """
    for name, value in (("batch", batch), ("rounds", rounds), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value!r}")
    if network not in NETWORKS or NETWORKS[network].outputs < 2:
        known = ", ".join(name for name, row in NETWORKS.items() if row.outputs > 1)
        raise ValueError(f"network must be one of {known}; got {network!r}")
    both = {name: Contender(name, network, batch, device) for name in FACTORS}
    for each in both.values():
        each.steps(1)
    seconds: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(rounds):
        for name in list(both)[:: -1 if turn % 2 else 1]:
            seconds[name].append(both[name].steps(steps) / steps)
    return Overhead(network, batch, seconds)


def alike(network: str, *, batch: int, steps: int = 3, factor: float = 0.0) -> bool:
    """Whether both train bit for bit alike: with factors of zero nothing but the regularizer is timed."""
    first, second = (Contender(name, network, batch, factor=factor) for name in FACTORS)
    for each in (first, second):
        each.steps(steps)
    return all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
