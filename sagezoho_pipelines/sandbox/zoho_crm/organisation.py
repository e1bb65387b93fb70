"""One simulated Zoho CRM organisation: its edition, users, modules, rows, and who is told about changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module, build_modules
from sagezoho_pipelines.sandbox.zoho_crm.errors import invalid_module
from sagezoho_pipelines.sandbox.zoho_crm.guards import Guards
from sagezoho_pipelines.sandbox.zoho_crm.switches import EDITIONS, Edition, ZohoSwitches
from sagezoho_pipelines.sandbox.zoho_crm.table import Row, Table

HOME_CURRENCY = "USD"
CURRENCY_FIELDS = ("Currency", "Exchange_Rate")
"""Fields that modules have only where an organisation uses several currencies."""


@dataclass(frozen=True)
class User:
    """A person or integration that owns and changes records."""

    id: int
    name: str
    email: str
    zuid: str
    profile: str

    def brief(self) -> dict[str, str]:
        return {"name": self.name, "id": str(self.id)}

    def owner(self) -> dict[str, str]:
        return {"name": self.name, "id": str(self.id), "email": self.email}


@dataclass
class Change:
    """What one write did to rows of one module, for the channels that watch it."""

    module: str
    operation: str
    actor: User
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Per id: the changed fields with their new stored values (empty for an insert)."""
    parents: dict[str, set[int]] = field(default_factory=dict)
    """Per module: records these rows point to, which channels with related actions hear about too."""


class Organisation:
    """Everything that would survive a restart of the vendor: metadata and rows, under one clock and one seed."""

    def __init__(self, *, seed: int, clock: SandboxClock, switches: ZohoSwitches, time_zone: str) -> None:
        self.clock = clock
        self.switches = switches
        self.zone = ZoneInfo(time_zone)
        self.time_zone = time_zone
        self.random = random.Random(f"zoho_crm:{seed}")
        self._prefix = self.random.randrange(4_000_000, 6_999_999) * 10**12
        self._counter = 2_000
        self.org_id = self.new_id()
        self.role_id = self._prefix + 1_005
        """Below the counter's first id, and so nobody else's."""
        self.zgid = str(self.random.randrange(600_000_000, 899_999_999))
        self.company = f"Northwind Supply {self.random.randrange(100, 999)}"
        self.edition: Edition = EDITIONS["enterprise"]
        self.user_licenses = 10
        self.modules_changed = 0
        """When modules came or went: with the edition, which is also when the organisation opens."""
        self.modules: dict[str, Module] = build_modules(self.new_id)
        self._currency_fields = {
            name: {one: module.fields.pop(one) for one in CURRENCY_FIELDS if one in module.fields}
            for name, module in self.modules.items()
        }
        self.tables = {name: Table(module) for name, module in self.modules.items() if module.parent is None}
        self.profiles = [
            {"permission_type": "read_write", "name": name, "id": str(self.new_id())}
            for name in ("Administrator", "Standard")
        ]
        self.users = [
            self._user(name, mail)
            for name, mail in (
                ("Integration User", "integration"),
                ("Ana Ferreira", "ana.ferreira"),
                ("Ravi Menon", "ravi.menon"),
                ("Grace Okafor", "grace.okafor"),
            )
        ]
        self.integration_user = self.users[0]
        self.listeners: list[Callable[[Change], None]] = []
        self.guards = Guards()
        self.denied: set[tuple[str, str]] = set()
        """(module, READ|CREATE|UPDATE|DELETE) that the integration user's profile lacks."""
        self.written_at: int | None = None
        """While the organisation's past is being made up: the second it happens in."""

    def _user(self, name: str, mail: str) -> User:
        zuid = str(self.random.randrange(600_000_000, 899_999_999))
        return User(self.new_id(), name, f"{mail}@northwind.example", zuid, "Administrator")

    def new_id(self) -> int:
        """The next record id: 19 digits, rising, with gaps as in an organisation that others use too."""
        self._counter += self.random.randrange(1, 9)
        return self._prefix + self._counter

    def now(self) -> int:
        return int(self.clock.now().timestamp()) if self.written_at is None else self.written_at

    def user(self, user_id: int) -> User:
        return next((one for one in self.users if one.id == user_id), self.integration_user)

    @property
    def several_currencies(self) -> bool:
        return "Currency" in self.modules["Deals"].fields

    def use_currencies(self) -> None:
        """Turn several currencies on: modules get their fields for it, and every record the home currency."""
        for name, fields in self._currency_fields.items():
            self.modules[name].fields.update(fields)
            table = self.tables.get(name)
            for row in list(table.rows.values()) if table is not None and fields else []:
                self.tables[name].put(self.in_home_currency(self.modules[name], row))

    def in_home_currency(self, module: Module, row: Row) -> Row:
        """The row, with the home currency where its module has one and it names none."""
        if "Currency" not in module.fields or row.get("Currency") is not None:
            return row
        return {**row, "Currency": HOME_CURRENCY, "Exchange_Rate": 1}

    def supports(self, module: Module) -> bool:
        """Whether the edition has the module."""
        if self.edition.inventory:
            return True
        if module.api_name == "Products":
            return not self.switches.products_need_professional
        return not module.inventory

    def module(self, api_name: str, *, in_path: bool = True) -> Module:
        """The module of that API name (case counts); ApiError INVALID_MODULE without it or its edition."""
        module = self.modules.get(api_name)
        if module is None or not self.supports(module):
            raise invalid_module(in_path=in_path)
        return module

    def record_module(self, api_name: str) -> Module:
        """As `module`, for URLs that address records: a subform's rows are reached through COQL only."""
        module = self.module(api_name)
        if module.parent is not None:
            raise invalid_module()
        return module

    def table(self, api_name: str) -> Table:
        return self.tables[api_name]

    def record_name(self, module: str, record_id: int) -> str | None:
        row = self.tables[module].rows.get(record_id)
        return None if row is None else row.get(self.modules[module].name_field)

    def announce(self, change: Change) -> None:
        if change.rows:
            for listener in self.listeners:
                listener(change)

    def parents_of(self, module: Module, row: Row) -> dict[str, int]:
        """The records a row hangs on, by module: what notify_on_related_action reaches."""
        found: dict[str, int] = {}
        for name in ("Account_Name", "Contact_Name", "Deal_Name", "Deal_Name__s", "Vendor_Name"):
            held: Field | None = module.fields.get(name)
            if held is not None and held.lookup and row.get(name):
                found[held.lookup] = row[name]
        return found
