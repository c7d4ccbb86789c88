"""DSWN, section 3.1: proximal gradient descent against what Algorithms 1 and 2 do with eq. 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn import shrinkage
from wnverify.papers.dswn.shrinkage import Row, Shrinkage

Gradient = Callable[[Row], Row]
Step = Callable[[Row, Gradient, Fraction, Fraction], list[Fraction]]
"""(W, gradient of the loss, ρ, step size) → the next W."""


class Scheme(NamedTuple):
    """One step of what section 3.1 names, and of what Algorithms 1 and 2 do (for a loss of gradient 0 only)."""

    by_text: Step
    by_algorithm: Callable[[Row, Fraction, Fraction, int], list[Fraction]]
    """(φ, ρ, step size, number of steps) → W."""


def proximal_step(prox: Shrinkage) -> Step:
    """W ← prox_{ηρ}(W − η ∇L(W))."""

    def step(w: Row, gradient: Gradient, rho: Fraction, eta: Fraction) -> list[Fraction]:
        moved = [a - eta * g for a, g in zip(w, gradient(w), strict=True)]
        return prox(eta * rho, moved)

    return step


def repeated(phi: Row, rho: Fraction, eta: Fraction, steps: int) -> list[Fraction]:
    """Proximal gradient descent from φ with a loss of gradient 0."""
    w = list(phi)
    for _ in range(steps):
        w = proximal_step(shrinkage.closed_form)(w, lambda x: [Fraction(0)] * len(x), rho, eta)
    return w


def in_the_forward_pass(phi: Row, rho: Fraction, eta: Fraction, steps: int) -> list[Fraction]:
    """Algorithms 1 and 2: V moves by its gradient, which is 0; W is eq. 8 of φ(V), at every step anew."""
    return shrinkage.eq8(rho, phi)


PRINTED: Final = Scheme(proximal_step(shrinkage.closed_form), in_the_forward_pass)


@claim(
    "DSWN-S31-PG",
    place="sec. 3.1",
    statement="The learning objective regularised by ES is solved by proximal gradient descent, of which eq. 8 is the "
    "proximal step; that is also how eqs. 6 and 8 and Algorithms 1 and 2 use it.",
    reading="whether eq. 8 is the proximal operator is judged in DSWN-EQ8-PROX; judged here is the method: proximal "
    "gradient descent, W ← prox_{ηρES}(W − η ∂L/∂W), against the algorithms, W = eq. 8 of φ(V) in the forward pass.",
    formula=PRINTED,
    faults={
        "eq. 8 for the proximal operator": PRINTED._replace(by_text=proximal_step(shrinkage.eq8)),
        "the step size left out of the operator": PRINTED._replace(
            by_text=lambda w, gradient, rho, eta: proximal_step(shrinkage.closed_form)(w, gradient, rho / eta, eta)
        ),
        "no operator": PRINTED._replace(by_text=proximal_step(lambda rho, x: list(x))),
        "the operator before the gradient": PRINTED._replace(
            by_text=lambda w, gradient, rho, eta: [
                a - eta * g for a, g in zip(shrinkage.closed_form(eta * rho, w), gradient(list(w)), strict=True)
            ]
        ),
        "the right operator in the forward pass": PRINTED._replace(
            by_algorithm=lambda phi, rho, eta, steps: shrinkage.closed_form(rho, phi)
        ),
    },
    corrected="proximal gradient descent keeps W itself as its variable: W ← prox_{ηρES}(W − η ∂L/∂W), with the step "
    "size η in the operator. Eq. 8 in the forward pass is a parametrization of W by V: no penalty is minimised.",
    corrected_formula=Scheme(proximal_step(shrinkage.closed_form), repeated),
)
def proximal_gradient(formula: Scheme, quick: bool) -> Measured:
    eta, count, witness = Fraction(1, 2), 0, None
    for b, rho in _problems(quick):
        best = shrinkage.best_face(rho, b)
        stays = formula.by_text(best, _towards(b), rho, eta) == best
        for start in ([Fraction(0)] * len(b), list(b), [Fraction(3)] * len(b)):
            count += 1
            once = formula.by_text(start, _towards(b), rho, eta)
            nearer = _square(once, best) <= (1 - eta) ** 2 * _square(start, best)
            if not (stays and nearer) and witness is None:
                witness = shrinkage.shown(b=b, rho=rho, minimiser=best, start=start, after_one_step=once)
    note = f"L = ½ ‖w − b‖², step 1/2: the minimiser stays and every step halves the distance to it, {count} cases"
    phi, rho = [Fraction(1), Fraction(-1)], Fraction(1, 4)
    iterates = [(repeated(phi, rho, eta, k), formula.by_algorithm(phi, rho, eta, k)) for k in (1, 2, 10)]
    same = all(left == right for left, right in iterates)
    told: Json = {"V": ["1", "-1"], "loss": "0", "rho": "1/4", "step size": "1/2", "unit": "1/√2"} | {
        f"W after {k} steps": shrinkage.shown(proximal_gradient=left, algorithms=right)
        for k, (left, right) in zip((1, 2, 10), iterates, strict=True)
    }
    return Measured(
        parts=[Part("proximal gradient descent solves it", [said("exact", witness is None, note, power=0.0)], witness)],
        consistency=[Part("the algorithms are proximal gradient descent", [_compared(same), _as_read(same)], told)],
    )


def _compared(same: bool) -> Evidence:
    note = "loss 0, so that L + ρ ES is least at W = 0: the one goes to 0 step by step, the other stays where it began"
    return said("exact", same, note, power=0.0)


def _as_read(same: bool) -> Evidence:
    note = (
        "Algorithm 1 has W from eq. 6 with eq. 8 inside the forward pass; Algorithm 2 moves V by eq. 12, with no step "
    )
    return said("reading", same or None, note + "after it and no step size in the operator")


def _problems(quick: bool) -> Iterator[tuple[tuple[Fraction, ...], Fraction]]:
    for b in shrinkage.groups(True):
        for rho in shrinkage.STRENGTHS[3:4] if quick else shrinkage.STRENGTHS[1:5:2]:
            yield b, rho


def _towards(b: Row) -> Gradient:
    return lambda w: [x - y for x, y in zip(w, b, strict=True)]


def _square(x: Row, y: Row) -> Fraction:
    return sum(((a - b) ** 2 for a, b in zip(x, y, strict=True)), Fraction(0))
