"""The Zoho CRM client of one connection: one door, behind it a small module per kind of call.

coql, reading      conditions as COQL, keyset reading
records            by id, deleted
writing            insert, update, upsert
settings           modules, fields, organisation
channels           notification channels
transport          token, concurrency, credits, back-off, judgement of answers
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import requests

from sagezoho_pipelines.calls.waits import utc_now
from sagezoho_pipelines.domain.channels import Watch, Watched
from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.domain.zoho import RowResult, ZohoPage
from sagezoho_pipelines.zoho_crm import limits
from sagezoho_pipelines.zoho_crm.channels import Channels
from sagezoho_pipelines.zoho_crm.errors import refused_here
from sagezoho_pipelines.zoho_crm.oauth import TokenSource
from sagezoho_pipelines.zoho_crm.pressure import Gate
from sagezoho_pipelines.zoho_crm.reading import Reader
from sagezoho_pipelines.zoho_crm.records import Records
from sagezoho_pipelines.zoho_crm.settings import Settings
from sagezoho_pipelines.zoho_crm.transport import Transport
from sagezoho_pipelines.zoho_crm.wire import Timeouts
from sagezoho_pipelines.zoho_crm.writing import Writer


class ZohoCrmClient:
    """Zoho CRM of one organisation; thread-safe. Back-off and concurrency are its own, or shared through `gate`.

    All calls raise VendorError, typed by verdict. Writes give one result per row; a failure of the whole request is
    raised, as OutcomeUnknown where it may have been carried out.
    """

    def __init__(
        self,
        *,
        connection: str,
        token_source: TokenSource,
        concurrency: int = 10,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
        max_attempts: int = 6,
        usage: Usage | None = None,
        gate: Gate | None = None,
        session: requests.Session | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.connection = connection
        self.token_source = token_source
        self.usage = usage if usage is not None else Usage()
        self._transport = Transport(
            token_source=token_source, usage=self.usage, concurrency=concurrency, timeouts=timeouts,
            max_attempts=max_attempts, session=session, clock=clock, monotonic=monotonic, sleep=sleep, random=random,
            gate=gate,
        )  # fmt: skip
        self._reader = Reader(self._transport)
        self._records = Records(self._transport)
        self._writer = Writer(self._transport)
        self._settings = Settings(self._transport)
        self._channels = Channels(self._transport)

    @property
    def credit_drift(self) -> int:
        """Credits that Zoho took beyond our own count since it first told its figure."""
        return self._transport.meter.drift

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> ZohoCrmClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        """Pages in (Modified_Time, id) order, `since` inclusive, `until` exclusive; rows always hold both keys.

        The first page always comes, though it be empty, and tells Zoho's time. A row changed while the read goes on
        may come again with its newer time.
        """
        return self._reader.changed_since(module, fields=fields, since=since, where=where, until=until)

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        """All rows that match; a long `in` is split. Zoho may compare texts without regard to case."""
        return self._reader.find(module, where=where, fields=fields, limit=limit)

    def get(self, module: str, record_id: str) -> Row | None:
        """One whole record with its subforms, or None."""
        return self._records.get(module, record_id)

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        """Those of the records that exist, in the order of `ids`, without subforms."""
        return self._records.get_many(module, ids, fields=fields)

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]:
        """Records deleted at or after `since`: id, display_name, type, deleted_time."""
        return self._records.deleted_since(module, since)

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        """Each row once. After an unknown outcome nothing is sent again: raises OutcomeUnknown."""
        return self._writer.write("insert", module, rows, trigger=trigger)

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        """Rows with their `id` and the fields to change. Subform rows without an id are added, not replaced.

        A record modified after `unmodified_since`, to the second, is left alone: its row says ALREADY_MODIFIED.
        """
        if any(row.get("id") in (None, "") for row in rows):
            raise refused_here("every row of an update needs its id.", field="id")
        return self._writer.write("update", module, rows, trigger=trigger, unmodified_since=unmodified_since)

    def upsert(
        self, module: str, rows: Sequence[Row], *, duplicate_check: Sequence[str], trigger: Sequence[str] = ()
    ) -> list[RowResult]:
        """Update the record that holds the same value in a `duplicate_check` field, else insert. The fields must be
        unique ones; Zoho also looks in the module's other unique fields."""
        if not duplicate_check:
            raise refused_here("an upsert needs its duplicate_check fields: without them Zoho matches by name.")
        return self._writer.write("upsert", module, rows, trigger=trigger, duplicate_check=duplicate_check)

    def write_cost(self, rows: int) -> tuple[int, int]:
        """Calls and credits that an insert, update or upsert of so many rows takes."""
        chunks = [limits.ROWS_PER_WRITE] * (rows // limits.ROWS_PER_WRITE) + [rows % limits.ROWS_PER_WRITE]
        sent = [chunk for chunk in chunks if chunk]
        return len(sent), sum(limits.write_credits(chunk) for chunk in sent)

    def modules(self) -> list[Row]:
        return self._settings.modules()

    def fields(self, module: str) -> list[Row]:
        return self._settings.fields(module)

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]:
        """Custom fields; DUPLICATE_DATA on a row means that it exists already."""
        return self._settings.create_fields(module, fields)

    def org(self) -> Row:
        return self._settings.org()

    def current_user(self) -> Row:
        return self._settings.current_user()

    def server_time(self) -> datetime:
        """Zoho's own clock, UTC: going by its latest answer, or asked for where there was none."""
        return self._transport.server_time or self._settings.server_time()

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        """Subscribe, or subscribe again; each result tells when the channel expires."""
        return self._channels.watch("POST", wanted)

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        """Known channels: nothing of what they were is left. NOT_SUBSCRIBED on a row: Zoho does not know it."""
        return self._channels.watch("PUT", wanted)

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        """Known channels: new expiry, token and address. NOT_SUBSCRIBED on a row: Zoho does not know it."""
        return self._channels.watch("PATCH", wanted)

    def channel(self, channel_id: int) -> list[Watched]:
        """A channel as Zoho has it, one entry per module; empty when Zoho knows none."""
        return self._channels.listed(channel_id)

    def disable_channel(self, channel_id: int) -> None:
        """Unsubscribe. Raises VendorError NOT_SUBSCRIBED where Zoho knows none."""
        self._channels.disable(channel_id)
