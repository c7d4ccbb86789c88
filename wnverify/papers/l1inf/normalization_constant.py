"""L1,∞, Secs. 2.3 and 5.2: whether the class S_c depends on the normalization constant c."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.expressive_power import rescaled
from wnverify.papers.l1inf.networks import Network

PRINTED: Final[Mapping[str, bool]] = MappingProxyType(
    {"S_c, ReLU": True, "S_c, tanh": True, "zeros in hidden layers, ReLU": True}
)
"""What is said to depend on c."""
MEASURED: Final[Mapping[str, bool]] = MappingProxyType(
    {"S_c, ReLU": False, "S_c, tanh": True, "zeros in hidden layers, ReLU": False}
)


def fitted(network: Network, c: Fraction) -> Network:
    """``network`` rescaled so that every hidden layer has ‖Ṽ_ℓ‖_{1,∞} ≤ c: t ≤ 1, so that t^ℓ ≤ t."""
    most = max(networks.norm(layer) for layer in network[:-1])
    return rescaled(network, min(Fraction(1), c / most)) if most else network


@claim(
    "L1-P-CSPARS",
    place="Secs. 2.3, 5.2",
    statement="c controls the sparsity and, the output layer being free, the size of the class S_c over which eq. 2.2 "
    "is minimised, for the activations that Sec. 2.3 admits, ReLU and tanh among them.",
    hypotheses=("σ(0) = 0", "k ≥ 1; at k = 0 nothing is constrained"),
    reading="the set of functions, and whether the constraint forces zeros; what a training run finds is not asked.  "
    "tanh is asked about at k = 1, where f in S_c has no pole with |Im x| < π/(2c) at any width.",
    formula=PRINTED,
    corrected="for ReLU S_c is the same for all c > 0, with the same patterns of zeros in the hidden layers, so that c "
    "acts only through the path of the algorithm; for tanh and k = 1 S_c grows strictly with c.",
    corrected_formula=MEASURED,
    faults={
        "ReLU: the class depends on c": {**MEASURED, "S_c, ReLU": True},
        "tanh: the class does not": {**MEASURED, "S_c, tanh": False},
        "ReLU: c forces zeros": {**MEASURED, "zeros in hidden layers, ReLU": True},
    },
)
def role_of_c(formula: Mapping[str, bool], quick: bool) -> Measured:
    exact, witness = _relu_exactly(quick)
    free = [_relu_in_symbols(), exact]
    bound, apart = _tanh_in_balls()
    seen = {
        "S_c, ReLU": (free, False, witness),
        "S_c, tanh": ([_tanh_in_symbols(), bound], True, apart),
        "zeros in hidden layers, ReLU": ([_zeros()], False, {"every entry": "c/(d + 1), or less", "zeros": 0}),
    }
    parts = []
    for name, depends in formula.items():
        routes, when_shown, found = seen[name]
        parts.append(Part(name, [_against(route, when_shown, depends) for route in routes], found))
    return Measured(parts=parts, left_out=("widths 3-3-2-3-1",) if quick else ())


def _against(route: Evidence, when_shown: bool, asserted: bool) -> Evidence:
    """A route that shows dependence (or its absence), as evidence for what is asserted."""
    shown = route.verdict == "holds"
    return said(route.route, asserted == when_shown if shown else None, route.note, power=route.power)


def _relu_exactly(quick: bool) -> tuple[Evidence, Json]:
    """Networks with hidden norms above c, moved into S_c, at rational points: norms at most c, the values the same."""
    cases = [(1, 1, 1), (2, 3, 1), (2, 2, 3, 2), (1, 2, 2, 2, 1)] + ([] if quick else [(3, 3, 2, 3, 1)])
    small = 0
    for widths, c in itertools.product(cases, (Fraction(1, 100), Fraction(1, 2), Fraction(3, 4))):
        net = networks.network_of(widths, 3)
        inside = fitted(net, c)
        if any(networks.norm(layer) > c for layer in inside[:-1]):
            return said("exact", None, "the norms are still above c"), None
        for x in networks.inputs_of(widths[0]):
            if networks.value(net, x, networks.relu) != networks.value(inside, x, networks.relu):
                return said("exact", None, f"another function, widths {widths}"), None
            small += 1
    witness: Json = {
        "f(x)": "ReLU(2x + 2) = 8 ReLU(x/4 + 1/4)",
        "in S_4": "hidden column (2, 2), output (0, 1)",
        "in S_{1/2}": "hidden column (1/4, 1/4), output (0, 8)",
    }
    return said("exact", True, f"k = 1, 2, 3, c from 1/100 to 3/4, {small} values", power=0.0), witness


def _relu_in_symbols() -> Evidence:
    """Polynomial identities for every pattern of active units, which t > 0 does not change; k = 2, widths 1-2-2-1."""
    import sympy

    t = sympy.Symbol("t", positive=True)
    names = (sympy.Symbol(f"v{i}") for i in itertools.count())
    net = tuple(networks.layer_of(shape, names) for shape in itertools.pairwise((1, 2, 2, 1)))
    x = sympy.Symbol("x")
    same = True
    for pattern in itertools.product((0, 1), repeat=4):
        before, after = (_linear(each, x, pattern) for each in (net, rescaled(net, t)))
        # Pre-activations of layer ℓ are multiplied by t^ℓ, so they keep their signs; the output stays.
        factors = (t, t, t**2, t**2, sympy.Integer(1))
        same = same and all(sympy.expand(b - f * a) == 0 for a, b, f in zip(before, after, factors, strict=True))
    note = "widths 1-2-2-1, all 16 patterns, any t > 0: pre-activations × t^ℓ, the output unchanged"
    return said("symbolic", same or None, note, power=0.0)


def _linear(network: Network, x: Any, pattern: tuple[int, ...]) -> list[Any]:
    """Pre-activations of all layers where ReLU is replaced by the factors 0 and 1 of ``pattern``."""
    u, seen, switches = [x], [], iter(pattern)
    for number, layer in enumerate(network):
        values = [networks.apply(column, u) for column in layer]
        seen += values
        u = [v * next(switches) for v in values] if number < len(network) - 1 else values
    return seen


def _tanh_in_symbols() -> Evidence:
    """f'''/f' − (3/2)(f''/f')² of f = a tanh(wx + b) + e is −2w², and |w| ≤ c; for tanh(c'x) it is −2c'²."""
    import sympy

    x, a, b, e, w = sympy.symbols("x a b e w")
    f = a * sympy.tanh(w * x + b) + e
    first, second, third = (sympy.diff(f, x, order) for order in (1, 2, 3))
    gap = third * first - sympy.Rational(3, 2) * second**2 + 2 * w**2 * first**2
    T = sympy.Symbol("T")
    vanishes = sympy.expand(sympy.expand(gap).subs(sympy.tanh(w * x + b), T)) == 0
    note = "one hidden unit: the Schwarzian derivative is −2w² ≥ −2c², so that tanh(c'x) is not in S_c for c < c'"
    return said("symbolic", vanishes or None, note, power=0.0)


def _tanh_in_balls() -> tuple[Evidence, Json]:
    """R(f) = (f(1) − f(1/2)) / (f(1/2) − f(0)) is cosh b / cosh(w + b) ≥ 1/cosh c in S_c, and 1/cosh 2 for tanh(2x)."""
    import flint

    def ratio(w: Any, b: Any) -> Any:
        low, middle, high = (v.tanh() for v in (b, w / 2 + b, w + b))
        return (high - middle) / (middle - low)

    far = ratio(flint.arb(2), flint.arb(0))
    least = 1 / flint.arb(1).cosh()
    agrees, above = True, True
    for i, j in itertools.product(range(-8, 9), repeat=2):
        if i and abs(i) + abs(j) <= 8:
            w, b = flint.arb(i) / 8, flint.arb(j) / 8
            found, closed = ratio(w, b), b.cosh() / (w + b).cosh()
            agrees = agrees and found.overlaps(closed)
            above = above and bool(closed > far)
    shown = agrees and above and bool(far < least)
    note = f"R(tanh(2x)) = {float(far.mid()):.4f} below 1/cosh 1 = {float(least.mid()):.4f}, the least R in S_1"
    witness: Json = {
        "f(x)": "tanh(2x)",
        "in S_2": "hidden column (0, 2)",
        "R(f)": round(float(far.mid()), 4),
        "R ≥ 1/cosh 1 in S_1, one hidden unit": round(float(least.mid()), 4),
    }
    return said("enclosure", shown or None, note, power=float(far.rad())), witness


def _zeros() -> Evidence:
    """For every c > 0 the column with all entries c/(d + 1) is feasible, and any pattern of zeros is as well."""
    feasible = True
    for c, entries in itertools.product((Fraction(1, 100), Fraction(1), Fraction(50)), (2, 5, 1001)):
        column = (c / entries,) * entries
        feasible = feasible and networks.length(column) <= c and all(column)
    net = networks.network_of((2, 3, 2, 1), 4)
    inside = fitted(net, Fraction(1, 100))
    pattern = [[v == 0 for column in layer for v in column] for layer in net]
    kept = pattern == [[v == 0 for column in layer for v in column] for layer in inside]
    return said("exact", (feasible and kept) or None, "dense columns for c = 1/100, 1, 50; patterns kept", power=0.0)
