"""Zoho's whole side of the sandbox: one organisation, its accounts server, limits, channels and people."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.counters import Counters
from sagezoho_pipelines.sandbox.faults import Canned, FaultBook
from sagezoho_pipelines.sandbox.known_vendors import ExistingAccount
from sagezoho_pipelines.sandbox.world import Action
from sagezoho_pipelines.sandbox.zoho_crm.channels import Channels
from sagezoho_pipelines.sandbox.zoho_crm.delivery import Courier
from sagezoho_pipelines.sandbox.zoho_crm.errors import ROW_REFUSALS, ApiError, too_many_requests
from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
from sagezoho_pipelines.sandbox.zoho_crm.limits import Limits
from sagezoho_pipelines.sandbox.zoho_crm.oauth import AccountsServer
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.people import People
from sagezoho_pipelines.sandbox.zoho_crm.reads import PageTokens
from sagezoho_pipelines.sandbox.zoho_crm.seeding import Seeder
from sagezoho_pipelines.sandbox.zoho_crm.show import show_row
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

DEFAULT_ZONE = "Asia/Kolkata"
"""A zone that is neither UTC nor whole hours from it."""


class ZohoWorld:
    """A simulated Zoho, seeded from a number: the same seed and sizes give the same ids, rows and secrets.

    `lock` guards everything: requests run on the server's loop, actions on other threads.
    """

    def __init__(
        self,
        *,
        seed: int,
        deals: int,
        clock: SandboxClock,
        base_url: str,
        accounts: int | None = None,
        edition: str = "enterprise",
        time_zone: str = DEFAULT_ZONE,
        switches: ZohoSwitches | None = None,
        existing: Mapping[int, ExistingAccount] | None = None,
        internet: Internet | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.base_url = base_url.rstrip("/")
        self._clock = clock
        self._switches = switches or ZohoSwitches()
        self.org = Organisation(seed=seed, clock=clock, switches=self._switches, time_zone=time_zone)
        self.oauth = AccountsServer(self.org, self.base_url)
        self.limits = Limits(self.org)
        self.page_tokens = PageTokens()
        self.courier = Courier(self._switches, seed, internet)
        self.channels = Channels(self.org, self.courier, self.base_url)
        self.counts: dict[str, tuple[int, int]] = {}
        """Per module and criteria: when actions/count last looked, and what it saw."""
        seeder = Seeder(self.org, existing or {})
        seeder.fill(deals=deals, accounts=accounts)
        self.known_vendors = seeder.known
        """Which account really is which vendor of the company: what no program is told."""
        self._faults = FaultBook(
            statuses=_status_body,
            hooks={"token_revoked": self._revoke_access},
            is_write=is_write,
            row_codes=ROW_REFUSALS,
        )
        self._counters = Counters(is_write=is_write)
        people = People(self.org, self.oauth, self.limits)
        self._actions: dict[str, Action] = {name: self._locked(act) for name, act in people.actions.items()}
        self._actions["set_edition"]({"edition": edition})

    @property
    def client_id(self) -> str:
        return self.oauth.client_id

    @property
    def client_secret(self) -> str:
        return self.oauth.client_secret

    @property
    def refresh_token(self) -> str:
        return self.oauth.refresh_token

    @property
    def clock(self) -> SandboxClock:
        return self._clock

    @property
    def faults(self) -> FaultBook:
        return self._faults

    @property
    def counters(self) -> Counters:
        return self._counters

    @property
    def actions(self) -> dict[str, Action]:
        return self._actions

    @property
    def switches(self) -> ZohoSwitches:
        return self._switches

    def state(self, collection: str) -> Iterable[dict[str, Any]]:
        """Rows of a module by its API name, or of `channels`, `limits`, `users` and `known_vendors`; KeyError for
        anything else."""
        with self.lock:
            if collection == "known_vendors":
                return list(self.known_vendors)
            if collection == "channels":
                return self.channels.listed(None, None)
            if collection == "users":
                return [user.owner() for user in self.org.users]
            if collection == "limits":
                return [self._usage()]
            table = self.org.tables[collection]
            return [show_row(self.org, table.module, table.rows[one], None, whole=True) for one in table.ids]

    def close(self) -> None:
        """Stops the thread that carries callbacks."""
        self.courier.close()

    def _usage(self) -> dict[str, Any]:
        limits, courier = self.limits, self.courier
        return {
            "edition": self.org.edition.name,
            "credits_allowed": limits.allowed,
            "credits_used": limits.used,
            "credits_spent_ever": limits.spent_ever,
            "refused": limits.refused,
            "most_in_flight": limits.most_in_flight,
            "most_heavy_in_flight": limits.most_heavy,
            "callbacks_delivered": courier.delivered,
            "callbacks_failed": courier.failed,
            "callbacks_dropped": courier.dropped,
        }

    def _locked(self, act: Callable[[dict[str, Any]], dict[str, Any]]) -> Action:
        @wraps(act)
        def locked(given: dict[str, Any]) -> dict[str, Any]:
            with self.lock:
                return act(given)

        return locked

    def _revoke_access(self) -> None:
        with self.lock:
            self.oauth.revoke_access_tokens()


def is_write(method: str, path: str) -> bool:
    """Whether a call changes anything in the CRM: a COQL query is a POST, and getting a token is not our business."""
    return method in ("POST", "PUT", "PATCH", "DELETE") and path.startswith("/crm/") and not path.endswith("/coql")


def _status_body(status: int) -> Canned:
    error = {
        429: too_many_requests(),
        500: ApiError(500, "INTERNAL_ERROR", "Internal Server Error"),
        502: ApiError(502, "BAD_GATEWAY", "Bad Gateway"),
        503: ApiError(503, "SERVICE_UNAVAILABLE", "Service Unavailable"),
    }.get(status)
    if error is None:
        return Canned(status)
    return Canned(status, {"Content-Type": "application/json;charset=UTF-8"}, json.dumps(error.body()))
