"""The command line: what can be asked, and nothing heavy before it is.

Exit codes: 0 nothing wrong (or waived), 1 something failed, 2 the call is wrong, 3 wnverify itself broke or a file
could not be read or written, 130 interrupted.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import wnverify
from wnverify.auditing.target import KINDS

if TYPE_CHECKING:
    from concurrent.futures import Executor

EXIT_CALL: Final = 2
EXIT_BROKEN: Final = 3

DESCRIPTION: Final = """Tells whether a weight-normalization method is what it says it is.

  wnverify audit my_norm.py:MyNorm    judge a parametrization, projection or penalty of yours
  wnverify report                     the numerics report: claims, methods, audits, planted faults
  wnverify selftest                   every planted fault must be caught, every right variant pass
"""


def main(argv: Sequence[str] | None = None, *, executor: Executor | None = None) -> int:
    """Run one command and return its exit code; its items on ``executor``, twice ``--workers`` of them at a time."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character ends no run
    arguments = _parser().parse_args(argv)
    try:
        return _performed(arguments, executor)
    except KeyboardInterrupt:
        from wnverify.running import interrupted

        return interrupted(resumable="resume" in arguments)


def _performed(arguments: argparse.Namespace, executor: Executor | None) -> int:
    """The exit code of the command, also where it could not do what was asked."""
    from wnverify import commands
    from wnverify.running import flushed, placed

    said = f"wnverify {arguments.command}:"
    try:
        with placed(arguments, executor):
            code: int = getattr(commands, arguments.command)(arguments)
    except OSError as error:
        flushed()
        print(f"{said} {error}", file=sys.stderr)
        return EXIT_BROKEN
    except Exception as error:
        # Every argument is checked before work starts, by a ``ValueError`` that says what is right.
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            print(f"{said} {error}", file=sys.stderr)
            return EXIT_CALL
        import traceback

        traceback.print_exc()
        print(f"{said} broke; this says nothing of what it was asked about", file=sys.stderr)
        return EXIT_BROKEN
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wnverify", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"wnverify {wnverify.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    described = "Judge parametrizations V → W, projections W → W for after a step, and penalties W → scalar."
    audit = commands.add_parser("audit", help="judge parametrizations, projections, penalties", description=described)
    place = "package.module:name, path/file.py:name or a method's id"
    audit.add_argument("targets", nargs="*", metavar="TARGET", help=f"{place}; none: those of pyproject.toml")
    audit.add_argument("--all-methods", action="store_true", help="every method of the catalogue, with its options")
    audit.add_argument("--list", action="store_true", help="what a subject may declare, and every check")
    audit.add_argument("--kind", choices=KINDS, help="what TARGET is, where it is not recognised")
    pairs: dict[str, Any] = {"action": "append", "default": [], "type": _pair}
    audit.add_argument("--arg", metavar="NAME=VALUE", help="constructor argument", **pairs)
    audit.add_argument("--declare", metavar="NAME[=VALUE]", help="a declared property", **pairs)
    audit.add_argument("--check", action="append", default=[], metavar="PATTERN", help="only these checks: gradient.*")
    shared = "distribute the weight over N processes too: the checks sharding.*"
    audit.add_argument("--shards", type=int, default=0, metavar="N", help=shared)
    audit.add_argument("--strict", action="store_true", help="a hazard fails the run too")
    waived = "accept what CHECK (an id or a pattern) finds"
    audit.add_argument("--waive", action="append", default=[], metavar="CHECK=REASON", help=waived)
    audit.add_argument("--junit", metavar="FILE", help="write JUnit XML there")
    audit.add_argument("--sarif", metavar="FILE", help="write SARIF 2.1.0 there")
    audit.add_argument("--html", metavar="FILE", help="write the findings as a page there")
    audit.add_argument("--github", action="store_true", help="print annotations for GitHub Actions")
    much = audit.add_mutually_exclusive_group()
    much.add_argument("--full", action="store_true", help="sizes and compilers too that take minutes")
    _common(audit, much, "seconds for an item (default 60; --all-methods, --full, --shards: at least 300)")
    # What the command line leaves open the project's configuration may say.
    audit.set_defaults(seed=None, timeout=None)

    report = commands.add_parser("report", help="results.json, report.md and report.html")
    report.add_argument("--out", default="reports/latest", metavar="FOLDER", help="where the three files go")
    stored = "what the other commands found, one --json file each (default reports/parts)"
    report.add_argument("--parts", default="reports/parts", metavar="FOLDER", help=stored)
    older = "say what changed since this results.json; exit status 1 where something became worse"
    report.add_argument("--compare", metavar="OLD.json", help=older)
    much = report.add_mutually_exclusive_group()
    much.add_argument("--full", action="store_true", help="compute everything afresh, the planted faults too")
    kept = "with --full: store its audits and numerics in the folder of --parts, which spares later reports"
    report.add_argument("--keep", action="store_true", help=kept)
    _common(report, much, "seconds for an item (default 60; --full: at least 300; more where one usually takes longer)")

    selftest = commands.add_parser("selftest", help="planted faults are caught, right variants pass")
    selftest.add_argument("--fault", action="append", default=[], metavar="PATTERN", help="only these variants")
    said = "seeds under which each right variant is looked at (default 200, quick 20)"
    selftest.add_argument("--seeds", type=_positive_int, metavar="N", help=said)
    _common(selftest, patience="seconds for a look at a variant (default 60; five times that under many seeds)")

    claims = commands.add_parser("claims", help="statements of the papers and their verdicts")
    claims.add_argument("ids", nargs="*", metavar="ID", help="only these: CWN-EQ3, CWN-*; one alone is shown in full")
    listed: dict[str, Any] = {"action": "append", "default": []}
    claims.add_argument("--paper", metavar="PAPER", help="only of this: cwn, dswn, cwo, norm_loss, l1inf", **listed)
    claims.add_argument("--verdict", metavar="VERDICT", help="show only these: refuted, holds-under, …", **listed)
    _common(claims)

    described = "Bounds on the Rademacher complexity of an L1,∞-constrained class, beside the exact value."
    theory = commands.add_parser(
        "theory", help="generalization bounds beside the exact quantity", description=described
    )
    theory.add_argument("--k", type=int, default=1, help="hidden layers (default 1)")
    theory.add_argument("--c", type=_floats, default=1.0, metavar="C", help="L1 norm of a unit; 2,3 one for each layer")
    theory.add_argument("--o", type=float, default=1.0, help="L1 norm of the output weights (default 1)")
    theory.add_argument("--activation", default="relu", metavar="NAME", help="relu (default) or tanh")
    theory.add_argument("--data", metavar="FILE.npy", help="a sample, n × m1 in [-1, 1]; without it one is drawn")
    theory.add_argument("--n", type=int, help="points of the drawn sample (default 12)")
    theory.add_argument("--m1", type=int, help="inputs of the drawn sample (default 3)")
    theory.add_argument("--signs", type=int, default=0, metavar="N", help="a mean over N random sign vectors, not all")
    theory.add_argument("--device", default="cpu", help="where all sign vectors are gone through: cpu (default), cuda")
    theory.add_argument("--seed", type=int, default=0, help="of the drawn sample, signs and searches (default 0)")
    theory.add_argument("--json", metavar="FILE", help="write the finding there (- for standard output)")

    described = "How accurate the methods are, and whether they give the same elsewhere."
    helped = "accuracy of the methods, here and on a device"
    numerics = commands.add_parser("numerics", help=helped, description=described)
    numerics.add_argument("methods", nargs="*", metavar="METHOD", help="only these methods of the catalogue")
    numerics.add_argument("--device", default="cpu", metavar="DEVICE", help="where they run: cpu (default), cuda")
    only = "only topics whose name matches: agreement, else*"
    numerics.add_argument("--only", action="append", default=[], metavar="PATTERN", help=only)
    _common(numerics, patience="seconds for an item (default 60; at least ten times what its topic usually takes)")

    described = "Train the papers' experiments here and set the tables beside the printed ones, with intervals."
    train = commands.add_parser("train", help="the papers' experiments, beside what is printed", description=described)
    train.add_argument("names", nargs="*", metavar="NAME", help="experiments by id or pattern: l1inf.table1, 'cwo.*'")
    train.add_argument("--list", action="store_true", help="every experiment: paper, place, rows, scales, data")
    sizes = "smoke (a few steps), small (default: minutes a row, data that ship), paper"
    train.add_argument("--scale", choices=("smoke", "small", "paper"), default="small", help=sizes)
    train.add_argument("--seeds", type=_positive_int, metavar="N", help="runs of each row (default: the experiment's)")
    train.add_argument("--data", metavar="DIR", help="where data sets and policies are read that do not ship")
    train.add_argument("--device", default="cpu", metavar="DEVICE", help="where it runs: cpu (default), cuda")
    train.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    patience = "seconds for a run (default: smoke 300, small 3600, paper 30 days)"
    _running(train, patience)
    train.set_defaults(timeout=None)

    replay = commands.add_parser("replay", help="is a finding of a results.json found again?")
    replay.add_argument("results", metavar="RESULTS", help="a results.json")
    replay.add_argument("ids", nargs="*", metavar="ID", help="findings by id or check; all with a witness if none")

    described = "What became of each finding from one results.json to another; exit status 1 where one became worse."
    diff = commands.add_parser("diff", help="what changed between two results.json", description=described)
    diff.add_argument("old", metavar="OLD.json", help="the older results.json")
    diff.add_argument("new", metavar="NEW.json", help="the newer one")
    diff.add_argument(
        "--strict", action="store_true", help="a ratio that grew and a finding that is gone are worse too"
    )
    alone = "only verdicts of findings in both, any change of which is worse: is a stored document still what is found?"
    diff.add_argument("--verdicts", action="store_true", help=alone)
    diff.add_argument("--json", metavar="FILE", help="write the comparison there (- for standard output)")
    diff.add_argument("--markdown", metavar="FILE", help="write it as Markdown there (- for standard output)")

    methods = commands.add_parser("methods", help="the catalogue of methods")
    methods.add_argument("names", nargs="*", metavar="NAME", help="all that is known of these: cwn, norm_loss")
    return parser


def _common(
    parser: argparse.ArgumentParser,
    much: argparse._MutuallyExclusiveGroup | None = None,
    patience: str = "seconds for an item (default 60)",
) -> None:
    """``much``: where --quick stands beside another way to say how much is computed."""
    (much or parser).add_argument("--quick", action="store_true", help="fewer points and shapes; says what it left out")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice (default 0)")
    _running(parser, patience)
    parser.add_argument("--verbose", action="store_true", help="show passes too")


def _running(parser: argparse.ArgumentParser, patience: str) -> None:
    """How items are run, and where the findings go."""
    width = "items at work at a time (default 2 child processes; with --dask the cluster's threads)"
    parser.add_argument("--workers", type=_positive_int, metavar="N", help=width)
    cluster = "run on the Dask cluster of this scheduler (tcp://host:8786, or its scheduler file)"
    parser.add_argument("--dask", metavar="ADDRESS", help=cluster)
    parser.add_argument("--timeout", type=_positive, default=60.0, metavar="S", help=patience)
    parser.add_argument("--memory", type=_positive, default=6144.0, metavar="MIB", help="for an item (default 6144)")
    parser.add_argument("--json", metavar="FILE", help="write the findings there (- for standard output)")
    parser.add_argument("--resume", action="store_true", help="finish an interrupted run, repeating nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _pair(text: str) -> tuple[str, Any]:
    """``name=value`` with a Python literal as value; a bare ``name`` means True, other text is a string."""
    name, separator, value = text.partition("=")
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE with a Python name; got {text!r}")
    if not separator:
        return name, True
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _floats(text: str) -> float | tuple[float, ...]:
    """One number, or several between commas."""
    try:
        many = tuple(float(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, or numbers between commas; got {text!r}") from None
    return many if len(many) > 1 else many[0]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number; got {text!r}")
    return value


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1; got {text!r}")
    return int(text)
