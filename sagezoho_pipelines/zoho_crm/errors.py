"""Zoho CRM's error codes, what each means for the engine, and what a person can do about it.

`CODES` is the one table. `top_level` judges an answer that failed as a whole, `row_error` one row of a write.
Codes of our own, for what Zoho has no code for: MODULE_NOT_IN_EDITION, NOT_JSON, NO_ANSWER, UNREACHABLE,
ROW_COUNT_MISMATCH, HTTP_<status>.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.zoho_crm.limits import INVENTORY_MODULES

SUCCESS = "SUCCESS"
MODULE_NOT_IN_EDITION = "MODULE_NOT_IN_EDITION"

#: The token is refreshed once and the call sent once more.
TOKEN_REJECTED = frozenset({"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"})
#: Concurrency and used-up credits look the same: the body of a 429 is not documented.
THROTTLED = frozenset({"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"})
#: Zoho serves nobody at the moment: all callers rest, as after too many calls, but nothing is proved of a write.
AWAY = frozenset({"SERVICE_UNAVAILABLE"})
#: Zoho's own trouble: reads and repeatable writes are sent again.
TRANSIENT = frozenset(
    {"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "BAD_GATEWAY", "SERVICE_UNAVAILABLE", "GATEWAY_TIMEOUT",
     "DEPENDENT_SERVICE_ERROR"}
)  # fmt: skip
_NO_SUCH_MODULE = frozenset(
    {"INVALID_MODULE", "MODULE_NOT_AVAILABLE", "API_NOT_SUPPORTED", "NOT_SUPPORTED", "FEATURE_NOT_ENABLED"}
)


@dataclass(frozen=True, slots=True)
class Meaning:
    verdict: Verdict
    advice: str
    row_verdict: Verdict | None = None  # where one row's refusal is milder than the whole call's


_RETRY, _REFUSE, _CONFLICT, _FATAL = Verdict.RETRY, Verdict.REFUSE, Verdict.CONFLICT, Verdict.FATAL
_SETUP = "Run `sagezoho setup` to create missing custom fields, and compare the mapping with the module's fields."
_SCOPE = (
    "The refresh token lacks a scope: generate a new one with the scopes listed by `sagezoho check`, "
    "then run `sagezoho credentials set`."
)
_TOKEN = (
    "The refresh token may be revoked, its user deactivated, or it belongs to another data centre: generate a new one "
    "in the Zoho API console, then run `sagezoho credentials set`."
)
_RIGHTS = "Give the user who owns the refresh token the right for this in Zoho: Setup, Security Control, Profiles."
_VALUE = "Correct the value in the source record or in the mapping, then retry it from the inbox."
_LATER = "Zoho is having trouble; it is tried again later."
_REPORT = "This request is malformed: please report it with the code and the field shown."
_BULK = "Correct the bulk job's columns or file, then start it again."
_PAGING = "The read is started again from its last watermark."

CODES: Mapping[str, Meaning] = {
    # signing in
    "INVALID_TOKEN": Meaning(_FATAL, _TOKEN),
    "INVALID_OAUTHTOKEN": Meaning(_FATAL, _TOKEN),
    "AUTHENTICATION_FAILURE": Meaning(_FATAL, _TOKEN),
    "OAUTH_SCOPE_MISMATCH": Meaning(_FATAL, _SCOPE),
    # rights
    "NO_PERMISSION": Meaning(_FATAL, _RIGHTS, _REFUSE),
    "AUTHORIZATION_FAILED": Meaning(_FATAL, _RIGHTS, _REFUSE),
    "NOT_ALLOWED": Meaning(_FATAL, _RIGHTS, _REFUSE),
    # what the organisation has
    "INVALID_MODULE": Meaning(_FATAL, "Check the module's API name, and that the user may see it, in Zoho's Setup."),
    "MODULE_NOT_AVAILABLE": Meaning(_FATAL, "The module is not open to this kind of call."),
    "API_NOT_SUPPORTED": Meaning(_FATAL, "The module is not open to this kind of call."),
    "NOT_SUPPORTED": Meaning(_FATAL, "The organisation's edition or the module does not support this.", _REFUSE),
    "FEATURE_NOT_ENABLED": Meaning(_FATAL, "Switch the feature on in Zoho's Setup, or choose a higher edition."),
    "LICENSE_LIMIT_EXCEEDED": Meaning(_FATAL, "The edition's limit is used up: remove unused fields or upgrade.",
                                      _REFUSE),
    # load
    "TOO_MANY_REQUESTS": Meaning(_RETRY, "Too many calls at once, or the day's API credits are used up."),
    "RATE_LIMIT_EXCEEDED": Meaning(_RETRY, "Too many calls at once, or the day's API credits are used up."),
    "INTERNAL_ERROR": Meaning(_RETRY, _LATER),
    "INTERNAL_SERVER_ERROR": Meaning(_RETRY, _LATER),
    "BAD_GATEWAY": Meaning(_RETRY, _LATER),
    "SERVICE_UNAVAILABLE": Meaning(_RETRY, _LATER),
    "GATEWAY_TIMEOUT": Meaning(_RETRY, _LATER),
    "DEPENDENT_SERVICE_ERROR": Meaning(_RETRY, _LATER),
    # values of a record
    "INVALID_DATA": Meaning(_REFUSE, _VALUE),
    "MANDATORY_NOT_FOUND": Meaning(_REFUSE, "A required field is empty: fill it in the source or in the mapping."),
    "EXPECTED_FIELD_MISSING": Meaning(_REFUSE, "A field that belongs to another one is missing in the mapping."),
    "DEPENDENT_FIELD_MISSING": Meaning(_REFUSE, "A field that another one depends on is missing in the mapping."),
    "DEPENDENT_MISMATCH": Meaning(_REFUSE, "Two fields that depend on one another do not fit together."),
    "DUPLICATE_DATA": Meaning(_CONFLICT, "Another record already holds this value in a unique field: link the two "
                                         "records, or clear the value there."),
    "MULTIPLE_OR_MULTI_ERRORS": Meaning(_REFUSE, _VALUE),
    "INVALID_FIELD": Meaning(_REFUSE, _SETUP),
    "INVALID_FORMAT": Meaning(_REFUSE, _VALUE),
    "UNABLE_TO_PARSE_DATA_TYPE": Meaning(_REFUSE, _VALUE),
    "LIMIT_EXCEEDED": Meaning(_REFUSE, "More than Zoho takes at once: shorten the value or the list."),
    "BLOCKED_RECORD": Meaning(_REFUSE, "The record is blocked in Zoho."),
    "CANNOT_PROCESS": Meaning(_REFUSE, _VALUE),
    # state of a record
    "ALREADY_MODIFIED": Meaning(_RETRY, "The record was changed in Zoho meanwhile: it is read again first."),
    "RECORD_LOCKED": Meaning(_RETRY, "The record is locked in Zoho: unlock it there; it is tried again later."),
    "NOT_APPROVED": Meaning(_RETRY, "The record waits for approval in Zoho; it is tried again later."),
    "RESOURCE_NOT_FOUND": Meaning(_REFUSE, "It no longer exists in Zoho."),
    "RECORD_NOT_FOUND": Meaning(_REFUSE, "It no longer exists in Zoho."),
    # queries
    "SYNTAX_ERROR": Meaning(_FATAL, _REPORT),
    "INVALID_QUERY": Meaning(_FATAL, _SETUP),
    "INVALID_ALIAS": Meaning(_FATAL, _REPORT),
    "DUPLICATE_ALIAS": Meaning(_FATAL, _REPORT),
    # paging
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": Meaning(_RETRY, "More rows than pages can reach: read a shorter window."),
    "PAGINATION_LIMIT_EXCEEDED": Meaning(_RETRY, "More rows than pages can reach: read a shorter window."),
    "LIMIT_REACHED": Meaning(_RETRY, "More rows than pages can reach: read a shorter window."),
    "EXPIRED_VALUE": Meaning(_RETRY, _PAGING),
    "TOKEN_BOUND_DATA_MISMATCH": Meaning(_RETRY, _PAGING),
    # requests
    "AMBIGUITY_DURING_PROCESSING": Meaning(_FATAL, _REPORT, _REFUSE),
    "REQUIRED_PARAM_MISSING": Meaning(_FATAL, _REPORT),
    "EXPECTED_PARAM_MISSING": Meaning(_FATAL, _REPORT),
    "PATTERN_NOT_MATCHED": Meaning(_FATAL, _REPORT, _REFUSE),
    "INVALID_URL_PATTERN": Meaning(_FATAL, "Zoho does not know this address: check api_domains and the module's name."),
    "INVALID_REQUEST_METHOD": Meaning(_FATAL, _REPORT),
    "METHOD_NOT_ALLOWED": Meaning(_FATAL, _REPORT),
    "MEDIA_TYPE_NOT_SUPPORTED": Meaning(_FATAL, _REPORT),
    "FILE_TOO_LARGE": Meaning(_REFUSE, "The file is larger than Zoho takes."),
    # notifications
    "NOT_SUBSCRIBED": Meaning(_REFUSE, "The channel is unknown to Zoho: it is subscribed again."),
    # bulk jobs
    "COLUMN_INDEX_NOT_FOUND": Meaning(_REFUSE, _BULK),
    "HEADER_LIMIT_EXCEEDED": Meaning(_REFUSE, _BULK),
    "INVALID_FILE_FORMAT": Meaning(_REFUSE, _BULK),
    "INVALID_FILE_ID": Meaning(_REFUSE, _BULK),
    "MANDATORY_FIELDS_NOT_MAPPED": Meaning(_REFUSE, _BULK),
    # ours
    MODULE_NOT_IN_EDITION: Meaning(Verdict.SKIP, "Inventory modules need Zoho CRM's Professional edition or higher, "
                                                 "and must be shown to the user who owns the refresh token."),
}  # fmt: skip


def meaning(code: str, status: int | None) -> Meaning:
    """The table's entry; an unlisted code is judged by its HTTP status."""
    known = CODES.get(code)
    if known is not None:
        return known
    if status is not None and (status == 429 or status >= 500):
        return Meaning(_RETRY, _LATER)
    if status == 401:
        return Meaning(_FATAL, _TOKEN)
    if status == 403:
        return Meaning(_FATAL, _RIGHTS, _REFUSE)
    return Meaning(_REFUSE, "This code is not in our list: see Zoho's words.")


def top_level(body: Mapping[str, Any], *, status: int, module: str = "") -> VendorError:
    """A whole request that Zoho refused."""
    code = str(body.get("code") or f"HTTP_{status}")
    details = _details(body)
    if code in _NO_SUCH_MODULE and module in INVENTORY_MODULES:
        details = {**details, "vendor_code": code, "module": module}
        code = MODULE_NOT_IN_EDITION
    known = meaning(code, status)
    return VendorError(
        system=System.ZOHO_CRM,
        code=code,
        text=_text(body),
        verdict=known.verdict,
        field=field_of(details),
        status=status,
        advice=known.advice,
        details=details,
    )


def row_error(row: Mapping[str, Any], *, status: int) -> VendorError:
    """One row that Zoho refused; `details["id"]` is the id of the other record of a duplicate, where Zoho names it."""
    code = str(row.get("code") or f"HTTP_{status}")
    details = _details(row)
    nested = _nested(details)
    known = meaning(code, status)
    verdict = known.row_verdict or known.verdict
    text = _text(row)
    if nested:
        verdict = _strongest([_row_verdict(each, status) for each in nested], verdict)
        text = "; ".join([text, *(f"{field_of(_details(each))}: {_text(each)}" for each in nested)])
        details = {**_details(nested[0]), **details}
    return VendorError(
        system=System.ZOHO_CRM,
        code=code,
        text=text,
        verdict=verdict,
        field=field_of(details),
        status=status,
        advice=known.advice,
        details=details,
    )


def unreachable(host: str, problem: str) -> VendorError:
    """The request did not leave us: nobody answered at the address."""
    return VendorError(
        system=System.ZOHO_CRM,
        code="UNREACHABLE",
        text=f"{host} cannot be reached ({problem}).",
        verdict=Verdict.RETRY,
        advice="Check the network, the proxy and the addresses under zoho_crm in sagezoho.yaml.",
    )


def no_answer(call: str, problem: str) -> VendorError:
    """The request left us and no whole answer came back, and sending it again did not help."""
    return VendorError(
        system=System.ZOHO_CRM,
        code="NO_ANSWER",
        text=f"no whole answer to {call} ({problem}).",
        verdict=Verdict.RETRY,
        advice=_LATER,
    )


def outcome_unknown(call: str, problem: str, *, code: str = "NO_ANSWER", status: int | None = None) -> OutcomeUnknown:
    return OutcomeUnknown(
        system=System.ZOHO_CRM,
        code=code,
        text=f"{call} may or may not have been carried out ({problem}).",
        verdict=Verdict.RETRY,
        status=status,
        advice="The records are read back before anything is sent again.",
    )


def not_json(call: str, *, status: int, content_type: str) -> VendorError:
    """A proxy's or a login page in place of Zoho's JSON. Its text is not repeated: it may hold secrets."""
    return VendorError(
        system=System.ZOHO_CRM,
        code="NOT_JSON",
        text=f"the answer to {call} is not JSON (HTTP {status}, {content_type or 'no content type'}).",
        verdict=Verdict.RETRY if status >= 500 or status == 429 else Verdict.FATAL,
        status=status,
        advice="Something between here and Zoho may be answering instead: check proxy, firewall and addresses.",
    )


def refused_here(text: str, *, field: str = "") -> VendorError:
    """A request that would be wrong under any reading of Zoho's contract, refused before it is sent."""
    return VendorError(
        system=System.ZOHO_CRM, code="INVALID_DATA", text=text, verdict=Verdict.REFUSE, field=field,
        advice=_VALUE,
    )  # fmt: skip


def field_of(details: Mapping[str, Any]) -> str:
    """The field an error is about, wherever Zoho put it: API name first, then the path inside the request."""
    for name in ("api_name", "column_name", "param_name", "param", "json_path", "header_name"):
        value = details.get(name)
        if value:
            return str(value)
    return ""


def _row_verdict(row: Mapping[str, Any], status: int) -> Verdict:
    known = meaning(str(row.get("code") or ""), status)
    return known.row_verdict or known.verdict


def _strongest(verdicts: Sequence[Verdict], default: Verdict) -> Verdict:
    order = (Verdict.FATAL, Verdict.REFUSE, Verdict.CONFLICT, Verdict.RETRY)
    return next((each for each in order if each in verdicts), default)


def _nested(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = details.get("errors")
    return [each for each in errors if isinstance(each, Mapping)] if isinstance(errors, list) else []


def _details(body: Mapping[str, Any]) -> dict[str, Any]:
    details = body.get("details")
    return dict(details) if isinstance(details, Mapping) else {}


def _text(body: Mapping[str, Any]) -> str:
    return str(body.get("message") or "no message")
