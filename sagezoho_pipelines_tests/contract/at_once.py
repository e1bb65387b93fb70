"""Calls that reach a simulated vendor at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sagezoho_pipelines.sandbox.faults import FaultBook


def volleys(faults: FaultBook, ask: Callable[[], int], calls: int, *, taken: int) -> tuple[int, int]:
    """How many of so many calls are answered 200 and 429 while the vendor takes its time over each.

    On a busy machine the first may be answered before the last has come: then more are taken than `taken`, and it is
    tried again with a vendor that takes longer.
    """
    statuses: list[int] = []
    for faults.latency in (0.5, 3.0, 15.0):
        with ThreadPoolExecutor(calls) as pool:
            statuses = [each.result() for each in [pool.submit(ask) for _ in range(calls)]]
        if statuses.count(200) <= taken:
            break
    faults.latency = 0.0
    return statuses.count(200), statuses.count(429)
