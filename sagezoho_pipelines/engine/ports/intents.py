"""Creates that were announced, and the numbers handed out for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sagezoho_pipelines.domain.settlement import Intent, IntentRequest


class Intents(Protocol):
    """Written before a create is sent, so that what became of it can be read afterwards."""

    def begin_intents(
        self, connection: str, requests: Sequence[IntentRequest], *, at: datetime, run_id: str = ""
    ) -> dict[str, Intent]:
        """Write or re-open the intent of each business key before anything is sent; keyed by business key."""
        ...

    def intent_of(
        self, connection: str, target_system: str, target_entity: str, source_entity: str, source_key: str
    ) -> Intent | None:
        """The open intent made earlier for this source record, so that a number once chosen stays chosen."""
        ...

    def made_elsewhere(self, connection: str, request: IntentRequest, zoho_entity: str, *, before: int) -> str | None:
        """Of this Zoho record, what another connection made of it, or is about to make by an older intent than
        `before`: in words, e.g. `order ORD000001 of saminc`. Two connections may read one Zoho organisation."""
        ...

    def sending(self, intent_id: int, payload_digest: str) -> None:
        """Note what an intent that an earlier attempt left open is about to be sent with."""
        ...

    def next_number(self, connection: str, sequence: str, *, start: int = 1) -> int: ...
