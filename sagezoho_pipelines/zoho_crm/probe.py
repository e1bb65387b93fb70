"""What `sagezoho check` asks of a Zoho organisation: token, edition, modules, fields, scopes, credits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.limits import INVENTORY_MODULES

#: What the refresh token is asked for in Zoho's API console.
SCOPES = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.notifications.ALL",
)
_FEW_CREDITS = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing checked. `remedy` says what to do where it is not ok."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def probe(
    client: ZohoCrmClient, *, modules: Sequence[str], required_fields: Mapping[str, Iterable[str]]
) -> list[Finding]:
    """All of it. A token that cannot be had ends the round, since every other question needs one."""
    findings = [check_token(client)]
    if findings[0].ok:
        findings += [check_org(client), *check_scopes(client), *check_modules(client, modules)]
        seen = {finding.name for finding in findings if finding.ok}
        findings += [
            check_fields(client, module, names)
            for module, names in required_fields.items()
            if f"module {module}" in seen
        ]
        findings.append(check_credits(client.usage))
    return findings


def check_token(client: ZohoCrmClient) -> Finding:
    try:
        token = client.token_source.token()
    except VendorError as error:
        return _failed("access token", error)
    return Finding("access token", True, f"calls go to {token.api_domain}")


def check_org(client: ZohoCrmClient) -> Finding:
    try:
        org = client.org()
    except VendorError as error:
        return _failed("organisation", error)
    return Finding(
        "organisation", True, f"{org.get('company_name')}, id {org.get('zgid')}, {edition(org)} edition, "
        f"{org.get('type', 'production')}",
    )  # fmt: skip


def edition(org: Row) -> str:
    """The edition paid for, or the one on trial; `free` where Zoho names neither."""
    told = org.get("license_details")
    details = told if isinstance(told, Mapping) else {}
    return str((details.get("paid_type") if details.get("paid") else details.get("trial_type")) or "free")


def check_scopes(client: ZohoCrmClient) -> list[Finding]:
    """One cheap read per scope. Whether it may also write is told by the scopes in the token answer, if any."""
    questions: tuple[tuple[str, Callable[[], object]], ...] = (
        ("ZohoCRM.settings", client.modules),
        ("ZohoCRM.users.READ", client.current_user),
        ("ZohoCRM.coql.READ", lambda: client.find("Accounts", where=(), fields=("id",), limit=1)),
    )
    findings = []
    for scope, question in questions:
        try:
            question()
        except VendorError as error:
            findings.append(_failed(f"scope {scope}", error))
        else:
            findings.append(Finding(f"scope {scope}", True, "granted"))
    granted = client.token_source.scopes
    if granted:
        missing = [scope for scope in SCOPES if not any(covers(each, scope) for each in granted)]
        remedy = f"Generate a new refresh token with the scopes {','.join(SCOPES)}." if missing else ""
        detail = f"not granted: {', '.join(missing)}" if missing else "all granted"
        findings.append(Finding("scopes", not missing, detail, remedy))
    return findings


def covers(granted: str, needed: str) -> bool:
    """Whether one granted scope is as wide as the needed one: ALL stands for every operation."""
    have, want = granted.casefold().split("."), needed.casefold().split(".")
    if have == want:
        return True
    return have[-1] == "all" and want[: len(have) - 1] == have[:-1]


def check_modules(client: ZohoCrmClient, modules: Sequence[str]) -> list[Finding]:
    try:
        rows = client.modules()
    except VendorError as error:
        return [_failed("modules", error)]
    open_to_api = {str(row.get("api_name")) for row in rows if row.get("api_supported", True)}
    return [_module(name, name in open_to_api) for name in modules]


def check_fields(client: ZohoCrmClient, module: str, names: Iterable[str]) -> Finding:
    """Zoho ignores unknown fields of a write without a word, so they are looked for beforehand."""
    wanted = sorted(set(names))
    try:
        known = {str(field.get("api_name")) for field in client.fields(module)}
    except VendorError as error:
        return _failed(f"fields of {module}", error)
    missing = [name for name in wanted if name not in known]
    if not missing:
        return Finding(f"fields of {module}", True, f"{len(wanted)} found")
    return Finding(
        f"fields of {module}", False, f"missing: {', '.join(missing)}",
        "Run `sagezoho setup`, or correct the mapping where it names fields of your own.",
    )  # fmt: skip


def check_credits(usage: Usage) -> Finding:
    """Zoho tells what is left only once half of the day's allowance is used."""
    left = usage.credits_remaining
    if left is None:
        return Finding("API credits", True, "more than half of the allowance is left")
    remedy = "" if left >= _FEW_CREDITS else "Wait for the rolling 24 hours to give credits back, or buy more."
    return Finding("API credits", left >= _FEW_CREDITS, f"{left} left", remedy)


def _module(name: str, there: bool) -> Finding:
    if there:
        return Finding(f"module {name}", True, "open to the API")
    if name in INVENTORY_MODULES:
        remedy = "Inventory modules need the Professional edition or higher; flows without them go on."
    else:
        remedy = "Show the module to the user who owns the refresh token, in Zoho's Setup."
    return Finding(f"module {name}", False, "not offered to the API", remedy)


def _failed(name: str, error: VendorError) -> Finding:
    return Finding(name, False, f"{error.code}: {error.text}", error.advice)
