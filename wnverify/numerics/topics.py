"""What the numerics lab asks, one row a topic: strings only, so that a plan is made without torch.

A topic's function takes ``method_id``, or where it is asked once for all methods nothing of the kind, and ``seed`` and
``quick``; it gives findings of kind ``method``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from wnverify.methods.catalogue import Method, implemented

JUDGED: Final = ("parametrization", "constraint", "penalty")
"""Kinds of methods that are maps of a weight."""
QUICK: Final = "quick"
WHOLE: Final = "whole"
FEW: Final = "few"
"""How much is asked: fewer points, all of them, or fewer points of the ``CHEAPEST`` methods alone."""
CHEAPEST: Final = ("centred_weight_normalization", "gradient_centralization", "weight_decay")
"""A parametrization, a constraint and a penalty that take the least time."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One question of the lab.

    ``each``: asked of every method, else once.  ``report``: how much of it the report of a mode (``quick``,
    ``default``, ``full``) asks; a mode that is not named asks nothing, and the stored part stands in.  ``seconds``:
    what one item takes on average, all of it and quick, on one core; it orders the work and foretells its end, and
    decides nothing but how long an item may take.  ``device``: whether it can be asked of another device than the
    processor, as an argument of that name.  ``arguments``: what the function is given besides.
    """

    name: str
    function: str
    statement: str
    report: Mapping[str, str]
    seconds: tuple[float, float]
    each: bool = True
    device: bool = False
    arguments: Mapping[str, int] = dataclasses.field(default_factory=dict)


TOPICS: Final = (
    Topic(
        name="agreement",
        function="wnverify.numerics.agreement:numerics",
        statement="Do the implementations agree, as accurately as the map's conditioning allows?",
        report={"quick": FEW, "default": QUICK, "full": WHOLE},
        seconds=(5.0, 1.5),
        device=True,
    ),
    Topic(
        name="elsewhere",
        function="wnverify.numerics.elsewhere:elsewhere",
        statement="Gives the method the same compiled, mapped, cast, exported, laid out otherwise, and on a device?",
        report={"full": WHOLE},
        seconds=(3.0, 0.8),
        device=True,
    ),
    Topic(
        name="precision",
        function="wnverify.numerics.precision:precision",
        statement="How accurate is it in which format, how far does its range reach, and what does its backward keep?",
        report={"default": QUICK, "full": WHOLE},
        seconds=(1.5, 0.6),
        device=True,
    ),
    Topic(
        name="error_model",
        function="wnverify.numerics.validation:validated",
        statement="Is the modelled error never exceeded, and is a tenfold loss of accuracy above it?",
        report={"full": WHOLE},
        seconds=(3.0, 0.8),
    ),
    Topic(
        name="worst",
        function="wnverify.numerics.search:searched_worst",
        statement="How large is the ratio that a driven search finds, beside that of plain random draws?",
        report={"full": WHOLE},
        seconds=(3.0, 1.0),
    ),
    Topic(
        name="sharding",
        function="wnverify.numerics.sharding:sharded",
        statement="Is a weight that is distributed over processes mapped as the whole one is?",
        report={"full": WHOLE},
        seconds=(150.0, 40.0),
        each=False,
        arguments={"world": 2},
    ),
    Topic(
        name="sharding_over_four",
        function="wnverify.numerics.sharding:sharded",
        statement="Is a weight that is distributed over four processes mapped as the whole one is?",
        report={"full": QUICK},
        seconds=(300.0, 100.0),
        each=False,
        arguments={"world": 4},
    ),
)
"""To add a topic is to add a row."""
PATIENCE: Final = 10.0
"""An item may take so many times as long as it takes on average."""


def judged() -> tuple[Method, ...]:
    """The methods of this project that are maps: parametrizations, constraints and penalties."""
    return tuple(method for method in implemented() if method.kind in JUDGED)
