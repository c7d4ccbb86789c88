"""Under what a finding of an experiment was made: its scale, and what was decided here where the paper's text is open.

A verdict on a row and one on a claim are of the same runs, so that both have the same sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wnverify.experiments.experiment import Experiment, Variant
from wnverify.finding import Finding


class Reading(NamedTuple):
    """``scale``: data and size; ``decided``: what was decided here, empty where the text leaves nothing open."""

    scale: str
    decided: tuple[str, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """All of it, as a finding has it."""
        return (self.scale, *self.decided)


def reading(experiment: Experiment, scale: str, variants: Sequence[Variant], trials: Sequence[Finding]) -> Reading:
    """What holds for these rows: the scale's and the rows' own readings, the experiment's, and the data's.

    ``trials`` are findings of single runs, whose conditions are what was decided of the data; those of other
    experiments and scales are left out.
    """
    used = experiment.scales[scale]
    limits = [min((n for n in (used.samples, variant.samples) if n), default=None) for variant in variants]
    few = " and ".join(dict.fromkeys(str(n) for n in limits if n))
    of_rows = [variant.reading for variant in variants]
    of_data = [
        said
        for finding in trials
        if finding.subject == experiment.id and finding.check == f"{scale}.trial"
        for said in finding.conditions
    ]
    decided = dict.fromkeys(filter(None, (used.reading, *of_rows, *experiment.decided, *of_data)))
    size = f", {few} samples to train" if few else ""
    return Reading(f"scale {scale}: data {used.data}{size}", tuple(decided))
