"""How far the checks can be trusted: what they did on planted faults and on right variants, with exact bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from wnverify.finding import Evidence, Finding, Verdict


@dataclasses.dataclass(frozen=True)
class Trust:
    """How the checks did on planted faults and on right variants; ``reseeded``, ``calibrated``: under other seeds."""

    faults: Sequence[Finding]
    right: Sequence[Finding]
    reseeded: Sequence[Finding] = ()
    calibrated: Sequence[Finding] = ()

    @property
    def missed(self) -> list[Finding]:
        return [finding for finding in self.faults if finding.verdict is not Verdict.PASS]

    @property
    def alarms(self) -> list[Finding]:
        return [finding for finding in self.right if finding.verdict is not Verdict.PASS]

    @property
    def caught(self) -> int:
        return len(self.faults) - len(self.missed)

    @property
    def missed_at_most(self) -> float:
        return upper_bound(len(self.missed), len(self.faults))

    @property
    def alarms_at_most(self) -> float:
        return upper_bound(len(self.alarms), len(self.right))

    @property
    def comparisons(self) -> int:
        """Comparisons of right variants with their error model, over all seeds."""
        return _total(self.calibrated, "comparisons")

    @property
    def accusations(self) -> int:
        """Those of them, and refusals of a check, that accused a right variant."""
        return _total(self.calibrated, "false_alarms")

    @property
    def accused_at_most(self) -> float:
        return upper_bound(min(self.accusations, self.comparisons), self.comparisons)

    @property
    def accusations_expected(self) -> float:
        """As many as the declared budgets allow."""
        return math.fsum(_figure(finding, "expected_false_alarms") for finding in self.calibrated)

    @property
    def looked_again(self) -> int:
        """Looks at faults under other seeds."""
        return _total(self.reseeded, "seeds")

    @property
    def caught_again(self) -> int:
        return _total(self.reseeded, "caught")

    @property
    def caught_past_gradcheck(self) -> int:
        """Faults that were caught though ``torch.autograd.gradcheck`` passes them."""
        return sum(self.gradcheck(f) == "passes" for f in self.faults if f.verdict is Verdict.PASS)

    @property
    def passed_by_gradcheck(self) -> int:
        """Faults that ``torch.autograd.gradcheck`` passes on one random weight."""
        return sum(self.gradcheck(finding) == "passes" for finding in self.faults)

    @property
    def under_gradcheck(self) -> int:
        """Faults that have a gradient at all, so that it applies to them."""
        return sum(self.gradcheck(finding) in ("passes", "accuses") for finding in self.faults)

    @staticmethod
    def gradcheck(finding: Finding) -> str | None:
        """What it says of the variant of a selftest finding."""
        sheet = sheet_of(finding)
        return None if sheet is None else str(sheet.figures.get("gradcheck"))


def _figure(finding: Finding, name: str) -> float:
    """A number of a selftest finding; 0 where an item died before it could count."""
    found = [route.figures[name] for route in finding.routes if name in route.figures]
    return float(found[0]) if found and isinstance(found[0], int | float) else 0.0


def _total(findings: Sequence[Finding], name: str) -> int:
    return int(sum(_figure(finding, name) for finding in findings))


def sheet_of(finding: Finding) -> Evidence | None:
    """The route of a selftest finding that holds the whole sheet of one variant."""
    return next((route for route in finding.routes if isinstance(route.figures.get("sheet"), Mapping)), None)


def upper_bound(seen: int, trials: int, level: float = 0.95) -> float:
    """The largest p with P(X ≤ seen) ≥ 1 − level for X binomial(trials, p): exact one-sided (Clopper and Pearson).

    >>> round(upper_bound(0, 55), 4) == round(1 - 0.05 ** (1 / 55), 4)
    True
    """
    if not 0 <= seen <= trials:
        raise ValueError(f"seen must lie between 0 and trials; got {seen} of {trials}")
    if seen == trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        tail = math.fsum(_binomial(k, trials, p) for k in range(seen + 1))
        low, high = (p, high) if tail > 1 - level else (low, p)
    return high


def _binomial(k: int, n: int, p: float) -> float:
    """P(X = k) for 0 < p ≤ 1, through logarithms: the coefficient of many trials exceeds all floating-point numbers."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p)) if p < 1 else float(k == n)
