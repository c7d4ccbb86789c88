"""What PyTorch's own gradient test says of a variant: the comparison that the selftest quotes."""

from __future__ import annotations

from typing import Final

import torch

from wnverify.auditing.points import randn
from wnverify.auditing.subject import Subject

SHAPE: Final = (3, 4)
SEED: Final = 2
PASSES: Final = "passes"
ACCUSES: Final = "accuses"
NOT_APPLICABLE: Final = "does not apply"


def gradchecked(subject: Subject) -> str:
    """``torch.autograd.gradcheck`` with its defaults on one random float64 weight of three rows and four columns.

    ``passes``, ``accuses`` (an exception of the subject accuses it too), or ``does not apply``: a projection that is
    used without a graph has no gradient to be tested.
    """
    if "gradient" not in subject.capabilities:
        return NOT_APPLICABLE
    V = randn(*SHAPE, seed=SEED)
    try:
        instance = subject.build(V)
        sound = torch.autograd.gradcheck(instance.at, (V.clone().requires_grad_(),), raise_exception=False)
    except Exception:  # foreign code may raise anything: whoever runs gradcheck sees it
        return ACCUSES
    return PASSES if sound else ACCUSES
