"""A linked pair compared field by field: what goes to which side, what a person must decide, what does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sagezoho_pipelines.domain.reconcile import (
    SAGE,
    ZOHO,
    Base,
    Decision,
    Finding,
    decide,
    edited,
    is_blank,
    same,
)
from sagezoho_pipelines.domain.records import FieldChange, Link, Row, System
from sagezoho_pipelines.domain.settled_pairs import Inactive, Pair, Policy
from sagezoho_pipelines.domain.widths import width

_BLANKS = re.compile(r"\s+")

#: A rule that calls this says that it cuts: what it drops is no surprise.
_DECLARED = "shorten("


@dataclass(frozen=True)
class Misfit:
    """A value that Sage has no room for: the Zoho field it comes from and the Sage fields it would fill."""

    field: str
    targets: tuple[str, ...]
    limit: int | None

    @property
    def text(self) -> str:
        room = f" of {self.limit} characters" if self.limit else ""
        each = " each" if room and len(self.targets) > 1 else ""
        return f"its value does not fit into Sage's {', '.join(self.targets)}{room}{each}"


@dataclass(frozen=True)
class Comparison:
    """The decisions on one pair, made from Sage's record `sage` and Zoho's record `zoho`.

    `one_way` are Sage's fields that follow Zoho without being compared.
    """

    pair: Pair
    sage: Row
    zoho: Row
    decisions: tuple[Decision, ...]
    by_hand: Row = field(default_factory=dict)
    one_way: Row = field(default_factory=dict)

    def towards(self, side: System) -> list[Decision]:
        return [one for one in self.decisions if side in one.targets]

    @cached_property
    def open(self) -> list[Decision]:
        return [one for one in self.decisions if one.finding is Finding.OPEN]

    @cached_property
    def left(self) -> list[Decision]:
        return [one for one in self.decisions if one.finding is Finding.LEFT]

    @cached_property
    def to_zoho(self) -> dict[str, Any]:
        return {one.field: one.value for one in self.towards(ZOHO)}

    @cached_property
    def to_sage(self) -> dict[str, Any]:
        """Sage's fields that must change: made by the mapping from what Zoho's record is to be."""
        names = {one.field for one in self.towards(SAGE)}
        merged = {**self.zoho, **{one.field: one.value for one in self.decisions if one.targets}}
        made = {rule.target: rule.value(merged) for rule in self.pair.sage_rules if names.intersection(rule.sources)}
        wanted = {**self.one_way, **made, **self.by_hand}
        return {name: value for name, value in wanted.items() if not same(self.sage.get(name), value)}

    def fields_behind(self, target: str) -> list[Decision]:
        """The decisions that a Sage field is made from."""
        rule = next((rule for rule in self.pair.sage_rules if rule.target == target), None)
        return [one for one in self.towards(SAGE) if rule is not None and one.field in rule.sources]

    def sage_changes(self, targets: Sequence[str]) -> list[FieldChange]:
        """For the audit: each Sage field with the value that gives way."""
        rules = {rule.target: rule for rule in self.pair.sage_rules}
        return [
            FieldChange(
                name,
                rules[name].sources if name in rules else (),
                rules[name].expression if name in rules else "inbox edit",
                self.sage.get(name),
                self.to_sage[name],
            )
            for name in targets
        ]

    def misfits(self, widths: Mapping[str, int]) -> list[Misfit]:
        """What would be cut without a rule that says so: too long for its field, or gone after the way there and back.

        A value that Sage stores in another form, other blanks or upper case, has lost nothing.
        """
        back = self.pair.to_zoho.apply({**self.sage, **self.to_sage})
        found = []
        for one in self.towards(SAGE):
            rules = [rule for rule in self.pair.sage_rules if one.field in rule.sources]
            limits = [widths[rule.target] for rule in rules if rule.target in widths]
            long = [
                rule.target
                for rule in rules
                if width(str(self.to_sage.get(rule.target) or "")) > widths.get(rule.target, 1_000_000)
            ]
            cut = not any(_DECLARED in rule.expression for rule in rules) and _letters(back.get(one.field)) != _letters(
                one.value
            )
            if long or cut:
                targets = tuple(long or [rule.target for rule in rules])
                found.append(Misfit(one.field, targets, min(limits) if limits else None))
        return found

    def agreed(self, link: Link, sage_after: Row | None, unsettled: frozenset[str]) -> dict[str, Any]:
        """What the two have settled on now. `sage_after` is Sage's record mapped to Zoho's fields, read again after it
        was written; `unsettled` are fields whose write failed. Those, and the open ones, keep what they had."""
        agreed = dict(link.agreed)
        for one in self.decisions:
            if one.finding is Finding.OPEN or one.field in unsettled:
                continue
            sage = one.sage if sage_after is None or SAGE not in one.targets else sage_after.get(one.field)
            agreed[one.field] = [sage, one.value if ZOHO in one.targets else one.zoho]
        return agreed

    @property
    def is_equal(self) -> bool:
        """Whether both sides hold the same already."""
        return not self.one_way and all(same(one.sage, one.zoho) for one in self.decisions)


def compare(
    pair: Pair,
    link: Link,
    sage: Row,
    zoho: Row,
    policy: Policy,
    *,
    known: frozenset[str] | None = None,
    untouched: bool = False,
    later: System | None = None,
    by_hand: Row | None = None,
    left_before: Mapping[str, Sequence[Any]] | None = None,
) -> Comparison:
    """Compare a linked pair. `sage` is Sage's record with the mapping's context, `zoho` Zoho's.

    `known` are the Zoho fields that this organisation has; `by_hand` are values of the flow's target that a person set;
    `left_before` are differences that a person took out of the inbox and wants left as they are.
    """
    said = pair.to_zoho.apply(sage)
    hand, sage_hand = _by_hand(pair, sage, by_hand or {})
    decisions = []
    for name in pair.fields:
        if known is not None and name not in known:
            continue
        if name in hand:
            decisions.append(edited(name, said[name], zoho.get(name), hand[name]))
            continue
        base = pair.base(link, name, zoho, untouched=untouched)
        rule = policy.of(name, two_way=name in pair.two_way)
        unsettled = pair.unsettled(link, name)
        if unsettled is not None and pair.typed_since(link, name, unsettled, base, sage, zoho):
            base = pair.carried(link, name, unsettled, sage, zoho) or base
            unsettled = None
        one = decide(name, said[name], zoho.get(name), base, rule, later=later, unsettled=unsettled)
        if name == policy.status and sage.get("Status") == "Inactive":
            one = _of_inactive(one, base, policy.inactive)
        dismissed = (left_before or {}).get(name)
        if one.finding is Finding.OPEN and dismissed and same(dismissed[0], one.sage) and same(dismissed[1], one.zoho):
            one = Decision(name, one.sage, one.zoho, Finding.LEFT, changed=one.changed, leader=one.leader)
        decisions.append(one)
    return Comparison(pair, sage, zoho, tuple(decisions), sage_hand, _one_way(pair, link, sage, zoho))


def _of_inactive(one: Decision, base: Base | None, policy: Inactive) -> Decision:
    """What becomes of the status of an account whose Sage record is inactive."""
    if policy == "mark" or ZOHO not in one.targets:
        return one
    was_left = base is not None and not same(base.sage, base.zoho)
    if policy == "inbox" and SAGE in one.changed:
        finding = Finding.OPEN
    elif policy == "ignore" or was_left:
        finding = Finding.LEFT
    else:
        return one
    return Decision(one.field, one.sage, one.zoho, finding, changed=one.changed, leader=one.leader)


def _one_way(pair: Pair, link: Link, sage: Row, zoho: Row) -> dict[str, Any]:
    """What changed in Zoho since it was written to Sage; what was never written fills, and empties nothing."""
    found: dict[str, Any] = {}
    for rule in pair.one_way:
        value = rule.value(zoho)
        if same(sage.get(rule.target), value):
            continue
        if pair.written is SAGE and rule.target in link.written:
            is_news = rule.target in link.unsettled or not same(link.written[rule.target], value)
        else:
            is_news = not is_blank(value)
        if is_news:
            found[rule.target] = value
    return found


def _by_hand(pair: Pair, sage: Row, given: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values set by hand as Zoho's fields, and those that go straight into Sage's record."""
    if not given or pair.written is ZOHO:
        return dict(given), {}
    as_set = pair.to_zoho.apply({**sage, **given})
    touched = {rule.target for rule in pair.to_zoho.rules if set(rule.sources) & given.keys()}
    return {name: as_set[name] for name in touched}, dict(given)


def _letters(value: Any) -> str:
    return _BLANKS.sub("", str(value if value is not None else "")).casefold()
