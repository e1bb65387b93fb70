"""A database that goes away while a command is at work is told as that, not as a fault of ours."""

from __future__ import annotations

import errno
import os

import pytest
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import OperationalError

from sagezoho_pipelines.cli.errors import FAULT, MEND, explained

_GONE = OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))


def _behind() -> Exception:
    try:
        raise RuntimeError("the step failed") from _GONE
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        DagsterPostgresException("too many retries for DB connection"),
        _GONE,
        _behind(),
        ExceptionGroup("runs", [DagsterPostgresException("too many retries for DB connection")]),
    ],
)
def test_a_lost_database_is_told_with_its_remedy(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, explained(debug=False):
        raise error
    told = capsys.readouterr().err
    assert ended.value.code == MEND
    assert "Postgres failed us while at work: " in told
    assert "Start the server where it is down, then run this again" in told
    assert "Traceback" not in told


def test_a_full_disk_is_told_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    of_server = OperationalError(
        "INSERT", {}, Exception(f'could not extend file "base/1": {os.strerror(errno.ENOSPC)}')
    )
    told = []
    for error in (full, of_server):
        with pytest.raises(SystemExit) as ended, explained(debug=False):
            raise error
        assert ended.value.code == MEND
        told.append(capsys.readouterr().err)
    assert "No space left on device. Make room there, then run this again" in told[0]
    assert "Make room on the server's disk, then run this again" in told[1]


def test_what_has_nothing_to_do_with_the_database_stays_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, explained(debug=False):
        raise RuntimeError("no idea")
    assert ended.value.code == FAULT
    assert "this should not happen" in capsys.readouterr().err
