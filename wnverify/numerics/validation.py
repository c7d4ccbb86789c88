"""Is the error model of a method true, and sharp enough to see a loss of accuracy?  Observed over many small draws.

A model is *true* where the observed ratio stays at or below 1 at every draw, and *sharp enough* where ten times the
error of the implementation is above 1 at some.  The second is asked in three ways, each with its share of the draws:

* the implementation in arithmetic ten times as coarse (``coarse``): the loss that the verdict rests on;
* a result off by relative errors ten times the modelled one, of random sign: what the comparison itself must see;
* ten times the observed error: what is left of the model's room.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.stats import beta

from wnverify.finding import Evidence, Finding, Json, Verdict, encode_array
from wnverify.numerics.batches import Batch
from wnverify.numerics.counts import Counts
from wnverify.numerics.generators import Stack
from wnverify.numerics.judge import Implementation, Subject, finding, subjects_of, verdict_of
from wnverify.numerics.observing import TENFOLD, Observed, Observer
from wnverify.numerics.places import one_thread
from wnverify.oracles.ratio import ErrorModel, Ratio, accumulation_roundoff, unit_roundoff

DTYPES: Final = ("float64", "float32")
DRAWS: Final = {"quick": 60, "usual": 520}
WITH_OPTIONS: Final = 5
"""A method with other options than its defaults is asked for this part of the draws."""
ENOUGH: Final = 3
"""Draws at which a loss must be seen: were its share below 3 / N, N draws would have seen it with at most 95 %."""
AGAIN: Final = 4
"""Where no loss is seen, so many times as many draws are asked: a rare one is seen then, and a ratio above 1 too."""
QUANTILES: Final = (0.5, 0.9, 0.99, 0.999, 1.0)


def validated(
    method_id: str,
    seed: int = 0,
    quick: bool = False,
    implementation: Implementation | None = None,
    draws: int | None = None,
) -> list[Finding]:
    """The error model of one method of the catalogue, by itself and with each of its options, against many draws.

    Findings, one a dtype: ``error_model.value``, ``error_model.gradient`` where the reference has one,
    ``error_model.transform`` of a constraint and ``error_model.prox`` of a penalty.  ``draws`` (520; 60 in a quick
    run) are those at which something is decided, a fifth of them with options.  ``implementation`` (V (n, d) ↦ W,
    differentiable) stands in place of the method's own form without options.  ``pass`` where every ratio is at most 1
    and a tenfold loss is seen, or nothing is ever rounded; ``inconclusive`` where none is seen, or nothing is decided;
    ``fail`` and ``hazard`` as ``agreement.numerics``.  ``ValueError``: an unknown method, or a number of draws below 1.
    """
    if draws is not None and draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}")
    subjects = subjects_of(method_id, seed, quick, implementation=implementation)
    wanted = draws or DRAWS["quick" if quick else "usual"]
    with one_thread():
        return [
            judged(subject, what, dtype, math.ceil(wanted / (WITH_OPTIONS if subject.form.said else 1)))
            for subject in subjects
            for what in ("value", *(("gradient",) if subject.map.vjp is not None else ()))
            for dtype in DTYPES
        ]


def judged(subject: Subject, what: str, dtype: str, draws: int, model: type[Batch] = Batch) -> Finding:
    """One finding; ``what`` is ``value`` or ``gradient``."""
    observer = Observer(subject, what, dtype, model)
    route = _evidence(subject, what, dtype, observer.observe(draws))
    if route.verdict is Verdict.INCONCLUSIVE and observer.seen.decided >= draws:
        route = _evidence(subject, what, dtype, observer.observe(AGAIN * draws))
    worst = observer.seen.worst
    name = subject.map.name if subject.map.name in ("transform", "prox") else what
    asked = f"Is the modelled error of the {name} never exceeded, and is a tenfold loss of accuracy above it?"
    made = finding(subject, f"error_model.{name}", dtype, asked, [route])
    drawn_at: Json = None
    if worst is not None:
        drawn_at = {
            part: encode_array(X, seed=worst.seed, generator=worst.name)
            for part, X in (("V", worst.V), ("A", worst.A))[: 1 if what == "value" else 2]
        }
    asked_for = draws * (WITH_OPTIONS if subject.form.said else 1)
    replay = (
        f'python -c "from wnverify.numerics.validation import validated; '
        f"print(*validated({subject.id!r}, seed={subject.seed}, draws={asked_for}), sep='\\n')\""
    )
    return made.replace(witness=drawn_at, replay=replay)


def _evidence(subject: Subject, what: str, dtype: str, seen: Observed) -> Evidence:
    figures: dict[str, Json] = {"draws": seen.decided, "undefined": seen.undefined, "undecided": seen.undecided}
    if not seen.decided:
        note = "no draw decides: at none there is a value and a model below 0.1"
        return Evidence(route="property search", verdict=Verdict.INCONCLUSIVE, note=note, figures=figures)
    ratios, coarse, planted = (np.concatenate(some) for some in (seen.ratios, seen.coarse, seen.planted))
    above, wider = int((~(ratios <= 1)).sum()), wider_by(seen)
    losses = {
        "seen_in_coarse_arithmetic": coarse / wider,
        "seen_at_ten_times_modelled": planted / wider,
        "seen_at_ten_times_observed": TENFOLD * ratios / wider,
    }
    figures |= {
        "above_one": above,
        "exceedance_95": upper_bound(above, seen.decided),
        "quantiles": {f"{q:g}": float(np.quantile(ratios, q, method="higher")) for q in QUANTILES},
        "condition": {f"{q:g}": float(np.quantile(np.concatenate(seen.conditions), q)) for q in (0.0, 0.5, 1.0)},
        **{name: float((~(loss <= 1)).mean()) for name, loss in losses.items()},
        "worst_by_whole_jacobians": seen.worst_narrow,
        "judging_model_over_that": [float(np.quantile(seen.over_narrow or [1.0], q)) for q in (0.0, 0.5, 1.0)],
        "enclosed": len(seen.enclosed),
        "worst_enclosed": max(seen.enclosed, default=0.0),
        "raised": dict(list(seen.raised.items())[:5]),
    }
    if (there := np.sort(losses["seen_in_coarse_arithmetic"])[-ENOUGH:][0]) > 0:
        figures["least_loss_seen"] = TENFOLD / float(there)  # what is lost grows with what each operation loses
    if seen.worst is not None:
        figures["worst_draw"] = {"generator": seen.worst.name, "seed": seen.worst.seed}
    share = float((~(losses["seen_in_coarse_arithmetic"] <= 1)).mean())
    verdict = _verdict(seen, ratios, round(share * seen.decided), dtype)
    note = (
        f"worst ratio {ratios.max():.3g} of {seen.decided} draws; arithmetic ten times as coarse is seen at {share:.2g}"
    )
    if seen.raised:
        name, error = next(iter(seen.raised.items()))
        note = f"at {name}: {error}; {note}"
    elif _exact(seen):
        note = f"every operation is exact: no error at {seen.decided} draws, nor in arithmetic ten times as coarse"
    elif verdict is Verdict.INCONCLUSIVE:
        note += f": the model is too loose for so many draws; a loss of {figures['least_loss_seen']:.3g} is seen"
    return Evidence(
        route="property search",
        verdict=verdict,
        note=note,
        ratio=float(ratios.max()),
        power=float(min(some.min() for some in seen.modelled)),
        model=in_words(subject, what, dtype),
        figures=figures,
    )


def wider_by(seen: Observed) -> float:
    """By how much, in the median of a subsample, the judging model is wider than that of ``batches``; at least 1."""
    return max(1.0, float(np.median(seen.over_narrow or [1.0])))


def _verdict(seen: Observed, ratios: Stack, seen_coarse: int, dtype: str) -> Verdict:
    wrong, modelled = ~(ratios <= 1), np.concatenate(seen.modelled)
    if seen.raised:
        return Verdict.FAIL
    if wrong.any():
        pairs = zip(ratios[wrong].tolist(), modelled[wrong].tolist(), strict=True)
        return verdict_of([Ratio(ratio * model, 1.0, ErrorModel(model, "")) for ratio, model in pairs], dtype)
    return Verdict.PASS if seen_coarse >= ENOUGH or _exact(seen) else Verdict.INCONCLUSIVE


def _exact(seen: Observed) -> bool:
    """Whether no draw shows an error, nor one in arithmetic ten times as coarse: nothing is rounded."""
    return all(not some.any() for some in (*seen.ratios, *seen.coarse))


def upper_bound(above: int, draws: int, confidence: float = 0.95) -> float:
    """The upper bound of C. J. Clopper and E. S. Pearson (1934) of the probability of what ``above`` of ``draws`` did.

    >>> round(upper_bound(0, 100_000), 7)
    3e-05
    """
    return 1.0 if above >= draws else float(beta.ppf(confidence, above + 1, draws - above))


def in_words(subject: Subject, what: str, dtype: str) -> str:
    """The modelled error with its assumptions."""
    counts, one = Counts(subject.id, subject.form.said), Batch(subject, *(np.ones((1, 1, 1)),) * 3, dtype)
    u, accumulated = unit_roundoff(dtype), accumulation_roundoff("float64" if counts.in_double(dtype) else dtype)
    alone = counts.terms(what, subject.map, (2, 2), True) == 1
    terms = "1" if alone else "the longer side" if subject.model.mixes else "d"
    stored = one.stored(what)
    condition = {
        "value": "κ = σ ‖V‖ / ‖W‖, σ the norm of the derivative",
        "gradient": "1 + η ‖V‖ / (σ ‖A‖), η that of the second derivative with the cotangent A, relative to σ ‖A‖",
    }[what]
    return (
        f"condition × (u + γ̃_m(u_a)) + {stored} u; condition {condition}; u = {u:.3g}; one sum of m = {terms} terms "
        f"in any order, accumulated with u_a = {accumulated:.3g}; γ̃ the smaller of γ_m = m u_a / (1 − m u_a) and the "
        "probabilistic λ √m u_a (independent rounding errors of mean zero, false alarms 1e-9): at these sizes γ_m"
    )
