"""Constrained weight optimization, section 4.1.4: the method in parts (Table 3), its noise (Table 4)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.cwo_settings import (
    CIFAR,
    DATA,
    ERROR,
    OF_RUNS,
    OF_SMALL_NOISE,
    OURS,
    PAPER,
    SMALL_EPOCHS,
    small_noise,
)
from wnverify.experiments.published.cwo_tables import TABLE3, TABLE4
from wnverify.experiments.published.on_digits import expected, with_short_forms

SMALL: Final = {"network": "wrn_10_1", "epochs": SMALL_EPOCHS}
NEVER: Final = 10**9
"""As the period of a projection: it is made before the first step and never again."""
SIGMAS: Final = ("0.0", "1.0")
CONSTRAINTS: Final = {
    "neither": (False, False),
    "centre": (True, False),
    "sphere": (False, True),
    "centre, sphere": (True, True),
}
ABLATION: Final[Mapping[str, Mapping[str, Any]]] = {
    "neither": {"method": "cwo", "options": {"update": "none"}},
    "centre": {"method": "cwo", "options": {"every": NEVER}},
    "sphere": {"method": "cwo+pbwn", "options": {"update": "none"}},
    "centre, sphere": {"method": "cwo"},
}


def _ablated(table: str, data: str, rows: dict[str, tuple[dict[str, Any], str]], **given: Any) -> Experiment:
    """Tables 3 and 4: the paper's method in parts, WideResNet-28-10 with the standard augmentation."""
    claims: tuple[Expectation, ...] = given.pop("expectations")
    network = "wrn_28_10"
    settings = {**CIFAR, "network": network, "augmentation": "standard", **OURS[network]}
    return Experiment(
        id=f"cwo.table{table}.{data}",
        paper=PAPER,
        place=f"Table {table}",
        settings={},
        variants=tuple(
            Variant(name=name, settings=own, printed={"Top-1 error": cell}) for name, (own, cell) in rows.items()
        ),
        scales=with_short_forms(
            Scale(data=data, seeds=1, settings=settings),
            claims,
            SMALL,
            {name: {"options": small_noise(own["options"], network)} for name, (own, _) in rows.items()},
            OF_SMALL_NOISE,
        ),
        columns=ERROR,
        units={"Top-1 error": "%"},
        expectations=claims,
        **given,
    )


def table_3(label: str) -> Experiment:
    """One data set of Table 3."""
    data, rows = DATA[label], {}
    for (parts, method), sigma in itertools.product(ABLATION.items(), SIGMAS):
        noise = {"sigma": float(sigma), "growth": "linear"}
        own = {**method, "options": {**method.get("options", {}), **noise}}
        rows[f"{parts}, σ = {sigma}"] = (own, TABLE3[(label, *CONSTRAINTS[parts], sigma)])
    pairs = itertools.product(("neither", "centre", "sphere"), SIGMAS)
    claims = expected(
        "section 4.1.4 and Table 3",
        "test.error",
        *(
            (f"both_below_{p}_{s}", f"Both constraints have a smaller error than {p}.", f"centre, sphere, σ = {s}", row)
            for p, s, row in ((p, s, f"{p}, σ = {s}") for p, s in pairs)
        ),
    )
    return _ablated(
        "3",
        data,
        rows,
        title=f"Centring, sphere and noise in parts: wrn_28_10 on {data}",
        expectations=claims,
        decided=(
            "neither: scale-and-bias layers, weights free; centre: weights start on the set, gradients are centred, no "
            "norm is restored; sphere: unit rows, not centred",
            "the sphere alone has c = 1 and not the paper's c = 2 (section 3.1), which both constraints together have "
            "here: what a comparison with it shows may be the size of the weights",
            "σ grows linearly with depth (the last rows agree with Table 4)",
            OF_RUNS,
        ),
    )


def _best(label: str, growth: str) -> str:
    """The row of Table 4 with the least error printed for this kind of noise."""
    errors = {
        sigma: float(cell.strip("*")) for (kind, sigma), cell in TABLE4[label].items() if kind == growth and cell != "-"
    }
    return f"{growth}, σ = {min(errors, key=lambda sigma: errors[sigma])}"


def table_4(label: str) -> Experiment:
    """One data set of Table 4."""
    data, rows = DATA[label], {}
    linear, constant = _best(label, "linear"), _best(label, "constant")
    for (growth, sigma), cell in TABLE4[label].items():
        noise = {"sigma": float(sigma), "growth": "linear" if growth == "linear" else "constant"}
        name = "no noise" if growth == "none" else f"{growth}, σ = {sigma}"
        rows[name] = ({"method": "cwo", "options": noise}, cell)
    claims = expected(
        "section 4.1.4 and Table 4",
        "test.error",
        ("noise_helps", "Noise of the proper size lowers the error.", linear, "no noise"),
        ("linear_helps_more", "Linear noise does better than constant noise.", linear, constant),
    )
    return _ablated(
        "4",
        data,
        rows,
        title=f"Strength of the noise and its growth with depth: wrn_28_10 on {data}",
        expectations=claims,
        decided=(
            "the linear and the constant noise with the least error printed for the data set are compared",
            OF_RUNS,
        ),
    )
