"""`sagezoho check`: does everything answer that a sync needs, and what to do where it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.check import Finding
    from sagezoho_pipelines.engine.context import Context
    from sagezoho_pipelines.wiring import Installation

#: A person waits for the answer: one more attempt after a failure, and no long silence.
_PATIENCE = {"max_attempts": 2, "connect_timeout": 5.0, "read_timeout": 30.0}


@click.command()
@options.connection
@options.as_json
def check(connection: str | None, as_json: bool) -> None:
    """Ping both systems, and say what works and what to do about what does not.

    Nothing is written. Exit code 1 if anything that a sync needs is missing.
    """
    with options.installation() as installation:
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
    from sagezoho_pipelines.cli.check_shared import shared
    from sagezoho_pipelines.domain.errors import addressed

    here = list(_installation(installation))
    report: dict[str, list[Finding]] = {"": here}
    if any(finding.status == "missing" for finding in here):
        return report
    for connection in options.chosen(installation.settings, name):
        with output.busy(f"Asking both systems of {connection} …", shown=shown):
            found = list(_connection(installation, connection))
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
        output.say(f"  {', '.join(names)}: {remedy}")
    missing = sum(finding.status == "missing" for findings in report.values() for finding in findings)
    output.say(
        f"{missing} of the things a sync needs {'is' if missing == 1 else 'are'} missing."
        if missing
        else "All that a sync needs is there.",
        output.BAD if missing else output.GOOD,
    )


def _installation(installation: Installation) -> Iterator[Finding]:
    from sagezoho_pipelines import config
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.engine.check import Finding, Status

    def ask(name: str, question: Callable[[], str]) -> Finding:
        try:
            return Finding("Here", name, Status.OK, question())
        except SagezohoError as error:
            return Finding("Here", name, Status.MISSING, *_halves(str(error)))

    path = config.config_path(installation.env)
    count = ask("configuration", lambda: f"{path}: {len(installation.settings.connections)} connection(s)")
    yield count
    if count.status is Status.OK:
        yield ask("mappings", lambda: _mappings(installation))
    postgres = ask("Postgres", lambda: _postgres(installation))
    yield postgres
    if postgres.status is not Status.OK:
        return
    key = ask("master key", lambda: _master_key(installation))
    yield key
    if count.status is Status.OK and key.status is Status.OK:
        yield from _left_channels(installation)


def _mappings(installation: Installation) -> str:
    """The mapping of each flow; by connection where they differ. Of a broken one its own connection tells."""
    broken = installation.broken
    told = {
        name: ", ".join(f"{flow} {mapping.fingerprint}" for flow, mapping in installation.mappings_of(name).items())
        for name in installation.settings.connections
        if name not in broken
    }
    if len(set(told.values())) == 1 and not broken:
        return next(iter(told.values()))
    return "; ".join(f"{name}: {text}" for name, text in told.items())


def _postgres(installation: Installation) -> str:
    from sqlalchemy import text

    with installation.database.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    kind = "" if installation.env.get("SAGEZOHO_POSTGRES_URL") else " (embedded)"
    return f"version {str(version).split()[0]}{kind}, database {installation.database.url.database}"


def _master_key(installation: Installation) -> str:
    key_id, _ = installation.vault.keys.current
    return f"{key_id} from {installation.vault.keys.source}"


def _left_channels(installation: Installation) -> Iterator[Finding]:
    """Channels of connections that are configured no more: Zoho calls in vain until they expire."""
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.engine.channels import FLOW
    from sagezoho_pipelines.engine.check import Finding, Status

    now = installation.clock()
    try:
        channels = installation.channels.read_all()
    except SagezohoError as error:
        yield Finding("Notifications", "channels", Status.MISSING, *_halves(str(error)))
        return
    for channel in channels:
        if channel.connection in installation.settings.connections or (
            channel.expires_at and channel.expires_at <= now
        ):
            continue
        until = f" until {channel.expires_at:%Y-%m-%d %H:%M %Z}" if channel.expires_at else ""
        yield Finding(
            "Notifications", f"channel of {channel.connection}", Status.NOTE,
            f"the connection is not in sagezoho.yaml, but Zoho calls {channel.notify_url} for it{until}",
            f"Zoho forgets it by itself. To end it sooner, put {channel.connection} back without notifications.url, "
            f"let its job {channel.connection}__{FLOW} run once, and take it out again.",
        )  # fmt: skip


def _connection(installation: Installation, connection: str) -> Iterator[Finding]:
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.engine.check import Finding, Status, mappings_that_do_not_fit
    from sagezoho_pipelines.engine.guards import first_syncs

    if connection in installation.broken:
        detail, remedy = str(installation.broken[connection]), "correct the mapping; the other connections go on"
        yield Finding("Flows", "mapping", Status.MISSING, detail, remedy)
        return
    areas: tuple[tuple[str, str, Callable[[Context], Iterator[Finding]]], ...] = (
        ("Sage 300", "sage300", _sage300),
        ("Zoho CRM", "zoho_crm", _zoho_crm),
    )
    with _impatient(installation) as quick:
        ctx = quick.context(connection, run_id="check", actor="check")
        sound = True
        for area, system, questions in areas:
            held = [rest for rest in quick.ledger.pauses(connection) if rest.system == system]
            try:
                quick.vault.get(connection, system)
            except SagezohoError as error:
                yield Finding(area, "credentials", Status.MISSING, *_halves(str(error)))
                sound = False
                continue
            try:
                yield from questions(ctx)
            except SagezohoError as error:
                yield Finding(area, "answers", Status.MISSING, *_halves(_words(error)))
                sound = False
                yield from (Finding(area, "paused", Status.NOTE, str(rest)) for rest in held)
                continue
            for rest in held:
                quick.ledger.lift(connection, rest.system)
                yield Finding(area, "paused", Status.OK, f"the pause is lifted: it was {rest.code}")
        holds = quick.ledger.holds(connection)
        _, plan_them = first_syncs(connection, {one.flow for one in holds if one.first_sync})
        for one in {one.flow: one for one in holds}.values():
            yield Finding("Flows", one.flow, Status.NOTE, one.text, plan_them if one.first_sync else one.advice)
        if sound:
            yield from mappings_that_do_not_fit(ctx)
    yield from _notifications(installation, connection)


def _notifications(installation: Installation, connection: str) -> Iterator[Finding]:
    """Whether Zoho reaches us, where it is to tell us anything."""
    from sagezoho_pipelines.cli.check_gateway import public_address
    from sagezoho_pipelines.engine.channels import wanted

    settings = installation.settings.connection(connection)
    if wanted(settings):
        yield from public_address(connection, settings.notifications.url)


def _sage300(ctx: Context) -> Iterator[Finding]:
    from sagezoho_pipelines.engine.check import Finding, Status, sage_codes
    from sagezoho_pipelines.sage300.client import Sage300Client
    from sagezoho_pipelines.sage300.probe import missing_properties, probe_applications

    client = ctx.sage
    if not isinstance(client, Sage300Client):
        raise TypeError("the probes need the real client")

    def told(found: Any) -> Finding:
        return Finding("Sage 300", found.name, Status.OK if found.ok else Status.MISSING, found.detail, found.remedy)

    applications = [told(found) for found in probe_applications(client)]
    yield from applications
    if any(finding.status is Status.MISSING for finding in applications):
        return
    for application, entity_set, names in _properties(ctx):
        yield told(missing_properties(client.metadata(application), entity_set, names))
    yield from sage_codes(ctx)


def _properties(ctx: Context) -> list[tuple[str, str, list[str]]]:
    """Application, entity set, and the properties that the mappings read from or write to it."""
    mappings = ctx.mappings
    written = {name: [rule.target for rule in mappings[name][name].rules] for name in ("customers", "orders")}
    lines = [f"OrderDetails.{rule.target}" for rule in mappings["orders"]["order_lines"].rules]
    return [
        ("AP", "AP/APVendors", sorted(mappings["vendors"].source_fields())),
        ("AR", "AR/ARCustomers", written["customers"]),
        ("OE", "OE/OEOrders", [*written["orders"], *lines]),
        ("OE", "OE/OEInvoices", sorted(mappings["invoices"].source_fields("invoices"))),
    ]


def _zoho_crm(ctx: Context) -> Iterator[Finding]:
    from sagezoho_pipelines.engine.check import Finding, Status, zoho_modules, zoho_stages
    from sagezoho_pipelines.zoho_crm.scopes import edition

    org, user = ctx.zoho.org(), ctx.zoho.current_user()
    number = org.get("zgid") or org.get("id")
    told = f"{org.get('company_name') or number} ({number}), {edition(org)} edition, {org.get('iso_code', '')}"
    yield Finding("Zoho CRM", "organisation", Status.OK, told)
    who = f"{user.get('full_name')} ({(user.get('profile') or {}).get('name')}), {user.get('time_zone')}"
    yield Finding("Zoho CRM", "user", Status.OK, who)
    yield _scopes(ctx)
    yield from zoho_modules(ctx)
    yield from zoho_stages(ctx)
    left = ctx.zoho.usage.credits_remaining
    told = f"{left} left today" if left is not None else "more than half of the day's allowance is left"
    yield Finding("Zoho CRM", "credits", Status.OK if left is None or left > 0 else Status.MISSING, told)


def _scopes(ctx: Context) -> Finding:
    """By what the token server told of the token at hand; it does not tell when another process fetched it."""
    from sagezoho_pipelines.engine.check import Finding, Status
    from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
    from sagezoho_pipelines.zoho_crm.scopes import SCOPES, covers

    told = ctx.zoho.token_source.scopes if isinstance(ctx.zoho, ZohoCrmClient) else frozenset()
    if not told:
        return Finding("Zoho CRM", "scopes", Status.OK, "the calls made here were allowed")
    absent = [scope for scope in SCOPES if not any(covers(one, scope) for one in told)]
    if not absent:
        return Finding("Zoho CRM", "scopes", Status.OK, f"{len(told)} granted")
    return Finding(
        "Zoho CRM", "scopes", Status.MISSING, f"the refresh token lacks {', '.join(absent)}",
        "Generate a new one in the Zoho API console with these scopes, then run "
        f"'sagezoho credentials set {ctx.connection} zoho_crm': {','.join(SCOPES)}",
    )  # fmt: skip


def _impatient(installation: Installation) -> Installation:
    """The same installation with less patience, so that a person is not kept waiting."""
    from sagezoho_pipelines.wiring import Installation

    connections = {}
    for name, held in installation.settings.connections.items():
        changed = {}
        for system in ("sage300", "zoho_crm"):
            settings = getattr(held, system)
            fewer = {key: min(getattr(settings, key), most) for key, most in _PATIENCE.items()}
            changed[system] = settings.model_copy(update=fewer)
        connections[name] = held.model_copy(update=changed)
    settings = installation.settings.model_copy(update={"connections": connections})
    return Installation(installation.env, settings=settings, clock=installation.clock)


def _words(error: Exception) -> str:
    from sagezoho_pipelines.cli.errors import sentence

    return sentence(error)


def _halves(message: str) -> tuple[str, str]:
    """What is wrong, and the remedy: our messages hold the remedy after the first sentence or line."""
    head, mark, rest = message.partition("\n")
    if not mark:
        head, _, rest = message.partition(". ")
    return head.strip(), rest.strip()
