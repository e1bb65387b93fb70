"""`sagezoho explain`: everything known about one record, for the person who has to answer for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.records import moment, record, said

if TYPE_CHECKING:
    from sagezoho_pipelines.ledger.history import Event, Named, Node

_CAUSES = {
    "poll": "a regular look for changes",
    "notification": "a notification",
    "sweep": "a full read",
    "backfill": "a repeated read of past days",
    "retry": "a retry",
}
_LONGEST = 60
_MOST_NAMED = 20
_BLANK = (None, "")


@click.command()
@click.argument("record_id", metavar="ID")
@options.connection
@options.as_json
def explain(record_id: str, connection: str | None, as_json: bool) -> None:
    """Everything known about one record, in time order.

    ID is any of its ids: a Sage vendor, customer, order or invoice number, or a Zoho record id. Records linked to it
    are told along with it: the deal, its order, and the invoice of that order. A part of a name will do too: of a deal,
    customer or vendor. Where several bear it, they are listed.
    """
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.ledger import history

    record_id = record_id.strip()
    with options.installation() as installation:
        events = history.explain(installation.database, record_id, connection=connection)
        bearers: list[Named] = []
        if not events and record_id:
            bearers = history.named(installation.database, record_id, connection=connection)
        if len(bearers) == 1:
            record_id = bearers[0].record.key
            events = history.explain(installation.database, record_id, connection=bearers[0].record.connection)
    if as_json:
        facts = {"id": record_id, "known": bool(events), "events": [_facts(event) for event in events]}
        output.emit_json(facts | ({} if events else {"named": [_bearer(one) for one in bearers]}))
    elif events:
        show(record_id, events)
    elif bearers:
        _list(bearers)
    if bearers and not events:
        raise SagezohoError(
            f"Several records bear the name {record_id!r}. Give the id of one of them, or more of its name."
        )
    if not events:
        raise SagezohoError(
            f"Nothing is known about {record_id!r}. Give the id as the vendor shows it (in Zoho: the number at the "
            "end of the record's address), or a part of its name, or run 'sagezoho sync' first."
        )


def _list(bearers: Sequence[Named]) -> None:
    rows = [
        (one.name, _name(one.record), _name(one.other) if one.other else "", one.record.connection)
        for one in bearers[:_MOST_NAMED]
    ]
    output.table(["name", "record", "linked to", "connection"], rows)
    if len(bearers) > _MOST_NAMED:
        output.say("… and more", output.DIM)


def _bearer(one: Named) -> dict[str, Any]:
    return {"name": one.name, "record": _parts(one.record), "other": _parts(one.other) if one.other else None}


def show(record_id: str, events: Sequence[Event]) -> None:
    output.say(f"What is known about {record_id} (times are UTC)", output.STRONG)
    _standing(events)
    output.say()
    for event in events:
        words = _words(event)
        if words:
            output.say(f"{moment(event.at)}  {words}", _style(event))
        if event.kind == "audit":
            _fields(event.facts.get("fields") or ())
            _decided(event.facts.get("answer") or {})
    output.say()
    _next(events)


def _standing(events: Sequence[Event]) -> None:
    """Which records belong together now."""
    for event in events:
        if event.kind == "linked" and event.other is not None:
            output.say(f"  {_name(event.record)}  =  {_name(event.other)}")


def _words(event: Event) -> str:
    """One event in a sentence; empty for what another line says already."""
    who, other = _name(event.record), _name(event.other) if event.other else ""
    match event.kind:
        case "seen":
            name = event.summary.partition(": ")[2]
            return f"{who} was first seen{f': {name}' if name else ''}"
        case "deleted":
            return f"{who} is no longer there"
        case "captured":
            cause = _CAUSES.get(str(event.facts.get("cause")), str(event.facts.get("cause")))
            _, mark, reason = event.summary.partition(" (")
            return f"{who} was read: {cause}{f', since {reason.rstrip(chr(41))}' if mark else ''}"
        case "audit":
            facts = event.facts
            by = f", asked for by {facts['actor']}" if facts.get("actor") else ""
            done = event.summary.rpartition(": ")[2]
            return f"{who} → {other}: {done}{_answer(facts)}{by}{f' (run {event.run_id[:8]})' if event.run_id else ''}"
        case "linked":
            return f"{who} and {other} are the same thing from now on"
        case "intent":
            return f"{other} is about to be created: noted before it is sent" if "announced" in event.summary else ""
        case "waiting":
            return f"{who} waits: {event.summary}"
        case "settled" if "delivered" not in event.summary:
            return f"{who}: {event.summary}{_refusal(event.facts.get('error'))}"
    return ""


def _fields(fields: Sequence[Mapping[str, Any]]) -> None:
    """What was written, blanks that stayed left out. Of several lines, told one after the other, each is numbered."""
    times = Counter(str(one["target"]) for one in fields)
    seen: Counter[str] = Counter()
    rows, line = [], 0
    for one in fields:
        name = str(one["target"])
        seen[name] += 1
        if times[name] > 1:
            line = max(line, seen[name])
        if one.get("before") not in _BLANK or one.get("after") not in _BLANK:
            rows.append(_field(one, f"{name} (line {line})" if line else name))
    if rows:
        output.table(["field", "before", "after", "made from", "by"], rows)


def _field(one: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    return (
        name,
        _value(one.get("before")),
        (_value(one.get("after")), output.GOOD),
        ", ".join(one.get("sources") or ()),
        _short(one.get("expression")),
    )


def _decided(answer: Mapping[str, Any]) -> None:
    """Of a linked pair: for each Zoho field which side changed, who led, and what gave way."""
    for name, sentence in (answer.get("decided") or {}).items():
        output.say(f"    {name} {sentence}", output.WARN if "gave way" in sentence else output.DIM)


def _next(events: Sequence[Event]) -> None:
    """Where each record stands after its last change, and what a person has to do."""
    from sagezoho_pipelines.engine.left_alone import CODE as LEFT_ALONE

    last: dict[Node, Event] = {}
    alone: dict[Node, Mapping[str, Any]] = {}
    for event in events:
        if event.kind in ("captured", "waiting", "settled"):
            last[event.record] = event
        answer = event.facts.get("answer") or {}
        if event.kind == "audit" and answer.get("code") == LEFT_ALONE:
            alone[event.record] = answer
    output.say("What is next", output.STRONG)
    for node, event in last.items():
        error = event.facts.get("error") or {}
        if event.kind == "settled" and "delivered" not in event.summary and "superseded" not in event.summary:
            advice = error.get("advice") or "correct it where it comes from"
            told = "The next sync reads it again once it has changed; 'sagezoho inbox' can retry or edit it."
            output.say(f"  {_name(node)}: {str(advice).rstrip('.')}. {told}", output.BAD)
        elif event.kind == "waiting":
            output.say(f"  {_name(node)}: nothing to do; {event.summary}", output.WARN)
        elif event.kind == "captured":
            output.say(f"  {_name(node)}: it is delivered by the next sync", output.WARN)
        elif event.summary.endswith("skipped") and node in alone:
            output.say(f"  {_name(node)}: {alone[node]['text']}; {alone[node]['advice']}", output.WARN)
        elif event.summary.endswith("skipped"):
            output.say(f"  {_name(node)}: nothing to do; it is not brought to the other side", output.GOOD)
        else:
            output.say(f"  {_name(node)}: nothing to do; it has reached the other side", output.GOOD)


def _answer(facts: Mapping[str, Any]) -> str:
    answer = facts.get("answer") or {}
    if answer.get("text") or answer.get("code") not in (None, "", "SUCCESS"):
        return _refusal(answer)
    told = ", ".join(
        f"{name} {value}"
        for name, value in answer.items()
        if value not in ("", None, False, "SUCCESS") and name != "decided"
    )
    return f"; the answer: {told}" if told else ""


def _refusal(error: Mapping[str, Any] | None) -> str:
    if not error:
        return ""
    field = f" ({error['field']})" if error.get("field") else ""
    return f"; {said(error)}{error.get('code', '')}{field}: {error.get('text', '')}"


def _style(event: Event) -> str:
    error = (event.facts.get("error") or {}) if event.kind == "settled" else {}
    if error or "refused" in event.summary or "conflicted" in event.summary:
        return output.BAD
    return "" if event.kind in ("audit", "linked") else output.DIM


def _name(node: Node) -> str:
    return record(node.system, node.entity, node.key)


def _value(value: Any) -> str:
    if value in (None, ""):
        return "–"
    from sagezoho_pipelines.domain import json

    return _short(json.dumps(value) if isinstance(value, dict | list) else value)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _facts(event: Event) -> dict[str, Any]:
    facts = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in event.facts.items()}
    return {
        "at": event.at.isoformat(), "kind": event.kind, "record": _parts(event.record), "summary": event.summary,
        "other": _parts(event.other) if event.other else None, "run_id": event.run_id, **facts,
    }  # fmt: skip


def _parts(node: Node) -> dict[str, str]:
    return {"connection": node.connection, "system": node.system, "entity": node.entity, "id": node.key}
