"""The report as one HTML page: no address outside it, no script, readable on paper, on a phone and in the dark."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnverify.finding import Finding, Json, Verdict, slug
from wnverify.report import benchmarked, figures, tables, trained, wording
from wnverify.report import digest as digests
from wnverify.report.digest import Digest, Subject
from wnverify.report.drawing import Drawing, plain_settings
from wnverify.report.made import made_of, note_of
from wnverify.report.standing import remark
from wnverify.report.trust import sheet_of

if TYPE_CHECKING:
    import jinja2

_TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_MOST_STRIKING: Final = 8
_TIMES: Final = 100
"""Measured times that the page shows; all of them are in results.json."""
_MAPPED: Final = ("agreement", "precision")
"""Families of the numerics lab that are drawn as a map of ratios."""
_COUNTED: Final = {
    "claim": "statement",
    "method": "numerical comparison",
    "check": "check",
    "theory": "theoretical statement",
    "experiment": "experimental finding",
    "benchmark": "benchmark",
}


@dataclasses.dataclass(frozen=True)
class Matrix:
    """The kill matrix: a column for each check, a row for each variant with the verdict of every check."""

    columns: Sequence[str]
    faults: Sequence[tuple[Finding, str, Mapping[str, Verdict]]]
    right: Sequence[tuple[Finding, str, Mapping[str, Verdict]]]

    @property
    def families(self) -> list[tuple[str, int]]:
        """Each family of checks with the number of its columns."""
        names = [column.split(".", 1)[0] for column in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]


@plain_settings()
def render(doc: Mapping[str, Any], *, loader: jinja2.BaseLoader | None = None) -> str:
    """The page; the same document gives the same bytes.  ``loader`` gives other templates than the package's own."""
    data = digests.digest(doc)
    page = _environment(loader).get_template("report.html.jinja")
    times = {name: told for name, told in doc["timing"].items() if name != benchmarked.BLOCK}
    return page.render(
        doc=doc,
        data=data,
        examined=examined(data),
        matrix=kill_matrix(data),
        verdicts=figures.verdict_bars(data),
        ratios=[drawn for family in _MAPPED if (drawn := figures.ratio_map(data.groups["method"], family))],
        conditioning=[drawn for method in data.groups["method"] if (drawn := figures.conditioning(method))],
        curves=curves(data),
        trained={group.name: trained.shown(group, doc["timing"]) for group in data.groups["experiment"]},
        short_runs=trained.short_runs(data.groups["experiment"]),
        grids=tables.grids(data),
        tables=tables.numbers(data),
        costs=figures.cost_and_accuracy(data),
        parts=made_of(data),
        claims_wrong=data.wrong("claim", "theory", "experiment"),
        broken=broken_subjects(data),
        striking=_MOST_STRIKING,
        selftest_rest=dataclasses.replace(data.selftest, findings=unplotted(data)),
        timing=longest(timing_rows(times)),
        timed=len(timing_rows(times)),
        benchmarked=benchmarked.benchmarks(data),
    )


def examined(data: Digest) -> str:
    """What was looked at, in words: ``87 statements of 5 papers and 2 audited subjects in 75 checks``."""
    size = {kind: sum(bool(subject.findings) for subject in subjects) for kind, subjects in data.groups.items()}
    said = {kind: wording.plural(data.count(kind), noun) for kind, noun in _COUNTED.items()}
    phrases = {
        "claim": f"{said['claim']} of {wording.plural(size['claim'], 'paper')}{_waiting(data)}",
        "method": f"{wording.plural(size['method'], 'method')} in {said['method']}",
        "check": f"{wording.plural(size['check'], 'audited subject')} in {said['check']}",
    }
    named = [phrases.get(kind, said[kind]) for kind in _COUNTED if size[kind]]
    return " and ".join([", ".join(named[:-1]), *named[-1:]] if len(named) > 1 else named) or "nothing"


def _waiting(data: Digest) -> str:
    return f" ({data.waiting} more are not yet decided)" if data.waiting else ""


def curves(data: Digest) -> Mapping[str, Sequence[Drawing]]:
    """For each subject of theory and experiments the curves that its findings carry."""
    groups = [*data.groups["theory"], *data.groups["experiment"]]
    return {group.name: [drawn for each in group.findings if (drawn := figures.curve(each))] for group in groups}


def kill_matrix(data: Digest) -> Matrix:
    """Rows by the family of the meant check, columns by check id."""

    def rows(findings: Sequence[Finding]) -> list[tuple[Finding, str, Mapping[str, Verdict]]]:
        made = []
        for finding in findings:
            route = sheet_of(finding)
            sheet = dict(route.figures["sheet"]) if route else {}  # type: ignore[arg-type]
            meant = str(route.figures.get("meant") or "") if route else ""
            made.append((finding, meant, {check: Verdict(verdict) for check, verdict in sheet.items()}))
        return sorted(made, key=lambda row: (row[1], row[0].id))

    faults, right = rows(data.trust.faults), rows(data.trust.right)
    columns = sorted({check for _, meant, sheet in faults + right for check in [*sheet, *([meant] if meant else [])]})
    return Matrix(columns, faults, right)


def unplotted(data: Digest) -> list[Finding]:
    """Findings of the selftest that are no row of the kill matrix."""
    plotted = {finding.id for finding in (*data.trust.faults, *data.trust.right)}
    return [finding for finding in data.selftest.findings if finding.id not in plotted]


def broken_subjects(data: Digest) -> list[tuple[Subject, list[Finding]]]:
    """Methods and audited subjects with a failing check, most failures first."""
    subjects = [*data.groups["method"], *data.groups["check"], *data.groups["benchmark"]]
    wrong = {finding.id for finding in data.wrong("method", "check", "benchmark")}
    found = [(subject, [f for f in subject.findings if f.id in wrong]) for subject in subjects]
    return sorted(((s, fails) for s, fails in found if fails), key=lambda pair: (-len(pair[1]), pair[0].name))


def method_table(subject: Subject) -> tuple[list[str], list[tuple[str, str, dict[str, Finding]]]]:
    """The types of a method's cases as columns; a row for each check and option with the finding of every type."""
    rows: dict[tuple[str, str], dict[str, Finding]] = {}
    for finding in subject.findings:
        kind, said = digests.case_parts(finding)
        rows.setdefault((finding.check, said), {})[kind] = finding
    cases = sorted({kind for row in rows.values() for kind in row}, key=digests.dtype_order)
    return cases, [(check, said, row) for (check, said), row in sorted(rows.items())]


def exact_arrays(witness: Json) -> list[tuple[str, list[list[str]]]]:
    """The arrays of a witness as matrices of exact hex floats, as far as they are small enough to be shown."""
    arrays = [(name, value) for name, value in wording.witness_items(witness) if wording.is_array(value)]
    return [(name, rows) for name, value in arrays if (rows := wording.array_rows(value, "hex"))]


def longest(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows with the largest numbers, in their order: a run of thousands of items has thousands of times."""
    if len(rows) <= _TIMES:
        return list(rows)

    def size(row: tuple[str, str]) -> float:
        try:
            return float(row[1].split()[0])
        except ValueError:
            return 0.0

    kept = set(sorted(rows, key=size, reverse=True)[:_TIMES])
    return [row for row in rows if row in kept]


def timing_rows(timing: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested measured times as rows of name and value."""
    rows: list[tuple[str, str]] = []
    for name, value in sorted(timing.items()):
        if isinstance(value, Mapping):
            rows += timing_rows(value, f"{prefix}{name} › ")
        else:
            rows.append((f"{prefix}{name}", wording.flat(value)))
    return rows


@functools.lru_cache(maxsize=2)
def _environment(loader: jinja2.BaseLoader | None) -> jinja2.Environment:
    import jinja2

    made = jinja2.Environment(
        loader=loader or jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("short", "percent", "tally", "plural", "one_line", "flat", "plain", "remedy")
    made.filters.update({name: getattr(wording, name) for name in names})
    made.filters["slug"] = slug
    made.globals.update(
        tone=lambda verdict: digests.TONE[verdict],
        symbol=lambda verdict: digests.SYMBOL[digests.TONE[verdict]],
        gravity=digests.GRAVITY,
        worst_ratio=digests.worst_ratio,
        least_power=digests.least_power,
        witness_items=wording.witness_items,
        is_array=wording.is_array,
        array_head=wording.array_head,
        array_text=wording.array_text,
        exact_arrays=exact_arrays,
        method_table=method_table,
        quiet=digests.QUIET,
        remark=remark,
        note_of=note_of,
        is_row=trained.is_row,
        is_quiet_short_run=trained.is_quiet_short_run,
    )
    return made
