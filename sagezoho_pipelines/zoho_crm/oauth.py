"""One access token for all processes of a connection: shared, refreshed early, and never more often than needed.

Zoho gives an hour per token, ten tokens in ten minutes and fifteen active ones per refresh token; the sixteenth
silently ends the first. So the token lives in a store that all processes see, behind a lock.
"""

from __future__ import annotations

import logging
import random as _random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

import requests

from sagezoho_pipelines.calls.waits import backoff, utc_now
from sagezoho_pipelines.calls.wire import new_session
from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import CredentialsMissing, VendorError, Verdict
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.zoho_crm import limits, oauth_errors
from sagezoho_pipelines.zoho_crm.datacenters import by_accounts_url, trusted_api_domain
from sagezoho_pipelines.zoho_crm.wire import (
    Answer,
    NoAnswer,
    NoAuth,
    Timeouts,
    exchange,
    host_of,
)

_log = logging.getLogger(__name__)
_ATTEMPTS = 3
_FATAL_PAUSE = timedelta(seconds=30)  # wrong credentials are not offered again and again by every thread
_USABLE = timedelta(seconds=30)
_SECRETS = ("client_id", "client_secret", "refresh_token")
#: What a header can carry. Of anything else the HTTP library would complain by repeating it.
_TOKEN = re.compile(r"[!-~]+")


class LockedToken(Protocol):
    """The stored token while its lock is held; `blocked_until` is the end of a throttle that any process has met."""

    @property
    def token(self) -> AccessToken | None: ...

    @property
    def blocked_until(self) -> datetime | None: ...

    def save(self, token: AccessToken) -> None: ...

    def block(self, until: datetime) -> None: ...


class TokenStore(Protocol):
    """Where the token of each connection lives. `locked` admits one holder at a time, over all processes."""

    def read(self, connection: str) -> AccessToken | None: ...

    def locked(self, connection: str) -> AbstractContextManager[LockedToken]: ...


class MemoryTokenStore:
    """A store for one process."""

    def __init__(self) -> None:
        self._kept: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def read(self, connection: str) -> AccessToken | None:
        held = self._kept.get(connection)
        return held.token if held is not None else None

    @contextmanager
    def locked(self, connection: str) -> Iterator[LockedToken]:
        with self._lock:
            yield self._kept.setdefault(connection, _Held())


class _Held:
    def __init__(self) -> None:
        self.token: AccessToken | None = None
        self.blocked_until: datetime | None = None

    def save(self, token: AccessToken) -> None:
        self.token, self.blocked_until = token, None

    def block(self, until: datetime) -> None:
        self.blocked_until = until


class TokenSource:
    """Gives a connection's access token; thread-safe.

    `credentials` is asked at each refresh for client_id, client_secret and refresh_token, so that they are held no
    longer than needed and new ones take effect at once. Raises VendorError: RETRY while Zoho cannot be reached or
    throttles, FATAL when it refuses the credentials or names an API domain that is neither Zoho's nor in
    `allowed_domains`.
    """

    def __init__(
        self,
        *,
        connection: str,
        accounts_url: str,
        credentials: Callable[[], Mapping[str, str]],
        store: TokenStore,
        allowed_domains: Iterable[str] = (),
        session: requests.Session | None = None,
        timeouts: Timeouts = Timeouts(read=20.0, total=30.0),  # noqa: B008  frozen
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.connection = connection
        self.accounts_url = accounts_url.rstrip("/")
        self.scopes: frozenset[str] = frozenset()  # of the last token this process fetched, where Zoho told
        self._credentials = credentials
        self._store = store
        self._allowed = tuple(allowed_domains)
        self._session = session or new_session(2)
        self._timeouts = timeouts
        self._clock, self._sleep, self._random = clock, sleep, random
        self._lock = threading.Lock()
        self._held: AccessToken | None = None
        self._paused: tuple[datetime, VendorError, int] | None = None  # until, why, for which credentials
        self._throttles = 0

    def token(self) -> AccessToken:
        """A token good for at least some minutes; refreshed when fewer than five are left."""
        held = self._held
        return held if held is not None and self._fresh(held) else self._obtain(rejected=None)

    def renew(self, rejected: AccessToken) -> AccessToken:
        """A token other than the one Zoho just rejected: the one another process fetched meanwhile, or a new one."""
        return self._obtain(rejected=rejected)

    def _obtain(self, rejected: AccessToken | None) -> AccessToken:
        with self._lock:
            found = self._good(self._held, rejected) or self._good(self._store.read(self.connection), rejected)
            if found is None:
                with self._store.locked(self.connection) as locked:
                    # Another process may have refreshed while this one waited for the lock.
                    found = self._good(locked.token, rejected) or self._refresh(locked, rejected)
            self._held = found
            return found

    def _good(self, token: AccessToken | None, rejected: AccessToken | None) -> AccessToken | None:
        if token is None or not self._fresh(token) or (rejected is not None and token.value == rejected.value):
            return None
        return token if trusted_api_domain(token.api_domain, self._allowed) else None

    def _fresh(self, token: AccessToken) -> bool:
        return token.expires_at - self._clock() > timedelta(seconds=limits.TOKEN_EARLY_SECONDS)

    def _refresh(self, locked: LockedToken, rejected: AccessToken | None) -> AccessToken:
        try:
            token = self._fetch_unless_blocked(locked)
        except VendorError as error:
            old = locked.token
            if error.verdict is not Verdict.RETRY or old is None or old.expires_at - self._clock() < _USABLE:
                raise
            if rejected is not None and old.value == rejected.value:
                raise
            if not trusted_api_domain(old.api_domain, self._allowed):
                raise
            return old  # refreshed early: the old token still has minutes to live, and the next call tries again
        locked.save(token)
        return token

    def _fetch_unless_blocked(self, locked: LockedToken) -> AccessToken:
        left = (locked.blocked_until - self._clock()).total_seconds() if locked.blocked_until else 0.0
        if left > 0:
            raise oauth_errors.throttled(host_of(self.accounts_url), wait=left)
        try:
            return self._fetch()
        except VendorError as error:
            if error.code == oauth_errors.THROTTLED and error.retry_after:
                locked.block(self._clock() + timedelta(seconds=error.retry_after))
            raise

    def _fetch(self) -> AccessToken:
        secrets = self._credentials()
        missing = [name for name in _SECRETS if not secrets.get(name)]
        if missing:
            raise CredentialsMissing(
                f"Zoho CRM of connection {self.connection}: there is no {missing[0]}. "
                f"Set it with `sagezoho credentials set {self.connection} zoho_crm`."
            )
        mark = hash(tuple(sorted(secrets.items())))
        self._check_pause(mark)
        asked_at = self._clock()
        try:
            answer = self._post(secrets)
            token = self._parse(answer, asked_at)
        except VendorError as error:
            self._pause(error, mark)
            raise
        self._paused, self._throttles = None, 0
        return token

    def _check_pause(self, mark: int) -> None:
        if self._paused is None:
            return
        until, error, paused_mark = self._paused
        left = (until - self._clock()).total_seconds()
        if paused_mark == mark and left > 0:
            raise oauth_errors.again(error, retry_after=left if error.verdict is Verdict.RETRY else None)

    def _pause(self, error: VendorError, mark: int) -> None:
        if error.verdict is Verdict.FATAL:
            self._paused = (self._clock() + _FATAL_PAUSE, error, mark)
        elif error.retry_after:
            self._paused = (self._clock() + timedelta(seconds=error.retry_after), error, mark)

    def _post(self, secrets: Mapping[str, str]) -> Answer:
        url = f"{self.accounts_url}/oauth/{oauth_errors.PATH_VERSION}/token"
        body = {"grant_type": "refresh_token", **{name: secrets[name] for name in _SECRETS}}
        for attempt in range(1, _ATTEMPTS + 1):
            problem: VendorError
            try:
                answer = exchange(
                    self._session, "POST", url, auth=NoAuth(), timeouts=self._timeouts, body=body,
                    headers={"Accept": "application/json"},
                )  # fmt: skip
            except NoAnswer as error:
                problem = oauth_errors.unreachable(host_of(url), error.failure.text)
            else:
                if answer.status < 500 or "error" in _object(answer):
                    return answer
                problem = oauth_errors.trouble(host_of(url), answer.status)
            if attempt < _ATTEMPTS:
                self._sleep(backoff(attempt, self._random, first=1.0, longest=10.0))
        raise problem

    def _parse(self, answer: Answer, asked_at: datetime) -> AccessToken:
        body = _object(answer)
        host = host_of(self.accounts_url)
        if "error" in body:  # before the status: Zoho answers refusals with 200 as well
            self._throttles += oauth_errors.is_throttle(body)
            wait = min(
                limits.TOKEN_THROTTLE_SECONDS * 2 ** max(0, self._throttles - 1), limits.TOKEN_THROTTLE_MAX_SECONDS
            )
            raise oauth_errors.refused(body, status=answer.status, host=host, wait=wait * (1 + self._random() / 4))
        value = body.get("access_token")
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise oauth_errors.not_a_token(host, answer.status)
        named = str(body.get("api_domain") or self._default_domain())
        domain = trusted_api_domain(named, self._allowed)
        if not domain:
            raise oauth_errors.untrusted_domain(named, host)
        self.scopes = frozenset(str(body.get("scope") or "").replace(",", " ").split())
        _log.info("A new access token for %s, routed to %s", self.connection, domain)
        return AccessToken(value=value, api_domain=domain, expires_at=asked_at + timedelta(seconds=_lifetime(body)))

    def _default_domain(self) -> str:
        centre = by_accounts_url(self.accounts_url)
        return centre.api_domains[0] if centre else ""


def _lifetime(body: Mapping[str, Any]) -> float:
    try:
        seconds = float(body.get("expires_in") or limits.TOKEN_SECONDS)
    except (TypeError, ValueError):
        return limits.TOKEN_SECONDS
    return seconds if 0 < seconds <= limits.TOKEN_SECONDS else limits.TOKEN_SECONDS


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}
