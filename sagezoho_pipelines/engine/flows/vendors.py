"""Vendors: Sage vendors become Zoho accounts, each with a contact where Sage names one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.pairing import Comparison
from sagezoho_pipelines.domain.records import Change, EntityRef, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine import settling, zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.flows import vendor_attempts, vendor_ground
from sagezoho_pipelines.engine.flows.vendor_ground import (
    ACCOUNT_KEY,
    CONTACT_FIELDS,
    CONTACT_KEY,
    ENTITY_SET,
    FLOW,
    TARGET,
    Delivery,
    Ground,
    document_of,
    new_link,
    read_fields,
    vendor_fields,
)
from sagezoho_pipelines.engine.pairing import lost, pair_settling, pairs
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

#: Zoho takes a hundred rows in one call.
_ROWS_PER_CALL = 100
_STATUS = "Sage_Vendor_Status"

feed = SageDateFeed(
    flow=FLOW,
    name="vendors",
    entity_set=ENTITY_SET,
    key="VendorNumber",
    marker="DateLastMaintained",
    label="VendorName",
    select=read_fields,
    digested=vendor_fields,
    overlap_days=lambda ctx: ctx.settings.flows.vendors.overlap_days,
)


class VendorsHandler:
    """Accounts first, in hundreds; then the contacts of those that got one.

    A batch is five of Zoho's calls, which the client sends side by side: few workers with large batches settle with a
    fifth of the statements. There are twice as many as fill the allowed calls: while some settle, others wait for Zoho.
    """

    flow = FLOW
    target = TARGET
    batch = 5 * _ROWS_PER_CALL

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity("vendors")

    def workers(self, ctx: Context) -> int:
        return max(1, 2 * ctx.settings.zoho_crm.concurrency * _ROWS_PER_CALL // self.batch)

    def prepare(self, ctx: Context) -> None:
        pairs.require_settings(ctx, pairs.VENDORS)
        mapping = ctx.mappings[FLOW]
        zoho_modules.require_fields(ctx, "Accounts", zoho_modules.written_fields(mapping["accounts"]))
        zoho_modules.require_fields(ctx, "Contacts", zoho_modules.written_fields(mapping["contacts"]))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        looks = {change.id for change in changes if change.payload is None}
        changes, gone = vendor_ground.resolve(ctx, changes)
        settlements = [self._deleted(ctx, change) for change in gone]
        ground = vendor_ground.ground_of(ctx, changes)
        vendor_attempts.link_accounts(ctx, ground)
        planned = self._accounts(ctx, ground, looks)
        done = self._contacts(ctx, planned, looks)
        settlements += [self._settlement(ctx, delivery) for delivery in done]
        return [*ground.settlements, *settlements]

    def _accounts(self, ctx: Context, ground: Ground, looks: Collection[int]) -> list[Delivery]:
        mapping = ctx.mappings[FLOW]["accounts"]
        compared = vendor_ground.compared(ctx, ground)
        deliveries = []
        for change in ground.changes:
            link, pair = ground.links.get(change.key), compared.get(change.id)
            if pair is not None and link is not None:
                moved = ground.moved.get(change.key)
                deliveries.append(Delivery(change, pair.sage, pairs.planned(pair, link), pair=pair, moved=moved))
                continue
            document = document_of(ctx, change.key, change.payload)
            write = zoho_target.planned("Accounts", settling.edited(mapping, change), link, document)
            deliveries.append(Delivery(change, document, write))
        writes = [delivery.account for delivery in deliveries]
        vendor_attempts.note(ctx, [item.change for item in deliveries if item.account.link is None], looks)
        if not pairs.enabled(ctx, pairs.VENDORS):
            writes = zoho_target.with_what_is_held(ctx, writes)
        written = zoho_target.write(ctx, writes, unique=ACCOUNT_KEY)
        return [replace(delivery, account=write) for delivery, write in zip(deliveries, written, strict=True)]

    def _contacts(self, ctx: Context, deliveries: Sequence[Delivery], looks: Collection[int]) -> list[Delivery]:
        mapping = ctx.mappings[FLOW]["contacts"]
        wanted = [delivery for delivery in deliveries if _has_contact(delivery.document) and not delivery.account.error]
        links = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Contacts", [item.change.key for item in wanted])
        for item in wanted:
            if item.moved is not None:
                old = _contact_link(ctx, item.moved.before.sage_id)
                links |= {item.change.key: replace(old, sage_id=item.change.key)} if old is not None else {}
        links |= vendor_attempts.contact_links(ctx, [item for item in wanted if item.change.key not in links])
        writes = [
            zoho_target.planned(
                "Contacts",
                mapping,
                links.get(item.change.key),
                {**item.document, "account": {"id": item.account.record_id}},
            )
            for item in wanted
        ]
        new = [item.change for item, write in zip(wanted, writes, strict=True) if write.link is None]
        vendor_attempts.note(ctx, new, looks)
        contacts: dict[int, ZohoWrite] = {}
        if writes:
            try:
                writes = zoho_target.with_what_is_held(ctx, writes)
                written = zoho_target.write(ctx, writes, unique=CONTACT_KEY)
            except VendorError as error:
                written = [_failed_write(write, error) for write in writes]
            contacts = {item.change.id: write for item, write in zip(wanted, written, strict=True)}
        return [replace(delivery, contact=contacts.get(delivery.change.id)) for delivery in deliveries]

    def _settlement(self, ctx: Context, delivery: Delivery) -> Settlement:
        """The accounts that were written are linked whatever became of their contacts."""
        change, account, contact = delivery.change, delivery.account, delivery.contact
        if delivery.pair is not None:
            return self._paired(ctx, delivery, delivery.pair)
        if account.error is not None:
            error = zoho_target.explained(account, account.error)
            return settling.failed(ctx, FLOW, change, error, target=self.target, attempt=account.movement())
        name = str(delivery.document.get("VendorName") or "")
        links = [account.new_link(new_link(ctx, change, "Accounts", name, account.after.get("Account_Name")))]
        movements = [account.movement()] if account.sent else []
        if contact is not None and contact.error is not None:
            return settling.failed(
                ctx,
                FLOW,
                change,
                zoho_target.explained(contact, contact.error),
                target=(System.ZOHO_CRM, "Contacts"),
                attempt=contact.movement(),
                links=links,
                movements=movements,
            )
        if contact is not None:
            links.append(contact.new_link(new_link(ctx, change, "Contacts", name, contact.after.get("Last_Name"))))
            movements += [contact.movement()] if contact.sent else []
        outcome = account.outcome
        if outcome is Outcome.NOOP and contact is not None and contact.sent:
            outcome = Outcome.UPDATED
        return settling.settled(ctx, FLOW, change, outcome, movements=movements, links=links)

    def _paired(self, ctx: Context, delivery: Delivery, pair: Comparison) -> Settlement:
        """A linked vendor: what its account says goes to Sage as well, where the account leads."""
        change, account, contact = delivery.change, delivery.account, delivery.contact
        assert account.link is not None
        carried = pairs.Carried()
        if account.error is None:
            carried = pairs.carry_to_sage(ctx, pairs.VENDORS, change, account.link, pair)
        # The contact is made of the vendor too, and was decided before the vendor changed.
        again = Look(change.entity, change.key, change.cause, "its account has changed it")
        extras = pair_settling.Extras(looks=[again] if carried.sent and carried.error is None else [])
        if contact is not None and contact.error is None:
            name = str(delivery.document.get("VendorName") or "")
            extras = replace(
                extras,
                links=[contact.new_link(new_link(ctx, change, "Contacts", name, contact.after.get("Last_Name")))],
                movements=[contact.movement()] if contact.sent else [],
                outcome=Outcome.UPDATED if contact.sent else Outcome.NOOP,
            )
        settled = pair_settling.settlement(
            ctx, pairs.VENDORS, change, pair, account, carried, target=self.target, extras=extras
        )
        if delivery.moved is not None:
            entry = settling.audit_entry(ctx, FLOW, change, delivery.moved.movement())
            settled = replace(settled, ended=_ended(ctx, delivery.moved), audit=[entry, *settled.audit])
        if contact is None or contact.error is None or settled.error:
            return settled
        error = zoho_target.explained(contact, contact.error)
        failed = settling.failed(
            ctx,
            FLOW,
            change,
            error,
            target=(System.ZOHO_CRM, "Contacts"),
            attempt=contact.movement(),
            links=settled.links,
        )
        return replace(failed, audit=[*settled.audit, *failed.audit], ended=settled.ended)

    def _deleted(self, ctx: Context, change: Change) -> Settlement:
        """A vendor that Sage no longer has: its account stays, and says so."""
        link = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Accounts", [change.key]).get(change.key)
        if link is None:
            return settling.settled(ctx, FLOW, change, Outcome.SKIPPED)
        if pairs.enabled(ctx, pairs.VENDORS):
            moved = lost.record_of(ctx, pairs.VENDORS, link)
            if moved is not None:
                # Under its new number it is found, followed and compared as any new vendor is.
                look = Look(change.entity, moved.link.sage_id, change.cause, f"{link.sage_id} was renumbered")
                return settling.settled(ctx, FLOW, change, Outcome.SKIPPED, looks=[look])
            settled = lost.gone_in_sage(ctx, pairs.VENDORS, change, link, target=self.target)
            if settled is not None:
                return settled
        after = {**link.written, _STATUS: lost.DELETED_IN_SAGE}
        mapping = ctx.mappings[FLOW]["accounts"]
        sent = mapping.changes(link.written, after, creating=False, unsettled=link.unsettled)
        write = ZohoWrite("Accounts", mapping, link, after, sent)
        done = zoho_target.write(ctx, [write], unique=ACCOUNT_KEY)[0]
        movement = lost.marked(done.movement(), _STATUS, before=link.written.get(_STATUS))
        if done.error is not None:
            error = zoho_target.explained(done, done.error)
            return settling.failed(ctx, FLOW, change, error, target=self.target, attempt=movement)
        return settling.settled(
            ctx,
            FLOW,
            change,
            done.outcome,
            movements=[movement] if done.sent else [],
            links=[done.new_link(link)],
        )


def _ended(ctx: Context, moved: lost.Moved) -> list[Link]:
    """The links of the old number; an account that moved stays with its vendor."""
    number = moved.before.sage_id
    if number == moved.link.sage_id:
        return []
    contact = _contact_link(ctx, number)
    return [moved.before, *([contact] if contact is not None else [])]


def _contact_link(ctx: Context, number: str) -> Link | None:
    return ctx.ledger.links_by_sage(ctx.connection, "vendors", "Contacts", [number]).get(number)


def _has_contact(vendor: Row) -> bool:
    return any(str(vendor.get(name) or "").strip() for name in CONTACT_FIELDS)


def _failed_write(write: ZohoWrite, error: VendorError) -> ZohoWrite:
    if error.verdict is Verdict.FATAL:
        raise error
    return ZohoWrite(write.module, write.mapping, write.link, write.after, write.sent, RowResult(error=error))
