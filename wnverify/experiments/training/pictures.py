"""A trained weight matrix as a picture of few letters, and where its exact zeros are.

Of a weight W (n, d), further axes flattened, a picture has a string for each of the first inputs (columns), a letter
for each of the first units (rows): ``.`` is an exact zero, ``A`` to ``C`` a positive entry in the first, second and
last third of the largest magnitude shown, ``a`` to ``c`` a negative one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import nn

from wnverify.experiments.data.samples import Dataset
from wnverify.experiments.experiment import Picture
from wnverify.experiments.training.loop import Run
from wnverify.experiments.training.monitors import weighted
from wnverify.finding import Json

TRUE_INPUTS: Final = 4
"""Inputs of which the model of the classification problem knows: the first ones (L1,∞, sec. 5.2)."""
LETTERS: Final = (".ABC", ".abc")


def picture(model: nn.Module, asked: Picture) -> dict[str, Json]:
    """``shape``, ``largest`` (the largest magnitude shown) and ``inputs`` (the strings).

    ``ValueError`` for a layer that the model has not.
    """
    layers = dict(weighted(model))
    if asked.layer not in layers:
        raise ValueError(f"layer must be one of {', '.join(layers)}; got {asked.layer!r}")
    W = _weight(layers[asked.layer])
    shown = W[: asked.units, : asked.inputs]
    largest = float(np.abs(shown).max())
    steps = np.ceil(3 * np.abs(shown) / largest).astype(int) if largest else np.zeros(shown.shape, int)
    return {
        "shape": [*W.shape],
        "largest": largest,
        "inputs": [
            "".join(LETTERS[int(w < 0)][step] for w, step in zip(column, levels, strict=True))
            for column, levels in zip(shown.T, steps.T, strict=True)
        ],
    }


def columns(run: Run, data: Dataset) -> dict[str, float]:
    """Share of exact zeros of the first layer, in the columns of the inputs that matter and in all others."""
    _, layer = next(weighted(run.model))
    zero = _weight(layer) == 0
    return {"first": float(zero[:, :TRUE_INPUTS].mean()), "others": float(zero[:, TRUE_INPUTS:].mean())}


@torch.no_grad()
def _weight(layer: nn.Module) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    return weight.detach().flatten(1).double().cpu().numpy()
