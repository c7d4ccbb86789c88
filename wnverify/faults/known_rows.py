"""Bugs that public libraries once had, re-enacted: the note names the repository and the thread.

A number alone is a thread of issues, ``PR`` one of pull requests.
"""

from __future__ import annotations

from typing import Final

from wnverify.faults.row import right, wrong

_NORMS: Final = "parametrization.known_norms"
_STATE: Final = "parametrization.known_state"
_FRAMES: Final = "parametrization.known_frames"
_PROJECTIONS: Final = "projection.known"

FAULTS: Final = (
    wrong(_NORMS, "WhereHidesNaN", "edge.zero_row", "hazard", "flax #1671, Lux.jl PR 106"),
    wrong(_NORMS, "NormalizeExplodes", "edge.zero_row", "hazard", "pytorch #184575"),
    wrong(_NORMS, "MagnitudeOverZero", "edge.zero_row", "hazard", "peft #2049"),
    wrong(_NORMS, "EpsUnderflowsInHalf", "edge.zero_row", "hazard", "diffusers PR 13316"),
    wrong(_NORMS, "HalfSquaresOverflow", "edge.scale", "hazard", "peft PR 3237"),
    wrong(_NORMS, "GainAlongColumns", "contract.layers", "hazard", "pytorch #81195"),
    wrong(_NORMS, "LastAxisTakenForWhole", "property.unit_norm_rows", note="pytorch PR 28618"),
    wrong(_NORMS, "SquareTakenForTransposed", "property.unit_norm_rows", note="peft PR 1588, LyCORIS #216"),
    wrong(_NORMS, "KernelAxesFixed", "contract.shape", "hazard", "peft #2549"),
    wrong(_NORMS, "FanInOfOutputs", "property.unit_norm_rows", note="nfnets-pytorch #35"),
    wrong(_NORMS, "EpsBesideDeviation", "edge.constant_row", "hazard", "WeightStandardization #1, #16"),
    wrong(_NORMS, "AssignedBehindAutograd", "gradient.vjp", note="tensorflow addons PR 1244", gradcheck=False),
    wrong(_NORMS, "ArccosAtClamp", "gradient.structured", "hazard", "geoopt PR 79", True),
    wrong(_NORMS, "SymmetricCotangentOnly", "gradient.vjp", gradcheck=True),
    wrong(_NORMS, "LengthInOnePass", "edge.large_mean", "hazard"),
    wrong(_STATE, "KeepsItsOutput", "contract.state", "hazard", "pytorch #28594, #102981"),
    wrong(_STATE, "StaleInEvaluation", "contract.train_eval", note="pytorch #12737"),
    wrong(_STATE, "NoGradientInEvaluation", "contract.train_eval", note="pytorch PR 13350"),
    wrong(_STATE, "FirstUseInEvaluation", "contract.train_eval", note="pytorch #51800"),
    wrong(_STATE, "PowerIterationInPlace", "gradient.loss", "hazard", "pytorch #55368, #66363", False),
    wrong(_STATE, "BaseNoBuffer", "gradient.float32", "hazard", "geotorch #8, #39", True),
    wrong(_STATE, "CachedGraph", "gradient.loss", note="pytorch #71062, #72041", gradcheck=True),
    wrong(_FRAMES, "SingleRowSkipped", "property.orthonormal_rows", note="DeepSpeed PR 8442"),
    wrong(_FRAMES, "NewtonSchulzInSingle", "contract.dtype", note="muon-clip #9"),
    wrong(_FRAMES, "RowsEvenedAfterwards", "edge.zero_matrix", "hazard", "dion PR 24"),
    wrong(_FRAMES, "TraceByDifference", "edge.large_mean", "hazard", "decorrelated_bn #1"),
    wrong(_FRAMES, "CutHidesNaN", "edge.nan_row", "hazard", note="pytorch #82282"),
    wrong(_PROJECTIONS, "FirstFalseTaken", "property.euclidean_projection", note="advertorch PR 24, ART PR 1586"),
    wrong(_PROJECTIONS, "BorderAtOne", "property.euclidean_projection", note="ncollide #314, COMMIT PR 73"),
    wrong(_PROJECTIONS, "AxisNoneIsFirst", "property.euclidean_projection", note="pytorch #11660"),
    wrong(_PROJECTIONS, "RotationsOnly", "property.euclidean_projection", note="pymanopt #301"),
    wrong(_PROJECTIONS, "DriftsOffTheSphere", "lifecycle.steps", note="geoopt #227"),
)

_RIGHT: Final = "parametrization.right_known"

RIGHT: Final = (
    right(_RIGHT, "EpsUnderRoot", "property.discovered", note="diffusers PR 13316"),
    right(_RIGHT, "ScaledStandardized", "property.discovered", note="nfnets-pytorch #35"),
    right(_RIGHT, "MagnitudeOfLiveRows", note="peft #2049"),
    right(_RIGHT, "PowerIterationCloned", "edge.zero_matrix", "edge.scale", "edge.nan_row", note="pytorch PR 62293"),
    right(_RIGHT, "BaseAsBuffer", "edge.nan_row", "execution.autocast", note="geotorch PR 9"),
    right(
        _RIGHT,
        "NewtonSchulzForOneRowToo",
        "cost.work",
        "edge.zero_matrix",
        "edge.zero_row",
        "edge.rank_deficient",
        "edge.nan_row",
        "execution.autocast",
        note="DeepSpeed PR 8442",
    ),
)
