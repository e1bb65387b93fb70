"""`sagezoho init`: a commented sagezoho.yaml to start from."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from importlib import resources
from pathlib import Path

import click

#: The accounts server of each Zoho region. The region is the one in the address bar when you are signed in.
REGIONS = {
    "us": "https://accounts.zoho.com",
    "eu": "https://accounts.zoho.eu",
    "in": "https://accounts.zoho.in",
    "au": "https://accounts.zoho.com.au",
    "jp": "https://accounts.zoho.jp",
    "cn": "https://accounts.zoho.com.cn",
    "ca": "https://accounts.zohocloud.ca",
    "sa": "https://accounts.zoho.sa",
    "uk": "https://accounts.zoho.uk",
    "ae": "https://accounts.zoho.ae",
}


@click.command()
@click.option("--sage-url", metavar="URL", help="Sage 300 Web API, e.g. http://server/Sage300WebApi")
@click.option("--company", metavar="ID", help="Sage 300 company, e.g. SAMINC")
@click.option("--region", type=click.Choice(list(REGIONS)), help="Region of your Zoho account (default: us).")
@click.option("--accounts-url", metavar="URL", help="Zoho accounts server, instead of --region.")
@click.option("--api-domain", "api_domains", multiple=True, metavar="URL", help="A Zoho API host besides Zoho's own.")
@click.option("--connection", "name", metavar="C", help="Name of the connection (default: the company's, lower case).")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init(
    sage_url: str | None,
    company: str | None,
    region: str | None,
    accounts_url: str | None,
    api_domains: tuple[str, ...],
    name: str | None,
    force: bool,
) -> None:
    """Write a commented sagezoho.yaml, and create the home directory.

    Asks for what is not given. The file goes where SAGEZOHO_CONFIG says, else into the working directory; an existing
    one is left alone unless --force is given. It holds no secret: those go to 'sagezoho credentials set'.
    """
    from sagezoho_pipelines import config
    from sagezoho_pipelines.cli.output import say

    path = config.config_path()
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already. Edit it, or replace it with --force.")
    sage_url = sage_url or _asked("Sage 300 Web API address", "--sage-url", "http://localhost/Sage300WebApi")
    company = company or _asked("Sage 300 company", "--company", "SAMINC")
    if accounts_url is None:
        accounts_url = REGIONS[region or (_region() if sys.stdin.isatty() else "us")]
    name = name or _name_of(company)
    text = render(sage_url=sage_url, company=company, accounts_url=accounts_url, api_domains=api_domains, name=name)
    config.parse(text, str(path))
    write(path, text, replace=force)
    home = config.home()
    home.mkdir(parents=True, exist_ok=True)
    say(f"Wrote {path}. Next:")
    say(f"  sagezoho credentials set {name} sage300")
    say(f"  sagezoho credentials set {name} zoho_crm")
    say("  sagezoho check")


def render(
    *, sage_url: str, company: str, accounts_url: str, api_domains: tuple[str, ...], name: str, first_sync: str = ""
) -> str:
    """The file's text: the answers filled into the commented template."""
    template = resources.files("sagezoho_pipelines.cli").joinpath("sagezoho.template.yaml").read_text(encoding="utf-8")
    domains = f"\n      api_domains: [{', '.join(_quoted(one) for one in api_domains)}]" if api_domains else ""
    answers = {
        "NAME": name, "SAGE_URL": _quoted(sage_url), "COMPANY": _quoted(company.upper()),
        "ACCOUNTS_URL": _quoted(accounts_url) + domains,
    }  # fmt: skip
    if first_sync:
        template = re.sub(r"# first_sync: \w+", f"first_sync: {first_sync}", template)
    return re.sub(r"<([A-Z_]+)>", lambda match: answers[match.group(1)], template)


def write(path: Path, text: str, *, replace: bool) -> None:
    """Write whole or not at all; without `replace` a file that appears meanwhile is not touched either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not replace:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _asked(question: str, option: str, example: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing, e.g. {option} {example}")
    answer: str = click.prompt(question, default=example)
    return answer


def _region() -> str:
    choice: str = click.prompt("Zoho region", type=click.Choice(list(REGIONS)), default="us")
    return choice


def _name_of(company: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "_", company.strip().lower())[:31]
    return name if name[:1].isalpha() else f"c_{name}"[:31]


def _quoted(text: str) -> str:
    """A YAML string: JSON's double quotes are YAML's."""
    import json

    return json.dumps(text.strip(), ensure_ascii=False)
