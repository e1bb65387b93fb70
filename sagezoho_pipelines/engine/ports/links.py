"""The mapping table, and what people keep out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits
from sagezoho_pipelines.domain.records import EntityRef, GivesWay, Link


class Links(Protocol):
    """Which Sage record and which Zoho record are the same thing."""

    def links_by_sage(
        self, connection: str, sage_entity: str, zoho_entity: str, ids: Sequence[str]
    ) -> dict[str, Link]: ...

    def links_by_zoho(
        self, connection: str, zoho_entity: str, sage_entity: str, ids: Sequence[str]
    ) -> dict[str, Link]: ...

    def links_by_name(
        self, connection: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
    ) -> list[Link]:
        """Links whose Sage record was last seen under one of these names, and equal to its pair not since `before`."""
        ...

    def unsettle(self, sent: Sequence[tuple[Link, Iterable[str]]]) -> None:
        """Note, before an update is sent, which fields it writes: until the link is settled they count as unknown."""
        ...

    def give_way(self, noted: Sequence[tuple[Link, Sequence[GivesWay]]]) -> None:
        """Note, before an update is sent, what people typed and it overrides: kept until the link is settled."""
        ...

    def edit_links(self, edits: LinkEdits, *, at: datetime) -> None:
        """Change the mapping table as a person asked, with looks and audit: all of it, or nothing.

        Raises LinkTaken where a record is bound already, LinkBusy while one is being delivered, and LinkGone for a
        link that is no longer there."""
        ...

    def left_alone(self, entity: EntityRef, keys: Sequence[str] | None = None) -> dict[str, LeftAlone]:
        """Of these records (of all, where none are named), those that a person decided not to bring over."""
        ...
