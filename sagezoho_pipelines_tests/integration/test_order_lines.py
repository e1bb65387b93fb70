"""Order lines are all of what was sold, at its price, or none: what does not carry whole is refused with the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.check import Status, zoho_stages
from sagezoho_pipelines.sandbox.faults import FaultRule
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, new_account, orders, won_deal

ITEM = "A1-105/0"


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _quote(desk: Bench, deal: str, *lines: dict[str, Any]) -> str:
    sold = lines or ({"product_code": ITEM, "quantity": 3, "price": 20},)
    quote = desk.act("zoho_crm", "add_quote", deal_id=deal, lines=list(sold), stage="Closed Won")
    return str(quote["id"])


def _refusal(desk: Bench, then: str = "the order follows by itself") -> dict[str, Any]:
    [entry] = inbox(desk)
    assert orders(desk) == []
    error: dict[str, Any] = entry["error"]
    assert then in error["advice"]
    return error


@pytest.mark.parametrize("field", ["Discount", "Adjustment"])
def test_a_quote_that_is_cheaper_as_a_whole_is_no_dearer_order(desk: Bench, field: str) -> None:
    deal = won_deal(desk, new_account(desk))
    quote = _quote(desk, deal)
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote, values={field: Decimal("-2.5")})
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert (error["code"], error["field"]) == ("QUOTE_TOTAL", field)
    assert "-2.5 on its whole" in error["text"]
    assert quote in error["advice"]
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote, values={field: 0})
    desk.edit_inbox(deal)
    assert desk.sync("orders").left_over == 0
    assert len(orders(desk)) == 1


def test_two_accepted_quotes_are_for_a_person_to_choose_from(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    quotes = {_quote(desk, deal), _quote(desk, deal)}
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert error["code"] == "SEVERAL_QUOTES"
    assert all(quote in error["text"] for quote in quotes)


def test_a_line_without_product_code_names_line_and_product(desk: Bench) -> None:
    product = desk.act("zoho_crm", "add_record", module="Products", values={"Product_Name": "Uncoded lamp"})
    account = new_account(desk)
    deal = won_deal(desk, account)
    rows = [{"Product_Name": {"id": product["id"]}, "Quantity": 1, "List_Price": 1}]
    quote = {"Subject": "Q", "Quote_Stage": "Closed Won", "Deal_Name": {"id": deal}, "Account_Name": {"id": account}}
    desk.act("zoho_crm", "add_record", module="Quotes", values={**quote, "Quoted_Items": rows})
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk, then="retry this")
    assert (error["code"], error["field"]) == ("LINE_INVALID", "Product_Code")
    assert "line 1" in error["text"]
    assert "Uncoded lamp" in error["text"]


def test_rows_that_zoho_does_not_show_are_not_left_out_of_an_order(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    quote = _quote(desk, deal)
    [whole] = [row for row in desk.zoho().get_many("Quotes", [quote], fields=["Subject"]) if row["id"] == quote]
    rows = [{"id": "1", "Quantity": 1, "List_Price": 1, "Product_Name": {"id": "2", "Product_Code": ITEM}}]
    shown = {"data": [{**whole, "Quoted_Items": rows, "$has_more": {"Quoted_Items": True}}]}
    desk.sandbox.zoho_crm.world.faults.add_rule(
        FaultRule(
            action="status", method="GET", path=f"/Quotes/{quote}", status=200, body=json.dumps(shown),
            headers={"Content-Type": "application/json"},
        )
    )  # fmt: skip
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert error["code"] == "LINES_CUT"
    assert "only the first 1 rows of Quoted_Items" in error["text"]


def _subform(**columns: str) -> dict[str, Any]:
    return {"orders": {"lines": ["subform", "amount"], "subform": {"field": "Deal_Items", **columns}}}


def _sold_by_subform(desk: Bench, **values: Any) -> str:
    products = desk.state("zoho_crm", "Products")
    product = next(row for row in products if row["Product_Code"] == ITEM)
    row = {"Product": {"id": product["id"]}, "Quantity": 4, "Rate": 25, **values}
    return won_deal(desk, new_account(desk), values={"Deal_Items": [row]})


def test_a_subforms_own_columns_give_discount_and_description(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows=_subform(discount="Discount", description="Notes")) as desk:
        _sold_by_subform(desk, Discount=10, Notes="With stand")
        assert desk.sync("orders").left_over == 0, inbox(desk)
        [order] = orders(desk)
        [line] = order["OrderDetails"]
        assert (line["QuantityOrdered"], line["PricingUnitPrice"], line["DiscountPercent"]) == (4, 25, 10)
        assert str(line["Description"]).strip() == "With stand"


def test_a_subform_row_of_nothing_is_refused(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows=_subform()) as desk:
        _sold_by_subform(desk, Quantity=0)
        assert desk.sync("orders").count(Outcome.REFUSED) == 1
        assert "line 1: the quantity is 0" in _refusal(desk)["text"]


@pytest.mark.parametrize(
    ("columns", "given", "words"),
    [
        ({"price": "Notes"}, {"Notes": "25 EUR"}, "line 1: Price is '25 EUR', no number"),
        ({"quantity": "Notes"}, {"Notes": "NaN"}, "line 1: Quantity is 'NaN', no number"),
        ({"price": "", "discount": "Discount"}, {"Discount": 10}, "line 1: takes 10 off no price"),
    ],
)
def test_a_line_whose_figures_cannot_be_read_is_refused_alone(
    engine: Engine, columns: dict[str, str], given: dict[str, Any], words: str
) -> None:
    with bench(engine, vendors=2, deals=0, flows=_subform(**columns)) as desk:
        _sold_by_subform(desk, **given)
        other = won_deal(desk, new_account(desk, "Other Ltd"), "Other", amount="10")
        assert desk.sync("orders").count(Outcome.REFUSED) == 1
        [entry] = inbox(desk)
        assert words in entry["error"]["text"]
        assert "the order follows by itself" in entry["error"]["advice"]
        assert [str(order["OrderReference"]).strip() for order in orders(desk)] == [other]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"field": "Deal_Itmes"}, r"subform\.field names 'Deal_Itmes'.* known: Deal_Items"),
        ({"discount": "Rabatt"}, r"subform\.discount names 'Rabatt'.* known: .*Discount"),
        ({"price": "Price"}, r"subform\.price names 'Price'.* known: .*Rate"),
        ({"quantity": "Qty"}, r"subform\.quantity names 'Qty'"),
    ],
)
def test_a_subform_named_wrongly_stops_the_flow_before_an_order_loses_lines_or_prices(
    engine: Engine, wrong: dict[str, str], words: str
) -> None:
    with bench(engine, vendors=2, deals=0, flows=_subform(**wrong)) as desk:
        _sold_by_subform(desk)
        with pytest.raises(ConfigurationError, match=words):
            desk.sync("orders")
        assert orders(desk) == []
        told = [finding for finding in zoho_stages(desk.context()) if finding.name == "subform"]
        assert [finding.status for finding in told] == [Status.MISSING]


@pytest.mark.parametrize("discount", ["20.01", "-1"])
def test_a_discount_that_is_no_part_of_its_line_is_refused_with_the_line(desk: Bench, discount: str) -> None:
    deal = won_deal(desk, new_account(desk))
    fine = {"product_code": ITEM, "quantity": 1, "price": 5, "discount": 5}
    _quote(desk, deal, fine, {"product_code": ITEM, "quantity": 2, "price": 10, "discount": discount})
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert (error["code"], error["field"]) == ("LINE_INVALID", "Discount")
    assert f"line 2: takes {discount} off 20" in error["text"]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"quantity": Decimal("0.33333"), "price": 100}, "Quantity is 0.33333, and Sage keeps 4 decimals"),
        ({"quantity": 100000, "price": Decimal("0.0000125")}, "Price is 0.0000125, and Sage keeps 6 decimals"),
    ],
)
def test_figures_finer_than_sages_are_not_sold_as_others(desk: Bench, figures: dict[str, Any], told: str) -> None:
    desk.act("zoho_crm", "change_field", module="Quoted_Items", field="List_Price", decimals=9)
    _quote(desk, won_deal(desk, new_account(desk)), {"product_code": ITEM, **figures})
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert (error["code"], error["text"]) == ("LINE_INVALID", f"line 1: {told}")


def test_a_deal_of_less_than_nothing_is_no_order(desk: Bench) -> None:
    won_deal(desk, new_account(desk), amount="-50")
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    error = _refusal(desk)
    assert (error["code"], error["field"]) == ("AMOUNT_NEGATIVE", "Amount")


def _deal_that_sage_computes_otherwise(desk: Bench) -> str:
    units = [{"ItemNumber": "CRATE", "UnitOfMeasure": unit, "ConversionFactor": factor, "FACTOR": factor}
             for unit, factor in (("Ea.", 1), ("Box", 10))]  # fmt: skip
    desk.act(
        "sage300", "add_item", item="CRATE", priced_by="Box", fields={"ItemUnitsOfMeasure": units, "Sellable": True}
    )
    product = {"Product_Name": "Crate", "Product_Code": "CRATE"}
    desk.act("zoho_crm", "add_record", module="Products", values=product)
    deal = won_deal(desk, new_account(desk))
    _quote(desk, deal, {"product_code": "CRATE", "quantity": 12, "price": 10})
    return deal


def test_an_order_that_comes_to_something_else_in_sage_is_told_at_once(desk: Bench) -> None:
    deal = _deal_that_sage_computes_otherwise(desk)
    tally = desk.sync("orders")
    assert tally.count(Outcome.CONFLICTED) == 1
    [order] = orders(desk)
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_AMOUNT_DIFFERS"
    assert (
        entry["error"]["text"]
        == f"order {order['OrderNumber']} comes to 12 before tax in Sage 300, and to 120.00 in Zoho"
    )
    assert f"correct order {order['OrderNumber']} in Sage 300" in entry["error"]["advice"]
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Next_Step": "Ask for a reference"})
    for cause in (Cause.NOTIFICATION, Cause.RETRY):
        desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, cause, "touched")], at=desk.now())
        desk.sync("orders")
        assert inbox(desk) == [entry]
    desk.dismiss_inbox(deal)
    assert desk.sync("orders").outcomes == {}
    assert len(orders(desk)) == 1


@pytest.mark.parametrize("values", [None, {"Closing_Date": "2026-03-10"}], ids=["heard of", "edited and put back"])
def test_what_sage_computed_otherwise_stays_asked_until_a_person_ends_it(
    desk: Bench, values: dict[str, Any] | None
) -> None:
    deal = _deal_that_sage_computes_otherwise(desk)
    desk.sync("orders")
    [entry] = inbox(desk)
    [row] = [one for one in desk.state("zoho_crm", "Deals") if str(one["id"]) == deal]
    for edit in [values, values and {name: row[name] for name in values}]:
        if edit:
            desk.act("zoho_crm", "edit_deal", deal_id=deal, values=edit)
        desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.SWEEP)], at=desk.now())
        desk.sync("orders")
        assert [one["key"] for one in inbox(desk)] == [deal]
    if not values:
        assert inbox(desk) == [entry]
    desk.dismiss_inbox(deal)
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.SWEEP)], at=desk.now())
    desk.sync("orders")
    assert inbox(desk) == []


def test_an_order_that_sage_prices_itself_is_not_held_against_anything(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows=_subform(price="")) as desk:
        _sold_by_subform(desk)
        assert desk.sync("orders").left_over == 0
        assert len(orders(desk)) == 1
