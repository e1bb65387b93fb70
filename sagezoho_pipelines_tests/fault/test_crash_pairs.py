"""A process killed while a linked pair is made equal: what gave way is told, by whoever comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.fault.scene import THOROUGH, Scene, scene

KILLED = -9
_LABELS = ("before send", "sent", "answered", "before settle")
#: Customers are written by the same code as vendors, and by another handler.
_POINTS = {"vendors": _LABELS, "customers": _LABELS if THOROUGH else ("sent", "before settle")}
_EDITED = _LABELS if THOROUGH else ("before send", "sent")


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=7, vendors=3) as made:
        made.deal()
        assert made.process() == 0
        yield made


def _pair(day: Scene, entity: str) -> Any:
    links = day.desk.query("SELECT * FROM sagezoho.links WHERE zoho_entity = 'Accounts' ORDER BY id")
    return next(row for row in links if row["sage_entity"] == entity)


def _in_zoho(day: Scene, pair: Any) -> None:
    day.edit_account(str(pair["zoho_id"]), Phone=day.said("His"))


def _in_sage(day: Scene, pair: Any) -> None:
    day.edit_record(pair["sage_entity"], pair["sage_id"], PhoneNumber=day.said("Hers"))


def _on_both(day: Scene, pair: Any) -> None:
    _in_zoho(day, pair)
    _in_sage(day, pair)


@dataclass(frozen=True)
class _Case:
    """Who leads, what people type, and which side must give way, so that the audit has to tell of it."""

    leader: str
    edit: Callable[[Scene, Any], None]
    gives_way: bool = False


CASES = {
    "to Sage": _Case("zoho_crm", _in_zoho),
    "to Zoho": _Case("sage300", _in_sage),
    "put back in Zoho": _Case("sage300", _in_zoho, gives_way=True),
    "put back in Sage": _Case("zoho_crm", _in_sage, gives_way=True),
    "conflict that Sage wins": _Case("sage300", _on_both, gives_way=True),
    "conflict that Zoho wins": _Case("zoho_crm", _on_both, gives_way=True),
}


@pytest.mark.parametrize("entity", ["vendors", "customers"])
@pytest.mark.parametrize("name", CASES)
def test_a_kill_while_a_pair_is_made_equal_loses_no_word(day: Scene, entity: str, name: str, receipts: Path) -> None:
    case, pair = CASES[name], _pair(day, entity)
    day.change_leader(pair, case.leader)
    for label in _POINTS[entity]:
        case.edit(day, pair)
        flows = [entity, "identity"]
        assert day.process(flows=flows, die_at=(label, 1)) == KILLED, label
        day.injected += 1
        day.pass_leases()
        assert day.process(flows=flows) == 0
        verdict = day.audit()
        assert verdict.clean, f"killed at {label!r}:\n{verdict}"
        assert day.journal.differing(entity, pair["sage_id"]) == []
    assert day.journal.gone() == (len(_POINTS[entity]) if case.gives_way else 0)
    day.close(f"pairs {entity} {name}", receipts)


@pytest.mark.parametrize("entity", ["vendors", "customers"])
@pytest.mark.parametrize("leader", ["sage300", "zoho_crm", "newest"])
def test_people_who_edit_both_sides_after_a_kill_are_told_apart(
    day: Scene, entity: str, leader: str, receipts: Path
) -> None:
    pair = _pair(day, entity)
    day.change_leader(pair, leader)
    first, second = (_in_sage, _in_zoho) if leader != "zoho_crm" else (_in_zoho, _in_sage)
    for label in _EDITED:
        first(day, pair)
        assert day.process(flows=[entity, "identity"], die_at=(label, 1)) == KILLED, label
        day.injected += 1
        second(day, pair)
        day.pass_leases()
        assert day.process() == 0
        verdict = day.audit()
        assert verdict.clean, f"killed at {label!r}:\n{verdict}"
    day.close(f"edited after a kill, {entity} led by {leader}", receipts, asked={"SIDES_DIFFER"})


@pytest.mark.parametrize("seed", range(6) if THOROUGH else [1])
def test_edits_of_both_sides_between_kills_come_to_rest(engine: Engine, seed: int, receipts: Path) -> None:
    with scene(engine, seed=seed, vendors=3) as day:
        day.deal()
        assert day.process() == 0
        acts = (day.edit_in_zoho, day.edit_in_sage, day.edit_both, day.change_leader, day.change_leader_of_a_field)
        for _ in range(12):
            for _ in range(4):
                day.random.choice(acts)()
            flow = day.random.choice(("vendors", "customers", "identity"))
            day.injected += day.process(flows=[flow], die_at=(day.random.choice(_LABELS), 1)) == KILLED
            day.pass_leases()
        day.close(f"pairs edited at random {seed}", receipts, asked={"SIDES_DIFFER"})
        assert day.injected > 3
        assert day.journal.gone() > 3
