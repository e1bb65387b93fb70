"""The OAuth access token that all processes of a connection share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One access token: its `value` is a secret and never shown; `expires_at` is UTC-aware.

    `api_domain` is the base URL that the token answer named: all later calls go there.
    """

    value: str = field(repr=False)
    api_domain: str
    expires_at: datetime
