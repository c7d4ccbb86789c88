"""L1,∞, Secs. 2.3 and 4: which networks are in the class."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.networks import ACTIVATIONS, Network

Embedding = Callable[[Network, Fraction, Fraction], Network]
"""(network, c, larger c) → a network of the larger class, each hidden layer one unit wider."""


def _padded(network: Network, c: Fraction, larger: Fraction, bias: Any = 0, out: Any = 0) -> Network:
    """One more unit in every hidden layer, with zero weights in (save ``bias``) and weight ``out`` to each unit."""
    last = len(network) - 1
    layers = []
    for number, layer in enumerate(network):
        more = [0 * layer[0][0] + out] if number else []
        columns = [(*column, *more) for column in layer]
        if number < last:
            columns.append((0 * layer[0][0] + bias, *(0 * layer[0][0] for _ in columns[0][1:])))
        layers.append(tuple(columns))
    return tuple(layers)


def _scaled(network: Network, factor: Fraction, first: int, last: int) -> Network:
    return tuple(
        tuple(tuple(factor * v for v in column) for column in layer) if first <= number < last else layer
        for number, layer in enumerate(network)
    )


@claim(
    "L1-P-CLASS",
    place="Sec. 2.3 (implied)",
    statement="SN_{c,o} ⊆ SN_{c',o'} for c ≤ c' and o ≤ o' and hidden widths d ≤ d': the network itself, padded with "
    "units of zero weights, in and out.",
    reading="sets of functions, d_0 and d_{k+1} fixed; ⊆ need not be strict.  σ(0) = 0 is not needed.",
    formula=_padded,
    faults={
        "new units have bias c and weight 1 out": lambda net, c, larger: _padded(net, c, larger, bias=c, out=1),
        "new units have bias 2c'": lambda net, c, larger: _padded(net, c, larger, bias=2 * larger),
        "columns scaled up to c'": lambda net, c, larger: _scaled(_padded(net, c, larger), larger / c, 0, len(net) - 1),
        "output layer scaled": lambda net, c, larger: _scaled(
            _padded(net, c, larger), larger / c, len(net) - 1, len(net)
        ),
        "not wider": lambda net, c, larger: net,
    },
)
def monotone(formula: Embedding, quick: bool) -> Measured:
    values, constraints = _embedded_exactly(formula)
    return Measured(
        parts=[
            Part("the same function, wider", [_embedded_in_symbols(formula), said("exact", not values, NETS)], values),
            Part("the larger constraints", [said("exact", not constraints, NETS, power=0.0)], constraints),
        ]
    )


NETS: Final = "k = 1 and 2, ReLU and u/(1 + |u|)"


def _embedded_in_symbols(formula: Embedding) -> Evidence:
    """The same function for any σ: entries, input and σ are symbols."""
    import sympy

    sigma, c = sympy.Function("sigma"), sympy.Symbol("c", positive=True)
    same = []
    for widths in ((1, 1, 1), (1, 2, 1), (1, 1, 1, 1)):
        names = (sympy.Symbol(f"v{i}") for i in itertools.count())
        net = tuple(networks.layer_of(shape, names) for shape in itertools.pairwise(widths))
        x = sympy.symarray("x", widths[0])
        wider = formula(net, c, 2 * c)
        gap = networks.value(wider, x, sigma)[0] - networks.value(net, x, sigma)[0]
        same.append(_wider(wider, net) and sympy.expand(gap) == 0)
    return said("symbolic", all(same), "any σ, widths 1-1-1, 1-2-1 and 1-1-1-1", power=0.0)


def _wider(larger: Network, network: Network) -> bool:
    return all(len(a) == len(b) + 1 for a, b in zip(larger[:-1], network[:-1], strict=True))


def _embedded_exactly(formula: Embedding) -> tuple[Json, Json]:
    """Witnesses against: another function (or not wider), and constraints that are broken."""
    values: Json = None
    constraints: Json = None
    for widths, (name, act) in itertools.product(((2, 2, 2), (1, 2, 2, 1)), ACTIVATIONS.items()):
        net = networks.network_of(widths, 3)
        c = max(networks.norm(layer) for layer in net[:-1])
        larger = formula(net, c, c + 1)
        shown: dict[str, Json] = {"network": networks.shown(net), "c": str(c), "c'": str(c + 1), "σ": name}
        shown["larger"] = networks.shown(larger)
        inside = all(networks.norm(layer) <= c + 1 for layer in larger[:-1])
        columns = zip(larger[-1], net[-1], strict=True)
        if not inside or any(networks.length(a) > networks.length(b) for a, b in columns):
            constraints = constraints or shown
        for x in networks.inputs_of(widths[0]):
            before, after = networks.value(net, x, act), networks.value(larger, x, act)
            if before != after or not _wider(larger, net):
                values = values or {**shown, "x": list(map(str, x)), "f(x)": str(before[0]), "larger(x)": str(after[0])}
    return values, constraints


Criterion = Callable[[Network, Fraction, int], bool]
"""(network, c, number of the last layer that ∀ℓ speaks of) → whether it satisfies the criterion."""


def _by_norm(network: Network, c: Fraction, last: int) -> bool:
    return all(networks.norm(layer) <= c for layer in network[:last])


F1: Final = Fraction(1)
DOUBLED: Final[Network] = (((F1 * 0, F1 * 2),), ((F1 * 0, F1),))
"""x ↦ ReLU(2x)."""
HALVED: Final[Network] = (((F1 * 0, F1),), ((F1 * 0, F1 * 2),))
"""x ↦ 2 ReLU(x), the same function."""


@claim(
    "L1-P-IFF",
    place="Sec. 4",
    statement="f = T_{k+1}∘σ∘…∘T_1 is in S_c if and only if ‖Ṽ_ℓ‖_{1,∞} ≤ c for all ℓ, or what is the same, all "
    "columns of all Ṽ_ℓ have L1 norm at most c.",
    reading="neither the range of ℓ nor whether f is the function or its parameters is said.",
    formula=_by_norm,
    faults={
        "without the first layer": lambda network, c, last: _by_norm(network[1:], c, last - 1),
        "the least column": lambda network, c, last: all(
            min(map(networks.length, layer)) <= c for layer in network[:last]
        ),
        "strictly below": lambda network, c, last: all(networks.norm(layer) < c for layer in network[:last]),
        "largest entry": lambda network, c, last: all(
            max(abs(v) for column in layer for v in column) <= c for layer in network[:last]
        ),
    },
)
def membership(formula: Criterion, quick: bool) -> Measured:
    return Measured(
        readings=[
            Reading("parameters, ℓ = 1, …, k", [_criterion(formula, 0)]),
            Reading("parameters, ℓ = 1, …, k + 1", [_criterion(formula, 1)]),
            Reading("f is the function, ℓ = 1, …, k", [_criterion(formula, 0), _of_functions(formula)]),
        ],
        message="The two forms of the condition are one: the norm is the largest L1 norm of a column.  Over all "
        "layers, or read of functions, the condition is sufficient, not necessary.",
    )


def _criterion(formula: Criterion, more: int) -> Part:
    """Against the definition of S_c (every column of the layers 1 … k), over networks in and out of it."""
    for widths in ((1, 2, 1), (1, 2, 2, 2)):
        for start, c in itertools.product(range(6), (F1, Fraction(7, 4), Fraction(3), Fraction(5))):
            net = networks.network_of(widths, start)
            inside = all(sum(map(abs, column)) <= c for layer in net[:-1] for column in layer)
            if formula(net, c, len(net) - 1 + more) != inside:
                witness: Json = {"network": networks.shown(net), "c": str(c), "in S_c": inside, "criterion": not inside}
                return Part("the definition", [said("exact", False, f"widths {widths}", power=0.0)], witness)
    edge = formula(HALVED, F1, 1 + more)  # hidden norm 1 = c, output norm 2
    witness = {"f(x)": "2 ReLU(x)", "hidden layer": [["0", "1"]], "output layer": [["0", "2"]], "c": 1}
    witness |= {"in S_1": True, "criterion": edge}
    return Part("the definition", [said("exact", edge, "48 cases, and norm c itself", power=0.0)], witness)


def _of_functions(formula: Criterion) -> Part:
    """ReLU(2x) = 2 ReLU(x): one function in S_1, with parameters that meet the condition for c = 1 and others not."""
    points = networks.inputs_of(1)
    one = all(networks.value(DOUBLED, x, networks.relu) == networks.value(HALVED, x, networks.relu) for x in points)
    met = [formula(net, F1, 1) for net in (DOUBLED, HALVED)]
    witness: Json = {"f(x)": "ReLU(2x) = 2 ReLU(x)", "c": 1, "‖Ṽ_1‖ of the first": 2, "‖Ṽ_1‖ of the second": 1}
    note = f"one function (equal at {len(points)} points), the condition met: {met}"
    return Part("one answer for one function", [said("exact", not one or met[0] == met[1], note, power=0.0)], witness)
