"""Zoho's accounts server: what each refusal of a token means, and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.zoho_crm.datacenters import DATA_CENTRES
from sagezoho_pipelines.zoho_crm.scopes import SCOPES

PATH_VERSION = "v2"
THROTTLED = "TOKEN_THROTTLED"

_STORE = "then run `sagezoho credentials set CONNECTION zoho_crm`"
_NEW_TOKEN = (
    "The refresh token was revoked, replaced or belongs to another client. In the Zoho API console of your region open "
    f"the Self Client, choose Generate Code with the scopes {','.join(SCOPES)}, exchange the code for a refresh token, "
    f"{_STORE}."
)
_CLIENT = (
    "Zoho does not know this client at {host}. Copy the client ID again from the API console, or, if your Zoho account "
    "lives in another region, set accounts_url to that region's host ({hosts})."
)
_REFUSALS = {
    "invalid_code": _NEW_TOKEN,
    "invalid_client": _CLIENT,
    "invalid_client_secret": f"The client secret is wrong: copy it again from the Zoho API console, {_STORE}.",
    "invalid_redirect_uri": f"The client is not a Self Client: create one in the Zoho API console, {_STORE}.",
    "access_denied": "The user who owns the refresh token no longer allows it, or was deactivated. " + _NEW_TOKEN,
    "invalid_scope": _NEW_TOKEN,
    "unauthorized_client": _CLIENT,
}
_TRANSIENT = frozenset({"general_error", "server_error", "temporarily_unavailable"})


def is_throttle(body: Mapping[str, Any]) -> bool:
    """`Access Denied` with a blank is the throttle; `access_denied` is a refusal."""
    told = str(body.get("error_description") or "")
    return str(body.get("error")).strip().casefold() == "access denied" or "too many requests" in told.casefold()


def refused(body: Mapping[str, Any], *, status: int, host: str, wait: float) -> VendorError:
    """`wait` is the back-off in seconds should this be the throttle."""
    code = str(body.get("error"))
    if is_throttle(body):
        return throttled(host, wait=wait, status=status)
    if code in _TRANSIENT:
        return trouble(host, status)
    hosts = ", ".join(centre.accounts for centre in DATA_CENTRES)
    advice = _REFUSALS.get(code, "Check the credentials and accounts_url. " + _NEW_TOKEN)
    return _error(
        code, f"{host} refused the refresh token.", Verdict.FATAL, status=status,
        advice=advice.replace("{host}", host).replace("{hosts}", hosts),
    )  # fmt: skip


def throttled(host: str, *, wait: float, status: int | None = None) -> VendorError:
    return _error(
        THROTTLED, f"{host} gives no more tokens for a while.", Verdict.RETRY, status=status, retry_after=wait,
        advice="Ten tokens in ten minutes are allowed: no other program should use the same refresh token.",
    )  # fmt: skip


def unreachable(host: str, problem: str) -> VendorError:
    return _error(
        "UNREACHABLE", f"{host} cannot be reached ({problem}).", Verdict.RETRY,
        advice="Check the network, the proxy and zoho_crm.accounts_url in sagezoho.yaml.",
    )  # fmt: skip


def trouble(host: str, status: int) -> VendorError:
    return _error(f"HTTP_{status}", f"{host} has trouble of its own.", Verdict.RETRY, status=status,
                  advice="It is tried again later.")  # fmt: skip


def not_a_token(host: str, status: int) -> VendorError:
    return _error(
        "NOT_A_TOKEN", f"{host} answered without a token (HTTP {status}).", Verdict.FATAL, status=status,
        advice="Check that zoho_crm.accounts_url in sagezoho.yaml is a Zoho accounts server, such as "
               "https://accounts.zoho.com, and that no proxy answers in its place.",
    )  # fmt: skip


def untrusted_domain(domain: str, host: str) -> VendorError:
    return _error(
        "UNTRUSTED_API_DOMAIN", f"{host} routes calls to {domain or 'nowhere'}, which is not one of Zoho's hosts.",
        Verdict.FATAL,
        advice="Nothing was sent there. If it is meant, list it under zoho_crm.api_domains in sagezoho.yaml.",
    )  # fmt: skip


def again(error: VendorError, *, retry_after: float | None) -> VendorError:
    """The same refusal for a caller who comes while we are waiting: Zoho is not asked again."""
    return _error(error.code, error.text, error.verdict, status=error.status, retry_after=retry_after,
                  advice=error.advice)  # fmt: skip


def _error(
    code: str,
    text: str,
    verdict: Verdict,
    *,
    advice: str,
    status: int | None = None,
    retry_after: float | None = None,
) -> VendorError:
    return VendorError(
        system=System.ZOHO_CRM, code=code, text=text, verdict=verdict, status=status, advice=advice,
        retry_after=retry_after,
    )  # fmt: skip
