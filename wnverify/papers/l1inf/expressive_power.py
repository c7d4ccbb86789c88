"""L1,∞, Sec. 5.2: whether a small c limits what a network with ReLU and a free output layer can represent."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import networks


class Rescaling(NamedTuple):
    """Factors for a network of k hidden layers that shall bring them into a ball t times as large, 0 < t ≤ 1.

    Hidden layer ℓ: weights times ``weight(t, ℓ)``, biases times ``bias(t, ℓ)``; output weights times ``output(t, k)``.
    """

    weight: Callable[[Any, int], Any]
    bias: Callable[[Any, int], Any]
    output: Callable[[Any, int], Any]


HOMOGENEOUS: Final = Rescaling(lambda t, _: t, lambda t, layer: t**layer, lambda t, k: t**-k)
"""For ReLU the same function: the pre-activations of hidden layer ℓ are multiplied by t^ℓ > 0."""
WIDTHS: Final = ((2, 2, 1), (2, 3, 2, 1), (3, 2, 2, 2, 2))
T: Final = Fraction(1, 10)


def rescaled(network: networks.Network, t: Any, by: Rescaling = HOMOGENEOUS) -> networks.Network:
    """``network`` with its entries times the factors of ``by``, in fractions or in symbols; the output bias stays."""
    *hidden, last = network
    k = len(hidden)
    layers = [
        tuple((by.bias(t, number) * b, *(by.weight(t, number) * w for w in ws)) for b, *ws in layer)
        for number, layer in enumerate(hidden, start=1)
    ]
    return (*layers, tuple((b, *(by.output(t, k) * w for w in ws)) for b, *ws in last))


@claim(
    "L1-T2-EXPR",
    place="Sec. 5.2",
    statement="A small c limits the expressive power of the network: some network of 𝒮_c has no equal in 𝒮_{tc}.",
    hypotheses=("the output layer is unconstrained (Secs. 2.3 and 4, Alg. 1)", "ReLU"),
    reading="expressive power: the set 𝒮_c of functions.  Were the output layer bounded by c too, as 'for all ℓ' in "
    "Sec. 4 could be read, |f| would be bounded and the statement true.",
    formula=None,
    corrected="With ReLU 𝒮_c is the same set for every c > 0: weights of hidden layer ℓ times t, biases times t^ℓ, "
    "output weights times t^{−k} give the same function with every hidden ‖Ṽ_ℓ‖_{1,∞} at most t times as large.  The "
    "larger training error at small c is one of training, with an output layer that would have to grow by t^{−k}.",
    corrected_formula=HOMOGENEOUS,
    faults={
        "biases times t": HOMOGENEOUS._replace(bias=lambda t, _: t),
        "output weights times 1/t": HOMOGENEOUS._replace(output=lambda t, _: 1 / t),
        "biases left as they are": HOMOGENEOUS._replace(bias=lambda t, _: Fraction(1)),
        "weights times the root of t": HOMOGENEOUS._replace(
            weight=lambda t, _: Fraction(1, 3), bias=lambda t, layer: Fraction(1, 3) ** layer,
            output=lambda t, k: Fraction(3) ** k,
        ),
    },
)  # fmt: skip
def expressive_power(formula: Rescaling | None, quick: bool) -> Measured:
    by = formula or HOMOGENEOUS
    failed: Json = None
    found: Json = None
    for start, widths in enumerate(WIDTHS, start=1):
        network = networks.network_of(widths, start)
        other = rescaled(network, T, by)
        smaller = all(networks.norm(b) <= T * networks.norm(a) for a, b in zip(network[:-1], other[:-1], strict=True))
        for x in networks.inputs_of(widths[0]):
            values = [networks.value(each, x, networks.relu) for each in (network, other)]
            shown: Json = {
                "f": networks.shown(network),
                "rescaled": networks.shown(other),
                "x": [str(v) for v in x],
                "values": [[str(v) for v in value] for value in values],
                "hidden norms t times as large": smaller,
            }
            if not smaller or values[0] != values[1]:
                failed = failed or shown
            found = found or shown
    same = failed is None
    note = f"{len(WIDTHS)} networks and their rescaled forms at t = {T}, values and norms in fractions"
    # The statement as printed denies that such a rescaling exists; any other formula is one.
    routes = [said("exact", same if formula else not same, note, power=0.0), _by_patterns(by, formula is None)]
    return Measured(parts=[Part("the same functions at c and at t c", routes, found if formula is None else failed)])


def _by_patterns(by: Rescaling, denied: bool) -> Evidence:
    """k = 2, one unit a layer: pre-activations times a positive factor, so every pattern of ReLU keeps its value."""
    import sympy

    t = sympy.Rational(T.numerator, T.denominator)
    a, b, c, d, e, g, x = sympy.symbols("a b c d e g x", real=True)
    weight = [sympy.Rational(*by.weight(T, layer).as_integer_ratio()) for layer in (1, 2)]
    bias = [sympy.Rational(*by.bias(T, layer).as_integer_ratio()) for layer in (1, 2)]
    output = sympy.Rational(*by.output(T, 2).as_integer_ratio())
    same = weight[0] <= t and bias[0] <= t and weight[1] <= t and bias[1] <= t
    for first in (0, 1):
        u, v = a * x + b, weight[0] * a * x + bias[0] * b
        p, q = c * first * u + d, weight[1] * c * first * v + bias[1] * d
        for factor in (sympy.cancel(v / u), sympy.cancel(q / p)):
            same = same and bool(factor.is_number and factor > 0)
        for second in (0, 1):
            same = same and sympy.expand(g * second * p + e - output * g * second * q - e) == 0
    return said("symbolic", same != denied, "k = 2, one unit a layer, all four patterns of ReLU", power=0.0)
