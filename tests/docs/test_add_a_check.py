"""The worked example of docs/add-a-check.md: one decorated function, and the fault that it catches."""

import pytest
from worked import ROOT, Laboratory, passed

ID = "edge.negative_zero"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    made = Laboratory(tmp_path_factory.mktemp("check"))
    made.add("add_a_check/edge_zeros.py", "wnverify/auditing/checks/edge_zeros.py")
    made.replace("wnverify/auditing/registry.py", '    "edge_scale",\n', '    "edge_scale",\n    "edge_zeros",\n')
    made.add("add_a_check/zeros.py", "wnverify/faults/parametrization/zeros.py")
    made.add_row("add_a_check/row.py", "wnverify/faults/parametrization_rows.py", "FAULTS")
    return made


def test_the_planted_fault_is_caught_by_it(laboratory):
    """The selftest says so with exit code 0; without the check it would end with 1."""
    done = laboratory.run("wnverify", "selftest", "--fault", "nudged-from-zero", "--quick", "--quiet", "--seeds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planted faults caught: 1 of 1" in done.stdout


def test_a_right_map_is_left_in_peace(laboratory):
    """The check and its prerequisite pass a map that sees no sign of a zero."""
    target = str(ROOT / "examples" / "my_norm.py") + ":Centred"
    done = laboratory.run("wnverify", "audit", target, "--quick", "--quiet", "--check", ID)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(done.stdout) >= 1
