"""What a customer made from a Zoho account gets: its number, and the codes where the account says nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from sagezoho_pipelines.config.cadence import Cadence
from sagezoho_pipelines.config.guards import Guards
from sagezoho_pipelines.config.match import CustomersMatch
from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.config.values import Code


class NumberRule(Section):
    """How a new Sage customer gets its number: a prefix and a sequence, or the text of a Zoho account field."""

    rule: Literal["sequence", "field"] = "sequence"
    prefix: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z0-9-]{0,8}$")] = "Z"
    digits: int = Field(6, ge=1, le=12)
    start: int = Field(1, ge=1)
    field: str = "Sage_Customer_Number"

    @model_validator(mode="after")
    def _fits(self) -> NumberRule:
        if self.rule == "sequence" and len(self.prefix) + max(self.digits, len(str(self.start))) > 12:
            raise ValueError("prefix and digits together may not pass the 12 characters of a Sage customer number")
        return self


class CustomersFlow(Section):
    """What a customer made from a Zoho account gets where the account's own fields say nothing."""

    enabled: bool = True
    group: Code = "WHL"
    terms: Code = "N30"
    tax_group: Code = "CALIF"
    currency: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")] = "USD"
    number: NumberRule = NumberRule()
    match: CustomersMatch = CustomersMatch()
    cadence: Cadence = Cadence(cron="*/5 * * * *")
    guards: Guards = Guards()
