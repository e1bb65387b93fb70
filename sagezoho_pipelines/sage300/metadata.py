"""A small reader of `$metadata`: which sets, keys and properties this installation really has.

Details are complex types inside collection properties, so a property may be asked for as `OrderDetails.Item`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat


@dataclass(frozen=True, slots=True)
class Metadata:
    """Entity sets by name (`APVendors`), and what their types hold."""

    sets: Mapping[str, str]
    properties: Mapping[str, Mapping[str, str]]  # type name -> property -> type
    keys: Mapping[str, tuple[str, ...]]

    def missing(self, entity_set: str, names: Iterable[str]) -> list[str]:
        """Which of these properties the set does not have; dotted names reach into details. All, for an unknown set."""
        kind = self.sets.get(entity_set.rpartition("/")[2], "")
        return sorted(name for name in names if not self._has(kind, name))

    def key_of(self, entity_set: str) -> tuple[str, ...]:
        return self.keys.get(self.sets.get(entity_set.rpartition("/")[2], ""), ())

    def _has(self, kind: str, name: str) -> bool:
        first, _, rest = name.partition(".")
        inner = self.properties.get(kind, {}).get(first)
        return inner is not None and (not rest or self._has(inner, rest))


@dataclass(slots=True)
class _Reading:
    sets: dict[str, str] = field(default_factory=dict)
    properties: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    namespace: str = ""
    kind: str = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(" ")[2], attributes.get("Name", ""):
            case "Schema", _:
                self.namespace = attributes.get("Namespace", "")
            case "EntityType" | "ComplexType", name:
                self.kind = f"{self.namespace}.{name}"
                self.properties.setdefault(self.kind, {})
            case "PropertyRef", name:
                self.keys[self.kind] = (*self.keys.get(self.kind, ()), name)
            case "Property" | "NavigationProperty", name:
                kind = attributes.get("Type", "")
                self.properties.setdefault(self.kind, {})[name] = kind.removeprefix("Collection(").removesuffix(")")
            case "EntitySet", name:
                self.sets[name] = attributes.get("EntityType", "")


def read_metadata(xml: bytes) -> Metadata:
    """Read an EDMX document; ValueError when it is none. A document type, and with it any entity, is refused."""
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reading.start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML ({error})") from None
    if not reading.sets:
        raise ValueError("it names no entity set")
    return Metadata(reading.sets, reading.properties, reading.keys)


def _refuse_doctype(*_: object) -> None:
    raise ValueError("it declares a document type")
