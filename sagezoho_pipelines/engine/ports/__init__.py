"""What the engine needs from the vendors and the ledger. The rooms behind these protocols are reached no other way."""

from __future__ import annotations

from sagezoho_pipelines.engine.ports.ledger import Ledger, LedgerView, ReadableLedger
from sagezoho_pipelines.engine.ports.sage300 import Sage300
from sagezoho_pipelines.engine.ports.stores import ChannelStore, MetadataStore, PlanStore
from sagezoho_pipelines.engine.ports.zoho_crm import ZohoCrm

__all__ = [
    "ChannelStore",
    "Ledger",
    "LedgerView",
    "MetadataStore",
    "PlanStore",
    "ReadableLedger",
    "Sage300",
    "ZohoCrm",
]
