"""What serves all connections at once: the gateway, and the alerts."""

from __future__ import annotations

from pydantic import Field

from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.config.values import Url


class GatewayTls(Section):
    """PEM files, beside sagezoho.yaml unless absolute: a certificate with its chain, and its key without a password."""

    certificate: str = Field(min_length=1)
    key: str = Field(min_length=1)


class Gateway(Section):
    """The process that receives callbacks. Its time-outs are in seconds, its limits are for one source address.

    `trusted_proxies` may say in X-Forwarded-For whom they speak for. With `tls` it speaks https itself.
    """

    host: str = "127.0.0.1"
    port: int = Field(8500, ge=0, le=65535)
    max_body_kilobytes: int = Field(256, ge=1, le=10_240)
    read_timeout: float = Field(5, gt=0, le=60)
    requests_per_second: int = Field(1000, ge=1)
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    tls: GatewayTls | None = None


class Alerts(Section):
    """Who hears of what is amiss: a command, with a JSON summary on its standard input, or a webhook, or both.

    It is called once for a run that refused at least `min_refused` records, which are at least `failure_rate` (0 to 1)
    of all it took up; and when a connection pauses, a guard stops a flow, or runs begin to fail. `timeout` is in
    seconds.
    """

    command: tuple[str, ...] = ()
    webhook_url: Url | None = None
    min_refused: int = Field(1, ge=1)
    failure_rate: float = Field(0, ge=0, le=1)
    timeout: float = Field(10, gt=0, le=120)
