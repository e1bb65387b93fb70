"""How the simulated Zoho reaches the addresses it was given: by name, and believing nobody it cannot verify."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

Address = tuple[str, int]


class Unreachable(Exception):
    """Nobody answered, or nobody who could be believed; the text says which."""


class Internet:
    """`trusted` authorities count beside those of this system. `routes` lead a public host name to where it really is,
    whatever its port, as DNS and a router would. Nothing else than these and this machine is ever called."""

    def __init__(self, trusted: Sequence[Path] = (), routes: Mapping[str, Address] | None = None) -> None:
        self._trusted = tuple(trusted)
        self.routes: dict[str, Address] = {name.lower(): address for name, address in (routes or {}).items()}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Raises ValueError for a file that holds no certificate."""
        versions = []
        for path in self._trusted:
            try:
                found = path.stat()
            except OSError as error:
                raise ValueError(_no_certificate(path, error)) from None
            versions.append((path, found.st_mtime_ns, found.st_size))
        return _believing(*versions)

    def call(self, method: str, url: str, *, body: bytes | None = None, seconds: float) -> int:
        """The status of the answer; redirects are not followed. Raises Unreachable."""
        parts = urlsplit(url)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection = self._connection(parts.scheme, parts.hostname or "", parts.port, seconds)
            try:
                connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", body, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"its certificate cannot be verified: {error.verify_message}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from None

    def _connection(self, scheme: str, host: str, port: int | None, seconds: float) -> http.client.HTTPConnection:
        at = self.routes.get(host.lower())
        if at is None and not _is_here(host):
            raise Unreachable(f"{host} is not on this machine, and the sandbox calls no other: see --connect-to")
        if scheme == "https":
            return _Secure(host, port, at, self.tls, seconds)
        return _Plain(host, port, at, seconds)


@lru_cache(maxsize=4)
def _believing(*versions: tuple[Path, int, int]) -> ssl.SSLContext:
    """Kept for the next one that trusts the same: to read all authorities of a system takes long."""
    context = ssl.create_default_context()
    for path, _, _ in versions:
        try:
            context.load_verify_locations(path)
        except OSError as error:
            raise ValueError(_no_certificate(path, error)) from None
    return context


def _no_certificate(path: Path, error: OSError) -> str:
    return f"{path} holds no certificate in PEM form: {error.strerror or error}"


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Plain(http.client.HTTPConnection):
    def __init__(self, host: str, port: int | None, at: Address | None, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._at = at or (self.host, self.port)

    def connect(self) -> None:
        self.sock = socket.create_connection(self._at, self.timeout)


class _Secure(http.client.HTTPSConnection):
    def __init__(self, host: str, port: int | None, at: Address | None, tls: ssl.SSLContext, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds, context=tls)
        self._at, self._tls = at or (self.host, self.port), tls

    def connect(self) -> None:
        """The name that was asked for is the one that the certificate must show, wherever the call is led."""
        raw = socket.create_connection(self._at, self.timeout)
        try:
            self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise
