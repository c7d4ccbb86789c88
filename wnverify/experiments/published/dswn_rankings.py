"""Deep structural weight normalization, section 3.2: neurons ranked by the column norm, and by what section 2.2 names.

The text ranks by the column norm without comparing; what it says of rankings is asked here by pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.on_digits import with_short_forms
from wnverify.experiments.training.schedules import Schedule

CRITERIA: Final = {
    "column_norm": "column norm",
    "magnitude": "magnitude",
    "apoz": "share of zero activations",
    "taylor": "Taylor criterion",
    "chance": "chance",
}
COLUMNS: Final = {
    "error": "test.error",
    **{f"half left, {said}": f"rankings.{name}.half" for name, said in CRITERIA.items()},
    **{f"ρ with {CRITERIA[name]}": f"rankings.agreement.{name}" for name in ("magnitude", "apoz", "taylor")},
}
PLACE: Final = "section 3.2"
OURS: Final = "DSWN-NM"


def _claim(row: str, other: str) -> Expectation:
    return Expectation(
        id=f"{row}_{other}".lower().replace("-", "_"),
        statement=f"{row}: with half of the neurons pruned by column norm, the error is below that with half pruned by "
        f"{CRITERIA[other]}.",
        place=PLACE,
        figure="rankings.column_norm.half",
        less=row,
        more=row,
        of_more=f"rankings.{other}.half",
    )


def rankings(methods: Mapping[str, Mapping[str, Any]], layers: tuple[str, ...]) -> Experiment:
    """The experiment over the rows ``methods``; ``layers`` of the perceptron are the methods'."""
    claims = (
        *(_claim(row, "chance") for row in methods),
        *(_claim(OURS, other) for other in ("magnitude", "apoz", "taylor")),
    )
    paper = {
        "network": "mlp_6x128",
        "layers": layers,
        "epochs": 100,
        "batch": 1024,
        "rate": 0.05,
        "schedule": Schedule("exponential", end=0.01),
    }
    small = {"network": "mlp_digits", "augmentation": "none", "epochs": 30, "rate": 0.02}
    return Experiment(
        id="dswn.rankings",
        paper="dswn",
        place=f"{PLACE}, criteria of sections 1 and 2.2",
        title="Neurons ranked by column norm beside magnitude, zero activations and the Taylor criterion",
        settings={},
        variants=tuple(Variant(name=name, settings=own) for name, own in methods.items()),
        scales=with_short_forms(Scale(data="mnist", seeds=8, settings=paper), claims, small),
        columns=COLUMNS,
        units={name: "%" for name, path in COLUMNS.items() if "agreement" not in path},
        expectations=claims,
        decided=(
            "that the column norm is an effective ranking is read as: with the lower half of every hidden layer at "
            "zero the error is below that of a random half, and, as the text takes it in place of the rankings that "
            "section 2.2 names, below theirs; no comparison is printed",
            "a neuron's column is that of the layer which reads it: hidden neuron i of layer l has column i of the V_C "
            "of layer l + 1; 'an entire weight vector' of section 4.2 would be a row, on which G does not act",
            "section 3.2 makes g_i small for what is to be strengthened: importance is 1/g_i, the largest is kept; "
            "α and ε change no order",
            "magnitude is the sum of the absolute incoming weights: cited for single weights; the Euclidean norm of a "
            "row of OWN is 1 for every neuron",
            "'the second term from the Taylor expansion' is the first-order one, |a ∂ℓ/∂a|, the second behind the "
            "constant; a neuron's share of zero activations and its Taylor criterion are over the training samples",
            "networks and settings are those of Table 1 on MNIST; nothing is trained again after pruning",
        ),
        finals=("rankings",),
    )
