"""What the papers' experiments on images share: their short forms on the digits, and what is known of networks.

The short forms keep the methods of a table and give every row the same network, data, epochs, batch and rate, save
where a table is about one of these.  They say whether a claim can be seen on a small problem, not what the paper
measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from wnverify.experiments.experiment import EPOCHS_TO, Expectation, Scale
from wnverify.experiments.statistics import least_pairs
from wnverify.experiments.training.schedules import Schedule

CONVOLUTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "cnn9": ("*.0",),
    "cnn_digits": ("*.0",),
    "googlenet": ("*.0",),
    "resnet_8": ("*.0", "*.body.1"),
    "resnet_110": ("*.0", "*.body.1"),
    "wrn_10_1": ("0", "*.body.0", "*.body.3", "*.shortcut"),
    "wrn_28_10": ("0", "*.body.0", "*.body.3", "*.shortcut"),
    "resnet_50": ("*.0", "*.body.2"),
    "dgcnn": ("edges.*.body.0", "joined.0"),
}
"""Network → patterns of the names of its convolutions, for methods that leave linear layers as they are."""
OF_RESNET_50: Final = (
    "a bottleneck of ResNet-50 has its stride in the 3 × 3 layer, as later programs do; the network's own paper has it "
    "in the 1 × 1 layer before"
)
SMALLEST_SEEDS: Final = 5
SMALL: Final[Mapping[str, Any]] = {
    "network": "cnn_digits",
    "epochs": 6,
    "batch": 32,
    "rate": 0.05,
    "schedule": Schedule("cosine"),
    "augmentation": "shifts",
}
SMALL_SAMPLES, SMOKE_SAMPLES, SMOKE_SEEDS = 640, 128, 2
READING: Final = (
    "scikit-learn's digits with a small network; the rows' methods are the table's.  Tables that differ in their data "
    "alone are one set of runs here"
)

Rows = Mapping[str, Mapping[str, Any]]


def expected(place: str, figure: str, *claims: tuple[str, str, str, str]) -> tuple[Expectation, ...]:
    """Expectations of one place and figure, from (id, statement, less, more); ids are made of letters and digits."""
    return tuple(
        Expectation(
            id="_".join(re.findall(r"\w+", name.lower())),
            statement=statement,
            place=place,
            figure=figure,
            less=less,
            more=more,
        )
        for name, statement, less, more in claims
    )


def sooner(place: str, *races: tuple[str, str, str], path: str = "test.error") -> tuple[Expectation, ...]:
    """Expectations that a row takes fewer epochs to where a rival ends than the rival, from (row, rival, epochs as
    printed)."""
    said = "training loss" if path == "train.loss" else "test error"
    return tuple(
        Expectation(
            id="_".join(re.findall(r"\w+", f"{row} sooner than {rival} {said}".lower())),
            statement=f"{row} takes fewer epochs than {rival} to the final {said} of {rival}"
            + (f" ({printed} are printed)." if printed else "."),
            place=place,
            figure=f"{EPOCHS_TO}{path}",
            less=row,
            more=rival,
            printed=printed,
        )
        for row, rival, printed in races
    )


def with_short_forms(
    paper: Scale,
    claims: Iterable[Expectation],
    small: Mapping[str, Any] | None = None,
    rows: Rows | None = None,
    reading: str = "",
) -> dict[str, Scale]:
    """The three scales: ``paper`` as given, ``small`` and ``smoke`` on the digits with the same settings and rows.

    ``small``: what differs from ``SMALL``; ``rows``: see ``Scale``; ``reading``: what is to be said of both.  The small
    scale has as many runs as its claims need to be decided at all.
    """
    settings, rows = {**SMALL, **(small or {})}, rows or {}
    seeds = max(SMALLEST_SEEDS, least_pairs(max(1, len(tuple(claims)))))
    short: dict[str, Any] = {"data": "digits", "reading": f"{READING}; {reading}" if reading else READING}
    return {
        "smoke": Scale(
            **short,
            seeds=SMOKE_SEEDS,
            samples=SMOKE_SAMPLES,
            settings={**settings, "epochs": 1},
            rows={row: {**given, "epochs": 1} if "epochs" in given else given for row, given in rows.items()},
        ),
        "small": Scale(**short, seeds=seeds, samples=SMALL_SAMPLES, settings=settings, rows=rows),
        "paper": paper,
    }
