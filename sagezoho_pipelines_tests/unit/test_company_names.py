"""Names of firms: what counts as the same, and what must never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain.matching.company_names import forms_differ, likeness, name_of
from sagezoho_pipelines.domain.matching.parties import domain, phone_number, tax_number


def alike(one: str, other: str) -> int:
    return likeness(name_of(one), name_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller Hardware GmbH", "Mueller Hardware Gesellschaft mbH"),
        ("O'Brien Lighting Ltd.", "OBRIEN LIGHTING LIMITED"),
        ("Łukasz & Sons", "Lukasz and Sons Ltd"),
        ("Ñandú Metals S. A.", "nandu metals sa"),
        ("The Pole Lamp Company", "Pole Lamp, Co."),
        ("Li Metals (Vendor)", "Li Metals Inc"),
        ("Smith Metals Corporatoin", "Smith Metals Corp."),
        ("Acme Sdn. Bhd.", "Acme"),
    ],
)
def test_spelling_accents_and_legal_forms_do_not_count(one: str, other: str) -> None:
    assert alike(one, other) == 100


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lakeside Foods", "Lake Side Foods"),
        ("Jones Manufacturing", "Jones Mfg"),
        ("Li Industrial Supply", "Li Ind. Supplies"),
        ("Smith Electric", "Smtih Electric"),
        ("Chen Packaging", "Chen Pkg"),
        ("Bergstrom Logistics", "Bergstrom Logistcs"),
    ],
)
def test_slips_and_abbreviations_are_forgiven(one: str, other: str) -> None:
    assert 85 <= alike(one, other) < 100


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Smith Metals", "Smith Freight"),
        ("North Bay Foods", "South Bay Foods"),
        ("Store 12", "Store 13"),
        ("Granite Builders", "Granite Interiors"),
        ("Unit 7 Ltd", "Unit Ltd"),
    ],
)
def test_another_word_or_number_is_another_firm(one: str, other: str) -> None:
    assert alike(one, other) <= 60


def test_one_name_at_the_head_of_the_other_is_a_hint_only() -> None:
    assert 61 <= alike("Smith Metals", "Smith Metals - HQ") < 85
    assert 61 <= alike("Müller Hardware GmbH", "MHG") < 85


def test_legal_forms_differ_where_both_are_told() -> None:
    assert forms_differ(name_of("Acme Inc."), name_of("Acme Ltd"))
    assert not forms_differ(name_of("Acme Inc."), name_of("Acme"))
    assert not forms_differ(name_of("Acme Inc."), name_of("ACME, Incorporated"))


def test_a_legal_form_alone_is_a_name() -> None:
    assert name_of("The Co.").words == ("co",)
    assert name_of("S.A.").words == ("sa",)


def test_numbers_are_read_whatever_their_format() -> None:
    assert phone_number("+1 (604) 555-0199 ext. 12") == phone_number("604.555.0199") == "045550199"
    assert phone_number("049 89 1234567") == phone_number("+49 (0)89 123 4567")
    assert phone_number("12345") == phone_number("000 000 0000") == phone_number("") == ""
    assert tax_number("de 811 234 567") == tax_number("DE811234567") == "DE811234567"
    assert tax_number("n/a") == tax_number("00-0000000") == ""


def test_domains_are_read_from_addresses_and_sites() -> None:
    for text in (
        "Ann@Harbour.example",
        "www.harbour.example",
        "https://harbour.example:8443/contact?x=1",
        "harbour.example",
    ):
        assert domain(text) == "harbour.example"
    assert domain("harbour") == domain("") == domain("n/a") == ""


PARTS = ("Smith", "Sons", "&", "GmbH", "Co.", "Müller", "12", "a", "b.", "The", "(x)")
NAMES = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PARTS), max_size=7).map(" ".join))


@given(NAMES, NAMES)
def test_likeness_is_total_symmetric_and_within_its_bounds(one: str, other: str) -> None:
    first, second = name_of(one), name_of(other)
    assert likeness(first, second) == likeness(second, first)
    assert 0 <= likeness(first, second) <= 100
    assert not first or likeness(first, first) == 100


@given(st.text(max_size=60))
def test_what_people_type_never_breaks_the_reading(text: str) -> None:
    for read in (phone_number, tax_number, domain):
        assert isinstance(read(text), str)
