"""Both vendors' clients as planning and carrying out see them: reads pass through, and what they show is heard.

What is done with writes is said by those that extend these: noted by a plan, held against it where it is carried out.
"""

# What no flow calls is refused, whatever it is given.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sagezoho_pipelines.domain.channels import Watch, Watched
from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.domain.zoho import RowResult, ZohoPage
from sagezoho_pipelines.engine.planning.writes import Names
from sagezoho_pipelines.engine.ports import Sage300, ZohoCrm


class PassingSage:
    """The reading half of `Sage300`. `names` hears of records that a plan has made."""

    def __init__(self, real: Sage300, names: Names) -> None:
        self._real = real
        self._names = names
        self.usage: Usage = real.usage

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        return self._real.pages(entity_set, select=select, where=where, page_size=page_size)

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(entity_set, where=where, select=select, limit=limit)
        for row in found:  # a record read back by its business key is the planned one
            self._names.saw_in_sage(entity_set, row)
        return found

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None:
        return self._real.get(entity_set, key, select=select)

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        return self._real.exists(entity_set, where=where)

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        return self._real.described(entity_sets)


class PassingZoho:
    """The reading half of `ZohoCrm`. Fields and channels are made elsewhere: asking for one is a fault of ours."""

    def __init__(self, real: ZohoCrm, names: Names) -> None:
        self._real = real
        self._names = names
        self.usage: Usage = real.usage

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        return self._real.changed_since(module, fields=fields, since=since, where=where, until=until)

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(module, where=where, fields=fields, limit=limit)
        for row in found:  # a record read back by its Sage key is the planned one
            self._names.saw_in_zoho(module, row)
        return found

    def get(self, module: str, record_id: str) -> Row | None:
        return self._real.get(module, record_id)

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        return self._real.get_many(module, ids, fields=fields)

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]:
        return self._real.deleted_since(module, since)

    def modules(self) -> list[Row]:
        return self._real.modules()

    def fields(self, module: str) -> list[Row]:
        return self._real.fields(module)

    def org(self) -> Row:
        return self._real.org()

    def current_user(self) -> Row:
        return self._real.current_user()

    def server_time(self) -> datetime:
        return self._real.server_time()

    def write_cost(self, rows: int) -> tuple[int, int]:
        return self._real.write_cost(rows)

    def channel(self, channel_id: int) -> list[Watched]:
        return self._real.channel(channel_id)

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]:
        raise _no_part("create_fields")

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise _no_part("enable_channels")

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise _no_part("replace_channels")

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise _no_part("renew_channels")

    def disable_channel(self, channel_id: int) -> None:
        raise _no_part("disable_channel")


def _no_part(call: str) -> NotImplementedError:
    return NotImplementedError(f"a plan runs the flows only: {call} is none of their calls")
