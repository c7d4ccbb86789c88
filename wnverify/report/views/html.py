"""The report as one HTML page: no address outside it, readable on paper, on a phone and in the dark.

Everything is in the page without its script, which only narrows it to what is asked for.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnverify.finding import Evidence, Finding, Json, Verdict, slug
from wnverify.report import benchmarked, figures, opening, tables, trained, wording
from wnverify.report import digest as digests
from wnverify.report.digest import Digest
from wnverify.report.drawing import Drawing, plain_settings
from wnverify.report.made import made_of, note_of
from wnverify.report.standing import remark
from wnverify.report.trust import sheet_of
from wnverify.report.views import changes

if TYPE_CHECKING:
    import jinja2

_TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_MOST_STRIKING: Final = 8
_MOST_HAZARDS: Final = 5
_WIDE: Final = 34
"""Characters of a line that no longer fit on a phone: what is wider can be scrolled with the keyboard."""
_TIMES: Final = 100
"""Measured times that the page shows; all of them are in results.json."""
_MAPPED: Final = ("agreement", "precision")
"""Families of the numerics lab that are drawn as a map of ratios."""
_KINDS: Final = {"papers": "claim", "theory": "theory", "experiments": "experiment"}
"""Sections that list statements, with the kind of their findings."""
_MARKS: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "·",
    Verdict.FAIL: "✕",
    Verdict.HAZARD: "▲",
    Verdict.ERROR: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.UNSUPPORTED: "–",
    Verdict.BLOCKED: "□",
}
_SCRIPT: Final = "find.js"


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
    environment = _environment(loader)
    script = _source(environment, _SCRIPT)
    times = {name: told for name, told in doc["timing"].items() if name != benchmarked.BLOCK}
    timed = timing_rows(times)
    costs = figures.cost_and_accuracy(data)
    performance = tables.performance(data)
    measured = benchmarked.benchmarks(data)
    return environment.get_template("report.html.jinja").render(
        doc=doc,
        data=data,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sections=sections(data, bool(costs or performance or measured.rows)),
        kinds=_KINDS,
        choices=choices(data, doc.get("coverage", {})),
        opening=opened(data),
        most=_MOST_STRIKING,
        matrix=kill_matrix(data),
        verdicts=figures.verdict_bars(data),
        ratios=[drawn for family in _MAPPED if (drawn := figures.ratio_map(data.groups["method"], family))],
        conditioning=[drawn for method in data.groups["method"] if (drawn := figures.conditioning(method))],
        curves=curves(data),
        trained={group.name: trained.shown(group, doc["timing"]) for group in data.groups["experiment"]},
        short_runs=trained.short_runs(data.groups["experiment"]),
        grids=tables.grids(data),
        tables=tables.numbers(data),
        costs=costs,
        performance=performance,
        parts=made_of(data),
        claims_wrong=data.wrong("claim", "theory", "experiment"),
        selftest_rest=dataclasses.replace(data.selftest, findings=unplotted(data)),
        timing=longest(timed),
        timed=len(timed),
        benchmarked=measured,
    )


def sections(data: Digest, timed: bool) -> list[tuple[str, str]]:
    """Anchor and title of each section between the opening and the appendix that has something to show."""
    there = {
        "Papers": data.groups["claim"],
        "Methods": data.groups["method"],
        "Audits": data.groups["check"],
        "Public variants": data.gallery,
        "Numerics": data.groups["method"],
        "Theory": data.groups["theory"],
        "Experiments": data.groups["experiment"],
        "Performance": timed or data.groups["benchmark"],
        "Selftest": data.selftest.findings,
    }
    return [("gallery" if title == "Public variants" else title.lower(), title) for title in there if there[title]]


def opened(data: Digest) -> Mapping[str, Any]:
    """What the opening says, each from the function of its name."""
    return {
        "examined": opening.examined(data),
        "outcomes": opening.outcomes(data),
        "striking": opening.striking(data, _MOST_STRIKING),
        "broken": opening.broken_subjects(data),
        "hazards": opening.hazards(data, _MOST_HAZARDS),
        "variants": opening.broken_variants(data),
        "routes": opening.on_routes(data),
    }


def choices(data: Digest, coverage: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the page can be narrowed to: values as they stand in the ids of findings, and their names; of a paper also
    the other subjects that are about it."""
    others = {paper: " ".join(entry.get("subjects", [])) for paper, entry in coverage.items()}
    papers = [
        (slug(subject.name), subject.title or subject.name, others.get(subject.name, ""))
        for subject in data.groups["claim"]
    ]
    of_papers = {value for value, _, _ in papers}
    judged = [f for f in data.findings if f.kind != "claim" and f.subject.partition(".")[0] not in of_papers]
    checks = {finding.check for finding in judged}
    return {
        "verdicts": digests.counts(data.findings),
        "papers": papers,
        "methods": sorted({(slug(finding.subject), finding.subject) for finding in judged}),
        "checks": sorted(checks | {f"{check.partition('.')[0]}." for check in checks if "." in check}),
    }


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


def exact_arrays(witness: Json) -> list[tuple[str, list[list[str]]]]:
    """The arrays of a witness as matrices of exact hex floats, as far as they are small enough to be shown."""
    arrays = [(name, value) for name, value in wording.witness_items(witness) if wording.is_array(value)]
    return [(name, rows) for name, value in arrays if (rows := wording.array_rows(value, "hex"))]


def cells(columns: Sequence[str], meant: str, sheet: Mapping[str, Verdict]) -> str:
    """The cells of one row of the kill matrix: made here, since there are tens of thousands."""
    made = []
    for column in columns:
        verdict = sheet.get(column)
        tone = digests.TONE[verdict] if verdict and verdict is not Verdict.PASS else ""
        names = " ".join(filter(None, (tone, "meant" if column == meant else "")))
        title = f' title="{html.escape(column)}: {verdict}"' if tone else ""
        kind = f' class="{names}"' if names else ""
        mark = _MARKS[verdict] if verdict else ""
        made.append(f"<td{kind}{title}>{mark}</td>")
    return "".join(made)


def in_a_note(finding: Finding) -> bool:
    """Whether its message only says again what a route notes."""
    return any(route.note and finding.message in f"{route.route}: {route.note}" for route in finding.routes)


def told(route: Evidence) -> str:
    """What a route saw, as the end of a line: ratio, power, note, error model, and its short figures."""
    numbers = [
        f", {name} {wording.short(value)}"
        for name, value in (("ratio", route.ratio), ("power", route.power))
        if value is not None
    ]
    said = f" {route.note}." if route.note else ""
    model = f" Error model: {route.model}." if route.model else ""
    shown = "; ".join(
        f"{name} {wording.short(value)}"
        for name, value in route.figures.items()
        if not isinstance(value, Mapping | list) and value not in (None, "") and len(str(value)) <= _WIDE
    )
    return "".join(numbers) + "." + said + model + (f" Figures: {shown}." if shown else "")


def is_wide(text: str) -> bool:
    """Whether a listing may be wider than a phone."""
    return any(len(line) > _WIDE for line in text.splitlines())


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


def _source(environment: jinja2.Environment, name: str) -> str:
    if environment.loader is None:
        raise RuntimeError("templates are read through a loader")
    return environment.loader.get_source(environment, name)[0]


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
        worst_ratio=digests.worst_ratio,
        witness_items=wording.witness_items,
        is_array=wording.is_array,
        array_head=wording.array_head,
        array_text=wording.array_text,
        exact_arrays=exact_arrays,
        cells=cells,
        in_a_note=in_a_note,
        told=told,
        is_wide=is_wide,
        quiet=digests.QUIET,
        remark=remark,
        note_of=note_of,
        is_row=trained.is_row,
        changes=changes,
        is_quiet_short_run=trained.is_quiet_short_run,
    )
    return made
