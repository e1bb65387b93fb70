"""Random kills under load: people work, a worker process delivers and is killed at any moment, again and again.

python -m sagezoho_pipelines_tests.fault.kills --kills 1000 --seed 1
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import DRIVER, engine_for
from sagezoho_pipelines_tests.fault.scene import RECEIPTS, Scene, scene

#: Orders, kills and audits alike get slower with what has piled up: a day ends, the next begins with empty vendors.
KILLS_A_DAY = 100

#: An account that moves between a kill and the next attempt makes its deal's order another one: a person must look.
MOVED_ON = frozenset({"ORDER_EXISTS"})

#: A worker that is killed within this many seconds has had the time to do something.
_LONGEST = 0.35


def kill_at_random(day: Scene, kills: int) -> None:
    """Kill `kills` worker processes while they deliver what people do meanwhile.

    A worker may finish first; then it was no kill, and the next one gets more to do.
    """
    day.desk.sync()
    while day.injected < kills:
        for _ in range(3):
            day.somebody()
        worker = day.begin(rounds=50)
        time.sleep(day.random.uniform(0.03, _LONGEST))
        day.somebody()
        if worker.is_alive():
            worker.kill()
            day.injected += 1
        worker.join()
        day.pass_leases()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--receipts", type=Path, default=RECEIPTS, help="folder for the JSON receipts")
    given = parser.parse_args()
    given.receipts.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="sagezoho-kills-"))
    home.chmod(0o755)
    url = embedded.start(home).set(drivername=DRIVER)
    try:
        for number, start in enumerate(range(0, given.kills, KILLS_A_DAY)):
            admin = engine_for(url)
            with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"CREATE DATABASE day_{number}")
            admin.dispose()
            engine = engine_for(url.set(database=f"day_{number}"))
            migrate(engine)
            with scene(engine, seed=given.seed + number) as day:
                kill_at_random(day, min(KILLS_A_DAY, given.kills - start))
                day.close(f"kills-{given.seed + number:02d}", given.receipts, asked=MOVED_ON)
            engine.dispose()
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
