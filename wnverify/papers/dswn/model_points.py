"""Points at which the statements about eqs. 1-6 of DSWN are decided, in rationals and in balls.

Rational points are built backwards: Q has rational orthonormal rows that sum to 0, S is symmetric positive definite,
and V = S Q + c 1ᵀ.  Then V_C = S Q, Σ = S², P = Σ^{-1/2} = S^{-1} and P V_C = Q hold exactly, with no eigenvalue
calculated.  In balls V is any float64 matrix and Σ^{-1/2} is enclosed, so that the two routes have no step in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Condition, said

WIDEST: Final = 1e-25
"""Radius up to which a ball that contains 0 counts as having confirmed an equation."""
BITS: Final = 192
FULL_RANK: Final = "V_C has rank n (which needs n ≤ d − 1)"
SYMMETRIC_G: Final = "G is symmetric"


class Point(NamedTuple):
    """V with what follows from it and a G; arrays of one ring, ``one`` (d, 1), ``eye`` (n, n)."""

    name: str
    V: Any
    V_C: Any
    c: Any
    S: Any
    P: Any
    G: Any
    G_inverse: Any
    one: Any
    eye: Any
    d: Any


Equation = Callable[[Point], tuple[Any, Any]]
"""Left and right side of what is asserted at a point, arrays of one shape."""


def matrix(rows: Sequence[Sequence[Any]]) -> Any:
    """An array of exact fractions.

    >>> matrix([[1, 2]])
    array([[Fraction(1, 1), Fraction(2, 1)]], dtype=object)
    """
    import numpy as np

    return np.array([[Fraction(x) for x in row] for row in rows], dtype=object)


def eye(n: int) -> Any:
    return matrix([[int(i == j) for j in range(n)] for i in range(n)])


def inverse(A: Any) -> Any:
    """The inverse in rationals, ``ZeroDivisionError`` where there is none; or in symbols.

    >>> inverse(matrix([[2]]))
    array([[Fraction(1, 2)]], dtype=object)
    """
    import numpy as np

    n = len(A)
    if not all(isinstance(x, int | Fraction) for x in A.ravel()):
        import sympy

        return np.array(sympy.Matrix(A.tolist()).inv().tolist(), dtype=object)
    rows = [[*map(Fraction, row), *unit] for row, unit in zip(A.tolist(), eye(n).tolist(), strict=True)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            raise ZeroDivisionError("a singular matrix has no inverse")
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return np.array([row[n:] for row in rows], dtype=object)


def rank(A: Any) -> int:
    """Rank of a rational matrix.

    >>> rank(matrix([[1, 2], [2, 4]]))
    1
    """
    rows, found = [list(map(Fraction, row)) for row in A.tolist()], 0
    for k in range(len(rows[0])):
        pivot = next((i for i in range(found, len(rows)) if rows[i][k] != 0), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            factor = rows[i][k] / rows[found][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


def centred(V: Any) -> Any:
    """V − c 1ᵀ in the ring of V."""
    return V - V.sum(axis=1, keepdims=True) / V.shape[1]


def reflection(u: Sequence[int]) -> Any:
    """The reflection I − 2 u uᵀ / u·u: rational and orthogonal, and it fixes 1 where u sums to 0."""
    square = sum(x * x for x in u)
    return eye(len(u)) - matrix([[Fraction(2 * x * y, square) for y in u] for x in u])


def halves(n: int) -> Any:
    """n ≤ 3 orthonormal rows of length 4 that sum to 0, with entries ±1/2."""
    return matrix([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])[:n] / 2


def rows_of(n: int, d: int) -> Any:
    """n ≤ 3 rational orthonormal rows of length d ≥ 4 that sum to 0, with few zero entries."""
    padded = matrix([[*row, *[0] * (d - 4)] for row in halves(n).tolist()])
    return padded @ reflection([1, 2, -3, 0] if d == 4 else [1, 2, -3, 1, -1, *[0] * (d - 5)])


ROOTS: Final[dict[int, Any]] = {1: [[3]], 2: [[2, 1], [1, 3]], 3: [[3, 1, 0], [1, 2, 1], [0, 1, 2]]}


def symmetric_matrices(d: int) -> dict[str, Any]:
    """Invertible symmetric G: the identity, diagonal, diagonal with both signs, full."""
    tridiagonal = [[{0: 2, 1: 1}.get(abs(i - j), 0) for j in range(d)] for i in range(d)]
    return {
        "I": eye(d),
        "diag(1, …, d)": matrix([[(i + 1) * (i == j) for j in range(d)] for i in range(d)]),
        "of both signs": matrix([[(-1) ** i * (i + 1) * (i == j) for j in range(d)] for i in range(d)]),
        "full": matrix(tridiagonal),
    }


def point(name: str, S: Any, Q: Any, G: Any, offset: Sequence[int] | None = None) -> Point:
    """The rational point V = S Q + c 1ᵀ."""
    n, d = Q.shape
    one = matrix([[1]] * d)
    c = matrix([[x] for x in (offset or range(1, n + 1))])
    X = S @ Q
    return Point(name, X + c @ one.T, X, c, S, inverse(S), G, inverse(G), one, eye(n), Fraction(d))


def exact_points(quick: bool = False) -> Iterator[Point]:
    """The smallest first; the last with repeated eigenvalues of Σ."""
    for name, G in symmetric_matrices(4).items():
        yield point(f"n = 1, d = 4, G = {name}", matrix([[2]]), halves(1), G)
    for n, d in ((2, 4),) if quick else ((2, 4), (3, 4), (2, 5), (3, 5)):
        for name, G in symmetric_matrices(d).items():
            yield point(f"n = {n}, d = {d}, G = {name}", matrix(ROOTS[n]), rows_of(n, d), G)
    yield point("Σ = 4 I, n = 2, d = 4", 2 * eye(2), rows_of(2, 4), symmetric_matrices(4)["diag(1, …, d)"])


def skewed_point() -> Point:
    """n = 1, d = 4 and an invertible G that is not symmetric."""
    G = eye(4)
    G[0, 1] = Fraction(1)
    return point("n = 1, d = 4, G = I + e_1 e_2ᵀ", matrix([[2]]), halves(1), G)


def is_phi(V: Any, Y: Any) -> bool:
    """Whether Y = (V_C V_Cᵀ)^{-1/2} V_C exactly: Y Yᵀ = I, and H = V_C Yᵀ symmetric positive definite, H Y = V_C.

    These determine Y: V_C V_Cᵀ = H², which has one positive definite root.
    """
    X, unit = centred(V), eye(len(V))
    H = X @ Y.T
    same = equal(Y @ Y.T, unit) and equal(H, H.T) and equal(H @ Y, X)
    return same and all(determinant(H[:k, :k]) > 0 for k in range(1, len(H) + 1))


def equal(left: Any, right: Any) -> bool:
    """Whether two arrays have one shape and the same entries."""
    return bool(left.shape == right.shape and (left == right).all())


def determinant(A: Any) -> Any:
    """By the first row; for the small matrices here, in any ring."""
    import numpy as np

    if len(A) == 1:
        return A[0, 0]
    minors = (determinant(np.delete(A[1:], j, axis=1)) for j in range(len(A)))
    return sum((-1) ** j * A[0, j] * minor for j, minor in enumerate(minors))


def exactly(equation: Equation, points: Iterator[Point], note: str) -> tuple[Evidence, Json]:
    """Whether both sides are equal at all rational points; the first point where not is the witness."""
    count = 0
    for each in points:
        left, right = equation(each)
        count += 1
        if not equal(left, right):
            seen = {"case": each.name, "V": shown(each.V), "G": shown(each.G), "left": shown(left)}
            return said("exact", False, f"{note}: off in the case '{each.name}'", power=0.0), seen | {
                "right": shown(right)
            }
    return said("exact", True, f"{note}, {count} rational points", power=0.0, figures={"points": count}), None


def shown(A: Any) -> Json:
    """A matrix as rows of short strings."""
    return [[str(x) for x in row] for row in A.tolist()]


def ball(x: Any) -> Any:
    """The smallest ball of the working precision around a float or a rational number."""
    import flint

    exact = Fraction(x)
    return flint.arb(flint.fmpq(exact.numerator, exact.denominator))


def balls(A: Any) -> Any:
    """An array of such balls around the entries of A."""
    import numpy as np

    return np.vectorize(ball, otypes=[object])(A)


def rational_root(square: Fraction) -> Fraction:
    """The square root of the square of a rational number; ``ValueError`` for any other.

    >>> rational_root(Fraction(9, 4))
    Fraction(3, 2)
    """
    root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    if root * root != square:
        raise ValueError(f"square must be that of a rational number; got {square}")
    return root


def root_in_balls(X: Any) -> tuple[Any, Any]:
    """(Σ^{1/2}, Σ^{-1/2}) for Σ = X Xᵀ; ``ValueError`` where X is not proved to have full row rank."""
    import flint
    import numpy as np

    from wnverify.oracles.enclosures import inverse_square_root

    P = np.array(inverse_square_root(flint.arb_mat((X @ X.T).tolist())).table(), dtype=object)
    return X @ X.T @ P, P


def working() -> Any:
    """Context in which balls have ``BITS`` bits."""
    from wnverify.oracles.enclosures import precision

    return precision(BITS)


def ball_points(quick: bool = False) -> Iterator[Point]:
    """Random float64 V and symmetric G, smallest first; to be used inside ``working()``."""
    import numpy as np

    for n, d in ((1, 2), (2, 4)) if quick else ((1, 2), (1, 3), (2, 3), (2, 5), (3, 4), (4, 6)):
        rng = np.random.default_rng(seed_of("dswn", "model", n, d))
        V, noise = rng.standard_normal((n, d)), rng.standard_normal((d, d))
        X = centred(balls(V))
        S, P = root_in_balls(X)
        G = matrix((noise + noise.T + 4 * np.eye(d)).tolist())
        inverted, one = balls(inverse(G)), balls(np.ones((d, 1)))
        c = balls(V) @ one / d
        yield Point(f"n = {n}, d = {d}", balls(V), X, c, S, P, balls(G), inverted, one, balls(np.eye(n)), d)


def in_balls(equation: Equation, quick: bool, note: str) -> tuple[Evidence, Json]:
    """Whether left − right contains 0 at all random points, in every entry; a ball that excludes 0 is the witness."""
    widest, count = 0.0, 0
    with working():
        for each in ball_points(quick):
            left, right = equation(each)
            if left.shape != right.shape:
                return said("enclosure", False, f"{note}: shapes {left.shape} and {right.shape}", power=0.0), each.name
            for x in (left - right).ravel().tolist():
                count, widest = count + 1, max(widest, float(x.rad()))
                if not x.contains(0):
                    off = float(f"{float(x.mid()):.6g}")
                    text = f"{note}: off by {off:.4g} in the case '{each.name}'"
                    return said("enclosure", False, text, power=widest), {"case": each.name, "off by": off}
    holds = True if widest <= WIDEST else None
    figures: dict[str, Json] = {"equations": count, "widest radius": float(f"{widest:.1e}"), "bits": BITS}
    return said("enclosure", holds, note, power=widest, figures=figures), None


def both(equation: Equation, quick: bool, note: str) -> tuple[list[Evidence], Json]:
    """The equation in rationals and in balls."""
    exact, witness = exactly(equation, exact_points(quick), note)
    enclosed, seen = in_balls(equation, quick, note)
    return [exact, enclosed], witness or seen


def full_rank() -> Condition:
    """What happens to Σ^{-1/2} without it: two rows of V that differ by a constant."""
    V = matrix([[1, 0, 0], [3, 2, 2]])
    X = centred(V)
    Sigma = X @ X.T
    det = determinant(Sigma)
    note = "Σ of two rows that differ by a constant has determinant 0, so Σ^{-1} and P do not exist"
    with working():
        try:
            root_in_balls(centred(balls(V)))
            rooted = True
        except ValueError:
            rooted = False
    evidence = [
        said("exact", det != 0, note, power=0.0),
        said("enclosure", rooted, "no enclosure of Σ^{-1/2} can be proved there", power=0.0),
    ]
    return Condition(FULL_RANK, evidence, {"V": shown(V), "Sigma": shown(Sigma), "det Sigma": str(det)})


def symmetric_g(equation: Equation) -> Condition:
    """What happens to the equation without it, at a G with one entry beside its diagonal."""
    evidence, witness = exactly(equation, iter([skewed_point()]), "G = I + e_1 e_2ᵀ")
    return Condition(SYMMETRIC_G, [evidence], witness)
