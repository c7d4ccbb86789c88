"""Functions of the weight whose modules say what they promise; the functions themselves say nothing."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts


class _Centred(nn.Module):
    """Rows less a mean."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True}
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X - self.mean(X)).reshape(V.shape)

    def mean(self, X: Tensor) -> Tensor:
        return X.mean(dim=1, keepdim=True)


class _Promised(_Centred):
    def __init__(self, rows: int):
        super().__init__()
        self.rows = rows

    def mean(self, X: Tensor) -> Tensor:
        return X.mean() if self.rows > 1 else super().mean(X)


def centred_by_rows(weight: Tensor) -> nn.Module:
    """Every row less its own mean."""
    return _Centred()


def centred_as_a_whole(weight: Tensor) -> nn.Module:
    """The mean is that of the whole matrix, though the module that is made promises rows of mean zero."""
    return _Promised(len(weight))
