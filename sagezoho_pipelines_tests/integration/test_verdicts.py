"""Every row of both verdict tables, answered by the vendor to a real update, and the state its change ends in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.engine import pausing
from sagezoho_pipelines.sage300 import errors as sage_errors
from sagezoho_pipelines.zoho_crm import errors as zoho_errors
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

_STATES = {
    Verdict.REFUSE: ("refused", "refused"),
    Verdict.CONFLICT: ("conflicted", "conflicted"),
    Verdict.RETRY: ("queued", "retrying"),
    Verdict.SKIP: ("delivered", "skipped"),
    Verdict.FATAL: ("queued", None),
}
_SAGE_STATUS = {
    "Unauthorized": 401, "Forbidden": 403, "ResourceNotFound": 404, "RecordNotFound": 404, "MethodNotAllowed": 405,
    "RecordDuplicate": 409, "TooManyRequests": 429, "InternalServerError": 500, "DBLinkError": 500, "SessionError": 500,
}  # fmt: skip

_ADDRESS = {"Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver"}


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


def test_every_code_of_sage_leads_to_its_state(desk: Bench) -> None:
    account = str(desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"])
    desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="10", stage="Closed Won")
    desk.sync("customers")
    rows = [(code, "Something is not right.", rule.verdict) for code, rule in sage_errors.RULES.items()]
    rows += [("RecordDuplicate", f"A {words} is on.", Verdict.RETRY) for words in sage_errors.LATER_TEXTS]
    wrong = []
    for number, (code, words, verdict) in enumerate(rows):
        body = {"error": {"code": code, "message": {"lang": "en-US", "value": words}}}
        rule = desk.sandbox.sage300.world.faults.add(
            "respond", method="PATCH", path="ARCustomers", status=_SAGE_STATUS.get(code, 400), body=body
        )
        desk.act("zoho_crm", "edit_account", account_id=account, values={"Phone": f"604-555-{number:04d}"})
        wrong.append(_wrong(desk, "deal_accounts", code, verdict, _deliver(desk, "customers")))
        desk.sandbox.sage300.world.faults.remove(rule.id)
        assert rule.fired, code
    assert [one for one in wrong if one] == []


def _zoho_rows() -> list[tuple[str, Verdict]]:
    return [(c, m.verdict) for c, m in zoho_errors.CODES.items() if c != zoho_errors.MODULE_NOT_IN_EDITION]


def _zoho_status(code: str) -> int:
    if code in zoho_errors.THROTTLED:
        return 429
    if code in zoho_errors.TOKEN_REJECTED:
        return 401
    return 500 if code in zoho_errors.TRANSIENT else 400


@pytest.mark.timeout(240)
@pytest.mark.parametrize("by_row", [False, True], ids=["whole answer", "row"])
def test_every_code_of_zoho_leads_to_its_state(desk: Bench, by_row: bool) -> None:
    desk.sync("vendors")
    vendor = str(desk.state("sage300", "APVendors")[0]["VendorNumber"]).strip()
    wrong = []
    for number, (code, verdict) in enumerate(_zoho_rows()):
        told = {"code": code, "details": {}, "message": "something is not right", "status": "error"}
        if by_row:
            known = zoho_errors.CODES[code].row_verdict or verdict
            # One row never stops the connection: what would is tried again, and then for a person.
            expected = Verdict.RETRY if known is Verdict.FATAL else known
        else:
            expected = verdict
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


def test_every_row_has_advice_and_every_pause_code_is_known() -> None:
    assert [code for code, rule in sage_errors.RULES.items() if not rule.advice] == []
    assert [code for code, meaning in zoho_errors.CODES.items() if not meaning.advice] == []
    throttled = [
        VendorError(system=System.ZOHO_CRM, code=code, text="", verdict=Verdict.RETRY) for code in zoho_errors.THROTTLED
    ]
    assert all(pausing.concerns_all(error) for error in throttled)


def test_an_inventory_module_that_the_edition_lacks_is_passed_over() -> None:
    error = zoho_errors.top_level({"code": "INVALID_MODULE", "message": "no"}, status=400, module="Invoices")
    assert (error.code, error.verdict) == (zoho_errors.MODULE_NOT_IN_EDITION, Verdict.SKIP)
