"""DSWN, eqs. 2-6: where Σ^{-1/2} is defined, what is left of eq. 2 where it is not, and the layers of section 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from wnverify.finding import Json, seed_of
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.model_points import (
    SYMMETRIC_G,
    balls,
    centred,
    determinant,
    matrix,
    rank,
    root_in_balls,
    shown,
    working,
)


class Feasible(NamedTuple):
    """Of n, d and r = rank(V_C): is Σ^{-1/2} defined, the largest r, has eq. 2 a minimiser, one P V_C, only one."""

    defined: Callable[[int, int, int], bool]
    largest: Callable[[int, int], int]
    minimiser: Callable[[int, int, int], bool]
    by_p: Callable[[int, int, int], bool]
    unique: Callable[[int, int, int], bool]


FEASIBLE: Final = Feasible(
    lambda n, d, r: r == n,
    lambda n, d: min(n, d - 1),
    lambda n, d, r: n <= d,
    lambda n, d, r: r == n,
    lambda n, d, r: r == n,
)
PROXIES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "n = 1, d = 2": [[3, 1]],
        "n = 2, d = 3": [[1, 0, 2], [0, 1, 5]],
        "n = 2, d = 4": [[1, 0, 2, 7], [0, 1, 5, 1]],
        "a constant row": [[1, 0, 2, 7], [4, 4, 4, 4]],
        "a zero row": [[0, 0, 0], [1, 2, 4]],
        "rows equal up to a shift": [[1, 0, 2, 7], [4, 3, 5, 10]],
        "a row times a number": [[1, 0, 2], [2, 0, 4]],
        "n = d = 1": [[3]],
        "n = d = 2": [[3, 1], [1, 4]],
        "n = d = 3": [[3, 1, 0], [1, 4, 1], [2, 2, 7]],
        "n = 3, d = 2": [[3, 1], [1, 4], [0, 5]],
        "n = 2, d = 1": [[3], [1]],
    }
)
CUT: Final = 1e-9
"""Singular values of these V_C, over the largest, are rounding errors below it; the others are above 0.1."""


@claim(
    "DSWN-FEAS",
    place="eqs. 2-6 (derived)",
    statement="Where is Σ^{-1/2} defined, and what is left of eq. 2 elsewhere? Answer: defined exactly where V_C has "
    "rank n. Its rank is at most min(n, d − 1), so that n ≤ d − 1 is needed: never for n = d or n > d, nor with a "
    "constant row, a zero row, or two rows equal up to a shift (or multiples, once centred). Eq. 2 has a minimiser "
    "exactly for n ≤ d; where V_C has rank below n it is not unique and none is P V_C, whose rank is that of V_C at "
    "most.",
    hypotheses=("G is invertible", SYMMETRIC_G),
    formula=FEASIBLE,
    faults={
        "n ≤ d is enough": FEASIBLE._replace(defined=lambda n, d, r: n <= d),
        "n ≤ d − 1 is enough": FEASIBLE._replace(defined=lambda n, d, r: n <= d - 1),
        "the rank can be d": FEASIBLE._replace(largest=lambda n, d: min(n, d)),
        "no minimiser without full rank": FEASIBLE._replace(minimiser=lambda n, d, r: r == n),
        "always a minimiser": FEASIBLE._replace(minimiser=lambda n, d, r: True),
        "always a P": FEASIBLE._replace(by_p=lambda n, d, r: n <= d),
        "always unique": FEASIBLE._replace(unique=lambda n, d, r: n <= d),
    },
)
def feasible(formula: Feasible, quick: bool) -> Measured:
    parts = []
    for name, rows in PROXIES.items():
        X = centred(matrix(rows))
        n, d = X.shape
        r = rank(X)
        regular = determinant(X @ X.T) != 0
        minimisers = _minimisers(X) if n <= d else []
        of_p = any(_is_p_times(Y, X) for Y in minimisers)
        witness = {"V": shown(matrix(rows)), "rank of V_C": r, "Σ^{-1/2} defined": regular}
        witness |= {"minimisers found": len(minimisers), "one is P V_C": of_p}
        note = f"n = {n}, d = {d}, rank {r}"
        routes = [
            said("exact", formula.defined(n, d, r) == regular, f"det Σ, {note}", power=0.0),
            said("enclosure", formula.defined(n, d, r) == _enclosed_root(rows), "an enclosed Σ^{-1/2}", power=0.0),
        ]
        parts.append(Part(f"Σ^{{-1/2}}, {name}", routes, witness))
        kept = (bool(minimisers), of_p, len(minimisers) == 1)
        claimed = (formula.minimiser(n, d, r), formula.by_p(n, d, r), formula.unique(n, d, r))
        text = f"minimiser, of the form P V_C, unique: {kept}, {note}"
        parts.append(Part(f"eq. 2, {name}", [said("optimisation", kept == claimed, text, power=1e-12)], witness))
    return Measured(parts=[*parts, *_largest_rank(formula.largest)])


def _enclosed_root(rows: Any) -> bool:
    with working():
        try:
            root_in_balls(centred(balls(matrix(rows))))
        except ValueError:
            return False
    return True


def _minimisers(X: Any) -> list[Any]:
    """WG of one or two minimisers, from the singular value decomposition A s Bᵀ of V_C: A Bᵀ, and, where s_n = 0, A Bᵀ
    with the last sign turned.  Each is kept if its loss is certified least."""
    import numpy as np

    from wnverify.oracles.optimality import certificate

    floats = X.astype(np.float64)
    A, _, Bt = np.linalg.svd(floats, full_matrices=False)
    turned = np.diag([1.0] * (len(A) - 1) + [-1.0])
    candidates = [A @ Bt, A @ turned @ Bt]
    certificates = [certificate("stiefel_rows", floats, Y) for Y in candidates]
    return [Y for Y, seen in zip(candidates, certificates, strict=True) if seen.ratio <= 1]


def _is_p_times(Y: Any, X: Any) -> bool:
    """Whether Y = P V_C for some P, by what is left of Y beside the span of the rows of V_C.

    Y is a minimiser: n rows beside a span of dimension r leave ‖·‖² = n − r, which is 0 or at least 1.
    """
    import numpy as np

    floats = X.astype(np.float64)
    along = np.linalg.pinv(floats, rcond=CUT) @ floats
    return bool(((Y - Y @ along) ** 2).sum() < 1 / 2)


def _largest_rank(largest: Callable[[int, int], int]) -> list[Part]:
    """V_C 1 = 0 bounds the rank by d − 1; centring e_1, …, e_k attains it.  In symbols: det Σ = 0 for n = d."""
    import numpy as np
    import sympy

    wrong: Json = None
    for n in range(1, 5):
        for d in range(1, 5):
            attained = rank(centred(matrix([[int(i == j) for j in range(d)] for i in range(n)])))
            if largest(n, d) != attained and wrong is None:
                wrong = {"n": n, "d": d, "largest rank": attained, "claimed": largest(n, d)}
    exact = said(
        "exact", wrong is None, "the rank of the centred rows e_1, …, e_n (zero beyond d), n, d ≤ 4", power=0.0
    )
    singular = True
    for n, d in ((1, 1), (2, 2), (3, 2)):
        V = np.array(sympy.symbols(f"v1:{n * d + 1}", real=True), dtype=object).reshape(n, d)
        X = V - (V @ np.array([[sympy.Integer(1)]] * d, dtype=object)) / sympy.Integer(d)
        singular &= sympy.expand(determinant(X @ X.T)) == 0
        if largest(n, d) >= n:
            singular = False
    symbols = said("symbolic", bool(singular), "det Σ vanishes for all V at (n, d) = (1, 1), (2, 2), (3, 2)", power=0.0)
    return [Part("the largest rank of V_C", [exact, symbols], wrong)]


LAYERS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "PIE, hidden to hidden, sec. 4.2.1": (128, 128),
        "VGG, first 3×3 convolution on 3 channels": (64, 27),
        "PIE, hidden to the 68 classes, sec. 4.2.1": (68, 128),
        "VGG, second 3×3 convolution": (64, 576),
    }
)
"""(n, d) = (output units, inputs of each).  The widths of PIE's network are printed, those of VGG are the
architecture's."""
PRIME: Final = 1_000_003


@claim(
    "DSWN-FEAS-NET",
    place="sec. 4 + eq. 6 (derived)",
    statement="Eq. 6 is defined, without further measures, for the layers of section 4: hidden to hidden layers of 128 "
    "units (n = d = 128), and VGG's first convolution (n = 64, d = 27).",
    reading="as the experiments imply, which name no grouping of rows and no other measure; a layer's weight is the "
    "matrix of output units by inputs, and eq. 6 is defined for it if it is for some V.",
    formula=lambda n, d: True,
    faults={
        "for n ≤ d": lambda n, d: n <= d,
        "for half as many": lambda n, d: 2 * n <= d,
        "for fully connected layers": lambda n, d: d == 128,
        "for none": lambda n, d: False,
    },
    corrected="Eq. 6 is defined only for n ≤ d − 1: for neither of the two (V_C has rank at most 127 < 128, and 26 < "
    "64); for 68 × 128 and 64 × 576 it is, for almost every V. The others need a further measure, such as groups of "
    "rows.",
    corrected_formula=lambda n, d: n <= d - 1,
)
def layers(formula: Callable[[int, int], bool], quick: bool) -> Measured:
    parts = []
    for name, (n, d) in LAYERS.items():
        r = _rank_mod_prime(n, d)
        witness = {"layer": name, "n": n, "d": d, "rank of V_C": r, "rank needed": n}
        note = f"rank {r} of V_C for a random whole-number V, modulo a prime; at most d − 1 = {d - 1}; needed {n}"
        routes = [said("exact", formula(n, d) == (r == n), note, power=0.0)]
        routes.append(
            said("property search", formula(n, d) == _runs(n, d), "the reference map at a random V", power=0.0)
        )
        parts.append(Part(name, routes, witness))
    return Measured(parts=parts)


def _rank_mod_prime(n: int, d: int) -> int:
    """Rank of d V − (V 1) 1ᵀ modulo a prime: never above the rank itself, which is at most min(n, d − 1)."""
    import numpy as np

    V = np.random.default_rng(seed_of("dswn", "layers", n, d)).integers(-50, 50, (n, d))
    A, found = (d * V - V.sum(axis=1, keepdims=True)) % PRIME, 0
    for k in range(d):
        pivots = np.flatnonzero(A[found:, k])
        if not len(pivots):
            continue
        pivot = found + int(pivots[0])
        A[[found, pivot]] = A[[pivot, found]]
        scale = A[found + 1 :, k] * pow(int(A[found, k]), -1, PRIME) % PRIME
        A[found + 1 :] = (A[found + 1 :] - scale[:, None] * A[found]) % PRIME
        found += 1
        if found == n:
            break
    return found


def _runs(n: int, d: int) -> bool:
    import numpy as np

    from wnverify.methods.orthogonal_weight_normalization import reference

    try:
        reference.forward(np.random.default_rng(seed_of("dswn", "runs", n, d)).standard_normal((n, d)))
    except ValueError:
        return False
    return True
