"""Norm loss, sections II and IV-A: how norm loss and weight decay differ as penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wnverify.finding import Evidence
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.norm_loss.dynamics import NORMS, Pull, positive
from wnverify.papers.norm_loss.gradient import decay, deviation, norms_of
from wnverify.papers.norm_loss.witnesses import F, exact, gradient_by_reverse_mode, network, norm, proved, shown


def _alike_at_5_and_13(w: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """f(‖w‖) with f'(r)/r = 2 + (r − 5)(r − 13)."""
    r = norm(w, root)
    return r**4 / 4 - 6 * r**3 + 67 * r**2 / 2


@claim(
    "NL-P-UNIF",
    place="Sec. IV-A",
    statement="Weight decay acts on all components of a layer alike, norm loss differently on different output "
    "channels: the ratio of gradient to weight is one number for the layer, or one for each channel.",
    formula=(decay, deviation),
    faults={
        "exchanged": (deviation, decay),
        "weight decay in both": (decay, decay),
        "fourth powers": (decay, lambda w, root: sum(x**4 for x in w)),
        "sum of magnitudes": (lambda w, root: root(sum(x**2 for x in w)), deviation),
        "alike at norms 5 and 13 alone": (_alike_at_5_and_13, deviation),
    },
)
def uniform(formula: tuple[Any, Any], quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = network(2, 2)
    at = dict(zip([x for row in known.rows for x in row], (3, 4, 5, 12), strict=True))
    symbolic, numbers = [], []
    for penalty in formula:
        loss = sum(penalty(row, sympy.sqrt) for row in known.rows)
        symbolic.append([[sympy.diff(loss, x) / x for x in row] for row in known.rows])
        numbers.append([[sympy.nsimplify(x.subs(at)) for x in row] for row in symbolic[-1]])
    witness = {"W": [[3, 4], [5, 12]], "gradient over weight": [shown(each) for each in numbers]}
    apart = numbers[1][0][0] != numbers[1][1][0]
    note = "two filters of two weights; what differs, at norms 5 and 13"
    routes = [proved(_as_stated(symbolic, is_identity) and apart, note)]
    if not quick:
        routes.append(_uniform_in_reverse_mode(formula))
    return Measured(
        parts=[Part("alike or not", routes, witness)], left_out=("automatic differentiation",) if quick else ()
    )


def _as_stated(ratios: Sequence[Sequence[Sequence[Any]]], same: Callable[[Any, Any], bool]) -> bool:
    """Gradient over weight by penalty, channel, weight: one value for the first, one a channel for the other."""

    def alike(values: Sequence[Any]) -> bool:
        return all(same(x, values[0]) for x in values)

    inside = all(alike(channel) for penalty in ratios for channel in penalty)
    decay_between, loss_between = (alike([channel[0] for channel in penalty]) for penalty in ratios)
    return inside and decay_between and not loss_between


def _uniform_in_reverse_mode(formula: tuple[Any, Any]) -> Evidence:
    import torch

    W = torch.tensor([[3.0, 4.0], [8.0, 15.0]], dtype=torch.float64, requires_grad=True)
    ratios = []
    for penalty in formula:
        (grad,) = torch.autograd.grad(sum(penalty(list(row), torch.sqrt) for row in W), W)
        ratios.append((grad / W.detach()).tolist())
    as_stated = _as_stated(ratios, lambda x, y: abs(x - y) <= 1e-12)
    return said("automatic differentiation", as_stated, "filters of norm 5 and 17 in reverse mode", power=1e-12)


@claim(
    "NL-P-EXT",
    place="Sec. IV-A",
    statement="Norm loss is weight decay with a factor that depends on the filter's norm: ∂L_nl/∂w = (1 − 1/r) "
    "∂L_wd/∂w, the factor negative for r < 1, 0 at 1, positive above, below one always, and near one for long filters.",
    hypotheses=("r = ‖w_{c_o}‖ > 0",),
    formula=lambda r: 1 - 1 / r,
    faults={
        "1 − r": lambda r: 1 - r,
        "turned round": lambda r: 1 / r - 1,
        "squared": lambda r: 1 - 1 / r**2,
        "1 + 1/r": lambda r: 1 + 1 / r,
    },
)
def extension(formula: Pull, quick: bool) -> Measured:
    import sympy

    (row,), (length,) = network(1, 2)
    r, t = sympy.Symbol("r", positive=True), sympy.Symbol("t", positive=True)
    same = all(
        sympy.simplify(
            sympy.diff(deviation(row, sympy.sqrt), x) - formula(length) * sympy.diff(decay(row, sympy.sqrt), x)
        )
        == 0
        for x in row
    )
    shape = (
        positive(-formula(1 / (1 + t)))
        and formula(sympy.Integer(1)) == 0
        and positive(sympy.simplify(formula(1 + t)))
        and sympy.limit(formula(r), r, sympy.oo) == 1
    )
    wrong = next(
        (x for x in NORMS if (formula(x) > 0) != (x > 1) or (formula(x) < 0) != (x < 1) or formula(x) >= 1), None
    )
    routes = [proved(bool(same), "∂L_nl/∂w over ∂L_wd/∂w, p = 2")]
    if not quick:
        routes.append(
            gradient_by_reverse_mode(
                lambda W: ((1 - norms_of(W)) ** 2).sum(), lambda W, norms: formula(norms) * 2 * W, "extension"
            )
        )
    x = F(1, 2)
    witness = {"w": ["3/10", "2/5"], "r": "1/2", "factor": shown(formula(x)), "right": "-1"}
    if formula(x) == -1:
        witness = {"w": ["2/1"], "r": "2", "factor": shown(formula(F(2))), "right": "1/2"}
    signs_right = exact(wrong is None, "signs at norms from 10⁻³ to 10³")
    return Measured(
        parts=[
            Part("factor", routes, witness),
            Part("signs", [proved(bool(shape), "below, at and above one, and far away"), signs_right], witness),
        ],
        left_out=("reverse mode",) if quick else (),
    )


@claim(
    "NL-P-SYM",
    place="Sec. II",
    statement="Weight decay does not address the scaling symmetry of the weights, (W₁, W₂) → (a W₁, W₂/a) with a > 0, "
    "under which a network with ReLU computes the same.",
    reading="to address it may mean to tell the points of an orbit apart, or to bring filters to a fixed norm.  The "
    "formula is the penalty at a on the orbit of weights with norms (A, B).",
    formula=lambda a, A, B: a**2 * A**2 + B**2 / a**2,
    faults={
        "the first norm fixed at one": lambda a, A, B: (1 - a * A) ** 2,
        "its square fixed at one": lambda a, A, B: (1 - a**2 * A**2) ** 2,
    },
)
def scaling_symmetry(formula: Callable[[Any, Any, Any], Any], quick: bool) -> Measured:
    import sympy

    a, A, B = sympy.symbols("a A B", positive=True)
    constant = sympy.simplify(sympy.diff(formula(a, A, B), a)) == 0
    values = {shown(x): formula(x, F(4), F(1)) for x in (F(1, 4), F(1, 2), F(1))}
    apart = {"norms": [4, 1], "penalty by a": shown(values)}
    # the same function on the orbit: relu is positively homogeneous
    relu = [F(2) / x * max(x * (3 * u), F(0)) for x in (F(1, 2), F(5)) for u in (F(-1), F(2))]
    homogeneous = relu == [F(0), F(12), F(0), F(12)]
    minima = [x for x in sympy.solve(sympy.diff(formula(a, 4, 1), a), a) if x.is_positive]
    unit = [x for x in minima if sympy.simplify(4 * x - 1) == 0]
    invisible = Part(
        "one value on the orbit",
        [
            proved(bool(constant), "derivative of the penalty along the orbit"),
            exact(len(set(values.values())) == 1, "values at a = 1/4, 1/2, 1"),
        ],
        apart,
    )
    norms = [shown(4 * x) for x in minima]
    least = min((F(k, 64) for k in range(4, 129)), key=lambda x: formula(x, F(4), F(1)))
    free = Part(
        "no filter brought to norm one",
        [
            proved(not unit, f"the least penalty on the orbit of norms (4, 1) is at first norm {', '.join(norms)}"),
            exact(least * 4 != 1, f"least of 125 points: first norm {least * 4}"),
        ],
        apart | {"first norm at the least penalty": norms},
    )
    same = Part("same function", [exact(homogeneous, "a·relu(w·x) at two points and two scales")], apart)
    return Measured(
        readings=[
            Reading("it has the same value all along an orbit, and leaves the symmetry as it is", [same, invisible]),
            Reading("it does not bring filters to norm one", [same, free]),
        ],
        message="On an orbit weight decay has one minimum, where both norms are equal; it removes the symmetry.",
    )
