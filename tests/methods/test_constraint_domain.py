"""Where the constraints are undefined they say so: row, entry, rank or setting."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from constraint_cases import CASES, CWO, GC, PBWN, POLAR, PRINTED, QR
from method_cases import normal

each = pytest.mark.parametrize("case", CASES, ids=str)

UNDEFINED = [
    (PBWN, [[1.0, 2.0], [0.0, 0.0]], r"V\[1, :\]"),
    (CWO, [[1.0, 2.0], [0.1, 0.1]], r"V\[1, :\]"),
    (CWO, [[0.0, 0.0], [1.0, 2.0]], r"V\[0, :\]"),
    (CWO, [[1.0], [2.0]], r"V\[0, :\]|d = 1"),
    (PRINTED, [[1.0, 2.0], [0.0, 0.0]], r"V\[1, :\]"),
    (QR, [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], r"V\[1, :\] is a combination"),
    (QR, [[1.0, 2.0], [0.0, 0.0]], r"V\[1, :\]"),
    (QR, [[1.0], [2.0]], r"n ≤ d; got shape \(2, 1\)"),
    (POLAR, [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], r"n ≤ d; got shape \(2, 3\).* rank 1"),
    (POLAR, [[0.0, 0.0]], r"rank 0"),
    (POLAR, [[1.0], [2.0]], r"n ≤ d; got shape \(2, 1\)"),
]


@pytest.mark.parametrize(("case", "rows", "place"), UNDEFINED)
def test_undefined_weights_are_refused(case, rows, place):
    """No nearest point, or none that is unique: ValueError with row or rank in NumPy, PyTorch and balls."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        with pytest.raises(ValueError, match=place):
            case.constraint().project(torch.tensor(rows, dtype=dtype))
    with pytest.raises(ValueError, match=place):
        case.reference.project(rows, **case.options)
    with pytest.raises(ValueError, match=place):
        case.reference.vjp(rows, np.ones(np.shape(rows)), **case.options)
    with pytest.raises(ValueError, match="V must"):
        case.enclosure.project(np.array(rows), **case.options)


@each
def test_other_numbers_are_refused(case):
    """A NaN is named in the weight (gradient centralization looks at none); integers are a TypeError."""
    W = torch.tensor(normal(3, 5))
    W[1, 2] = float("nan")
    if case is not GC:
        with pytest.raises(ValueError, match=r"V\[1, 2\]"):
            case.constraint().project(W)
        with pytest.raises(TypeError):
            case.constraint().project(torch.ones(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"W\[1, 2\]"):
        case.reference.project(W.numpy(), **case.options)
    with pytest.raises(ValueError, match=r"G\[1, 2\]"):
        case.reference.transform(np.ones((3, 5)), W.numpy(), **case.options)


def test_settings_are_checked():
    """Another retraction or grouping is a ValueError that lists the known ones."""
    with pytest.raises(ValueError, match="retraction must be one of qr, polar; got 'cayley'"):
        QR.made(retraction="cayley")
    with pytest.raises(ValueError, match="grouping must be one of filters, channels; got 'kernels'"):
        QR.made(grouping="kernels")
    with pytest.raises(ValueError, match="retraction must be"):
        QR.reference.project([[1.0, 2.0]], retraction="cayley")


COMPILED = """
import torch
from wnverify.methods.constrained_weight_optimization.pytorch import ConstrainedWeightOptimization
from wnverify.methods.gradient_centralization.pytorch import GradientCentralization
from wnverify.methods.projection_based_weight_normalization.pytorch import ProjectionBasedWeightNormalization
from wnverify.methods.stiefel_layer.pytorch import StiefelLayer
from wnverify.oracles.ratio import Ratio, map_model

W = torch.tensor([[1.0, 2.0, 4.0], [1.0, -1.0, 0.5]])
undefined = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
for made in (
    ProjectionBasedWeightNormalization(riemannian=True),
    ConstrainedWeightOptimization(),
    ConstrainedWeightOptimization(update="printed"),
    GradientCentralization(),
    StiefelLayer(),
    StiefelLayer(retraction="polar"),
):
    project, transform = (torch.compile(f, fullgraph=True, backend="eager") for f in (made.project, made.transform))
    G = W.flip(1)
    pairs = ((project(W), made.project(W)), (transform(W, G), made.transform(W, G)))
    same = all(
        Ratio(float((one - other).norm()), float(other.norm()), map_model("float32", 3, condition=8.0)).value <= 1
        for one, other in pairs
    )
    lost = bool(project(undefined)[1].isnan().all()) == made.projects
    print(same, lost)
"""


def test_compiled_undefined_rows_are_nan():
    """Under torch.compile the graphs are whole, the values the same, and what is undefined becomes NaN."""
    shown = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["True"] * 12
