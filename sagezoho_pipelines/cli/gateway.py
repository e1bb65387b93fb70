"""`sagezoho gateway`: receive Zoho's notifications."""

from __future__ import annotations

import signal

import click

from sagezoho_pipelines.cli import options, output


@click.command()
@click.option("--host", help="Listen here (default: gateway.host of the configuration).")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port; 0 picks a free one.")
@click.option("--json", "as_json", is_flag=True, help="First line: the address as one JSON object.")
def gateway(host: str | None, port: int | None, as_json: bool) -> None:
    """Receive Zoho's notifications until SIGTERM or Ctrl-C.

    Zoho must reach /notifications/CONNECTION of this process by https, through a reverse proxy that shows nothing else
    of it: /health and /metrics are for you. What is answered with 200 is in the ledger, also when the process ends.
    """
    from sagezoho_pipelines.gateway.app import Gateway
    from sagezoho_pipelines.gateway.server import listening, server_of

    with options.installation() as installation:
        configured = installation.settings.gateway
        where = host or configured.host
        with listening(where, configured.port if port is None else port) as sock:
            _ = installation.vault.keys
            made = Gateway(installation.settings, installation.ledger, installation.channels, clock=installation.clock)
            server = server_of(made)

            def end(*_: object) -> None:
                """Before uvicorn listens to signals itself, and when it hands them back after its graceful end."""
                server.should_exit = True

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
            shown = f"[{where}]" if ":" in where else where
            url = f"http://{shown}:{sock.getsockname()[1]}"
            if as_json:
                output.emit_json({"url": url})
            else:
                output.say(f"Notifications are received at {url}/notifications/CONNECTION. Ctrl-C ends this.")
            server.run(sockets=[sock])
