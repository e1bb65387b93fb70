"""The flows by name, and what each may be told."""

from __future__ import annotations

from pydantic import Field

from sagezoho_pipelines.config.cadence import Cadence
from sagezoho_pipelines.config.customers import CustomersFlow
from sagezoho_pipelines.config.guards import Guards
from sagezoho_pipelines.config.identity import IdentityFlow
from sagezoho_pipelines.config.match import VendorsMatch
from sagezoho_pipelines.config.orders import OrdersFlow
from sagezoho_pipelines.config.section import Section


class VendorsFlow(Section):
    """`overlap_days` re-reads that many days before the watermark: Sage's dates can be set back."""

    enabled: bool = True
    vendors: Cadence = Cadence(cron="*/10 * * * *")
    ap_batches: Cadence = Cadence(cron="5 * * * *", sensor_seconds=300)
    overlap_days: int = Field(3, ge=0, le=60)
    match: VendorsMatch = VendorsMatch()
    guards: Guards = Guards()


class InvoicesFlow(Section):
    enabled: bool = True
    invoices: Cadence = Cadence(cron="*/10 * * * *")
    ar_batches: Cadence = Cadence(cron="10 * * * *", sensor_seconds=300)
    posted_documents: Cadence = Cadence(cron="20 * * * *", sensor_seconds=300)
    overlap_days: int = Field(3, ge=0, le=60)
    guards: Guards = Guards()


class Flows(Section):
    vendors: VendorsFlow = VendorsFlow()
    customers: CustomersFlow = CustomersFlow()
    orders: OrdersFlow = OrdersFlow()
    invoices: InvoicesFlow = InvoicesFlow()
    identity: IdentityFlow = IdentityFlow()


FLOWS = tuple(Flows.model_fields)
