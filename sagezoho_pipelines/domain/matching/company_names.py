"""Names of firms: what is left of them when spelling, legal form and punctuation do not count, and how alike two are.

A name is read as words. Two words agree when they are the same, when one abbreviates the other, or when a single slip
of the finger lies between them; a whole different word is a different firm, however much the rest looks alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from anyascii import anyascii
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

#: Legal forms as they are written, and the one that each means. Longer ones are looked for first.
_FORMS: Mapping[str, str] = {
    "incorporated": "inc", "inc": "inc", "corporation": "corp", "corp": "corp", "company": "co", "co": "co",
    "limited": "ltd", "ltd": "ltd", "proprietary limited": "ltd", "pty limited": "ltd", "pty ltd": "ltd",
    "private limited": "ltd", "pvt ltd": "ltd", "pte ltd": "ltd", "sdn bhd": "ltd", "co ltd": "ltd",
    "company limited": "ltd", "llc": "llc", "limited liability company": "llc", "llp": "llp", "lp": "lp",
    "plc": "plc", "public limited company": "plc", "gmbh": "gmbh", "gesellschaft mbh": "gmbh", "g m b h": "gmbh",
    "gmbh und co kg": "gmbh", "gmbh and co kg": "gmbh", "ug": "gmbh", "ag": "ag", "aktiengesellschaft": "ag",
    "kg": "kg", "ohg": "ohg", "ek": "ek", "se": "se", "sa": "sa", "sas": "sas", "sarl": "sarl", "eurl": "sarl",
    "srl": "srl", "spa": "spa", "sl": "sl", "slu": "sl", "sa de cv": "sa", "s de rl de cv": "sl", "ltda": "ltd",
    "ltee": "ltd", "bv": "bv", "nv": "nv", "vof": "vof", "bvba": "bv", "sprl": "sarl", "ab": "ab", "as": "as",
    "asa": "as", "aps": "aps", "oy": "oy", "oyj": "oy", "sp z o o": "spzoo", "spolka z o o": "spzoo", "sro": "sro",
    "kft": "kft", "proprietary": "ltd", "doo": "doo", "ood": "ood", "eood": "ood", "ooo": "ooo", "kk": "kk",
}  # fmt: skip
#: Long enough to be known with a slip in them.
_TYPED = ("corporation", "incorporated", "limited", "company", "proprietary", "gmbh")
_LONGEST_FORM = max(len(form.split()) for form in _FORMS)

_REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_APOSTROPHE = re.compile(r"['’`´]")
_WORD = re.compile(r"[a-z0-9]+")
#: Typed for ä, ö and ü where a keyboard has none, so that both spellings fall together.
_UMLAUT = re.compile(r"(?<=[a-z])([aou])e(?=[a-z])|^([aou])e(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Name:
    """A firm's name: the words that tell it apart, its legal form (empty when none is given), the words run together,
    in alphabetical order, and those with digits."""

    words: tuple[str, ...]
    form: str
    compact: str
    ordered: str
    numbers: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.words)


def plain(text: str) -> str:
    """Lower-case ASCII with `and` for `&` and `+`; nothing else is taken away."""
    ascii_only = text if text.isascii() else anyascii(text)
    return ascii_only.casefold().replace("&", " and ").replace("+", " and ")


@lru_cache(maxsize=200_000)
def name_of(text: str) -> Name:
    """Read a name. A legal form or a remark in brackets never leaves nothing: then it is the name."""
    cleaned = _APOSTROPHE.sub("", plain(text))
    bare = _REMARK.sub(" ", cleaned)
    cleaned = bare if _WORD.search(bare) else cleaned
    words = _with_initials_joined(_WORD.findall(cleaned))
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    kept, form = _without_form(words)
    folded = tuple(_UMLAUT.sub(lambda found: found.group(1) or found.group(2), word) for word in kept)
    numbers = frozenset(word for word in folded if any(map(str.isdigit, word)))
    return Name(folded, form, "".join(folded), " ".join(sorted(folded)), numbers)


def _with_initials_joined(words: list[str]) -> list[str]:
    """`S. A.` and `s.a` are `sa`."""
    joined: list[str] = []
    for letters, run in groupby(words, key=lambda word: len(word) == 1 and word.isalpha()):
        found = list(run)
        joined += ["".join(found)] if letters else found
    return joined


def _without_form(words: list[str]) -> tuple[list[str], str]:
    """The words before the legal forms at the end, and the last form that is told."""
    form = ""
    while len(words) > 1:
        for size in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
            found = _form(" ".join(words[-size:]))
            if found is not None:
                words, form = words[:-size], form or found
                break
        else:
            break
        while len(words) > 1 and words[-1] == "and":
            words = words[:-1]
    return words, form


@lru_cache(maxsize=50_000)
def _form(text: str) -> str | None:
    """The legal form that a text is, or that it is one slip away from where it is long enough to tell."""
    exact = _FORMS.get(text)
    if exact is not None or len(text) < 4 or " " in text:
        return exact
    return next((_FORMS[form] for form in _TYPED if OSA.distance(form, text, score_cutoff=1) <= 1), None)


def forms_differ(one: Name, other: Name) -> bool:
    """Whether both tell their legal form, and not the same one."""
    return bool(one.form and other.form and one.form != other.form)


def likeness(one: Name, other: Name) -> int:
    """How alike two names are, from 0 to 100; symmetric. Legal forms do not count: see `forms_differ`.

    100 the same words; 97 to 99 the same letters, or words in another order; 85 to 96 every word agrees but for
    abbreviations and slips; 61 to 84 one name begins the other, or abbreviates it; below that, letters in common.
    """
    if not one or not other:
        return 0
    if one.words == other.words:
        return 100
    if one.compact == other.compact:
        return 99
    if one.ordered == other.ordered:
        return 97
    if one.numbers != other.numbers:
        return min(60, _letters(one, other))
    if len(one.words) == len(other.words):
        aligned = _aligned(one.words, other.words)
        if aligned:
            return aligned
    slips = OSA.distance(one.compact, other.compact, score_cutoff=1)
    if slips <= 1 and min(len(one.compact), len(other.compact)) >= 8:
        return 94  # a blank and a letter: "Lake sde" for "Lakeside"
    return max(_within(one, other), min(60, _letters(one, other)))


def _aligned(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The likeness of names whose words agree one by one; 0 when a word does not."""
    lost = 0
    for first, second in zip(one, other, strict=True):
        cost = _cost(first, second)
        if cost is None:
            return 0
        lost += cost
    return max(85, 100 - lost) if lost <= 21 else 0


@lru_cache(maxsize=200_000)
def _cost(one: str, other: str) -> int | None:
    """What the difference of two words costs; None when they are two words."""
    if one == other:
        return 0
    short, long = sorted((one, other), key=lambda word: (len(word), word))
    if f"{short}s" == long or (short[-1:] == "y" and f"{short[:-1]}ies" == long):
        return 2
    slips = OSA.distance(one, other, score_cutoff=2)
    if slips == 1 and len(long) >= 4:
        return 4 if len(long) >= 6 else 7
    if _abbreviates(short, long):
        return 4
    return 9 if slips == 2 and len(long) >= 9 else None


def _abbreviates(short: str, long: str) -> bool:
    """`ind` for industrial, `mfg` for manufacturing: begins alike, and its letters come in order, few of them."""
    if len(short) < 3 or len(short) > len(long) - 2 or short[:1] != long[:1]:
        return False
    if long.startswith(short) or (len(short) >= 4 and short[-1] == "s" and long.startswith(short[:-1])):
        return True
    rest = iter(long)
    in_order = all(letter in rest for letter in short)
    return in_order and len(short) <= 5 and not set(short[1:-1]) & set("aeiou")


def _within(one: Name, other: Name) -> int:
    """One name at the head of the other, or its initials."""
    short, long = (one, other) if len(one.words) <= len(other.words) else (other, one)
    if len(short.words) >= 2 and _aligned(short.words, long.words[: len(short.words)]):
        return max(75, 87 - 4 * (len(long.words) - len(short.words)))
    if len(short.words) == 1 and len(long.words) >= 2:
        initials = "".join(word[0] for word in long.words)
        with_form = initials + long.form[:1]
        if len(short.compact) >= 3 and short.compact in (initials, with_form):
            return 70
        if len(short.compact) >= 5 and short.words[0] == long.words[0]:
            return 62
    return 0


def _letters(one: Name, other: Name) -> int:
    return round(max(fuzz.ratio(one.ordered, other.ordered), fuzz.ratio(one.compact, other.compact)))
