"""What an error of ours becomes in Dagster: one clear message, and whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from sagezoho_pipelines.domain.errors import LedgerUnavailable, SagezohoError, VendorError, Verdict

#: Somebody is waiting for the answer: a failed step is told at once and not tried again.
ATTENDED_TAG = "sagezoho/attended"

#: Metadata that says which of our errors a failed step met.
ERROR_TYPE = "error_type"


def may_pass(error: SagezohoError) -> bool:
    """Whether the same step may succeed a little later without anybody doing anything."""
    return isinstance(error, LedgerUnavailable) or (isinstance(error, VendorError) and error.verdict is Verdict.RETRY)


def failure(error: SagezohoError, *, attended: bool) -> dg.Failure:
    facts: dict[str, str] = {ERROR_TYPE: type(error).__name__}
    if isinstance(error, VendorError):
        named = {"system": error.system, "code": error.code, "field": error.field, "verdict": error.verdict}
        facts |= {name: str(value) for name, value in named.items() if value}
    return dg.Failure(str(error), metadata=facts, allow_retries=may_pass(error) and not attended)


@contextmanager
def told_clearly(tags: Mapping[str, str]) -> Iterator[None]:
    """Our errors leave a step as its one message, without the stack that led there; all others are bugs and keep it."""
    attended = tags.get(ATTENDED_TAG) == "true"
    try:
        yield
    except SagezohoError as error:
        raise failure(error, attended=attended) from None
    except Exception as error:
        if not attended:
            raise
        # Nobody should wait for the retries of a bug.
        raise dg.Failure(str(error), metadata={ERROR_TYPE: type(error).__name__}, allow_retries=False) from error
