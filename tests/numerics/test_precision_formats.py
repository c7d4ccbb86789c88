"""Rounding to a format and its emulator: bit for bit what the casts and the definitions say."""

import math

import pytest
import torch

from wnverify.numerics.precision_formats import FORMATS, Emulated, Products, rounded

CASTS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def same_bits(found, expected):
    """Equal bit for bit, signed zeros told apart; NaN equals NaN."""
    nan = expected.isnan()
    assert torch.equal(found.isnan(), nan)
    assert torch.equal(found[~nan].float().view(torch.int32), expected[~nan].float().view(torch.int32))


@pytest.mark.parametrize("name", CASTS)
@pytest.mark.parametrize("wide", [torch.float32, torch.float64], ids=str)
def test_rounding_is_that_of_the_casts_bit_for_bit(name, wide):
    """Every number of a half precision, every tie between two, both neighbours of every tie, and all beyond."""
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(CASTS[name]).float()
    every = every[every.isfinite()].double().sort().values
    ties = ((every[1:] + every[:-1]) / 2).float()
    largest = torch.tensor(FORMATS[name].largest, dtype=torch.float64)
    border = (largest * (1 + 2.0 ** -(FORMATS[name].bits + 1))).float()
    infinite = torch.tensor(math.inf)
    special = torch.tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 2.0**-149, -(2.0**-149), 3.4e38])
    points = torch.cat([every.float(), ties, ties.nextafter(infinite), ties.nextafter(-infinite), special])
    points = torch.cat([points, border[None], border.nextafter(infinite)[None], border.nextafter(-infinite)[None]])
    same_bits(rounded(points.to(wide), name), points.to(CASTS[name]))


def test_rounding_to_float32_is_that_of_the_cast():
    """From float64, over its whole range, subnormal numbers and overflow included."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(20_000, dtype=torch.float64, generator=generator)
    points = torch.ldexp(points, torch.randint(-155, 132, (20_000,), generator=generator).double())
    same_bits(rounded(points, "float32"), points.float())


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (1 + 2.0**-10, 1 + 2.0**-10),
        (1 + 2.0**-11, 1.0),
        (1 + 3 * 2.0**-11, 1 + 2.0**-9),
        (1 + 2.0**-11 + 2.0**-23, 1 + 2.0**-10),
        (-(1 + 3 * 2.0**-11), -(1 + 2.0**-9)),
        (2 - 2.0**-23, 2.0),
        (2.0**-136, 2.0**-136),
        (2.0**-137, 0.0),
        (3 * 2.0**-137, 2.0**-135),
        (2.0**127 * (2 - 2.0**-10), 2.0**127 * (2 - 2.0**-10)),
        (2.0**127 * (2 - 2.0**-11), math.inf),
        (-math.inf, -math.inf),
    ],
    ids=lambda x: float(x).hex(),
)
def test_tf32_has_ten_bits_and_the_exponent_of_float32(x, expected):
    """Ten explicit bits, ties to even, subnormal numbers down to 2^-136, overflow at half a step beyond the largest."""
    assert rounded(torch.tensor([x]), "tf32").tolist() == [expected]


def test_rounding_tells_what_it_cannot_do():
    """An unknown format and a dtype that is none of the two are errors that name the argument."""
    with pytest.raises(ValueError, match="name must be one of float64, float32, tf32, bfloat16, float16; got 'fp8'"):
        rounded(torch.ones(1), "fp8")
    with pytest.raises(TypeError, match=r"x must be float64 or float32; got torch\.int64"):
        rounded(torch.ones(1, dtype=torch.int64), "tf32")


def test_the_emulator_adds_as_the_format_does():
    """A sum of ones in bfloat16 stands still at 256, in float16 at 2048, by itself, in a product and in a norm."""
    ones = torch.ones(1, 2100)
    for name, still in (("bfloat16", 256.0), ("float16", 2048.0)):
        with Emulated(name):
            found = ones.sum(), (ones @ ones.mT).squeeze(), ones.square().sum(-1).squeeze(), ones.cumsum(-1)[0, -1]
            norm, mean = torch.linalg.vector_norm(ones), ones[:, :300].mean()
        assert [float(x) for x in found] == [still] * 4
        assert float(norm) == float(rounded(torch.tensor(still).sqrt(), name))
        assert float(mean) == float(rounded(torch.tensor(min(still, 300) / 300), name))


@pytest.mark.parametrize("shapes", [((3, 5), (5, 2)), ((2, 3, 5), (2, 5, 4)), ((3, 5), (5,))], ids=str)
def test_an_emulated_product_is_the_product(shapes):
    """Of small integers, where nothing rounds, every kind of product is exact; so are sums along any axes."""
    generator = torch.Generator().manual_seed(1)
    A, B = (torch.randint(-3, 4, shape, generator=generator).float() for shape in shapes)
    with Emulated("bfloat16"):
        found, sums, kept = A @ B, A.sum(), A.sum(0, keepdim=True)
        added = torch.addmm(torch.ones(3, 2), A, B) if A.dim() == B.dim() == 2 else None
    assert torch.equal(found, A @ B)
    assert torch.equal(sums, A.sum())
    assert torch.equal(kept, A.sum(0, keepdim=True))
    assert added is None or torch.equal(added, A @ B + 1)


def test_the_emulator_rounds_every_operation_as_bfloat16_tensors_do():
    """Elementwise arithmetic under the emulator, in place and through autograd, is that on bfloat16 tensors."""
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.randn(200, generator=generator).bfloat16() for _ in range(2))

    def steps(x, y):
        z = x * y + x
        z.div_(y.abs() + 1)
        return z.sqrt().nan_to_num() * (x - y)

    with Emulated("bfloat16"):
        leaf = x.float().requires_grad_()
        found = steps(leaf, y.float())
        (G,) = torch.autograd.grad((leaf * y.float() * leaf), leaf, y.float())
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(leaf * y * leaf, leaf, y)
    same_bits(found.detach(), steps(x, y))
    same_bits(G, expected)


def test_a_reduction_that_is_not_emulated_is_refused():
    """No sum is taken wide without a word."""
    with pytest.raises(NotImplementedError, match="var is a reduction that is not emulated"), Emulated("bfloat16"):
        torch.ones(3).var()


def test_products_alone_are_rounded_for_tf32():
    """Inputs of float32 products lose bits beyond the tenth; float64 products and elementwise ones keep theirs."""
    x = torch.tensor([[1 + 2.0**-12]])
    with Products("tf32") as seen:
        assert (x @ x).item() == 1.0
        assert (x * x).item() > 1.0
        assert (x.double() @ x.double()).item() > 1.0
        assert torch.addmm(x, x, x).item() == 2 + 2.0**-12
    assert seen.operations == {"aten.mm": 1, "aten.addmm": 1}
    with Products("tf32", summed=True):
        assert (torch.ones(1, 2049) @ torch.ones(2049, 1)).item() == 2048.0
