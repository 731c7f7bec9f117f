"""Jobs: what is stored, which defaults AWS adds, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.aws import answer, refused
from harness.flows import ROLE, add_job, command, job_run_ended

SHELL = command("s3://scripts/a.py")
SPARK = {"Name": "glueetl", "ScriptLocation": "s3://scripts/a.py"}


def created(glue: Any, **members: Any) -> dict[str, Any]:
    """Creates a job and reads it back, without its times."""
    given = {"Name": "j", "Role": ROLE, "Command": SHELL, **members}
    assert answer(glue.create_job(**given)) == {"Name": "j"}
    job: dict[str, Any] = glue.get_job(JobName="j")["Job"]
    assert job.pop("CreatedOn") == job.pop("LastModifiedOn")
    return job


def test_a_shell_job_gets_aws_defaults(glue: Any) -> None:
    job = created(glue)
    job.pop("GlueVersion", None)
    assert job == {
        "Name": "j",
        "JobMode": "SCRIPT",
        "Role": ROLE,
        "Command": SHELL,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        "Timeout": 2880,
        "AllocatedCapacity": 0,
        "MaxCapacity": 0.0625,
    }


@pytest.mark.parametrize(
    ("members", "defaults"),
    [
        ({}, {"GlueVersion": "5.1", "Timeout": 480, "MaxCapacity": 10.0, "AllocatedCapacity": 10}),
        ({"GlueVersion": "4.0"}, {"GlueVersion": "4.0", "Timeout": 2880, "MaxCapacity": 10.0, "AllocatedCapacity": 10}),
        (
            {"GlueVersion": "5.0", "WorkerType": "G.2X", "NumberOfWorkers": 4},
            {
                "GlueVersion": "5.0",
                "Timeout": 480,
                "WorkerType": "G.2X",
                "NumberOfWorkers": 4,
                "MaxCapacity": 8.0,
                "AllocatedCapacity": 8,
            },
        ),
    ],
)
def test_a_spark_job_gets_aws_defaults(glue: Any, members: dict[str, Any], defaults: dict[str, Any]) -> None:
    assert created(glue, Command=SPARK, **members) == {
        "Name": "j",
        "JobMode": "SCRIPT",
        "Role": ROLE,
        "Command": SPARK,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        **defaults,
    }


def test_what_is_set_comes_back(glue: Any) -> None:
    given: dict[str, Any] = {
        "Description": "d",
        "LogUri": "s3://logs/",
        "ExecutionProperty": {"MaxConcurrentRuns": 7},
        "DefaultArguments": {"--a": "1", "--flag": ""},
        "NonOverridableArguments": {"--b": "2"},
        "Connections": {"Connections": ["c"]},
        "MaxRetries": 2,
        "Timeout": 10,
        "MaxCapacity": 1.0,
        "SecurityConfiguration": "s",
        "NotificationProperty": {"NotifyDelayAfter": 3},
        "JobRunQueuingEnabled": True,
        "GlueVersion": "3.0",
        "SourceControlDetails": {"Provider": "GITHUB", "Repository": "r"},
    }
    job = created(glue, **given)
    assert {name: job[name] for name in given} == given


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Command": SPARK, "WorkerType": "G.1X"}, "Please set both Worker Type and Number of Workers."),
        ({"Command": SPARK, "NumberOfWorkers": 2}, "Please set both Worker Type and Number of Workers."),
        (
            {"Command": SPARK, "WorkerType": "G.1X", "NumberOfWorkers": 2, "MaxCapacity": 2.0},
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        ),
        (
            {"Command": SPARK, "WorkerType": "G.1X", "NumberOfWorkers": 1},
            "To use Worker Type G.1X, minimum allowed value of Number of Workers is 2.",
        ),
        ({"WorkerType": "G.1X", "NumberOfWorkers": 2}, "Worker Type is not supported for Job Command pythonshell"),
        ({"MaxCapacity": 2.0}, "Max Capacity should be between 0.0 and 1.0 if present for pythonshell."),
        ({"MaxCapacity": 0.5}, "Max Capacity values with precision supported for pythonshell are [0.0625]."),
        (
            {"Command": SPARK, "MaxCapacity": 2.5},
            "Max Capacity with precision currently not supported for glueetl.",
        ),
        ({"ExecutionClass": "FLEX"}, "Flex job is supported for ETL jobs only"),
        ({"MaintenanceWindow": "Sun:10"}, "Maintenance window should be provided only for glue streaming jobs"),
        (
            {"Command": {"Name": "glueray"}},
            "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs",
        ),
        ({"Timeout": 10081}, "Timeout should be less than or equal to 10080 minutes."),
        (
            {"Command": SPARK, "GlueVersion": "2.0"},
            "The Glue version selected for the job is no longer available. Select a newer Glue version.",
        ),
    ],
)
def test_a_wrong_definition_is_refused_in_aws_words(glue: Any, members: dict[str, Any], message: str) -> None:
    call = {"Name": "j", "Role": ROLE, "Command": SHELL, **members}
    assert refused(glue.create_job, **call) == ("InvalidInputException", message)
    assert glue.list_jobs()["JobNames"] == []


def test_a_wrong_update_is_refused_and_changes_nothing(glue: Any) -> None:
    created(glue, Description="old")
    update = {"Role": ROLE, "Command": SHELL, "Timeout": 10081}
    message = "Timeout should be less than or equal to 10080 minutes."
    assert refused(glue.update_job, JobName="j", JobUpdate=update) == ("InvalidInputException", message)
    assert glue.get_job(JobName="j")["Job"]["Description"] == "old"


@pytest.mark.parametrize(
    "kind", [{"Name": "nonsense", "ScriptLocation": "s3://a/b"}, {"Name": "pythonshell"}, {"Name": "gluestreaming"}]
)
def test_what_aws_does_not_refuse_is_accepted(glue: Any, kind: dict[str, str]) -> None:
    glue.create_job(Name="j", Role=ROLE, Command=kind)
    assert glue.get_job(JobName="j")["Job"]["Command"] == kind


def test_an_update_replaces_the_whole_definition(glue: Any) -> None:
    created(
        glue,
        Description="old",
        DefaultArguments={"--a": "1"},
        MaxRetries=3,
        Timeout=5,
        ExecutionProperty={"MaxConcurrentRuns": 4},
        GlueVersion="3.0",
    )
    assert answer(glue.update_job(JobName="j", JobUpdate={"Role": "other", "Command": SHELL})) == {"JobName": "j"}
    job = glue.get_job(JobName="j")["Job"]
    assert job["LastModifiedOn"] >= job["CreatedOn"]
    assert not {"Description", "DefaultArguments"} & set(job)
    assert (job["Role"], job["MaxRetries"], job["Timeout"]) == ("other", 0, 2880)
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert job["GlueVersion"] == "3.0", "an update without a version keeps it"


@pytest.mark.parametrize(
    ("operation", "members", "message"),
    [
        ("get_job", {}, "Job nowhere not found."),
        ("update_job", {"JobUpdate": {"Role": ROLE, "Command": SHELL}}, "Job nowhere not found."),
        ("start_job_run", {}, "Failed to start job run due to missing metadata."),
        ("get_job_bookmark", {}, "Continuation for job nowhere not found"),
        ("reset_job_bookmark", {}, "Continuation for job nowhere not found"),
    ],
)
def test_an_unknown_job_is_not_found(glue: Any, operation: str, members: dict[str, Any], message: str) -> None:
    fault = ("EntityNotFoundException", message)
    assert refused(getattr(glue, operation), JobName="nowhere", **members) == fault


def test_the_runs_of_an_unknown_job_are_not_found(glue: Any) -> None:
    assert refused(glue.get_job_runs, JobName="nowhere")[0] == "EntityNotFoundException"
    assert refused(glue.get_job_run, JobName="nowhere", RunId="jr_0")[0] == "EntityNotFoundException"


def test_an_unknown_job_run_is_not_found(glue: Any) -> None:
    created(glue)
    fault = ("EntityNotFoundException", "Job run jr_0 not found.")
    assert refused(glue.get_job_run, JobName="j", RunId="jr_0") == fault


def test_deleting_what_is_not_there_is_no_error(glue: Any) -> None:
    assert answer(glue.delete_job(JobName="nowhere")) == {"JobName": "nowhere"}


def test_a_job_created_again_has_no_runs(glue: Any, tmp_path: Any) -> None:
    add_job(glue, tmp_path, "j")
    run_id = glue.start_job_run(JobName="j")["JobRunId"]
    job_run_ended(glue, "j", run_id)
    glue.delete_job(JobName="j")
    assert refused(glue.get_job_runs, JobName="j")[0] == "EntityNotFoundException"
    add_job(glue, tmp_path, "j")
    assert glue.get_job_runs(JobName="j")["JobRuns"] == []
    assert refused(glue.get_job_run, JobName="j", RunId=run_id)[0] == "EntityNotFoundException"


def test_the_same_job_again_is_no_error(glue: Any) -> None:
    given = {"Name": "j", "Role": ROLE, "Command": SHELL, "MaxRetries": 1}
    glue.create_job(**given)
    assert answer(glue.create_job(**given)) == {"Name": "j"}
    message = "Job with name 'j' already submitted with different configuration"
    fault = ("IdempotentParameterMismatchException", message)
    assert refused(glue.create_job, **{**given, "MaxRetries": 2}) == fault


def test_a_batch_tells_which_jobs_are_missing(glue: Any) -> None:
    created(glue)
    found = glue.batch_get_jobs(JobNames=["nowhere", "j"])
    assert [job["Name"] for job in found["Jobs"]] == ["j"]
    assert found["JobsNotFound"] == ["nowhere"]
    assert glue.get_jobs()["Jobs"] == found["Jobs"]
