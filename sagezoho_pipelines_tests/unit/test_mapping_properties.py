"""What holds of the shipped mappings for every record that the vendors' own field lists allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sagezoho_pipelines.config import FLOWS
from sagezoho_pipelines.domain.digest import canonical_json
from sagezoho_pipelines.domain.mapping import FieldRule, TargetMapping
from sagezoho_pipelines.domain.mapping_files import parse
from sagezoho_pipelines.domain.metadata import FieldInfo, Fields, Kind, found
from sagezoho_pipelines.domain.reconcile import same
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.widths import cut
from sagezoho_pipelines.engine.mapped.descriptions import zoho_field
from sagezoho_pipelines.engine.mapped.ends import ENDS, Ends, Entity
from sagezoho_pipelines.engine.mapped.inference import paths
from sagezoho_pipelines.mappings import custom_fields, default_mapping
from sagezoho_pipelines.sage300.metadata import read_metadata
from sagezoho_pipelines.sandbox.sage300.metadata import metadata
from sagezoho_pipelines.sandbox.zoho_crm.catalogue import build_modules
from sagezoho_pipelines.sandbox.zoho_crm.described import field_json

#: Functions by which a rule declares that its field holds a part of a text only.
DECLARED = ("shorten(", "address_line(", "first_name(", "last_name(", "first_address(", "date(")
CONFIGURED = ("group", "terms", "tax_group", "currency", "location")

#: What the way back reads besides the record itself.
_BESIDES: Row = {"config": dict.fromkeys(CONFIGURED, "X"), "customer": {"number": "1"}}

every_target = pytest.mark.parametrize("ends", ENDS, ids=str)
examples = settings(max_examples=25, deadline=None)


def rules_of(ends: Ends) -> TargetMapping:
    return default_mapping(ends.flow)[ends.target]


def test_every_shipped_target_is_among_these() -> None:
    shipped = {f"{flow}.{target}" for flow in FLOWS for target in default_mapping(flow).targets}
    assert shipped == {str(ends) for ends in ENDS}


@every_target
@examples
@given(data=st.data())
def test_a_mapping_is_total(ends: Ends, data: st.DataObject) -> None:
    applied = rules_of(ends).apply(data.draw(documents(ends)))
    assert list(applied) == [rule.target for rule in rules_of(ends).rules]
    assert "" not in applied.values()


@every_target
@examples
@given(data=st.data())
def test_a_mapping_is_deterministic(ends: Ends, data: st.DataObject) -> None:
    document = data.draw(documents(ends))
    shuffled = dict(data.draw(st.permutations(sorted(document.items()))))
    once, again = rules_of(ends).apply(document), _read_anew(ends.flow)[ends.target].apply(shuffled)
    assert canonical_json(once) == canonical_json(again)


@every_target
@examples
@given(data=st.data())
def test_no_text_is_cut_unless_the_rule_declares_it(ends: Ends, data: st.DataObject) -> None:
    """Every text of the source begins and ends with signs of its own: a field that has one of a pair has both."""
    strategy, pairs = marked(ends)
    document = data.draw(strategy)
    for rule in rules_of(ends).rules:
        result = rule.value(document)
        if isinstance(result, str) and not any(name in rule.expression for name in DECLARED):
            cut = [pair for pair in pairs if (pair[0] in result) != (pair[1] in result)]
            assert not cut, f"{rule.target}: {rule.expression} gives {result!r}"


@examples
@given(name=st.text(st.characters(exclude_categories=["C"]), max_size=60))
def test_first_and_last_name_together_are_the_whole_name(name: str) -> None:
    contact = default_mapping("vendors")["contacts"].apply({"ContactName": name})
    if name.strip():
        parts = (contact["First_Name"], contact["Last_Name"])
        assert " ".join(part for part in parts if part).split() == name.split()


@every_target
@examples
@given(data=st.data())
def test_numbers_are_exact_to_the_digit(ends: Ends, data: st.DataObject) -> None:
    document = data.draw(documents(ends))
    for rule in rules_of(ends).rules:
        result = rule.value(document)
        assert not isinstance(result, float)
        if rule.expression == f"decimal({rule.sources[0] if rule.sources else ''})":
            source = _at(document, rule.sources[0])
            assert result == (None if source is None else Decimal(str(source)))
        elif isinstance(result, Decimal):
            values = [_at(document, path) for path in rule.sources]
            held = [Decimal(str(value)) for value in values if isinstance(value, int | Decimal)]
            differences = [one - other for one in held for other in held]
            assert result in [*held, *differences, 1]


def two_way() -> Iterator[tuple[Ends, Ends]]:
    """Pairs of targets that carry the same records both ways: from Sage to Zoho, and back."""
    for there in ENDS:
        for back in ENDS:
            if there.source == back.into and back.source == there.into and there.source.system is System.SAGE300:
                yield there, back


@pytest.mark.parametrize(("there", "back"), list(two_way()), ids=lambda ends: str(ends))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_two_way_field_survives_the_way_there_and_back(there: Ends, back: Ends, data: st.DataObject) -> None:
    """Whatever Sage holds: carried to Zoho, back, and to Zoho again, Zoho has what it had.

    Both ways are compared in Zoho's fields, as the engine compares them. An address may lose runs of blanks.
    """
    sage = data.draw(documents(there))
    zoho = rules_of(there).apply(sage)
    returned = rules_of(back).lasting(rules_of(back).apply({**_BESIDES, **zoho}))
    stored = {name: "" if value is None else value for name, value in returned.items()}
    again = rules_of(there).apply({**sage, **stored})
    wrapped = _sources_of(rule for rule in rules_of(back).rules if "address_line(" in rule.expression)
    carried = _sources_of(rule for rule in rules_of(back).rules if not rule.create_only) & set(zoho)
    assert carried
    for name in carried:
        before, after = zoho[name], again[name]
        if name in wrapped:
            before, after = _without_runs(before), _without_runs(after)
        assert same(before, after), name


def test_there_are_pairs_to_carry_both_ways() -> None:
    assert {(str(there), str(back)) for there, back in two_way()} == {
        ("vendors.accounts", "identity.vendors"),
        ("identity.accounts", "customers.customers"),
    }


# Records as the vendors' own field lists allow them


def documents(ends: Ends) -> SearchStrategy[dict[str, Any]]:
    """What the target's expressions may see."""
    return _documents(str(ends), marked=False)[0]


def marked(ends: Ends) -> tuple[SearchStrategy[dict[str, Any]], list[tuple[str, str]]]:
    """The same with every text marked at both ends, and the pairs of signs it is marked with."""
    return _documents(str(ends), marked=True)


@cache
def _documents(name: str, *, marked: bool) -> tuple[SearchStrategy[dict[str, Any]], list[tuple[str, str]]]:
    [ends] = [one for one in ENDS if str(one) == name]
    pairs: list[tuple[str, str]] = []
    marks = _Marks(pairs if marked else None)
    read: dict[str, set[str]] = {}
    for rule in rules_of(ends).rules:
        for path in paths(rule.compiled.parsed):
            first, _, rest = path.partition(".")
            read.setdefault(first, set()).add(rest)
    fields = {one: _value_at(ends, one, rests, marks) for one, rests in sorted(read.items())}
    return st.fixed_dictionaries(fields), pairs


def _value_at(ends: Ends, name: str, rests: set[str], marks: _Marks) -> SearchStrategy[Any]:
    if name == "config":
        return st.fixed_dictionaries({one: st.text("ABC12", min_size=1, max_size=6) for one in CONFIGURED})
    named = ends.names.get(name)
    if isinstance(named, FieldInfo):
        return _value(named, ends.source.system, marks)
    if named is None:
        info = found(_fields(ends.source), name)
        assert info is not None, f"{ends} reads {name}"
        if info.kind is Kind.ROWS:
            info = replace(info, rows={rest: one for rest in sorted(rests) if (one := info.rows.get(rest))})
        return _value(info, ends.source.system, marks)
    fields = named if isinstance(named, Mapping) else _fields(named)
    system = named.system if isinstance(named, Entity) else System.ZOHO_CRM
    inner = {one: _value(info, system, marks) for one in sorted(rests) if one and (info := found(fields, one))}
    return st.fixed_dictionaries({}, optional=inner) | st.fixed_dictionaries(inner)


class _Marks:
    """Signs from the private use area, which no record holds: two of its own for each text."""

    def __init__(self, pairs: list[tuple[str, str]] | None) -> None:
        self._pairs = pairs
        self._next = count(0xE000, 2)

    def text(self, length: int, system: System) -> SearchStrategy[str]:
        """Sage's fields hold one line each; Zoho's may hold several."""
        lines = "\n\t" if system is System.ZOHO_CRM else ""
        signs = st.characters(exclude_categories=["C", "Zl", "Zp"], include_characters=lines)
        if self._pairs is None:
            return st.text(signs, max_size=length).map(lambda text: cut(text, length))
        at = next(self._next)
        first, last = chr(at), chr(at + 1)
        self._pairs.append((first, last))
        within = max(0, length - 2)
        return st.text(signs, max_size=within).map(lambda inner: f"{first}{cut(inner, within)}{last}")


def _value(info: FieldInfo, system: System, marks: _Marks) -> SearchStrategy[Any]:
    found = _present(info, system, marks)
    if system is System.SAGE300:
        return found if info.kind is not Kind.DATE else st.none() | found
    return st.none() | found


def _present(info: FieldInfo, system: System, marks: _Marks) -> SearchStrategy[Any]:
    day = st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(date.isoformat)
    match info.kind:
        case Kind.CHOICE if info.closed or not info.length:
            return st.sampled_from(info.values or ("",))
        case Kind.TEXT | Kind.CHOICE:
            texts = marks.text(min(info.length or 255, 300), system)
            return texts.map(str.rstrip) if system is System.SAGE300 else texts
        case Kind.NUMBER if "Int" in info.type or info.type == "integer":
            return st.integers(-(2**31), 2**31 - 1)
        case Kind.NUMBER:
            return st.decimals(-(10**15), 10**15, allow_nan=False, places=5)
        case Kind.DATE:
            return day.map(lambda text: f"{text}T00:00:00Z") if system is System.SAGE300 else day
        case Kind.INSTANT:
            return day.map(lambda text: f"{text}T23:30:00+05:30")
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.RECORD:
            return st.fixed_dictionaries({"id": st.from_regex(r"[1-9][0-9]{17,18}", fullmatch=True)})
        case Kind.ROWS:
            rows = st.fixed_dictionaries({name: _value(one, system, marks) for name, one in info.rows.items()})
            return st.lists(rows, max_size=2)
    return st.none()


@cache
def _fields(entity: Entity) -> Fields:
    if entity.system is System.SAGE300:
        module = entity.name.partition("/")[0]
        whole = read_metadata(metadata(module)).fields(entity.name)
        rows = found(whole, entity.rows) if entity.rows else None
        return rows.rows if rows is not None else whole
    return _zoho_modules()[entity.name]


@cache
def _zoho_modules() -> dict[str, Fields]:
    ids = count(1)
    modules = build_modules(lambda: next(ids))
    described: dict[str, dict[str, FieldInfo]] = {
        name: {one: zoho_field(field_json(held, modules, [])) for one, held in module.fields.items()}
        for name, module in modules.items()
    }
    for name in described:
        described[name]["id"] = FieldInfo("id", "id", Kind.TEXT, 20)
    for field in custom_fields():
        row = {"api_name": field.api_name, "data_type": field.type, "length": field.length}
        described[field.module][field.api_name] = zoho_field(row)
    return dict(described)


@cache
def _read_anew(flow: str) -> Any:
    from importlib import resources

    text = resources.files("sagezoho_pipelines.mappings").joinpath(f"{flow}.yaml").read_text(encoding="utf-8")
    return parse(text, f"{flow}.yaml")


def _sources_of(rules: Iterator[FieldRule]) -> set[str]:
    return {path for rule in rules for path in rule.sources}


def _at(document: Row, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _without_runs(value: Any) -> Any:
    return "\n".join(" ".join(line.split()) for line in value.splitlines()) if isinstance(value, str) else value
