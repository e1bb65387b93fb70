"""The number of a new Sage customer: chosen once, and reserved for its account before anything is sent."""

from __future__ import annotations

from sagezoho_pipelines.domain.errors import BusinessKeyTaken, ConfigurationError
from sagezoho_pipelines.domain.records import Change, Row, System
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.customer_ground import ENTITY_SET, READ_BACK, SOURCE

#: The field in which an account shows its customer's number.
STATED = "Sage_Customer_Number"
#: A number rule that meets this many taken numbers in a row is misconfigured.
_NUMBER_ATTEMPTS = 50


def reserved(ctx: Context, change: Change, account: Row, name: str) -> Intent:
    """The account's customer number: chosen once and stored, with its intent, before the first send."""
    known = ctx.ledger.intent_of(ctx.connection, "sage300", "customers", SOURCE, change.key)
    if known is not None:
        return _intent(ctx, change, known.business_key, name)
    pinned = ctx.pins.get(("customers", SOURCE, change.key))
    if pinned is not None:
        return _intent(ctx, change, pinned, name)
    rule = ctx.settings.flows.customers.number
    if rule.rule == "field":
        number = str(account.get(rule.field) or "").strip().upper()
        if not number or len(number) > 12:
            raise settling.refusal(
                "CUSTOMER_NUMBER_INVALID",
                f"the account's field {rule.field} holds {number!r}: a customer number has 1 to 12 characters",
                field=rule.field,
                advice="fill the field in Zoho",
                system=System.ZOHO_CRM,
            )
        if ctx.sage.get(ENTITY_SET, number, select=READ_BACK) is not None:
            raise settling.refusal(
                "CUSTOMER_NUMBER_TAKEN",
                f"customer {number} exists in Sage already",
                field=rule.field,
                advice="link the two with 'sagezoho links add', or choose another number",
            )
        return _intent(ctx, change, number, name)
    _be_unstated(ctx, account, name)
    for _ in range(_NUMBER_ATTEMPTS):
        sequence = ctx.ledger.next_number(ctx.connection, f"customers:{rule.prefix}", start=rule.start)
        number = f"{rule.prefix}{sequence:0{rule.digits}d}"
        if len(number) > 12:
            raise ConfigurationError(
                f"{ctx.connection}: the next customer number would be {number}, and Sage takes 12 characters; "
                "shorten flows.customers.number.prefix"
            )
        if ctx.sage.get(ENTITY_SET, number, select=READ_BACK) is None:
            return _intent(ctx, change, number, name)
    raise ConfigurationError(
        f"{ctx.connection}: {_NUMBER_ATTEMPTS} customer numbers from {rule.prefix} on are all taken in Sage; "
        "raise flows.customers.number.start"
    )


def _be_unstated(ctx: Context, account: Row, name: str) -> None:
    """Raise where the account says that it is a customer already, which a ledger that was restored does not know.

    An account that was copied in Zoho says it too; but its customer is linked, or goes by another name.
    """
    number = str(account.get(STATED) or "").strip().upper()
    if not number or ctx.ledger.links_by_sage(ctx.connection, "customers", "Accounts", [number]):
        return
    held = ctx.sage.get(ENTITY_SET, number, select=READ_BACK)
    if held is not None and str(held["CustomerName"]).strip().casefold() == name.strip().casefold():
        raise settling.refusal(
            "CUSTOMER_STATED",
            f"the account says that it is customer {number}, whom Sage knows by the same name and no link knows",
            field=STATED,
            advice=f"link the two with 'sagezoho links add customers {number} {account['id']}'; or empty the field for "
            "a new customer, then retry this",
            system=System.ZOHO_CRM,
        )


def _intent(ctx: Context, change: Change, number: str, name: str) -> Intent:
    request = IntentRequest("sage300", "customers", number, SOURCE, change.key, change.digest or "", name)
    try:
        return ctx.ledger.begin_intents(ctx.connection, [request], at=ctx.clock(), run_id=ctx.run_id)[number]
    except BusinessKeyTaken:
        rule = ctx.settings.flows.customers.number
        raise settling.refusal(
            "CUSTOMER_NUMBER_TAKEN",
            f"customer number {number} is reserved for another Zoho account",
            field=rule.field if rule.rule == "field" else "",
            advice="choose another number: each account has one of its own",
            system=System.ZOHO_CRM,
        ) from None
