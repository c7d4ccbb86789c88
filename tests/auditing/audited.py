"""What the tests of the audit share: specifications and subjects of the files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wnverify.auditing.context import Context
from wnverify.auditing.registry import Case, Sheet, checks
from wnverify.auditing.subject import Subject
from wnverify.auditing.target import TargetSpec, parse_target, pickle_target
from wnverify.finding import Verdict
from wnverify.oracles.ratio import ErrorModel, Ratio

SUBJECTS = Path(__file__).parent / "subjects"
DIFFERENCES = ErrorModel(1e-9, "extrapolated differences of a map that is smooth over a tenth of its weight")


def spec_of(
    target: object,
    arguments: Mapping[str, Any] | None = None,
    declare: Mapping[str, Any] | None = None,
    kind: str | None = None,
) -> TargetSpec:
    """``"kinds.py:Plain"`` of the subjects' folder, or a live object."""
    if isinstance(target, str):
        return parse_target(f"{SUBJECTS / target}", arguments or {}, declare or {}, kind)
    return pickle_target(target, arguments or {}, declare or {}, kind)


def subject_of(target: object, **said: Any) -> Subject:
    return Subject(spec_of(target, **said))


def sheet_of(
    check: str,
    target: object,
    *,
    quick: bool = False,
    shrink: bool = False,
    full: bool = False,
    seed: int = 0,
    **said: Any,
) -> Sheet:
    """The sheet of one check on one subject."""
    sheet = Sheet()
    checks()[check].run(Context(subject_of(target, **said), seed=seed, quick=quick, shrink=shrink, full=full), sheet)
    return sheet


def ratio(observed: Tensor, expected: Tensor, model: ErrorModel) -> float:
    """The error in the Frobenius norm over what is modelled: at most 1 passes."""
    return Ratio(float((observed - expected).detach().norm()), float(expected.detach().norm()), model).value


def says(sheet: Sheet) -> dict[str, Verdict]:
    """The cases that are no pass."""
    return {case.name: case.verdict for case in sheet.cases if case.verdict is not Verdict.PASS}


def case_of(sheet: Sheet, name: str) -> Case:
    return next(case for case in sheet.cases if case.name == name)
