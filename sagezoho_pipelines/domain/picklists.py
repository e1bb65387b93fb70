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


def is_before(fields: Sequence[Row], stage: str, reached: str) -> bool:
    """Whether an open stage lies before another one beyond doubt.

    Every open stage lies before one that is won. Of two open ones, the place in Zoho's list and the probability must
    agree: a stage that was added later stands at the list's end, wherever it belongs.
    """
    here, there = (_value(fields, name) for name in (stage, reached))
    if here is None or there is None or _forecast(here) != "open":
        return False
    if _forecast(there) == "closedwon":
        return True
    return all(_less(here.get(name), there.get(name)) for name in ("sequence_number", "probability"))


def _value(fields: Sequence[Row], stage: str) -> Row | None:
    return next((value for value in pick_list(fields, "Stage") if str(value.get("actual_value")) == stage), None)


def _less(one: object, other: object) -> bool:
    """Of two numbers as Zoho's metadata tells them; not where it does not."""
    return isinstance(one, int | float) and isinstance(other, int | float) and one < other


def _stages(fields: Sequence[Row], forecast: str) -> list[str]:
    return [str(value["actual_value"]) for value in pick_list(fields, "Stage") if _forecast(value) == forecast]


def _forecast(value: Row) -> str:
    """Zoho writes forecast types as "Closed Won"; spelling may differ between editions and versions."""
    told = value.get("forecast_type") or value.get("deal_category") or ""
    return "".join(filter(str.isalpha, str(told).casefold())) if value.get("actual_value") else ""
