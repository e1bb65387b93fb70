"""What an administrator does at the setup screens: fields, edition, currencies, what a profile may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm import settings
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module, Pick
from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.switches import EDITIONS

Params = dict[str, Any]


class Administrators:
    """The actions by name in `actions`."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.actions: dict[str, Callable[[Params], Params]] = {
            "add_field": self.add_field,
            "drop_field": self.drop_field,
            "change_field": self.change_field,
            "set_edition": self.set_edition,
            "set_permission": self.set_permission,
            "use_currencies": self.use_currencies,
        }

    def add_field(self, given: Params) -> Params:
        """{module, field_label, data_type, ...} -> {field}: a custom field, described as the API wants it described."""
        module = self._module(given["module"])
        try:
            settings.create_field(self.org, module, given, "$")
        except RowError as error:
            raise ValueError(f"{error}: {error.details}") from error
        return {"field": next(reversed(module.fields))}

    def drop_field(self, given: Params) -> Params:
        """{module, field} -> {field}: a custom field goes, and with it what every record held in it."""
        module = self._module(given["module"])
        try:
            field = settings.find_custom(module, str(self._field(module, given["field"]).id))
        except RowError as error:
            raise ValueError(f"{error}: {error.details}") from error
        settings.drop_field(self.org, module, field)
        return {"field": field.api_name}

    def change_field(self, given: Params) -> Params:
        """{module, field, length?, mandatory?, values?, decimals?} -> {field}: what a setup screen lets people change.

        A length may be raised, and lowered down to the longest value held; `values` are those of a picklist, `decimals`
        those of a number.
        """
        module = self._module(given["module"])
        field = self._field(module, given["field"])
        if "length" in given:
            self._require_room(module, field, int(given["length"]))
            field.length = int(given["length"])
        if "mandatory" in given:
            field.mandatory = bool(given["mandatory"])
        if "values" in given:
            if not field.picks:
                raise ValueError(f"{field.api_name} is no picklist")
            known = {pick.actual: pick for pick in field.picks}
            field.picks = [known.get(one) or Pick(self.org.new_id(), one, one) for one in given["values"]]
        if "decimals" in given:
            if field.decimal_place is None:
                raise ValueError(f"{field.api_name} has no decimals to change")
            field.decimal_place = int(given["decimals"])
        return {"field": field.api_name}

    def _module(self, name: str) -> Module:
        if name not in self.org.modules:
            raise ValueError(f"no module called {name}")
        return self.org.modules[name]

    def _field(self, module: Module, name: str) -> Field:
        if name not in module.fields:
            raise ValueError(f"{module.api_name} has no field {name}")
        return module.fields[name]

    def _require_room(self, module: Module, field: Field, length: int) -> None:
        rows = self.org.tables[module.api_name].rows.values() if module.api_name in self.org.tables else ()
        longest = max((len(str(row.get(field.api_name) or "")) for row in rows), default=0)
        if not field.is_text or not length >= 1:
            raise ValueError(f"{field.api_name} has no length to change")
        if longest > length:
            raise ValueError(f"a record holds {longest} characters in {field.api_name}")

    def set_edition(self, given: Params) -> Params:
        """{edition: free|standard|professional|enterprise|ultimate, users?} -> {edition}"""
        if given["edition"] not in EDITIONS:
            raise ValueError(f"no edition called {given['edition']}; there are {', '.join(EDITIONS)}")
        self.org.edition = EDITIONS[given["edition"]]
        self.org.modules_changed = self.org.now()
        self.org.user_licenses = int(given.get("users", self.org.user_licenses))
        return {"edition": self.org.edition.name}

    def set_permission(self, given: Params) -> Params:
        """{module, operation: READ|CREATE|UPDATE|DELETE, allowed} -> the same: the integration user's profile."""
        right = (given["module"], given["operation"])
        if given["allowed"]:
            self.org.denied.discard(right)
        else:
            self.org.denied.add(right)
        return dict(given)

    def use_currencies(self, _given: Params) -> Params:
        """{} -> {currencies}: several from now on, which cannot be taken back; records so far are in the home one."""
        self.org.use_currencies()
        return {"currencies": [pick.actual for pick in self.org.modules["Deals"].fields["Currency"].picks]}
