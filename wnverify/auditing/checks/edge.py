"""Edge: the inputs that people meet and papers do not mention.

A clear refusal (``ValueError``, ``ArithmeticError``, a linear-algebra error) passes: nothing silent happens.  What the
subject's DOMAIN documents passes too, and is reported.
"""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor

from wnverify.auditing.checks.gradient import AFTER, judge_backward
from wnverify.auditing.context import REFUSALS, Context, first_line, witness_of
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import randn, repeated_singular_values, rows, small_enough
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PROJECTION
from wnverify.finding import Verdict

EXPLODES = 1e8
NARROWER = ("float32", "bfloat16", "float16", "half", "precision")
SHAPE = (4, 9)


@check("edge.zero_row", asks="What happens at a row of zeros: value, gradient, and the other rows?")
def zero_row(look: Context, sheet: Sheet) -> None:
    V = base_of(look)
    V[1] = 0.0
    _at(look, sheet, "row 1 zero", V, bad=[1], documented="zero_row", narrow=True)


@check("edge.constant_row", asks="What happens at a row whose entries are all equal?")
def constant_row(look: Context, sheet: Sheet) -> None:
    V = base_of(look)
    V[2] = 0.75
    _at(look, sheet, "row 2 constant", V, bad=[2], documented="constant_row", narrow=True)


@check("edge.zero_matrix", asks="What happens at the zero matrix?")
def zero_matrix(look: Context, sheet: Sheet) -> None:
    zero = torch.zeros(SHAPE, dtype=torch.float64)
    documented = "zero_matrix" if "zero_matrix" in look.subject.domain else "zero_row"
    _at(look, sheet, "all zero", zero, bad=list(range(SHAPE[0])), documented=documented, narrow=True)


@check("edge.rank_deficient", asks="What happens when rows are linearly dependent?")
def rank_deficient(look: Context, sheet: Sheet) -> None:
    equal = base_of(look)
    equal[3] = equal[0]
    _at(look, sheet, "rows 0 and 3 equal", equal, bad=[0, 3], documented="full_rank")
    dependent = base_of(look)
    dependent[3] = dependent[0] + dependent[1]
    _at(look, sheet, "row 3 the sum of rows 0 and 1", dependent, bad=[0, 1, 3], documented="full_rank")


@check("edge.tall", asks="What happens with more rows than columns?")
def tall(look: Context, sheet: Sheet) -> None:
    V = randn(9, 4, seed=look.seed_for("tall")) + 0.3
    documented = "rows_le_cols" if "rows_le_cols" in look.subject.domain else "rows_lt_cols"
    _at(look, sheet, "9x4", V, bad=list(range(9)), documented=documented)


@check("edge.smallest", asks="What happens at 1x1, 1xd and nx1?")
def smallest(look: Context, sheet: Sheet) -> None:
    for n, d in ((1, 1), (1, 5), (5, 1)):
        V = randn(n, d, seed=look.seed_for("smallest", n, d)) + 0.3
        documented = "rows_lt_cols" if n >= d and "rows_lt_cols" in look.subject.domain else "rows_le_cols"
        documented = "min_cols" if d < look.subject.domain.get("min_cols", 0) else documented
        _at(look, sheet, f"{n}x{d}", V, bad=list(range(n)), documented=documented)


@check(
    "edge.repeated_singular_values",
    asks="Are value and gradient right at equal singular values?",
    requires=AFTER,
    needs=("gradient",),
)
def repeated(look: Context, sheet: Sheet) -> None:
    # Nobody trains through what is used after the optimiser's step: there a derivative that breaks down bites at most.
    trained = look.subject.kind != PROJECTION
    for point in look.usable(repeated_singular_values(look.seed)):
        judge_backward(look, sheet, point, wrong=Verdict.FAIL if trained else Verdict.HAZARD, gross=trained)


def _at(
    look: Context, sheet: Sheet, name: str, V: Tensor, *, bad: list[int], documented: str, narrow: bool = False
) -> None:
    """Value and gradient at one unusual weight, told apart: refused, finite, infinite, NaN, and where.

    ``narrow``: the values in the narrower dtypes too, which hold what is unusual about V exactly.
    """
    V = small_enough(V, look.subject.domain)
    said = str(look.subject.domain[documented]) if documented in look.subject.domain else None
    try:
        with torch.no_grad():
            W = rows(built(look, V).at(V))
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        if said is not None:
            sheet.add(name, Verdict.PASS)
            sheet.note(f"{name}: raises {type(error).__name__}: {first_line(error)}; documented: {said}")
        else:
            refused(sheet, name, error)
        return
    of_value = _value_hazard(look, W, bad)
    wide = of_value or _gradient_hazard(look, V) or _prox_hazard(look, V)
    found: list[tuple[str | None, bool]] = [(wide, said is not None)]
    if narrow and of_value is None:
        # What is documented is what float64 does, unless other dtypes are named.
        named = said is not None and any(word in said for word in NARROWER)
        found.append((_narrow_hazard(look, V, bad), named))
    untold = [hazard for hazard, told in found if hazard is not None and not told]
    if untold:
        sheet.add(name, Verdict.HAZARD, untold[0], witness=witness_of(V))
        return
    sheet.add(name, Verdict.PASS)
    for hazard, _ in found:
        if hazard is not None:
            sheet.note(f"{name}: {hazard}; documented: {said}")


def _value_hazard(look: Context, W: Tensor, bad: list[int]) -> str | None:
    broken = [i for i in range(W.shape[0]) if not bool(torch.isfinite(W[i]).all())]
    if not broken:
        return None
    what = "NaN" if bool(torch.isnan(W).any()) else "infinite"
    if look.scalar:
        return f"the value is {what}"
    spread = [i for i in broken if i not in bad]
    said = f"W is {what} in row{'s' if len(broken) > 1 else ''} {', '.join(map(str, broken))}"
    return said + (f" (spread from row {bad[0]})" if spread else "")


def _narrow_hazard(look: Context, V: Tensor, bad: list[int]) -> str | None:
    """What the value is in the first narrower dtype where it is not finite though an ordinary weight's is: an ``eps``
    of 1e-12 is zero in float16."""
    ordinary = base_of(look)
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        # Refusing a dtype is a matter of contract.dtype.
        with contextlib.suppress(Exception), torch.no_grad():
            instance = built(look, V).to(kind)
            if not bool(torch.isfinite(instance.at(ordinary.to(kind))).all()):
                continue
            if (hazard := _value_hazard(look, rows(instance.at(V.to(kind))), bad)) is not None:
                return f"finite in float64, but in {str(kind).removeprefix('torch.')} {hazard}"
    return None


def _prox_hazard(look: Context, V: Tensor) -> str | None:
    """What the proximal point is where the penalty itself is well: it exists there."""
    if "prox" not in look.subject.capabilities:
        return None
    try:
        X = built(look, V).prox(V.clone(), 0.5)
    except REFUSALS:
        return None
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        return f"the value is finite but prox raises {type(error).__name__}: {first_line(error)}"
    return None if bool(torch.isfinite(X).all()) else "the value is finite but the proximal point is not"


def _gradient_hazard(look: Context, V: Tensor) -> str | None:
    if "gradient" not in look.subject.capabilities:
        return None
    cotangent = look.cotangent(V, look.seed_for("edge"))
    leaf = V.clone().requires_grad_()
    out = built(look, V).at(leaf)
    if not out.requires_grad:
        return None
    try:
        (gradient,) = torch.autograd.grad(out, leaf, cotangent)
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        return f"the value is finite but the backward raises {type(error).__name__}: {first_line(error)}"
    per_row = rows(gradient).norm(dim=1)
    broken = [i for i in range(V.shape[0]) if not math.isfinite(float(per_row[i]))]
    if broken:
        return f"the value is finite but the gradient is not, in rows {', '.join(map(str, broken))}"
    largest = float(per_row.max()) if per_row.numel() else 0.0
    if largest > EXPLODES * float(cotangent.norm()):
        return f"the value is finite but the gradient explodes to {largest:.2g}"
    return None


def refused(sheet: Sheet, name: str, error: BaseException) -> None:
    said = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, REFUSALS) and str(error).strip():
        sheet.add(name, Verdict.PASS, figures={"refused": said})
        sheet.note(f"{name} is refused with {said}")
    else:
        sheet.add(name, Verdict.HAZARD, f"raises {said}")


def built(look: Context, V: Tensor) -> Instance:
    """An instance for an ordinary weight of V's shape, which V is then given to; for V itself where that fails."""
    ordinary = look.drawn_for("edge base", V.shape)
    return look.build(ordinary if look.accepts(ordinary, str(tuple(V.shape))) else V)


def base_of(look: Context) -> Tensor:
    """An ordinary weight, in the subject's coordinates where it accepts it."""
    V = look.drawn_for("edge base", SHAPE)
    return look.build(V).V if look.accepts(V, "the ordinary weight") else V
