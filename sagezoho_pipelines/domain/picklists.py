"""What Zoho's field metadata says of pick lists, and of the stages that mean a deal is won."""

from __future__ import annotations

from collections.abc import Sequence

from sagezoho_pipelines.domain.records import Row


def pick_list(fields: Sequence[Row], api_name: str) -> list[Row]:
    """The values of a pick list in Zoho's order. Records carry `actual_value`, which users never see when renamed."""
    field = next((field for field in fields if field.get("api_name") == api_name), None)
    values = field.get("pick_list_values") if field else None
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def closed_won_stages(fields: Sequence[Row]) -> list[str]:
    """The actual values of every Stage whose forecast type is closed-won, from the fields of Deals."""
    return _stages(fields, "closedwon")


def closed_lost_stages(fields: Sequence[Row]) -> list[str]:
    """The actual values of every Stage whose forecast type is closed-lost."""
    return _stages(fields, "closedlost")


def _stages(fields: Sequence[Row], forecast: str) -> list[str]:
    return [str(value["actual_value"]) for value in pick_list(fields, "Stage") if _forecast(value) == forecast]


def _forecast(value: Row) -> str:
    """Zoho writes forecast types as "Closed Won"; spelling may differ between editions and versions."""
    told = value.get("forecast_type") or value.get("deal_category") or ""
    return "".join(filter(str.isalpha, str(told).casefold())) if value.get("actual_value") else ""
