"""The simulated Zoho CRM on a free loopback port, and a plain HTTP client that speaks to it as any client would."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import uvicorn

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.transport import AbortableProtocol
from sagezoho_pipelines.sandbox.zoho_crm.app import create_app
from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld
from sagezoho_pipelines_tests.tls import certificates


@dataclass
class Service:
    """A world being served, its base URL, and a session with a token."""

    world: ZohoWorld
    base: str
    session: requests.Session = field(default_factory=requests.Session)

    def credentials(self) -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            "client_id": self.world.client_id,
            "client_secret": self.world.client_secret,
            "refresh_token": self.world.refresh_token,
        }

    def token(self) -> str:
        answer = requests.post(f"{self.base}/oauth/v2/token", data=self.credentials(), timeout=60).json()
        return str(answer["access_token"])

    def sign_in(self) -> None:
        self.session.headers["Authorization"] = f"Zoho-oauthtoken {self.token()}"

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/crm/v8/{path}", timeout=60, **more)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.call("GET", path, params=params)

    def insert(self, module: str, *rows: dict[str, Any], **more: Any) -> requests.Response:
        return self.call("POST", module, json={"data": list(rows), **more})

    def insert_id(self, module: str, **values: Any) -> str:
        answer = self.insert(module, values)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"][0]["details"]["id"])

    def update(self, module: str, *rows: dict[str, Any], **more: Any) -> requests.Response:
        return self.call("PUT", module, json={"data": list(rows)}, **more)

    def upsert(self, module: str, *rows: dict[str, Any], **more: Any) -> requests.Response:
        return self.call("POST", f"{module}/upsert", json={"data": list(rows), **more})

    def coql(self, query: str) -> requests.Response:
        return self.call("POST", "coql", json={"select_query": query})

    def record(self, module: str, record_id: str) -> dict[str, Any]:
        answer = self.get(f"{module}/{record_id}")
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()["data"][0]
        return row

    def unique_field(self, module: str, label: str = "Sage Number") -> str:
        """Creates a unique text field; answers its API name."""
        body = {"fields": [{"field_label": label, "data_type": "text", "length": 40, "unique": {}}]}
        answer = self.call("POST", "settings/fields", params={"module": module}, json=body)
        assert answer.status_code == 201, answer.text
        return label.replace(" ", "_")


@contextmanager
def serving(*, deals: int = 12, seed: int = 1, frozen: bool = False, **options: Any) -> Iterator[Service]:
    """A fresh world behind a real server, signed in."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options.setdefault("internet", Internet((certificates().authority,)))
        world = ZohoWorld(seed=seed, deals=deals, clock=SandboxClock(frozen=frozen), base_url=base, **options)
        config = uvicorn.Config(
            create_app(world), log_level="warning", http=AbortableProtocol, server_header=False, date_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.005)
        service = Service(world, base)
        try:
            service.sign_in()
            yield service
        finally:
            service.session.close()
            server.should_exit = True
            thread.join(10)
            world.close()


def row_of(answer: requests.Response, at: int = 0) -> dict[str, Any]:
    """One row of a batch's answer."""
    row: dict[str, Any] = answer.json()["data"][at]
    return row


def refused(answer: requests.Response) -> tuple[int, str, dict[str, Any]]:
    """Status, code and details of a request that was refused whole."""
    body = answer.json()
    return answer.status_code, body["code"], body["details"]
