"""`sagezoho.yaml`: connections, flows, cadence and order lines. Secrets never live here.

Every key but a connection's two addresses has a default. An unknown key, or a value that does not fit, is a
ConfigurationError that names file, line and key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from sagezoho_pipelines.config_values import Cron, Day, Zone
from sagezoho_pipelines.domain import marked_yaml
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.marked_yaml import MarkedYaml
from sagezoho_pipelines.domain.reconcile import OtherSide
from sagezoho_pipelines.domain.records import Authority

FLOWS = ("vendors", "customers", "orders", "invoices", "identity")
FlowName = Literal["vendors", "customers", "orders", "invoices", "identity"]

_URL = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s/]+(/\S*)?$")]
_CODE = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, max_length=12)]


class _Model(BaseModel):
    # A company or a location may be a number: written without quotes it is still the text it looks like.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Sage300Settings(_Model):
    """Where one Sage 300 company is. Time-outs are in seconds."""

    url: _URL
    company: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9]{1,6}$")]
    page_size: int = Field(100, ge=2, le=1000)
    concurrency: int = Field(2, ge=1, le=16)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(80, gt=0, le=3600)
    max_attempts: int = Field(5, ge=1, le=20)


class ZohoCrmSettings(_Model):
    """Where one Zoho organisation is. `api_domains` lists hosts besides Zoho's own that a token may route to.

    `trigger` names the Zoho automations that our writes set off (workflow, approval, blueprint, pathfinder,
    orchestration); none by default.
    """

    accounts_url: _URL = "https://accounts.zoho.com"
    api_domains: tuple[_URL, ...] = ()
    concurrency: int = Field(10, ge=1, le=10)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(60, gt=0, le=600)
    max_attempts: int = Field(5, ge=1, le=20)
    trigger: tuple[Literal["workflow", "approval", "blueprint", "pathfinder", "orchestration"], ...] = ()


class Cadence(_Model):
    """When an entity is polled (cron, in the connection's time zone) and how often its sensor asks (seconds)."""

    cron: Cron = "*/15 * * * *"
    sensor_seconds: int = Field(60, ge=30)


_LIKENESS = Annotated[int, Field(ge=0, le=100)]


class Match(_Model):
    """How the first match tells which records are the same: see `sagezoho match`.

    `zoho_id_fields` hold the Sage number that somebody noted in Zoho, besides our own fields; the tax fields a tax or
    registration number. Fields that Zoho does not have are passed over. `free_mail` names domains that say nothing
    about a firm, besides the well-known ones; `contacts` reads the e-mail addresses of Zoho contacts.

    How alike names must be (0 to 100): `name` with the same city alone, `similar` beside something else that agrees,
    `backed` where two of domain, phone and street agree, `with_id` beside an equal id or tax number. `margin` is how
    far the next candidate must be behind.
    """

    zoho_id_fields: tuple[str, ...] = ()
    zoho_tax_fields: tuple[str, ...] = ("Tax_ID", "Tax_Number", "VAT_Number", "GST_Number", "Registration_Number")
    sage_tax_fields: tuple[str, ...] = ()
    free_mail: tuple[str, ...] = ()
    contacts: bool = True
    name: _LIKENESS = 97
    similar: _LIKENESS = 85
    backed: _LIKENESS = 65
    with_id: _LIKENESS = 50
    margin: _LIKENESS = 15


class VendorsMatch(Match):
    sage_tax_fields: tuple[str, ...] = ("BusinessRegistrationNumber", "Num1099CPRSTaxNumber", "TaxRegistrationCode1")


class CustomersMatch(Match):
    sage_tax_fields: tuple[str, ...] = ("BusinessRegistrationNumber", "TaxRegistrationNumber1")


#: What a connection does that says nothing about its first sync.
FIRST_SYNC: Literal["plan", "allow"] = "plan"


class Guards(_Model):
    """What a sync may do without anybody having seen it; a sync that would do more stops before its first write.

    `max_creates` and `max_deletes` count records, `max_updates_pct` is a share (0 to 100) of the linked ones. What is
    left out is not guarded.
    """

    max_creates: int | None = Field(None, ge=0)
    max_updates_pct: float | None = Field(None, ge=0, le=100)
    max_deletes: int | None = Field(None, ge=0)

    @property
    def active(self) -> bool:
        return (self.max_creates, self.max_updates_pct, self.max_deletes) != (None, None, None)


class VendorsFlow(_Model):
    """`overlap_days` re-reads that many days before the watermark: Sage's dates can be set back."""

    enabled: bool = True
    vendors: Cadence = Cadence(cron="*/10 * * * *")
    ap_batches: Cadence = Cadence(cron="5 * * * *", sensor_seconds=300)
    overlap_days: int = Field(3, ge=0, le=60)
    match: VendorsMatch = VendorsMatch()
    guards: Guards = Guards()


class NumberRule(_Model):
    """How a new Sage customer gets its number: a prefix and a sequence, or the text of a Zoho account field."""

    rule: Literal["sequence", "field"] = "sequence"
    prefix: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z0-9-]{0,8}$")] = "Z"
    digits: int = Field(6, ge=1, le=12)
    start: int = Field(1, ge=1)
    field: str = "Sage_Customer_Number"

    @model_validator(mode="after")
    def _fits(self) -> NumberRule:
        if self.rule == "sequence" and len(self.prefix) + self.digits > 12:
            raise ValueError("prefix and digits together may not pass the 12 characters of a Sage customer number")
        return self


class CustomersFlow(_Model):
    """What a customer made from a Zoho account gets where the account's own fields say nothing."""

    enabled: bool = True
    group: _CODE = "WHL"
    terms: _CODE = "N30"
    tax_group: _CODE = "CALIF"
    currency: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")] = "USD"
    number: NumberRule = NumberRule()
    match: CustomersMatch = CustomersMatch()
    cadence: Cadence = Cadence(cron="*/5 * * * *")
    guards: Guards = Guards()


class SubformLines(_Model):
    """A subform on the deal that holds order lines, and the names of its fields."""

    field: str
    product: str = "Product"
    code: str = ""
    quantity: str = "Quantity"
    price: str = "Rate"
    discount: str = ""
    description: str = "Description"


class AmountLine(_Model):
    """The one line made of a deal's Amount: a miscellaneous charge, or one unit of an item."""

    kind: Literal["miscellaneous", "item"] = "miscellaneous"
    code: str = "HC"


class OrdersFlow(_Model):
    """Which deals become orders (`stages` empty: every stage whose forecast type is closed-won) and with what lines.

    `start`: deals changed before that day are left alone.
    `write_back`: deals and accounts in Zoho show their Sage number, and why they were refused.
    """

    enabled: bool = True
    stages: tuple[str, ...] = ()
    lines: tuple[Literal["quote", "subform", "amount"], ...] = ("quote", "subform", "amount")
    quote_stages: tuple[str, ...] = ("Accepted", "Closed Won")
    subform: SubformLines | None = None
    amount: AmountLine = AmountLine()
    location: str = "1"
    overlap_seconds: int = Field(120, ge=0)
    start: Day = ""
    write_back: bool = True
    cadence: Cadence = Cadence(cron="*/5 * * * *")
    guards: Guards = Guards()


class InvoicesFlow(_Model):
    enabled: bool = True
    invoices: Cadence = Cadence(cron="*/10 * * * *")
    ar_batches: Cadence = Cadence(cron="10 * * * *", sensor_seconds=300)
    posted_documents: Cadence = Cadence(cron="20 * * * *", sensor_seconds=300)
    overlap_days: int = Field(3, ge=0, le=60)
    guards: Guards = Guards()


class PairSettings(_Model):
    """Who leads for new links of one kind, and what becomes of edits on the other side and of records that go away.

    `fields` names Zoho fields with a leader of their own. `other_side`: an edit where nobody leads is put back, left as
    it is, or shown in the inbox. What Sage no longer has is marked in Zoho, ignored, or shown in the inbox, and so is,
    the other way round, what Zoho no longer has: `mark` there makes the Sage record inactive. A Sage record that
    becomes inactive is marked in the account's status field, leaves that field as it is, or is shown in the inbox.
    """

    authority: Authority
    fields: Mapping[str, Authority] = {}
    other_side: OtherSide = OtherSide.PUT_BACK
    inactive_in_sage300: Literal["mark", "ignore", "inbox"] = "mark"
    gone_in_sage300: Literal["mark", "ignore", "inbox"] = "mark"
    gone_in_zoho_crm: Literal["mark", "ignore", "inbox"] = "inbox"


class IdentityFlow(_Model):
    """Linked pairs kept equal both ways. Off: vendors go to Zoho and customers to Sage; edits there are left alone."""

    enabled: bool = True
    vendors: PairSettings = PairSettings(authority=Authority.SAGE300)
    customers: PairSettings = PairSettings(authority=Authority.ZOHO_CRM)
    vendor_accounts: Cadence = Cadence(cron="*/10 * * * *")
    customer_records: Cadence = Cadence(cron="*/15 * * * *", sensor_seconds=300)
    overlap_days: int = Field(3, ge=0, le=60)
    overlap_seconds: int = Field(120, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _leaders(cls, given: Any) -> Any:
        """A section that leaves the leader out keeps the one of its kind."""
        if not isinstance(given, Mapping):
            return given
        leaders = {"vendors": Authority.SAGE300, "customers": Authority.ZOHO_CRM}
        filled = {
            kind: {"authority": leader, **given[kind]}
            for kind, leader in leaders.items()
            if isinstance(given.get(kind), Mapping)
        }
        return {**given, **filled}


class Flows(_Model):
    vendors: VendorsFlow = VendorsFlow()
    customers: CustomersFlow = CustomersFlow()
    orders: OrdersFlow = OrdersFlow()
    invoices: InvoicesFlow = InvoicesFlow()
    identity: IdentityFlow = IdentityFlow()


class Retries(_Model):
    """Back-off of one change between attempts, in seconds; the last attempt's failure lands in the error inbox."""

    max_attempts: int = Field(8, ge=1, le=50)
    base_seconds: float = Field(30, gt=0)
    cap_seconds: float = Field(3600, gt=0)


class Notifications(_Model):
    """Zoho's callbacks. `url` is where the internet reaches the gateway, without `/notifications/…`; none, no channel.

    A channel lives `expiry_hours` and is renewed at half of that, each time with a new token; the old one is honoured
    `overlap_minutes` longer. `cron` is when the channel is looked at.
    """

    enabled: bool = True
    url: _URL | Literal[""] = ""
    expiry_hours: int = Field(24, ge=1, le=168)
    overlap_minutes: int = Field(10, ge=1, le=60)
    cron: Cron = "*/15 * * * *"

    @property
    def active(self) -> bool:
        return self.enabled and bool(self.url)


_Fields = Mapping[str, Mapping[str, Any]]
_ValueMaps = Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], str]


class MappingOverrides(_Model):
    """What is laid over each flow's mapping: target -> field -> expression, `{value, write}`, or null to drop it."""

    vendors: _Fields = {}
    customers: _Fields = {}
    orders: _Fields = {}
    invoices: _Fields = {}
    identity: _Fields = {}


class Mappings(MappingOverrides):
    """`directory`, beside the file unless absolute, holds `FLOW.yaml` (instead of the shipped mapping) and
    `FLOW.override.yaml` (laid over it), the same for one connection in a directory of its name.
    """

    directory: str = ""

    @model_validator(mode="before")
    @classmethod
    def _only_a_directory(cls, given: Any) -> Any:
        return {"directory": given} if isinstance(given, str) else given


class Connection(_Model):
    """One Sage 300 company paired with one Zoho CRM organisation.

    `mappings` and `value_maps` go before those of the whole file. `drift_cron` is when both systems' field lists are
    compared with the last seen. With `first_sync: plan` no flow begins before a plan of it was applied.
    """

    sage300: Sage300Settings
    zoho_crm: ZohoCrmSettings = ZohoCrmSettings()
    flows: Flows = Flows()
    mappings: MappingOverrides = MappingOverrides()
    value_maps: _ValueMaps = {}
    retries: Retries = Retries()
    notifications: Notifications = Notifications()
    timezone: Zone = "UTC"
    sweep_cron: Cron = "30 2 * * *"
    first_sync: Literal["plan", "allow"] = FIRST_SYNC
    drift_cron: Cron = "15 5 * * *"
    lease_seconds: float = Field(600, ge=5)


class Gateway(_Model):
    """The process that receives callbacks. Its time-outs are in seconds, its limits are for one source address.

    `trusted_proxies` may say in X-Forwarded-For whom they speak for.
    """

    host: str = "127.0.0.1"
    port: int = Field(8500, ge=0, le=65535)
    max_body_kilobytes: int = Field(256, ge=1, le=10_240)
    read_timeout: float = Field(5, gt=0, le=60)
    requests_per_second: int = Field(1000, ge=1)
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")


class Alerts(_Model):
    """Who hears of a degraded run: a command, with a JSON summary on its standard input, or a webhook, or both.

    It is called once for a run that refused at least `min_refused` records, which are at least `failure_rate` (0 to 1)
    of all it took up. `timeout` is in seconds.
    """

    command: tuple[str, ...] = ()
    webhook_url: _URL | None = None
    min_refused: int = Field(1, ge=1)
    failure_rate: float = Field(0, ge=0, le=1)
    timeout: float = Field(10, gt=0, le=120)


@dataclass(frozen=True)
class _Source:
    """Where settings come from, which does not make them different ones."""

    marked: MarkedYaml = field(compare=False)


class Settings(_Model):
    """The whole file. `retention_days` is how long Dagster's own run records are kept; the ledger's audit is kept.

    `worker_patience_seconds` is how long a due change is left to a running worker before Dagster's sensor takes it.
    `mappings` are overrides for all connections, or only the name of a directory. `value_maps` names CSV files (from,
    to) that expressions look up in.
    """

    connections: Mapping[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")], Connection]
    gateway: Gateway = Gateway()
    alerts: Alerts = Alerts()
    mappings: Mappings = Mappings()
    value_maps: _ValueMaps = {}
    retention_days: int = Field(90, ge=1)
    worker_patience_seconds: float = Field(5, ge=0, le=3600)

    _source: _Source = PrivateAttr(default_factory=lambda: _Source(MarkedYaml("sagezoho.yaml", {}, {})))

    @property
    def source(self) -> MarkedYaml:
        """The file these settings were read from, for naming the line of a key."""
        return self._source.marked

    def connection(self, name: str) -> Connection:
        try:
            return self.connections[name]
        except KeyError:
            known = ", ".join(sorted(self.connections)) or "none"
            raise ConfigurationError(f"there is no connection {name!r} in the configuration; known: {known}") from None


def config_path(env: Mapping[str, str] = os.environ) -> Path:
    """`SAGEZOHO_CONFIG`, or `sagezoho.yaml` in the working directory."""
    return Path(env.get("SAGEZOHO_CONFIG") or "sagezoho.yaml")


def home(env: Mapping[str, str] = os.environ) -> Path:
    """`SAGEZOHO_HOME`, or `.sagezoho` in the working directory: key file, embedded database."""
    return Path(env.get("SAGEZOHO_HOME") or ".sagezoho")


def load(path: Path) -> Settings:
    """Read the configuration. Raises ConfigurationError when it is missing or does not fit."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}). Write one with 'sagezoho init', or name it in SAGEZOHO_CONFIG."
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """Read the configuration from text; `name` is used in errors."""
    marked = marked_yaml.load(text, name)
    if not isinstance(marked.data, dict):
        raise ConfigurationError(f"{name}:1: the file must be a mapping with the key 'connections'")
    try:
        settings = Settings.model_validate(marked.data)
    except ValidationError as error:
        lines = [_sentence(marked, problem) for problem in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None
    settings._source = _Source(marked)
    return settings


def _sentence(marked: marked_yaml.MarkedYaml, problem: Any) -> str:
    path = tuple(part for part in problem["loc"] if part != "[key]")
    where = marked.where(path)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(path)}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _suggestion(path: tuple[str | int, ...]) -> str:
    """`; known here: …` for the model that the path ends in."""
    model: Any = Settings
    steps = list(path[:-1])
    if steps[:1] == ["connections"] and len(steps) > 1:
        model, steps = Connection, steps[2:]
    for part in steps:
        field = model.model_fields.get(str(part)) if _is_model(model) else None
        model = field.annotation if field is not None else None
    return f"; known here: {', '.join(model.model_fields)}" if _is_model(model) else ""


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
