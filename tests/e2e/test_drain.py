"""A worker that is told to stop: it finishes what it has, while others take what is new."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from harness.aws import client
from harness.flows import add_job, job_run_ended
from harness.scripts import Gate, Record
from harness.server import ALL_IN_ONE, SPLIT, Server
from harness.waiting import eventually

# How long the all-in-one server may take to end while a job runs.
STOP_SECONDS_MAX = 3.0


def test_a_worker_that_is_told_to_stop_finishes_its_job_and_another_takes_the_next(
    tmp_path: Path, account: str, gate: Gate, record: Record
) -> None:
    server = Server(SPLIT, tmp_path / "server")
    server.arguments["worker"] = ["--drain-seconds", "60"]
    try:
        server.start()
        glue = client("glue", server.endpoint, account)
        add_job(glue, tmp_path, "long", gate.script)
        long = glue.start_job_run(JobName="long")["JobRunId"]
        gate.reached()
        server.more_workers.append("worker-2")
        server.start()
        eventually(lambda: "connected to the run-scheduler" in server.log("worker-2"), "the second worker to be there")

        os.kill(server.pids["worker"], signal.SIGTERM)
        add_job(glue, tmp_path, "short", record.script)
        for _ in range(20):
            run = glue.start_job_run(JobName="short")["JobRunId"]
            ended = job_run_ended(glue, "short", run)
            assert ended["Attempt"] == 0
        # A task that was on its way when the worker was told to stop was given back, and not lost.
        id_of_first = (tmp_path / "server" / "worker" / "worker-id").read_text(encoding="utf-8")
        workers = [seen["environment"]["TREENAIL_WORKER_ID"] for seen in record.runs]
        assert len(workers) == 20
        assert id_of_first not in workers

        assert server.exit_code("worker") is None
        gate.open()
        ended = job_run_ended(glue, "long", long)
        assert ended["Attempt"] == 0
        assert "ErrorMessage" not in ended
        assert len(glue.get_job_runs(JobName="long")["JobRuns"]) == 1
        assert eventually(lambda: server.exit_code("worker") is not None, "the first worker to end")
        assert server.exit_code("worker") == 0, server.log("worker")
        server.stop()
    finally:
        server.kill()


def test_a_worker_ends_what_runs_longer_than_its_drain(tmp_path: Path, account: str, gate: Gate) -> None:
    server = Server(SPLIT, tmp_path / "server")
    server.arguments["worker"] = ["--drain-seconds", "1"]
    try:
        server.start()
        glue = client("glue", server.endpoint, account)
        add_job(glue, tmp_path, "long", gate.script)
        run = glue.start_job_run(JobName="long")["JobRunId"]
        gate.reached()
        os.kill(server.pids["worker"], signal.SIGTERM)
        job_run_ended(glue, "long", run, "FAILED")
        eventually(lambda: server.exit_code("worker") is not None, "the worker to end")
        assert server.exit_code("worker") == 0, server.log("worker")
        server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_server_on_a_laptop_ends_its_jobs_at_once(
    tmp_path: Path, account: str, gate: Gate, sent: signal.Signals
) -> None:
    server = Server(ALL_IN_ONE, tmp_path / "server")
    try:
        server.start()
        glue = client("glue", server.endpoint, account)
        add_job(glue, tmp_path, "long", gate.script)
        glue.start_job_run(JobName="long")
        gate.reached()
        since = time.monotonic()
        os.kill(server.pids["serve"], sent)
        eventually(lambda: server.exit_code("serve") is not None, "the server to end")
        assert time.monotonic() - since < STOP_SECONDS_MAX
        assert server.exit_code("serve") == 0
    finally:
        server.kill()
