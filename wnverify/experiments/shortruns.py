"""Every method inside a real optimiser loop: a short run on the digits.

Three findings a method: the training loss falls, what the method declares of its weights holds after every step
(ratio ≤ 1), and its state survives being saved and loaded.  One run proves nothing of how well a method
trains; these are integration checks.
"""

from __future__ import annotations

import copy
import dataclasses
import io
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.nn.utils import parametrize

from wnverify.experiments.data.samples import Arrays, Dataset, subset
from wnverify.experiments.data.sources import load
from wnverify.experiments.networks.table import build
from wnverify.experiments.training import invariants, monitors
from wnverify.experiments.training.loop import Run, applied, train
from wnverify.experiments.training.schedules import Schedule
from wnverify.experiments.training.settings import Settings
from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.methods.application.apply import implementation
from wnverify.methods.catalogue import Method, find
from wnverify.oracles.ratio import Ratio

NETWORK: Final = "cnn_digits"
SAMPLES, QUICK_SAMPLES = 640, 320
EPOCHS: Final = 3
FALLS: Final = 0.97
"""The training loss at the end, as a share of that at the start, in evaluation mode."""
OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "norm_loss": {"factor": 0.01},
    "weight_decay": {"factor": 1e-3},
    "spectral_norm_regularization": {"factor": 0.01},
    "jacobian_norm": {"factor": 1e-3, "projections": 1},
    "soft_orthogonality": {"factor": 0.01},
    "double_soft_orthogonality": {"factor": 0.01},
    "mutual_coherence": {"factor": 0.01},
    "spectral_restricted_isometry": {"factor": 0.01},
    "l1_penalty": {"factor": 1e-4},
    "group_lasso": {"factor": 1e-4},
    "exclusive_sparsity": {"factor": 1e-4},
    "combined_group_exclusive_sparsity": {"factor": 1e-4},
    "l1_inf_projection": {"c": 2.0},
    "scale_and_bias": {"sigma": 0.1, "seed": 0},
    "group_normalization": {"num_groups": 4},
    "weight_standardization_with_group_normalization": {"num_groups": 4},
    "dropout": {"p": 0.1},
}
"""Strengths at which a few steps on the digits can be seen to learn; what is not here has its defaults."""


def short_run(method_id: str, seed: int = 0, quick: bool = False, method: str | None = None) -> list[Finding]:
    """Findings ``digits.learns``, ``digits.invariant`` (of what declares one) and ``digits.state`` of one method.

    ``method``: applied in its place, for planted faults.  ``ValueError`` for an unknown id.
    """
    row = find(method_id)
    settings = Settings(
        network=NETWORK,
        method=method or row.id,
        options=dict(OPTIONS.get(row.id, {})),
        epochs=EPOCHS,
        batch=32,
        rate=0.05,
        schedule=Schedule("cosine"),
        seed=seed,
    )
    data = _digits(seed, quick)
    worst: dict[str, tuple[float, str, int]] = {}

    def look(model: nn.Module, step: int) -> None:
        for name, found in held(model, row).items():
            for property_, ratio in found.items():
                if ratio.value >= worst.get(property_, (0.0, "", 0))[0]:
                    worst[property_] = (ratio.value, name, step)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        before = train(dataclasses.replace(settings, epochs=1, rate=1e-12), data).last["train"]["loss"]
        run = train(settings, data, after_step=look)
    finally:
        torch.set_num_threads(threads)
    return [_learns(row, run, before), *([_invariant(row, worst)] if worst else []), _state(row, run, data)]


def held(model: nn.Module, row: Method) -> dict[str, dict[str, Ratio]]:
    """Layer by layer what the method declares of one weight, the map's word or the constraint's."""
    found = {}
    for name, module in monitors.weighted(model):
        if row.kind == "parametrization" and parametrize.is_parametrized(module, "weight"):
            behind: Any = module.parametrizations
            source: Any = behind["weight"][0]
        elif row.kind == "constraint" and not _left_free(model, row, name):
            source = implementation(row)
            source = source(**row.fixed, **OPTIONS.get(row.id, {}))
        else:
            continue
        declares = getattr(source, "DECLARES", None) or {}
        approximate = (getattr(source, "DOMAIN", None) or {}).get("approximate")
        if row.kind == "constraint" and not source.projects:
            continue
        weight: Any = module.weight
        found[name] = invariants.ratios(weight, declares, approximate)
    return found


def _left_free(model: nn.Module, row: Method, name: str) -> bool:
    """The output layer, for the constraint whose paper leaves it free."""
    return row.id == "l1_inf_projection" and name == [each for each, _ in monitors.weighted(model)][-1]


def _digits(seed: int, quick: bool) -> Dataset:
    data = load("digits", seed=seed)
    kept = subset(data.train, range(QUICK_SAMPLES if quick else SAMPLES))
    test = subset(data.test, range(100))
    return dataclasses.replace(data, train=kept, test=Arrays(test.x, test.y))


def _finding(row: Method, check: str, asks: str, route: Evidence, message: str) -> Finding:
    return Finding(
        kind="experiment",
        id=f"experiment/{row.id}/{check}",
        subject=row.id,
        check=check,
        verdict=route.verdict,
        statement=asks,
        message=message,
        conditions=(f"{NETWORK} on scikit-learn's digits, {EPOCHS} epochs, batch 32, SGD with momentum",),
        routes=(route,),
        strength="tested" if route.verdict is Verdict.HOLDS else None,
    )


def _learns(row: Method, run: Run, before: float) -> Finding:
    after = run.last["train"]["loss"]
    falls = after < FALLS * before
    figures: dict[str, Json] = {
        "loss_before": before,
        "loss_after": after,
        "test_error": run.last["test"]["error"],
        "losses": [record["train"]["loss"] for record in run.history],
    }
    verdict = Verdict.HOLDS if falls else Verdict.REFUTED
    route = Evidence(route="simulation", verdict=verdict, ratio=after / (FALLS * before), figures=figures)
    message = "" if falls else f"the training loss went from {before:.3g} to {after:.3g}"
    return _finding(row, "digits.learns", "The training loss falls in a short run.", route, message)


def _invariant(row: Method, worst: Mapping[str, tuple[float, str, int]]) -> Finding:
    property_ = max(worst, key=lambda name: worst[name][0])
    value, layer, step = worst[property_]
    figures: dict[str, Json] = {name: {"ratio": r, "layer": w, "step": s} for name, (r, w, s) in worst.items()}
    verdict = Verdict.HOLDS if value <= 1 else Verdict.REFUTED
    route = Evidence(
        route="simulation", verdict=verdict, ratio=value, model="rounding of the weight's dtype", figures=figures
    )
    message = "" if value <= 1 else f"{property_} of layer {layer} after step {step}: ratio {value:.3g}"
    return _finding(
        row, "digits.invariant", "What the method declares of its weights holds after every step.", route, message
    )


def _state(row: Method, run: Run, data: Dataset) -> Finding:
    """The trained state saved, and loaded into a network that was built anew: the same outputs, bit for bit."""
    stored = io.BytesIO()
    torch.save(run.model.state_dict(), stored)
    stored.seek(0)
    fresh = build(NETWORK, data.shape, data.classes, run.settings.seed + 1)
    applied(fresh, run.settings)
    fresh.load_state_dict(torch.load(stored, weights_only=True))
    x, _ = data.test.take(range(len(data.test)))
    inputs = torch.as_tensor(x, dtype=torch.float32) / 255
    outputs = []
    with torch.no_grad(), torch.random.fork_rng([]):
        for model in (run.model, fresh, copy.deepcopy(run.model)):
            torch.manual_seed(seed_of("short run", row.id) % 2**63)
            outputs.append(model.eval()(inputs))
    same = [torch.equal(outputs[0], other) for other in outputs[1:]]
    verdict = Verdict.HOLDS if all(same) else Verdict.REFUTED
    wrong = [name for name, equal in zip(("loaded into a new network", "deep copy"), same, strict=True) if not equal]
    route = Evidence(route="exact", verdict=verdict, figures={"loaded": same[0], "copied": same[1]})
    asks = "A network saved and loaded, or copied, gives the same outputs, bit for bit."
    return _finding(row, "digits.state", asks, route, f"other outputs: {', '.join(wrong)}" if wrong else "")
