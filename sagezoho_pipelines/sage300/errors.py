"""What Sage 300 answers when it does not do what was asked, and what that means.

Bodies come in several dresses: the documented v3 message object, a plain message, ASP.NET's `Message`, text/plain, and
HTML pages from IIS. The code decides, the status only where there is no code, and three texts overrule both: they say
"later", whatever the code (a 409 RecordDuplicate that speaks of Day End Processing is not a duplicate).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.records import System

#: Seconds to stay away when a job or a posting holds the data; clients in production wait about a minute.
LATER: Final = 60.0
MAX_TEXT: Final = 2000

_CHECK_URL = "Check `sage300.url` and `company` of the connection in sagezoho.yaml, then run `sagezoho check`."
_CREDENTIALS = (
    "Set the user name and password again with `sagezoho credentials set CONNECTION sage300`, and check that the user "
    "may sign on to this company."
)
_RIGHTS = (
    "Give the user's security group the right 'Sage 300 Web API' for this application and the ordinary rights of the "
    "record, in this company. The user ADMIN is refused unless web.config allows it: use a user of its own."
)
_MAPPING = "The request does not fit this release of Sage 300: compare the mapping with what `sagezoho check` reports."
_CORRECT = "Correct the data named by Sage 300, then retry it from the error inbox."
_INSTALLATION = "Sage 300 cannot open the company: check the company id, then the installation on the Sage server."
_PROXY = "A proxy in between removes 'Content-Type: application/json' from requests: let it pass."
_BUSY = "Nothing was written. It is tried again by itself."
_UNKNOWN = "It may have been carried out: it is read back before anything is sent again."


@dataclass(frozen=True, slots=True)
class Rule:
    verdict: Verdict
    advice: str = ""
    retry_after: float | None = None


#: Every code of the developer reference, and FieldInvalid, which it does not list.
RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "Unauthorized": Rule(Verdict.FATAL, _CREDENTIALS),
        "Forbidden": Rule(Verdict.FATAL, _RIGHTS),
        "DBLinkError": Rule(Verdict.FATAL, _INSTALLATION),
        "SessionError": Rule(Verdict.FATAL, _INSTALLATION),
        "ResourceNotFound": Rule(Verdict.FATAL, f"This company offers no such entity set. {_CHECK_URL}"),
        "MethodNotAllowed": Rule(Verdict.REFUSE, "Sage 300 does not allow this change through its Web API."),
        "InvalidParameters": Rule(Verdict.REFUSE, _MAPPING),
        "InvalidEntityKey": Rule(Verdict.REFUSE, _MAPPING),
        "InvalidPayload": Rule(Verdict.REFUSE, _MAPPING),
        "InvalidAction": Rule(Verdict.REFUSE, _MAPPING),
        "RecordNotFound": Rule(Verdict.REFUSE, "The record is not in Sage 300, or no longer."),
        "RecordDuplicate": Rule(
            Verdict.CONFLICT, "Sage 300 has a record under this key already: link it, or choose another key."
        ),
        "RecordInvalid": Rule(Verdict.REFUSE, _CORRECT),
        "FieldInvalid": Rule(Verdict.REFUSE, _CORRECT),
        "General": Rule(Verdict.REFUSE, _CORRECT),
        "TooManyRequests": Rule(Verdict.RETRY, "Lower `sage300.concurrency` if this keeps happening."),
        "InternalServerError": Rule(Verdict.RETRY, "If it keeps happening, look at the log on the Sage server."),
    }
)

#: Texts of locks that go away by themselves, in lower case.
LATER_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "day end processing": f"Day End Processing is running in Sage 300. {_BUSY}",
        "processing conflict": f"Another process holds the data in Sage 300. {_BUSY}",
        "post in progress": f"A posting is running in Sage 300. {_BUSY}",
    }
)

_BY_STATUS: Final[Mapping[int, tuple[str, Rule]]] = MappingProxyType(
    {
        400: ("BadRequest", Rule(Verdict.REFUSE, _MAPPING)),
        401: ("Unauthorized", RULES["Unauthorized"]),
        403: ("Forbidden", RULES["Forbidden"]),
        404: ("NotFound", Rule(Verdict.FATAL, f"The Sage 300 Web API does not answer under this URL. {_CHECK_URL}")),
        405: ("MethodNotAllowed", RULES["MethodNotAllowed"]),
        407: ("ProxyAuthentication", Rule(Verdict.FATAL, "A proxy in between wants its own password.")),
        408: ("RequestTimeout", Rule(Verdict.RETRY)),
        409: ("Conflict", Rule(Verdict.REFUSE, _CORRECT)),
        423: ("Locked", Rule(Verdict.RETRY, _BUSY, LATER)),
        429: ("TooManyRequests", RULES["TooManyRequests"]),
        500: ("InternalServerError", RULES["InternalServerError"]),
        502: (
            "BadGateway",
            Rule(Verdict.RETRY, "A gateway gave up waiting: lower `sage300.page_size`."),
        ),
        503: ("ServiceUnavailable", Rule(Verdict.RETRY, "IIS is recycling or has stopped the pool of the Web API.")),
        504: ("GatewayTimeout", Rule(Verdict.RETRY, "A gateway gave up waiting for Sage 300.")),
    }
)

_CODES = {code.lower(): code for code in RULES}
_COMPANY = re.compile(r"\b(company|database|organi[sz]ation|org id)\b", re.IGNORECASE)
_PROPERTY_IN_TEXT = re.compile(r"property named '([^']+)'")
_QUOTED = re.compile(r"'[^']*'")
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer taken apart. `spoken` tells whether Sage itself wrote the body, rather than IIS or a proxy."""

    status: int
    code: str
    text: str
    spoken: bool


def read_fault(status: int, content_type: str, body: bytes) -> Fault:
    """Take an error answer apart, whatever its dress."""
    text = body.decode("utf-8-sig", errors="replace").strip()
    parsed = _parsed(text)
    if isinstance(parsed, Mapping):
        code, words = _spoken(parsed)
        return Fault(status, _CODES.get(code.lower(), code), words[:MAX_TEXT], spoken=True)
    if isinstance(parsed, str):
        return Fault(status, "", parsed.strip()[:MAX_TEXT], spoken=True)
    if "html" in content_type.lower() or text[:1] == "<":
        return Fault(status, "", _page_title(text), spoken=False)
    return Fault(status, "", text[:MAX_TEXT], spoken=False)


def to_error(fault: Fault, *, listing: bool = False, retry_after: float | None = None) -> VendorError:
    """The error the engine acts on. `listing` is a read of a whole set, which fails only for the connection's sake."""
    code, rule = _rule(fault)
    lowered = fault.text.lower()
    later = next((advice for words, advice in LATER_TEXTS.items() if words in lowered), None)
    if later is not None:
        rule = Rule(Verdict.RETRY, later, LATER)
    elif "content-type" in lowered and fault.status == 500:
        rule = Rule(Verdict.FATAL, _PROXY)
    elif listing and (fault.status == 404 or _speaks_of_company(fault)):
        fitting = rule.advice if rule.verdict is Verdict.FATAL else ""
        rule = Rule(Verdict.FATAL, fitting if _CHECK_URL in fitting else f"{_CHECK_URL} {fitting}".strip())
    named = _PROPERTY_IN_TEXT.search(fault.text)
    asked = max((wait for wait in (rule.retry_after, retry_after) if wait is not None), default=None)
    return VendorError(
        system=System.SAGE300,
        code=code,
        text=fault.text or f"HTTP {fault.status} without a message.",
        verdict=rule.verdict,
        field=named.group(1) if named else "",
        status=fault.status,
        advice=rule.advice,
        retry_after=asked if rule.verdict is Verdict.RETRY else None,
    )


def unreachable(text: str) -> VendorError:
    """No connection could be made; `text` names host and port."""
    advice = "Check that the Sage server is up and that `sage300.url` in sagezoho.yaml is right."
    return VendorError(system=System.SAGE300, code="Unreachable", text=text, verdict=Verdict.RETRY, advice=advice)


def not_sent(text: str) -> VendorError:
    """The server is under pressure: this request has waited long enough, and was not sent."""
    return VendorError(
        system=System.SAGE300, code="NotSent", text=text, verdict=Verdict.RETRY, advice=_BUSY, retry_after=LATER
    )


def no_answer(code: str, text: str, *, status: int | None = None) -> VendorError:
    """A connection was made, but no whole answer came."""
    return VendorError(
        system=System.SAGE300, code=code, text=text, status=status, verdict=Verdict.RETRY, advice="Try again later."
    )


def not_the_web_api(text: str, *, status: int) -> VendorError:
    """Something answered, but it was not the Web API."""
    return VendorError(
        system=System.SAGE300, code="NotTheWebApi", text=text, status=status, verdict=Verdict.FATAL, advice=_CHECK_URL
    )


def unknown_outcome(error: VendorError) -> OutcomeUnknown:
    """The same event, when the request writes: nobody can tell from it whether the write was made."""
    return OutcomeUnknown(
        system=System.SAGE300,
        code=error.code,
        text=error.text,
        verdict=Verdict.RETRY,
        field=error.field,
        status=error.status,
        advice=_UNKNOWN,
        retry_after=error.retry_after,
    )


def _speaks_of_company(fault: Fault) -> bool:
    """Whether the company itself is the trouble. Quoted parts are left out: they repeat our own query."""
    return fault.spoken and bool(_COMPANY.search(_QUOTED.sub("", fault.text)))


def _rule(fault: Fault) -> tuple[str, Rule]:
    if fault.code in RULES:
        return fault.code, RULES[fault.code]
    kind = "refused" if fault.status < 500 else "failed"
    fallback = (
        f"Http{fault.status}",
        Rule(Verdict.REFUSE if fault.status < 500 else Verdict.RETRY, f"Request {kind}."),
    )
    code, rule = _BY_STATUS.get(fault.status, fallback)
    if fault.status == 404 and fault.spoken:
        return fault.code or "ResourceNotFound", RULES["ResourceNotFound"]
    return fault.code or code, rule


def _parsed(text: str) -> Any:
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _spoken(body: Mapping[str, Any]) -> tuple[str, str]:
    """Code and words of a JSON error: v3 and v4 bodies, a bare string, and what ASP.NET says on its own behalf."""
    error = next((body[name] for name in ("error", "odata.error") if name in body), body)
    if not isinstance(error, Mapping):
        return "", str(error).strip()
    message = next((error[name] for name in ("message", "Message") if name in error), "")
    words = message.get("value", "") if isinstance(message, Mapping) else message
    code = error.get("code")
    return str(code or "").strip(), str(words or "").strip()


def _page_title(page: str) -> str:
    """The words of an HTML page that a person needs: its title, or else the start of its text."""
    title = _TITLE.search(page)
    words = title.group(1) if title and title.group(1).strip() else _MARKUP.sub(" ", page)
    return f"an HTML page: {' '.join(html.unescape(words).split())[:200]}"
