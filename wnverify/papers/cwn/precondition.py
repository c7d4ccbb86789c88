"""CWN, around Proposition 2: what the loss must satisfy for the two properties of the gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwn import witnesses


class Point(NamedTuple):
    """What a loss may use at v: the numbers c of its linear part, γ, λ, and w, v, v̂ with their norms."""

    w: Any
    v: Any
    v_hat: Any
    norm: Any
    norm_v: Any
    c: Any
    scale: Any
    decay: Any


def _dot(x: Any, y: Any) -> Any:
    products = [a * b for a, b in zip(x, y, strict=True)]
    return sum(products[1:], products[0])


def _of_w(p: Point) -> Any:
    """A loss that sees w alone, curved."""
    return _dot(p.c, p.w) + p.w[0] * p.w[1]


LOSSES: Final[Mapping[str, Callable[[Point], Any]]] = {
    "L(w)": _of_w,
    "L(γ w), γ a parameter of its own": lambda p: p.scale * _dot(p.c, p.w) + p.scale * p.scale * p.w[0] * p.w[1],
    "L(w) + λ‖w‖²": lambda p: _of_w(p) + p.decay * _dot(p.w, p.w),
    "L(w) + λ‖v‖²": lambda p: _of_w(p) + p.decay * _dot(p.v, p.v),
    "L(w) + λ‖v̂‖²": lambda p: _of_w(p) + p.decay * _dot(p.v_hat, p.v_hat),
    "L(w) + λ(1·v)²": lambda p: _of_w(p) + p.decay * _dot(p.v, [1] * len(p.v)) * _dot(p.v, [1] * len(p.v)),
    "L(‖v‖ w), the scale taken from v": lambda p: p.norm_v * _dot(p.c, p.w),
    "L(‖v̂‖ w) = L(v̂), not normalised": lambda p: p.norm * _dot(p.c, p.w),
}
Answer = Mapping[str, tuple[bool, bool]]
ANSWER: Final[Answer] = {
    "L(w)": (True, True),
    "L(γ w), γ a parameter of its own": (True, True),
    "L(w) + λ‖w‖²": (True, True),
    "L(w) + λ‖v‖²": (False, False),
    "L(w) + λ‖v̂‖²": (True, False),
    "L(w) + λ(1·v)²": (False, True),
    "L(‖v‖ w), the scale taken from v": (False, False),
    "L(‖v̂‖ w) = L(v̂), not normalised": (True, False),
}


@claim(
    "CWN-P2-PRE",
    place="Prop. 2 (derived)",
    statement="What must L satisfy (for instance: may it depend on v other than through w; may w carry a learnable "
    "scale)? Answer: ∂L/∂v·1 = 0 and ∂L/∂v·w = 0 hold at every v that is not constant if and only if L, "
    "differentiable, depends on v through w alone. A learnable scale γ and decay of w keep both; λ‖v‖² breaks both, "
    "λ‖v̂‖² only the second, λ(1·v)² only the first; a scale recomputed as ‖v‖ breaks both, w without normalisation "
    "only the second.",
    formula=ANSWER,
    faults={
        "L(w) breaks the first": {**ANSWER, "L(w)": (False, True)},
        "weight decay on v keeps both": {**ANSWER, "L(w) + λ‖v‖²": (True, True)},
        "weight decay on v keeps the second": {**ANSWER, "L(w) + λ‖v‖²": (False, True)},
        "weight decay on the centred v keeps both": {**ANSWER, "L(w) + λ‖v̂‖²": (True, True)},
        "a learnable scale breaks the second": {**ANSWER, "L(γ w), γ a parameter of its own": (True, False)},
        "decay of w breaks the second": {**ANSWER, "L(w) + λ‖w‖²": (True, False)},
        "the scale taken from v does no harm": {**ANSWER, "L(‖v‖ w), the scale taken from v": (True, True)},
    },
)
def precondition(formula: Answer, quick: bool) -> Measured:
    parts = []
    for name, loss in LOSSES.items():
        proofs = _vanishing_in_symbols(loss)
        balls = _vanishing_in_balls(loss)
        for index, along in enumerate(("1", "w")):
            claimed = formula[name][index]
            (zero, failing), (enclosed, at) = proofs[index], balls[index]
            routes = [
                said("symbolic", None if zero is None else zero == claimed, "d = 3, c, γ, λ and v free", power=0.0),
                said(
                    "enclosure",
                    None if enclosed is None else enclosed == claimed,
                    "d = 3 and 4, Taylor series",
                    power=1e-25,
                ),
            ]
            parts.append(Part(f"{name}: ∂L/∂v·{along}", routes, failing or at or {"it is 0 for": name}))
    return Measured(parts=[*parts, _converse()])


def _converse() -> Part:
    """v = m 1 + s w: ∂L/∂m = ∂L/∂v·1 and ∂L/∂s = ∂L/∂v·w, so that both vanish everywhere iff L depends on w alone."""
    import sympy

    from wnverify.oracles.symbolic import is_identity, unit_zero_sum

    m, s, *angles = sympy.symbols("m s t1 t2", real=True)
    w = unit_zero_sum(angles)
    v = [m + s * x for x in w]
    along_one = all(is_identity(sympy.diff(x, m), 1) for x in v)
    along_w = all(is_identity(sympy.diff(x, s), y) for x, y in zip(v, w, strict=True))
    note = "in coordinates v = m 1 + s w, s > 0, the two inner products are ∂L/∂m and ∂L/∂s; both are 0 iff L is a "
    "function of w"
    return Part("both hold only if L depends on w alone", [said("symbolic", along_one and along_w, note, power=0.0)])


@functools.cache
def _vanishing_in_symbols(loss: Callable[[Point], Any]) -> list[tuple[bool | None, Json]]:
    """For 1 and for w: (whether ∂L/∂v·u is identically 0, None if unknown; a point where it is not), d = 3."""
    import sympy

    from wnverify.oracles.symbolic import coordinates, counterexample, vanishes_on

    v, c = coordinates("v", 3), coordinates("c", 3)
    scale, decay, s, r = sympy.symbols("gamma lambda s r", positive=True)
    v_hat = v - sum(v) / sympy.Integer(3)
    square, square_v = sympy.expand(v_hat @ v_hat), sympy.expand(v @ v)
    norm, norm_v = sympy.sqrt(square), sympy.sqrt(square_v)
    value = loss(Point([x / norm for x in v_hat], v, v_hat, norm, norm_v, c, scale, decay))
    gradient = [sympy.diff(value, x) for x in v]
    found: list[tuple[bool | None, Json]] = []
    for u in ([1, 1, 1], list(v_hat)):  # v̂ is w up to its length
        product = _dot(gradient, u)
        rational = product.subs({norm: s, norm_v: r}).subs({square: s**2, square_v: r**2})
        if vanishes_on(rational, [s**2 - square, r**2 - square_v], [s, r, *v]):
            found.append((True, None))
            continue
        fixed = dict(zip((*c, scale, decay), (1, 2, -1, 1, 1), strict=True))
        point = counterexample(product.subs(fixed), list(v))
        witness: Json = None if point is None else {"c": "1, 2, -1", "gamma": 1, "lambda": 1, **point}
        found.append((None if point is None else False, witness))
    return found


@functools.cache
def _vanishing_in_balls(loss: Callable[[Point], Any]) -> list[tuple[bool | None, Json]]:
    """For 1 and for w: (whether ∂L/∂v·u is 0 at all points, None if balls are too wide; a point where it is not)."""
    import flint

    points = ([3, -1, 4], [1, 0, 0], [2, 7, -1, 8])
    found: list[tuple[bool | None, Json]] = []
    for along_one in (True, False):
        verdict: bool | None = True
        witness: Json = None
        with witnesses.at_precision():
            for point in points:
                d = len(point)
                centred = [flint.arb(x) - flint.arb(sum(point)) / d for x in point]
                direction = [flint.arb(1)] * d if along_one else centred
                v = [flint.arb_series([flint.arb(x), e], 2) for x, e in zip(point, direction, strict=True)]
                mean = sum(v[1:], v[0]) / d
                v_hat = [x - mean for x in v]
                norm, norm_v = _dot(v_hat, v_hat).sqrt(), _dot(v, v).sqrt()
                c = [flint.arb(flint.fmpq(x, 3)) for x in (1, -5, 7, 2)[:d]]
                known = Point(witnesses.ball_map(v), v, v_hat, norm, norm_v, c, flint.arb(2), flint.arb(1) / 2)
                slope = loss(known)[1]
                if not slope.contains(0):
                    verdict, witness = False, {"v": list(point), "off by": float(f"{float(slope.mid()):.6g}")}
                    break
                if float(slope.rad()) > witnesses.WIDEST:
                    verdict = None
        found.append((verdict, witness))
    return found
