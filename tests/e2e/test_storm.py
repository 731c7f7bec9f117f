"""The kill storm: under load, processes are killed again and again.

Then nothing that was acknowledged is missing, nothing happened twice, and all that runs ends.

    tests/run.sh e2e tests/e2e/test_storm.py                                  half a minute a shape, as in every run
    TREENAIL_STORM_SECONDS=1800 tests/run.sh e2e tests/e2e/test_storm.py      an hour
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from harness.aws import client
from harness.server import Server
from harness.workload import ATTEMPTS, HEALING_SECONDS, check, define, use

SECONDS = float(os.environ.get("TREENAIL_STORM_SECONDS", "30"))
SEED = int(os.environ.get("TREENAIL_STORM_SEED", "21"))
CLIENTS = 6
KILLS_A_SECOND_MIN = 0.34


@pytest.fixture
def stormy(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(shape, tmp_path / "server")
    try:
        yield server.start()
    finally:
        server.kill()


def strike(server: Server, over: Event) -> int:
    """Kills processes and starts them again until the storm is over; says how often."""
    draw = random.Random(SEED)
    kills = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        over.wait(draw.uniform(0.1, 1.5))
        names = sorted(server.pids)
        victims = names if draw.random() < 0.2 else [draw.choice(names)]
        server.kill(*victims)
        server.start()
        kills += len(victims)
    over.set()
    return kills


@pytest.mark.timeout(SECONDS + HEALING_SECONDS + 60)
def test_nothing_is_lost_and_nothing_happens_twice(stormy: Server, account: str) -> None:
    glue = client("glue", stormy.endpoint, account)
    define(glue)
    over = Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [
            pool.submit(use, client("glue", stormy.endpoint, account, attempts=ATTEMPTS), f"client-{number}", over)
            for number in range(CLIENTS)
        ]
        kills = strike(stormy, over)
        accounts = [done.result() for done in clients]
    assert kills >= SECONDS * KILLS_A_SECOND_MIN
    started = sum(len(account.started) for account in accounts)
    assert started > kills
    runs = check(glue, accounts)
    print(f"\n{kills} kills, {len(runs)} runs, {started} acknowledged")
