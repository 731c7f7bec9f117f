"""The AWS SDK for JavaScript, unchanged: `js/client.mjs` does the calls."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from harness.cli import environment
from harness.scripts import exits
from harness.server import Server

FOLDER = Path(__file__).resolve().parent / "js"


def test_a_program_in_javascript_runs_a_workflow(server: Server, account: str, tmp_path: Path) -> None:
    assert (FOLDER / "node_modules").is_dir(), "npm ci --prefix tests/e2e/js"
    script = tmp_path / "job.py"
    script.write_text(exits(0), encoding="utf-8")
    line = ["node", str(FOLDER / "client.mjs"), script.as_uri()]
    done = subprocess.run(
        line, env=environment(server, account), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["trigger"]["Schedule"] == "cron(0 0 2 1 ? 2199)"
    assert seen["trigger"]["Actions"] == [{"JobName": "J1", "Arguments": {"--a": "1"}}]
    assert seen["properties"] == {"x": "1", "y": "2", "z": "3"}
    assert seen["run"]["Statistics"]["SucceededActions"] == 1
    assert seen["timesAreDates"] is True
    assert seen["nodes"] == ["J1", "start"]
    assert seen["lastRun"] == seen["runId"]
    assert seen["pages"] == [["a", "b"], ["js"]]
    assert seen["missing"] == ["nowhere"]
    error = seen["error"]
    assert (error["typed"], error["name"]) == (True, "EntityNotFoundException")
    assert (error["message"], len(error["requestId"])) == ("Entity not found", 36)
