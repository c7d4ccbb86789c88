"""Subjects that refuse, hold buffers, give back what they were given, or are wrong along one direction alone."""

import torch
from torch import nn

UNIT = {"unit_norm_rows": True}
ROUGHLY = {"approximate": {"unit_norm_rows": 1e-3}}
BELOW_ONE = {"finite_only_for_row_norm_lt": 1.0}
NONEXPANSIVE = {"nonexpansive": True}
WELL = {"max_condition": 3.0}


def lengths(V):
    return V.flatten(1).norm(dim=1).reshape(-1, *[1] * (V.dim() - 1))


class Strict(nn.Module):
    """Right, and careful."""

    DECLARES = UNIT

    def forward(self, V):
        if (lengths(V) < 1e-4).any():
            raise ValueError("a row norm below 1e-4")
        return V / lengths(V)


class Rotated(nn.Module):
    """A fixed rotation of the rows, made in the default dtype and kept in a buffer."""

    def __init__(self, weight):
        super().__init__()
        d = weight[0].numel()
        self.register_buffer("Q", torch.linalg.qr(torch.arange(1.0, d * d + 1).sin().reshape(d, d)).Q)

    def forward(self, V):
        return (V.flatten(1) @ self.Q).reshape(V.shape)


class Promoted(nn.Module):
    """A buffer of float32 makes half precision float32."""

    def __init__(self):
        super().__init__()
        self.register_buffer("one", torch.ones(1))

    def forward(self, V):
        return V * self.one


def matrices_only(W):
    rows, columns = W.shape
    return W / W.norm(dim=1, keepdim=True).expand(rows, columns)


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 2 * V

    @staticmethod
    def backward(ctx, G):
        return G


class AssertsWide(nn.Module):
    """A wrong backward, and an assertion about the shape."""

    def forward(self, V):
        assert V.flatten(1).shape[0] <= V.flatten(1).shape[1]
        return Halved.apply(V)


class MaxNorm(nn.Module):
    """Inside the ball the weight itself comes back."""

    def forward(self, V):
        return V if (lengths(V) <= 20).all() else V * (20 / lengths(V)).clamp(max=1)


class OwnBuffer(nn.Module):
    """Every output is written into one memory."""

    kept = None

    def forward(self, V):
        if self.kept is None or self.kept.shape != V.shape:
            self.kept = torch.empty_like(V)
        return self.kept.copy_(2 * V.detach()) + 0 * V if V.requires_grad else self.kept.copy_(2 * V)


class RoughWhenWide(nn.Module):
    """Off by 1e-4 from a thousand columns on, as its domain admits."""

    DECLARES = UNIT
    DOMAIN = ROUGHLY

    def forward(self, V):
        return V / lengths(V) * (1 + 1e-4 * (V[0].numel() > 1000))


class RougherWhenWide(RoughWhenWide):
    """Off by a hundred times what its domain admits."""

    def forward(self, V):
        return V / lengths(V) * (1 + 0.1 * (V[0].numel() > 1000))


class Barrier(nn.Module):
    """Raises at its wall and beyond."""

    DOMAIN = BELOW_ONE

    def forward(self, W):
        squares = W.flatten(1).square().sum(1)
        if (squares >= 1).any():
            raise ValueError("row norm must be below 1")
        return -torch.log1p(-squares).sum()


class _WrongBarrier(torch.autograd.Function):
    @staticmethod
    def forward(ctx, squares):
        ctx.save_for_backward(squares)
        return -torch.log1p(-squares).sum()

    @staticmethod
    def backward(ctx, g):
        return 1.03 * g / (1 - ctx.saved_tensors[0])


class WrongBarrier(Barrier):
    """The same with a gradient that is 3 % too large."""

    def forward(self, W):
        squares = W.flatten(1).square().sum(1)
        if (squares >= 1).any():
            raise ValueError("row norm must be below 1")
        return _WrongBarrier.apply(squares)


class SignedRoot(nn.Module):
    """The value is right; both branches of where are differentiated, and 0 · NaN is NaN."""

    def forward(self, V):
        return torch.where(V > 0, V.sqrt(), -(-V).sqrt())


class OwnConstant(nn.Module):
    """A matrix under a private name stays where it was made."""

    def __init__(self, weight):
        super().__init__()
        self._H = torch.eye(weight[0].numel(), dtype=torch.float64)

    def forward(self, V):
        return (V.flatten(1) @ self._H.to(V.dtype)).reshape(V.shape)


class Transposed(nn.Module):
    """A matrix that is made without a device, and transposed."""

    def forward(self, V):
        return (torch.eye(V.shape[0], dtype=V.dtype).T @ V.flatten(1)).reshape(V.shape)


class Moved(nn.Module):
    """The same, moved to the weight's device."""

    def forward(self, V):
        return (torch.eye(V.shape[0]).T.to(V) @ V.flatten(1)).reshape(V.shape)


class AlongTheMean(nn.Module):
    """Grows by 1.4 along the matrix of ones, and shrinks everything that is perpendicular to it."""

    DECLARES = NONEXPANSIVE

    def forward(self, V):
        return V / 2 + 0.9 * V.mean()


class WellConditioned(nn.Module):
    """Whatever is saved is of a layer whose weight is well conditioned."""

    DECLARES = UNIT
    DOMAIN = WELL

    def forward(self, V):
        return V / lengths(V)


class StaleInEvaluation(nn.Module):
    """Before any training nothing was kept; after it the last output."""

    W = None

    def forward(self, V):
        if self.training:
            self.W = V / lengths(V)
        return self.W


class OftenWrongProx(nn.Module):
    """A penalty whose prox is right for steps up to one alone."""

    def forward(self, W):
        return W.square().sum() / 2

    def prox(self, W, step):
        return W / (1 + step) if step <= 1 else W / (2 + step)


class LogDeterminant(nn.Module):
    """−log det(W Wᵀ)/2 by Cholesky, which refuses what is singular, with its proximal operator in closed form."""

    DECLARES = {"is_prox_of_penalty": True, "rotation_equivariant": True}  # noqa: RUF012
    DOMAIN = {"rows_le_cols": True, "full_rank": True}  # noqa: RUF012

    def forward(self, W):
        X = W.flatten(1)
        return -torch.linalg.cholesky(X @ X.mT).diagonal().log().sum()

    def prox(self, W, step):
        U, s, Vh = torch.linalg.svd(W.flatten(1), full_matrices=False)
        return ((U * ((s + (s * s + 4 * step).sqrt()) / 2)) @ Vh).reshape(W.shape)


class SharedByCopies(nn.Module):
    """A copy holds the original's gain."""

    def __init__(self, weight):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(len(weight), 1, dtype=weight.dtype))

    def __deepcopy__(self, memo):
        made = SharedByCopies(self.gain)
        made.gain = self.gain
        return made

    def forward(self, V):
        return (self.gain * V.flatten(1)).reshape(V.shape)


class OneForTheClass(nn.Module):
    """What training keeps for evaluation is kept on the class, by shape."""

    DOMAIN = {"stateful_in_training": True}  # noqa: RUF012
    kept = {}  # noqa: RUF012

    def forward(self, V):
        if self.training or V.shape not in self.kept:
            self.kept[V.shape] = V.detach().norm()
        return V / self.kept[V.shape].to(V.dtype)


class MadeAtFirst(nn.Module):
    """A buffer that the first forward makes: a saved state of later is none for a fresh module."""

    DOMAIN = {"stateful_in_training": True}  # noqa: RUF012

    def forward(self, V):
        if not hasattr(self, "size"):
            self.register_buffer("size", V.detach().flatten(1).norm(dim=1))
        return V / self.size.to(V.dtype).reshape(-1, *[1] * (V.dim() - 1))


class CentredGramSchmidt(nn.Module):
    """Centred rows, made orthonormal one after the other by the Cholesky factor of their Gram matrix."""

    DECLARES = {"orthonormal_rows": True, "unit_norm_rows": True, "zero_mean_rows": True}  # noqa: RUF012
    DOMAIN = {"rows_lt_cols": True, "full_rank": True, "max_condition": 100.0}  # noqa: RUF012

    def forward(self, V):
        X = V.flatten(1)
        X = X - X.mean(1, keepdim=True)
        L = torch.linalg.cholesky(X @ X.mT)
        return torch.linalg.solve_triangular(L, X, upper=False).reshape(V.shape)


def by_svd(W):
    """The nearest orthonormal rows; the derivative of an SVD breaks down at repeated singular values."""
    U, _, Vh = torch.linalg.svd(W.flatten(1), full_matrices=False)
    return (U @ Vh).reshape(W.shape)


class SummedInSingle(nn.Module):
    """A penalty of a half is summed, and given, in float32."""

    def forward(self, W):
        return (W.float() if W.dtype.itemsize < 4 else W).square().sum() / 2


class ByExponential(nn.Module):
    """Hundreds of products of d × d matrices."""

    def forward(self, V):
        X = V.flatten(1)
        S = torch.zeros(X.shape[1], X.shape[1], dtype=X.dtype, device=X.device)
        S[: len(X)] = X / X.norm() / 8
        return (torch.linalg.matrix_exp(S - S.mT)[: len(X)]).reshape(V.shape)


class NearlyUnit(nn.Module):
    """An eps beside the norm."""

    def forward(self, V):
        return V / (lengths(V) + 1e-6)
