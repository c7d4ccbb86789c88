"""Norm loss, section V: schedules, strengths and rows that its tables and figures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment
from wnverify.experiments.published.on_digits import expected
from wnverify.experiments.training.schedules import Schedule

PAPER: Final = "norm_loss"
BY_FIVE: Final = {"epochs": 300, "schedule": Schedule("step", milestones=(53, 107, 230), factor=0.2)}
LONG: Final = {"epochs": 448, "batch": 64, "schedule": Schedule("step", milestones=(77, 153, 307), factor=0.2)}
BY_TEN: Final = {"epochs": 164, "schedule": Schedule("step", milestones=(82, 123))}
BATCH: Final = 128
FACTORS: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("1", "resnet_110"): (1e-4, 1e-2),
    ("1", "wrn_28_10"): (5e-4, 1e-2),
    ("2", "resnet_110"): (1e-4, 1e-2),
    ("2", "wrn_28_10"): (5e-4, 1e-3),
}
"""λ_wd and λ_nl (sections V-C and V-D)."""
OF_DECAY: Final = (
    "λ_wd is the factor of torch.optim's weight decay, as in the networks' own papers that the text refers to; the sum "
    "of squares of equation 9 with that factor would be twice as strong"
)


def rivals(names: tuple[str, ...], wd: float, nl: float) -> dict[str, dict[str, Any]]:
    """The rows of the tables."""
    decayed = {"weight_decay": wd}
    known: dict[str, dict[str, Any]] = {
        "wd": decayed,
        "WN": {"method": "wn", **decayed},
        "PBWN": {"method": "pbwn", **decayed},
        "ONI": {"method": "oni"},
        "OLM": {"method": "olm", **decayed},
        "OLM-L1": {"method": "olm", **decayed},
        "nl": {"method": "norm_loss", "options": {"factor": nl}},
    }
    return {name: known[name] for name in names}


def claims_of(place: str, *pairs: tuple[str, str], figure: str = "test.error") -> tuple[Expectation, ...]:
    said = "training loss" if figure == "train.loss" else "error"
    return expected(
        place,
        figure,
        *((f"{a}_below_{b}", f"The {said} of {a} is below that of {b}.", a, b) for a, b in pairs),
    )


def experiment_of(id: str, place: str, title: str, **given: Any) -> Experiment:
    return Experiment(id=f"{PAPER}.{id}", paper=PAPER, place=place, title=title, settings={}, **given)
