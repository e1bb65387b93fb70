"""`sagezoho check`: does everything answer that a sync needs, and what to do where it does not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.check import Finding
    from sagezoho_pipelines.wiring import Installation


@click.command()
@options.connection
@options.as_json
def check(connection: str | None, as_json: bool) -> None:
    """Ping both systems, and say what works and what to do about what does not.

    Nothing is written. Exit code 1 if anything that a sync needs is missing.
    """
    with options.installation(anywhere=True) as installation:
        report = examine(installation, connection, shown=not as_json)
    missing = [finding for findings in report.values() for finding in findings if finding.status == "missing"]
    if as_json:
        listed = {name: [dataclasses.asdict(finding) for finding in findings] for name, findings in report.items()}
        here = listed.pop("", [])
        output.emit_json({"ok": not missing, "installation": here, "connections": listed})
    else:
        show(report)
    if missing:
        raise Failed(f"{len(missing)} things are missing")


def examine(installation: Installation, name: str | None, *, shown: bool = False) -> dict[str, list[Finding]]:
    """Findings by connection; those about the installation under the empty name."""
    from sagezoho_pipelines.cli.check_here import installation_findings
    from sagezoho_pipelines.cli.check_shared import shared
    from sagezoho_pipelines.cli.check_systems import connection_findings
    from sagezoho_pipelines.domain.errors import addressed

    here = list(installation_findings(installation))
    report: dict[str, list[Finding]] = {"": here}
    if any(finding.status == "missing" for finding in here):
        return report
    for connection in options.chosen(installation.settings, name):
        with output.busy(f"Asking both systems of {connection} …", shown=shown):
            found = list(connection_findings(installation, connection))
        report[connection] = [
            dataclasses.replace(one, remedy=addressed(one.remedy, connection), detail=addressed(one.detail, connection))
            for one in found
        ]
    for connection, finding in shared(report, installation.settings):
        report[connection] = [*report[connection], finding]
    return report


def show(report: dict[str, list[Finding]]) -> None:
    marks = {"ok": ("ok", output.GOOD), "note": ("note", output.WARN), "missing": ("MISSING", output.BAD)}
    for name, findings in report.items():
        rows = [(marks[finding.status], finding.area, finding.name, finding.detail) for finding in findings]
        output.table(["", "area", "what", "found"], rows, title=f"Connection {name}" if name else "Installation")
    remedies: dict[str, list[str]] = {}
    for finding in (finding for findings in report.values() for finding in findings if finding.remedy):
        remedies.setdefault(finding.remedy, []).append(finding.name)
    if remedies:
        output.say("What to do", output.STRONG)
    for remedy, names in remedies.items():
        output.say(f"  {', '.join(dict.fromkeys(names))}: {remedy}")
    missing = sum(finding.status == "missing" for findings in report.values() for finding in findings)
    output.say(
        f"{missing} of the things a sync needs {'is' if missing == 1 else 'are'} missing."
        if missing
        else "All that a sync needs is there.",
        output.BAD if missing else output.GOOD,
    )
