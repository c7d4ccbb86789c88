"""Constrained weight optimization, sections 3.1 and 3.2: how a signal goes through deep networks.

The paper argues with the variance and the bias of pre-activations and prints no run of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.cwo_settings import NOISE, PAPER
from wnverify.experiments.published.on_digits import expected, with_short_forms

WHEN: Final = {"start": "at the initial weights", "now": "after training"}
BY_DEPTH: Final = ("mean", "variance", "bias", "gain", "largest", "evenness")
ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "WS": {"method": "ws"},
    "CWN": {"method": "cwn"},
    "OWN": {"method": "own"},
    "sphere": {"method": "cwo_update", "options": {"update": "printed"}},
    "CWO": {"method": "cwo_update"},
}
SMALL: Final = {"augmentation": "none"}


def _claims() -> tuple[Expectation, ...]:
    made: list[Expectation] = []
    for when, said in WHEN.items():
        asked = (
            (
                "variance_drift",
                "section 3.1, eqs. 3 and 4",
                (
                    "sphere_keeps",
                    "The sphere with c = 2 keeps the variance better than plain layers",
                    "sphere",
                    "plain",
                ),
                ("both_keep", "Both constraints keep it better than plain layers", "CWO", "plain"),
            ),
            (
                "variance_drift",
                "sections 3.1 and 3.2, implied: c = 2 is used together with centring",
                ("centring_keeps", "With centring too, c = 2 keeps the variance no worse", "CWO", "sphere"),
            ),
            (
                "last_bias",
                "section 3.2",
                ("centring_unbiases", "Centring makes pre-activations less biased", "CWO", "sphere"),
            ),
            (
                "gain_drift",
                "section 3.2",
                ("gradients_kept", "Both constraints keep the size of gradients better than plain", "CWO", "plain"),
            ),
        )
        for figure, place, *claims in asked:
            named = ((f"{when}_{name}", f"{text}, {said}.", less, more) for name, text, less, more in claims)
            made += expected(place, f"signal.{when}.{figure}", *named)
    return tuple(made)


def _depth(
    name: str, title: str, small: Mapping[str, Any], paper: Scale, rows: Mapping[str, Mapping[str, Any]], *decided: str
) -> Experiment:
    claims = _claims()
    columns = {
        f"{figure.replace('_', ' ')}{', start' if when == 'start' else ''}": f"signal.{when}.{figure}"
        for figure in ("variance_drift", "last_bias", "gain_drift", "last_evenness")
        for when in WHEN
    }
    return Experiment(
        id=f"cwo.depth.{name}",
        paper=PAPER,
        place="sections 3.1 and 3.2",
        title=title,
        settings={},
        variants=tuple(Variant(name=row, settings=given) for row, given in rows.items()),
        scales=with_short_forms(paper, claims, {**SMALL, **small}),
        columns={**columns, "training loss": "train.loss", "error": "test.error"},
        units={"error": "%"},
        over_depth=tuple(f"signal.{when}.{figure}" for when in WHEN for figure in BY_DEPTH),
        expectations=claims,
        decided=(
            "the variance is that of all pre-activations of a depth over test samples, units and positions; it is kept "
            "where |ln(last / first)| / (L − 1) is small",
            "the bias is the share of the second moment that the units' means over the samples have",
            "the Jacobian is that of a depth's pre-activations by the network's input: that of a layer alone is its "
            "weight and knows no depth; gain is the root mean square of its singular values, evenness 1 where all are "
            "equal",
            "sphere is Algorithm 1 as printed, which neither centres the initial weights nor takes a mean off them",
            *decided,
        ),
    )


def _perceptrons(name: str, network: str, own: Mapping[str, Any], *decided: str) -> Experiment:
    paper = Scale(data="mnist", seeds=5, settings={"network": network, "epochs": 20, "rate": 0.01, "batch": 64})
    return _depth(
        name,
        f"A signal through a perceptron: {network}",
        {"network": network, "rate": 0.01},
        paper,
        {**ROWS, "OWN": {**ROWS["OWN"], **own}},
        "no network of sections 3.1 and 3.2 is printed: perceptrons without normalization of activations, and without "
        "biases, which section 3 takes to be zero",
        *decided,
    )


def _residual() -> Experiment:
    rows = {
        row: {**given, "method": "+".join(filter(None, (given.get("method"), "plain")))} for row, given in ROWS.items()
    }
    rows["OWN"]["options"] = {"group_rows": 8}
    rows["CWO, noise"] = {"method": "cwo", "options": NOISE["resnet_110"]}
    paper = Scale(data="mnist", seeds=5, settings={"network": "resnet_20", "epochs": 20, "rate": 0.01, "batch": 64})
    return _depth(
        "residual",
        "A signal through a residual network without normalization of activations: resnet_20",
        {"network": "resnet_20", "rate": 0.01, "epochs": 4},
        paper,
        rows,
        "equation 3 has no shortcuts: what it says is asked of a network that has them",
        "OWN in groups of eight rows, for the first convolution has more rows than columns",
    )


DEPTHS: Final[tuple[Experiment, ...]] = (
    _perceptrons(
        "six",
        "mlp_6x128_unbiased",
        {"options": {"group_rows": 32}},
        "OWN in groups of 32 rows, for it has no value where a weight has as many rows as columns",
    ),
    _perceptrons("deep", "mlp_narrowing", {}),
    _residual(),
)
