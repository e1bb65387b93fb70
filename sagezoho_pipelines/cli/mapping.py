"""`sagezoho mapping`: what every field is made from, what a real record becomes, and whether it all fits."""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.domain.mapping import FlowMapping
    from sagezoho_pipelines.engine.mapped.drift import DriftReport
    from sagezoho_pipelines.engine.mapped.lint import LintFinding
    from sagezoho_pipelines.engine.mapped.trial import Trial

_LONGEST = 70
_STYLES = {"error": output.BAD, "warning": output.WARN, "note": output.DIM}


@click.group()
def mapping() -> None:
    """Which field is made from what, and whether it fits both systems."""


@mapping.command()
@click.argument("flow", required=False, metavar="[FLOW]")
@options.connection
@options.as_json
def show(flow: str | None, connection: str | None, as_json: bool) -> None:
    """List every target field: what it is made from, when it is written, and which file says so."""
    with options.installation() as installation:
        names = options.chosen(installation.settings, connection)
        mappings = {name: installation.mappings_of(name) for name in names}
    known = list(next(iter(mappings.values())))
    if flow is not None and flow not in known:
        raise click.UsageError(f"there is no flow {flow!r}; known: {', '.join(known)}")
    listed = {
        name: [fields for one in held.values() if flow in (None, one.flow) for fields in _fields(one)]
        for name, held in mappings.items()
    }
    if as_json:
        prints = {name: {one: held[one].fingerprint for one in held} for name, held in mappings.items()}
        output.emit_json(
            {"connections": {name: {"fingerprints": prints[name], "fields": listed[name]} for name in listed}}
        )
        return
    for name, fields in listed.items():
        for title in dict.fromkeys((one["flow"], one["target"]) for one in fields):
            rows = [
                (one["field"], ", ".join(one["sources"]), one["expression"], one["write"], _origin(one))
                for one in fields
                if (one["flow"], one["target"]) == title
            ]
            columns = ["field", "from", "expression", "written", "said by"]
            output.table(columns, rows, title=f"{name}: {title[0]}, {title[1]}")


@mapping.command()
@click.argument("record", metavar="RECORD")
@options.connection
@options.as_json
def test(record: str, connection: str | None, as_json: bool) -> None:
    """Try the mappings on a real record, and show what its target holds now. Nothing is written.

    RECORD is a Sage vendor, customer, order or invoice number, or a Zoho account, deal, contact or invoice id.
    """
    from sagezoho_pipelines.engine.mapped.trial import try_record

    trials: dict[str, list[Trial]] = {}
    with options.installation() as installation:
        for name in options.chosen(installation.settings, connection):
            with output.busy(f"Reading {record} in both systems of {name} …", shown=not as_json):
                trials[name] = try_record(installation.context(name, run_id="mapping", actor="mapping"), record)
    failed = any(field.error for made in trials.values() for trial in made for field in trial.fields)
    if as_json:
        found = {name: [dataclasses.asdict(trial) for trial in made] for name, made in trials.items()}
        output.emit_json({"ok": not failed, "record": record, "connections": found})
    else:
        for name, made in trials.items():
            for trial in made:
                _show_trial(name, trial)
    if failed:
        raise Failed("a field cannot be mapped")


@mapping.command()
@options.connection
@options.as_json
def lint(connection: str | None, as_json: bool) -> None:
    """Check every field that the mappings read or write against both live systems.

    Exit code 1 for errors; warnings and notes are only shown.
    """
    from sagezoho_pipelines.engine.mapped.lint import Level
    from sagezoho_pipelines.engine.mapped.lint import lint as examine

    found: dict[str, list[LintFinding]] = {}
    with options.installation() as installation:
        for name in options.chosen(installation.settings, connection):
            with output.busy(f"Asking both systems of {name} …", shown=not as_json):
                found[name] = examine(installation.context(name, run_id="mapping", actor="mapping"))
    counts = {level: sum(one.level is level for each in found.values() for one in each) for level in Level}
    if as_json:
        listed = {name: [dataclasses.asdict(one) for one in findings] for name, findings in found.items()}
        output.emit_json({"ok": not counts[Level.ERROR], "counts": counts, "connections": listed})
    else:
        for name, findings in found.items():
            for one in findings:
                output.say(f"{one.level:8}{name}  {one}", _STYLES[one.level])
        told = ", ".join(f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items())
        output.say(told, output.BAD if counts[Level.ERROR] else output.GOOD)
    if counts[Level.ERROR]:
        raise Failed(f"{counts[Level.ERROR]} errors")


@mapping.command()
@click.option("--accept", is_flag=True, help="Remember both systems as they are now, whatever changed.")
@options.connection
@options.as_json
def drift(accept: bool, connection: str | None, as_json: bool) -> None:
    """Compare the fields of both systems with those last seen, before a sync meets the difference.

    A change of a field that is used is an error, and stays one until it is accepted; every other change is told once.
    The first look remembers everything. Exit code 1 for errors.
    """
    from sagezoho_pipelines.engine.mapped.drift import Severity, look

    reports: dict[str, DriftReport] = {}
    with options.installation() as installation:
        for name in options.chosen(installation.settings, connection):
            with output.busy(f"Asking both systems of {name} …", shown=not as_json):
                ctx = installation.context(name, run_id="mapping", actor=getpass.getuser())
                reports[name] = look(ctx, installation.metadata, accept=accept)
    sound = all(report.ok for report in reports.values())
    if as_json:
        found = {name: dataclasses.asdict(report) for name, report in reports.items()}
        output.emit_json({"ok": sound, "connections": found})
    else:
        for name, report in reports.items():
            for one in report.found:
                style = output.BAD if one.severity is Severity.ERROR else ""
                output.say(f"{one.severity:12}{name}  {one}", style)
            output.say(f"{name}: {_summary(report)}")
    if not sound:
        raise Failed("fields that are used have changed")


def _summary(report: DriftReport) -> str:
    if report.first and not report.found:
        return f"{len(report.first)} entities seen for the first time, and remembered"
    if not report.found:
        return "nothing has changed"
    if report.accepted:
        return f"{len(report.found)} changes accepted"
    if report.errors:
        return (
            f"{len(report.errors)} changes concern fields that are used: correct the mapping or the system, "
            "then 'sagezoho mapping drift --accept'"
        )
    return f"{len(report.found)} changes, none of which concerns a field that is used; remembered"


def _fields(mapping: FlowMapping) -> Iterator[dict[str, Any]]:
    for target in mapping.targets.values():
        for rule in target.rules:
            yield {
                "flow": mapping.flow,
                "target": target.name,
                "field": rule.target,
                "sources": list(rule.sources),
                "expression": rule.expression,
                "write": "once" if rule.create_only else "always",
                "origin": rule.layer,
                "place": rule.place,
                "value_maps": [one.where for one in rule.value_maps],
            }


def _origin(field: dict[str, Any]) -> str:
    return str(field["origin"] if field["origin"] == "shipped" else f"{field['origin']} {field['place']}")


def _show_trial(connection: str, trial: Trial) -> None:
    rows: list[Sequence[Any]] = []
    for field in trial.fields:
        read = ", ".join(f"{path} = {_short(value)}" for path, value in field.sources.items())
        result = (field.error, output.BAD) if field.error else (_short(field.result), "")
        rows.append((field.field, read, field.expression, result, _short(field.now)))
    into = trial.into or "nothing yet: it would be created"
    columns = ["field", "from", "expression", "result", "holds now"]
    output.table(columns, rows, title=f"{connection}: {trial.source} -> {trial.flow}.{trial.target} ({into})")


def _short(value: Any) -> str:
    from sagezoho_pipelines.domain import json

    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
