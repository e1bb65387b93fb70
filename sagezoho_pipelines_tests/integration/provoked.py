"""How a simulated vendor comes to refuse with each of its codes: what people or circumstances do, and what we ask then.

Every function here ends in a VendorError that the real client made of the simulator's own answer. A code that no
request of ours and no state of the simulator brings about is in `SAGE_ONLY_TOLD` or `ZOHO_ONLY_TOLD`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.zoho_crm.errors import MODULE_NOT_IN_EDITION
from sagezoho_pipelines.zoho_crm.transport import Call, Transport
from sagezoho_pipelines_tests.bench import Bench

Provocation = Callable[[Bench], Any]

_CUSTOMERS = "AR/ARCustomers"


def _customer(desk: Bench) -> str:
    return next(str(row["CustomerNumber"]) for row in desk.state("sage300", "ARCustomers") if row["Status"] == "Active")


def _edit_customer(desk: Bench, number: str = "", **fields: Any) -> None:
    desk.sage().patch(_CUSTOMERS, number or _customer(desk), fields or {"City": "Vancouver"})


def _user(desk: Bench, **changes: Any) -> None:
    """What an administrator does to the user that we sign on as."""
    world = desk.sandbox.sage300.world
    world.users["WEBAPI"] = replace(world.users["WEBAPI"], **changes)
    _edit_customer(desk)


def _broken(desk: Bench, how: Any) -> None:
    desk.sandbox.sage300.world.switches.broken = how
    _edit_customer(desk)


def _later(desk: Bench, fault: Any) -> None:
    desk.sandbox.sage300.world.faults.add(fault)
    _edit_customer(desk)


def _order_of_a_held_customer(desk: Bench) -> None:
    number = _customer(desk)
    desk.act("sage300", "hold_customer", customer=number, hold=True)
    lines = [{"LineType": "Miscellaneous", "MiscellaneousChargesCode": "HC", "ExtendedAmount": 5}]
    desk.sage().create("OE/OEOrders", {"CustomerNumber": number, "OrderDetails": lines})


def _too_many_at_once(desk: Bench) -> None:
    desk.sandbox.sage300.world.switches.parallel_requests_max = 0
    _edit_customer(desk)


SAGE: Mapping[str, Provocation] = {
    "Unauthorized": lambda desk: _user(desk, password="changed by an administrator"),
    "Forbidden": lambda desk: _user(desk, modules=frozenset({"AP"})),
    "DBLinkError": lambda desk: _broken(desk, "DBLinkError"),
    "SessionError": lambda desk: _broken(desk, "SessionError"),
    "InternalServerError": lambda desk: _broken(desk, "InternalServerError"),
    "ResourceNotFound": lambda desk: desk.sage().create("AR/ARSomethingElse", {"Name": "x"}),
    "MethodNotAllowed": lambda desk: desk.sage().patch("OE/OEOrders", 1, {"OrderDescription": "x"}),
    "InvalidParameters": lambda desk: desk.sage().get(_CUSTOMERS, _customer(desk), select=["NoSuchProperty"]),
    "InvalidEntityKey": lambda desk: desk.sage().get("OE/OEOrders", "ORD1"),
    "InvalidPayload": lambda desk: _edit_customer(desk, NoSuchProperty="x"),
    "InvalidAction": lambda desk: desk.sage().create("AR/ARPostInvoices", {}),
    "RecordNotFound": lambda desk: _edit_customer(desk, "NOBODY"),
    "RecordDuplicate": lambda desk: desk.sage().create(_CUSTOMERS, {"CustomerNumber": _customer(desk)}),
    "RecordInvalid": lambda desk: desk.sage().create("OE/OEOrders", {"OrderDescription": "of nobody"}),
    "FieldInvalid": lambda desk: _edit_customer(desk, Terms="NOSUCH"),
    "General": _order_of_a_held_customer,
    "TooManyRequests": _too_many_at_once,
}
#: Refusals that say "later", by the words of ours that know them.
SAGE_LATER: Mapping[str, Provocation] = {
    "day end processing": lambda desk: _later(desk, "day_end"),
    "processing conflict": lambda desk: _later(desk, "post_in_progress"),
    "post in progress": lambda desk: _later(desk, "post_in_progress"),
}


def _send(desk: Bench, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """One request of the real transport's, as no call of the client would form it."""
    transport = Transport(token_source=desk.zoho().token_source, usage=Usage(), max_attempts=2, sleep=lambda _: None)
    return transport.send(Call(f"{method} {path}", method, f"/crm/v8/{path}", body=body, **more))


def _query(text: str) -> Provocation:
    return lambda desk: _send(desk, "POST", "coql", {"select_query": text})


def _listing(**params: str) -> Provocation:
    return lambda desk: _send(desk, "GET", "Accounts", params={"fields": "Account_Name", **params})


def _refused(results: Sequence[RowResult]) -> None:
    for result in results:
        if result.error is not None:
            raise result.error


def _row(reply: Any, rows: str) -> None:
    """The row's refusal as the client would read it."""
    from sagezoho_pipelines.zoho_crm import errors

    for row in reply.body[rows]:
        if row.get("code") != errors.SUCCESS:
            raise errors.row_error(row, status=reply.status)


def _account(desk: Bench, name: str = "Harbour Lights Ltd", **values: Any) -> str:
    return str(desk.act("zoho_crm", "add_account", name=name, values=values)["id"])


def _edit_account(desk: Bench, record_id: str = "", **fields: Any) -> None:
    record_id = record_id or _account(desk)
    _refused(desk.zoho().update("Accounts", [{"id": record_id, **(fields or {"Phone": "1"})}]))


def _twice(desk: Bench, *unique: str) -> None:
    field = {"field_label": "Second Key", "data_type": "text", "length": 20, "unique": {}}
    _refused(desk.zoho().create_fields("Accounts", [field]))
    values = {name: f"of {name}" for name in unique}
    _account(desk, "First", **values)
    _edit_account(desk, _account(desk, "Second"), **values)


def _watch(desk: Bench, condition: Mapping[str, Any]) -> None:
    desk.sandbox.zoho_crm.world.switches.notify_url_probed = False
    watched = {
        "channel_id": "77", "events": ["Deals.edit"], "notify_url": "https://hooks.example", "token": "t",
        "notification_condition": [condition],
    }  # fmt: skip
    _row(_send(desk, "POST", "actions/watch", {"watch": [watched]}, rows="watch"), "watch")


def _modified_meanwhile(desk: Bench) -> None:
    record_id = _account(desk)
    earlier = (desk.now() - timedelta(days=1)).isoformat(timespec="seconds")
    body = {"data": [{"id": record_id, "Phone": "1"}]}
    _row(_send(desk, "PUT", "Accounts", body, rows="data", headers={"If-Unmodified-Since": earlier}), "data")


def _page_token(desk: Bench, *, age: timedelta = timedelta(0), **params: str) -> None:
    """Turn a page with the token of the one before it, later or with other parameters."""
    for number in range(3):
        _account(desk, f"Account {number}")
    asked = {"fields": "Account_Name", "per_page": "2"}
    token = _send(desk, "GET", "Accounts", params=asked).body["info"]["next_page_token"]
    desk.sandbox.clock.advance(age)
    _send(desk, "GET", "Accounts", params={**asked, "page_token": token, **params})


def _without_right(desk: Bench) -> None:
    record_id = _account(desk)
    desk.act("zoho_crm", "set_permission", module="Accounts", operation="UPDATE", allowed=False)
    _edit_account(desk, record_id)


def _narrower_scopes(desk: Bench) -> None:
    desk.act("zoho_crm", "set_scopes", scopes=["ZohoCRM.org.READ"])
    desk.act("zoho_crm", "revoke_token", kind="access")
    desk.zoho().find("Accounts", where=[where("id", "eq", "1")], fields=["Account_Name"])


def _tokens_die_at_once(desk: Bench) -> None:
    record_id = _account(desk)
    desk.sandbox.zoho_crm.world.faults.add("token_revoked")
    _edit_account(desk, record_id)


def _no_credits(desk: Bench) -> None:
    record_id = _account(desk)
    desk.act("zoho_crm", "set_credits", allowance=0)
    _edit_account(desk, record_id)


def _trouble(status: int) -> Provocation:
    def trouble(desk: Bench) -> None:
        record_id = _account(desk)
        desk.sandbox.zoho_crm.world.faults.add("status", status=status)
        _edit_account(desk, record_id)

    return trouble


def _held(act: str) -> Provocation:
    """A record that people hold back, which we then write to."""

    def held(desk: Bench) -> None:
        record_id = _account(desk)
        desk.act("zoho_crm", act, module="Accounts", id=record_id)
        _edit_account(desk, record_id)

    return held


def _locked_twice(desk: Bench) -> None:
    path = f"Accounts/{_account(desk)}/Locking_Information__s"
    for _ in range(2):
        _send(desk, "POST", path, {"data": [{"Locked_Reason__s": "in dispute"}]}, rows="data")


def _call_of_no_time(desk: Bench) -> None:
    call = {"Subject": "S", "Call_Type": "Outbound", "Call_Start_Time": desk.now().isoformat(timespec="seconds")}
    _row(_send(desk, "POST", "Calls", {"data": [{**call, "Call_Duration": "00:00"}]}, rows="data"), "data")


def _spelled(provoke: Provocation, **switches: Any) -> Provocation:
    """The same under the name that another of Zoho's pages gives it."""

    def spelled(desk: Bench) -> None:
        for name, value in switches.items():
            setattr(desk.sandbox.zoho_crm.world.switches, name, value)
        provoke(desk)

    return spelled


def _no_credits_for_channels(desk: Bench) -> None:
    desk.act("zoho_crm", "set_credits", allowance=0)
    desk.zoho().disable_channel(77)


def _row_refused(code: str) -> Provocation:
    """Trouble of a service behind Zoho, which the simulator plays on a row that it would take."""

    def refused(desk: Bench) -> None:
        record_id = _account(desk)
        desk.sandbox.zoho_crm.world.faults.add("refuse_row", code=code)
        _edit_account(desk, record_id)

    return refused


def _beyond_the_last_page(desk: Bench) -> None:
    world = desk.sandbox.zoho_crm.world
    bound = (("fields", "Account_Name"), ("#module", "Accounts"), ("#since", ""))
    token = world.page_tokens.issue(world.org, bound, 501)[0]
    _send(desk, "GET", "Accounts", params={"fields": "Account_Name", "page_token": token})


def _full(desk: Bench) -> None:
    desk.sandbox.zoho_crm.world.org.switches.custom_fields_max = 1
    _refused(desk.zoho().create_fields("Accounts", [{"field_label": "One More", "data_type": "text", "length": 20}]))


def _smaller_edition(desk: Bench) -> None:
    desk.act("zoho_crm", "set_edition", edition="standard")
    desk.zoho().find("Invoices", where=[where("id", "eq", "1")], fields=["Subject"])


ZOHO: Mapping[str, Provocation] = {
    # signing in
    "INVALID_TOKEN": _tokens_die_at_once,
    "INVALID_OAUTHTOKEN": _spelled(_tokens_die_at_once, dead_token_code="INVALID_OAUTHTOKEN"),
    "OAUTH_SCOPE_MISMATCH": _narrower_scopes,
    # rights, and what the organisation has
    "NO_PERMISSION": _without_right,
    "AUTHORIZATION_FAILED": _held("share_record"),
    "NOT_ALLOWED": _locked_twice,
    "NOT_SUPPORTED": lambda desk: _send(desk, "GET", "Quoted_Items/search", params={"word": "Harbour"}),
    "INVALID_MODULE": lambda desk: desk.zoho().fields("NoSuchModule"),
    "LICENSE_LIMIT_EXCEEDED": _full,
    MODULE_NOT_IN_EDITION: _smaller_edition,
    # load
    "TOO_MANY_REQUESTS": _no_credits,
    "RATE_LIMIT_EXCEEDED": _spelled(_no_credits_for_channels, code_spellings="of the OpenAPI file"),
    "INTERNAL_ERROR": _trouble(500),
    "BAD_GATEWAY": _trouble(502),
    "SERVICE_UNAVAILABLE": _trouble(503),
    "DEPENDENT_SERVICE_ERROR": _row_refused("DEPENDENT_SERVICE_ERROR"),
    # values of a record
    "INVALID_DATA": lambda desk: _edit_account(desk, Employees="many"),
    "MANDATORY_NOT_FOUND": lambda desk: _edit_account(desk, Account_Name=None),
    "EXPECTED_FIELD_MISSING": lambda desk: _watch(desk, {"type": "field_selection"}),
    "DEPENDENT_FIELD_MISSING": lambda desk: _watch(desk, {"field_selection": {}}),
    "DEPENDENT_MISMATCH": _call_of_no_time,
    "DUPLICATE_DATA": lambda desk: _twice(desk, "Sage_Vendor_Key"),
    "MULTIPLE_OR_MULTI_ERRORS": lambda desk: _twice(desk, "Sage_Vendor_Key", "Second_Key"),
    "UNABLE_TO_PARSE_DATA_TYPE": lambda desk: _send(desk, "DELETE", "Accounts", params={"ids": "1", "wf_trigger": "x"}),
    "LIMIT_EXCEEDED": lambda desk: _send(desk, "GET", "Accounts", params={"fields": ",".join("abcdefg" * 8)}),
    # state of a record
    "ALREADY_MODIFIED": _modified_meanwhile,
    "RECORD_LOCKED": _held("lock_record"),
    "NOT_APPROVED": _held("submit_for_approval"),
    # queries
    "SYNTAX_ERROR": _query("select from where"),
    "INVALID_QUERY": _query("select Account_Name from Accounts where No_Such_Field = 'x'"),
    "INVALID_ALIAS": _query("select Account_Name '' from Accounts where id is not null"),
    "DUPLICATE_ALIAS": _query("select Account_Name as a, Phone as a from Accounts where id is not null"),
    # paging
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": _listing(page="11"),
    "PAGINATION_LIMIT_EXCEEDED": _beyond_the_last_page,
    "LIMIT_REACHED": lambda desk: _send(desk, "GET", "Accounts/search", params={"word": "Harbour", "page": "11"}),
    "EXPIRED_VALUE": lambda desk: _page_token(desk, age=timedelta(hours=25)),
    "TOKEN_BOUND_DATA_MISMATCH": lambda desk: _page_token(desk, per_page="1"),
    # requests
    "AMBIGUITY_DURING_PROCESSING": _listing(page="1", page_token="x"),
    "REQUIRED_PARAM_MISSING": lambda desk: _send(desk, "GET", "Accounts"),
    "EXPECTED_PARAM_MISSING": lambda desk: _send(desk, "GET", "Accounts/search"),
    "PATTERN_NOT_MATCHED": lambda desk: _send(desk, "GET", "Accounts/deleted", params={"type": "x"}),
    "INVALID_URL_PATTERN": lambda desk: _send(desk, "GET", "Accounts/x"),
    "INVALID_REQUEST_METHOD": lambda desk: _send(desk, "DELETE", "coql"),
    "METHOD_NOT_ALLOWED": _spelled(lambda desk: _send(desk, "DELETE", "coql"), code_spellings="of the OpenAPI file"),
    # notifications
    "NOT_SUBSCRIBED": lambda desk: desk.zoho().disable_channel(77),
}
_NO_BULK = "only bulk jobs have it: we send none, and the simulator takes none"
_NO_COMPOSITE = "only composite requests have it: we send none, and the simulator takes none"
_OTHER_SPELLING = "not in Zoho's lists: the name that other products of Zoho's give to one that is"
#: Why the simulator never gives these codes of Zoho's lists by itself.
ZOHO_ONLY_TOLD: Mapping[str, str] = {
    "AUTHENTICATION_FAILURE": "only a call without a token gets it, and the client never sends one",
    "API_NOT_SUPPORTED": _NO_COMPOSITE,
    "FEATURE_NOT_ENABLED": "told of without saying which feature: the simulated organisation has all that it serves",
    "INTERNAL_SERVER_ERROR": _OTHER_SPELLING,
    "RECORD_NOT_FOUND": _OTHER_SPELLING,
    "GATEWAY_TIMEOUT": "what a gateway of Zoho's says; the simulator has none in front of it",
    "MODULE_NOT_AVAILABLE": _NO_BULK,
    "MEDIA_TYPE_NOT_SUPPORTED": _NO_BULK,
    "INVALID_FIELD": _NO_BULK,
    "INVALID_FORMAT": _NO_BULK,
    "BLOCKED_RECORD": _NO_BULK,
    "CANNOT_PROCESS": _NO_BULK,
    "RESOURCE_NOT_FOUND": _NO_BULK,
    "FILE_TOO_LARGE": _NO_BULK,
    "COLUMN_INDEX_NOT_FOUND": _NO_BULK,
    "HEADER_LIMIT_EXCEEDED": _NO_BULK,
    "INVALID_FILE_FORMAT": _NO_BULK,
    "INVALID_FILE_ID": _NO_BULK,
    "MANDATORY_FIELDS_NOT_MAPPED": _NO_BULK,
}
