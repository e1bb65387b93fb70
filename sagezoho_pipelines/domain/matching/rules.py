"""Whether two firms are one: rules in order, with the evidence for what they say.

A pair is sure when a rule proves it and nothing speaks against it; possible when a person should look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sagezoho_pipelines.domain.matching.company_names import forms_differ, likeness
from sagezoho_pipelines.domain.matching.parties import Agreement, Party, agreement, same_place, same_street

EQUAL, DIFFERS, UNKNOWN = Agreement.EQUAL, Agreement.DIFFERS, Agreement.UNKNOWN


class Rule(StrEnum):
    """What proves a pair, the strongest first."""

    EXTERNAL_ID = "external id"
    TAX_NUMBER = "tax number"
    DOMAIN = "e-mail domain and name"
    NAME_AND_CITY = "name and city"
    PHONE = "phone"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How alike names must be, 0 to 100, beside what else agrees. `margin`: how far the next candidate must be behind.

    `name` with the same city alone; `similar` with one more thing that is equal, and for a possible pair; `backed`
    where the street is and domain or phone, and beside an equal tax number, which the firms of a group may share;
    `with_id` beside an equal id.
    """

    name: int = 97
    similar: int = 85
    backed: int = 65
    with_id: int = 50
    margin: int = 15


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was compared: what it is, how it stands, and what either side says."""

    what: str
    agreement: Agreement
    left: str
    right: str

    def __str__(self) -> str:
        sign = {EQUAL: "=", DIFFERS: "≠", UNKNOWN: "?"}[self.agreement]
        return f"{self.what}: {self.left or '–'} {sign} {self.right or '–'}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two firms that may be one. `score` orders candidates: the sum of what speaks for and against it."""

    left: str
    right: str
    rule: Rule
    sure: bool
    name: int
    score: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Facts:
    """How two firms compare, thing by thing."""

    external: Agreement
    tax: Agreement
    domain: Agreement
    phone: Agreement
    place: Agreement
    street: Agreement
    name: int
    forms_differ: bool

    @property
    def backed(self) -> bool:
        """Whether two things agree that hardly any other firm shares."""
        return [self.domain, self.phone, self.street].count(EQUAL) >= 2


#: What equal and what different says for a pair.
_WEIGHTS: Mapping[str, tuple[int, int]] = {
    "external": (120, 0),
    "tax": (80, -60),
    "domain": (35, -15),
    "phone": (30, -8),
    "place": (12, -8),
    "street": (15, -4),
}


def judged(left: Party, right: Party, limits: Thresholds) -> Pair | None:
    """What the rules say of two firms; None when they are two."""
    facts = _facts(left, right)
    verdict = _verdict(facts, limits)
    if verdict is None:
        return None
    rule, sure = verdict
    return Pair(left.key, right.key, rule, sure, facts.name, _score(facts), _evidence(facts, left, right))


def _facts(left: Party, right: Party) -> _Facts:
    return _Facts(
        external=_external(left, right),
        tax=agreement(left.taxes, right.taxes),
        domain=agreement(left.domains, right.domains),
        phone=agreement(left.numbers, right.numbers),
        place=same_place(left, right),
        street=same_street(left, right),
        name=likeness(left.words, right.words),
        forms_differ=forms_differ(left.words, right.words),
    )


def _external(left: Party, right: Party) -> Agreement:
    """Either side may hold the other's key. An id that is nobody's here says nothing: it may be of a third system."""
    named = left.key.casefold() in right.ids or right.key.casefold() in left.ids
    return EQUAL if named or not left.ids.isdisjoint(right.ids) else UNKNOWN


def _verdict(facts: _Facts, limits: Thresholds) -> tuple[Rule, bool] | None:
    """The first rule that proves the pair, else the one by which it is possible."""
    if facts.external is EQUAL:
        return Rule.EXTERNAL_ID, facts.name >= limits.with_id and facts.tax is not DIFFERS
    if facts.tax is EQUAL:
        return Rule.TAX_NUMBER, facts.name >= limits.backed
    possible: list[Rule] = []
    for rule, sure, may_be in (
        (Rule.DOMAIN, *_by_domain(facts, limits)),
        (Rule.NAME_AND_CITY, *_by_city(facts, limits)),
        (Rule.PHONE, *_by_phone(facts, limits)),
        (Rule.NAME, *_by_name(facts, limits)),
    ):
        if sure and facts.tax is not DIFFERS:
            return rule, True
        if may_be:
            possible.append(rule)
    return (possible[0], False) if possible else None


def _by_domain(facts: _Facts, limits: Thresholds) -> tuple[bool, bool]:
    """One mail domain may serve a group of firms, or the branches of one: another legal form asks for more, and so does
    another town with another phone."""
    if facts.domain is not EQUAL:
        return False, False
    elsewhere = facts.place is DIFFERS and facts.phone is DIFFERS
    sure = facts.name >= limits.similar and not facts.forms_differ and not elsewhere
    return sure or _backed(facts, limits), facts.backed or facts.name >= limits.with_id


def _by_city(facts: _Facts, limits: Thresholds) -> tuple[bool, bool]:
    """The same name in the same city, unless domain or phone tell two firms apart; a slip in the name needs the
    street as well."""
    if facts.place is not EQUAL or facts.name < limits.with_id:
        return False, False
    if facts.street is EQUAL:
        told_apart = facts.forms_differ or facts.domain is DIFFERS
        return facts.name >= limits.similar and not told_apart, True
    if facts.name < limits.similar:
        return False, False
    told_apart = DIFFERS in (facts.domain, facts.phone, facts.street) or facts.forms_differ
    return facts.name >= limits.name and not told_apart, True


def _by_phone(facts: _Facts, limits: Thresholds) -> tuple[bool, bool]:
    """A switchboard serves many firms: the names must agree too."""
    if facts.phone is not EQUAL:
        return False, False
    told_apart = facts.domain is DIFFERS or (facts.forms_differ and facts.place is not EQUAL)
    sure = facts.name >= limits.similar and not told_apart
    backed = facts.domain is not DIFFERS and _backed(facts, limits)
    return sure or backed, facts.backed or facts.name >= limits.with_id


def _backed(facts: _Facts, limits: Thresholds) -> bool:
    """Two things agree that few firms share, the house among them: firms of a group share domain and switchboard."""
    return facts.backed and facts.street is EQUAL and facts.name >= limits.backed


def _by_name(facts: _Facts, limits: Thresholds) -> tuple[bool, bool]:
    """A name alone proves nothing; it is worth a question, unless what is known says otherwise."""
    against = DIFFERS in (facts.phone, facts.domain)
    if facts.tax is DIFFERS or (facts.forms_differ and against):
        return False, False
    nothing_against = not against and facts.place is not DIFFERS
    return False, facts.name >= limits.name or (nothing_against and facts.name >= limits.similar)


def _score(facts: _Facts) -> int:
    """For ordering candidates, and for telling whether the next one comes near."""
    total = facts.name // 2 - (12 if facts.forms_differ else 0)
    for what, (equal, differs) in _WEIGHTS.items():
        stands = getattr(facts, what)
        total += equal if stands is EQUAL else differs if stands is DIFFERS else 0
    return total


def _evidence(facts: _Facts, left: Party, right: Party) -> tuple[Evidence, ...]:
    """What was compared and known on both sides, the name always."""
    found = [Evidence(f"name ({facts.name})", EQUAL if facts.name >= 97 else UNKNOWN, left.name, right.name)]
    for what, stands, one, other in (
        ("id", facts.external, (left.key, *left.external_ids), (right.key, *right.external_ids)),
        ("tax number", facts.tax, left.tax_numbers, right.tax_numbers),
        ("domain", facts.domain, sorted(left.domains), sorted(right.domains)),
        ("phone", facts.phone, left.phones, right.phones),
        ("city", facts.place, (left.city, left.postal_code), (right.city, right.postal_code)),
        ("street", facts.street, (left.street,), (right.street,)),
    ):
        if stands is not UNKNOWN:
            found.append(Evidence(what, stands, _shown(one), _shown(other)))
    if facts.forms_differ:
        found.append(Evidence("legal form", DIFFERS, left.words.form, right.words.form))
    return tuple(found)


def _shown(values: Iterable[str]) -> str:
    return ", ".join(" ".join(value.split()) for value in values if value.strip())
