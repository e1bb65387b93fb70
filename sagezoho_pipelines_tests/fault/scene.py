"""The scene of a fault test: a bench with people at work on both sides, worker processes, the auditor and a receipt."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine

from sagezoho_pipelines.config import FLOWS, Notifications
from sagezoho_pipelines.domain.records import Authority
from sagezoho_pipelines.engine.channels import ChannelReport, keep_channel
from sagezoho_pipelines.engine.linking import edits
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, settings_for
from sagezoho_pipelines_tests.bench import bench as opened
from sagezoho_pipelines_tests.fault.agreement import Journal
from sagezoho_pipelines_tests.fault.auditor import audit
from sagezoho_pipelines_tests.fault.evidence import Verdict
from sagezoho_pipelines_tests.fault.worker import Post, begin, run
from sagezoho_pipelines_tests.gateway_service import Service, own_certificate, serving
from sagezoho_pipelines_tests.tls import PUBLIC_URL, lead_to

MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

#: Where each run leaves its receipt.
RECEIPTS = Path(os.environ.get("SAGEZOHO_RECEIPTS") or Path(__file__).parents[2] / "build" / "receipts")

#: `make soak` repeats what a test run does once.
THOROUGH = bool(os.environ.get("SAGEZOHO_FAULT_THOROUGH"))

#: Past every lease and every back-off.
_HOURS = 3

_PLACES = ("Vancouver", "Austin", "Leeds", "Lyon", "Porto")
_LINKS = "SELECT * FROM sagezoho.links ORDER BY id"
#: People's edits of records that may be linked, with what names the record, what its fields, and what it is.
_EDITS = {
    "edit_vendor": ("vendor", "fields", "vendors"),
    "edit_customer": ("customer", "fields", "customers"),
    "edit_account": ("account_id", "values", ""),
}


@dataclass
class Scene:
    """One bench and its people, whose every choice comes from `seed`."""

    desk: Bench
    seed: int
    injected: int = 0
    acted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._made = 0
        self._ahead = 0.0
        self.journal = Journal(self.desk.state, lambda: self.desk.query(_LINKS))
        settings = settings_for(self.desk.sandbox)
        sage, zoho = self.desk.sandbox.sage300.connection(), self.desk.sandbox.zoho_crm.connection()
        self.post = Post(
            database=self.desk.engine.url.render_as_string(hide_password=False),
            settings=settings,
            connection=CONNECTION,
            sage={name: sage[name] for name in ("username", "password")},
            zoho={name: zoho[name] for name in ("client_id", "client_secret", "refresh_token")},
            env={"SAGEZOHO_MASTER_KEY": MASTER_KEY},
        )

    # people

    def vendor(self) -> str:
        name = self._name("Vendor")
        fields = {
            "VendorName": name,
            "City": self._place(),
            "ContactName": f"Ada {name}",
            "ContactsEmail": "a@b.example",
        }
        return str(self._act("sage300", "add_vendor", fields=fields)["VendorNumber"])

    def rename_vendor(self, number: str | None = None) -> None:
        numbers = [str(row["VendorNumber"]).strip() for row in self.desk.state("sage300", "APVendors")]
        fields = {"VendorName": self._name("Renamed"), "City": self._place()}
        self._act("sage300", "edit_vendor", vendor=number or self.random.choice(numbers), fields=fields)

    def bill(self) -> None:
        """An A/P batch, posted: the vendor's balance moves without its own date."""
        numbers = [str(row["VendorNumber"]).strip() for row in self.desk.state("sage300", "APVendors")]
        batch = self._act("sage300", "add_ap_batch", vendor=self.random.choice(numbers), amount="25")
        self._act("sage300", "post_ap_batch", batch=batch["BatchNumber"])

    def account(self) -> str:
        values = {
            "Billing_Street": "1 Quay", "Billing_City": self._place(), "Billing_State": "BC", "Billing_Code": "V6B",
            "Billing_Country": "Canada", "Phone": "604-555-0100",
        }  # fmt: skip
        return str(self._act("zoho_crm", "add_account", name=self._name("Account"), values=values)["id"])

    def deal(self, account: str | None = None) -> str:
        account = account or self.account()
        amount = f"{self.random.randint(10, 9000)}.50"
        given = {"name": self._name("Deal"), "account_id": account, "amount": amount, "stage": "Qualification"}
        deal = str(self._act("zoho_crm", "add_deal", **given)["id"])
        if self.random.random() < 0.5:
            lines = [
                {"product_code": "A1-105/0", "quantity": self.random.randint(1, 9), "price": price}
                for price in (25, 10)
            ]
            self._act("zoho_crm", "add_quote", deal_id=deal, lines=lines, stage="Closed Won")
        self._act("zoho_crm", "close_deal", deal_id=deal)
        return deal

    def reopen_and_close(self) -> None:
        """The same deal closed, reopened and closed again."""
        deals = [row for row in self.desk.state("zoho_crm", "Deals") if row["Stage"] == "Closed Won"]
        if deals:
            deal = str(self.random.choice(deals)["id"])
            self._act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
            self._act("zoho_crm", "move_deal", deal_id=deal, stage="Closed Won")

    def edit_deal(self) -> None:
        """A won deal gets another name: where its order exists already, a person must look at it."""
        deals = self.desk.state("zoho_crm", "Deals")
        if deals:
            chosen = str(self.random.choice(deals)["id"])
            self._act("zoho_crm", "edit_deal", deal_id=chosen, values={"Deal_Name": self._name("Edited")})

    def move_account(self) -> None:
        accounts = [row for row in self.desk.state("zoho_crm", "Accounts") if row["Account_Type"] != "Vendor"]
        if accounts:
            chosen = str(self.random.choice(accounts)["id"])
            self._act("zoho_crm", "edit_account", account_id=chosen, values={"Phone": f"604-555-{self._next():04d}"})

    def edit_account(self, account: str, **values: str) -> None:
        self._act("zoho_crm", "edit_account", account_id=account, values=values)

    def edit_record(self, entity: str, number: str, **fields: str) -> None:
        """A vendor or a customer, at Sage's own screen."""
        kind = entity[:-1]
        self._act("sage300", f"edit_{kind}", **{kind: number, "fields": fields})

    def edit_in_zoho(self) -> None:
        """The account of a linked vendor or customer."""
        if link := self._pair():
            self.edit_account(str(link["zoho_id"]), **self._said_in_zoho())

    def edit_in_sage(self) -> None:
        """A linked vendor or customer."""
        if link := self._pair():
            self.edit_record(link["sage_entity"], link["sage_id"], **self._said_in_sage(link["sage_entity"]))

    def edit_both(self) -> None:
        """The same field of a linked pair, typed differently on both sides."""
        if link := self._pair():
            kind = link["sage_entity"]
            (zoho, sage) = self.random.choice((("Phone", "PhoneNumber"), ("Billing_City", "City")))
            self.edit_record(kind, link["sage_id"], **{sage: self._name("Hers")})
            self.edit_account(str(link["zoho_id"]), **{zoho: self._name("His")})

    def change_leader(self, link: Any = None, leader: str = "", field: str | None = None) -> None:
        """Say who leads a linked pair, or one field of it."""
        if link := link or self._pair():
            chosen = Authority(leader or self.random.choice(list(Authority)))
            ledger = self.desk.ledger
            [held] = ledger.links_by_sage(CONNECTION, link["sage_entity"], "Accounts", [link["sage_id"]]).values()
            self.journal.look()
            edits.set_authority(self.desk.context(), held, chosen, field=field, who="anna", why="she knows")
            self.journal.look()
            self.acted.append("change_leader")

    def change_leader_of_a_field(self) -> None:
        self.change_leader(field=self.random.choice(("Phone", "Billing_City", "Account_Name")))

    def _pair(self) -> Any:
        links = [row for row in self.desk.query(_LINKS) if row["zoho_entity"] == "Accounts"]
        return self.random.choice(links) if links else None

    def _said_in_zoho(self) -> dict[str, str]:
        name = self.random.choice(("Account_Name", "Phone", "Billing_City", "Billing_Street", "Fax"))
        return {name: self._name("His")}

    def _said_in_sage(self, entity: str) -> dict[str, str]:
        own = {"vendors": "VendorName", "customers": "CustomerName"}[entity]
        name = self.random.choice((own, "PhoneNumber", "City", "AddressLine1", "FaxNumber"))
        lines = {f"AddressLine{line}": "" for line in range(1, 5)} if name == "AddressLine1" else {}
        return {**lines, name: self._name("Hers")}

    def ship(self) -> None:
        """Ship and invoice one of our orders, whole."""
        waiting = [row for row in self._our_orders() if not str(row["LastInvoiceNumber"]).strip()]
        if waiting:
            order = str(self.random.choice(waiting)["OrderNumber"]).strip()
            self._act("sage300", "ship_and_invoice_order", order=order)

    def service(self) -> None:
        """A service invoice for one of our orders, through an A/R batch."""
        orders = self._our_orders()
        if orders:
            order = self.random.choice(orders)
            batch = self._act(
                "sage300", "add_ar_batch", customer=str(order["CustomerNumber"]).strip(), amount="75",
                order=str(order["OrderNumber"]).strip(),
            )  # fmt: skip
            self._act("sage300", "post_ar_batch", batch=batch["BatchNumber"])

    def pay(self) -> None:
        ours = {str(row["OrderNumber"]).strip() for row in self._our_orders()}
        due = [
            str(row["DocumentNumber"]).strip()
            for row in self.desk.state("sage300", "ARPostedDocuments")
            if str(row["OrderNumber"]).strip() in ours and row["CustomerCurrencyAmountDue"] > 5
        ]
        if due:
            self._act("sage300", "receive_payment", document=self.random.choice(due), amount="5")

    def somebody(self) -> None:
        """One of all these, at random."""
        self.random.choice(self.everything)()

    @property
    def everything(self) -> Sequence[Callable[[], Any]]:
        return (
            self.vendor, self.rename_vendor, self.bill, self.deal, self.deal, self.reopen_and_close,
            self.move_account, self.ship, self.ship, self.service, self.pay,
        )  # fmt: skip

    def _our_orders(self) -> list[dict[str, Any]]:
        deals = {str(row["id"]) for row in self.desk.state("zoho_crm", "Deals")}
        return [row for row in self.desk.state("sage300", "OEOrders") if str(row["OrderReference"]).strip() in deals]

    def _act(self, system: str, action: str, **given: Any) -> dict[str, Any]:
        self.acted.append(action)
        if action not in _EDITS:
            return self.desk.act(system, action, **given)
        record, fields, entity = _EDITS[action]
        self.journal.look()
        answer = self.desk.act(system, action, **given)
        self.journal.typed(system, entity, str(given[record]), given[fields])
        return answer

    def _next(self) -> int:
        self._made += 1
        return self._made

    def said(self, kind: str) -> str:
        """What nobody has typed before."""
        return self._name(kind)

    def _name(self, kind: str) -> str:
        return f"{kind} {self._next():04d}"

    def _place(self) -> str:
        return self.random.choice(_PLACES)

    # faults and processes

    def fault(self, vendor: str, action: Any, **options: Any) -> None:
        handle = self.desk.sandbox.sage300 if vendor == "sage300" else self.desk.sandbox.zoho_crm
        handle.world.faults.add(action, **options)

    def faults_played(self) -> int:
        worlds = (self.desk.sandbox.sage300.world, self.desk.sandbox.zoho_crm.world)
        return sum(rule["fired"] for world in worlds for rule in world.faults.listed())

    def calm(self) -> None:
        """The faults stop; what they did is counted."""
        self.injected += self.faults_played()
        for world in (self.desk.sandbox.sage300.world, self.desk.sandbox.zoho_crm.world):
            world.faults.clear()

    def pass_leases(self) -> None:
        """The next worker process starts when the leases of dead ones have run out, and what those had sent is done."""
        self.landed()
        self._ahead += self.desk.settings.lease_seconds + 1
        self.desk.later(seconds=self.desk.settings.lease_seconds + 1)

    def later(self, **delta: float) -> None:
        """Time passes for the engine, for worker processes, and for both vendors."""
        passed = timedelta(**delta)
        self._ahead += passed.total_seconds()
        self.desk.later(**delta)
        self.desk.sandbox.clock.advance(passed)

    def deliver(self, *flows: str) -> None:
        """Deliver what callbacks have queued (of deals, unless flows are named); nothing is polled."""
        for flow in flows or ("customers", "orders"):
            run_flow(self.desk.context(), flow, Window.incremental(), feeds=())

    @contextmanager
    def gateway(self, **options: Any) -> Iterator[Service]:
        """A gateway that really listens, to which Zoho's channel is subscribed."""
        store = self.channels()
        settings = self.post.settings
        with serving(self.desk.ledger, store, settings, clock=self.desk.now, tls=own_certificate()) as service:
            lead_to(self.desk.sandbox.zoho_crm.world, service.port)
            self.desk.sandbox.zoho_crm.world.switches.callback_timeout_seconds = 60  # however busy the machine is
            notifications = Notifications(url=PUBLIC_URL, **options)
            self.desk.settings = self.desk.settings.model_copy(update={"notifications": notifications})
            connections = {CONNECTION: self.desk.settings}
            settings = self.post.settings.model_copy(update={"connections": connections})
            self.post = replace(self.post, settings=settings)
            yield service

    def channels(self) -> PostgresChannelStore:
        return PostgresChannelStore(self.desk.engine, Vault(self.desk.engine, self.post.env or {}))

    def keep_channel(self) -> ChannelReport:
        return keep_channel(self.desk.context(), self.channels())

    def told(self) -> None:
        """Every callback on its way has come, or is lost."""
        assert self.desk.sandbox.zoho_crm.world.courier.drain(100)

    def process(self, **options: Any) -> int:
        return run(self._post(), **options)

    def begin(self, **options: Any) -> Any:
        return begin(self._post(), **options)

    def _post(self) -> Post:
        return replace(self.post, ahead=self._ahead, run_id=f"w{self._next():05d}")

    # the end

    def landed(self) -> None:
        """A request whose sender gave up or died is carried out all the same: no retry is so early as to precede it."""
        handles = (self.desk.sandbox.sage300, self.desk.sandbox.zoho_crm)
        deadline = time.monotonic() + 60
        for handle in handles:
            while True:
                requests.get(f"{handle.control_url}/clock", timeout=60)  # what came before this has been begun
                if not handle.world.counters.in_flight:
                    break
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def converge(self) -> None:
        """The faults stop, retries and leases fall due, and exactly one poll of each flow follows.

        Where a gateway listens, the callbacks of what that poll wrote are heard out as well.
        """
        self.landed()
        self.calm()
        self.desk.later(hours=_HOURS)
        self._ahead += _HOURS * 3600
        courier = self.desk.sandbox.zoho_crm.world.courier
        self.told()
        heard = courier.delivered
        self.desk.sync()
        self.told()
        while courier.delivered > heard:
            heard = courier.delivered
            self.deliver(*FLOWS)
            self.told()

    def audit(self) -> Verdict:
        return audit(self.desk.state, self.desk.engine, self.journal)

    def inbox(self) -> list[Any]:
        return self.desk.query(
            "SELECT c.entity, c.key, c.error ->> 'code' AS code FROM sagezoho.changes c "
            "WHERE c.state IN ('refused', 'conflicted') ORDER BY c.id"
        )

    def close(self, name: str, receipts: Path, *, asked: Collection[str] = (), **figures: Any) -> None:
        """Converge, audit, print one line of figures, write the receipt, and fail unless all is zero.

        Only what the codes in `asked` name may wait in the inbox. The poll after the last one has nothing to write.
        """
        self.converge()
        verdict = self.audit()
        self.desk.reset_counters()
        self.desk.sync()
        restless = sum(self.desk.writes().values())
        questions = [entry for entry in self.inbox() if entry["code"] not in asked]
        told = {
            "name": name.replace(" ", "-"), "seed": self.seed, "acts": len(self.acted), "injected": self.injected,
            **figures, "expected": verdict.expected, "overridden": self.journal.gone(),
            "inbox": len(self.inbox()), "restless": restless,
            **verdict.figures(),
        }  # fmt: skip
        print("  ".join([f"{key} {value}" for key, value in told.items()]))  # noqa: T201
        receipts.mkdir(parents=True, exist_ok=True)
        receipt = {**told, "findings": [str(finding) for finding in verdict.findings], "asked": self.inbox()}
        (receipts / f"{told['name']}.json").write_text(json.dumps(receipt, indent=1) + "\n")
        assert verdict.clean, f"{name}, seed {self.seed}:\n{verdict}"
        assert questions == [], f"{name}, seed {self.seed}: a person was asked"
        assert restless == 0, f"{name}, seed {self.seed}: a poll that finds nothing new wrote to a vendor"


@contextmanager
def scene(engine: Engine, *, seed: int = 1, vendors: int = 6, **options: Any) -> Iterator[Scene]:
    with opened(engine, seed=1, vendors=vendors, deals=0, **options) as desk:
        yield Scene(desk, seed)
