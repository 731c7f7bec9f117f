"""Lists, page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.aws import client, new_account, read_paged, refused
from harness.flows import ROLE, add_job, command, job_run_ended
from harness.server import Server

COUNT = 7


def fill(glue: Any) -> None:
    """Creates entities whose names are not in the order of their creation."""
    for number in sorted(range(COUNT), key=lambda number: (number * 3) % COUNT):
        glue.create_workflow(Name=f"w{number}")
        glue.create_job(Name=f"j{number}", Role=ROLE, Command=command("s3://a/b.py"))
        glue.create_trigger(Name=f"t{number}", Type="ON_DEMAND", Actions=[{"JobName": "j0"}])


@pytest.mark.parametrize("size", [1, 3, COUNT, 20])
@pytest.mark.parametrize(
    ("operation", "member", "prefix"),
    [
        ("list_workflows", "Workflows", "w"),
        ("list_jobs", "JobNames", "j"),
        ("get_jobs", "Jobs", "j"),
        ("list_triggers", "TriggerNames", "t"),
        ("get_triggers", "Triggers", "t"),
    ],
)
def test_pages_make_up_the_list_in_order(glue: Any, operation: str, member: str, prefix: str, size: int) -> None:
    fill(glue)
    found = read_paged(getattr(glue, operation), member, size)
    names = [entry if isinstance(entry, str) else entry["Name"] for entry in found]
    assert names == [f"{prefix}{number}" for number in range(COUNT)]


@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_runs_are_paged_newest_first(glue: Any, tmp_path: Path, size: int) -> None:
    glue.create_workflow(Name="w")
    add_job(glue, tmp_path, "j")
    runs, job_runs = [], []
    for _ in range(5):
        runs.append(glue.start_workflow_run(Name="w")["RunId"])
    for _ in range(3):
        job_runs.append(glue.start_job_run(JobName="j")["JobRunId"])
        job_run_ended(glue, "j", job_runs[-1])
    found = read_paged(glue.get_workflow_runs, "Runs", size, Name="w")
    assert [run["WorkflowRunId"] for run in found] == runs[::-1]
    found = read_paged(glue.get_job_runs, "JobRuns", size, JobName="j")
    assert [run["Id"] for run in found] == job_runs[::-1]


def test_a_page_without_a_size_holds_as_many_as_aws_allows(glue: Any) -> None:
    for number in range(26):
        glue.create_workflow(Name=f"w{number:02}")
    first = glue.list_workflows()
    assert len(first["Workflows"]) == 25
    second = glue.list_workflows(NextToken=first["NextToken"])
    assert second["Workflows"] == ["w25"]
    assert "NextToken" not in second


def test_boto_paginators_read_all(glue: Any) -> None:
    fill(glue)
    for operation, member in (("list_workflows", "Workflows"), ("get_triggers", "Triggers"), ("get_jobs", "Jobs")):
        found = list(glue.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}).search(member))
        assert len(found) == COUNT


def test_entries_that_come_and_go_do_not_move_a_page(glue: Any) -> None:
    fill(glue)
    token = glue.list_workflows(MaxResults=3)["NextToken"]
    glue.create_workflow(Name="a first one")
    glue.delete_workflow(Name="w2")
    glue.delete_workflow(Name="w3")
    assert glue.list_workflows(MaxResults=2, NextToken=token)["Workflows"] == ["w4", "w5"]


def test_a_size_beyond_the_bounds_is_a_validation_error(glue: Any) -> None:
    for call, size in ((glue.list_workflows, 26), (glue.get_triggers, 201), (glue.get_jobs, 1001)):
        code, message = refused(call, MaxResults=size)
        assert code == "ValidationException"
        assert f"Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value less" in message


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "é" * 10, "x" * 5000])
def test_a_token_of_someone_elses_is_refused(glue: Any, token: str) -> None:
    fault = ("InvalidInputException", "Pagination token is invalid")
    assert refused(glue.list_workflows, NextToken=token) == fault


def test_a_token_is_good_for_its_own_list_only(server: Server, glue: Any) -> None:
    fill(glue)
    token = glue.list_workflows(MaxResults=1)["NextToken"]
    fault = ("InvalidInputException", "Pagination token is invalid")
    assert refused(glue.list_jobs, NextToken=token) == fault
    other = client("glue", server.endpoint, new_account())
    assert refused(other.list_workflows, NextToken=token) == fault
    assert refused(glue.list_workflows, NextToken=token[:-2] + ("AA" if token[-2:] != "AA" else "BB")) == fault


def test_an_empty_token_is_none(glue: Any) -> None:
    fill(glue)
    assert len(glue.list_workflows(NextToken="")["Workflows"]) == COUNT
