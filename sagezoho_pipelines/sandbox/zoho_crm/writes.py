"""Insert, update, upsert and delete of single rows, with the checks Zoho makes on each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError, row_bad_id, row_invalid, row_missing
from sagezoho_pipelines.sandbox.zoho_crm.module_rules import require_sense
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Change, Organisation, User
from sagezoho_pipelines.sandbox.zoho_crm.show import show_details
from sagezoho_pipelines.sandbox.zoho_crm.table import Deleted, Row
from sagezoho_pipelines.sandbox.zoho_crm.totals import COMPUTED, compute
from sagezoho_pipelines.sandbox.zoho_crm.values import parse_id, read_scalar


@dataclass
class Writer:
    """One write call, or one act of a person, on one module; `changes` gathers what channels must hear."""

    org: Organisation
    module: Module
    actor: User
    unmodified_since: int | None = None
    changes: dict[str, Change] = field(default_factory=dict)

    def announce(self) -> None:
        for change in self.changes.values():
            self.org.announce(change)
        self.changes.clear()

    def insert(self, given: Row, path: str) -> dict[str, Any]:
        """The row of a success answer; RowError when refused."""
        now = self.org.now()
        values = self._read(given, path, None)
        row: Row = {
            "id": 0,
            "Owner": self.actor.id,
            "Created_By": self.actor.id,
            "Modified_By": self.actor.id,
            "Created_Time": now,
            "Modified_Time": now,
            **values,
        }
        self._require(row, path)
        self._unique(row, path, None)
        row["id"] = self.org.new_id()
        row = self.org.in_home_currency(self.module, row)
        self._finish(row)
        table = self.org.table(self.module.api_name)
        table.put(row)
        table.stale[row["id"]] = (now + self.org.switches.search_lag_seconds, None)
        self._note("insert", row, {})
        details = {**show_details(self.org, row), "$approval_state": "approved"}
        return {"code": "SUCCESS", "details": details, "message": "record added", "status": "success"}

    def update(self, given: Row, path: str, record_id: int | None = None) -> dict[str, Any]:
        table = self.org.table(self.module.api_name)
        named = record_id if given.get("id") is None else given["id"]
        if named is None:
            raise row_missing(f"{path}.id")
        named_id = parse_id(named)
        old = table.rows.get(named_id) if named_id is not None else None
        if old is None or record_id not in (None, named_id):
            raise row_bad_id(named, f"{path}.id")
        self._require_free(old, "update")
        if self.unmodified_since is not None and old["Modified_Time"] > self.unmodified_since:
            raise RowError(
                "ALREADY_MODIFIED",
                "record updated time has already passed if-unmodified-since time",
                show_details(self.org, old),
                412,
            )
        values = self._read(given, path, old)
        row: Row = {**old, **values}
        self._require(row, path, only=values.keys())
        self._unique(row, path, old)
        if "Stage" in values and values["Stage"] != old.get("Stage") and "Probability" not in values:
            row["Probability"] = None
        row = self.org.in_home_currency(self.module, row)
        self._finish(row)
        changed = {name: row.get(name) for name in row if row.get(name) != old.get(name)}
        if changed or self.org.switches.unchanged_update_moves_modified_time:
            now = self.org.now()
            row["Modified_Time"] = now
            row["Modified_By"] = self.actor.id
            if "Stage" in changed:
                row["Stage_Modified_Time"] = now
            until, seen = table.stale.get(old["id"], (0, None))
            if until <= now:
                seen = old
            table.put(row)
            table.stale[old["id"]] = (now + self.org.switches.search_lag_seconds, seen)
            self._note("update", row, changed)
        return {
            "code": "SUCCESS",
            "details": show_details(self.org, row),
            "message": "record updated",
            "status": "success",
        }

    def upsert(self, given: Row, path: str, checks: list[str]) -> dict[str, Any]:
        """Update what the first matching check field finds, else insert."""
        record_id = parse_id(given["id"]) if given.get("id") is not None else None
        matched: str | None = None
        if given.get("id") is None:
            record_id, matched = self._match(given, checks)
        if record_id is not None or given.get("id") is not None:
            done = self.update(given, path, record_id if matched else None)
            return {**done, "action": "update", "duplicate_field": matched}
        done = self.insert(given, path)
        return {**done, "action": "insert", "duplicate_field": None}

    def delete(self, record_id: int | None, given: str) -> dict[str, Any]:
        table = self.org.table(self.module.api_name)
        old = table.rows.get(record_id) if record_id is not None else None
        if old is None:
            raise RowError("INVALID_DATA", "record not deleted", {"id": given})
        self._require_free(old, "delete")
        gone = Deleted(old["id"], old.get(self.module.name_field), self.actor.id, old["Created_By"], self.org.now())
        table.remove(old["id"], gone)
        self._note("delete", old, {"Modified_By": self.actor.id, "Record_Status__s": 0})
        return {
            "code": "SUCCESS",
            "details": {"id": str(old["id"])},
            "message": "record deleted",
            "status": "success",
        }

    def _require_free(self, row: Row, change: Literal["update", "delete"]) -> None:
        ours = self.actor == self.org.integration_user
        self.org.guards.require_free(self.module.api_name, row, change, ours=ours)

    def _match(self, given: Row, checks: list[str]) -> tuple[int | None, str | None]:
        table = self.org.table(self.module.api_name)
        for name in checks:
            value = given.get(name)
            if isinstance(value, str):
                value = value.strip()
            elif self.module.fields[name].data_type == "bigint" and isinstance(value, int):
                value = str(value)
            if value in (None, "") or isinstance(value, dict | list):
                continue
            found = table.matching(name, value)
            if found:
                return found[0], name
        return None, None

    def _read(self, given: Row, path: str, old: Row | None) -> Row:
        values = self._stored(self.module, given, path, old)
        require_sense(self.module.api_name, values, path)
        return values

    def _stored(self, module: Module, given: Row, path: str, old: Row | None) -> Row:
        """Stored values of the fields sent; what the module does not know is passed over without a word."""
        values: Row = {}
        for name, value in given.items():
            held = module.fields.get(name)
            if held is None:
                continue
            where = f"{path}.{name}"
            if held.read_only:
                if name in COMPUTED and self.org.switches.computed_fields == "rejected":
                    raise row_invalid(where, reason="field is computed")
                continue
            values[name] = self._value(held, value, where, old)
        return values

    def _value(self, held: Field, value: Any, path: str, old: Row | None) -> Any:
        if held.data_type == "subform":
            return self._lines(held, value, path, old)
        if value is None and held.api_name != "Owner":
            return None
        if held.data_type == "lookup" and held.lookup is not None:
            return self._lookup(self.org.table(held.lookup).rows, value, path)
        if held.data_type == "ownerlookup":
            return self._lookup({user.id: user for user in self.org.users}, value, path)
        if held.api_name == "Currency" and value not in (known := [pick.actual for pick in held.picks]):
            raise row_invalid(path, supported_values=known)
        return read_scalar(held, value, path, self.org.switches)

    @staticmethod
    def _lookup(known: dict[int, Any], value: Any, path: str) -> int:
        if not isinstance(value, dict):
            raise row_invalid(path, expected_data_type="jsonobject")
        if value.get("id") is None:
            raise row_missing(f"{path}.id")
        found = parse_id(value["id"])
        if found is None:
            raise row_invalid(f"{path}.id", expected_data_type="bigint")
        if found not in known:
            raise row_bad_id(value["id"], f"{path}.id")
        return found

    def _lines(self, held: Field, value: Any, path: str, old: Row | None) -> list[Row]:
        """Rows with an id are changed, rows without are added, rows left out stay, [] clears."""
        if not isinstance(value, list):
            raise row_invalid(path, expected_data_type="jsonarray")
        if not value:
            return []
        kept: dict[int, Row] = {line["id"]: line for line in (old or {}).get(held.api_name) or []}
        for at, given in enumerate(value):
            where = f"{path}[{at}]"
            if not isinstance(given, dict):
                raise row_invalid(where, expected_data_type="jsonobject")
            line_id = parse_id(given.get("id"))
            if given.get("id") is not None and line_id not in kept:
                raise row_bad_id(given["id"], f"{where}.id")
            if "_delete" in given:
                if line_id is None:
                    raise row_missing(f"{where}.id")
                del kept[line_id]
                continue
            line = self._line(held, given, where, kept.get(line_id) if line_id else None)
            kept[line["id"]] = line
        if len(kept) > self.org.switches.subform_rows_max:
            raise row_invalid(path, maximum_length=self.org.switches.subform_rows_max)
        return list(kept.values())

    def _line(self, held: Field, given: Row, path: str, old: Row | None) -> Row:
        module = self.org.modules[held.subform or ""]
        now = self.org.now()
        line: Row = {**(old or {"Created_Time": now}), **self._stored(module, given, path, None)}
        for one in module.fields.values():
            if one.mandatory and line.get(one.api_name) is None:
                raise row_missing(f"{path}.{one.api_name}")
        for at, tax in enumerate(line.get("Line_Tax") or []):
            if tax.get("percentage") is None:
                raise row_missing(f"{path}.Line_Tax[{at}].percentage")
        if "List_Price" in module.fields and line.get("List_Price") is None:
            product = self.org.table("Products").rows[line["Product_Name"]]
            line["List_Price"] = product.get("Unit_Price") or 0
        line["Modified_Time"] = now
        line.setdefault("id", self.org.new_id())
        return line

    def _require(self, row: Row, path: str, only: Any = None) -> None:
        """All mandatory fields on insert; on update only those that the call touches."""
        for held in self.module.fields.values():
            if not held.mandatory or (only is not None and held.api_name not in only):
                continue
            if held.api_name == "Account_Name" and held.lookup:
                if not self.org.switches.account_mandatory_on_documents:
                    continue
            elif held.data_type == "subform" and only is not None:
                continue
            if row.get(held.api_name) in (None, []):
                raise row_missing(f"{path}.{held.api_name}")

    def _unique(self, row: Row, path: str, old: Row | None) -> None:
        table = self.org.table(self.module.api_name)
        found: list[RowError] = []
        for held in self.module.unique_fields():
            value = row.get(held.api_name)
            if value is None or (old is not None and old.get(held.api_name) == value):
                continue
            others = [one for one in table.matching(held.api_name, value) if old is None or one != old["id"]]
            if others:
                found.append(self._duplicate(held, table.rows[others[0]], path, more=len(others) > 1))
        if len(found) == 1:
            raise found[0]
        if found:
            errors = [one.body() for one in found]
            raise RowError("MULTIPLE_OR_MULTI_ERRORS", "Duplicate data in multiple fields", {"errors": errors})

    def _duplicate(self, held: Field, other: Row, path: str, *, more: bool) -> RowError:
        owner = self.org.user(other["Owner"])
        return RowError(
            "DUPLICATE_DATA",
            "duplicate data",
            {
                "api_name": held.api_name,
                "json_path": f"{path}.{held.api_name}",
                "more_records": more,
                "duplicate_record": {
                    "Owner": {**owner.brief(), "zuid": owner.zuid},
                    "module": {"api_name": self.module.api_name, "id": str(self.module.id)},
                    "id": str(other["id"]),
                },
                "id": str(other["id"]),
            },
        )

    def _finish(self, row: Row) -> None:
        """What Zoho adds by itself: running numbers, line order, sums."""
        for held in self.module.fields.values():
            if held.data_type == "autonumber" and row.get(held.api_name) is None:
                row[held.api_name] = str(self.org.new_id())
            if held.data_type == "subform":
                lines = [{**line} for line in row.get(held.api_name) or []]
                for at, line in enumerate(lines, start=1):
                    line["Parent_Id"] = row["id"]
                    line["Sequence_Number"] = at
                row[held.api_name] = lines
        compute(self.module, row)

    def _note(self, operation: str, row: Row, changed: Row) -> None:
        change = self.changes.get(operation)
        if change is None:
            change = self.changes[operation] = Change(self.module.api_name, operation, self.actor)
        change.rows[row["id"]] = changed
        for module, record_id in self.org.parents_of(self.module, row).items():
            change.parents.setdefault(module, set()).add(record_id)
