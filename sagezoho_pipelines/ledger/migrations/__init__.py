"""The ledger's numbered migrations. `migrate(engine)` is the only way they run."""

from sagezoho_pipelines.ledger.migrations.run import migrate, revision

__all__ = ["migrate", "revision"]
