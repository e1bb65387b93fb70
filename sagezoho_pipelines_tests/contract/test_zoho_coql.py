"""COQL of the simulated CRM: its grammar, its limits, and keyset reading."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from .zoho_service import Service, serving


@pytest.fixture(scope="module")
def zoho() -> Iterator[Service]:
    with serving(deals=60, seed=5) as service:
        service.insert_id("Accounts", Account_Name="O'Brien's \\ 100%", Employees=7)
        yield service


def _refused(zoho: Service, query: str) -> tuple[str, dict[str, Any]]:
    answer = zoho.coql(query)
    assert answer.status_code == 400, answer.text
    return answer.json()["code"], answer.json()["details"]


def _names(zoho: Service, where: str) -> list[str]:
    answer = zoho.coql(f"select Account_Name from Accounts where {where}")
    return [row["Account_Name"] for row in answer.json()["data"]] if answer.status_code == 200 else []


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("select id from Deals", "SYNTAX_ERROR", {"clause": "where"}),
        ("select id where id is not null", "SYNTAX_ERROR", {"clause": "from"}),
        ("update Deals set Stage = 'x' where id = 1", "SYNTAX_ERROR", {"clause": "select"}),
        ("select id from Deals where Amount > 1 and Amount < 9 and id > 0", "SYNTAX_ERROR", {"near": "and"}),
        ("select id from Deals where Stage ~ 'x'", "SYNTAX_ERROR", {"near": "~ 'x'"}),
        ("select id from Deals where Stage Open", "SYNTAX_ERROR", {"operator": "Open"}),
        ('select id from Deals where Stage = "Open"', "SYNTAX_ERROR", {}),
        ("select id from Deals where id is not null limit 5 extra", "SYNTAX_ERROR", {"near": "extra"}),
        ("select Testing from Deals where id is not null", "INVALID_QUERY", {"column_name": "Testing"}),
        ("select Account_Name.Nope from Deals where id is not null", "INVALID_QUERY", {}),
        ("select Deal_Items from Deals where id is not null", "INVALID_QUERY", {"column_name": "Deal_Items"}),
        ("select id from Deals where Amount = 'x'", "INVALID_QUERY", {"expected_data_type": "currency"}),
        ("select id from Deals where Closing_Date = '01.02.2026'", "INVALID_QUERY", {"expected_data_type": "date"}),
        ("select id from Deals where Modified_Time > '2026-01-01T00:00:00'", "INVALID_QUERY", {}),
        ("select id from Deals where Deal_Name >= 'x'", "INVALID_QUERY", {"operator": ">="}),
        ("select id from Deals where Account_Name like 'x%'", "INVALID_QUERY", {"operator": "like"}),
        ("select id from Nowhere where id is not null", "INVALID_MODULE", {}),
        ("select id from Deals where id is not null limit 201", "LIMIT_EXCEEDED", {"limit": 200}),
        ("select id from Deals where id is not null limit 200 offset 9900", "LIMIT_EXCEEDED", {"limit": 10000}),
        (f"select id from Deals where id in ({','.join(map(str, range(51)))})", "LIMIT_EXCEEDED", {"limit": 50}),
        (
            "select Account_Name.Phone, Contact_Name.Email, Owner.email from Deals where id is not null",
            "LIMIT_EXCEEDED",
            {"clause": "join"},
        ),
        ("select Stage, Stage from Deals where id is not null", "DUPLICATE_DATA", {}),
        ("select Stage as a, Amount as a from Deals where id is not null", "DUPLICATE_ALIAS", {}),
        ("select Stage as '' from Deals where id is not null", "INVALID_ALIAS", {}),
        ("select Stage, count(id) from Deals where id is not null", "INVALID_QUERY", {"column_name": "Stage"}),
    ],
)
def test_refusals_name_what_is_wrong(zoho: Service, query: str, code: str, detail: dict[str, Any]) -> None:
    refused, details = _refused(zoho, query)
    assert refused == code
    assert detail.items() <= details.items()


def test_no_more_than_fifty_columns_and_twenty_five_criteria(zoho: Service) -> None:
    columns = ", ".join(f"Amount as a{at}" for at in range(51))
    assert _refused(zoho, f"select {columns} from Deals where id is not null")[1]["clause"] == "select"
    where = "Amount > 0"
    for _ in range(25):
        where = f"({where} and Amount > 0)"
    assert _refused(zoho, f"select id from Deals where {where}")[1] == {"limit": 25, "clause": "where"}


def test_the_query_itself_is_mandatory(zoho: Service) -> None:
    assert zoho.call("POST", "coql", json={}).json()["code"] == "MANDATORY_NOT_FOUND"
    assert zoho.call("GET", "coql").json()["code"] == "INVALID_REQUEST_METHOD"
    odd = {"select_query": "select id from Deals where id is not null", "include_meta": ["x"]}
    assert zoho.call("POST", "coql", json=odd).json()["code"] == "INVALID_QUERY"


def test_nothing_found_is_204(zoho: Service) -> None:
    answer = zoho.coql("select id from Deals where Deal_Name = 'no such deal'")
    assert (answer.status_code, answer.content) == (204, b"")


def test_quotes_are_escaped_by_doubling_or_a_backslash(zoho: Service) -> None:
    assert _names(zoho, r"Account_Name = 'O''Brien''s \\ 100%'") == ["O'Brien's \\ 100%"]
    assert _names(zoho, r"Account_Name = 'o\'brien\'s \\ 100%'") == ["O'Brien's \\ 100%"]
    assert _names(zoho, "Account_Name like 'O''B%'") == ["O'Brien's \\ 100%"]


@pytest.mark.parametrize(
    "where",
    [
        "Employees = 7",
        "Employees between 6 and 8",
        "(Employees >= 7 and Employees <= 7)",
        "(Employees in (7, 8) and Account_Name is not null)",
        "((Employees > 6 and Employees < 8) and (Fax is null or Fax != 'x'))",
        "(Employees is not null and Employees not in (1, 2))",
    ],
)
def test_operators(zoho: Service, where: str) -> None:
    assert _names(zoho, where) == ["O'Brien's \\ 100%"]


def test_lookups_show_their_id_and_dotted_columns_their_value(zoho: Service) -> None:
    answer = zoho.coql(
        "select Account_Name, Account_Name.Account_Name, Owner from Deals where Account_Name is not null limit 1"
    ).json()
    row = answer["data"][0]
    assert list(row["Account_Name"]) == ["id"]
    assert list(row["Owner"]) == ["id"]
    assert row["Account_Name.Account_Name"] == zoho.record("Accounts", row["Account_Name"]["id"])["Account_Name"]
    account = row["Account_Name"]["id"]
    found = zoho.coql(f"select id from Deals where (Account_Name = '{account}' and Account_Name.Phone is not null)")
    assert row["id"] in [one["id"] for one in found.json()["data"]]


def test_keyset_reading_meets_every_row_once(zoho: Service) -> None:
    every = {row["id"] for row in zoho.world.state("Deals")}
    seen: list[str] = []
    where = "Modified_Time >= '2000-01-01T00:00:00+00:00'"
    while True:
        answer = zoho.coql(
            f"select Modified_Time from Deals where {where} order by Modified_Time asc, id asc limit 7"
        ).json()
        seen += [row["id"] for row in answer["data"]]
        if not answer["info"]["more_records"]:
            break
        last = answer["data"][-1]
        at = last["Modified_Time"]
        where = f"(Modified_Time > '{at}' or (Modified_Time = '{at}' and id > '{last['id']}'))"
    assert len(seen) == len(every)
    assert set(seen) == every


def test_offset_in_both_spellings(zoho: Service) -> None:
    query = "select id from Deals where id is not null order by id desc limit"
    assert zoho.coql(f"{query} 3, 2").json()["data"] == zoho.coql(f"{query} 2 offset 3").json()["data"]


def test_groups_and_lines(zoho: Service) -> None:
    groups = zoho.coql("select Stage, count(id) as n from Deals where id is not null group by Stage").json()["data"]
    assert sum(one["n"] for one in groups) == len(list(zoho.world.state("Deals"))) >= 60
    lines = zoho.coql("select Quantity, Product_Name.Product_Code from Quoted_Items where Quantity > 0 limit 3")
    assert lines.json()["data"][0]["Product_Name.Product_Code"]


def test_a_write_is_seen_at_once(zoho: Service) -> None:
    zoho.world.clock.advance(timedelta(seconds=1))
    deal = zoho.insert_id("Deals", Deal_Name="Seen at once", Stage="Qualification")
    assert zoho.coql("select id from Deals where Deal_Name = 'seen AT once'").json()["data"] == [{"id": deal}]


def test_each_lookup_on_the_way_is_a_join_and_two_are_the_most(zoho: Service) -> None:
    two = "select Account_Name.Account_Name, Account_Name.Parent_Account.Account_Name from Deals where id is not null"
    assert zoho.coql(two).status_code == 200
    for three in (
        f"{two.replace(' from', ', Contact_Name.Email from')}",
        "select Account_Name.Parent_Account.Parent_Account.Account_Name from Deals where id is not null",
        f"{two[: two.index(' where')]} where Contact_Name.Email is null",
    ):
        assert _refused(zoho, three) == ("LIMIT_EXCEEDED", {"limit": 2, "clause": "join"})


def test_a_boolean_is_quoted(zoho: Service) -> None:
    assert zoho.coql("select id from Deals where Locked__s = 'false' limit 1").status_code == 200
    assert _refused(zoho, "select id from Deals where Locked__s = false")[0] == "SYNTAX_ERROR"
    assert _refused(zoho, "select id from Deals where Locked__s = 0")[0] == "INVALID_QUERY"


@pytest.mark.parametrize(
    "query",
    [
        "select sum(Deal_Name) from Deals where id is not null",
        "select avg(Closing_Date) from Deals where id is not null",
        "select min(Stage) from Deals where id is not null",
        "select max(Account_Name) from Deals where id is not null",
    ],
)
def test_only_what_can_be_reckoned_is_aggregated(zoho: Service, query: str) -> None:
    refused, details = _refused(zoho, query)
    assert (refused, details["reason"]) == ("INVALID_QUERY", "column has unsupported data type")


def test_sums_and_bounds(zoho: Service) -> None:
    amounts = [row["Amount"] for row in zoho.world.state("Deals") if row["Amount"] is not None]
    columns = "sum(Amount) as s, min(Amount) as low, max(Amount) as high"
    [row] = zoho.coql(f"select {columns} from Deals where id is not null").json()["data"]
    assert row["s"] == pytest.approx(float(sum(amounts)))
    assert (row["low"], row["high"]) == (pytest.approx(float(min(amounts))), pytest.approx(float(max(amounts))))
    days = [row["Closing_Date"] for row in zoho.world.state("Deals") if row["Closing_Date"]]
    [row] = zoho.coql("select min(Closing_Date) as first from Deals where id is not null").json()["data"]
    assert row["first"] == min(days)
