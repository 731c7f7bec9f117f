"""A death at each step of a commit and of a task's way to a worker and back: the steps that the code names.

The server is built with the feature `failpoints`, as `tests/run.sh e2e` does.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from harness.aws import client
from harness.server import ALL_IN_ONE, REPOSITORY, Server
from harness.waiting import eventually
from harness.workload import ATTEMPTS, check, define, use

STEPS = (
    "batch-gathered",
    "batch-written",
    "batch-committed",
    "plan-stored",
    "plan-published",
    "decided",
    "stored",
    "answered",
    "acted",
    "seeding",
    "seeded",
    "task-taken",
    "task-ended",
    "outcome-acknowledged",
)
PASSES = (1, 3, 7)
# What follows the death: enough to see that the server goes on.
RUNS_AFTER = 3


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, not started yet: one process, which has all the steps."""
    server = Server(ALL_IN_ONE, tmp_path / "server")
    try:
        yield server
    finally:
        server.kill()


def test_all_steps_are_tried() -> None:
    source = (REPOSITORY / "crates/planted/src/failpoint.rs").read_text(encoding="utf-8")
    steps = source.split("\nsteps! {", 1)[1].split("\n}", 1)[0]
    assert [line.split('"')[1] for line in steps.splitlines() if " = " in line] == list(STEPS)


@pytest.mark.parametrize("passes", PASSES)
@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_or_done_twice(mortal: Server, account: str, step: str, passes: int) -> None:
    mortal.environment = {"TREENAIL_FAILPOINT": f"{step}:{passes}"}
    mortal.launch()
    over = Event()

    def revive() -> None:
        eventually(lambda: mortal.exit_code("serve") is not None, f"the server to die at {step}")
        assert mortal.exit_code("serve") == -signal.SIGABRT, mortal.log("serve")
        mortal.kill("serve")
        mortal.environment = {}
        mortal.start()

    with ThreadPoolExecutor(3) as pool:
        revival = pool.submit(revive)
        define(client("glue", mortal.endpoint, account))
        users = [
            pool.submit(use, client("glue", mortal.endpoint, account, attempts=ATTEMPTS), f"client-{number}", over)
            for number in range(2)
        ]
        try:
            revival.result()
            glue = client("glue", mortal.endpoint, account)
            eventually(lambda: len(glue.get_workflow_runs(Name="flow")["Runs"]) >= RUNS_AFTER, "runs after the death")
        finally:
            over.set()
        accounts = [user.result() for user in users]
    check(glue, accounts)
