"""A penalty with a wrong prox beside it, for a test that hands the live function over."""


def l1(W):
    return W.abs().sum()


def prox(W, step):
    return W.sign() * (W.abs() - 2 * step).clamp(min=0)
