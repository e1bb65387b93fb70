"""Sending one call to Zoho CRM: token, concurrency, credits, back-off, and the judgement of what came back."""

from __future__ import annotations

import contextlib
import logging
import random as _random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from sagezoho_pipelines.calls.waits import backoff, retry_after, utc_now
from sagezoho_pipelines.calls.wire import Failure, new_session
from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.zoho_crm import errors, limits
from sagezoho_pipelines.zoho_crm.credits import CreditMeter
from sagezoho_pipelines.zoho_crm.oauth import TokenSource
from sagezoho_pipelines.zoho_crm.pressure import Gate
from sagezoho_pipelines.zoho_crm.wire import (
    Answer,
    NoAnswer,
    Timeouts,
    TokenAuth,
    exchange,
    host_of,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `resend`: sending it twice does what sending it once does. `rows` names the key of the row results,
    for calls whose failures are told row by row."""

    name: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    write: bool = False
    resend: bool = True
    heavy: bool = False
    credits: int = limits.CREDIT
    module: str = ""
    rows: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """Zoho's JSON, or None where it answered that there is nothing (204, 304). `server_time` is Zoho's clock at the
    latest when it began to answer."""

    status: int
    body: Mapping[str, Any] | None
    server_time: datetime


class Transport:
    """Thread-safe. Every wait is bounded: by the time-outs, by `max_attempts`, by the longest back-off."""

    def __init__(
        self,
        *,
        token_source: TokenSource,
        usage: Usage,
        concurrency: int = 10,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
        max_attempts: int = 6,
        session: requests.Session | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        gate: Gate | None = None,
    ) -> None:
        self.usage = usage
        self.concurrency = concurrency
        self.meter = CreditMeter(usage)
        self._tokens = token_source
        self._session = session or new_session(concurrency)
        self._timeouts, self._max_attempts = timeouts, max_attempts
        self._clock, self._monotonic, self._sleep, self._random = clock, monotonic, sleep, random
        self._gate = gate or Gate(concurrency, monotonic=monotonic, sleep=sleep, random=random)
        self._pressure = self._gate.pressure
        self._ahead: timedelta | None = None

    @property
    def server_time(self) -> datetime | None:
        """Zoho's clock now, going by its latest answer; None before the first."""
        return None if self._ahead is None else self._clock() + self._ahead

    def close(self) -> None:
        self._session.close()

    def send(self, call: Call) -> Reply:
        """The reply, row failures included. Raises OutcomeUnknown for a write that may have been carried out and must
        not be sent again, VendorError for everything else that failed as a whole."""
        rejected: AccessToken | None = None
        sent = False  # whether any attempt may have been carried out
        attempt = 1
        while True:
            token = self._tokens.token() if rejected is None else self._tokens.renew(rejected)
            try:
                return self._once(call, token)
            except _TokenRejected as problem:
                if rejected is not None:
                    raise problem.error from None
                rejected = token
                self.usage.retried(call.credits)
                continue
            except _Again as problem:
                sent = sent or problem.sent
                self._give_up_or_wait(call, problem, attempt, sent=sent)
            attempt += 1

    def _give_up_or_wait(self, call: Call, problem: _Again, attempt: int, *, sent: bool) -> None:
        error = problem.error
        last = attempt >= self._max_attempts
        if call.write and sent and (last or not call.resend):
            raise errors.outcome_unknown(call.name, error.text, code=error.code, status=error.status) from None
        if last:
            raise error from None
        self.usage.retried(call.credits)
        _log.info("%s is sent again: %s", call.name, error.code)
        if not problem.pushed:
            self._sleep(backoff(attempt, self._random, first=0.5, longest=20.0))

    def _once(self, call: Call, token: AccessToken) -> Reply:
        url = f"{token.api_domain}{call.path}"
        headers = {"Accept": "application/json", "Content-Type": "application/json", **call.headers}
        body = None if call.body is None else json.dumps(call.body).encode()
        with self._slot(call):
            self._pressure.wait()
            self.usage.count(call.name, write=call.write, credits=call.credits)
            try:
                answer = exchange(
                    self._session, call.method, url, auth=TokenAuth(token.value), timeouts=self._timeouts,
                    params=call.params, headers=headers, body=body, monotonic=self._monotonic,
                )  # fmt: skip
            except NoAnswer as problem:
                raise _unanswered(call, url, problem.failure) from None
        self.meter.saw(answer.header(limits.CREDITS_HEADER))
        return self._judge(call, answer)

    def _slot(self, call: Call) -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        if call.heavy:
            stack.enter_context(self._gate.heavy_slots)
        stack.enter_context(self._gate.slots)
        return stack

    def _judge(self, call: Call, answer: Answer) -> Reply:
        """The body decides; the status only where there is no body to go by."""
        body = _parsed(answer)
        if body is not None and call.rows and isinstance(body.get(call.rows), list):
            self._pressure.relax()
            return self._reply(answer, body)
        if body is not None and answer.status >= 300:
            body = _refusal(body)
        code = str(body.get("code") or "") if body is not None else ""
        if answer.status == 429 or code in errors.THROTTLED:
            told = body if code else {"code": "TOO_MANY_REQUESTS", "message": "too many requests"}
            raise self._pushed_back(call, answer, told, sent=False)  # refused at the door: it was not carried out
        if answer.status == 503 or code in errors.AWAY:
            raise self._pushed_back(call, answer, body, sent=True)
        if code in errors.TOKEN_REJECTED or (answer.status == 401 and not code):
            told = body or {"code": "AUTHENTICATION_FAILURE", "message": "the access token was not accepted"}
            raise _TokenRejected(errors.top_level(told, status=answer.status, module=call.module))
        if answer.status in (204, 304) and not answer.content:
            self._pressure.relax()
            return self._reply(answer, None)
        if body is None:
            problem = errors.not_json(call.name, status=answer.status, content_type=answer.header("Content-Type"))
            if answer.status >= 500 or answer.status < 300:
                raise _Again(problem, sent=True)  # half an answer, or a gateway's page: nothing is proved
            raise problem
        if answer.status >= 500 or code in errors.TRANSIENT:
            raise _Again(errors.top_level(body, status=answer.status, module=call.module), sent=True)
        if answer.status >= 300 or body.get("status") == "error":
            raise errors.top_level(body, status=answer.status, module=call.module)
        self._pressure.relax()
        return self._reply(answer, body)

    def _pushed_back(self, call: Call, answer: Answer, told: Mapping[str, Any] | None, *, sent: bool) -> _Again:
        """Everybody rests, in other processes too: what turned this call away turns the next one away."""
        asked = retry_after(answer.header("Retry-After"), self._clock(), date=answer.header("Date"))
        wait = self._pressure.strike(asked)
        if told is None:
            error = errors.not_json(call.name, status=answer.status, content_type=answer.header("Content-Type"))
        else:
            error = errors.top_level(told, status=answer.status, module=call.module)
        error.retry_after = max(wait, asked or 0.0)
        return _Again(error, sent=sent, pushed=True)

    def _reply(self, answer: Answer, body: Mapping[str, Any] | None) -> Reply:
        try:
            told = parsedate_to_datetime(answer.header("Date")).astimezone(UTC)
            self._ahead = told - self._clock()
        except (TypeError, ValueError):
            told = self._clock()  # a proxy dropped the header
        # The header is stamped when the answer is ready: what was read is as old as the call.
        return Reply(answer.status, body, told - timedelta(seconds=answer.elapsed))


class _Again(Exception):
    """Worth another attempt. `sent` is False where it is certain that nothing was carried out; `pushed` where all
    callers wait anyway."""

    def __init__(self, error: VendorError, *, sent: bool, pushed: bool = False) -> None:
        self.error, self.sent, self.pushed = error, sent, pushed
        super().__init__(str(error))


class _TokenRejected(Exception):
    def __init__(self, error: VendorError) -> None:
        self.error = error
        super().__init__(str(error))


def _unanswered(call: Call, url: str, failure: Failure) -> _Again:
    if failure.unreachable:
        return _Again(errors.unreachable(host_of(url), failure.text), sent=failure.sent)
    return _Again(errors.no_answer(call.name, failure.text), sent=failure.sent)


def _parsed(answer: Answer) -> Mapping[str, Any] | None:
    if not answer.content:
        return None
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, Mapping) else None


def _refusal(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The refusal itself, which some calls wrap in a list of one."""
    data = body.get("data")
    wrapped = isinstance(data, list) and len(data) == 1 and isinstance(data[0], Mapping) and "code" not in body
    return data[0] if wrapped and isinstance(data, list) else body
