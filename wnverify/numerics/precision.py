"""The precision matrix of a method: how accurate it is in which format, how far its range reaches, whether its eps does
anything there, and what is kept for its backward.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch

from wnverify.finding import Finding, Verdict
from wnverify.numerics.judge import Implementation, Subject, subjects_of
from wnverify.numerics.judge import unsupported as unsupported_finding
from wnverify.numerics.places import absent, one_thread
from wnverify.numerics.precision_accuracy import accuracy
from wnverify.numerics.precision_cases import NATIVE, WITHIN, Row, cells, products
from wnverify.numerics.precision_eps import alive, eps_of
from wnverify.numerics.precision_range import ranges
from wnverify.numerics.precision_saved import saved

ASKED: Final = "How accurate are value and gradient over conditioning and scale?"
SHORTLY = ("float32", "float16")
"""One wide and one narrow format, in which alone the range of an option, of a second map, or in a quick run is asked
for; of what comes beside the method itself not in a quick run."""


def precision(
    method_id: str,
    seed: int = 0,
    quick: bool = False,
    implementation: Implementation | None = None,
    device: str = "cpu",
) -> list[Finding]:
    """The findings of one method of the catalogue, by itself and with each of its options; the last part of an id is
    the format, ``float16``, or with it where sums are rounded, ``float16,sums=float16``.

    ``precision.accuracy``: ratio and correct digits over conditioning × scale, in float64, float32, bfloat16 and
    float16 as implemented; emulated, tf32 products, and what would be left if every result and partial sum were of the
    format (a ``hazard`` at most; not with options).  ``precision.range``: the borders at which value and gradient over-
    and underflow.  ``precision.eps``: of methods with an eps, whether it does anything.  ``precision.saved``: what is
    kept for the backward.  The transform of a constraint and the proximal operator of a penalty have checks of their
    own, ``precision.accuracy.prox``; what is differentiated is the first map.

    ``device``: where the PyTorch form runs; one finding, ``unsupported``, where this machine does not have it.  What is
    emulated is emulated on the processor: on another device only what it does itself is asked, tf32 products on CUDA.

    ``implementation`` (V (n, d) ↦ W, any floating dtype) is judged in place of the method's own PyTorch form without
    options.  ``unsupported`` for a penalty on outputs, which is no map of a weight; ``ValueError`` for an unknown
    method, or what is no device.
    """
    missing = absent(device)
    subjects = subjects_of(method_id, seed, quick, device, implementation)
    if not subjects:
        return [_unsupported(method_id)]
    if missing:
        return [unsupported_finding(subjects[0], "precision.accuracy", "float32", ASKED, missing)]
    with one_thread():
        found = [one for subject in subjects for one in _of(subject, implementation is None)]
    there = "" if device == "cpu" else f", device={device!r}"
    said = f"precision({method_id!r}, seed={seed}, quick={quick}{there})"
    replay = f"from wnverify.numerics.precision import precision; print(*{said}, sep='\\n')"
    return [one.replace(replay=f'python -c "{replay}"') for one in found]


def _of(subject: Subject, own: bool) -> Iterator[Finding]:
    """``own``: the implementation is the method's, and can be built with another eps."""
    known = {row.format: cells(subject, row.format) for row in NATIVE}
    first = not subject.form.said and subject.map.name not in ("transform", "prox")
    whole = not subject.quick and not subject.form.said
    for row in NATIVE:
        yield accuracy(subject, row, known[row.format])
    here = subject.device == "cpu"
    for row in WITHIN if here and (whole or first) else ():
        # The scale adds little to what sums cost where nothing over- or underflows: left out of a quick run.
        yield accuracy(subject, row, [cell for cell in known[row.format] if whole or not cell.exponent])
    if not here and first and torch.device(subject.device).type == "cuda":
        yield accuracy(subject, Row("tf32", native=True), cells(subject, "tf32"))
    if here and (first or not subject.quick):
        none = known["float32"] and not products(subject, known["float32"])
        given = known["float32"] if none else cells(subject, "tf32")
        for sums in ("", "tf32") if whole else ("",):
            yield accuracy(subject, Row("tf32", sums, judged="float32" if none else ""), given)
    eps = eps_of(subject.form)
    for row in NATIVE:
        if (first and not subject.quick) or (row.format in SHORTLY and (first or not subject.quick)):
            yield ranges(subject, row)
        if eps is not None and (not subject.form.said or not subject.quick):
            yield alive(subject, row, *eps, own=own)
        if subject.map.vjp is not None:
            yield saved(subject, row)


def _unsupported(method_id: str) -> Finding:
    return Finding(
        kind="method",
        id=f"method/{method_id}/precision.accuracy",
        subject=method_id,
        check="precision.accuracy",
        verdict=Verdict.UNSUPPORTED,
        statement=ASKED,
        message="a penalty on a network's outputs: no map of a weight alone, hence no error model of one",
    )
