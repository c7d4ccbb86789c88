"""The methods of the catalogue as candidates, applied as their users apply them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from wnverify.methods.application.apply import apply, penalty
from wnverify.methods.catalogue import find, settings_of
from wnverify.numerics.forms import DIRECTION, Form
from wnverify.numerics.shards.trial import Candidate

KINDS = {"parametrization": "parametrization", "constraint": "projection", "penalty": "penalty"}


def candidate(V: Tensor, method_id: str, said: str, prox: float | None = None) -> Candidate:
    """The method with these options; with ``prox`` the proximal operator of a penalty, as a projection."""
    method = find(method_id)
    made = Form(method, said).build()
    options = {**DIRECTION.get(method_id, {}), **settings_of(said)}

    def put_on(model: nn.Module, optimizer: Optimizer | None) -> Any:
        hung = optimizer if prox is not None or method.kind == "constraint" else None
        return apply(model, method_id, layers="0", optimizer=hung, **options)

    if prox is not None:
        return Candidate(kind="projection", function=lambda W: made.prox(W, prox), put_on=put_on)
    return Candidate(
        kind=KINDS[method.kind],
        function=made,
        module=made if isinstance(made, nn.Module) else None,
        transform=made.transform if method.kind == "constraint" and made.transforms else None,
        put_on=put_on,
        penalty=penalty if method.kind == "penalty" else None,
    )
