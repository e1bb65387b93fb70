"""The uvicorn protocol that lets the application break its own connection, as a crashing server would."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "sagezoho.transport"


class AbortableProtocol(HttpToolsProtocol):
    """Hands its transport to the application under `scope["extensions"]`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


def reset_connection(scope: Scope, *, orderly: bool = False) -> None:
    """Ends the connection of this request without an answer.

    The peer sees RST, since the socket is told not to linger; with `orderly` it sees an early FIN, which leaves it the
    bytes already sent. Does nothing under a test client that has no transport.
    """
    held = scope.get("extensions", {}).get(TRANSPORT)
    if held is None:
        return
    transport: asyncio.Transport = held["transport"]
    if orderly:
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        # Event loops hand out socket look-alikes without setsockopt; a duplicate descriptor reaches the same socket.
        with socket.socket(fileno=os.dup(connection.fileno())) as real:
            real.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
