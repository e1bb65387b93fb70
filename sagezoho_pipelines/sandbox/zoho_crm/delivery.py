"""Carries notification callbacks over real HTTP, from a thread of its own, in the order of the changes."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import simplejson

from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

log = logging.getLogger(__name__)
QUEUE_MAX = 50_000
TIMEOUT_SECONDS = 10
PROBE_SECONDS = 2
DRAIN_STEP = 0.005


@dataclass(frozen=True)
class Callback:
    """One POST to a subscriber."""

    url: str
    body: dict[str, Any]


class Courier:
    """Sends callbacks one after the other; drops, doubles, holds back and retries as the switches say.

    A callback that cannot be queued or delivered is lost, as a subscriber must expect of the real one.
    """

    def __init__(self, switches: ZohoSwitches, seed: int) -> None:
        self.switches = switches
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self._random = random.Random(f"courier:{seed}")
        self._queue: queue.Queue[Callback | None] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._lock = threading.Lock()
        # A proxy of the environment must not see what is meant for a neighbour on loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, callback: Callback) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="zoho-callbacks", daemon=True)
                self._thread.start()
            try:
                self._queue.put_nowait(callback)
                self._pending += 1
            except queue.Full:
                self.dropped += 1

    def answered(self, url: str) -> bool:
        """Whether anything at all answers at an address, whatever it says."""
        try:
            with self._opener.open(urllib.request.Request(url, method="GET"), timeout=PROBE_SECONDS) as answer:
                answer.read(1)
        except urllib.error.HTTPError:
            return True
        except (OSError, ValueError):
            return False
        return True

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
            thread.join(TIMEOUT_SECONDS)

    def _run(self) -> None:
        held: Callback | None = None
        while (callback := self._queue.get()) is not None:
            if self.switches.callback_delay_seconds:
                time.sleep(self.switches.callback_delay_seconds)
            draw = self._random.random
            if draw() < self.switches.callback_drop_rate:
                self.dropped += 1
            elif held is None and draw() < self.switches.callback_reorder_rate and not self._queue.empty():
                held = callback
                continue
            else:
                self._deliver(callback)
                if draw() < self.switches.callback_duplicate_rate:
                    for _ in range(self.switches.callback_copies):
                        self._deliver(callback)
            self._done()
            if held is not None:
                self._deliver(held)
                held = None
                self._done()

    def _done(self) -> None:
        with self._lock:
            self._pending -= 1

    def _deliver(self, callback: Callback) -> None:
        payload = simplejson.dumps(callback.body, use_decimal=True, separators=(",", ":")).encode()
        for _ in range(1 + self.switches.callback_retries):
            request = urllib.request.Request(
                callback.url, data=payload, method="POST", headers={"Content-Type": "application/json"}
            )
            try:
                with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                    answer.read()
                    self.delivered += 1
                    return
            except (OSError, urllib.error.URLError, ValueError) as error:
                log.debug("callback to %s failed: %s", callback.url, error)
        self.failed += 1
