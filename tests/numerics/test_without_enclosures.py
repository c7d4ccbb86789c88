"""A machine without python-flint: everything but the enclosures works, and what is missing is said."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
sys.modules["flint"] = None
import wnverify.numbers
from wnverify.numerics import agreement, elsewhere, precision, sharding, topics, validation

found = [each for method in ("weight_normalization", "weight_decay") for each in agreement.numerics(method, quick=True)]
routes = {each.id: {route.route: str(route.verdict) for route in each.routes} for each in found}
print(json.dumps([[each.check, str(each.verdict), each.message, routes[each.id]] for each in found]))
"""


@pytest.fixture(scope="module")
def found():
    shown = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr[-2000:]
    return json.loads(shown.stdout.splitlines()[-1])


def test_only_the_enclosures_are_unsupported(found):
    """They say why, and every other check passes."""
    for check, verdict, message, _ in found:
        if check == "agreement.enclosure":
            assert verdict == "unsupported"
            assert "python-flint is not installed" in message
        else:
            assert verdict == "pass", (check, message)
    assert {check for check, *_ in found} >= {
        "agreement.enclosure",
        "agreement.forward",
        "agreement.backward",
        "undefined",
    }


def test_a_route_that_is_missing_is_shown_beside_those_that_decide(found):
    """The proximal point is judged against the reference, and its enclosure is a route that is unsupported."""
    (routes,) = {json.dumps(routes) for check, _, _, routes in found if check == "agreement.prox"}
    assert json.loads(routes)["enclosure"] == "unsupported"
    assert json.loads(routes)["arithmetic"] == "pass"
