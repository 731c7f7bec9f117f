"""Job bookmarks: what a script commits, the next run of the job finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import wire
from harness.aws import refused
from harness.flows import add_job, job_run_ended
from harness.scripts import Gate
from harness.server import Server

# Commits one more than it found. Fails when `--fail` is given, after it has set the state and before it commits.
COUNTING = """
import sys
from awsglue.job import Job
from awsglue.utils import getResolvedOptions

job = Job(None)
job.init("j", getResolvedOptions(sys.argv, []))
job.set_state("counter", {"count": job.get_state("counter").get("count", 0) + 1})
if "--fail" in sys.argv:
    sys.exit(1)
job.commit()
"""

ENABLED = {"--job-bookmark-option": "job-bookmark-enable"}


def run(glue: Any, state: str = "SUCCEEDED", **arguments: str) -> str:
    """Runs the job once."""
    given = {**ENABLED, **{f"--{name.replace('_', '-')}": value for name, value in arguments.items()}}
    run_id: str = glue.start_job_run(JobName="j", Arguments=given)["JobRunId"]
    job_run_ended(glue, "j", run_id, state)
    return run_id


def entry(glue: Any) -> dict[str, Any]:
    """Reads the job's bookmark."""
    found: dict[str, Any] = glue.get_job_bookmark(JobName="j")["JobBookmarkEntry"]
    return found


def count(glue: Any) -> int:
    """Reads what the script counted."""
    return int(json.loads(entry(glue)["JobBookmark"])["states"]["counter"]["count"])


@pytest.fixture
def job(glue: Any, tmp_path: Path) -> str:
    """A job that counts its runs in its bookmark."""
    return str(add_job(glue, tmp_path, "j", COUNTING))


def test_a_job_begins_without_a_bookmark(glue: Any, job: str) -> None:
    fault = ("EntityNotFoundException", "Continuation for job j not found")
    assert refused(glue.get_job_bookmark, JobName="j") == fault
    assert refused(glue.reset_job_bookmark, JobName="j") == fault


def test_each_run_finds_what_the_one_before_committed(glue: Any, job: str) -> None:
    first = run(glue)
    found = entry(glue)
    assert (found["JobName"], found["RunId"], found["Run"]) == ("j", first, 1)
    assert found["Version"] >= 1
    second = run(glue)
    later = entry(glue)
    assert (later["RunId"], later["Run"], later["Version"]) == (second, 2, found["Version"] + 1)
    assert later["PreviousRunId"] == first
    assert count(glue) == 2


def test_a_run_that_fails_commits_nothing(glue: Any, job: str) -> None:
    run(glue)
    run(glue, "FAILED", fail="yes")
    assert count(glue) == 1
    run(glue)
    assert count(glue) == 2


def test_a_paused_bookmark_is_read_and_not_moved(glue: Any, job: str) -> None:
    run(glue)
    run(glue, job_bookmark_option="job-bookmark-pause")
    assert count(glue) == 1


def test_a_bookmark_is_reset(glue: Any, job: str) -> None:
    run(glue)
    found = glue.reset_job_bookmark(JobName="j")["JobBookmarkEntry"]
    assert (found["JobName"], found["Run"], found["Attempt"]) == ("j", 0, 0)
    run(glue)
    assert count(glue) == 1


def test_a_bookmark_goes_with_its_job(glue: Any, job: str, tmp_path: Path) -> None:
    run(glue)
    glue.delete_job(JobName="j")
    add_job(glue, tmp_path, "j", COUNTING)
    assert refused(glue.get_job_bookmark, JobName="j")[0] == "EntityNotFoundException"


def test_of_two_commits_from_one_version_the_second_is_refused(
    server: Server, glue: Any, account: str, tmp_path: Path, gate: Gate
) -> None:
    add_job(glue, tmp_path, "j", gate.script)
    run_id = glue.start_job_run(JobName="j")["JobRunId"]

    def put(version: int) -> wire.Answer:
        members = {"JobName": "j", "RunId": run_id, "ExpectedVersion": version, "JobBookmark": "{}"}
        return wire.call(server.endpoint, "Treenail.PutJobBookmark", members, account)

    first = put(0)
    assert first.status == 200, first
    again = put(0)
    assert (again.status, again.fault) == (400, "VersionMismatchException")
    assert put(first.json["JobBookmarkEntry"]["Version"]).status == 200
    members = {"JobName": "j", "RunId": "jr_0", "ExpectedVersion": 0, "JobBookmark": "{}"}
    unknown = wire.call(server.endpoint, "Treenail.PutJobBookmark", members, account)
    assert unknown.fault == "EntityNotFoundException"
    gate.open()
