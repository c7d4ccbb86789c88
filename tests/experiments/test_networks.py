"""The papers' networks: layer shapes, parameter counts, outputs, gradients."""

import itertools

import pytest
import torch
from torch import nn

from wnverify.experiments.networks import inception
from wnverify.experiments.networks.blocks import GlobalMean
from wnverify.experiments.networks.dgcnn import EdgeConvolution, nearest
from wnverify.experiments.networks.perceptrons import perceptron
from wnverify.experiments.networks.residual import Padded, resnet, wide_resnet
from wnverify.experiments.networks.table import NETWORKS, build
from wnverify.oracles.ratio import Ratio, map_model

SMALL = {"mnist": (1, 8, 8), "cloud": (3, 24), "image": (3, 16, 16)}
LARGEST = ("wrn_28_10", "resnet_50")


def small_shape(row):
    if len(row.shape) == 1:
        return row.shape
    return SMALL["cloud" if len(row.shape) == 2 else "mnist" if row.shape[0] == 1 else "image"]


def weights(model):
    return [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]


def seen(model, x):
    """The shapes of the outputs of all convolutions and linear layers, in the order in which they are computed."""
    out = []
    kinds = nn.Conv1d | nn.Conv2d | nn.Linear
    hooks = [
        m.register_forward_hook(lambda m, i, o: out.append(tuple(o.shape[1:])))
        for m in model.modules()
        if isinstance(m, kinds)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return out


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", [name for name, row in NETWORKS.items() if row.published])
def test_parameter_counts_are_the_published_ones(name):
    """The count agrees with the published one to its last digit, rounded or cut off."""
    row = NETWORKS[name]
    millions = parameters(build(name)) / 1e6
    unit = 10.0 ** -len(row.published.partition(".")[2])
    assert -unit / 2 <= millions - float(row.published) < unit
    assert row.source


def counted(channels, kernels, linear, bias_free=True):
    """Entries of convolutions without bias, two a channel for normalization, one linear layer with bias."""
    total = sum(a * b * k * k for a, b, k in zip(channels, channels[1:], kernels, strict=False)) + 2 * sum(channels[1:])
    return total + (channels[-1] + 1) * linear


def test_plain_networks_have_the_weights_that_their_lists_give():
    """Counted by hand from channels and kernel sizes."""
    d = [3, 64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    nine = [3, *[64] * 3, *[128] * 3, *[256] * 3]
    assert parameters(build("vgg_16")) == counted(d, [3] * 13, 10)
    assert parameters(build("vgg_16_large")) == counted(d, [21, 21, *[3] * 11], 10)
    assert parameters(build("cnn9")) == counted(nine, [3] * 9, 10)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("mlp_300", (1000, 300, 1)),
        ("mlp_100_50_20", (500, 100, 50, 20, 2)),
        ("mlp_900", (784, 900, 10)),
        ("mlp_6x128", (784, *[128] * 5, 10)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_perceptrons_have_the_printed_widths(name, widths):
    """One linear layer for each pair of neighbouring widths, ReLU between them."""
    model = build(name)
    assert weights(model) == [(b, a) for a, b in itertools.pairwise(widths)]
    assert [type(m) for m in model][1::2] == [nn.Linear] * (len(widths) - 1)
    assert [type(m) for m in model][2::2] == [nn.ReLU] * (len(widths) - 2)


@pytest.mark.parametrize("name", ["mlp_6x128_unbiased", "mlp_narrowing"])
def test_perceptrons_for_depth_have_no_biases(name):
    """Section 3 takes biases to be zero; every weight of the narrowing one has fewer rows than columns."""
    layers = [m for m in build(name).modules() if isinstance(m, nn.Linear)]
    assert all(layer.bias is None for layer in layers)
    narrows = all(layer.out_features < layer.in_features for layer in layers)
    assert narrows is (name == "mlp_narrowing")


@pytest.mark.parametrize(
    ("name", "main", "last"),
    [
        ("cnn9", 10, (256, 8, 8)),
        ("vgg_16", 14, (512, 2, 2)),
        ("resnet_110", 110, (64, 8, 8)),
        ("wrn_28_10", 28 - 3 + 1, (640, 8, 8)),
    ],
)
def test_depth_and_last_feature_map(name, main, last):
    """As many layers with weights as the name says, and the paper's last feature map.

    Projection shortcuts are left aside; the 28 of WRN-28-10 are its convolutions, three shortcuts among them.
    """
    model = build(name).eval()
    with torch.no_grad():
        shapes = seen(model, torch.zeros(1, 3, 32, 32))
    shortcuts = sum(isinstance(getattr(m, "shortcut", None), nn.Conv2d) for m in model.modules())
    assert len(shapes) - shortcuts == main
    assert shapes[-2] == last
    assert shapes[-1] == (10,)


@pytest.mark.parametrize(
    ("name", "widths"), [("googlenet", inception.GOOGLENET), ("bn_inception", inception.BN_INCEPTION)]
)
def test_inception_widths(name, widths):
    """Every module's output has the published number of channels."""
    published = {
        "googlenet": [256, 480, 512, 512, 512, 528, 832, 832, 1024],
        "bn_inception": [256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024],
    }[name]
    model = build(name)
    assert [m.outputs for m in model.modules() if isinstance(m, inception.Inception)] == published
    assert sum(each is not None for each in widths) == len(published)


def test_resnet_50_has_bottlenecks_where_they_belong():
    """Stages of 3, 4, 6 and 3 blocks; 2,048 channels of 7 × 7 positions before the mean."""
    model = build("resnet_50").eval()
    with torch.no_grad():
        shapes = seen(model, torch.zeros(1, 3, 224, 224))
    ends = [shape for shape in shapes if len(shape) == 3 and shape[0] in (256, 512, 1024, 2048)]
    assert ends[-1] == (2048, 7, 7)
    assert shapes[0] == (64, 112, 112)
    assert len(weights(model)) == 1 + 3 * 16 + 4 + 1


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in LARGEST])
def test_forward_and_backward(name):
    """Scores of the right shape, and a finite gradient that is not zero for every parameter."""
    row = NETWORKS[name]
    model = build(name, small_shape(row), 5)
    x = torch.randn(6, *small_shape(row), generator=torch.Generator().manual_seed(0))
    out = model(x)
    assert out.shape == (6, 5)
    (out * torch.randn(6, 5, generator=torch.Generator().manual_seed(1))).sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.any(), parameter_name


def test_a_seed_gives_the_network_again():
    """The same seed gives the same weights, another one others."""
    one, two, three = (build("cnn9", (3, 8, 8), 3, seed) for seed in (1, 1, 2))
    pairs = list(zip(one.parameters(), two.parameters(), three.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_shortcut_without_parameters():
    """Every second position, zeros for new channels."""
    x = torch.arange(2.0 * 4 * 4).reshape(1, 2, 4, 4)
    out = Padded(3, 2)(x)
    assert out.shape == (1, 5, 2, 2)
    assert torch.equal(out[0, :2], x[0, :, ::2, ::2])
    assert not out[0, 2:].any()


def test_neighbours_are_the_nearest():
    """The k nearest points by Euclidean distance, the point itself first."""
    x = torch.tensor([[[0.0, 1.0, 10.0, 2.5]]])
    assert nearest(x, 2)[0].sort(dim=1).values.tolist() == [[0, 1], [0, 1], [2, 3], [1, 3]]


def test_edge_convolution_is_a_maximum_over_edges():
    """With a known layer: the largest of h(x_j − x_i, x_i) over the neighbours j."""
    edge = EdgeConvolution(1, 1, 2)
    edge.body = nn.Conv2d(2, 1, 1, bias=False)
    edge.body.weight.data = torch.tensor([[[[2.0]], [[1.0]]]])
    x = torch.tensor([[[0.0, 1.0, 10.0, 2.5]]])
    # Neighbours: {0, 1}, {0, 1}, {2, 3}, {1, 3}; 2 (x_j − x_i) + x_i, the largest.
    assert edge(x)[0, 0].tolist() == [2.0, 1.0, 10.0, 2.5]


def test_points_may_come_in_any_order():
    """DGCNN's scores do not depend on the order of the points, up to rounding."""
    model = build("dgcnn", (3, 30), 4).double().eval()
    x = torch.randn(2, 3, 30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        a, b = model(x), model(x[:, :, order])
    # Sums over neighbours and points, a few a layer, in another order.
    model = map_model("float64", 30, condition=100.0, roundings=16)
    assert Ratio(float((a - b).abs().max()), float(a.abs().max()), model).value <= 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: build("alexnet"), "network must be one of"),
        (lambda: resnet((3, 8, 8), 2, 55), r"depth must be 6 n \+ 2"),
        (lambda: wide_resnet((3, 8, 8), 2, 27, 2), r"depth must be 6 n \+ 4"),
        (lambda: perceptron([3]), "at least two"),
    ],
    ids=["name", "depth", "wide depth", "widths"],
)
def test_a_wrong_call_is_told(call, said):
    """The message says what would be right."""
    with pytest.raises(ValueError, match=said):
        call()


def test_the_mean_over_positions():
    """One number a channel."""
    assert GlobalMean()(torch.arange(8.0).reshape(1, 2, 2, 2)).tolist() == [[1.5, 5.5]]
