"""`sagezoho demo`: everything at work against both simulated vendors. Needs no account, leaves no process behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from sagezoho_pipelines.cli.demo_day import People
    from sagezoho_pipelines.cli.runs import RunReport
    from sagezoho_pipelines.wiring import Installation

#: Refusals that the seed's own gaps must lead to: deals without amount, account or address, addresses half filled in.
EXPECTED_REFUSALS = frozenset({"NO_LINES", "ACCOUNT_MISSING", "LINE_INVALID", "SEVERAL_QUOTES", "RecordInvalid"})
_SHOWN_ENTITIES = {"ap_batches", "ar_batches"}


@click.command()
@click.option("--vendors", default=170, show_default=True, type=click.IntRange(1, 100_000), help="In Sage 300.")
@click.option("--deals", default=40, show_default=True, type=click.IntRange(1, 100_000), help="In Zoho CRM.")
@click.option("--seed", default=3, show_default=True, help="The same seed gives the same data.")
def demo(vendors: int, deals: int, seed: int) -> None:
    """Run all flows against both simulated vendors, from the first match to a day's work.

    Zoho CRM holds 300 accounts already, of which 120 really are Sage vendors under slightly different names.

    It works in SAGEZOHO_HOME/demo with a database of its own, made anew each time; your own configuration is not
    touched. Takes about half a minute.
    """
    from sagezoho_pipelines.cli import demo_home, demo_identity, processes
    from sagezoho_pipelines.ledger import embedded

    started = time.monotonic()
    home = demo_home.place()
    home.mkdir(parents=True, exist_ok=True)
    with processes.interruptible(), processes.sole_user(home, "run this"):
        demo_home.fresh(home)
        try:
            sizes = ["--vendors", str(vendors), "--deals", str(deals), "--seed", str(seed)]
            known = min(demo_identity.KNOWN, vendors)
            sizes += ["--existing-accounts", str(demo_identity.ACCOUNTS), "--known-vendors", str(known)]
            with demo_home.served(home, *sizes) as told, demo_home.applied(home):
                ok = _play(home, told)
        finally:
            embedded.stop(home)
    output.say()
    output.say(f"Done in {time.monotonic() - started:.0f} seconds. Everything is kept in {home}.")
    output.say("Open the Dagster UI on this data:   make dev   (or: sagezoho dev)", output.STRONG)
    if not ok:
        raise Failed("the demo met something it did not expect")


def _play(home: Path, told: Mapping[str, Mapping[str, str]]) -> bool:
    from sagezoho_pipelines.cli import check, demo_home, demo_identity
    from sagezoho_pipelines.cli.demo_day import People
    from sagezoho_pipelines.cli.sync import dagster_instance
    from sagezoho_pipelines.engine.setup import set_up
    from sagezoho_pipelines.mappings import custom_fields

    _heading("Two simulated vendors are up", f"Sage 300 at {told['sage300']['url']}, Zoho CRM at "
             f"{told['zoho_crm']['accounts_url']}")  # fmt: skip
    demo_home.configure(home, told)
    with options.installation() as installation:
        with output.busy("Starting the demo's own Postgres …"):
            demo_home.store_credentials(installation, told)
        _heading("sagezoho setup", "the custom fields it needs are created in Zoho CRM")
        reports = list(set_up(installation.zoho_crm(demo_home.CONNECTION), custom_fields()))
        output.say(f"  {sum(one.state == 'created' for one in reports)} fields created and verified")
        _heading("sagezoho check", "does everything answer that a sync needs?")
        checked = check.examine(installation, None)
        check.show(checked)
        missing = any(finding.status == "missing" for found in checked.values() for finding in found)
        if missing or not all(one.ok for one in reports):
            return False
        people = People(told)
        with dagster_instance() as instance:
            matched = demo_identity.first_match(home, people)
            day = _Day(installation, instance)
            day.sync("sagezoho sync", "the first sync of all flows; the vendors are there already")
            morning = people.morning()
            completed = people.complete(day.refused)
            _deeds("The day begins", [*morning.told, *completed])
            first = day.sync("sagezoho sync", "what the morning brought")
            order = _order_of(installation, morning.deal_id)
            if order is None:
                output.say(f"Deal {morning.deal_id} did not become an order.", output.BAD)
                return False
            invoice, deed = people.ship_and_invoice(order)
            _deeds("In the afternoon", [deed])
            second = day.sync("sagezoho sync", "what the afternoon brought")
            _deeds("In the evening", [people.receive_payment(invoice)])
            third = day.sync("sagezoho sync", "what the evening brought")
            _moved(installation, [*first, *second, *third])
            agreed = _both_sides(day, people)
            quiet = day.sync("sagezoho sync", "once more, with nothing new: no writes")
            _explain(installation, morning.deal_id, order, invoice)
            return matched and agreed and day.ok and _at_rest(quiet)


def _both_sides(day: _Day, people: People) -> bool:
    """Edits on both sides of linked pairs: those of different fields survive, of the same field the leader's."""
    from sagezoho_pipelines.cli import demo_identity

    pairs = people.pairs()
    demo_identity.edits_on_both_sides(pairs)
    edited = people.edit_both_sides(pairs)
    _deeds("The next morning", edited.told)
    day.sync("sagezoho sync", "both sides are compared with what they last agreed on")
    demo_identity.report()
    disagreements = people.disagreements(edited)
    for one in disagreements:
        output.say(f"The two sides hold something unexpected: {one}", output.BAD)
    return not disagreements


class _Day:
    """The syncs of the demo, and whether each went as it should."""

    def __init__(self, installation: Installation, instance: DagsterInstance) -> None:
        self._installation = installation
        self._instance = instance
        self.ok = True
        self.refused: list[dict[str, Any]] = []
        """What the last sync refused."""

    def sync(self, title: str, what: str) -> list[RunReport]:
        from sagezoho_pipelines.cli import demo_home, progress, run_reports, sync
        from sagezoho_pipelines.config import FLOWS

        _heading(title, what)
        reports = []
        for flow in FLOWS:
            with progress.of_run(self._installation, demo_home.CONNECTION, flow) as tick:
                reports.append(sync.run(flow, demo_home.CONNECTION, self._instance, self._installation, tick=tick))
        run_reports.show(reports)
        run_reports.show_errors(reports)
        self.refused = refused = run_reports.left_behind(self._installation, reports)
        if refused:
            output.say(
                "Refused with a reason, nothing lost: a person completes the record, and the next sync takes it."
            )
            run_reports.show_left_behind(refused)
        self.ok = self.ok and all(report.success for report in reports) and all(map(_expected, refused))
        return reports


def _expected(refused: Mapping[str, Any]) -> bool:
    """A refusal that says what to do; anything waiting or in conflict is none."""
    error = refused["error"]
    known = error.get("code") in EXPECTED_REFUSALS or str(error.get("field", "")).startswith("ShipTo")
    return refused["state"] == "refused" and known and bool(error.get("advice"))


def _at_rest(reports: Iterable[RunReport]) -> bool:
    moved = [f"{report.flow} {name}" for report in reports for name in ("created", "updated") if report.figures[name]]
    if moved:
        output.say(f"A sync without news moved something: {', '.join(moved)}", output.BAD)
    return not moved


def _order_of(installation: Installation, deal: str) -> str | None:
    """The order that the mapping table holds for the deal."""
    from sagezoho_pipelines.cli.demo_home import CONNECTION

    link = installation.ledger.links_by_zoho(CONNECTION, "Deals", "orders", [deal]).get(deal)
    return link.sage_id if link is not None else None


def _moved(installation: Installation, reports: Sequence[RunReport]) -> None:
    """What these runs wrote, with the record ids of both sides, as the audit holds it."""
    from sagezoho_pipelines.cli.records import record
    from sagezoho_pipelines.ledger.reports import run_entries

    rows = []
    for report in reports:
        for line in run_entries(installation.database, report.run_id):
            entry = line.entry
            if entry.source_entity in _SHOWN_ENTITIES:
                continue
            rows.append(
                (
                    entry.flow,
                    record(entry.source_system, entry.source_entity, entry.source_id),
                    record(entry.target_system, entry.target_entity, entry.target_id),
                    (entry.outcome, output.GOOD if entry.outcome in ("created", "updated") else output.WARN),
                    ", ".join(one.target for one in entry.fields) if entry.operation == "update" else "",
                )
            )
    output.say()
    if output.is_narrow():
        output.say("What moved that day", output.STRONG)
        for _, source, target, (outcome, style), fields in rows:
            output.say(f"  {outcome}  {source}", style)
            output.say(f"        →  {target}{f'  ({fields})' if fields else ''}")
    else:
        output.table(["flow", "from", "to", "", "fields changed"], rows, title="What moved that day")


def _explain(installation: Installation, deal: str, order: str, invoice: str) -> None:
    from sagezoho_pipelines.cli import explain
    from sagezoho_pipelines.ledger import history

    _heading(f"sagezoho explain {order}", f"from deal {deal} to invoice {invoice}")
    explain.show(order, history.explain(installation.database, order))


def _heading(title: str, text: str) -> None:
    output.say()
    output.say(f"── {title}", output.STRONG)
    output.say(f"   {text}", output.DIM)


def _deeds(title: str, told: Sequence[str]) -> None:
    _heading(title, "done at the vendors' own screens")
    for deed in told:
        output.say(f"  {deed}")
