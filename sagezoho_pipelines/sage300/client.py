"""The Web API of one Sage 300 company: reads, creates and patches, safe to share between threads."""

from __future__ import annotations

import random as randomness
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from requests.adapters import BaseAdapter

from sagezoho_pipelines.calls.waits import utc_now
from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.errors import ConfigurationError, VendorError
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.sage300 import errors, odata
from sagezoho_pipelines.sage300.attempts import Call
from sagezoho_pipelines.sage300.entities import key_of
from sagezoho_pipelines.sage300.exchange import Exchange
from sagezoho_pipelines.sage300.metadata import Metadata, read_metadata
from sagezoho_pipelines.sage300.paging import ServedPage, read_pages
from sagezoho_pipelines.sage300.pressure import Pressure
from sagezoho_pipelines.sage300.rows import clean, folded, inserts_rows, project, roots
from sagezoho_pipelines.sage300.transport import Transport

_COMPANY: Final = re.compile(r"[A-Za-z0-9_$@-]{1,32}", re.ASCII)
#: Every Web API of one's own has this tenant.
_TENANT: Final = "-"


class Sage300Client:
    """Reads and writes of one company. Time-outs are in seconds, `clock` is monotonic, `sleep` waits.

    `credentials` gives `username` and `password` at each request, so that a rotation takes effect at once; neither is
    kept. `transport` is the seam for tests: an adapter that answers instead of the network.
    Every call raises VendorError; `create` also OutcomeUnknown. ConfigurationError is raised for an unusable address.
    """

    def __init__(
        self,
        *,
        base_url: str,
        company: str,
        credentials: Callable[[], Mapping[str, str]],
        page_size: int = 100,
        concurrency: int = 2,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
        max_attempts: int = 5,
        transport: BaseAdapter | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] = randomness.random,
        usage: Usage | None = None,
        pressure: Pressure | None = None,
        request_source: str = "sagezoho",
        version: str = "v1.0",
    ) -> None:
        self.usage = usage if usage is not None else Usage()
        self.company = company
        self.base_url, self._where = _address(base_url)
        if not _COMPANY.fullmatch(company):
            raise ConfigurationError(f"sage300.company: {company!r} is not a Sage 300 company id such as SAMINC")
        if page_size < 1 or concurrency < 1 or max_attempts < 1:
            raise ConfigurationError("sage300: page_size, concurrency and max_attempts start at 1")
        self._root = f"{self.base_url}/{quote(version)}/{_TENANT}/{quote(company)}"
        self._page_size = page_size
        self._concurrency = concurrency
        self._never = threading.Event()
        self.pressure = pressure or Pressure(concurrency, clock=clock)
        self._transport = Transport(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            connections=concurrency,
            clock=clock,
            adapter=transport,
        )
        self._exchange = Exchange(
            self._transport,
            company=company,
            where=self._where,
            credentials=credentials,
            pressure=self.pressure,
            usage=self.usage,
            max_attempts=max_attempts,
            request_source=request_source,
            clock=clock,
            now=now,
            sleep=sleep,
            random=random,
        )

    def __repr__(self) -> str:
        return f"Sage300Client({self.base_url}, company={self.company})"

    @property
    def request_source(self) -> str:
        """What the server's log shows for our calls, e.g. the run."""
        return self._exchange.request_source

    @request_source.setter
    def request_source(self, source: str) -> None:
        self._exchange.request_source = source

    def close(self) -> None:
        self._transport.close()

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        """Stream a set page by page in the server's key order. See `paging` for what holds when rows move meanwhile."""
        top = max(2, page_size or self._page_size)  # pages of one row could not overlap
        for part in odata.split(where):
            # As many pages held as in flight: while the reader works on one, the server works on the next.
            yield from self._stream(entity_set, select, part, top=top, ahead=2 * self._concurrency)

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        """All rows that match, or the first `limit` of them."""
        found: list[Row] = []
        for part in odata.split(where):
            top = self._page_size if limit is None else min(self._page_size, limit - len(found))
            if top < 1:
                break
            for page in self._stream(entity_set, select, part, top=top, ahead=0):
                found.extend(page)
                if limit is not None and len(found) >= limit:
                    break
        return found[:limit]

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        column = key_of(entity_set)[:1] or tuple(condition.field for condition in where)[:1]
        parts = odata.split(where)
        return any(self._page(entity_set, column, part, top=1, skip=0, stop=self._never).rows for part in parts)

    def get(self, entity_set: str, key: odata.Key, *, select: Sequence[str] = ()) -> Row | None:
        """One record with its details, or None. A key that IIS refuses in a path is asked for by filter."""
        path = odata.key_text(entity_set, key)
        criteria = odata.key_criteria(entity_set, key)
        if criteria and not odata.fits_in_path(path):
            return next(iter(self.find(entity_set, where=criteria, select=select, limit=1)), None)
        options = {"$select": _selected(select)}
        narrow = len(odata.query(options)) <= odata.MAX_QUERY
        if not narrow:
            options = {}
        try:
            body = self._exchange.read(self._call("GET", entity_set, path, options), self._never)
        except VendorError as error:
            if error.code == "RecordNotFound":
                return None
            raise
        row = _only_row(body)
        whole = narrow and not _is_dotted(select)
        return row if row is None or whole else project(row, select)

    def create(self, entity_set: str, body: Row) -> Row:
        """POST one record and return it as the server completed it.

        Sent again only when the server provably saw nothing of it, or answered 429. OutcomeUnknown means that the
        caller must read back by its own business key before it tries again.
        """
        call = self._call("POST", entity_set, body=folded(body), once=True)
        row = _only_row(self._exchange.read(call, self._never))
        if row is None or any(row.get(name) is None for name in key_of(entity_set)):
            unread = errors.no_answer("AnswerUnreadable", f"{self._where} did not name the key of the new record.")
            raise errors.unknown_outcome(unread)
        return row

    def patch(self, entity_set: str, key: odata.Key, body: Row) -> None:
        """Change the properties in `body`. Safe to repeat, and so repeated, unless it inserts detail rows.

        A key that IIS refuses in a path is refused here: its 404 would look like a Web API that is not there.
        """
        path, body = odata.key_text(entity_set, key), folded(body)
        if not odata.fits_in_path(path):
            raise odata.refuse("InvalidEntityKey", f"{entity_set}{path} cannot be addressed through the Web API.")
        self._exchange.send(self._call("PATCH", entity_set, path, body=body, once=inserts_rows(body)), self._never)

    def metadata(self, application: str) -> Metadata:
        """What the server itself says it offers for one application (AP, AR, …): sets, keys and properties."""
        url = f"{self._root}/{quote(application, safe='')}/$metadata"
        accept = "application/json, application/xml"
        call = Call("GET", url, f"GET {application}/$metadata", listing=True, accept=accept)
        answer = self._exchange.send(call, self._never)
        try:
            return read_metadata(answer.body)
        except ValueError as unreadable:
            text = f"{self._where} answered with unreadable metadata for {application}: {unreadable}."
        raise errors.not_the_web_api(text, status=answer.status)

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        """The properties of each set as this installation has them; an unknown set has none."""
        applications = {entity_set.partition("/")[0] for entity_set in entity_sets}
        documents = {application: self.metadata(application) for application in sorted(applications)}
        return {one: documents[one.partition("/")[0]].fields(one) for one in entity_sets}

    def _stream(
        self, entity_set: str, select: Sequence[str], where: Criteria, *, top: int, ahead: int
    ) -> Iterator[Sequence[Row]]:
        key = key_of(entity_set)
        hidden = [name for name in key if select and name not in select]
        stop = threading.Event()

        def fetch(skip: int) -> ServedPage:
            return self._page(entity_set, [*select, *hidden], where, top=top, skip=skip, stop=stop)

        for page in read_pages(fetch, key=key, ahead=ahead, stop=stop):
            yield [project(row, select) for row in page] if hidden else page

    def _page(
        self, entity_set: str, select: Sequence[str], where: Criteria, *, top: int, skip: int, stop: threading.Event
    ) -> ServedPage:
        options: dict[str, str | int] = {"$select": _selected(select)}
        options["$filter"] = odata.filter_text(where, entity_set=entity_set)
        if skip:
            options["$skip"] = skip
        options["$top"] = top
        narrow = len(odata.query(options)) <= odata.MAX_QUERY
        if not narrow:
            del options["$select"]
        body = self._exchange.read(self._call("GET", entity_set, "", options, listing=True), stop)
        rows = body.get("value")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise errors.not_the_web_api(f"{self._where} answered without a list of {entity_set}.", status=200)
        served = [clean(row) for row in rows]
        more = bool(body.get("@odata.nextLink") or body.get("odata.nextLink"))
        whole = narrow and not _is_dotted(select)
        return ServedPage(served if whole else [project(row, select) for row in served], more)

    def _call(
        self,
        method: str,
        entity_set: str,
        key: str = "",
        options: Mapping[str, str | int] | None = None,
        *,
        body: Row | None = None,
        once: bool = False,
        listing: bool = False,
    ) -> Call:
        asked = odata.query(options or {})
        path = odata.entity_set_name(entity_set) + quote(key, safe="()',=")
        payload = None if body is None else json.dumps(dict(body)).encode()
        url = f"{self._root}/{path}{'?' if asked else ''}{asked}"
        return Call(method, url, f"{method} {entity_set}", payload, once, listing)


def _address(base_url: str) -> tuple[str, str]:
    """The base URL without its trailing slash, and host:port for messages."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ConfigurationError("sage300.url is not a valid address") from None
    if parts.username or parts.password:
        raise ConfigurationError(
            "sage300.url must not hold a user name or password: use `sagezoho credentials set CONNECTION sage300`"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"sage300.url: {base_url!r} is not an address like http://server/Sage300WebApi")
    return base_url.rstrip("/"), f"{parts.hostname}:{port}"


def _selected(names: Sequence[str]) -> str:
    return ",".join(odata.property_name(name) for name in roots(names))


def _is_dotted(names: Sequence[str]) -> bool:
    return any("." in name for name in names)


def _only_row(body: Mapping[str, Any]) -> Row | None:
    """The record of an answer: bare as documented, or wrapped in a list as some clients have met it."""
    wrapped = body.get("value")
    if isinstance(wrapped, list) and all(isinstance(row, dict) for row in wrapped):
        return clean(wrapped[0]) if wrapped else None
    return clean(dict(body))
