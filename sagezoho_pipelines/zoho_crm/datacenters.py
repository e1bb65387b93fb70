"""Zoho's data centres: which hosts are Zoho's, so that a token is never sent anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class DataCentre:
    """One region: accounts live on `accounts`, records on the `www`, `sandbox` and `developer` hosts of `api`."""

    code: str
    accounts: str
    api: str

    @property
    def api_domains(self) -> tuple[str, ...]:
        return tuple(f"https://{kind}.{self.api}" for kind in ("www", "sandbox", "developer"))


# Source: Zoho's multi-DC page and the constants of its SDKs; API hosts of UK and AE: from public code only.
DATA_CENTRES: tuple[DataCentre, ...] = (
    DataCentre("US", "accounts.zoho.com", "zohoapis.com"),
    DataCentre("EU", "accounts.zoho.eu", "zohoapis.eu"),
    DataCentre("IN", "accounts.zoho.in", "zohoapis.in"),
    DataCentre("AU", "accounts.zoho.com.au", "zohoapis.com.au"),
    DataCentre("JP", "accounts.zoho.jp", "zohoapis.jp"),
    DataCentre("CN", "accounts.zoho.com.cn", "zohoapis.com.cn"),
    DataCentre("CA", "accounts.zohocloud.ca", "zohoapis.ca"),
    DataCentre("SA", "accounts.zoho.sa", "zohoapis.sa"),
    DataCentre("UK", "accounts.zoho.uk", "zohoapis.uk"),
    DataCentre("AE", "accounts.zoho.ae", "zohoapis.ae"),
)
API_DOMAINS = frozenset(domain for centre in DATA_CENTRES for domain in centre.api_domains)


def origin(url: str) -> str:
    """`scheme://host[:port]` in lower case, without default ports; empty when `url` is anything but a bare origin."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
        return ""
    if parts.path.strip("/") or parts.query or parts.fragment:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    return f"{parts.scheme.lower()}://{host}" + (f":{port}" if port not in (None, default) else "")


def trusted_api_domain(url: str, allowed: Iterable[str] = ()) -> str:
    """The origin to call, or empty when it is neither Zoho's nor listed by the connection."""
    found = origin(url)
    return found if found and (found in API_DOMAINS or found in {origin(each) for each in allowed}) else ""


def by_accounts_url(accounts_url: str) -> DataCentre | None:
    host = urlsplit(accounts_url).hostname or ""
    return next((centre for centre in DATA_CENTRES if centre.accounts == host.lower()), None)
