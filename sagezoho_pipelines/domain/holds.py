"""A flow that waits for a person: nothing is lost meanwhile, its changes stay queued."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sagezoho_pipelines.domain.records import EntityRef

#: The code of a hold that no guard asked for: nobody has seen yet what the flow would do.
FIRST_SYNC = "first_sync"


@dataclass(frozen=True, slots=True)
class Hold:
    """`code` is the guard that would be crossed, or `first_sync`; `text` says with which figure.

    `news` says that nobody was told of it before.
    """

    entity: EntityRef
    flow: str
    code: str
    text: str
    advice: str
    since: datetime
    news: bool = field(default=False, compare=False)

    @property
    def first_sync(self) -> bool:
        return self.code == FIRST_SYNC

    def __str__(self) -> str:
        return f"{self.entity.connection}: {self.flow} waits for you. {self.text} {self.advice}"


@dataclass(frozen=True, slots=True)
class Weight:
    """What the due changes of an entity would do, by the queue and the links alone: at most this much.

    `linked` is how many records are linked at all.
    """

    creates: int
    updates: int
    deletes: int
    linked: int
