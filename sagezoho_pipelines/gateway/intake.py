"""Group commit: callbacks that arrive while one batch is being written make up the next one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sagezoho_pipelines.engine.notifications import Notification

log = logging.getLogger(__name__)

#: Callbacks that may wait for the ledger; of more, Zoho is told that they were not stored.
MOST_WAITING = 5000
#: Callbacks that one transaction takes.
MOST_AT_ONCE = 500


class NotStored(Exception):
    """A callback that is not in the ledger: whoever sent it must not be told that it is."""


class Intake:
    """Hands callbacks to `write`, which commits before it returns. One batch at a time, in a thread of its own.

    `accept` returns once its callback is committed. `stop` writes all that was accepted first.
    """

    def __init__(self, write: Callable[[Sequence[Notification]], None]) -> None:
        self._write = write
        self._waiting: deque[tuple[Notification, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def accept(self, notification: Notification) -> None:
        """Raises NotStored when the ledger cannot be written, or too many callbacks wait already."""
        if self._stopping or len(self._waiting) >= MOST_WAITING:
            raise NotStored
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((notification, stored))
        self._wake.set()
        await stored

    async def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                size = min(len(self._waiting), MOST_AT_ONCE)
                await self._commit([self._waiting.popleft() for _ in range(size)])

    async def _commit(self, batch: Sequence[tuple[Notification, asyncio.Future[None]]]) -> None:
        notifications = [notification for notification, _ in batch]
        problem: NotStored | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, notifications)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing is committed and the senders must know
            log.warning("%d callbacks could not be stored: %s", len(batch), type(error).__name__)
            problem = NotStored()
        for _, stored in batch:
            if stored.done():  # its sender has gone
                continue
            if problem is None:
                stored.set_result(None)
            else:
                stored.set_exception(problem)
