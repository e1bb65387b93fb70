"""The simulated company: its tables, its users, its session date, and what the other modules need to act on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.counters import Counters
from sagezoho_pipelines.sandbox.faults import Canned, FaultBook
from sagezoho_pipelines.sandbox.sage300 import codes, optional_fields
from sagezoho_pipelines.sandbox.sage300.catalog import KNOWN_MODULES, SETS
from sagezoho_pipelines.sandbox.sage300.errors import SHORTCUTS, TEXTS, SageError, canned_error, canned_status
from sagezoho_pipelines.sandbox.sage300.optional_fields import OptionalField
from sagezoho_pipelines.sandbox.sage300.schema import Row
from sagezoho_pipelines.sandbox.sage300.store import Table
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.world import Action


@dataclass(frozen=True)
class User:
    """A Sage user: stored in upper case, with the right "Sage 300 Web API" for these applications."""

    name: str
    password: str
    modules: frozenset[str] = frozenset(KNOWN_MODULES)
    companies: frozenset[str] = frozenset({"SAMINC"})


USERS = (
    User("WEBAPI", "WEBAPI"),
    User("ADMIN", "ADMIN"),
    User("NOAR", "NOAR", frozenset(KNOWN_MODULES) - {"AR"}),
    User("NOOE", "NOOE", frozenset(KNOWN_MODULES) - {"OE"}),
    User("APONLY", "APONLY", frozenset({"AP"})),
    User("NORIGHTS", "NORIGHTS", frozenset()),
    User("ELSEWHERE", "ELSEWHERE", companies=frozenset({"SAMLTD"})),
)


@dataclass(frozen=True)
class MiscellaneousCharge:
    """An O/E miscellaneous charge: not an item, carries only an amount."""

    code: str
    description: str
    amount: Decimal


@dataclass
class Setup:
    """Codes of the company that no served set holds but documents refer to."""

    functional_currency: str = "USD"
    locations: dict[str, str] = field(
        default_factory=lambda: {"1": "Central warehouse", "2": "Seattle store", "3": "Toronto store"}
    )
    charges: dict[str, MiscellaneousCharge] = field(
        default_factory=lambda: {
            charge.code: charge
            for charge in (
                MiscellaneousCharge("HC", "Handling charges", Decimal("10.00")),
                MiscellaneousCharge("FRT", "Freight", Decimal("25.00")),
                MiscellaneousCharge("SERV", "Services", Decimal("0.00")),
                MiscellaneousCharge("DEAL", "Agreed amount", Decimal("0.00")),
            )
        }
    )
    distribution_codes: frozenset[str] = frozenset({"INV", "CACCSE", "SERVIC", "FREIGH", "SUPPLY", "RENT"})
    codes: dict[str, frozenset[str]] = field(default_factory=codes.standard)
    """Account sets, banks, price lists and their like, by title."""
    optional_fields: dict[str, OptionalField] = field(default_factory=optional_fields.standard)
    tax_rates: dict[str, Decimal] = field(
        default_factory=lambda: {
            "CATAX": Decimal("8.25"),
            "WATAX": Decimal("6.5"),
            "CAGST": Decimal("5"),
            "BCPST": Decimal("7"),
            "ONHST": Decimal("13"),
            "EUVAT": Decimal("20"),
        }
    )
    included_authorities: frozenset[str] = frozenset({"EUVAT"})
    """Authorities whose tax is inside the price."""
    exchange_rates: dict[str, Decimal] = field(
        default_factory=lambda: {"USD": Decimal(1), "CAD": Decimal("0.74"), "EUR": Decimal("1.08")}
    )
    prices: dict[str, Decimal] = field(default_factory=dict)
    """Base price of each item, by unformatted number, in the functional currency."""
    pricing_units: dict[str, str] = field(default_factory=dict)
    """Of items whose price list names another unit than the stocking unit, by unformatted number."""
    exempt_items: set[str] = field(default_factory=set)


class SageWorld:
    """Everything Sage's side of the sandbox knows. Hold `lock` while reading or changing more than one thing.

    An empty one: `company.founded` fills it, and names what people can do in it.
    """

    def __init__(
        self,
        *,
        clock: SandboxClock | None = None,
        company: str = "SAMINC",
        switches: SageSwitches | None = None,
    ) -> None:
        self.clock = clock or SandboxClock()
        self.company = company
        self.username, self.password = USERS[0].name, USERS[0].password
        self.switches = switches or SageSwitches()
        self.faults = FaultBook(statuses=canned_status, shortcuts=SHORTCUTS, admit=self._admit)
        self.counters = Counters()
        self.users = {user.name: user for user in USERS}
        self.setup = Setup()
        self.tables = {entity.name: Table(entity) for entity in SETS if not entity.process}
        self.closed_periods: set[tuple[int, int]] = set()
        self.session: date | None = None
        self.lock = threading.RLock()
        self._sequences: dict[str, int] = {}
        self.actions: dict[str, Action] = {}

    @property
    def session_date(self) -> date:
        """The session date new and changed records are stamped with; the clock's date until somebody sets one."""
        return self.session or self.clock.now().date()

    def table(self, name: str) -> Table:
        return self.tables[name]

    def next_number(self, name: str, start: int = 1, step: int = 1) -> int:
        """The next number of a named sequence."""
        value = self._sequences.get(name, start - step) + step
        self._sequences[name] = value
        return value

    def decimals(self, currency: str) -> int:
        """The decimals that amounts of a currency are rounded to."""
        row = self.table("CSCurrencyCodes").get(currency)
        if row is None or self.switches.amount_decimals == "two":
            return 2
        return int(row.get("DecimalPlaces", "Num0").removeprefix("Num"))

    def fiscal_period(self, day: date, title: str) -> tuple[str, int]:
        """The fiscal year and period of a document date, whose field's title is given.

        Raises SageError FieldInvalid where no calendar covers the date or the period is closed.
        """
        calendar = self.table("CSFiscalCalendars").get(str(day.year))
        trouble = f"Cannot determine the fiscal period for {title}."
        if calendar is None or not calendar.get("Active", False):
            raise SageError("FieldInvalid", trouble, f"Fiscal calendar for {day.isoformat()} does not exist.")
        if (day.year, day.month) in self.closed_periods:
            raise SageError("FieldInvalid", trouble, f"Fiscal period {day.month} of {day.year} is locked.")
        return str(day.year), day.month

    def state(self, collection: str) -> Iterator[Row]:
        """Rows of a set in key order, with every property; `AP/APVendors` and `APVendors` both name it."""
        table = self.tables[collection.rpartition("/")[2]]
        defaults = {name: f.default for name, f in table.entity.type.fields.items()}
        return ({**defaults, **row} for row in table)

    def _admit(self, in_flight: int) -> Canned | None:
        if in_flight > self.switches.parallel_requests_max:
            return canned_error("TooManyRequests", TEXTS["TooManyRequests"])
        return None

    def user(self, name: str, password: str) -> User | None:
        """The user with these credentials, or None."""
        user = self.users.get(name.upper() if self.switches.user_any_case else name)
        if user is None:
            return None
        same = user.password == password
        return user if same or (self.switches.password_any_case and user.password.upper() == password.upper()) else None
