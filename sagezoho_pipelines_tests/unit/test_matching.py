"""The first match: what proves a pair, what only asks, and what stays apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagezoho_pipelines.domain.matching.match import Matching, match
from sagezoho_pipelines.domain.matching.parties import Party
from sagezoho_pipelines.domain.matching.rules import Rule, Thresholds, judged
from sagezoho_pipelines_tests.benchmarks.firms import labelled
from sagezoho_pipelines_tests.benchmarks.matching import measure

HARBOUR: dict[str, Any] = {
    "name": "Harbour Metals Inc.",
    "tax_numbers": ("12-3456789",),
    "mails": ("office@harbour.example",),
    "phones": ("604 555 0199",),
    "city": "Vancouver",
    "postal_code": "V6B 1A1",
    "street": "12 Mill Road",
}


def ours(key: str = "V1", **more: Any) -> Party:
    return Party(key, **{**HARBOUR, **more})


def theirs(key: str = "41", **told: Any) -> Party:
    """An account that says only what is given, under our firm's name."""
    return Party(key, **{"name": HARBOUR["name"], **told})


def rule(left: Party, right: Party) -> tuple[Rule, bool] | None:
    found = judged(left, right, Thresholds())
    return None if found is None else (found.rule, found.sure)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"external_ids": ("v1 ",), "name": "Harbour"}, Rule.EXTERNAL_ID),
        ({"tax_numbers": ("123456789",), "name": "Harbour Metal"}, Rule.TAX_NUMBER),
        ({"mails": ("https://www.harbour.example/",), "name": "HARBOUR METLAS"}, Rule.DOMAIN),
        ({"city": "VANCOUVER"}, Rule.NAME_AND_CITY),
        ({"postal_code": "v6b1a1", "street": "12 Mill Rd.", "name": "Harbor Metals"}, Rule.NAME_AND_CITY),
        ({"phones": ("+1-604-555-0199",), "name": "Harbour Metals", "city": "Elsewhere"}, Rule.PHONE),
    ],
)
def test_each_rule_proves_a_pair(told: dict[str, Any], expected: Rule) -> None:
    assert rule(ours(), theirs(**told)) == (expected, True)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"external_ids": ("V1",), "name": "Quite Another Firm"},
        {"tax_numbers": ("123456789",), "name": "Quite Another Firm"},
        {"mails": ("a@harbour.example",), "name": "Harbour Freight Lines"},
        {"city": "Vancouver", "phones": ("604 555 7777",)},
        {"city": "Vancouver", "name": "Harbour Metals Ltd"},
        {"city": "Vancouver", "name": "Harbour Mettals"},
        {"city": "Vancouver", "street": "12 Mill Road", "mails": ("a@elsewhere.example",)},
        {"city": "Vancouver", "street": "12 Mill Road", "name": "Harbour Metals GmbH"},
        {"city": "Vancouver", "street": "12 Mill Road", "name": "Harbour Foods"},
        {"phones": ("604 555 0199",), "name": "Harbour Freight"},
        {"mails": ("a@harbour.example",), "phones": ("604 555 0199",), "name": "Zephyr"},
        {"city": "Toronto"},
    ],
)
def test_what_proves_nothing_is_asked(told: dict[str, Any]) -> None:
    found = rule(ours(), theirs(**told))
    assert found is not None
    assert not found[1]


@pytest.mark.parametrize(
    "told",
    [
        {"name": "Zephyr Foods", "city": "Vancouver"},
        {"name": "Harbour Freight", "city": "Vancouver"},
        {"city": "Toronto", "tax_numbers": ("98-7654321",)},
        {"name": "Harbour Metals GmbH", "phones": ("604 555 7777",)},
        {"mails": ("harbourmetals@gmail.com",), "name": "Harbour Builders"},
    ],
)
def test_two_firms_are_two(told: dict[str, Any]) -> None:
    assert rule(ours(), theirs(**told)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"mails": ("a@north.example",), "phones": ("6045550100",)}, {"name": "Harbour Metals Properties"}),
        ({"mails": ("a@north.example",), "city": "Denver", "phones": ("3035550100",)},
         {"city": "Boston", "phones": ("6175550100",)}),
        ({"tax_numbers": ("GB591819014",)}, {"name": "Harbour Airways"}),
        ({"mails": ("joe@bellsouth.net",), "city": "Miami"}, {"city": "Atlanta"}),
        ({"phones": ("123-456-7890",), "city": "Rome"}, {"city": "Oslo"}),
        ({"postal_code": "00000", "city": "Reno"}, {"city": "Miami"}),
        ({"postal_code": "89501", "city": "Reno"}, {"city": "Altdorf"}),
    ],
)  # fmt: skip
def test_what_firms_of_a_group_branches_or_strangers_share_is_asked(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A parent and its daughter, two branches, firms with one tax number, one provider, or numbers nobody has."""
    found = rule(
        Party("V1", **{"name": "Harbour Metals", **one}), Party("41", **{"name": "Harbour Metals", **one, **other})
    )
    assert found is not None
    assert not found[1]


def test_a_tax_number_is_the_same_with_and_without_its_country() -> None:
    assert rule(ours(tax_numbers=("811234567",)), theirs(tax_numbers=("DE 811 234 567",))) == (Rule.TAX_NUMBER, True)


@pytest.mark.parametrize("shared", [{"mails": ("ap@ours.example",)}, {"phones": ("6045550111",)}])
def test_what_many_firms_of_one_side_have_says_nothing_of_one(shared: dict[str, Any]) -> None:
    """The user's own domain, or a number typed where none was known."""
    names = ("Abel", "Baker", "Charlie", "Delta", "Echo", "ABC Freight")
    vendors = [Party(f"V{at}", name, **shared) for at, name in enumerate(names)]
    account = Party("41", "ABD Freight", **shared)
    assert match(vendors[-1:], [account]).matched
    found = match(vendors, [account])
    assert found == match(list(reversed(vendors)), [account])
    assert not found.matched


def test_another_tax_number_stops_every_rule_below_it() -> None:
    same_but_for_tax = theirs(**{**HARBOUR, "tax_numbers": ("98-7654321",)})
    found = rule(ours(), same_but_for_tax)
    assert found is not None
    assert not found[1]


def test_free_mail_says_nothing() -> None:
    left = ours(mails=("harbour@gmail.com",), name="Harbour Metal Works")
    assert rule(left, theirs(mails=("another@gmail.com",), name="Harbor Metal Worker")) is None


def _keys(found: Matching) -> tuple[dict[str, str], list[str], list[str], list[str]]:
    return (
        {pair.left: pair.right for pair in found.matched},
        [question.left for question in found.ambiguous],
        list(found.only_left),
        list(found.only_right),
    )


def test_everybody_ends_in_one_place() -> None:
    left = [
        ours(),
        Party("V2", "Zephyr Foods", city="Oslo"),
        ours("V3", tax_numbers=(), name="Harbour Mills", mails=(), phones=(), street=""),
    ]
    right = [theirs(tax_numbers=("123456789",)), Party("42", "Orchard Clinics", city="Denver")]
    assert _keys(match(left, right)) == ({"V1": "41"}, [], ["V2", "V3"], ["42"])


def test_two_accounts_that_come_near_one_another_are_asked_about() -> None:
    right = [theirs("41", city="Vancouver"), theirs("42", city="Vancouver")]
    found = match([ours()], right)
    assert not found.matched
    [question] = found.ambiguous
    assert {pair.right for pair in question.candidates} == {"41", "42"}
    assert question.why == "2 candidates come near one another"
    assert found.only_right == ()


def test_one_account_claimed_by_two_vendors_is_nobodys() -> None:
    left = [ours("V1", tax_numbers=()), ours("V2", tax_numbers=())]
    found = match(left, [theirs(city="Vancouver")])
    assert not found.matched
    assert {question.left for question in found.ambiguous} == {"V1", "V2"}
    assert all(question.why == "41 is claimed by V1, V2" for question in found.ambiguous)


def test_a_far_better_candidate_wins_and_the_twin_is_asked_about() -> None:
    left = [ours("V1"), ours("V2", tax_numbers=(), phones=(), mails=(), street="")]
    found = match(left, [theirs(**HARBOUR)])
    assert _keys(found)[0] == {"V1": "41"}
    [question] = found.ambiguous
    assert (question.left, question.why) == ("V2", "41 is matched with V1 already")


def test_what_is_settled_leaves_room_for_the_others() -> None:
    """Two firms of one name in one town: the tax number settles one pair, and then the other is beyond doubt."""
    left = [ours("V1"), ours("V2", tax_numbers=(), phones=(), mails=(), street="")]
    right = [theirs("41", **{**HARBOUR, "street": ""}), theirs("42", city="Vancouver")]
    assert _keys(match(left, right))[0] == {"V1": "41", "V2": "42"}


def test_the_evidence_names_what_was_compared() -> None:
    [pair] = match([ours()], [theirs(phones=("6045550199",), city="Vancouver", street="99 Elm Avenue")]).matched
    told = [str(one) for one in pair.evidence]
    assert told[0] == "name (100): Harbour Metals Inc. = Harbour Metals Inc."
    assert "phone: 604 555 0199 = 6045550199" in told
    assert "street: 12 Mill Road ≠ 99 Elm Avenue" in told


WORDS = ("Harbour", "Harbor", "Metals", "Foods", "Zephyr", "Inc.", "GmbH", "12", "")
PARTIES = st.builds(
    lambda words, tax, mail, phone, city, street: {
        "name": " ".join(words), "tax_numbers": (tax,), "mails": (mail,), "phones": (phone,), "city": city,
        "street": street,
    },
    st.lists(st.sampled_from(WORDS), max_size=4),
    st.sampled_from(("", "12-3456789", "98-7654321", "?")),
    st.sampled_from(("", "a@harbour.example", "b@gmail.com", "zephyr.example", "@")),
    st.sampled_from(("", "604 555 0199", "604 555 7777", "x")),
    st.sampled_from(("", "Vancouver", "Toronto", "VANCOUVER")),
    st.sampled_from(("", "12 Mill Road", "9 Elm Avenue")),
)  # fmt: skip


def _parties(prefix: str, rows: list[dict[str, Any]]) -> list[Party]:
    return [Party(f"{prefix}{at}", **row) for at, row in enumerate(rows)]


@settings(deadline=None)
@given(st.lists(PARTIES, max_size=6), st.lists(PARTIES, max_size=6))
def test_a_match_is_total_one_to_one_and_the_same_from_either_side(
    lefts: list[dict[str, Any]], rights: list[dict[str, Any]]
) -> None:
    left, right = _parties("V", lefts), _parties("4", rights)
    found = match(left, right)
    matched, asked, only_left, only_right = _keys(found)
    assert sorted([*matched, *asked, *only_left]) == sorted(party.key for party in left)
    assert len(set(matched.values())) == len(matched)
    assert not set(only_right) & (set(matched.values()) | {p.right for q in found.ambiguous for p in q.candidates})
    mirrored = match(right, left)
    assert {(pair.right, pair.left) for pair in mirrored.matched} == set(matched.items())
    assert match(list(reversed(left)), list(reversed(right))) == found


def test_the_labelled_firms_are_matched_without_a_wrong_link() -> None:
    """A small part of the benchmark: what it measures at fifty thousand must hold at two."""
    figures, _ = measure(labelled(seed=11, left=2000, right=2000, common=800))
    assert figures.precision >= 0.999
    assert figures.recall >= 0.9
    assert figures.found >= 0.97
