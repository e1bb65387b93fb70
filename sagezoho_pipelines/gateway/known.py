"""The channels whose callbacks are believed, read from the ledger and kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from sagezoho_pipelines.domain.channels import Channel
from sagezoho_pipelines.engine.ports import ChannelStore

#: How old what is known may be while callbacks are believed.
KEPT_SECONDS = 5.0
#: Callbacks that are not believed make it read again, all together and not more often than this.
READ_EVERY_SECONDS = 0.25


class KnownChannels:
    """Channels by connection. A new token is in the ledger before Zoho learns of it, so whoever sends an unknown one is
    refused only after a look at the ledger that began after the callback had come."""

    def __init__(self, store: ChannelStore, *, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._channels: Mapping[str, Channel] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def believes(self, connection: str, channel_id: str, token: str) -> bool:
        """Whether this is the connection's channel and its token. Raises what reading the ledger raises."""
        arrived = time.monotonic()
        await self._read(not_before=arrived - KEPT_SECONDS)
        if self._matches(connection, channel_id, token):
            return True
        await self._read(not_before=arrived)
        return self._matches(connection, channel_id, token)

    async def channels(self) -> Mapping[str, Channel]:
        await self._read(not_before=time.monotonic() - KEPT_SECONDS)
        return self._channels

    def _matches(self, connection: str, channel_id: str, token: str) -> bool:
        channel = self._channels.get(connection)
        if channel is None or str(channel.channel_id) != channel_id:
            return False
        return channel.believes(token, at=self._clock())

    async def _read(self, *, not_before: float) -> None:
        if self._read_at >= not_before:
            return
        async with self._reading:
            if self._read_at >= not_before:
                return
            pause = self._read_at + READ_EVERY_SECONDS - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            began = time.monotonic()
            found = await asyncio.to_thread(self._store.read_all)
            self._channels = {channel.connection: channel for channel in found}
            self._read_at = began
