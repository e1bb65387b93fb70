"""The same firm, written down by somebody else: how its particulars end up in another system over the years.

Sales people type names as they heard them, leave out what they do not need, and do not hear when a firm moves. What is
done here is what people do; it knows nothing of any program that reads it.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "gmx.de")

_FORMS = {
    "Inc.": ("Inc", "Incorporated", "Inc.", ", Inc.", ""),
    "Ltd.": ("Limited", "Ltd", "Ltd.", "LTD.", ""),
    "GmbH": ("GMBH", "Gesellschaft mbH", "G.m.b.H.", "GmbH", ""),
    "LLC": ("L.L.C.", "LLC", ", LLC", "Llc", ""),
    "& Sons": ("and Sons", "& Sons", "+ Sons", "& Sons Ltd"),
    "Co.": ("Company", "Co", "& Co.", ""),
    "S.A.": ("SA", "S.A", "S. A.", ""),
    "Corporation": ("Corp.", "Corp", "Corporation", ""),
    "B.V.": ("BV", "B.V", ""),
    "S.r.l.": ("SRL", "Srl", ""),
    "Pty Ltd": ("Pty. Ltd.", "Proprietary Limited", ""),
}
_SHORT = {
    "Industrial": ("Ind.", "Indust."),
    "Electric": ("Elec.", "Electrical"),
    "Electrical": ("Elec.", "Electric"),
    "Products": ("Prod.", "Prods"),
    "Supply": ("Supplies", "Sup."),
    "Packaging": ("Pkg", "Pack."),
    "Office": ("Off.",),
    "Hardware": ("Hdwe", "Hardw."),
    "Manufacturing": ("Mfg", "Mfg."),
    "Engineering": ("Eng.", "Engineers"),
    "International": ("Intl", "Int'l"),
    "Services": ("Svcs", "Service"),
    "Technologies": ("Technology", "Tech"),
    "Associates": ("Assoc.", "Associates"),
    "Brothers": ("Bros.", "Bros"),
    "Company": ("Co.", "Co"),
}
_CITIES = {
    "San Francisco": ("San Fransisco", "S. Francisco", "SF"),
    "München": ("Munich", "Muenchen"),
    "Québec": ("Quebec", "Quebec City"),
    "Val-d'Or": ("Val d'Or", "Val-dOr"),
    "New York": ("NYC", "New York City"),
    "Los Angeles": ("LA", "Los Angeles, CA"),
    "Saint Louis": ("St. Louis", "St Louis"),
}
_ELSEWHERE = (
    ("Tacoma", "WA", "98402", "USA"),
    ("Oakland", "CA", "94607", "USA"),
    ("Mississauga", "ON", "L5B 1M2", "Canada"),
    ("Burnaby", "BC", "V5H 2A9", "Canada"),
    ("Augsburg", "BY", "86150", "Germany"),
    ("Laval", "QC", "H7N 5H9", "Canada"),
)
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "mb", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm's particulars; what somebody did not write down is empty. `mail_domain` is where its e-mail comes from."""

    name: str
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    mail_domain: str = ""
    website: str = ""
    tax_number: str = ""


def retyped(rng: random.Random, firm: Firm) -> Firm:
    """The firm as another person has it."""
    return replace(
        firm,
        name=_name(rng, firm.name),
        phone=_phone(rng, firm.phone),
        mail_domain=_mail(rng, firm.mail_domain),
        website=_website(rng, firm.mail_domain),
        tax_number=_tax(rng, firm.tax_number),
        **_address(rng, firm),
    )


def namesake(rng: random.Random, firm: Firm) -> Firm:
    """Another firm that is called nearly the same: a different branch, a cousin, a firm in the next town."""
    words = firm.name.split()
    kind = rng.random()
    if kind < 0.4 and len(words) > 2:
        words[1] = rng.choice([word for word in _SHORT if word != words[1]])
    elif kind < 0.7:
        words = [*words[:-1], rng.choice(("Ltd.", "Inc.", "GmbH", "LLC"))]
    else:
        words.insert(1, rng.choice(("North", "West", "Bay", "Pacific", "Prairie")))
    city, state, code, country = rng.choice(_ELSEWHERE)
    return Firm(
        name=" ".join(words),
        street=f"{rng.randrange(1, 9999)} Front Street",
        city=city,
        state=state,
        postal_code=code,
        country=country,
        phone=f"{rng.randrange(2 * 10**9, 10**10)}",
        website=f"www.{slug(' '.join(words))}.example" if rng.random() < 0.4 else "",
    )


def slug(name: str) -> str:
    """A name as it would stand in a web address."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(sign for sign in plain.lower() if sign.isalnum())


def _name(rng: random.Random, name: str) -> str:
    """One or two of the things that happen to a name; one in twelve is typed as it stands."""
    name = " ".join(name.split())
    if rng.random() < 0.08:
        return name
    ways: list[tuple[float, Callable[[random.Random, str], str]]] = [
        (0.34, _form),
        (0.14, _case),
        (0.14, _typo),
        (0.13, _abbreviated),
        (0.08, _unaccented),
        (0.07, _joined),
        (0.06, _remark),
        (0.04, _article),
    ]
    chosen = rng.choices([way for _, way in ways], [weight for weight, _ in ways], k=rng.choice((1, 1, 2)))
    for way in dict.fromkeys(chosen):
        name = way(rng, name)
    if rng.random() < 0.02:
        name = "".join(word[0] for word in name.split() if word[0].isalnum()).upper() or name
    return name[:200]


def _form(rng: random.Random, name: str) -> str:
    for form, others in _FORMS.items():
        if name.endswith(f" {form}"):
            other = rng.choice(others)
            return f"{name[: -len(form)].rstrip()}{'' if other.startswith(',') or not other else ' '}{other}"
    return f"{name} {rng.choice(('Inc.', 'Ltd', 'LLC'))}" if rng.random() < 0.3 else name


def _case(rng: random.Random, name: str) -> str:
    return rng.choice((name.upper(), name.lower(), name.title()))


def _typo(rng: random.Random, name: str) -> str:
    places = [at for at, sign in enumerate(name) if sign.isalpha() and at > 0]
    if not places:
        return name
    at = rng.choice(places)
    match rng.randrange(4):
        case 0:
            return name[:at] + name[at + 1 :]
        case 1:
            return name[:at] + name[at] + name[at:]
        case 2 if at + 1 < len(name):
            return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    other = rng.choice(_NEIGHBOURS.get(name[at].lower(), "e"))
    return name[:at] + (other.upper() if name[at].isupper() else other) + name[at + 1 :]


def _abbreviated(rng: random.Random, name: str) -> str:
    return " ".join(rng.choice(_SHORT[word]) if word in _SHORT else word for word in name.split())


def _unaccented(rng: random.Random, name: str) -> str:
    if rng.random() < 0.4:
        for sign, written in (("ü", "ue"), ("ö", "oe"), ("ä", "ae"), ("ß", "ss"), ("ø", "oe"), ("å", "aa")):
            name = name.replace(sign, written)
    return "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))


def _joined(rng: random.Random, name: str) -> str:
    if "&" in name or " and " in name:
        return name.replace(" & ", " and ") if "&" in name else name.replace(" and ", " & ")
    return rng.choice((name.replace(" ", "  ", 1), name.replace(" ", "-", 1), name.replace(".", "")))


def _remark(rng: random.Random, name: str) -> str:
    return name + rng.choice((" (Vendor)", " - HQ", " *", ", Accounts Payable", " (supplier)"))


def _article(rng: random.Random, name: str) -> str:  # noqa: ARG001 - called as the others are
    return name[4:] if name.startswith("The ") else f"The {name}"


def _phone(rng: random.Random, phone: str) -> str:
    chance = rng.random()
    if not phone or chance < 0.22:
        return ""
    digits = phone[-10:]
    if chance < 0.30:
        digits = f"{rng.randrange(2 * 10**9, 10**10)}"
    area, middle, last = digits[:3], digits[3:6], digits[6:]
    return rng.choice(
        (
            f"({area}) {middle}-{last}",
            f"+1 {area} {middle} {last}",
            f"{area}.{middle}.{last}",
            f"1-{area}-{middle}-{last}",
            f"{digits} ext. {rng.randrange(1, 400)}",
            digits,
        )
    )


def _mail(rng: random.Random, domain: str) -> str:
    chance = rng.random()
    if chance < 0.10:
        return rng.choice(FREE_MAIL)
    return domain if chance < 0.62 else ""


def _website(rng: random.Random, domain: str) -> str:
    if not domain or rng.random() > 0.4:
        return ""
    return rng.choice((f"www.{domain}", f"http://www.{domain}", f"https://{domain}/", domain, f"www.{domain}/contact"))


def _tax(rng: random.Random, number: str) -> str:
    chance = rng.random()
    if not number or chance < 0.6:
        return ""
    return rng.choice((number, number.replace("-", ""), number.replace(" ", ""), f"{number[:3]} {number[3:]}"))


def _address(rng: random.Random, firm: Firm) -> dict[str, str]:
    chance = rng.random()
    names = ("street", "city", "state", "postal_code", "country")
    if chance < 0.10:
        return dict.fromkeys(names, "")
    if chance < 0.19:
        city, state, code, country = rng.choice([one for one in _ELSEWHERE if one[0] != firm.city])
        parts = (f"{rng.randrange(1, 999)} New Road", city, state, code, country)
        return dict(zip(names, parts, strict=True))
    kept = {name: str(getattr(firm, name)).strip() for name in names}
    if rng.random() < 0.25:
        kept["city"] = rng.choice(_CITIES.get(kept["city"], (kept["city"].upper(), kept["city"])))
    if rng.random() < 0.3:
        kept["street"] = kept["street"].replace("Street", "St.").replace("Road", "Rd")
    if rng.random() < 0.2:
        kept["postal_code"] = kept["postal_code"].replace(" ", "")
    if rng.random() < 0.15:
        kept["street"] = ""
    return kept
