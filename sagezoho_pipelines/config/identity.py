"""Linked pairs: who leads, and what becomes of edits on the other side and of records that go away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from sagezoho_pipelines.config.cadence import Cadence
from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.domain.reconcile import OtherSide
from sagezoho_pipelines.domain.records import Authority


class PairSettings(Section):
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


class IdentityFlow(Section):
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
