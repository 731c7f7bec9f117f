"""What scripts write: kept, and followed while they run."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

from harness.cli import treenail
from harness.flows import add_job, job_run_ended
from harness.scripts import Gate
from harness.server import Server
from harness.waiting import eventually


def test_output_is_read_after_the_run(server: Server, glue: Any, account: str, tmp_path: Path) -> None:
    script = "import sys\nprint('to stdout')\nprint('to stderr ☕', file=sys.stderr)\nsys.stdout.write('no newline')"
    add_job(glue, tmp_path, "j", script)
    run_id = glue.start_job_run(JobName="j")["JobRunId"]
    job_run_ended(glue, "j", run_id)
    shown = treenail(server, account, "logs", run_id)
    assert shown.returncode == 0, shown
    written = shown.stdout + shown.stderr
    for text in ("to stdout", "to stderr ☕", "no newline"):
        assert text in written


def test_output_is_followed_live(server: Server, glue: Any, account: str, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", f"print('begun', flush=True)\n{gate.script}")
    run_id = glue.start_job_run(JobName="j")["JobRunId"]
    gate.reached()
    process = treenail(server, account, "logs", "-f", run_id, wait=False)
    seen: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: seen.extend(iter(process.stdout.readline, "")))
    reader.start()
    try:
        eventually(lambda: any("begun" in line for line in seen), "the first line while the job runs")
        assert process.poll() is None, "it follows until the run ends"
        gate.open()
        assert process.wait(30) == 0
    finally:
        process.kill()
        reader.join()


def test_an_unknown_run_has_no_output(server: Server, account: str) -> None:
    shown = treenail(server, account, "logs", "jr_" + "0" * 64)
    assert shown.returncode != 0
    assert "not found" in shown.stderr.lower()


def test_a_batch_of_runs_keeps_its_outputs_apart(server: Server, glue: Any, account: str, tmp_path: Path) -> None:
    runs = {}
    for name in ("a", "b"):
        add_job(glue, tmp_path, name, f"print('this is {name}')")
        runs[name] = glue.start_job_run(JobName=name)["JobRunId"]
    for name, run_id in runs.items():
        job_run_ended(glue, name, run_id)
        found = treenail(server, account, "logs", run_id)
        assert isinstance(found, subprocess.CompletedProcess)
        assert found.stdout.splitlines() == [f"this is {name}"]
