"""What the pytest plugin is made of: a check that can be called in a test, and what one run of pytest knows.

pytest imports this module at its start: what takes time is imported when a check is asked for.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from wnverify.auditing.piecewise import Settings, SubjectAudit
    from wnverify.auditing.target import TargetSpec
    from wnverify.configuration import Configuration
    from wnverify.finding import Finding, Verdict

DEFAULT_TIMEOUT_S: Final = 60.0
_FOUND, _VERDICT = "wnverify_finding", "wnverify_verdict"


class HazardWarning(UserWarning):
    """A check found a hazard: right, but it breaks at an input, a scale or a precision that people meet."""


class Check:
    """One check of one subject, to be called in a test."""

    def __init__(self, audit: SubjectAudit, name: str, strict: bool, configuration: Configuration):
        self.spec = audit.spec
        self.subject = audit.spec.subject
        self.name = name
        self._audit = audit
        self._strict = strict
        self._configuration = configuration
        self._record: list[tuple[str, object]] = []

    def __repr__(self) -> str:
        return f"<Check {self.name} of {self.subject}>"

    def finding(self) -> Finding:
        """What was found, without an effect on the test; performed once."""
        return self._audit.finding(self.name)

    def __call__(self) -> Finding:
        """Perform the check and fail, skip or warn by what it finds; the finding where the test goes on."""
        finding = self.finding()
        self._record += [(_FOUND, finding.id), (_VERDICT, str(finding.verdict))]
        self._settle(finding)
        return finding

    def record_in(self, properties: list[tuple[str, object]]) -> None:
        """Where what was found is noted down: a report's properties travel from xdist's workers."""
        self._record = properties

    def _settle(self, finding: Finding) -> None:
        from wnverify.report.plaintext import because, in_full
        from wnverify.report.standing import BREAKS, Standing, standing
        from wnverify.report.wording import printable

        waivers = [w for w in self._configuration.waivers if w.waives(finding, today())]
        stands = standing(finding, strict=self._strict, waived=bool(waivers))
        if stands in BREAKS:
            pytest.fail(f"{because(finding)}\n{in_full(finding)}", pytrace=False)
        if stands is Standing.WAIVED:
            pytest.xfail(f"waived: {printable(waivers[0].reason)} ({because(finding)})")
        if stands is Standing.SKIPPED:
            pytest.skip(f"{self.subject} {self.name}: {because(finding)}")
        if stands is Standing.WARNING:
            warnings.warn(HazardWarning(in_full(finding, listings=False)), stacklevel=3)


class State:
    """What this run of pytest knows: the configuration, the audits that are under way, and what was found.

    It is registered as a plugin of its own, since what was found arrives in reports, in xdist's controller as well.
    """

    def __init__(self, config: pytest.Config):
        self._config = config
        self._configuration: Configuration | None = None
        self._audits: dict[str, SubjectAudit] = {}
        self._found: dict[str, str] = {}

    @property
    def configuration(self) -> Configuration:
        """``[tool.wnverify]`` of the project; ``ValueError`` where it is wrong."""
        if self._configuration is None:
            from wnverify.configuration import read

            self._configuration = read(self._config.rootpath)
        return self._configuration

    def checks_of(self, targets: Sequence[object], said: Mapping[str, Any]) -> list[Check]:
        """The checks of each target, in their order; ``ValueError`` where something cannot be audited as it is said."""
        from wnverify.auditing.piecewise import Settings, all_checks
        from wnverify.auditing.suite import specs_of
        from wnverify.waivers import refuse_unknown

        known, option = self.configuration, self._config.option
        if known.waivers:
            refuse_unknown(known.waivers, all_checks())
        settings = Settings(
            checks=tuple(said.get("checks", known.checks)),
            seed=said.get("seed", known.seed or 0),
            quick=said.get("quick", option.wnverify_quick or known.quick),
            timeout_s=said.get("timeout", known.timeout or DEFAULT_TIMEOUT_S),
        )
        strict = said.get("strict", option.wnverify_strict or known.strict)
        specs = specs_of(targets, said.get("arguments"), said.get("declare"), said.get("kind"))
        audits = [self._audit(spec, settings) for spec in specs]
        return [Check(audit, item.check, strict, known) for audit in audits for item in audit.items]

    def _audit(self, spec: TargetSpec, settings: Settings) -> SubjectAudit:
        """The audit of this subject with these settings, one however often it is asked for."""
        from wnverify.auditing.piecewise import SubjectAudit

        key = repr((spec, settings))
        if key not in self._audits:
            self._audits[key] = SubjectAudit(spec, settings)
        return self._audits[key]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        known = dict(report.user_properties)
        if _FOUND in known:
            self._found[str(known[_FOUND])] = str(known[_VERDICT])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """How often each verdict came, and what became of the waivers."""
        if not self._found:
            return
        from wnverify.finding import Verdict
        from wnverify.report.digest import counts
        from wnverify.report.standing import remark
        from wnverify.report.wording import printable, tally
        from wnverify.waivers import applied

        findings = [_bare(name, Verdict(verdict)) for name, verdict in sorted(self._found.items())]
        terminalreporter.section("wnverify")
        terminalreporter.line(tally(counts(findings)))
        for entry in applied(self.configuration.waivers, findings, today()):
            terminalreporter.line(printable(remark(entry)))

    def pytest_unconfigure(self) -> None:
        for audit in self._audits.values():
            audit.close()


def today() -> datetime.date:
    """The day by which waivers expire, the same for every place."""
    return datetime.datetime.now(datetime.UTC).date()


def _bare(name: str, verdict: Verdict) -> Finding:
    """As much of a finding as its id and verdict say."""
    from wnverify.finding import Finding

    kind, subject, check = name.split("/")[:3]
    return Finding(kind=kind, id=name, subject=subject, check=check, verdict=verdict, statement="")
