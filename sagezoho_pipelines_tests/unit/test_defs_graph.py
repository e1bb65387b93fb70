"""What Dagster shows of one connection, held as a text file: a change in the graph is a change in that file.

After an intended change write it anew and read the difference before committing it:

    SAGEZOHO_WRITE_SNAPSHOT=1 .venv/bin/pytest sagezoho_pipelines_tests/unit/test_defs_graph.py
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from sagezoho_pipelines import config
from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.metadata import lineage_of
from sagezoho_pipelines.mappings import default_mapping
from sagezoho_pipelines.wiring import Installation

SNAPSHOT = Path(__file__).parent / "snapshots" / "asset_graph.txt"

CONFIG = """
connections:
  saminc:
    timezone: America/Los_Angeles
    sage300: {url: "http://127.0.0.1:8300/Sage300WebApi", company: SAMINC}
    zoho_crm: {accounts_url: "http://127.0.0.1:8400", api_domains: ["http://127.0.0.1:8400"]}
"""


def loaded(text: str) -> dg.RepositoryDefinition:
    """The code location of a configuration. Nothing in it is reached."""
    installation = Installation({}, settings=config.parse(text, "sagezoho.yaml"))
    return build_defs(installation=installation).get_repository_def()


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return loaded(CONFIG + '    notifications: {url: "https://hooks.example.com"}\n')


def test_the_graph_is_the_one_that_was_agreed(repository: dg.RepositoryDefinition) -> None:
    told = "\n".join(_told(repository)) + "\n"
    if os.environ.get("SAGEZOHO_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(told, encoding="utf-8")
    assert told == SNAPSHOT.read_text(encoding="utf-8")


def test_a_column_is_traced_to_the_fields_it_is_made_from() -> None:
    settings = config.parse(CONFIG, "sagezoho.yaml")
    graph = Graph("saminc", settings.connection("saminc"))
    delivery = next(row for row in graph.deliveries if row.handler == "accounts")
    accounts, contacts = (lineage_of(graph, target, default_mapping("vendors")) for target in delivery.targets)
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in accounts.deps_by_column["Account_Name"]] == [
        ("saminc/sage300/vendors", "VendorName"),
        ("saminc/sage300/vendors", "VendorNumber"),
    ]
    assert contacts.deps_by_column["Account_Name"] == [
        dg.TableColumnDep(asset_key=dg.AssetKey(["saminc", "zoho_crm", "accounts"]), column_name="id")
    ]


def test_a_flow_that_is_switched_off_leaves_no_node() -> None:
    off = CONFIG + "    flows: {invoices: {enabled: false}, orders: {enabled: false}}\n"
    repository = loaded(off)
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == {
        "saminc/sage300/vendors",
        "saminc/sage300/ap_batches",
        "saminc/zoho_crm/accounts",
        "saminc/zoho_crm/contacts",
        "saminc/zoho_crm/deals",
        "saminc/zoho_crm/deal_accounts",
        "saminc/sage300/customers",
        "saminc/zoho_crm/channels",
        "saminc/zoho_crm/vendor_accounts",
        "saminc/sage300/customer_records",
        "saminc/ledger/audit",
        "saminc/ledger/metadata",
        "saminc/sagezoho/plan",
    }
    assert repository.get_schedule_def("saminc__deals").job_name == "saminc__customers"


def test_pairs_are_looked_after_where_their_own_flow_is_on() -> None:
    off = CONFIG + "    flows: {vendors: {enabled: false}}\n"
    keys = {key.to_user_string() for key in loaded(off).asset_graph.get_all_asset_keys()}
    assert "saminc/sage300/customer_records" in keys
    assert "saminc/zoho_crm/vendor_accounts" not in keys
    both = CONFIG + "    flows: {vendors: {enabled: false}, customers: {enabled: false}}\n"
    assert not loaded(both).has_job("saminc__identity")


def test_connections_stand_side_by_side() -> None:
    second = CONFIG.split("connections:\n")[1].replace("saminc", "samltd").replace("SAMINC", "SAMLTD")
    repository = loaded(CONFIG + second)
    assert {key.path[0] for key in repository.asset_graph.get_all_asset_keys()} == {"saminc", "samltd"}
    assert repository.has_job("samltd__orders")


def _told(repository: dg.RepositoryDefinition) -> Iterator[str]:
    graph = repository.asset_graph
    yield "ASSETS"
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        yield key.to_user_string()
        yield f"  group: {node.group_name}; kinds: {_list(node.kinds)}; owners: {_list(node.owners)}"
        yield f"  from: {_list(parent.to_user_string() for parent in node.parent_keys)}"
        yield f"  partitions: {node.partitions_def}; backfill: {node.backfill_policy}; pools: {_list(node.pools or ())}"
        yield f"  tags: {_list(f'{k}={v}' for k, v in node.tags.items() if not k.startswith('dagster/kind'))}"
        yield f"  checks: {_list(check.name for check in node.check_keys)}"
        yield f"  {node.description}"
    yield "\nJOBS"
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if job.name != "__ASSET_JOB":
            yield f"{job.name}: {_list(node.name for node in job.nodes)}; executor: {job.executor_def.name}"
            yield f"  tags: {_list(f'{k}={v}' for k, v in job.tags.items())}"
    yield "\nSCHEDULES"
    for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name):
        when = f"{schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"{schedule.name}: {schedule.job_name} at {when}, {schedule.default_status.value}"
    yield "\nSENSORS"
    for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        every = f"every {sensor.minimum_interval_seconds} s"
        jobs = _list(job.job_name for job in sensor.targets)
        yield f"{sensor.name}: {jobs} {every}, {sensor.default_status.value}"


def _list(items: Iterable[object]) -> str:
    return ", ".join(sorted(str(item) for item in items)) or "none"
