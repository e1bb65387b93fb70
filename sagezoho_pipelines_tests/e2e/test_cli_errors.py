"""What goes wrong gives one clear message with its remedy: no traceback, no secret, nothing half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import Result

from sagezoho_pipelines.sandbox.faults import FaultRule
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import MASTER_KEY, Workplace
from sagezoho_pipelines_tests.e2e.deeds import writes

#: Nothing listens on the discard port of loopback.
NOWHERE = "http://127.0.0.1:9"


class HtmlEverywhere(BaseHTTPRequestHandler):
    """A proxy's sign-on page, in answer to everything."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        page = b"<html><head><title>Corporate sign-on</title></head><body>Who are you?</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def html_page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HtmlEverywhere)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def assert_clear(done: Result, sandbox: Sandbox, *words: str, secrets: tuple[str, ...] = ()) -> None:
    """Exit code 1, the words said, and neither a traceback nor a secret anywhere."""
    told = " ".join(done.output.split())
    assert done.exit_code == 1, told
    for word in words:
        assert word in told, told
    assert "Traceback" not in told
    zoho = sandbox.zoho_crm
    for secret in (MASTER_KEY, zoho.client_secret, zoho.refresh_token, *secrets):
        assert secret not in told


def both(workplace: Workplace, sandbox: Sandbox, *words: str, secrets: tuple[str, ...] = ()) -> None:
    """`check` names it with the remedy; `sync` stops on it before it writes anything."""
    before = writes(sandbox)
    assert_clear(workplace("check"), sandbox, *words, secrets=secrets)
    assert_clear(workplace("sync", "vendors"), sandbox, *words, secrets=secrets)
    assert writes(sandbox) == before


def test_a_wrong_password_is_named_and_not_shown(ready: Workplace, sandbox: Sandbox) -> None:
    ready.sign_on(sandbox, password="hunter2-wrong")

    both(ready, sandbox, "Unauthorized", "sagezoho credentials set saminc sage300", secrets=("hunter2-wrong",))


def test_a_user_without_the_web_api_right_is_told_which_application_lacks_it(
    ready: Workplace, sandbox: Sandbox
) -> None:
    ready.sign_on(sandbox, username="NOAR", password="NOAR")

    assert_clear(ready("check"), sandbox, "AR Accounts Receivable", "Forbidden", "Sage 300 Web API")
    assert_clear(ready("sync", "invoices"), sandbox, "Forbidden", "Sage 300 Web API")


def test_a_wrong_company_is_told_with_where_to_correct_it(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, company="SAMXYZ")

    both(ready, sandbox, "SAMXYZ", "sagezoho.yaml")


def test_a_revoked_refresh_token_is_told_with_how_to_get_a_new_one(ready: Workplace, sandbox: Sandbox) -> None:
    sandbox.zoho_crm.world.actions["revoke_token"]({"kind": "access"})
    sandbox.zoho_crm.world.actions["revoke_token"]({"kind": "refresh"})

    both(ready, sandbox, "invalid_code", "Generate Code", "sagezoho credentials set")


def test_a_wrong_region_is_told_with_the_regions_there_are(ready: Workplace, sandbox: Sandbox) -> None:
    sandbox.zoho_crm.world.actions["revoke_token"]({"kind": "access"})
    sandbox.zoho_crm.world.switches.wrong_data_center = True

    both(ready, sandbox, "invalid_client", "accounts_url", "accounts.zoho.eu")


def test_an_unreachable_sage_server_is_named(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, sage=f"{NOWHERE}/Sage300WebApi")

    both(ready, sandbox, "127.0.0.1:9", "sage300.url")


def test_an_unreachable_accounts_server_is_named(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox, zoho=NOWHERE)
    workplace.sign_on(sandbox)

    both(workplace, sandbox, "127.0.0.1:9", "accounts_url")


def test_a_wrong_accounts_server_is_named_while_the_token_of_the_right_one_is_good(
    ready: Workplace, sandbox: Sandbox
) -> None:
    assert ready("check").exit_code == 0
    ready.configure(sandbox, zoho=NOWHERE)

    both(ready, sandbox, "127.0.0.1:9", "accounts_url")


def test_a_page_in_place_of_the_web_api_is_recognised(ready: Workplace, sandbox: Sandbox, html_page: str) -> None:
    ready.configure(sandbox, sage=f"{html_page}/Sage300WebApi")

    both(ready, sandbox, "NotTheWebApi", "sage300.url")


def test_a_page_in_place_of_the_accounts_server_is_recognised(
    workplace: Workplace, sandbox: Sandbox, html_page: str
) -> None:
    workplace.configure(sandbox, zoho=html_page)
    workplace.sign_on(sandbox)

    both(workplace, sandbox, "NOT_A_TOKEN", "accounts_url")


def test_a_page_in_place_of_zoho_is_recognised(ready: Workplace, sandbox: Sandbox) -> None:
    page = FaultRule(action="status", path="/crm/", status=200, headers={"Content-Type": "text/html"}, body="<html>")
    sandbox.zoho_crm.world.faults.add_rule(page)

    both(ready, sandbox, "NOT_JSON", "proxy")


def test_an_unknown_key_is_named_with_file_and_line(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, rest="    pagesize: 3")

    for command in ("check", "setup", "sync"):
        assert_clear(ready(command), sandbox, "sagezoho.yaml:", "pagesize", "unknown key")


def test_a_broken_mapping_expression_is_named_with_file_and_line(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, rest="mappings: mine")
    ready.write(
        "mine/vendors.yaml",
        "flow: vendors\nversion: 2\ntargets:\n  accounts:\n    Account_Name: trim(VendorName\n",
    )

    both(ready, sandbox, "vendors.yaml:5", "Account_Name", "trim(VendorName")


def test_a_missing_custom_field_stops_the_flow_before_it_writes(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)

    both(workplace, sandbox, "Sage_", "sagezoho setup --connection saminc")


def test_a_database_that_is_down_is_named_without_its_password(ready: Workplace, sandbox: Sandbox) -> None:
    ready.env["SAGEZOHO_POSTGRES_URL"] = "postgresql://sage:very-secret@127.0.0.1:9/sagezoho"
    secrets = ("very-secret",)

    both(ready, sandbox, "127.0.0.1:9", "SAGEZOHO_POSTGRES_URL", secrets=secrets)
    for arguments in (
        ["audit", "verify"],
        ["audit", "export"],
        ["explain", "1200"],
        ["setup"],
        ["credentials", "list"],
    ):
        assert_clear(ready(*arguments), sandbox, "127.0.0.1:9", secrets=secrets)


def test_a_missing_configuration_says_how_to_write_one(workplace: Workplace, sandbox: Sandbox) -> None:
    assert_clear(workplace("check"), sandbox, "sagezoho init")
    assert_clear(workplace("sync"), sandbox, "sagezoho init")


def test_credentials_that_are_not_stored_are_asked_for(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox)

    assert_clear(workplace("check"), sandbox, "sagezoho credentials set saminc sage300")
    assert_clear(workplace("sync", "vendors"), sandbox, "sagezoho credentials set saminc")


def test_another_master_key_does_not_open_the_vault_and_is_not_shown(ready: Workplace, sandbox: Sandbox) -> None:
    other = "ab" * 32
    ready.env["SAGEZOHO_MASTER_KEY"] = other

    assert_clear(ready("check"), sandbox, "master key", secrets=(other,))
    assert_clear(ready("sync", "vendors"), sandbox, "master key", secrets=(other,))


def test_a_code_that_the_company_does_not_have_is_refused_with_some_that_it_has(
    ready: Workplace, sandbox: Sandbox
) -> None:
    ready.configure(sandbox, rest="    flows: {customers: {group: NOSUCH, currency: XYZ}}")

    assert_clear(ready("check"), sandbox, "'NOSUCH' does not exist", "'XYZ' does not exist", "WHL")


@pytest.mark.parametrize("command", [("inbox",), ("links", "list"), ("audit", "verify"), ("explain", "1200")])
def test_a_directory_without_an_installation_answers_nothing(workplace: Workplace, command: tuple[str, ...]) -> None:
    workplace.env["SAGEZOHO_POSTGRES_URL"] = ""
    (workplace.path / "home" / "demo").mkdir(parents=True)  # that of the demo is no installation of the firm's
    done = workplace(*command)
    assert done.exit_code == 1
    assert "sagezoho.yaml: cannot be read" in done.output
    assert "SAGEZOHO_CONFIG" in done.output
    assert [path.name for path in (workplace.path / "home").iterdir()] == ["demo"]


def test_a_plan_that_could_not_be_written_reads_nothing_first(ready: Workplace, sandbox: Sandbox) -> None:
    before = sandbox.sage300.world.counters.snapshot()["total"]
    done = ready("plan", "--out", str(ready.path / "nowhere" / "plan.json"))
    assert done.exit_code == 1
    assert f"there is no directory {ready.path / 'nowhere'}" in done.output
    assert sandbox.sage300.world.counters.snapshot()["total"] == before
