"""Whether pairs that somebody asks for can be linked: both sides are read from the vendors, and the table is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.links import KINDS, PairKind
from sagezoho_pipelines.domain.records import Authority, Link, System
from sagezoho_pipelines.engine import zoho_modules
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.linking.sides import Side, sage_side, zoho_side
from sagezoho_pipelines.engine.pairing import pairs

BY_HAND, IMPORTED = "by hand", "imported"
_PAIRS: Mapping[str, pairs.Kind] = {one.flow: one for one in (pairs.VENDORS, pairs.CUSTOMERS)}
_ZOHO_ID = re.compile(r"\d{1,19}")
#: Sage records whose name says who they are.
_NAMED = ("vendors", "customers")
_ZEROS = re.compile(r"(?<=\d{15})0+$")
_ROUNDED = re.compile(r"\d[.,]?\d*[eE]\+?\d+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair somebody wants linked. `place` names where it was asked for, e.g. `line 7`.

    Without an authority the side leads that the flow's settings name; `exceptions` are Zoho fields that the other side
    leads.
    """

    kind: PairKind
    sage_id: str
    zoho_id: str
    made_by: str = BY_HAND
    authority: Authority | None = None
    exceptions: Mapping[str, str] | None = None
    place: str = ""
    sage_name: str = ""

    def __str__(self) -> str:
        return f"Sage {self.kind.sage_entity} {self.sage_id} and Zoho {self.kind.zoho_entity} {self.zoho_id}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one pair cannot be linked, and what to do about it."""

    asked: Asked
    reason: str

    def __str__(self) -> str:
        return f"{self.asked.place}: {self.reason}" if self.asked.place else self.reason


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the pairs asked for: new links, known ones led otherwise, known ones as they are, and problems.

    `before` holds the known links of `lead` as they are in the table.
    """

    add: Sequence[Link] = ()
    lead: Sequence[Link] = ()
    before: Sequence[Link] = ()
    unchanged: Sequence[Link] = ()
    problems: Sequence[Problem] = ()


@dataclass(slots=True)
class _Table:
    """One kind's part of the mapping table, and the records that were asked for, as the vendors have them."""

    sage: Mapping[str, Side]
    zoho: Mapping[str, Side]
    by_sage: Mapping[str, Link]
    by_zoho: Mapping[str, Link]
    keys: Mapping[str, str] = field(default_factory=dict)
    """Sage key -> the Zoho record that carries it."""


def check(ctx: Context, asked: Sequence[Asked]) -> Checked:
    """Read both sides and say what can be linked. Raises VendorError when a side cannot be read."""
    asked = [replace(one, sage_id=one.sage_id.strip().upper(), zoho_id=one.zoho_id.strip()) for one in asked]
    problems = {index: reason for index, one in enumerate(asked) if (reason := _unreadable(one))}
    problems |= _doubles(asked, problems)
    add: list[Link] = []
    lead: list[Link] = []
    before: list[Link] = []
    unchanged: list[Link] = []
    for kind in KINDS.values():
        mine = {i: one for i, one in enumerate(asked) if one.kind is kind and i not in problems}
        if not mine:
            continue
        table = _table(ctx, kind, list(mine.values()))
        for index, one in mine.items():
            known = table.by_sage.get(one.sage_id)
            reason = _misled(ctx, one, known)
            if reason:
                problems[index] = reason
                continue
            if known is not None and known.zoho_id == one.zoho_id:
                wanted = _led(ctx, known, one)
                (unchanged if wanted == known else lead).append(wanted)
                before += [] if wanted == known else [known]
                continue
            reason = _obstacle(ctx, one, table)
            if reason:
                problems[index] = reason
            else:
                add.append(_link(ctx, one, table.sage[one.sage_id], table.zoho[one.zoho_id]))
    found = [Problem(asked[index], problems[index]) for index in sorted(problems)]
    return Checked(add, lead, before, unchanged, found)


def unknown(ctx: Context, kind: PairKind, named: Mapping[str, str]) -> dict[str, str]:
    """Of source records that something is said of without a link, what is wrong with their ids: as spreadsheets change
    them, it would be said of another record, or of none. `named` is what each was called, empty where nobody knows."""
    if not named:
        return {}
    if kind.source is System.SAGE300:
        sage = sage_side(ctx, kind, sorted(named))
        found = {key: _no_sage_record(kind, key, name, sage.get(key)) for key, name in named.items()}
    else:
        found = {key: _no_zoho_id(key) for key in named}
        zoho = zoho_side(ctx, kind, sorted(key for key, reason in found.items() if not reason))
        found = {key: reason or _no_zoho_record(kind, key, zoho.get(key)) for key, reason in found.items()}
    return {key: reason for key, reason in found.items() if reason}


def fields_of(ctx: Context, kind: PairKind) -> list[str]:
    """The Zoho fields of a kind that either side may lead: the others go one way, whatever is said."""
    pair = _PAIRS.get(kind.name)
    return [] if pair is None else sorted(pairs.pair(ctx, pair).two_way)


def leader_of(ctx: Context, kind: PairKind) -> Authority:
    """Who leads a new link of a kind, where nobody says it of the link: as the flow's settings have it."""
    pair = _PAIRS.get(kind.name)
    return kind.authority if pair is None else pairs.leader(ctx, pair, alone=kind.authority)


def exceptions_of(ctx: Context, kind: PairKind, authority: Authority, wanted: Mapping[str, str]) -> dict[str, str]:
    """The fields of a link that somebody else leads than the link as a whole. What is said of a field for which the
    flow's settings name a leader is kept, whatever it is: it goes before them."""
    pair = _PAIRS.get(kind.name)
    named = pairs.settings(ctx, pair).fields if pair is not None else {}
    return {name: str(side) for name, side in sorted(wanted.items()) if side != authority or name in named}


def _unreadable(one: Asked) -> str:
    if not one.sage_id:
        return "the Sage id is missing"
    return _no_zoho_id(one.zoho_id)


def _no_zoho_id(text: str) -> str:
    if _ROUNDED.fullmatch(text):
        return (
            f"{text} is a Zoho id that a spreadsheet has rounded: its last digits are lost. Format that column "
            "as text, or use an .xlsx export"
        )
    if not _ZOHO_ID.fullmatch(text):
        return f"{text!r} is not a Zoho record id" if text else "the Zoho id is missing"
    return ""


def _doubles(asked: Sequence[Asked], unreadable: Mapping[int, str]) -> dict[int, str]:
    """Pairs that share a side with an earlier one: both cannot be right."""
    problems: dict[int, str] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for index, one in enumerate(asked):
        if index in unreadable:
            continue
        for side, key in (("Sage", one.sage_id), ("Zoho", one.zoho_id)):
            first = seen.setdefault((one.kind.name, side, key), index)
            if first != index:
                entity = one.kind.sage_entity if side == "Sage" else one.kind.zoho_entity
                at = asked[first].place
                problems.setdefault(
                    index, f"{side} {entity} {key} stands here twice{f' (the first is {at})' if at else ''}"
                )
    return problems


def _table(ctx: Context, kind: PairKind, asked: Sequence[Asked]) -> _Table:
    sage_ids = sorted({one.sage_id for one in asked})
    zoho_ids = sorted({one.zoho_id for one in asked})
    by_sage = ctx.ledger.links_by_sage(ctx.connection, kind.sage_entity, kind.zoho_entity, sage_ids)
    by_zoho = ctx.ledger.links_by_zoho(ctx.connection, kind.zoho_entity, kind.sage_entity, zoho_ids)
    known = {link.sage_id for link in by_sage.values() if link.zoho_id in by_zoho}
    new = [one for one in asked if one.sage_id not in known]
    sage = sage_side(ctx, kind, sorted({one.sage_id for one in new}))
    zoho = zoho_side(ctx, kind, sorted({one.zoho_id for one in new}))
    return _Table(sage, zoho, by_sage, by_zoho, _carriers(ctx, kind, [one.sage_id for one in new]))


def _carriers(ctx: Context, kind: PairKind, sage_ids: Sequence[str]) -> dict[str, str]:
    if not kind.key_field or not sage_ids or kind.key_field not in zoho_modules.known_fields(ctx, kind.zoho_entity):
        return {}
    keys = sorted(ctx.sage_key(one) for one in sage_ids)
    found = ctx.zoho.find(kind.zoho_entity, where=[where(kind.key_field, "in", keys)], fields=[kind.key_field])
    return {str(row[kind.key_field]): str(row["id"]) for row in found}


def _misled(ctx: Context, one: Asked, known: Link | None) -> str:
    """What is wrong with the fields that are to be led otherwise; what the table says already is no news."""
    fields = fields_of(ctx, one.kind)
    wrong = sorted({*(one.exceptions or {})} - {*fields} - {*(known.exceptions if known is not None else ())})
    return f"exceptions: {wrong[0]} does not go both ways; these do: {', '.join(fields)}" if wrong else ""


def _obstacle(ctx: Context, one: Asked, table: _Table) -> str:
    """Why a new link cannot be made; empty when it can."""
    kind = one.kind
    sage, zoho = table.sage.get(one.sage_id), table.zoho.get(one.zoho_id)
    stranger = _no_sage_record(kind, one.sage_id, one.sage_name, sage) or _no_zoho_record(kind, one.zoho_id, zoho)
    if stranger or sage is None or zoho is None:
        return stranger
    for held in (table.by_sage.get(one.sage_id), table.by_zoho.get(one.zoho_id)):
        if held is not None:
            return (
                f"Sage {held.sage_entity} {held.sage_id} ({held.sage_name}) is linked to Zoho {held.zoho_entity} "
                f"{held.zoho_id} ({held.zoho_name}) already: remove that link first"
            )
    key = ctx.sage_key(one.sage_id)
    carrier = table.keys.get(key, one.zoho_id)
    if carrier != one.zoho_id:
        return (
            f"Zoho {kind.zoho_entity} {carrier} carries the key of {one.sage_id} in its unique field {kind.key_field}: "
            "link that one, or clear the field there (or merge the two in Zoho) first"
        )
    if zoho.key and zoho.key != key:
        return (
            f"Zoho {kind.zoho_entity} {one.zoho_id} carries the key of another Sage record, {zoho.key}, in "
            f"{kind.key_field}: clear the field there first"
        )
    return ""


def _no_sage_record(kind: PairKind, key: str, name: str, there: Side | None) -> str:
    """Why a Sage id is not that of a record which was called so; empty when it is."""
    if there is None:
        return f"Sage has no {kind.sage_entity} {key}"
    if kind.sage_entity in _NAMED and _letters(name) not in ("", _letters(there.name)):
        return (
            f"Sage {kind.sage_entity} {key} is called {there.name!r}, and {name!r} here: it was "
            "renamed since, or the number is another's (a spreadsheet drops leading zeros)"
        )
    return ""


def _no_zoho_record(kind: PairKind, key: str, there: Side | None) -> str:
    if there is not None:
        return ""
    rounded = " (its last digits are zeros: a spreadsheet may have rounded it)" if _ZEROS.search(key) else ""
    return f"Zoho has no {kind.zoho_entity} {key}{rounded}"


def _letters(name: str) -> str:
    """A name without what programs change of it on the way: case, blanks and signs."""
    return "".join(filter(str.isalnum, name)).casefold()


def _link(ctx: Context, one: Asked, sage: Side, zoho: Side) -> Link:
    link = Link(
        connection=ctx.connection,
        sage_entity=one.kind.sage_entity,
        sage_id=one.sage_id,
        zoho_entity=one.kind.zoho_entity,
        zoho_id=one.zoho_id,
        sage_name=sage.name,
        zoho_name=zoho.name,
        authority=leader_of(ctx, one.kind),
        made_by=one.made_by,
        details={**zoho.details, **sage.details},
    )
    return _led(ctx, link, one)


def _led(ctx: Context, link: Link, one: Asked) -> Link:
    """The link with the authority that was asked for; what was not mentioned stays."""
    authority = one.authority or link.authority
    exceptions = link.exceptions if one.exceptions is None else one.exceptions
    return replace(link, authority=authority, exceptions=exceptions_of(ctx, one.kind, authority, exceptions))
