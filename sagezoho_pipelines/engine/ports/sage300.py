"""What the engine needs of Sage 300."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage


class Sage300(Protocol):
    """The Sage 300 Web API of one company. Entity sets are named `AP/APVendors`."""

    usage: Usage

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        """Stream a set in primary-key order; no row is missed when rows are inserted or deleted meanwhile."""
        ...

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        """All rows that match; an `in` condition is split so that no request has more than ten terms."""
        ...

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None: ...

    def create(self, entity_set: str, body: Row) -> Row:
        """POST once: never sent again by the client. Raises OutcomeUnknown when no answer proves what happened."""
        ...

    def patch(self, entity_set: str, key: str | int, body: Row) -> None: ...

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        """The fields of each set as the server itself describes them; an unknown set has none."""
        ...

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        """The cheapest question: one row, one column."""
        ...
