from __future__ import annotations

import pytest
import requests

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.sage300.metadata import read_metadata
from sagezoho_pipelines.sage300.probe import missing_properties, probe_applications
from sagezoho_pipelines_tests.unit.sage300_script import (
    Reply,
    ScriptedAdapter,
    client_of,
    fault_reply,
    html_reply,
    rows_reply,
)

EDMX = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Sage.OE.Models" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EntityType Name="Order"><Key><PropertyRef Name="OrderUniquifier"/></Key>
    <Property Name="OrderUniquifier" Type="Edm.Decimal"/>
    <Property Name="OrderDetails" Type="Collection(Sage.OE.Models.OrderDetail)"/></EntityType>
  <ComplexType Name="OrderDetail"><Property Name="Item" Type="Edm.String"/></ComplexType>
</Schema>
<Schema Namespace="Default" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EntityContainer Name="Container"><EntitySet Name="OEOrders" EntityType="Sage.OE.Models.Order"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""


def test_metadata_tells_sets_keys_and_properties_into_the_details() -> None:
    metadata = read_metadata(EDMX)
    assert metadata.key_of("OE/OEOrders") == ("OrderUniquifier",)
    names = ["OrderUniquifier", "OrderDetails.Item", "OrderDetails.Items", "Foo"]
    assert metadata.missing("OE/OEOrders", names) == ["Foo", "OrderDetails.Items"]
    assert metadata.missing("OE/OEShipments", ["A"]) == ["A"]


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"{}",
        b"<html>",
        b"<html/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><x/>'.encode("utf-16"),
    ],
)
def test_what_is_not_metadata_is_refused(xml: bytes) -> None:
    with pytest.raises(ValueError):
        read_metadata(xml)


def test_the_client_reads_metadata_and_says_when_it_is_none() -> None:
    adapter = ScriptedAdapter(Reply(200, EDMX, {"Content-Type": "application/xml"}))
    assert client_of(adapter).metadata("OE").sets == {"OEOrders": "Sage.OE.Models.Order"}
    assert adapter.path().endswith("/SAMINC/OE/$metadata")
    with pytest.raises(VendorError) as error:
        client_of(ScriptedAdapter(html_reply(200, "hello"))).metadata("OE")
    assert error.value.verdict is Verdict.FATAL


def test_a_property_that_this_release_lacks_is_named() -> None:
    metadata = read_metadata(EDMX)
    assert missing_properties(metadata, "OE/OEOrders", ["OrderUniquifier"]).ok
    finding = missing_properties(metadata, "OE/OEOrders", ["OrderUniquifier", "Foo"])
    assert not finding.ok
    assert "Foo" in finding.detail
    assert finding.remedy


def test_each_application_is_asked_and_a_missing_right_is_named() -> None:
    def answer(request: requests.PreparedRequest) -> Reply:
        return fault_reply(403, "Forbidden", "no rights") if "/OE/" in str(request.url) else rows_reply()

    findings = probe_applications(client_of(ScriptedAdapter(answer=answer)))
    assert [finding.name[:2] for finding in findings] == ["AP", "AR", "OE", "IC", "CS", "TX"]
    [refused] = [finding for finding in findings if not finding.ok]
    assert "Order Entry" in refused.remedy
    assert "Sage 300 Web API" in refused.remedy


def test_a_wrong_password_is_said_once() -> None:
    [finding] = probe_applications(client_of(ScriptedAdapter(fault_reply(401, "Unauthorized", "bad"))))
    assert "credentials set" in finding.remedy


def test_a_wrong_company_is_said_once() -> None:
    refused = ScriptedAdapter(answer=lambda _request: fault_reply(403, "Forbidden", "no access to company 'SAMINC'"))
    [finding] = probe_applications(client_of(refused))
    assert (finding.name, finding.ok) == ("company SAMINC", False)
    assert "sagezoho.yaml" in finding.remedy
