"""How the simulated Zoho CRM says no.

ApiError   the whole request is refused: one object, no `data`
RowError   one row of a batch is refused: it stands in `data` at its own place
"""

from __future__ import annotations

from typing import Any

Details = dict[str, Any]


class ApiError(Exception):
    """The whole request is refused with `status` and Zoho's code, details and message."""

    def __init__(self, status: int, code: str, message: str, details: Details | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details: Details = details or {}

    def body(self) -> Details:
        return {"code": self.code, "details": self.details, "message": self.message, "status": "error"}


class RowError(Exception):
    """One row of a batch is refused; `status` is what the call answers when every row is refused so."""

    def __init__(self, code: str, message: str, details: Details | None = None, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details: Details = details or {}

    def body(self) -> Details:
        return {"code": self.code, "details": self.details, "message": self.message, "status": "error"}


def invalid_token() -> ApiError:
    return ApiError(401, "INVALID_TOKEN", "invalid oauth token")


def authentication_failure() -> ApiError:
    return ApiError(401, "AUTHENTICATION_FAILURE", "Authentication failed")


def scope_mismatch() -> ApiError:
    return ApiError(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")


def no_permission(permission: str) -> ApiError:
    return ApiError(403, "NO_PERMISSION", "permission denied", {"permissions": [permission]})


def invalid_url() -> ApiError:
    return ApiError(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")


def invalid_method() -> ApiError:
    return ApiError(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")


def invalid_module(*, in_path: bool = True) -> ApiError:
    details: Details = {"resource_path_index": 0} if in_path else {}
    return ApiError(400, "INVALID_MODULE", "the module name given seems to be invalid", details)


def too_many_requests() -> ApiError:
    return ApiError(429, "TOO_MANY_REQUESTS", "too many requests. please try again after some time")


def param_missing(name: str) -> ApiError:
    return ApiError(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param_name": name})


def invalid_param(name: str, message: str = "invalid data") -> ApiError:
    return ApiError(400, "INVALID_DATA", message, {"param_name": name})


def invalid_body(path: str, expected: str, **more: Any) -> ApiError:
    api_name = path.rsplit(".", 1)[-1].split("[", 1)[0]
    return ApiError(
        400,
        "INVALID_DATA",
        "invalid data",
        {"expected_data_type": expected, **more, "api_name": api_name, "json_path": path},
    )


def unparsable() -> ApiError:
    return ApiError(
        400,
        "UNABLE_TO_PARSE_DATA_TYPE",
        "either the request body or parameters is in wrong format",
    )


def row_invalid(path: str, **details: Any) -> RowError:
    """A value that cannot stand in the field at `path`."""
    return RowError(
        "INVALID_DATA",
        "invalid data",
        {**details, "api_name": path.rsplit(".", 1)[-1].split("[", 1)[0], "json_path": path},
    )


def row_missing(path: str) -> RowError:
    return RowError(
        "MANDATORY_NOT_FOUND",
        "required field not found",
        {"api_name": path.rsplit(".", 1)[-1], "json_path": path},
    )


def row_bad_id(given: object, path: str) -> RowError:
    return RowError("INVALID_DATA", "the id given seems to be invalid", {"id": str(given), "json_path": path})


ROW_REFUSALS = {
    "INVALID_DATA": "invalid data",
    "MANDATORY_NOT_FOUND": "required field not found",
    "DEPENDENT_FIELD_MISSING": "dependent field missing",
    "AUTHORIZATION_FAILED": "you do not have the permission to update this record",
    "RECORD_LOCKED": "You cannot perform this operation as the record is locked.",
    "NOT_APPROVED": "the record is waiting for approval",
    "NOT_ALLOWED": "not allowed",
    "LIMIT_EXCEEDED": "the limit is exceeded",
    "DEPENDENT_MISMATCH": "dependent fields do not fit one another",
    "DEPENDENT_SERVICE_ERROR": "Error",
}
"""Codes with which Zoho refuses one row of a batch while the others pass, as far as a fault may play them."""


def row_refusal(code: str, path: str) -> RowError:
    """A refusal that a fault asks for; `code` is one of ROW_REFUSALS."""
    return RowError(code, ROW_REFUSALS[code], {"json_path": path})
