"""Constrained weight optimization, section 3.5: a reparametrized weight beside a constrained one.

Both with weight decay and without.  The section prints no run.  What it says of σ, of the gradient and of stable
training is asked of runs here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.cwo_settings import CIFAR, OURS, PAPER
from wnverify.experiments.published.on_digits import CONVOLUTIONS, expected, with_short_forms

PLACE: Final = "section 3.5"
METHODS: Final[Mapping[str, Mapping[str, Any]]] = {
    "WS": {"method": "ws+cwo", "options": {"update": "none", "eps": 0.0}},
    "CWN": {"method": "cwn+cwo", "options": {"update": "none"}},
    "WS+BN": {"method": "ws", "options": {"eps": 0.0}},
    "constrained": {"method": "cwo", "options": {"c": 1.0}},
}
NONE, DECAY = "no decay", "decay"
OF_PAPER: Final = {"network": "cnn9", "layers": CONVOLUTIONS["cnn9"], "rate": OURS["cnn9"]["rate"]}
OF_SMALL: Final = {"network": "cnn_digits", "layers": CONVOLUTIONS["cnn_digits"], "rate": 0.1, "epochs": 30}
OF_SMALL_DECAY: Final = 0.13
"""Rate × decay × steps as the paper's CNN has it: 0.1 × 1e-3 × 200 × 391 = 0.1 × 0.13 × 30 × 20, under a cosine."""
PARAMETERS: Final = ("norm", "spread", "gradient", "amplification")


def _claims() -> tuple[Expectation, ...]:
    own, held = {d: f"CWN, {d}" for d in (NONE, DECAY)}, {d: f"constrained, {d}" for d in (NONE, DECAY)}
    coupled = {d: f"WS+BN, {d}" for d in (NONE, DECAY)}
    change, factor = "parameters.spread_change", "parameters.amplification"
    asked = {
        change: (
            ("falls_with_decay", "With decay σ of the reparametrized parameter falls.", own[DECAY], held[DECAY]),
            ("grows_without", "Without decay it grows, so that decay is what makes it small.", held[NONE], own[NONE]),
            ("falls_with_bn", "With decay σ falls under batch normalization too.", coupled[DECAY], held[DECAY]),
        ),
        factor: (
            ("amplified_by_decay", "The smaller σ makes the gradient larger.", own[NONE], own[DECAY]),
            ("amplified_with_bn", "It does so under batch normalization too.", coupled[NONE], coupled[DECAY]),
            ("explodes", "The reparametrization with decay amplifies the gradient.", held[DECAY], own[DECAY]),
        ),
        "parameters.gradient": (
            ("smaller_gradient", "With decay the constrained gradient is the smaller.", held[DECAY], own[DECAY]),
        ),
        "train.loss": (
            ("trains_with_decay", "With decay the constrained weight trains further.", held[DECAY], own[DECAY]),
            ("trains_without", "Without decay it does so too.", held[NONE], own[NONE]),
        ),
    }
    return tuple(claim for figure, given in asked.items() for claim in expected(PLACE, figure, *given))


def reparametrization() -> Experiment:
    """Norm, spread and gradient of the parameter over training."""
    rows = {f"{name}, {d}": given for (name, given), d in itertools.product(METHODS.items(), (NONE, DECAY))}

    def decayed(strength: float) -> dict[str, dict[str, Any]]:
        return {name: {"weight_decay": strength} for name in rows if name.endswith(f", {DECAY}")}

    claims = _claims()
    paper = Scale(
        data="cifar10",
        seeds=1,
        settings={**CIFAR, **OF_PAPER, "augmentation": "standard"},
        rows=decayed(OURS["cnn9"]["weight_decay"]),
    )
    return Experiment(
        id="cwo.reparametrization",
        paper=PAPER,
        place=PLACE,
        title="The parameter behind a reparametrized and a constrained weight: norm, spread and gradient",
        settings={},
        variants=tuple(Variant(name=name, settings=given) for name, given in rows.items()),
        scales=with_short_forms(paper, claims, OF_SMALL, decayed(OF_SMALL_DECAY)),
        columns={
            "norm / start": "parameters.norm_change",
            "σ / start": "parameters.spread_change",
            "gradient": "parameters.gradient",
            "amplification": "parameters.amplification",
            "training loss": "train.loss",
            "error": "test.error",
        },
        units={"error": "%"},
        over_time=tuple(f"parameters.{name}" for name in PARAMETERS),
        expectations=claims,
        decided=(
            "no run of section 3.5 is printed: network, rate and decay are those of the 9-layer CNN in section 4.1.1; "
            "in the short form rate × decay × steps is what it is there",
            "WS is equation 15 as printed, alone; CWN (reference 10, named beside WS) is its multiple by 1/√n: the "
            "constrained rows have c = 1, so that they begin with the same function as CWN and stay on the same set",
            "convolutions are normalized, not the linear layer; scale-and-bias layers without noise stand where WS+BN "
            "has batch normalization",
            "small and large are read against the start; figures are geometric means over the rows of the convolutions",
            "the amplification is ‖∇_v L‖ / ‖∇_w L‖ of the same step, which is 1 where the weight is the parameter: "
            "unlike the gradient, it does not fall with the loss",
        ),
    )
