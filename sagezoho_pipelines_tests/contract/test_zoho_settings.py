"""Metadata, editions, limits and the seed of the simulated CRM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

from .at_once import volleys
from .zoho_service import Service, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=10) as service:
        yield service


def _fields(zoho: Service, module: str) -> dict[str, dict[str, Any]]:
    return {one["api_name"]: one for one in zoho.get("settings/fields", module=module).json()["fields"]}


def _create(zoho: Service, *fields: dict[str, Any], module: str = "Accounts") -> requests.Response:
    return zoho.call("POST", "settings/fields", params={"module": module}, json={"fields": list(fields)})


def test_won_stages_can_be_read_from_the_metadata(zoho: Service) -> None:
    stage = _fields(zoho, "Deals")["Stage"]
    won = [one["actual_value"] for one in stage["pick_list_values"] if one["forecast_type"] == "Closed Won"]
    assert won == ["Closed Won"]
    decided = next(one for one in stage["pick_list_values"] if one["display_value"] == "Identify Decision Makers")
    assert (decided["actual_value"], decided["probability"]) == ("Id. Decision Makers", 60)


def test_a_field_has_every_key_that_was_recorded_of_one(zoho: Service) -> None:
    recorded = {
        *("address", "api_name", "associated_module", "association_details", "auto_number"),
        *("businesscard_supported", "child_fields", "colour_code_enabled_by_system", "created_source", "created_time"),
        *("crypt", "currency", "custom_field", "customizable_properties", "data_type", "decimal_place"),
        *("display_field", "display_format", "display_format_properties", "display_label", "display_type"),
        *("email_parser", "enable_colour_code", "external", "field_label", "field_read_only", "filterable", "formula"),
        *("global_picklist", "history_tracking", "id", "json_type", "length", "lookup", "mass_update"),
        *("modified_time", "multi_module_lookup", "multiselectlookup", "operation_type", "parent_field"),
        *("pick_list_values", "pick_list_values_sorted_lexically", "profiles", "range"),
        *("read_only", "rollup_summary", "searchable", "separator", "sortable", "system_mandatory", "tooltip", "type"),
        *("ui_type", "unique", "view_type", "virtual_field", "visible", "webhook"),
    }
    for field in zoho.get("settings/fields", module="Deals").json()["fields"]:
        more = {"blueprint_supported", "quick_sequence_number"} if field["data_type"] == "picklist" else set()
        assert set(field) == recorded | more


def test_records_have_a_currency_only_where_the_organisation_has_several(zoho: Service) -> None:
    deal = zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification", Currency="EUR")

    def known() -> set[str]:
        return {one["api_name"] for one in zoho.get("settings/fields", module="Deals").json()["fields"]}

    assert zoho.get("org").json()["org"][0]["mc_status"] is False
    assert not {"Currency", "Exchange_Rate"} & (known() | set(zoho.record("Deals", deal)))
    assert zoho.coql("select Currency from Deals where id is not null").json()["code"] == "INVALID_QUERY"
    zoho.world.actions["use_currencies"]({})
    assert zoho.get("org").json()["org"][0]["mc_status"] is True
    assert {"Currency", "Exchange_Rate"} <= known()
    assert (zoho.record("Deals", deal)["Currency"], zoho.record("Deals", deal)["Exchange_Rate"]) == ("USD", 1)
    foreign = zoho.insert_id("Deals", Deal_Name="F", Stage="Qualification", Currency="EUR")
    assert zoho.record("Deals", foreign)["Currency"] == "EUR"
    home = zoho.insert_id("Deals", Deal_Name="H", Stage="Qualification")
    assert zoho.record("Deals", home)["Currency"] == "USD"
    strange = zoho.update("Deals", {"id": home, "Currency": "XXX"}).json()["data"][0]
    assert (strange["code"], strange["details"]["supported_values"]) == ("INVALID_DATA", ["USD", "CAD", "EUR"])


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("settings/modules", {"status": "visible"}, 200),
        ("settings/modules", {"status": "perhaps"}, 400),
        ("settings/fields", {"module": "Accounts", "type": "all"}, 200),
        ("settings/fields", {"module": "Accounts", "type": "unused"}, 204),
        ("settings/fields", {"module": "Accounts", "type": "perhaps"}, 400),
    ],
)
def test_what_is_listed_of_the_metadata_is_not_passed_over(
    zoho: Service, path: str, params: dict[str, str], status: int
) -> None:
    assert zoho.get(path, **params).status_code == status


def test_a_subform_names_the_module_that_it_belongs_to(zoho: Service) -> None:
    modules = zoho.get("settings/modules").json()["modules"]
    ids = {one["api_name"]: one["id"] for one in modules}
    parents = {one["api_name"]: one["parent_module"] for one in modules if one["generated_type"] == "subform"}
    assert parents["Invoiced_Items"] == {"api_name": "Invoices", "id": ids["Invoices"]}


def test_lookups_and_subforms_name_their_modules(zoho: Service) -> None:
    fields = _fields(zoho, "Deals")
    assert fields["Account_Name"]["lookup"]["module"]["api_name"] == "Accounts"
    assert fields["Deal_Items"]["associated_module"]["module"] == "Deal_Items"
    assert fields["Deal_Items"]["custom_field"] is True
    assert _fields(zoho, "Deal_Items")["Product"]["lookup"]["module"]["api_name"] == "Products"
    assert zoho.get("settings/fields", module="Nope").json()["details"] == {}
    assert zoho.get("settings/fields").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert zoho.get("settings/layouts", module="Deals").json()["layouts"][0]["name"] == "Standard"


def test_custom_fields_are_created_and_derive_their_name(zoho: Service) -> None:
    answer = _create(
        zoho,
        {"field_label": "Sage 300 ID", "data_type": "text", "length": 60, "unique": {"case_sensitive": False}},
        {"field_label": "Open Balance", "data_type": "currency"},
        {"field_label": "Sage 300 id", "data_type": "text"},
        {"field_label": "A label of more than twenty-five", "data_type": "text"},
        {"field_label": "Odd", "data_type": "hologram"},
    )
    assert answer.status_code == 207
    codes = [row["code"] for row in answer.json()["fields"]]
    assert codes == ["SUCCESS", "SUCCESS", "DUPLICATE_DATA", "INVALID_DATA", "INVALID_DATA"]
    made = _fields(zoho, "Accounts")["Sage_300_ID"]
    assert (made["custom_field"], made["unique"], made["length"]) == (True, {"casesensitive": "false"}, 60)


def test_a_custom_field_for_an_e_mail_takes_one_address_and_nothing_else(zoho: Service) -> None:
    assert _create(zoho, {"field_label": "Sage Email", "data_type": "email"}).json()["fields"][0]["code"] == "SUCCESS"
    made = _fields(zoho, "Accounts")["Sage_Email"]
    assert (made["data_type"], made["length"], made["custom_field"]) == ("email", 100, True)
    account = zoho.insert_id("Accounts", Account_Name="A", Sage_Email="office@a.example")
    assert zoho.record("Accounts", account)["Sage_Email"] == "office@a.example"
    for wrong in ("office", "one@a.example; two@a.example"):
        [row] = zoho.insert("Accounts", {"Account_Name": "B", "Sage_Email": wrong}).json()["data"]
        assert (row["code"], row["details"]["api_name"]) == ("INVALID_DATA", "Sage_Email")


def test_at_most_five_fields_a_call_and_the_editions_number_in_all(zoho: Service) -> None:
    six = [{"field_label": f"Field {at}", "data_type": "text"} for at in range(6)]
    assert _create(zoho, *six).json()["code"] == "LIMIT_EXCEEDED"
    zoho.world.switches.custom_fields_max = 1
    assert [row["code"] for row in _create(zoho, *six[:2]).json()["fields"]] == ["SUCCESS", "LICENSE_LIMIT_EXCEEDED"]
    missing = _create(zoho, {"data_type": "text"}).json()["fields"][0]
    assert missing["code"] == "MANDATORY_NOT_FOUND"


def test_custom_fields_can_be_changed_and_dropped(zoho: Service) -> None:
    zoho.unique_field("Accounts")
    account = zoho.insert_id("Accounts", Account_Name="A", Sage_Number="1")
    field_id = _fields(zoho, "Accounts")["Sage_Number"]["id"]
    url, params = f"settings/fields/{field_id}", {"module": "Accounts"}
    changed = zoho.call("PATCH", url, params=params, json={"fields": [{"field_label": "Ledger"}]})
    assert changed.json()["fields"][0]["code"] == "SUCCESS"
    assert zoho.get(url, **params).json()["fields"][0]["field_label"] == "Ledger"
    assert zoho.call("DELETE", url, params=params).status_code == 200
    assert "Sage_Number" not in zoho.record("Accounts", account)
    owner = _fields(zoho, "Accounts")["Owner"]["id"]
    assert zoho.call("DELETE", f"settings/fields/{owner}", params=params).status_code == 400


@pytest.mark.parametrize("module", ["Quotes", "Sales_Orders", "Purchase_Orders", "Invoices", "Price_Books", "Products"])
def test_below_professional_there_is_no_inventory(zoho: Service, module: str) -> None:
    assert zoho.get(module, fields="id").status_code in (200, 204)
    zoho.world.actions["set_edition"]({"edition": "standard"})
    assert zoho.get("org").json()["org"][0]["license_details"]["paid_type"] == "standard"
    answer = zoho.get(module, fields="id")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_MODULE")
    assert module not in [one["api_name"] for one in zoho.get("settings/modules").json()["modules"]]
    zoho.world.switches.unsupported_inventory = "listed"
    listed = {one["api_name"]: one["api_supported"] for one in zoho.get("settings/modules").json()["modules"]}
    assert listed[module] is False


def test_the_free_edition_says_so(zoho: Service) -> None:
    zoho.world.actions["set_edition"]({"edition": "free"})
    licence = zoho.get("org").json()["org"][0]["license_details"]
    assert (licence["paid"], licence["paid_type"]) == (False, "free")


def test_the_current_user_is_the_integration(zoho: Service) -> None:
    user = zoho.get("users", type="CurrentUser").json()["users"][0]
    deal = zoho.insert_id("Deals", Deal_Name="Mine", Stage="Qualification")
    assert zoho.record("Deals", deal)["Modified_By"]["id"] == user["id"]
    zoho.world.actions["move_deal"]({"deal_id": deal, "stage": "Needs Analysis"})
    assert zoho.record("Deals", deal)["Modified_By"]["id"] != user["id"]
    assert len(zoho.get("users", type="AllUsers").json()["users"]) == 4


# Credits and concurrency


def test_credits_are_counted_and_told_from_half_on(zoho: Service) -> None:
    zoho.world.actions["set_credits"]({"allowance": 40})
    used = zoho.world.limits.used
    assert "X-API-CREDITS-REMAINING" not in zoho.get("org").headers
    zoho.insert("Accounts", *[{"Account_Name": f"A{at}"} for at in range(21)])
    assert zoho.world.limits.used == used + 1 + 3
    many = zoho.insert("Accounts", *[{"Account_Name": f"B{at}"} for at in range(100)])
    for _ in range(6):
        many = zoho.get("org")
    assert many.headers["X-API-CREDITS-REMAINING"] == str(40 - zoho.world.limits.used)
    refused = None
    for _ in range(40):
        refused = zoho.get("org")
    assert refused is not None
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    zoho.world.clock.advance(timedelta(hours=24, minutes=2))
    zoho.sign_in()
    assert zoho.get("org").status_code == 200


def test_heavy_calls_are_ten_at_once_and_light_ones_the_editions_number(zoho: Service) -> None:
    headers = dict(zoho.session.headers)

    def asking(**params: str) -> Callable[[], int]:
        url = f"{zoho.base}/crm/v8/Deals"
        return lambda: requests.get(url, params=params, headers=headers, timeout=60).status_code

    assert volleys(zoho.world.faults, asking(fields="id", sort_by="Modified_Time"), 13, taken=10) == (10, 3)
    zoho.world.actions["set_edition"]({"edition": "professional"})
    assert volleys(zoho.world.faults, asking(fields="id"), 17, taken=15) == (15, 2)


# The seed


def _bytes(seed: int) -> bytes:
    clock = SandboxClock(datetime(2026, 11, 1, tzinfo=UTC), frozen=True)
    world = ZohoWorld(seed=seed, deals=40, clock=clock, base_url="http://sandbox")
    held = {name: list(world.state(name)) for name in sorted(world.org.tables)}
    return json.dumps([held, world.client_id, world.client_secret, world.refresh_token], default=str).encode()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert _bytes(11) == _bytes(11)
    assert _bytes(11) != _bytes(12)


def test_the_seed_holds_what_real_organisations_hold() -> None:
    world = ZohoWorld(seed=1, deals=80, clock=SandboxClock(), base_url="http://sandbox")
    deals = list(world.state("Deals"))
    won = [one for one in deals if one["Stage"] == "Closed Won"]
    assert len(deals) == 80
    assert 15 < len(won) < 45
    assert any(one["Amount"] is None for one in deals)
    assert any(one["Deal_Items"] for one in deals)
    assert any(one["Account_Name"] is None for one in deals)
    accepted = [one for one in world.state("Quotes") if one["Quote_Stage"] in ("Closed Won", "Confirmed")]
    codes = {line["Product_Name"]["Product_Code"] for one in accepted for line in one["Quoted_Items"]}
    assert {"A1-110/2", "A1-140/0"} <= codes
    assert any(not one["Shipping_Street"] for one in world.state("Accounts"))
    with pytest.raises(KeyError):
        world.state("Nothing")


def test_an_administrator_adds_changes_and_drops_fields_as_the_setup_screens_allow(zoho: Service) -> None:
    act = zoho.world.actions
    added = act["add_field"](
        {"module": "Accounts", "field_label": "Region", "data_type": "text", "length": 20, "unique": {}}
    )
    region = _fields(zoho, "Accounts")[added["field"]]
    assert (region["field_label"], region["data_type"], region["length"]) == ("Region", "text", 20)
    assert region["unique"] == {"casesensitive": "false"}
    act["change_field"]({"module": "Accounts", "field": "Region", "length": 10, "mandatory": True})
    region = _fields(zoho, "Accounts")["Region"]
    assert (region["length"], region["system_mandatory"]) == (10, True)
    act["change_field"]({"module": "Accounts", "field": "Rating", "values": ["Active", "Hot"]})
    assert [one["actual_value"] for one in _fields(zoho, "Accounts")["Rating"]["pick_list_values"]] == ["Active", "Hot"]
    act["drop_field"]({"module": "Accounts", "field": "Region"})
    assert "Region" not in _fields(zoho, "Accounts")


@pytest.mark.parametrize(
    ("action", "given", "message"),
    [
        ("add_field", {"field_label": "Phone", "data_type": "text"}, "DUPLICATE_DATA"),
        ("add_field", {"field_label": "Region", "data_type": "song"}, "INVALID_DATA"),
        ("drop_field", {"field": "Phone"}, "the id given seems to be invalid"),
        ("drop_field", {"field": "Nothing"}, "Accounts has no field Nothing"),
        ("change_field", {"field": "Account_Name", "length": 3}, "a record holds"),
        ("change_field", {"field": "Employees", "length": 3}, "has no length to change"),
        ("change_field", {"field": "Phone", "values": ["1"]}, "Phone is no picklist"),
    ],
)
def test_what_no_setup_screen_allows_is_refused(
    zoho: Service, action: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        zoho.world.actions[action]({"module": "Accounts", **given})


def test_modules_are_told_again_once_they_changed() -> None:
    with serving(deals=0, frozen=True) as zoho:
        clock = zoho.world.clock

        def asked(since: datetime) -> int:
            header = {"If-Modified-Since": since.isoformat(timespec="seconds")}
            return zoho.call("GET", "settings/modules", headers=header).status_code

        opened = clock.now()
        assert asked(opened - timedelta(days=1)) == 200
        clock.advance(timedelta(minutes=10))
        assert asked(clock.now()) == 304
        zoho.world.actions["set_edition"]({"edition": "standard"})
        assert asked(opened + timedelta(minutes=5)) == 200
