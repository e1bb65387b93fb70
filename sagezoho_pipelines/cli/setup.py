"""`sagezoho setup`: the custom fields our mappings write, and the notification channel, created in Zoho CRM."""

from __future__ import annotations

import dataclasses
from collections import Counter

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed, sentence


@click.command()
@options.connection
@options.as_json
def setup(connection: str | None, as_json: bool) -> None:
    """Create the custom fields it needs in Zoho CRM, where they are missing.

    Safe to run again at any time. Afterwards the field list is read again: names, types and uniqueness are verified.
    Where notifications.url is configured, Zoho is asked to tell of changes at once; a schedule keeps it so.
    """
    from sagezoho_pipelines.domain.errors import VendorError
    from sagezoho_pipelines.engine.channel_health import wanted
    from sagezoho_pipelines.engine.channels import keep_channel
    from sagezoho_pipelines.engine.setup import FieldReport, set_up
    from sagezoho_pipelines.mappings import custom_fields

    reports: dict[str, list[FieldReport]] = {}
    channels: dict[str, list[str]] = {}
    untold: dict[str, str] = {}
    with options.installation() as installation:
        for name in options.chosen(installation.settings, connection):
            with output.busy(f"Setting up Zoho CRM of {name} …", shown=not as_json):
                reports[name] = list(set_up(installation.zoho_crm(name), custom_fields()))
                settings = installation.settings.connection(name)
                if wanted(settings) or installation.channels.read(name) is not None:
                    ctx = installation.context(name, run_id="", actor="sagezoho setup")
                    try:
                        channels[name] = keep_channel(ctx, installation.channels).done
                    except VendorError as error:  # the fields are made all the same, and those of other connections
                        untold[name] = sentence(error)
    sound = all(report.ok for found in reports.values() for report in found)
    if as_json:
        listed = {name: [dataclasses.asdict(report) for report in found] for name, found in reports.items()}
        answer = {"ok": sound and not untold, "connections": listed, "channels": channels}
        output.emit_json({**answer, "channels_refused": untold} if untold else answer)
    else:
        for name, found in reports.items():
            _show(name, found)
            for done in channels.get(name, ()):
                output.say(f"{name}: notifications: {done}")
            if name in untold:
                output.say(f"{name}: notifications: {untold[name]}", output.BAD)
    if not sound:
        raise Failed("some fields are not what they must be")
    if untold:
        raise Failed("Zoho tells of no changes yet")


def _show(name: str, found: list) -> None:  # type: ignore[type-arg]
    styles = {"created": output.GOOD, "present": "", "skipped": output.WARN, "wrong": output.BAD, "refused": output.BAD}
    rows = [
        ((report.state, styles[report.state]), report.module, report.api_name, report.note)
        for report in found
        if report.state != "present"
    ]
    if rows:
        output.table(["", "module", "field", "note"], rows, title=f"Connection {name}")
    counted = Counter(report.state for report in found)
    output.say(f"{name}: " + ", ".join(f"{count} {state}" for state, count in sorted(counted.items())))
