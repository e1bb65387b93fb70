"""The Web API's error codes and its error body.

Statuses of 404, 409 and the missing Content-Type are on record; the others are the natural mapping. The code is what
a client should act on; several messages are joined by newlines in one value.
"""

from __future__ import annotations

import simplejson

from sagezoho_pipelines.sandbox.faults import Canned

STATUS = {
    "InternalServerError": 500,
    "Unauthorized": 401,
    "Forbidden": 403,
    "TooManyRequests": 429,
    "InvalidParameters": 400,
    "ResourceNotFound": 404,
    "InvalidEntityKey": 400,
    "RecordNotFound": 404,
    "MethodNotAllowed": 405,
    "InvalidPayload": 400,
    "InvalidAction": 400,
    "DBLinkError": 500,
    "SessionError": 500,
    "RecordDuplicate": 409,
    "RecordInvalid": 409,
    "General": 409,
    "FieldInvalid": 409,
}

UNRECORDED = frozenset(code for code, status in STATUS.items() if status not in (404, 409, 500))
"""Codes whose status nobody has written down."""

SERVICE_UNAVAILABLE = (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    "<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r\n"
    '<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
    "<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>\r\n"
)
"""What IIS itself sends while the application pool is stopped or recycling."""


class SageError(Exception):
    """A refusal with one of the codes in STATUS and the words a user would read."""

    def __init__(self, code: str, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.code = code
        self.status = STATUS[code]

    @property
    def body(self) -> str:
        return error_body(self.code, str(self))


def error_body(code: str, text: str) -> str:
    shape = {"error": {"code": code, "message": {"lang": "en-US", "value": text}}}
    return str(simplejson.dumps(shape, ensure_ascii=False, separators=(",", ":")))


def canned_error(code: str, text: str) -> Canned:
    return Canned(STATUS[code], {"content-type": "application/json; charset=utf-8"}, error_body(code, text))


def canned_status(status: int) -> Canned:
    """What stands behind a bare status: IIS's page for 503, the API's own body for the others."""
    if status in (502, 503, 504):
        return Canned(
            status, {"content-type": "text/html; charset=us-ascii", "connection": "close"}, SERVICE_UNAVAILABLE
        )
    code = next((code for code, known in STATUS.items() if known == status), "General")
    return Canned(status, {"content-type": "application/json; charset=utf-8"}, error_body(code, TEXTS.get(code, code)))


TEXTS = {
    "TooManyRequests": "The server is flooded with too many concurrent requests.",
    "InternalServerError": "An unexpected error occurred on the server.",
    "Unauthorized": "The user ID or password is incorrect.",
    "Forbidden": "The user does not have the rights to access this resource.",
    "DBLinkError": "A database link to the company could not be opened. Check the installation of the application.",
    "SessionError": "A session could not be opened. Check the installation of the system.",
    "RecordNotFound": "A Record cannot be found for the specified entity key",
}

SHORTCUTS = {
    "day_end": canned_error("RecordDuplicate", "Day End Processing is running. Please try again later."),
    "post_in_progress": canned_error("General", "Processing conflict. Post in Progress by another user."),
}
"""Transient refusals that look like final ones; nothing was written."""
