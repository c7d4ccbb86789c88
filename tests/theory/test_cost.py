"""Operation counts: layers against enumeration, orders of methods, and what is refused."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch

from wnverify.auditing.counted import FACTORIZATIONS
from wnverify.methods.catalogue import find
from wnverify.theory.cost import LayerCost, Operations, convolution, eigendecomposition, linear, output_size, sorting
from wnverify.theory.method_cost import METHODS, polar_forward
from wnverify.theory.printed_cost import PRINTED, RESNET110, Layer, of_a_linear_layer

HUGE = 2**400


def enumerated(batch, channels, kernel, size, stride, padding, dilation, groups):
    """Two for each (image, output position, output channel, input channel of its group, tap), found by walking."""
    starts = [
        [
            at
            for at in range(-padding, i + padding)
            if (at + padding) % stride == 0 and at + dilation * (f - 1) < i + padding
        ]
        for i, f in zip(size, kernel, strict=True)
    ]
    inputs, outputs = channels
    of_group = [{c for c in range(inputs) if c * groups // inputs == o * groups // outputs} for o in range(outputs)]
    taps = sum(1 for _ in itertools.product(*map(range, kernel)))
    walked = sum(len(seen) * taps for seen in of_group for _ in itertools.product(*starts))
    return 2 * batch * walked


CASES = {
    "one-axis": (2, (3, 4), (3,), (9,), 1, 0, 1, 1),
    "stride": (1, (2, 3), (3, 2), (9, 6), 2, 1, 1, 1),
    "dilation": (3, (1, 2), (3,), (11,), 3, 2, 2, 1),
    "groups": (2, (4, 6), (3, 3), (5, 4), 1, 1, 1, 2),
    "depthwise": (1, (4, 8), (2, 1, 2), (3, 4, 5), 2, 0, 1, 4),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_convolution_costs_what_walking_over_it_counts(case):
    """Each pass is two operations for every tap of every output position, with every option."""
    batch, channels, kernel, size, stride, padding, dilation, groups = case
    found = convolution(batch, channels, kernel, size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    assert found == LayerCost(*(enumerated(*case),) * 3)
    assert found.total == 3 * enumerated(*case)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_output_has_the_size_that_torch_gives_it(case):
    """The formula's size is that of torch's own convolution."""
    batch, channels, kernel, size, stride, padding, dilation, groups = case
    layer = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[len(kernel) - 1]
    made = layer(*channels, kernel, stride, padding, dilation, groups, device="meta")
    out = made(torch.empty(batch, channels[0], *size, device="meta"))
    assert tuple(out.shape[2:]) == output_size(size, kernel, stride, padding, dilation)


def test_a_convolution_with_a_kernel_of_one_is_a_linear_layer():
    """1×1 over H × W positions costs a linear layer with H W times the batch."""
    assert convolution(3, (5, 7), (1, 1), (4, 6)) == linear(3 * 4 * 6, 5, 7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear(0, 2, 3), "batch must be a whole number, at least 1; got 0"),
        (lambda: linear(1, 2.0, 3), "inputs must be a whole number, at least 1; got 2.0"),
        (lambda: convolution(1, (4, 6), (3,), (9,), groups=4), r"groups must divide both channels; got 4 for \(4, 6\)"),
        (lambda: convolution(1, (1, 1), (3,), (2,)), r"kernel must fit into the padded input; got kernel \(3,\)"),
        (lambda: output_size((3, 3), (3,)), "must have the kernel's 1 axes"),
        (lambda: METHODS["norm_loss"].step(2, True), "d must be a whole number, at least 1; got True"),
    ],
    ids=["batch", "inputs", "groups", "kernel", "axes", "method"],
)
def test_what_is_no_size_is_refused(call, message):
    """The message names the argument and what came."""
    with pytest.raises(ValueError, match=message):
        call()


def order_of(text, n, d):
    """A sum of products such as ``10 n² d + 25 n³`` as a number; a logarithm is that of d, rounded up."""
    names = {"n": n, "d": d, "k": min(n, d), "m": max(n, d), "L": (d - 1).bit_length()}
    powers = {"²": 2, "³": 3}
    total = 0
    for term in text.replace("log₂ d", "L").split(" + "):
        value = 1
        for word in term.split():
            known = int(word) if word.isdigit() else names[word.rstrip("²³")]
            value *= known ** powers.get(word[-1], 1)
        total += value
    return total


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "shape", [(HUGE, 2 * HUGE), (2 * HUGE, HUGE), (HUGE, HUGE**2)], ids=["wide", "tall", "very-wide"]
)
def test_the_order_leads(method, shape):
    """What is over the stated leading order is a vanishing share of it: a row's length, or log d for the sort."""
    n, d = HUGE * shape[0], HUGE * shape[1]
    total, order = METHODS[method].step(n, d).total, order_of(METHODS[method].order, n, d)
    # Nine operations an entry beside log₂ d comparisons; everything else is lower by a power.
    allowed = Fraction(9, 400) if "log" in METHODS[method].order else Fraction(32, HUGE)
    assert abs(Fraction(total, order) - 1) <= allowed


PROSE = {
    "O(n d)": lambda n, d: n * d,
    "O(n² d + n³)": lambda n, d: n**2 * d + n**3,
    "O(n d min(n, d))": lambda n, d: n * d * min(n, d),
    "O(k n d + T k³), k = min(n, d)": lambda n, d: min(n, d) * n * d + 5 * min(n, d) ** 3,
}


@pytest.mark.parametrize("method", [method for method in METHODS if method != "l1_inf_projection"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 1), (1, HUGE)], ids=["wide", "tall", "square", "very-wide"])
def test_the_catalogue_says_the_same_order(method, shape):
    """The count over the catalogue's order is the same at two huge sizes: it grows neither faster nor slower.

    The L1 projection is left out: its implementation takes Newton steps where the paper's algorithm sorts.
    """
    prose = find(method).cost.partition(", and")[0]
    order = PROSE[prose]
    first, second = (
        Fraction(METHODS[method].step(n, d).total, order(n, d))
        for n, d in ((scale * shape[0], scale * shape[1]) for scale in (HUGE, HUGE**2))
    )
    assert abs(first / second - 1) <= Fraction(64, HUGE)


def test_the_eigendecomposition_has_the_audit_s_model():
    """The same model decides the audit's check of work."""
    assert eigendecomposition(17) == FACTORIZATIONS["linalg_eigh"](1, 17, 17, 17)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 7])
def test_merging_sorts_within_the_stated_comparisons(d):
    """Every permutation is sorted with at most d ⌈log₂ d⌉ comparisons, and some need more than half of them."""

    def merged(row):
        if len(row) < 2:
            return row, 0
        (left, a), (right, b) = merged(row[: len(row) // 2]), merged(row[len(row) // 2 :])
        out, used = [], a + b
        while left and right:
            used += 1
            out.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
        return out + left + right, used

    used = []
    for row in itertools.permutations(range(d)):
        out, comparisons = merged(list(row))
        assert out == sorted(row)
        used.append(comparisons)
    assert sorting(1, d) // 2 <= max(used) <= sorting(1, d)
    assert sorting(3, d) == 3 * sorting(1, d)


def test_operations_add_up_kind_by_kind():
    """Sums keep the four kinds apart, and the total has all of them."""
    made = Operations(1, 2, 3, 4) + Operations(10, 20, 30, 40)
    assert made == Operations(11, 22, 33, 44)
    assert made.total == 110


def test_refining_the_polar_factor_costs_two_products_more():
    """4 n² d, as float64 pays."""
    assert polar_forward(3, 7, refined=True).products - polar_forward(3, 7).products == 4 * 9 * 7


@pytest.mark.parametrize("layer", [RESNET110, Layer(8, 3, 640, (1, 1), (5, 7))], ids=["resnet110", "one-by-one"])
def test_what_norm_loss_prints_is_what_its_section_says(layer):
    """Weight decay and the convolution are as printed, for odd kernels; norm loss is N − 2 C_o above the least."""
    decay, loss, overhead, conv, orders, *_ = PRINTED
    assert decay.printed(layer) == decay.closed(layer)
    assert conv.printed(layer) == conv.closed(layer)
    for each in (loss, overhead):
        assert each.printed(layer) - each.closed(layer) == layer.weights - 2 * layer.rows
    assert orders.closed(layer) > 100


@pytest.mark.parametrize("batch", [1, 256])
def test_a_share_of_a_layer_falls_with_the_batch(batch):
    """8 n d over 6 n d for each sample, less the n of an inner product."""
    assert of_a_linear_layer("weight_normalization", batch, 4, 8) == (8 * 32 - 4) / (6 * 32 * batch)
