"""Alerts: a command that gets a JSON summary of what is amiss on its standard input, or a webhook that gets it.

Its failure is told and never raised: an alarm that is out of order must not stop what it watches.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.tally import Event, Tally

_SAMPLES = 20
#: What the command has no business with.
_SECRETS = frozenset({"SAGEZOHO_MASTER_KEY", "SAGEZOHO_POSTGRES_URL"})


def summary(connection: str, flow: str, run_id: str, tally: Tally) -> dict[str, Any]:
    """What happened, in the words of the inbox: figures, notes, and the first records that did not arrive.

    `event` is what the hook is called for; with more than one, `alarms` holds what is to be said of each.
    """
    left = (Outcome.REFUSED, Outcome.CONFLICTED, Outcome.RETRYING)
    records = [
        {"source": one.source, "name": one.name, "outcome": one.outcome, "note": one.note}
        for one in tally.samples
        if one.outcome in left
    ]
    return {
        "event": next((event for event, _ in tally.alarms), Event.DEGRADED), "connection": connection, "flow": flow,
        "run_id": run_id, "figures": tally.figures(), "failure_rate": round(rate(tally), 4),
        "alarms": [text for _, text in tally.alarms], "records": records[:_SAMPLES], "notes": list(tally.notes),
    }  # fmt: skip


def rate(tally: Tally) -> float:
    """Of the records this run took up, the share that was refused or is in conflict."""
    taken = sum(tally.outcomes.values())
    return _refused(tally) / taken if taken else 0.0


def is_due(settings: Alerts, tally: Tally) -> bool:
    """Whether to call the hook: for an alarm, or for `min_refused` records refused that are as large a share of all."""
    if not (settings.command or settings.webhook_url):
        return False
    refused = _refused(tally)
    many = refused > 0 and refused >= settings.min_refused and rate(tally) >= settings.failure_rate
    return many or bool(tally.alarms)


def send(settings: Alerts, body: Mapping[str, Any], *, env: Mapping[str, str] = os.environ) -> str | None:
    """Call the hook; in words what went wrong, without its address, which may hold a token. None when it went.

    A command runs in `env`, less what opens the vault and the ledger.
    """
    text = json.dumps(body, default=str).encode()
    try:
        if settings.command:
            subprocess.run(
                list(settings.command),
                input=text,
                env={name: value for name, value in env.items() if name not in _SECRETS},
                timeout=settings.timeout,
                check=True,
                capture_output=True,
            )
        if settings.webhook_url:
            request = urllib.request.Request(
                settings.webhook_url, data=text, headers={"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=settings.timeout):
                pass
    except subprocess.CalledProcessError as error:
        return f"The alert command ended with exit code {error.returncode}."
    except (subprocess.TimeoutExpired, TimeoutError):
        return f"The alert hook did not end within {settings.timeout:g} s."
    except urllib.error.HTTPError as error:
        return f"The alert webhook answered HTTP {error.code}."
    except (OSError, http.client.HTTPException, ValueError) as error:  # nobody there, no HTTP, no address
        return f"The alert hook could not be called: {type(error).__name__}."
    return None


def _refused(tally: Tally) -> int:
    return tally.count(Outcome.REFUSED) + tally.count(Outcome.CONFLICTED)
