"""What a flow's sync may do without anybody having seen it."""

from __future__ import annotations

from pydantic import Field

from sagezoho_pipelines.config.section import Section


class Guards(Section):
    """What a sync may do without anybody having seen it; a sync that would do more stops before its first write.

    `max_creates` and `max_deletes` count records, `max_updates_pct` is a share (0 to 100) of the linked ones. What is
    left out is not guarded.
    """

    max_creates: int | None = Field(None, ge=0)
    max_updates_pct: float | None = Field(None, ge=0, le=100)
    max_deletes: int | None = Field(None, ge=0)

    @property
    def active(self) -> bool:
        return (self.max_creates, self.max_updates_pct, self.max_deletes) != (None, None, None)
