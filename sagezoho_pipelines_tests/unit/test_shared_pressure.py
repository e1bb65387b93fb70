"""Push-back heard from other processes: waited out, spread at its end, and obeyed with fewer calls at once."""

from __future__ import annotations

import pytest

from sagezoho_pipelines.calls.pressure import GROW_AFTER, Slots
from sagezoho_pipelines.sage300 import pressure as sage300
from sagezoho_pipelines.zoho_crm import pressure as zoho_crm
from sagezoho_pipelines_tests.unit.sage300_script import FakeTime


class Board:
    """What the ledger is to real processes: where one limiter notes a rest, the others read what is left of it."""

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.until: float | None = None
        self.told: list[float] = []

    def left(self) -> float | None:
        return None if self.until is None else self.until - self.time.at

    def note(self, seconds: float) -> None:
        self.told.append(seconds)
        self.until = max(self.until or 0.0, self.time.at + seconds)

    def sage300(self, limit: int = 8, *, random: float = 0.0) -> sage300.Pressure:
        return sage300.Pressure(
            limit, clock=self.time.clock, heard=self.left, tell=self.note, random=lambda: random
        )  # fmt: skip

    def zoho_crm(self, limit: int = 8, *, random: float = 0.0) -> zoho_crm.Gate:
        return zoho_crm.Gate(
            limit,
            monotonic=self.time.clock,
            sleep=self.time.sleep,
            random=lambda: random,
            heard=self.left,
            tell=self.note,
        )

    def enter(self, limiter: sage300.Pressure | zoho_crm.Gate) -> None:
        """One call, up to the moment at which it would be sent."""
        if isinstance(limiter, sage300.Pressure):
            with limiter.slot(self.time.sleep):
                pass
        else:
            with limiter.slots:
                limiter.pressure.wait()


@pytest.fixture
def board() -> Board:
    return Board(FakeTime())


@pytest.fixture(params=["sage300", "zoho_crm"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _push_back(limiter: sage300.Pressure | zoho_crm.Gate, seconds: float) -> None:
    if isinstance(limiter, sage300.Pressure):
        limiter.pushed_back(seconds)
    else:
        limiter.pressure.strike(seconds)


def _allowed(limiter: sage300.Pressure | zoho_crm.Gate) -> int:
    return limiter.allowed if isinstance(limiter, sage300.Pressure) else limiter.slots.allowed


def test_a_push_back_elsewhere_is_waited_out_with_half_as_many_calls(board: Board, system: str) -> None:
    one, other = getattr(board, system)(), getattr(board, system)()
    _push_back(one, 10)
    board.enter(other)
    assert board.time.slept == [10]
    assert (_allowed(one), _allowed(other)) == (4, 4)


def test_one_window_halves_once_however_often_it_is_heard(board: Board, system: str) -> None:
    limiter = getattr(board, system)()
    _push_back(limiter, 10)
    assert board.until is not None
    board.until += 0.2  # the way to the ledger
    board.enter(limiter)
    board.enter(limiter)
    assert _allowed(limiter) == 4
    assert board.told == [10]


def test_processes_do_not_come_back_all_at_once(board: Board, system: str) -> None:
    board.note(10)
    board.enter(getattr(board, system)(random=0.5))
    assert 10 < board.time.slept[0] <= 15


def test_a_window_that_has_just_ended_still_halves(board: Board, system: str) -> None:
    limiter, later = getattr(board, system)(), getattr(board, system)()
    board.note(1)
    board.time.at += 2
    board.enter(limiter)
    board.time.at += 60
    board.enter(later)
    assert board.time.slept == []
    assert (_allowed(limiter), _allowed(later)) == (4, 8)


def test_nobody_is_made_to_rest_for_longer_than_a_client_rests_by_itself(board: Board, system: str) -> None:
    board.note(60)
    limiter = getattr(board, system)()
    board.until = board.time.at + 86_400
    if system == "sage300":
        asked: list[float] = []

        class Enough(Exception):
            pass

        def pause(seconds: float) -> None:
            asked.append(seconds)
            raise Enough

        with pytest.raises(Enough), limiter.slot(pause):
            pass
        assert asked == [60]
    else:
        board.enter(limiter)
        assert board.time.slept == [60]


def test_answers_bring_the_calls_back_one_by_one() -> None:
    slots = Slots(4)
    slots.halve()
    for _ in range(GROW_AFTER):
        slots.answered()
    assert slots.allowed == 3
    for _ in range(5 * GROW_AFTER):
        slots.answered()
    assert slots.allowed == 4
