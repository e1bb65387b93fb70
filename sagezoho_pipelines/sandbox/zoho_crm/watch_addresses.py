"""Which addresses a subscription may name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

USUAL_PORTS = {"https": 443, "http": 80}


def unfit(url: Any, switches: ZohoSwitches) -> dict[str, str]:
    """What is wrong with an address as it is written; nothing, where it may be called."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in USUAL_PORTS:
        return {"expected_data_type": "website"}
    if switches.notify_url_https_only and parts.scheme != "https":
        return {"expected_data_type": "website", "reason": "https is required"}
    usual = USUAL_PORTS[parts.scheme]
    if switches.notify_url_ports == "usual" and port not in (None, usual):
        return {"expected_data_type": "website", "reason": f"only port {usual} is called"}
    return {}
