"""Jobs that tell what they do by what they write: an executor may show them no other file."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from harness.cli import treenail
from harness.flows import ROLE, command, job_run, job_run_ended
from harness.server import Server
from harness.waiting import eventually

# What a script says when it has begun, and then waits to be ended.
BEGUN = "the script has begun"
HOLD = f"import time\nprint({BEGUN!r}, flush=True)\ntime.sleep(90)\n"
PATIENCE_SECONDS = 60.0


class Jobs:
    """Jobs of one account."""

    def __init__(self, server: Server, glue: Any, account: str, folder: Path) -> None:
        self.server = server
        self.glue = glue
        self.account = account
        self.folder = folder

    def define(self, script: str, **members: Any) -> str:
        """Creates a job."""
        # A name that no other command line holds: what runs is found by it.
        name = f"script-{secrets.token_hex(8)}"
        path = self.folder / f"{name}.py"
        path.write_text(script, encoding="utf-8")
        self.glue.create_job(**{"Name": name, "Role": ROLE, "Command": command(path.as_uri()), **members})
        return name

    def start(self, script: str, arguments: dict[str, str] | None = None, **members: Any) -> JobRun:
        """Creates a job and starts a run of it."""
        name = self.define(script, **members)
        return JobRun(self, name, self.glue.start_job_run(JobName=name, Arguments=arguments or {})["JobRunId"])


class JobRun:
    """A run of a job."""

    def __init__(self, jobs: Jobs, name: str, run_id: str) -> None:
        self.jobs = jobs
        self.name = name
        self.id = run_id

    def ended(self, state: str = "SUCCEEDED") -> dict[str, Any]:
        """Waits until the run has ended, and checks how."""
        try:
            return job_run_ended(self.jobs.glue, self.name, self.id, state)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- stderr ---\n{self.output('--stderr')}") from None

    def begun(self) -> None:
        """Waits until the script says that it has begun."""
        eventually(lambda: BEGUN in self.output("--stdout"), f"{self.name} to begin", PATIENCE_SECONDS)
        assert job_run(self.jobs.glue, self.name, self.id)["JobRunState"] == "RUNNING"

    def output(self, *which: str) -> str:
        """Reads what the script wrote."""
        shown = treenail(self.jobs.server, self.jobs.account, "logs", *which, self.id)
        return str(shown.stdout + shown.stderr)

    def processes(self) -> list[int]:
        """Finds the processes of the script, wherever they run on this machine."""
        return [pid for pid, line in command_lines().items() if f"{self.name}.py" in line]

    def gone(self) -> None:
        """Waits until nothing of the run is left."""
        eventually(lambda: not self.processes(), f"the processes of {self.name} to be gone")


def command_lines() -> dict[int, str]:
    """Gives the command lines of all processes, as `ps` does."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found
