"""What an entry of the error inbox can be given by hand: which fields an edit may set, and what a retry delivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.domain.records import EntityRef, Look, Row, System
from sagezoho_pipelines.engine import write_back


@dataclass(frozen=True, slots=True)
class _Target:
    """The header that an entity's changes are mapped to. `key` is the business key: it finds the record again."""

    flow: str
    mappings: tuple[str, ...]
    key: str
    read_again: bool = True


_TARGETS: Mapping[tuple[str, str], _Target] = {
    ("sage300", "vendors"): _Target("vendors", ("accounts",), "Sage_Vendor_Key"),
    ("zoho_crm", "deal_accounts"): _Target("customers", ("customers",), "CustomerNumber"),
    ("zoho_crm", "deals"): _Target("orders", ("orders",), "OrderReference"),
    # A service invoice is known by its batch only, so the version that was refused is the one to deliver.
    ("sage300", "invoices"): _Target("invoices", ("invoices", "ar_invoices"), "Sage_Invoice_Key", read_again=False),
    ("sage300", "posted_documents"): _Target("invoices", ("payments",), "", read_again=False),
}


def read_again(system: str, entity: str) -> bool:
    """Whether a retry delivers the record as it is by then, rather than the version that was refused."""
    target = _TARGETS.get((system, entity))
    return target is None or target.read_again


def editable(mappings: Mapping[str, FlowMapping], system: str, entity: str) -> list[str]:
    """The target fields that an edit may set; empty where there is nothing to edit."""
    target = _TARGETS.get((system, entity))
    if target is None:
        return []
    names = {rule.target for name in target.mappings for rule in mappings[target.flow][name].rules}
    return sorted(names - {target.key})


def require_editable(mappings: Mapping[str, FlowMapping], system: str, entity: str, fields: Row) -> None:
    """Raises SagezohoError for a field that the mapping does not fill, or that the record is found by."""
    allowed = editable(mappings, system, entity)
    unknown = sorted(set(fields) - set(allowed))
    if not allowed:
        raise SagezohoError(f"{entity} of {system} have no fields to edit: correct the source, then retry it.")
    if unknown:
        raise SagezohoError(f"{unknown[0]} cannot be set here; what can be set: {', '.join(allowed)}.")


def after_dismissal(settings: Connection | None, name: str, system: str, entity: str, key: str) -> list[Look]:
    """What is to be done once an entry is out of the inbox: its Zoho record no longer says what was wrong with it.

    `settings` are None where the connection is no longer configured.
    """
    source = EntityRef(name, System(system), entity)
    return [] if settings is None else write_back.looks(settings, source, key, "dismissed")
