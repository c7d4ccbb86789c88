"""The DSWN methods with their options, and what their errors may grow by."""

import numpy as np
import pytest

from wnverify.methods.dswn_combined import enclosure as combined_enclosure
from wnverify.methods.dswn_combined import reference as combined
from wnverify.methods.dswn_combined.pytorch import DswnCombined, scale_and_sparsify_rows
from wnverify.methods.dswn_neuron_measurement import enclosure as neuron_enclosure
from wnverify.methods.dswn_neuron_measurement import reference as neuron
from wnverify.methods.dswn_neuron_measurement.pytorch import DswnNeuronMeasurement, scale_neurons
from wnverify.methods.dswn_sparsity_measurement import enclosure as sparsity_enclosure
from wnverify.methods.dswn_sparsity_measurement import reference as sparsity
from wnverify.methods.dswn_sparsity_measurement.pytorch import DswnSparsityMeasurement, sparsify_rows

NEURON = (neuron, neuron_enclosure, scale_neurons, DswnNeuronMeasurement)
SPARSITY = (sparsity, sparsity_enclosure, sparsify_rows, DswnSparsityMeasurement)
COMBINED = (combined, combined_enclosure, scale_and_sparsify_rows, DswnCombined)
CASES = [
    (NEURON, {}),
    (NEURON, {"tau": 0.5, "epsilon": 1.0}),
    (NEURON, {"epsilon": 0.0}),
    (SPARSITY, {}),
    (SPARSITY, {"eta": 0.1}),
    (SPARSITY, {"eta": 0.1, "update": "prox"}),
    (SPARSITY, {"eta": 0.5, "update": "prox", "group": "columns"}),
    (SPARSITY, {"eta": 0.2, "group": "columns"}),
    (COMBINED, {"eta": 0.1}),
    (COMBINED, {"eta": 0.1, "order": "sm-nm", "tau": 0.5}),
    (COMBINED, {"eta": 0.1, "update": "prox", "group": "columns"}),
    (COMBINED, {"eta": 0.1, "update": "prox", "order": "sm-nm", "epsilon": 0.5}),
]
NAMES = [f"{method[3].__name__} {options}" for method, options in CASES]
every_case = pytest.mark.parametrize(("method", "options"), CASES, ids=NAMES)
SHRINKAGES = [(update, group) for update in sparsity.UPDATES for group in sparsity.GROUPS]


def centred(V):
    return V - V.mean(axis=1, keepdims=True)


def bounds(method, options, V, A):
    """How large value and gradient can be, and the condition number of the polar factor: what their errors grow by.

    Scales of columns multiply; the Jacobian of a shrinkage has norm at most 1 + η × the size of a group.
    """
    s = np.linalg.svd(centred(V), compute_uv=False)
    size = 1 + options.get("eta", 1e-3) * max(V.shape) if method is not NEURON else 1.0
    tau = options.get("tau", 1.0)
    scales = 1.0
    if method is not SPARSITY:
        scales = (2 * np.linalg.norm(centred(V), axis=0).max() + options.get("epsilon", 0.0)) / tau
    through_norms = 2 / tau if method is not SPARSITY else 0.0
    gradient = float(np.linalg.norm(A) * size * (scales / s[-1] + through_norms))
    return float(scales * size), gradient, float(s[0] / s[-1])
