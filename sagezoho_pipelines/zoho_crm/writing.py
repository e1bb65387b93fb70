"""Writing records: any number of rows in hundreds, and Zoho's answer for each row matched to its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.zoho_crm import coql, errors, limits
from sagezoho_pipelines.zoho_crm.reading import instant
from sagezoho_pipelines.zoho_crm.transport import Call, Reply, Transport

Operation = Literal["insert", "update", "upsert"]
_METHOD: Mapping[Operation, str] = {"insert": "POST", "update": "PUT", "upsert": "POST"}


class Writer:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def write(
        self,
        operation: Operation,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str],
        duplicate_check: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        """One result per row, in input order. Where several requests are needed and only some fail as a whole, those
        rows carry the failure as their error, so that what was written is known; where all fail, the first is raised.
        """
        keys = ("id",) if operation == "update" else tuple(duplicate_check)
        headers = {} if unmodified_since is None else {"If-Unmodified-Since": coql.instant(unmodified_since)}
        calls = [
            (chunk, self._call(operation, module, chunk, trigger, duplicate_check, keys, headers))
            for chunk in coql.chunked(rows, limits.ROWS_PER_WRITE)
        ]
        if not calls:
            return []
        # Two rows of one record must arrive in order, so such input is not sent side by side.
        side_by_side = 1 if operation != "insert" and _repeats(rows, keys) else self._transport.concurrency
        outcomes = self._run(calls, operation, side_by_side)
        failures = [each for each in outcomes if isinstance(each, VendorError)]
        if len(failures) == len(outcomes):
            raise failures[0]
        results: list[RowResult] = []
        for (chunk, _), outcome in zip(calls, outcomes, strict=True):
            results += [RowResult(error=outcome)] * len(chunk) if isinstance(outcome, VendorError) else outcome
        return results

    def _run(
        self, calls: Sequence[tuple[Sequence[Row], Call]], operation: Operation, side_by_side: int
    ) -> list[list[RowResult] | VendorError]:
        def one(item: tuple[Sequence[Row], Call]) -> list[RowResult] | VendorError:
            chunk, call = item
            try:
                results = row_results(call, self._transport.send(call), chunk, operation)
            except VendorError as error:
                return error
            return [_named(result, call) for result in results]

        if len(calls) == 1 or side_by_side == 1:
            return [one(item) for item in calls]
        with ThreadPoolExecutor(max_workers=min(len(calls), side_by_side)) as pool:
            return list(pool.map(one, calls))

    def _call(
        self,
        operation: Operation,
        module: str,
        rows: Sequence[Row],
        trigger: Sequence[str],
        duplicate_check: Sequence[str],
        keys: Sequence[str],
        headers: Mapping[str, str],
    ) -> Call:
        body: dict[str, Any] = {"data": list(rows), "trigger": list(trigger)}
        if operation == "upsert":
            # Without it Zoho matches Accounts by Account_Name, and changes a namesake.
            body["duplicate_check_fields"] = list(duplicate_check)
        path = f"/crm/{limits.API_VERSION}/{coql.module_name(module)}" + ("/upsert" if operation == "upsert" else "")
        return Call(
            name=f"{operation} {module}",
            method=_METHOD[operation],
            path=path,
            headers=headers,
            body=body,
            write=True,
            resend=operation != "insert" and all(_repeatable(row, keys) for row in rows),
            heavy=limits.is_heavy_write(len(rows)),
            credits=limits.write_credits(len(rows)),
            module=module,
            rows="data",
        )


def row_results(call: Call, reply: Reply, rows: Sequence[Row], operation: str) -> list[RowResult]:
    """Match Zoho's rows to ours by position: it echoes nothing of the input. Raises OutcomeUnknown when they differ in
    number, since then no row's fate is known."""
    told = reply.body.get(call.rows) if reply.body else None
    if not isinstance(told, list) or len(told) != len(rows) or not all(isinstance(each, Mapping) for each in told):
        count = len(told) if isinstance(told, list) else "no"
        raise errors.outcome_unknown(
            call.name, f"{count} results for {len(rows)} rows", code="ROW_COUNT_MISMATCH", status=reply.status
        )
    return [_row_result(answer, row, reply.status, operation) for answer, row in zip(told, rows, strict=True)]


def _named(result: RowResult, call: Call) -> RowResult:
    """A record that was written under an id nobody knows cannot be linked: it is read back by its key."""
    if result.id is not None or result.error is not None:
        return result
    return RowResult(error=errors.outcome_unknown(call.name, "a row without the record's id", code="ID_MISSING"))


def _row_result(answer: Mapping[str, Any], row: Row, status: int, operation: str) -> RowResult:
    details = answer.get("details")
    details = details if isinstance(details, Mapping) else {}
    if answer.get("code") != errors.SUCCESS and answer.get("status") != "success":
        return RowResult(id=_id(row.get("id")), error=errors.row_error(answer, status=status))
    return RowResult(
        id=_id(details.get("id")) or _id(row.get("id")),
        created=_created(answer, operation),
        modified_time=_time(details.get("Modified_Time")),
    )


def _created(answer: Mapping[str, Any], operation: str) -> bool:
    if operation == "upsert":
        action = answer.get("action")
        return action == "insert" if action else answer.get("message") == "record added"
    return operation == "insert"


def _id(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _time(value: Any) -> datetime | None:
    try:
        return instant(str(value)) if value else None
    except ValueError:
        return None


def _repeatable(row: Row, keys: Sequence[str]) -> bool:
    """Whether sending the row twice does what sending it once does. Not so without a key, which inserts each time, and
    not with subform rows: Zoho adds those without an id again, and cannot delete one twice."""
    if not any(row.get(key) not in (None, "") for key in keys):
        return False
    return not any(
        isinstance(line, Mapping) and ("id" not in line or "_delete" in line)
        for value in row.values()
        if isinstance(value, (list, tuple))
        for line in value
    )


def _repeats(rows: Sequence[Row], keys: Sequence[str]) -> bool:
    for key in keys:
        values = [str(row[key]).casefold() for row in rows if row.get(key) not in (None, "")]
        if len(set(values)) < len(values):
            return True
    return False
