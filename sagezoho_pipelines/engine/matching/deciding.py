"""What a person decides about a match: link, create or skip, for each record that the flow would bring over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sagezoho_pipelines.domain.links import LeftAlone
from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.linking import asking, edits
from sagezoho_pipelines.engine.linking.asking import BY_HAND, Asked, Checked
from sagezoho_pipelines.engine.matching import contacts
from sagezoho_pipelines.engine.matching.match import Flow, kind_of, source_of


class Decide(StrEnum):
    """`link` the two records; `create` the record on the other side; `skip`: leave it alone for good."""

    LINK = "link"
    CREATE = "create"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of a reviewed match. `decide` is None where nobody decided, and then the record is left alone.

    `rule` is the one that proved the pair, empty where a person chose it; `place` is where it was decided, e.g.
    `line 7`. `name` is that of the record which would be brought over, as it was when the match was made.
    """

    sage_id: str
    zoho_id: str = ""
    decide: Decide | None = None
    rule: str = ""
    name: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class CheckedDecisions:
    """What decisions come to: links, records left alone, records no longer left alone, and what is wrong with them.

    `undecided` of those left alone are so only until somebody decides.
    """

    links: Checked
    leave: Sequence[LeftAlone]
    resume: Sequence[tuple[EntityRef, str]]
    created: int
    undecided: int
    problems: Sequence[tuple[str, str]]


def check(ctx: Context, flow: Flow, decisions: Sequence[Decision], *, who: str, why: str) -> CheckedDecisions:
    """Read the records to be linked and say what the decisions come to. Writes nothing.

    With an account its contact is linked that has the vendor's e-mail address.
    """
    kind, source = kind_of(flow), source_of(ctx, flow)
    problems = [(one.place, reason) for one in decisions if (reason := _unclear(flow, one))]
    chosen, contradictions = _by_record(kind.source, [one for one in decisions if not _unclear(flow, one)])
    problems += contradictions
    asked = [
        Asked(
            kind,
            one.sage_id,
            one.zoho_id,
            f"matched: {one.rule}" if one.rule else BY_HAND,
            place=one.place,
            sage_name=one.name if flow == "vendors" else "",
        )
        for one in chosen.values()
        if one.decide is Decide.LINK
    ]
    checked = asking.check(ctx, asked)
    if flow == "vendors" and checked.add:
        checked = replace(checked, add=[*checked.add, *contacts.links_for(ctx, checked.add)])
    problems += [(problem.asked.place, problem.reason) for problem in checked.problems]
    linked = _linked(ctx, flow, [key for key, one in chosen.items() if one.decide is not Decide.LINK])
    problems += [
        (chosen[key].place, f"{key} is linked already: remove that link first, or leave the line empty")
        for key in sorted(linked)
        if chosen[key].decide is not None
    ]
    chosen = {key: one for key, one in chosen.items() if key not in linked}
    left = ctx.ledger.left_alone(source)
    # What was left alone before may be gone from its system by now.
    named = {key: one.name for key, one in chosen.items() if one.decide is not Decide.LINK and key not in left}
    problems += [(chosen[key].place, reason) for key, reason in sorted(asking.unknown(ctx, kind, named).items())]
    leave = [
        LeftAlone(source, key, one.name, who, why, ctx.clock(), decided=one.decide is not None)
        for key, one in sorted(chosen.items())
        if one.decide in (Decide.SKIP, None) and (key not in left or one.decide)
    ]
    created = [key for key, one in sorted(chosen.items()) if one.decide is Decide.CREATE]
    return CheckedDecisions(
        checked,
        leave,
        [(source, key) for key in created if key in left],
        len(created),
        sum(one.decide is None for one in chosen.values()),
        problems,
    )


def apply(ctx: Context, checked: Sequence[CheckedDecisions], *, who: str, why: str) -> None:
    """Carry decisions out in one transaction, whatever flows they are about: all of them, or none.

    Raises ValueError while there are problems, and LinkTaken or LinkBusy where somebody was quicker.
    """
    if any(one.problems for one in checked):
        raise ValueError("there are decisions that cannot be carried out")
    links = Checked(
        add=[link for one in checked for link in one.links.add],
        lead=[link for one in checked for link in one.links.lead],
        before=[link for one in checked for link in one.links.before],
    )
    leave = [left for one in checked for left in one.leave]
    resume = [record for one in checked for record in one.resume]
    edits.carry_out(ctx, links, who=who, why=why, leave=leave, resume=resume)


def _linked(ctx: Context, flow: Flow, keys: Sequence[str]) -> set[str]:
    """Of these records, those that somebody has linked since the match was made."""
    kind = kind_of(flow)
    if kind.source is System.SAGE300:
        return set(ctx.ledger.links_by_sage(ctx.connection, kind.sage_entity, kind.zoho_entity, keys))
    return set(ctx.ledger.links_by_zoho(ctx.connection, kind.zoho_entity, kind.sage_entity, keys))


def _unclear(flow: Flow, one: Decision) -> str:
    if one.decide is Decide.LINK and not (one.sage_id and one.zoho_id):
        return "'link' needs both sage_id and zoho_id"
    if flow == "vendors" and not one.sage_id and one.decide is not None:
        return f"{one.decide!s}: there is no vendor in this line; write its number into sage_id, or leave it undecided"
    if flow == "customers" and not one.zoho_id and one.decide is not None:
        return f"{one.decide!s}: customers are made of Zoho accounts, and there is none in this line"
    return ""


def _by_record(source: System, decisions: Sequence[Decision]) -> tuple[dict[str, Decision], list[tuple[str, str]]]:
    """One decision for each record that would be brought over; a record has as many lines as it has candidates."""
    lines: Mapping[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        key = one.sage_id if source is System.SAGE300 else one.zoho_id
        if key:
            lines[key].append(one)
    chosen: dict[str, Decision] = {}
    problems: list[tuple[str, str]] = []
    for key, mine in lines.items():
        decided = [one for one in mine if one.decide is not None]
        kinds = {one.decide for one in decided}
        links = [one for one in decided if one.decide is Decide.LINK]
        if len(kinds) > 1 or len({(one.sage_id, one.zoho_id) for one in links}) > 1:
            said = ", ".join(f"{one.decide!s} at {one.place}" if one.place else str(one.decide) for one in decided)
            problems.append((decided[-1].place, f"{key} is decided in two ways: {said}"))
        else:
            chosen[key] = (decided or mine)[0]
    return chosen, problems
