"""Where the methods are undefined they say so, naming the row, the entry or the rank."""

import flint
import numpy as np
import pytest
import torch
from method_cases import CASES, CENTRED, ORTHOGONAL, PLAIN, name_of, normal, with_singular_values

from wnverify.methods.weight_normalization.pytorch import WeightNormalization

GOOD = [[1.0, 2.0, 4.0], [1.0, 0.0, 0.0]]
REFUSALS = [
    (PLAIN, [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], r"V\[1, :\]"),
    (PLAIN, [[0.0, 0.0], [0.0, 0.0]], r"V\[0, :\]"),
    (CENTRED, [[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], r"V\[1, :\]"),
    (CENTRED, [[1.0, 2.0, 4.0], [0.1, 0.1, 0.1]], r"V\[1, :\]"),
    (CENTRED, [[0.1] * 1000], r"V\[0, :\]"),
    (CENTRED, [[1 / 3] * 4097], r"V\[0, :\]"),
    (ORTHOGONAL, [[1 / 3] * 4097], r"\(1, 4097\).* rank 0"),
    (CENTRED, [[1.0], [2.0]], r"V\[0, :\]|d = 1"),
    (ORTHOGONAL, [[1.0, 2.0, 4.0], [0.1, 0.1, 0.1]], r"\(2, 3\).* rank 1"),
    (ORTHOGONAL, [[0.1] * 3, [0.7] * 3], r"\(2, 3\).* rank 0"),
    (ORTHOGONAL, [[1.0, 2.0, 4.0], [2.0, 4.0, 8.0]], r"n ≤ d - 1; got shape \(2, 3\).* rank 1"),
    (ORTHOGONAL, [[1.0, 2.0, 4.0], [3.0, 4.0, 6.0]], r"\(2, 3\).* rank 1"),
    (ORTHOGONAL, np.eye(3).tolist(), r"n ≤ d - 1; got shape \(3, 3\)"),
    (ORTHOGONAL, normal(4, 3).tolist(), r"n ≤ d - 1; got shape \(4, 3\)"),
    (ORTHOGONAL, [[1.0]], r"n ≤ d - 1; got shape \(1, 1\)"),
]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize(("case", "rows", "place"), REFUSALS)
def test_pytorch_refuses_what_is_undefined(case, rows, place, dtype):
    """A zero row, a constant row or a missing rank raises ValueError with its place, in every dtype and scale."""
    for scale in (1.0, 2.0**-10):
        with pytest.raises(ValueError, match=place):
            case.function(torch.tensor(rows, dtype=dtype) * scale)


@pytest.mark.parametrize(("case", "rows", "place"), REFUSALS)
def test_reference_refuses_what_is_undefined(case, rows, place):
    """The NumPy forward and backward raise ValueError with the same place, at any scale."""
    for scale in (1.0, 2.0**-600, 2.0**600):
        V = np.array(rows) * scale
        with pytest.raises(ValueError, match=place):
            case.reference.forward(V)
        with pytest.raises(ValueError, match=place):
            case.reference.vjp(V, np.ones_like(V))


@pytest.mark.parametrize(("case", "rows", "place"), REFUSALS)
def test_enclosure_refuses_what_is_undefined(case, rows, place):
    """Balls are never handed out for a value that does not exist."""
    with pytest.raises(ValueError, match="V must"):
        case.enclosure.forward(np.array(rows))
    with pytest.raises(ValueError, match="V must"):
        case.enclosure.vjp(np.array(rows), np.ones(np.shape(rows)))
    assert flint.ctx.prec == 53


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_non_finite_entries_are_named(case, value):
    """A NaN or an infinity raises ValueError naming V[i, j] in all three forms, and does not spread to other rows."""
    V = np.array(GOOD)
    V[1, 2] = value
    for form in (case.reference.forward, case.enclosure.forward, lambda X: case.function(torch.tensor(X))):
        with pytest.raises(ValueError, match=r"V\[1, 2\]"):
            form(V)
    with pytest.raises(ValueError, match=r"A\[1, 2\]"):
        case.reference.vjp(np.array(GOOD), V)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_refusal_in_a_batch_names_the_matrix(case):
    """In a batch the place starts with the index of the matrix."""
    V = torch.tensor(normal(2, 3, 5))
    V[1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match=r"V\[1, 2, 3\]"):
        case.function(V)
    with pytest.raises(ValueError, match=r"V\[1, 2, 3\]"):
        torch.func.vmap(case.function)(V)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_integers_and_complex_numbers_are_refused(case):
    """Only real floating tensors have derivatives here: anything else is a TypeError."""
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(TypeError):
            case.module()(torch.ones(2, 3).to(dtype))
    with pytest.raises(TypeError, match="V must be a real matrix"):
        case.reference.forward(np.ones((2, 3), dtype=complex))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_wrong_shapes_are_refused(case):
    """A vector is no weight, and a cotangent has the shape of the weight."""
    with pytest.raises(ValueError, match="at least two axes"):
        case.module()(torch.ones(3))
    with pytest.raises(ValueError, match="V must be a matrix"):
        case.reference.forward(np.ones(3))
    with pytest.raises(ValueError, match=r"A must have the shape \(2, 3\)"):
        case.reference.vjp(np.array(GOOD), np.ones((3, 2)))


def test_shape_annotations_are_checked():
    """A call of the wrong rank is refused by the annotation itself."""
    import jaxtyping
    from beartype import beartype

    for case in CASES:
        checked = jaxtyping.jaxtyped(typechecker=beartype)(case.function)
        with pytest.raises(TypeError):
            checked(torch.ones(3))
        assert checked(torch.tensor(GOOD)).shape == (2, 3)


@pytest.mark.parametrize("kappa", [1e6, 1e12])
def test_rank_is_judged_in_the_working_precision(kappa):
    """A condition number that float64 resolves and float32 does not is a value in one and a refusal in the other."""
    V = torch.tensor(with_singular_values([1.0, 1 / kappa], 8))
    assert bool(ORTHOGONAL.function(V).isfinite().all())
    if kappa > 1e7:
        with pytest.raises(ValueError, match="rank 1"):
            ORTHOGONAL.function(V.float())
    else:
        assert bool(ORTHOGONAL.function(V.float()).isfinite().all())


def test_gain_is_checked():
    """A gain of the wrong shape, missing or unwanted, is a ValueError that names g."""
    V = torch.tensor(GOOD)
    with pytest.raises(ValueError, match="g must"):
        WeightNormalization()(V)
    with pytest.raises(ValueError, match="g must"):
        WeightNormalization(gain=False)(V, torch.ones(2, 1))
    with pytest.raises(ValueError, match=r"g must have shape \(2, 1\)"):
        WeightNormalization()(V, torch.ones(3, 1))
    with pytest.raises(ValueError, match="g must have one entry"):
        PLAIN.reference.forward(GOOD, [1.0])
