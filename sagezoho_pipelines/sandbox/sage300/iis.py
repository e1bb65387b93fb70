"""What IIS and ASP.NET say by themselves, before the Web API hears of a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_DANGEROUS = re.compile(r"[<>*%&:\\?]")


@dataclass(frozen=True)
class Page:
    """An HTML page and its status."""

    status: int
    text: str


def refused_path(path: str) -> Page | None:
    """The page for a path, percent-encoded as it came, that holds a sign they refuse as they are set up at first.

    IIS takes no `+`, since decoding it twice would change it; ASP.NET takes none of `< > * % & : \\ ?`.
    """
    decoded = unquote(path)
    if "+" in decoded:
        return Page(404, _DOUBLE_ESCAPE)
    found = _DANGEROUS.search(decoded)
    return Page(400, _DANGER.format(found[0])) if found else None


_DOUBLE_ESCAPE = (
    "<html><head><title>IIS 10.0 Detailed Error - 404.11 - Not Found</title></head><body><h3>HTTP Error 404.11 - Not "
    "Found</h3><p>The request filtering module is configured to deny a request that contains a double escape sequence."
    "</p></body></html>"
)
_DANGER = (
    "<!DOCTYPE html><html><head><title>A potentially dangerous Request.Path value was detected from the client "
    "({0}).</title></head><body><h1>Server Error in '/Sage300WebApi' Application.</h1></body></html>"
)
QUERY_TOO_LONG = (
    "<html><head><title>IIS 10.0 Detailed Error - 404.15 - Not Found</title></head><body><h3>HTTP Error 404.15 - Not "
    "Found</h3><p>The request filtering module is configured to deny a request where the query string is too long."
    "</p></body></html>"
)
LANDING = (
    "<!DOCTYPE html><html><head><title>Sage 300 Web API</title></head><body><h1>Sage 300 Web API</h1>"
    "<p>Version 7.2.0.10</p></body></html>"
)
