"""What a materialization shows: figures, window, samples, cost, and which source column fills which target column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from sagezoho_pipelines.defs.flow_table import Capture, Columns, Target
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.domain.mapping import FieldRule, FlowMapping
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.tally import SAMPLE_ROWS, Sample, Tally

Metadata = dict[str, dg.MetadataValue]

#: Names under which the command reads a run's result back: see `cli/runs.py`.
NOTES = "notes"
CALLS = {"sage300": "sage300_calls", "zoho_crm": "zoho_crm_calls"}
CREDITS_USED = "zoho_credits_used"
CREDITS_LEFT = "zoho_credits_left"

_SAMPLE_SCHEMA = dg.TableSchema(
    columns=[dg.TableColumn(name) for name in ("source", "target", "name", "outcome", "note")]
)
_ARRIVED = (Outcome.CREATED, Outcome.UPDATED, Outcome.NOOP)
_TYPES = {"decimal(": "decimal", "date(": "date", "{id:": "lookup", "minus(": "decimal"}


@dataclass(frozen=True, slots=True)
class Meter:
    """What the run had cost before a step; steps of one run share their clients."""

    sage: int
    zoho: int
    credits: int

    @classmethod
    def read(cls, ctx: Context) -> Meter:
        return cls(ctx.sage.usage.calls, ctx.zoho.usage.calls, ctx.zoho.usage.credits)

    def cost(self, ctx: Context) -> Metadata:
        now = Meter.read(ctx)
        cost: Metadata = {
            CALLS["sage300"]: dg.MetadataValue.int(now.sage - self.sage),
            CALLS["zoho_crm"]: dg.MetadataValue.int(now.zoho - self.zoho),
            CREDITS_USED: dg.MetadataValue.int(now.credits - self.credits),
        }
        return cost | _credits_left(ctx.zoho.usage)


def of_capture(ctx: Context, tally: Tally, before: Meter) -> Metadata:
    """A capture's figures, and how far it read."""
    metadata = _figures(tally) | before.cost(ctx)
    for read in tally.reads.values():
        metadata["window"] = dg.MetadataValue.text(", then ".join(read.windows))
        metadata["watermark_before"] = dg.MetadataValue.json(read.watermark_before)
        metadata["watermark_after"] = dg.MetadataValue.json(read.watermark_after)
    metadata["dagster/row_count"] = dg.MetadataValue.int(tally.captured)
    return metadata | _notes(tally) | audit_pointer(ctx)


def of_delivery(ctx: Context, tally: Tally, before: Meter, mapping: FlowMapping) -> Metadata:
    """A delivery's figures by outcome and a sample of what moved."""
    metadata = _figures(tally) | before.cost(ctx)
    metadata["dagster/row_count"] = dg.MetadataValue.int(sum(tally.count(outcome) for outcome in _ARRIVED))
    metadata["mapping"] = dg.MetadataValue.text(mapping.fingerprint)
    if tally.samples:
        metadata["sample"] = _samples(tally.samples)
    return metadata | _notes(tally) | audit_pointer(ctx)


def of_companion(ctx: Context, tally: Tally, target: Target, mapping: FlowMapping) -> Metadata:
    """What became of the records of a target that is delivered together with another one, whose figures count."""
    figures = tally.of_target(target.entity)
    metadata: Metadata = {name: dg.MetadataValue.int(count) for name, count in figures.items()}
    metadata["dagster/row_count"] = dg.MetadataValue.int(sum(figures[str(outcome)] for outcome in _ARRIVED))
    metadata["mapping"] = dg.MetadataValue.text(mapping.fingerprint)
    return metadata | audit_pointer(ctx)


def so_far(ctx: Context, tally: Tally, before: Meter) -> Metadata:
    """What a step had done when it failed."""
    return _figures(tally) | before.cost(ctx) | _notes(tally) | audit_pointer(ctx)


def parted(metadata: Metadata) -> tuple[Metadata, Metadata]:
    """The figures, and the rest: Dagster writes one event for each day of a range, and only the newest has it all."""
    short = (dg.IntMetadataValue, dg.TextMetadataValue)
    figures: Metadata = {name: value for name, value in metadata.items() if isinstance(value, short)}
    return figures, {name: value for name, value in metadata.items() if name not in figures}


def audit_pointer(ctx: Context) -> Metadata:
    return {"audit": dg.MetadataValue.text(f"sagezoho audit export --run {ctx.run_id}")}


def columns_read(capture: Capture, mapping: FlowMapping) -> dg.TableSchema:
    """The source fields that the mapping reads of a feed's records."""
    return dg.TableSchema(columns=[dg.TableColumn(name, "text") for name in mapping.source_fields(*capture.reads)])


def schema_of(target: Target, mapping: FlowMapping) -> dg.TableSchema:
    """The fields that the mapping fills, each described by its expression."""
    columns: dict[str, dg.TableColumn] = {}
    for part in target.columns:
        for rule in mapping[part.mapping].rules:
            name = _inside(part.into, rule.target)
            columns.setdefault(name, dg.TableColumn(name, _type_of(rule), description=rule.expression))
    return dg.TableSchema(columns=list(columns.values()))


def lineage_of(graph: Graph, target: Target, mapping: FlowMapping) -> dg.TableColumnLineage:
    """Target field -> the source fields it is made from, on the assets they are read from."""
    found: dict[str, dict[tuple[str, str], dg.TableColumnDep]] = {}
    for part in target.columns:
        for rule in mapping[part.mapping].rules:
            deps = found.setdefault(_inside(part.into, rule.target), {})
            for dep in _deps(graph, part, rule.sources, mapping.context):
                deps.setdefault((dep.asset_key.to_user_string(), dep.column_name), dep)
    return dg.TableColumnLineage({name: list(deps.values()) for name, deps in found.items() if deps})


def _deps(graph: Graph, part: Columns, sources: Iterable[str], context: frozenset[str]) -> Iterable[dg.TableColumnDep]:
    for source in sources:
        root, _, rest = source.partition(".")
        if root not in context:
            name, column = part.source, _inside(part.out_of, source)
        elif root in part.context and rest:
            name, column = part.context[root], rest
        else:
            continue
        for key in graph.keys([name]):
            yield dg.TableColumnDep(asset_key=key, column_name=column)


def _inside(subform: str, column: str) -> str:
    return f"{subform}.{column}" if subform else column


def _type_of(rule: FieldRule) -> str:
    return next((kind for start, kind in _TYPES.items() if rule.expression.startswith(start)), "text")


def _figures(tally: Tally) -> Metadata:
    return {name: dg.MetadataValue.int(count) for name, count in tally.figures().items()}


def _credits_left(usage: Usage) -> Metadata:
    """Zoho tells what is left only once half of the allowance is used."""
    if usage.credits_remaining is None:
        return {}
    return {CREDITS_LEFT: dg.MetadataValue.int(usage.credits_remaining)}


def _notes(tally: Tally) -> Metadata:
    return {NOTES: dg.MetadataValue.json(list(tally.notes))} if tally.notes else {}


def _samples(samples: Sequence[Sample]) -> dg.TableMetadataValue:
    rows: list[Mapping[str, str]] = [
        {"source": s.source, "target": s.target, "name": s.name, "outcome": s.outcome, "note": s.note}
        for s in samples[:SAMPLE_ROWS]
    ]
    return dg.MetadataValue.table(records=[dg.TableRecord(dict(row)) for row in rows], schema=_SAMPLE_SCHEMA)
