"""Sending one call: signed on, in turn with the others, and again as long as that can do no harm."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sagezoho_pipelines.calls.waits import backoff
from sagezoho_pipelines.calls.wire import Failure
from sagezoho_pipelines.domain.errors import CredentialsMissing
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.sage300 import attempts, errors
from sagezoho_pipelines.sage300.attempts import Call, Setback
from sagezoho_pipelines.sage300.pressure import Pressure, Stopped
from sagezoho_pipelines.sage300.transport import Answer, Transport

log = logging.getLogger(__name__)

_HEADER: Final = re.compile(r"[ -~]{0,200}", re.ASCII)

#: Seconds after which a request that must not run twice is no longer sent: its caller holds a lease on the record.
SEND_WITHIN: Final = 10.0
#: Seconds between the attempts of one call: the first wait, and the longest.
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


class Exchange:
    """One company's calls over one transport. `where` is host and port, for messages.

    Raises VendorError for what is not an answer, and Stopped once `stop` is set.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        company: str,
        where: str,
        credentials: Callable[[], Mapping[str, str]],
        pressure: Pressure,
        usage: Usage,
        max_attempts: int,
        request_source: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        sleep: Callable[[float], None] | None,
        random: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._company = company
        self._where = where
        self._credentials = credentials
        self._pressure = pressure
        self._usage = usage
        self._max_attempts = max_attempts
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._random = random
        self.request_source = request_source

    @property
    def request_source(self) -> str:
        """What the server's log shows for our calls, e.g. the run."""
        return self._request_source

    @request_source.setter
    def request_source(self, source: str) -> None:
        if not _HEADER.fullmatch(source):
            raise ValueError("the request source is a header: at most 200 printable ASCII characters")
        self._request_source = source

    def send(
        self, call: Call, stop: threading.Event, read: Callable[[Answer], Setback | None] = lambda _: None
    ) -> Answer:
        """Send until there is an answer, the attempts are used up, or sending again could do harm."""
        attempt = 0
        latest = self._clock() + SEND_WITHIN if call.once else float("inf")
        while True:
            attempt += 1
            outcome = self._once(call, stop, latest)
            setback = attempts.weigh(call, outcome, where=self._where, now=self._now())
            if setback is None and isinstance(outcome, Answer):
                setback = read(outcome)
                if setback is None:
                    self._pressure.succeeded()
                    return outcome
            if setback is None:
                raise AssertionError("a failure is always a setback")
            own = backoff(attempt, self._random, first=_FIRST_WAIT, longest=_LONGEST_WAIT)
            wait = max(own, setback.error.retry_after or 0.0)
            if setback.pushed:
                self._pressure.pushed_back(min(wait, attempts.MAX_WAIT))
            if not setback.again or attempt >= min(self._max_attempts, setback.most or self._max_attempts):
                setback.error.details = {"attempts": attempt, "call": call.name}
                raise setback.error
            log.info("%s: %s; attempt %d follows in %.1f s", call.name, setback.error.code, attempt + 1, wait)
            self._usage.retried()
            if not setback.pushed:
                self._pause(wait, stop)  # after a push-back, everybody waits in front of the slot

    def read(self, call: Call, stop: threading.Event) -> dict[str, Any]:
        """The answer's JSON object."""
        body: dict[str, Any] = {}

        def parse(answer: Answer) -> Setback | None:
            parsed = attempts.read_json(call, answer, where=self._where)
            if isinstance(parsed, Setback):
                return parsed
            body.update(parsed)
            return None

        self.send(call, stop, parse)
        return body

    def _once(self, call: Call, stop: threading.Event, latest: float) -> Answer | Failure:
        username, password = self._sign_on()
        headers = {
            "Content-Type": "application/json",
            "Accept": call.accept,
            "X-Request-Source": self.request_source,
        }

        def pause(seconds: float) -> None:
            if self._clock() + seconds > latest:
                raise errors.not_sent(f"{self._where} asks callers to wait, or they wait for one another.")
            self._pause(seconds, stop)

        with self._pressure.slot(pause):
            self._usage.count(call.name, write=call.writes)
            return self._transport.send(
                call.method, call.url, headers=headers, username=username, password=password, body=call.body
            )

    def _sign_on(self) -> tuple[str, str]:
        secret = self._credentials()
        username, password = secret.get("username", "").strip().upper(), secret.get("password", "")
        if not username or ":" in username:
            raise CredentialsMissing(
                f"Sage 300 company {self._company}: there is no usable user name. "
                "Set it with `sagezoho credentials set CONNECTION sage300`."
            )
        return username, password

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        if stop.is_set():
            raise Stopped
        if seconds > 0:
            if self._sleep is not None:
                self._sleep(seconds)
            else:
                stop.wait(seconds)
        if stop.is_set():
            raise Stopped
