"""The rows of flow_table.py that apply to one connection: those of its enabled flows, and the assets they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import dagster as dg

from sagezoho_pipelines.config import FLOWS as FLOW_NAMES
from sagezoho_pipelines.config import Cadence, Connection
from sagezoho_pipelines.defs.flow_table import CAPTURES, DELIVERIES, ZOHO, Capture, Delivery, Name
from sagezoho_pipelines.engine import write_back
from sagezoho_pipelines.engine.run import FLOWS

#: The queue of what Zoho's records are still to be told, and whose deliveries tell them.
WRITE_BACKS: Name = (ZOHO, write_back.ENTITY)
_TOLD_OF: Sequence[Name] = ((ZOHO, "deals"), (ZOHO, "deal_accounts"))


@dataclass(frozen=True, slots=True)
class Poll:
    """What keeping one feed up to date takes: the flow whose job runs, and its cadence."""

    capture: Capture
    flow: str
    cadence: Cadence


@dataclass(frozen=True, slots=True)
class Taker:
    """Assets that one step writes when it delivers an entity's changes, and the flow whose job holds them."""

    flow: str
    group: str
    keys: Sequence[dg.AssetKey]


@dataclass(frozen=True, slots=True)
class Graph:
    """The rows that apply to one connection: those of its enabled flows."""

    connection: str
    settings: Connection

    @property
    def flows(self) -> list[str]:
        found = [flow for flow in FLOW_NAMES if getattr(self.settings.flows, flow).enabled]
        needed = {capture.needs for capture in CAPTURES if capture.flows == ("identity",)}
        return [flow for flow in found if flow != "identity" or needed & set(found)]

    @property
    def captures(self) -> list[Capture]:
        return [capture for capture in CAPTURES if self._enabled(capture)]

    @property
    def deliveries(self) -> list[Delivery]:
        return [delivery for delivery in DELIVERIES if delivery.flow in self.flows]

    @property
    def polls(self) -> list[Poll]:
        found = []
        for capture in self.captures:
            flow = self.polling_flow(capture)
            settings = getattr(self.settings.flows, flow)
            cadence = getattr(settings, capture.feed, None) or settings.cadence
            found.append(Poll(capture, flow, cast("Cadence", cadence)))
        return found

    def polling_flow(self, capture: Capture) -> str:
        """Of the enabled flows that use a feed, the one whose job polls it."""
        return self._enabled(capture)[0]

    def key(self, name: Name) -> dg.AssetKey:
        system, entity = name
        return dg.AssetKey([self.connection, str(system), entity])

    def keys(self, names: Sequence[Name]) -> list[dg.AssetKey]:
        """The assets of these names that exist in this connection: a disabled flow has none."""
        there = {capture.name for capture in self.captures}
        there |= {target.name for delivery in self.deliveries for target in delivery.targets}
        return [self.key(name) for name in names if name in there]

    def keys_of_flow(self, flow: str) -> list[dg.AssetKey]:
        names = [capture.name for capture in CAPTURES if capture.feed in FLOWS[flow].feeds]
        targets = [target.name for row in DELIVERIES if row.flow == flow for target in row.targets]
        targets += [name for capture in CAPTURES if flow in capture.flows for name in capture.leads_to]
        return self.keys([*names, *targets])

    def keys_of_poll(self, poll: Poll) -> list[dg.AssetKey]:
        """The feed and the deliveries that empty it."""
        targets = [
            target.name
            for row in self.deliveries
            if row.flow == poll.flow and poll.capture.feed in row.drains
            for target in row.targets
        ]
        return self.keys([poll.capture.name, *targets, *poll.capture.leads_to])

    def takers(self, name: Name) -> list[Taker]:
        """The nodes that deliver an entity's changes: its delivery, or the capture node whose route does it.

        What is written back is told by the deliveries it tells of, after their own changes.
        """
        if name == WRITE_BACKS:
            return next(filter(None, map(self.takers, _TOLD_OF)), [])
        deliveries = [
            Taker(row.flow, row.group, self.keys([target.name for target in row.targets]))
            for row in self.deliveries
            if row.takes == name
        ]
        routes = [
            Taker(self.polling_flow(row), row.group, self.keys([row.name]))
            for row in self.captures
            if row.route and row.name == name
        ]
        return [*deliveries, *routes]

    def _enabled(self, capture: Capture) -> list[str]:
        return [flow for flow in capture.flows if flow in self.flows and capture.needs in ("", *self.flows)]
