"""API credits in a rolling day, and calls in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sagezoho_pipelines.sandbox.zoho_crm.errors import too_many_requests
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.switches import HEAVY_CONCURRENCY

DAY = 24 * 3600


class Limits:
    """What the organisation has used, and how much is in flight for its one application."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.allowance: int | None = None
        """Credits a day; None takes the edition's."""
        self.used = 0
        self.spent_ever = 0
        self.in_flight = 0
        self.heavy_in_flight = 0
        self.most_in_flight = 0
        self.most_heavy = 0
        self.refused = 0
        self._minutes: deque[list[int]] = deque()

    @property
    def allowed(self) -> int:
        return self.org.edition.credits(self.org.user_licenses) if self.allowance is None else self.allowance

    def _age(self, now: int) -> None:
        while self._minutes and self._minutes[0][0] <= now - DAY:
            self.used -= self._minutes.popleft()[1]

    def spend(self, credits: int) -> None:
        """Takes the credits of one call; ApiError 429 when the day's are gone."""
        now = self.org.now()
        self._age(now)
        if self.used + credits > self.allowed:
            self.refused += 1
            raise too_many_requests()
        self.used += credits
        self.spent_ever += credits
        minute = now - now % 60
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1][1] += credits
        else:
            self._minutes.append([minute, credits])

    def remaining_header(self) -> str | None:
        """X-API-CREDITS-REMAINING, told only once half the day's credits are used."""
        self._age(self.org.now())
        if self.used * 2 < self.allowed:
            return None
        return str(self.allowed - self.used)

    @contextmanager
    def flight(self, *, heavy: bool) -> Iterator[None]:
        """One call in flight; ApiError 429 when there are too many already."""
        full = self.in_flight >= self.org.edition.concurrency
        if full or (heavy and self.heavy_in_flight >= HEAVY_CONCURRENCY):
            self.refused += 1
            raise too_many_requests()
        self.in_flight += 1
        self.heavy_in_flight += heavy
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.most_heavy = max(self.most_heavy, self.heavy_in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            self.heavy_in_flight -= heavy
