"""The audit in pytest, a test for each check.

    pytest --wnverify-audit src/my_norm.py:MyNorm       # these targets
    pytest --wnverify                                   # the targets of [tool.wnverify] in pyproject.toml

or a test function for them:

    @wnverify.parametrize_checks(["src/my_norm.py:MyNorm", MyOther], quick=True)
    def test_norms(check):
        check()

``fail`` and ``error`` fail the test with the finding in words; ``hazard`` is a warning (a failure with
``--wnverify-strict``); ``inconclusive``, ``unsupported`` and ``blocked`` are skipped with the reason; what is waived in
``[[tool.wnverify.waivers]]`` is an expected failure.  Every test carries the mark ``wnverify`` (``-m wnverify``).

Of ``[tool.wnverify]`` the ``arguments`` and ``declare`` go with its own ``targets``; everything else in it holds for
all of these, as far as an option or the decorator says nothing else.

pytest imports this module at its start: what takes time is imported when a check is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from wnverify.auditing.pytest_checks import Check, HazardWarning, State

__all__ = ["Check", "HazardWarning", "parametrize_checks"]

MARK: Final = "wnverify"
STATE: Final = pytest.StashKey[State]()
_OPTIONS: Final = ("arguments", "checks", "declare", "kind", "quick", "seed", "strict", "timeout")


def parametrize_checks(targets: Sequence[object], **options: Any) -> pytest.MarkDecorator:
    """Call the decorated test once for each check of each target, with a ``Check`` as its argument ``check``.

    ``targets`` are TARGET strings or live objects, as for ``wnverify.audit``; options are ``arguments``, ``declare``,
    ``kind``, ``checks``, ``seed``, ``quick`` (its meanings), ``strict`` (a hazard fails) and ``timeout`` (seconds for a
    check); where nothing is said ``[tool.wnverify]`` holds.  ``TypeError`` for another option or for a lone target.
    """
    if isinstance(targets, str) or not isinstance(targets, Sequence):
        raise TypeError(f"targets must be a list of TARGET strings or objects; got {targets!r}")
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise TypeError(f"parametrize_checks has no option {unknown[0]!r}; it has {', '.join(_OPTIONS)}")
    decorator: pytest.MarkDecorator = pytest.mark.wnverify(tuple(targets), **options)
    return decorator


class CheckItem(pytest.Item):
    """The test that one check is."""

    def __init__(self, *, check: Check, **rest: Any):
        super().__init__(**rest)
        self._check = check
        check.record_in(self.user_properties)
        self.add_marker(MARK)

    def runtest(self) -> None:
        self._check()

    def reportinfo(self) -> tuple[Any, int | None, str]:
        title = f"{self._check.subject} {self._check.name}"
        spec = self._check.spec
        if spec.folder is None or spec.file is None:
            return self.path, None, title
        return Path(spec.folder, spec.file), (spec.line or 1) - 1, title


class AuditCollector(pytest.Collector):
    """One target with a test for each of its checks."""

    def __init__(self, *, target: str, said: Mapping[str, Any], **rest: Any):
        super().__init__(**rest)
        self._target = target
        self._said = said

    def collect(self) -> Iterator[CheckItem]:
        try:
            made = self.config.stash[STATE].checks_of([self._target], self._said)
        except ValueError as error:
            raise self.CollectError(f"wnverify: {error}") from None
        for check in made:
            yield CheckItem.from_parent(self, name=check.name, check=check)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wnverify", "audits of weight-normalization methods")
    said = "a test for each check of this subject: package.module:name, path/file.py:name or a method's id"
    group.addoption("--wnverify-audit", action="append", default=[], metavar="TARGET", help=said)
    group.addoption("--wnverify", action="store_true", help="the targets of [tool.wnverify] in pyproject.toml")
    group.addoption("--wnverify-quick", action="store_true", help="fewer points and shapes")
    group.addoption("--wnverify-strict", action="store_true", help="a hazard fails its test")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "wnverify: a check of a weight-normalization method (wnverify.parametrize_checks)"
    )
    state = config.stash[STATE] = State(config)
    config.pluginmanager.register(state, "wnverify-state")
    if not (config.option.wnverify or config.option.wnverify_audit):
        return
    try:
        known = state.configuration
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if config.option.wnverify and not known.targets:
        raise pytest.UsageError("--wnverify: pyproject.toml has no targets in [tool.wnverify]")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """The audits that the command line asks for, before -k and -m choose among the tests."""
    option, known = config.option, config.stash[STATE]
    asked: list[tuple[str, Mapping[str, Any]]] = [(target, {}) for target in option.wnverify_audit]
    if option.wnverify:
        given = known.configuration
        for one in given.targets:
            arguments, declare = given.said_of(one)
            asked.append((one.target, {"arguments": arguments, "declare": declare, "kind": one.kind}))
    for target, said in dict(asked).items():
        from wnverify.finding import slug

        place = {"name": target, "nodeid": f"{MARK}::{slug(target)}"}
        items.extend(session.genitems(AuditCollector.from_parent(session, target=target, said=said, **place)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test function with ``parametrize_checks`` is a test for each check."""
    marks = [mark for mark in metafunc.definition.iter_markers(MARK) if mark.args]
    if not marks:
        return
    state = metafunc.config.stash[STATE]
    if "check" not in metafunc.fixturenames:
        raise pytest.Collector.CollectError(f"{metafunc.function.__name__} must take the argument check")
    try:
        made = [check for mark in marks for check in state.checks_of(mark.args[0], mark.kwargs)]
    except ValueError as error:
        raise pytest.Collector.CollectError(f"{metafunc.function.__name__}: {error}") from None
    metafunc.parametrize("check", made, ids=[f"{check.subject}-{check.name}" for check in made])


def pytest_runtest_setup(item: pytest.Item) -> None:
    callspec = getattr(item, "callspec", None)
    check = callspec.params.get("check") if callspec is not None else None
    if isinstance(check, Check):
        check.record_in(item.user_properties)
