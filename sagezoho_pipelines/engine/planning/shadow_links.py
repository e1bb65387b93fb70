"""A shadow of the mapping table: links made here stand before those of the ledger (see `ledger/links.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sagezoho_pipelines.domain.errors import LinkTaken
from sagezoho_pipelines.domain.links import Side, sides
from sagezoho_pipelines.domain.records import Link, System
from sagezoho_pipelines.engine.ports import Ledger


class ShadowLinks:
    """Not thread-safe: the ledger around it is."""

    def __init__(self, real: Ledger) -> None:
        self._real = real
        self._by_sage: dict[Side, Link] = {}
        self._by_zoho: dict[Side, Link] = {}
        self._ended: set[Side] = set()

    def by_sage(self, connection: str, sage_entity: str, zoho_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        mine = [self._by_sage.get((connection, sage_entity, one, zoho_entity)) for one in ids]
        found = self._unshadowed(self._real.links_by_sage(connection, sage_entity, zoho_entity, ids).values())
        return {link.sage_id: link for link in [*found, *(link for link in mine if link is not None)]}

    def by_zoho(self, connection: str, zoho_entity: str, sage_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        mine = [self._by_zoho.get((connection, zoho_entity, one, sage_entity)) for one in ids]
        found = self._unshadowed(self._real.links_by_zoho(connection, zoho_entity, sage_entity, ids).values())
        return {link.zoho_id: link for link in [*found, *(link for link in mine if link is not None)]}

    def by_name(
        self, connection: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
    ) -> list[Link]:
        found = self._unshadowed(self._real.links_by_name(connection, sage_entity, zoho_entity, names, before=before))
        wanted = frozenset(names)
        mine = [
            link
            for (name, entity, _, module), link in self._by_sage.items()
            if link.sage_name in wanted
            and (name, entity, module) == (connection, sage_entity, zoho_entity)
            and (link.seen_equal_at is None or link.seen_equal_at < before)
        ]
        return [*found, *mine]

    def end(self, link: Link) -> None:
        """The link no longer holds."""
        sage, zoho = sides(link)
        self._ended.add(sage)
        self._by_sage.pop(sage, None)
        self._by_zoho.pop(zoho, None)

    def check(self, links: Sequence[Link], source: System) -> None:
        """Raises LinkTaken for a target that another source record holds."""
        owners: dict[Side, Link] = {}
        for link in {sides(link)[source is System.ZOHO_CRM]: link for link in links}.values():
            target = sides(link)[source is System.SAGE300]
            if owners.setdefault(target, link) is not link:
                raise LinkTaken(link, owners[target])
            held = self._held(link, source)
            if held is not None and sides(held)[source is System.ZOHO_CRM] != sides(link)[source is System.ZOHO_CRM]:
                raise LinkTaken(link, held)

    def bind(self, link: Link, source: System) -> None:
        """A source record keeps one link, pointed anew if need be; who leads stays as it is."""
        before = self._of_source(link, source)
        if before is not None:
            same = (before.sage_id, before.zoho_id) == (link.sage_id, link.zoho_id)
            link = replace(
                link,
                authority=before.authority,
                exceptions=before.exceptions,
                made_by=before.made_by if same else link.made_by,
                sage_name=link.sage_name or before.sage_name,
                zoho_name=link.zoho_name or before.zoho_name,
                seen_equal_at=link.seen_equal_at or before.seen_equal_at,
            )
            sage, zoho = sides(before)
            self._by_sage.pop(sage, None)
            self._by_zoho.pop(zoho, None)
        sage, zoho = sides(link)
        self._by_sage[sage] = self._by_zoho[zoho] = link

    def unsettle(self, link: Link, names: Iterable[str]) -> None:
        """What is about to be sent counts as unknown until the link is bound anew."""
        held = self.by_sage(link.connection, link.sage_entity, link.zoho_entity, [link.sage_id]).get(link.sage_id)
        if held is not None:
            sage, zoho = sides(held)
            unknown = replace(held, unsettled=tuple(sorted({*held.unsettled, *names})))
            self._by_sage[sage] = self._by_zoho[zoho] = unknown

    def _of_source(self, link: Link, source: System) -> Link | None:
        if source is System.SAGE300:
            return self.by_sage(link.connection, link.sage_entity, link.zoho_entity, [link.sage_id]).get(link.sage_id)
        return self.by_zoho(link.connection, link.zoho_entity, link.sage_entity, [link.zoho_id]).get(link.zoho_id)

    def _held(self, link: Link, source: System) -> Link | None:
        other = System.ZOHO_CRM if source is System.SAGE300 else System.SAGE300
        return self._of_source(link, other)

    def _unshadowed(self, links: Iterable[Link]) -> list[Link]:
        """Those of the ledger whose neither side has a link here."""
        shadowed = {*self._by_sage, *self._ended}
        return [link for link in links if sides(link)[0] not in shadowed and sides(link)[1] not in self._by_zoho]
