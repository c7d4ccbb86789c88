"""Proofs and small counterexamples in symbols.

Two ways to prove a vector identity.  With *coordinates*: vectors of a small, stated size d with symbolic entries (a
NumPy object array of SymPy expressions), constraints either divided out (``vanishes_on``) or solved by a
parametrisation of the constrained set (``unit_zero_sum``).  Without: a ``Gram`` table states the inner products of
some named vectors, and an identity that uses nothing else is proved for every d at once.

SymPy is imported when a function is called: a module that only might need a proof does not pay for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

Expression = Any
"""A SymPy expression (SymPy carries no types)."""

CANDIDATES: Final = tuple(
    Fraction(p, q) for p, q in ((0, 1), (1, 1), (-1, 1), (2, 1), (-2, 1), (1, 2), (-1, 2), (3, 1), (-3, 1))
)
"""Values tried for a counterexample, the simplest first."""
LARGEST_SEARCH: Final = 20_000
DIGITS: Final = 30
NOT_ZERO: Final = 1e-20
"""A value counts as refuting from here on, calculated to 30 digits."""


def is_identity(left: Expression, right: Expression = 0) -> bool:
    """Whether ``left = right`` for all values of their symbols, where both are defined.

    Decided exactly for rational expressions: then False means that the difference vanishes on no open set.  With
    square roots, a true identity that SymPy cannot reduce reads as False, which refutes nothing (see
    ``counterexample``).

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> is_identity((x + y) ** 2 / (x + y), x + y), is_identity((x + y) ** 2, x**2 + y**2)
    (True, False)
    """
    import sympy

    difference = sympy.together(sympy.sympify(left) - sympy.sympify(right))
    numerator = sympy.expand(sympy.fraction(difference)[0])
    if numerator == 0:
        return True
    return bool(sympy.simplify(sympy.cancel(difference)) == 0)


def vanishes_on(expression: Expression, relations: Sequence[Expression], generators: Sequence[Any]) -> bool:
    """Whether the numerator of ``expression`` lies in the ideal of ``relations`` (each taken = 0).

    ``generators`` are the symbols of the relations, those to be eliminated first in front; coefficients are rational.
    True proves that the expression is 0 wherever all relations hold and its denominator does not vanish.  False
    does not refute: a real set may satisfy more equations than its ideal shows.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> vanishes_on(x**2 - y**2, [x + y], [x, y]), vanishes_on(x**2 + y**2, [x + y], [x, y])
    (True, False)
    """
    import sympy

    numerator = sympy.expand(sympy.fraction(sympy.together(sympy.sympify(expression)))[0])
    if numerator == 0:
        return True
    others = sorted(numerator.free_symbols - set(generators), key=str)
    basis = sympy.groebner(list(relations), *generators, *others, order="grevlex")
    remainder = basis.reduce(numerator)[1]
    return bool(sympy.expand(remainder) == 0)


def counterexample(
    expression: Expression, symbols: Sequence[Any], allowed: Sequence[Expression] = ()
) -> dict[str, str] | None:
    """The first small rational point, in a fixed order, where ``expression`` is defined and off 0 by 1e-20 or more.

    Points with few entries other than 0 and 1 come first.  ``allowed`` are expressions that must be positive there.
    ``None`` where no point of the search (at most 20,000) refutes, which proves nothing.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> counterexample((x + y) ** 2 - x**2 - y**2, [x, y])
    {'x': '1', 'y': '1'}
    """
    import sympy

    target = sympy.sympify(expression)
    for point in itertools.islice(_points(len(symbols)), LARGEST_SEARCH):
        values = {symbol: sympy.Rational(x.numerator, x.denominator) for symbol, x in zip(symbols, point, strict=True)}
        if not all(sympy.sympify(each).subs(values).is_positive for each in allowed):
            continue
        found = target.subs(values)
        if found.is_finite and abs(found.evalf(DIGITS)) > NOT_ZERO:
            return {str(symbol): str(value) for symbol, value in values.items()}
    return None


def _points(size: int) -> Iterator[tuple[Fraction, ...]]:
    """All points with entries among the candidates, by the largest index of a candidate used."""
    for largest in range(len(CANDIDATES)):
        for choice in itertools.product(range(largest + 1), repeat=size):
            if max(choice, default=0) == largest:
                yield tuple(CANDIDATES[index] for index in choice)


def coordinates(name: str, size: int) -> Any:
    """A vector of ``size`` real symbols ``name1, name2, …`` as a NumPy object array.

    >>> coordinates("v", 2)
    array([v1, v2], dtype=object)
    """
    import numpy as np
    import sympy

    if size < 1:
        raise ValueError(f"size must be at least 1; got {size}")
    return np.array([sympy.Symbol(f"{name}{index}", real=True) for index in range(1, size + 1)], dtype=object)


def unit_zero_sum(parameters: Sequence[Any]) -> Any:
    """A vector w of size ``len(parameters) + 2`` with w·1 = 0 and w·w = 1 for all real values of the parameters.

        w = H y,   y = (2 t, 1 − t·t) / (1 + t·t),   H the orthonormal Helmert basis of the vectors with sum 0.

    Every such w but one is reached for some t.  For no parameters (d = 2) the two points are ±(1, −1)/√2, of which
    the first is returned.

    >>> w = unit_zero_sum([])
    >>> w @ w, sum(w)
    (1, 0)
    """
    import numpy as np
    import sympy

    square = sum((t**2 for t in parameters), sympy.Integer(0))
    y = [2 * t / (1 + square) for t in parameters] + [(1 - square) / (1 + square)]
    d = len(y) + 1
    w = [sympy.Integer(0)] * d
    for k, height in enumerate(y, start=1):
        # Helmert's k-th vector: k ones, then -k, over the square root of k (k + 1)
        scale = height / sympy.sqrt(k * (k + 1))
        for i in range(k):
            w[i] += scale
        w[k] -= k * scale
    return np.array(w, dtype=object)


class Gram:
    """Vectors known by their inner products only: what is proved of them is proved in every dimension.

    ``products`` maps a pair of names to its inner product; a pair that it lacks gets a free symbol of its own.

    >>> gram = Gram({("w", "w"): 1, ("w", "one"): 0})
    >>> w, one, g = gram.vector("w"), gram.vector("one"), gram.vector("g")
    >>> (g - (g @ w) * w) @ w
    0
    """

    def __init__(self, products: Mapping[tuple[str, str], Expression]) -> None:
        import sympy

        self._products = {tuple(sorted(pair)): sympy.sympify(value) for pair, value in products.items()}

    def vector(self, name: str) -> GramVector:
        return GramVector(self, {name: 1})

    def product(self, left: str, right: str) -> Expression:
        import sympy

        key = tuple(sorted((left, right)))
        if key not in self._products:
            self._products[key] = sympy.Symbol("·".join(key), real=True)
        return self._products[key]


class GramVector:
    """A linear combination of a Gram table's vectors; ``@`` is the inner product, scalars are SymPy expressions."""

    def __init__(self, gram: Gram, coefficients: Mapping[str, Expression]) -> None:
        self._gram = gram
        self.coefficients = dict(coefficients)

    def __add__(self, other: GramVector) -> GramVector:
        names = self.coefficients.keys() | other.coefficients.keys()
        mine, theirs = self.coefficients, other.coefficients
        return GramVector(self._gram, {name: mine.get(name, 0) + theirs.get(name, 0) for name in sorted(names)})

    def __sub__(self, other: GramVector) -> GramVector:
        return self + (-other)

    def __neg__(self) -> GramVector:
        return self * -1

    def __mul__(self, scalar: Expression) -> GramVector:
        return GramVector(self._gram, {name: scalar * value for name, value in self.coefficients.items()})

    __rmul__ = __mul__

    def __truediv__(self, scalar: Expression) -> GramVector:
        import sympy

        return self.__mul__(1 / sympy.sympify(scalar))

    def __matmul__(self, other: GramVector) -> Expression:
        import sympy

        total = sympy.Integer(0)
        for (mine, a), (theirs, b) in itertools.product(self.coefficients.items(), other.coefficients.items()):
            total += a * b * self._gram.product(mine, theirs)
        return sympy.expand(total)

    def is_zero(self) -> bool:
        """Whether all coefficients vanish, so that this is the zero vector whatever the named vectors are."""
        return all(is_identity(value) for value in self.coefficients.values())
