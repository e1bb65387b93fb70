"""A record's lock by API: /{Module}/{id}/Locking_Information__s, and …/{lock} below it."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.calls import EMPTY, Answer, Call, record_id
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, invalid_body
from sagezoho_pipelines.sandbox.zoho_crm.guards import Lock, Place
from sagezoho_pipelines.sandbox.zoho_crm.oauth import scope_for_module
from sagezoho_pipelines.sandbox.zoho_crm.reads import wanted_fields
from sagezoho_pipelines.sandbox.zoho_crm.values import show_instant
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

NAME = "Locking_Information__s"
REASON_MAX = 3_000
_OPERATION = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}


def is_lock(rest: list[str]) -> bool:
    """Whether what follows a module in the path is a record's lock."""
    return len(rest) in (2, 3) and rest[1] == NAME


def answer_lock(world: ZohoWorld, call: Call, module: Module, rest: list[str]) -> Answer:
    """GET and POST of a record's locks; GET, PUT and DELETE of one."""
    allowed = ("GET", "POST") if len(rest) == 2 else ("GET", "PUT", "DELETE")
    if call.method not in allowed:
        raise ApiError(403, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
    operation = _OPERATION[call.method]
    call.demand(f"ZohoCRM.modules.lockinginformation.{operation}", scope_for_module(module.api_name, operation))
    place = (module.api_name, record_id(rest[0], world.switches))
    if place[1] not in world.org.table(module.api_name).rows:
        raise ApiError(400, "INVALID_DATA", "the id given seems to be invalid", {"id": rest[0]})
    held = world.org.guards.locks.get(place)
    if call.method == "POST":
        return _lock(world, call, place, held)
    if held is None or (len(rest) == 3 and record_id(rest[2], world.switches) != held.id):
        if call.method == "GET":
            return EMPTY
        raise ApiError(400, "INVALID_DATA", "the id given seems to be invalid", {"id": rest[2]})
    if call.method == "GET":
        names = None if len(rest) == 3 and not call.params.get("fields") else wanted_fields(call.params)
        info = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
        return Answer(200, {"data": [_shown(world, place, held, names)], "info": info})
    if call.method == "PUT":
        made = Lock(held.id, held.by, held.at, _reason(call), held.automatic)
        world.org.guards.locks[place] = made
        return Answer(200, _done(world, call, made, "record updated"))
    if held.automatic:
        raise ApiError(403, "NOT_ALLOWED", "Automatically locked records can not be unlocked manually", {"id": rest[0]})
    world.org.guards.unlock(world.org.table(place[0]), place[1])
    row = {"code": "SUCCESS", "details": {"id": str(held.id)}, "message": "relation removed", "status": "success"}
    return Answer(200, {"data": [row]})


def _lock(world: ZohoWorld, call: Call, place: Place, held: Lock | None) -> Answer:
    reason = _reason(call)
    if held is not None:
        raise ApiError(403, "NOT_ALLOWED", "Record is already locked.", {"id": str(place[1])})
    lock = Lock(world.org.new_id(), call.access.user.id, world.org.now(), reason)
    made = world.org.guards.lock(world.org.table(place[0]), place[1], lock)
    return Answer(201, _done(world, call, made, "record added"))


def _reason(call: Call) -> str:
    """The reason sent, which a lock by hand must have."""
    [given] = call.rows("data", 1)
    path = "$.data[0].Locked_Reason__s"
    if not isinstance(given, dict):
        raise invalid_body("$.data[0]", "jsonobject")
    reason = given.get("Locked_Reason__s")
    if reason in (None, ""):
        details = {"api_name": "Locked_Reason__s", "json_path": path}
        raise ApiError(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    if not isinstance(reason, str):
        raise invalid_body(path, "string")
    if len(reason) > REASON_MAX:
        raise invalid_body(path, "string", maximum_length=REASON_MAX)
    return reason


def _done(world: ZohoWorld, call: Call, lock: Lock, message: str) -> dict[str, Any]:
    locked = show_instant(lock.at, world.org.zone)
    details = {
        "Modified_Time": show_instant(world.org.now(), world.org.zone),
        "Modified_By": call.access.user.brief(),
        "Created_Time": locked,
        "id": str(lock.id),
        "Created_By": world.org.user(lock.by).brief(),
    }
    return {"data": [{"code": "SUCCESS", "details": details, "message": message, "status": "success"}]}


def _shown(world: ZohoWorld, place: Place, lock: Lock, names: list[str] | None) -> dict[str, Any]:
    org = world.org
    whole = {
        "Locked_For__s": {
            "module": {"api_name": place[0], "id": str(org.modules[place[0]].id)},
            "name": org.record_name(*place),
            "id": str(place[1]),
        },
        "Locked_Reason__s": lock.reason,
        "Lock_Source__s": "Automatic" if lock.automatic else "Manual",
        "Locked_Time__s": show_instant(lock.at, org.zone),
        "Locked_By__s": org.user(lock.by).brief(),
    }
    return {**{name: value for name, value in whole.items() if names is None or name in names}, "id": str(lock.id)}
