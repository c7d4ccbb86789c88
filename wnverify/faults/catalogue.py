"""The static table of variants, wrong and right; loaded without torch.

A fault's name is its class in kebab case, and the first sentence of the class says what is wrong with it.
``gradcheck`` says, for faults of the gradient, whether ``torch.autograd.gradcheck`` with its defaults passes the fault
(that is, misses it) on a random float64 weight of three rows and four columns.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

ROUNDING_DECIDES: Final = "fail or hazard"
"""At tied singular values rounding decides whether the gradient is a NaN (hazard) or a wrong number (fail)."""
_PACKAGE: Final = "wnverify.faults.parametrization"


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A wrong variant: ``target`` (``module:Class``), the check meant to catch it and the verdict due there
    (``"fail"``, ``"hazard"`` or ``"fail or hazard"``)."""

    name: str
    target: str
    caught_by: str
    verdict: str = "fail"
    note: str = ""
    gradcheck: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Right:
    """A right variant: no check may say ``fail``, and ``hazard`` only those that ``hazards`` lists."""

    name: str
    target: str
    hazards: tuple[str, ...] = ()
    note: str = ""


def faults() -> tuple[Fault, ...]:
    """Every wrong variant, by file and in the file's order.

    >>> next(fault.caught_by for fault in faults() if fault.name == "forgotten-mean")
    'gradient.vjp'
    """
    return _FAULTS


def right_variants() -> tuple[Right, ...]:
    """Every right variant, by file and in the file's order."""
    return _RIGHT


def _kebab(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name).lower()


def _wrong(
    file: str, class_name: str, caught_by: str, verdict: str = "fail", note: str = "", gradcheck: bool | None = None
) -> Fault:
    return Fault(_kebab(class_name), f"{_PACKAGE}.{file}:{class_name}", caught_by, verdict, note, gradcheck)


def _right(file: str, class_name: str, *hazards: str, note: str = "") -> Right:
    return Right(_kebab(class_name), f"{_PACKAGE}.{file}:{class_name}", hazards, note)


_FAULTS: Final = (
    _wrong("weight_norm", "MissingProjection", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "ProjectionWithV", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "MissingScale", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "StaleEps", "gradient.vjp", gradcheck=True),
    _wrong("weight_norm", "EpsInsideOutside", "gradient.vjp", gradcheck=True),
    _wrong("weight_norm", "FirstRowTwice", "gradient.rows", gradcheck=False),
    _wrong("weight_norm", "LastRowUnprojected", "gradient.rows", gradcheck=False),
    _wrong("weight_norm", "RowsBeyond64", "gradient.vjp", gradcheck=True),
    _wrong("weight_norm", "ColumnsBeyond128", "gradient.vjp", gradcheck=True),
    _wrong("weight_norm", "SquareInnerProduct", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "ThreePercentWhenLarge", "gradient.vjp", gradcheck=True),
    _wrong("weight_norm", "AbsoluteInnerProduct", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "NegativeEntriesFlipped", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "DetachedNorm", "gradient.vjp", gradcheck=False),
    _wrong("weight_norm", "RadialLeak", "gradient.invariance", gradcheck=False),
    _wrong("weight_norm", "AlreadyUnitShortcut", "gradient.structured", gradcheck=True),
    _wrong("weight_norm", "NormFloor", "gradient.conditioning", gradcheck=True),
    _wrong("weight_norm", "AbsThroughSqrt", "gradient.structured", "hazard", gradcheck=True),
    _wrong("weight_norm", "RowsShareOneNorm", "gradient.vjp", gradcheck=False),
    _wrong("cotangent", "OnesForCotangent", "gradient.vjp", gradcheck=False),
    _wrong("cotangent", "CotangentClipped", "gradient.vjp", gradcheck=True),
    _wrong("cotangent", "DenseCotangentOnly", "gradient.loss", gradcheck=False),
    _wrong("cotangent", "ZeroCotangentNaN", "gradient.loss", gradcheck=False),
    _wrong("cotangent", "CotangentInStorageOrder", "gradient.loss", gradcheck=True),
    _wrong("cotangent", "CotangentScaledInPlace", "gradient.loss", gradcheck=True),
    _wrong("cotangent", "SecondBackwardHalved", "gradient.loss", gradcheck=False),
    _wrong("cotangent", "SavedNormUntracked", "gradient.second_order", note="pytorch #58509", gradcheck=True),
    _wrong("cotangent", "SecondOrderDetachedOutput", "gradient.second_order", gradcheck=True),
    _wrong("cotangent", "PolarSecondOrderDetached", "gradient.second_order", gradcheck=True),
    _wrong("cotangent", "ForwardModeUnprojected", "gradient.forward_mode", gradcheck=True),
    _wrong("cotangent", "ForwardModeScaled", "gradient.forward_mode", gradcheck=True),
    _wrong("gain", "DeadGain", "gradient.parameters", note="torchtune #2250", gradcheck=True),
    _wrong("gain", "GainFactorMissing", "gradient.parameters", gradcheck=True),
    _wrong("gain", "LogGainChainRule", "gradient.parameters", gradcheck=True),
    _wrong("gain", "GainsSummedOverRows", "gradient.parameters", note="forward(g, V)", gradcheck=True),
    _wrong("gain", "GainsShared", "gradient.parameters", note="forward(g, V)", gradcheck=True),
    _wrong("centred", "ForgottenMean", "gradient.vjp", gradcheck=False),
    _wrong("centred", "MeanOfColumns", "gradient.vjp", gradcheck=False),
    _wrong("centred", "UncentredLength", "gradient.vjp", gradcheck=False),
    _wrong("centred", "CentringSkippedWhenCentred", "gradient.structured", gradcheck=True),
    _wrong("centred", "TransposedCentring", "gradient.vjp", gradcheck=False),
    _wrong("centred", "DetachedMean", "gradient.invariance", gradcheck=False),
    _wrong("centred", "DetachedDeviation", "gradient.vjp", gradcheck=False),
    _wrong("centred", "MeanOverOneLess", "property.zero_mean_rows"),
    _wrong("centred", "MeanOverRows", "property.zero_mean_rows"),
    _wrong("centred", "MeanOfWholeMatrix", "property.shift_invariant_rows"),
    _wrong("centred", "SampleDeviation", "property.unit_norm_rows"),
    _wrong("centred", "CentredAfterNormalizing", "property.unit_norm_rows"),
    _wrong("centred", "MeanAlmostRemoved", "property.gradient_zero_mean"),
    _wrong("orthogonal", "GramFactorMissing", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "GramNotSymmetrized", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "MaskedTies", "edge.repeated_singular_values", gradcheck=True),
    _wrong("orthogonal", "GapCancellation", "gradient.conditioning", "hazard", gradcheck=True),
    _wrong("orthogonal", "SmallEigenvaluesDropped", "gradient.conditioning", gradcheck=True),
    _wrong("orthogonal", "EigenvectorKTransposed", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "EigenvectorKClamped", "gradient.conditioning", gradcheck=True),
    _wrong("orthogonal", "DetachedEigenvectors", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "PlainEigh", "edge.repeated_singular_values", ROUNDING_DECIDES, "pytorch #49886", True),
    _wrong("orthogonal", "PlainSvd", "edge.repeated_singular_values", ROUNDING_DECIDES, "jax #2311", True),
    _wrong("orthogonal", "NullSpaceForgotten", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "TangentOfStiefel", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "TraceForPairs", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "SumForDifference", "gradient.vjp", gradcheck=False),
    _wrong("orthogonal", "CholeskyNotTransposed", "gradient.vjp", gradcheck=False),
    _wrong("rows", "NormOverRows", "property.unit_norm_rows", note="peft PR 1588"),
    _wrong("rows", "NormOfWholeMatrix", "property.row_scale_invariant"),
    _wrong("rows", "KernelNormOverSpace", "property.unit_norm_rows"),
    _wrong("rows", "First64Rows", "property.unit_norm_rows"),
    _wrong("rows", "AllButLastRow", "property.unit_norm_rows"),
    _wrong("rows", "SquareRootOfNorm", "property.unit_norm_rows"),
    _wrong("rows", "SumOfAbsolutes", "property.unit_norm_rows"),
    _wrong("rows", "RoughReciprocal", "property.unit_norm_rows"),
    _wrong("rows", "EpsInsideSqrt", "property.gradient_orthogonal_to_weight"),
    _wrong("rows", "ClampAtHundredth", "property.scale_invariant"),
    _wrong("rows", "NormAtLeastOne", "property.scale_invariant"),
    _wrong("rows", "NearlyUnitUndeclared", "property.discovered", "hazard"),
    _wrong("rows", "NegativeWeightsShrunk", "property.odd"),
    _wrong("rows", "HalfwayToUnit", "property.idempotent"),
    _wrong("rows", "SupremumNorm", "property.rotation_equivariant"),
    _wrong("rows", "InsideMovedOut", "property.euclidean_projection"),
    _wrong("rows", "SlightlyExpansive", "property.nonexpansive"),
    _wrong("rows", "NeighboursPreferred", "property.permutation_equivariant_rows"),
    _wrong("rows", "RadiusForgotten", "property.constant_norm_rows"),
    _wrong("rows", "L1BallOffByOne", "property.l1_rows_le", note="fair_flearn #10"),
    _wrong("frames", "FiveNewtonSteps", "property.orthonormal_rows"),
    _wrong("frames", "MuonPolynomial", "property.orthonormal_rows"),
    _wrong("frames", "ReshapeForTranspose", "property.orthonormal_rows"),
    _wrong("frames", "WhitenedUncentred", "property.zero_mean_rows"),
    _wrong("frames", "CentredAfterWhitening", "property.orthonormal_rows"),
    _wrong("frames", "EpsOnAllEntries", "property.orthonormal_rows", note="decorrelated_bn #1"),
    _wrong("frames", "EpsTooLarge", "property.orthonormal_rows"),
    _wrong("frames", "ScaleWithoutRoot", "property.scaled_orthonormal_rows"),
    _wrong("frames", "StructureUnsquared", "property.structured_orthonormal"),
    _wrong("frames", "BlocksOf16", "property.orthonormal_rows"),
    _wrong("frames", "ClassicalGramSchmidt", "property.permutation_equivariant_rows"),
    _wrong("frames", "SignsOfLapack", "property.odd"),
    _wrong("frames", "OnePowerStep", "property.spectral_norm_le_1"),
    _wrong("frames", "NormProductBound", "property.spectral_norm_le_1"),
    _wrong("contract", "ComplexRoot", "contract.forward"),
    _wrong("contract", "FlattensKernels", "contract.shape"),
    _wrong("contract", "SqueezesSingleRow", "contract.shape"),
    _wrong("contract", "AlwaysFloat32", "contract.dtype"),
    _wrong("contract", "HalfPromoted", "contract.dtype"),
    _wrong("contract", "NormalizesInPlace", "contract.input_unchanged"),
    _wrong("contract", "CentresInPlaceAndBack", "contract.input_unchanged"),
    _wrong("contract", "ReturnsView", "contract.input_unchanged", "hazard", "matrix-manifolds #1"),
    _wrong("contract", "RandomNoise", "contract.deterministic"),
    _wrong("contract", "RandomStart", "contract.deterministic"),
    _wrong("contract", "CachedByPointer", "contract.history"),
    _wrong("contract", "CachedByVersion", "contract.history"),
    _wrong("contract", "CachedByShape", "contract.history"),
    _wrong("contract", "NoncontiguousIsTransposed", "contract.layout"),
    _wrong("contract", "StorageOrder", "contract.layout"),
    _wrong("contract", "RightInverseFlattens", "contract.layers", "hazard"),
    _wrong("contract", "FiveAxesUnknown", "property.unit_norm_rows"),
    _wrong("state", "DropoutInTraining", "contract.train_eval", "hazard"),
    _wrong("state", "CentredInTrainingOnly", "contract.train_eval"),
    _wrong("state", "RunningScaleInEvaluation", "contract.train_eval"),
    _wrong("state", "StepsWhileEvaluating", "contract.history", note="pytorch #8208"),
    _wrong("state", "FirstCallDecides", "contract.history"),
    _wrong("state", "BufferNotSaved", "contract.state", note="made for a weight"),
    _wrong("state", "DeepcopyStartsAfresh", "contract.state", note="made for a weight"),
    _wrong("state", "PickleLosesRadius", "contract.state", note="made for a weight"),
    _wrong("state", "LambdaInside", "contract.state", "hazard", "geotorch #6"),
    _wrong("arithmetic", "HiddenFloat16", "precision.forward", "hazard"),
    _wrong("arithmetic", "HiddenFloat32", "precision.float64"),
    _wrong("arithmetic", "EpsOfTheType", "precision.forward"),
    _wrong("arithmetic", "SequentialHalfSum", "precision.forward", "hazard"),
    _wrong("arithmetic", "HalfCotangent", "gradient.float32", "hazard", gradcheck=True),
    _wrong("arithmetic", "DifferencesAsBackward", "gradient.float32", gradcheck=True),
    _wrong("arithmetic", "OnePassVariance", "edge.large_mean", "hazard"),
    _wrong("arithmetic", "ZeroOverZero", "edge.zero_row", "hazard", "pytorch #2421"),
    _wrong("arithmetic", "GradientNaNAtZero", "edge.zero_row", "hazard", "WeightStandardization #1"),
    _wrong("arithmetic", "ConstantRowNaN", "edge.constant_row", "hazard"),
    _wrong("arithmetic", "ZeroMatrixNaN", "edge.zero_matrix", "hazard", "pytorch #20192"),
    _wrong("arithmetic", "NaNSpreads", "edge.nan_row"),
    _wrong("arithmetic", "NaNHidden", "edge.nan_row"),
    _wrong("arithmetic", "SquaresOverflow", "edge.scale", "hazard"),
    _wrong("arithmetic", "EpsSwallowsTiny", "edge.scale", "hazard", "diffusers PR 13316"),
    _wrong("arithmetic", "SingleColumnNaN", "edge.smallest", "hazard"),
    _wrong("arithmetic", "GramInverted", "edge.rank_deficient", "hazard"),
    _wrong("arithmetic", "TallGramNaN", "edge.tall", "hazard"),
)

_FRAME: Final = ("edge.zero_row", "edge.zero_matrix", "edge.rank_deficient", "edge.nan_row")

_RIGHT: Final = (
    _right("right_norms", "WeightNormClamped", "edge.scale"),
    _right("right_norms", "WeightNormNormalize", "edge.scale", note="pytorch #184575"),
    _right("right_norms", "WeightNormScaled"),
    _right("right_norms", "WeightNormHandWritten"),
    _right("right_norms", "WeightNormWithGain"),
    _right("right_norms", "WeightNormPair", note="forward(g, V)"),
    _right("right_norms", "Centred"),
    _right("right_norms", "CentredHandWritten"),
    _right("right_norms", "SphereOfRadiusTwo"),
    _right("right_rows", "Standardized", "property.discovered"),
    _right("right_rows", "MeanRemoved"),
    _right("right_rows", "UnitBall", "property.discovered"),
    _right("right_rows", "L1Ball"),
    _right("right_rows", "AbsoluteSumOne"),
    _right("right_rows", "SoftmaxRows"),
    _right("right_rows", "Identity"),
    _right("right_rows", "Halved"),
    _right("right_rows", "Saturated"),
    _right("right_frames", "PolarHandWritten", *_FRAME, "gradient.conditioning"),
    _right("right_frames", "PolarCentred", *_FRAME, "edge.constant_row", "gradient.conditioning"),
    _right("right_frames", "PolarNewtonSchulz", *_FRAME),
    _right("right_frames", "HouseholderQR", *_FRAME, "edge.tall", "edge.smallest"),
    _right("right_frames", "GramSchmidtTwice", *_FRAME),
    _right("right_frames", "CholeskyTwice", *_FRAME),
    _right("right_frames", "Cayley", "edge.tall", "edge.nan_row", "edge.smallest"),
    _right("right_frames", "SpectralExact", "edge.zero_matrix", "edge.nan_row", "edge.repeated_singular_values"),
)
