"""What people do at the CRM's own screens: each action takes a JSON object and answers one.

Their changes carry their own name in Modified_By and reach every channel, as any change does.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, RowError
from sagezoho_pipelines.sandbox.zoho_crm.limits import Limits
from sagezoho_pipelines.sandbox.zoho_crm.oauth import AccountsServer
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Change, Organisation
from sagezoho_pipelines.sandbox.zoho_crm.people_guards import Keepers
from sagezoho_pipelines.sandbox.zoho_crm.people_setup import Administrators
from sagezoho_pipelines.sandbox.zoho_crm.writes import Writer

Params = dict[str, Any]
Given = Callable[[Params], Params]
Done = TypeVar("Done")


class People:
    """The actions by name in `actions`."""

    def __init__(self, org: Organisation, accounts: AccountsServer, limits: Limits) -> None:
        self.org = org
        self.accounts = accounts
        self.limits = limits
        self.actions: dict[str, Given] = {
            "add_account": self.add_account,
            "edit_account": self.edit_account,
            "add_contact": self.add_contact,
            "add_deal": self.add_deal,
            "edit_deal": self.edit_deal,
            "move_deal": self.move_deal,
            "close_deal": self.close_deal,
            "add_quote": self.add_quote,
            "accept_quote": self.accept_quote,
            "add_record": self.add_record,
            "edit_record": self.edit_record,
            "delete_record": self.delete_record,
            "merge_accounts": self.merge_accounts,
            "set_credits": self.set_credits,
            "revoke_token": self.revoke_token,
            "grant_code": self.grant_code,
            "set_scopes": self.set_scopes,
            **Keepers(org).actions,
            **Administrators(org).actions,
        }

    def add_account(self, given: Params) -> Params:
        """{name, values?} -> {id}"""
        return self._add("Accounts", {"Account_Name": given["name"], **given.get("values", {})}, given)

    def edit_account(self, given: Params) -> Params:
        """{account_id, values} -> {id, modified_time}"""
        return self._edit("Accounts", given["account_id"], given["values"], given)

    def add_contact(self, given: Params) -> Params:
        """{last_name, account_id?, values?} -> {id}"""
        values = {"Last_Name": given["last_name"], **_link("Account_Name", given.get("account_id"))}
        return self._add("Contacts", {**values, **given.get("values", {})}, given)

    def add_deal(self, given: Params) -> Params:
        """{name, account_id?, amount?, stage?, closing_date?, contact_id?, values?} -> {id}"""
        values = {
            "Deal_Name": given["name"],
            "Stage": given.get("stage", "Qualification"),
            "Amount": _money(given.get("amount")),
            "Closing_Date": given.get("closing_date") or self.org.clock.now().date().isoformat(),
            **_link("Account_Name", given.get("account_id")),
            **_link("Contact_Name", given.get("contact_id")),
        }
        return self._add("Deals", {**values, **given.get("values", {})}, given)

    def edit_deal(self, given: Params) -> Params:
        """{deal_id, values} -> {id, modified_time}"""
        return self._edit("Deals", given["deal_id"], given["values"], given)

    def move_deal(self, given: Params) -> Params:
        """{deal_id, stage} -> {id, modified_time}"""
        return self._edit("Deals", given["deal_id"], {"Stage": given["stage"]}, given)

    def close_deal(self, given: Params) -> Params:
        """{deal_id, stage? = Closed Won, closing_date?} -> {id, modified_time}"""
        values = {
            "Stage": given.get("stage", "Closed Won"),
            "Closing_Date": given.get("closing_date") or self.org.clock.now().date().isoformat(),
        }
        return self._edit("Deals", given["deal_id"], values, given)

    def add_quote(self, given: Params) -> Params:
        """{deal_id, lines: [{product_code, quantity, price?, discount?}], stage? = Draft, subject?} -> {id}"""
        deal = self._row("Deals", given["deal_id"])
        values = {
            "Subject": given.get("subject", f"Quote for {deal['Deal_Name']}"),
            "Quote_Stage": given.get("stage", "Draft"),
            "Deal_Name": {"id": deal["id"]},
            **_link("Account_Name", given.get("account_id") or deal.get("Account_Name")),
            "Quoted_Items": [self._line(line) for line in given["lines"]],
        }
        return self._add("Quotes", values, given)

    def accept_quote(self, given: Params) -> Params:
        """{quote_id, stage? = Closed Won} -> {id, modified_time}"""
        return self._edit("Quotes", given["quote_id"], {"Quote_Stage": given.get("stage", "Closed Won")}, given)

    def add_record(self, given: Params) -> Params:
        """{module, values} -> {id}"""
        return self._add(given["module"], given["values"], given)

    def edit_record(self, given: Params) -> Params:
        """{module, id, values} -> {id, modified_time}"""
        return self._edit(given["module"], given["id"], given["values"], given)

    def delete_record(self, given: Params) -> Params:
        """{module, id} -> {id}"""
        writer = self._writer(given["module"], given)
        done = _act(lambda: writer.delete(int(given["id"]), str(given["id"])))
        writer.announce()
        return {"id": done["details"]["id"]}

    def merge_accounts(self, given: Params) -> Params:
        """{master_id, duplicate_ids} -> {id}: children move to the master, the others vanish without a trace."""
        table = self.org.table("Accounts")
        master = self._row("Accounts", given["master_id"])
        losers = [self._row("Accounts", one) for one in given["duplicate_ids"]]
        writer = self._writer("Accounts", given)
        merged = {**master}
        for loser in losers:
            for module in self.org.tables.values():
                self._repoint(module.module, loser["id"], master["id"])
            merged = {**loser, **{name: value for name, value in merged.items() if value is not None}}
            writer.delete(loser["id"], str(loser["id"]))
            # A merge leaves no row in /deleted and tells no channel.
            table.deleted.pop()
        writer.changes.clear()
        now, actor = self.org.now(), writer.actor
        merged |= {"Modified_Time": now, "Modified_By": actor.id}
        table.put(merged)
        changed = {name: merged.get(name) for name in table.module.fields if merged.get(name) != master.get(name)}
        for name in ("Modified_Time", "Modified_By"):
            changed.pop(name, None)
        self.org.announce(Change("Accounts", "update", actor, {master["id"]: changed}))
        return {"id": str(master["id"])}

    def _repoint(self, module: Module, old: int, new: int) -> None:
        table = self.org.table(module.api_name)
        for held in module.fields.values():
            if held.lookup != "Accounts" or held.data_type != "lookup":
                continue
            for row_id in table.matching(held.api_name, old):
                table.put({**table.rows[row_id], held.api_name: new})

    def set_credits(self, given: Params) -> Params:
        """{allowance: number or null} -> {allowance, used}"""
        self.limits.allowance = given["allowance"]
        return {"allowance": self.limits.allowed, "used": self.limits.used}

    def revoke_token(self, given: Params) -> Params:
        """{kind? = refresh|access} -> {revoked}: the first refresh token, or every access token."""
        kind = given.get("kind", "refresh")
        if kind == "access":
            self.accounts.revoke_access_tokens()
        elif kind == "refresh":
            self.accounts.revoke(self.accounts.refresh_token)
        else:
            raise ValueError("kind is refresh or access")
        return {"revoked": kind}

    def grant_code(self, given: Params) -> Params:
        """{scopes?} -> {code}: what the console's Generate Code gives."""
        scopes = given.get("scopes")
        return {"code": self.accounts.issue_code(tuple(scopes) if scopes else None)}

    def set_scopes(self, given: Params) -> Params:
        """{scopes} -> {scopes}: narrows what the first refresh token may do, from its next access token on."""
        self.accounts.grants[self.accounts.refresh_token].scopes = tuple(given["scopes"])
        return {"scopes": list(given["scopes"])}

    def _writer(self, module: str, given: Params) -> Writer:
        if module not in self.org.tables:
            raise ValueError(f"no module called {module}")
        name = given.get("by")
        people = [one for one in self.org.users[1:] if name in (None, one.name)]
        if not people:
            raise ValueError(f"nobody called {name} works here")
        return Writer(self.org, self.org.modules[module], people[0])

    def _row(self, module: str, record_id: Any) -> Params:
        row = self.org.table(module).rows.get(int(record_id))
        if row is None:
            raise ValueError(f"no {module} record {record_id}")
        return row

    def _add(self, module: str, values: Params, given: Params) -> Params:
        writer = self._writer(module, given)
        done = _act(lambda: writer.insert(_decimals(values), "$"))
        writer.announce()
        return {"id": done["details"]["id"]}

    def _edit(self, module: str, record_id: Any, values: Params, given: Params) -> Params:
        writer = self._writer(module, given)
        done = _act(lambda: writer.update({"id": str(record_id), **_decimals(values)}, "$"))
        writer.announce()
        return {"id": done["details"]["id"], "modified_time": done["details"]["Modified_Time"]}

    def _line(self, given: Params) -> Params:
        found = self.org.table("Products").matching("Product_Code", given["product_code"])
        if not found:
            raise ValueError(f"no product with code {given['product_code']}")
        line = {"Product_Name": {"id": found[0]}, "Quantity": given.get("quantity", 1)}
        for name, key in (("List_Price", "price"), ("Discount", "discount")):
            if given.get(key) is not None:
                line[name] = _money(given[key])
        return line


def _act(work: Callable[[], Done]) -> Done:
    try:
        return work()
    except (RowError, ApiError) as error:
        raise ValueError(f"{error}: {error.details}") from error


def _link(field: str, record_id: Any) -> Params:
    return {} if record_id is None else {field: {"id": record_id}}


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _decimals(value: Any) -> Any:
    """Fractions arrive as float from a plain JSON reader, and leave as the Decimal that was written."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {name: _decimals(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_decimals(one) for one in value]
    return value
