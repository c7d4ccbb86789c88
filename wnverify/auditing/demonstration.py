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
from torch import Tensor, nn

from wnverify.auditing.asked_again import DECLARED, lines_of
from wnverify.auditing.calling import is_object
from wnverify.auditing.context import Context
from wnverify.auditing.points import generic, rows
from wnverify.auditing.registry import SEVERITY, Case, Sheet
from wnverify.auditing.snippet import imported
from wnverify.auditing.subject import BUILD_SEED
from wnverify.finding import Verdict, decode_array, encode_array

LARGEST: Final = 64
"""Entries up to which a weight is written out."""
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


def prelude(look: Context, V: Tensor) -> list[str]:
    """Lines that define V and f, the subject as the audit builds it for V."""
    instance = look.build(V.nan_to_num(nan=0.5, posinf=0.5, neginf=0.5))
    name, imports = imported(look)
    target, given = look.subject.object, look.subject.arguments
    written = [f"{key}={value!r}" for key, value in given.items()]
    shown = _literal(look, V)
    lines = ["import torch", *imports, f"torch.manual_seed({BUILD_SEED})", f"V = {shown}"]
    if look.subject.is_function:
        if look.scalar and instance.has_prox:
            lines.append(f"prox = {name.rpartition('.')[0]}.prox")
        return [*lines, f"f = lambda X: {name}({', '.join(['X', *written])})"]
    mode = "" if look.repeatable_in_training or instance.module is None else ".eval()"
    style = "instance" if isinstance(target, nn.Module) or is_object(target) else look.subject.style
    if style == "(module, name)":
        n, d = rows(V).shape
        lines += [
            f"layer = torch.nn.Linear({d}, {n}, bias=False, dtype=torch.float64)",
            "layer.weight = torch.nn.Parameter(V.clone())",
            f"layer = {name}({', '.join(['layer', repr('weight'), *written])}) or layer",
            f"steps = layer.parametrizations.weight{mode}",
        ]
        if len(instance.tensors) == 1:
            return [*lines, "f = steps[0]"]
        which = [f"steps.original{i}" if i != instance.primary else "X" for i in range(len(instance.tensors))]
        return [*lines, f"f = lambda X: steps[0]({', '.join(which)})"]
    first = ["V.clone()"] if style == "(weight)" else []
    call = name if style == "instance" else f"{name}({', '.join([*first, *written])})"
    double = ".double()" if instance.module is not None else ""
    if len(instance.tensors) == 1:
        return [*lines, f"f = {call}{double}{mode}"]
    which = [f"kept[{i}]" if i != instance.primary else "X" for i in range(len(instance.tensors))]
    return [
        *lines,
        f"module = {call}{double}{mode}",
        "kept = [t.detach().clone() for t in module.right_inverse(V)]",
        f"f = lambda X: module({', '.join(which)})",
    ]


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


def _literal(look: Context, V: Tensor) -> str:
    """V as an expression: its entries, or how they are drawn."""
    if V.numel() > LARGEST:
        seed = generic(tuple(V.shape), look.seed).seed % 2**63
        drawn = f"generator=torch.Generator().manual_seed({seed}), dtype=torch.float64"
        return f"torch.randn({tuple(V.shape)}, {drawn}) + 0.3"
    entries = str(V.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")
    return f"torch.tensor({entries}, dtype=torch.float64)"


def _declared(look: Context, check: str) -> str:
    value = look.subject.declares.get(check.partition(".")[2], True)
    return repr(value) if isinstance(value, bool | int | float | str | Sequence) else type(value).__name__
