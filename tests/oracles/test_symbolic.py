"""Symbolic proofs: what is true is proved, what was made wrong on purpose is not."""

import pytest
import sympy

from wnverify.oracles.symbolic import Gram, coordinates, counterexample, is_identity, unit_zero_sum, vanishes_on

x, y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((x + y) ** 2, x**2 + 2 * x * y + y**2),
        (1 / x - 1 / y, (y - x) / (x * y)),
        ((x**2 - y**2) / (x - y), x + y),
        (sympy.sqrt(2) * x / 2, x / sympy.sqrt(2)),
    ],
)
def test_identities_are_proved(left, right):
    """True equations of rational expressions, with roots of numbers, are recognised."""
    assert is_identity(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [((x + y) ** 2, x**2 + y**2), (1 / x - 1 / y, (x - y) / (x * y)), (x / 2, x / 2 + sympy.Rational(1, 10**12) * y)],
)
def test_false_identities_are_not_proved(left, right):
    """A dropped term, a wrong sign and a tiny term each keep an equation from being proved."""
    assert not is_identity(left, right)


def test_constraints_are_divided_out():
    """On w·1 = 0, w·w = 1 the projection of g to their tangent space is orthogonal to w, and g itself is not."""
    w, g = coordinates("w", 3), coordinates("g", 3)
    relations = [sum(w), w @ w - 1]
    tangent = g - (g @ w) * w - sum(g) / sympy.Integer(3)
    assert vanishes_on(tangent @ w, relations, list(w))
    assert not vanishes_on(g @ w, relations, list(w))
    assert not vanishes_on((g - 2 * (g @ w) * w) @ w, relations, list(w))


def test_each_relation_is_used():
    """An equation that needs both constraints is not proved from one of them."""
    w = coordinates("w", 3)
    expression = w[0] ** 2 + w[1] ** 2 + (w[0] + w[1]) ** 2 - 1
    assert vanishes_on(expression, [sum(w), w @ w - 1], list(w))
    assert not vanishes_on(expression, [sum(w)], list(w))
    assert not vanishes_on(expression, [w @ w - 1], list(w))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_parametrised_set_is_the_constrained_one(count):
    """Every parametrised vector has sum 0 and norm 1, for d = 2 to 5."""
    w = unit_zero_sum(sympy.symbols(f"t1:{count + 1}", real=True))
    assert len(w) == count + 2
    assert is_identity(sum(w))
    assert is_identity(w @ w, 1)


def test_the_parametrised_set_has_its_full_dimension():
    """For d = 4 the derivatives by the two parameters are independent, so that a surface is covered, not a curve."""
    t = sympy.symbols("t1 t2", real=True)
    w = sympy.Matrix(unit_zero_sum(t))
    assert w.jacobian(t).subs({t[0]: 1, t[1]: 2}).rank() == 2


def test_a_counterexample_is_small_and_true():
    """The point found is the simplest one and does refute."""
    point = counterexample((x + y) ** 2 - x**2 - y**2, [x, y])
    assert point == {"x": "1", "y": "1"}


def test_no_counterexample_to_an_identity():
    """A true equation has none."""
    assert counterexample((x + y) ** 2 - x**2 - y**2 - 2 * x * y, [x, y]) is None


def test_counterexamples_stay_where_they_are_allowed():
    """Points where an expression is undefined, or an allowed expression is not positive, are passed over."""
    assert counterexample(1 / x, [x]) == {"x": "1"}
    assert counterexample(x, [x], allowed=[-x]) == {"x": "-1"}
    assert counterexample(abs(x) - x, [x], allowed=[x]) is None


def gram_vectors():
    d = sympy.Symbol("d", positive=True)
    gram = Gram({("w", "w"): 1, ("w", "one"): 0, ("one", "one"): d})
    return d, *(gram.vector(name) for name in ("g", "w", "one"))


def test_gram_vectors_prove_in_every_dimension():
    """With inner products alone the tangent projection is orthogonal to w and 1, and idempotent."""
    d, g, w, one = gram_vectors()

    def project(z):
        return z - (z @ w) * w - (z @ one) / d * one

    assert is_identity(project(g) @ w)
    assert is_identity(project(g) @ one)
    assert (project(project(g)) - project(g)).is_zero()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda g, w, one, d: g - (g @ w) * w,
        lambda g, w, one, d: g - (g @ w) * w + (g @ one) / d * one,
        lambda g, w, one, d: g - (g @ w) * w - (g @ one) * one,
        lambda g, w, one, d: -g,
    ],
    ids=["mean term dropped", "wrong sign", "1/d missing", "negated"],
)
def test_gram_vectors_do_not_prove_what_is_wrong(wrong):
    """A projection made wrong on purpose is not orthogonal to 1."""
    d, g, w, one = gram_vectors()
    assert not is_identity(wrong(g, w, one, d) @ one)


def test_unnamed_inner_products_are_free_and_symmetric():
    """A pair that the table lacks has one symbol of its own, whichever way round it is asked for."""
    _, g, w, _ = gram_vectors()
    assert g @ w == w @ g
    assert (g @ w).free_symbols
    assert not is_identity(g @ g)


def test_coordinates_need_a_size():
    """A vector of no entries is refused."""
    with pytest.raises(ValueError, match="at least 1; got 0"):
        coordinates("v", 0)
