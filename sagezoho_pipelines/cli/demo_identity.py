"""The demo's chapters about who is who: the first match with its plan, and edits on both sides of linked pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagezoho_pipelines.cli import output

if TYPE_CHECKING:
    from sagezoho_pipelines.cli.demo_day import BothSides, People

#: The accounts Zoho CRM holds before anything was connected, and how many of them really are Sage vendors.
ACCOUNTS, KNOWN = 300, 120


def first_match(home: Path, people: People) -> bool:
    """Match, review, plan, apply: nothing is written before it was looked at. Whether no firm is there twice."""
    review, plan = home / "review.csv", home / "plan.json"
    before = people.accounts()
    _command("match", "vendors", "--out", str(review), what="which of the accounts in Zoho are vendors of Sage?")
    _heading("The review", f"a person who knows the firms fills in {review.name}")
    for deed in reviewed(review, people.known_vendors()):
        output.say(f"  {deed}")
    _command("match", "--import", str(review), "--apply", what="the decisions become links; still nothing is written")
    _command("plan", "vendors", "--summary", "--out", str(plan), what="what the first sync would do, and its cost")
    _command("apply", str(plan), what="exactly that, and nothing else")
    return _nobody_twice(before, people)


def reviewed(review: Path, known: Mapping[str, str]) -> list[str]:
    """Answer the match's questions in its file, as somebody would who knows which account is which vendor."""
    from sagezoho_pipelines.cli import match_files, sheets

    rows = [dict(line.cells) for line in sheets.read(review, needed=("decision",))]
    deeds: Counter[str] = Counter()
    new: set[str] = set()
    for row in rows:
        vendor, account = row.get("sage_id", ""), known.get(row.get("sage_id", ""))
        if row["status"] == match_files.AMBIGUOUS and account == row["zoho_id"]:
            row["decision"] = "link"
            deeds["of those it asked about are the same firm: link"] += 1
        elif row["status"] == match_files.AMBIGUOUS and account is None and vendor not in new:
            row["decision"] = "create"
            new.add(vendor)
            deeds["of those it asked about are only called alike: create"] += 1
        elif row["status"] == match_files.ONLY_SAGE and account is not None:
            row["decision"], row["zoho_id"] = "link", account
            deeds["that no rule could see are added by hand: link"] += 1
    sheets.write(review, match_files.COLUMNS, rows)
    return [f"{count} {deed}" for deed, count in deeds.items()]


def edits_on_both_sides(pairs: BothSides) -> None:
    """Who leads a field is said for one pair; then both sides are edited. A sync follows, and the report."""
    _command(
        "links", "set-authority", pairs.apart.account, "zoho_crm", "--field", "Website", "--why", "sales keep it",
        what="sales lead for one field of one pair; for the rest Sage leads",
    )  # fmt: skip


def report() -> None:
    _command("links", "conflicts", what="what gave way, and why; every line is in the audit")


def _nobody_twice(before: list[dict[str, Any]], people: People) -> bool:
    after = people.accounts()
    carried = {
        str(row["Sage_Vendor_Key"]).rpartition("/")[2]: str(row["id"]) for row in after if row["Sage_Vendor_Key"]
    }
    known = people.known_vendors()
    linked = sum(carried.get(vendor) == account for vendor, account in known.items())
    created, vendors = len(after) - len(before), people.vendors()
    output.say(
        f"Zoho CRM had {len(before)} accounts and has {len(after)}. Of {vendors} vendors {linked} were linked to the "
        f"account that was there, {created} were created, {vendors - len(carried)} are missing; "
        f"{len(known) - linked} duplicates.",
        output.STRONG,
    )
    return linked == len(known) and len(carried) == vendors == linked + created


def _command(*arguments: str, what: str) -> None:
    """Run a command as a person would type it."""
    from sagezoho_pipelines.cli.main import cli

    shown = " ".join(Path(one).name if one.startswith("/") else f"'{one}'" if " " in one else one for one in arguments)
    _heading(f"sagezoho {shown}", what)
    cli.main(args=list(arguments), prog_name="sagezoho", standalone_mode=False)


def _heading(title: str, text: str) -> None:
    output.say()
    output.say(f"── {title}", output.STRONG)
    output.say(f"   {text}", output.DIM)
