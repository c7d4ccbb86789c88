"""Figures of a trained network on samples, and what every figure of an experiment means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wnverify.experiments.data.samples import Samples

EVALUATION_BATCH: Final = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """A figure: what it is, who uses it so, and where it stands in a record, a cell of a table or a finding."""

    name: str
    definition: str
    source: str
    where: str


def _at_both_times(*figures: str) -> str:
    """Where figures of the signal stand: at the initial weights and after training."""
    return ", ".join(f"signal.{when}.{figure}" for figure in figures for when in ("start", "now"))


METRICS: Final = (
    Metric(
        "loss",
        "mean of the loss that is trained, penalty aside, over the samples, in evaluation mode",
        "all five papers",
        "train.loss, test.loss",
    ),
    Metric(
        "error",
        "share of samples whose largest score is not at their class (100 % − top-1); of a regression the mean square",
        "all five papers",
        "train.error, test.error",
    ),
    Metric(
        "top-1 accuracy",
        "1 − error; the overall accuracy of point clouds is the same",
        "CWO, Tables 5-6",
        "test.overall",
    ),
    Metric(
        "top-5 accuracy", "share of samples whose class is among the five largest scores", "CWO, Table 6", "test.top5"
    ),
    Metric("top-5 error", "1 − top-5 accuracy", "norm loss, Table III, footnote 2", "test.top5_error"),
    Metric(
        "mean-class accuracy",
        "mean over classes of the share of their samples that is right, every class alike",
        "CWO, Table 5",
        "test.mean_class",
    ),
    Metric(
        "generalization error",
        "loss on test samples − loss on training samples",
        "L1,∞, section 5 (test error − training error)",
        "generalization",
    ),
    Metric("sparsity", "share of weights that are exactly zero, biases aside", "L1,∞, section 5", "sparsity.zero"),
    Metric("small weights", "share of weights of at most 0.001, biases aside", "this project", "sparsity.small"),
    Metric("parameters kept", "share of weights that are not exactly zero", "DSWN, Fig. 3", "sparsity.kept_share"),
    Metric(
        "zeros of the first columns, of the others",
        "share of exact zeros of the first layer's weights of the first four inputs, and of all other inputs",
        "L1,∞, section 5.2 and Fig. 3",
        "columns.first, columns.others",
    ),
    Metric(
        "error after pruning",
        "test error with the lower half of every hidden layer's neurons by a ranking at zero (see ``rankings``)",
        "DSWN, sections 2.2 and 3.2",
        ", ".join(f"rankings.{name}.half" for name in ("column_norm", "magnitude", "apoz", "taylor", "chance")),
    ),
    Metric(
        "agreement of rankings",
        "Spearman's rank correlation of a ranking with that by column norm, mean over hidden layers",
        "DSWN, sections 2.2 and 3.2",
        "rankings.agreement.magnitude, rankings.agreement.apoz, rankings.agreement.taylor",
    ),
    Metric(
        "norm and spread of the parameter",
        "‖v_i‖ and σ_i = (Σ_j (v_ij − μ_i)² / d)^{1/2}, geometric means over the rows of all hidden layers",
        "CWO, equations 16 and 17",
        "parameters.norm, parameters.spread",
    ),
    Metric(
        "change of norm and spread",
        "both over what they were at the start, geometric means over the rows of all hidden layers",
        "CWO, section 3.5",
        "parameters.norm_change, parameters.spread_change",
    ),
    Metric(
        "gradient of the parameter",
        "‖∇_V L‖_F, geometric mean over the hidden layers",
        "CWO, section 3.5",
        "parameters.gradient",
    ),
    Metric(
        "amplification",
        "‖∇_V L‖_F / ‖∇_W L‖_F, geometric mean over the hidden layers",
        "CWO, section 3.5",
        "parameters.amplification",
    ),
    Metric(
        "signal by depth",
        "mean and variance of a layer's outputs, share of their second moment that is the units' means, and of the "
        "singular values of ∂(outputs)/∂(input) the root mean square, the largest and the evenness (see ``signals``)",
        "CWO, section 3.1 and equation 3",
        _at_both_times("mean", "variance", "bias", "gain", "largest", "evenness"),
    ),
    Metric(
        "drift of variance and gain",
        "|ln(last depth's / first depth's)| for each depth between",
        "CWO, section 3.1",
        _at_both_times("variance_drift", "gain_drift"),
    ),
    Metric(
        "bias share and evenness at the last depth",
        "the figures of the signal at the deepest layer",
        "CWO, section 3.2",
        _at_both_times("last_bias", "last_evenness"),
    ),
    Metric(
        "epochs to a rival's final error",
        "first recorded epoch whose error is at most the rival's last one, by paired runs; of a loss likewise",
        "DSWN, sections 4.1.1, 4.2.1 and 4.2.2; norm loss, Figs. 3, 5 and 6",
        "epochs_to, from the curves of the runs",
    ),
    Metric("mean", "arithmetic mean over the runs of a row, with Student's 95 % interval", "all five papers", "mean"),
    Metric("best", "least error or largest accuracy among the runs of a row", "norm loss, Tables I-II", "best"),
    Metric("median", "middle of the runs of a row", "norm loss, Tables I-II (of cited papers)", "median"),
    Metric("deviation", "standard deviation over the runs of a row, with n − 1", "DSWN, Table 2", "deviation"),
    Metric(
        "hours",
        "measured duration of a training run with its evaluations, median over the runs of a row; shown in hours where "
        "it is one at least",
        "norm loss, section V-C",
        "timing.seconds",
    ),
)
"""One row a figure; ``where`` is a path in the record of a run, a statistic over runs, a function of this module, or
``timing.``: of the document's ``timing`` block, for it belongs to the machine as well."""

Loss = Callable[[Tensor, Tensor], Tensor]


def squared(scores: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of scores (count, 1) and targets (count,)."""
    return functional.mse_loss(scores[:, 0], y)


LOSSES: Final[dict[str, Loss]] = {"cross_entropy": functional.cross_entropy, "squared": squared}


def epochs_to(level: float, epochs: Sequence[int], errors: Sequence[float]) -> int | None:
    """The first of ``epochs`` whose error is at most ``level``; None where no error is.

    >>> epochs_to(0.2, [1, 2, 3], [0.5, 0.2, 0.3])
    2
    """
    return next((epoch for epoch, error in zip(epochs, errors, strict=True) if error <= level), None)


@torch.no_grad()
def evaluate(
    model: nn.Module, samples: Samples, loss: str, classes: int | None, prepare: Callable[[Any], Tensor]
) -> dict[str, float]:
    """Loss, error and accuracies (see ``METRICS``); ``prepare`` turns a batch of inputs into the network's."""
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
