"""The static table of variants, wrong and right; loaded without torch.

A fault's name is its class in kebab case, and the first sentence of the class says what is wrong with it.
``gradcheck`` says, for faults of the gradient of a parametrization, whether ``torch.autograd.gradcheck`` with its
defaults passes the fault (that is, misses it) on a random float64 weight of three rows and four columns.
"""

from __future__ import annotations

from wnverify.faults import known_rows, parametrization_rows, penalty_rows, projection_rows
from wnverify.faults.row import ROUNDING_DECIDES as ROUNDING_DECIDES
from wnverify.faults.row import Fault as Fault
from wnverify.faults.row import Right as Right


def faults() -> tuple[Fault, ...]:
    """Every wrong variant: parametrizations, projections, penalties, by file and in the file's order.

    >>> next(fault.caught_by for fault in faults() if fault.name == "forgotten-mean")
    'gradient.vjp'
    """
    return (*parametrization_rows.FAULTS, *projection_rows.FAULTS, *penalty_rows.FAULTS, *known_rows.FAULTS)


def right_variants() -> tuple[Right, ...]:
    """Every right variant, in the same order."""
    return (*parametrization_rows.RIGHT, *projection_rows.RIGHT, *penalty_rows.RIGHT, *known_rows.RIGHT)
