"""Stored rows that were damaged: the server starts, says which rows it cannot understand, and goes on with the rest."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import wire
from harness.aws import client, new_account
from harness.flows import ROLE, job_is
from harness.server import ALL_IN_ONE, Server
from harness.waiting import eventually

SEED = 7
ROUNDS = 5
DAMAGED_A_ROUND = 40
RUNS = 6
# How a value may be damaged; each is given the bytes and a source of noise.
DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [
    lambda _, __: b"",
    lambda data, draw: data[: draw.randrange(len(data) + 1)],
    lambda data, draw: draw.randbytes(len(data)),
    lambda data, draw: data + draw.randbytes(8),
    lambda data, draw: bytes(byte ^ (1 << draw.randrange(8)) if draw.random() < 0.1 else byte for byte in data),
    lambda data, _: b"\xff" * len(data),
    lambda _, __: b"\x0b" * 2_000,
]


def define(glue: Any) -> None:
    """Two jobs, one after another, of which the first waits; and runs of them."""
    glue.create_workflow(Name="flow", DefaultRunProperties={"a": "1"}, Tags={"t": "1"})
    for name, milliseconds in {"first": "3000", "second": "0"}.items():
        glue.create_job(
            Name=name,
            Role=ROLE,
            Command={"Name": "noop"},
            DefaultArguments={"--duration-ms": milliseconds},
            MaxRetries=5,
            ExecutionProperty={"MaxConcurrentRuns": 100},
        )
    glue.create_trigger(Name="s", Type="ON_DEMAND", WorkflowName="flow", Actions=[{"JobName": "first"}])
    condition = {"Conditions": [job_is("first")]}
    glue.create_trigger(
        Name="t",
        Type="CONDITIONAL",
        WorkflowName="flow",
        StartOnCreation=True,
        Predicate=condition,
        Actions=[{"JobName": "second"}],
    )
    for _ in range(RUNS):
        glue.start_workflow_run(Name="flow")


def columns(row: sqlite3.Row) -> list[str]:
    """The names of a row's columns."""
    return list(row.keys())


def damage(folder: Path, spared: str, draw: random.Random) -> int:
    """Damages values in all databases, but none of an account that is spared."""
    places: list[tuple[Path, str, str, sqlite3.Row]] = []
    for path in sorted(folder.rglob("*.db")):
        with sqlite3.connect(path) as database:
            database.row_factory = sqlite3.Row
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            for (table,) in tables:
                for row in database.execute(f"SELECT * FROM {table}"):
                    if any(spared in str(value) for value in tuple(row)):
                        continue
                    places += [(path, table, name, row) for name in columns(row) if isinstance(row[name], bytes)]
    chosen = draw.sample(places, min(DAMAGED_A_ROUND, len(places)))
    for path, table, name, row in chosen:
        others = [other for other in columns(row) if not isinstance(row[other], bytes)]
        found = " AND ".join(f"{other} IS ?" for other in others)
        changed = draw.choice(DAMAGES)(row[name], draw)
        with sqlite3.connect(path) as database:
            database.execute(
                f"UPDATE {table} SET {name} = ? WHERE {found}", [changed, *(row[other] for other in others)]
            )
    return len(chosen)


def test_damaged_rows_never_stop_the_start(shape: str, tmp_path: Path, account: str) -> None:
    if shape != ALL_IN_ONE:
        pytest.skip("the stores are the same in both shapes")
    draw = random.Random(SEED)
    damaged = 0
    for number in range(ROUNDS):
        healthy = new_account()
        server = Server(shape, tmp_path / f"server-{number}")
        try:
            server.start()
            for of in (account, healthy):
                define(client("glue", server.endpoint, of))
            server.kill()
            damaged += damage(server.data_dir, healthy, draw)
            server.start()
            glue = client("glue", server.endpoint, healthy)

            def has_ended(glue: Any = glue) -> bool:
                return all(run["Status"] == "COMPLETED" for run in glue.get_workflow_runs(Name="flow")["Runs"])

            eventually(has_ended, "the healthy runs to complete", patience_seconds=60)
            for target, members in {
                "GetWorkflow": {"Name": "flow", "IncludeGraph": True},
                "GetWorkflowRuns": {"Name": "flow", "IncludeGraph": True},
                "GetJobs": {},
                "GetTriggers": {},
                "ListWorkflows": {},
                "GetJobRuns": {"JobName": "first"},
                "StartWorkflowRun": {"Name": "flow"},
                "CreateWorkflow": {"Name": "another"},
            }.items():
                answer = wire.call(server.endpoint, f"AWSGlue.{target}", members, account)
                # What cannot be understood is an error of the server's, in AWS's shape; it is still there.
                assert answer.status == 200 or answer.fault, (target, answer)
            glue.start_workflow_run(Name="flow")
            server.stop()
        finally:
            server.kill()
    assert damaged >= ROUNDS * DAMAGED_A_ROUND * 0.9, "too few rows were damaged to prove anything"
