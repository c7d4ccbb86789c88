"""Edge: the inputs that people meet and papers do not mention.

A clear refusal (``ValueError``, ``ArithmeticError``, a linear-algebra error) passes: nothing silent happens.  What the
subject's DOMAIN documents passes too, and is reported.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wnverify.auditing.checks.gradient import AFTER, judge_backward
from wnverify.auditing.checks.property import discover
from wnverify.auditing.context import Context, first_line, rows_are_independent
from wnverify.auditing.points import outside, randn, repeated_singular_values, rows
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.subject import Instance
from wnverify.finding import Verdict, encode_array
from wnverify.oracles.gradients import sensitivity
from wnverify.oracles.ratio import Ratio, map_model

REFUSALS = (ValueError, ArithmeticError)
EXPLODES = 1e8
SHAPE = (4, 9)


@check("edge.zero_row", asks="What happens at a row of zeros: value, gradient, and the other rows?")
def zero_row(look: Context, sheet: Sheet) -> None:
    V = _base(look)
    V[1] = 0.0
    _at(look, sheet, "row 1 zero", V, bad=[1], documented="zero_row")


@check("edge.constant_row", asks="What happens at a row whose entries are all equal?")
def constant_row(look: Context, sheet: Sheet) -> None:
    V = _base(look)
    V[2] = 0.75
    _at(look, sheet, "row 2 constant", V, bad=[2], documented="constant_row")


@check("edge.zero_matrix", asks="What happens at the zero matrix?")
def zero_matrix(look: Context, sheet: Sheet) -> None:
    zero = torch.zeros(SHAPE, dtype=torch.float64)
    documented = "zero_matrix" if "zero_matrix" in look.subject.domain else "zero_row"
    _at(look, sheet, "all zero", zero, bad=list(range(SHAPE[0])), documented=documented)


@check("edge.rank_deficient", asks="What happens when rows are linearly dependent?")
def rank_deficient(look: Context, sheet: Sheet) -> None:
    equal = _base(look)
    equal[3] = equal[0]
    _at(look, sheet, "rows 0 and 3 equal", equal, bad=[0, 3], documented="full_rank")
    dependent = _base(look)
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


@check("edge.repeated_singular_values", asks="Are value and gradient right at equal singular values?", requires=AFTER)
def repeated(look: Context, sheet: Sheet) -> None:
    for point in look.usable(repeated_singular_values(look.seed)):
        judge_backward(look, sheet, point)


@check("edge.scale", asks="Do tiny (1e-30 in float32, 1e-200 in float64) and huge rows give what ordinary ones give?")
def scale(look: Context, sheet: Sheet) -> None:
    base = _base(look)
    if not look.accepts(base, "the ordinary weight"):
        return
    invariant = "scale_invariant" in look.subject.declares or bool(
        discover(look, ("scale_invariant",), look.generic_points()[:2])
    )
    instance = _built(look, base)
    for dtype, exponents in ((torch.float64, (-664, 664)), (torch.float32, (-100, 100))):
        for exponent in exponents:
            V = (base * 2.0**exponent).to(dtype)
            name = f"2^{exponent} in {str(dtype).removeprefix('torch.')}"
            if outside(V, look.subject.domain) is not None:
                continue
            try:
                with torch.no_grad():
                    W = instance.to(dtype).at(V).double()
                    ordinary = instance.to(dtype).at(base.to(dtype)).double()
            except Exception as error:  # foreign code may raise anything; what it raised is the finding
                _refused(sheet, name, error)
                continue
            if not bool(torch.isfinite(W).all()):
                sheet.add(name, Verdict.HAZARD, "the output is not finite", witness=_witness(V))
            elif invariant:
                kind = str(dtype).removeprefix("torch.")
                model = map_model(kind, rows(V).shape[1], condition=100.0)
                ratio = Ratio(float((W - ordinary).norm()), float(ordinary.norm()), model)
                said = "a scale-invariant map gives something else: its squares over- or underflow"
                sheet.compare(name, ratio, said, wrong=Verdict.HAZARD, witness=_witness(V))
            else:
                sheet.add(name, Verdict.PASS)


@check("edge.large_mean", asks="Is a row with a mean far above its spread as accurate as its conditioning allows?")
def large_mean(look: Context, sheet: Sheet) -> None:
    base = (_base(look) * 1024).round() / 1024
    if not look.accepts(base, "the ordinary weight"):
        return
    instance = _built(look, base)
    invariant = bool(discover(look, ("shift_invariant_rows",), look.generic_points()[:2]))
    for dtype, exponent in ((torch.float32, 10), (torch.float32, 12), (torch.float64, 20), (torch.float64, 30)):
        kind = str(dtype).removeprefix("torch.")
        # Every sum below is exact: the entries are multiples of 2^-10 and the mean is a power of two.
        V = (base + 2.0**exponent).to(dtype)
        name = f"mean 2^{exponent} in {kind}"
        if outside(V, look.subject.domain) is not None:
            continue
        try:
            with torch.no_grad():
                reference = base if invariant else V.double()
                observed = instance.to(dtype).at(V).double()
                expected = instance.at(reference)
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            _refused(sheet, name, error)
            continue
        if not invariant and dtype == torch.float64:
            continue

        def value(weight: Tensor) -> Tensor:
            with torch.no_grad():
                return instance.at(weight)

        # A shift-invariant map loses ‖V‖ / ‖centred V‖; in float64 this is exact, not estimated.
        centred = rows(base - rows(base).mean(1, keepdim=True))
        condition = float(rows(V.double()).norm() / centred.norm()) if invariant else 0.0
        condition = max(condition, 1.0 + sensitivity(value, reference, seed=look.seed))
        model = map_model(kind, rows(V).shape[1], condition=4 * condition)
        ratio = Ratio(float((observed - expected).norm()), float(expected.norm()), model)
        sheet.compare(name, ratio, "less accurate than the map allows", wrong=Verdict.HAZARD, witness=_witness(V))


@check("edge.nan_row", asks="Does a NaN or an infinity stay in its row, and is it not turned into numbers?")
def nan_row(look: Context, sheet: Sheet) -> None:
    base = _base(look)
    if not look.accepts(base, "the ordinary weight"):
        return
    local = rows_are_independent(_built(look, base), base)
    for name, value in (("NaN", math.nan), ("infinity", math.inf)):
        V = base.clone()
        V[1, 2] = value
        try:
            with torch.no_grad():
                W = rows(_built(look, base).at(V))
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            _refused(sheet, name, error)
            continue
        broken = ~torch.isfinite(W).all(1)
        others = [i for i in range(V.shape[0]) if i != 1 and bool(broken[i])]
        if name == "NaN" and not bool(broken.any()):
            said = "a NaN in V[1, 2] gives finite numbers in every row of W: it is hidden"
            sheet.add(name, Verdict.FAIL, said, witness=_witness(V))
        elif others and local:
            said = f"a non-finite V[1, 2] spoils row {others[0]} of W too, though rows are independent"
            sheet.add(name, Verdict.FAIL, said, witness=_witness(V))
        else:
            sheet.add(name, Verdict.PASS)
    if not local:
        sheet.note("the rows of W are coupled, so that a NaN may reach all of them")


def _at(look: Context, sheet: Sheet, name: str, V: Tensor, *, bad: list[int], documented: str) -> None:
    """Value and gradient at one unusual weight, told apart: refused, finite, infinite, NaN, and where."""
    ordinary = _base(look)
    try:
        with torch.no_grad():
            W = rows(_built(look, V).at(V))
    except Exception as error:  # foreign code may raise anything; what it raised is the finding
        _refused(sheet, name, error)
        return
    hazard = None
    broken = [i for i in range(W.shape[0]) if not bool(torch.isfinite(W[i]).all())]
    if broken:
        spread = [i for i in broken if i not in bad]
        what = "NaN" if bool(torch.isnan(W).any()) else "infinite"
        hazard = f"W is {what} in row{'s' if len(broken) > 1 else ''} {', '.join(map(str, broken))}"
        hazard += f" (spread from row {bad[0]})" if spread else ""
    else:
        hazard = _gradient_hazard(look, V, ordinary)
    if hazard is None:
        sheet.add(name, Verdict.PASS)
    elif documented in look.subject.domain:
        sheet.add(name, Verdict.PASS)
        sheet.note(f"{name}: {hazard}; documented: {look.subject.domain[documented]}")
    else:
        sheet.add(name, Verdict.HAZARD, hazard, witness=_witness(V))


def _gradient_hazard(look: Context, V: Tensor, ordinary: Tensor) -> str | None:
    cotangent = randn(*V.shape, seed=look.seed_for("edge"))
    leaf = V.clone().requires_grad_()
    out = _built(look, V).at(leaf)
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


def _refused(sheet: Sheet, name: str, error: BaseException) -> None:
    said = f"{type(error).__name__}: {first_line(error)}"
    # torch's LinAlgError is a RuntimeError whose class the typed interface does not export.
    refused = isinstance(error, REFUSALS) or type(error).__name__.endswith("LinAlgError")
    if refused and str(error).strip():
        sheet.add(name, Verdict.PASS, figures={"refused": said})
        sheet.note(f"{name} is refused with {said}")
    else:
        sheet.add(name, Verdict.HAZARD, f"raises {said}")


def _built(look: Context, V: Tensor) -> Instance:
    """An instance for an ordinary weight of V's shape, which V is then given to; for V itself where that fails."""
    ordinary = randn(*V.shape, seed=look.seed_for("edge base")) + 0.3
    return look.build(ordinary if look.accepts(ordinary, str(tuple(V.shape))) else V)


def _base(look: Context) -> Tensor:
    """An ordinary weight, in the subject's coordinates where it accepts it."""
    V = randn(*SHAPE, seed=look.seed_for("edge base")) + 0.3
    return look.build(V).V if look.accepts(V, "the ordinary weight") else V


def _witness(V: Tensor) -> dict[str, object]:
    return {"V": encode_array(V)}
