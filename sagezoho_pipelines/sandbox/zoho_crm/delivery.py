"""Carries notification callbacks over real HTTP, from a thread of its own, in the order of the changes or nearly so."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import simplejson

from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet, Unreachable
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

log = logging.getLogger(__name__)
QUEUE_MAX = 50_000
PROBE_SECONDS = 10
CLOSE_SECONDS = 10
HELD_SECONDS = 0.1
"""A callback that is held back goes out by then, also when no other one has come."""
DRAIN_STEP = 0.005


@dataclass
class Standing:
    """How a subscriber has answered of late."""

    failed_in_a_row: int = 0


@dataclass(frozen=True)
class Callback:
    """One POST to a subscriber."""

    url: str
    body: dict[str, Any]
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True)
class _Fate:
    """What the switches and the dice say becomes of one callback."""

    dropped: bool
    held: bool
    copies: int


class Courier:
    """Sends callbacks one after the other; drops, doubles, holds back and retries as the switches say.

    A callback that cannot be queued or delivered is lost, as a subscriber must expect of the real one. Its fate is
    drawn when the change happens: the same seed and the same changes give the same fates, however fast they follow.
    """

    def __init__(self, switches: ZohoSwitches, seed: int, internet: Internet | None = None) -> None:
        self.switches = switches
        self.internet = internet or Internet()
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self._random = random.Random(f"courier:{seed}")
        self._queue: queue.Queue[tuple[Callback, _Fate] | None] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._lock = threading.Lock()

    def send(self, callback: Callback) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="zoho-callbacks", daemon=True)
                self._thread.start()
            try:
                self._queue.put_nowait((callback, self._fate()))
                self._pending += 1
            except queue.Full:
                self.dropped += 1

    def reached(self, url: str) -> bool:
        """Whether an address answers, and as the switches ask for."""
        try:
            status = self.internet.call("GET", url, seconds=PROBE_SECONDS)
            return 200 <= status < (300 if self.switches.notify_url_probe == "2xx" else 500)
        except Unreachable as problem:
            log.debug("%s cannot be reached: %s", url, problem)
            return False

    def drain(self, seconds: float = 10.0) -> bool:
        """Waits until everything queued so far has been sent; False when it takes longer."""
        until = time.monotonic() + seconds
        while self._pending:
            if time.monotonic() > until:
                return False
            time.sleep(DRAIN_STEP)
        return True

    def close(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(CLOSE_SECONDS)

    def _fate(self) -> _Fate:
        dropped, held, doubled = (self._random.random() for _ in range(3))
        return _Fate(
            dropped=dropped < self.switches.callback_drop_rate,
            held=held < self.switches.callback_reorder_rate,
            copies=self.switches.callback_copies if doubled < self.switches.callback_duplicate_rate else 0,
        )

    def _run(self) -> None:
        held: tuple[Callback, _Fate] | None = None
        while True:
            try:
                given = self._queue.get(timeout=HELD_SECONDS if held else None)
            except queue.Empty:
                given = None
            else:
                if given is None:
                    return
            if given is not None:
                if self.switches.callback_delay_seconds:
                    time.sleep(self.switches.callback_delay_seconds)
                if held is None and given[1].held and not given[1].dropped:
                    held = given
                    continue
                self._settle(*given)
            if held is not None:
                self._settle(*held)
                held = None

    def _settle(self, callback: Callback, fate: _Fate) -> None:
        if fate.dropped:
            self.dropped += 1
        else:
            for _ in range(1 + fate.copies):
                self._deliver(callback)
        with self._lock:
            self._pending -= 1

    def _deliver(self, callback: Callback) -> None:
        payload = simplejson.dumps(callback.body, use_decimal=True, separators=(",", ":")).encode()
        for _ in range(1 + self.switches.callback_retries):
            try:
                seconds = self.switches.callback_timeout_seconds
                status = self.internet.call("POST", callback.url, body=payload, seconds=seconds)
            except Unreachable as problem:
                log.debug("callback to %s failed: %s", callback.url, problem)
            else:
                if 200 <= status < 300:
                    self.delivered += 1
                    callback.standing.failed_in_a_row = 0
                    return
                log.debug("callback to %s was answered %d", callback.url, status)
        self.failed += 1
        callback.standing.failed_in_a_row += 1
