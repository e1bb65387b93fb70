"""How the first match tells which records of a flow are the same."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sagezoho_pipelines.config.section import Section

_LIKENESS = Annotated[int, Field(ge=0, le=100)]


class Match(Section):
    """How the first match tells which records are the same: see `sagezoho match`.

    `zoho_id_fields` hold the Sage number that somebody noted in Zoho, besides our own fields; the tax fields a tax or
    registration number. Fields that Zoho does not have are passed over. `free_mail` names domains that say nothing
    about a firm, besides the well-known ones; `contacts` reads the e-mail addresses of Zoho contacts.

    How alike names must be (0 to 100): `name` with the same city alone, `similar` beside something else that agrees,
    `backed` where the street agrees and domain or phone, or the tax number alone, `with_id` beside an equal id.
    `margin` is how far the next candidate must be behind.
    """

    zoho_id_fields: tuple[str, ...] = ()
    zoho_tax_fields: tuple[str, ...] = ("Tax_ID", "Tax_Number", "VAT_Number", "GST_Number", "Registration_Number")
    sage_tax_fields: tuple[str, ...] = ()
    free_mail: tuple[str, ...] = ()
    contacts: bool = True
    name: _LIKENESS = 97
    similar: _LIKENESS = 85
    backed: _LIKENESS = 65
    with_id: _LIKENESS = 50
    margin: _LIKENESS = 15


class VendorsMatch(Match):
    sage_tax_fields: tuple[str, ...] = ("BusinessRegistrationNumber", "Num1099CPRSTaxNumber", "TaxRegistrationCode1")


class CustomersMatch(Match):
    sage_tax_fields: tuple[str, ...] = ("BusinessRegistrationNumber", "TaxRegistrationNumber1")
