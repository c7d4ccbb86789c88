"""The methods of the catalogue as subjects: by their ids, and all of them, each option beside the default.

``soft_orthogonality[squared=False]`` is the catalogued implementation with what makes it this method (its settings)
and with that argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from wnverify.auditing.target import PARAMETRIZATION, PENALTY, PROJECTION, TargetError, TargetSpec
from wnverify.finding import slug
from wnverify.methods.catalogue import Method, find, methods, settings_of

KIND_OF: Final = {"parametrization": PARAMETRIZATION, "constraint": PROJECTION, "penalty": PENALTY}
NO_WEIGHT: Final = {
    "jacobian_norm": "it is a penalty of a network and a batch, not of one weight",
    "penalty_schedule": "it maps an epoch to a factor, not a weight to anything",
}
"""Methods whose kind is audited, but which are no function of a weight."""
_METHOD: Final = re.compile(r"(?P<name>[A-Za-z0-9_-]+)(\[(?P<settings>.*)\])?")


def method_spec(
    target: str, arguments: Mapping[str, Any], declare: Mapping[str, Any], kind: str | None = None
) -> TargetSpec | None:
    """The specification of a method's id or other name, perhaps with ``[name=value …]``; None where there is none.

    ``TargetError`` for a method that cannot be audited, and for a kind that it is not of.

    >>> method_spec("cwn", {}, {}).subject
    'centred_weight_normalization'
    """
    match = _METHOD.fullmatch(target)
    if match is None:
        return None
    try:
        method = find(match["name"])
    except ValueError:
        return None
    if (why := unfit(method)) is not None:
        raise TargetError(f"TARGET {target!r} cannot be audited: {why}")
    if kind not in (None, KIND_OF[method.kind]):
        raise TargetError(f"--kind {kind}: the catalogue has {method.id} as a {KIND_OF[method.kind]}")
    return _spec(method, match["settings"] or "", arguments, declare)


def every_method() -> tuple[list[TargetSpec], list[str]]:
    """(one subject for each method and each of its options, why the others are no subjects)."""
    specs, skipped = [], []
    for method in methods():
        if method.kind == "out of scope":
            continue
        if (why := unfit(method)) is not None:
            skipped.append(f"{method.id}: {why}")
            continue
        specs += [_spec(method, option, {}, {}) for option in ("", *method.options)]
    return specs, skipped


def unfit(method: Method) -> str | None:
    """Why a method is no subject of an audit, or None."""
    if method.kind not in KIND_OF:
        return "it is out of scope" if method.kind == "out of scope" else "it acts on outputs, not on a weight"
    if not method.implementation:
        return "it has no implementation"
    return NO_WEIGHT.get(method.id)


def _spec(method: Method, option: str, arguments: Mapping[str, Any], declare: Mapping[str, Any]) -> TargetSpec:
    place, name = method.implementation.split(":")
    try:
        chosen = settings_of(option)
    except ValueError as error:
        raise TargetError(str(error)) from None
    written = " ".join(f"{key}={value}" for key, value in chosen.items())
    target = f"{method.id}[{written}]" if chosen else method.id
    return TargetSpec(
        target=target,
        subject=slug(target.replace(" ", ",")),
        name=name,
        module=place,
        settings={**method.fixed, **chosen},
        arguments=dict(arguments),
        declare=dict(declare),
        kind=KIND_OF[method.kind],
        catalogued=True,
    )
