"""Error models: what they allow is what happens, and no more than is said."""

import math

import numpy as np
import pytest

from wnverify.oracles.ratio import (
    REFUTES_AT,
    REFUTES_FROM,
    SMALLEST_NORMAL,
    UNIT_ROUNDOFF,
    ErrorModel,
    Ratio,
    accumulation_roundoff,
    gamma,
    map_model,
    probabilistic_gamma,
    unit_roundoff,
)

MODEL = ErrorModel(1e-6, "a millionth")


@pytest.mark.parametrize(
    ("dtype", "spacing"), [("float64", np.float64), ("float32", np.float32), ("float16", np.float16)]
)
def test_unit_roundoff_is_half_the_spacing_above_one(dtype, spacing):
    """u is half of NumPy's eps, and the smallest normal number is NumPy's."""
    assert unit_roundoff(dtype) == float(np.finfo(spacing).eps) / 2
    assert SMALLEST_NORMAL[dtype] == float(np.finfo(spacing).tiny)


def test_bfloat16_has_eight_bits():
    """u is 2^-8, and sums are accumulated in float32 as for float16; float64 and float32 keep their own."""
    assert unit_roundoff("bfloat16") == 2.0**-8
    assert accumulation_roundoff("bfloat16") == accumulation_roundoff("float16") == 2.0**-24
    assert [accumulation_roundoff(d) for d in ("float64", "float32")] == [2.0**-53, 2.0**-24]


def test_tf32_has_eleven_bits_and_the_range_of_float32():
    """u is 2^-11 as of float16, sums are float32, and the smallest normal number is float32's."""
    assert unit_roundoff("tf32") == unit_roundoff("float16") == 2.0**-11
    assert accumulation_roundoff("tf32") == 2.0**-24
    assert SMALLEST_NORMAL["tf32"] == SMALLEST_NORMAL["float32"]


def test_an_unknown_dtype_is_an_error_that_lists_the_known_ones():
    """The message has what came and what would be right."""
    with pytest.raises(ValueError, match="dtype must be one of float64, float32, tf32, bfloat16, float16; got 'int8'"):
        unit_roundoff("int8")


def test_gamma_bounds_products_of_rounding_factors():
    """|Π (1 + δ_i) − 1| ≤ γ_n for every |δ_i| ≤ u, with equality nowhere above it; infinite from n u ≥ 1 on."""
    u = 2.0**-11
    for n in (1, 5, 100, 1000):
        assert (1 + u) ** n - 1 <= gamma(n, u)
        assert 1 - (1 - u) ** n <= gamma(n, u)
        assert 1 - (1 / (1 + u)) ** n <= (1 / (1 - u)) ** n - 1 <= gamma(n, u)
    assert gamma(0, u) == 0
    assert gamma(2**11, u) == math.inf
    with pytest.raises(ValueError, match="n must be a number of operations, at least 0; got -1"):
        gamma(-1, u)


def test_probabilistic_gamma_grows_like_the_root_and_stays_below_the_worst_case():
    """Four times the terms is about twice the error; a smaller budget costs little; never above γ_n."""
    u = 2.0**-24
    assert 1.9 < probabilistic_gamma(4_000_000, u) / probabilistic_gamma(1_000_000, u) < 2.1
    assert probabilistic_gamma(10_000, u, 1e-15) < 1.5 * probabilistic_gamma(10_000, u, 1e-9)
    for n in (1, 2, 10, 100, 10_000):
        assert 0 < probabilistic_gamma(n, u) <= gamma(n, u)
    assert probabilistic_gamma(0, u) == 0
    for budget in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="budget must be a probability between 0 and 1; got"):
            probabilistic_gamma(10, u, budget)


@pytest.mark.parametrize("n", [100, 10_000])
def test_sums_of_random_numbers_in_float32_keep_within_the_model(n):
    """Of 300 running sums none exceeds γ̃_n Σ|x|; the largest is above 1/1000 of it, so that the model is not idle."""
    x = np.random.default_rng(n).standard_normal((300, n)).astype(np.float32)
    running = np.add.accumulate(x, axis=1, dtype=np.float32)[:, -1].astype(np.float64)
    relative = np.abs(running - x.astype(np.float64).sum(axis=1)) / np.abs(x).sum(axis=1)
    assert 1e-3 < relative.max() / probabilistic_gamma(n, 2.0**-24) <= 1


def test_the_model_of_a_map_is_its_formula():
    """condition (u + γ̃) + roundings u, the sum in float32 for the half precisions; the text says so."""
    u = UNIT_ROUNDOFF["bfloat16"]
    model = map_model("bfloat16", 64, condition=3.0, roundings=2)
    assert model.relative == 3.0 * (u + probabilistic_gamma(64, 2.0**-24)) + 2 * u
    assert model.text == "condition 3 × (u + γ̃_64) + 2 u in bfloat16"
    assert map_model("float64", 0).relative == map_model("float64", 1).relative
    for condition in (-1.0, math.nan):
        with pytest.raises(ValueError, match="condition must be a non-negative number; got"):
            map_model("float64", 1, condition=condition)


def test_models_add():
    """Two sources of error add, in numbers and in words."""
    total = MODEL + ErrorModel(2e-6, "two millionths")
    assert (total.relative, total.text) == (MODEL.relative + 2e-6, "a millionth + two millionths")


@pytest.mark.parametrize(
    ("error", "scale", "value", "relative"),
    [
        (2e-6, 2.0, 1.0, 1e-6),
        (1e-5, 1.0, 10.0, 1e-5),
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 0.0, 0.0),
        (1e-300, 0.0, math.inf, math.inf),
        (math.inf, 1.0, math.inf, math.inf),
    ],
)
def test_a_ratio_is_error_over_what_is_modelled(error, scale, value, relative):
    """No error passes at every scale; an error where none is modelled, and an infinite one, never."""
    found = Ratio(error, scale, MODEL)
    for got, wanted in ((found.value, value), (found.relative, relative)):
        assert got == wanted or abs(got - wanted) <= 4 * 2.0**-53 * wanted


def test_what_is_not_a_number_never_passes():
    """A NaN error has ratio infinity, not NaN, so that no comparison can let it through."""
    assert Ratio(math.nan, 1.0, MODEL).value == math.inf
    assert not Ratio(math.nan, 1.0, MODEL).value <= 1


def test_thresholds_leave_a_gap():
    """Between passing (1) and refuting (2) nothing is decided; shrinking keeps a wider distance."""
    assert 1 < REFUTES_FROM < REFUTES_AT
