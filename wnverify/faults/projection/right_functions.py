"""Right projections that are functions; what the module declares holds for both."""

from __future__ import annotations

from torch import Tensor

from wnverify.faults.projection.pieces import KINKS as DOMAIN
from wnverify.faults.projection.pieces import ONTO_CONVEX, by_rows, norms

DECLARES = {**ONTO_CONVEX, "odd": True, "rotation_equivariant": True}
SET = {"name": "frobenius_ball", "radius": 1.0}


def onto_frobenius_ball(W: Tensor) -> Tensor:
    """The whole matrix at norm at most one."""

    def project(X: Tensor) -> Tensor:
        size = norms(X.reshape(1, -1))
        return X / size.clamp_min(1.0)

    return by_rows(W, project)


def onto_ball_or_itself(W: Tensor) -> Tensor:
    """The same, and the very weight that was given where nothing is to be done."""
    projected = onto_frobenius_ball(W)
    return W if bool((projected == W).all()) else projected


__all__ = ["DECLARES", "DOMAIN", "SET", "onto_ball_or_itself", "onto_frobenius_ball"]
