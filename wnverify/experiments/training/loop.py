"""One training run: a network, a method, an optimiser; resumed bit for bit where it was interrupted.

Every random choice of an epoch (order, augmentation, dropout, noise) is drawn from the run's seed and the number of
the epoch, so that a run that goes on from a checkpoint makes the choices that it would have made.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from wnverify.experiments.data.augmentation import AFTER_SCALING, augment, scaling_of
from wnverify.experiments.data.samples import Dataset
from wnverify.experiments.networks.table import build
from wnverify.experiments.training import checkpoints, monitors, signals
from wnverify.experiments.training.checkpoints import Checkpoint
from wnverify.experiments.training.metrics import LOSSES, evaluate
from wnverify.experiments.training.settings import PLAIN, Settings
from wnverify.finding import seed_of
from wnverify.methods.application.apply import apply, penalty
from wnverify.methods.application.constraining import resume as resume_counting
from wnverify.methods.catalogue import find

AUTOCAST: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}
Watch = Callable[[dict[str, Any]], object]


class DivergedError(RuntimeError):
    """The loss or a weight is not finite: the message has step, layer and the last good checkpoint."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The trained model, and one record an epoch: epoch, steps, rate, train and test figures, monitors.

    ``prepare`` turns a batch of the data's inputs into the network's.
    """

    settings: Settings
    model: nn.Module
    history: list[dict[str, Any]]
    prepare: Callable[[Any], Tensor]

    @property
    def last(self) -> dict[str, Any]:
        """The record of the last epoch."""
        return self.history[-1]


def train(
    settings: Settings,
    data: Dataset,
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    every: int = 1,
    watch: Watch | None = None,
    after_step: Callable[[nn.Module, int], object] | None = None,
    signal: bool = False,
) -> Run:
    """Train as ``settings`` say and return what came of it.

    ``folder``: where a checkpoint is written after every ``every`` epochs; ``resume`` goes on from it (from the start
    where there is none).  Figures and monitors are recorded at the same epochs and at the last.  ``watch`` gets each
    record, ``after_step`` the model and the number of steps made; with ``signal`` a record has the propagation of the
    signal at the start and now (see ``signals``).  Raises ``DivergedError`` where the loss or a weight
    is no longer finite (the loss after every step, the parameters before every record), ``ValueError`` for settings
    that do not fit the data or a checkpoint of another run.
    """
    _fits(settings, data)
    key = settings.to_json() | ({} if folder is None else {"data": data.digest()})
    made = _Made(settings, data, device)
    made.after_step = after_step
    # Before anything is restored: the initial weights are those that the seed gives.
    made.signal_at_start = made.propagation() if signal else None
    begun = 0
    history: list[dict[str, Any]] = []
    if resume and folder is not None and (stored := checkpoints.load(folder, key)) is not None:
        made.restore(stored)
        begun, history = stored.epoch, list(stored.history)
    for epoch in range(begun, settings.epochs):
        due = (epoch + 1) % every == 0 or epoch + 1 == settings.epochs
        loss = made.epoch(epoch, folder, watched=due)
        if not due:
            continue
        made.checked(loss, folder)
        record = made.record(epoch + 1)
        history.append(record)
        if folder is not None:
            checkpoints.save(folder, key, made.checkpoint(epoch + 1, history))
        if watch is not None:
            watch(record)
    return Run(settings, made.model, history, made.prepare)


def _fits(settings: Settings, data: Dataset) -> None:
    wanted = "squared" if data.classes is None else "cross_entropy"
    if settings.loss != wanted:
        raise ValueError(f"loss must be {wanted} for {data.name}, a {data.task}; got {settings.loss!r}")
    if not len(data.train) or not len(data.test):
        raise ValueError(
            f"{data.name} must have samples to train and to test on; got {len(data.train)}, {len(data.test)}"
        )


class _Made:
    """The objects of one run."""

    def __init__(self, settings: Settings, data: Dataset, device: str):
        self.settings, self.data, self.device = settings, data, device
        self.model = build(settings.network, data.shape, data.classes or 1, settings.seed).to(device)
        self.scale = scaling_of(data.train) if len(data.shape) == 3 else None
        self.optimizer, self.penalized = applied(self.model, settings)
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=settings.precision == "float16")
        self.steps = 0
        self.gradients: dict[str, dict[str, float]] = {}
        self.sizes_at_start = monitors.sizes(self.model)
        self.signal_at_start: dict[str, Any] | None = None
        self.after_step: Callable[[nn.Module, int], object] | None = None

    def prepare(self, x: Any, rng: np.random.Generator | None = None) -> Tensor:
        """A batch as the network takes it; with ``rng`` as it is trained on, changed at random."""
        name = self.settings.augmentation
        if rng is not None:
            x = augment(name, x, rng, self.data.policy)
        if self.scale:
            x = self.scale(x)
        if rng is not None and name in AFTER_SCALING:
            x = AFTER_SCALING[name](x, rng)
        return torch.as_tensor(np.ascontiguousarray(x), device=self.device)

    def epoch(self, epoch: int, folder: Path | None, *, watched: bool) -> float:
        """Every sample once; the mean training loss.  ``watched``: the gradients of the last step are looked at."""
        settings, samples = self.settings, self.data.train
        rng = np.random.default_rng(seed_of("training", settings.seed, "epoch", epoch))
        order, total = rng.permutation(len(samples)), 0.0
        batches = math.ceil(len(order) / settings.batch)
        devices = [torch.device(self.device)] if self.device != "cpu" else []
        self.model.train()
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed_of("training", settings.seed, "noise", epoch) % 2**63)
            for k in range(batches):
                rate = settings.rate * settings.schedule.at(epoch + k / batches, settings.epochs)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                x, y = samples.take(order[k * settings.batch : (k + 1) * settings.batch])
                last = watched and k == batches - 1
                loss = self._step(self.prepare(x, rng), y, epoch, watched=last)
                if not math.isfinite(loss):
                    raise DivergedError(self._diverged(f"the loss is {loss}", folder))
                total += loss * len(y)
                self.steps += 1
                if self.after_step is not None:
                    self.after_step(self.model, self.steps)
        return total / len(order)

    def _step(self, inputs: Tensor, y: Any, epoch: int, *, watched: bool) -> float:
        settings, targets = self.settings, torch.as_tensor(y, device=self.device)
        self.optimizer.zero_grad()
        dtype = AUTOCAST.get(settings.precision)
        autocast = torch.autocast(torch.device(self.device).type, dtype, enabled=dtype is not None)
        with autocast, monitors.retained(self.model, wanted=watched) as weights:
            scores = self.model(inputs)
        loss = LOSSES[settings.loss](scores.float(), targets)
        whole = loss
        if self.penalized:
            needs = inputs.float() if settings.method and "jacobian" in settings.method else None
            whole = loss + penalty(self.model, inputs=needs, epoch=epoch)
        scaled: Any = self.scaler.scale(whole)
        scaled.backward()
        if watched:
            # Before the step: a gradient has to do with the weight at which it was taken.
            self.scaler.unscale_(self.optimizer)
            rate = float(self.optimizer.param_groups[0]["lr"])
            self.gradients = monitors.of_gradients(self.model, rate, weights, float(self.scaler.get_scale()))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return float(loss.detach())

    def checked(self, loss: float, folder: Path | None) -> None:
        """``DivergedError`` where a parameter is not finite: the last step may spoil what its own loss did not see."""
        if self._not_finite():
            raise DivergedError(self._diverged(f"the mean loss of the epoch is {loss}", folder))

    def _not_finite(self) -> list[str]:
        return [name for name, parameter in self.model.named_parameters() if not torch.isfinite(parameter).all()]

    def _diverged(self, seen: str, folder: Path | None) -> str:
        wrong = self._not_finite()
        where = f"the first weight that is not finite is {wrong[0]}" if wrong else "all weights are finite"
        kept = folder is not None and (folder / checkpoints.NAME).exists()
        last = f"the last good state is in {checkpoints.NAME}" if kept else "there is no checkpoint"
        return f"{seen} at step {self.steps}: {where}; {last}"

    def record(self, epoch: int) -> dict[str, Any]:
        """Figures and monitors after ``epoch`` epochs."""
        settings, data = self.settings, self.data
        train, test = (
            evaluate(self.model, part, settings.loss, data.classes, self.prepare) for part in (data.train, data.test)
        )
        weights = monitors.of_weights(self.model)
        record = {
            "epoch": epoch,
            "steps": self.steps,
            "rate": float(self.optimizer.param_groups[0]["lr"]),
            "train": train,
            "test": test,
            "generalization": test["loss"] - train["loss"],
            "sparsity": monitors.sparsity(self.model),
            "parameters": monitors.of_parameters(monitors.sizes(self.model), self.sizes_at_start, self.gradients),
            "layers": {name: weights[name] | self.gradients.get(name, {}) for name in weights},
        }
        if self.signal_at_start is not None:
            record["signal"] = {"start": self.signal_at_start, "now": self.propagation()}
        return record

    def propagation(self) -> dict[str, Any]:
        """How the first test samples go through the network as it is now."""
        x, _ = self.data.test.take(range(min(signals.SAMPLES, len(self.data.test))))
        return signals.of_signal(self.model, self.prepare(x))

    def checkpoint(self, epoch: int, history: list[dict[str, Any]]) -> Checkpoint:
        """The state of every object."""
        return Checkpoint(
            epoch, self.model.state_dict(), self.optimizer.state_dict(), self.scaler.state_dict(), history
        )

    def restore(self, stored: Checkpoint) -> None:
        """Go on where ``stored`` left."""
        self.model.load_state_dict(stored.model)
        self.optimizer.load_state_dict(stored.optimizer)
        self.scaler.load_state_dict(stored.scaler)
        self.steps = int(stored.history[-1]["steps"])
        resume_counting(self.model, self.steps)


def applied(model: nn.Module, settings: Settings) -> tuple[torch.optim.Optimizer, bool]:
    """The method on the model, and its optimiser; whether a penalty is to be added to the loss."""
    rows = [find(name) for name in settings.method.split("+")] if settings.method != PLAIN else []
    options: dict[str, Any] = {"layers": settings.layers, **settings.options}
    if settings.proximal and any(row.kind != "penalty" for row in rows):
        raise ValueError(f"proximal is for penalties; got {settings.method!r}")
    # A parametrization brings parameters of its own, a constraint needs the optimiser of the final ones.
    late = settings.proximal or any(row.kind == "constraint" or row.id == "scale_and_bias" for row in rows)
    if rows and not late:
        apply(model, settings.method, **options)
    optimizer = _optimizer(model, settings)
    if late:
        apply(model, settings.method, optimizer=optimizer, **options)
    return optimizer, not settings.proximal and any(row.kind == "penalty" for row in rows)


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, settings.rate, weight_decay=settings.weight_decay)
    nesterov = settings.optimizer == "nesterov"
    return torch.optim.SGD(
        parameters, settings.rate, momentum=settings.momentum, weight_decay=settings.weight_decay, nesterov=nesterov
    )
