"""Questions about pairs in the inbox: which pairs have one, and the audit's word when one ends by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.records import ChangeState, EntityRef, Outcome, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.settling import Movement

#: Open questions of a comparison, as the inbox shows them.
SIDES_DIFFER = "SIDES_DIFFER"
INACTIVE = "INACTIVE_IN_SAGE"

#: The entities that pairs are delivered under.
_ASKED_UNDER = ((System.SAGE300, "vendors"), (System.ZOHO_CRM, "deal_accounts"))


def asked(ctx: Context, entity: EntityRef, keys: Sequence[str]) -> set[str]:
    """Those of the pairs delivered under these keys about which a person has been asked, and has not answered yet."""
    held = ctx.ledger.standing(entity, keys) if keys else {}
    return {key for key, one in held.items() if one.error.get("code") in (SIDES_DIFFER, INACTIVE)}


def answered(
    ctx: Context, source: EntityRef, flow: str, target: tuple[System, str], settlements: Sequence[Settlement]
) -> list[Settlement]:
    """The settlements, those of pairs that nothing is to be asked about any more with a line for the audit.

    A person who answers in the inbox is audited there; this is told of what people did to the records themselves.
    """
    done = {one.change.key for one in settlements if one.state is ChangeState.DELIVERED}
    if (source.system, source.entity) not in _ASKED_UNDER or not done:
        return list(settlements)
    held = ctx.ledger.standing(source, sorted(done))
    found = []
    for one in settlements:
        error = held[one.change.key].error if one.change.key in held and one.change.key in done else {}
        if error.get("code") in (SIDES_DIFFER, INACTIVE):
            other = next((link for link in one.links if link.sage_entity == flow), None)
            record = "" if other is None else other.zoho_id if target[0] is System.ZOHO_CRM else other.sage_id
            answer = {"code": error["code"], "text": error.get("text", ""), "why": "the two sides have settled it"}
            movement = Movement(*target, record, "answered", Outcome.NOOP, answer=answer)
            one = replace(one, audit=[*one.audit, settling.audit_entry(ctx, flow, one.change, movement)])
        found.append(one)
    return found
