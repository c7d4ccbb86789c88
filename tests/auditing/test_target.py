"""TARGET strings and live objects become specifications, or an error that says what would be right."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading

import cloudpickle
import pytest
from audited import SUBJECTS, spec_of

from wnverify.auditing.target import TargetError, TargetSpec, parse_target, pickle_target


def test_a_file_travels_as_text_with_its_hash():
    """What is audited is what was read, and the folder is kept out of the subject's name."""
    spec = spec_of("kinds.py:Plain")
    text = (SUBJECTS / "kinds.py").read_text(encoding="utf-8")
    assert (spec.text, spec.sha256) == (text, hashlib.sha256(text.encode()).hexdigest())
    assert (spec.subject, spec.name, spec.module, spec.pickled) == ("kinds.py:Plain", "Plain", None, None)
    assert spec.folder == str(SUBJECTS)


def test_a_module_travels_by_name():
    """An importable name is not read here."""
    spec = parse_target("torch.nn:Softmax", {"dim": 1}, {"odd": False})
    assert (spec.module, spec.name, spec.text, spec.folder) == ("torch.nn", "Softmax", None, None)
    assert (spec.arguments, spec.declare, spec.subject) == ({"dim": 1}, {"odd": False}, "torch.nn:Softmax")


def test_a_blank_in_a_file_name_becomes_a_dash(tmp_path):
    """The name in ids is plain, whatever the file is called."""
    (tmp_path / "my norm.py").write_text("def f(V):\n    return V\n")
    assert parse_target(f"{tmp_path / 'my norm.py'}:f", {}, {}).subject == "my-norm.py:f"


def test_a_live_object_travels_by_pickle_and_back():
    """What comes out is what went in, with its qualified name as the subject."""
    spec = spec_of(lambda V: 3 * V)
    assert spec.subject.endswith("lambda-")
    assert spec.pickled is not None
    assert cloudpickle.loads(base64.b64decode(spec.pickled))(2) == 6
    assert (spec.module, spec.text) == (None, None)


def test_an_object_that_cannot_travel_is_refused():
    """The error names the object."""
    with pytest.raises(TargetError, match=r"the object lock cannot travel to the audit's process"):
        pickle_target(threading.Lock(), {}, {})


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no colon", "must be package.module:name or path/file.py:name or a method's id; got 'no colon'"),
        ("kinds.py:not-a-name", "must be package.module:name or path/file.py:name"),
        ("nowhere.py:X", "there is no file 'nowhere.py'"),
        ("a-b.c:X", "neither a module name nor a .py file"),
        ("package_that_nobody_has.sub:X", "no module named 'package_that_nobody_has' is installed"),
    ],
)
def test_a_wrong_target_is_refused(target, said):
    """Each message says what came and what would be right."""
    with pytest.raises(TargetError) as caught:
        parse_target(target, {}, {})
    assert said in str(caught.value)


def test_a_name_that_the_file_lacks_is_refused_with_those_it_has():
    """Classes, functions, assignments and imports are offered."""
    with pytest.raises(TargetError) as caught:
        spec_of("kinds.py:Missing")
    for name in ("Plain", "factory", "instance", "weight_norm", "number"):
        assert name in str(caught.value)


def test_a_file_that_is_no_python_is_refused_with_its_line(tmp_path):
    """The line of the syntax error is named, and nothing is run."""
    (tmp_path / "bad.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(TargetError, match="line 2 is not Python"):
        parse_target(f"{tmp_path / 'bad.py'}:f", {}, {})


def test_reading_a_target_runs_nothing_of_it(tmp_path):
    """Neither the file is executed nor torch imported."""
    (tmp_path / "harm.py").write_text("raise SystemExit(9)\ndef f(V):\n    return V\n")
    code = (
        "import sys\nfrom wnverify.auditing.target import parse_target\n"
        f"spec = parse_target({str(tmp_path / 'harm.py')!r} + ':f', {{}}, {{}})\n"
        "sys.exit(1 if 'torch' in sys.modules or spec.name != 'f' else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_specification_is_plain_data():
    """It goes to JSON and comes back equal."""
    spec = spec_of("kinds.py:Sphere", arguments={"radius": 2.0})
    assert TargetSpec(**spec.to_json()) == spec
