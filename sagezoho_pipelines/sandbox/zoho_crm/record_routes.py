"""What the record URLs answer: lists, single records, writes, search and count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm import coql, reads, search
from sagezoho_pipelines.sandbox.zoho_crm.calls import EMPTY, ROWS_MAX, Answer, Call, batch, record_id, truth
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.coql_conditions import invalid_query
from sagezoho_pipelines.sandbox.zoho_crm.errors import (
    ApiError,
    RowError,
    invalid_body,
    invalid_method,
    invalid_param,
    invalid_url,
    no_permission,
    param_missing,
    row_invalid,
    row_refusal,
)
from sagezoho_pipelines.sandbox.zoho_crm.locking import answer_lock, is_lock
from sagezoho_pipelines.sandbox.zoho_crm.oauth import scope_for_module
from sagezoho_pipelines.sandbox.zoho_crm.show import show_row
from sagezoho_pipelines.sandbox.zoho_crm.values import header_instant, parse_id
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld
from sagezoho_pipelines.sandbox.zoho_crm.writes import Writer

TRIGGERS = frozenset({"workflow", "approval", "blueprint", "pathfinder", "orchestration"})
SKIPPED = frozenset({"cadences"})
PERMISSION = {"READ": "View", "CREATE": "Create", "UPDATE": "Edit", "DELETE": "Delete"}
OPERATION = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}


def records(world: ZohoWorld, call: Call) -> Answer:
    """/{Module} and everything below it."""
    name, *rest = call.parts
    operation = OPERATION.get(call.method)
    if is_lock(rest):
        _permitted(world, name, "READ" if call.method == "GET" else "UPDATE")
        return answer_lock(world, call, world.org.record_module(name), rest)
    if operation is None:
        raise invalid_method()
    if rest == ["search"] and name in world.org.modules and world.org.modules[name].parent is not None:
        raise ApiError(400, "NOT_SUPPORTED", "module not supported for search", {"module": name})
    module = world.org.record_module(name)
    _permitted(world, name, "READ" if call.method == "GET" else operation)
    if not rest:
        call.demand(scope_for_module(name, operation))
        return _MODULE[call.method](world, call, module)
    if rest == ["upsert"]:
        _only(call, "POST")
        call.demand(scope_for_module(name, "CREATE"), scope_for_module(name, "UPDATE"))
        return _upsert(world, call, module)
    if rest in (["search"], ["actions", "count"]):
        _only(call, "GET")
        call.demand("ZohoSearch.securesearch.READ", scope_for_module(name, "READ"))
        if rest == ["search"]:
            return _found(search.search(world.org, module, call.params))
        return _count(world, call, module)
    if rest == ["deleted"]:
        _only(call, "GET")
        call.demand(scope_for_module(name, "READ"))
        since = call.headers.get("if-modified-since")
        return _found(reads.list_deleted(world.org, module, call.params, since))
    if len(rest) != 1:
        raise invalid_url()
    call.demand(scope_for_module(name, operation))
    return _one(world, call, module, rest[0])


def run_coql(world: ZohoWorld, call: Call) -> Answer:
    """/coql"""
    _only(call, "POST")
    call.demand("ZohoCRM.coql.READ")
    body = call.body()
    query = body.get("select_query")
    if query is None:
        raise ApiError(
            400,
            "MANDATORY_NOT_FOUND",
            "required field not found",
            {"api_name": "select_query", "json_path": "$.select_query"},
        )
    if not isinstance(query, str):
        raise invalid_body("$.select_query", "string")
    meta = body.get("include_meta")
    if meta is not None and meta != ["fields"]:
        raise invalid_query("the value given in include_meta seems to be invalid")
    module = coql.module_of(query)
    name = world.org.module(module, in_path=False).parent or module
    call.demand(scope_for_module(name, "READ"))
    _permitted(world, name, "READ")
    prepared = coql.prepare(world.org, query)
    for joined in prepared.joined():
        call.demand(scope_for_module(joined, "READ"))
        _permitted(world, joined, "READ")
    return _found(prepared.answer())


def _permitted(world: ZohoWorld, module: str, operation: str) -> None:
    if (module, operation) in world.org.denied:
        raise no_permission(f"Crm_Implied_{PERMISSION[operation]}_{module}")


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise invalid_method()


def _found(body: dict[str, Any] | None) -> Answer:
    return EMPTY if body is None else Answer(200, body)


def _list(world: ZohoWorld, call: Call, module: Module) -> Answer:
    since = call.headers.get("if-modified-since")
    try:
        return _found(reads.list_records(world.org, world.page_tokens, module, call.params, since))
    except reads.NotModified:
        return Answer(304)


def _one(world: ZohoWorld, call: Call, module: Module, text: str) -> Answer:
    found = record_id(text, world.switches)
    if call.method == "GET":
        row = world.org.table(module.api_name).rows.get(found)
        if row is None:
            return EMPTY
        names = reads.wanted_fields(call.params) if call.params.get("fields") else None
        return Answer(200, {"data": [show_row(world.org, module, row, names, whole=True)]})
    if call.method == "PUT":
        given = call.rows("data", 1)
        return _write(world, call, module, given, 200, lambda writer, row, path: writer.update(row, path, found))
    if call.method == "DELETE":
        return _remove(world, call, module, [text])
    raise invalid_method()


def _insert(world: ZohoWorld, call: Call, module: Module) -> Answer:
    return _write(world, call, module, call.rows("data"), 201, lambda writer, row, path: writer.insert(row, path))


def _update(world: ZohoWorld, call: Call, module: Module) -> Answer:
    return _write(world, call, module, call.rows("data"), 200, lambda writer, row, path: writer.update(row, path))


def _upsert(world: ZohoWorld, call: Call, module: Module) -> Answer:
    checks = duplicate_checks(module, call.body().get("duplicate_check_fields"))
    return _write(
        world, call, module, call.rows("data"), 200, lambda writer, row, path: writer.upsert(row, path, checks)
    )


def duplicate_checks(module: Module, given: Any) -> list[str]:
    """Fields an upsert matches by, in order: those listed, then every other unique one.

    Without a list the system's own field comes first, so Accounts match by Account_Name.
    """
    unique = [field.api_name for field in module.unique_fields()]
    if given is None or given == []:
        return ([module.duplicate_field] if module.duplicate_field else []) + unique
    if not isinstance(given, list):
        raise invalid_body("$.duplicate_check_fields", "jsonarray")
    for at, name in enumerate(given):
        if name != module.duplicate_field and name not in unique:
            raise ApiError(
                400,
                "INVALID_DATA",
                "invalid data",
                {
                    "api_name": "duplicate_check_fields",
                    "json_path": f"$.duplicate_check_fields[{at}]",
                    "supported_values": [name for name in (module.duplicate_field, *unique) if name],
                },
            )
    return list(dict.fromkeys([*given, *unique]))


def _write(
    world: ZohoWorld,
    call: Call,
    module: Module,
    given: list[Any],
    ok: int,
    act: Callable[[Writer, dict[str, Any], str], dict[str, Any]],
) -> Answer:
    muted = _muted(world, call)
    _skips(call)
    writer = Writer(world.org, module, call.access.user, _unmodified_since(call))
    rows: list[dict[str, Any]] = []
    refused: list[RowError] = []
    for at, row in enumerate(given):
        path = f"$.data[{at}]"
        try:
            if not isinstance(row, dict):
                raise row_invalid(path, expected_data_type="jsonobject")
            code = world.faults.row_refused(call.method, call.target, row)
            if code is not None:
                raise row_refusal(code, path)
            rows.append(act(writer, row, path))
        except RowError as error:
            refused.append(error)
            rows.append(error.body())
    if muted:
        writer.changes.clear()
    writer.announce()
    return batch("data", rows, ok, refused, told=world.switches.failed_rows_status == "by rows")


def _muted(world: ZohoWorld, call: Call) -> bool:
    trigger = call.body().get("trigger")
    if trigger is None:
        return False
    if not isinstance(trigger, list):
        raise invalid_body("$.trigger", "jsonarray")
    for at, one in enumerate(trigger):
        if one not in TRIGGERS:
            raise invalid_body(f"$.trigger[{at}]", "string", supported_values=sorted(TRIGGERS))
    return trigger == [] and world.switches.empty_trigger_mutes_notifications


def _skips(call: Call) -> None:
    """ApiError where `skip_feature_execution` is not a list of features by name."""
    given = call.body().get("skip_feature_execution")
    if given is None:
        return
    if not isinstance(given, list):
        raise invalid_body("$.skip_feature_execution", "jsonarray")
    for at, one in enumerate(given):
        path = f"$.skip_feature_execution[{at}]"
        if not isinstance(one, dict):
            raise invalid_body(path, "jsonobject")
        if one.get("name") is None:
            details = {"api_name": "name", "json_path": f"{path}.name"}
            raise ApiError(400, "MANDATORY_NOT_FOUND", "required field not found", details)
        if one["name"] not in SKIPPED:
            raise invalid_body(f"{path}.name", "string", supported_values=sorted(SKIPPED))


def _unmodified_since(call: Call) -> int | None:
    header = call.headers.get("if-unmodified-since")
    if header is None:
        return None
    seconds = header_instant(header)
    if seconds is None:
        raise ApiError(400, "INVALID_DATA", "invalid data", {"header": "If-Unmodified-Since"})
    return seconds


def _delete(world: ZohoWorld, call: Call, module: Module) -> Answer:
    if not call.params.get("ids"):
        raise param_missing("ids")
    return _remove(world, call, module, [one.strip() for one in call.params["ids"].split(",") if one.strip()])


def _remove(world: ZohoWorld, call: Call, module: Module, ids: list[str]) -> Answer:
    truth(call.params.get("wf_trigger"), default=True)
    if len(ids) > ROWS_MAX:
        raise invalid_param("ids")
    writer = Writer(world.org, module, call.access.user)
    rows: list[dict[str, Any]] = []
    refused: list[RowError] = []
    for one in ids:
        try:
            rows.append(writer.delete(parse_id(one), one))
        except RowError as error:
            refused.append(error)
            rows.append(error.body())
    writer.announce()
    return batch("data", rows, 200, refused, told=world.switches.failed_rows_status == "by rows")


def _count(world: ZohoWorld, call: Call, module: Module) -> Answer:
    key = repr((module.api_name, sorted(call.params.items())))
    now = world.org.now()
    then, seen = world.counts.get(key, (0, 0))
    if not then or now - then >= world.switches.count_stale_seconds:
        if len(world.counts) > 1_000:
            world.counts.clear()
        seen = search.count(world.org, module, call.params)
        world.counts[key] = (now, seen)
    return Answer(200, {"count": seen})


_MODULE: dict[str, Callable[[ZohoWorld, Call, Module], Answer]] = {
    "GET": _list,
    "POST": _insert,
    "PUT": _update,
    "DELETE": _delete,
}
