"""What every section of `sagezoho.yaml` is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Refuses keys it does not know, and never changes once read."""

    # A company or a location may be a number: written without quotes it is still the text it looks like.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)
