"""Questions about pairs that differ: what no longer differs is no question, and the audit says how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import AuditEntry
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import Bench
from sagezoho_pipelines_tests.integration import customer_pairs as of_customers
from sagezoho_pipelines_tests.integration import vendor_pairs as of_vendors

KINDS = ("vendors", "customers")
OLD, HERS, HIS = "555 0001", "555 0300", "555 0600"


@dataclass(frozen=True)
class Pair:
    """A linked pair of either kind, whose phone is `OLD` on both sides, and the people who edit it."""

    desk: Bench
    key: str
    in_sage: Callable[..., None]
    in_zoho: Callable[..., None]
    phones: Callable[[], tuple[str, str]]

    def hers(self, phone: str) -> None:
        self.in_sage(PhoneNumber=phone)

    def his(self, phone: str) -> None:
        self.in_zoho(Phone=phone)

    def sync(self) -> None:
        self.desk.sync("vendors", "customers", "identity")

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(entry["key"], entry["error"]["code"]) for entry in self.desk.open_inbox()]

    def audited(self, operation: str) -> list[AuditEntry]:
        lines = [line.entry for line in reports.audit_entries(self.desk.engine, record_id=self.key)]
        return [entry for entry in lines if entry.operation == operation]


@contextmanager
def pair(engine: Engine, kind: str, **settings: Any) -> Iterator[Pair]:
    if kind == "customers":
        with of_customers.at_desk(engine, customers=settings) as desk:
            yield Pair(
                desk,
                of_customers.link(desk).zoho_id,
                lambda **fields: of_customers.in_sage(desk, **fields),
                lambda **values: of_customers.in_zoho(desk, **values),
                lambda: (of_customers.customer(desk)["PhoneNumber"].strip(), of_customers.account(desk)["Phone"]),
            )
        return
    with of_vendors.at_desk(engine, vendors=settings) as desk:
        number = of_vendors.number_of(desk)
        of_vendors.in_sage(desk, number, PhoneNumber=OLD)
        of_vendors.settle(desk)
        of_vendors.in_zoho(desk, number, Phone=OLD)
        of_vendors.settle(desk)
        yield Pair(
            desk,
            number,
            lambda **fields: of_vendors.in_sage(desk, number, **fields),
            lambda **values: of_vendors.in_zoho(desk, number, **values),
            lambda: (of_vendors.vendor(desk, number)["PhoneNumber"].strip(), of_vendors.account(desk, number)["Phone"]),
        )


@pytest.mark.parametrize("answer", ["Sage as Zoho", "Zoho as Sage", "Sage as before", "Zoho as before"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_question_about_two_words_ends_when_one_of_them_is_taken_back(engine: Engine, kind: str, answer: str) -> None:
    with pair(engine, kind, authority="newest") as at:
        at.hers(HERS)
        at.his(HIS)
        at.sync()
        assert at.asked == [(at.key, "SIDES_DIFFER")]
        act, phone = {
            "Sage as Zoho": (at.hers, HIS),
            "Zoho as Sage": (at.his, HERS),
            "Sage as before": (at.hers, OLD),
            "Zoho as before": (at.his, OLD),
        }[answer]
        act(phone)
        at.sync()
        assert at.asked == []
        kept = HIS if answer in ("Sage as Zoho", "Sage as before") else HERS
        assert at.phones() == (kept, kept)
        [closed] = at.audited("answered")
        assert (closed.outcome, closed.answer["code"]) == ("noop", "SIDES_DIFFER")
        assert "“555 0300”" in closed.answer["text"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_about_an_edit_of_the_side_that_does_not_lead_ends_when_it_is_taken_back(
    engine: Engine, kind: str
) -> None:
    with pair(engine, kind, other_side="inbox") as at:
        act = at.his if kind == "vendors" else at.hers
        act(HIS)
        at.sync()
        assert at.asked == [(at.key, "SIDES_DIFFER")]
        act(OLD)
        at.sync()
        assert at.asked == []
        assert at.phones() == (OLD, OLD)
        assert len(at.audited("answered")) == 1
        at.desk.reset_counters()
        at.sync()
        assert at.desk.writes() == {"sage300": 0, "zoho_crm": 0}
        assert len(at.audited("answered")) == 1
