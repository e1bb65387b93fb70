"""Files of links: what each line asks for, what is wrong with it, and what an import has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sagezoho_pipelines.cli import options, output, sheets
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.links import KINDS, PairKind
from sagezoho_pipelines.domain.records import Authority

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.linking.asking import Asked, Checked
    from sagezoho_pipelines.wiring import Installation

Bad = list[tuple[str, str]]
"""Where a line is, and what is wrong with it."""

_SIDES = ", ".join(str(one) for one in Authority)
_MOST_SHOWN = 200


def read(installation: Installation, path: Path, connection: str | None) -> tuple[dict[str, list[Asked]], Bad]:
    """The pairs of a file by connection, and the lines that cannot be understood.

    Lines of other connections are passed over when one is named. Raises SagezohoError for a file that is no table.
    """
    from sagezoho_pipelines.engine.linking import asking

    names = options.chosen(installation.settings, connection)
    plan: dict[str, list[Asked]] = {}
    bad: Bad = []
    for line in sheets.read(path, needed=("kind", "sage_id", "zoho_id")):
        place = f"line {line.number}"
        name = line.get("connection") or (names[0] if len(names) == 1 else "")
        if connection is not None and name != connection:
            continue
        try:
            kind = _kind(line.get("kind"))
            asked = asking.Asked(
                kind,
                line.get("sage_id"),
                line.get("zoho_id"),
                made_by=asking.IMPORTED,
                authority=_authority(line.get("authority"), kind),
                exceptions=_exceptions(line, kind),
                place=place,
                sage_name=line.get("sage_name"),
            )
        except SagezohoError as error:
            bad.append((place, str(error)))
            continue
        if name not in names:
            bad.append((place, f"there is no connection {name!r}; known: {', '.join(names)}"))
            continue
        plan.setdefault(name, []).append(asked)
    return plan, bad


def tell(checked: Mapping[str, Checked], bad: Bad, *, applied: bool, as_json: bool) -> None:
    """What an import has done, or would do; every bad line by its number."""
    bad = sorted(bad, key=lambda one: (int(one[0].removeprefix("line ")), one[1]))
    added = sum(len(one.add) for one in checked.values())
    led = sum(len(one.lead) for one in checked.values())
    unchanged = sum(len(one.unchanged) for one in checked.values())
    if as_json:
        output.emit_json(
            {
                "ok": not bad, "applied": applied, "add": added, "set_authority": led, "unchanged": unchanged,
                "bad": [{"line": int(place.removeprefix("line ")), "reason": reason} for place, reason in bad],
            }
        )  # fmt: skip
        return
    for place, reason in bad[:_MOST_SHOWN]:
        output.say(f"{place}: {reason}", output.BAD)
    if len(bad) > _MOST_SHOWN:
        output.say(f"… and {len(bad) - _MOST_SHOWN} more bad lines: --json lists them all")
    told = f"{added} to link, {led} to be led otherwise, {unchanged} linked already"
    if bad:
        output.say(f"{len(bad)} bad lines ({told}). Nothing was done: an import is whole or not at all.", output.BAD)
    elif applied:
        output.say(f"{added} linked, {led} led otherwise, {unchanged} as they were.", output.GOOD)
    else:
        output.say(f"{told}. Nothing was done yet: --apply does it.")


def _kind(text: str) -> PairKind:
    kind = KINDS.get(text.casefold())
    if kind is None:
        raise SagezohoError(f"kind {text!r} is none of {', '.join(KINDS)}")
    return kind


def _authority(text: str, kind: PairKind) -> Authority | None:
    if not text:
        return None
    try:
        found = Authority(text.casefold())
    except ValueError:
        raise SagezohoError(f"authority {text!r} is none of {_SIDES}") from None
    if not kind.two_way and found is not kind.authority:
        raise SagezohoError(f"authority {text!r}: {kind.name} go one way, and {kind.authority} leads them")
    return found


def _exceptions(line: sheets.Line, kind: PairKind) -> Mapping[str, str] | None:
    """`Phone=zoho_crm; Website=newest`. None where the file has no such column: what is known stays."""
    if "exceptions" not in line.cells:
        return None
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in line.get("exceptions").split(";"))):
        field, mark, side = (one.strip() for one in part.partition("="))
        if not mark or not field or side.casefold() not in [str(one) for one in Authority]:
            raise SagezohoError(f"exceptions {part!r}: write FIELD=SIDE, where SIDE is one of {_SIDES}")
        found[field] = side.casefold()
    if found and not kind.two_way:
        raise SagezohoError(f"exceptions: {kind.name} go one way, and {kind.authority} leads them")
    return found


__all__: Sequence[str] = ("Bad", "read", "tell")
