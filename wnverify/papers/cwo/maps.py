"""Ways to know the gradient of a normalizing map, all from its definition and none from eqs. 18 and 19.

In symbols over inner products (every n at once), by Taylor series whose coefficients are balls, and by reverse mode.
A vector may be a NumPy object array of balls, of power series with ball coefficients, or of rationals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import said, worse

PRECISION: Final = 160
"""Bits of the ball arithmetic."""
WIDEST: Final = 1e-25
"""Relative radius up to which a ball that contains 0 counts as having confirmed an equation."""

Map = Callable[[Any], Any]


class Case(NamedTuple):
    """A point w and the cotangent g = ∇_ŵ L."""

    w: tuple[Fraction, ...]
    g: tuple[Fraction, ...]

    @property
    def n(self) -> int:
        return len(self.w)

    def shown(self) -> dict[str, Json]:
        return {"w": [str(x) for x in self.w], "∇_ŵ L": [str(x) for x in self.g]}


def cases(quick: bool = False, least: int = 2) -> Iterator[Case]:
    """Points of fan-in ``least`` to 5: the smallest first; generic, small and large spread, a large mean."""
    F = Fraction
    w, g = (F(3), F(-1, 2), F(2), F(5, 3), F(-7, 4)), (F(1), F(-2), F(1, 3), F(4), F(1, 5))
    if least <= 2:
        yield Case((F(1), F(-1)), (F(1), F(0)))
    yield Case((F(2), F(-1), F(-1)), (F(0), F(3), F(1)))
    yield Case(tuple(x / 100 for x in w[:4]), g[:4])
    if quick:
        return
    for n in (3, 4, 5):
        yield Case(w[:n], g[:n])
    yield Case(tuple(x + 1000 for x in w[:3]), g[:3])
    yield Case(tuple(1000 * x for x in w), g)
    yield Case((F(1), F(1), F(-1), F(-1)), g[:4])
    yield Case(w[:4], (F(1),) * 4)


def at_precision() -> Any:
    """Context in which balls have ``PRECISION`` bits."""
    import flint

    return flint.ctx.workprec(PRECISION)


def objects(values: Sequence[Any]) -> Any:
    """An object array of these entries (``np.array`` would take a power series apart)."""
    import numpy as np

    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def vector(values: Iterable[Fraction]) -> Any:
    """Balls of rationals, as an object array."""
    import flint

    return objects([flint.arb(flint.fmpq(x.numerator, x.denominator)) for x in values])


def ones(n: int) -> Any:
    return vector([Fraction(1)] * n)


def total(v: Any) -> Any:
    return sum(v[1:], v[0])


def mean_of(v: Any) -> Any:
    return total(v) / len(v)


def norm_of(v: Any) -> Any:
    return total([x * x for x in v]).sqrt()


def deviation(w: Any) -> Any:
    """σ of eq. 17."""
    middle = mean_of(w)
    return (total([(x - middle) * (x - middle) for x in w]) / len(w)).sqrt()


def standardized(w: Any) -> Any:
    """ŵ of eqs. 15 to 17."""
    middle, sigma = mean_of(w), deviation(w)
    return objects([(x - middle) / sigma for x in w])


def centred_unit(w: Any) -> Any:
    """Centred weight normalization, (w − μ) / ‖w − μ‖."""
    middle = mean_of(w)
    centred = [x - middle for x in w]
    return objects([x / norm_of(centred) for x in centred])


def unit(v: Any) -> Any:
    """v / ‖v‖, the weight normalization of footnote 1 for s = 1."""
    norm = norm_of(v)
    return objects([x / norm for x in v])


def along(point: Any, direction: Sequence[Any]) -> Any:
    """The line point + t direction as power series in t, to first order."""
    import flint

    return objects([flint.arb_series([x, e], 2) for x, e in zip(point, direction, strict=True)])


def pullback(map_: Map, w: Any, g: Any) -> Any:
    """∇_w of g·map(w): the coefficient of t along every axis."""
    import flint

    n, slopes = len(w), []
    for i in range(n):
        image = map_(along(w, [flint.arb(int(i == j)) for j in range(n)]))
        slopes.append(total([a * x for a, x in zip(g, image, strict=True)])[1])
    return objects(slopes)


def vanishing(differences: Iterable[tuple[Sequence[Any], Any, Json]], note: str) -> tuple[Evidence, Json]:
    """Whether every entry of every (difference, scale, witness) is 0; to be called at precision ``at_precision``.

    A ball that excludes 0 refutes, the first such case being the witness; balls around 0 confirm to their radius.
    """
    widest, count, failed, off = 0.0, 0, None, 0.0
    for entries, scale, witness in differences:
        size = float(scale.mid()) if hasattr(scale, "mid") else float(scale)
        for entry in entries:
            count += 1
            widest = max(widest, float(entry.rad()) / size)
            if not entry.contains(0) and failed is None:
                failed, off = witness, float(entry.mid())
    figures: dict[str, Json] = {
        "equations": count,
        "widest relative radius": float(f"{widest:.1e}"),
        "bits": PRECISION,
    }
    if failed is not None:
        text = f"{note}: off by {off:.4g}"
        return said("enclosure", False, text, power=widest, figures=figures), failed
    holds = True if widest <= WIDEST else None
    return said("enclosure", holds, note, power=widest, model="balls", figures=figures), None


def numbers(values: Iterable[Any]) -> list[float]:
    """Balls as short decimals; one that contains 0 is shown as 0."""
    return [0.0 if x.contains(0) else float(f"{float(x.mid()):.6g}") for x in values]


class Symbols(NamedTuple):
    """Vectors known by inner products only: ŵ·1 = 0, ŵ·ŵ = n, 1·1 = n, with w = σ ŵ + μ 1."""

    gram: Any
    g: Any
    w_hat: Any
    one: Any
    n: Any
    sigma: Any
    mu: Any

    @property
    def w(self) -> Any:
        return self.sigma * self.w_hat + self.mu * self.one


def symbols() -> Symbols:
    """Fresh symbols for one proof for every n."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    n, sigma = sympy.symbols("n sigma", positive=True)
    gram = Gram({("what", "what"): n, ("one", "what"): 0, ("one", "one"): n})
    g, w_hat, one = (gram.vector(name) for name in ("g", "what", "one"))
    return Symbols(gram, g, w_hat, one, n, sigma, sympy.Symbol("mu", real=True))


def symbolic_slope(known: Symbols, u: Any) -> Any:
    """d/dt g·ŵ(w + t u) at t = 0 by differentiating eqs. 15 to 17: an expression for every n."""
    import sympy

    t = sympy.Symbol("t", real=True)
    moved = known.sigma * known.w_hat + t * (u - (known.one @ u) / known.n * known.one)
    return sympy.diff((known.g @ moved) / sympy.sqrt((moved @ moved) / known.n), t).subs(t, 0)


def gradients(known: Symbols) -> tuple[dict[str, Any], bool]:
    """The gradients of one loss by name, as vectors, and whether each was proved from the definition, for every n.

    "ŵ": ∇_ŵ L = g; "ẇ": by the centred weight w − μ 1; "u": by the scaled weight w/σ; "w": by w itself.
    """
    import sympy

    from wnverify.oracles.symbolic import is_identity

    direction, t = known.gram.vector("u"), sympy.Symbol("t", real=True)
    level = (known.one @ known.g) / known.n * known.one
    radial = (known.w_hat @ known.g) / known.n * known.w_hat
    found = {
        "ŵ": known.g,
        "ẇ": (known.g - radial) / known.sigma,
        "u": known.g - level,
        "w": (known.g - level - radial) / known.sigma,
    }
    moved = known.sigma * known.w_hat + t * direction
    by_centred = sympy.diff((known.g @ moved) / sympy.sqrt((moved @ moved) / known.n), t).subs(t, 0)
    centred_direction = direction - (known.one @ direction) / known.n * known.one
    slopes = {"ẇ": by_centred, "u": known.g @ centred_direction, "w": symbolic_slope(known, direction)}
    return found, all(is_identity(found[name] @ direction, slope) for name, slope in slopes.items())


def gradients_in_balls(w: Any, g: Any) -> dict[str, Any]:
    """The same four gradients at a point, each from Taylor series of its own map."""
    middle, sigma = mean_of(w), deviation(w)

    def scaled(x: Any) -> Any:
        square = total([y * y for y in x]) / len(x)
        return objects([y / square.sqrt() for y in x])

    def centred(x: Any) -> Any:
        level = mean_of(x)
        return objects([y - level for y in x])

    return {
        "ŵ": g,
        "ẇ": pullback(scaled, objects([x - middle for x in w]), g),
        "u": pullback(centred, objects([x / sigma for x in w]), g),
        "w": pullback(standardized, w, g),
    }


def reverse_mode(claimed: Callable[[Any, Any, Any, int, Any, Any], Any], target: str, note: str) -> Evidence:
    """``claimed(g, ŵ, 1, n, σ, w)`` in float64 against reverse mode through eqs. 15 to 17, g·ŵ being the loss."""
    import numpy as np
    import torch

    from wnverify.finding import seed_of
    from wnverify.oracles.ratio import REFUTES_FROM, map_model
    from wnverify.papers.claims import by_ratio

    worst, floor, points = 0.0, 1.0, 0
    for n in (3, 8, 64):
        for spread in (1e-3, 1.0, 1e3):
            rng = np.random.default_rng(seed_of("cwo", target, n, spread))
            w, g = spread * rng.standard_normal(n), rng.standard_normal(n)
            leaf = torch.from_numpy(w).requires_grad_(True)
            centred = leaf - leaf.mean()
            sigma = (centred * centred).mean().sqrt()
            found = torch.autograd.grad((torch.from_numpy(g) * centred / sigma).sum(), leaf)[0].numpy()
            s, w_hat = float(sigma.detach()), (centred / sigma).detach().numpy()
            scale = float(np.linalg.norm(g)) / s
            kappa = float(np.linalg.norm(w)) / (s * n**0.5)
            model = map_model("float64", n, condition=3 * kappa, roundings=12)
            error = float(np.linalg.norm(claimed(g, w_hat, np.ones(n), n, s, w) - found))
            worst = worse(worst, error / (scale * model.relative))
            floor, points = min(floor, model.relative), points + 1
    text = "‖∇_ŵ L‖/σ × (3 κ (u + γ̃_n) + 12 u) in float64, κ = ‖w‖/(√n σ)"
    power = REFUTES_FROM * floor
    return by_ratio(
        "automatic differentiation", worst, note, power=power, model=text, figures={"points": points}
    )  # fmt: skip
