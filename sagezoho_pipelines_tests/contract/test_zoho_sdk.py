"""Zoho's own Python SDK, unmodified, against the simulated CRM over real HTTP.

The SDK keeps its state in class attributes, so one world serves the whole module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.fields import BodyWrapper as FieldsBody
from zohocrmsdk.src.com.zoho.crm.api.fields import Fields, FieldsOperations
from zohocrmsdk.src.com.zoho.crm.api.fields.fields_operations import CreateFieldParam, GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.fields.unique import Unique
from zohocrmsdk.src.com.zoho.crm.api.header import Header
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.notifications import BodyWrapper as WatchBody
from zohocrmsdk.src.com.zoho.crm.api.notifications import Notification, NotificationsOperations
from zohocrmsdk.src.com.zoho.crm.api.notifications.notifications_operations import (
    DeleteNotificationParam,
    GetNotificationsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, LineItemProduct, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record import Field as SdkField
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import (
    DeleteRecordsParam,
    GetRecordParam,
    GetRecordsHeader,
    GetRecordsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

from sagezoho_pipelines_tests.tls import PUBLIC_URL, door, lead_to

from .zoho_service import Service, serving

MANY = 2_350


@pytest.fixture(scope="module")
def zoho(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(deals=6, seed=3, accounts=MANY) as service:
        _initialize(service, tmp_path_factory.mktemp("sdk"))
        yield service


def _initialize(service: Service, home: Path) -> None:
    base = service.base
    environment = DataCenter.Environment(base, base + "/oauth/v2/token", base)
    Initializer.initialize(
        environment,
        OAuthToken(
            client_id=service.world.client_id,
            client_secret=service.world.client_secret,
            refresh_token=service.world.refresh_token,
        ),
        store=FileStore(str(home / "tokens.csv")),
        sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
        resource_path=str(home),
        logger=Logger.get_instance(Logger.Levels.ERROR, str(home / "sdk.log")),
    )
    logging.getLogger("SDKLogger").setLevel(logging.CRITICAL)


def _params(**values: Any) -> ParameterMap:
    params = ParameterMap()
    for name, value in values.items():
        params.add(getattr(GetRecordsParam, name), value)
    return params


def _rows(answer: Any) -> list[Any]:
    """The rows of a batch answer, whatever its status."""
    rows: list[Any] = answer.get_object().get_data()
    return rows


def test_reads_past_the_two_thousand_row_wall_with_page_tokens(zoho: Service) -> None:
    seen: list[int] = []
    token: str | None = None
    while True:
        params = _params(fields="Account_Name,Modified_Time,Owner", per_page=200)
        if token:
            params.add(GetRecordsParam.page_token, token)
        answer = RecordOperations("Accounts").get_records(params, HeaderMap())
        assert answer.get_status_code() == 200
        body = answer.get_object()
        seen.extend(record.get_id() for record in body.get_data())
        if not body.get_info().get_more_records():
            break
        token = body.get_info().get_next_page_token()
    assert len(seen) == len(set(seen)) == len(list(zoho.world.state("Accounts"))) >= MANY
    assert seen == sorted(seen, reverse=True)


@pytest.mark.usefixtures("zoho")
def test_an_empty_answer_is_understood() -> None:
    headers = HeaderMap()
    headers.add(GetRecordsHeader.if_modified_since, datetime.now(UTC) + timedelta(days=1))
    answer = RecordOperations("Leads").get_records(_params(fields="Last_Name"), headers)
    assert answer.get_status_code() == 304
    assert RecordOperations("Leads").get_records(_params(fields="Last_Name"), HeaderMap()).get_status_code() == 204


def test_upserts_updates_and_deletes(zoho: Service) -> None:
    zoho.unique_field("Accounts", "Ledger Key")
    account = Record()
    account.add_field_value(SdkField.Accounts.account_name(), "Ångström & Söhne")
    account.add_field_value(SdkField.Accounts.account_number(), 987654321012345)
    account.add_key_value("Ledger_Key", "K-1")
    account.add_field_value(SdkField.Accounts.annual_revenue(), 1250.5)
    body = BodyWrapper()
    body.set_data([account])
    body.set_duplicate_check_fields(["Ledger_Key"])
    added = RecordOperations("Accounts").upsert_records(body, HeaderMap())
    row = _rows(added)[0]
    assert added.get_status_code() == 200
    assert (row.get_code().get_value(), row.get_action().get_value()) == ("SUCCESS", "insert")
    again = _rows(RecordOperations("Accounts").upsert_records(body, HeaderMap()))[0]
    assert again.get_action().get_value() == "update"
    assert again.get_duplicate_field() == "Ledger_Key"
    record_id = int(again.get_details()["id"])
    assert str(record_id) == row.get_details()["id"]

    change = Record()
    change.set_id(record_id)
    change.add_field_value(SdkField.Accounts.phone(), "+49 30 1234567")
    body = BodyWrapper()
    body.set_data([change])
    assert RecordOperations("Accounts").update_records(body, HeaderMap()).get_status_code() == 200

    got = RecordOperations("Accounts").get_record(record_id, ParameterMap(), HeaderMap()).get_object().get_data()[0]
    assert got.get_key_value("Phone") == "+49 30 1234567"
    assert got.get_key_value("Account_Number") == 987654321012345
    assert got.get_key_value("Annual_Revenue") == 1250.5
    assert abs(got.get_modified_time() - datetime.now(UTC)) < timedelta(minutes=1)

    params = ParameterMap()
    params.add(DeleteRecordsParam.ids, str(record_id))
    params.add(DeleteRecordsParam.wf_trigger, False)
    deleted = RecordOperations("Accounts").delete_records(params)
    assert _rows(deleted)[0].get_message().get_value() == "record deleted"
    gone = RecordOperations("Accounts").get_record(record_id, ParameterMap(), HeaderMap())
    assert gone.get_status_code() == 204


def test_a_stale_update_is_refused(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Locked by time")
    change = Record()
    change.set_id(int(account))
    change.add_field_value(SdkField.Accounts.fax(), "1")
    body = BodyWrapper()
    body.set_data([change])
    headers = HeaderMap()
    headers.add(Header("If-Unmodified-Since", "String"), "2020-01-01T00:00:00+00:00")
    answer = RecordOperations("Accounts").update_records(body, headers)
    assert answer.get_status_code() == 412
    assert _rows(answer)[0].get_code().get_value() == "ALREADY_MODIFIED"


def test_an_invoice_with_lines_makes_the_round_trip(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Invoiced Ltd")
    product = zoho.insert_id("Products", Product_Name="Widget", Product_Code="W-1")
    invoice = Record()
    invoice.add_field_value(SdkField.Invoices.subject(), "INV-1")
    invoice.add_field_value(SdkField.Invoices.status(), Choice("Approved"))
    payer = Record()
    payer.set_id(int(account))
    invoice.add_field_value(SdkField.Invoices.account_name(), payer)
    line = Record()
    item = LineItemProduct()
    item.set_id(int(product))
    line.add_key_value("Product_Name", item)
    line.add_key_value("Quantity", 2.0)
    line.add_key_value("List_Price", 55.25)
    invoice.add_key_value("Invoiced_Items", [line])
    body = BodyWrapper()
    body.set_data([invoice])
    added = RecordOperations("Invoices").create_records(body, HeaderMap())
    assert added.get_status_code() == 201
    invoice_id = int(_rows(added)[0].get_details()["id"])
    params = ParameterMap()
    params.add(GetRecordParam.fields, "Subject,Grand_Total,Invoiced_Items,Invoice_Number")
    got = RecordOperations("Invoices").get_record(invoice_id, params, HeaderMap()).get_object().get_data()[0]
    assert got.get_key_value("Grand_Total") == 110.5
    assert len(got.get_key_value("Invoiced_Items")) == 1


@pytest.mark.usefixtures("zoho")
def test_coql() -> None:
    query = Query()
    query.set_select_query(
        "select Deal_Name, Account_Name.Account_Name, Modified_Time from Deals "
        "where (Modified_Time > '2020-01-01T00:00:00+00:00' and id > '0') order by id asc limit 0, 5"
    )
    answer = CoqlOperations().get_records(query)
    assert answer.get_status_code() == 200
    assert len(answer.get_object().get_data()) == 5
    assert answer.get_object().get_info().get_more_records() is True
    query.set_select_query("select Deal_Name from Deals")
    refused = CoqlOperations().get_records(query)
    assert refused.get_status_code() == 400
    assert refused.get_object().get_code().get_value() == "SYNTAX_ERROR"


def test_notifications(zoho: Service) -> None:
    with door() as port:
        lead_to(zoho.world, port)
        _subscribed_changed_and_ended()


def _subscribed_changed_and_ended() -> None:
    operations = NotificationsOperations()
    channel = Notification()
    channel.set_channel_id("1000000068001")
    channel.set_events(["Deals.all", "Accounts.edit"])
    channel.set_token("secret")
    channel.set_notify_url(f"{PUBLIC_URL}/hook")
    channel.set_channel_expiry(datetime.now(UTC) + timedelta(days=2))
    body = WatchBody()
    body.set_watch([channel])
    enabled = operations.enable_notifications(body)
    assert enabled.get_status_code() == 201
    assert enabled.get_object().get_watch()[0].get_code().get_value() == "SUCCESS"
    assert operations.update_notifications(body).get_status_code() == 200
    params = ParameterMap()
    params.add(GetNotificationsParam.channel_id, 1000000068001)
    held = operations.get_notifications(params).get_object().get_watch()
    assert {one.get_resource_name() for one in held} == {"Deals", "Accounts"}
    assert {str(one.get_channel_id()) for one in held} == {"1000000068001"}
    params = ParameterMap()
    params.add(DeleteNotificationParam.channel_ids, "1000000068001")
    assert operations.delete_notification(params).get_status_code() == 200
    assert operations.get_notifications(ParameterMap()).get_status_code() == 204


@pytest.mark.usefixtures("zoho")
def test_organisation_and_fields() -> None:
    org = OrgOperations().get_organization().get_object().get_org()[0]
    assert org.get_license_details().get_paid_type() == "enterprise"
    params = ParameterMap()
    params.add(GetFieldsParam.module, "Deals")
    fields = FieldsOperations().get_fields(params).get_object().get_fields()
    stage = next(one for one in fields if one.get_api_name() == "Stage")
    assert stage.get_system_mandatory() is True
    assert [one.get_actual_value() for one in stage.get_pick_list_values()][3] == "Id. Decision Makers"


def test_creates_a_unique_custom_field(zoho: Service) -> None:
    wanted = Fields()
    wanted.set_field_label("Ledger Vendor")
    wanted.set_data_type("text")
    wanted.set_length(30)
    unique = Unique()
    unique.set_casesensitive("false")
    wanted.set_unique(unique)
    body = FieldsBody()
    body.set_fields([wanted])
    params = ParameterMap()
    params.add(CreateFieldParam.module, "Accounts")
    answer = FieldsOperations().create_field(body, params)
    assert answer.get_status_code() == 201
    assert answer.get_object().get_fields()[0].get_code().get_value() == "SUCCESS"
    assert zoho.world.org.modules["Accounts"].fields["Ledger_Vendor"].unique
