"""Clients of a simulated Sage 300 that tests share: connected over real sockets, and as new for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.server import SageHandle, Sandbox

VENDORS = "AP/APVendors"
CUSTOMERS = "AR/ARCustomers"
NEW_CUSTOMER = {"CustomerNumber": "ZC000001", "GroupCode": "RTL", "TaxGroup": "CALIF", "CustomerName": "O'Neil & Sons"}


Connect = Callable[..., Sage300Client]


def as_new(sandbox: Sandbox) -> None:
    """No faults, nothing counted, switches as shipped, and none of the tests' customers."""
    world = sandbox.sage300.world
    world.faults.clear()
    world.counters.reset()
    for name, value in vars(SageSwitches()).items():
        setattr(world.switches, name, value)
    for row in list(world.state(CUSTOMERS)):
        if str(row["CustomerNumber"]).startswith("ZC"):
            world.table("ARCustomers").delete((row["CustomerNumber"],))


@contextmanager
def connecting(sage: SageHandle) -> Iterator[Connect]:
    clients: list[Sage300Client] = []

    def connected(username: str = "webapi", password: str = "WEBAPI", **options: Any) -> Sage300Client:
        settings = {"base_url": sage.url, "company": sage.company, "sleep": lambda _: None, **options}
        clients.append(Sage300Client(credentials=lambda: {"username": username, "password": password}, **settings))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def numbers(client: Sage300Client, **options: Any) -> list[str]:
    pages = client.pages(VENDORS, select=["VendorNumber"], **options)
    return [str(row["VendorNumber"]) for page in pages for row in page]


def vendors_of(sage: SageHandle) -> list[str]:
    return [str(row["VendorNumber"]).strip() for row in sage.world.state(VENDORS)]


def customers_made(sage: SageHandle) -> int:
    return sum(row["CustomerNumber"] == "ZC000001" for row in sage.world.state(CUSTOMERS))
