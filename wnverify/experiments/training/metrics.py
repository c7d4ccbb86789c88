"""Figures of a trained network on samples, each with its definition.

- loss: the mean of the training loss over the samples, in evaluation mode.
- error: share of samples whose largest score is not at their class (100 % − top-1); for a regression the mean squared
  error, so that loss and error agree.
- top5: share with their class among the five largest scores.
- mean_class: the mean over classes of the share that is right (CWO, Table 5); ``overall`` is the share over samples.
- generalization: loss on test samples − loss on training samples (L1,∞, sec. 5: test error − training error).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wnverify.experiments.data.samples import Samples

EVALUATION_BATCH: Final = 500

Loss = Callable[[Tensor, Tensor], Tensor]


def squared(scores: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of scores (count, 1) and targets (count,)."""
    return functional.mse_loss(scores[:, 0], y)


LOSSES: Final[dict[str, Loss]] = {"cross_entropy": functional.cross_entropy, "squared": squared}


@torch.no_grad()
def evaluate(
    model: nn.Module, samples: Samples, loss: str, classes: int | None, prepare: Callable[[Any], Tensor]
) -> dict[str, float]:
    """The figures above but ``generalization``; ``prepare`` turns a batch of inputs into the network's."""
    training = model.training
    model.eval()
    total, right, right5 = 0.0, 0, 0
    seen, known = np.zeros(classes or 1), np.zeros(classes or 1)
    for start in range(0, len(samples), EVALUATION_BATCH):
        x, y = samples.take(range(start, min(start + EVALUATION_BATCH, len(samples))))
        scores, targets = model(prepare(x)), torch.as_tensor(y)
        targets = targets.to(scores.device)
        total += float(LOSSES[loss](scores.float(), targets)) * len(y)
        if classes is not None:
            hit = (scores.argmax(1) == targets).cpu().numpy()
            right += int(hit.sum())
            best = scores.topk(min(5, scores.shape[1]), dim=1).indices
            right5 += int((best == targets[:, None]).any(dim=1).sum())
            seen += np.bincount(y, minlength=classes)
            known += np.bincount(y, weights=hit, minlength=classes)
    model.train(training)
    count = len(samples)
    if classes is None:
        return {"loss": total / count, "error": total / count}
    return {
        "loss": total / count,
        "error": 1 - right / count,
        "top5": right5 / count,
        "top5_error": 1 - right5 / count,
        "overall": right / count,
        "mean_class": float((known[seen > 0] / seen[seen > 0]).mean()),
    }
