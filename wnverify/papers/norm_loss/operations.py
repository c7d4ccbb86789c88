"""Norm loss, section IV-B: operation counts, found by executing schedules on numbers that count."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence
from wnverify.papers.arithmetic import Counted
from wnverify.papers.claims import Condition, Measured, Part, Reading, claim, said
from wnverify.papers.norm_loss.witnesses import exact, proved, shown

Count = Callable[[Any, Any], Any]
"""Operations as a function of (N, C_o): N weights in C_o filters."""
SHAPES: Final = ((2, 4), (3, 1), (4, 9), (1, 27), (8, 12))
"""(filters, weights of each)."""


def _square_norm(row: list[Counted]) -> Counted:
    squares = [w * w for w in row]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    return total


def weight_decay(row: list[Counted], grads: list[Counted], twice: Counted) -> list[Counted]:
    """g + 2λ w with 2λ at hand."""
    return [g + twice * w for g, w in zip(grads, row, strict=True)]


def scaled_first(row: list[Counted], grads: list[Counted], twice: Counted) -> list[Counted]:
    """Every weight times 1 − 1/‖w‖, then as weight decay; the inverse root is one operation."""
    factor = Counted(1.0) - _square_norm(row).inverse_root()
    return weight_decay([w * factor for w in row], grads, twice)


def root_and_inverse(row: list[Counted], grads: list[Counted], twice: Counted) -> list[Counted]:
    """The same with the root and its inverse as two operations."""
    factor = Counted(1.0) - _square_norm(row).root().inverse()
    return weight_decay([w * factor for w in row], grads, twice)


def factor_first(row: list[Counted], grads: list[Counted], twice: Counted) -> list[Counted]:
    """One factor 2λ (1 − 1/‖w‖) for each filter, then as weight decay."""
    factor = twice * (Counted(1.0) - _square_norm(row).root().inverse())
    return weight_decay(row, grads, factor)


def counted(schedule: Callable[..., list[Counted]], filters: int, size: int) -> int:
    """Operations that the schedule takes on ``filters`` filters of ``size`` weights."""
    Counted.done = 0
    for c in range(filters):
        schedule([Counted(1.0 + i + c) for i in range(size)], [Counted(0.5)] * size, Counted(0.02))
    return Counted.done


def against_counts(formula: Count, schedule: Callable[..., list[Counted]], terms: tuple[int, int], name: str) -> Part:
    """The formula against the executed count, and against a N + b C_o for ``terms`` (a, b), the sum over the steps."""
    import sympy

    witness: Any = None
    for filters, size in SHAPES:
        found, claimed = counted(schedule, filters, size), formula(filters * size, filters)
        if found != claimed and witness is None:
            witness = {"C_o": filters, "N": filters * size, "counted": found, "claimed": claimed}
    N, C = sympy.symbols("N C_o", positive=True)
    steps = terms[0] * N + terms[1] * C
    routes = [
        exact(witness is None, "executed on numbers that count, five shapes"),
        proved(sympy.expand(formula(N, C) - steps) == 0, f"steps added up: {steps}"),
    ]
    return Part(name, routes, witness)


@claim(
    "NL-OPS-WD",
    place="Sec. IV-B",
    statement="Weight decay costs two operations a weight, 2N in all.",
    reading="gradient form, g + 2λ w with 2λ at hand: a multiplication and an addition.",
    formula=lambda N, C: 2 * N,
    faults={
        "one": lambda N, C: N,
        "three": lambda N, C: 3 * N,
        "one more for each filter": lambda N, C: 2 * N + C,
    },
)
def decay_cost(formula: Count, quick: bool) -> Measured:
    return Measured(parts=[against_counts(formula, weight_decay, (2, 0), "2N")])


@claim(
    "NL-OPS-NL",
    place="Sec. IV-B",
    statement="Norm loss costs 3N + C_o + 2N operations.",
    reading="what counts as an operation, and whether the factor meets the weights before 2λ does, is not said.",
    formula=lambda N, C: 3 * N + C + 2 * N,
    faults={
        "2N dropped": lambda N, C: 3 * N + C,
        "3N for the norms dropped": lambda N, C: C + 2 * N,
        "N for C_o": lambda N, C: 3 * N + N + 2 * N,
        "C_o dropped": lambda N, C: 5 * N,
    },
)
def loss_cost(formula: Count, quick: bool) -> Measured:
    readings = [
        Reading(text, [against_counts(formula, schedule, terms, "count")])
        for text, schedule, terms in (
            ("every weight times 1 − 1/‖w‖, then weight decay; 1/√ is one operation: 5N + C_o", scaled_first, (5, 1)),
            ("the same, root and inverse being two operations: 5N + 2C_o", root_and_inverse, (5, 2)),
            ("one factor for each filter, the least work: 4N + 3C_o", factor_first, (4, 3)),
        )
    ]
    return Measured(readings=readings, message="The C_o norms take N multiplications, N − C_o additions and C_o roots.")


@claim(
    "NL-OPS-OV",
    place="Sec. IV-B",
    statement="The overhead of norm loss over weight decay, the difference of the printed counts, is 3N + C_o.",
    reading="difference of (3N + C_o + 2N) and 2N as printed (see NL-OPS-NL for the count itself).",
    formula=(lambda N, C: 3 * N + C + 2 * N, lambda N, C: 2 * N, lambda N, C: 3 * N + C),
    faults={
        "C_o dropped": (lambda N, C: 3 * N + C + 2 * N, lambda N, C: 2 * N, lambda N, C: 3 * N),
        "another decay": (lambda N, C: 3 * N + C + 2 * N, lambda N, C: 3 * N, lambda N, C: 3 * N + C),
        "another total": (lambda N, C: 4 * N + 3 * C, lambda N, C: 2 * N, lambda N, C: 3 * N + C),
    },
)
def overhead(formula: tuple[Count, Count, Count], quick: bool) -> Measured:
    import sympy

    total, decay, claimed = formula
    N, C = sympy.symbols("N C_o", positive=True)
    witness: Any = None
    for filters, size in SHAPES:
        n = filters * size
        if total(n, filters) - decay(n, filters) != claimed(n, filters) and witness is None:
            witness = {"C_o": filters, "N": n, "difference": total(n, filters) - decay(n, filters)}
            witness["claimed"] = claimed(n, filters)
    routes = [
        proved(sympy.expand(total(N, C) - decay(N, C) - claimed(N, C)) == 0, "difference of the printed counts"),
        said("arithmetic", witness is None, "five shapes", power=0.0),
    ]
    return Measured(parts=[Part("difference", routes, witness)])


def flops(m: int, channels: tuple[int, int], kernel: tuple[int, int], image: tuple[int, int], **options: Any) -> int:
    """FLOPs of forward and backward of one convolution by PyTorch's counter; no bias, padding 'same' by default."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    first = options.pop("first", False)
    options = {"padding": (kernel[0] // 2, kernel[1] // 2)} | options
    weight = torch.zeros(channels[1], channels[0], *kernel, requires_grad=True)
    x = torch.zeros(m, channels[0], *image, requires_grad=not first)
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.conv2d(x, weight, **options).sum().backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def multiply_adds(
    m: int,
    channels: tuple[int, int],
    kernel: tuple[int, int],
    image: tuple[int, int],
    stride: int = 1,
    first: bool = False,
) -> int:
    """The same by enumeration: each (image, output position, output channel, weight) is a multiply-add in every pass,
    for the output, for the gradient of the weights and for that of the input; padding counts as work."""
    positions = sum(1 for _ in range(m) for _ in range(0, image[0], stride) for _ in range(0, image[1], stride))
    weights = sum(1 for _ in range(channels[0] * channels[1]) for _ in range(kernel[0] * kernel[1]))
    passes = ("output", "weights") if first else ("output", "weights", "input")
    return 2 * len(passes) * positions * weights


LAYERS: Final = (
    (1, (1, 2), (3, 3), (4, 4)),
    (2, (3, 2), (1, 1), (3, 5)),
    (3, (2, 4), (3, 1), (6, 2)),
)


@claim(
    "NL-OPS-CONV",
    place="Sec. IV-B",
    statement="A convolution layer costs 6 m N I_h I_w a step, with m images of I_h × I_w at its input.",
    reading="a multiplication and an addition for each weight and output position, in three passes of equal cost: "
    "forward, gradient of the weights, gradient of the input.  No bias.",
    formula=lambda m, N, H, W: 6 * m * N * H * W,
    faults={
        "forward only": lambda m, N, H, W: 2 * m * N * H * W,
        "multiplications only": lambda m, N, H, W: 3 * m * N * H * W,
        "one image": lambda m, N, H, W: 6 * N * H * W,
        "a square image": lambda m, N, H, W: 6 * m * N * H * H,
    },
    corrected="6 m N O_h O_w with the output's size, which is the input's for stride 1 and padding that keeps the "
    "size; 4 m N O_h O_w where the input needs no gradient, as in the first layer.",
)
def layer_cost(formula: Callable[..., int], quick: bool) -> Measured:
    counts: list[tuple[str, Callable[..., int]]] = [("multiply-adds enumerated", multiply_adds)]
    if not quick:
        counts.append(("FLOP counter of PyTorch", flops))
    witness: Any = None
    routes: list[Evidence] = []
    for name, count in counts:
        right = True
        for m, channels, kernel, image in LAYERS:
            N = channels[0] * channels[1] * kernel[0] * kernel[1]
            found, claimed = count(m, channels, kernel, image), formula(m, N, *image)
            if found != claimed:
                right = False
                witness = witness or {"m": m, "N": N, "image": list(image), "counted": found, "claimed": claimed}
        routes.append(exact(right, name))
    m, channels, kernel, image = 1, (2, 2), (3, 3), (4, 4)
    claimed = formula(m, 36, *image)
    conditions = []
    for text, options in (
        ("outputs of the size of the inputs: stride 1 and padding that keeps it", {"stride": 2}),
        ("the layer's input needs a gradient: not the first layer", {"first": True}),
    ):
        seen = [(name, count(m, channels, kernel, image, **options)) for name, count in counts]
        case = {"options": shown(options), "N": 36, "image": list(image), "counted": seen[0][1], "claimed": claimed}
        without = [exact(found == claimed, f"{name}: {found} against {claimed}") for name, found in seen]
        conditions.append(Condition(text, without, case))
    left = ("the FLOP counter",) if quick else ()
    return Measured(parts=[Part("6 m N I_h I_w", routes, witness)], conditions=conditions, left_out=left)


USUAL: Final = (
    ("ResNet110, CIFAR, batch 128, 16 filters at 32×32", 128, 16, 16 * 9, 32),
    ("ResNet110, CIFAR, batch 128, first layer", 128, 16, 3 * 9, 32),
    ("ResNet110, CIFAR, batch 128, 64 filters at 8×8", 128, 64, 64 * 9, 8),
    ("WRN-28-10, CIFAR, batch 64, 640 filters at 8×8", 64, 640, 640 * 9, 8),
    ("WRN-28-10, CIFAR-100, batch 8, 640 filters at 8×8", 8, 640, 640 * 9, 8),
    ("ResNet50, ImageNet, batch 128, 1×1 convolution, 2048 filters at 7×7", 128, 2048, 512, 7),
)
"""Layers of the paper's networks: (name, images, filters, weights of each, height and width of the map)."""


@claim(
    "NL-OPS-ORD",
    place="Sec. IV-B",
    statement="The overhead is orders of magnitude below the cost of a convolution layer with weight decay.",
    hypotheses=("usual network and image sizes",),
    reading="orders of magnitude: at least a factor 100.  Counts as printed; usual: the layers of the paper's "
    "networks, with the paper's batch sizes.  It is a count of operations, not of time (see NL-P-TIME).",
    formula=(lambda N, C: 3 * N + C, lambda m, N, A: 6 * m * N * A + 2 * N),
    faults={
        "overhead for each image and position": (
            lambda N, C: 1024 * (3 * N + C),
            lambda m, N, A: 6 * m * N * A + 2 * N,
        ),
        "a layer without positions": (lambda N, C: 3 * N + C, lambda m, N, A: 6 * m * N + 2 * N),
        "weight decay alone": (lambda N, C: 3 * N + C, lambda m, N, A: 2 * N),
    },
)
def orders(formula: tuple[Count, Callable[..., Any]], quick: bool) -> Measured:
    import sympy

    extra, layer = formula
    factors = {
        name: Fraction(layer(m, filters * size, side * side), extra(filters * size, filters))
        for name, m, filters, size, side in USUAL
    }
    worst = min(factors, key=lambda name: factors[name])
    # N = C_o (1 + K) weights, m = 1 and 67 + A positions
    C, K, A = sympy.symbols("C K A", positive=True)
    gap = sympy.expand(layer(1, C * (1 + K), 67 + A) - 100 * extra(C * (1 + K), C))
    routes = [
        said("arithmetic", factors[worst] >= 100, f"least factor {float(factors[worst]):.0f}: {worst}", power=0.0),
        proved(bool(gap.is_positive), "a factor over 100 for every layer with m I_h I_w > 67"),
    ]
    witness = {"layer": worst, "factor": float(f"{float(factors[worst]):.4g}")}
    return Measured(parts=[Part("factor", routes, witness)])
