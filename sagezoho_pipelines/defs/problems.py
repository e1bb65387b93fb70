"""What an error of ours becomes in Dagster: one clear message, and whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from sagezoho_pipelines.domain.errors import LedgerUnavailable, SagezohoError, VendorError, Verdict

Metadata = dict[str, dg.MetadataValue]

#: A vendor that is away for a moment; polls come again anyway, this is for the backfill of many days.
RETRIES = dg.RetryPolicy(max_retries=2, delay=20, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

#: Somebody is waiting for the answer: a failed step is told at once and not tried again.
ATTENDED_TAG = "sagezoho/attended"

#: Metadata that says which of our errors a failed step met.
ERROR_TYPE = "error_type"
_LONGEST = 400


def may_pass(error: SagezohoError) -> bool:
    """Whether the same step may succeed a little later without anybody doing anything."""
    return isinstance(error, LedgerUnavailable) or (isinstance(error, VendorError) and error.verdict is Verdict.RETRY)


def is_final(error: Exception, tags: Mapping[str, str], *, attempt: int) -> bool:
    """Whether the step ends with this error, which was tried `attempt` times before."""
    if isinstance(error, SagezohoError) and not may_pass(error):
        return True
    return tags.get(ATTENDED_TAG) == "true" or attempt >= RETRIES.max_retries


def failure(error: SagezohoError, *, again: bool, done: Metadata | None = None) -> dg.Failure:
    """`done` is what the step had done before; `again` lets the step be tried once more where that can help."""
    facts: dict[str, Any] = {**(done or {}), ERROR_TYPE: type(error).__name__}
    if isinstance(error, VendorError):
        named = {"system": error.system, "code": error.code, "field": error.field, "verdict": error.verdict}
        facts |= {name: str(value) for name, value in named.items() if value}
    return dg.Failure(str(error), metadata=facts, allow_retries=may_pass(error) and again)


@contextmanager
def told_clearly(tags: Mapping[str, str], so_far: Sequence[Metadata] = (), *, attempt: int = 0) -> Iterator[None]:
    """Our errors leave a step as its one message, without the stack that led there; all others are bugs and keep it.

    `so_far` holds, by then, what the step had done. `attempt` says how often the step was tried before: the last time
    is not left to Dagster's policy, which would put its own "Exceeded max_retries" in place of the message.
    """
    attended = tags.get(ATTENDED_TAG) == "true"
    again = not attended and attempt < RETRIES.max_retries
    try:
        yield
    except SagezohoError as error:
        raise failure(error, again=again, done=_all(so_far)) from None
    except Exception as error:
        if not attended:
            raise
        # Nobody should wait for the retries of a bug.
        facts: dict[str, Any] = {**_all(so_far), ERROR_TYPE: type(error).__name__}
        raise dg.Failure(_of_bug(error), metadata=facts, allow_retries=False) from error


def _of_bug(error: Exception) -> str:
    """Only the first line: what follows it in a foreign message may be a statement with the values of records."""
    said = str(error).strip().partition("\n")[0][:_LONGEST] or "no message"
    return f"this should not happen: {type(error).__name__}: {said}. The run's log in Dagster says where: report it."


def _all(parts: Sequence[Metadata]) -> Metadata:
    return {name: value for part in parts for name, value in part.items()}
