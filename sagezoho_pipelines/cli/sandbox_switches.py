"""The sandbox's switches, as the command line shows and turns them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
    from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches


_KINDS = """\
undecided: the vendor's public record leaves it open or contradicts itself. The default is the reading that is harder
  for a client, unless it says why not.
setting: an administrator, an edition or a release decides at a real vendor.
fault: what goes wrong there now and then.
Turn one with --switch NAME=VALUE, or while it runs by POST to /__sandbox__/switches."""


def rows() -> list[dict[str, Any]]:
    """Every switch of both vendors, with what it decides."""
    from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
    from sagezoho_pipelines.sandbox.switches import listed
    from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

    vendors = {"sage300": SageSwitches, "zoho_crm": ZohoSwitches}
    return [
        {
            "vendor": vendor,
            "name": one.name,
            "kind": str(one.kind),
            "default": one.default,
            "others": list(one.others),
            "meaning": one.meaning,
            "because": one.because,
        }
        for vendor, switches in vendors.items()
        for one in listed(switches)
    ]


def show(*, as_json: bool) -> None:
    from sagezoho_pipelines.cli import output

    found = rows()
    if as_json:
        output.emit_json({"switches": found})
        return
    for vendor, title in (("sage300", "Simulated Sage 300"), ("zoho_crm", "Simulated Zoho CRM")):
        told = [
            (
                row["name"],
                row["kind"],
                _shown(row["default"]),
                ", ".join(map(_shown, row["others"])),
                f"{row['meaning']} So by default because {row['because']}." if row["because"] else row["meaning"],
            )
            for row in found
            if row["vendor"] == vendor
        ]
        output.table(["switch", "kind", "default", "or", "what it decides"], told, title=title)
    output.say(_KINDS)


def turned(given: Iterable[str]) -> tuple[SageSwitches, ZohoSwitches]:
    """Both vendors' switches with `NAME=VALUE` applied. Raises click.UsageError."""
    from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
    from sagezoho_pipelines.sandbox.switches import turn
    from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

    sage, zoho = SageSwitches(), ZohoSwitches()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--switch {text}: write NAME=VALUE; --list-switches shows the names")
        holder: Any = sage if name in vars(sage) else zoho
        try:
            turn(holder, name, _read(value))
        except ValueError as error:
            raise click.UsageError(f"--switch {error}; --list-switches shows what there is") from None
    return sage, zoho


def _read(text: str) -> Any:
    """JSON where it is JSON (true, 5, null, ["a"]), else the text itself."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
