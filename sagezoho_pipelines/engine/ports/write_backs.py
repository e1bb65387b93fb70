"""What Zoho's records are told about their other side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sagezoho_pipelines.domain.records import EntityRef, Row
from sagezoho_pipelines.domain.write_backs import Standing, Told


class WriteBacks(Protocol):
    """What stands in the inbox, and what was told of it."""

    def standing(self, entity: EntityRef, keys: Sequence[str], *, or_dismissed: bool = False) -> dict[str, Standing]:
        """Of these records, those in the inbox; or those too that a person took out of it."""
        ...

    def dismissed(self, entity: EntityRef, keys: Sequence[str], *, code: str) -> dict[str, Row]:
        """Of these records, the errors of this code that a person took out of the inbox last."""
        ...

    def told(self, connection: str, module: str, ids: Sequence[str]) -> dict[str, Told]:
        """What these Zoho records were told last about their other side."""
        ...

    def tell(self, connection: str, module: str, rows: Sequence[Told]) -> None: ...
