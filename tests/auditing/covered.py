"""Where each check looks at a sound subject, by the names of its cases, in their order."""

from __future__ import annotations

SHAPES = ["3x5", "5x12", "4x4", "7x3", "1x6", "70x134"]
KERNELS = ["4x3x3", "5x2x3x3", "3x2x2x3x2"]
FURTHER_KERNELS = ["8x12x1x1", "8x2x7x7", "6x1x3x3", "1x4x3x3"]
FAR_AND_FLAT = [*(f"times 2^{e}" for e in (-20, -12, 12, 20)), "with a row of zeros", "with ties"]
BORDERS = ["33x65", "65x33", "5x257", "32x64", "257x5", "5x1025", "31x129", "129x257"]
LAYOUTS = ["transposed", "strided", "with an offset"]
PAIRS = [
    "sum as the loss (expanded cotangent)",
    "a nonlinear loss",
    "a non-contiguous cotangent",
    "a sum of two cotangents",
    "a cotangent times -3",
    "a cotangent times 2^-40",
    "a cotangent times 2^40",
    "one row and the rest",
    "the zero cotangent",
    "the cotangent itself, after the backward",
    "a second backward pass",
    "two forwards, then both backwards",
    "another weight's forward before the backward",
]
FAR_AWAY = ["3x5 times 2^20", "3x5 times 2^-20"]
STRUCTURED = [
    "unit rows",
    "zero-mean rows",
    "unit zero-mean rows",
    "all positive",
    "all negative",
    "some exact zeros",
    "small integers",
    "diagonal",
    "square symmetric",
]


def product(left, right):
    return [f"{a} {b}" for a in left for b in right]


COVERED = {
    "contract.forward": SHAPES[:4],
    "contract.shape": [*SHAPES, "5x31", "33x65", *KERNELS],
    "contract.dtype": ["float64", "float32", "bfloat16", "float16"],
    "contract.input_unchanged": [*SHAPES[:3], *(f"3x5 {how}" for how in FAR_AND_FLAT)],
    "contract.deterministic": ["global state", "train", "eval"],
    "contract.history": [
        "first call",
        "new values in the same storage",
        "first weight again",
        "a weight that moved by 2^-20 of itself",
        "recorded for a gradient",
        "after another instance's training",
        "after a call in float32",
        "in inference mode",
    ],
    "contract.train_eval": [
        "eval",
        "eval at another weight",
        "eval before any training",
        "gradient in eval",
        "gradient in eval, value",
    ],
    "contract.layout": [
        *(
            f"{shape} {layout}{what}"
            for shape in ("3x5", "4x4", "7x3", "4x2x3x3")
            for layout in (LAYOUTS if "x3x" not in shape else [*LAYOUTS, "channels_last"])
            for what in ("", ", gradient")
        ),
        *(
            f"{layout}{what}"
            for layout in ("overlapping windows", "3x5x2x2 expanded over space", "one row expanded")
            for what in ("", ", gradient")
        ),
        "4x2x3x3 beside the matrix of its rows",
    ],
    "contract.state": ["deepcopy", "pickle", "state_dict into an instance made for another weight"],
    "contract.layers": [
        "Linear",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "Embedding",
    ],
    "property.unit_norm_rows": [
        *STRUCTURED,
        *(f"4x9 times 2^{exponent}" for exponent in (-12, -6, 6, 12)),
        "row norms over 1e+02",
        "opposite rows",
        "condition 1e+03",
        "row norms over 1e+06",
        "orthonormal zero-mean rows",
        "singular values 2, 2, 1, 1",
        "orthonormal rows",
        *product([*SHAPES, *KERNELS, *FURTHER_KERNELS], ["float64", "float32"]),
    ],
    "gradient.vjp": [*SHAPES, *KERNELS],
    "gradient.structured": [*STRUCTURED, "opposite rows", "equal rows"],
    "gradient.conditioning": [
        "row norms over 1e+06",
        "condition 1e+03",
        "singular values 1e-09 apart",
        "5x12 times 2^-20",
        "5x12 times 2^-44",
    ],
    "gradient.loss": [
        f"{shape} {pair}"
        for shape in (*SHAPES[:4], *KERNELS)
        for pair in (PAIRS if shape != "5x2x3x3" else [*PAIRS[:3], "a channels_last cotangent", *PAIRS[3:]])
    ],
    "gradient.float32": [
        *SHAPES,
        *KERNELS,
        "row norms over 1e+03",
        "6x1100",
        *product([*SHAPES[:3], KERNELS[0], "5x12 times 16"], ["bfloat16", "float16"]),
    ],
    "gradient.forward_mode": SHAPES[:4],
    "gradient.second_order": [*SHAPES, *KERNELS[:2]],
    "gradient.invariance": [
        f"{name} at {shape}"
        for name in ("scale_invariant", "row_scale_invariant")
        for shape in SHAPES
        if shape != "1x6"
    ],
    "precision.forward": product([*SHAPES, "row norms over 1e+03", "6x1100"], ["float32", "bfloat16", "float16"]),
    "precision.float64": [*SHAPES[:4], *FAR_AWAY],
    "edge.zero_row": ["row 1 zero"],
    "edge.constant_row": ["row 2 constant"],
    "edge.zero_matrix": ["all zero"],
    "edge.rank_deficient": ["rows 0 and 3 equal", "row 3 the sum of rows 0 and 1"],
    "edge.tall": ["9x4"],
    "edge.smallest": ["1x1", "1x5", "5x1"],
    "edge.repeated_singular_values": [
        "orthonormal zero-mean rows",
        "singular values 2, 2, 1, 1",
        "orthonormal rows",
    ],
    "edge.scale": [
        *("2^-664 in float64", "2^664 in float64", "2^-100 in float32", "2^100 in float32"),
        *("2^-30 in bfloat16", "2^20 in bfloat16", "2^9 in float16"),
    ],
    "edge.large_mean": [f"mean {sign}2^{exponent} in float32" for exponent in (10, 12) for sign in ("", "-")],
    "edge.nan_row": ["NaN", "infinity"],
    "gradient.singular": [
        "a zero row",
        "a constant row",
        "equal rows",
        "a row that is the sum of two",
        "a zero entry",
        "two equal largest entries",
        "largest entries of both signs",
        "two equal smallest entries",
        "orthonormal zero-mean rows",
        "singular values 2, 2, 1, 1",
        "orthonormal rows",
    ],
    "gradient.sizes": ["33x65", "65x33", "5x257", "32x64", "257x5", "5x1025", "1025x5", "3x4097", *FURTHER_KERNELS],
    "edge.empty": ["0x5", "4x0"],
    "contract.device": ["5x12", "3x5", "4x2x3x3"],
    "lifecycle.training": [
        f"{optimiser} on {layer}, {dtype}, {what}"
        for dtype in ("float64", "float32")
        for optimiser in ("SGD with momentum", "AdamW with weight decay")
        for layer in ("Linear", "Conv2d")
        for what in (
            *(f"step {step}: unit_norm_rows" for step in (1, 2, 3, 4)),
            "averaged: unit_norm_rows",
            "loaded",
            "taken off",
            "taken off: unit_norm_rows",
        )
    ],
    "execution.compile": product(["5x12 #1", "5x12 #2", "5x12 #3"], ["value", "gradient"]),
    "execution.export": product(["5x12 #1", "5x12 #2", "5x12 #3"], ["value"]),
    "execution.vmap": [
        f"{what}, stacked along the {axis} axis: 5x12 #{k}"
        for axis in ("first", "last")
        for what in ("value", "gradient")
        for k in (1, 2, 3)
    ],
    "execution.functional_call": ["value"],
    "execution.autocast": ["value", "gradient"],
    "execution.threads": [
        f"{ahead} lines ahead: {what} of the {which} thread"
        for ahead in (0, 1, 2, 4)
        for which in ("first", "second")
        for what in ("value", "gradient")
    ],
    "cost.work": ["work", "256x512"],
    "cost.memory": ["tensors kept for the backward", "tensors made on the way"],
    "cost.calls": ["operations called"],
}
"""Check → every case that a sound subject meets, all of them passes."""
