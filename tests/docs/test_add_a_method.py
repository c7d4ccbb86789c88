"""The worked example of docs/add-a-method.md: one folder and one row, and the shared tests take it from there."""

import runpy

import numpy as np
import pytest
from worked import EXAMPLES, ROOT, Laboratory, passed

from wnverify.oracles.enclosures import distance
from wnverify.oracles.ratio import Ratio, map_model

ID = "root_mean_square"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    made = Laboratory(tmp_path_factory.mktemp("method"))
    made.add(f"add_a_method/{ID}", f"wnverify/methods/{ID}")
    made.add_row("add_a_method/row.py", "wnverify/methods/catalogue/parametrizations.py", "PARAMETRIZATIONS")
    return made


def test_the_catalogue_knows_it(laboratory):
    """``wnverify methods`` shows what the row says, by the method's other name too."""
    shown = laboratory.run("wnverify", "methods", "rms")
    assert shown.returncode == 0, shown.stderr
    assert "Rows of root mean square 1" in shown.stdout


def test_the_shared_tests_pass(laboratory):
    """They find it by its row: value, derivatives, transforms, layouts, copies, doctests."""
    tests = ROOT / "tests" / "methods"
    files = [str(tests / name) for name in ("test_every_parametrization.py", "test_catalogue.py")]
    done = laboratory.run("pytest", "-q", "-p", "no:cacheprovider", "-k", ID, *files)
    assert done.returncode == 0, done.stdout
    assert passed(done.stdout) > 12, done.stdout


def test_the_audit_passes_it(laboratory):
    """It is audited by its name, and what it declares is asked, prerequisites too."""
    checks = ("--check", "gradient.vjp", "--check", "property.constant_norm_rows")
    done = laboratory.run("wnverify", "audit", ID, "--quick", "--quiet", *checks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(done.stdout) >= 2


def test_the_balls_hold_what_the_reference_gives():
    """Value and gradient of reference and enclosure agree within the rounding of the reference."""
    folder = EXAMPLES / "add_a_method" / ID
    reference, enclosure = (runpy.run_path(str(folder / f"{name}.py")) for name in ("reference", "enclosure"))
    V, A = np.random.default_rng(0).standard_normal((2, 3, 5))
    for name, given in (("forward", (V,)), ("vjp", (V, A))):
        found = reference[name](*given)
        error = distance(enclosure[name](*given), found)
        assert Ratio(float(error.max()), float(abs(found).max()), map_model("float64", 5)).value <= 1
