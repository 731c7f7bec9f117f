"""The kill storm: under load, processes are killed again and again.

Then nothing that was acknowledged is missing, nothing happened twice, and all that runs ends.

    tests/run.sh e2e tests/e2e/test_storm.py                                  half a minute a shape, as in every run
    TREENAIL_STORM_SECONDS=1800 tests/run.sh e2e tests/e2e/test_storm.py      an hour
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from harness.aws import client
from harness.flows import ROLE, job_is
from harness.server import Server
from harness.waiting import eventually

SECONDS = float(os.environ.get("TREENAIL_STORM_SECONDS", "30"))
SEED = int(os.environ.get("TREENAIL_STORM_SEED", "21"))
CLIENTS = 6
PAUSE_SECONDS = 0.1
# As the SDKs do by default: repeated calls must not start two runs.
ATTEMPTS = 4
KILLS_A_SECOND_MIN = 0.34
HEALING_SECONDS = 90
CHAIN = ("first", "second", "third")


@dataclass
class Account:
    """What one client did and heard."""

    started: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    # For each run, the values that were put, and how many of them are known to be there.
    put: dict[str, list[str]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def stormy(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(shape, tmp_path / "server")
    try:
        yield server.start()
    finally:
        server.kill()


def define(glue: Any) -> None:
    """A chain of jobs that do nothing; a job that was lost with its worker is tried again."""
    glue.create_workflow(Name="flow")
    for number, name in enumerate(CHAIN):
        glue.create_job(
            Name=name,
            Role=ROLE,
            Command={"Name": "noop"},
            DefaultArguments={"--duration-ms": str(number * 20)},
            MaxRetries=9,
            ExecutionProperty={"MaxConcurrentRuns": 100_000},
        )
    glue.create_trigger(Name="start", Type="ON_DEMAND", WorkflowName="flow", Actions=[{"JobName": CHAIN[0]}])
    for before, after in zip(CHAIN, CHAIN[1:], strict=False):
        glue.create_trigger(
            Name=f"then {after}",
            Type="CONDITIONAL",
            WorkflowName="flow",
            StartOnCreation=True,
            Predicate={"Conditions": [job_is(before)]},
            Actions=[{"JobName": after}],
        )


def use(glue: Any, name: str, over: Event) -> Account:
    """Starts runs and puts properties until the storm is over."""
    account = Account()
    number = 0
    while not over.wait(PAUSE_SECONDS):
        tag = f"{name}-{number}"
        number += 1
        account.asked.add(tag)
        try:
            run = glue.start_workflow_run(Name="flow", RunProperties={"tag": tag})["RunId"]
        except Exception:  # nobody knows whether it was started
            continue
        account.started[tag] = run
        for turn in range(3):
            values = account.put.setdefault(run, [])
            values.append(f"{tag}-{turn}")
            try:
                glue.put_workflow_run_properties(Name="flow", RunId=run, RunProperties={"value": values[-1]})
            except Exception:  # nobody knows whether it is there
                break
            account.known[run] = len(values)
    return account


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


def all_runs(glue: Any, graphs: bool) -> list[dict[str, Any]]:
    """All runs."""
    runs, token = [], {}
    while True:
        page = glue.get_workflow_runs(Name="flow", IncludeGraph=graphs, **token)
        runs += page["Runs"]
        if "NextToken" not in page:
            return runs
        token = {"NextToken": page["NextToken"]}


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
    started = {tag: run for account in accounts for tag, run in account.started.items()}
    assert len(started) > kills

    def has_healed() -> bool:
        return all(run["Status"] == "COMPLETED" for run in all_runs(glue, graphs=False))

    eventually(has_healed, "all runs to complete", patience_seconds=HEALING_SECONDS)
    runs = all_runs(glue, graphs=True)
    by_tag = Counter(run["WorkflowRunProperties"]["tag"] for run in runs)
    assert [tag for tag, count in by_tag.items() if count > 1] == [], "a call started two runs"
    assert set(by_tag) <= {tag for account in accounts for tag in account.asked}
    found = {run["WorkflowRunId"]: run for run in runs}
    assert [tag for tag, run in started.items() if run not in found] == [], "a run that was acknowledged is gone"
    for run in runs:
        for node in run["Graph"]["Nodes"]:
            attempts = [job["JobRunState"] for job in node.get("JobDetails", {}).get("JobRuns", [])]
            assert attempts.count("SUCCEEDED") <= 1, run
            assert all(state == "FAILED" for state in attempts[:-1]), run
    for account_of in accounts:
        for run_id, values in account_of.put.items():
            value = found[run_id]["WorkflowRunProperties"].get("value")
            possible = values[max(account_of.known.get(run_id, 0) - 1, 0) :]
            is_first_unknown = account_of.known.get(run_id, 0) == 0 and value is None
            assert value in possible or is_first_unknown, (run_id, value, values, account_of.known.get(run_id))
    print(f"\n{kills} kills, {len(runs)} runs, {len(started)} acknowledged")
