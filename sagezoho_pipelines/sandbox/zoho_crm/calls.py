"""One request to the CRM API, its answer, and what it weighs in credits and concurrency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm import coql
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, RowError, invalid_body, unparsable
from sagezoho_pipelines.sandbox.zoho_crm.oauth import Access, demand
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

API = "/crm/v8/"
JSON = "application/json"
ROWS_MAX = 100
HEAVY_ROWS = 10


@dataclass
class Call:
    """A request under /crm/v8/, its path split into parts."""

    method: str
    parts: tuple[str, ...]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    reached: frozenset[str] = frozenset()
    """Addresses in it that were probed, and answered."""
    _parsed: Any = field(default=None, repr=False)
    _access: Access | None = None

    @property
    def target(self) -> str:
        """The path, as fault rules match it."""
        return API + "/".join(self.parts)

    def body(self) -> dict[str, Any]:
        """The JSON object sent; ApiError when it is none, or when it says that it is something else."""
        if self.headers.get("content-type", JSON).partition(";")[0].strip().lower() != JSON:
            raise ApiError(415, "MEDIA_TYPE_NOT_SUPPORTED", "Media type is not supported.")
        if self._parsed is None:
            try:
                self._parsed = json.loads(
                    self.raw, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once
                )
            except (ValueError, RecursionError):
                raise ApiError(
                    400, "INVALID_DATA", "invalid data", {"expected_data_type": "jsonobject", "json_path": "$"}
                ) from None
        if not isinstance(self._parsed, dict):
            raise ApiError(400, "INVALID_DATA", "invalid data", {"expected_data_type": "jsonobject", "json_path": "$"})
        return self._parsed

    def rows(self, name: str, most: int = ROWS_MAX) -> list[Any]:
        """The array called `name` in the body, of one to `most` elements."""
        given = self.body().get(name)
        if given is None or given == []:
            raise ApiError(
                400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": name, "json_path": f"$.{name}"}
            )
        if not isinstance(given, list):
            raise invalid_body(f"$.{name}", "jsonarray")
        if len(given) > most:
            raise invalid_body(f"$.{name}", "jsonarray", maximum_length=most)
        return given

    def admit(self, access: Access) -> None:
        self._access = access

    @property
    def access(self) -> Access:
        if self._access is None:
            raise RuntimeError("a call is answered only after its token was checked")
        return self._access

    def demand(self, *scopes: str) -> None:
        demand(self.access, *scopes)

    def written_rows(self) -> int:
        """How many records the call writes; 0 when it writes none."""
        writes = self.method in ("POST", "PUT") and (len(self.parts) == 1 or self.parts[1:] == ("upsert",))
        if not writes or self.parts[0] in ("coql", "org", "users"):
            return 0
        try:
            given = self.body().get("data")
        except ApiError:
            return 1
        return max(1, len(given)) if isinstance(given, list) else 1

    def heavy(self) -> bool:
        """Whether it counts against the sub-limit of ten."""
        if self.parts == ("coql",) or self.parts[-1:] == ("search",):
            return True
        if self.method == "GET" and len(self.parts) == 1:
            return "cvid" in self.params or self.params.get("sort_by", "id") != "id"
        return self.written_rows() > HEAVY_ROWS

    def credits(self, switches: ZohoSwitches) -> int:
        if self.parts == ("coql",):
            try:
                return coql.cost(str(self.body().get("select_query", "")))
            except ApiError:
                return 1
        if self.parts[-1:] == ("search",):
            return switches.search_credits
        rows = self.written_rows()
        if rows:
            return -(-rows // 10)
        return 3 if "cvid" in self.params else 1


@dataclass(frozen=True)
class Answer:
    """Status and JSON body; an answer without a body is 204 or 304."""

    status: int
    body: dict[str, Any] | None = None


EMPTY = Answer(204)


def batch(name: str, rows: list[dict[str, Any]], ok: int, refused: list[RowError], *, told: bool = True) -> Answer:
    """207 when some rows fail, 400 (or 412) when all do; `ok` whatever fails, unless failures are `told`."""
    status = ok
    if refused and told:
        every = len(refused) == len(rows)
        same = {one.status for one in refused}
        status = (same.pop() if len(same) == 1 else 400) if every else 207
    return Answer(status, {name: rows})


def record_id(text: str, switches: ZohoSwitches) -> int:
    """The id at the end of a record's URL."""
    digits = text.isascii() and text.isdigit()
    if not digits and switches.malformed_id == "INVALID_URL_PATTERN":
        raise ApiError(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
    if not digits or len(text) > 19:
        raise ApiError(400, "INVALID_DATA", "the id given seems to be invalid", {"id": text})
    return int(text)


def truth(text: str | None, default: bool) -> bool:
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise unparsable()
    return text.lower() == "true"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return given


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
