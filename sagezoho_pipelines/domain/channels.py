"""A connection's notification channel: what Zoho was asked for, whose callbacks are believed, and how it fares."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ChannelState(StrEnum):
    """`pending`: asked for, the answer is not known yet. `lapsed`: Zoho no longer knows it."""

    PENDING = "pending"
    ALIVE = "alive"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Channel:
    """One Zoho subscription, for all modules of a connection.

    `previous` is the token before this one: honoured until `previous_until`, and without an end while that is None,
    since during a renewal either may be the one that Zoho sends. `known_good_at` is when Zoho last confirmed the
    channel; `catch_up_from` is set while a lapse has not been covered by a poll.
    """

    connection: str
    channel_id: int
    notify_url: str
    events: Sequence[str]
    token: str = field(repr=False)
    previous: str = field(default="", repr=False)
    previous_until: datetime | None = None
    state: ChannelState = ChannelState.PENDING
    problem: str = ""
    subscribed_at: datetime | None = None
    renewed_at: datetime | None = None
    expires_at: datetime | None = None
    known_good_at: datetime | None = None
    catch_up_from: datetime | None = None
    last_notification_at: datetime | None = None

    def believes(self, token: str, *, at: datetime) -> bool:
        """Whether a callback with this token is Zoho's. Takes as long for a wrong token as for a right one."""
        given = token.encode("utf-8", "surrogatepass")
        current = hmac.compare_digest(given, self.token.encode())
        older = hmac.compare_digest(given, self.previous.encode())
        honoured = bool(self.previous) and (self.previous_until is None or at < self.previous_until)
        return current or (older and honoured)


@dataclass(frozen=True, slots=True)
class Watch:
    """What Zoho is asked to tell: events like `Deals.edit`, to an address, with a token, until a moment."""

    channel_id: int
    events: Sequence[str]
    notify_url: str
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """One module of a channel as Zoho lists it."""

    channel_id: str
    module: str
    events: Sequence[str]
    notify_url: str
    token: str = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unannounced:
    """A record whose change a poll found although a channel should have told it."""

    entity: str
    key: str
