"""The sandbox's own control API, under `/__sandbox__/` on each vendor's address.

It does what only a test or a person at the vendor's screens could do: move the clock, arrange faults, read the
counters, turn a switch, act, and dump the raw store. It needs no credentials and does not exist at a real vendor.

| route | body | answer |
|---|---|---|
| GET, POST, DELETE `faults`; DELETE `faults/{id}` | a rule, see FaultRule | rules, or the rule added |
| GET `counters`; DELETE `counters` | | totals |
| GET, POST `clock` | `{"set": instant}` or `{"advance": seconds}` | `{"now": instant}` |
| GET, POST `switches` | `{name: value, ...}` | all switches |
| GET, POST `latency` | `{"seconds": s}` | `{"seconds": s}` |
| GET `act`; POST `act/{name}` | the action's arguments | what the action answers |
| GET `state/{collection}` | | a JSON list, streamed; `known_vendors` of Zoho's tells which accounts are vendors |
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import simplejson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sagezoho_pipelines.sandbox.faults import CONTROL_PREFIX, FaultRule
from sagezoho_pipelines.sandbox.switches import turn
from sagezoho_pipelines.sandbox.world import World


def control_routes(world: World) -> list[BaseRoute]:
    """The control API of one vendor, to be listed before the vendor's own routes."""
    control = _Control(world)
    return [
        Route(CONTROL_PREFIX + path, endpoint, methods=methods)
        for path, endpoint, methods in (
            ("faults", control.faults, ["GET", "POST", "DELETE"]),
            ("faults/{rule_id:int}", control.fault, ["DELETE"]),
            ("counters", control.counters, ["GET", "DELETE"]),
            ("clock", control.clock, ["GET", "POST"]),
            ("switches", control.switches, ["GET", "POST"]),
            ("latency", control.latency, ["GET", "POST"]),
            ("act", control.acts, ["GET"]),
            ("act/{name}", control.act, ["POST"]),
            ("state/{collection:path}", control.state, ["GET"]),
        )
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self.world = world

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.world.faults.clear()
            return Response(status_code=204)
        if request.method == "GET":
            return _answer(self.world.faults.listed())
        try:
            rule = self.world.faults.add_rule(FaultRule.from_json(await _given(request)))
        except (TypeError, ValueError) as error:
            return _refusal(error)
        return _answer(dataclasses.asdict(rule), status=201)

    async def fault(self, request: Request) -> Response:
        found = self.world.faults.remove(request.path_params["rule_id"])
        return Response(status_code=204 if found else 404)

    async def counters(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.world.counters.reset()
        return _answer(self.world.counters.snapshot())

    async def clock(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                given = await _given(request)
                if "set" in given:
                    self.world.clock.set(datetime.fromisoformat(given["set"]))
                if "advance" in given:
                    self.world.clock.advance(timedelta(seconds=float(given["advance"])))
            except (TypeError, ValueError) as error:
                return _refusal(error)
        return _answer({"now": self.world.clock.now()})

    async def switches(self, request: Request) -> Response:
        switches = self.world.switches
        if request.method == "POST":
            try:
                given = await _given(request)
            except ValueError as error:
                return _refusal(error)
            turned = dataclasses.replace(switches)
            try:
                for name, value in given.items():
                    turn(turned, name, value)
            except ValueError as error:
                return _refusal(error)
            for name in given:
                setattr(switches, name, getattr(turned, name))
        return _answer(dataclasses.asdict(switches))

    async def latency(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self.world.faults.latency = float((await _given(request))["seconds"])
            except (KeyError, TypeError, ValueError) as error:
                return _refusal(error)
        return _answer({"seconds": self.world.faults.latency})

    async def acts(self, _request: Request) -> Response:
        return _answer(sorted(self.world.actions))

    async def act(self, request: Request) -> Response:
        action = self.world.actions.get(request.path_params["name"])
        if action is None:
            return _answer({"error": f"no action called {request.path_params['name']}"}, status=404)
        try:
            # An action may be long (thousands of vendors) or deliver callbacks; the event loop must not wait for it.
            done = await run_in_threadpool(action, await _given(request))
        except (KeyError, TypeError, ValueError) as error:
            return _refusal(error)
        return _answer(done)

    async def state(self, request: Request) -> Response:
        try:
            rows = self.world.state(request.path_params["collection"])
        except KeyError:
            return _answer({"error": f"no collection called {request.path_params['collection']}"}, status=404)
        return StreamingResponse(_json_list(rows), media_type="application/json")


async def _given(request: Request) -> dict[str, Any]:
    body = await request.body()
    given = json.loads(body) if body else {}
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - answered as a bad request like the others
    return given


def _refusal(error: Exception) -> Response:
    text = f"missing {error}" if isinstance(error, KeyError) else str(error)
    return _answer({"error": text}, status=400)


def _answer(value: Any, status: int = 200) -> Response:
    return (
        JSONResponse(None, status_code=status)
        if value is None
        else Response(_json(value), status_code=status, media_type="application/json")
    )


def _json(value: Any) -> str:
    return simplejson.dumps(value, use_decimal=True, default=_plain, ensure_ascii=False, tuple_as_array=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _json_list(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for index, row in enumerate(rows):
        yield ("," if index else "") + _json(row)
    yield "]"
