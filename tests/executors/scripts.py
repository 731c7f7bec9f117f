"""Jobs whose scripts are in S3, and that speak to the tests through S3: what runs them may be anywhere."""

from __future__ import annotations

import json
from typing import Any

from harness.flows import ROLE
from harness.waiting import eventually

BUCKET = "scripts"
# A script that nobody lets go ends by itself, so that a failed test leaves nothing behind.
_GATED = """
import boto3, os, sys, time, uuid
s3 = boto3.client("s3")
print("begun", flush=True)
s3.put_object(Bucket={bucket!r}, Key="{name}/begun/" + uuid.uuid4().hex, Body=b"")
deadline = time.monotonic() + 90
while time.monotonic() < deadline:
    try:
        code = int(s3.get_object(Bucket={bucket!r}, Key="{name}/open")["Body"].read())
        print("let go", flush=True)
        sys.exit(code)
    except s3.exceptions.NoSuchKey:
        time.sleep(0.05)
sys.exit(99)
"""
_RECORDING = """
import boto3, json, os, sys
seen = dict(argv=sys.argv, environment=dict(os.environ), folder=os.getcwd(), path=sys.path)
boto3.client("s3").put_object(Bucket={bucket!r}, Key="{name}/seen", Body=json.dumps(seen).encode())
"""


class Jobs:
    """The jobs of a test."""

    def __init__(self, glue: Any, s3: Any) -> None:
        self.glue = glue
        self.s3 = s3
        s3.create_bucket(Bucket=BUCKET)

    def keep(self, key: str, content: bytes) -> str:
        """Puts something into S3; gives its location."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def add(self, name: str, script: str, python: str = "3.9", **members: Any) -> str:
        """Makes a job of a script."""
        location = self.keep(f"{name}.py", script.encode())
        command = {"Name": "pythonshell", "PythonVersion": python, "ScriptLocation": location}
        self.glue.create_job(**{"Name": name, "Role": ROLE, "Command": command, **members})
        return name

    def gate(self, name: str, **members: Any) -> Gate:
        """Makes a job whose script waits until it is let go."""
        self.add(name, _GATED.format(name=name, bucket=BUCKET), **members)
        return Gate(self, name)

    def record(self, name: str, **members: Any) -> str:
        """Makes a job whose script tells what it sees."""
        return self.add(name, _RECORDING.format(name=name, bucket=BUCKET), **members)

    def seen(self, name: str) -> dict[str, Any]:
        """What such a script saw."""
        found: dict[str, Any] = json.loads(self.s3.get_object(Bucket=BUCKET, Key=f"{name}/seen")["Body"].read())
        return found

    def start(self, name: str, **members: Any) -> str:
        """Starts a run."""
        run: str = self.glue.start_job_run(JobName=name, **members)["JobRunId"]
        return run


class Gate:
    """Holds a script until a test lets it go, and says with which exit code."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self._jobs = jobs
        self._name = name

    def begun(self) -> int:
        """How often the script was started."""
        found = self._jobs.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{self._name}/begun/")
        count: int = found["KeyCount"]
        return count

    def reached(self) -> None:
        """Waits until a script is at the gate."""
        eventually(lambda: self.begun() > 0, f"the script of {self._name} to start")

    def open(self, exit_code: int = 0) -> None:
        """Lets all scripts go, those that come later too."""
        self._jobs.keep(f"{self._name}/open", str(exit_code).encode())
