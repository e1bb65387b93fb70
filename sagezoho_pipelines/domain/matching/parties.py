"""Firms as either system describes them, read so that the same particulars are the same value."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from rapidfuzz import fuzz

from sagezoho_pipelines.domain.matching.company_names import Name, name_of, plain

#: Everybody's mail: such a domain says nothing about the firm.
FREE_MAIL = frozenset(
    """
    126.com 163.com adelphia.net alice.it ameritech.net aol.com arcor.de att.net bell.net bellsouth.net bigpond.com
    bluewin.ch blueyonder.co.uk bol.com.br btinternet.com centurylink.net charter.net cogeco.ca comcast.net cox.net
    daum.net earthlink.net eastlink.ca embarqmail.com fastmail.com free.fr freenet.de frontier.com frontiernet.net
    gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net hotmail.ca hotmail.co.uk hotmail.com
    hotmail.de hotmail.fr hotmail.it hushmail.com icloud.com iinet.net.au juno.com kpnmail.nl laposte.net libero.it
    live.ca live.co.uk live.com live.fr live.nl mac.com mail.com mail.ru me.com msn.com mts.net mweb.co.za naver.com
    netscape.net netzero.net neuf.fr ntlworld.com online.de optonline.net optusnet.com.au orange.fr outlook.com
    outlook.com.au outlook.de outlook.fr outlook.it planet.nl prodigy.net proton.me protonmail.com q.com qq.com
    rediffmail.com roadrunner.com rocketmail.com rogers.com rr.com sasktel.net sbcglobal.net sfr.fr shaw.ca sina.com
    sky.com skynet.be sympatico.ca t-online.de talktalk.net tds.net telenet.be telkomsa.net telus.net
    telusplanet.net terra.com.br tiscali.it uol.com.br verizon.net videotron.ca virgilio.it virginmedia.com
    wanadoo.fr web.de windstream.net xs4all.nl xtra.co.nz yahoo.ca yahoo.co.uk yahoo.com yahoo.com.au yahoo.com.br
    yahoo.de yahoo.es yahoo.fr yahoo.it yandex.ru ymail.com ziggo.nl zoho.com zohomail.com
    """.split()  # noqa: SIM905 - a list to be read and added to
)
#: Hosts under which firms have pages of their own: not the firm's own either.
_HOSTS = frozenset(("facebook.com", "linkedin.com", "instagram.com", "wixsite.com", "wordpress.com", "google.com"))

_EXTENSION = re.compile(r"(?i)\s*(?:ext\.?|extension|x|#|durchwahl|poste)\s*\.?\s*\d{1,6}\s*$")
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([^/:?#\s]+)")
#: Typed where a number is asked for and nobody knows one.
_COUNTED = tuple("01234567890"[start : start + size] for size in range(7, 12) for start in (0, 1))
_COUNTRY = re.compile(r"^[A-Z]{2,3}(?=\d)")
_NUMBER = re.compile(r"\d+[a-z]?")
_STREET = {
    "street": "st", "str": "st", "strasse": "st", "road": "rd", "avenue": "ave", "av": "ave", "boulevard": "blvd",
    "drive": "dr", "lane": "ln", "court": "ct", "suite": "ste", "north": "n", "south": "s", "east": "e", "west": "w",
    "rue": "st", "saint": "st",
}  # fmt: skip


class Agreement(StrEnum):
    """Whether both sides say the same. `unknown`: one of them says nothing."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Party:
    """A firm as one system has it. What the system does not say is empty.

    `external_ids` are ids that name it in the other system; `mails` are addresses or web sites, of which the domain
    counts.
    """

    key: str
    name: str
    external_ids: tuple[str, ...] = ()
    tax_numbers: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    city: str = ""
    postal_code: str = ""
    street: str = ""
    free_mail: Collection[str] = field(default=FREE_MAIL, repr=False)

    @cached_property
    def words(self) -> Name:
        return name_of(self.name)

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(filter(None, (one.strip().casefold() for one in self.external_ids)))

    @cached_property
    def taxes(self) -> frozenset[str]:
        """Without the country that some write before the number, and some do not."""
        return frozenset(filter(None, (_COUNTRY.sub("", tax_number(one)) for one in self.tax_numbers)))

    @cached_property
    def domains(self) -> frozenset[str]:
        found = {domain(one) for one in self.mails} - {""}
        return frozenset(one for one in found if one not in self.free_mail and one not in _HOSTS)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(filter(None, map(phone_number, self.phones)))

    @cached_property
    def town(self) -> str:
        return "".join(re.findall(r"[a-z]+", plain(self.city)))

    @cached_property
    def post(self) -> str:
        return "".join(re.findall(r"[a-z0-9]+", plain(self.postal_code)))

    @cached_property
    def road(self) -> tuple[frozenset[str], str]:
        """House numbers, and the words of the street."""
        first = plain(self.street).splitlines()[0] if self.street.strip() else ""
        words = [_STREET.get(word, word) for word in re.findall(r"[a-z0-9]+", first)]
        numbers = frozenset(word for word in words if _NUMBER.fullmatch(word))
        return numbers, " ".join(word for word in words if word not in numbers)


def phone_number(text: str) -> str:
    """The last nine digits of a number, without extension: country and trunk prefixes do not count; else nothing."""
    digits = "".join(sign for sign in _EXTENSION.sub("", text) if sign.isdigit() and sign.isascii())
    told = len(digits) >= 7 and len(set(digits)) > 1 and digits not in _COUNTED
    return digits[-9:] if told else ""


def tax_number(text: str) -> str:
    """Letters and digits of a tax or registration number; nothing for one too short or too dull to be one."""
    found = "".join(re.findall(r"[A-Z0-9]+", text.upper()))
    digits = [sign for sign in found if sign.isdigit()]
    return found if len(digits) >= 5 and len(set(digits)) > 1 else ""


def domain(text: str) -> str:
    """The domain of an e-mail address or a web site, without `www`; nothing where there is none."""
    text = text.strip().casefold()
    host = text.rpartition("@")[2] if "@" in text and "//" not in text else ""
    if not host:
        found = _HOST.match(text)
        host = found.group(1) if found else ""
    host = host.strip(" .>").removeprefix("www.")
    return host if re.fullmatch(r"(?:[\w-]+\.)+[\w-]{2,}", host) else ""


def agreement(one: Collection[str], other: Collection[str]) -> Agreement:
    """Of two sets of values that name a firm: whether they have one in common."""
    if not one or not other:
        return Agreement.UNKNOWN
    return Agreement.EQUAL if not set(one).isdisjoint(other) else Agreement.DIFFERS


def same_place(one: Party, other: Party) -> Agreement:
    """The same town by name or by postal code. A postal code alone may cover a whole small town; towns of two names
    under one code may be one, or in two countries."""
    same_code = one.post == other.post and len(one.post) >= 4 and len(set(one.post)) > 1
    if not one.town or not other.town:
        return Agreement.EQUAL if same_code else Agreement.UNKNOWN
    alike = one.town == other.town or (
        min(len(one.town), len(other.town)) >= 5 and fuzz.ratio(one.town, other.town) >= 88
    )
    if alike:
        return Agreement.EQUAL
    return Agreement.UNKNOWN if same_code else Agreement.DIFFERS


def same_street(one: Party, other: Party) -> Agreement:
    """The same house in the same street."""
    (numbers, street), (others, other_street) = one.road, other.road
    if not street or not other_street:
        return Agreement.UNKNOWN
    houses = agreement(numbers, others)
    if houses is Agreement.DIFFERS or fuzz.ratio(street, other_street) < 85:
        return Agreement.DIFFERS
    return houses
