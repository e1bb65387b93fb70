"""Notification channels: /actions/watch and what each change means to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.delivery import Callback, Courier, Standing
from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError, row_invalid, row_missing
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Change, Organisation
from sagezoho_pipelines.sandbox.zoho_crm.show import show_value
from sagezoho_pipelines.sandbox.zoho_crm.values import parse_instant, show_instant
from sagezoho_pipelines.sandbox.zoho_crm.watch_addresses import unfit
from sagezoho_pipelines.sandbox.zoho_crm.watch_conditions import check_condition, watched_fields

HOUR = 3600
WEEK = 7 * 24 * HOUR
OPERATIONS = ("edit", "create", "delete")
"""In the order in which GET lists what `all` became."""
EVENT_OF = {"insert": "create", "update": "edit", "delete": "delete"}
SUBSCRIBED = "Successfully subscribed for actions-watch of the given module"
UPDATED = "Successfully updated the subscribe details"
REMOVED = "Successfully removed the subscribe details"
UNSUBSCRIBED = "Successfully un-subscribed from actions-watch"
DESCRIBE = (
    "notify_url",
    "token",
    "channel_expiry",
    "return_affected_field_values",
    "notify_on_related_action",
    "notification_condition",
)


@dataclass
class Subscription:
    """One module on one channel."""

    channel_id: str
    module: Module
    operations: set[str]
    notify_url: str
    token: str | None
    expires: int
    return_values: bool
    related: bool
    condition: list[Any] | None
    standing: Standing = field(default_factory=Standing)


class Channels:
    """All subscriptions by (channel, module), and the courier that carries their callbacks."""

    def __init__(self, org: Organisation, courier: Courier, base_url: str) -> None:
        self.org = org
        self.courier = courier
        self.base_url = base_url
        self.held: dict[tuple[str, str], Subscription] = {}
        org.listeners.append(self.hear)

    def to_probe(self, given: Iterable[Any]) -> set[str]:
        """The addresses in a `watch` array that are asked before channels are made for them."""
        if not self.org.switches.notify_url_probed:
            return set()
        urls = {one.get("notify_url") for one in given if isinstance(one, dict)}
        return {url for url in urls if isinstance(url, str) and not unfit(url, self.org.switches)}

    def apply(self, method: str, given: Any, path: str, *, reached: Collection[str] = ()) -> dict[str, Any]:
        """One element of the `watch` array under POST, PUT or PATCH; RowError when refused.

        `reached` are those of its addresses that were probed and answered.
        """
        self._forget_failing()
        if not isinstance(given, dict):
            raise row_invalid(path, expected_data_type="jsonobject")
        channel = self._channel_id(given, path)
        known = {module: one for (at, module), one in self.held.items() if at == channel}
        if method in ("PUT", "PATCH") and not known:
            raise not_subscribed(channel)
        events = self._events(given, path) if "events" in given or method != "PATCH" else None
        if method == "PATCH" and given.get("_delete_events") is True:
            return self._drop(channel, events, path)
        if method != "PATCH" and given.get("notify_url") is None:
            raise row_missing(f"{path}.notify_url")
        settings = self._settings(given, path, reached)
        if method == "PUT":
            for module in known:
                del self.held[channel, module]
        asked = {name: one.operations for name, one in known.items()} if events is None else events
        touched = [self._store(channel, name, operations, settings, method) for name, operations in asked.items()]
        message = UPDATED if method == "PATCH" else SUBSCRIBED
        return _success(message, {"events": [self._event(one) for one in touched]})

    def remove(self, channel: str) -> list[dict[str, Any]]:
        """The rows DELETE answers for one channel, one per module."""
        self._forget_failing()
        gone = [key for key in self.held if key[0] == channel]
        if not gone:
            raise not_subscribed(channel)
        rows = []
        for key in gone:
            one = self.held.pop(key)
            event = self._event(one)
            rows.append(_success(UNSUBSCRIBED, {k: event[k] for k in ("resource_uri", "resource_id", "channel_id")}))
        return rows

    def listed(self, channel: str | None, module: str | None) -> list[dict[str, Any]]:
        self._forget_failing()
        now = self.org.now()
        return [
            {
                "notify_on_related_action": one.related,
                "channel_expiry": show_instant(one.expires, self.org.zone),
                "return_affected_field_values": one.return_values,
                "resource_uri": self._uri(one.module),
                "resource_id": str(one.module.id),
                "notify_url": one.notify_url,
                "resource_name": one.module.api_name,
                "fields": None,
                "notification_condition": one.condition,
                "channel_id": one.channel_id,
                "events": [f"{one.module.api_name}.{op}" for op in OPERATIONS if op in one.operations],
                "token": one.token,
            }
            for one in self.held.values()
            if one.expires > now
            and (channel is None or one.channel_id == channel)
            and (module is None or one.module.api_name == module)
        ]

    def _uri(self, module: Module) -> str:
        return f"{self.base_url}/crm/v2/{module.api_name}"

    def _event(self, one: Subscription) -> dict[str, Any]:
        return {
            "channel_expiry": show_instant(one.expires, self.org.zone),
            "resource_uri": self._uri(one.module),
            "resource_id": str(one.module.id),
            "resource_name": one.module.api_name,
            "channel_id": one.channel_id,
        }

    @staticmethod
    def _channel_id(given: dict[str, Any], path: str) -> str:
        channel = given.get("channel_id")
        if channel is None:
            raise row_missing(f"{path}.channel_id")
        try:
            number = int(channel) if isinstance(channel, int | str) and not isinstance(channel, bool) else None
        except ValueError:
            number = None
        if number is None or not -(2**63) <= number < 2**63:
            raise row_invalid(f"{path}.channel_id", expected_data_type="bigint")
        return str(number)

    def _events(self, given: dict[str, Any], path: str) -> dict[str, set[str]]:
        events = given.get("events")
        if events is None or events == []:
            raise row_missing(f"{path}.events")
        if not isinstance(events, list):
            raise row_invalid(f"{path}.events", expected_data_type="jsonarray")
        asked: dict[str, set[str]] = {}
        for at, event in enumerate(events):
            where = f"{path}.events[{at}]"
            module, _, operation = event.partition(".") if isinstance(event, str) else ("", "", "")
            if operation not in (*OPERATIONS, "all"):
                raise row_invalid(where, expected_data_type="string")
            known = self.org.modules.get(module)
            if known is None or known.parent is not None or not self.org.supports(known):
                raise RowError("INVALID_MODULE", "the module name given seems to be invalid", {"json_path": where})
            asked.setdefault(module, set()).update(OPERATIONS if operation == "all" else (operation,))
        return asked

    def _forget_failing(self) -> None:
        most = self.org.switches.channel_ends_after_failures
        if most:
            ended = [key for key, one in self.held.items() if one.standing.failed_in_a_row >= most]
            for key in ended:
                del self.held[key]

    def _settings(self, given: dict[str, Any], path: str, reached: Collection[str]) -> dict[str, Any]:
        """The optional keys, checked; only those that were sent."""
        settings = {name: given[name] for name in DESCRIBE if name in given}
        token, longest = settings.get("token"), self.org.switches.channel_token_max
        if token is not None and (not isinstance(token, str) or len(token) > longest):
            raise row_invalid(f"{path}.token", maximum_length=longest)
        url = settings.get("notify_url")
        if url is not None:
            wrong = unfit(url, self.org.switches)
            if wrong:
                raise row_invalid(f"{path}.notify_url", **wrong)
            if self.org.switches.notify_url_probed and url not in reached:
                raise row_invalid(f"{path}.notify_url", reason="nothing answers there that can be trusted")
        for name in ("return_affected_field_values", "notify_on_related_action"):
            if name in settings and not isinstance(settings[name], bool):
                raise row_invalid(f"{path}.{name}", expected_data_type="boolean")
        if "channel_expiry" in settings:
            until = parse_instant(str(settings["channel_expiry"]))
            if until is None:
                raise row_invalid(f"{path}.channel_expiry", expected_data_type="datetime")
            settings["channel_expiry"] = until
        condition = settings.get("notification_condition")
        if condition is not None:
            check_condition(condition, f"{path}.notification_condition", self.org.modules)
        return settings

    def _store(
        self, channel: str, name: str, operations: set[str], settings: dict[str, Any], method: str
    ) -> Subscription:
        now = self.org.now()
        old = self.held.get((channel, name))
        until = settings.get("channel_expiry")
        if until is None:
            until = old.expires if old is not None and method == "PATCH" else now + HOUR
        elif until <= now or until > now + WEEK:
            until = now + HOUR
        base = old if method == "PATCH" else None
        if base is None and method == "PATCH":
            base = next(one for (at, _), one in self.held.items() if at == channel)
        made = Subscription(
            channel_id=channel,
            module=self.org.modules[name],
            operations=set(operations) | (old.operations if old and method != "PUT" else set()),
            notify_url=settings.get("notify_url") or (base.notify_url if base else ""),
            token=settings.get("token", base.token if base else None),
            expires=until,
            return_values=settings.get("return_affected_field_values", base.return_values if base else False),
            related=settings.get("notify_on_related_action", base.related if base else True),
            condition=settings.get("notification_condition", base.condition if base else None),
        )
        self.held[channel, name] = made
        return made

    def _drop(self, channel: str, events: dict[str, set[str]] | None, path: str) -> dict[str, Any]:
        if events is None:
            raise row_missing(f"{path}.events")
        touched = []
        for name, operations in events.items():
            one = self.held.get((channel, name))
            if one is None:
                raise not_subscribed(channel)
            one.operations -= operations
            if not one.operations:
                del self.held[channel, name]
            touched.append({key: value for key, value in self._event(one).items() if key != "channel_expiry"})
        return _success(REMOVED, {"events": touched})

    def hear(self, change: Change) -> None:
        """Sends every channel that watches `change` its callback."""
        self._forget_failing()
        now = self.org.now()
        event = EVENT_OF[change.operation]
        for one in list(self.held.values()):
            if one.expires <= now:
                continue
            if one.module.api_name == change.module:
                if event in one.operations:
                    self._tell(one, change)
            elif one.related and "edit" in one.operations:
                for record_id in sorted(change.parents.get(one.module.api_name, ())):
                    self.courier.send(self._callback(one, "update", [record_id], [], None))

    def _tell(self, one: Subscription, change: Change) -> None:
        wanted = watched_fields(one.condition) if change.operation == "update" else None
        rows = {
            record_id: values for record_id, values in change.rows.items() if wanted is None or wanted & set(values)
        }
        batches = [rows] if self.org.switches.callback_merges_rows else [{k: v} for k, v in rows.items()]
        for batch in batches:
            if not batch:
                continue
            if change.operation == "insert":
                self.courier.send(self._callback(one, "insert", list(batch), [], None))
                continue
            fields = [{str(record_id): sorted(values)} for record_id, values in batch.items()]
            values = None
            if change.operation == "delete" or one.return_values:
                values = [
                    {"record_id": str(record_id), "values": self._show(one.module, changed)}
                    for record_id, changed in batch.items()
                ]
            self.courier.send(self._callback(one, change.operation, list(batch), fields, values))

    def _show(self, module: Module, changed: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if name == "Record_Status__s" else show_value(self.org, module.fields[name], value)
            for name, value in changed.items()
        }

    def _callback(
        self, one: Subscription, operation: str, ids: list[int], fields: list[Any], values: list[Any] | None
    ) -> Callback:
        body: dict[str, Any] = {"server_time": int(self.org.clock.now().timestamp() * 1000)}
        if values is not None:
            body["affected_values"] = values
        body |= {
            "query_params": dict(parse_qsl(urlsplit(one.notify_url).query)),
            "module": one.module.api_name,
            "resource_uri": self._uri(one.module),
            "ids": [str(record_id) for record_id in ids],
            "affected_fields": fields,
            "operation": operation,
            "channel_id": one.channel_id,
            "token": one.token,
        }
        return Callback(one.notify_url, body, one.standing)


def not_subscribed(channel: str) -> RowError:
    return RowError("NOT_SUBSCRIBED", "the given channel id is not subscribed", {"channel_id": channel})


def _success(message: str, details: dict[str, Any]) -> dict[str, Any]:
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}
