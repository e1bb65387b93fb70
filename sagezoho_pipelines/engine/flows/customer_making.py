"""Making a customer: announced by an intent that holds its number, looked for before it is sent again, sent once."""

from __future__ import annotations

from dataclasses import replace

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Authority, Cause, Change, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Intent, Settlement
from sagezoho_pipelines.engine import sage_target, settling, zoho_modules
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import awaited, customer_numbers
from sagezoho_pipelines.engine.flows.customer_ground import ENTITY_SET, FLOW, READ_BACK, TARGET, document_of, mapped
from sagezoho_pipelines.engine.pairing import pairs
from sagezoho_pipelines.engine.sage_target import Created
from sagezoho_pipelines.engine.settling import Movement

#: After these the next attempt takes another number; after any other refusal the number stays the account's own.
_NUMBER_IS_GONE = frozenset({"CUSTOMER_NUMBER_TAKEN", "RecordDuplicate"})


def make(ctx: Context, change: Change, account: Row) -> Settlement:
    """Post the customer of an account that has none; raises what stands in the way of its number."""
    mapping = settling.edited(ctx.mappings[FLOW]["customers"], change)
    name = str(mapped(mapping, document_of(ctx, account, ""))["CustomerName"] or "")
    intent = customer_numbers.reserved(ctx, change, account, name)
    after = mapping.apply(document_of(ctx, account, intent.business_key))
    body = mapping.changes({}, after, creating=True)
    movement = Movement(System.SAGE300, "customers", "", "create", Outcome.CREATED, mapping.trace({}, body))
    try:
        created = sage_target.create(
            ctx,
            ENTITY_SET,
            body,
            intent,
            lambda: _read_back(ctx, intent),
            payload_digest=change.digest or "",
            # Looking for a free number takes a slow Sage minutes; whoever took over has found another one.
            before_send=lambda: sage_target.hold(ctx, change),
        )
    except VendorError as error:
        if error.verdict is Verdict.FATAL:
            raise
        settlement = settling.failed(ctx, FLOW, change, error, target=TARGET, attempt=movement)
        free = _number_is_free_again(ctx, error)
        return replace(settlement, intents=[(intent.id, "refused", "")]) if free else settlement
    if created.earlier and not pairs.enabled(ctx, pairs.CUSTOMERS):  # nobody knows what that attempt has left there
        ctx.sage.patch(ENTITY_SET, str(created.record["CustomerNumber"]).strip(), mapping.lasting(after))
    return _settled(ctx, change, account, mapping, after, intent, created, movement)


def _read_back(ctx: Context, intent: Intent) -> Row | None:
    """The customer under the number that was reserved. Raises where somebody else has taken it."""
    found = ctx.sage.get(ENTITY_SET, intent.business_key, select=READ_BACK)
    if found is not None and str(found.get("CustomerName") or "").strip() not in intent.names:
        raise VendorError(
            system=System.SAGE300,
            code="CUSTOMER_NUMBER_TAKEN",
            text=f"customer {intent.business_key} exists in Sage as {found.get('CustomerName')!r}",
            verdict=Verdict.CONFLICT,
            advice="somebody used the number reserved for this account; retry this to take the next one",
        )
    return found


def _settled(
    ctx: Context,
    change: Change,
    account: Row,
    mapping: TargetMapping,
    after: Row,
    intent: Intent,
    created: Created,
    movement: Movement,
) -> Settlement:
    """The customer is there: linked, its deals looked at, and compared with its account next."""
    number = str(created.record["CustomerNumber"]).strip()
    movement = replace(movement, target_id=number, answer={"CustomerNumber": number, "read_back": created.found})
    link = Link(
        connection=ctx.connection,
        sage_entity="customers",
        sage_id=number,
        zoho_entity="Accounts",
        zoho_id=change.key,
        sage_name=str(after["CustomerName"] or ""),
        zoho_name=change.name,
        authority=pairs.leader(ctx, pairs.CUSTOMERS, alone=Authority.ZOHO_CRM),
        source_digest=change.digest,
        written=_written(ctx, mapping, after),
        agreed=pairs.first_agreed(ctx, pairs.CUSTOMERS, created.record, account) if not created.found else {},
        # Made from an older version of the account: what Sage holds is nobody's edit, as far as can be known.
        unsettled=tuple(sorted(mapping.lasting(after))) if created.earlier and created.stale else (),
    )
    return settling.settled(
        ctx,
        FLOW,
        change,
        Outcome.CREATED,
        movements=[movement],
        links=[link],
        looks=[*awaited.orders_of(ctx, change.key), *_compare_next(ctx, change)],
        intents=[(intent.id, "settled", number)],
    )


def _written(ctx: Context, mapping: TargetMapping, after: Row) -> Row:
    """What a new customer was made with; what only a field that Zoho does without could say, nobody has said."""
    absent = zoho_modules.absent_fields(ctx, "Accounts")
    unsaid = {rule.target for rule in mapping.rules if rule.sources and absent.issuperset(rule.sources)}
    return {name: value for name, value in after.items() if name not in unsaid}


def _compare_next(ctx: Context, change: Change) -> list[Look]:
    """A new customer is compared with its account at once: the account shows what Sage leads for."""
    if not pairs.enabled(ctx, pairs.CUSTOMERS):
        return []
    return [Look(change.entity, change.key, Cause.POLL, "it has become a customer")]


def _number_is_free_again(ctx: Context, error: VendorError) -> bool:
    """Whether the next attempt asks for a number anew: this one is gone, or a person chose it and may correct it."""
    chosen = ctx.settings.flows.customers.number.rule == "field"
    return error.verdict is not Verdict.RETRY and (
        error.code in _NUMBER_IS_GONE or (chosen and error.verdict is Verdict.REFUSE)
    )
