"""The hidden neurons of a trained perceptron, ranked by several criteria, and pruned by each of them.

For hidden neuron i with incoming weights w_i (row i of its layer), activation a_i = ReLU(z_i) and the proxy V (m, n)
of the layer that reads it, importance is, larger for what is to be kept:

    column_norm  1/g_i = (2 ‖column i of V_C‖₂ + ε) / α, V_C = V − (V 1/n) 1ᵀ    (DSWN, sec. 3.2)
    magnitude    ‖w_i‖₁                                  (Han et al. 2015 for single weights; Li et al. 2017, sec. 3.1)
    apoz         1 − APoZ, the share of training samples at which a_i is not zero        (Hu et al. 2016, eq. 1)
    taylor       mean over training samples of |a_i ∂ℓ/∂a_i|                             (Molchanov et al. 2017, eq. 8)
    chance       an order drawn from the run's seed

Pruned are the least important of every hidden layer at once; ties fall to the neuron that comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from wnverify.experiments.data.samples import Dataset
from wnverify.experiments.training.loop import Run
from wnverify.experiments.training.metrics import EVALUATION_BATCH, LOSSES, evaluate
from wnverify.experiments.training.monitors import source_of
from wnverify.finding import seed_of
from wnverify.methods.dswn_neuron_measurement.pytorch import penalty_diagonal

HALF: Final = 0.5
"""Of the neurons of a hidden layer, rounded down."""
PAPERS: Final = "column_norm"
RIVALS: Final = ("magnitude", "apoz", "taylor")
CHANCE: Final = "chance"

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
Importance = Mapping[str, Sequence[Array]]
"""Criterion → an importance of each neuron, hidden layer by hidden layer."""
Hidden = tuple[nn.Linear, nn.ReLU, nn.Linear]
"""A hidden layer: what feeds it, its activation, what reads it."""


def rankings(run: Run, data: Dataset) -> dict[str, Any]:
    """Test error after pruning half by each criterion, and Spearman's ρ of each rival with the column norm.

    ``{criterion: {"half": error}, "agreement": {rival: mean ρ over the hidden layers}}``; ρ is NaN where a criterion
    does not tell any two neurons apart.  ``ValueError`` for a network that is no perceptron.
    """
    layers = hidden_layers(run.model)
    importance = importances(run, data, layers)
    found: dict[str, Any] = {
        criterion: {"half": pruned(run, data, layers, each, HALF)} for criterion, each in importance.items()
    }
    found["agreement"] = {
        rival: float(np.mean([_rho(a, b) for a, b in zip(importance[PAPERS], importance[rival], strict=True)]))
        for rival in RIVALS
    }
    return found


def hidden_layers(model: nn.Module) -> list[Hidden]:
    """The hidden layers in their order; ``ValueError`` for anything but linear layers with ReLU between them."""
    parts = [module for module in model.children() if not isinstance(module, nn.Flatten)]
    wanted = (nn.Linear, nn.ReLU)
    if not isinstance(model, nn.Sequential) or len(parts) < 3 or len(parts) % 2 == 0:
        raise ValueError(f"model must be a perceptron with a hidden layer; got {type(model).__name__}")
    if odd := [part for at, part in enumerate(parts) if not isinstance(part, wanted[at % 2])]:
        raise ValueError(f"model must have linear layers with ReLU between them; got {type(odd[0]).__name__}")
    return [tuple(parts[at : at + 3]) for at in range(0, len(parts) - 1, 2)]  # type: ignore[misc]


def importances(run: Run, data: Dataset, layers: Sequence[Hidden]) -> Importance:
    """Every criterion of every hidden neuron; the training samples decide, where a criterion asks for samples."""
    active, change = _over_samples(run, data, [relu for _, relu, _ in layers])
    rng = np.random.default_rng(seed_of("rankings", run.settings.seed))
    with torch.no_grad():
        return {
            PAPERS: [_array(1 / penalty_diagonal(source_of(reader))) for _, _, reader in layers],
            "magnitude": [_array(linear.weight.double().abs().sum(dim=1)) for linear, _, _ in layers],
            "apoz": active,
            "taylor": change,
            CHANCE: [rng.permutation(linear.out_features).astype(np.float64) for linear, _, _ in layers],
        }


def _over_samples(run: Run, data: Dataset, activations: Sequence[nn.ReLU]) -> tuple[list[Array], list[Array]]:
    """Share of samples with a_i ≠ 0, and mean of |a_i ∂ℓ/∂a_i|, ℓ the loss of the sample."""
    seen: list[Tensor] = []
    hooks = [relu.register_forward_hook(lambda _, __, out: seen.append(out)) for relu in activations]
    active: list[Any] = [0.0] * len(activations)
    change: list[Any] = [0.0] * len(activations)
    run.model.eval()
    try:
        for start in range(0, len(data.train), EVALUATION_BATCH):
            x, y = data.train.take(range(start, min(start + EVALUATION_BATCH, len(data.train))))
            seen.clear()
            scores = run.model(run.prepare(x)).float()
            # The sum over the batch: the gradient at one sample's activation is that of its own loss.
            loss = len(y) * LOSSES[run.settings.loss](scores, torch.as_tensor(y, device=scores.device))
            for k, (a, g) in enumerate(zip(seen, torch.autograd.grad(loss, seen), strict=True)):
                active[k] += (a != 0).double().sum(dim=0)
                change[k] += (a.detach() * g).double().abs().sum(dim=0)
    finally:
        for hook in hooks:
            hook.remove()
    return [_array(each / len(data.train)) for each in active], [_array(each / len(data.train)) for each in change]


def pruned(run: Run, data: Dataset, layers: Sequence[Hidden], importance: Sequence[Array], share: float) -> float:
    """The test error with that share of every hidden layer's neurons at zero, the least important ones."""
    hooks = []
    for (linear, relu, _), each in zip(layers, importance, strict=True):
        kept = torch.ones(linear.out_features, device=linear.weight.device)
        kept[np.argsort(each, kind="stable")[: int(share * len(each))].tolist()] = 0
        hooks.append(relu.register_forward_hook(lambda _, __, out, kept=kept: out * kept))
    try:
        return evaluate(run.model, data.test, run.settings.loss, data.classes, run.prepare)["error"]
    finally:
        for hook in hooks:
            hook.remove()


def _rho(a: Array, b: Array) -> float:
    """Spearman's rank correlation, ties at their mean rank."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def _array(values: Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
