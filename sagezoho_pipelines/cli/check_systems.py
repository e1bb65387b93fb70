"""What `sagezoho check` asks of one connection: both systems, what was held back, its mappings, its notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sagezoho_pipelines.cli.check_gateway import public_address
from sagezoho_pipelines.cli.errors import halves, sentence
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.channel_health import wanted
from sagezoho_pipelines.engine.check import (
    Finding,
    Status,
    mappings_that_do_not_fit,
    sage_codes,
    zoho_modules,
    zoho_stages,
)
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.guards import first_syncs
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sage300.probe import missing_properties, probe_applications
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.scopes import SCOPES, covers, edition

#: A person waits for the answer: one more attempt after a failure, and no long silence.
_PATIENCE = {"max_attempts": 2, "connect_timeout": 5.0, "read_timeout": 30.0}


def connection_findings(installation: Installation, connection: str) -> Iterator[Finding]:
    """Asked in order; what the credentials or a system refuse ends the questions to that system only."""
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
                yield Finding(area, "credentials", Status.MISSING, *halves(str(error)))
                sound = False
                continue
            try:
                yield from questions(ctx)
            except SagezohoError as error:
                yield Finding(area, "answers", Status.MISSING, *halves(sentence(error)))
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
    settings = installation.settings.connection(connection)
    if wanted(settings):
        yield from public_address(connection, settings.notifications.url)


def _sage300(ctx: Context) -> Iterator[Finding]:
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
    allowance = f"{left} left today" if left is not None else "more than half of the day's allowance is left"
    yield Finding("Zoho CRM", "credits", Status.OK if left is None or left > 0 else Status.MISSING, allowance)


def _scopes(ctx: Context) -> Finding:
    """By what the token server told of the token at hand; it does not tell when another process fetched it."""
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
