"""Whether Zoho could reach the gateway: `sagezoho check` asks at the public address, the way Zoho comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from sagezoho_pipelines.engine.channel_health import PATH, READY
from sagezoho_pipelines.engine.check import Finding, Status

_AREA = "Notifications"
_TIMEOUT = (5.0, 10.0)


def public_address(connection: str, url: str) -> Iterator[Finding]:
    """Findings about `notifications.url`: its scheme, and what answers there.

    A GET where Zoho would POST tells our gateway from anything else and queues nothing. A reverse proxy may, and
    should, hide /health; where it can be seen it says whether callbacks could be stored.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield _missing(
            "https", f"{url} is not https: anybody on the way could read the token that proves a callback",
            "Give notifications.url an https address: a reverse proxy with a certificate in front of the gateway, or "
            "gateway.tls.",
        )  # fmt: skip
        return
    _, _, port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")
    if port not in ("", "443"):
        yield Finding(
            _AREA, "port", Status.NOTE, f"Zoho's documents do not say that it calls port {port}",
            "If Zoho refuses the address, give it port 443: a reverse proxy, or a port forwarded to the gateway.",
        )  # fmt: skip
    address = url.rstrip("/") + PATH + connection
    try:
        answer = requests.get(address, timeout=_TIMEOUT, allow_redirects=False)
    except requests.exceptions.SSLError:
        yield _missing(
            "certificate", f"{parts.hostname} shows no certificate that can be trusted",
            "Have the reverse proxy, or gateway.tls, show a valid certificate with its whole chain for this name.",
        )  # fmt: skip
        return
    except requests.RequestException as error:
        yield _missing(
            "address", f"{address} cannot be reached ({_cause(error)})",
            "Start the gateway ('sagezoho up' or 'sagezoho gateway'), and have the reverse proxy and the firewall let "
            "Zoho through to it; or correct notifications.url.",
        )  # fmt: skip
        return
    yield _judged(address, answer)
    if _told(answer) == (200, READY):
        yield from _health(url)


def _judged(address: str, answer: requests.Response) -> Finding:
    status, told = _told(answer)
    if (status, told) == (200, READY):
        return Finding(_AREA, "address", Status.OK, f"our gateway answers at {address}")
    if told == "unknown_connection":
        return _missing(
            "address", f"the gateway at {address} does not know this connection",
            "Start it again with this configuration.",
        )  # fmt: skip
    if told == "too_many":
        return Finding(_AREA, "address", Status.NOTE, "our gateway is busy: it answers that we ask too often")
    return _missing(
        "address", f"what answers at {address} is not our gateway: HTTP {status}",
        f"Let the reverse proxy pass {PATH}… on to the gateway unchanged (see gateway.host and gateway.port), without "
        "a redirect or a password of its own; or correct notifications.url.",
    )  # fmt: skip


def _health(url: str) -> Iterator[Finding]:
    """What /health says, where it can be seen from here."""
    try:
        answer = requests.get(url.rstrip("/") + "/health", timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException:
        return
    status, told = _told(answer)
    if (status, told) == (200, "ok"):
        yield Finding(_AREA, "gateway", Status.OK, "it is well, and could store what Zoho tells")
    elif status == 503 and told:
        yield _missing("gateway", f"it is up, but {told}", "Give the gateway's process the same Postgres as this one.")


def _told(answer: requests.Response) -> tuple[int, str]:
    try:
        body: Any = answer.json()
    except ValueError:
        return answer.status_code, ""
    return answer.status_code, str(body.get("status", "")) if isinstance(body, dict) else ""


def _missing(name: str, detail: str, remedy: str) -> Finding:
    return Finding(_AREA, name, Status.MISSING, detail, remedy)


def _cause(error: requests.RequestException) -> str:
    kinds: list[tuple[type[requests.RequestException], str]] = [
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.exceptions.ConnectionError, "no connection"),
    ]
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)
