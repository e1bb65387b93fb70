"""Workers killed at random moments under load: `python -m sagezoho_pipelines_tests.fault.kills` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.fault.kills import MOVED_ON, kill_at_random
from sagezoho_pipelines_tests.fault.scene import THOROUGH, scene


@pytest.mark.parametrize("seed", [1, 2] if THOROUGH else [1])
def test_random_kills_neither_lose_nor_double(engine: Engine, seed: int, receipts: Path) -> None:
    with scene(engine, seed=seed) as day:
        kill_at_random(day, 25)
        day.close(f"kills-{seed:02d}", receipts, asked=MOVED_ON)
