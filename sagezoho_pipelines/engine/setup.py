"""The custom fields our mappings write, made in Zoho where they are missing, and proven to be what we need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.ports import ZohoCrm
from sagezoho_pipelines.engine.zoho_modules import offered
from sagezoho_pipelines.mappings import CustomField

State = Literal["created", "present", "wrong", "refused", "skipped"]

#: Zoho takes at most this many fields in one request.
_PER_CALL = 5


@dataclass(frozen=True, slots=True)
class FieldReport:
    """What became of one custom field. `note` says what is wrong and what to do about it."""

    module: str
    label: str
    api_name: str
    state: State
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.state in ("created", "present", "skipped")


def set_up(zoho: ZohoCrm, wanted: Iterable[CustomField]) -> Iterator[FieldReport]:
    """Create what is missing, module by module, and read the field list again: only what it shows counts.

    Safe to repeat, also after an interrupted run. Raises VendorError for what concerns the whole connection.
    """
    there = offered(zoho)
    modules: dict[str, list[CustomField]] = {}
    for field in wanted:
        modules.setdefault(field.module, []).append(field)
    for module, fields in modules.items():
        if module in there:
            yield from _module(zoho, module, fields)
        else:
            note = f"Zoho's edition offers no {module} module to the API"
            yield from (FieldReport(module, field.label, field.api_name, "skipped", note) for field in fields)


def examine(field: CustomField, known: Sequence[Row]) -> FieldReport:
    """Compare one wanted field with the module's field list; state `refused` means that it is not there."""
    found = next((row for row in known if row.get("api_name") == field.api_name), None)
    if found is None:
        return FieldReport(field.module, field.label, field.api_name, "refused", _other_name(field, known))
    faults = []
    if found.get("data_type") != field.type and not _compatible(field.type, str(found.get("data_type"))):
        faults.append(f"it is of type {found.get('data_type')}, not {field.type}")
    if field.unique and not found.get("unique"):
        faults.append("it is not unique ('Do not allow duplicate values')")
    length = found.get("length")
    if field.length is not None and isinstance(length, int) and length < field.length:
        faults.append(f"it holds {length} characters, {field.length} are needed")
    if not faults:
        return FieldReport(field.module, field.label, field.api_name, "present")
    where = f"Setup, Modules and Fields, {field.module}, {found.get('field_label', field.label)}"
    return FieldReport(
        field.module, field.label, field.api_name, "wrong", f"{'; '.join(faults)}. Change it in Zoho: {where}."
    )


def _module(zoho: ZohoCrm, module: str, fields: Sequence[CustomField]) -> Iterator[FieldReport]:
    before = zoho.fields(module)
    missing = [field for field in fields if examine(field, before).state == "refused"]
    errors: dict[str, VendorError] = {}
    for start in range(0, len(missing), _PER_CALL):
        part = missing[start : start + _PER_CALL]
        for field, result in zip(part, zoho.create_fields(module, [request_for(one) for one in part]), strict=True):
            if result.error is not None and result.error.verdict is Verdict.FATAL:
                raise result.error
            if result.error is not None and result.error.code != "DUPLICATE_DATA":
                errors[field.api_name] = result.error
    known = zoho.fields(module) if missing else before
    made = {field.api_name for field in missing}
    for field in fields:
        report = examine(field, known)
        if report.state == "present" and field.api_name in made:
            yield FieldReport(module, field.label, field.api_name, "created")
        elif report.state == "refused" and field.api_name in errors:
            error = errors[field.api_name]
            note = f"{error.code}: {error.text} {error.advice}".strip()
            # The edition is full: what only refines the sync may be left out.
            full = field.optional and error.code == "LICENSE_LIMIT_EXCEEDED"
            yield FieldReport(module, field.label, field.api_name, "skipped" if full else "refused", note)
        else:
            yield report


def request_for(field: CustomField) -> Row:
    """The field, described as Zoho wants a new one described."""
    body: dict[str, object] = {"field_label": field.label, "data_type": field.type}
    if field.length is not None:
        body["length"] = field.length
    if field.decimals is not None:
        body["decimal_place"] = field.decimals
    if field.unique:
        body["unique"] = {"case_sensitive": False}
    return body


def _compatible(wanted: str, found: str) -> bool:
    """Zoho shows some types under another name than they are created with."""
    return {wanted, found} <= {"double", "currency", "decimal"} or {wanted, found} <= {"integer", "bigint"}


def _other_name(field: CustomField, known: Sequence[Row]) -> str:
    """Why a field that was asked for is not there: most often its label was taken, so Zoho gave another API name."""
    same = [row for row in known if str(row.get("field_label", "")).casefold() == field.label.casefold()]
    if same:
        return (
            f"a field labelled '{field.label}' is there under the API name {same[0].get('api_name')}: "
            f"rename that one in Zoho, or give it the API name {field.api_name}, and run this again."
        )
    return f"Zoho does not show it: create a field '{field.label}' by hand, or run this again."
