"""How wide a text is to both vendors, who count UTF-16 units, and how it is cut to fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain.functions import MappingFunctions, wrap_address
from sagezoho_pipelines.domain.widths import cut, width
from sagezoho_pipelines.engine.planning import faults

PARROT = "\N{PARROT}"


@pytest.mark.parametrize(("text", "wide"), [("", 0), ("Łódź", 4), (PARROT, 2), (f"a{PARROT}b", 4)])
def test_a_sign_beyond_the_first_plane_is_two_wide(text: str, wide: int) -> None:
    assert width(text) == wide


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_is_its_longest_beginning_that_fits(text: str, most: int) -> None:
    short = cut(text, most)
    assert text.startswith(short)
    assert width(short) <= most
    assert short == text or width(text[: len(short) + 1]) > most


def test_what_a_mapping_shortens_fits_in_sage() -> None:
    shortened = MappingFunctions()._func_shorten(PARROT * 40, 60)
    assert shortened == PARROT * 30
    assert faults.of_sage_row("AR/ARCustomers", {"CustomerName": shortened}) is None


def test_no_line_of_an_address_is_wider_than_its_column() -> None:
    lines = wrap_address(f"{PARROT * 40} Street {PARROT * 29}", 60)
    assert all(width(line) <= 60 for line in lines)
    assert "".join(lines).replace(" ", "") == f"{PARROT * 40}Street{PARROT * 29}"


def test_a_plan_counts_as_the_vendors_do() -> None:
    fault = faults.of_sage_row("AR/ARCustomers", {"CustomerName": PARROT * 31})
    assert fault is not None
    assert "62 characters; Sage takes 60" in fault.text
