"""Rules of single modules beyond what their fields say: a deal's probability, a call's duration."""

from __future__ import annotations

import re

from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError
from sagezoho_pipelines.sandbox.zoho_crm.table import Row

_DURATION = re.compile(r"\d{1,4}:\d{2}")


def require_sense(module: str, values: Row, path: str) -> None:
    """RowError for values, as they are to be stored, that the module does not take together or at all."""
    if module == "Deals":
        _probability(values, f"{path}.Probability")
    if module == "Calls":
        _duration(values, f"{path}.Call_Duration")


def _probability(values: Row, path: str) -> None:
    probability = values.get("Probability")
    if probability is not None and not 0 <= probability <= 100:
        details = {"api_name": "Probability", "json_path": path}
        raise RowError("INVALID_DATA", "Given Probability is not valid", details)


def _duration(values: Row, path: str) -> None:
    duration = values.get("Call_Duration")
    if duration is None:
        return
    details = {"api_name": "Call_Duration", "json_path": path}
    if not _DURATION.fullmatch(duration):
        raise RowError("INVALID_DATA", "invalid data", {"expected_data_type": "string", **details})
    if not duration.strip("0:"):
        raise RowError("DEPENDENT_MISMATCH", "Call Duration can not be zero.", details)
