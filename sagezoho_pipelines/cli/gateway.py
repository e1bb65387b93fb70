"""`sagezoho gateway`: receive Zoho's notifications."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagezoho_pipelines.cli import options, output

if TYPE_CHECKING:
    from sagezoho_pipelines.gateway.tls import Tls
    from sagezoho_pipelines.wiring import Installation


@click.command()
@click.option("--host", help="Listen here (default: gateway.host of the configuration).")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port; 0 picks a free one.")
@click.option("--tls-cert", "certificate", type=click.Path(path_type=Path), metavar="FILE", help="PEM, with its chain.")
@click.option("--tls-key", "key", type=click.Path(path_type=Path), metavar="FILE", help="PEM, without a password.")
@click.option("--json", "as_json", is_flag=True, help="First line: the address as one JSON object.")
def gateway(host: str | None, port: int | None, certificate: Path | None, key: Path | None, as_json: bool) -> None:
    """Receive Zoho's notifications until SIGTERM or Ctrl-C.

    Zoho must reach /notifications/CONNECTION of this process by https, best through a reverse proxy that shows nothing
    else of it: /health and /metrics are for you. Without a proxy it speaks https itself, with --tls-cert and --tls-key
    or gateway.tls of the configuration; renewed files are taken up while it runs, and /health and /metrics are shown to
    this machine only.
    What is answered with 200 is in the ledger, also when the process ends.
    """
    from sagezoho_pipelines.gateway.app import Gateway
    from sagezoho_pipelines.gateway.server import listening, server_of

    with options.installation() as installation:
        configured = installation.settings.gateway
        tls = _tls(installation, certificate, key)
        where = host or configured.host
        with listening(where, configured.port if port is None else port) as sock:
            _ = installation.vault.keys
            made = Gateway(
                installation.settings,
                installation.ledger,
                installation.channels,
                clock=installation.clock,
                public=tls is not None,
            )
            server = server_of(made, tls)

            def end(*_: object) -> None:
                """Before uvicorn listens to signals itself, and when it hands them back after its graceful end."""
                server.should_exit = True

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
            shown = f"[{where}]" if ":" in where else where
            url = f"{'http' if tls is None else 'https'}://{shown}:{sock.getsockname()[1]}"
            if as_json:
                output.emit_json({"url": url})
            else:
                output.say(f"Notifications are received at {url}/notifications/CONNECTION. Ctrl-C ends this.")
            server.run(sockets=[sock])


def _tls(installation: Installation, certificate: Path | None, key: Path | None) -> Tls | None:
    """The certificate that was named, else the configured one; none, where a proxy has it."""
    from sagezoho_pipelines import config
    from sagezoho_pipelines.gateway.tls import Tls

    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if certificate is not None and key is not None:
        return Tls(certificate, key)
    configured = installation.settings.gateway.tls
    if configured is None:
        return None
    home = config.config_path(installation.env).parent
    return Tls(home / configured.certificate, home / configured.key)
