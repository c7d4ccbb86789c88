"""The one record of the house: a ``Finding``, its ``Verdict`` and the ``Evidence`` of each route.

Whatever knows something makes findings; whatever shows something reads them.  This module imports nothing
heavy, so that a command that only shows results never pays for torch or NumPy.

JSON is strict: a non-finite number is the string ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

Json = None | bool | int | float | str | list[Any] | dict[str, Any]

SCHEMA: Final = "wnverify/results/1"
KINDS: Final = ("claim", "check", "method", "experiment", "theory", "benchmark")
ROUTES: Final = (
    "symbolic",
    "exact",
    "enclosure",
    "optimisation",
    "property search",
    "differences",
    "automatic differentiation",
    "simulation",
    "arithmetic",
    "reading",
)
STRENGTHS: Final = ("proved", "certified", "tested")
LARGEST_WRITTEN_WITNESS: Final = 256


class Verdict(StrEnum):
    """What was decided.  Claims, theory and experiments use the first six; checks, methods and benchmarks the next
    five; ``blocked`` and ``error`` may end any of them."""

    HOLDS = "holds"
    HOLDS_UNDER = "holds-under"
    REFUTED = "refuted"
    INCONSISTENT = "inconsistent"
    AMBIGUOUS = "ambiguous"
    UNDECIDED = "undecided"
    PASS = "pass"
    FAIL = "fail"
    HAZARD = "hazard"
    INCONCLUSIVE = "inconclusive"
    UNSUPPORTED = "unsupported"
    BLOCKED = "blocked"
    ERROR = "error"


_CLAIM_WORDS = frozenset(
    {
        Verdict.HOLDS,
        Verdict.HOLDS_UNDER,
        Verdict.REFUTED,
        Verdict.INCONSISTENT,
        Verdict.AMBIGUOUS,
        Verdict.UNDECIDED,
    }
)
_ENDINGS = frozenset({Verdict.BLOCKED, Verdict.ERROR})
_CHECK_WORDS = frozenset(Verdict) - _CLAIM_WORDS - _ENDINGS
VOCABULARY: Final[Mapping[str, frozenset[Verdict]]] = {
    kind: (_CHECK_WORDS if kind in ("check", "method", "benchmark") else _CLAIM_WORDS) | _ENDINGS for kind in KINDS
}

_ID = re.compile(r"[A-Za-z0-9_.:,+=@\[\]\-]+(/[A-Za-z0-9_.:,+=@\[\]\-]+){1,3}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one route saw.

    ``ratio`` is observed error ÷ modelled error (≤ 1 passes); ``power`` the smallest relative error that this route
    would have noticed; ``model`` the error model in words; ``figures`` every other number worth keeping.
    """

    route: str
    verdict: Verdict
    note: str = ""
    ratio: float | None = None
    power: float | None = None
    model: str = ""
    figures: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise ValueError(f"route must be one of {', '.join(ROUTES)}; got {self.route!r}")

    def to_json(self) -> dict[str, Any]:
        return _jsonable(dataclasses.asdict(self))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        known = _known(cls, data) | {"verdict": Verdict(data["verdict"])}
        for name in ("ratio", "power"):
            if known.get(name) is not None:
                known[name] = number(known[name])
        return cls(**known)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found out.

    ``id`` is ``kind/subject/check`` or ``kind/subject/check/case``: unique in a run, stable across runs, free of
    paths and of order.  ``check`` is the dotted id of the check, for a claim the claim's id.  ``statement`` says what
    was asked, ``message`` what was seen.  ``readings`` holds, for an ambiguous text, one ``{"reading", "verdict",
    "note"}`` each.  ``strength`` (``proved``, ``certified``, ``tested``) qualifies ``holds``.
    """

    kind: str
    id: str
    subject: str
    check: str
    verdict: Verdict
    statement: str
    message: str = ""
    conditions: Sequence[str] = ()
    routes: Sequence[Evidence] = ()
    witness: Json = None
    corrected: str | None = None
    replay: str | None = None
    place: str | None = None
    strength: str | None = None
    readings: Sequence[Mapping[str, Json]] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        if not _ID.fullmatch(self.id) or not self.id.startswith(self.kind + "/"):
            raise ValueError(f"id must be kind/subject/check[/case] in plain characters; got {self.id!r}")
        if self.verdict not in VOCABULARY[self.kind]:
            allowed = ", ".join(sorted(VOCABULARY[self.kind]))
            raise ValueError(f"verdict of a {self.kind} must be one of {allowed}; got {self.verdict!s}")
        if self.strength is not None and self.strength not in STRENGTHS:
            raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}; got {self.strength!r}")

    @property
    def family(self) -> str:
        """The part of the dotted check id before the first dot (``gradient`` of ``gradient.vjp``)."""
        return self.check.split(".", 1)[0]

    @property
    def case(self) -> str:
        """The part of the id after the check, or the empty string."""
        parts = self.id.split("/")
        return parts[3] if len(parts) == 4 else ""

    def replace(self, **changes: Any) -> Finding:
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["routes"] = [route.to_json() for route in self.routes]
        return _jsonable(data)  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        known = _known(cls, data)
        known["verdict"] = Verdict(data["verdict"])
        known["routes"] = tuple(Evidence.from_json(route) for route in data.get("routes", ()))
        known["conditions"] = tuple(data.get("conditions", ()))
        known["readings"] = tuple(data.get("readings", ()))
        return cls(**known)


def slug(text: str) -> str:
    """``text`` with every character that an id may not hold replaced by ``-``.

    >>> slug("my norm/v2")
    'my-norm-v2'
    """
    return re.sub(r"[^A-Za-z0-9_.:,+=@\[\]\-]+", "-", text) or "-"


def seed_of(*parts: object) -> int:
    """A 63-bit seed from SHA-256 of the parts: the same on every machine and in any order of execution."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def dumps(data: Json, *, indent: int | None = None) -> str:
    """Strict JSON with sorted keys; a non-finite number becomes its name."""
    return json.dumps(_jsonable(data), sort_keys=True, indent=indent, allow_nan=False, ensure_ascii=False)


def number(value: Json) -> float:
    """Read a number back from strict JSON (``"NaN"`` and ``"Infinity"`` included)."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"value must be a number; got {value!r}")
    return float(value)


def encode_array(array: Any, *, seed: int | None = None, generator: str | None = None) -> dict[str, Any]:
    """A witness array: dtype, shape, strides, and up to 256 entries as exact hex floats beside short decimals.

    ``array`` is anything with ``detach``/``numpy`` (a tensor) or NumPy's array interface.  Above 256 entries the
    generator's name, the seed and the SHA-256 of the bytes stand for the values.
    """
    import numpy as np

    dtype, strides = str(getattr(array, "dtype", "float64")).removeprefix("torch."), None
    if hasattr(array, "detach"):
        strides = list(array.stride())
        array = array.detach().cpu().double().numpy()
    values = np.asarray(array, dtype=np.float64)
    if strides is None:
        strides = [step // values.itemsize for step in values.strides]
    record: dict[str, Any] = {"dtype": dtype, "shape": list(values.shape), "strides": strides}
    if values.size <= LARGEST_WRITTEN_WITNESS:
        flat = [float(x) for x in values.ravel()]
        record["hex"] = [x.hex() for x in flat]
        record["decimal"] = [float(f"{x:.6g}") for x in flat]
    else:
        record["generator"] = generator
        record["seed"] = seed
        record["sha256"] = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return record


def decode_array(record: Mapping[str, Any]) -> Any:
    """The float64 NumPy array of a written witness; a ``ValueError`` where only its hash was kept."""
    import numpy as np

    if "hex" not in record:
        raise ValueError("record holds no values (more than 256 entries): rebuild it from its generator and seed")
    return np.array([float.fromhex(x) for x in record["hex"]]).reshape(record["shape"])


def unique(findings: Iterable[Finding]) -> list[Finding]:
    """The findings sorted by id; a second use of an id is an error."""
    ordered = sorted(findings, key=lambda finding: finding.id)
    for before, after in itertools.pairwise(ordered):
        if before.id == after.id:
            raise ValueError(f"two findings have the id {before.id!r}")
    return ordered


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(cls)}
    return {name: data[name] for name in names if name in data}


def _jsonable(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return _jsonable(value.item())
    raise TypeError(f"a finding holds plain JSON values; got {type(value).__name__}")
