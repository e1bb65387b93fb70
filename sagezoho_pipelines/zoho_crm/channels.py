"""Notification channels (`/actions/watch`): enable, replace, renew, list and disable, with Zoho's answer for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sagezoho_pipelines.domain.channels import Watch, Watched
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.zoho_crm import limits
from sagezoho_pipelines.zoho_crm.reading import instant
from sagezoho_pipelines.zoho_crm.transport import Call, Transport
from sagezoho_pipelines.zoho_crm.writing import row_results

#: POST enables, PUT replaces all details, PATCH changes those given and renews.
Change = Literal["POST", "PUT", "PATCH"]

_PATH = f"/crm/{limits.API_VERSION}/actions/watch"
_NAMES: Mapping[Change, str] = {"POST": "enable channel", "PUT": "replace channel", "PATCH": "renew channel"}


class Channels:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def watch(self, method: Change, wanted: Sequence[Watch]) -> list[RowResult]:
        """One result per channel. All three may be sent twice: the second answer is that of the first."""
        if not wanted:
            return []
        rows = [_row(one) for one in wanted]
        call = Call(name=_NAMES[method], method=method, path=_PATH, body={"watch": rows}, write=True, rows="watch")
        reply = self._transport.send(call)
        told = reply.body.get("watch") if reply.body else None
        results = row_results(call, reply, rows, method)
        return [
            RowResult(id=str(one.channel_id), expires_at=_earliest(answer), error=result.error)
            for one, result, answer in zip(wanted, results, told or (), strict=True)
        ]

    def listed(self, channel_id: int) -> list[Watched]:
        """What Zoho has of a channel, one entry per module; empty when it knows none."""
        found: list[Watched] = []
        page = 1
        while True:
            params = {"channel_id": str(channel_id), "page": str(page), "per_page": str(limits.CHANNELS_PER_PAGE)}
            reply = self._transport.send(Call(name="list channels", method="GET", path=_PATH, params=params))
            rows = reply.body.get("watch") if reply.body else None
            rows = rows if isinstance(rows, list) else []
            # Zoho may list all channels of the organisation: only ours counts.
            found += [_watched(row) for row in rows if str(row.get("channel_id")) == str(channel_id)]
            info = (reply.body or {}).get("info")
            if not rows or not isinstance(info, Mapping) or info.get("more_records") is not True:
                return found
            page += 1

    def disable(self, channel_id: int) -> None:
        """Zoho tells nothing any more. Raises VendorError, NOT_SUBSCRIBED where it told nothing before."""
        params = {"channel_ids": str(channel_id)}
        call = Call(name="disable channel", method="DELETE", path=_PATH, params=params, write=True, rows="watch")
        reply = self._transport.send(call)
        told = (reply.body or {}).get("watch")
        rows = [{"id": str(channel_id)}] * (len(told) if isinstance(told, list) else 1)
        failures = [result.error for result in row_results(call, reply, rows, "delete") if result.error is not None]
        if failures:
            raise failures[0]


def _row(one: Watch) -> dict[str, Any]:
    return {
        "channel_id": str(one.channel_id),
        "events": list(one.events),
        "notify_url": one.notify_url,
        "token": one.token,
        "channel_expiry": one.expires_at.isoformat(timespec="seconds"),
        # True by default: an account would be told of whenever one of its contacts changes.
        "notify_on_related_action": False,
        "return_affected_field_values": False,
    }


def _watched(row: Mapping[str, Any]) -> Watched:
    events = row.get("events")
    return Watched(
        channel_id=str(row.get("channel_id")),
        module=str(row.get("resource_name") or ""),
        events=tuple(str(event) for event in events) if isinstance(events, list) else (),
        notify_url=str(row.get("notify_url") or ""),
        token=str(row.get("token") or ""),
        expires_at=_instant(row.get("channel_expiry")),
    )


def _earliest(answer: Mapping[str, Any]) -> datetime | None:
    """When the first of the channel's modules expires: Zoho gives an hour where it does not like what was asked."""
    details = answer.get("details")
    events = details.get("events") if isinstance(details, Mapping) else None
    told = [_instant(event.get("channel_expiry")) for event in events or () if isinstance(event, Mapping)]
    return min((each for each in told if each is not None), default=None)


def _instant(value: Any) -> datetime | None:
    try:
        return instant(str(value)) if value else None
    except ValueError:
        return None
