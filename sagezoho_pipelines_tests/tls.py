"""Certificates that tests' servers show and the simulated Zoho believes, and the public name that leads to them."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sagezoho_pipelines.sandbox.certificates import NAMES, Certificates, make
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

#: What Zoho is told to call: port 443 of a name that is known to the sandbox only.
PUBLIC_NAME = "gateway.example"
PUBLIC_URL = f"https://{PUBLIC_NAME}"


@functools.cache
def certificates() -> Certificates:
    """The same for the whole process."""
    directory = Path(tempfile.mkdtemp(prefix="sagezoho-tls-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return make(directory, (*NAMES, PUBLIC_NAME))


@functools.cache
def trusting() -> ssl.SSLContext:
    """For clients of a test's own server."""
    return ssl.create_default_context(cafile=certificates().authority)


def shown() -> ssl.SSLContext:
    """For a test's own server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates().certificate, certificates().key)
    return context


def lead_to(zoho: ZohoWorld, port: int) -> None:
    """From now on the public name is this port of ours."""
    zoho.courier.internet.routes[PUBLIC_NAME] = ("127.0.0.1", port)


@contextmanager
def door(*, probed: int = 200) -> Iterator[int]:
    """The port of a server that is there when asked, and takes nothing."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(probed)
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(405)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.socket = shown().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
