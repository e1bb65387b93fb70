"""Requests that are nearly right: how strictly the simulated CRM reads bodies, values, parameters and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .zoho_service import Service, refused, row_of, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=3, frozen=True) as service:
        yield service


ACCOUNT = '{"data": [{"Account_Name": "A"}]}'


@pytest.mark.parametrize("path", ["Accounts", "Accounts/upsert", "coql", "settings/fields?module=Accounts"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_a_body_that_says_it_is_something_else_is_not_read(zoho: Service, path: str, kind: str) -> None:
    answer = zoho.call("POST", path, data=ACCOUNT, headers={"Content-Type": kind})
    assert refused(answer) == (415, "MEDIA_TYPE_NOT_SUPPORTED", {})
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "application/json; x=y"}]
)
def test_a_body_of_json_is_read_whether_it_says_so_or_not(zoho: Service, headers: dict[str, str]) -> None:
    assert zoho.call("POST", "Accounts", data=ACCOUNT, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "text",
    [
        '{"data": [{"Account_Name": "A", "Account_Name": "B"}]}',
        '{"data": [{"Account_Name": "A"}], "data": [{"Account_Name": "B"}]}',
    ],
)
def test_a_key_stands_once_in_an_object(zoho: Service, text: str) -> None:
    assert refused(zoho.call("POST", "Accounts", data=text))[:2] == (400, "INVALID_DATA")


@pytest.mark.parametrize(
    ("values", "details"),
    [
        ({"Account_Name": "nul\0"}, {"expected_data_type": "string"}),
        ({"Account_Name": "\N{PARROT}" * 101}, {"maximum_length": 200}),
        ({"Account_Name": "A", "Owner": None}, {"expected_data_type": "jsonobject"}),
    ],
)
def test_values_that_no_field_holds_are_refused(zoho: Service, values: Any, details: dict[str, Any]) -> None:
    row = row_of(zoho.insert("Accounts", values))
    assert row["code"] == "INVALID_DATA"
    assert details.items() <= row["details"].items()


def test_a_sign_beyond_the_first_plane_takes_two_places(zoho: Service) -> None:
    assert zoho.insert_id("Accounts", Account_Name="\N{PARROT}" * 100)


LOOSE = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000+00:00", "2026-01-01T00:00+00:00", "2026-01-01T00:00:00+0000"]


@pytest.mark.parametrize("instant", LOOSE)
def test_an_instant_has_seconds_and_an_offset(zoho: Service, instant: str) -> None:
    call = {"Subject": "C", "Call_Type": "Outbound", "Call_Duration": "10:00", "Call_Start_Time": instant}
    assert row_of(zoho.insert("Calls", call))["details"]["expected_data_type"] == "datetime"
    assert refused(zoho.coql(f"select id from Accounts where Modified_Time > '{instant}'"))[1] == "INVALID_QUERY"
    told = zoho.get("Accounts/search", criteria=f"(Modified_Time:greater_than:{instant})")
    assert refused(told)[1] == "INVALID_QUERY"
    zoho.world.switches.notify_url_probed = False
    watch = {"channel_id": 5, "events": ["Deals.all"], "notify_url": "https://hook.example/", "channel_expiry": instant}
    answer = zoho.call("POST", "actions/watch", json={"watch": [watch]})
    assert answer.json()["watch"][0]["details"]["api_name"] == "channel_expiry"


@pytest.mark.parametrize("header", ["If-Modified-Since", "If-Unmodified-Since"])
def test_a_header_takes_the_letter_for_utc_but_no_fraction(zoho: Service, header: str) -> None:
    def asked(instant: str) -> int:
        method, path = ("GET", "Accounts?fields=id") if header == "If-Modified-Since" else ("POST", "Accounts/upsert")
        body = None if method == "GET" else ACCOUNT
        return zoho.call(method, path, data=body, headers={header: instant}).status_code

    year = 2020 if header == "If-Modified-Since" else 2099
    assert asked(f"{year}-01-01T00:00:00Z") == asked(f"{year}-01-01T00:00:00+05:30") == 200
    assert {asked(one) for one in LOOSE[1:]} == {400}


def test_a_list_that_is_too_long_is_told_in_zohos_order(zoho: Service) -> None:
    details = refused(zoho.insert("Accounts", *[{"Account_Name": "A"}] * 101))[2]
    assert list(details.items()) == [
        ("expected_data_type", "jsonarray"),
        ("maximum_length", 100),
        ("api_name", "data"),
        ("json_path", "$.data"),
    ]
    details = refused(zoho.insert("Accounts", {"Account_Name": "A"}, trigger=["magic"]))[2]
    assert (details["api_name"], details["json_path"]) == ("trigger", "$.trigger[0]")


def test_an_update_of_one_record_names_no_other(zoho: Service) -> None:
    one, other = (zoho.insert_id("Accounts", Account_Name=name) for name in "AB")
    row = row_of(zoho.call("PUT", f"Accounts/{one}", json={"data": [{"id": other, "Fax": "1"}]}))
    assert (row["code"], row["details"]["id"]) == ("INVALID_DATA", other)
    assert zoho.call("PUT", f"Accounts/{one}", json={"data": [{"id": one, "Fax": "1"}]}).status_code == 200


@pytest.mark.parametrize("path", ["org/", "Accounts/?fields=id", "settings/modules/", "coql/", "actions/watch/"])
def test_an_address_does_not_end_with_a_slash(zoho: Service, path: str) -> None:
    assert refused(zoho.call("GET", path))[:2] == (404, "INVALID_URL_PATTERN")


@pytest.mark.parametrize(
    "criteria",
    [
        "Account_Name:equals:A",
        "(Account_Name:equals:A)AND(Fax:equals:1)",
        "(Account_Name:equals:A (B) C)",
        "(Account_Name:equals:A(B)",
    ],
)
def test_criteria_stand_in_brackets_and_escape_those_of_values(zoho: Service, criteria: str) -> None:
    assert refused(zoho.get("Accounts/search", criteria=criteria))[:2] == (400, "INVALID_QUERY")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"territory_id": "5"}, "INVALID_MODULE"),
        ({"converted": "perhaps"}, "INVALID_DATA"),
        ({"approved": "perhaps"}, "INVALID_DATA"),
        ({"include_child": "perhaps"}, "INVALID_DATA"),
    ],
)
def test_filters_of_a_list_are_not_passed_over(zoho: Service, params: dict[str, str], code: str) -> None:
    assert refused(zoho.get("Accounts", fields="id", **params))[:2] == (400, code)


def test_whether_case_counts_is_yes_or_no(zoho: Service) -> None:
    field = {"field_label": "Key", "data_type": "text", "unique": {"case_sensitive": "perhaps"}}
    answer = zoho.call("POST", "settings/fields", params={"module": "Accounts"}, json={"fields": [field]})
    assert answer.json()["fields"][0]["details"]["expected_data_type"] == "boolean"


def test_a_joined_module_needs_its_own_scope(zoho: Service) -> None:
    zoho.world.actions["set_scopes"]({"scopes": ["ZohoCRM.coql.READ", "ZohoCRM.modules.deals.READ"]})
    zoho.sign_in()
    assert zoho.coql("select Deal_Name from Deals where id is not null").status_code == 200
    joined = zoho.coql("select Account_Name.Account_Name from Deals where id is not null")
    assert refused(joined)[:2] == (401, "OAUTH_SCOPE_MISMATCH")
    filtered = zoho.coql("select id from Deals where Account_Name.Account_Name = 'A'")
    assert refused(filtered)[:2] == (401, "OAUTH_SCOPE_MISMATCH")


def test_organisation_and_role_have_ids_of_their_own(zoho: Service) -> None:
    org = zoho.get("org").json()["org"][0]
    user = zoho.get("users", type="CurrentUser").json()["users"][0]
    assert len({org["id"], user["role"]["id"], user["profile"]["id"], user["id"]}) == 4
