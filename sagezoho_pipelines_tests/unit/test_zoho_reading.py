"""Reading in pages: nothing missed, nothing endless, under either reading of what Zoho leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines_tests.unit.zoho_script import NOW, Play, Sent, client, failure

Record = tuple[datetime, int]  # Modified_Time with the fraction Zoho may keep and not show, id


def shown(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def coql_server(records: list[Record], *, keeps_fractions: bool) -> Callable[[Sent], Play]:
    """The few forms of query that the client sends, over records in memory."""

    def stored(record: Record) -> datetime:
        return record[0] if keeps_fractions else record[0].replace(microsecond=0)

    def value(name: str, record: Record) -> Any:
        return stored(record) if name == "Modified_Time" else record[1]

    def literal(name: str, text: str) -> Any:
        return datetime.fromisoformat(text) if name == "Modified_Time" else int(text)

    compare: dict[str, Callable[[Any, Any], bool]] = {
        ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "=": lambda a, b: a == b,
    }  # fmt: skip

    def answer(sent: Sent) -> Play:
        found = re.fullmatch(r"select (.*) from (\w+) where (.*) order by (.*) limit (\d+)", sent.query)
        assert found
        columns, test, order, limit = found[1].split(", "), found[3], found[4], int(found[5])
        names: list[tuple[str, str, str]] = []

        def name(match: re.Match[str]) -> str:
            names.append((match[1], match[2], match[3]))
            return f"t({len(names) - 1})"

        inner = re.sub(r"(Modified_Time|id) (>=|>|<|=) '([^']*)'", name, test)
        inner = re.sub(r"id in \(([^)]*)\)", lambda match: f"i({match[1]})", inner)
        code = compile(inner, "where", "eval")

        def holds(record: Record) -> bool:
            def t(index: int) -> bool:
                field, operator, text = names[index]
                return compare[operator](value(field, record), literal(field, text))

            return bool(eval(code, {"t": t, "i": lambda *ids: str(record[1]) in ids}))

        key = (lambda r: (stored(r), r[1])) if order.startswith("Modified") else (lambda r: (r[1],))
        rows = sorted((record for record in records if holds(record)), key=key)[:limit]
        if not rows:
            return Play(status=204)
        more = sum(map(holds, records)) > limit
        data = [{"id": str(r[1]), **{c: shown(r[0]) for c in columns if c != "id"}} for r in rows]
        return Play({"data": data, "info": {"count": len(rows), "more_records": more}})

    return answer


def read_all(records: list[Record], *, keeps_fractions: bool) -> tuple[list[str], int]:
    zoho, script, _ = client(coql_server(records, keeps_fractions=keeps_fractions))
    pages = zoho.changed_since("Accounts", fields=["Account_Name"], since=NOW - timedelta(days=1))
    ids = []
    for page in pages:
        ids += [row["id"] for row in page.rows]
        assert len(script.sent) < 60, "the read does not come to an end"
    return ids, len(script.sent)


@pytest.mark.parametrize("keeps_fractions", [False, True])
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1000, 1050])
def test_rows_of_one_second_beyond_many_pages_are_all_read_once(count: int, keeps_fractions: bool) -> None:
    same = [(NOW + timedelta(microseconds=(n * 7919) % 1_000_000), 10**18 + n) for n in range(count)]
    later = [(NOW + timedelta(seconds=1 + n), 5 * 10**17 + n) for n in range(250)]
    ids, _ = read_all([*same, *later], keeps_fractions=keeps_fractions)
    assert len(ids) == len(set(ids)) == count + 250


def test_whole_seconds_cost_no_extra_call() -> None:
    records = [(NOW + timedelta(seconds=n // 100), 10**18 + n) for n in range(1000)]
    ids, calls = read_all(records, keeps_fractions=False)
    assert ids == [str(10**18 + n) for n in range(1000)]
    assert calls == 6  # five full pages, and one to see that there is no more


def test_the_query_is_nested_in_pairs_and_ordered_by_time_and_id() -> None:
    zoho, script, _ = client([Play(status=204)])
    pages = zoho.changed_since(
        "Deals", fields=["Stage"], since=NOW, until=NOW + timedelta(hours=1), where=[where("Stage", "in", ["Won", "X"])]
    )
    assert [list(page.rows) for page in pages] == [[]]
    assert script.sent[0].query == (
        "select id, Modified_Time, Stage from Deals where ((Modified_Time >= '2026-03-02T09:00:00+00:00' and "
        "Modified_Time < '2026-03-02T10:00:00+00:00') and Stage in ('Won', 'X')) "
        "order by Modified_Time asc, id asc limit 200"
    )


def test_the_next_page_starts_after_the_last_row_wherever_its_user_lives() -> None:
    rows = [{"id": str(n), "Modified_Time": "2026-03-02T18:00:00+09:00"} for n in range(1, 201)]
    zoho, script, _ = client([Play({"data": rows}), Play(status=204)])
    assert sum(len(page.rows) for page in zoho.changed_since("Deals", fields=[], since=NOW)) == 200
    at = "'2026-03-02T09:00:00+00:00'"
    assert f"(Modified_Time > {at} or (Modified_Time = {at} and id > '200'))" in script.sent[1].query


def test_a_page_tells_zohos_time_not_ours() -> None:
    zoho, _, _ = client([Play(status=204, headers={"Date": "Tue, 03 Mar 2026 00:00:00 GMT"})] * 2)
    page = next(iter(zoho.changed_since("Deals", fields=[], since=NOW)))
    assert page.server_time == datetime(2026, 3, 3, tzinfo=UTC)


def test_without_a_date_header_our_own_clock_has_to_do() -> None:
    zoho, _, _ = client([Play({"users": []}, headers={"Date": "soon"})])
    assert zoho.server_time() == NOW


def test_an_empty_in_asks_nothing() -> None:
    zoho, script, _ = client([])
    assert zoho.find("Deals", where=[where("Stage", "in", [])], fields=["id"]) == []
    assert list(zoho.changed_since("Deals", fields=[], since=NOW, where=[where("Stage", "in", [])])) == []
    assert script.sent == []


def test_find_reads_on_by_id_and_splits_a_long_in() -> None:
    records = [(NOW, n) for n in range(1, 1001)]
    zoho, script, _ = client(coql_server(records, keeps_fractions=False))
    found = zoho.find("Accounts", where=[where("id", "in", [str(n) for n in range(950, 1100)])], fields=["Name"])
    assert sorted(int(row["id"]) for row in found) == list(range(950, 1001))
    assert len(script.sent) == 3


def test_find_reads_no_more_than_its_limit() -> None:
    zoho, script, _ = client(coql_server([(NOW, n) for n in range(1, 500)], keeps_fractions=False))
    assert len(zoho.find("Accounts", where=[where("id", "gt", "0")], fields=[], limit=210)) == 210
    assert [int(sent.query.rpartition(" ")[2]) for sent in script.sent] == [200, 10]
    assert zoho.find("Accounts", where=[], fields=[], limit=0) == []


def test_more_than_fifty_columns_are_put_together_by_id() -> None:
    def rule(sent: Sent) -> Play:
        columns = sent.query.removeprefix("select ").partition(" from ")[0].split(", ")
        assert len(columns) <= 50
        gone = {"2"} if "Modified_Time" not in columns else set()
        rows = [
            {"id": n, **{c: shown(NOW) if c == "Modified_Time" else f"{c}-{n}" for c in columns if c != "id"}}
            for n in ("1", "2", "3") if n not in gone
        ]  # fmt: skip
        return Play({"data": rows, "info": {"more_records": False}})

    zoho, script, _ = client(rule)
    page = next(iter(zoho.changed_since("Accounts", fields=[f"F{n}" for n in range(120)], since=NOW)))
    assert [row["id"] for row in page.rows] == ["1", "3"]  # 2 was deleted in between
    assert all(row[f"F{n}"] == f"F{n}-{row['id']}" for row in page.rows for n in range(120))
    assert len(script.sent) == 3


def test_get_reads_the_whole_record_or_none() -> None:
    zoho, script, _ = client([Play({"data": [{"id": "9", "Quoted_Items": [{"id": "1"}]}]}), Play(status=204)])
    assert zoho.get("Quotes", "9") == {"id": "9", "Quoted_Items": [{"id": "1"}]}
    assert zoho.get("Quotes", "10") is None
    assert (script.sent[0].path, script.sent[0].params) == ("/crm/v8/Quotes/9", {})


@pytest.mark.parametrize("record_id", ["", "deleted", "../org", "1?x=1", "٣"])
def test_an_id_that_is_no_id_never_reaches_the_address(record_id: str) -> None:
    zoho, script, _ = client([])
    with pytest.raises(VendorError) as caught:
        zoho.get("Deals", record_id)
    assert caught.value.verdict is Verdict.REFUSE
    assert script.sent == []


def test_get_many_asks_for_a_hundred_ids_and_fifty_fields_at_a_time() -> None:
    def rule(sent: Sent) -> Play:
        ids, fields = sent.params["ids"].split(","), sent.params["fields"].split(",")
        assert len(ids) <= 100
        assert len(fields) <= 50
        return Play({"data": [{"id": i, **dict.fromkeys(fields, i)} for i in reversed(ids) if i != "7"]})

    zoho, script, _ = client(rule)
    rows = zoho.get_many("Accounts", [str(n) for n in range(150)], fields=[f"F{n}" for n in range(60)])
    assert [row["id"] for row in rows] == [str(n) for n in range(150) if n != 7]
    assert all(row["F59"] == row["id"] == row["F0"] for row in rows)
    assert len(script.sent) == 4
    assert zoho.get_many("Accounts", [], fields=["F0"]) == []


def test_deleted_records_are_read_page_by_page_from_the_second_before() -> None:
    first = [{"id": str(n), "deleted_time": shown(NOW)} for n in range(200)]
    second = [first[-1], {"id": "900", "deleted_time": shown(NOW)}]
    zoho, script, _ = client(
        [Play({"data": first, "info": {"more_records": True}}), Play({"data": second, "info": {"more_records": False}})]
    )
    assert [row["id"] for row in zoho.deleted_since("Accounts", NOW)] == [*map(str, range(200)), "900"]
    assert script.sent[1].params == {"type": "all", "page": "2", "per_page": "200"}
    assert script.sent[1].headers["If-Modified-Since"] == "2026-03-02T08:59:59+00:00"


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_deleted_is_an_empty_read(status: int) -> None:
    zoho, _, _ = client([Play(status=status)])
    assert list(zoho.deleted_since("Accounts", NOW)) == []


def test_a_column_zoho_does_not_have_stops_with_the_remedy() -> None:
    zoho, _, _ = client([failure("INVALID_QUERY", 400, column_name="Sage_ID", reason="column given seems invalid")])
    with pytest.raises(VendorError, match="sagezoho setup") as caught:
        zoho.find("Accounts", where=[], fields=["Sage_ID"])
    assert (caught.value.field, caught.value.verdict) == ("Sage_ID", Verdict.FATAL)
