"""What the experiments of *L1,∞ weight normalization* share."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation
from wnverify.experiments.published.l1inf_tables import NO_LIMIT
from wnverify.experiments.training.settings import PLAIN

PAPER: Final = "l1inf"
PROJECTED: Final = "l1_inf_projection"
FIRST_LAYER: Final = ("1",)
"""The first linear layer of a perceptron, behind the flattening."""
ZEROS: Final = {"sparsity %": "sparsity.zero", "sparsity %, at most 0.001": "sparsity.small"}
COUNTED: Final = "zeros are counted exactly, and beside them entries of at most 0.001: without a constraint no entry is"
SPARSITY: Final = (
    f"{COUNTED} exactly zero, while 3.2 % and 2.2 % of the initial weights are that small, near the 3.02 % and 2.39 % "
    "that are printed for c = ∞; output layer and all, biases aside"
)

REGRESSION_SETTINGS: Final[Mapping[str, Any]] = {
    "network": "mlp_300",
    "method": PROJECTED,
    "loss": "squared",
    "optimizer": "sgd",
    "momentum": 0.9,
    "rate": 1e-3,
    "batch": 500,
    "epochs": 250,
}
CLASSIFICATION_SETTINGS: Final[Mapping[str, Any]] = {
    "network": "mlp_100_50_20",
    "method": PROJECTED,
    "optimizer": "adam",
    "rate": 1e-3,
    "batch": 100,
    "epochs": 80,
}
SHORTER: Final[Mapping[str, Mapping[str, Any]]] = {
    "regression": {"settings": {"epochs": 120}, "reading": "half of the steps"},
    "classification": {"settings": {"epochs": 60}, "reading": "three quarters of the steps"},
}
"""The small scale by problem: with many fewer steps a tight constraint is still on its way to the training data."""


def at(c: str) -> Mapping[str, Any]:
    """The settings of the row of that c: no method at all for c = ∞."""
    return {"method": PLAIN, "layers": None} if c == NO_LIMIT else {"options": {"c": float(c)}}


def row(c: str) -> str:
    """The row's name.

    >>> row("0.30")
    'c = 0.30'
    """
    return f"c = {c}"


def ordered(figure: str, said: str, place: str, *rising: str) -> tuple[Expectation, ...]:
    """The figure rises from one row to the next of these c."""
    return tuple(
        Expectation(
            id=f"{said.replace(' ', '_')}.{less}-{more}".replace(NO_LIMIT, "no_limit"),
            statement=f"The {said} is smaller at {row(less)} than at {row(more)}.",
            place=place,
            figure=figure,
            less=row(less),
            more=row(more),
        )
        for less, more in itertools.pairwise(rising)
    )


def percent(*columns: str) -> dict[str, str]:
    """Columns that are shares times 100."""
    return dict.fromkeys(columns, "%")
