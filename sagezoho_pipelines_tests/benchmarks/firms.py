"""A labelled data set for matching: firms of two systems, and which of them are one. The same seed, the same firms.

Beside honest strangers there are families: firms that share a stem, a mail domain, a switchboard or a town, and firms
whose names are one letter apart. What both systems know was typed by two people (`sandbox.retyping`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sagezoho_pipelines.domain.matching.parties import Party
from sagezoho_pipelines.sandbox.retyping import FREE_MAIL, Firm, retyped, slug

_ONSET = ("b", "br", "c", "ch", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w")
_VOWEL = ("a", "e", "i", "o", "u", "ae", "ö", "ü", "é", "ai")
_CODA = ("", "l", "n", "r", "s", "t", "ck", "nd", "rt", "x", "m", "ll")
_TRADE = (
    "Lighting", "Industrial Supply", "Electric", "Hardware", "Freight", "Office Products", "Metals", "Packaging",
    "Logistics", "Engineering", "Services", "Foods", "Plastics", "Printing", "Textiles", "Chemicals", "Tooling",
    "Consulting", "Construction", "Plumbing", "Roofing", "Paper", "Glass", "Timber", "Motors", "Marine", "Software",
    "Systems", "Technologies", "Manufacturing", "Trading", "Imports", "Design", "Security", "Cleaning", "Catering",
)  # fmt: skip
_FORM = ("Inc.", "Ltd.", "GmbH", "LLC", "& Sons", "Co.", "S.A.", "Corporation", "B.V.", "S.r.l.", "Pty Ltd", "")
_STREET = ("Main Street", "Mill Road", "Station Street", "Harbour Way", "Elm Avenue", "Church Lane", "Industrial Drive")
_END = ("ville", "ton", "burg", "ford", "haven", " Bay", "stadt", "field")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two systems' firms, and the pairs of keys that are one firm."""

    left: list[Party]
    right: list[Party]
    truth: dict[str, str]


def labelled(*, seed: int, left: int, right: int, common: int) -> Labelled:
    """`left` and `right` firms, of which `common` are known to both systems."""
    rng = random.Random(f"firms:{seed}")
    firms = _firms(rng)
    known = [next(firms) for _ in range(common)]
    ours = [*known, *(next(firms) for _ in range(left - common))]
    theirs = [*(retyped(rng, one) for one in known), *(next(firms) for _ in range(right - common))]
    places = rng.sample(range(right), right)
    lefts = [_party(rng, f"V{at:06d}", one) for at, one in enumerate(ours)]
    rights = [_party(rng, f"4{place:018d}", one) for place, one in zip(places, theirs, strict=True)]
    truth = {lefts[at].key: rights[at].key for at in range(common)}
    return Labelled(lefts, sorted(rights, key=lambda one: one.key), truth)


def _firms(rng: random.Random) -> Iterator[Firm]:
    """Firms without end. Relatives follow some of them; which system knows which of them is left to chance."""
    cities = [_city(rng) for _ in range(400)]
    weights = [1 / (rank + 3) for rank in range(len(cities))]  # a few large towns, many small ones
    waiting: list[Firm] = []
    while True:
        if waiting and rng.random() < 0.2:
            yield waiting.pop(rng.randrange(len(waiting)))
            continue
        firm = _stranger(rng, rng.choices(cities, weights)[0])
        if rng.random() < 0.18:
            waiting.append(_relative(rng, firm, rng.choices(cities, weights)[0]))
        yield firm


def _stranger(rng: random.Random, city: tuple[str, str]) -> Firm:
    stem, trade, form = _word(rng), rng.choice(_TRADE), rng.choice(_FORM)
    kind = rng.random()
    if kind < 0.62:
        name = f"{stem} {trade} {form}"
    elif kind < 0.75:
        name = f"{stem} & {_word(rng)} {form if form != '& Sons' else 'Ltd.'}"
    elif kind < 0.87:
        name = f"{stem} {form}"
    else:
        name = f"{stem} {_word(rng)} {trade} {form}"
    name = name.strip()
    own_domain = f"{slug(name.removesuffix(form))}.{rng.choice(('com', 'net', 'example', 'ca', 'de'))}"
    chance = rng.random()
    return Firm(
        name=name,
        street=f"{rng.randrange(1, 9999)} {rng.choice(_STREET)}" if rng.random() < 0.93 else "",
        city=city[0],
        postal_code=city[1],
        phone=_phone(rng) if rng.random() < 0.9 else "",
        mail_domain=own_domain if chance < 0.7 else rng.choice(FREE_MAIL) if chance < 0.85 else "",
        tax_number=f"{rng.randrange(10**8, 10**9)}" if rng.random() < 0.4 else "",
    )


def _relative(rng: random.Random, firm: Firm, city: tuple[str, str]) -> Firm:
    """Another firm that is easily taken for this one."""
    words = firm.name.split()
    other = replace(
        firm,
        phone=_phone(rng) if rng.random() < 0.9 else "",
        tax_number=f"{rng.randrange(10**8, 10**9)}" if rng.random() < 0.4 else "",
        street=f"{rng.randrange(1, 9999)} {rng.choice(_STREET)}",
    )
    match rng.randrange(5):
        case 0:  # a sister in the same town, of another trade, often with the same mail and switchboard
            name = " ".join([words[0], rng.choice(_TRADE), rng.choice(_FORM)]).strip()
            return replace(other, name=name, phone=firm.phone if rng.random() < 0.3 else other.phone)
        case 1:  # the same name elsewhere, under another form
            form = rng.choice(_FORM)
            name = f"{' '.join(words[:2])} {form}".strip()
            return replace(other, name=name, city=city[0], postal_code=city[1], mail_domain="")
        case 2:  # a letter apart, in the same town
            at = rng.randrange(1, max(2, len(words[0]) - 1))
            near = words[0][:at] + rng.choice("aeioulnrst") + words[0][at + 1 :]
            return replace(other, name=" ".join([near, *words[1:]]), mail_domain=f"{slug(near)}.example")
        case 3:  # a branch of the group
            name = " ".join([words[0], rng.choice(("North", "West", "Pacific")), *words[1:]])
            return replace(other, name=name, city=city[0], postal_code=city[1])
    domain = "" if rng.random() < 0.5 else f"{slug(firm.name)}-{slug(city[0])}.example"
    return replace(other, city=city[0], postal_code=city[1], mail_domain=domain)  # an independent namesake


def _party(rng: random.Random, key: str, firm: Firm) -> Party:
    person = rng.choice(("info", "office", "sales", "anna.lee", "j.smith"))
    return Party(
        key=key,
        name=firm.name,
        tax_numbers=(firm.tax_number,),
        mails=(f"{person}@{firm.mail_domain}" if firm.mail_domain else "", firm.website),
        phones=(firm.phone,),
        city=firm.city,
        postal_code=firm.postal_code,
        street=firm.street,
    )


def _word(rng: random.Random) -> str:
    parts = [rng.choice(_ONSET) + rng.choice(_VOWEL) + rng.choice(_CODA) for _ in range(rng.choice((2, 2, 3)))]
    return "".join(parts).capitalize()


def _city(rng: random.Random) -> tuple[str, str]:
    return _word(rng) + rng.choice(_END), f"{rng.randrange(10_000, 99_999)}"


def _phone(rng: random.Random) -> str:
    return f"{rng.randrange(2 * 10**9, 10**10)}"
