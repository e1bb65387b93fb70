"""What people do in both systems while a command is tried, and what was written meanwhile."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.sandbox.server import Sandbox


def act(sandbox: Sandbox, system: str, action: str, **given: Any) -> dict[str, Any]:
    """What a person does at the vendor's own screen."""
    return getattr(sandbox, system).world.actions[action](given)  # type: ignore[no-any-return]


def won_deal(sandbox: Sandbox, *, amount: str | None = "1200.50") -> tuple[str, str]:
    """A new account and a won deal of its: their ids."""
    street = {"Street": "1 Main St", "City": "Reno", "State": "NV", "Code": "89501", "Country": "USA"}
    values = {f"Billing_{name}": value for name, value in street.items()}
    account = act(sandbox, "zoho_crm", "add_account", name="Larkspur Ltd", values=values)["id"]
    deal = act(
        sandbox, "zoho_crm", "add_deal", name="Larkspur refit", account_id=account, amount=amount, stage="Closed Won"
    )
    return account, deal["id"]


def writes(sandbox: Sandbox) -> int:
    """Writes of records, so far; tokens are none."""
    counted = [sandbox.sage300.world.counters.snapshot(), sandbox.zoho_crm.world.counters.snapshot()]
    return sum(
        count
        for snapshot in counted
        for call, count in snapshot["by_call"].items()
        if call.split()[0] in ("POST", "PUT", "PATCH", "DELETE") and "oauth" not in call and "coql" not in call
    )
