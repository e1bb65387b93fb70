"""A running simulated company and a client that says no more than HTTP, for the sage300 contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests
import simplejson

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.sage300.app import ROOT, create_app
from sagezoho_pipelines.sandbox.sage300.company import founded
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.sage300.world import SageWorld
from sagezoho_pipelines.sandbox.server import listening

TODAY = datetime(2026, 9, 15, 12, tzinfo=UTC)

ORDER: dict[str, Any] = {
    "CustomerNumber": "1400",
    "OrderDescription": "Order Entry",
    "OrderDate": "2020-01-15",
    "OrderDetails": [
        {"LineType": "Item", "Item": "A1-105/0", "Location": "1", "QuantityOrdered": 8},
        {"LineType": "Miscellaneous", "MiscellaneousChargesCode": "HC", "ExtendedAmount": Decimal("20.25")},
    ],
}
"""The official sample of an order."""


def order_with(**lines: Any) -> dict[str, Any]:
    """An order of one line."""
    return {"CustomerNumber": "1400", "OrderDetails": [lines]}


class SageService:
    """The company `world` behind `url`."""

    def __init__(self, world: SageWorld, host: str) -> None:
        self.world = world
        self.host = host
        self.session = requests.Session()
        self.session.auth = ("WEBAPI", "WEBAPI")
        self.session.headers["Content-Type"] = "application/json"

    def url(self, path: str) -> str:
        return f"{self.host}{ROOT}/v1.0/-/SAMINC/{path}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        data = simplejson.dumps(body, use_decimal=True) if body is not None else None
        return self.session.request(method, self.url(path), data=data, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def values(self, path: str) -> list[dict[str, Any]]:
        reply = self.get(path)
        assert reply.status_code == 200, reply.text
        rows: list[dict[str, Any]] = simplejson.loads(reply.text, use_decimal=True)["value"]
        return rows

    def post(self, path: str, body: Any, status: int = 201) -> dict[str, Any]:
        reply = self.call("POST", path, body)
        assert reply.status_code == status, reply.text
        record: dict[str, Any] = simplejson.loads(reply.text, use_decimal=True)
        return record

    def act(self, name: str, **given: Any) -> dict[str, Any]:
        reply = requests.post(f"{self.host}/__sandbox__/act/{name}", json=given, timeout=60)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer


def refusal(reply: requests.Response) -> tuple[int, str, str]:
    """Status, code and text of an error answer, whose shape is checked on the way."""
    body = reply.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]["lang"] == "en-US"
    return reply.status_code, body["error"]["code"], body["error"]["message"]["value"]


@contextmanager
def sage_service(**options: Any) -> Iterator[SageService]:
    """A fresh company served on loopback; options are those of SageWorld."""
    options.setdefault("clock", SandboxClock(TODAY))
    options.setdefault("switches", SageSwitches())
    world = founded(**options)
    host = listening(create_app(world))
    host.start()
    try:
        yield SageService(world, host.url)
    finally:
        host.stop()
