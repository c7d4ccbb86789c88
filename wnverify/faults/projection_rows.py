"""The variants of projections, by file and in the file's order."""

from __future__ import annotations

from typing import Final

from wnverify.faults.row import right, wrong

_NEAREST: Final = "property.euclidean_projection"

FAULTS: Final = (
    wrong("projection.thresholds", "CountedFromZero", _NEAREST, note="quantopian-algos #1"),
    wrong("projection.thresholds", "ThresholdOneFurther", "property.l1_rows_le", note="fair_flearn #10"),
    wrong("projection.thresholds", "SortedUpwards", "property.l1_rows_le"),
    wrong("projection.thresholds", "TiesCountOnce", "property.l1_rows_le", note="cvxcla PR 710"),
    wrong("projection.thresholds", "TenBisections", _NEAREST),
    wrong("projection.thresholds", "SignsLost", "property.odd"),
    wrong("projection.thresholds", "ScaledInstead", _NEAREST, note="odl PR 1614"),
    wrong("projection.thresholds", "InsideMovedToo", _NEAREST, note="secml-torch PR 109"),
    wrong("projection.thresholds", "RadiusNotUsed", _NEAREST, note="secml-torch PR 109"),
    wrong("projection.thresholds", "WholeMatrixInBall", _NEAREST),
    wrong("projection.thresholds", "FirstRowsOnly", "property.permutation_equivariant_rows"),
    wrong("projection.thresholds", "ReturnsItsInput", _NEAREST, note="matrix-manifolds #1"),
    wrong("projection.thresholds", "NextBall", "property.l1_rows_le"),
    wrong("projection.thresholds", "ClippedThenRescaled", _NEAREST, note="cvxcla PR 710"),
    wrong("projection.thresholds", "SoftmaxForSimplex", "property.idempotent"),
    wrong("projection.thresholds", "ShiftedThenClipped", "property.l1_rows_le"),
    wrong("projection.thresholds", "ColumnsShortened", _NEAREST),
    wrong("projection.thresholds", "SmallRowsLengthened", _NEAREST),
    wrong("projection.thresholds", "HalfwayToBall", "property.idempotent"),
    wrong("projection.thresholds", "TooFar", "property.nonexpansive"),
    wrong("projection.spectra", "FrameByQR", _NEAREST),
    wrong("projection.spectra", "FrameOfWrongSigns", _NEAREST, note="pymanopt #301"),
    wrong("projection.spectra", "FrameByOneNewtonStep", "property.orthonormal_rows"),
    wrong("projection.spectra", "DividedBySpectralNorm", _NEAREST),
    wrong("projection.spectra", "FirstSingularValueOnly", "property.spectral_norm_le_1"),
    wrong("projection.spectra", "FrobeniusForSpectral", _NEAREST),
    wrong("projection.spectra", "ZeroRowOntoSphere", "edge.zero_row", "hazard"),
    wrong("projection.spectra", "ClippedToSphere", "edge.zero_matrix", "hazard"),
    wrong("projection.spectra", "CentringForgotten", "property.zero_mean_rows"),
    wrong("projection.spectra", "ShortenedThenCentred", _NEAREST),
    wrong("projection.spectra", "ClippedThenCentred", _NEAREST),
    wrong("projection.spectra", "SumOfAllEntries", _NEAREST),
    wrong("projection.contract", "ProjectsInPlace", "contract.input_unchanged"),
    wrong("projection.contract", "EverySecondCall", "contract.deterministic"),
    wrong("projection.contract", "NormsOfFirstWeight", "contract.history"),
    wrong("projection.contract", "RestsAfterThreeSteps", "lifecycle.steps"),
    wrong("projection.contract", "RandomOrder", "contract.deterministic"),
    wrong("projection.contract", "RowsFlattened", "contract.shape"),
    wrong("projection.contract", "DoubleComesBack", "contract.dtype"),
    wrong("projection.contract", "SinglePrecisionInside", "precision.float64"),
    wrong("projection.contract", "HalfNorms", "precision.forward", "hazard"),
    wrong("projection.contract", "StorageIsTheOrder", "contract.layout"),
    wrong("projection.contract", "LambdaKept", "contract.state", "hazard"),
    wrong("projection.contract", "StraightThrough", "gradient.vjp"),
    wrong("projection.contract", "SquaresOfHugeRows", "edge.scale", "hazard"),
    wrong("projection.contract", "BrokenEntriesIgnored", "edge.nan_row"),
)

RIGHT: Final = (
    right("projection.right", "OntoL1Ball"),
    right("projection.right", "OntoBallOfRadius"),
    right("projection.right", "OntoSimplex"),
    right("projection.right", "OntoFrames", "precision.forward", "edge.nan_row"),
    right("projection.right", "OntoUnitSphere"),
    right("projection.right", "OntoCentredBall"),
    right("projection.right", "OntoSpectralBall", "edge.nan_row"),
    right("projection.right", "OntoBoxWithGraph"),
    right("projection.right_functions", "onto_frobenius_ball"),
    right("projection.right_functions", "onto_ball_or_itself"),
)
