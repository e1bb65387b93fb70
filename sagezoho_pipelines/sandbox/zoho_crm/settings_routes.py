"""What org, users, settings and actions/watch answer."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm import settings
from sagezoho_pipelines.sandbox.zoho_crm.calls import EMPTY, Answer, Call, batch
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.described import field_json
from sagezoho_pipelines.sandbox.zoho_crm.errors import (
    ApiError,
    RowError,
    invalid_method,
    invalid_param,
    invalid_url,
    param_missing,
)
from sagezoho_pipelines.sandbox.zoho_crm.reads import PAGE_MAX, positive, since
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

OPERATION = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}
MODULE_STATUSES = frozenset({"visible", "user_hidden", "system_hidden", "scheduled_for_deletion"})
USER_TYPES = frozenset({"AllUsers", "ActiveUsers", "AdminUsers", "ConfirmedUsers", "ActiveConfirmedUsers"})


def get_org(world: ZohoWorld, call: Call) -> Answer:
    if call.method != "GET":
        raise invalid_method()
    call.demand("ZohoCRM.org.READ")
    return Answer(200, {"org": [settings.org_json(world.org)]})


def get_users(world: ZohoWorld, call: Call) -> Answer:
    if call.method != "GET":
        raise invalid_method()
    call.demand("ZohoCRM.users.READ")
    kind = call.params.get("type", "AllUsers")
    if kind == "CurrentUser":
        found = [call.access.user]
    elif kind in USER_TYPES:
        found = list(world.org.users)
    else:
        raise invalid_param("type")
    users = [settings.user_json(world.org, one) for one in found]
    info = {"per_page": PAGE_MAX, "count": len(users), "page": 1, "more_records": False}
    return Answer(200, {"users": users, "info": info})


def run_settings(world: ZohoWorld, call: Call) -> Answer:
    """/settings/modules, /settings/fields and /settings/layouts"""
    kind, *rest = call.parts[1:] or ("",)
    if kind not in ("modules", "fields", "layouts") or len(rest) > 1:
        raise invalid_url()
    if call.method not in OPERATION or (kind != "fields" and call.method != "GET"):
        raise invalid_method()
    call.demand(f"ZohoCRM.settings.{kind}.{OPERATION[call.method]}")
    if kind == "modules":
        return _modules(world, call, rest)
    name = call.params.get("module")
    if not name:
        raise param_missing("module")
    module = world.org.module(name, in_path=False)
    if kind == "layouts":
        return _layouts(world, module)
    if rest:
        return _one_field(world, call, module, rest[0])
    if call.method == "GET":
        if call.params.get("type", "all") not in ("all", "unused"):
            raise invalid_param("type")
        if call.params.get("type") == "unused":
            return EMPTY
        return Answer(200, {"fields": settings.fields_json(world.org, module)})
    if call.method not in ("POST", "PATCH") or module.parent is not None:
        raise invalid_method()
    return _write_fields(world, call, module)


def _modules(world: ZohoWorld, call: Call, rest: list[str]) -> Answer:
    floor = since(call.headers.get("if-modified-since"))
    if floor is not None and floor > world.org.modules_changed and not rest:
        return Answer(304)
    statuses = set(call.params.get("status", "visible").split(","))
    if not statuses <= MODULE_STATUSES:
        raise invalid_param("status")
    listed = settings.modules_json(world.org) if rest or "visible" in statuses else []
    if not rest and not listed:
        return EMPTY
    if rest:
        world.org.module(rest[0])
        listed = [one for one in listed if one["api_name"] == rest[0]]
    return Answer(200, {"modules": listed})


def _layouts(world: ZohoWorld, module: Module) -> Answer:
    layout: dict[str, Any] = {
        "id": str(module.id + 1),
        "name": "Standard",
        "api_name": "Standard",
        "status": "active",
        "visible": True,
        "generated_type": "system_generated",
        "profiles": world.org.profiles,
        "sections": [
            {
                "name": f"{module.label} Information",
                "sequence_number": 1,
                "fields": settings.fields_json(world.org, module),
            }
        ],
    }
    return Answer(200, {"layouts": [layout]})


def _one_field(world: ZohoWorld, call: Call, module: Module, field_id: str) -> Answer:
    if call.method == "GET":
        found = [one for one in module.fields.values() if str(one.id) == field_id]
        if not found:
            return EMPTY
        return Answer(200, {"fields": [field_json(found[0], world.org.modules, world.org.profiles)]})
    try:
        field = settings.find_custom(module, field_id)
        if call.method == "DELETE":
            row = settings.drop_field(world.org, module, field)
        elif call.method == "PATCH":
            row = settings.change_field(world.org, module, field, call.rows("fields", 1)[0])
        else:
            raise invalid_method()
    except RowError as error:
        return batch("fields", [error.body()], 200, [error])
    return Answer(200, {"fields": [row]})


def _write_fields(world: ZohoWorld, call: Call, module: Module) -> Answer:
    given = call.rows("fields")
    settings.require_few(given)
    rows: list[dict[str, Any]] = []
    refused: list[RowError] = []
    for at, one in enumerate(given):
        path = f"$.fields[{at}]"
        try:
            if call.method == "POST":
                rows.append(settings.create_field(world.org, module, one, path))
                continue
            field = settings.find_custom(module, str(one.get("id")) if isinstance(one, dict) else "")
            rows.append(settings.change_field(world.org, module, field, one, path))
        except RowError as error:
            refused.append(error)
            rows.append(error.body())
    return batch("fields", rows, 201 if call.method == "POST" else 200, refused)


def run_watch(world: ZohoWorld, call: Call) -> Answer:
    """/actions/watch"""
    if call.method not in OPERATION:
        raise invalid_method()
    call.demand(f"ZohoCRM.notifications.{OPERATION[call.method]}")
    if call.method == "GET":
        return _subscriptions(world, call)
    rows: list[dict[str, Any]] = []
    refused: list[RowError] = []
    if call.method == "DELETE":
        if not call.params.get("channel_ids"):
            raise param_missing("channel_ids")
        for channel in call.params["channel_ids"].split(","):
            try:
                rows.extend(world.channels.remove(channel.strip()))
            except RowError as error:
                refused.append(error)
                rows.append(error.body())
        return _watch_answer(world, rows, 200, refused)
    for at, one in enumerate(call.rows("watch")):
        try:
            rows.append(world.channels.apply(call.method, one, f"$.watch[{at}]", reached=call.reached))
        except RowError as error:
            refused.append(error)
            rows.append(error.body())
    return _watch_answer(world, rows, 201 if call.method == "POST" else 200, refused)


def _watch_answer(world: ZohoWorld, rows: list[dict[str, Any]], ok: int, refused: list[RowError]) -> Answer:
    if refused and world.switches.failed_watch_status == "accepted":
        return Answer(202, {"watch": rows})
    return batch("watch", rows, ok, refused)


def _subscriptions(world: ZohoWorld, call: Call) -> Answer:
    module = call.params.get("module")
    if module is not None and module not in world.org.modules:
        raise ApiError(400, "INVALID_MODULE", "the module name given seems to be invalid")
    found = world.channels.listed(call.params.get("channel_id"), module)
    per_page = positive(call.params, "per_page", PAGE_MAX, PAGE_MAX)
    page = positive(call.params, "page", 1)
    window = found[(page - 1) * per_page : page * per_page]
    if not window:
        return EMPTY
    more = len(found) > page * per_page
    return Answer(
        200,
        {"watch": window, "info": {"per_page": per_page, "count": len(window), "page": page, "more_records": more}},
    )
