"""What factories make speaks for them."""

import torch
from torch import nn
from torch.nn.utils import parametrize

DOMAIN = {"min_row_norm": 1e-6}
OF_LENGTH_TWO = {"constant_norm_rows": 2.0, "odd": True}
WIDE = {"min_cols": 2}
OF_A_SQUARE = {"convex": True, "is_prox_of_penalty": True}


class Long(nn.Module):
    """Rows of a length that is declared by the class, in a narrower domain than the module's."""

    DECLARES = OF_LENGTH_TWO
    DOMAIN = WIDE

    def forward(self, V):
        rows = V.flatten(1)
        return (2 * rows / rows.norm(dim=1, keepdim=True)).reshape(V.shape)


class Gained(Long):
    """What it declares depends on the weight that it is made of."""

    def __init__(self, weight):
        super().__init__()
        self.DECLARES = {"odd": len(weight) > 1}


class Square(nn.Module):
    """A penalty with its prox."""

    DECLARES = OF_A_SQUARE

    def forward(self, W):
        return W.square().sum() / 2

    def prox(self, W, step):
        return W / (1 + step)


class OfRows(Long):
    """A gain for each row, whose number the constructor wants."""

    def __init__(self, rows):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(rows, 1))


def of_weight(weight):
    return Long()


def without():
    return Long()


def of_rows(weight):
    return OfRows(len(weight))


def restated(weight):
    return Long()


restated.DECLARES = {"odd": False, "constant_norm_rows": True}


def on_layer(module, name):
    parametrize.register_parametrization(module, name, Long())


def one_after_the_other(module, name):
    parametrize.register_parametrization(module, name, Long())
    parametrize.register_parametrization(module, name, nn.Softmax(dim=1))


def penalty(weight):
    return Square()


def wide_only(weight):
    if weight.shape[1] < 10:
        raise ValueError("ten columns at least")
    return Long()
