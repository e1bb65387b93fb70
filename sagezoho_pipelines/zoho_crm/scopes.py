"""What the refresh token must be allowed, and what kind of organisation it opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagezoho_pipelines.domain.records import Row

#: What the refresh token is asked for in Zoho's API console.
SCOPES: Final = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.notifications.ALL",
)


def covers(granted: str, needed: str) -> bool:
    """Whether one granted scope is as wide as the needed one: ALL stands for every operation."""
    have, want = granted.casefold().split("."), needed.casefold().split(".")
    if have == want:
        return True
    return have[-1] == "all" and want[: len(have) - 1] == have[:-1]


def edition(org: Row) -> str:
    """The edition paid for, or the one on trial; `free` where Zoho names neither."""
    told = org.get("license_details")
    details = told if isinstance(told, Mapping) else {}
    return str((details.get("paid_type") if details.get("paid") else details.get("trial_type")) or "free")
