"""Every code has a verdict and advice; what is missing is judged by its status."""

from __future__ import annotations

import pytest

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.picklists import closed_won_stages, pick_list
from sagezoho_pipelines.zoho_crm import errors
from sagezoho_pipelines_tests.unit.zoho_script import client, failure

DOCUMENTED = [
    "ALREADY_MODIFIED", "AMBIGUITY_DURING_PROCESSING", "API_NOT_SUPPORTED", "AUTHENTICATION_FAILURE",
    "AUTHORIZATION_FAILED", "BAD_GATEWAY", "BLOCKED_RECORD", "CANNOT_PROCESS", "COLUMN_INDEX_NOT_FOUND",
    "DEPENDENT_FIELD_MISSING", "DEPENDENT_MISMATCH", "DEPENDENT_SERVICE_ERROR",
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "DUPLICATE_ALIAS", "DUPLICATE_DATA", "EXPECTED_FIELD_MISSING",
    "EXPECTED_PARAM_MISSING", "EXPIRED_VALUE", "FEATURE_NOT_ENABLED", "FILE_TOO_LARGE", "HEADER_LIMIT_EXCEEDED",
    "INTERNAL_ERROR", "INVALID_ALIAS", "INVALID_DATA", "INVALID_FIELD", "INVALID_FILE_FORMAT", "INVALID_FILE_ID",
    "INVALID_FORMAT", "INVALID_MODULE", "INVALID_QUERY", "INVALID_REQUEST_METHOD", "INVALID_TOKEN",
    "INVALID_URL_PATTERN", "LICENSE_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "LIMIT_REACHED",
    "MANDATORY_FIELDS_NOT_MAPPED", "MANDATORY_NOT_FOUND", "MEDIA_TYPE_NOT_SUPPORTED", "METHOD_NOT_ALLOWED",
    "MODULE_NOT_AVAILABLE", "MULTIPLE_OR_MULTI_ERRORS", "NOT_ALLOWED", "NOT_APPROVED", "NOT_SUBSCRIBED",
    "NOT_SUPPORTED", "NO_PERMISSION", "OAUTH_SCOPE_MISMATCH", "PAGINATION_LIMIT_EXCEEDED", "PATTERN_NOT_MATCHED",
    "RATE_LIMIT_EXCEEDED", "RECORD_LOCKED", "REQUIRED_PARAM_MISSING", "RESOURCE_NOT_FOUND", "SERVICE_UNAVAILABLE",
    "SYNTAX_ERROR", "TOKEN_BOUND_DATA_MISMATCH", "TOO_MANY_REQUESTS", "UNABLE_TO_PARSE_DATA_TYPE",
]  # fmt: skip


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_has_a_verdict_and_advice(code: str) -> None:
    assert errors.CODES[code].advice
    error = errors.top_level({"code": code, "message": "in Zoho's words"}, status=400)
    assert "in Zoho's words" in str(error)
    assert errors.CODES[code].advice in str(error)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(401, Verdict.FATAL), (403, Verdict.FATAL), (404, Verdict.REFUSE), (429, Verdict.RETRY), (503, Verdict.RETRY)],
)
def test_an_unlisted_code_is_judged_by_its_status(status: int, verdict: Verdict) -> None:
    assert errors.top_level({"code": "NEW_ONE"}, status=status).verdict is verdict


def test_a_right_that_one_row_lacks_does_not_stop_the_others() -> None:
    assert errors.top_level({"code": "NO_PERMISSION"}, status=403).verdict is Verdict.FATAL
    assert errors.row_error({"code": "NO_PERMISSION"}, status=207).verdict is Verdict.REFUSE


@pytest.mark.parametrize("code", ["INVALID_MODULE", "NOT_SUPPORTED", "API_NOT_SUPPORTED"])
def test_an_edition_without_inventory_has_a_code_of_its_own(code: str) -> None:
    zoho, _, _ = client([failure(code, 400)] * 2)
    with pytest.raises(VendorError, match="Professional") as caught:
        zoho.find("Invoices", where=[], fields=["id"])
    assert (caught.value.code, caught.value.verdict) == (errors.MODULE_NOT_IN_EDITION, Verdict.SKIP)
    assert caught.value.details["vendor_code"] == code
    with pytest.raises(VendorError) as caught:
        zoho.find("Accounts", where=[], fields=["id"])
    assert (caught.value.code, caught.value.verdict) == (code, Verdict.FATAL)


def test_the_field_is_found_wherever_zoho_put_it() -> None:
    assert errors.field_of({"json_path": "$.data[0].X", "api_name": "X"}) == "X"
    assert errors.field_of({"json_path": "$.data[0].X"}) == "$.data[0].X"
    assert errors.field_of({"column_name": "Testing"}) == "Testing"
    assert errors.field_of({}) == ""


STAGES = [
    {
        "api_name": "Stage",
        "pick_list_values": [
            {"display_value": "Qualification", "actual_value": "Qualification", "forecast_type": "Open"},
            {"display_value": "Gewonnen", "actual_value": "Closed Won", "forecast_type": "Closed Won"},
            {"display_value": "Paid", "actual_value": "Paid up", "forecast_type": "closed_won"},
            {"display_value": "Old", "actual_value": "Old Won", "deal_category": "Closed Won"},
            {"display_value": "Lost", "actual_value": "Closed Lost", "forecast_type": "Closed Lost"},
        ],
    }
]


def test_won_stages_are_told_by_their_forecast_type_and_named_by_their_actual_value() -> None:
    assert closed_won_stages(STAGES) == ["Closed Won", "Paid up", "Old Won"]
    assert closed_won_stages([]) == []
    assert len(pick_list(STAGES, "Stage")) == 5
