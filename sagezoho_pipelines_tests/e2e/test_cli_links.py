"""`sagezoho links`, as a person types it, and the files that go out and come back."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from sagezoho_pipelines.cli import sheets
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.processes import COMMAND


@pytest.fixture
def account(ready: Workplace, sandbox: Sandbox) -> str:  # noqa: ARG001 - the workplace is made first
    return _account(sandbox, "Harbour Lights")


def _account(sandbox: Sandbox, name: str) -> str:
    return str(sandbox.zoho_crm.world.actions["add_account"]({"name": name})["id"])


def _vendors(sandbox: Sandbox) -> list[str]:
    return sorted(str(row["VendorNumber"]).strip() for row in sandbox.sage300.world.state("APVendors"))


def _file(workplace: Workplace, name: str, *rows: dict[str, str], separator: str = ",") -> str:
    path = workplace.path / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _links(workplace: Workplace) -> list[Any]:
    return list(workplace.json("links", "list")["links"])


def test_add_show_and_remove(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    vendor = _vendors(sandbox)[1]
    done = ready("links", "add", "vendors", vendor, account, "--why", "Rosa knows")
    assert done.exit_code == 0, done.output
    assert f"Linked Sage 300 vendor {vendor}" in done.output
    again = ready("links", "add", "vendors", vendor, account)
    assert "were linked already" in again.output
    assert "Harbour Lights" in ready("links", "list", "--name", "harbour").output
    assert "by hand" in ready("links", "show", account).output
    assert ready("sync", "vendors").exit_code == 0
    assert "Rosa knows" in ready("audit", "export", "--record", vendor).output
    gone = ready("links", "remove", vendor)
    assert gone.exit_code == 1, "the vendor's contact is linked too"
    [link] = [one for one in _links(ready) if one["zoho"]["id"] == account]
    assert ready("links", "remove", f"link-{link['id']}", "--leave-alone", "--why", "a test").exit_code == 0
    assert account not in ready("links", "list").output


def test_links_are_removed_together_or_not_at_all(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    """Also where one is named twice; while one of them is delivered, none is."""
    vendors, other = _vendors(sandbox), _account(sandbox, "Other")
    ready("links", "add", "vendors", vendors[0], account)
    ready("links", "add", "vendors", vendors[1], other)
    engine = create_engine(ready.env["SAGEZOHO_POSTGRES_URL"])
    claimed = "UPDATE sagezoho.changes SET state = :state WHERE key = :key AND state IN ('queued', 'claimed')"
    with engine.begin() as connection:
        connection.execute(text(claimed), {"state": "claimed", "key": vendors[1]})
    assert ready("links", "remove", account, other).exit_code == 1
    assert len(_links(ready)) == 2
    with engine.begin() as connection:
        connection.execute(text(claimed), {"state": "queued", "key": vendors[1]})
    engine.dispose()
    done = ready("links", "remove", account, other, account)
    assert done.exit_code == 0, done.output
    assert "made on the other side again when it next changes" in done.output
    assert _links(ready) == []


def test_what_stands_in_the_way_is_told_and_nothing_is_done(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    first, second = _vendors(sandbox)[:2]
    assert ready("links", "add", "vendors", first, account).exit_code == 0
    done = ready("links", "add", "vendors", second, account)
    assert done.exit_code == 1
    assert f"Sage vendors {first}" in done.output
    assert "remove that link first" in done.output
    assert ready("links", "show", "nowhere").exit_code == 1
    assert ready("links", "add", "planets", first, account).exit_code == 2


def test_set_authority_names_the_fields_there_are(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    vendor = _vendors(sandbox)[0]
    ready("links", "add", "vendors", vendor, account)
    done = ready("links", "set-authority", account, "zoho_crm", "--field", "Phone")
    assert done.exit_code == 0, done.output
    assert "except Phone: zoho_crm" in done.output
    wrong = ready("links", "set-authority", account, "zoho_crm", "--field", "Fone")
    assert wrong.exit_code == 1
    assert "Phone" in wrong.output
    one_way = ready("links", "set-authority", account, "zoho_crm", "--field", "Sage_Vendor_Terms")
    assert one_way.exit_code == 1
    assert "Sage_Vendor_Terms does not go both ways" in one_way.output
    assert _links(ready)[0]["exceptions"] == {"Phone": "zoho_crm"}
    assert len(ready.json("links", "list", "--authority", "zoho_crm")["links"]) == 1


def test_a_contact_goes_one_way_and_says_so(ready: Workplace) -> None:
    assert ready("sync", "vendors").exit_code == 0
    [contact, *_] = ready.json("links", "list", "--kind", "contacts")["links"]
    done = ready("links", "set-authority", f"link-{contact['id']}", "zoho_crm")
    assert done.exit_code == 1
    assert "contacts go one way: sage300 leads them" in done.output


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_comes_back_unchanged(ready: Workplace, sandbox: Sandbox, account: str, ending: str) -> None:
    odd = _account(sandbox, "=HYPERLINK(1)")
    ready("links", "add", "vendors", _vendors(sandbox)[0], account)
    ready("links", "add", "vendors", _vendors(sandbox)[1], odd)
    ready("links", "set-authority", account, "newest", "--field", "Phone")
    before, path = _links(ready), ready.path / f"links.{ending}"
    assert ready.json("links", "export", str(path))["count"] == 2
    frame = pd.read_excel(path, dtype=str) if ending == "xlsx" else pd.read_csv(path, dtype=str)
    assert set(frame["zoho_id"]) == {account, odd}
    assert "'=HYPERLINK(1)" in set(frame["zoho_name"]), "a name must not become a formula"
    told = ready.json("links", "import", str(path), "--apply")
    assert told == {"ok": True, "applied": True, "add": 0, "set_authority": 0, "unchanged": 2, "bad": []}
    assert _links(ready) == before


def test_an_import_is_a_dry_run_until_it_is_applied(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    vendors, other = _vendors(sandbox), _account(sandbox, "Other")
    rows = [
        {"kind": "vendors", "sage_id": vendors[0], "zoho_id": account, "authority": "", "exceptions": ""},
        {"kind": "vendors", "sage_id": vendors[1], "zoho_id": other, "authority": "newest",
         "exceptions": "Fax = sage300"},
    ]  # fmt: skip
    path = _file(ready, "links.csv", *rows, separator=";")
    told = ready("links", "import", path)
    assert "2 to link" in told.output
    assert "--apply" in told.output
    assert _links(ready) == []
    assert ready("links", "import", path, "--apply").exit_code == 0
    assert [(one["authority"], one["exceptions"]) for one in _links(ready)] == [
        ("sage300", {}),
        ("newest", {"Fax": "sage300"}),
    ]
    assert {one["made_by"] for one in _links(ready)} == {"imported"}


def test_every_bad_line_is_named_and_then_nothing_is_done(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    vendors, other = _vendors(sandbox), _account(sandbox, "Other")
    ready("links", "add", "vendors", vendors[0], account)
    rows = [
        ("vendors", vendors[1], other, ""),
        ("vendors", "NOSUCH", other, ""),
        ("vendors", vendors[2], account, ""),
        ("vendors", vendors[1], "77", ""),
        ("vendors", vendors[3], "4.376E+18", ""),
        ("vendors", vendors[4], other, "nobody"),
        ("planets", vendors[4], other, ""),
        ("vendors", vendors[5], "98", "", "Fone = zoho_crm"),
        ("vendors", vendors[6], "99", "", "Phone = zoho_crm; Sage_Vendor_Terms = zoho_crm"),
    ]
    names = ("kind", "sage_id", "zoho_id", "authority", "exceptions")
    rows = [(*row, "")[:5] for row in rows]
    path = _file(ready, "links.csv", *(dict(zip(names, row, strict=True)) for row in rows))
    done = ready("links", "import", path, "--apply")
    assert done.exit_code == 1
    told = ready("links", "import", path, "--apply", "--json")
    bad = {one["line"]: one["reason"] for one in json.loads(told.stdout)["bad"]}
    assert set(bad) == {3, 4, 5, 6, 7, 8, 9, 10}
    assert "stands here twice (the first is line 2)" in bad[3]
    assert f"{vendors[0]} (" in bad[4]
    assert "stands here twice" in bad[5]
    assert "rounded" in bad[6]
    assert "nobody" in bad[7]
    assert "planets" in bad[8]
    assert bad[9].startswith("exceptions: Fone does not go both ways; these do: Account_Name")
    assert "Sage_Vendor_Terms does not go both ways" in bad[10]
    assert len(_links(ready)) == 1


def test_a_file_that_is_no_table_is_refused_in_one_sentence(ready: Workplace) -> None:
    missing = _file(ready, "a.csv", {"kind": "vendors", "sage_id": "1"})
    assert "the column 'zoho_id' is missing" in ready("links", "import", missing).output
    broken = Path(ready.write("b.xlsx", "not a workbook"))
    assert "cannot be read as a table" in ready("links", "import", str(broken)).output
    empty = ready.write("c.csv", "")
    assert "is empty" in ready("links", "import", str(empty)).output
    assert ready("links", "import", str(ready.write("d.txt", "x"))).exit_code == 1


def test_what_spreadsheets_do_to_a_file_makes_no_wrong_link(ready: Workplace, sandbox: Sandbox, account: str) -> None:
    """Zeros at the front that are gone make another vendor's number, numbers that are rounded another record's."""
    short = sandbox.sage300.world.actions["add_vendor"]({"fields": {"VendorNumber": "77", "VendorName": "Short"}})
    sandbox.sage300.world.actions["add_vendor"]({"fields": {"VendorNumber": "0077", "VendorName": "Padded"}})
    assert short == {"VendorNumber": "77"}
    path = _file(ready, "a.csv", {"kind": "vendors", "sage_id": "77", "sage_name": "Padded", "zoho_id": account})
    told = ready("links", "import", path, "--apply").output
    assert "line 2: Sage vendors 77 is called 'Short', and 'Padded' here" in told
    rounded = f"{account[:15]}0000"
    told = ready(
        "links", "import", _file(ready, "b.csv", {"kind": "vendors", "sage_id": "77", "zoho_id": rounded})
    ).output
    assert f"Zoho has no Accounts {rounded} (its last digits are zeros" in told
    numbers = pd.DataFrame([{"kind": "vendors", "sage_id": 77, "zoho_id": int(account)}])
    numbers.to_excel(ready.path / "c.xlsx", index=False)
    told = ready("links", "import", str(ready.path / "c.xlsx"), "--apply").output
    assert "is a Zoho id that a spreadsheet has rounded" in told
    twice = ready.write("d.csv", f"kind,sage_id,zoho_id,Sage ID\nvendors,77,{account},0077\n")
    assert "the column 'sage_id' is there twice" in ready("links", "import", str(twice)).output
    wide = ready.write("e.csv", f"kind,sage_id,sage_name,zoho_id\nvendors,77,Short, Ltd,{account}\n")
    assert "line 2 has 5 cells, and the header 4" in ready("links", "import", str(wide)).output
    assert _links(ready) == []
    good = _file(ready, "f.csv", {"kind": "vendors", "sage_id": "77", "sage_name": "SHORT ", "zoho_id": f"{account}\0"})
    assert ready("links", "import", good, "--apply").exit_code == 0
    assert [one["sage"]["id"] for one in _links(ready)] == ["77"]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_name_that_no_cell_can_hold_is_written_all_the_same(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"links.{ending}"
    assert sheets.write(path, ["name"], [{"name": "Odd\x0bName \x02Ltd"}, {"name": "Plain"}]) == 2
    assert [line.get("name") for line in sheets.read(path, needed=["name"])] == ["Odd Name  Ltd", "Plain"]
    with pytest.raises(SagezohoError, match="there is no directory"):
        sheets.write(tmp_path / "nowhere" / path.name, ["name"], [])


def _on_a_terminal(workplace: Workplace, width: int, *arguments: str) -> str:
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, width, 0, 0))
    env = {**os.environ, **workplace.env, "TERM": "xterm", "NO_COLOR": "1"}
    env.pop("COLUMNS", None)
    with subprocess.Popen([*COMMAND, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(screen, 65536):
                shown += part
        except OSError:  # what Linux tells when the last writer has closed it
            pass
        finally:
            os.close(screen)
        assert process.wait() == 0
    return shown.decode()


def test_no_terminal_is_too_narrow_for_whole_ids(ready: Workplace, sandbox: Sandbox) -> None:
    ready("sync", "vendors")
    links = [link for link in ready.json("links", "list")["links"] if link["kind"] == "vendors"]
    sandbox.zoho_crm.world.actions["edit_account"](
        {"account_id": links[0]["zoho"]["id"], "values": {"Billing_City": "Atlantis"}}
    )
    ready("sync", "identity")
    for width in (60, 80, 160):
        shown = _on_a_terminal(ready, width, "links", "list", "--kind", "vendors")
        for link in links:
            assert link["sage"]["id"] in shown
            assert link["zoho"]["id"] in shown
        assert links[0]["zoho"]["id"] in _on_a_terminal(ready, width, "links", "conflicts")
