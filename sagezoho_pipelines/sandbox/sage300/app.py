"""The Web API's HTTP surface: URL, credentials, rights, verbs, paging, answers."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

import simplejson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sagezoho_pipelines.sandbox.control import control_routes
from sagezoho_pipelines.sandbox.fault_play import FaultMiddleware
from sagezoho_pipelines.sandbox.sage300.catalog import BY_NAME, KNOWN_MODULES, EntitySet
from sagezoho_pipelines.sandbox.sage300.errors import TEXTS, UNRECORDED, SageError
from sagezoho_pipelines.sandbox.sage300.iis import LANDING, QUERY_TOO_LONG, refused_path
from sagezoho_pipelines.sandbox.sage300.keys import parse_key
from sagezoho_pipelines.sandbox.sage300.metadata import metadata, service_document
from sagezoho_pipelines.sandbox.sage300.query import Query, parse_query
from sagezoho_pipelines.sandbox.sage300.schema import Row
from sagezoho_pipelines.sandbox.sage300.world import SageWorld, User
from sagezoho_pipelines.sandbox.sage300.writes import create, delete, process, template, update

ROOT = "/Sage300WebApi"
_HEADERS = {
    "api-supported-versions": "1.0",
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "odata-version": "4.0",
    "server": "Microsoft-IIS/10.0",
    "x-aspnet-version": "4.0.30319",
    "x-powered-by": "ASP.NET",
}
_JSON = "application/json; odata.metadata=minimal"
_RESOURCE = re.compile(r"(\$metadata|[A-Za-z0-9_]+)(?:\((.*)\))?", re.DOTALL)


def create_app(world: SageWorld) -> ASGIApp:
    """The vendor's application with faults, counters and the control API around it."""
    service = _Service(world)
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    routes = [*control_routes(world), Route("/{path:path}", service.answer, methods=methods)]
    return FaultMiddleware(Starlette(routes=routes), world.faults, world.counters)


class _Service:
    def __init__(self, world: SageWorld) -> None:
        self.world = world

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        try:
            with self.world.lock:
                return self._answer(request, body)
        except SageError as error:
            plain = self.world.switches.unrecorded_statuses == "500" and error.code in UNRECORDED
            status = 500 if plain else error.status
            return _reply(error.body, status, content_type=f"{self.world.switches.error_content_type}; charset=utf-8")

    def _answer(self, request: Request, body: bytes) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        path = raw.decode("ascii", "replace").partition("?")[0]
        if len(request.url.query) > self.world.switches.query_length_max:
            return Response(QUERY_TOO_LONG, 404, media_type="text/html", headers={"server": _HEADERS["server"]})
        if self.world.switches.path_signs == "as IIS" and (page := refused_path(path)) is not None:
            return Response(page.text, page.status, media_type="text/html", headers={"server": _HEADERS["server"]})
        if not path.lower().startswith(ROOT.lower()):
            return Response("<h2>404 - File or directory not found.</h2>", 404, media_type="text/html")
        rest = path[len(ROOT) :].strip("/")
        if not rest:
            return Response(LANDING, media_type="text/html", headers={"server": _HEADERS["server"]})
        self._check_service(request)
        user = self._user(request)
        module, resource = self._resource(rest, user)
        if resource in ("", "$metadata") and request.method == "GET":
            return self._described(request, module, resource)
        if "/" in resource and self.world.switches.path_signs == "as IIS":
            raise SageError("ResourceNotFound", f"The resource '{module}/{resource}' cannot be found.")
        match = _RESOURCE.fullmatch(resource)
        entity = BY_NAME.get((module, match[1])) if match else None
        if match is None or entity is None:
            raise SageError("ResourceNotFound", f"The resource '{module}/{resource}' cannot be found.")
        return self._entity(request, entity.released(self.world.switches.unseen), match[2], user, body)

    def _check_service(self, request: Request) -> None:
        if self.world.switches.broken:
            raise SageError(self.world.switches.broken, TEXTS[self.world.switches.broken])
        content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.world.switches.content_type_required and content != "application/json":
            raise SageError("InternalServerError", "The request must carry the header Content-Type: application/json.")

    def _user(self, request: Request) -> User:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = password = ""
        user = self.world.user(name, password) if scheme.lower() == "basic" else None
        if user is None:
            raise SageError("Unauthorized", TEXTS["Unauthorized"])
        if user.name == "ADMIN" and not self.world.switches.admin_allowed:
            raise SageError("Forbidden", "The user ADMIN is not allowed to use the Web API.")
        return user

    def _resource(self, rest: str, user: User) -> tuple[str, str]:
        """The module and what follows it, after version, tenant, company and rights have been checked."""
        version, tenant, company, module, resource = (*rest.split("/", 4), "", "", "", "")[:5]
        theirs = unquote(tenant) == "-" or (self.world.switches.any_tenant and tenant)
        if version.lower() != "v1.0" or not theirs or not company:
            raise SageError("ResourceNotFound", f"The resource '{rest}' cannot be found.")
        if self.world.switches.company_any_case:
            company = company.upper()
        if company != self.world.company or company not in user.companies:
            raise SageError("Forbidden", f"The user does not have access to company '{company}'.")
        if module not in KNOWN_MODULES:
            raise SageError("ResourceNotFound", f"The resource '{module}' cannot be found.")
        if module not in user.modules:
            raise SageError(
                "Forbidden", f"The user does not have the right to use the Web API of application {module}."
            )
        return module, unquote(resource)

    def _described(self, request: Request, module: str, resource: str) -> Response:
        if resource:
            return _reply(metadata(module, self.world.switches.unseen).decode(), content_type="application/xml")
        return _reply(simplejson.dumps(service_document(self._base(request, module), module), separators=(",", ":")))

    def _entity(self, request: Request, entity: EntitySet, key: str | None, user: User, body: bytes) -> Response:
        method = request.method
        if method not in entity.verbs and not (entity.name == "OEOrders" and self._editable(method)):
            raise SageError(
                "MethodNotAllowed", f"The requested resource '{entity.name}' does not support http method '{method}'."
            )
        if method == "POST":
            return self._post(request, entity, key, user, body)
        if key is None:
            if method == "GET":
                return self._list(request, entity)
            raise SageError("InvalidEntityKey", f"{method} needs an entity key.")
        row = self._row(entity, key)
        if method == "GET":
            return self._single(request, entity, row)
        if method == "DELETE":
            delete(self.world, entity, row)
        else:
            update(self.world, entity, row, body, user.name, purge=method == "PUT")
        return Response(status_code=204, headers=_HEADERS)

    def _editable(self, method: str) -> bool:
        return self.world.switches.orders_editable and method in ("PATCH", "PUT", "DELETE")

    def _row(self, entity: EntitySet, key: str) -> Row:
        if key.strip("'").startswith("$"):
            raise SageError("InvalidEntityKey", f"The entity key ({key}) is for POST only.")
        row = self.world.table(entity.name).get(*parse_key(entity, key))
        if row is None:
            raise SageError("RecordNotFound", TEXTS["RecordNotFound"])
        return row

    def _post(self, request: Request, entity: EntitySet, key: str | None, user: User, body: bytes) -> Response:
        context = f"{self._base(request, entity.module)}/$metadata#{entity.name}/$entity"
        if key is not None:
            action = key.strip("'")
            if action == "$process" and entity.process:
                process(self.world, entity, body)
                return Response(status_code=self.world.switches.process_status, headers=_HEADERS)
            if action == "$template" and not entity.process:
                return _reply(self._written(entity, template(self.world, entity), context))
            raise SageError("InvalidAction", f"The action '{key}' is not valid for {entity.name}.")
        if entity.process:
            raise SageError("InvalidAction", f"{entity.name} needs the action $process.")
        row = create(self.world, entity, body, user.name)
        reply = _reply(self._written(entity, row, context), 201)
        if self.world.switches.location_header:
            keys = ",".join(str(part) for part in self.world.table(entity.name).key_of(row))
            reply.headers["location"] = f"{self._base(request, entity.module)}/{entity.name}({keys})"
        return reply

    def _written(self, entity: EntitySet, row: Row, context: str, query: Query | None = None) -> str:
        write = entity.type.encoder(query.select if query else None, self.world.switches.padded)
        text = write(row)
        return f'{{"@odata.context":{simplejson.dumps(context)}' + ("," + text[1:] if len(text) > 2 else "}")

    def _single(self, request: Request, entity: EntitySet, row: Row) -> Response:
        query = parse_query(entity, request.url.query, self.world.switches, single=True)
        context = f"{self._base(request, entity.module)}/$metadata#{_selected(entity, query)}/$entity"
        return _reply(self._written(entity, row, context, query))

    def _list(self, request: Request, entity: EntitySet) -> Response:
        switches, table = self.world.switches, self.world.table(entity.name)
        query = parse_query(entity, request.url.query, switches)
        keys = table.keys
        if query.filter is not None:
            keys = table.matching(query.filter.text, query.filter.predicate, query.filter.equal)
        if query.order_by is not None:
            name, backwards = query.order_by
            rows = sorted(
                table.rows(keys), key=lambda row: (row.get(name) is not None, row.get(name)), reverse=backwards
            )
            keys = [table.key_of(row) for row in rows]
        limit = len(keys) if query.top is None else min(len(keys), query.skip + query.top)
        size = switches.page_size
        if switches.top_overrides_page_size and query.top is not None:
            size = max(size, query.top)
        page = table.rows(keys[query.skip : min(limit, query.skip + size)])
        base = self._base(request, entity.module)
        head = f'"@odata.context":{simplejson.dumps(f"{base}/$metadata#{_selected(entity, query)}")}'
        if query.count:
            head += f',"@odata.count":{len(keys)}'
        write = entity.type.encoder(query.select, switches.padded)
        text = f'{{{head},"value":[{",".join(map(write, page))}]'
        if query.skip + len(page) < limit:
            link = f"{base}/{entity.name}?{query.next_options(query.skip + len(page), len(page), switches)}"
            text += f',"@odata.nextLink":{simplejson.dumps(link)}'
        return _reply(text + "}")

    def _base(self, request: Request, module: str) -> str:
        host = request.headers.get("host", "localhost")
        return f"http://{host}{ROOT}/v1.0/-/{self.world.company}/{module}"


def _selected(entity: EntitySet, query: Query) -> str:
    return f"{entity.name}({','.join(query.select)})" if query.select else entity.name


def _reply(text: str, status: int = 200, *, content_type: str = _JSON) -> Response:
    return Response(text, status, headers={**_HEADERS, "content-type": content_type})
