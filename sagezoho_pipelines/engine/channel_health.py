"""How a notification channel stands, told from what the ledger and Zoho say of it. Nothing is asked or written here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.channels import Channel, ChannelState, Watched
from sagezoho_pipelines.engine.notifications import watched_modules

#: Where Zoho calls, below the public address; the connection's name follows.
PATH = "/notifications/"
#: What our gateway says under that path to who only asks.
READY = "ready"


def wanted(settings: Connection) -> bool:
    """Whether there is an address for Zoho to call, and something for it to tell."""
    return settings.notifications.active and bool(watched_modules(settings))


def needs_attention(channel: Channel | None, *, now: datetime) -> str:
    """What is wrong with the channel, in one sentence; empty when it is alive."""
    if channel is None:
        return "Zoho has not been asked for notifications yet"
    if channel.problem:
        return channel.problem
    if channel.state is not ChannelState.ALIVE:
        return f"the channel is {channel.state}"
    if channel.expires_at is None or channel.expires_at <= now:
        return "the channel has expired"
    return "changes made while it was away are not caught up yet" if channel.catch_up_from else ""


def lapse(channel: Channel, listed: Sequence[Watched], now: datetime) -> str:
    """Why Zoho tells us less than it should, or nothing; empty where it does not."""
    if channel.expires_at is not None and channel.expires_at <= now:
        return f"the channel expired at {channel.expires_at.isoformat(timespec='seconds')}"
    known = {each.module for each in listed}
    forgotten = sorted({event.partition(".")[0] for event in channel.events} - known)
    return f"Zoho has forgotten the channel of {', '.join(forgotten)}" if forgotten else ""


def is_due(channel: Channel, now: datetime) -> bool:
    """Half of the time that Zoho granted is over."""
    if channel.renewed_at is None or channel.expires_at is None:
        return True
    return now >= channel.renewed_at + (channel.expires_at - channel.renewed_at) / 2


def differs(channel: Channel, listed: Sequence[Watched]) -> bool:
    """Whether somebody has changed the channel in Zoho: its address, or what it watches. What Zoho leaves out is as it
    was."""
    told = {event for each in listed for event in each.events}
    addresses = {each.notify_url for each in listed} - {""}
    return bool(addresses - {channel.notify_url}) or (bool(told) and not told >= set(channel.events))
