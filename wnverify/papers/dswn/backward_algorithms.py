"""DSWN, Algorithms 1 and 2 as programs: what each line takes and makes, run on shapes and on numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said

Shape = tuple[str, ...]
Environment = dict[str, Any]


class Step(NamedTuple):
    """A line: the name it makes, that name's shape, the names and shapes that it takes, and its doing."""

    line: int
    makes: str
    shape: Shape
    takes: Mapping[str, Shape]
    run: Callable[[Environment], Any]


GIVEN: Final[Mapping[str, Shape]] = {"X": ("d", "m"), "V": ("n", "d"), "b": ("n", "1"), "V_C": ("n", "d")}
"""Input and line 2 of Algorithm 1; V_C, which no line makes, is taken from the text after eq. 1."""


def _eigen(e: Environment) -> Any:
    import numpy as np

    return np.linalg.eigh(e["Σ"])


def _root(e: Environment) -> Any:
    import numpy as np

    eigenvalues, D = e["D, Λ"]
    return D @ np.diag(eigenvalues**-0.5) @ D.T


def _neuron(e: Environment) -> Any:
    import numpy as np

    return np.diag(1 / (2 * np.linalg.norm(e["V_C"], axis=0)))


RHO: Final = 0.125


def _factor(e: Environment) -> Any:
    """The penalty matrix of eq. 8."""
    import numpy as np

    phi = e["P"] @ e["V_C"]
    size = np.abs(phi)
    return np.maximum(1 - RHO * size.sum(axis=1, keepdims=True) / size, 0)


def _by_eq6(e: Environment) -> Any:
    import numpy as np

    return e["P"] @ e["V_C"] @ np.linalg.inv(e["G"])


_SIGMA: Final = Step(6, "Σ", ("n", "n"), {"V_C": ("n", "d")}, lambda e: e["V_C"] @ e["V_C"].T)
_START: Final = (
    _SIGMA,
    Step(7, "D, Λ", ("n", "n"), {"Σ": ("n", "n")}, _eigen),
    Step(8, "P", ("n", "n"), {"D, Λ": ("n", "n")}, _root),
)
_EQ9: Final = Step(9, "G", ("d", "d"), {"V_C": ("n", "d")}, _neuron)
_EQ8: Final = Step(9, "G", ("n", "d"), {"P": ("n", "n"), "V_C": ("n", "d")}, _factor)
_EQ6: Final = Step(10, "W", ("n", "d"), {"P": ("n", "n"), "V_C": ("n", "d"), "G": ("d", "d")}, _by_eq6)
_LAYER: Final = Step(
    11, "A", ("n", "m"), {"W": ("n", "d"), "X": ("d", "m"), "b": ("n", "1")}, lambda e: e["W"] @ e["X"] + e["b"]
)
_DIRECT: Final = Step(
    10,
    "W",
    ("n", "d"),
    {"P": ("n", "n"), "V_C": ("n", "d")},
    lambda e: e["P"] @ e["V_C"] * _factor(e),
)
Program = tuple[Step, ...]
ALGORITHM_1: Final[Mapping[str, Program]] = {
    "DSWN-NM, G by eq. 9": (*_START, _EQ9, _EQ6, _LAYER),
    "DSWN-SM, G by eq. 8": (*_START, _EQ8, _EQ6, _LAYER),
}
MENDED_1: Final[Mapping[str, Program]] = {
    "DSWN-NM, G by eq. 9": (*_START, _EQ9, _EQ6, _LAYER),
    "DSWN-SM, W by eq. 8, no G": (*_START, _DIRECT, _LAYER),
}


def _only(program: Sequence[Step]) -> Mapping[str, Program]:
    return {"one": tuple(program)}


@claim(
    "DSWN-ALG1",
    place="Algorithm 1",
    statement="Algorithm 1 is a program: every line finds what it takes, in the shape it needs, G coming from eqs. 8 "
    "and 9 and W from eq. 6.",
    hypotheses=("V_C has rank n (see DSWN-FEAS)",),
    reading="a layer has its own n, d, V, b, and its input for X; V_C, which no line makes, is that of the text. Eq. 8 "
    "has no G; what the text calls its penalty matrix is the factor (1 − ρ ‖φ_g‖_1/|φ_gi|)_+.",
    formula=ALGORITHM_1,
    faults={
        "W before P": _only((_SIGMA, _EQ9, _EQ6, *_START[1:], _LAYER)),
        "G never made": _only((*_START, _EQ6, _LAYER)),
        "no decomposition": _only((_SIGMA, _START[2], _EQ9, _EQ6, _LAYER)),
        "an activation before W": _only((*_START, _EQ9, _LAYER, _EQ6)),
    },
    corrected="line 9 for DSWN-NM alone: G through eq. 9; for DSWN-SM no line 9, and line 10: W through eq. 8 from "
    "φ(V) = P V_C; before line 6: c and V_C",
    corrected_formula=MENDED_1,
)
def forward(formula: Mapping[str, Program], quick: bool) -> Measured:
    parts = []
    for text, program in formula.items():
        by_shape, first = _by_shapes(program)
        run, second = _by_running(program)
        parts.append(Part(text, [by_shape, run], first or second))
    message = "One n × d for all layers needs d = n from the second layer on, where Σ is singular for every V."
    return Measured(parts=parts, message=message)


def _by_shapes(program: Program) -> tuple[Evidence, Json]:
    known: dict[str, Shape] = dict(GIVEN)
    for step in program:
        for name, shape in step.takes.items():
            if known.get(name) != shape:
                has = " × ".join(known[name]) if name in known else "nothing"
                note = f"line {step.line} takes {name} of shape {' × '.join(shape)} and finds {has}"
                witness: Json = {"line": step.line, "takes": name, "needs": list(shape), "finds": has}
                return said("symbolic", False, note, power=0.0), witness
        known[step.makes] = step.shape
    return said("symbolic", True, "shapes in n, d, m", power=0.0), None


def _by_running(program: Program) -> tuple[Evidence, Json]:
    """n = 2, d = 4, m = 3."""
    import numpy as np

    V = np.array([[3.0, 1.0, -2.0, 0.0], [0.0, 2.0, 1.0, -1.0]])
    environment: Environment = {
        "X": np.arange(12.0).reshape(4, 3),
        "V": V,
        "b": np.ones((2, 1)),
        "V_C": V - V.mean(axis=1, keepdims=True),
    }
    for step in program:
        try:
            environment[step.makes] = step.run(environment)
        except (KeyError, ValueError, np.linalg.LinAlgError) as error:
            note = f"line {step.line} stops: {type(error).__name__}"
            witness: Json = {"line": step.line, "stops with": type(error).__name__, "V": V.tolist()}
            return said("property search", False, note, power=0.0), witness
    shape = environment["A"].shape
    done = shape == (2, 3) and bool(np.isfinite(environment["A"]).all())
    return said("property search", done, f"ran with n = 2, d = 4, m = 3; A has shape {shape}", power=0.0), {
        "A": str(shape)
    }


class Backward(NamedTuple):
    """What Algorithm 2 computes for a layer, in order, and what it updates; names of quantities."""

    computes: tuple[str, ...]
    updates: tuple[str, ...]


TRAINED: Final = ("V", "b")
"""Line 2 of Algorithm 1."""
BELOW: Final = "∂L/∂A below"
ALGORITHM_2: Final = Backward(("∂L/∂W", "∂L/∂b", "∂L/∂V"), ("V",))


@claim(
    "DSWN-ALG2",
    place="Algorithm 2",
    statement="Algorithm 2 trains the network: every quantity that Algorithm 1 initialises, V and b, is updated, and "
    "every layer has the ∂L/∂A that its lines need.",
    reading="Algorithm 2 as a list of what is computed and updated. ∂L/∂A is an input, for the last layer; a layer "
    "below needs its own, Wᵀ times the derivative by the pre-activation, which no line computes.",
    formula=ALGORITHM_2,
    faults={
        "V not updated": Backward((*ALGORITHM_2.computes, BELOW), ("b",)),
        "b not updated": Backward((*ALGORITHM_2.computes, BELOW), ("V",)),
        "b updated without its gradient": Backward(("∂L/∂W", "∂L/∂V", BELOW), ("V", "b")),
        "nothing for the layer below": Backward(ALGORITHM_2.computes, ("V", "b")),
    },
    corrected="line 7 updates V and b; a line before it computes ∂L/∂A of the layer below; layers run from the last to "
    "the first; b is an output besides V",
    corrected_formula=Backward((*ALGORITHM_2.computes, BELOW), ("V", "b")),
)
def backward(formula: Backward, quick: bool) -> Measured:
    left = [name for name in TRAINED if name not in formula.updates or f"∂L/∂{name}" not in formula.computes]
    listed = said(
        "exact", not left, f"initialised: {', '.join(TRAINED)}; updated: {', '.join(formula.updates)}", power=0.0
    )
    witness: Json = {"never updated with its gradient": left[0]} if left else None
    below = BELOW in formula.computes
    return Measured(
        parts=[
            Part("every trained quantity is updated", [listed, _on_a_constant_input(formula)], witness),
            Part(
                "every layer has its ∂L/∂A",
                [said("exact", below, f"computed: {', '.join(formula.computes)}", power=0.0), _two_layers(formula)],
                {"layer": "the one below the last", "not computed": "∂L/∂A"},
            ),
        ],
        message="The case: G = I and a constant input x = 1, for which W x = 0: without b the loss stands still.",
    )


def _on_a_constant_input(formula: Backward) -> Evidence:
    """One layer, G = I, L = ½ ‖W x + b − t‖²: b must reach t for x = 1 (W x = 0), and V must move for another x."""
    import numpy as np

    from wnverify.papers.dswn import backward_chain as chain
    from wnverify.papers.dswn import backward_truth as truth

    p, trained = chain.points(True)[0], "V" in formula.updates and "∂L/∂V" in formula.computes
    x, target = p.one, p.one[:2]
    b = x[:2] * 0
    losses = []
    for _ in range(2):
        residual = p.W @ x + b - target
        losses.append((residual * residual).sum() / 2)
        if "b" in formula.updates and "∂L/∂b" in formula.computes:
            b = b - residual  # step 1
    other = np.array([[1], [0], [0], [0]], dtype=object)
    slope = truth.gradient(p.but(A=(p.W @ other - target) @ other.T))
    moved = trained or not slope.any()
    return said("exact", bool(losses[1] < losses[0]) and moved, f"L = {losses[0]}, then {losses[1]}", power=0.0)


def _two_layers(formula: Backward) -> Evidence:
    """Going down two layers with what is at hand, whether ∂L/∂W finds ∂L/∂A in both."""
    at_hand, found = True, []
    for _ in range(2):
        found.append(at_hand)
        at_hand = BELOW in formula.computes and at_hand
    return said("arithmetic", all(found), f"∂L/∂A at hand, from the last layer down: {found}", power=0.0)
