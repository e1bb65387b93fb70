"""Named switches of a simulated vendor, each with what it decides and why it stands as it does.

Three kinds. What the vendor's public record leaves *undecided*, or contradicts itself about, has the reading that is
harder for a client as its default; where it has not, it says why. A *setting* is what an administrator, an edition or a
release decides at a real vendor, and a *fault* is what goes wrong there now and then: both stand as in a plain
installation on a good day.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

_TOLD = "sagezoho"


class Kind(StrEnum):
    UNDECIDED = "undecided"
    SETTING = "setting"
    FAULT = "fault"


@dataclass(frozen=True)
class Switch:
    """One switch as people are told of it: `others` are the readings beside the default, or examples of them.

    `because` is empty where the default is simply the harder reading.
    """

    name: str
    kind: Kind
    default: Any
    others: tuple[Any, ...]
    meaning: str
    because: str


def undecided(default: Any, meaning: str, *others: Any, because: str = "") -> Any:
    """A field of a switches dataclass; `because` says why a default is not the harder reading, if it is not."""
    return _field(Kind.UNDECIDED, default, meaning, others, because)


def setting(default: Any, meaning: str, *others: Any) -> Any:
    return _field(Kind.SETTING, default, meaning, others, "")


def fault(default: Any, meaning: str, *others: Any) -> Any:
    return _field(Kind.FAULT, default, meaning, others, "")


def listed(switches: type) -> Iterator[Switch]:
    """All switches of a vendor, in the order of its dataclass."""
    for one in dataclasses.fields(switches):
        kind, meaning, others, because = one.metadata[_TOLD]
        yield Switch(one.name, kind, one.default, others, meaning, because)


def turn(switches: Any, name: str, value: Any) -> None:
    """Set a switch to what came from outside: JSON, or text. Raises ValueError for an unknown name or a wrong value."""
    hint = get_type_hints(type(switches)).get(name)
    if hint is None:
        raise ValueError(f"no switch called {name}")
    try:
        setattr(switches, name, TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False)).validate_python(value))
    except ValidationError as error:
        raise ValueError(f"{name}: {error.errors()[0]['msg']}") from None


def _field(kind: Kind, default: Any, meaning: str, others: tuple[Any, ...], because: str) -> Any:
    return dataclasses.field(default=default, metadata={_TOLD: (kind, meaning, others, because)})
