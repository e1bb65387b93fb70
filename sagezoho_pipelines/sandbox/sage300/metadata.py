"""`$metadata` (EDMX 4.0) and the service document of a module, made from the record types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from sagezoho_pipelines.sandbox.sage300.catalog import SETS, EntitySet, namespace
from sagezoho_pipelines.sandbox.sage300.schema import UPDATE_OPERATIONS, Field, RecordType, record_type

_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"


def module_sets(module: str) -> list[EntitySet]:
    return [entity for entity in SETS if entity.module == module]


def metadata(module: str, hidden: Iterable[str] = ()) -> bytes:
    """The module's EDMX: entity types with keys, detail rows as complex types inside collections, enumerations."""
    ET.register_namespace("edmx", _EDMX)
    ET.register_namespace("", _EDM)
    root = ET.Element(f"{{{_EDMX}}}Edmx", Version="4.0")
    services = ET.SubElement(root, f"{{{_EDMX}}}DataServices")
    models = ET.SubElement(services, f"{{{_EDM}}}Schema", Namespace=namespace(module))
    enums: dict[str, tuple[str, ...]] = {"UpdateOperationEnum": UPDATE_OPERATIONS}
    done: set[str] = set()
    for entity in (one.released(hidden) for one in module_sets(module)):
        element = ET.SubElement(models, f"{{{_EDM}}}EntityType", Name=entity.type_name.removeprefix(module))
        key = ET.SubElement(element, f"{{{_EDM}}}Key")
        for name in entity.key:
            ET.SubElement(key, f"{{{_EDM}}}PropertyRef", Name=name)
        _properties(element, module, entity.type, enums)
        for kind in _complex_types(entity.type):
            if kind.name not in done:
                done.add(kind.name)
                _properties(ET.SubElement(models, f"{{{_EDM}}}ComplexType", Name=kind.name), module, kind, enums)
    for name, members in sorted(enums.items()):
        element = ET.SubElement(models, f"{{{_EDM}}}EnumType", Name=name)
        for value, member in enumerate(members):
            ET.SubElement(element, f"{{{_EDM}}}Member", Name=member, Value=str(value))
    default = ET.SubElement(services, f"{{{_EDM}}}Schema", Namespace="Default")
    container = ET.SubElement(default, f"{{{_EDM}}}EntityContainer", Name="Container")
    for entity in module_sets(module):
        ET.SubElement(container, f"{{{_EDM}}}EntitySet", Name=entity.name, EntityType=entity.clr_type)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _complex_types(kind: RecordType) -> Iterator[RecordType]:
    for field in kind.collections:
        nested = record_type(field.collection)
        yield nested
        yield from _complex_types(nested)


def _properties(element: ET.Element, module: str, kind: RecordType, enums: dict[str, tuple[str, ...]]) -> None:
    for field in kind.fields.values():
        attributes = {"Name": field.name, "Type": _type(module, field, enums)}
        if field.kind == "S":
            attributes["MaxLength"] = str(field.size)
        elif field.kind == "N":
            attributes["Scale"] = str(field.size)
        if field.kind not in ("S", "D"):
            attributes["Nullable"] = "false"
        ET.SubElement(element, f"{{{_EDM}}}Property", attributes)
    closing = {"Name": "UpdateOperation", "Type": f"{namespace(module)}.UpdateOperationEnum", "Nullable": "false"}
    ET.SubElement(element, f"{{{_EDM}}}Property", closing)


def _type(module: str, field: Field, enums: dict[str, tuple[str, ...]]) -> str:
    if field.kind == "C":
        return f"Collection({namespace(module)}.{field.collection})"
    if field.kind != "E":
        return field.edm
    # Two sets may use one property name with different values; the second gets a number, as generated code does.
    name, at = f"{field.name}Enum", 1
    while enums.setdefault(name, field.members) != field.members:
        at += 1
        name = f"{field.name}Enum{at}"
    return f"{namespace(module)}.{name}"


def service_document(base: str, module: str) -> dict[str, object]:
    listed = [{"name": entity.name, "kind": "EntitySet", "url": entity.name} for entity in module_sets(module)]
    return {"@odata.context": f"{base}/$metadata", "value": listed}
