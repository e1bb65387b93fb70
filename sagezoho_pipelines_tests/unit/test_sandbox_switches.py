"""The table of the switches is the switches; what is undecided is at its harder reading, or says why it is not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from click.testing import CliRunner

from sagezoho_pipelines.cli import sandbox_switches
from sagezoho_pipelines.cli.main import cli
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.switches import Kind, Switch, listed, turn
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

VENDORS = {"sage300": SageSwitches, "zoho_crm": ZohoSwitches}
ALL = [(vendor, switch) for vendor, made in VENDORS.items() for switch in listed(made)]
each_switch = pytest.mark.parametrize(("vendor", "switch"), ALL, ids=lambda one: getattr(one, "name", one))

#: What is softer for a client stays out of the defaults, switch by switch: whoever changes one must change it here too.
HARDER: dict[str, Any] = {
    "top_overrides_page_size": False, "next_link_keeps_options": False, "order_by": False, "legacy_literals": False,
    "filter_words": "of the pages", "error_content_type": "text/plain",
    "filter_on_calculated": False, "any_tenant": False, "user_any_case": False, "password_any_case": False,
    "company_any_case": False, "parallel_requests_max": 8, "amount_decimals": "of the currency",
    "held_customers": "refused", "ship_to": "required",
    "padded": ("ShortName", "Terms", "TermsCode", "TermsCodeKey", "AccountSet", "OrderUnitOfMeasure"),
    "batch_number_sent": "ignored", "read_only_fields": "refused", "posting_touches_maintained": False,
    "posting_touches_edited": False, "orders_editable": False, "location_header": False, "process_status": 204,
    "coql_limit_max": 200, "coql_offset_total": 10_000, "coql_columns_max": 50, "coql_in_max": 50,
    "search_lag_seconds": 60, "count_stale_seconds": 60, "empty_trigger_mutes_notifications": False,
    "unchanged_update_moves_modified_time": True, "computed_fields": "rejected",
    "account_mandatory_on_documents": True, "numeric_strings": False, "currency_decimals": "of the field",
    "double_decimals": "of the field", "trims_text": True,
    "subform_rows_max": 100, "page_token_pins_rows": False, "oauth_error_status": 200, "scope_mismatch_status": 401,
    "retry_after_seconds": None, "malformed_id": "INVALID_URL_PATTERN",
    "search_credits": 3, "refresh_tokens_per_window": 10, "refresh_tokens_max": 10, "notify_url_probed": True,
    "notify_url_probe": "2xx",
    "notify_url_https_only": True, "notify_url_ports": "usual", "channel_token_max": 50,
    "unsupported_inventory": "absent", "products_need_professional": True, "callback_retries": 0,
    "callback_timeout_seconds": 5.0, "channel_ends_after_failures": 20, "callback_duplicate_rate": 0.1,
    "callback_reorder_rate": 0.1, "callback_merges_rows": True,
}  # fmt: skip


def test_every_switch_is_told_of_and_has_a_name_of_its_own() -> None:
    names = [switch.name for _, switch in ALL]
    fields = [one.name for made in VENDORS.values() for one in dataclasses.fields(made)]
    assert names == fields
    assert len(set(names)) == len(names)


@each_switch
def test_a_switch_says_what_it_decides_and_what_else_it_may_be(vendor: str, switch: Switch) -> None:
    assert switch.meaning.endswith(".")
    assert switch.others
    assert switch.default not in switch.others
    made = VENDORS[vendor]()
    assert getattr(made, switch.name) == switch.default
    for reading in (*switch.others, switch.default):
        turn(made, switch.name, reading)
        assert getattr(made, switch.name) == reading


def test_what_is_undecided_is_at_its_harder_reading_or_says_why_not() -> None:
    undecided = [switch for _, switch in ALL if switch.kind is Kind.UNDECIDED]
    assert {switch.name: switch.default for switch in undecided if not switch.because} == HARDER
    assert {switch.name for switch in undecided if switch.because} == {
        "contains", "unknown_options", "terms_key", "unrecorded_statuses",
        "if_modified_since_inclusive", "failed_rows_status",
        "oauth_throttle_status", "code_spellings", "dead_token_code", "failed_watch_status", "bearer_accepted",
    }  # fmt: skip


def test_the_command_shows_them_all() -> None:
    shown = CliRunner().invoke(cli, ["sandbox", "--list-switches"])
    assert shown.exit_code == 0
    told = json.loads(CliRunner().invoke(cli, ["sandbox", "--list-switches", "--json"]).stdout)["switches"]
    assert [(one["vendor"], one["name"], one["default"]) for one in told] == [
        (vendor, switch.name, list(switch.default) if isinstance(switch.default, tuple) else switch.default)
        for vendor, switch in ALL
    ]
    assert all(one["name"] in shown.output for one in told)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("notify_url_ports=any", "notify_url_ports", "any"),
        ("notify_url_probed=false", "notify_url_probed", False),
        ("callback_duplicate_rate=0.5", "callback_duplicate_rate", 0.5),
        ("retry_after_seconds=60", "retry_after_seconds", 60),
        ("custom_fields_max=null", "custom_fields_max", None),
        ('hidden=["APVendors.WebSite"]', "hidden", ("APVendors.WebSite",)),
    ],
)
def test_a_switch_is_turned_on_the_command_line(text: str, name: str, value: Any) -> None:
    sage, zoho = sandbox_switches.turned([text])
    assert getattr(sage if name in vars(sage) else zoho, name) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("notify_url_ports=8500", "notify_url_ports: Input should be"),
        ("notify_url_probed=perhaps", "notify_url_probed: Input should be"),
        ("callback_duplicate_rate=often", "callback_duplicate_rate: Input should be"),
        ("nope=1", "no switch called nope"),
        ("notify_url_probed", "write NAME=VALUE"),
    ],
)
def test_what_does_not_fit_a_switch_is_wrong_usage(text: str, message: str) -> None:
    done = CliRunner().invoke(cli, ["sandbox", "--switch", text])
    assert done.exit_code == 2
    assert message in done.output
    assert "--list-switches" in done.output


@pytest.mark.parametrize("text", ["localhost", "localhost=8500", "localhost=127.0.0.1:x", "=127.0.0.1:1"])
def test_a_way_that_leads_nowhere_is_wrong_usage(text: str) -> None:
    done = CliRunner().invoke(cli, ["sandbox", "--connect-to", text])
    assert done.exit_code == 2
    assert "NAME=HOST:PORT" in done.output
