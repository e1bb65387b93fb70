"""What linked pairs may hold: worked out from what people typed on either side, and from nothing the engine remembers.

The journal is kept by whoever plays the people. It looks at both sides before each edit and whenever it is asked to:
where a field is equal and nothing is on its way, the two agree, and what they agree on must be what the one who leads
said last. A value that is gone from where somebody typed it must stand in the audit, unless that side typed over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sagezoho_pipelines_tests.fault.evidence import Finding, Read, Row, plain, unless

SAGE, ZOHO = "sage300", "zoho_crm"
#: The linked entities that are kept equal: their collection in Sage, their key, and their name.
KEPT = {
    "vendors": ("APVendors", "VendorNumber", "VendorName"),
    "customers": ("ARCustomers", "CustomerNumber", "CustomerName"),
}
_ADDRESS = tuple(f"AddressLine{line}" for line in range(1, 5))
_FIELDS = {
    "Phone": "PhoneNumber", "Fax": "FaxNumber", "Website": "WebSite", "Billing_City": "City",
    "Billing_State": "StateProvince", "Billing_Code": "ZipPostalCode", "Billing_Country": "Country",
    "Sage_Email": "Email",
}  # fmt: skip


def said_by_sage(entity: str, row: Row) -> dict[str, str]:
    """A Sage record in Zoho's fields; of an edit, only what it names."""
    name = KEPT[entity][2]
    said = {zoho: plain(row[sage]) for zoho, sage in _FIELDS.items() if sage in row}
    if name in row:
        said["Account_Name"] = plain(row[name])
    if set(_ADDRESS) & row.keys():
        said["Billing_Street"] = "\n".join(line for one in _ADDRESS if (line := plain(row.get(one))))
    return said


def said_by_zoho(row: Row) -> dict[str, str]:
    names = ("Account_Name", "Billing_Street", *_FIELDS)
    return {name: "\n".join(plain(row[name]).splitlines()) for name in names if name in row}


@dataclass
class _Field:
    """One field of a pair since its sides last agreed: on what, what each side typed last, who has led."""

    agreed: str
    typed: dict[str, str] = field(default_factory=dict)
    leaders: set[str] = field(default_factory=set)

    def expected(self) -> set[str]:
        """What may be held: the leader's word, what was agreed where it said nothing; the newest where that leads.

        Where another side came to lead meanwhile, each word may have given way while the other side led.
        """
        if len(self.leaders) > 1:
            return {*self.typed.values(), self.agreed}
        (leader,) = self.leaders
        if leader == "newest":
            return set(self.typed.values()) or {self.agreed}
        return {self.typed.get(leader, self.agreed)}


@dataclass(frozen=True)
class _Pair:
    link: Row
    sage: Mapping[str, str]
    zoho: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.link['sage_entity']} {self.link['sage_id']} = account {self.link['zoho_id']}"

    def leader(self, name: str) -> str:
        return str(self.link["exceptions"].get(name, self.link["authority"]))


class Journal:
    """`links` reads the mapping table as it is now."""

    def __init__(self, read: Read, links: Callable[[], Sequence[Row]]) -> None:
        self._read, self._links = read, links
        self._fields: dict[tuple[str, str, str], _Field] = {}
        self._typed: dict[tuple[str, str, str, str], str] = {}
        self._gone: dict[tuple[str, str, str], None] = {}
        self._wrong: dict[Finding, None] = {}
        self.ever: dict[str, set[str]] = {}
        """Account id -> the fields that anybody ever typed in, on either side."""

    def look(self) -> None:
        """Note who leads and what has come to agree, and what is no longer where it was typed."""
        for pair in self._pairs():
            for name, zoho in pair.zoho.items():
                sage = pair.sage[name]
                self._missed(pair, SAGE, name, sage)
                self._missed(pair, ZOHO, name, zoho)
                leader = pair.leader(name)
                seen = self._fields.get(_key(pair.link, name))
                if seen is None:
                    seen = self._fields[_key(pair.link, name)] = _Field(zoho if leader == ZOHO else sage)
                seen.leaders.add(leader)
                if sage == zoho and not pair.link["unsettled"]:
                    self._agree(pair, name, seen, sage, leader)

    def typed(self, side: str, entity: str, record: str, fields: Row) -> None:
        """Somebody has just typed this into a record; `look` came before. Records without a link are nobody's pair."""
        said = said_by_sage(entity, fields) if side == SAGE else said_by_zoho(fields)
        for link in self._links():
            if link[_ID[side]] != record or (side == SAGE and link["sage_entity"] != entity):
                continue
            self.ever.setdefault(link["zoho_id"], set()).update(said)
            for name, value in said.items():
                seen = self._fields.get(_key(link, name))
                if seen is not None:
                    seen.typed[side] = value
                    self._typed[(side, link["sage_entity"], record, name)] = value

    def findings(self, asked: Callable[[Row], bool], audit: Sequence[Row]) -> Iterator[Finding]:
        """`asked` says whether a person has been asked about a link's record."""
        self.look()
        yield from self._wrong
        for pair in self._pairs():
            for name, zoho in pair.zoho.items():
                if pair.sage[name] != zoho:
                    words = f"{name} is {pair.sage[name]!r} in Sage, {zoho!r} in Zoho"
                    yield from unless(asked(pair.link), "wrong", pair.name, words)
        told = {value for row in audit for value in _overridden(row)}
        for record, name, value in self._gone:
            if value not in told:
                yield Finding("unexplained", record, f"{name} was {value!r}, and no audit line says what became of it")

    def gone(self) -> int:
        """How many typed values have given way so far, other than to the same side's next word."""
        self.look()
        return len(self._gone)

    def differing(self, entity: str, record: str) -> list[tuple[str, str]]:
        """The fields in which a pair differs now, each with its leader; `record` is either side's id."""
        return [
            (name, pair.leader(name))
            for pair in self._pairs()
            if pair.link["sage_entity"] == entity and record in (pair.link["sage_id"], pair.link["zoho_id"])
            for name, zoho in pair.zoho.items()
            if pair.sage[name] != zoho
        ]

    def _agree(self, pair: _Pair, name: str, seen: _Field, value: str, leader: str) -> None:
        if seen.typed and value not in seen.expected():
            words = f"{name} came to be {value!r}, where {sorted(seen.expected())} was to be expected"
            self._wrong[Finding("wrong", pair.name, f"{words}; {leader} leads")] = None
        self._fields[_key(pair.link, name)] = _Field(value, leaders={leader})

    def _missed(self, pair: _Pair, side: str, name: str, now: str) -> None:
        key = (side, pair.link["sage_entity"], pair.link[_ID[side]], name)
        value = self._typed.get(key, now)
        if value != now:
            self._gone[(f"{side} {pair.name}", name, self._typed.pop(key))] = None

    def _pairs(self) -> Iterator[_Pair]:
        links = [row for row in self._links() if row["zoho_entity"] == "Accounts" and row["sage_entity"] in KEPT]
        if not links:
            return
        accounts = {str(row["id"]): row for row in self._read(ZOHO, "Accounts")}
        records = {
            entity: {plain(row[key]): row for row in self._read(SAGE, collection)}
            for entity, (collection, key, _) in KEPT.items()
        }
        for link in links:
            sage, zoho = records[link["sage_entity"]].get(link["sage_id"]), accounts.get(link["zoho_id"])
            if sage is not None and zoho is not None:
                yield _Pair(link, said_by_sage(link["sage_entity"], sage), said_by_zoho(zoho))


_ID = {SAGE: "sage_id", ZOHO: "zoho_id"}


def _key(link: Row, name: str) -> tuple[str, str, str]:
    return link["sage_entity"], link["sage_id"], name


def _overridden(line: Row) -> Iterator[str]:
    """What gave way by this line of the audit."""
    for stored in line["fields"]:
        before: Any = stored[1]
        yield plain(before)
