"""What `sagezoho check` says where several connections read one Zoho organisation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from sagezoho_pipelines.config import OrdersFlow, Settings
from sagezoho_pipelines.engine.check import Finding, Status

_REMEDY = (
    "Name stages of its own for each in flows.orders.stages, or switch flows.orders off (enabled: false) for all but "
    "one."
)


def shared(report: Mapping[str, Sequence[Finding]], settings: Settings) -> Iterator[tuple[str, Finding]]:
    """Connection and finding, for each whose deals another one of the same organisation would order too."""
    readers: dict[str, list[str]] = defaultdict(list)
    for connection, findings in report.items():
        for one in findings:
            if (one.area, one.name) == ("Zoho CRM", "organisation"):
                readers[one.detail].append(connection)
    for connections in readers.values():
        for first, second in combinations(connections, 2):
            flows = [settings.connections[name].flows.orders for name in (first, second)]
            if _meet(*flows):
                text = (
                    f"{first} and {second} read the same organisation, and the same deals would become orders in both"
                )
                yield second, Finding("Flows", "orders", Status.MISSING, text, _REMEDY)


def _meet(one: OrdersFlow, other: OrdersFlow) -> bool:
    if not (one.enabled and other.enabled):
        return False
    return not one.stages or not other.stages or bool(set(one.stages) & set(other.stages))
