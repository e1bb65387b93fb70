"""The mappings of one connection: as shipped, replaced by files, and with every override laid over them in turn.

| laid over one another, the last wins | holds |
|---|---|
| `mappings/FLOW.yaml` of the product | the shipped mapping |
| `DIR/FLOW.yaml`, or rather `DIR/CONNECTION/FLOW.yaml` | a whole mapping instead of the shipped one |
| `DIR/FLOW.override.yaml` | changes for all connections |
| `mappings.FLOW` in sagezoho.yaml | changes for all connections |
| `DIR/CONNECTION/FLOW.override.yaml` | changes for one connection |
| `connections.CONNECTION.mappings.FLOW` in sagezoho.yaml | changes for one connection |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sagezoho_pipelines.config import FLOWS, MappingOverrides, Settings
from sagezoho_pipelines.domain import value_maps
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.mapping import REPLACED, FlowMapping
from sagezoho_pipelines.domain.mapping_files import Override, overridden, parse, parse_override
from sagezoho_pipelines.domain.value_maps import ValueMap
from sagezoho_pipelines.mappings import default_mapping
from sagezoho_pipelines.mappings.needed import require_needed


def load_mappings(settings: Settings, connection: str, home: Path) -> Mapping[str, FlowMapping]:
    """Each flow's mapping in one connection; file names are relative to `home`, where sagezoho.yaml is.

    Raises ConfigurationError naming file, line and key.
    """
    loader = _Loader(settings, connection, home)
    return {flow: loader.mapping(flow) for flow in FLOWS}


class _Loader:
    def __init__(self, settings: Settings, connection: str, home: Path) -> None:
        self._settings = settings
        self._connection = connection
        self._home = home
        self._directory = self._existing_directory()
        self._value_maps = self._read_value_maps()

    def mapping(self, flow: str) -> FlowMapping:
        mapping = self._whole(flow)
        dropped_by: dict[tuple[str, str], str] = {}
        for override in self._overrides(flow):
            mapping = overridden(mapping, override, self._value_maps)
            for target, fields in override.targets.items():
                dropped_by |= {(target, name): str(override.place(target, name)) for name in fields}
        require_needed(mapping, default_mapping(flow), dropped_by)
        return mapping

    def _whole(self, flow: str) -> FlowMapping:
        """A replacement must fill the targets that the flow writes: the engine looks each of them up by name."""
        path = self._first_file(f"{self._connection}/{flow}.yaml", f"{flow}.yaml")
        if path is None:
            return default_mapping(flow)
        found = parse(_text(path), str(path), value_maps=self._value_maps, layer=REPLACED)
        if found.flow != flow:
            raise ConfigurationError(f"{path}: the file says 'flow: {found.flow}', but its name says {flow}")
        missing = sorted(set(default_mapping(flow).targets) - set(found.targets))
        if missing:
            raise ConfigurationError(f"{path}: the target {missing[0]!r} is missing; copy it from the shipped mapping")
        return found

    def _overrides(self, flow: str) -> Iterator[Override]:
        own = self._settings.connection(self._connection).mappings
        yield from self._from_file(f"{flow}.override.yaml")
        yield self._from_settings(self._settings.mappings, flow, ("mappings",))
        yield from self._from_file(f"{self._connection}/{flow}.override.yaml")
        yield self._from_settings(own, flow, ("connections", self._connection, "mappings"))

    def _from_settings(self, given: MappingOverrides, flow: str, path: tuple[str, ...]) -> Override:
        return Override(getattr(given, flow), self._settings.source, (*path, flow))

    def _from_file(self, name: str) -> Iterator[Override]:
        path = self._first_file(name)
        if path is not None:
            yield parse_override(_text(path), str(path))

    def _first_file(self, *names: str) -> Path | None:
        if self._directory is None:
            return None
        paths = (self._directory / name for name in names)
        return next((path for path in paths if path.is_file()), None)

    def _existing_directory(self) -> Path | None:
        given = self._settings.mappings.directory
        if not given:
            return None
        directory = self._home / given
        if not directory.is_dir():
            raise ConfigurationError(f"mappings: there is no directory {directory}. Create it, or remove the key.")
        return directory

    def _read_value_maps(self) -> dict[str, ValueMap]:
        """Those of the whole file, and in their place those of the connection."""
        own = self._settings.connection(self._connection).value_maps
        declared = [
            *(((("value_maps", name)), file) for name, file in self._settings.value_maps.items()),
            *((("connections", self._connection, "value_maps", name), file) for name, file in own.items()),
        ]
        found: dict[str, ValueMap] = {}
        for path, file in declared:
            where = self._settings.source.where(path)
            found[path[-1]] = value_maps.read(_text(self._home / file, where), path[-1], str(self._home / file))
        return found


def _text(path: Path, where: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{where or path}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None
