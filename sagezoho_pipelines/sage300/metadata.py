"""A small reader of `$metadata`: which sets, keys and properties this installation really has.

Details are complex types inside collection properties, so a property may be asked for as `OrderDetails.Item`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sagezoho_pipelines.domain.metadata import FieldInfo, Kind

_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "Edm.String": Kind.TEXT,
        "Edm.Int16": Kind.NUMBER,
        "Edm.Int32": Kind.NUMBER,
        "Edm.Int64": Kind.NUMBER,
        "Edm.Decimal": Kind.NUMBER,
        "Edm.Double": Kind.NUMBER,
        "Edm.DateTimeOffset": Kind.DATE,
        "Edm.Date": Kind.DATE,
        "Edm.Boolean": Kind.BOOLEAN,
    }
)


@dataclass(frozen=True, slots=True)
class Property:
    """One property as the document has it; `collection` holds rows of `type`."""

    type: str
    length: int | None = None
    collection: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """Entity sets by name (`APVendors`), and what their types hold. `enums` are the members of each enumeration."""

    sets: Mapping[str, str]
    properties: Mapping[str, Mapping[str, Property]]  # type name -> property name -> property
    keys: Mapping[str, tuple[str, ...]]
    enums: Mapping[str, tuple[str, ...]]

    def missing(self, entity_set: str, names: Iterable[str]) -> list[str]:
        """Which of these properties the set does not have; dotted names reach into details. All, for an unknown set."""
        kind = self._type_of(entity_set)
        return sorted(name for name in names if not self._has(kind, name))

    def key_of(self, entity_set: str) -> tuple[str, ...]:
        return self.keys.get(self._type_of(entity_set), ())

    def fields(self, entity_set: str) -> dict[str, FieldInfo]:
        """Every property of the set, details with their rows; nothing for an unknown set."""
        return self._fields(self._type_of(entity_set), frozenset())

    def _type_of(self, entity_set: str) -> str:
        return self.sets.get(entity_set.rpartition("/")[2], "")

    def _has(self, kind: str, name: str) -> bool:
        first, _, rest = name.partition(".")
        inner = self.properties.get(kind, {}).get(first)
        if inner is None or not rest:
            return inner is not None
        # Which codes a company has among its optional fields is no matter of metadata.
        return self._has(inner.type, rest) or "OptionalField" in self.properties.get(inner.type, {})

    def _fields(self, kind: str, above: frozenset[str]) -> dict[str, FieldInfo]:
        return {
            name: self._info(name, one, above | {kind})
            for name, one in self.properties.get(kind, {}).items()
            if name != "UpdateOperation"
        }

    def _info(self, name: str, one: Property, above: frozenset[str]) -> FieldInfo:
        if one.collection:
            rows = {} if one.type in above else self._fields(one.type, above)
            return FieldInfo(name, f"Collection({one.type.rpartition('.')[2]})", Kind.ROWS, rows=rows)
        if one.type in self.enums:
            members = self.enums[one.type]
            return FieldInfo(name, "enumeration", Kind.CHOICE, values=members, closed=True)
        return FieldInfo(name, one.type, _KINDS.get(one.type, Kind.OTHER), one.length)


def read_metadata(xml: bytes) -> Metadata:
    """Read an EDMX document; ValueError when it is none. A document type, and with it any entity, is refused."""
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except ParseError as error:
        raise ValueError(f"not XML ({error})") from None
    except DefusedXmlException:
        raise ValueError("it declares a document type") from None
    sets: dict[str, str] = {}
    properties: dict[str, dict[str, Property]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    enums: dict[str, tuple[str, ...]] = {}
    for schema in _below(root, "Schema"):
        namespace = schema.get("Namespace", "")
        for kind in [*_children(schema, "EntityType"), *_children(schema, "ComplexType")]:
            name = f"{namespace}.{kind.get('Name', '')}"
            held = [*_children(kind, "Property"), *_children(kind, "NavigationProperty")]
            properties[name] = {one.get("Name", ""): _property(one) for one in held}
            keys[name] = tuple(one.get("Name", "") for one in _below(kind, "PropertyRef"))
        for kind in _children(schema, "EnumType"):
            members = tuple(one.get("Name", "") for one in _children(kind, "Member"))
            enums[f"{namespace}.{kind.get('Name', '')}"] = members
        sets |= {one.get("Name", ""): one.get("EntityType", "") for one in _below(schema, "EntitySet")}
    if not sets:
        raise ValueError("it names no entity set")
    return Metadata(sets, properties, keys, enums)


def _property(element: Element) -> Property:
    kind = element.get("Type", "")
    inner = kind.removeprefix("Collection(").removesuffix(")")
    length = element.get("MaxLength", "")
    return Property(inner, int(length) if length.isdigit() else None, inner != kind)


def _below(element: Element, tag: str) -> list[Element]:
    return [one for one in element.iter() if _local(one) == tag]


def _children(element: Element, tag: str) -> list[Element]:
    return [one for one in element if _local(one) == tag]


def _local(element: Element) -> str:
    """The tag without its namespace: releases of OData differ in theirs."""
    return str(element.tag).rpartition("}")[2]
