"""The worked example of docs/add-a-claim.md: a row of the ledger and one decorated function."""

import pytest
from worked import ROOT, Laboratory, passed

ID = "CWN-HAT-TWICE"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    made = Laboratory(tmp_path_factory.mktemp("claim"))
    made.add("add_a_claim/centred_twice.py", "wnverify/papers/cwn/centred_twice.py")
    row = '  "CWN-HAT": "after eq. 3",\n'
    made.replace("wnverify/papers/ledger_ids.json", row, f'{row}  "{ID}": "after eq. 3 (derived)",\n')
    return made


def test_it_is_decided_by_two_routes(laboratory):
    """``wnverify claims`` finds it by its id, and both routes speak."""
    shown = laboratory.run("wnverify", "claims", ID, "--quiet")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "holds" in shown.stdout
    assert "symbolic" in shown.stdout
    assert "exact" in shown.stdout


def test_the_shared_tests_pass(laboratory):
    """Verdict, place, every planted fault refuted with a witness, the same in a fresh process."""
    tests = str(ROOT / "tests" / "papers" / "test_cwn_claims.py")
    done = laboratory.run("pytest", "-q", "-p", "no:cacheprovider", "-k", ID, tests)
    assert done.returncode == 0, done.stdout
    assert passed(done.stdout) >= 5, done.stdout
