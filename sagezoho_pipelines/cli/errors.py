"""Every error ends as one clear message on standard error and an exit code that means something.

| code | meaning |
|---|---|
| 1 | something a person must mend: the message says what, and how |
| 2 | wrong usage (click) |
| 3 | a fault of ours: `--debug` shows where |
| 130 | interrupted |
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import click

from sagezoho_pipelines.domain.errors import SagezohoError, VendorError

MEND, USAGE, FAULT, INTERRUPTED = 1, 2, 3, 130
_LONGEST = 400
#: No room on a disk, or none that is left of somebody's share of it. The error of a write names no file.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: By name, since a command that needs no database does not import them.
_LOST = frozenset(
    {
        ("dagster_postgres", "DagsterPostgresException"),
        *((driver, name) for driver in ("sqlalchemy", "psycopg2") for name in ("OperationalError", "InterfaceError")),
    }
)


class Failed(SagezohoError):
    """A command that did its work and found what a person must see to; everything is printed already."""


@contextmanager
def explained(*, debug: bool) -> Iterator[None]:
    """Turn what goes wrong inside into a message and an exit."""
    try:
        yield
    except Failed:
        sys.exit(MEND)
    except (SagezohoError, ExceptionGroup) as error:
        message = _known(error)
        if message is None:
            _fault(error, debug=debug)
        _say(f"Error: {message}")
        if debug:
            _say(_traceback(error))
        sys.exit(MEND)
    except KeyboardInterrupt:
        _say("\nInterrupted. What was under way is picked up by the next run.")
        sys.exit(INTERRUPTED)
    except (click.exceptions.Exit, click.Abort, click.ClickException):
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of our output has gone: click ends quietly
            raise
        if error.filename is None and error.errno not in _FULL:
            _fault(error, debug=debug)
        remedy = (
            "Make room there, then run this again" if error.errno in _FULL else "Check the path and its permissions"
        )
        where = error.filename or "The disk that this command writes to"
        _say(f"Error: {where}: {error.strerror}. {remedy}.")
        sys.exit(MEND)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person must not meet a traceback
        _fault(error, debug=debug)


def set_up_logging(*, debug: bool) -> None:
    """Libraries stay silent unless asked: what a person must know is printed by the commands."""
    level = logging.DEBUG if debug else logging.CRITICAL
    if not logging.getLogger().handlers:  # a program that embeds the command keeps its own
        handler = logging.StreamHandler(sys.stderr)
        handler.setLevel(level)  # Dagster lowers the levels of loggers it puts into a run's own log
        logging.basicConfig(level=level, handlers=[handler], format="%(asctime)s %(name)s %(message)s")
    for chatty in ("urllib3", "alembic", "asyncio", "markdown_it"):
        logging.getLogger(chatty).setLevel(max(level, logging.INFO))


def sentence(error: BaseException) -> str:
    """An error that reaches a person, in words: a vendor's own text, what it belongs to, and our advice."""
    if isinstance(error, VendorError):
        system = {"sage300": "Sage 300", "zoho_crm": "Zoho CRM"}[str(error.system)]
        where = f", field {error.field}" if error.field else ""
        advice = f"\n  {error.advice}" if error.advice else ""
        return without_secrets(f"{system} answered {error.code}{where}: {error.text}{advice}")
    return without_secrets(str(error))


def without_secrets(text: str) -> str:
    """Blank out the secrets that came by environment, wherever a foreign message may repeat them."""
    keys = os.environ.get("SAGEZOHO_MASTER_KEY", "").replace(",", " ").split()
    secrets = {*keys, _password(os.environ.get("SAGEZOHO_POSTGRES_URL", ""))}
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return text


def _known(error: BaseException) -> str | None:
    """The message of an error a person can act on; None when there is none in it."""
    if isinstance(error, ExceptionGroup):
        found = [_known(one) for one in error.exceptions]
        return "\n".join(dict.fromkeys(one for one in found if one)) if all(found) else None
    return sentence(error) if isinstance(error, SagezohoError) else None


def _of_database(error: BaseException) -> BaseException | None:
    """What Dagster or a driver tells of Postgres, where it went away while a command was at work."""
    if isinstance(error, ExceptionGroup):
        return next((found for one in error.exceptions if (found := _of_database(one)) is not None), None)
    if (type(error).__module__.partition(".")[0], type(error).__name__) in _LOST:
        return error
    behind = error.__cause__ or error.__context__
    return _of_database(behind) if behind is not None else None


def _fault(error: BaseException, *, debug: bool) -> None:
    """Only the first line: what follows it in a foreign message may hold values."""
    lost = _of_database(error)
    if lost is not None:
        full = os.strerror(errno.ENOSPC) in str(lost)
        remedy = "Make room on the server's disk" if full else "Start the server where it is down"
        _say(f"Error: Postgres failed us while at work: {_first_line(lost)}")
        _say(f"  {remedy}, then run this again: what was under way is picked up, nothing twice.")
        if debug:
            _say(_traceback(error))
        sys.exit(MEND)
    _say(f"Error: this should not happen: {type(error).__name__}: {_first_line(error)}")
    _say("Run it again as 'sagezoho --debug …' to see where, and report it with that output.")
    if debug:
        _say(_traceback(error))
    sys.exit(FAULT)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return without_secrets(lines[0][:_LONGEST]) if lines else "no message"


def _traceback(error: BaseException) -> str:
    return without_secrets("".join(traceback.format_exception(error)))


def _say(text: str) -> None:
    click.echo(text, err=True)


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def halves(message: str) -> tuple[str, str]:
    """What is wrong, and the remedy: our messages hold the remedy after the first sentence or line."""
    head, mark, rest = message.partition("\n")
    if not mark:
        head, _, rest = message.partition(". ")
    return head.strip(), rest.strip()
