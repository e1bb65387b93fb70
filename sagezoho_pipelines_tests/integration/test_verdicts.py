"""Every row of both verdict tables, provoked where the simulator can be brought to it, and what its change becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Cause, Change, EntityRef, Look, Outcome, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import pausing
from sagezoho_pipelines.engine.capture import capture
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.run import FLOWS, run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.sage300 import errors as sage_errors
from sagezoho_pipelines.zoho_crm import errors as zoho_errors
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration.provoked import SAGE, SAGE_LATER, ZOHO, ZOHO_ONLY_TOLD, Provocation

_STATES = {
    Verdict.REFUSE: ("refused", "refused"),
    Verdict.CONFLICT: ("conflicted", "conflicted"),
    Verdict.RETRY: ("queued", "retrying"),
    Verdict.SKIP: ("delivered", "skipped"),
    Verdict.FATAL: ("queued", None),
}
_WHOLE_ADDRESS = {
    "Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver", "Billing_State": "BC",
    "Billing_Code": "V6B 1A1", "Billing_Country": "Canada",
}  # fmt: skip


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=1, deals=0) as made:
        yield made


def _newest(desk: Bench, entity: str) -> tuple[str, str | None, int, Any]:
    [row] = desk.query(
        "SELECT state, outcome, attempts, error FROM sagezoho.changes WHERE entity = :entity ORDER BY id DESC LIMIT 1",
        entity=entity,
    )
    return row["state"], row["outcome"], row["attempts"], row["error"]


def _deliver(desk: Bench, flow: str) -> VendorError | None:
    desk.later(hours=2)
    try:
        desk.sync(flow)
    except VendorError as error:
        return error
    finally:
        for rest in desk.ledger.pauses(CONNECTION):
            desk.ledger.lift(CONNECTION, rest.system)
    return None


def _wrong(desk: Bench, entity: str, code: str, verdict: Verdict, raised: VendorError | None) -> str | None:
    """What is not as the verdict asks, in words."""
    state, outcome, attempts, error = _newest(desk, entity)
    paused = code in ("TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED")
    wanted = ("queued", None) if paused else _STATES[verdict]
    if (state, outcome) != wanted:
        return f"{code}: {state}, {outcome}, not {wanted}"
    if (verdict is Verdict.FATAL) != (raised is not None):
        return f"{code}: raised {raised!r}"
    if (verdict is Verdict.FATAL or paused) and attempts:
        return f"{code}: {attempts} attempts were counted"
    if verdict in (Verdict.REFUSE, Verdict.CONFLICT) and not (error["code"] == code and error["text"]):
        return f"{code}: the inbox shows {error}"
    if verdict in (Verdict.REFUSE, Verdict.CONFLICT) and not error.get("advice"):
        return f"{code}: no advice"
    return None


class Asking:
    """A delivery that asks the vendor what `provoke` asks; the engine settles what comes of it."""

    flow = "customers"
    target = (System.SAGE300, "customers")
    batch = 1

    def __init__(self, desk: Bench, provoke: Provocation) -> None:
        self.desk, self.provoke = desk, provoke

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity("provoked")

    def workers(self, _ctx: Context) -> int:
        return 1

    def prepare(self, _ctx: Context) -> None:
        pass

    def deliver(self, _ctx: Context, _changes: Sequence[Change]) -> Sequence[Settlement]:
        self.provoke(self.desk)
        raise AssertionError("the vendor did not refuse")


def _provoked(desk: Bench, provoke: Provocation) -> VendorError | None:
    """What failed the run; None where the change was settled, or the connection is to rest."""
    ctx = desk.context()
    look = Look(ctx.zoho_entity("provoked"), "1", Cause.NOTIFICATION, "to be refused")
    desk.ledger.enqueue([look], at=desk.now())
    try:
        deliver(ctx, Asking(desk, provoke))
    except VendorError as error:
        return None if pausing.concerns_all(error) else error
    return None


@pytest.mark.parametrize("code", sorted(SAGE))
def test_a_refusal_of_sage_leads_to_its_state(desk: Bench, code: str) -> None:
    raised = _provoked(desk, SAGE[code])
    assert raised is None or raised.code == code
    assert _wrong(desk, "provoked", code, sage_errors.RULES[code].verdict, raised) is None


@pytest.mark.parametrize("words", sorted(SAGE_LATER))
def test_a_refusal_of_sage_that_says_later_is_tried_again(desk: Bench, words: str) -> None:
    assert _provoked(desk, SAGE_LATER[words]) is None
    state, outcome, _, error = _newest(desk, "provoked")
    assert (state, outcome) == _STATES[Verdict.RETRY]
    assert words in error["text"].lower()


@pytest.mark.parametrize("code", sorted(ZOHO))
def test_a_refusal_of_zoho_leads_to_its_state(desk: Bench, code: str) -> None:
    met: list[VendorError] = []

    def provoke(desk: Bench) -> None:
        try:
            ZOHO[code](desk)
        except VendorError as error:
            met.append(error)
            raise

    raised = _provoked(desk, provoke)
    [error] = met
    assert (error.code, error.system) == (code, System.ZOHO_CRM)
    # Several errors of one row count as the gravest of them: here, two duplicates.
    known = zoho_errors.CODES["DUPLICATE_DATA" if code == "MULTIPLE_OR_MULTI_ERRORS" else code]
    assert error.verdict in (known.verdict, known.row_verdict)
    assert _wrong(desk, "provoked", code, error.verdict, raised) is None


def test_every_code_is_provoked_or_has_a_reason_why_it_is_only_told() -> None:
    assert set(SAGE) == set(sage_errors.RULES)
    assert set(SAGE_LATER) == set(sage_errors.LATER_TEXTS)
    assert set(ZOHO) | set(ZOHO_ONLY_TOLD) == set(zoho_errors.CODES)
    assert not set(ZOHO) & set(ZOHO_ONLY_TOLD)


def _zoho_status(code: str) -> int:
    if code in zoho_errors.THROTTLED:
        return 429
    if code in zoho_errors.TOKEN_REJECTED:
        return 401
    return 500 if code in zoho_errors.TRANSIENT else 400


@pytest.mark.timeout(240)
@pytest.mark.parametrize("by_row", [False, True], ids=["whole answer", "row"])
def test_what_only_zohos_pages_tell_of_leads_to_its_state_too(desk: Bench, by_row: bool) -> None:
    """Canned answers, for the codes that the simulator has no honest way to give."""
    desk.sync("vendors")
    vendor = str(desk.state("sage300", "APVendors")[0]["VendorNumber"]).strip()
    wrong = []
    for number, code in enumerate(sorted(ZOHO_ONLY_TOLD)):
        told = {"code": code, "details": {}, "message": "something is not right", "status": "error"}
        expected = zoho_errors.CODES[code].verdict
        if by_row:
            known = zoho_errors.CODES[code].row_verdict or expected
            # One row never stops the connection: what would is tried again, and then for a person.
            expected = Verdict.RETRY if known is Verdict.FATAL else known
        rule = desk.sandbox.zoho_crm.world.faults.add(
            "respond", method="PUT", path="/Accounts", status=202 if by_row else _zoho_status(code),
            body={"data": [told]} if by_row else told,
        )  # fmt: skip
        desk.act("sage300", "edit_vendor", vendor=vendor, fields={"PhoneNumber": f"604555{number:04d}"})
        raised = _deliver(desk, "vendors")
        state, outcome, _attempts, _error = _newest(desk, "vendors")
        if by_row and (state, outcome) != _STATES[expected]:
            wrong.append(f"{code}: {state}, {outcome}, not {_STATES[expected]}")
        if not by_row:
            wrong.append(_wrong(desk, "vendors", code, expected, raised) or "")
        desk.sandbox.zoho_crm.world.faults.remove(rule.id)
        assert rule.fired, code
    assert [one for one in wrong if one] == []


def test_an_invoice_that_the_edition_has_no_module_for_any_more_is_passed_over(desk: Bench) -> None:
    """Downgraded between the question and the write: the change is skipped, and the next run rests."""
    account = str(desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_WHOLE_ADDRESS)["id"])
    desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="10", stage="Closed Won")
    desk.sync("customers", "orders")
    [link] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders'")
    desk.act("sage300", "ship_and_invoice_order", order=link["sage_id"])
    ctx = desk.context()
    assert run_flow(ctx, "invoices", Window.incremental(), feeds=()).notes == []
    FLOWS["invoices"].handlers["invoices"].prepare(ctx)
    capture(ctx, FLOWS["invoices"].feeds["invoices"], Window.incremental())
    desk.act("zoho_crm", "set_edition", edition="standard")
    tally = deliver(ctx, FLOWS["invoices"].handlers["invoices"])
    assert tally.count(Outcome.SKIPPED) == 1
    state, outcome, _, error = _newest(desk, "invoices")
    assert (state, outcome, error["code"]) == ("delivered", "skipped", zoho_errors.MODULE_NOT_IN_EDITION)
    assert "Professional" in error["advice"]
    [note] = desk.sync("invoices").notes
    assert "offers no Invoices module" in note


def test_every_row_has_advice_and_every_pause_code_is_known() -> None:
    assert [code for code, rule in sage_errors.RULES.items() if not rule.advice] == []
    assert [code for code, meaning in zoho_errors.CODES.items() if not meaning.advice] == []
    throttled = [
        VendorError(system=System.ZOHO_CRM, code=code, text="", verdict=Verdict.RETRY) for code in zoho_errors.THROTTLED
    ]
    assert all(pausing.concerns_all(error) for error in throttled)
