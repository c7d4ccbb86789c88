"""Scale and bias with noise in PyTorch: a layer that stands in the place of an activation normalization.

D. Ikami, G. Irie and T. Shibata, *Constrained weight optimization for learning without activation normalization*,
equations 6 to 8.
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor, nn

GRANULARITIES: Final = ("unit", "sample", "entry")


class ScaleAndBias(nn.Module):
    """y = (1 + n) γ x + β in training, n ~ N(0, σ²) (equation 7); y = γ x + β in evaluation (equation 6).

    ``shape``: the number of units, x being (batch, units, …) with γ and β (units,); or with ``trailing`` the last axes
    of x, as a layer normalization has them.  γ starts at 1, β at 0.  ``granularity``, for which the paper's index i
    leaves room: ``"unit"`` one n_i for every unit and forward pass, as a batch statistic has one value for the whole
    batch (the default); ``"sample"`` one for every unit of every sample; ``"entry"`` one for every entry of x.
    ``seed``: None draws from PyTorch's global generator, as dropout does; a number makes the k-th forward pass in
    training draw the same noise in every run, on each kind of device: k is kept in the ``state_dict``.

    Any floating dtype, the noise is drawn in the dtype of x.  The backward keeps x and n.  Not for weight decay: γ and
    β are given to the optimiser without it by ``wnverify.parameter_groups``.  ``ValueError`` for a negative σ, an
    unknown granularity, or an x whose axes do not fit.

    >>> import torch
    >>> ScaleAndBias(3, sigma=0.1, seed=0).eval()(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        sigma: float = 0.0,
        *,
        granularity: str = "unit",
        seed: int | None = None,
        trailing: bool = False,
    ) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1 or (len(self.shape) > 1 and not trailing):
            raise ValueError(f"shape must be a number of units, or the last axes with trailing=True; got {shape!r}")
        if not 0 <= sigma < math.inf:
            raise ValueError(f"sigma must be finite and at least 0; got {sigma!r}")
        if granularity not in GRANULARITIES:
            raise ValueError(f"granularity must be one of {', '.join(GRANULARITIES)}; got {granularity!r}")
        self.sigma, self.granularity, self.seed, self.trailing = float(sigma), granularity, seed, trailing
        self.draws = 0
        self.gamma = nn.Parameter(torch.ones(self.shape))
        self.beta = nn.Parameter(torch.zeros(self.shape))

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape of x."""
        fits = x.shape[x.dim() - len(self.shape) :] == self.shape if self.trailing else x.shape[1:2] == self.shape
        if not fits:
            where = "last axes" if self.trailing else "axis 1"
            raise ValueError(f"x must have {self.shape} as its {where}; got shape {tuple(x.shape)}")
        column = self.shape if self.trailing else (*self.shape, *[1] * (x.dim() - 2))
        gamma, beta = self.gamma.reshape(column), self.beta.reshape(column)
        if self.training and self.sigma > 0:
            gamma = (1 + self.sigma * self._noise(x)) * gamma
        return gamma * x + beta

    def _noise(self, x: Tensor) -> Tensor:
        if self.trailing:
            kept = {"unit": x.dim() - len(self.shape), "sample": 1, "entry": 0}[self.granularity]
            shape = [1] * kept + list(x.shape[kept:])
            if self.granularity == "sample":
                shape = [x.shape[0], *[1] * (x.dim() - len(self.shape) - 1), *self.shape]
        else:
            shape = {
                "unit": [1, *self.shape, *[1] * (x.dim() - 2)],
                "sample": [x.shape[0], *self.shape, *[1] * (x.dim() - 2)],
                "entry": list(x.shape),
            }[self.granularity]
        if self.seed is None:
            return torch.randn(shape, dtype=x.dtype, device=x.device)
        # Drawn on the CPU, so that the numbers do not depend on the device.
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.draws) % 2**63)
        self.draws += 1
        return torch.randn(shape, generator=generator).to(x)

    def get_extra_state(self) -> Any:
        """How many times noise was drawn: with the seed it says what comes next."""
        return torch.tensor(self.draws)

    def set_extra_state(self, state: Any) -> None:
        """Continue after that many draws."""
        self.draws = int(state)

    def extra_repr(self) -> str:
        return f"{self.shape}, sigma={self.sigma:g}, granularity={self.granularity!r}, seed={self.seed}"
