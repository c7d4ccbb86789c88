"""What the tests of the papers' claims share: a claim decided once, decided again, decided in a process of its own."""

import functools
import os
import subprocess
import sys

from wnverify.finding import dumps
from wnverify.papers import claims

HEAVY = ("flint", "numpy", "scipy", "sympy", "torch")


@functools.cache
def decided(claim_id, quick=True):
    """The claim's finding, computed once a process."""
    (finding,) = claims.decide(claim_id, quick=quick)
    return finding


def record(finding):
    """A finding as results.json has it."""
    return dumps(finding.to_json())


def decided_again(claim_id):
    """The record of the claim, computed anew."""
    (finding,) = claims.decide(claim_id, quick=True)
    return record(finding)


def decided_alone(claim_id):
    """The record of the claim from a fresh process with another hash seed."""
    return _alone(
        "import sys; from wnverify.finding import dumps; from wnverify.papers.claims import decide; "
        "print(dumps(decide(sys.argv[1], quick=True)[0].to_json()))",
        claim_id,
    )


def heavy_imports(*modules, calling="None"):
    """Which of the heavy packages a fresh process has loaded after importing ``modules`` and evaluating ``calling``."""
    loaded = _alone(
        f"import importlib, sys; [importlib.import_module(name) for name in {modules!r}]; {calling}; "
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    return loaded.split()


def witnessed(verdicts):
    """The claims whose expected verdict needs a witness."""
    return [claim_id for claim_id, verdict in verdicts.items() if verdict in ("refuted", "inconsistent")]


def faults_of(verdicts):
    """Every planted fault of these claims, as (claim, fault)."""
    return [(claim_id, fault) for claim_id in verdicts for fault in claims.get(claim_id).faults]


def _alone(program, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()
