"""What `sagezoho check` finds out through the ports: modules, fields, stages, and codes that must exist in Sage.

Each finding says what was seen and, where something is missing, the remedy. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import SagezohoError, VendorError, Verdict
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine import sage_codes as codes
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import customers
from sagezoho_pipelines.engine.flows.orders import flow as orders
from sagezoho_pipelines.engine.flows.orders import stages as order_stages
from sagezoho_pipelines.engine.flows.orders import subform as order_subform
from sagezoho_pipelines.engine.mapped.lint import Level, lint
from sagezoho_pipelines.engine.pairing import pairs
from sagezoho_pipelines.engine.sage_codes import CodeSet
from sagezoho_pipelines.engine.setup import examine
from sagezoho_pipelines.engine.zoho_modules import CURRENCY, offered, written_fields
from sagezoho_pipelines.mappings import custom_fields


class Status(StrEnum):
    """`note`: worth knowing, and the flows that can run do run. `missing`: nothing works until it is mended."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    area: str
    name: str
    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Code:
    """A code in sagezoho.yaml and the Sage set that must know it."""

    key: str
    value: str
    codes: CodeSet


def sage_codes(ctx: Context) -> Iterator[Finding]:
    """Every code that sagezoho.yaml names, asked for in Sage. What this release does not offer is said, not guessed."""
    for code in _codes(ctx):
        yield _guarded("Codes", code.key, partial(_code, ctx, code))


def zoho_modules(ctx: Context) -> Iterator[Finding]:
    """The modules each flow needs, and in them the fields that mappings read and write."""
    there = offered(ctx.zoho)
    for module, needed_by in _modules(ctx).items():
        if module in there:
            yield _guarded("Zoho CRM", module, partial(_fields, ctx, module))
        elif module in ("Invoices", "Quotes", "Products"):
            yield Finding(
                "Zoho CRM", module, Status.NOTE,
                f"this edition offers no {module} module (Professional or higher does): {needed_by} will rest",
            )  # fmt: skip
        else:
            yield Finding(
                "Zoho CRM", module, Status.MISSING, f"the {module} module cannot be reached",
                "Switch the module on in Zoho's Setup, and let the user's profile see it.",
            )  # fmt: skip


def zoho_stages(ctx: Context) -> Iterator[Finding]:
    """Which deals become orders, and which quotes give their lines."""

    def deals() -> Finding:
        stages = order_stages.qualifying(ctx)
        return Finding("Zoho CRM", "stages", Status.OK, f"deals become orders at: {', '.join(stages)}")

    yield _guarded("Zoho CRM", "stages", deals)
    subform = ctx.settings.flows.orders.subform
    if subform is not None and "subform" in ctx.settings.flows.orders.lines:

        def lines() -> Finding:
            order_subform.require(ctx)
            return Finding("Zoho CRM", "subform", Status.OK, f"order lines are read from the deal's {subform.field}")

        yield _guarded("Zoho CRM", "subform", lines)


def mappings_that_do_not_fit(ctx: Context) -> Iterator[Finding]:
    """The errors of `sagezoho mapping lint`, in short: one finding for each flow that has any.

    A system that does not describe itself is told of by the other questions.
    """
    try:
        errors = [one for one in lint(ctx) if one.level is Level.ERROR]
    except VendorError:
        return
    for flow in dict.fromkeys(one.flow for one in errors):
        mine = [one for one in errors if one.flow == flow]
        more = f" (and {len(mine) - 1} more)" if len(mine) > 1 else ""
        yield Finding(
            "Mapping", flow, Status.MISSING, f"{mine[0]}{more}",
            f"'sagezoho mapping lint --connection {ctx.connection}' names every field and its remedy.",
        )  # fmt: skip


def _codes(ctx: Context) -> list[_Code]:
    flows = ctx.settings.flows
    found = []
    if flows.customers.enabled:
        wanted = flows.customers
        found += [
            _Code("flows.customers.group", wanted.group, codes.CUSTOMER_GROUPS),
            _Code("flows.customers.terms", wanted.terms, codes.CUSTOMER_TERMS),
            _Code("flows.customers.tax_group", wanted.tax_group, codes.SALES_TAXES),
            _Code("flows.customers.currency", wanted.currency, codes.CURRENCIES),
        ]
    if flows.orders.enabled:
        amount = flows.orders.amount
        if "amount" in flows.orders.lines and amount.kind == "item":
            found.append(_Code("flows.orders.amount.code", amount.code, codes.ITEMS))
        elif "amount" in flows.orders.lines:
            found.append(_Code("flows.orders.amount.code", amount.code, codes.CHARGES))
        found.append(_Code("flows.orders.location", flows.orders.location, codes.LOCATIONS))
    return found


def _code(ctx: Context, code: _Code) -> Finding:
    entity_set = code.codes.entity_set
    value = code.value.replace("-", "") if code.codes is codes.ITEMS else code.value
    answer = codes.ask(ctx.sage, code.codes, value)
    if answer is None:
        return Finding(
            "Codes", code.key, Status.NOTE,
            f"{code.value} could not be looked up: this Web API does not offer {entity_set}",
            "See in Sage 300 that the code exists; an order that names a wrong one is refused with Sage's own words.",
        )  # fmt: skip
    if answer.exists:
        return Finding("Codes", code.key, Status.OK, f"{code.value} exists in {entity_set}")
    return Finding(
        "Codes", code.key, Status.MISSING,
        f"{code.value!r} does not exist in {entity_set} of company {ctx.settings.sage300.company}",
        f"Set {code.key} of connection {ctx.connection} in sagezoho.yaml to a code this company has"
        f"{_some(ctx, code.codes, answer.column)}.",
    )  # fmt: skip


def _some(ctx: Context, known: CodeSet, column: str) -> str:
    rows = ctx.sage.find(
        known.entity_set, where=[where(name, "eq", text) for name, text in known.extra], select=[column], limit=8
    )
    values = sorted({str(row.get(column) or "").strip() for row in rows} - {""})
    return f", e.g. {', '.join(values)}" if values else ""


def _modules(ctx: Context) -> dict[str, str]:
    """Module -> who needs it, in words."""
    flows = ctx.settings.flows
    needed: dict[str, str] = {}
    if flows.vendors.enabled:
        needed |= {"Accounts": "the vendors flow", "Contacts": "the vendors flow"}
    if flows.customers.enabled or flows.orders.enabled:
        needed |= {"Accounts": "the customers flow", "Deals": "the orders flow"}
    if flows.orders.enabled and "quote" in flows.orders.lines:
        needed |= {"Quotes": "order lines from quotes"}
    if flows.invoices.enabled:
        needed |= {"Products": "the invoices flow", "Invoices": "the invoices flow"}
    return needed


def _wanted_fields(ctx: Context, module: str) -> set[str]:
    mappings = ctx.mappings
    by_module: dict[str, Sequence[str]] = {
        "Accounts": [
            *written_fields(mappings["vendors"]["accounts"]), *customers.account_fields(ctx),
            *(pairs.zoho_fields(ctx, pairs.CUSTOMERS) if pairs.enabled(ctx, pairs.CUSTOMERS) else ()),
        ],
        "Contacts": written_fields(mappings["vendors"]["contacts"]),
        "Deals": orders.deal_fields(ctx),
        "Products": written_fields(mappings["invoices"]["products"]),
        "Invoices": [
            *written_fields(mappings["invoices"]["invoices"]), *written_fields(mappings["invoices"]["payments"]),
        ],
    }  # fmt: skip
    return set(by_module.get(module, ()))


def _fields(ctx: Context, module: str) -> Finding:
    rows: list[Row] = ctx.zoho.fields(module)
    known = {str(row["api_name"]) for row in rows}
    ours = [field for field in custom_fields() if field.module == module]
    own = {field.api_name for field in ours}
    wanted = _wanted_fields(ctx, module) - {CURRENCY}
    absent = sorted((own | wanted) - known - {"id"})  # every record has an id, and no field list names it
    optional = {field.api_name for field in ours if field.optional}
    to_create = [name for name in absent if name in own - optional]
    unknown = [name for name in absent if name not in own]
    wrong = [report for report in (examine(field, rows) for field in ours) if report.state == "wrong"]
    if unknown:
        return Finding(
            "Zoho CRM", module, Status.MISSING, f"the module has no field {', '.join(unknown)}, which a mapping uses",
            "Correct the mapping, or let the user's profile see the field.",
        )  # fmt: skip
    if to_create:
        return Finding(
            "Zoho CRM", module, Status.MISSING, f"{len(to_create)} custom field(s) are missing: {_few(to_create)}",
            f"Run 'sagezoho setup --connection {ctx.connection}'.",
        )  # fmt: skip
    if wrong:
        faults = " ".join(f"{report.api_name}: {report.note}" for report in wrong)
        return Finding("Zoho CRM", module, Status.MISSING, "a custom field is not what it must be", faults)
    if absent:
        return Finding(
            "Zoho CRM", module, Status.NOTE, f"the sync does without {len(absent)} optional field(s): {_few(absent)}",
            f"Where Zoho's edition has room for them, run 'sagezoho setup --connection {ctx.connection}'.",
        )  # fmt: skip
    return Finding("Zoho CRM", module, Status.OK, f"{len(wanted | own)} fields found" if wanted else "open to the API")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _guarded(area: str, name: str, ask: Callable[[], Finding]) -> Finding:
    """A question that cannot be answered is a finding too, unless it concerns the whole connection."""
    try:
        return ask()
    except VendorError as error:
        if error.verdict is Verdict.FATAL and error.code in ("Unauthorized", "invalid_code", "INVALID_TOKEN"):
            raise
        return Finding(area, name, Status.MISSING, f"{error.code}: {error.text}", error.advice)
    except SagezohoError as error:
        return Finding(area, name, Status.MISSING, str(error), "Correct sagezoho.yaml.")
