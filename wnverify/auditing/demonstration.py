"""What failed, as lines that run in any Python with torch: the subject is built as the audit builds it, the question of
the check is put to it once more at a small weight, and what comes out is printed beside what is right.

The lines share nothing with the checks: differences are central, norms are plain, nothing is scaled or certified.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.auditing.asked_again import DECLARED, lines_of
from wnverify.auditing.context import Context
from wnverify.auditing.points import generic
from wnverify.auditing.registry import SEVERITY, Case, Sheet
from wnverify.auditing.snippet import LARGEST, prelude
from wnverify.finding import Verdict, decode_array, encode_array

LARGEST_DRAWN: Final = 2000
"""Entries up to which a weight of a generic point is drawn again."""


def witnessed(look: Context, check: str, sheet: Sheet) -> None:
    """Give the worst case of a sheet that fails, or bites, the lines that show it, where there are such lines."""
    bad = [case for case in sheet.cases if case.verdict in (Verdict.FAIL, Verdict.HAZARD)]
    asked = lines_of(check)
    if not bad or asked is None or any("snippet" in (case.witness or {}) for case in bad):
        return
    worst = max(SEVERITY.index(case.verdict) for case in bad)
    bad = [case for case in bad if SEVERITY.index(case.verdict) == worst]
    found = [(V, case) for case in bad if (V := _weight(look, case)) is not None]
    V, case = min(found, key=lambda pair: pair[0].numel()) if found else (_small(look), bad[0])
    if V is None:
        return
    said: dict[str, Any] = dict(case.witness or {"V": encode_array(V, seed=look.seed)})
    try:
        lines = prelude(look, V)
    except Exception:  # foreign code may refuse the weight at which it failed: the finding stands without lines
        return
    said["snippet"] = "\n".join([*lines, asked.replace(DECLARED, _declared(look, check))])
    at = sheet.cases.index(case)
    sheet.cases[at] = dataclasses.replace(case, witness=said)
    sheet.shown = sheet.cases[at]


def _weight(look: Context, case: Case) -> Tensor | None:
    """The weight of a case: that of its witness where it is written out and small, or the generic one of its name."""
    record = next((v for k, v in (case.witness or {}).items() if k in ("V", "W") and "hex" in v), None)
    if record is not None and math.prod(record["shape"]) <= LARGEST:
        return torch.from_numpy(decode_array(record))
    named = re.match(r"(\d+(x\d+)+)( |$)", case.name)
    shape = tuple(map(int, named[1].split("x"))) if named else ()
    return generic(shape, look.seed).V if shape and math.prod(shape) <= LARGEST_DRAWN else None


def _small(look: Context) -> Tensor | None:
    """A small weight that the subject takes; a generic one where what it gives is not even looked at."""
    point = look.small_point() or generic((3, 5), look.seed)
    return None if point.weight.numel() > LARGEST else point.weight


def _declared(look: Context, check: str) -> str:
    value = look.subject.declares.get(check.partition(".")[2], True)
    return repr(value) if isinstance(value, bool | int | float | str | Sequence) else type(value).__name__
