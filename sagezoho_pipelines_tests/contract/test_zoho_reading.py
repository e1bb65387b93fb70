"""Reading records of the simulated CRM: lists and their pages, search and count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from .zoho_service import Service, refused, row_of, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


def test_fields_are_mandatory_and_at_most_fifty(zoho: Service) -> None:
    assert refused(zoho.get("Accounts"))[:2] == (400, "REQUIRED_PARAM_MISSING")
    many = ",".join(f"F{at}" for at in range(51))
    assert refused(zoho.get("Accounts", fields=many)) == (
        400,
        "LIMIT_EXCEEDED",
        {"limit": 50, "param_name": "fields"},
    )
    assert refused(zoho.get("Accounts", fields="id", per_page=201))[1] == "INVALID_DATA"
    assert zoho.get("Accounts", fields="Account_Name").status_code == 204


def test_pages_end_at_two_thousand_rows_and_go_on_with_tokens(zoho: Service) -> None:
    for at in range(3):
        zoho.insert("Accounts", *[{"Account_Name": f"A{at}-{row}"} for row in range(2)])
    page = zoho.get("Accounts", fields="Account_Name", per_page=2).json()
    assert page["info"]["more_records"] is True
    ids = [row["id"] for row in page["data"]]
    assert ids == sorted(ids, reverse=True)
    token = page["info"]["next_page_token"]
    second = zoho.get("Accounts", fields="Account_Name", per_page=2, page_token=token).json()
    assert second["info"]["page"] == 2
    assert not set(ids) & {row["id"] for row in second["data"]}
    assert refused(zoho.get("Accounts", fields="Account_Name", page=11))[1:] == (
        "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
        {"limit": 2000},
    )
    assert refused(zoho.get("Accounts", fields="Account_Name", per_page=2, page=1, page_token=token))[1] == (
        "AMBIGUITY_DURING_PROCESSING"
    )
    assert refused(zoho.get("Accounts", fields="Phone", per_page=2, page_token=token))[1] == (
        "TOKEN_BOUND_DATA_MISMATCH"
    )
    assert refused(zoho.get("Accounts", fields="Account_Name", page_token="made-up"))[1] == "INVALID_DATA"
    zoho.world.clock.advance(timedelta(days=1))
    zoho.sign_in()
    assert refused(zoho.get("Accounts", fields="Account_Name", per_page=2, page_token=token))[1] == "EXPIRED_VALUE"


def test_if_modified_since_filters_inclusively(zoho: Service) -> None:
    zoho.insert_id("Accounts", Account_Name="Old")
    zoho.world.clock.advance(timedelta(minutes=1))
    new = zoho.insert_id("Accounts", Account_Name="New")
    seen = zoho.record("Accounts", new)["Modified_Time"]
    answer = zoho.call("GET", "Accounts", params={"fields": "Account_Name"}, headers={"If-Modified-Since": seen})
    assert [row["Account_Name"] for row in answer.json()["data"]] == ["New"]
    zoho.world.switches.if_modified_since_inclusive = False
    answer = zoho.call("GET", "Accounts", params={"fields": "Account_Name"}, headers={"If-Modified-Since": seen})
    assert (answer.status_code, answer.content) == (304, b"")
    odd = {"If-Modified-Since": "Mon, 05 Jan 2026 10:00:00 GMT"}
    assert zoho.call("GET", "Accounts", params={"fields": "id"}, headers=odd).status_code == 400


def test_ids_and_sorting(zoho: Service) -> None:
    ids = [zoho.insert_id("Accounts", Account_Name=name) for name in "ABC"]
    zoho.world.clock.advance(timedelta(minutes=1))
    zoho.update("Accounts", {"id": ids[0], "Fax": "1"})
    by_change = zoho.get("Accounts", fields="Account_Name", sort_by="Modified_Time", sort_order="asc").json()
    assert [row["Account_Name"] for row in by_change["data"]] == ["B", "C", "A"]
    some = zoho.get("Accounts", fields="Account_Name", ids=f"{ids[2]},{ids[0]}", sort_order="asc").json()
    assert [row["Account_Name"] for row in some["data"]] == ["A", "C"]
    assert refused(zoho.get("Accounts", fields="id", sort_by="Phone"))[1] == "INVALID_DATA"
    assert refused(zoho.get("Accounts", fields="id", sort_by="id", cvid="1"))[1] == "AMBIGUITY_DURING_PROCESSING"
    assert refused(zoho.get("Accounts/abc"))[1] == "INVALID_URL_PATTERN"


def test_search_lags_behind_writes(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Fresh Paint")
    criteria = "((Account_Name:equals:fresh)and(Created_Time:greater_than:2020-01-01T00:00:00+00:00))"
    assert zoho.get("Accounts/search", criteria=criteria).status_code == 204
    zoho.world.clock.advance(timedelta(seconds=61))
    assert row_of(zoho.get("Accounts/search", criteria=criteria))["id"] == account
    zoho.update("Accounts", {"id": account, "Account_Name": "Dry Paint"})
    assert row_of(zoho.get("Accounts/search", word="fresh"))["Account_Name"] == "Fresh Paint"
    zoho.world.clock.advance(timedelta(seconds=61))
    assert zoho.get("Accounts/search", word="fresh").status_code == 204


def test_search_errors(zoho: Service) -> None:
    assert refused(zoho.get("Accounts/search"))[1] == "EXPECTED_PARAM_MISSING"
    assert refused(zoho.get("Accounts/search", word="x"))[1] == "INVALID_DATA"
    assert refused(zoho.get("Accounts/search", criteria="(Nothing:equals:1)"))[1] == "INVALID_QUERY"
    assert refused(zoho.get("Accounts/search", criteria="(Account_Name"))[1] == "INVALID_QUERY"
    assert refused(zoho.get("Accounts/search", word="abc", page=11))[1] == "LIMIT_REACHED"


@pytest.mark.parametrize(
    "criteria",
    [
        "(Account_Name:greater_than:a)",
        "(Account_Name:equals:a,b)",
        "(Employees:starts_with:5)",
        "(Employees:between:5)",
        "(Employees:between:5,6,7)",
        "(Employees:between:5,null)",
        "(Employees:equals:many)",
        "(Locked__s:less_than:true)",
        "(Tag:equals:a)",
    ],
)
def test_criteria_fit_the_type_of_their_field_whether_there_are_rows_or_not(zoho: Service, criteria: str) -> None:
    assert refused(zoho.get("Accounts/search", criteria=criteria))[1] == "INVALID_QUERY"


def test_count_is_stale_for_a_while(zoho: Service) -> None:
    zoho.insert_id("Accounts", Account_Name="A")
    assert zoho.get("Accounts/actions/count").json() == {"count": 1}
    zoho.insert_id("Accounts", Account_Name="B")
    assert zoho.get("Accounts/actions/count").json() == {"count": 1}
    zoho.world.clock.advance(timedelta(minutes=2))
    assert zoho.get("Accounts/actions/count").json() == {"count": 2}


def test_page_tokens_end_at_a_hundred_thousand_rows(zoho: Service) -> None:
    bound = (("fields", "Account_Name"), ("#module", "Accounts"), ("#since", ""))
    token, _ = zoho.world.page_tokens.issue(zoho.world.org, bound, 501)
    answer = zoho.get("Accounts", fields="Account_Name", page_token=token)
    assert refused(answer) == (400, "PAGINATION_LIMIT_EXCEEDED", {"limit": 100_000})


def test_a_profile_without_the_right_is_refused(zoho: Service) -> None:
    deny = zoho.world.actions["set_permission"]
    deny({"module": "Accounts", "operation": "CREATE", "allowed": False})
    denied = (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Create_Accounts"]})
    assert refused(zoho.insert("Accounts", {"Account_Name": "A"})) == denied
    deny({"module": "Accounts", "operation": "CREATE", "allowed": True})
    deny({"module": "Accounts", "operation": "READ", "allowed": False})
    zoho.insert_id("Accounts", Account_Name="A")
    assert refused(zoho.coql("select id from Accounts where id is not null"))[0] == 403
