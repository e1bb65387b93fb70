"""Addresses with more lines than Sage has fields for: refused, since goods would go to what is left of them."""

from __future__ import annotations

from collections.abc import Mapping

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Row, System


def require_room(
    mapping: TargetMapping,
    document: Row,
    *,
    code: str,
    what: str,
    field: str,
    advice: str,
    details: Mapping[str, str] | None = None,
) -> None:
    """Raise the refusal of an address of which lines would be lost. A mapping that says shorten() has said so."""
    cut = mapping.cut(document)
    if not cut:
        return
    raise VendorError(
        system=System.ZOHO_CRM,
        code=code,
        text=f"{what} does not fit into Sage's {', '.join(rule.target for rule in cut)}",
        verdict=Verdict.REFUSE,
        field=field,
        advice=advice,
        details=details or {},
    )
