"""Whatever goes wrong, no secret is in a log, an exception, the audit, the queue, or an event of Dagster's."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL, inspect, text

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.tokens import PostgresTokenStore
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, opened

PASSWORD = "Grüße an s3cret"


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path, vendors=2, deals=1) as made:
        yield made


def access_token(site: Site) -> str:
    there, accounts_url = site.installation, site.sandbox.zoho_crm.accounts_url
    held = PostgresTokenStore(there.database, there.vault, accounts_url=accounts_url).read(CONNECTION)
    assert held is not None
    return held.value


def everything_stored(site: Site) -> str:
    """Every row of the ledger, and every event of every run."""
    rows: list[str] = []
    with site.installation.database.connect() as connection:
        for table in inspect(connection).get_table_names(schema="sagezoho"):
            found = connection.execute(text(f"SELECT row_to_json(t)::text FROM sagezoho.{table} t"))
            rows += found.scalars()
    events = [
        dg.serialize_value(event) for run in site.instance.get_runs() for event in site.instance.all_logs(run.run_id)
    ]
    return "\n".join([*rows, *events])


def test_no_secret_is_left_anywhere_by_what_goes_wrong(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    zoho, sage = site.sandbox.zoho_crm.world, site.sandbox.sage300.world
    handle = site.sandbox.sage300
    assert site.run("vendors").success
    first = access_token(site)
    sign_on = base64.b64encode(f"{handle.username}:{handle.password}".encode()).decode()
    secrets = {first, sign_on, site.sandbox.zoho_crm.client_secret, site.sandbox.zoho_crm.refresh_token}
    told: list[str] = []

    def fails(flow: str) -> None:
        """As a run of Dagster's, and as the engine's own call."""
        told.append(str(site.run(flow).error))
        for rest in site.installation.ledger.pauses(CONNECTION):
            site.installation.ledger.lift(CONNECTION, rest.system)
        context = site.installation.context(CONNECTION, run_id="by hand", actor="test")
        try:
            tally = run_flow(context, flow, Window.sweep())
            told.extend(tally.notes)
        except SagezohoError as error:
            told.extend([repr(error), *traceback.format_exception(error)])

    # Error pages and messages that repeat the request's own headers.
    page = {
        "status": 400,
        "headers": {"content-type": "text/plain"},
        "body": f"You sent Authorization: Basic {sign_on}",
    }
    echoing = sage.faults.add("respond", path="APVendors", **page)
    fails("vendors")
    sage.faults.remove(echoing.id)
    message = {"code": "INVALID_REQUEST_METHOD", "details": {"sent": first}, "message": f"token {first}", "status": "e"}
    echoing = zoho.faults.add("respond", path="coql", status=400, body=message)
    fails("identity")
    zoho.faults.remove(echoing.id)
    # Sign-ins that are refused.
    site.credentials("sage300", username=handle.username, password=PASSWORD)
    secrets |= {PASSWORD, base64.b64encode(f"{handle.username}:{PASSWORD}".encode()).decode()}
    fails("vendors")
    site.credentials("sage300", username=handle.username, password=handle.password)
    zoho.oauth.revoke_access_tokens()
    zoho.oauth.revoke(site.sandbox.zoho_crm.refresh_token)
    fails("identity")
    assert "***" in "".join(told)
    assert "Unauthorized" in "".join(told)
    assert "invalid_code" in "".join(told)
    seen = "\n".join([*told, caplog.text, everything_stored(site)])
    for secret in secrets:
        assert secret not in seen
