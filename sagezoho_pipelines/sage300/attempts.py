"""Weighing one exchange: is it the answer, may the same request be sent again, or must somebody look first?

A request that writes once (a POST) is sent again only when the server has provably not begun with it: no connection
was made, or it answered 429. Everything else that is not an answer leaves the outcome unknown. A 503 comes from IIS,
which may be recycling the pool under a request that was already committed, so it proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from sagezoho_pipelines.calls.waits import retry_after
from sagezoho_pipelines.calls.wire import Failure
from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.sage300 import errors
from sagezoho_pipelines.sage300.transport import Answer

#: Longest wait within one call; a server that asks for more is left to a later attempt of the engine.
MAX_WAIT: Final = 60.0
#: A fault inside Sage seldom mends itself within seconds.
MAX_ATTEMPTS_AT_500: Final = 3


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it will be sent, however often. `name` is what it is counted under."""

    method: str
    url: str
    name: str
    body: bytes | None = None
    once: bool = False  # must not be carried out twice
    listing: bool = False  # reads a set: a refusal concerns the whole connection
    accept: str = "application/json"

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Setback:
    """Anything but the answer. `again`: the same request may be sent again; `pushed`: the server wants a pause."""

    error: VendorError
    again: bool = False
    pushed: bool = False
    most: int | None = None


def weigh(call: Call, outcome: Answer | Failure, *, where: str, now: datetime) -> Setback | None:
    """None for a success. `where` is host and port, for the person who reads the error."""
    if isinstance(outcome, Failure):
        return _no_answer(call, outcome, where)
    if 200 <= outcome.status < 300:
        return None
    if outcome.status < 400:
        target = urlsplit(outcome.headers.get("Location", "")).netloc or "another path"
        return Setback(errors.not_the_web_api(f"{where} sends us on to {target}.", status=outcome.status))
    wait = retry_after(outcome.headers.get("Retry-After", ""), now, date=outcome.headers.get("Date", ""))
    fault = errors.read_fault(outcome.status, outcome.content_type, outcome.body)
    error = errors.to_error(fault, listing=call.listing, retry_after=wait)
    pushed = outcome.status in (429, 503)
    if call.once and (outcome.status >= 500 or outcome.status == 408):
        return Setback(errors.unknown_outcome(error), pushed=pushed)
    patient = error.retry_after is None or error.retry_after < MAX_WAIT
    again = error.verdict is Verdict.RETRY and outcome.status not in (409, 423) and patient
    return Setback(error, again=again, pushed=pushed, most=MAX_ATTEMPTS_AT_500 if outcome.status == 500 else None)


def read_json(call: Call, answer: Answer, *, where: str) -> Any:
    """The body of a success as JSON, or the setback it really is."""
    try:
        body = json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return _unreadable(call, answer, where)
    if not isinstance(body, Mapping):
        return _unreadable(call, answer, where)
    if "error" in body and "value" not in body and len(body) == 1:
        fault = errors.read_fault(500, answer.content_type, answer.body)
        error = errors.to_error(fault, listing=call.listing)
        return Setback(errors.unknown_outcome(error) if call.once else error)
    return body


def _no_answer(call: Call, failure: Failure, where: str) -> Setback:
    text = f"No answer from {where}: {failure.text}."
    error = errors.unreachable(text) if failure.unreachable else errors.no_answer(failure.code, text)
    if call.once and failure.sent:
        return Setback(errors.unknown_outcome(error))
    return Setback(error, again=failure.transient)


def _unreadable(call: Call, answer: Answer, where: str) -> Setback:
    """A 2xx that cannot be read: half of an answer, or a page of something that is not the Web API."""
    broken = "json" in answer.content_type.lower() or not answer.body.strip()
    if broken:
        error = errors.no_answer("AnswerUnreadable", f"{where} sent half an answer.", status=answer.status)
    else:
        page = errors.read_fault(answer.status, answer.content_type, answer.body).text[:300]
        error = errors.not_the_web_api(f"{where} answered with {page}.", status=answer.status)
    if call.once:
        return Setback(errors.unknown_outcome(error))
    return Setback(error, again=broken)
