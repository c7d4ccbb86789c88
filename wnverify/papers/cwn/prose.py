"""CWN, sections 2 and 3: what the prose and the captions assert, from the paper's numbers kept as data.

Where the text prints no number (a figure holds it, or nobody measured it) the claim is undecided; the same rule
decides it as soon as it is given numbers, which is how its planted faults are caught.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Measured, Part, claim, said

TEST_IMAGES: Final = 10_000
"""Test images of CIFAR-10 (the data set's own figure; the supplement does not print it)."""
STANDARD_ERRORS: Final = 2
"""A margin of fewer standard errors is not told from chance."""
OURS: Final = "CWN"

ERRORS: Final[Mapping[str, str]] = MappingProxyType({"CWN": "5.64", "plain": "6.00", "WN": "6.01"})
"""Sec. 2: test errors of GoogLeNet on CIFAR-10, in percent, as printed."""


@claim(
    "CWN-S2-BEST",
    place="sec. 2",
    statement="GoogLeNet on CIFAR-10: CWN has the lowest test error, 5.64 %, against 6.00 % (plain) and 6.01 % (WN).",
    reading="a comparison of the three printed numbers; whether the margin is more than chance is a further "
    "question, answered in the figures for one run on independent test sets.",
    formula=ERRORS,
    faults={
        "CWN and WN exchanged": {**ERRORS, "CWN": "6.01", "WN": "5.64"},
        "a tie with plain": {**ERRORS, "CWN": "6.00"},
        "a slip of a digit": {**ERRORS, "CWN": "6.54"},
        "a number of no whole number of images": {**ERRORS, "CWN": "5.645"},
    },
)
def lowest_error(formula: Mapping[str, str], quick: bool) -> Measured:
    errors = {name: Decimal(text) for name, text in formula.items()}
    images = {name: value * TEST_IMAGES / 100 for name, value in errors.items()}
    whole = all(count == int(count) for count in images.values())
    rivals = [name for name in errors if name != OURS]
    lowest = all(errors[OURS] < errors[name] for name in rivals)
    fewest = sorted(images, key=lambda name: (images[name], name == OURS))[0] == OURS
    margins = {name: standard_errors(errors[OURS], errors[name], TEST_IMAGES) for name in rivals}
    figures: dict[str, Json] = {f"images wrong, {name}": float(count) for name, count in images.items()}
    figures |= {f"margin over {name} in standard errors": value for name, value in margins.items()}
    nearest = min(rivals, key=lambda name: errors[name])
    chance = "does not tell it" if margins[nearest] < STANDARD_ERRORS else "tells it"
    message = (
        f"The margin over {nearest} is {int(images[nearest] - images[OURS])} of {TEST_IMAGES} test images, "
        f"{margins[nearest]} standard errors of a difference of two binomial counts: one run {chance} from chance, "
        "and the text gives no number of runs."
    )
    witness: Json = {name: f"{text} %" for name, text in formula.items()}
    return Measured(
        parts=[
            Part(
                "lowest",
                [
                    said("arithmetic", lowest, "printed decimals compared", power=0.0),
                    said("arithmetic", fewest, "fewest images wrong", power=0.0, figures=figures),
                ],
                witness,
            ),
            Part(
                "possible on the test set",
                [said("arithmetic", whole, f"each error is a whole number of {TEST_IMAGES} images", power=0.0)],
                witness,
            ),
        ],
        message=message,
    )


EPOCHS: Final[Mapping[str, int | None]] = MappingProxyType({"CWN": None, "WN": None, "plain": None})
"""Sec. 2: epochs to a common training error; the text prints none, figure 1 is not in it."""


@claim(
    "CWN-S2-SPEED",
    place="sec. 2",
    statement="CWN is marginally faster in training than WN and plain (GoogLeNet on CIFAR-10).",
    reading="faster: fewer epochs to a common training error; the text gives no such number and leaves the matter to "
    "figure 1.",
    formula=EPOCHS,
    faults={
        "WN is faster": {"CWN": 50, "WN": 40, "plain": 60},
        "plain is faster": {"CWN": 50, "WN": 60, "plain": 49},
        "all alike": {"CWN": 50, "WN": 50, "plain": 50},
    },
)
def faster(formula: Mapping[str, int | None], quick: bool) -> Measured:
    missing = [name for name, epochs in formula.items() if epochs is None]
    known = {name: epochs for name, epochs in formula.items() if epochs is not None}
    if missing:
        note = f"only figure 1 holds the epochs of {', '.join(missing)}, and the text does not contain the figure"
        route = said("reading", None, note)
    else:
        first = all(known[OURS] < epochs for name, epochs in known.items() if name != OURS)
        route = said("arithmetic", first, "epochs compared", power=0.0)
    return Measured(parts=[Part("speed", [route], dict(known))])


OUTCOMES: Final[Mapping[str, bool | None]] = MappingProxyType({"regularises": None, "improves conditioning": None})
"""Sec. 2: what was measured of the two halves of the conjecture; the text says of neither how."""


@claim(
    "CWN-S2-CONJ",
    place="sec. 2",
    statement="Centring the weight regularises the network and also improves the conditioning of the optimisation "
    "problem.",
    reading="printed as a conjecture, with no measure of regularisation or conditioning to test it by.",
    formula=OUTCOMES,
    faults={
        "measured: does not regularise": {"regularises": False, "improves conditioning": True},
        "measured: no better conditioned": {"regularises": True, "improves conditioning": False},
        "measured: conditioning alone, and worse": {"regularises": None, "improves conditioning": False},
    },
)
def conjecture(formula: Mapping[str, bool | None], quick: bool) -> Measured:
    def route(name: str, outcome: bool | None) -> Evidence:
        if outcome is None:
            return said("reading", None, f"'{name}' is conjectured; the text defines no measure of it and reports none")
        return said("arithmetic", outcome, f"'{name}' as measured", power=0.0)

    return Measured(parts=[Part(name, [route(name, outcome)], {name: outcome}) for name, outcome in formula.items()])


class Notation(NamedTuple):
    """The captions' notations as roles of their arguments, with the numbers they print."""

    conv: tuple[str, ...]
    conv_example: tuple[int, ...]
    block: tuple[str, ...]
    fc: tuple[str, ...]
    pool_region: int
    pool_step: int
    residual_layers: int


CAPTIONS: Final = Notation(
    conv=("in", "out", "height", "width"),
    conv_example=(3, 64, 3, 3),
    block=("in", "out"),
    fc=("in", "out"),
    pool_region=2,
    pool_step=2,
    residual_layers=56,
)
IMAGE_CHANNELS: Final = 3
IMAGE_SIDE: Final = 32
"""Channels and side of a CIFAR image."""
VGG_A_POOLS: Final = 5
"""Max-pooling layers of VGG-A (configuration A of the architecture's paper)."""
STAGES: Final = 3
LAYERS_OUTSIDE: Final = 2
LAYERS_IN_BLOCK: Final[Mapping[str, int]] = MappingProxyType({"basic": 2, "bottleneck": 3})
"""CIFAR residual networks: 3 stages of n blocks, one convolution before and one linear layer after."""


@claim(
    "CWN-S3-NOTATION",
    place="captions of figs. 2-4",
    statement="conv(3,64,3,3): 3×3 filter, 3 input and 64 output feature maps; Block(d,n) and Fc(d,n): sizes on the "
    "input and output side; MaxPool(2,2,2,2): 2×2 regions, step 2×2; '×n': n stacked blocks; 56-layer residual "
    "network. Are these notations coherent, with each other and with the networks they name?",
    reading="the figures are not in the text, and images are taken to be those of CIFAR (3 × 32 × 32): decided is "
    "whether the captions can be true together, not what the figures show.",
    formula=CAPTIONS,
    faults={
        "output maps first": CAPTIONS._replace(conv=("out", "in", "height", "width")),
        "a filter for one-channel images": CAPTIONS._replace(conv_example=(1, 64, 3, 3)),
        "Fc has the output first": CAPTIONS._replace(fc=("out", "in")),
        "pooling by steps of 3": CAPTIONS._replace(pool_step=3),
        "pooling over regions of 3": CAPTIONS._replace(pool_region=3),
        "55 layers": CAPTIONS._replace(residual_layers=55),
        "54 layers": CAPTIONS._replace(residual_layers=54),
    },
)
def notation(formula: Notation, quick: bool) -> Measured:
    sizes = dict(zip(formula.conv, formula.conv_example, strict=True))
    square = sizes["height"] == sizes["width"] == 3
    side = IMAGE_SIDE
    for _ in range(VGG_A_POOLS):
        side = (side - formula.pool_region) // formula.pool_step + 1 if side >= formula.pool_region else 0
    outside = formula.residual_layers - LAYERS_OUTSIDE
    blocks = {name: outside / (STAGES * layers) for name, layers in LAYERS_IN_BLOCK.items()}
    whole = {name: int(n) for name, n in blocks.items() if n == int(n)}
    orders = {
        tuple(role for role in roles if role in ("in", "out")) for roles in (formula.conv, formula.block, formula.fc)
    }
    parameters = math.prod(formula.conv_example)
    depth: dict[str, Json] = {f"blocks a stage, {name}": n for name, n in whole.items()}
    parts = [
        Part(
            "conv(3,64,3,3) reads an image",
            [
                said(
                    "arithmetic",
                    sizes["in"] == IMAGE_CHANNELS and square,
                    f"{sizes['in']} input maps for {IMAGE_CHANNELS} colour channels",
                    power=0.0,
                    figures={
                        "weights": parameters,
                        "fan-in d of a filter": sizes["in"] * sizes["height"] * sizes["width"],
                    },
                )
            ],
            sizes,
        ),
        Part(
            "input before output everywhere",
            [said("reading", len(orders) == 1, "conv, Block and Fc name the two sizes in one order")],
            {"conv": list(formula.conv), "Block": list(formula.block), "Fc": list(formula.fc)},
        ),
        Part(
            "MaxPool(2,2,2,2) five times",
            [said("arithmetic", side == 1, f"a side of {IMAGE_SIDE} becomes {side}", power=0.0)],
            {"region": formula.pool_region, "step": formula.pool_step, "side after five": side},
        ),
        Part(
            "56 layers",
            [
                said(
                    "arithmetic",
                    bool(whole),
                    "layers = 2 + 3 stages × n blocks × layers of a block",
                    power=0.0,
                    figures=depth,
                )
            ],
            {"layers": formula.residual_layers, "blocks a stage": {name: round(n, 3) for name, n in blocks.items()}},
        ),
    ]
    message = (
        "56 layers fit 9 blocks of two layers a stage and 6 of three alike, so the depth alone does not tell which; "
        "d and n are numbers of feature maps in fig. 2, while d is the dimension of v in eq. 3 and n in fig. 4 a "
        "number of blocks."
        if set(whole) == set(LAYERS_IN_BLOCK)
        else ""
    )
    return Measured(parts=parts, message=message)
