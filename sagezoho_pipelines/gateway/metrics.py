"""What the gateway counts. Labels are names of ours, never what a stranger sent."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for each gateway, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.notifications = Counter(
            "sagezoho_notifications", "Callbacks answered with 200.", ["connection", "module"], registry=self.registry
        )
        self.records = Counter(
            "sagezoho_notified_records", "Record ids in them.", ["connection", "module"], registry=self.registry
        )
        self.rejected = Counter(
            "sagezoho_notifications_rejected", "Callbacks refused.", ["reason"], registry=self.registry
        )
        self.not_stored = Counter(
            "sagezoho_notifications_not_stored", "Callbacks answered with 503.", registry=self.registry
        )
        self.changes = Counter("sagezoho_changes_queued", "Changes that were new.", registry=self.registry)
        self.commits = Counter("sagezoho_commits", "Transactions that stored callbacks.", registry=self.registry)
        self.waiting = Gauge("sagezoho_notifications_waiting", "Callbacks not committed yet.", registry=self.registry)
        self.seconds = Histogram(
            "sagezoho_notification_seconds", "From a callback's headers to its 200.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        return generate_latest(self.registry)
