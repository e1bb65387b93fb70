"""Vendors: Sage vendors become Zoho accounts, each with a contact where Sage names one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Authority, Change, EntityRef, Link, Outcome, Row, System
from sagezoho_pipelines.engine import settling, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.ports import RowResult, Settlement
from sagezoho_pipelines.engine.zoho_target import ZohoWrite

FLOW = "vendors"
ENTITY_SET = "AP/APVendors"
#: Zoho takes a hundred rows in one call.
_ROWS_PER_CALL = 100
ACCOUNT_KEY = "Sage_Vendor_Key"
CONTACT_KEY = "Sage_Contact_Key"

#: Read of every vendor, whatever the mapping reads: its key, its name, and whether it names a contact.
_ALWAYS_READ = ("VendorNumber", "VendorName", "ContactName", "ContactsEmail", "Email")


def vendor_fields(ctx: Context) -> tuple[str, ...]:
    return tuple(sorted({*ctx.mappings[FLOW].source_fields(), *_ALWAYS_READ}))


feed = SageDateFeed(
    flow=FLOW,
    name="vendors",
    entity_set=ENTITY_SET,
    key="VendorNumber",
    marker="DateLastMaintained",
    label="VendorName",
    select=vendor_fields,
    digested=vendor_fields,
    overlap_days=lambda ctx: ctx.settings.flows.vendors.overlap_days,
)


@dataclass(frozen=True, slots=True)
class _Delivery:
    change: Change
    document: Row
    account: ZohoWrite
    contact: ZohoWrite | None = None


class VendorsHandler:
    """Accounts first, in hundreds; then the contacts of those that got one.

    A batch is four of Zoho's calls, which the client sends side by side: few workers with large batches settle with a
    quarter of the statements, and spend their time waiting for Zoho instead of for each other.
    """

    flow = FLOW
    target = (System.ZOHO_CRM, "Accounts")
    batch = 4 * _ROWS_PER_CALL

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity("vendors")

    def workers(self, ctx: Context) -> int:
        return max(1, ctx.settings.zoho_crm.concurrency * _ROWS_PER_CALL // self.batch)

    def prepare(self, ctx: Context) -> None:
        mapping = ctx.mappings[FLOW]
        zoho_target.require_fields(ctx, "Accounts", zoho_target.written_fields(mapping["accounts"]))
        zoho_target.require_fields(ctx, "Contacts", zoho_target.written_fields(mapping["contacts"]))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        changes, gone = self._resolve(ctx, changes)
        settlements = [self._deleted(ctx, change) for change in gone]
        planned = self._accounts(ctx, changes)
        done = self._contacts(ctx, planned)
        settlements += [self._settlement(ctx, delivery) for delivery in done]
        return settlements

    def _resolve(self, ctx: Context, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
        """Fetch what is only looked at: the vendors as they are now, and those that are no longer there."""
        looks = [change.key for change in changes if change.payload is None]
        if not looks:
            return list(changes), []
        fields = vendor_fields(ctx)
        found = {
            str(row["VendorNumber"]): row
            for row in ctx.sage.find(ENTITY_SET, where=[where("VendorNumber", "in", looks)], select=fields)
        }
        here = [
            change
            if change.payload is not None
            else settling.resolved(change, found[change.key], fields, str(found[change.key].get("VendorName") or ""))
            for change in changes
            if change.payload is not None or change.key in found
        ]
        return here, [change for change in changes if change.payload is None and change.key not in found]

    def _accounts(self, ctx: Context, changes: Sequence[Change]) -> list[_Delivery]:
        mapping = ctx.mappings[FLOW]["accounts"]
        links = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Accounts", [change.key for change in changes])
        documents = [{**(change.payload or {}), "key": ctx.sage_key(change.key)} for change in changes]
        writes = [
            zoho_target.planned("Accounts", settling.edited(mapping, change), links.get(change.key), document)
            for change, document in zip(changes, documents, strict=True)
        ]
        written = zoho_target.write(ctx, writes, unique=ACCOUNT_KEY)
        return [_Delivery(*parts) for parts in zip(changes, documents, written, strict=True)]

    def _contacts(self, ctx: Context, deliveries: Sequence[_Delivery]) -> list[_Delivery]:
        mapping = ctx.mappings[FLOW]["contacts"]
        wanted = [delivery for delivery in deliveries if _has_contact(delivery.document) and not delivery.account.error]
        links = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Contacts", [item.change.key for item in wanted])
        writes = [
            zoho_target.planned(
                "Contacts",
                mapping,
                links.get(item.change.key),
                {**item.document, "account": {"id": item.account.record_id}},
            )
            for item in wanted
        ]
        contacts: dict[int, ZohoWrite] = {}
        if writes:
            try:
                written = zoho_target.write(ctx, writes, unique=CONTACT_KEY)
            except VendorError as error:
                written = [_failed_write(write, error) for write in writes]
            contacts = {item.change.id: write for item, write in zip(wanted, written, strict=True)}
        return [_Delivery(d.change, d.document, d.account, contacts.get(d.change.id)) for d in deliveries]

    def _settlement(self, ctx: Context, delivery: _Delivery) -> Settlement:
        """The accounts that were written are linked whatever became of their contacts."""
        change, account, contact = delivery.change, delivery.account, delivery.contact
        if account.error is not None:
            return settling.failed(ctx, FLOW, change, zoho_target.explained(account, account.error), target=self.target)
        name = str(delivery.document.get("VendorName") or "")
        links = [account.new_link(_link(ctx, change, "Accounts", name, account.after.get("Account_Name")))]
        movements = [account.movement()] if account.sent else []
        if contact is not None and contact.error is not None:
            return settling.failed(
                ctx,
                FLOW,
                change,
                zoho_target.explained(contact, contact.error),
                target=(System.ZOHO_CRM, "Contacts"),
                links=links,
                movements=movements,
            )
        if contact is not None:
            links.append(contact.new_link(_link(ctx, change, "Contacts", name, contact.after.get("Last_Name"))))
            movements += [contact.movement()] if contact.sent else []
        outcome = account.outcome
        if outcome is Outcome.NOOP and contact is not None and contact.sent:
            outcome = Outcome.UPDATED
        return settling.settled(ctx, FLOW, change, outcome, movements=movements, links=links)

    def _deleted(self, ctx: Context, change: Change) -> Settlement:
        """A vendor that Sage no longer has: its account stays, and says so."""
        link = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Accounts", [change.key]).get(change.key)
        if link is None:
            return settling.settled(ctx, FLOW, change, Outcome.SKIPPED)
        after = {**link.written, "Sage_Vendor_Status": "Deleted in Sage"}
        mapping = ctx.mappings[FLOW]["accounts"]
        sent = mapping.changes(link.written, after, creating=False, unsettled=link.unsettled)
        write = ZohoWrite("Accounts", mapping, link, after, sent)
        done = zoho_target.write(ctx, [write], unique=ACCOUNT_KEY)[0]
        if done.error is not None:
            return settling.failed(ctx, FLOW, change, zoho_target.explained(done, done.error), target=self.target)
        return settling.settled(
            ctx,
            FLOW,
            change,
            done.outcome,
            movements=[done.movement()] if done.sent else [],
            links=[done.new_link(link)],
        )


def _has_contact(vendor: Row) -> bool:
    return any(str(vendor.get(name) or "").strip() for name in ("ContactName", "ContactsEmail", "Email"))


def _link(ctx: Context, change: Change, module: str, sage_name: str, zoho_name: Any) -> Link:
    return Link(
        connection=ctx.connection,
        sage_entity="vendors",
        sage_id=change.key,
        zoho_entity=module,
        zoho_id="",
        sage_name=sage_name.strip(),
        zoho_name=str(zoho_name or ""),
        authority=Authority.SAGE300,
        source_digest=change.digest,
    )


def _failed_write(write: ZohoWrite, error: VendorError) -> ZohoWrite:
    if error.verdict is Verdict.FATAL:
        raise error
    return ZohoWrite(write.module, write.mapping, write.link, write.after, write.sent, RowResult(error=error))
