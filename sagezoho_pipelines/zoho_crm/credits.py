"""API credits: counted as we spend them, and held against Zoho's own figure."""

from __future__ import annotations

import logging
import threading

from sagezoho_pipelines.domain.usage import Usage

_log = logging.getLogger(__name__)


class CreditMeter:
    """Compares what we count with what Zoho takes off between two answers that carry its figure.

    `drift` is what Zoho took beyond our count (other applications of the organisation, or a price we have wrong);
    negative when the rolling window gave credits back.
    """

    _WORTH_A_WORD = 100

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._lock = threading.Lock()
        self._first: tuple[int, int] | None = None  # (Zoho's remaining, our count) when first seen
        self._told = 0
        self.drift = 0

    def saw(self, remaining_header: str) -> None:
        """Take Zoho's figure from an answer's header; absent or unreadable figures change nothing."""
        try:
            remaining = int(remaining_header)
        except ValueError:
            return
        self._usage.remaining(remaining)
        with self._lock:
            spent = self._usage.credits
            if self._first is None:
                self._first = (remaining, spent)
            self.drift = (self._first[0] - remaining) - (spent - self._first[1])
            worth_a_word = abs(self.drift - self._told) >= self._WORTH_A_WORD
            if worth_a_word:
                self._told = self.drift
        if worth_a_word:
            _log.warning(
                "Zoho CRM has taken %d credits more than this process counted; %d are left", self.drift, remaining
            )
