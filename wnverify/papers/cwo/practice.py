"""CWO: what is done with the method in use: inference, weight decay, momentum, and the network of 9 layers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo import laws, maps


class Folded(NamedTuple):
    """The matrix and bias that are stored for inference, of (Ŵ, γ, β), and how many more than in a plain layer."""

    fold: Callable[[Any, Any, Any], tuple[Any, Any]]
    extra: int


FOLDED: Final = Folded(
    lambda W, gamma, beta: ([[c * x for x in row] for c, row in zip(gamma, W, strict=True)], list(beta)), 0
)


@claim(
    "CWO-P-PRECOMP",
    place="Secs. 1–2",
    statement="Normalised weights can be computed in advance, so that inference costs nothing in addition: with γ, β "
    "of eq. 6 and no noise a layer is the affine map with the rows γ_i ŵ_i and the biases β_i.",
    hypotheses=("at inference",),
    reading="against a layer with a bias; what is counted are the stored numbers, each used once for an output. (BN "
    "with statistics fixed at inference folds in the same way; normalizations that look at the input do not.)",
    formula=FOLDED,
    faults={
        "the bias is scaled too": FOLDED._replace(
            fold=lambda W, gamma, beta: (FOLDED.fold(W, gamma, beta)[0], [c * b for c, b in zip(gamma, beta)])  # noqa: B905
        ),
        "the scale is left out": FOLDED._replace(fold=lambda W, gamma, beta: (W, list(beta))),
        "the bias is left out": FOLDED._replace(
            fold=lambda W, gamma, beta: (FOLDED.fold(W, gamma, beta)[0], [0 * b for b in beta])
        ),
        "divided by the scale": FOLDED._replace(
            fold=lambda W, gamma, beta: ([[x / c for x in row] for c, row in zip(gamma, W, strict=True)], list(beta))
        ),
        "one number more": FOLDED._replace(extra=1),
    },
)  # fmt: skip
def precomputed(formula: Folded, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import coordinates, is_identity

    w, x = list(coordinates("w", 3)), list(coordinates("x", 3))
    gamma, beta = sympy.symbols("gamma beta", real=True)
    rows, bias = formula.fold([w], [gamma], [beta])
    proof = is_identity(laws.dot(rows[0], x) + bias[0], gamma * laws.dot(w, x) + beta)
    symbolic = said("symbolic", proof, "γ (ŵ·x) + β = (γ ŵ)·x + β, n = 3", power=0.0)
    W = [[Fraction(y) for y in row] for row in ((1, 1, -1, -1), (-1, 1, 1, -1))]  # standardized, and ‖ŵ‖² = 4
    scales, biases = [Fraction(3), Fraction(-1, 2)], [Fraction(5), Fraction(1)]
    rows, bias = formula.fold(W, scales, biases)
    witness: Json = None
    for point in itertools.product(map(Fraction, (-1, 0, 2)), repeat=4):
        direct = [c * laws.dot(row, point) + b for c, row, b in zip(scales, W, biases, strict=True)]
        folded = [laws.dot(row, point) + b for row, b in zip(rows, bias, strict=True)]
        if direct != folded and witness is None:
            witness = {"ŵ": [[str(y) for y in row] for row in W], "γ": [str(y) for y in scales]}
            witness |= {
                "x": [str(y) for y in point],
                "layer": [str(y) for y in direct],
                "folded": [str(y) for y in folded],
            }
    exact = said("exact", witness is None, "81 inputs, two rows of fan-in 4, in rationals", power=0.0)
    stored = sum(len(row) for row in rows) + len(bias)
    plain = sum(len(row) for row in W) + len(W)
    count = said(
        "arithmetic", stored - plain == formula.extra, f"{stored} numbers stored, {plain} in a plain layer", power=0.0
    )
    return Measured(
        parts=[
            Part("the same outputs", [symbolic, exact], witness),
            Part("the same cost", [count], {"stored": stored, "plain": plain, "extra claimed": formula.extra}),
        ],
        message="In floating point the folded layer agrees up to rounding, not bit for bit.",
    )


TRAINED: Final = (
    ("CNN", Fraction(1, 10), Fraction(1, 1000)),
    ("WideResNet", Fraction(1, 5), Fraction(5, 1000)),
    ("ResNet", Fraction(1, 5), Fraction(1, 1000)),
)
"""Sec. 4.1.1: network, initial learning rate, weight decay."""


@claim(
    "CWO-P-WD",
    place="Sec. 4.1.1 (implied)",
    statement="Weight decay λ (10^-3 to 5·10^-3) acts on weights that Alg. 1 keeps on a sphere: with what effect on a "
    "step (no momentum)? Answer: none but a larger step, α/(1 − α λ) in the place of α: 1.0001 to 1.001 times.",
    hypotheses=("w feasible: ‖w‖² = c, 1·w = 0", "α λ < 1 (at most 0.001 in the experiments)"),
    reading="decay added to the gradient, g + λ w, before Alg. 1 centres it; the formula is the step without decay "
    "that gives the same w′, of (α, λ).",
    formula=lambda alpha, decay: alpha / (1 - alpha * decay),
    faults={
        "no effect at all": lambda alpha, decay: alpha,
        "a smaller step": lambda alpha, decay: alpha * (1 - alpha * decay),
        "the wrong sign": lambda alpha, decay: alpha / (1 + alpha * decay),
        "to first order": lambda alpha, decay: alpha * (1 + alpha * decay),
        "without the rate": lambda alpha, decay: alpha / (1 - decay),
    },
)
def decay_on_sphere(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram

    n, alpha, decay = sympy.symbols("n alpha lambda", positive=True)
    gram = Gram({("one", "one"): n, ("w", "one"): 0})
    w, g, one = (gram.vector(name) for name in ("w", "g", "one"))

    def stepped(gradient: Any, rate: Any) -> Any:
        return w - rate * (gradient - (one @ gradient) / n * one)

    off = stepped(g + decay * w, alpha) - (1 - alpha * decay) * stepped(g, formula(alpha, decay))
    symbolic = said(
        "symbolic", off.is_zero(), "w̃ with decay = (1 − α λ) times w̃ without, which Alg. 1 normalises away", power=0.0
    )
    witness: Json = None
    with maps.at_precision():
        differences = []
        for _, alpha, decay in (*TRAINED, ("", Fraction(1, 2), Fraction(1, 2))):
            w, g = maps.vector(map(Fraction, (1, 0, -1))), maps.vector(map(Fraction, (2, -1, 3)))
            after = [
                _alg1(w, g + maps.vector([decay])[0] * w, alpha), _alg1(w, g, Fraction(formula(alpha, decay)))
            ]  # fmt: skip
            shown: dict[str, Json] = {"w": [1, 0, -1], "g": [2, -1, 3], "α": str(alpha), "λ": str(decay)}
            shown |= {"w′ with decay": maps.numbers(after[0]), "w′ at the claimed step": maps.numbers(after[1])}
            differences.append((after[0] - after[1], 1.0, shown))
        enclosed, witness = maps.vanishing(
            differences, "whole steps of Alg. 1 at the rates of sec. 4.1.1 and one other"
        )
    factors = ", ".join(f"{float(formula(a, d) / a):.6f} ({name})" for name, a, d in TRAINED)
    return Measured(
        parts=[Part("a step", [symbolic, enclosed], witness)],
        message=f"Factors at the initial learning rates: {factors}. At w^(1), where 1·w = 0 may fail, decay acts on "
        "the mean too.",
    )


def _alg1(w: Any, g: Any, rate: Fraction, c: int = 2) -> Any:
    """One step of Alg. 1 in balls."""
    import flint

    level = maps.mean_of(g)
    stepped = maps.objects([x - maps.vector([rate])[0] * (y - level) for x, y in zip(w, g, strict=True)])
    return flint.arb(c).sqrt() * stepped / maps.norm_of(stepped)


Momentum = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
"""(w − its predecessor, buffer, centred gradient, ρ) → (what α times is subtracted from w, new buffer)."""


def buffer_of_gradients(moved: Any, buffer: Any, g: Any, rho: Any) -> tuple[Any, Any]:
    """m ← ρ m + P g, as in SGD; buffering g and centring m is the same, P being linear."""
    return rho * buffer + g, rho * buffer + g


def heavy_ball(moved: Any, buffer: Any, g: Any, rho: Any) -> tuple[Any, Any]:
    """ρ (w^(t) − w^(t−1)) of the normalised weights in the place of the buffer; ``moved`` is over −α."""
    return rho * moved + g, buffer


@claim(
    "CWO-P-MOM",
    place="Alg. 1 vs Sec. 4.1.1",
    statement="The experiments use momentum 0.9, Alg. 1 prints plain gradient descent: is the combination specified, "
    "as Alg. 1 with SGD's buffer m ← 0.9 m + g in the place of the gradient?",
    hypotheses=("w^(1) feasible",),
    reading="the paper does not say; the two ways to add momentum that leave Alg. 1 as it is where ρ = 0 are each "
    "compared with the formula over three steps. (Dampening and Nesterov's form would be further ones.)",
    formula=buffer_of_gradients,
    faults={
        "dampened": lambda moved, m, g, rho: ((rho * m + (1 - rho) * g),) * 2,
        "no momentum": lambda moved, m, g, rho: (g, m),
        "the wrong sign": lambda moved, m, g, rho: (g - rho * m,) * 2,
        "applied twice, as Nesterov's": lambda moved, m, g, rho: (g + rho * (rho * m + g), rho * m + g),
    },
)
def momentum(formula: Momentum, quick: bool) -> Measured:
    readings = []
    for text, rule in (
        (
            "SGD's buffer of gradients (centred before or after) in the place of the gradient of Alg. 1",
            buffer_of_gradients,
        ),
        ("heavy ball: 0.9 times the last move of the normalised weight is added before normalising", heavy_ball),
    ):
        with maps.at_precision():
            claimed, found = _iterates(formula), _iterates(rule)
            shown: dict[str, Json] = {
                "w^(1)": [1, 0, -1],
                "loss": "(w_1² + 3 w_2² − 2 w_3²)/2 + w_2",
                "α": "1/10",
                "ρ": "9/10",
            }
            shown |= {"w^(3) by the formula": maps.numbers(claimed[2]), "by this reading": maps.numbers(found[2])}
            enclosed, witness = maps.vanishing(
                [(a - b, 1.0, shown) for a, b in zip(claimed, found, strict=True)], "w^(2) to w^(4), n = 3, c = 2"
            )
        readings.append(Reading(text, [Part("the iterates", [enclosed], witness)]))
    return Measured(readings=readings)


def _iterates(rule: Momentum) -> list[Any]:
    """Three steps of Alg. 1 with ``rule`` on a quadratic, α = 1/10, ρ = 9/10."""
    import flint

    w, slopes, shift = (maps.vector(map(Fraction, row)) for row in ((1, 0, -1), (1, 3, -2), (0, 1, 0)))
    rate, rho = maps.vector([Fraction(1, 10), Fraction(9, 10)])
    buffer = moved = 0 * w
    seen = []
    for _ in range(3):
        g = slopes * w + shift
        step, buffer = rule(moved, buffer, g - maps.mean_of(g), rho)
        after = w - rate * step
        after = flint.arb(2).sqrt() * after / maps.norm_of(after)
        moved, w = (w - after) / rate, after
        seen.append(w)
    return seen


CNN9: Final = (
    "Conv(3,64)", "Conv(3,64)", "Conv(3,64)", "AvgPool(2)",
    "Conv(3,128)", "Conv(3,128)", "Conv(3,128)", "AvgPool(2)",
    "Conv(3,256)", "Conv(3,256)", "Conv(3,256)", "GAP", "Linear",
)  # fmt: skip
"""Sec. 4.1.1: the configuration as printed."""


@claim(
    "CWO-P-CNN9",
    place="Sec. 4.1.1",
    statement="The '9-layer CNN' has 3 + 3 + 3 convolutions, two average pools between them, GAP and a linear layer.",
    reading="the nine layers are the convolutions, as WideResNet-28 counts them; with the linear layer, which "
    "ResNet-110 counts, they would be ten.",
    formula=CNN9,
    faults={
        "a convolution too few": CNN9[1:],
        "a convolution too many": ("Conv(3,64)", *CNN9),
        "a pool too few": (*CNN9[:3], *CNN9[4:]),
        "a kernel of size 5": ("Conv(5,64)", *CNN9[1:]),
        "no linear layer": CNN9[:-1],
    },
)
def nine_layers(formula: tuple[str, ...], quick: bool) -> Measured:
    groups = [list(group) for pool, group in itertools.groupby(formula, lambda x: x.startswith("AvgPool")) if not pool]
    convolutions = [[each for each in group if each.startswith("Conv")] for group in groups]
    counts = [len(group) for group in convolutions]
    kernels = {tuple(map(int, re.findall(r"\d+", each))) for group in convolutions for each in group}
    uniform = kernels == {(3, 64), (3, 128), (3, 256)} and all(len(set(group)) == 1 for group in convolutions)
    side, fan_in, channels = 32, [], 3
    for each in formula:
        if each.startswith("Conv"):
            kernel, width = map(int, re.findall(r"\d+", each))
            fan_in.append(kernel * kernel * channels)
            channels = width
        elif each.startswith("AvgPool"):
            side //= 2
    ends = formula[-2:] == ("GAP", "Linear") and "GAP" not in formula[:-2]
    figures: dict[str, Json] = {
        "fan-ins": list(fan_in),
        "side before GAP": side,
        "with the linear layer": sum(counts) + 1,
    }
    note = f"{' + '.join(map(str, counts))} = {sum(counts)}"
    count = said("arithmetic", sum(counts) == 9 and counts == [3, 3, 3], note, power=0.0, figures=figures)
    note = "3 × 3 kernels, 64, 128, 256 maps; 32 → 16 → 8; GAP, linear"
    rest = said("arithmetic", uniform and ends and side == 8, note, power=0.0)
    shown: Json = {"configuration": list(formula), "convolutions": list(counts)}
    message = (
        "The names in the same sentence count differently: ResNet-110 has 1 + 3·18·2 = 109 convolutions and counts its "
        "linear layer, WideResNet-28 has 1 + 3·4·2 and 3 in shortcuts = 28 and does not."
    )
    return Measured(parts=[Part("nine", [count], shown), Part("the rest", [rest], shown)], message=message)
