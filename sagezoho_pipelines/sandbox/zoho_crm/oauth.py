"""The accounts server: codes, refresh tokens, access tokens, and the limits on each."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.errors import authentication_failure, invalid_token, scope_mismatch
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation, User

ACCESS_SECONDS = 3600
ACTIVE_MAX = 15
WINDOW_SECONDS = 600
WINDOW_MAX = 10
CODE_SECONDS = 180
DEFAULT_SCOPES = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.notifications.ALL",
    "ZohoCRM.bulk.ALL",
    "ZohoFiles.files.ALL",
    "ZohoSearch.securesearch.READ",
)
THROTTLED = {
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "error": "Access Denied",
    "status": "failure",
}


@dataclass
class Grant:
    """What a refresh token (or a client by itself) may mint access tokens from."""

    user: User
    scopes: tuple[str, ...]
    minted: deque[int] = field(default_factory=deque)
    active: deque[str] = field(default_factory=deque)


@dataclass(frozen=True)
class Access:
    """A live access token."""

    user: User
    scopes: tuple[str, ...]
    expires: int


@dataclass(frozen=True)
class Code:
    scopes: tuple[str, ...]
    expires: int


class AccountsServer:
    """One client registered with Zoho, one refresh token to begin with."""

    def __init__(self, org: Organisation, base_url: str) -> None:
        self.org = org
        self.base_url = base_url
        draw = org.random
        self.client_id = "1000." + "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=30))
        self.client_secret = f"{draw.getrandbits(168):042x}"
        self.refresh_token = self._token()
        self.scopes = DEFAULT_SCOPES
        self.grants: dict[str, Grant] = {self.refresh_token: Grant(org.integration_user, DEFAULT_SCOPES)}
        self.own_grant = Grant(org.integration_user, DEFAULT_SCOPES)
        self.access: OrderedDict[str, Access] = OrderedDict()
        self.codes: dict[str, Code] = {}
        self.exchanged: deque[int] = deque()
        """When codes became refresh tokens, of late."""

    def _token(self) -> str:
        return f"1000.{self.org.random.getrandbits(128):032x}.{self.org.random.getrandbits(128):032x}"

    def issue_code(self, scopes: tuple[str, ...] | None = None) -> str:
        """What a person gets from the console: good once, for three minutes."""
        code = self._token()
        self.codes[code] = Code(scopes or self.scopes, self.org.now() + CODE_SECONDS)
        return code

    def token(self, given: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body of POST /oauth/v2/token."""
        status, body = self._answer(given)
        return (self.org.switches.oauth_error_status if body.keys() == {"error"} else status), body

    def _answer(self, given: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if self.org.switches.wrong_data_center or given.get("client_id") != self.client_id:
            return 200, {"error": "invalid_client"}
        if given.get("client_secret") != self.client_secret:
            return 200, {"error": "invalid_client_secret"}
        kind = given.get("grant_type")
        if kind == "refresh_token":
            grant = self.grants.get(given.get("refresh_token", ""))
            return (200, {"error": "invalid_code"}) if grant is None else self._mint(grant)
        if kind == "authorization_code":
            return self._exchange(given)
        if kind == "client_credentials":
            if given.get("soid") != f"ZohoCRM.{self.org.zgid}" or not given.get("scope"):
                return 200, {"error": "access_denied"}
            self.own_grant.scopes = _scopes(given["scope"])
            return self._mint(self.own_grant)
        return 200, {"error": "unsupported_grant_type"}

    def _exchange(self, given: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        code = self.codes.pop(given.get("code", ""), None)
        if code is None or code.expires <= self.org.now():
            return 200, {"error": "invalid_code"}
        while self.exchanged and self.exchanged[0] <= self.org.now() - WINDOW_SECONDS:
            self.exchanged.popleft()
        if len(self.exchanged) >= self.org.switches.refresh_tokens_per_window:
            return self.org.switches.oauth_throttle_status, THROTTLED
        self.exchanged.append(self.org.now())
        refresh = self._token()
        grant = self.grants[refresh] = Grant(self.org.integration_user, code.scopes)
        if len(self.grants) > self.org.switches.refresh_tokens_max:
            self.revoke(next(iter(self.grants)))
        status, body = self._mint(grant)
        return status, {**body, "refresh_token": refresh}

    def _mint(self, grant: Grant) -> tuple[int, dict[str, Any]]:
        now = self.org.now()
        while grant.minted and grant.minted[0] <= now - WINDOW_SECONDS:
            grant.minted.popleft()
        if len(grant.minted) >= WINDOW_MAX:
            return self.org.switches.oauth_throttle_status, THROTTLED
        grant.minted.append(now)
        token = self._token()
        grant.active = deque(one for one in grant.active if one in self.access and self.access[one].expires > now)
        grant.active.append(token)
        self.access[token] = Access(grant.user, grant.scopes, now + ACCESS_SECONDS)
        if len(grant.active) > ACTIVE_MAX:
            self.access.pop(grant.active.popleft(), None)
        return 200, {
            "access_token": token,
            "scope": " ".join(grant.scopes),
            "api_domain": self.org.switches.api_domain or self.base_url,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
        }

    def revoke(self, token: str) -> tuple[int, dict[str, Any]]:
        """Status and body of POST /oauth/v2/token/revoke."""
        grant = self.grants.pop(token, None)
        if grant is None:
            return 400, {"error": "invalid_token"}
        for one in grant.active:
            self.access.pop(one, None)
        return 200, {"status": "success"}

    def revoke_access_tokens(self) -> None:
        """Every access token dies at once, the refresh tokens live."""
        self.access.clear()

    def presented(self, authorization: str | None) -> Access:
        """The access token of an Authorization header; ApiError 401 without a live one."""
        scheme, _, token = (authorization or "").partition(" ")
        if not token or scheme not in ("Zoho-oauthtoken", "Bearer"):
            raise authentication_failure()
        access = self.access.get(token.strip())
        if access is None or access.expires <= self.org.now() or self.org.switches.wrong_data_center:
            raise invalid_token()
        if scheme == "Bearer" and not self.org.switches.bearer_accepted:
            raise invalid_token()
        return access


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def demand(access: Access, *needed: str) -> None:
    """Every scope of `needed` must be covered; a wider one covers: ALL for any operation, WRITE for two."""
    for scope in needed:
        if not any(_covers(held, scope) for held in access.scopes):
            raise scope_mismatch()


def _covers(held: str, needed: str) -> bool:
    if held.lower() == needed.lower():
        return True
    have, want = held.lower().split("."), needed.lower().split(".")
    if have[-1] not in ("all", want[-1]) and not (have[-1] == "write" and want[-1] in ("create", "update")):
        return False
    return want[: len(have) - 1] == have[:-1]


def scope_for_module(module: str, operation: str) -> str:
    name = module.replace("_", "").lower()
    return f"ZohoCRM.modules.{name}.{operation}"
