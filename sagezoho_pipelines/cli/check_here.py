"""What `sagezoho check` asks of this installation: configuration, mappings, Postgres, master key, old channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import text

from sagezoho_pipelines import config
from sagezoho_pipelines.cli.errors import halves
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.channels import FLOW
from sagezoho_pipelines.engine.check import Finding, Status
from sagezoho_pipelines.wiring import Installation


def installation_findings(installation: Installation) -> Iterator[Finding]:
    def ask(name: str, question: Callable[[], str]) -> Finding:
        try:
            return Finding("Here", name, Status.OK, question())
        except SagezohoError as error:
            return Finding("Here", name, Status.MISSING, *halves(str(error)))

    path = config.config_path(installation.env)
    count = ask("configuration", lambda: f"{path}: {len(installation.settings.connections)} connection(s)")
    yield count
    if count.status is Status.OK:
        yield ask("mappings", lambda: _mappings(installation))
    postgres = ask("Postgres", lambda: _postgres(installation))
    yield postgres
    if postgres.status is not Status.OK:
        return
    key = ask("master key", lambda: _master_key(installation))
    yield key
    if count.status is Status.OK and key.status is Status.OK:
        yield from _left_channels(installation)


def _mappings(installation: Installation) -> str:
    """The mapping of each flow; by connection where they differ. Of a broken one its own connection tells."""
    broken = installation.broken
    told = {
        name: ", ".join(f"{flow} {mapping.fingerprint}" for flow, mapping in installation.mappings_of(name).items())
        for name in installation.settings.connections
        if name not in broken
    }
    if len(set(told.values())) == 1 and not broken:
        return next(iter(told.values()))
    return "; ".join(f"{name}: {text}" for name, text in told.items())


def _postgres(installation: Installation) -> str:
    with installation.database.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    kind = "" if installation.env.get("SAGEZOHO_POSTGRES_URL") else " (embedded)"
    return f"version {str(version).split()[0]}{kind}, database {installation.database.url.database}"


def _master_key(installation: Installation) -> str:
    key_id, _ = installation.vault.keys.current
    return f"{key_id} from {installation.vault.keys.source}"


def _left_channels(installation: Installation) -> Iterator[Finding]:
    """Channels of connections that are configured no more: Zoho calls in vain until they expire."""
    now = installation.clock()
    try:
        channels = installation.channels.read_all()
    except SagezohoError as error:
        yield Finding("Notifications", "channels", Status.MISSING, *halves(str(error)))
        return
    for channel in channels:
        if channel.connection in installation.settings.connections or (
            channel.expires_at and channel.expires_at <= now
        ):
            continue
        until = f" until {channel.expires_at:%Y-%m-%d %H:%M %Z}" if channel.expires_at else ""
        yield Finding(
            "Notifications", f"channel of {channel.connection}", Status.NOTE,
            f"the connection is not in sagezoho.yaml, but Zoho calls {channel.notify_url} for it{until}",
            f"Zoho forgets it by itself. To end it sooner, put {channel.connection} back without notifications.url, "
            f"let its job {channel.connection}__{FLOW} run once, and take it out again.",
        )  # fmt: skip
