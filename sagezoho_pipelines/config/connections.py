"""One connection: where its two systems are, how they are called, and what runs between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from sagezoho_pipelines.config.flows import Flows
from sagezoho_pipelines.config.mappings import MapName, MappingOverrides
from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.config.values import Company, Cron, Url, Zone


class Sage300Settings(Section):
    """Where one Sage 300 company is. Time-outs are in seconds."""

    url: Url
    company: Company
    page_size: int = Field(100, ge=2, le=1000)
    concurrency: int = Field(2, ge=1, le=16)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(80, gt=0, le=3600)
    max_attempts: int = Field(5, ge=1, le=20)


class ZohoCrmSettings(Section):
    """Where one Zoho organisation is. `api_domains` lists hosts besides Zoho's own that a token may route to.

    `trigger` names the Zoho automations that our writes set off (workflow, approval, blueprint, pathfinder,
    orchestration); none by default.
    """

    accounts_url: Url = "https://accounts.zoho.com"
    api_domains: tuple[Url, ...] = ()
    concurrency: int = Field(10, ge=1, le=10)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(60, gt=0, le=600)
    max_attempts: int = Field(5, ge=1, le=20)
    trigger: tuple[Literal["workflow", "approval", "blueprint", "pathfinder", "orchestration"], ...] = ()


class Retries(Section):
    """Back-off of one change between attempts, in seconds; the last attempt's failure lands in the error inbox."""

    max_attempts: int = Field(8, ge=1, le=50)
    base_seconds: float = Field(30, gt=0)
    cap_seconds: float = Field(3600, gt=0)


class Notifications(Section):
    """Zoho's callbacks. `url` is where the internet reaches the gateway, without `/notifications/…`; none, no channel.

    A channel lives `expiry_hours` and is renewed at half of that, each time with a new token; the old one is honoured
    `overlap_minutes` longer. `cron` is when the channel is looked at.
    """

    enabled: bool = True
    url: Url | Literal[""] = ""
    expiry_hours: int = Field(24, ge=1, le=168)
    overlap_minutes: int = Field(10, ge=1, le=60)
    cron: Cron = "*/15 * * * *"

    @property
    def active(self) -> bool:
        return self.enabled and bool(self.url)


class Connection(Section):
    """One Sage 300 company paired with one Zoho CRM organisation.

    `mappings` and `value_maps` go before those of the whole file. `drift_cron` is when both systems' field lists are
    compared with the last seen. With `first_sync: plan` no flow begins before a plan of it was applied.
    """

    sage300: Sage300Settings
    zoho_crm: ZohoCrmSettings = ZohoCrmSettings()
    flows: Flows = Flows()
    mappings: MappingOverrides = MappingOverrides()
    value_maps: Mapping[MapName, str] = {}
    retries: Retries = Retries()
    notifications: Notifications = Notifications()
    timezone: Zone = "UTC"
    sweep_cron: Cron = "30 2 * * *"
    first_sync: Literal["plan", "allow"] = "plan"
    drift_cron: Cron = "15 5 * * *"
    lease_seconds: float = Field(600, ge=5)
