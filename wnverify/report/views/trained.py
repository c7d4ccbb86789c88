"""Experiments on the terminal: what there is, and the tables with our cells beside the printed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wnverify.report.digest import digest
from wnverify.report.standing import Standing, standing
from wnverify.report.trained import expected, tables_of
from wnverify.report.views.terminal import escaped, say, style
from wnverify.report.wording import plural

if TYPE_CHECKING:
    from rich.console import Console

    from wnverify.experiments.experiment import Experiment


def listed(console: Console, experiments: Sequence[Experiment]) -> None:
    """Every experiment with paper, place, rows, claims, and for each scale its data and runs a row."""
    for experiment in experiments:
        say(console, f"[bold]{escaped(experiment.id)}[/bold]  {escaped(experiment.title)}")
        claims = plural(len(experiment.expectations), "claim")
        rows = plural(len(experiment.variants), "row")
        say(console, escaped(f"  {experiment.paper}: {experiment.place}; {rows}, {claims}"))
        for name, scale in experiment.scales.items():
            reads = experiment.reads(name)
            read = f", --data DIR with {reads}" if reads else ""
            samples = f", {scale.samples} samples" if scale.samples else ""
            say(console, escaped(f"  {name}: {scale.data}{samples}, {plural(scale.seeds, 'seed')}{read}"))


def sheet(console: Console, doc: Mapping[str, Any]) -> None:
    """The tables of a document, the claims with their verdicts, and what ended otherwise."""
    from rich.table import Table

    for subject in digest(doc).groups["experiment"]:
        for made in tables_of(subject, doc["timing"]):
            shown = Table(title=escaped(made.title), title_justify="left", header_style="bold", show_edge=False)
            for name in made.header:
                shown.add_column(escaped(name))
            for row in made.rows:
                shown.add_row(*map(escaped, row))
            console.print(shown)
        for finding in subject.findings:
            if finding in expected(subject):
                said = f"{finding.verdict}: {finding.statement} ({finding.message})"
                say(console, escaped(said), style(finding.verdict))
            elif standing(finding) is Standing.ERROR:
                say(console, escaped(f"{finding.verdict}: {finding.id}: {finding.message}"), style(finding.verdict))
