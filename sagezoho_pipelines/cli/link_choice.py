"""Which links a command means: by filters, by a link's number, or by the id of one of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sagezoho_pipelines.cli import link_words, options
from sagezoho_pipelines.domain.links import KINDS, kind_of
from sagezoho_pipelines.domain.records import Authority

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.context import Context
    from sagezoho_pipelines.ledger.link_table import LinkEntry
    from sagezoho_pipelines.wiring import Installation

Command = TypeVar("Command", bound=Callable[..., Any])

KIND = click.Choice(list(KINDS))
AUTHORITY = click.Choice([str(one) for one in Authority])


def filters(command: Command) -> Command:
    """The options that choose among all links."""
    for option in reversed(
        (
            options.connection,
            click.option("--kind", type=KIND, help="Only pairs of this kind."),
            click.option("--name", metavar="TEXT", help="Only where either name holds this text."),
            click.option("--made-by", metavar="HOW", help="Only: created, matched, by hand, imported."),
            click.option("--authority", type=AUTHORITY, help="Only what this side leads, as a whole or in a field."),
            click.option("--unequal", is_flag=True, help="Only pairs not known to agree at the moment."),
        )
    ):
        command = option(command)
    return command


def entries(installation: Installation, chosen: Mapping[str, Any]) -> list[LinkEntry]:
    """The links that these filters let through."""
    from sagezoho_pipelines.ledger import link_table

    kind = KINDS[chosen["kind"]] if chosen["kind"] else None
    return link_table.entries(installation.database, **{**chosen, "kind": kind})


def named(installation: Installation, given: str, connection: str | None) -> list[LinkEntry]:
    """The links of a number or an id. Raises SagezohoError where there is none: nothing is done by halves."""
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.ledger import link_table

    found = link_table.entries(installation.database, connection=connection, ids=[given])
    if not found:
        raise SagezohoError(f"No link has the number or the record {given!r}; 'sagezoho links list' shows them.")
    return found


def one(installation: Installation, given: str, connection: str | None, *, two_way: bool = False) -> LinkEntry:
    """The one link that is meant. Raises SagezohoError when several are, or when its kind is led by its flow."""
    from sagezoho_pipelines.domain.errors import SagezohoError

    found = named(installation, given, connection)
    if two_way:
        led = [entry for entry in found if kind_of(entry.link).two_way]
        if not led:
            kind = kind_of(found[0].link)
            raise SagezohoError(f"{kind.name} go one way: {kind.authority} leads them, and nothing else can.")
        found = led
    if len(found) > 1:
        numbers = "; ".join(f"link-{entry.id} is {link_words.pair(entry)}" for entry in found)
        raise SagezohoError(f"{given} may mean several links, so nothing was done. {numbers}.")
    return found[0]


def require_field(ctx: Context, entry: LinkEntry, field: str | None) -> None:
    """Raises SagezohoError for a field that only one side can lead."""
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.engine.linking.asking import fields_of

    known = fields_of(ctx, kind_of(entry.link))
    if field is not None and field not in known:
        raise SagezohoError(f"{field} does not go both ways; these do: {', '.join(known)}.")
