"""How fast one source may send. Zoho itself calls from several addresses, and bursts."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from aiolimiter import AsyncLimiter

#: Sources remembered at once: the one that has been quiet for longest is forgotten first.
MOST_SOURCES = 4096


class Sources:
    """One leaky bucket for each source, held for as long as it is among the most recent ones."""

    def __init__(self, requests_per_second: int) -> None:
        self._rate = requests_per_second
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    async def admit(self, source: str) -> bool:
        """Whether this source may send one more now."""
        bucket = self._buckets.pop(source, None) or AsyncLimiter(self._rate, 1)
        self._buckets[source] = bucket
        while len(self._buckets) > MOST_SOURCES:
            self._buckets.popitem(last=False)
        if not bucket.has_capacity():
            return False
        await bucket.acquire()  # does not wait: there is room
        return True


def is_loopback(host: str) -> bool:
    """Whether a request came from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
