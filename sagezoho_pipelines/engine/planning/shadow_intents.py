"""The intents that a plan would open, over those of the real ledger, which are only read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.errors import BusinessKeyTaken
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest
from sagezoho_pipelines.engine.ports import ReadableLedger

#: System, entity and business key of what is to be made.
_Target = tuple[str, str, str]
#: System and entity of what is to be made, entity and key of what it is made from.
_Source = tuple[str, str, str, str]


class ShadowIntents:
    """Not thread-safe: its ledger has the lock. `begun` holds what was asked for last, by target."""

    def __init__(self, real: ReadableLedger) -> None:
        self._real = real
        self._intents: dict[_Target, tuple[Intent, IntentRequest]] = {}
        self._of_source: dict[_Source, Intent] = {}
        self._closed: set[int] = set()
        self._done: set[_Target] = set()
        self._ids = itertools.count(-1, -1)
        self.begun: dict[_Target, IntentRequest] = {}

    def begin(self, connection: str, requests: Sequence[IntentRequest]) -> dict[str, Intent]:
        """Raises BusinessKeyTaken where a key, or the source record, is spoken for."""
        real = self._real.intents_as_begun(connection, [one for one in requests if _target(one) not in self._intents])
        return {request.business_key: self._begin(connection, request, real) for request in requests}

    def of(self, connection: str, source: _Source) -> Intent | None:
        """The open intent of a source record."""
        if source in self._of_source:
            return self._of_source[source]
        real = self._real.intent_of(connection, *source)
        return real if real is None or real.id not in self._closed else None

    def sending(self, intent_id: int, payload_digest: str) -> None:
        for target, (intent, request) in self._intents.items():
            if intent.id == intent_id:
                self._intents[target] = (replace(intent, payload_digest=payload_digest), request)

    def close(self, intent_id: int, *, settled: bool) -> None:
        self._closed.add(intent_id)
        for target, (intent, request) in list(self._intents.items()):
            if intent.id == intent_id:
                del self._intents[target]
                self._of_source.pop(_source(request), None)
                if settled:
                    self._done.add(target)

    def _begin(self, connection: str, request: IntentRequest, real: Mapping[str, Intent]) -> Intent:
        target, source = _target(request), _source(request)
        known = self._intents.get(target)
        if known is not None and _source(known[1]) != source:
            raise BusinessKeyTaken(
                f"{connection}: {request.business_key} is chosen for {known[1].source_entity} {known[1].source_key}"
            )
        mine = self.of(connection, source)
        if mine is not None and mine.business_key != request.business_key:
            raise BusinessKeyTaken(
                f"{connection}: {request.source_entity} {request.source_key} is about to become {mine.business_key}"
            )
        if known is not None:
            names = tuple(dict.fromkeys([*known[0].names, *([request.name] if request.name else ())]))
            intent = replace(known[0], attempt=known[0].attempt + 1, fresh=False, names=names)
        else:
            intent = real[request.business_key]
            intent = replace(intent, id=intent.id or next(self._ids), fresh=intent.fresh and target not in self._done)
        self._intents[target] = (intent, request)
        self._of_source[source] = intent
        self.begun[target] = request
        return intent


def _target(request: IntentRequest) -> _Target:
    return str(request.target_system), request.target_entity, request.business_key


def _source(request: IntentRequest) -> _Source:
    return str(request.target_system), request.target_entity, request.source_entity, request.source_key
