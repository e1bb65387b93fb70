"""Three-way comparison: what one field of a linked pair should become, given what both sides last settled on.

Everything is compared in Zoho's fields: what Sage says is its record mapped forward. Each side counts as changed when
it differs from its own base, so a declared shortening, or a value that a vendor stores in another form, never loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sagezoho_pipelines.domain.digest import canonical
from sagezoho_pipelines.domain.records import Authority, System

SAGE, ZOHO = System.SAGE300, System.ZOHO_CRM
NAMES = {SAGE: "Sage 300", ZOHO: "Zoho CRM"}
_LONGEST = 80


class OtherSide(StrEnum):
    """What becomes of an edit on the side that does not lead."""

    PUT_BACK = "put_back"
    LEAVE = "leave"
    INBOX = "inbox"


class Finding(StrEnum):
    """What a comparison found. `open` asks a person; all others settle the field."""

    UNCHANGED = "unchanged"
    AGREED = "agreed"
    CARRIED = "carried over"
    FILLED = "filled in"
    PUT_BACK = "put back"
    OVERRIDDEN = "overridden"
    LEFT = "left"
    EDITED = "edited"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Base:
    """What each side held when the two last settled."""

    sage: Any
    zoho: Any


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """Who leads for a field. One that cannot be carried to Sage is led by Sage, and put back, whatever else is said."""

    authority: Authority
    other_side: OtherSide = OtherSide.PUT_BACK
    two_way: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one field: `targets` are the sides to be written with `value`.

    `sage` and `zoho` are what the sides hold, `changed` those that were edited since the base, `leader` the side whose
    word counted.
    """

    field: str
    sage: Any
    zoho: Any
    finding: Finding
    value: Any = None
    targets: frozenset[System] = frozenset()
    changed: frozenset[System] = frozenset()
    leader: System | None = None

    def held(self, side: System) -> Any:
        return self.sage if side is SAGE else self.zoho

    @property
    def overridden(self) -> bool:
        """Whether somebody's value gives way."""
        return self.finding in (Finding.PUT_BACK, Finding.OVERRIDDEN, Finding.EDITED)

    @property
    def sentence(self) -> str:
        """For a clerk: which side changed, who led, and what gave way."""
        where = " and ".join(NAMES[side] for side in (SAGE, ZOHO) if side in self.changed)
        edited = f"changed in {where}" if where else "the two differed when they first met"
        led = f"; {NAMES[self.leader]} leads" if self.leader is not None else ""
        match self.finding:
            case Finding.PUT_BACK | Finding.OVERRIDDEN | Finding.EDITED:
                lost = "; ".join(
                    f"{shown(self.held(side))} in {NAMES[side]} gave way to {shown(self.value)}"
                    for side in sorted(self.targets)
                )
                return f"{self.finding}: {edited}{led}; {lost}"
            case Finding.LEFT | Finding.OPEN:
                both = f"Sage 300 has {shown(self.sage)}, Zoho CRM has {shown(self.zoho)}"
                return f"{'left as it is' if self.finding is Finding.LEFT else 'to be decided'}: {edited}{led}; {both}"
            case Finding.FILLED:
                return f"filled in: {' and '.join(NAMES[side] for side in sorted(self.targets))} had nothing"
            case _:
                return f"{self.finding}: {edited}" if where else str(self.finding)


def decide(
    field: str,
    sage: Any,
    zoho: Any,
    base: Base | None,
    policy: FieldPolicy,
    *,
    later: System | None = None,
    unsettled: System | None = None,
) -> Decision:
    """What becomes of a field. `later` is the side edited last, as far as the two clocks can tell; it counts where
    `newest` leads and both sides were edited. `unsettled` is a side that an earlier attempt may have written: what it
    holds then is nobody's edit, and the other side's word is still to be carried."""
    if base is None and unsettled is None:
        return _first_contact(field, sage, zoho, policy, later)
    if base is None or unsettled is not None:
        changed = frozenset({SAGE if unsettled is ZOHO else ZOHO})
    else:
        pairs = ((SAGE, sage, base.sage), (ZOHO, zoho, base.zoho))
        changed = frozenset(side for side, now, before in pairs if not same(now, before))
    if not changed:
        return Decision(field, sage, zoho, Finding.UNCHANGED)
    if same(sage, zoho):
        return Decision(field, sage, zoho, Finding.AGREED, changed=changed)
    if len(changed) == 2:
        return _conflict(field, sage, zoho, policy, later, changed)
    return _one_sided(field, sage, zoho, policy, changed)


def edited(field: str, sage: Any, zoho: Any, value: Any) -> Decision:
    """A person gave the value in the inbox: it goes to each side that differs."""
    targets = frozenset(side for side, now in ((SAGE, sage), (ZOHO, zoho)) if not same(now, value))
    return Decision(field, sage, zoho, Finding.EDITED if targets else Finding.AGREED, value, targets)


def edited_last(maintained: date | None, modified: datetime | None, zone: ZoneInfo) -> System | None:
    """The side edited last: Sage tells a day only, so that edits of one day cannot be told apart."""
    if maintained is None or modified is None:
        return None
    day = modified.astimezone(zone).date()
    return None if day == maintained else SAGE if maintained > day else ZOHO


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a reader: outer blanks and kinds of line end apart, exact in their digits."""
    return bool(_plain(one) == _plain(other))


def is_blank(value: Any) -> bool:
    return _plain(value) is None


def _one_sided(field: str, sage: Any, zoho: Any, policy: FieldPolicy, changed: frozenset[System]) -> Decision:
    (side,) = changed
    leader = _leader(policy)
    if leader is None or leader is side:
        return _led(field, sage, zoho, Finding.CARRIED, side, changed)
    match policy.other_side if policy.two_way else OtherSide.PUT_BACK:
        case OtherSide.LEAVE:
            return Decision(field, sage, zoho, Finding.LEFT, changed=changed, leader=leader)
        case OtherSide.INBOX:
            return Decision(field, sage, zoho, Finding.OPEN, changed=changed, leader=leader)
        case _:
            return _led(field, sage, zoho, Finding.PUT_BACK, leader, changed)


def _conflict(
    field: str, sage: Any, zoho: Any, policy: FieldPolicy, later: System | None, changed: frozenset[System]
) -> Decision:
    leader = _leader(policy) or later
    if leader is None:
        return Decision(field, sage, zoho, Finding.OPEN, changed=changed)
    return _led(field, sage, zoho, Finding.OVERRIDDEN, leader, changed)


def _first_contact(field: str, sage: Any, zoho: Any, policy: FieldPolicy, later: System | None) -> Decision:
    """Two records that were never compared. A blank gives way to a value, so that nothing is lost; else who leads."""
    if same(sage, zoho):
        return Decision(field, sage, zoho, Finding.AGREED)
    if is_blank(zoho):
        return _led(field, sage, zoho, Finding.FILLED, SAGE, frozenset())
    if is_blank(sage) and policy.two_way:
        return _led(field, sage, zoho, Finding.FILLED, ZOHO, frozenset())
    return _conflict(field, sage, zoho, policy, later, frozenset())


def _led(field: str, sage: Any, zoho: Any, finding: Finding, leader: System, changed: frozenset[System]) -> Decision:
    value, target = (sage, ZOHO) if leader is SAGE else (zoho, SAGE)
    return Decision(field, sage, zoho, finding, value, frozenset({target}), changed, leader)


def _leader(policy: FieldPolicy) -> System | None:
    """The side that leads whatever was edited when; None where the newest edit does."""
    if not policy.two_way:
        return SAGE
    return None if policy.authority is Authority.NEWEST else System(str(policy.authority))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return "\n".join(line.strip() for line in value.strip().splitlines()) or None
    if isinstance(value, Mapping) and "id" in value:
        return str(value["id"])
    return canonical(value)


def shown(value: Any) -> str:
    """A value for a clerk to read: on one line, in quotes, cut where it is long."""
    text = " ".join(str(value).split()) if not is_blank(value) else ""
    return f"“{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}”" if text else "nothing"
