"""A failure comes with lines that show it in any Python with torch."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys

import pytest
from audited import SUBJECTS, spec_of

from wnverify.auditing.asked_again import lines_of
from wnverify.auditing.registry import checks
from wnverify.auditing.target import parse_target
from wnverify.auditing.work import perform
from wnverify.finding import Verdict

FAULTS = "wnverify.faults."
SILENT = {
    *("contract.device", "contract.layers", "contract.prox", "gradient.mixed", "lifecycle.steps", "lifecycle.training"),
    *("execution.export", "execution.functional_call", "execution.threads"),
}
"""With every check of costs and of sharding, those that lines do not show."""


def snippet_of(target, check):
    spec = spec_of(target) if ".py:" in target else parse_target(f"{FAULTS}{target}", {}, {})
    (finding,) = perform(spec.to_json(), check)
    assert finding.verdict in (Verdict.FAIL, Verdict.HAZARD)
    return finding.witness["snippet"]


def shown(snippet):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(snippet, "snippet", "exec"), {})
    return out.getvalue()


@pytest.mark.parametrize(
    ("target", "check", "said", "misses"),
    [
        ("parametrization.rows:NegativeWeightsShrunk", "property.odd", r"differs by (\S+) where 0", 1e-3),
        ("parametrization.rows:SlightlyExpansive", "property.nonexpansive", r"grow by (\S+) where 1", 1.0005),
        ("parametrization.weight_norm:MissingScale", "gradient.rows", r"largest difference: (\S+)", 1e-2),
        ("parametrization.red_gain:GainTakenForPositive", "gradient.settings", r"-0.7 .* misses by (\S+)", 1e-2),
        ("parametrization.out_of_sight:FloorOfShortRows", "property.row_scale_invariant", r"by (\S+) where 0", 1e-2),
    ],
    ids=["odd", "nonexpansive", "rows", "settings", "row-scale"],
)
def test_the_lines_show_the_miss(target, check, said, misses):
    """Run as they are, they print a figure that is far from right."""
    found = re.findall(said, shown(snippet_of(target, check)))
    assert max(map(float, found)) > misses


def test_the_lines_of_a_proximal_operator_find_a_better_point():
    """Its cost is printed beside that of a point which is cheaper."""
    text = shown(snippet_of("penalty.red_proximal:OneOfTheLargest", "property.is_prox_of_penalty"))
    pairs = re.findall(r"point (\S+) of another (\S+)", text)
    assert any(float(own) > 1.01 * float(other) for own, other in pairs)


def test_the_lines_of_a_dtype_name_it():
    """A float64 weight gives float32."""
    text = shown(snippet_of("parametrization.contract:AlwaysFloat32", "contract.dtype"))
    assert "torch.float64 gives torch.float32" in text


def test_the_lines_need_torch_and_the_subject_alone():
    """In another process, beside the subject's file and without the lab, they run and fail to be silent."""
    snippet = snippet_of("executed.py:CompiledValue", "execution.compile")
    code = f"import sys\nsys.modules['wnverify'] = None\n{snippet}"
    done = subprocess.run([sys.executable, "-c", code], cwd=SUBJECTS, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "compiled:" in done.stdout


def test_what_has_no_lines_is_little():
    """All but what is counted, distributed, raced, exported or lived through for many steps can be shown in lines."""
    without = {name for name in checks() if lines_of(name) is None}
    assert without == SILENT | {name for name in checks() if name.startswith(("cost.", "sharding."))}
