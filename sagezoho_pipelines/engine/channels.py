"""Keeping a connection's notification channel alive: subscribed, renewed in time, verified, caught up after a lapse.

The new token is in the ledger before Zoho learns of it, and the old one is honoured until Zoho has confirmed the new
one and for an overlap after that: whatever breaks in between, no callback of Zoho's is taken for a forged one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sagezoho_pipelines.domain.channels import Channel, ChannelState, Watch, Watched
from sagezoho_pipelines.domain.errors import ConfigurationError, VendorError
from sagezoho_pipelines.domain.records import AuditEntry, Row, System
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine import channel_health as health
from sagezoho_pipelines.engine.catching_up import catch_up
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.notifications import watched_modules
from sagezoho_pipelines.engine.ports import ChannelStore
from sagezoho_pipelines.engine.tally import Tally

log = logging.getLogger(__name__)

FLOW = "channels"
_OPERATIONS = ("create", "edit", "delete")
_NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
#: What Zoho names when it does not like the address it is to call, or does not reach it.
_ADDRESS_FIELD = "notify_url"
#: A poll may find an edit before Zoho has told of it; after this long it should have.
_TELLS_WITHIN = timedelta(minutes=5)
#: What polls found so long before the channel was last found good was looked at then, and had been told of.
_LOOKED_AT = timedelta(days=1)
#: A lapse is covered from a little before the channel was last known good: Zoho shows a write after its transaction.
_SETTLING = timedelta(minutes=2)
#: Random bytes of a token; its text has 48 of the 50 characters that Zoho takes.
_TOKEN_BYTES = 36
_EXAMPLES = 5


@dataclass(slots=True)
class ChannelReport:
    """What was found and done. `channel` is as it is now; `caught_up` is what a catch-up poll found."""

    channel: Channel | None
    done: list[str] = field(default_factory=list)
    silent: int = 0
    caught_up: Tally | None = None


def keep_channel(ctx: Context, store: ChannelStore) -> ChannelReport:
    """Bring the channel into the state it should be in. Raises VendorError when Zoho refuses or cannot be reached.

    Every renewal, lapse, silence and failure is a line of the audit. Where notifications are no longer wanted, Zoho is
    asked to stop. Raises ConfigurationError where there is neither an address nor a channel.
    """
    with store.turn(ctx.connection) as mine:
        if not mine:
            return ChannelReport(store.read(ctx.connection), ["another process is working on the channel"])
        keeper = _Keeper(ctx, store)
        return keeper.keep() if health.wanted(ctx.settings) else keeper.end()


class _Keeper:
    def __init__(self, ctx: Context, store: ChannelStore) -> None:
        self.ctx, self.store = ctx, store
        self.url = ctx.settings.notifications.url.rstrip("/") + health.PATH + ctx.connection
        self.modules = watched_modules(ctx.settings)
        self.events = tuple(f"{module}.{operation}" for module in self.modules for operation in _OPERATIONS)
        self.report = ChannelReport(None)

    def keep(self) -> ChannelReport:
        channel = self.store.read(self.ctx.connection)
        if channel is None:
            channel = self._first()
        else:
            channel = self._tended(channel)
        self.report.channel = self._caught_up(channel)
        return self.report

    def end(self) -> ChannelReport:
        """Have Zoho stop, and forget the channel: callbacks that still come are believed no more."""
        channel = self.store.read(self.ctx.connection)
        if channel is None:
            raise ConfigurationError(
                f"{self.ctx.connection}: there is no address for Zoho to call. Set notifications.url, and "
                "notifications.enabled."
            )
        self._disable(channel)
        told = {"text": "notifications are no longer configured", "notify_url": channel.notify_url}
        self.store.forget(channel.connection, [self._entry(channel, "unsubscribe", "done", told)])
        self.report.done.append("unsubscribe")
        return self.report

    def _first(self) -> Channel:
        made = Channel(self.ctx.connection, _new_id(), self.url, self.events, _new_token())
        self.store.save(made)
        return self._asked(made, "subscribe", self.ctx.zoho.enable_channels)

    def _tended(self, channel: Channel) -> Channel:
        now = self.ctx.clock()
        if channel.subscribed_at is None or channel.state is ChannelState.LAPSED:
            return self._asked(channel, "subscribe", self.ctx.zoho.enable_channels)
        listed = self._listed(channel)
        lapse = health.lapse(channel, listed, now)
        if lapse:
            return self._subscribed_again(channel, "lapse", lapse, since=channel.known_good_at or channel.subscribed_at)
        silent = self._silent(channel, now)
        if silent:
            self._disable(channel)
            since = max(channel.subscribed_at, channel.last_notification_at or channel.subscribed_at)
            return self._subscribed_again(channel, "silence", silent, since=since)
        if (channel.notify_url, tuple(channel.events)) != (self.url, self.events) or health.differs(channel, listed):
            return self._renewed(channel, "replace", self.ctx.zoho.replace_channels)
        if channel.state is not ChannelState.ALIVE or health.is_due(channel, now):
            return self._renewed(channel, "renew", self.ctx.zoho.renew_channels)
        good = replace(channel, known_good_at=now, problem="")
        self.store.save(good)
        self.report.done.append("verified")
        return good

    def _listed(self, channel: Channel) -> list[Watched]:
        try:
            return self.ctx.zoho.channel(channel.channel_id)
        except VendorError as error:
            raise self._failed(channel, "verify", error) from None

    def _silent(self, channel: Channel, now: datetime) -> str:
        """Which records polling found that a living channel should have told of."""
        if channel.subscribed_at is None or channel.state is not ChannelState.ALIVE:
            return ""
        missed = self.store.unannounced(
            self.ctx.connection,
            since=channel.subscribed_at,
            after=(channel.known_good_at or channel.subscribed_at) - _LOOKED_AT,
            until=now - _TELLS_WITHIN,
            ahead=self._ahead(),
            limit=_EXAMPLES,
        )
        self.report.silent = len(missed)
        if not missed:
            return ""
        named = ", ".join(f"{each.entity} {each.key}" for each in missed)
        return f"the channel is alive but silent: polling found {named}, of which Zoho told nothing"

    def _subscribed_again(self, channel: Channel, event: str, why: str, *, since: datetime) -> Channel:
        """The lapse is durable before anything is asked of Zoho: a crash must not make it forgotten."""
        start = min(since - _SETTLING, channel.catch_up_from or since)
        lapsed = replace(self._with_token(channel), state=ChannelState.LAPSED, problem=why, catch_up_from=start)
        self.store.save(lapsed, [self._entry(lapsed, event, "found", {"text": why, "since": start.isoformat()})])
        self.report.done.append(why)
        log.warning("%s: %s", self.ctx.connection, why)
        return self._asked(lapsed, "subscribe", self.ctx.zoho.enable_channels)

    def _disable(self, channel: Channel) -> None:
        try:
            self.ctx.zoho.disable_channel(channel.channel_id)
        except VendorError as error:
            if error.code != _NOT_SUBSCRIBED:
                raise self._failed(channel, "unsubscribe", error) from None

    def _renewed(self, channel: Channel, operation: str, ask: Callable[[Sequence[Watch]], list[RowResult]]) -> Channel:
        """The new token is known to the gateway before Zoho may send it."""
        pending = replace(self._with_token(channel), state=ChannelState.PENDING)
        self.store.save(pending)
        return self._asked(pending, operation, ask)

    def _with_token(self, channel: Channel) -> Channel:
        """A new token, unless the last one was never confirmed: then Zoho may be using it, or the one before it."""
        if channel.previous and channel.previous_until is None:
            return channel
        return replace(channel, token=_new_token(), previous=channel.token, previous_until=None)

    def _asked(self, channel: Channel, operation: str, ask: Callable[[Sequence[Watch]], list[RowResult]]) -> Channel:
        """Ask Zoho for the channel as it should be, and settle what it answers."""
        settings = self.ctx.settings.notifications
        asked_at, ahead = self.ctx.clock(), self._ahead()
        until = asked_at + ahead + timedelta(hours=settings.expiry_hours)
        try:
            [result] = ask([Watch(channel.channel_id, self.events, self.url, channel.token, until)])
        except VendorError as error:
            raise self._failed(channel, operation, error) from None
        if result.error is not None:
            if result.error.code == _NOT_SUBSCRIBED and operation != "subscribe":
                since = channel.known_good_at or asked_at
                return self._subscribed_again(channel, "lapse", "Zoho has forgotten the channel", since=since)
            raise self._failed(channel, operation, result.error)
        anew = operation == "subscribe"
        alive = replace(
            channel,
            state=ChannelState.ALIVE,
            problem="",
            notify_url=self.url,
            events=self.events,
            subscribed_at=asked_at if anew else channel.subscribed_at,
            renewed_at=asked_at,
            known_good_at=asked_at,
            expires_at=(result.expires_at or until) - ahead,
            previous_until=self.ctx.clock() + timedelta(minutes=settings.overlap_minutes),
        )
        told = {"expires_at": (result.expires_at or until).isoformat(), "events": list(self.events)}
        self.store.save(alive, [self._entry(alive, operation, "done", told)])
        self.report.done.append(operation)
        return alive

    def _failed(self, channel: Channel, operation: str, error: VendorError) -> VendorError:
        problem = f"{operation} failed: {error.code}: {error.text}"
        if error.field.endswith(_ADDRESS_FIELD):
            error = _unreached(error, self.url)
            problem = f"{problem} {error.advice}"
        told = replace(channel, problem=problem)
        self.store.save(told, [self._entry(told, operation, "failed", error.answer())])
        return error

    def _caught_up(self, channel: Channel) -> Channel:
        """Poll what changed while nothing was told. The lapse is over once that is in the queue."""
        if channel.catch_up_from is None:
            return channel
        since = channel.catch_up_from
        tally = catch_up(self.ctx, self.modules, since + self._ahead())
        whole = replace(channel, catch_up_from=None)
        told = {"since": since.isoformat(), "captured": tally.captured, "changed": tally.changed}
        self.store.save(whole, [self._entry(whole, "catch_up", "done", told)])
        self.report.caught_up = tally
        return whole

    def _ahead(self) -> timedelta:
        """How far Zoho's clock is ahead of ours. A channel's moments are kept by ours, and told to Zoho by its own."""
        try:
            return self.ctx.zoho.server_time() - self.ctx.clock()
        except VendorError:
            return timedelta(0)  # what is in the way is met, and told, by the call that follows

    def _entry(self, channel: Channel, operation: str, outcome: str, answer: Row) -> AuditEntry:
        ours, theirs = str(System.ZOHO_CRM), str(channel.channel_id)
        return AuditEntry(
            at=self.ctx.clock(),
            actor=self.ctx.actor,
            connection=self.ctx.connection,
            flow=FLOW,
            direction=f"{System.ZOHO_CRM}->sagezoho",
            source_system=ours,
            source_entity=FLOW,
            source_id=theirs,
            target_system=ours,
            target_entity=FLOW,
            target_id=theirs,
            operation=operation,
            outcome=outcome,
            answer=answer,
            run_id=self.ctx.run_id,
        )


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _new_id() -> int:
    return secrets.randbits(62) | 1


def _unreached(error: VendorError, url: str) -> VendorError:
    """Zoho's own words say little of what is wrong with an address: ours say what it must be."""
    return VendorError(
        system=error.system,
        code=error.code,
        text=error.text,
        verdict=error.verdict,
        field=error.field,
        status=error.status,
        details=error.details,
        advice=f"Zoho does not take {url}, or does not reach it. Start the gateway ('sagezoho up' or 'sagezoho "
        "gateway'), and have it answer there by https on port 443 with a certificate that everybody trusts, through a "
        "reverse proxy or with gateway.tls: 'sagezoho check' asks at that address as Zoho does. The channel is made "
        "by its next run, or by 'sagezoho setup'; until then polling finds what changes.",
    )
