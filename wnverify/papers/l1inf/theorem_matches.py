"""L1,∞, Secs. 5.1 and 5.2: in what sense Tables 1 and 2 match Theorems 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wnverify.experiments.published.l1inf_tables import (
    NO_LIMIT,
    TABLE_1,
    TABLE_2,
    Table1,
    Table2,
)
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.l1inf import right_side, theorem3
from wnverify.papers.l1inf.tables import changed1, changed2, limit, number, pairs_with, steps_against


def _rises_with_c(bound: Callable[[Any], Any], at_least: int) -> bool:
    """Whether the derivative of the bound in c is shown to be at least 0 for every c ≥ ``at_least``."""
    import sympy

    c, s = sympy.symbols("c s", nonnegative=True)
    return bool(sympy.diff(bound(c), c).subs(c, s + at_least).is_nonnegative)


def _theorem_2(c: Any) -> Any:
    """Eq. 3.1 at the sizes of Sec. 5.1 with δ = 0.05, ‖T_2‖_1 a symbol."""
    import sympy

    t, delta = sympy.Symbol("t", nonnegative=True), sympy.Rational(1, 20)
    return right_side.printed(500, 1000, 1, c, t, delta, sympy.log, sympy.sqrt)


def _theorem_3(c: Any) -> Any:
    """Eq. 3.2 without its constant at the sizes of Sec. 5.2 with δ = 0.05, the norms of T_4 symbols."""
    import sympy

    largest, total = sympy.symbols("largest total", positive=True)
    return theorem3.printed(500, 500, 3, c, largest, total, 2, sympy.Rational(1, 20), sympy.log, sympy.sqrt)


@claim(
    "L1-T1-TH2",
    place="Sec. 5.1",
    statement="That density and generalisation error increase with c matches the conclusion of Theorem 2.",
    reading="matches: the error moves with c as the bound does (its right-hand side rises with c for a fixed output "
    "layer), in the rows with c ≥ 1; or: the theorem is about what Table 1 lists.",
    formula=TABLE_1,
    faults={
        "smaller at c = 10": changed1("10.00", gen="7.571"),
        "smaller at c = ∞": changed1(NO_LIMIT, gen="29.520"),
    },
)
def regression_against_theorem_2(formula: Table1, quick: bool) -> Measured:
    within = {c: number(row.gen) for c, row in formula.items() if limit(c) >= 1}
    against = steps_against(within, falls=True)
    small = [c for c in formula if limit(c) < 1]
    large = {c: row.gen for c, row in formula.items() if number(row.gen) > 1}
    bound = said("symbolic", _rises_with_c(_theorem_2, 1) or None, "(3.1) at k = 1 with T_2 fixed", power=0.0)
    witness: Json = {"rows with c ρ < 1": list(small), "generalisation errors above 1": dict(large)}
    return Measured(
        readings=[
            Reading(
                "the error moves as the bound",
                [
                    Part("bound rises", [bound]),
                    Part("error rises", [exactly(not against, f"rows {', '.join(within)}")], against),
                ],
            ),
            Reading(
                "Theorem 2 is about Table 1",
                [
                    Part("c ρ ≥ 1", [exactly(not small, f"{len(small)} of {len(formula)} rows have c < 1")], witness),
                    Part("|L| ≤ 1", [exactly(not large, f"{len(large)} of {len(formula)} errors above 1")], witness),
                ],
            ),
        ],
        message="A nonnegative loss of at most 1 has no generalisation error above 1.  The theorem bounds the error "
        "from above with the norm of the trained output layer as a factor, which may grow as c falls, and says nothing "
        "of density.",
    )


@claim(
    "L1-T2-TH3",
    place="Sec. 5.2",
    statement="That the generalisation error decreases as c decreases matches the conclusion of Theorem 3.",
    reading="matches: the error tends to move with c as the bound does (more than half of the pairs of rows; the bound "
    "with the output layer fixed, for c < 1 in the form of Remark 5); or the same among the rows for which the theorem "
    "stands (c = ∞ as the limit of large c); or: the theorem is about what Table 2 lists.",
    formula=TABLE_2,
    faults={
        "rows in reverse": {
            c: row._replace(gen=other.gen)
            for (c, row), other in zip(TABLE_2.items(), list(TABLE_2.values())[::-1], strict=True)
        },
        "equal errors": {c: row._replace(gen="0.200") for c, row in changed2("1.00").items()},
    },
)
def classification_against_theorem_3(formula: Table2, quick: bool) -> Measured:
    gen = {c: number(row.gen) for c, row in formula.items()}
    falling, pairs = pairs_with(gen, falls=True)
    within = {c: value for c, value in gen.items() if limit(c) >= 1}
    against = steps_against(within, falls=True)
    small = [c for c in formula if limit(c) < 1]
    large = _rises_with_c(_theorem_3, 1)
    small_c = _rises_with_c(lambda c: sum(c**power for power in range(4)), 0)
    note = "k = 3, T_4 fixed: (3.2) for c ≥ 1 and (1 − c^4)/(1 − c) for c < 1"
    bound = said("symbolic", (large and small_c) or None, note, power=0.0)
    witness: Json = {c: str(value) for c, value in gen.items()}
    return Measured(
        readings=[
            Reading(
                "the error tends to move as the bound",
                [
                    Part("bound rises", [bound]),
                    Part("tendency", [exactly(2 * falling > pairs, f"{falling} of {pairs} pairs")], witness),
                ],
            ),
            Reading(
                "the error moves as the bound where c ρ ≥ 1",
                [Part("c = ∞ to 1.00", [exactly(not against, f"{against or 'falls'}")], against or witness)],
            ),
            Reading(
                "Theorem 3 is about Table 2",
                [Part("c ρ ≥ 1", [exactly(not small, f"{len(small)} of {len(formula)} rows have c < 1")], list(small))],
            ),
        ],
        message="For c ≥ 1 there are two rows, and between them the error rises as c falls.",
    )
