"""A subscriber of the simulated CRM's notifications, and the CRM that notifies it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches
from sagezoho_pipelines_tests.tls import PUBLIC_URL, lead_to, shown

from .zoho_service import Service, serving

#: Seconds; no machine is so busy that a callback goes unanswered.
PATIENCE = 60.0


class Subscriber:
    """An HTTPS endpoint that keeps what it is sent, and answers `status` after `seconds`, and once it is `free`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.probe_status = 200
        self.seconds = 0.0
        self.free = threading.Event()
        self.free.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.probe_status)
                self.end_headers()

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.bodies.append(json.loads(self.rfile.read(length)))
                time.sleep(outer.seconds)
                outer.free.wait(60)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = shown().wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{PUBLIC_URL}/hook?tenant=7"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def subscribing() -> Iterator[Subscriber]:
    """A subscriber that listens."""
    subscriber = Subscriber()
    yield subscriber
    subscriber.server.shutdown()
    subscriber.server.server_close()


@contextmanager
def notifying(hook: Subscriber) -> Iterator[Service]:
    """A CRM whose callbacks reach `hook`, once and in order: most tests are of what is in them."""
    once = ZohoSwitches(callback_duplicate_rate=0.0, callback_reorder_rate=0.0, callback_timeout_seconds=PATIENCE)
    with serving(deals=10, switches=once) as service:
        lead_to(service.world, hook.port)
        yield service


def watch(zoho: Service, hook: Subscriber, method: str = "POST", **more: Any) -> Any:
    """The answer to a subscription of deals; `...` leaves a key out."""
    one = {"channel_id": "-42", "events": ["Deals.all"], "notify_url": hook.url, "token": "t", **more}
    one = {name: value for name, value in one.items() if value is not ...}
    return zoho.call(method, "actions/watch", json={"watch": [one]})


def heard(zoho: Service, hook: Subscriber) -> list[dict[str, Any]]:
    """What arrived since the last time."""
    assert zoho.world.courier.drain(60)
    bodies, hook.bodies = hook.bodies, []
    return bodies
