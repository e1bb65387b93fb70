"""How two linked records belong together: which fields are compared, who leads, and what was last settled on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sagezoho_pipelines.domain.mapping import FieldRule, TargetMapping
from sagezoho_pipelines.domain.reconcile import (
    SAGE,
    ZOHO,
    Base,
    FieldPolicy,
    OtherSide,
    same,
)
from sagezoho_pipelines.domain.records import Authority, GivesWay, Link, Row, System

#: In a link's details: the side that no longer has its record, once that has been dealt with.
GONE = "gone"

#: In a link's details, and in those of the inbox's entry: when it was asked what an inactive Sage record means.
ASKED = "asked"

#: In a link's details: what a write under way replaces, and the same of writes whose end was never known.
GIVING_WAY, ATTEMPTED = "giving_way", "attempted"

#: What becomes of the account of a Sage record that is inactive.
Inactive = Literal["mark", "ignore", "inbox"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Who leads for one link's fields: a field's own exception goes before the link's authority.

    `status` is the Zoho field that shows an inactive Sage record as `inactive` says.
    """

    authority: Authority
    exceptions: Mapping[str, Authority]
    other_side: OtherSide
    status: str = ""
    inactive: Inactive = "mark"

    def of(self, name: str, *, two_way: bool) -> FieldPolicy:
        return FieldPolicy(self.exceptions.get(name, self.authority), self.other_side, two_way)


@dataclass(frozen=True)
class Pair:
    """How two linked records are compared. `written` is the side whose fields `link.written` holds."""

    to_zoho: TargetMapping
    to_sage: TargetMapping
    written: System

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The Zoho fields that are compared: what is written once, at the start, is nobody's afterwards."""
        return tuple(rule.target for rule in self.to_zoho.rules if not rule.create_only)

    @cached_property
    def two_way(self) -> frozenset[str]:
        """Of these, the ones that reach Sage."""
        read = {source for rule in self.sage_rules for source in rule.sources}
        return frozenset(read.intersection(self.fields))

    @cached_property
    def sage_rules(self) -> tuple[FieldRule, ...]:
        return tuple(rule for rule in self.to_sage.rules if not rule.create_only)

    @cached_property
    def one_way(self) -> tuple[FieldRule, ...]:
        """Rules towards Sage that read no compared field: Sage is told, and has no word in it."""
        return tuple(rule for rule in self.sage_rules if not set(rule.sources).intersection(self.fields))

    def unsettled(self, link: Link, name: str) -> System | None:
        """The side that an update without a known end may have written."""
        if name in link.unsettled:
            return ZOHO
        behind = {rule.target for rule in self.sage_rules if name in rule.sources}
        return SAGE if behind.intersection(link.unsettled) else None

    def typed_since(self, link: Link, name: str, side: System, base: Base | None, sage: Row, zoho: Row) -> bool:
        """Whether an unsettled side holds what is neither from before our write nor what we wrote: a person's word."""
        held = self.to_zoho.apply(sage)[name] if side is SAGE else zoho.get(name)
        if base is not None and same(held, base.sage if side is SAGE else base.zoho):
            return False
        record = sage if side is SAGE else zoho
        noted = self._noted(link, name, side)
        known = {field: [value for one in notes for value in (one.before, one.after)] for field, notes in noted.items()}
        return any(not any(same(record.get(field), one) for one in values) for field, values in known.items())

    def carried(self, link: Link, name: str, side: System, sage: Row, zoho: Row) -> Base | None:
        """Where the other side still says what was sent to an unsettled one: the base of a word typed there since."""
        sent = {field: notes[-1].after for field, notes in self._noted(link, name, side).items()}
        if side is ZOHO:
            said = self.to_zoho.apply(sage)[name]
            return Base(said, sent[name]) if same(said, sent[name]) else None
        values = {rule.target: rule.value(zoho) for rule in self.sage_rules if name in rule.sources}
        if not all(same(value, sent.get(field)) for field, value in values.items()):
            return None
        return Base(self.to_zoho.apply({**sage, **sent})[name], zoho.get(name))

    def _noted(self, link: Link, name: str, side: System) -> dict[str, list[GivesWay]]:
        """What was noted of earlier writes of a field, by the fields of the side that was written."""
        fields = {name} if side is ZOHO else {rule.target for rule in self.sage_rules if name in rule.sources}
        found: dict[str, list[GivesWay]] = {}
        for one in map(GivesWay.of, (*link.details.get(ATTEMPTED, ()), *link.details.get(GIVING_WAY, ()))):
            if one.system is side and one.field in fields:
                found.setdefault(one.field, []).append(one)
        return found

    def base(self, link: Link, name: str, zoho: Row, *, untouched: bool = False) -> Base | None:
        """What the two last settled on. Where only what we wrote is known, that.

        `untouched`: Zoho's record is as our own last write left it, so whatever it holds is what Zoho made of that.
        """
        known = link.agreed.get(name)
        if known is not None:
            found: Base | None = Base(*known)
        else:
            found = self._as_written(link, name, zoho)
        return found if found is None or not untouched else Base(found.sage, zoho.get(name))

    def _as_written(self, link: Link, name: str, zoho: Row) -> Base | None:
        if self.written is ZOHO:
            return Base(link.written[name], link.written[name]) if name in link.written else None
        rule = next(rule for rule in self.to_zoho.rules if rule.target == name)
        if not rule.sources or not link.written.keys() & set(rule.sources):
            return None
        sage = rule.value(link.written)
        readers = [rule for rule in self.sage_rules if name in rule.sources and rule.target in link.written]
        if not readers:
            return None  # what the account held was never of interest
        as_it_was = all(same(rule.value(zoho), link.written[rule.target]) for rule in readers)
        return Base(sage, zoho.get(name) if as_it_was else sage)


def as_settled(pair: Pair, link: Link, zoho: Row, known: frozenset[str]) -> bool:
    """Whether Zoho's record still holds what was settled on: then a word of its change tells of our own write.

    What goes one way only is not remembered, so a record that holds such fields is looked at again.
    """
    if pair.one_way or GONE in link.details or ASKED in link.details:
        return False
    for name in pair.fields:
        if name not in known:
            continue
        base = pair.base(link, name, zoho)
        if base is None or link.unsettled or not same(base.zoho, zoho.get(name)):
            return False
    return True


def sage_as_settled(pair: Pair, link: Link, sage: Row, known: frozenset[str]) -> bool:
    """The same of Sage's record, for links that hold both sides' values. An open question may be answered by it."""
    if ASKED in link.details:
        return False
    said = pair.to_zoho.apply(sage)
    for name in pair.fields:
        if name not in known:
            continue
        both = link.agreed.get(name)
        if both is None or not same(both[0], said[name]):
            return False
    return True
