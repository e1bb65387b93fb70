"""What is done to the mapping table for a person: link, unlink, say who leads. In one transaction each, and audited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.links import KINDS, LeftAlone, LinkEdits, kind_of, source_of
from sagezoho_pipelines.domain.records import AuditEntry, Authority, Cause, EntityRef, FieldChange, Link, Look, System
from sagezoho_pipelines.engine import zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.linking import asking
from sagezoho_pipelines.engine.linking.asking import BY_HAND, Checked


def carry_out(
    ctx: Context,
    checked: Checked,
    *,
    who: str,
    why: str,
    leave: Sequence[LeftAlone] = (),
    resume: Sequence[tuple[EntityRef, str]] = (),
) -> None:
    """Make the links in one transaction, audited, and have their records looked at by the next delivery.

    `leave` and `resume` go into the same transaction. Raises LinkTaken, LinkBusy or LinkGone with nothing done.
    """
    entries = [_entry(ctx, link, "link", "linked", who, why) for link in checked.add]
    for old, new in zip(checked.before, checked.lead, strict=True):
        entries.append(_entry(ctx, new, "set authority", "updated", who, why, _led_fields(old, new)))
    entries += [_left_entry(ctx, one) for one in leave]
    looks = [look for link in checked.add if (look := _look(link, who)) is not None]
    looks += [Look(entity, key, Cause.RETRY, f"asked for by {who}") for entity, key in resume]
    edits = LinkEdits(
        add=checked.add, lead=checked.lead, leave=leave, resume=resume, looks=list(dict.fromkeys(looks)), audit=entries
    )
    ctx.ledger.edit_links(edits, at=ctx.clock())


def remove(ctx: Context, chosen: Sequence[Link], *, who: str, why: str, leave_alone: bool = False) -> None:
    """Unlink. Neither record is deleted; the Zoho record no longer carries the Sage key, by which it would be found.

    Zoho is told first: when it cannot be, nothing is done. Raises LinkBusy or LinkGone.
    """
    for link in chosen:
        _clear_key(ctx, link)
    leave = [one for link in chosen if leave_alone and (one := _left(ctx, link, who, why)) is not None]
    entries = [_entry(ctx, link, "unlink", "unlinked", who, why) for link in chosen]
    entries += [_left_entry(ctx, one) for one in leave]
    ctx.ledger.edit_links(LinkEdits(remove=chosen, leave=leave, audit=entries), at=ctx.clock())


def set_authority(ctx: Context, link: Link, authority: Authority, *, field: str | None, who: str, why: str) -> Link:
    """Say which side leads a link, or one field of it. A field led like its link is no exception, unless the flow's
    settings name another leader for it."""
    leads = authority if field is None else link.authority
    said = link.exceptions if field is None else {**link.exceptions, field: str(authority)}
    wanted = replace(link, authority=leads, exceptions=asking.exceptions_of(ctx, kind_of(link), leads, said))
    if wanted != link:
        entry = _entry(ctx, wanted, "set authority", "updated", who, why, _led_fields(link, wanted))
        ctx.ledger.edit_links(LinkEdits(lead=[wanted], audit=[entry]), at=ctx.clock())
    return wanted


def _clear_key(ctx: Context, link: Link) -> None:
    """Take the Sage key, and the Sage number, off the Zoho record; one that is gone needs nothing."""
    kind = kind_of(link)
    names = zoho_modules.known_fields(ctx, kind.zoho_entity) & {kind.key_field, *kind.shown} - {""}
    if not names:
        return
    [row] = ctx.zoho.get_many(kind.zoho_entity, [link.zoho_id], fields=sorted(names)) or [{}]
    ours = {ctx.sage_key(link.sage_id), link.sage_id}
    cleared: dict[str, str | None] = {name: None for name in sorted(names) if row.get(name) in ours}
    if cleared:
        trigger = ctx.settings.zoho_crm.trigger
        [result] = ctx.zoho.update(kind.zoho_entity, [{"id": link.zoho_id, **cleared}], trigger=trigger)
        if result.error is not None and not zoho_target.is_gone(result.error):
            raise result.error


def _look(link: Link, who: str) -> Look | None:
    """A service invoice is known by its batch only: there is no record of that key to look at."""
    source = source_of(link)
    if source is None or (link.sage_entity == "invoices" and "/" in link.sage_id):
        return None
    return Look(*source, Cause.RETRY, f"linked by {who}")


def _left(ctx: Context, link: Link, who: str, why: str) -> LeftAlone | None:
    source = source_of(link)
    if source is None:
        return None
    name = link.sage_name if kind_of(link).source is System.SAGE300 else link.zoho_name
    return LeftAlone(*source, name, who, why, ctx.clock())


def _entry(
    ctx: Context,
    link: Link,
    operation: str,
    outcome: str,
    who: str,
    why: str,
    fields: Iterable[FieldChange] = (),
) -> AuditEntry:
    kind = kind_of(link)
    sage, zoho = (str(System.SAGE300), link.sage_entity, link.sage_id), ("zoho_crm", link.zoho_entity, link.zoho_id)
    source, target = (sage, zoho) if kind.source is System.SAGE300 else (zoho, sage)
    return AuditEntry(
        at=ctx.clock(),
        actor=who,
        connection=link.connection,
        flow=kind.flow,
        direction=f"{source[0]}->{target[0]}",
        source_system=source[0],
        source_entity=source[1],
        source_id=source[2],
        target_system=target[0],
        target_entity=target[1],
        target_id=target[2],
        operation=operation,
        outcome=outcome,
        fields=list(fields),
        answer={name: text for name, text in (("made_by", link.made_by), ("why", why)) if text},
        cause=BY_HAND,
        run_id=ctx.run_id,
    )


def _left_entry(ctx: Context, one: LeftAlone) -> AuditEntry:
    kind = next(kind for kind in KINDS.values() if kind.source_entity == one.entity.entity)
    other = System.ZOHO_CRM if one.entity.system is System.SAGE300 else System.SAGE300
    return AuditEntry(
        at=ctx.clock(),
        actor=one.who,
        connection=one.entity.connection,
        flow=kind.flow,
        direction=f"{one.entity.system}->{other}",
        source_system=str(one.entity.system),
        source_entity=one.entity.entity,
        source_id=one.key,
        target_system=str(other),
        target_entity=kind.zoho_entity if other is System.ZOHO_CRM else kind.sage_entity,
        target_id="",
        operation="leave alone" if one.decided else "leave undecided",
        outcome="skipped",
        answer={"why": one.why} if one.why else {},
        cause=BY_HAND,
        run_id=ctx.run_id,
    )


def _led_fields(old: Link, new: Link) -> list[FieldChange]:
    """Who led, and who leads now: of the link as a whole, and of each field that differs."""
    changed = []
    if old.authority != new.authority:
        changed.append(FieldChange("authority", (BY_HAND,), BY_HAND, str(old.authority), str(new.authority)))
    for name in sorted({*old.exceptions, *new.exceptions}):
        before, after = old.exceptions.get(name), new.exceptions.get(name)
        if before != after:
            changed.append(FieldChange(f"authority of {name}", (BY_HAND,), BY_HAND, before, after))
    return changed
